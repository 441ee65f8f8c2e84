/* log.c - log.jsonl: see log.h.
 *
 * Every line begins {"step":N, and N never falls, so a resumed run finds the place where its log goes on by reading the
 * lines: the first of a later step, or that is not whole, and all behind it are cut off.
 */
#include "log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool line_is_kept(const char *line, int64_t step)
{
    size_t start = strlen(LOG_LINE_START), size = strlen(line);
    return size > start && line[size - 1] == '\n' && !strncmp(line, LOG_LINE_START, start) &&
           strtoll(line + start, NULL, 10) <= step;
}

/* The bytes of the lines to keep; 0 where there is no file. */
static long kept_bytes(const char *path, int64_t step)
{
    char line[LOG_LINE_SIZE];
    long kept = 0;
    FILE *log = step > 0 ? fopen(path, "r") : NULL;
    while (log && fgets(line, sizeof line, log) && line_is_kept(line, step))
        kept += (long)strlen(line);
    if (log)
        fclose(log);
    return kept;
}

FILE *train_log_open(const char *path, int64_t step, ag_error *error)
{
    long kept = kept_bytes(path, step);
    FILE *log = fopen(path, "a");
    if (log && ftruncate(fileno(log), kept) == 0)
        return log;
    ag_error_set(error, AG_IO, "%s: cannot write the log: %s", path, AG_REASON(errno));
    if (log)
        fclose(log);
    return NULL;
}

/* JSON has no infinity and no NaN. */
static double finite_or_zero(double x)
{
    return isfinite(x) ? x : 0;
}

static void print_report(FILE *log, const train_progress *progress)
{
    char line[LOG_LINE_SIZE];
    ag_text_print(
        line, sizeof line,
            LOG_LINE_START "%lld,\"epoch\":%lld,\"loss\":%.9g,\"rate\":%.9g,\"gradient_norm\":%.9g,"
                           "\"tokens_per_second\":%.6g,\"seconds\":%.3f}\n",
            (long long)progress->step, (long long)progress->epoch, finite_or_zero(progress->loss),
            finite_or_zero(progress->rate), finite_or_zero(progress->gradient_norm),
            finite_or_zero(progress->tokens_per_second), finite_or_zero(progress->seconds));
    fputs(line, log);
}

static void print_evaluation(FILE *log, const train_progress *progress)
{
    const train_metrics *dev = progress->dev;
    char line[LOG_LINE_SIZE];
    int used = ag_text_print(line, sizeof line, LOG_LINE_START "%lld,\"dev_loss\":%.9g,\"dev_token_accuracy\":%.9g", (long long)progress->step,
            finite_or_zero(dev->loss), dev->token_accuracy);
    if (dev->decoded)
        used += ag_text_print(line + used, sizeof line - (size_t)used, ",\"dev_exact_match\":%.9g,\"dev_wer\":%.9g,\"dev_per\":%.9g", dev->exact_match, dev->wer,
                dev->per);
    fprintf(log, "%s,\"best\":%s}\n", line, progress->best ? "true" : "false");
}

ag_status train_log_write(FILE *log, const char *path, const train_progress *progress, ag_error *error)
{
    if (progress->dev)
        print_evaluation(log, progress);
    else
        print_report(log, progress);
    if (fflush(log) != 0 || ferror(log))
        return ag_error_set(error, AG_IO, "%s: cannot write the log: %s", path, AG_REASON(errno));
    return AG_OK;
}
