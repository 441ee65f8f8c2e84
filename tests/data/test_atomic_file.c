/* test_atomic_file.c - a file appears whole or not at all, whichever call of the system
 * fails.
 *
 * The calls through which a file is written fail as failing_calls.c lets them. */
#include "data.h"
#include "failing_calls.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The calls of the system ------------------------------------------------------- */

static bool watching;     /* only what a test does with an output is noted and fails */
static char calls[64];    /* one letter per call: w(rite) p(write) f(sync) r(ename) */
static size_t call_count; /* also past the end of `calls` */
static size_t fail_at;    /* the n-th call fails; 0: none */
static int fail_with;     /* its errno */
static bool interrupted;  /* every other write and fsync is */
static ino_t flushed;     /* what the last fsync was for */

/* Notes a call; true where it shall fail. */
static bool note_call(const char *call, int descriptor)
{
    struct stat info;
    const bool is_one = !strcmp(call, "write") || !strcmp(call, "pwrite") || !strcmp(call, "fsync");
    if (!watching || (!is_one && strcmp(call, "rename") != 0))
        return false;
    if (call_count < sizeof calls - 1)
        calls[call_count] = !strcmp(call, "fsync") ? 'f' : call[0];
    call_count++;
    if (call_count == fail_at) {
        errno = fail_with;
        return true;
    }
    if (interrupted && is_one && call_count % 2 == 1) {
        errno = EINTR;
        return true;
    }
    watching = false; /* fstat is a call, too */
    if (!strcmp(call, "fsync") && fstat(descriptor, &info) == 0)
        flushed = info.st_ino;
    watching = true;
    return false;
}

/* ---- Helpers ----------------------------------------------------------------------- */

enum { SIZE = 150001, PATCH_AT = 70000 };

static char *folder, *path;
static unsigned char old[] = "the old file", new[SIZE];

static void set_up(void)
{
    folder = test_folder_new();
    path = test_file_write(folder, "file", old, sizeof old);
    for (size_t i = 0; i < SIZE; i++)
        new[i] = (unsigned char)(i * 7 + i / 251);
    watching = interrupted = false;
    fail_at = test_most_written = 0;
    test_on_file_call = note_call;
}

static void tear_down(void)
{
    free(path);
    test_folder_remove(folder);
}

/* Writes `new` in uneven pieces, one of them by a patch. */
static ag_status write_new(const char *to, ag_error *error)
{
    data_output *output;
    memset(calls, 0, sizeof calls);
    call_count = 0;
    watching = true;
    ag_status status = data_output_open(&output, to, error);
    if (status == AG_OK) {
        data_output_put(output, new, 0);
        for (size_t at = 0, size = 1; at < SIZE; at += size, size += size < 9000 ? size : 0) {
            size = size < SIZE - at ? size : SIZE - at;
            data_output_put(output, new + at, size);
        }
        data_output_patch(output, PATCH_AT, "patch", 5);
        data_output_put(output, "end", 3);
        status = data_output_finish(output, error);
    }
    watching = false;
    return status;
}

static bool holds(const char *name, const void *bytes, size_t size)
{
    unsigned char *found = malloc(SIZE + 16);
    FILE *file = fopen(name, "rb");
    ck_assert_ptr_nonnull(file);
    bool same = fread(found, 1, SIZE + 16, file) == size && !memcmp(found, bytes, size);
    fclose(file);
    free(found);
    return same;
}

static bool holds_new(const char *name)
{
    unsigned char *wanted = malloc(SIZE + 3);
    memcpy(wanted, new, SIZE);
    memcpy(wanted + PATCH_AT, "patch", 5);
    memcpy(wanted + SIZE, "end", 3);
    bool same = holds(name, wanted, SIZE + 3);
    free(wanted);
    return same;
}

/* True where nothing but the file itself is in the folder: rmdir works once it is
 * gone. */
static bool alone(void)
{
    return unlink(path) == 0 && rmdir(folder) == 0 && mkdir(folder, 0777) == 0;
}

/* ---- Tests ------------------------------------------------------------------------- */

START_TEST(the_order_of_calls_makes_it_safe)
{
    struct stat info;
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    ck_assert_str_eq(calls, "wwwpwfrf"); /* the bytes are on the disk before the name, and the name at the end */
    ck_assert_int_eq(stat(folder, &info), 0);
    ck_assert_uint_eq(flushed, info.st_ino);
    ck_assert(holds_new(path));
    ck_assert(alone());
}
END_TEST

