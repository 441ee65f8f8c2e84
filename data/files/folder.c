/* folder.c - paths, and folders to write into: made, or only checked. */
#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool data_path_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *data_path_join(const char *folder, const char *name, ag_error *error)
{
    size_t folder_size = strlen(folder), size = folder_size + strlen(name) + 2;
    bool slash = folder_size > 0 && folder[folder_size - 1] != '/';
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s%s%s", folder, slash ? "/" : "", name);
    else
        ag_error_set(error, AG_NO_MEMORY, "%.200s: no memory for a path", folder);
    return path;
}

static ag_status check_writable(const char *folder, ag_error *error)
{
    if (access(folder, W_OK | X_OK) != 0)
        return ag_error_set(error, AG_IO, "%.200s: cannot write in the folder: %s", folder, AG_REASON(errno));
    return AG_OK;
}

static ag_status refuse_to_make(const char *folder, int reason, ag_error *error)
{
    const bool in_the_way = reason == EEXIST || reason == ENOTDIR;
    return ag_error_set(error, AG_IO, "%.200s: cannot make the folder: %s", folder,
                        in_the_way ? "there is a file in its way" : AG_REASON(reason));
}

/* ---- Checking ---------------------------------------------------------------------- */

/* Cuts the last name off a path, "a/b/" to "a/" and "a" to "."; of "/" nothing is left to
 * cut. */
static void cut_last_name(char *path)
{
    size_t size = strlen(path);
    while (size > 0 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    path[size] = '\0';
    if (size == 0)
        memcpy(path, ".", 2);
}

/* Whether a folder that does not exist can be made: the nearest existing folder above
 * decides. */
static ag_status check_above(const char *folder, ag_error *error)
{
    char *path = data_path_join(folder, "", error);
    if (!path)
        return AG_NO_MEMORY;
    struct stat info;
    int reason = lstat(folder, &info) == 0 ? ENOTDIR : 0; /* a file, or a link that leads
                                                           * nowhere */
    while (reason == 0 && stat(path, &info) != 0) {
        if (errno != ENOENT || !strcmp(path, "."))
            reason = errno;
        cut_last_name(path);
    }
    if (reason == 0 && !S_ISDIR(info.st_mode))
        reason = ENOTDIR;
    if (reason == 0 && access(path, W_OK | X_OK) != 0)
        reason = errno;
    free(path);
    return reason == 0 ? AG_OK : refuse_to_make(folder, reason, error);
}

ag_status data_folder_check(const char *folder, ag_error *error)
{
    return data_path_is_folder(folder) ? check_writable(folder, error) : check_above(folder, error);
}

/* ---- Making ------------------------------------------------------------------------ */

ag_status data_folder_make(const char *folder, ag_error *error)
{
    char *path = data_path_join(folder, "", error);
    if (!path)
        return AG_NO_MEMORY;
    bool made = true;
    for (char *at = strchr(path + (*path == '/'), '/'); at && made; at = strchr(at + 1, '/')) {
        *at = '\0';
        made = data_path_is_folder(path) || mkdir(path, 0777) == 0 || (errno == EEXIST && data_path_is_folder(path));
        *at = '/';
    }
    const int reason = errno;
    free(path);
    return made ? check_writable(folder, error) : refuse_to_make(folder, reason, error);
}

ag_status data_folder_remove_file(const char *folder, const char *name, ag_error *error)
{
    char *path = data_path_join(folder, name, error);
    if (!path)
        return AG_NO_MEMORY;
    ag_status status = AG_OK;
    if (unlink(path) != 0 && errno != ENOENT)
        status = ag_error_set(error, AG_IO, "%.300s: cannot remove it: %s", path, AG_REASON(errno));
    free(path);
    return status;
}
