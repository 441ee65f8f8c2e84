/* atomic_file.c - a file that appears whole or not at all.
 *
 * The order of the steps guarantees it: the new bytes are on disk (fsync) before the name
 * leads to them (rename), and the name is on disk (fsync of the folder) before success is
 * reported.
 */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier): the C library's own switch, for flock */
#include "files.h"
#include "quote.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { BUFFER_SIZE = 1 << 16, SUFFIX_SIZE = 48, NAMES_TRIED = 100 };

struct data_output {
    char *path, *folder, *temporary;   /* stored after the struct */
    int descriptor, folder_descriptor; /* -1: not open */
    bool replaces;                     /* there is a file, whose mode and owner the new
                                        * one gets */
    mode_t mode;
    uid_t user;
    gid_t group;
    int failure;                       /* the errno of the first failure; 0: none */
    size_t used;                       /* of the buffer */
    unsigned char buffer[BUFFER_SIZE];
};

static bool note_failure(data_output *output)
{
    if (output->failure == 0)
        output->failure = errno ? errno : EIO;
    return false;
}

/* ---- Opening ----------------------------------------------------------------------- */

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

/* A writer holds a lock on its temporary file, which ends with the process, however that
 * ends. So another writer can tell whether a temporary file is still in use, even by a
 * process in another namespace or on another host. On a file system without locks no
 * writer gets one, and the file that a killed writer left stays. */
