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

static void put_report(data_json_object *line, const train_progress *progress)
{
    data_json_put_integer(line, "epoch", progress->epoch);
    data_json_put_number(line, "loss", progress->loss, 9);
    data_json_put_number(line, "rate", progress->rate, 9);
    data_json_put_number(line, "gradient_norm", progress->gradient_norm, 9);
    data_json_put_number(line, "tokens_per_second", progress->tokens_per_second, 6);
    data_json_put_number(line, "seconds", round(progress->seconds * 1e3) / 1e3, 15);
}

static void put_evaluation(data_json_object *line, const train_progress *progress)
{
    const train_metrics *dev = progress->dev;
    data_json_put_number(line, "dev_loss", dev->loss, 9);
    data_json_put_number(line, "dev_token_accuracy", dev->token_accuracy, 9);
    if (dev->decoded) {
        data_json_put_number(line, "dev_exact_match", dev->exact_match, 9);
        data_json_put_number(line, "dev_wer", dev->wer, 9);
        data_json_put_number(line, "dev_per", dev->per, 9);
    }
    data_json_put_bool(line, "best", progress->best);
}

ag_status train_log_write(FILE *log, const char *path, const train_progress *progress, ag_error *error)
{
    char text[LOG_LINE_SIZE];
    data_json_object line = data_json_object_start(text, sizeof text, "");
    data_json_put_integer(&line, "step", progress->step);
    if (progress->dev)
        put_evaluation(&line, progress);
    else
        put_report(&line, progress);
    data_json_object_end(&line); /* LOG_LINE_SIZE is enough for all */
    fprintf(log, "%s\n", text);
    if (fflush(log) != 0 || ferror(log))
        return ag_error_set(error, AG_IO, "%s: cannot write the log: %s", path, AG_REASON(errno));
    return AG_OK;
}
