/* test_train_folder.c - the folder of a run: one process at a time, a log that survives,
 * links that are not followed. */
#include "failing_calls.h"
#include "train/folder.h"
#include "train_fixture.h"


#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static ag_error error;
static int warnings;
static char warning[AG_MESSAGE_SIZE];

static void note_warning(void *context, const train_progress *progress)
{
    (void)context;
    if (!progress->warning)
        return;
    warnings++;
    snprintf(warning, sizeof warning, "%s", progress->warning);
}

static train_fixture set_up(void)
{
    error = (ag_error){0};
    warnings = 0;
    return train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0);
}

/* A run of 8 steps up to `stop_at` (0: to its end). */
static ag_status run(const train_fixture *f, bool resume, int64_t stop_at)
{
    const train_options options = {.steps = 8,
                                   .batch = 8,
                                   .evaluate_every = 4,
                                   .threads = 1,
                                   .out = f->out,
                                   .resume = resume,
                                   .stop_at = stop_at,
                                   .on_progress = note_warning};
    return train_run(f->model, f->training, f->dev, &options, NULL, &error);
}

static char *path_in(const train_fixture *f, const char *name)
{
    char *path = data_path_join(f->out, name, NULL);
    ck_assert_ptr_nonnull(path);
    return path;
}

/* The file's inode, which tells the file of a descriptor. */
static ino_t log_inode;
static test_file_hook *watching;

static void watch_log(const train_fixture *f, test_file_hook *hook)
{
    struct stat info;
    char *path = path_in(f, "log.jsonl");
    log_inode = stat(path, &info) == 0 ? info.st_ino : 0;
    watching = test_on_file_call = hook;
    free(path);
}

static bool is_log(int descriptor)
{
    struct stat info;
    test_on_file_call = NULL;
    bool is = fstat(descriptor, &info) == 0 && info.st_ino == log_inode;
    test_on_file_call = watching;
    return is;
}

static int lines_of(const train_fixture *f)
{
    size_t size;
    int lines = 0;
    char *log = test_file_read(f->out, "log.jsonl", &size);
    for (size_t i = 0; i < size; i++)
        lines += log[i] == '\n';
    ck_assert(size == 0 || log[size - 1] == '\n');
    free(log);
    return lines;
}

enum { LINES = 8 + 2 }; /* of a whole run: steps and evaluations */

/* ---- The lock ---------------------------------------------------------------------- */

/* A child that has the lock until it is killed. */
static pid_t start_owner(const train_fixture *f)
{
    int ends[2];
    char told = 0;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t owner = fork();
    if (owner == 0) {
        train_lock lock = {0};
        told = data_folder_make(f->out, NULL) == AG_OK && train_lock_take(&lock, f->out, NULL) == AG_OK;
        if (write(ends[1], &told, 1) == 1)
            pause();
        _exit(1);
    }
    ck_assert(read(ends[0], &told, 1) == 1 && told == 1);
    close(ends[0]);
    close(ends[1]);
    return owner;
}

static void end_owner(pid_t owner)
{
    ck_assert_int_eq(kill(owner, SIGKILL), 0);
    ck_assert_int_eq(waitpid(owner, NULL, 0), owner);
}

static void expect_in_use(pid_t owner)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "/run is in use by process %ld on ", (long)owner);
    ck_assert_msg(strstr(error.message, wanted) != NULL, "%s", error.message);
    error = (ag_error){0};
}

START_TEST(one_process_at_a_time)
{
    train_fixture f = set_up();
    pid_t owner = start_owner(&f);
    ck_assert_int_eq(run(&f, false, 0), AG_IO); /* to train */
    expect_in_use(owner);
    const train_saved saved = {.model = f.model,
                               .source_vocab = (data_vocab *)(uintptr_t)data_set_source_vocab(f.training),
                               .target_vocab = (data_vocab *)(uintptr_t)data_set_target_vocab(f.training)};
    ck_assert_int_eq(train_saved_save(&saved, f.out, false, &error), AG_IO); /* to save, as an import does */
    expect_in_use(owner);
    ck_assert(!test_file_exists(f.out, "model.safetensors"));
    end_owner(owner); /* the lock ends with the process */
    ck_assert_msg(run(&f, false, 4) == AG_INTERRUPTED, "%s", error.message);
    error = (ag_error){0};

    owner = start_owner(&f);
    ck_assert_int_eq(run(&f, true, 0), AG_IO); /* to go on */
    expect_in_use(owner);
    end_owner(owner);
    ck_assert_msg(run(&f, true, 0) == AG_OK, "%s", error.message);
    ck_assert_int_eq(lines_of(&f), LINES);
    ck_assert(!test_file_exists(f.out, "lock"));
    train_fixture_clear(&f);
}
END_TEST

