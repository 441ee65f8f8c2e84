/* test_output.c - a file appears whole or not at all, whichever call of the system fails.
 *
 * The calls through which a file is written are defined here, in front of the C library's, and lead to their twins.
 */
#include "check_util.h"
#include "data.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The calls of the system ---------------------------------------------------------------- */

static bool watching;     /* only what a test does with an output is noted and fails */
static char calls[64];    /* one letter per call: w(rite) p(write) f(sync) r(ename) */
static size_t call_count; /* also behind the end of `calls` */
static size_t fail_at;    /* the n-th call fails; 0: none */
static int fail_with;     /* its errno */
static size_t most;       /* bytes that a write takes; 0: all */
static bool interrupted;  /* every other write and fsync is */
static ino_t flushed;     /* what the last fsync was for */

/* Notes a call; true where it shall fail. */
static bool call_fails(char letter)
{
    if (!watching)
        return false;
    if (call_count < sizeof calls - 1)
        calls[call_count] = letter;
    call_count++;
    if (call_count == fail_at) {
        errno = fail_with;
        return true;
    }
    if (interrupted && letter != 'r' && call_count % 2 == 1) {
        errno = EINTR;
        return true;
    }
    return false;
}

static ssize_t write_some(int descriptor, const void *bytes, size_t size)
{
    struct iovec piece = {(void *)(uintptr_t)bytes, watching && most > 0 && size > most ? most : size};
    return writev(descriptor, &piece, 1);
}

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    return call_fails('w') ? -1 : write_some(descriptor, bytes, size);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t at)
{
    off_t end = lseek(descriptor, 0, SEEK_CUR);
    if (call_fails('p') || lseek(descriptor, at, SEEK_SET) < 0)
        return -1;
    ssize_t written = write_some(descriptor, bytes, size);
    lseek(descriptor, end, SEEK_SET);
    return written;
}

int fsync(int descriptor)
{
    struct stat info;
    if (call_fails('f'))
        return -1;
    if (fstat(descriptor, &info) == 0)
        flushed = info.st_ino;
    return fdatasync(descriptor);
}

int rename(const char *from, const char *to)
{
    return call_fails('r') ? -1 : renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* ---- Helpers -------------------------------------------------------------------------------- */

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
    fail_at = most = 0;
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

/* True where nothing but the file itself is in the folder: rmdir works once it is gone. */
static bool alone(void)
{
    return unlink(path) == 0 && rmdir(folder) == 0 && mkdir(folder, 0777) == 0;
}

/* ---- Tests ---------------------------------------------------------------------------------- */

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
    most = 1000;
    interrupted = true;
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    ck_assert_uint_gt(call_count, 2 * SIZE / 1000);
    ck_assert(holds_new(path));
    most = 1; /* the patch, too, byte by byte */
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

/* What a killed process has left is removed by the next who writes the same file; nothing else is. */
START_TEST(what_a_crash_left_is_removed)
{
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(dead, NULL, 0), dead);
    const struct {
        const char *format;
        long process;
        bool goes;
    } cases[] = {
        {"file.tmp-%ld-0", dead, true},          {"file.tmp-%ld-13", dead, true},
        {"file.tmp-%ld-0", getppid(), false},    {"file.tmp-%ld-50", getpid(), false},
        {"other.tmp-%ld-0", dead, false},        {"file.tmp-%ld-0.txt", dead, false},
        {"file.tmp-%ld", dead, false},           {"file.tmp-0%ld-0", dead, false},
        {"my-file.tmp-%ld-0", dead, false},      {"file.tmp--%ld-0", dead, false},
        {"file.tmp-99999999999%ld-0", 9, false}, {"file.tmp-%ld-0", 0, false},
    };
    enum { CASES = sizeof cases / sizeof *cases };
    char *paths[CASES];
    for (int i = 0; i < CASES; i++) {
        char name[64];
        snprintf(name, sizeof name, cases[i].format, cases[i].process);
        paths[i] = test_file_write(folder, name, old, sizeof old);
    }
    ck_assert_int_eq(write_new(path, NULL), AG_OK);
    for (int i = 0; i < CASES; i++) {
        ck_assert_msg((access(paths[i], F_OK) != 0) == cases[i].goes, "%s", paths[i]);
        free(paths[i]);
    }
}
END_TEST

/* A rename would put a file in the place of a pipe, a device (/dev/null, say) or an empty folder. */
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
    tcase_add_test(tcase, what_is_no_file_stays);
    tcase_add_test(tcase, a_link_is_replaced);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(output_suite)
