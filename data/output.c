/* output.c - a file that appears whole or not at all.
 *
 * The order of steps is what makes it so: the new bytes are on the disk (fsync) before the name points to them
 * (rename), and the name is on the disk (fsync of the folder) before success is reported.
 */
#include "data.h"
#include "show.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { BUFFER_SIZE = 1 << 16, SUFFIX_SIZE = 48, NAMES_TRIED = 100 };

struct data_output {
    char *path, *folder, *temporary;   /* all three lie behind the struct */
    int descriptor, folder_descriptor; /* -1: not open */
    int failure;                       /* the errno of the first failure; 0: none */
    size_t used;                       /* of the buffer */
    unsigned char buffer[BUFFER_SIZE];
};

static bool fail(data_output *output)
{
    if (output->failure == 0)
        output->failure = errno ? errno : EIO;
    return false;
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* "out/model.safetensors" lies in "out", "model.safetensors" in ".", "/model" in "/". */
static void folder_of(const char *path, char *folder)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    memcpy(folder, path, length);
    if (length == 0)
        folder[length++] = slash ? '/' : '.';
    folder[length] = '\0';
}

#define TEMPORARY "%s.tmp-%ld-%d" /* path, process, a number to tell its files apart */

/* Whether this is the name of a temporary file for `target` whose process is no more. */
static bool is_left_behind(const char *name, const char *target)
{
    long process;
    int number;
    char expected[NAME_MAX + 1];
    if (strncmp(name, target, strlen(target)) != 0 ||
        sscanf(name + strlen(target), ".tmp-%9ld-%9d", &process, &number) != 2)
        return false;
    snprintf(expected, sizeof expected, TEMPORARY, target, process, number);
    return strcmp(name, expected) == 0 && process > 0 && kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

/* A process that was killed while it wrote could not clean up. */
static void remove_left_behind(const data_output *output)
{
    const char *slash = strrchr(output->path, '/'), *target = slash ? slash + 1 : output->path;
    DIR *folder = opendir(output->folder);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (is_left_behind(entry->d_name, target))
            unlinkat(output->folder_descriptor, entry->d_name, 0);
    if (folder)
        closedir(folder);
}

/* Makes a file with a name that nobody has: not mkstemp, which would give a file that others cannot read. */
static bool open_temporary(data_output *output)
{
    for (int i = 0; i < NAMES_TRIED; i++) {
        snprintf(output->temporary, strlen(output->path) + SUFFIX_SIZE, TEMPORARY, output->path, (long)getpid(), i);
        output->descriptor = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (output->descriptor >= 0)
            return true;
        if (errno != EEXIST)
            break;
    }
    return fail(output);
}

/* The folder is opened first, because a folder that cannot be flushed should be known before anything is replaced. */
static bool open_files(data_output *output)
{
    output->folder_descriptor = open(output->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (output->folder_descriptor < 0)
        return fail(output);
    remove_left_behind(output);
    return open_temporary(output);
}

/* What `path` leads to where it is no file; NULL: a file, or nothing. The rename would replace even a device. */
static const char *obstacle(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || S_ISREG(info.st_mode))
        return NULL;
    return S_ISDIR(info.st_mode) ? "a folder" : "no regular file";
}

ag_status data_output_open(data_output **output, const char *path, ag_error *error)
{
    size_t length = strlen(path);
    char shown[SHOWN_PATH];
    const char *other = obstacle(path);
    if (other)
        return ag_error_set(error, AG_IO, "cannot write %s: it is %s", data_text_show(path, shown, sizeof shown),
                            other);
    data_output *made = malloc(sizeof *made + 3 * (length + 1) + SUFFIX_SIZE);
    if (!made)
        return ag_error_set(error, AG_NO_MEMORY, "cannot write %s: not enough memory",
                            data_text_show(path, shown, sizeof shown));
    made->path = (char *)(made + 1);
    made->folder = made->path + length + 1;
    made->temporary = made->folder + length + 2; /* "." and "/" may be longer than the path */
    made->descriptor = made->folder_descriptor = -1;
    made->failure = 0;
    made->used = 0;
    memcpy(made->path, path, length + 1);
    folder_of(path, made->folder);
    *output = made;
    return open_files(made) ? AG_OK : data_output_finish(made, error);
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* Writes all, however many calls that takes: at the end of the file, or (at >= 0) at a place of its own. */
static bool write_all(data_output *output, const unsigned char *bytes, size_t size, off_t at)
{
    while (size > 0) {
        errno = 0;
        ssize_t written = at < 0 ? write(output->descriptor, bytes, size) : pwrite(output->descriptor, bytes, size, at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return fail(output);
        bytes += written;
        size -= (size_t)written;
        at += at < 0 ? 0 : written;
    }
    return true;
}

static bool flush_buffer(data_output *output)
{
    size_t size = output->used;
    output->used = 0;
    return write_all(output, output->buffer, size, -1);
}

bool data_output_put(data_output *output, const void *bytes, size_t size)
{
    const unsigned char *rest = bytes;
    if (output->failure)
        return false;
    while (size > 0) {
        size_t room = BUFFER_SIZE - output->used, part = size < room ? size : room;
        memcpy(output->buffer + output->used, rest, part);
        output->used += part;
        rest += part;
        size -= part;
        if (output->used == BUFFER_SIZE && !flush_buffer(output))
            return false;
    }
    return true;
}

bool data_output_patch(data_output *output, uint64_t at, const void *bytes, size_t size)
{
    return !output->failure && flush_buffer(output) && write_all(output, bytes, size, (off_t)at);
}

/* ---- The end -------------------------------------------------------------------------------- */

static bool flush_to_disk(data_output *output, int descriptor)
{
    while (fsync(descriptor) != 0) {
        if (errno != EINTR)
            return fail(output);
    }
    return true;
}

/* Some file systems cannot flush a folder and say so by EINVAL: there the rename itself must do. */
static bool flush_folder(data_output *output)
{
    if (flush_to_disk(output, output->folder_descriptor))
        return true;
    if (output->failure == EINVAL)
        output->failure = 0;
    return output->failure == 0;
}

/* Closes, which may report a write that failed late. Not to be repeated after EINTR: the descriptor is gone by then. */
static bool close_file(data_output *output)
{
    int descriptor = output->descriptor;
    output->descriptor = -1;
    return close(descriptor) == 0 || errno == EINTR || fail(output);
}

/* From the last byte to the name. */
static bool complete(data_output *output)
{
    return output->failure == 0 && flush_buffer(output) && flush_to_disk(output, output->descriptor) &&
           close_file(output) && (rename(output->temporary, output->path) == 0 || fail(output));
}

ag_status data_output_finish(data_output *output, ag_error *error)
{
    ag_status status = AG_OK;
    bool begun = output->descriptor >= 0;
    if (complete(output)) {
        flush_folder(output);
    } else if (begun) {
        if (output->descriptor >= 0)
            close(output->descriptor);
        unlink(output->temporary);
    }
    if (output->folder_descriptor >= 0)
        close(output->folder_descriptor);
    if (output->failure) {
        char shown[SHOWN_PATH];
        status = ag_error_set(error, AG_IO, "cannot write %s: %s", data_text_show(output->path, shown, sizeof shown),
                              AG_REASON(output->failure));
    }
    free(output);
    return status;
}