START_TEST(a_name_alone_lies_in_the_current_folder)
{
    struct stat info;
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(write_new("file", NULL), AG_OK);
    ck_assert_int_eq(stat(".", &info), 0);
    ck_assert_uint_eq(flushed, info.st_ino);
    ck_assert(holds_new("file"));
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert(alone());
}
END_TEST

START_TEST(every_call_may_fail)
{
    size_t n;
    for (n = 1;; n++) {
        ag_error error = {0};
        char wanted[512];
        free(test_file_write(folder, "file", old, sizeof old));
        fail_at = n;
        fail_with = ENOSPC;
        ag_status status = write_new(path, &error);
        if (status == AG_OK)
            break;
        ck_assert_int_eq(status, AG_IO);
        snprintf(wanted, sizeof wanted, "cannot write %s: %s", path, strerror(ENOSPC));
        ck_assert_str_eq(error.message, wanted);
        ck_assert(n < 8 ? holds(path, old, sizeof old) : holds_new(path)); /* the 8th comes after the rename */
        ck_assert(alone());
    }
    ck_assert_uint_eq(n, 9);
}
END_TEST

START_TEST(nothing_is_written_after_a_failure)
{
    fail_at = 1;
    fail_with = EIO;
    ck_assert_int_eq(write_new(path, NULL), AG_IO);
    ck_assert_str_eq(calls, "w");
}
END_TEST

START_TEST(short_and_interrupted_writes_go_on)
{
    test_most_written = 1000;
    interrupted = true;
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    ck_assert_uint_gt(call_count, 2 * SIZE / 1000);
    ck_assert(holds_new(path));
    test_most_written = 1; /* the patch, too, byte by byte */
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    ck_assert(holds_new(path));
    ck_assert(alone());
}
END_TEST

START_TEST(a_folder_that_cannot_be_flushed_is_no_failure)
{
    fail_at = 8;
    fail_with = EINVAL;
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    ck_assert(holds_new(path));
    fail_at = 6; /* but the file itself must be */
    ck_assert_int_eq(write_new(path, NULL), AG_IO);
}
END_TEST

/* A child that writes the file, says so, and lives until it is killed. */
static pid_t start_writer(void)
{
    int ends[2];
    char told = 0;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t writer = fork();
    if (writer == 0) {
        data_output *output;
        if (data_output_open(&output, path, NULL) == AG_OK && data_output_put(output, new, SIZE))
            told = 1;
        if (write(ends[1], &told, 1) == 1)
            pause();
        _exit(1);
    }
    ck_assert(read(ends[0], &told, 1) == 1 && told == 1);
    close(ends[0]);
    close(ends[1]);
    return writer;
}

static int count_temporaries(void)
{
    int count = 0;
    DIR *files = opendir(folder);
    for (const struct dirent *entry; (entry = readdir(files));)
        count += !strncmp(entry->d_name, "file.tmp-", 9);
    closedir(files);
    return count;
}

/* Who else writes the same file tells a writer that lives from one that was killed, by
 * its lock: process numbers say nothing in another process namespace or on another
 * host. */
START_TEST(a_living_writer_keeps_its_file)
{
    pid_t writer = start_writer();
    ck_assert_int_eq(count_temporaries(), 1);
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    ck_assert_int_eq(count_temporaries(), 1);
    ck_assert_int_eq(kill(writer, SIGKILL), 0);
    ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    ck_assert(holds_new(path));
    ck_assert(alone());
}
END_TEST

/* The other writer finishes its file, and begins the next, just before its lock is
 * asked. */
static bool begin_the_next(const char *call, int descriptor)
{
    char from[512], to[512];
    (void)descriptor;
    if (strcmp(call, "flock") != 0)
        return false;
    test_on_file_call = NULL;
    snprintf(from, sizeof from, "%s/file.tmp-7-0", folder);
    snprintf(to, sizeof to, "%s/finished", folder);
    ck_assert_int_eq(rename(from, to), 0);
    free(test_file_write(folder, "file.tmp-7-0", "the next", 8));
    return false;
}

/* A writer names its next temporary file like the last: only the one whose lock was asked
 * is removed. */
START_TEST(the_next_file_of_a_name_stays)
{
    char *left = test_file_write(folder, "file.tmp-7-0", old, sizeof old);
    test_on_file_call = begin_the_next;
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    ck_assert(holds_new(path));
    ck_assert(holds(left, "the next", 8));
    free(left);
}
END_TEST

