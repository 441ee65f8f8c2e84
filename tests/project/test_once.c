/* test_once.c - options are written down once: reads every string of the library and the
 * command and fails if a flag of train, a key of metadata or a word for a value stands in
 * a second file. All of them come from the table in train/options.c; the words for tasks
 * and kinds of tokens come from data/.
 *
 * Runs in the project's folder. */
#include "check_util.h"
#include "source_files.h"
#include "train/options.h"

#include <stdio.h>
#include <string.h>

/* Strings that are spelled alike and mean another thing. */
typedef struct homonym {
    const char *word, *file;
} homonym;

static const homonym homonyms[] = {
    {"bpe", "cli/flags.h"}, /* the flag of GPT-2's two files, not the kind of tokens */
    {"bpe", "cli/import.c"},
    {"bpe", "cli/subwords.c"},
    /* Parts of a model, and of its parameters' names. */
    {"encoder", "nn/model.c"},
    {"decoder", "nn/model.c"},
    {"encoder", "study/maps_write.c"},
    {"decoder", "study/maps_write.c"},
    {"layer", "nn/cache.c"},
    {"layer", "study/doctor/write.c"},
    {"layer", "cli/study_attention.c"},
    {"layer", "playground/typed.c"},
    /* A fault of the playground. */
    {"none", "playground/faults.c"},
    {"shift", "playground/faults.c"},
    /* Operations. */
    {"gelu", "autograd/ops/unary.c"},
    {"linear", "autograd/ops/linear.c"},
    {"relu", "playground/expression.c"},
    {"silu", "playground/expression.c"},
    {"rotary", "autograd/ops/rotary.c"},
    /* Leaves of a tape. */
    {"constant", "study/tape_picture.c"},
    {"constant", "autograd/check/diagnose_terms.c"},
    /* Figures of an evaluation. */
    {"loss", "cli/eval.c"},
    {"loss", "train/log.c"},
    {"loss", "study/curves.c"},
    {"loss", "playground/run.c"},
    {"exact", "playground/run.c"},
    {"reverse", "playground/setting.c"},
    {"wer", "cli/eval.c"},
    /* Other things: contents of files, classes of a page, leaves. */
    {"words", "cli/info.c"},
    {"words", "study/report/html/html.c"},
    {"numbers", "cli/info.c"},
    {"numbers", "data/files/npy.c"},
    {"numbers", "train/export.c"},
    {"numbers", "train/optimizer.c"},
    {"text", "cli/examples.h"},
    {"text", "cli/gradcheck.c"},
    {"text", "cli/train.c"},
    {"text", "cli/train_flags.c"},
    /* Tasks that presets train on, and tasks of the laboratory's own. */
    {"addition", "train/options.c"},
    {"copy", "study/laboratory/tasks.c"},
    {"reverse", "study/laboratory/tasks.c"},
    {"sort", "study/laboratory/tasks.c"},
    {"encoder-decoder", "cli/import.c"},
    /* Tasks of which theory speaks. */
    {"copy", "playground/theory.c"},
    {"reverse", "playground/theory.c"},
    {"shift", "playground/theory.c"},
    {"sort", "playground/theory.c"},
    /* A command. */
    {"average", "cli/command.c"},
    {"average", "cli/average.c"},
    /* A file that has this key describes its model. */
    {"model.kind", "train/saved.h"},
};
enum { HOMONYMS = sizeof homonyms / sizeof *homonyms };

/* Files with rows { "NAME", .. } that are no second table of options. */
static const char *const other_rows[] = {
    "nn/config.c",             /* members whose values it checks */
    "train/optimizer.c",       /* the same */
    "cli/command.c",           /* commands */
    "cli/eval.c",              /* flags of eval: the data that it measures on */
    "cli/examples.c",          /* the same, which gradcheck and study tape have, too */
    "cli/gradcheck.c",         /* flags of gradcheck: its own --seed and --batch */
    "cli/generate.c",          /* flags of generate: its own --seed */
    "cli/import.c",            /* flags of train that have another default there */
    "cli/study_tape.c",        /* flags of study tape: its own --batch; flags that exclude each other */
    "cli/subwords.c",          /* flags of tokens: its own --merges */
    "cli/train_flags.c",       /* flags that exclude each other */
    "study/influence_write.c", /* the sides of a pair */
    "playground/masks.c",      /* the same */
    "playground/playground.c", /* the same */
    "playground/setting.c",    /* the flags that the page has, with its narrower ranges */
};

/* Where a word or a flag of the table was found. */
typedef struct found {
    char word[64], file[64];
} found;
enum { MOST_FOUND = 1024 };
static found words[MOST_FOUND], rows[MOST_FOUND];
static int word_count, row_count;

static void note(found *list, int *count, const char *word, const char *file)
{
    for (int i = 0; i < *count; i++)
        if (!strcmp(list[i].word, word) && !strcmp(list[i].file, file))
            return;
    ck_assert_int_lt(*count, MOST_FOUND);
    snprintf(list[*count].word, sizeof list->word, "%s", word);
    snprintf(list[(*count)++].file, sizeof list->file, "%s", file);
}

