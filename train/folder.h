/* folder.h - the folder of a run and the files in it. */
#ifndef TRAIN_FOLDER_H
#define TRAIN_FOLDER_H

#include "train.h"

/* The names of files in it, besides those of train.h. */
#define TRAIN_INDEX_FILE "model.safetensors.index.json"
#define TRAIN_LOCK_FILE  "lock"

/* AG_BAD_VALUE if the folder holds a run, a model, or what is left of one. */
ag_status train_folder_unused(const char *folder, ag_error *error) AG_CHECKED;
/* Removes a run's files except its model, which another model has replaced. */
ag_status train_folder_drop_run(const char *folder, ag_error *error) AG_CHECKED;
/* Whether the path exists, dangling links included. */
bool train_path_exists(const char *path);

/* A kept model is that of one checkpoint of the run, under the name of its step:
 * model-000200.safetensors. Only files with exactly such a name are taken for one. */
enum { TRAIN_KEPT_NAME = 48 };
/* The name of the model of this step, above 0. */
void train_kept_name(int64_t step, char name[TRAIN_KEPT_NAME]);
/* Removes the folder's kept models of steps after `newest`, and of the others all except
 * the last `count`. */
ag_status train_kept_drop(const char *folder, int64_t newest, int64_t count, ag_error *error) AG_CHECKED;
/* Sets *step to the step of the folder's newest kept model; 0: it has none. */
ag_status train_kept_find(const char *folder, int64_t *step, ag_error *error) AG_CHECKED;

/* Only one process at a time writes into a run's folder: it holds a lock (flock) on the
 * file `lock` there, which ends with the process, however that ends. The file names the
 * process and its host, for the message that other processes get. Releasing the lock
 * removes the file; a file that a killed process left is taken over. On NFS the lock
 * holds between hosts as far as server and mount support it. On a file system without
 * locks, taking it always succeeds. */
typedef struct train_lock {
    char *path;     /* NULL: not taken */
    int descriptor; /* -1: the file system has no locks */
} train_lock;

/* AG_IO if another process holds it. A zeroed lock is one not taken. */
ag_status train_lock_take(train_lock *lock, const char *folder, ag_error *error) AG_CHECKED;
void train_lock_release(train_lock *lock);

#endif
