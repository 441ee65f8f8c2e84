/* log.h - log.jsonl: one JSON object per line.
 *
 * A log is as safe as its checkpoint: train_log_sync puts it on the disk before each
 * checkpoint, so a checkpoint never counts a line that its log lacks, and a resume cuts
 * off the lines that the checkpoint does not count. See docs/design-notes.md.
 */
#ifndef TRAIN_LOG_H
#define TRAIN_LOG_H

#include "train.h"

#include <sys/types.h>

#define LOG_LINE_START "{\"step\":"
#define LOG_EVALUATION "\"dev_" /* begins the second key of an evaluation's line */
#define LOG_LINE_SIZE  1024     /* longer than any line that is written */

/* A log that lines are added to. */
typedef struct train_log {
    const char *path; /* the caller's */
    int descriptor;   /* -1: closed */
    off_t size;       /* bytes of the file */
    size_t used;      /* of `waiting` */
    bool lacking;     /* there was no room for a line */
    char waiting[16 * LOG_LINE_SIZE]; /* lines that could not be written when they came */
} train_log;

/* Opens the log of a run that stands at `step`, after the evaluation of that step if
 * `evaluated`: lines of what the run has not done yet are cut off. After an error the log
 * is as it was. */
ag_status train_log_open(train_log *log, const char *path, int64_t step, bool evaluated, ag_error *error) AG_CHECKED;
/* Writes the line of a report (of an evaluation, where progress->dev is there). After a
 * failure the line waits in memory and is written with the next, as long as there is room
 * for those that wait; the run can go on. */
ag_status train_log_add(train_log *log, const train_progress *progress, ag_error *error) AG_CHECKED;
/* Puts all lines on the disk. */
ag_status train_log_sync(train_log *log, ag_error *error) AG_CHECKED;
/* Writes what still waits, and closes the log where it is open. AG_IO where the log lacks
 * lines. */
ag_status train_log_close(train_log *log, ag_error *error) AG_CHECKED;

#endif