/* A file system without locks: files are written, and no one's temporary file is
 * removed. */
START_TEST(without_locks_nothing_is_removed)
{
    char *left = test_file_write(folder, "file.tmp-7-0", old, sizeof old);
    test_on_file_call = test_refuse_locks;
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    ck_assert(holds_new(path));
    ck_assert(holds(left, old, sizeof old));
    free(left);
}
END_TEST

/* The next process that writes the same file removes what a killed one has left, and
 * nothing else. */
START_TEST(what_a_crash_left_is_removed)
{
    static const struct {
        const char *name;
        bool goes;
    } cases[] = {
        {"file.tmp-4711-0", true},          {"file.tmp-1-13", true},
        {"other.tmp-4711-0", false},        {"file.tmp-4711-0.txt", false},
        {"file.tmp-4711", false},           {"file.tmp-04711-0", false},
        {"my-file.tmp-4711-0", false},      {"file.tmp--4711-0", false},
        {"file.tmp-999999999999-0", false}, {"file.tmp-0-0", false},
    };
    enum { CASES = sizeof cases / sizeof *cases };
    char *paths[CASES];
    for (int i = 0; i < CASES; i++)
        paths[i] = test_file_write(folder, cases[i].name, old, sizeof old);
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    for (int i = 0; i < CASES; i++) {
        ck_assert_msg((access(paths[i], F_OK) != 0) == cases[i].goes, "%s", paths[i]);
        free(paths[i]);
    }
}
END_TEST

/* To look is to try, and leaves nothing. */
START_TEST(to_check_leaves_all_as_it_was)
{
    ag_error error = {0};
    char other[300];
    free(test_file_write(folder, "file", old, sizeof old));
    ck_assert_int_eq(data_output_check(path, &error), AG_OK);
    ck_assert(holds(path, old, sizeof old));
    snprintf(other, sizeof other, "%s/other", folder);
    ck_assert_int_eq(data_output_check(other, &error), AG_OK);
    ck_assert_int_eq(access(other, F_OK), -1);
    remove(path);
    ck_assert_int_eq(rmdir(folder), 0); /* it is empty */
    ck_assert_int_eq(data_output_check(other, &error), AG_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "/other: No such file or directory"));
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    error = (ag_error){0};
    ck_assert_int_eq(data_output_check(folder, &error), AG_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "it is a folder"));
}
END_TEST

/* ---- Modes and owners -------------------------------------------------------------- */

static struct stat look_at(const char *name)
{
    struct stat info;
    ck_assert_int_eq(stat(name, &info), 0);
    return info;
}

START_TEST(a_mode_is_kept)
{
    static const mode_t modes[] = {0600, 0640, 0644, 0664, 0755, 0444, 0400};
    umask(0027);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        ck_assert_int_eq(write_new(path, NULL), AG_OK);
        ck_assert_uint_eq(look_at(path).st_mode & 07777, modes[i]);
        ck_assert(holds_new(path));
    }
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    ck_assert_uint_eq(look_at(path).st_mode & 07777, 0640); /* a new file has what the umask leaves */
    ck_assert(alone());
}
END_TEST

/* Until the new file is complete, its owner alone can read it. */
static bool is_private;
static bool look_at_temporary(const char *call, int descriptor)
{
    struct stat info;
    test_on_file_call = NULL;
    if (!strcmp(call, "write"))
        is_private = fstat(descriptor, &info) == 0 && (info.st_mode & 0777) == 0600;
    test_on_file_call = look_at_temporary;
    return false;
}

START_TEST(what_is_private_was_never_open)
{
    umask(0);
    ck_assert_int_eq(chmod(path, 0600), 0);
    test_on_file_call = look_at_temporary;
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    ck_assert(is_private);
}
END_TEST

static uid_t asked_user;
static gid_t asked_group;
static int owner_calls, owner_refusals;
static bool refuse_owners(const char *call, int descriptor)
{
    (void)descriptor;
    if (strcmp(call, "fchown") != 0)
        return false;
    owner_calls++;
    errno = EPERM;
    return owner_calls <= owner_refusals;
}

/* Root may give files away, others may not: then the group at least, and where that is
 * refused no more to the group than to all. */
