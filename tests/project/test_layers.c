/* test_layers.c - the arrows between the layers go one way: reads every include and fails when one runs upward. And the
 * compiler looks after every status: a declaration in a header that returns one says AG_CHECKED.
 *
 * Runs in the project's folder. */
#include "check_util.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* A folder, and the folders that its files may include headers of, beside its own. */
typedef struct layer {
    const char *folder, *uses;
} layer;

static const layer layers[] = {
    {"autograd/kernels/simd", "autograd/kernels"},
    {"autograd/kernels", ""},
    {"autograd/ops/attention", "autograd/ops autograd autograd/kernels"},
    {"autograd/ops", "autograd autograd/kernels"},
    {"autograd/check", "autograd"},
    {"autograd", "autograd/ops autograd/check autograd/kernels"},
    {"data/files", "data autograd"},
    {"data", "data/files autograd"},
    {"nn", "autograd"},
    {"train", "nn data autograd autograd/kernels"},
    {"study/report/text", "study/report study data autograd"},
    {"study/report/svg", "study/report study data autograd"},
    {"study/report/html", "study/report study data autograd"},
    {"study/report", "study data autograd"},
    {"study/laboratory", "study train nn data autograd"},
    {"study", "study/report train nn data autograd"},
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

/* A layer's public header is named after its folder. */
static bool is_public(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    return !strncmp(name, folder, length) && !strcmp(name + length, ".h");
}

/* The folder of the header of `#include "name"` in `folder`: beside the including file, on a
 * path from there, or on a path from a layer's folder, of which a name without a path is that
 * of its public header. */
static const char *layer_of_header(const char *folder, const char *name)
{
    static char found[512];
    const char *rest = name;
    if (!strcmp(name, "real.h") || !strcmp(name, "scalar.h"))
        return folder; /* the number type and its functions: the ground on which all stand */
    snprintf(found, sizeof found, "%s", folder);
    for (; !strncmp(rest, "../", 3); rest += 3) {
        char *slash = strrchr(found, '/');
        ck_assert_msg(slash || *found, "%s in %s leaves the project", name, folder);
        *(slash ? slash : found) = 0;
    }
    if (file_exists(*found ? found : ".", rest)) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s%s", *found ? "/" : "", rest);
        *strrchr(found, '/') = 0;
        return found;
    }
    for (int i = 0; i < LAYERS; i++) {
        const char *top = layers[i].folder;
        if (!strchr(top, '/') && file_exists(top, name) && (strchr(name, '/') || is_public(top, name))) {
            snprintf(found, sizeof found, "%s/%s", top, name);
            *strrchr(found, '/') = 0;
            return found;
        }
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

static const layer *layer_named(const char *folder)
{
    for (int i = 0; i < LAYERS; i++)
        if (!strcmp(layers[i].folder, folder))
            return &layers[i];
    ck_abort_msg("no layer %s", folder);
}

/* The reader itself: it knows an upward arrow when it sees one. */
START_TEST(test_upward_is_seen)
{
    const layer *nn = layer_named("nn"), *data = layer_named("data"), *kernels = layer_named("autograd/kernels");
    ck_assert_str_eq(layer_of_header("nn", "autograd.h"), "autograd");
    ck_assert_str_eq(layer_of_header("nn", "train.h"), "train");
    ck_assert_str_eq(layer_of_header("train", "kernels/parallel.h"), "autograd/kernels");
    ck_assert_str_eq(layer_of_header("autograd/ops", "../tape.h"), "autograd");
    ck_assert_str_eq(layer_of_header("data", "files/quote.h"), "data/files");
    ck_assert_ptr_null(layer_of_header("nn", "checkpoint.h"));
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
