/* kept.c - the models of a run's last checkpoints, model-NNNNNN.safetensors: see
 * folder.h. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT_BEGIN "model-"
#define KEPT_END   ".safetensors"

enum { STEP_DIGITS = 18 }; /* more than any run's step has */

void train_kept_name(int64_t step, char name[TRAIN_KEPT_NAME])
{
    ag_text_print(name, TRAIN_KEPT_NAME, KEPT_BEGIN "%06lld" KEPT_END, (long long)step);
}

/* The step in the name; 0 if train_kept_name makes no such name. */
static int64_t step_in_name(const char *name)
{
    char again[TRAIN_KEPT_NAME];
    const size_t begin = strlen(KEPT_BEGIN);
    const bool kept = !strncmp(name, KEPT_BEGIN, begin) && strspn(name + begin, "0123456789") <= STEP_DIGITS;
    const int64_t step = kept ? strtoll(name + begin, NULL, 10) : 0;
    train_kept_name(step, again);
    return step > 0 && strcmp(name, again) == 0 ? step : 0;
}

/* The steps of the kept models in a folder. */
typedef struct kept_steps {
    int64_t *items; /* [count] */
    int count, room;
} kept_steps;

static ag_status add_step(kept_steps *steps, int64_t step, ag_error *error)
{
    if (steps->count == steps->room) {
        const int room = steps->room ? 2 * steps->room : 16;
        int64_t *items = realloc(steps->items, (size_t)room * sizeof *items);
        if (!items)
            return ag_error_set(error, AG_NO_MEMORY, "no memory for a list of the models that a run has kept");
        steps->items = items;
        steps->room = room;
    }
    steps->items[steps->count++] = step;
    return AG_OK;
}

/* A folder that has such a name is none of a run's. */
static bool is_folder(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static ag_status add_name(kept_steps *steps, const char *folder, const char *name, ag_error *error)
{
    const int64_t step = step_in_name(name);
    if (step == 0)
        return AG_OK;
    char *path = data_path_join(folder, name, error);
    if (!path)
        return AG_NO_MEMORY;
    const ag_status status = is_folder(path) ? AG_OK : add_step(steps, step, error);
    free(path);
    return status;
}

static ag_status folder_unreadable(const char *folder, ag_error *error)
{
    return ag_error_set(error, AG_IO, "%.300s: cannot read the folder: %s", folder, AG_REASON(errno));
}

/* Fills in `steps`, which the caller frees. A folder that does not exist has none. */
static ag_status list_steps(const char *folder, kept_steps *steps, ag_error *error)
{
    *steps = (kept_steps){0};
    DIR *names = opendir(folder);
    if (!names)
        return errno == ENOENT || errno == ENOTDIR ? AG_OK : folder_unreadable(folder, error);
    ag_status status = AG_OK;
    while (status == AG_OK) {
        errno = 0;
        const struct dirent *entry = readdir(names);
        if (entry)
            status = add_name(steps, folder, entry->d_name, error);
        else if (errno == 0)
            break;
        else
            status = folder_unreadable(folder, error);
    }
    closedir(names);
    return status;
}

static int newer_first(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

static ag_status remove_step(const char *folder, int64_t step, ag_error *error)
{
    char name[TRAIN_KEPT_NAME];
    train_kept_name(step, name);
    return data_folder_remove_file(folder, name, error);
}

ag_status train_kept_drop(const char *folder, int64_t newest, int64_t count, ag_error *error)
{
    kept_steps steps;
    ag_status status = list_steps(folder, &steps, error);
    if (status == AG_OK && steps.count > 1)
        qsort(steps.items, (size_t)steps.count, sizeof *steps.items, newer_first);
    for (int i = 0; i < steps.count && status == AG_OK; i++)
        if (steps.items[i] > newest || count-- <= 0)
            status = remove_step(folder, steps.items[i], error);
    free(steps.items);
    return status;
}

ag_status train_kept_find(const char *folder, int64_t *step, ag_error *error)
{
    kept_steps steps;
    ag_status status = list_steps(folder, &steps, error);
    *step = 0;
    for (int i = 0; i < steps.count && status == AG_OK; i++)
        *step = steps.items[i] > *step ? steps.items[i] : *step;
    free(steps.items);
    return status;
}
