/* test_layers.c - the layers use each other in one direction: reads every include and
 * fails where tests/project/arrows does not allow it. And the compiler checks that every
 * status is looked at: a declaration in a header that returns one says AG_CHECKED.
 *
 * Runs in the project's folder. */
#include "check_util.h"
#include "source_files.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A line of tests/project/arrows: a folder, or a file without its ending, and the words
 * for those it uses. */
typedef struct arrow_line {
    char user[64], uses[256];
} arrow_line;

enum { MOST_ARROWS = 64 };
static arrow_line arrows[MOST_ARROWS];
static int arrow_count;

static void read_arrows(void)
{
    char line[512];
    FILE *file = fopen("tests/project/arrows", "r");
    ck_assert_msg(file != NULL, "no tests/project/arrows: run the tests in the project's folder");
    while (fgets(line, sizeof line, file)) {
        arrow_line *next = &arrows[arrow_count];
        if (*line == '#' || sscanf(line, "%63[^: ]: %255[^\n]", next->user, next->uses) != 2)
            continue;
        ck_assert_int_lt(++arrow_count, MOST_ARROWS);
    }
    fclose(file);
}

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

static bool arrow(const char *user, const char *used)
{
    for (int i = 0; i < arrow_count; i++)
        if (!strcmp(arrows[i].user, user) && has_word(arrows[i].uses, used))
            return true;
    return false;
}

static bool has_line(const char *folder)
{
    for (int i = 0; i < arrow_count; i++)
        if (!strcmp(arrows[i].user, folder))
            return true;
    return false;
}

/* A path's first `count` characters. */
typedef struct place {
    char text[1024];
} place;

static place place_of(const char *path, size_t count)
{
    place p;
    snprintf(p.text, sizeof p.text, "%.*s", (int)count, path);
    return p;
}

static place folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return place_of(path, slash ? (size_t)(slash - path) : 0);
}

static place without_ending(const char *path)
{
    return place_of(path, strcspn(path, "."));
}

static bool may_include(const char *path, const char *header)
{
    const place from = folder_of(path), to = folder_of(header);
    return !strcmp(from.text, to.text) || arrow(from.text, to.text) || arrow(from.text, without_ending(header).text) ||
           arrow(without_ending(path).text, to.text);
}

/* Whether other layers may include a header of this layer's folder: its public header,
 * which is named after it, and the number type with its functions, on which all layers
 * stand. */
static bool is_of_all(const char *layer, const char *header)
{
    const size_t length = strlen(layer);
    return (!strncmp(header, layer, length) && !strcmp(header + length, ".h")) || !strcmp(header, "real.h") ||
           !strcmp(header, "scalar.h");
}

/* The path of the header of `#include "name"` in a file of `folder`: beside the file, on
 * a path from there, on a path from a layer's folder, or a public header within a layer,
 * named after its folder. "" if there is none, or the header is its layer's own
 * affair. */
static place find_header(const char *folder, const char *name)
{
    place found = {""};
    const char *rest = name;
    size_t length = strlen(folder);
    for (; !strncmp(rest, "../", 3); rest += 3) {
        ck_assert_msg(length > 0, "%s in %s leaves the project", name, folder);
        while (length > 0 && folder[--length] != '/')
            ;
    }
    snprintf(found.text, sizeof found.text, "%.*s%s%s", (int)length, folder, length ? "/" : "", rest);
    if (!access(found.text, R_OK))
        return found;
    for (const char *const *layer = test_layer_folders; *layer; layer++) {
        snprintf(found.text, sizeof found.text, "%s/%s", *layer, name);
        if (!access(found.text, R_OK) && (strchr(name, '/') || is_of_all(*layer, name)))
            return found;
        snprintf(found.text, sizeof found.text, "%s/%.*s/%s", *layer, (int)strcspn(name, "."), name, name);
        if (!access(found.text, R_OK))
            return found;
    }
    return place_of("", 0);
}

static int includes, statuses;

static void check_includes(const char *path, const char *text)
{
    const place folder = folder_of(path);
    ck_assert_msg(has_line(folder.text), "tests/project/arrows has no line for the folder %s", folder.text);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char name[256];
        if (sscanf(line, " # include \"%255[^\"\n]\"", name) != 1)
            continue;
        const place header = find_header(folder.text, name);
        ck_assert_msg(*header.text, "%s includes \"%s\", which is no header of a layer", path, name);
        ck_assert_msg(may_include(path, header.text), "%s must not include %s: see tests/project/arrows", path,
                      header.text);
        includes++;
    }
}

