/* folder.h - the folder of a run and the files in it. */
#ifndef TRAIN_FOLDER_H
#define TRAIN_FOLDER_H

#include "autograd.h"

#define TRAIN_MODEL_FILE      "model.safetensors"
#define TRAIN_CHECKPOINT_FILE "checkpoint.safetensors"
#define TRAIN_LOG_FILE        "log.jsonl"

/* "folder/name", to be freed; NULL with the error. */
char *train_path_join(const char *folder, const char *name, ag_error *error);
/* Makes the folder and those above it where they are missing; an error where files cannot be made in it. */
ag_status train_folder_make(const char *folder, ag_error *error) AG_CHECKED;
bool train_path_exists(const char *path);
bool train_path_is_folder(const char *path);

#endif
