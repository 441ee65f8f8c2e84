/* map.c - a file mapped into memory, read-only. */
/* for madvise, where there is one: POSIX has only advice that may be ignored */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier): the C library's own switch */
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char nothing[1] = "";

static ag_status refuse(ag_error *error, const char *path, const char *what, int number)
{
    return ag_error_set(error, AG_IO, "%s: %s: %s", path, what, strerror(number));
}

/* Maps what is open as `descriptor`. */
static ag_status map_descriptor(data_map *map, int descriptor, const char *path, ag_error *error)
{
    struct stat info;
    if (fstat(descriptor, &info) != 0)
        return refuse(error, path, "cannot read the file's size", errno);
    if (S_ISDIR(info.st_mode))
        return refuse(error, path, "cannot read", EISDIR);
    if (!S_ISREG(info.st_mode))
        return ag_error_set(error, AG_IO, "%s: not a regular file, so it cannot be mapped (copy it to one)", path);
    if (info.st_size == 0)
        return AG_OK;
    if ((uintmax_t)info.st_size > SIZE_MAX)
        return refuse(error, path, "cannot map", EFBIG);

    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED)
        return refuse(error, path, "cannot map", errno);
    map->bytes = bytes;
    map->size = (size_t)info.st_size;
    return AG_OK;
}

ag_status data_map_open(data_map *map, const char *path, ag_error *error)
{
    *map = (data_map){nothing, 0};
    /* A pipe without a writer would make open wait for ever. */
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
        return refuse(error, path, "cannot open", errno);
    ag_status status = map_descriptor(map, descriptor, path, error);
    close(descriptor); /* the map lives on without it */
    return status;
}

void data_map_rest(const data_map *map)
{
#ifdef MADV_DONTNEED
    if (map->size > 0)
        madvise((void *)map->bytes, map->size, MADV_DONTNEED); /* refused: then it just stays */
#else
    (void)map;
#endif
}

void data_map_close(data_map *map)
{
    if (map->size > 0)
        munmap((void *)map->bytes, map->size);
    *map = (data_map){nothing, 0};
}
