/* progress.h - shows the progress of a training, or of predictions: one live line on a
 * terminal; of a training plain lines elsewhere. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "train.h"

typedef struct cli_progress {
    bool terminal; /* rewrite one line in place */
    bool quiet;
    bool live;         /* the cursor is at the end of such a line */
    double last_shown; /* seconds into the run when a line was last shown */
} cli_progress;

cli_progress cli_progress_make(bool quiet);
/* An on_progress callback; `context` is a cli_progress. */
void cli_progress_show(void *context, const train_progress *progress);
/* Shows how many lines are answered, in the live line of a terminal alone, at most ten
 * times a second and at the end. */
void cli_progress_lines(cli_progress *progress, int64_t done, double seconds, bool at_end);
/* Ends the live line. */
void cli_progress_end(const cli_progress *progress);

#endif