START_TEST(a_file_system_without_locks)
{
    train_fixture f = set_up();
    test_on_file_call = test_refuse_locks;
    ck_assert_msg(run(&f, false, 0) == AG_OK, "%s", error.message);
    ck_assert(!test_file_exists(f.out, "lock"));
    train_fixture_clear(&f);
}
END_TEST

/* ---- The log ----------------------------------------------------------------------- */

static const char *failing_call;
static int failing_errno, failures; /* how often, from now on */

static bool fail_on_log(const char *call, int descriptor)
{
    if (failures == 0 || strcmp(call, failing_call) != 0 || !is_log(descriptor))
        return false;
    failures--;
    errno = failing_errno;
    return true;
}

/* A resume that cannot read its log, or cut it, leaves it as it is. */
START_TEST(a_log_that_cannot_be_read_stays)
{
    static const char *const calls[] = {"read", "ftruncate", "fstat"};
    static const char more[] = "{\"step\":7,\"loss\":1}\n";
    train_fixture f = set_up();
    ck_assert_int_eq(run(&f, false, 5), AG_INTERRUPTED);
    size_t size, again_size;
    char *log = test_file_read(f.out, "log.jsonl", &size);
    log = realloc(log, size + sizeof more);
    memcpy(log + size, more, sizeof more - 1); /* a line to be cut off */
    size += sizeof more - 1;
    free(test_file_write(f.out, "log.jsonl", log, size));
    for (int i = 0; i < 3; i++) {
        error = (ag_error){0};
        failing_call = calls[i];
        failing_errno = EIO;
        failures = 1;
        watch_log(&f, fail_on_log);
        ck_assert_int_eq(run(&f, true, 0), AG_IO);
        test_on_file_call = NULL;
        ck_assert_int_eq(failures, 0);
        ck_assert_msg(strstr(error.message, "log.jsonl: cannot") && strstr(error.message, "Input/output error"), "%s",
                      error.message);
        char *again = test_file_read(f.out, "log.jsonl", &again_size);
        ck_assert(again_size == size && !memcmp(again, log, size));
        free(again);
    }
    failing_call = "read";
    failing_errno = EINTR; /* a signal is no failure */
    failures = 1;
    watch_log(&f, fail_on_log);
    ck_assert_int_eq(run(&f, true, 0), AG_OK);
    test_on_file_call = NULL;
    ck_assert_int_eq(failures, 0);
    ck_assert_int_eq(lines_of(&f), LINES);
    free(log);
    train_fixture_clear(&f);
}
END_TEST

/* Lines that are not this version's own stay, and so do those of all steps that are
 * done. */
START_TEST(lines_of_others_stay)
{
    static const char other[] = "# a note\n";
    train_fixture f = set_up();
    ck_assert_int_eq(run(&f, false, 4), AG_INTERRUPTED);
    size_t size;
    char *log = test_file_read(f.out, "log.jsonl", &size);
    char *longer = malloc(size + sizeof other);
    memcpy(longer, other, sizeof other - 1);
    memcpy(longer + sizeof other - 1, log, size);
    free(test_file_write(f.out, "log.jsonl", longer, size + sizeof other - 1));
    ck_assert_int_eq(run(&f, true, 0), AG_OK);
    ck_assert_int_eq(lines_of(&f), LINES + 1);
    free(log);
    free(longer);
    train_fixture_clear(&f);
}
END_TEST