static bool is_homonym(const char *word, const char *file)
{
    for (int i = 0; i < HOMONYMS; i++)
        if (!strcmp(homonyms[i].word, word) && !strcmp(homonyms[i].file, file))
            return true;
    return false;
}

static bool has_other_rows(const char *file)
{
    for (size_t i = 0; i < sizeof other_rows / sizeof *other_rows; i++)
        if (!strcmp(other_rows[i], file))
            return true;
    return false;
}

/* Whether the table has this word for a value of some option. */
static bool is_value(const char *word)
{
    const train_field *field;
    for (int i = 0; (field = train_option(i)); i++)
        for (int v = 0; field->names && field->names(v); v++)
            if (!strcmp(field->names(v), word))
                return true;
    return false;
}

static bool is_flag(const char *word)
{
    const train_field *field;
    for (int i = 0; (field = train_option(i)); i++)
        if (field->name && !strcmp(field->name, word))
            return true;
    return false;
}

static bool is_key(const char *word)
{
    const train_field *field;
    for (int i = 0; (field = train_option(i)); i++)
        if (field->key && !strcmp(field->key, word))
            return true;
    return false;
}

/* The string that `word` is in a source. */
static void check_string(const char *file, const char *word, bool begins_row)
{
    if (is_value(word) && !is_homonym(word, file))
        note(words, &word_count, word, file);
    if (is_flag(word) && begins_row && !has_other_rows(file))
        note(rows, &row_count, word, file);
    ck_assert_msg(!is_key(word) || !strcmp(file, "train/options.c") || is_homonym(word, file),
                  "%s has the key \"%s\": keys come from the table in train/options.c", file, word);
}

static void check_source(const char *path, const char *text)
{
    char before = 0; /* the last character of the code that is not white space */
    while (*text) {
        const char *end = test_skip_quoted(text);
        if (*text == '"' && end - text - 2 < 64) {
            char word[64];
            snprintf(word, sizeof word, "%.*s", (int)(end - text - 2), text + 1);
            check_string(path, word, before == '{');
        }
        if (end == text) {
            before = strchr(" \t\n\\", *text) ? before : *text;
            text++;
        } else {
            before = *text == '/' ? before : *text;
            text = end;
        }
    }
}

static void check_once(const found *list, int count)
{
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            ck_assert_msg(strcmp(list[i].word, list[j].word) != 0, "\"%s\" is written in %s and in %s", list[i].word,
                          list[j].file, list[i].file);
}

START_TEST(test_options_are_written_once)
{
    for (const char *const *layer = test_layer_folders; *layer; layer++)
        test_visit_sources(*layer, check_source);
    check_once(words, word_count);
    check_once(rows, row_count);
    ck_assert_int_gt(word_count, 30);
    ck_assert_int_gt(row_count, 50);
}
END_TEST

/* Every flag of the table, and every word for a value, was found. */
START_TEST(test_nothing_is_passed_over)
{
    const train_field *field;
    for (const char *const *layer = test_layer_folders; *layer; layer++)
        test_visit_sources(*layer, check_source);
    for (int i = 0; (field = train_option(i)); i++) {
        int seen = 0;
        for (int r = 0; r < row_count; r++)
            seen += field->name && !strcmp(rows[r].word, field->name);
        ck_assert_msg(!field->name || seen == 1, "--%s was found %d times", field->name, seen);
        for (int v = 0; field->names && field->names(v); v++) {
            for (seen = 0; seen < word_count && strcmp(words[seen].word, field->names(v)); seen++)
                ;
            ck_assert_msg(seen < word_count, "\"%s\" was not found", field->names(v));
        }
    }
}
END_TEST

/* The reader itself: comments do not count, and second strings are found. */
START_TEST(test_second_strings_are_seen)
{
    check_source("a.c",
                 "/* \"gelu-tanh\" */ x = \"gelu-tanh\"; // \"gelu-tanh\"\n{ \"warmup\", 1 }, {\"x\", \"clip\"}");
    ck_assert_int_eq(word_count, 1);
    ck_assert_int_eq(row_count, 1);
    ck_assert_str_eq(rows[0].word, "warmup");
    check_source("a.c", "{\"gelu-tanh\"}");
    ck_assert_int_eq(word_count, 1);
    check_source("b.c", "f('\"', \"inverse-sqrt\", \"gelu-tanh\");\n{\n    \"warmup\"}");
    ck_assert_int_eq(word_count, 3);
    ck_assert_int_eq(row_count, 2);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("once");
    TCase *c = tcase_create("once");
    tcase_add_test(c, test_options_are_written_once);
    tcase_add_test(c, test_nothing_is_passed_over);
    tcase_add_test(c, test_second_strings_are_seen);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
