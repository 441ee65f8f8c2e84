/* log.h - log.jsonl: one JSON object per line. */
#ifndef TRAIN_LOG_H
#define TRAIN_LOG_H

#include "train.h"

#define LOG_LINE_START "{\"step\":"
#define LOG_LINE_SIZE  1024 /* longer than any line that is written */

/* Opens the file for lines behind those of steps up to `step`; what is behind them is cut off. Step 0 begins it anew.
 */
FILE *train_log_open(const char *path, int64_t step, ag_error *error);
/* Writes the line of a report (of an evaluation, where progress->dev is there), and flushes it. */
ag_status train_log_write(FILE *log, const char *path, const train_progress *progress, ag_error *error) AG_CHECKED;

#endif