static bool lock(int descriptor)
{
    int result;
    do
        result = flock(descriptor, LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* Whether the name is that of a temporary file for `target`. */
static bool is_temporary(const char *name, const char *target)
{
    long process;
    int number;
    char expected[NAME_MAX + 1];
    if (strncmp(name, target, strlen(target)) != 0 ||
        sscanf(name + strlen(target), ".tmp-%9ld-%9d", &process, &number) != 2)
        return false;
    snprintf(expected, sizeof expected, TEMPORARY, target, process, number);
    return strcmp(name, expected) == 0 && process > 0;
}

/* Removes a temporary file whose writer is gone. The name must still lead to the file
 * that was locked: its writer may have finished it meanwhile, and another may be using
 * the name. */
static void remove_if_left(int folder, const char *name)
{
    struct stat file, named;
    int descriptor = openat(folder, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return;
    if (lock(descriptor) && fstat(descriptor, &file) == 0 &&
        fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && file.st_ino == named.st_ino &&
        file.st_dev == named.st_dev)
        unlinkat(folder, name, 0);
    close(descriptor);
}

/* Removes the temporary files of processes that were killed while they wrote. */
static void remove_left_behind(const data_output *output)
{
    const char *slash = strrchr(output->path, '/'), *target = slash ? slash + 1 : output->path;
    DIR *folder = opendir(output->folder);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (is_temporary(entry->d_name, target))
            remove_if_left(output->folder_descriptor, entry->d_name);
    if (folder)
        closedir(folder);
}

/* Locks the new file. False if another writer found it before it was locked and took its
 * writer for dead: the file is removed, or will be. */
static bool claim(int descriptor)
{
    struct stat info;
    if (!lock(descriptor) && errno == EWOULDBLOCK)
        return false;
    return fstat(descriptor, &info) != 0 || info.st_nlink > 0;
}

/* Creates a file with an unused name; readable for the owner alone if it is to get the
 * mode of another file. (Not mkstemp, which ignores the umask.) */
static bool open_temporary(data_output *output)
{
    const mode_t mode = output->replaces ? 0600 : 0666;
    for (int i = 0; i < NAMES_TRIED; i++) {
        snprintf(output->temporary, strlen(output->path) + SUFFIX_SIZE, TEMPORARY, output->path, (long)getpid(), i);
        output->descriptor = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (output->descriptor < 0 && errno != EEXIST)
            break;
        if (output->descriptor >= 0 && claim(output->descriptor))
            return true;
        if (output->descriptor >= 0)
            close(output->descriptor);
        output->descriptor = -1;
    }
    return note_failure(output);
}

/* Opens the folder first: a folder that cannot be flushed must be known before anything
 * is replaced. */
static bool open_files(data_output *output)
{
    output->folder_descriptor = open(output->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (output->folder_descriptor < 0)
        return note_failure(output);
    remove_left_behind(output);
    return open_temporary(output);
}

/* Notes the mode and owner of the file that the path leads to, if there is one. NULL, or
 * what the path leads to if that is no regular file: the rename would replace even a
 * device. */
static const char *inspect_target(data_output *output)
{
    struct stat info;
    output->replaces = stat(output->path, &info) == 0;
    if (!output->replaces) {
        if (errno != ENOENT)
            note_failure(output);
        return NULL;
    }
    output->mode = info.st_mode & 0777;
    output->user = info.st_uid;
    output->group = info.st_gid;
    return S_ISREG(info.st_mode) ? NULL : S_ISDIR(info.st_mode) ? "a folder" : "no regular file";
}

ag_status data_output_open(data_output **output, const char *path, ag_error *error)
{
    size_t length = strlen(path);
    char shown[SHOWN_PATH];
    data_output *made = malloc(sizeof *made + 3 * (length + 1) + SUFFIX_SIZE);
    if (!made)
        return ag_error_set(error, AG_NO_MEMORY, "cannot write %s: not enough memory",
                            ag_text_show(path, shown, sizeof shown));
    made->path = (char *)(made + 1);
    made->folder = made->path + length + 1;
    made->temporary = made->folder + length + 2; /* "." and "/" may be longer than the path */
    made->descriptor = made->folder_descriptor = -1;
    made->failure = 0;
    made->used = 0;
    memcpy(made->path, path, length + 1);
    folder_of(path, made->folder);
    *output = made;
    const char *other = inspect_target(made);
    if (other) {
        free(made);
        return ag_error_set(error, AG_IO, "cannot write %s: it is %s", ag_text_show(path, shown, sizeof shown),
                            other);
    }
    return made->failure == 0 && open_files(made) ? AG_OK : data_output_finish(made, error);
}

/* ---- Writing ----------------------------------------------------------------------- */

/* Writes all bytes, in as many calls as it takes: at the end of the file, or at
 * offset `at` >= 0. */
static bool write_all(data_output *output, const unsigned char *bytes, size_t size, off_t at)
{
    while (size > 0) {
        errno = 0;
        ssize_t written = at < 0 ? write(output->descriptor, bytes, size) : pwrite(output->descriptor, bytes, size, at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return note_failure(output);
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

/* ---- Finishing --------------------------------------------------------------------- */

static bool flush_to_disk(data_output *output, int descriptor)
{
    while (fsync(descriptor) != 0) {
        if (errno != EINTR)
            return note_failure(output);
    }
    return true;
}

/* File systems that cannot flush a folder report EINVAL: there the rename must
 * suffice. */
static bool flush_folder(data_output *output)
{
    if (flush_to_disk(output, output->folder_descriptor))
        return true;
    if (output->failure == EINVAL)
        output->failure = 0;
    return output->failure == 0;
}

/* Closes the file, which may report a late failure of a write; never again after EINTR,
 * since the descriptor is gone then. A second descriptor stays open to hold the lock:
 * until the file has its name, other writers must not take this one for dead. */
static bool close_file(data_output *output)
{
    int descriptor = output->descriptor;
    output->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    const bool is_held = output->descriptor >= 0 || note_failure(output);
    return (close(descriptor) == 0 || errno == EINTR || note_failure(output)) && is_held;
}

/* Gives the new file the mode and owner of the file that it replaces. If the system
 * refuses the owner, it may allow the group; if it refuses that too, the new file's group
 * gets no more rights than others have. A file system without modes refuses them: then
 * there is nothing to keep. */
static void keep_access(const data_output *output)
{
    struct stat info;
    mode_t mode = output->mode;
    if (!output->replaces || fstat(output->descriptor, &info) != 0)
        return;
    bool same = info.st_uid == output->user && info.st_gid == output->group;
    if (!same && fchown(output->descriptor, output->user, output->group) != 0 && info.st_gid != output->group &&
        fchown(output->descriptor, (uid_t)-1, output->group) != 0)
        mode = (mode & 0707U) | (mode & 0070U & (mode << 3));
    const int refused = fchmod(output->descriptor, mode);
    (void)refused;
}

/* Flushes the bytes and gives the file its name. */
static bool replace_target(data_output *output)
{
    if (output->failure || !flush_buffer(output))
        return false;
    keep_access(output);
    return flush_to_disk(output, output->descriptor) && close_file(output) &&
           (rename(output->temporary, output->path) == 0 || note_failure(output));
}

/* Makes the new bytes the file, or removes them if they are not `wanted` or something
 * failed; closes all that is open. */
static void end_output(data_output *output, bool wanted)
{
    bool begun = output->descriptor >= 0;
    if (wanted && replace_target(output))
        flush_folder(output);
    else if (begun)
        unlink(output->temporary);
    if (output->descriptor >= 0)
        close(output->descriptor);
    if (output->folder_descriptor >= 0)
        close(output->folder_descriptor);
}

ag_status data_output_finish(data_output *output, ag_error *error)
{
    ag_status status = AG_OK;
    end_output(output, true);
    if (output->failure) {
        char shown[SHOWN_PATH];
        status = ag_error_set(error, AG_IO, "cannot write %s: %s", ag_text_show(output->path, shown, sizeof shown),
                              AG_REASON(output->failure));
    }
    free(output);
    return status;
}

ag_status data_output_check(const char *path, ag_error *error)
{
    data_output *output;
    ag_status status = data_output_open(&output, path, error);
    if (status == AG_OK) {
        end_output(output, false);
        free(output);
    }
    return status;
}
