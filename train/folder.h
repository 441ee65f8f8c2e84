/* folder.h - the folder of a run and the files in it. */
#ifndef TRAIN_FOLDER_H
#define TRAIN_FOLDER_H

#include "train.h"

/* Beside those of train.h. */
#define TRAIN_INDEX_FILE "model.safetensors.index.json"
#define TRAIN_LOCK_FILE  "lock"

/* "folder/name", to be freed; NULL with the error. */
char *train_path_join(const char *folder, const char *name, ag_error *error);
/* Makes the folder and those above it where they are missing; an error where files cannot be made in it. */
ag_status train_folder_make(const char *folder, ag_error *error) AG_CHECKED;
/* AG_BAD_VALUE where the folder holds a run, a model, or what is left of one. */
ag_status train_folder_unused(const char *folder, ag_error *error) AG_CHECKED;
/* Removes what belongs to a run, after another model has replaced the run's. */
ag_status train_folder_drop_run(const char *folder, ag_error *error) AG_CHECKED;
/* Whether the name is taken: by a link that leads to nothing, too. */
bool train_path_exists(const char *path);
bool train_path_is_folder(const char *path);

/* One process at a time writes into a run's folder: it holds a lock (flock) on the file
 * `lock` there, which ends with the process, whatever ends that. The file holds the
 * number of the process and its host, for the others' message, and is gone after the
 * release; one that a killed process left is taken over. Locks of NFS hold between hosts
 * as far as server and mount support them. Where a file system has no locks, the lock is
 * taken as if there were no others. */
typedef struct train_lock {
    char *path;     /* NULL: not taken */
    int descriptor; /* -1: there are no locks */
} train_lock;

/* AG_IO where another has it; a zeroed lock has none. */
ag_status train_lock_take(train_lock *lock, const char *folder, ag_error *error) AG_CHECKED;
void train_lock_release(train_lock *lock);

#endif