START_TEST(an_owner_is_kept_where_that_is_allowed)
{
    asked_user = geteuid() == 0 ? 12345 : geteuid();
    asked_group = geteuid() == 0 ? 23456 : getegid();
    for (owner_refusals = 0; owner_refusals <= 2; owner_refusals++) {
        ck_assert_int_eq(chown(path, asked_user, asked_group), 0);
        ck_assert_int_eq(chmod(path, 0664), 0);
        owner_calls = 0;
        test_on_file_call = refuse_owners;
        ck_assert_int_eq(write_new(path, NULL), AG_OK);
        test_on_file_call = note_call;
        struct stat info = look_at(path);
        if (geteuid() != 0)
            continue; /* all files are the user's own: there is nothing to give */
        ck_assert_int_eq(owner_calls, owner_refusals ? 2 : 1);
        ck_assert(info.st_uid == (owner_refusals ? geteuid() : asked_user));
        ck_assert(info.st_gid == (owner_refusals == 2 ? getegid() : asked_group));
        ck_assert_uint_eq(info.st_mode & 0777, owner_refusals == 2 ? 0644 : 0664);
    }
}
END_TEST

/* A rename would put a file in the place of a pipe, a device (/dev/null, say) or an empty
 * folder. */
START_TEST(what_is_no_file_stays)
{
    char wanted[512], *link = malloc(strlen(path) + 8);
    for (int is_folder = 0; is_folder < 2; is_folder++) {
        ag_error error = {0};
        struct stat info;
        ck_assert_int_eq(is_folder ? mkdir(path, 0777) : unlink(path) | mkfifo(path, 0666), 0);
        snprintf(wanted, sizeof wanted, "cannot write %s: it is %s", path, is_folder ? "a folder" : "no regular file");
        ck_assert_int_eq(write_new(path, &error), AG_IO);
        ck_assert_str_eq(error.message, wanted);
        ck_assert_str_eq(calls, "");
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert(is_folder ? S_ISDIR(info.st_mode) : S_ISFIFO(info.st_mode));

        sprintf(link, "%s-link", path);
        ck_assert_int_eq(symlink(path, link), 0);
        ck_assert_int_eq(write_new(link, NULL), AG_IO);
        ck_assert_int_eq(unlink(link), 0);
        ck_assert_int_eq(is_folder ? rmdir(path) : 0, 0);
        ck_assert(is_folder ? rmdir(folder) == 0 && mkdir(folder, 0777) == 0 : alone());
    }
    free(link);
}
END_TEST

/* The link becomes the file, whether it led to one or to nothing. */
START_TEST(a_link_is_replaced)
{
    char *link = malloc(strlen(path) + 8);
    struct stat info;
    sprintf(link, "%s-link", path);
    for (int dangling = 0; dangling < 2; dangling++) {
        ck_assert_int_eq(symlink(dangling ? "nothing" : path, link), 0);
        ck_assert_int_eq(write_new(link, NULL), AG_OK);
        ck_assert(lstat(link, &info) == 0 && S_ISREG(info.st_mode));
        ck_assert(holds_new(link));
        ck_assert(holds(path, old, sizeof old));
        ck_assert_int_eq(unlink(link), 0);
    }
    ck_assert(alone());
    free(link);
}
END_TEST

static Suite *output_suite(void)
{
    Suite *suite = suite_create("output");
    TCase *tcase = tcase_create("output");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_order_of_calls_makes_it_safe);
    tcase_add_test(tcase, a_name_alone_lies_in_the_current_folder);
    tcase_add_test(tcase, every_call_may_fail);
    tcase_add_test(tcase, nothing_is_written_after_a_failure);
    tcase_add_test(tcase, short_and_interrupted_writes_go_on);
    tcase_add_test(tcase, a_folder_that_cannot_be_flushed_is_no_failure);
    tcase_add_test(tcase, what_a_crash_left_is_removed);
    tcase_add_test(tcase, to_check_leaves_all_as_it_was);
    tcase_add_test(tcase, a_living_writer_keeps_its_file);
    tcase_add_test(tcase, the_next_file_of_a_name_stays);
    tcase_add_test(tcase, without_locks_nothing_is_removed);
    tcase_add_test(tcase, a_mode_is_kept);
    tcase_add_test(tcase, what_is_private_was_never_open);
    tcase_add_test(tcase, an_owner_is_kept_where_that_is_allowed);
    tcase_add_test(tcase, what_is_no_file_stays);
    tcase_add_test(tcase, a_link_is_replaced);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(output_suite)
