/* mapped_file.c - a file mapped into memory, read-only. */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier): the C library's own switch, for madvise */
#include "mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char nothing[1] = "";

static ag_status refuse_file(ag_error *error, const char *path, const char *what, int number)
{
    if (number == EINTR)
        return ag_error_set(error, AG_INTERRUPTED, "%s: interrupted by a signal before it was read", path);
    return ag_error_set(error, AG_IO, "%s: %s: %s", path, what, AG_REASON(number));
}

/* ---- A copy of what cannot be mapped ----------------------------------------------- */

/* Creates a temporary file without a name, which goes with its descriptor. -1 with
 * errno. */
static int open_nameless(const char *folder)
{
    size_t size = strlen(folder) + sizeof "/tapeformer-XXXXXX";
    char *name = malloc(size);
    if (!name)
        return -1;
    snprintf(name, size, "%s/tapeformer-XXXXXX", folder);
    int descriptor = mkstemp(name);
    if (descriptor >= 0) {
        fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        unlink(name);
    }
    free(name);
    return descriptor;
}

static bool write_all(int descriptor, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, bytes, size);
        if (written < 0 && errno != EINTR)
            return false;
        bytes += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* Copies all that can be read from `from`. */
static ag_status copy_all(int from, int copy, const char *path, const char *folder, ag_error *error)
{
    char bytes[1 << 16];
    ssize_t got;
    while ((got = read(from, bytes, sizeof bytes)) > 0)
        if (!write_all(copy, bytes, (size_t)got))
            return ag_error_set(error, AG_IO,
                                "%s: cannot copy it to a temporary file in %s: %s (TMPDIR names another folder)", path,
                                folder, AG_REASON(errno));
    return got == 0 ? AG_OK : refuse_file(error, path, "cannot read", errno);
}

/* Replaces the descriptor of a pipe, a terminal or a device by that of a copy, which can
 * be mapped. */
static ag_status replace_by_copy(int *descriptor, const char *path, ag_error *error)
{
    const char *set = getenv("TMPDIR"), *folder = set && *set ? set : "/tmp";
    int copy = open_nameless(folder);
    if (copy < 0)
        return ag_error_set(error, AG_IO, "%s: cannot make a temporary file in %s: %s (TMPDIR names another folder)",
                            path, folder, AG_REASON(errno));
    ag_status status = copy_all(*descriptor, copy, path, folder, error);
    /* data_map_again maps it from where it stands. In brackets a name is no macro: that of
     * wasi-libc is no C11. */
    (lseek)(copy, 0, SEEK_SET);
    close(*descriptor);
    *descriptor = copy;
    return status;
}

/* ---- Mapping ----------------------------------------------------------------------- */

/* Maps the file open as map->descriptor. */
static ag_status map_descriptor(data_map *map, const char *path, ag_error *error)
{
    struct stat info;
    if (fstat(map->descriptor, &info) != 0)
        return refuse_file(error, path, "cannot read the file's size", errno);
    if (info.st_size == 0)
        return AG_OK;
    if ((uintmax_t)info.st_size > SIZE_MAX)
        return refuse_file(error, path, "cannot map", EFBIG);

    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, map->descriptor, 0);
    if (bytes == MAP_FAILED)
        return refuse_file(error, path, "cannot map", errno);
    map->bytes = bytes;
    map->size = (size_t)info.st_size;
    return AG_OK;
}

/* Maps the file open as `descriptor`, which the map then owns, or a copy of what it has
 * from where it stands. */
static ag_status map_open(data_map *map, int descriptor, const char *path, ag_error *error)
{
    struct stat info;
    ag_status status = AG_OK;
    if (fstat(descriptor, &info) != 0)
        status = refuse_file(error, path, "cannot read", errno);
    else if (S_ISDIR(info.st_mode))
        status = refuse_file(error, path, "cannot read", EISDIR);
    else if (!S_ISREG(info.st_mode) || (lseek)(descriptor, 0, SEEK_CUR) > 0)
        status = replace_by_copy(&descriptor, path, error);
    map->descriptor = descriptor;
    if (status == AG_OK)
        status = map_descriptor(map, path, error);
    if (map->size == 0)
        close(descriptor);
    return status;
}

static bool is_input(const char *path)
{
    return strcmp(path, "-") == 0;
}

const char *data_map_name(const char *path)
{
    return is_input(path) ? "stdin" : path;
}

ag_status data_map_open(data_map *map, const char *path, ag_error *error)
{
    *map = (data_map){.bytes = nothing};
    const bool input = is_input(path);
    int descriptor = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return refuse_file(error, data_map_name(path), "cannot open", errno);
    return map_open(map, descriptor, data_map_name(path), error);
}

ag_status data_map_again(data_map *map, const data_map *first, const char *path, ag_error *error)
{
    *map = (data_map){.bytes = nothing};
    int descriptor = first->size > 0 ? fcntl(first->descriptor, F_DUPFD_CLOEXEC, 0) : -1;
    if (descriptor < 0)
        return first->size > 0 ? refuse_file(error, path, "cannot open again", errno) : AG_OK;
    return map_open(map, descriptor, path, error);
}

void data_map_rest(const data_map *map)
{
#ifdef MADV_DONTNEED
    if (map->size > 0)
        madvise((void *)map->bytes, map->size, MADV_DONTNEED); /* if that fails, the pages
                                                                * stay */
#else
    (void)map;
#endif
}

void data_map_close(data_map *map)
{
    if (map->size > 0) {
        munmap((void *)map->bytes, map->size);
        close(map->descriptor);
    }
    *map = (data_map){.bytes = nothing};
}