/* Every line of the table is about a folder or a file that is there. */
static void check_lines(void)
{
    for (int i = 0; i < arrow_count; i++) {
        char source[128];
        snprintf(source, sizeof source, "%.63s.c", arrows[i].user);
        ck_assert_msg(!access(arrows[i].user, R_OK) || !access(source, R_OK),
                      "tests/project/arrows has a line for %s, which is not there", arrows[i].user);
    }
}

START_TEST(test_arrows)
{
    read_arrows();
    check_lines();
    for (const char *const *layer = test_layer_folders; *layer; layer++) {
        includes = 0;
        test_visit_sources(*layer, check_includes);
        ck_assert_int_gt(includes, 10);
    }
}
END_TEST

/* The reader itself: it knows an upward arrow when it sees one. */
START_TEST(test_upward_is_seen)
{
    read_arrows();
    ck_assert_str_eq(find_header("nn", "autograd.h").text, "autograd/autograd.h");
    ck_assert_str_eq(find_header("nn", "train.h").text, "train/train.h");
    ck_assert_str_eq(find_header("train", "kernels/parallel.h").text, "autograd/kernels/parallel.h");
    ck_assert_str_eq(find_header("autograd/ops", "../tape.h").text, "autograd/tape.h");
    ck_assert_str_eq(find_header("autograd/ops/attention", "../../tape.h").text, "autograd/tape.h");
    ck_assert_str_eq(find_header("data", "files/quote.h").text, "data/files/quote.h");
    ck_assert_str_eq(find_header("data", "files.h").text, "data/files/files.h");
    ck_assert_str_eq(find_header("data", "quote.h").text, "");
    ck_assert_str_eq(find_header("study", "report.h").text, "study/report/report.h");
    ck_assert_str_eq(find_header("nn", "checkpoint.h").text, "");
    ck_assert(may_include("nn/model.c", "autograd/autograd.h"));
    ck_assert(!may_include("nn/model.c", "train/train.h"));
    ck_assert(!may_include("nn/model.c", "data/data.h"));
    ck_assert(!may_include("data/batch.c", "nn/nn.h"));
    ck_assert(may_include("autograd/kernels/parallel.c", "autograd/real.h"));
    ck_assert(!may_include("autograd/kernels/parallel.c", "autograd/tape.h"));
    ck_assert(!may_include("autograd/kernels/simd/rows.c", "autograd/autograd.h"));
    ck_assert(may_include("data/data.h", "data/files/files.h"));
    ck_assert(!may_include("data/files/json.c", "data/data.h"));
    ck_assert(!may_include("study/report/pen.c", "study/study.h"));
    ck_assert(may_include("autograd/kernels/dispatch.c", "autograd/kernels/simd/level.h"));
    ck_assert(!may_include("autograd/kernels/parallel.c", "autograd/kernels/simd/level.h"));
}
END_TEST

/* Functions that note an error and return its status, for use in `return`: their callers
 * may have nothing to check. */
static bool notes_alone(const char *declaration)
{
    return strstr(declaration, " ag_error_set(") || strstr(declaration, " ag_fail(");
}

/* Reads the declarations of a header that begin at the start of a line. */
static void check_statuses(const char *path, const char *text)
{
    if (strcmp(path + strlen(path) - 2, ".h"))
        return;
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, "ag_status ", 10))
            continue;
        const place declaration = place_of(line, strcspn(line, ";") + 1);
        statuses++;
        ck_assert_msg(notes_alone(declaration.text) || strstr(declaration.text, "AG_CHECKED;"),
                      "%s: no AG_CHECKED after\n%s", path, declaration.text);
    }
}

START_TEST(test_statuses_are_checked)
{
    for (const char *const *layer = test_layer_folders; *layer; layer++)
        test_visit_sources(*layer, check_statuses);
    ck_assert_int_gt(statuses, 100);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("layers");
    TCase *c = tcase_create("arrows");
    tcase_add_test(c, test_arrows);
    tcase_add_test(c, test_upward_is_seen);
    tcase_add_test(c, test_statuses_are_checked);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
