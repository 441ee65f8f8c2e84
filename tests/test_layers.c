/* test_layers.c - the arrows between the layers go one way: reads every include and fails when one runs upward. And the
 * compiler looks after every status: a declaration in a header that returns one says AG_CHECKED.
 *
 * Runs in the project's folder. */
#include "check_util.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* A folder, its public header, and the folders that it may use (itself and the C library aside). */
typedef struct layer {
    const char *folder, *uses;
} layer;

static const layer layers[] = {
    {"autograd/kernels/levels", "autograd/kernels"},
    {"autograd/kernels", ""},
    {"autograd/ops", "autograd autograd/kernels"},
    {"autograd", "autograd/ops autograd/kernels"},
    {"data", "autograd"},
    {"nn", "autograd"},
    {"train", "nn data autograd autograd/kernels"},
    {"study", "train nn data autograd"},
    {"cli", "study train nn data autograd"},
};
enum { LAYERS = sizeof layers / sizeof *layers };

static bool file_exists(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (file)
        fclose(file);
    return file != NULL;
}

/* Whether `name` is, or begins with, `noun` and then `end`. */
static bool is_named(const char *name, const char *noun, const char *end)
{
    size_t length = strlen(noun);
    return !strncmp(name, noun, length) && !strncmp(name + length, end, strlen(end));
}

/* The layer in which the header of `#include "name"` in `folder` stands: beside the including file, above it (../), or
 * in a layer's folder. From outside only a layer's one public header is found, which is named after it, and autograd's
 * kernels by path. */
static const char *layer_of_header(const char *folder, const char *name)
{
    static char parent[512];
    if (!strcmp(name, "real.h") || !strcmp(name, "scalar.h"))
        return folder; /* the number type and its functions: the ground on which all stand */
    for (; !strncmp(name, "../", 3); name += 3) {
        snprintf(parent, sizeof parent, "%s", folder);
        char *slash = strrchr(parent, '/');
        ck_assert_msg(slash != NULL, "%s leaves the project", name);
        *slash = 0;
        folder = parent;
    }
    if (!strchr(name, '/') && file_exists(folder, name))
        return folder;
    for (int i = 0; i < LAYERS; i++) {
        const char *last = strrchr(layers[i].folder, '/'), *noun = last ? last + 1 : layers[i].folder;
        if (is_named(name, noun, last ? "/" : ".h"))
            return layers[i].folder;
    }
    return NULL;
}

static bool may_use(const layer *from, const char *to)
{
    size_t length = strlen(to);
    if (!strcmp(from->folder, to))
        return true;
    for (const char *at = from->uses; (at = strstr(at, to)); at += length)
        if ((at == from->uses || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

/* Checks one line of a file; the number of includes it holds, 0 or 1. */
static int check_line(const layer *from, const char *path, const char *line)
{
    char name[256];
    if (sscanf(line, " # include \"%255[^\"]\"", name) != 1 && sscanf(line, "#include \"%255[^\"]\"", name) != 1)
        return 0;
    const char *to = layer_of_header(from->folder, name);
    ck_assert_msg(to != NULL, "%s includes \"%s\", which is no header of a layer", path, name);
    ck_assert_msg(may_use(from, to), "%s includes \"%s\": %s must not use %s", path, name, from->folder, to);
    return 1;
}

static int check_file(const layer *from, const char *name)
{
    char path[512], line[1024];
    int includes = 0;
    snprintf(path, sizeof path, "%s/%s", from->folder, name);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file))
        includes += check_line(from, path, line);
    fclose(file);
    return includes;
}

START_TEST(test_arrows)
{
    const layer *from = &layers[_i];
    DIR *folder = opendir(from->folder);
    struct dirent *entry;
    int includes = 0;
    ck_assert_msg(folder != NULL, "no folder %s: run the tests in the project's folder", from->folder);
    while ((entry = readdir(folder))) {
        const char *end = strrchr(entry->d_name, '.');
        if (end && (!strcmp(end, ".c") || !strcmp(end, ".h")))
            includes += check_file(from, entry->d_name);
    }
    closedir(folder);
    ck_assert_int_gt(includes, 0);
}
END_TEST

/* The reader itself: it knows an upward arrow when it sees one. */
START_TEST(test_upward_is_seen)
{
    const layer *nn = &layers[5], *data = &layers[4], *kernels = &layers[1];
    ck_assert_str_eq(nn->folder, "nn");
    ck_assert_str_eq(layer_of_header("nn", "autograd.h"), "autograd");
    ck_assert_str_eq(layer_of_header("nn", "train.h"), "train");
    ck_assert_str_eq(layer_of_header("train", "kernels/parallel.h"), "autograd/kernels");
    ck_assert(may_use(nn, "autograd"));
    ck_assert(!may_use(nn, "train"));
    ck_assert(!may_use(nn, "data"));
    ck_assert(!may_use(data, "nn"));
    ck_assert(!may_use(kernels, "autograd"));
}
END_TEST

/* Those that note an error and hand on the status for `return`: their callers may have said all that there is. */
static bool notes_alone(const char *declaration)
{
    return strstr(declaration, " ag_error_set(") || strstr(declaration, " ag_fail(");
}

/* Reads declarations that begin at the start of a line; returns how many give a status. */
static int check_statuses(const char *path)
{
    char line[1024], declaration[4096];
    int statuses = 0;
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "ag_status ", 10) != 0)
            continue;
        snprintf(declaration, sizeof declaration, "%s", line);
        while (!strchr(declaration, ';') && fgets(line, sizeof line, file))
            strncat(declaration, line, sizeof declaration - strlen(declaration) - 1);
        statuses++;
        ck_assert_msg(notes_alone(declaration) || strstr(declaration, "AG_CHECKED;"), "%s: no AG_CHECKED after\n%s",
                      path, declaration);
    }
    fclose(file);
    return statuses;
}

START_TEST(test_statuses_are_checked)
{
    int statuses = 0;
    for (int i = 0; i < LAYERS; i++) {
        DIR *folder = opendir(layers[i].folder);
        struct dirent *entry;
        ck_assert_ptr_nonnull(folder);
        while ((entry = readdir(folder))) {
            char path[512];
            const char *end = strrchr(entry->d_name, '.');
            snprintf(path, sizeof path, "%s/%s", layers[i].folder, entry->d_name);
            if (end && !strcmp(end, ".h"))
                statuses += check_statuses(path);
        }
        closedir(folder);
    }
    ck_assert_int_gt(statuses, 100);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("layers");
    TCase *c = tcase_create("arrows");
    tcase_add_loop_test(c, test_arrows, 0, LAYERS);
    tcase_add_test(c, test_upward_is_seen);
    tcase_add_test(c, test_statuses_are_checked);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
