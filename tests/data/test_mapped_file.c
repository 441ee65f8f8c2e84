/* test_mapped_file.c - the bytes of files and pipes in memory, and pipes that cannot be
 * read or are waited for. */
#include "check_util.h"
#include "data.h"
#include "files/mapped_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder;

static void setup(void)
{
    folder = test_folder_new();
}

static void teardown(void)
{
    test_folder_remove(folder);
}

START_TEST(maps)
{
    data_map map = {0};
    ag_error error = {0};
    data_map_close(&map);
    char *path = test_file_write(folder, "empty", "", 0);
    ck_assert_int_eq(data_map_open(&map, path, &error), AG_OK);
    ck_assert(map.size == 0 && map.bytes && map.bytes[0] == '\0');
    data_map_close(&map);
    free(path);
    path = test_file_write(folder, "some", "xyz", 3);
    ck_assert_int_eq(data_map_open(&map, path, &error), AG_OK);
    ck_assert(map.size == 3 && memcmp(map.bytes, "xyz", 3) == 0);
    data_map_close(&map);
    data_map_close(&map);
    free(path);

    ck_assert_int_eq(data_map_open(&map, folder, &error), AG_IO);
    ck_assert_ptr_nonnull(strstr(error.message, folder));
    ck_assert_ptr_nonnull(strstr(error.message, "Is a directory"));
    error = (ag_error){0};
    ck_assert_int_eq(data_map_open(&map, "/none/such", &error), AG_IO);
    ck_assert_str_eq(error.message, "/none/such: cannot open: No such file or directory");
}
END_TEST

START_TEST(maps_of_pipes)
{
    enum { SIZE = 300000 };
    char *content = malloc(SIZE), *path;
    for (int i = 0; i < SIZE; i++)
        content[i] = (char)('a' + i * 7 % 26);
    data_map map, again;
    ag_error error = {0};
    ck_assert_int_eq(setenv("TMPDIR", folder, 1), 0);
    path = test_pipe_new(folder, content, SIZE, 1);
    ck_assert_msg(data_map_open(&map, path, &error) == AG_OK, "%s", error.message);
    ck_assert(map.size == SIZE && memcmp(map.bytes, content, SIZE) == 0);
    ck_assert_int_eq(data_map_again(&again, &map, path, &error), AG_OK);
    data_map_rest(&map);
    data_map_close(&map);
    ck_assert(again.size == SIZE && memcmp(again.bytes, content, SIZE) == 0);
    data_map_close(&again);
    wait(NULL);
    free(path);

    path = test_pipe_new(folder, "", 0, 0);
    ck_assert_int_eq(data_map_open(&map, path, &error), AG_OK);
    ck_assert(map.size == 0 && map.bytes && map.bytes[0] == '\0');
    ck_assert_int_eq(data_map_again(&again, &map, path, &error), AG_OK);
    ck_assert(again.size == 0 && again.bytes && again.bytes[0] == '\0');
    data_map_close(&map);
    remove(path); /* which leaves the folder empty: copies have no names */
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    free(path);
    free(content);
}
END_TEST

/* The descriptors that this process has open. */
static int open_descriptors(void)
{
    int count = 0;
    for (int descriptor = 0; descriptor < 256; descriptor++)
        count += fcntl(descriptor, F_GETFD) != -1;
    return count;
}

static void expect_no_copy(const char *path, const char *message)
{
    data_map map;
    ag_error error = {0};
    const int before = open_descriptors();
    ck_assert_int_eq(data_map_open(&map, path, &error), AG_IO);
    ck_assert_ptr_nonnull(strstr(error.message, message));
    ck_assert_int_eq(strncmp(error.message, path, strlen(path)), 0);
    ck_assert_int_eq(open_descriptors(), before);
}

START_TEST(pipes_that_cannot_be_copied)
{
    const struct rlimit small = {.rlim_cur = 3, .rlim_max = RLIM_INFINITY};
    char *path = test_pipe_new(folder, "a\tb\n", 4, 0);
    setenv("TMPDIR", "/none/such", 1);
    expect_no_copy(path, "pipe: cannot make a temporary file in /none/such: No such file or directory (TMPDIR names "
                         "another folder)");
    free(path);
    path = test_pipe_new(folder, "a\tb\n", 4, 0);
    setenv("TMPDIR", folder, 1);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    expect_no_copy(path, ": File too large (TMPDIR names another folder)");
    ck_assert_ptr_nonnull(strstr(path, "pipe"));
    free(path);
}
END_TEST

static void ring(int number)
{
    (void)number;
}

/* Who waits at a pipe without a writer can be called away. */
START_TEST(pipes_and_signals)
{
    data_map map;
    ag_error error = {0};
    struct sigaction action = {.sa_handler = ring};
    char *path = malloc(strlen(folder) + 16);
    sprintf(path, "%s/pipe", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    ck_assert_int_eq(data_map_open(&map, path, &error), AG_INTERRUPTED);
    ck_assert_ptr_nonnull(strstr(error.message, "pipe: interrupted by a signal"));
    remove(path);
    free(path);
    path = test_pipe_new(folder, "", 0, 3);
    error = (ag_error){0};
    alarm(1);
    ck_assert_int_eq(data_map_open(&map, path, &error), AG_INTERRUPTED);
    free(path);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("mapped_file");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, maps);
    tcase_add_test(tests, maps_of_pipes);
    tcase_add_test(tests, pipes_that_cannot_be_copied);
    tcase_add_test(tests, pipes_and_signals);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
