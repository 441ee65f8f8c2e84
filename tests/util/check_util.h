/* check_util.h - what every test program shares: libcheck, a main, drawn numbers,
 * instruction-set levels, a folder for files. */
#ifndef TESTS_CHECK_UTIL_H
#define TESTS_CHECK_UTIL_H

#include "allocations.h"
#include "autograd.h"

#include <check.h>
#include <stdlib.h>

/* The main of a test program: runs one suite, exits 1 on a failure. Each test has a
 * process of its own; CK_FORK=no in the environment keeps them in one, for valgrind and
 * debuggers. */
#define TEST_MAIN(make_suite)                                                                                          \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        SRunner *runner = srunner_create(make_suite());                                                                \
        srunner_run_all(runner, CK_ENV);                                                                               \
        int failed = srunner_ntests_failed(runner);                                                                    \
        srunner_free(runner);                                                                                          \
        return failed != 0;                                                                                            \
    }

/* A tolerance: `tight` in double, `loose` in float. */
#ifdef TAPEFORMER_DOUBLE
#define PRECISION(tight, loose) (tight)
#else
#define PRECISION(tight, loose) (loose)
#endif

/* Fills `values` with uniform numbers in [low, high) from (seed). */
void test_fill(ag_real *values, int64_t count, uint64_t seed, double low, double high);

/* The instruction-set levels by name. Each test has its process, so one may name a level
 * in the environment before it uses a kernel. */
#define TEST_LEVELS 5
extern const char *const test_levels[TEST_LEVELS];
/* How many of them, from the first on, the processor has. */
int test_levels_here(void);
void test_ask_for_level(int level);
/* Adds to the suite what `add` adds to a test case, once for each level that the
 * processor has. */
void test_at_each_level(Suite *suite, void (*add)(TCase *tests));

/* A new empty folder for this test's files; the caller removes it with
 * test_folder_remove. */
char *test_folder_new(void);
void test_folder_remove(char *folder);
/* The path folder/name, to be freed. */
char *test_path(const char *folder, const char *name);
/* Writes `size` bytes to folder/name and returns the path (to be freed). */
char *test_file_write(const char *folder, const char *name, const void *bytes, size_t size);
/* The bytes of folder/name with a zero after them, to be freed. `size` receives their
 * number unless it is NULL. */
void *test_file_read(const char *folder, const char *name, size_t *size);
/* Fails the test where the two files differ. */
void test_files_equal(const char *folder_a, const char *folder_b, const char *name);
bool test_file_exists(const char *folder, const char *name);
/* The path, to be freed, of a named pipe in which a process of its own writes `content`,
 * piece by piece, `seconds` after the reader came. wait() waits for the writer. */
char *test_pipe_new(const char *folder, const char *content, size_t size, unsigned seconds);

#endif
