/* folder.c - the folder of a run and the files in it: see folder.h. */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier): the C library's own switch, for flock */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool train_path_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* ---- The files of a run ------------------------------------------------------------ */

/* In the order in which a message names them: the file that tells most about the folder
 * first. */
static const struct {
    const char *name, *what;
} run_files[] = {
    {TRAIN_CHECKPOINT_FILE, "a run: resume it, overwrite it (--overwrite)"},
    {TRAIN_MODEL_FILE, "a model: overwrite it (--overwrite)"},
    {TRAIN_LAST_FILE, "a model: overwrite it (--overwrite)"},
    {TRAIN_LOG_FILE, "the log of a run: overwrite it (--overwrite)"},
};
enum { RUN_FILES = sizeof run_files / sizeof *run_files };

static ag_status refuse_folder(const char *folder, const char *what, ag_error *error)
{
    return ag_error_set(error, AG_BAD_VALUE, "%.300s already holds %s or choose another folder", folder, what);
}

ag_status train_folder_unused(const char *folder, ag_error *error)
{
    for (int i = 0; i < RUN_FILES; i++) {
        char *path = data_path_join(folder, run_files[i].name, error);
        if (!path)
            return AG_NO_MEMORY;
        const bool there = train_path_exists(path);
        free(path);
        if (there)
            return refuse_folder(folder, run_files[i].what, error);
    }
    int64_t step;
    ag_status status = train_kept_find(folder, &step, error);
    return status == AG_OK && step > 0 ? refuse_folder(folder, "models of a run: overwrite them (--overwrite)", error)
                                       : status;
}

ag_status train_folder_drop_run(const char *folder, ag_error *error)
{
    ag_status status = AG_OK;
    for (int i = 0; i < RUN_FILES && status == AG_OK; i++)
        if (strcmp(run_files[i].name, TRAIN_MODEL_FILE) != 0)
            status = data_folder_remove_file(folder, run_files[i].name, error);
    return status == AG_OK ? train_kept_drop(folder, 0, 0, error) : status;
}

ag_status train_folder_check(const char *folder, bool overwrite, ag_error *error)
{
    train_lock lock = {0};
    ag_status status = data_folder_check(folder, error);
    if (status == AG_OK && data_path_is_folder(folder))
        status = overwrite ? train_lock_take(&lock, folder, error) /* another run may be at work there */
                           : train_folder_unused(folder, error);
    train_lock_release(&lock);
    return status;
}

/* ---- The lock ---------------------------------------------------------------------- */

enum { OWNER_SIZE = 128, LOCK_TRIES = 100 };

/* Whether the path still leads to the open file, which its last owner may have
 * removed. */
static bool is_named(int descriptor, const char *path)
{
    struct stat file, named;
    return fstat(descriptor, &file) == 0 && lstat(path, &named) == 0 && file.st_ino == named.st_ino &&
           file.st_dev == named.st_dev;
}

/* Names the process that holds the lock, as far as the file tells. */
static ag_status refuse_lock(const char *folder, int descriptor, ag_error *error)
{
    char owner[OWNER_SIZE];
    ssize_t size = read(descriptor, owner, sizeof owner - 1);
    size_t shown = 0;
    while (size > 0 && shown < (size_t)size && owner[shown] >= ' ' && owner[shown] <= '~')
        shown++;
    owner[shown] = '\0';
    return ag_error_set(error, AG_IO, "%.200s is in use by %s%s: wait for it, or choose another folder", folder,
                        *owner ? "process " : "another process", owner);
}

/* Writes who holds the lock, for the message that other processes get; they only learn
 * less if that fails. */
static void write_owner(int descriptor)
{
    char host[64] = "", owner[OWNER_SIZE];
    if (gethostname(host, sizeof host - 1) != 0)
        *host = '\0';
    int size = snprintf(owner, sizeof owner, "%ld%s%s\n", (long)getpid(), *host ? " on " : "", host);
    const bool written = ftruncate(descriptor, 0) == 0 && pwrite(descriptor, owner, (size_t)size, 0) == size;
    (void)written;
}

/* Returns true if the lock is taken (*descriptor is -1 if there are no locks), or refused
 * with the error; false if it is to be tried again. */
static bool try_lock(const char *path, const char *folder, int *descriptor, ag_status *status, ag_error *error)
{
    *descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (*descriptor < 0) {
        *status = ag_error_set(error, AG_IO, "%.300s: cannot make the lock: %s", path, AG_REASON(errno));
        return true;
    }
    bool locked = flock(*descriptor, LOCK_EX | LOCK_NB) == 0;
    const int reason = locked ? 0 : errno;
    if (locked && is_named(*descriptor, path)) {
        write_owner(*descriptor);
        return true;
    }
    if (reason == EWOULDBLOCK)
        *status = refuse_lock(folder, *descriptor, error);
    else if (reason != 0 && reason != EINTR)
        unlink(path); /* without locks the file would mean nothing */
    close(*descriptor);
    *descriptor = -1;
    return reason != 0 && reason != EINTR;
}

ag_status train_lock_take(train_lock *lock, const char *folder, ag_error *error)
{
    ag_status status = AG_OK;
    char *path = data_path_join(folder, TRAIN_LOCK_FILE, error);
    if (!path)
        return AG_NO_MEMORY;
    *lock = (train_lock){.path = path, .descriptor = -1};
    bool done = false;
    for (int i = 0; i < LOCK_TRIES && !done; i++)
        done = try_lock(path, folder, &lock->descriptor, &status, error);
    if (!done)
        status = ag_error_set(error, AG_IO, "%.300s: cannot make the lock: other processes keep taking it", path);
    if (status != AG_OK) {
        free(path);
        *lock = (train_lock){0};
    }
    return status;
}

/* Removes the name before the lock: a process that opens the path afterwards makes a new
 * file. */
void train_lock_release(train_lock *lock)
{
    if (lock->path && lock->descriptor >= 0) {
        unlink(lock->path);
        flock(lock->descriptor, LOCK_UN); /* not only close(): a forked child may have the
                                           * descriptor too */
        close(lock->descriptor);
    }
    free(lock->path);
    *lock = (train_lock){0};
}
