/* log.c - log.jsonl: see log.h.
 *
 * Every line begins {"step":N, and N never decreases. So a resumed run finds the place
 * where its log goes on by reading the lines: it cuts at the first line of a later step,
 * of an evaluation that the run will do again, or that is incomplete.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 14, HEAD_SIZE = 64 };

/* How far a run is. */
typedef struct run_place {
    int64_t step;
    bool evaluated; /* at this step */
} run_place;

static ag_status log_failed(const train_log *log, const char *what, ag_error *error)
{
    return ag_error_set(error, AG_IO, "%.300s: %s: %s", log->path, what, AG_REASON(errno));
}

/* ---- Opening ----------------------------------------------------------------------- */

static bool close_file(train_log *log)
{
    int descriptor = log->descriptor;
    log->descriptor = -1;
    return close(descriptor) == 0 || errno == EINTR;
}

/* read(), again after a signal. */
static ssize_t read_some(int descriptor, char *bytes, size_t size)
{
    ssize_t got;
    do
        got = read(descriptor, bytes, size);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Whether the line that begins like this reports something that the run at `at` has not
 * done yet. */
static bool is_ahead(const char *head, run_place at)
{
    const size_t start = strlen(LOG_LINE_START);
    char *end;
    if (strncmp(head, LOG_LINE_START, start) != 0)
        return false;
    long long step = strtoll(head + start, &end, 10);
    bool evaluation = *end == ',' && !strncmp(end + 1, LOG_EVALUATION, strlen(LOG_EVALUATION));
    return step > at.step || (step == at.step && evaluation && !at.evaluated);
}

/* The beginning of the line that is being read. */
typedef struct line_head {
    char text[HEAD_SIZE];
    size_t used;
} line_head;

/* Reads `size` bytes of the file, from byte `before` on: *kept becomes the end of the
 * last line to keep. Returns false at the first line to cut off. */
static bool keep_lines(const char *bytes, size_t size, off_t before, run_place at, line_head *head, off_t *kept)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != '\n') {
            if (head->used < HEAD_SIZE - 1)
                head->text[head->used++] = bytes[i];
            continue;
        }
        head->text[head->used] = '\0';
        if (is_ahead(head->text, at))
            return false;
        head->used = 0;
        *kept = before + (off_t)i + 1;
    }
    return true;
}

/* Sets log->size to the part of an old log that is kept. */
static ag_status find_kept(train_log *log, run_place at, ag_error *error)
{
    char bytes[READ_SIZE];
    line_head head = {.used = 0};
    ssize_t got;
    for (off_t before = 0; (got = read_some(log->descriptor, bytes, sizeof bytes)) > 0; before += got)
        if (!keep_lines(bytes, (size_t)got, before, at, &head, &log->size))
            return AG_OK;
    return got == 0 ? AG_OK : log_failed(log, "cannot read the log", error);
}

ag_status train_log_open(train_log *log, const char *path, int64_t step, bool evaluated, ag_error *error)
{
    struct stat info;
    ag_status status = AG_OK;
    *log = (train_log){.path = path};
    /* O_NONBLOCK: never wait for the other end of a pipe; O_NOFOLLOW: never write outside
     * the folder */
    log->descriptor = open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (log->descriptor < 0 && errno == ELOOP)
        return ag_error_set(error, AG_IO, "%.300s: the log is a symbolic link: put the file itself there", path);
    if (log->descriptor < 0 || fstat(log->descriptor, &info) != 0)
        status = log_failed(log, "cannot write the log", error);
    else if (!S_ISREG(info.st_mode))
        status = ag_error_set(error, AG_IO, "%.300s: cannot write the log: it is no regular file", path);
    if (status == AG_OK && step > 0) /* nothing is kept of an overwritten run's log */
        status = find_kept(log, (run_place){step, evaluated}, error);
    if (status == AG_OK && log->size != info.st_size && ftruncate(log->descriptor, log->size) != 0)
        status = log_failed(log, "cannot cut the log", error);
    if (status != AG_OK && log->descriptor >= 0)
        close_file(log);
    return status;
}

/* ---- Lines ------------------------------------------------------------------------- */

static double whole_milliseconds(double seconds)
{
    return round(seconds * 1e3) / 1e3;
}

static void put_report(data_json_object *line, const train_progress *progress)
{
    data_json_put_integer(line, "epoch", progress->epoch);
    data_json_put_number(line, "loss", progress->loss, 9);
    data_json_put_number(line, "rate", progress->rate, 9);
    data_json_put_number(line, "gradient_norm", progress->gradient_norm, 9);
    data_json_put_number(line, "tokens_per_second", progress->tokens_per_second, 6);
    data_json_put_number(line, "seconds", whole_milliseconds(progress->seconds), 15);
    data_json_put_number(line, "processor_seconds", whole_milliseconds(progress->processor_seconds), 15);
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

/* Writes the line of a report, with its line feed, and returns its length. */
static size_t print_line(char text[LOG_LINE_SIZE], const train_progress *progress)
{
    data_json_object line = data_json_object_start(text, LOG_LINE_SIZE - 1, "");
    data_json_put_integer(&line, "step", progress->step);
    if (progress->dev)
        put_evaluation(&line, progress);
    else
        put_report(&line, progress);
    data_json_object_end(&line); /* LOG_LINE_SIZE is enough for every line */
    size_t size = strlen(text);
    text[size] = '\n';
    return size + 1;
}

/* Writes the waiting lines to the end of the file. */
static ag_status write_waiting(train_log *log, ag_error *error)
{
    while (log->used > 0) {
        errno = 0;
        ssize_t written = pwrite(log->descriptor, log->waiting, log->used, log->size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return log_failed(log, "cannot write the log", error);
        log->size += written;
        log->used -= (size_t)written;
        memmove(log->waiting, log->waiting + written, log->used);
    }
    return AG_OK;
}

ag_status train_log_add(train_log *log, const train_progress *progress, ag_error *error)
{
    char line[LOG_LINE_SIZE];
    size_t size = print_line(line, progress);
    ag_status status = log->used + size > sizeof log->waiting ? write_waiting(log, error) : AG_OK;
    if (status != AG_OK) {
        log->lacking = true;
        return status;
    }
    memcpy(log->waiting + log->used, line, size);
    log->used += size;
    return write_waiting(log, error);
}

ag_status train_log_sync(train_log *log, ag_error *error)
{
    ag_status status = write_waiting(log, error);
    while (status == AG_OK && fsync(log->descriptor) != 0)
        if (errno != EINTR)
            status = log_failed(log, "cannot write the log", error);
    return status;
}

ag_status train_log_close(train_log *log, ag_error *error)
{
    if (log->descriptor < 0)
        return AG_OK;
    ag_status status = write_waiting(log, error);
    if (!close_file(log) && status == AG_OK)
        status = log_failed(log, "cannot write the log", error);
    if (status == AG_OK && log->lacking)
        status = ag_error_set(error, AG_IO, "%.300s: some lines could not be written to the log", log->path);
    return status;
}
