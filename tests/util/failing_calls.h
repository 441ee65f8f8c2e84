/* failing_calls.h - counts file calls, from open to fclose, and makes one fail. */
#ifndef TESTS_FAILING_CALLS_H
#define TESTS_FAILING_CALLS_H

#include "check_util.h"

/* The number of file calls of the library and the test since the start. */
int64_t test_file_calls(void);
/* Lets the n-th from now fail with this errno, or kill the process (1: the next; 0:
 * none). */
void test_fail_file_call(int64_t n, int error_number);
#define TEST_KILLED (-1)             /* instead of an errno */
extern const char *test_failed_call; /* the name of the call that failed so; NULL: none has */

/* Called before each file call with its name and its descriptor (-1 where it has none):
 * true, errno set, fails it. */
typedef bool test_file_hook(const char *call, int descriptor);
extern test_file_hook *test_on_file_call; /* NULL: none */
/* Such a hook: a file system without locks. */
bool test_refuse_locks(const char *call, int descriptor);
extern size_t test_most_written; /* bytes that a write takes; 0: all */

#endif
