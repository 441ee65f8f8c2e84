/* folder.c - the folder of a run and the files in it: see folder.h. */
#include "folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool train_path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool train_path_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *train_path_join(const char *folder, const char *name, ag_error *error)
{
    size_t folder_size = strlen(folder), size = folder_size + strlen(name) + 2;
    bool slash = folder_size > 0 && folder[folder_size - 1] != '/';
    char *path = malloc(size);
    if (!path) {
        ag_error_set(error, AG_NO_MEMORY, "%.200s: no memory for a path", folder);
        return NULL;
    }
    snprintf(path, size, "%s%s%s", folder, slash ? "/" : "", name);
    return path;
}

static bool make_one(const char *path)
{
    return mkdir(path, 0777) == 0 || (errno == EEXIST && train_path_is_folder(path));
}

ag_status train_folder_make(const char *folder, ag_error *error)
{
    char *path = train_path_join(folder, "", error);
    if (!path)
        return AG_NO_MEMORY;
    bool made = true;
    for (char *at = strchr(path + (*path == '/'), '/'); at && made; at = strchr(at + 1, '/')) {
        *at = '\0';
        made = train_path_is_folder(path) || make_one(path);
        *at = '/';
    }
    int reason = errno;
    free(path);
    if (!made)
        return ag_error_set(error, AG_IO, "%.200s: cannot make the folder: %s", folder,
                            reason == EEXIST ? "there is a file in its way" : AG_REASON(reason));
    if (access(folder, W_OK | X_OK) != 0)
        return ag_error_set(error, AG_IO, "%.200s: cannot write in the folder: %s", folder, AG_REASON(errno));
    return AG_OK;
}
