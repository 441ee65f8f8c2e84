/* failing_calls.c - stands between library, command and tests on one side and the C
 * library's file calls on the other (linked with --wrap): counts the calls, and fails on
 * request.
 *
 * A call that fails does nothing, except those that close: a descriptor or stream is gone
 * even where closing it reports that a write failed late. (Writing to a stream is left
 * out: what tells of a failure there is ferror, which only the C library can set;
 * flushing and closing fail here.) */
#include "failing_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_llong file_calls, file_call_to_fail;
static int file_errno;
test_file_hook *test_on_file_call;
size_t test_most_written;
const char *test_failed_call;

int64_t test_file_calls(void)
{
    return atomic_load(&file_calls);
}

void test_fail_file_call(int64_t n, int error_number)
{
    file_errno = error_number;
    atomic_store(&file_call_to_fail, n ? atomic_load(&file_calls) + n : 0);
}

static size_t most(size_t size)
{
    return test_most_written && size > test_most_written ? test_most_written : size;
}

/* Whether this call shall fail; errno is set then. */
static bool call_fails(const char *call, int descriptor)
{
    if (test_on_file_call && test_on_file_call(call, descriptor))
        return true;
    if (atomic_fetch_add(&file_calls, 1) + 1 != atomic_load(&file_call_to_fail))
        return false;
    test_failed_call = call;
    if (file_errno == TEST_KILLED)
        raise(SIGKILL);
    errno = file_errno;
    return true;
}

bool test_refuse_locks(const char *call, int descriptor)
{
    (void)descriptor;
    const bool refused = !strcmp(call, "flock");
    if (refused) /* only then: readdir's callers see by errno whether it failed */
        errno = ENOLCK;
    return refused;
}

/* ---- Files ------------------------------------------------------------------------- */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = flags & O_CREAT ? va_arg(more, int) : 0;
    va_end(more);
    return call_fails("open", -1) ? -1 : __real_open(path, flags, mode);
}

int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);

int __wrap_openat(int folder, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = flags & O_CREAT ? va_arg(more, int) : 0;
    va_end(more);
    return call_fails("openat", folder) ? -1 : __real_openat(folder, path, flags, mode);
}

int __wrap_fsync(int file);

/* Nothing is flushed: no test cuts the power, and waiting for the disk would take most of
 * the time. */
int __wrap_fsync(int file)
{
    return call_fails("fsync", file) ? -1 : 0;
}

/* A call with its parameters, its arguments, the descriptor that it is for, and what it
 * returns on a failure. */
#define CALL(type, name, parameters, arguments, descriptor, failed)                                                    \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        return call_fails(#name, descriptor) ? (failed) : __real_##name arguments;                                     \
    }

/* The same for a call that closes: it does so in any case. */
#define CLOSING_CALL(type, name, parameters, arguments, descriptor, failed)                                            \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        bool fails = call_fails(#name, descriptor);                                                                    \
        int reason = errno;                                                                                            \
        type result = __real_##name arguments;                                                                         \
        errno = fails ? reason : errno;                                                                                \
        return fails ? (failed) : result;                                                                              \
    }

CALL(ssize_t, read, (int file, void *bytes, size_t size), (file, bytes, size), file, -1)
CALL(ssize_t, write, (int file, const void *bytes, size_t size), (file, bytes, most(size)), file, -1)
CALL(ssize_t, pwrite, (int file, const void *bytes, size_t size, off_t at), (file, bytes, most(size), at),
     file, -1)
CALL(int, ftruncate, (int file, off_t size), (file, size), file, -1)
CALL(int, fstat, (int file, struct stat *info), (file, info), file, -1)
CALL(int, fchmod, (int file, mode_t mode), (file, mode), file, -1)
CALL(int, fchown, (int file, uid_t user, gid_t group), (file, user, group), file, -1)
CALL(int, flock, (int file, int operation), (file, operation), file, -1)
CALL(void *, mmap, (void *at, size_t size, int protection, int flags, int file, off_t from),
     (at, size, protection, flags, file, from), file, MAP_FAILED)
CALL(int, stat, (const char *path, struct stat *info), (path, info), -1, -1)
CALL(int, lstat, (const char *path, struct stat *info), (path, info), -1, -1)
CALL(int, access, (const char *path, int mode), (path, mode), -1, -1)
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, -1)
CALL(int, mkstemp, (char *pattern), (pattern), -1, -1)
CALL(int, rename, (const char *from, const char *to), (from, to), -1, -1)
CALL(int, unlink, (const char *path), (path), -1, -1)
CALL(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags), folder, -1)
CALL(DIR *, opendir, (const char *path), (path), -1, NULL)
CALL(struct dirent *, readdir, (DIR *folder), (folder), -1, NULL)
CALL(FILE *, fopen, (const char *path, const char *mode), (path, mode), -1, NULL)
CALL(FILE *, open_memstream, (char **bytes, size_t *size), (bytes, size), -1, NULL)
CALL(int, fflush, (FILE *file), (file), -1, EOF)
CLOSING_CALL(int, close, (int file), (file), file, -1)
CLOSING_CALL(int, fclose, (FILE *file), (file), -1, EOF)