/* Lines that cannot be written wait; the run goes on, and says so once. */
START_TEST(a_log_that_cannot_be_written_ends_no_run)
{
    train_fixture f = set_up();
    ck_assert_int_eq(run(&f, false, 2), AG_INTERRUPTED);
    failing_call = "pwrite";
    failing_errno = ENOSPC;
    failures = 3;
    watch_log(&f, fail_on_log);
    ck_assert_msg(run(&f, true, 7) == AG_INTERRUPTED, "%s", error.message);
    ck_assert_int_eq(warnings, 1);
    ck_assert_msg(strstr(warning, "log.jsonl: cannot write the log: No space left on device"), "%s", warning);
    ck_assert_int_eq(lines_of(&f), 7 + 1);

    failures = 1000; /* to the end */
    warnings = 0;
    ck_assert_int_eq(run(&f, true, 0), AG_OK);
    test_on_file_call = NULL;
    ck_assert_int_eq(warnings, 1);
    ck_assert_int_eq(lines_of(&f), 7 + 1);
    train_saved saved;
    ck_assert_int_eq(train_saved_load(&saved, f.out, NULL), AG_OK);
    train_saved_clear(&saved);
    train_fixture_clear(&f);
}
END_TEST

static bool log_is_synced, synced_at_rename;
static int syncs;

static bool note_order(const char *call, int descriptor)
{
    if (!strcmp(call, "rename"))
        synced_at_rename = log_is_synced;
    if (!strcmp(call, "pwrite") && is_log(descriptor))
        log_is_synced = false;
    if (!strcmp(call, "fsync") && is_log(descriptor)) {
        log_is_synced = true;
        syncs++;
    }
    return false;
}

/* Nothing that a checkpoint counts is missing in the log, even after a power cut: the log
 * is flushed first. */
START_TEST(the_log_is_on_the_disk_before_the_checkpoint)
{
    train_fixture f = set_up();
    ck_assert_int_eq(run(&f, false, 1), AG_INTERRUPTED);
    watch_log(&f, note_order);
    ck_assert_int_eq(run(&f, true, 7), AG_INTERRUPTED); /* the last file that is renamed is the checkpoint */
    test_on_file_call = NULL;
    ck_assert_int_ge(syncs, 2);
    ck_assert(synced_at_rename);
    train_fixture_clear(&f);
}
END_TEST

/* ---- Links ------------------------------------------------------------------------- */

START_TEST(a_link_is_not_followed)
{
    train_fixture f = set_up();
    ck_assert_int_eq(run(&f, false, 4), AG_INTERRUPTED);
    char *log = path_in(&f, "log.jsonl");
    static const char text[] = "{\"step\":9}\nof another\n";
    char *other = test_file_write(f.folder, "other", text, sizeof text - 1);
    ck_assert(unlink(log) == 0 && symlink(other, log) == 0);
    error = (ag_error){0};
    ck_assert_int_eq(run(&f, true, 0), AG_IO);
    ck_assert_msg(strstr(error.message, "log.jsonl: the log is a symbolic link"), "%s", error.message);
    size_t size;
    char *after = test_file_read(f.folder, "other", &size);
    ck_assert(size == sizeof text - 1 && !memcmp(after, text, size));
    free(after);
    free(other);
    free(log);
    train_fixture_clear(&f);
}
END_TEST

/* A link that leads to nothing is something. */
START_TEST(a_dangling_link_is_no_empty_folder)
{
    static const char *const names[] = {"log.jsonl", "model.safetensors", "checkpoint.safetensors"};
    train_fixture f = set_up();
    ck_assert_int_eq(mkdir(f.out, 0777), 0);
    for (int i = 0; i < 3; i++) {
        char *path = path_in(&f, names[i]);
        error = (ag_error){0};
        ck_assert_int_eq(symlink("nothing", path), 0);
        ck_assert_int_eq(run(&f, false, 0), AG_BAD_VALUE);
        ck_assert_msg(strstr(error.message, "already holds"), "%s", error.message);
        ck_assert_msg((strstr(error.message, "resume") != NULL) == (i == 2), "%s", error.message);
        ck_assert(unlink(path) == 0);
        free(path);
    }
    ck_assert_int_eq(run(&f, false, 0), AG_OK);
    train_fixture_clear(&f);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/folder");
    TCase *t = tcase_create("folder");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, one_process_at_a_time);
    tcase_add_test(t, a_file_system_without_locks);
    tcase_add_test(t, a_log_that_cannot_be_read_stays);
    tcase_add_test(t, lines_of_others_stay);
    tcase_add_test(t, a_log_that_cannot_be_written_ends_no_run);
    tcase_add_test(t, the_log_is_on_the_disk_before_the_checkpoint);
    tcase_add_test(t, a_link_is_not_followed);
    tcase_add_test(t, a_dangling_link_is_no_empty_folder);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
