/* log.h - log.jsonl: one JSON object per line.
 *
 * A log is as safe as its checkpoint: train_log_sync flushes it to disk before each
 * checkpoint, so a checkpoint never counts a line that its log lacks, and a resume cuts
 * off the lines that the checkpoint does not count. See docs/design-notes.md.
 */
#ifndef TRAIN_LOG_H
#define TRAIN_LOG_H

#include "train.h"

#include <sys/types.h>

#define LOG_LINE_START "{\"step\":"
#define LOG_EVALUATION "\"dev_" /* how the second key of an evaluation's line begins */
#define LOG_LINE_SIZE  1024     /* more than any line takes */

/* A log that lines are added to. */
typedef struct train_log {
    const char *path; /* the caller's */
    int descriptor;   /* -1: closed */
    off_t size;       /* bytes of the file */
    size_t used;      /* of `waiting` */
    bool lacking;     /* a line was dropped for lack of room */
    char waiting[16 * LOG_LINE_SIZE]; /* lines that could not be written when they came */
} train_log;

/* Opens the log of a run at `step`, after the evaluation of that step if `evaluated`, and
 * cuts off the lines of what the run has not done yet. After an error the log file is as
 * it was. */
ag_status train_log_open(train_log *log, const char *path, int64_t step, bool evaluated, ag_error *error) AG_CHECKED;
/* Writes the line of a report, or of an evaluation if progress->dev is set. After a
 * failure the line waits in memory, as far as there is room, and is written with the
 * next; the run can go on. */
ag_status train_log_add(train_log *log, const train_progress *progress, ag_error *error) AG_CHECKED;
/* Flushes all lines to disk. */
ag_status train_log_sync(train_log *log, ag_error *error) AG_CHECKED;
/* Writes the waiting lines and closes the log, if it is open. AG_IO if the log lacks
 * lines. */
ag_status train_log_close(train_log *log, ag_error *error) AG_CHECKED;

#endif
