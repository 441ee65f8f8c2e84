/* test_report.c - what is counted of a set before a training, the signs that its file is
 * something else than what it is read as, and vocabularies of frequent words. */
#include "allocations.h"
#include "check_util.h"

#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *folder;

static void setup(void)
{
    folder = test_folder_new();
}

static void teardown(void)
{
    test_folder_remove(folder);
}

static data_set *pairs_of(const char *name, const char *content, data_set_options options)
{
    ag_error error = {0};
    char *path = test_file_write(folder, name, content, strlen(content));
    data_set *set = data_set_pairs(path, &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    free(path);
    return set;
}

/* ---- Reports ----------------------------------------------------------------------- */

START_TEST(a_report_counts)
{
    data_set *set = pairs_of("train", "ab\tx\nabc\tyy\nab\tx\nab\tz\nq\tx\nq\tx\nq\tx\nab\tw\n", (data_set_options){0});
    data_set_options options = {.source_vocab = data_set_source_vocab(set), .target_vocab = data_set_target_vocab(set)};
    data_set *dev = pairs_of("dev", "ab\tz\nab\ty\nnew\tx\nq\tx\n", options);
    data_report report;
    ck_assert_int_eq(data_set_report(set, dev, &report, NULL), AG_OK);
    ck_assert_int_eq(report.examples, 8);
    ck_assert_int_eq(report.source.tokens, 14);
    ck_assert_int_eq(report.target.tokens, 9);
    ck_assert_int_eq(report.source.median, 2);
    ck_assert_int_eq(report.target.median, 1);
    ck_assert(report.source.longest == 3 && report.source.longest_example == 1 && report.source.longest_line == 2);
    ck_assert_int_eq(report.sources, 3);
    ck_assert_int_eq(report.ambiguous, 1);
    ck_assert_int_eq(report.repeated, 3);
    ck_assert_int_eq(report.shared, 2);
    ck_assert_int_eq(report.shared_sources, 3);

    data_unknown source = {0}, target = {0};
    ck_assert_int_eq(data_set_unknown(dev, &source, &target, NULL), AG_OK);
    data_unknown_sort(&source);
    ck_assert(source.tokens == 8 && source.unknown == 3 && target.unknown == 0 && target.tokens == 4);
    ck_assert_str_eq(source.items[0].token, "n");
    ck_assert_int_eq(source.items[0].places[0].line, 3);
    data_unknown_clear(&source);
    data_unknown_clear(&target);
    data_set_free(dev);
    data_set_free(set);
    set = pairs_of("two", "a\tx\nbb\tx\n", (data_set_options){0});
    ck_assert_int_eq(data_set_report(set, NULL, &report, NULL), AG_OK);
    ck_assert_int_eq(report.source.median, 1); /* half of the texts are no longer */
    data_set_free(set);
}
END_TEST

START_TEST(a_report_of_a_text)
{
    char *path = test_file_write(folder, "text", "abcabcabca", 10);
    data_set *set = data_set_text(path, &(data_set_options){.context = 4}, NULL);
    data_report report;
    data_unknown source = {0}, target = {0};
    ck_assert_int_eq(data_set_report(set, NULL, &report, NULL), AG_OK);
    ck_assert(report.source.tokens == 0 && report.target.tokens == 9 && report.sources == 0);
    ck_assert(report.target.median == 4 && report.target.longest == 4 && report.target.longest_line == 0);
    ck_assert_int_eq(data_set_unknown(set, &source, &target, NULL), AG_OK);
    ck_assert(source.tokens == 0 && target.tokens == 9);
    data_unknown_clear(&target);
    data_set_free(set);
    free(path);
}
END_TEST

/* ---- Signs ------------------------------------------------------------------------- */

/* A file: `before`, then `repeats` times `line`, then `after`. Its signs, without those of
 * another file. */
static void signs_of(const char *before, const char *line, int repeats, const char *after, data_set_options options,
                     data_sign signs[DATA_SIGNS])
{
    static char content[1 << 16];
    strcpy(content, before);
    for (int i = 0; i < repeats; i++)
        strcat(content, line);
    strcat(content, after);
    data_set *set = pairs_of("train", content, options), *dev = pairs_of("dev", "a\tb\n", options);
    ck_assert_int_eq(data_set_signs(set, dev, signs, NULL), AG_OK);
    for (int i = 0; i < DATA_SIGNS; i++)
        signs[i].file = signs[i].file ? "" : NULL; /* the set's, which goes */
    data_set_free(set);
    data_set_free(dev);
}

/* The one sign that a file has; DATA_SIGNS: it has none. */
static data_sign expect_sign(int kind, const char *before, const char *line, int repeats, const char *after,
                             data_set_options options)
{
    data_sign signs[DATA_SIGNS];
    signs_of(before, line, repeats, after, options, signs);
    for (int i = 0; i < DATA_SIGNS; i++)
        ck_assert_msg((signs[i].count > 0) == (i == kind), "sign %d %s: %s%s%s", i, i == kind ? "is missed" : "is false",
                      before, line, after);
    return kind < DATA_SIGNS ? signs[kind] : (data_sign){0};
}

#define CHARS ((data_set_options){0})
#define WORDS ((data_set_options){.source_kind = DATA_WORDS, .target_kind = DATA_WORDS})

/* U+1EBF as one character; as e, U+0302 and U+0301; U+025B and U+0303, which no character
 * composes; U+AC01, and its three jamo. */
#define ONE      "\xE1\xBA\xBF"
#define MARKS    "e\xCC\x82\xCC\x81"
#define NASAL    "\xC9\x9B\xCC\x83"
#define SYLLABLE "\xEA\xB0\x81"
#define JAMO     "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8"

START_TEST(letters_in_two_forms)
{
    data_sign sign = expect_sign(DATA_SIGN_LETTERS, "a" ONE "\tx\n", "", 0, "b\tx" MARKS "\nc" MARKS "\ty\n", CHARS);
    ck_assert_int_eq(sign.count, 2);
    ck_assert_int_eq(sign.line, 2);
    ck_assert_str_eq(sign.text, ONE);
    expect_sign(DATA_SIGNS, "a" ONE "\tx\n", "", 0, "b\te\xCC\x82\n", CHARS);
    expect_sign(DATA_SIGNS, "a" MARKS "\tx\n", "", 0, "b\t" MARKS "\n", CHARS);
    expect_sign(DATA_SIGNS, "a" NASAL "\t\xC9\x9B\n", "", 0, "b\t\xC3\xA3\n", CHARS);
    sign = expect_sign(DATA_SIGN_SYLLABLES, SYLLABLE "\tx\n", "", 0, "b\t" JAMO "\n", CHARS);
    ck_assert_str_eq(sign.text, SYLLABLE);
    /* A syllable that is whole takes no second trailing jamo. */
    expect_sign(DATA_SIGNS, "\xEA\xB0\x82\tx\n", "", 0, "b\t" SYLLABLE "\xE1\x86\xA8\n", CHARS);
    expect_sign(DATA_SIGNS, SYLLABLE "\tx\n", "", 0, "b\t" JAMO "\n",
                (data_set_options){.source_kind = DATA_JAMO, .target_kind = DATA_JAMO});
}
END_TEST

START_TEST(words_that_are_read_as_characters)
{
    data_sign sign = expect_sign(DATA_SIGN_TARGET_WORDS, "", "word\tAH0 B K\n", 20, "", CHARS);
    ck_assert_int_eq(sign.count, 3);
    expect_sign(DATA_SIGN_SOURCE_WORDS, "", "jump_twice and turn_left\tABCD\n", 20, "", CHARS);
    expect_sign(DATA_SIGNS, "", "word\tAH0 B K\n", 19, "", CHARS);                /* too few to tell */
    expect_sign(DATA_SIGNS, "", "word\tAH0 B K\n", 20, "", WORDS);                /* are read as words */
    expect_sign(DATA_SIGNS, "", "word\tword\n", 90, "a b c\tx\n", CHARS);          /* no spaces in most */
    expect_sign(DATA_SIGNS, "", "x\t0 1 2 3 4 5 6 7 8 9\n", 20, "", CHARS);       /* numbers */
    char many[4096] = "x\t";
    for (int i = 0; i < 120; i++)
        sprintf(many + strlen(many), "word%c%c ", 'a' + i / 26, 'a' + i % 26);
    strcat(many, "\n");
    expect_sign(DATA_SIGNS, "", many, 40, "", CHARS); /* long words, and many */
}
END_TEST

START_TEST(names_of_columns)
{
    data_sign sign = expect_sign(DATA_SIGN_HEADER, "Word\tPronunciation (IPA)\n", "word\tw\n", 3, "", CHARS);
    ck_assert_int_eq(sign.line, 1);
    ck_assert_str_eq(sign.text, "Word,Pronunciation (IPA)");
    expect_sign(DATA_SIGN_HEADER, "\nsource_text\ttarget_text\n", "a\tb\n", 3, "", CHARS);
    expect_sign(DATA_SIGNS, "word\tWort\n", "a\tb\n", 3, "", CHARS);
    expect_sign(DATA_SIGNS, "word\twords\n", "a\tb\n", 3, "word\tform\n", CHARS); /* comes again */
    expect_sign(DATA_SIGNS, "word\tword\n", "a\tb\n", 3, "", CHARS);              /* a copy */
    expect_sign(DATA_SIGNS, "words of a text\tsentences\n", "a\tb\n", 3, "", CHARS);
}
END_TEST

/* The first line of the file may be held out. */
START_TEST(names_of_columns_that_are_held_out)
{
    data_sign signs[DATA_SIGNS];
    int held_out = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        data_set *set = pairs_of("train", "word\tphones\na\tb\nc\td\ne\tf\n",
                                 (data_set_options){.part = DATA_TRAIN, .held_out = 0.5, .seed = seed});
        data_set *dev = data_set_held_out(set, NULL);
        held_out += data_set_line(dev, 0) == 1;
        ck_assert_int_eq(data_set_signs(set, dev, signs, NULL), AG_OK);
        ck_assert_int_eq(signs[DATA_SIGN_HEADER].count, 1);
        ck_assert_int_eq(signs[DATA_SIGN_HEADER].line, 1);
        data_set_free(dev);
        data_set_free(set);
    }
    ck_assert(held_out > 0 && held_out < 40);
}
END_TEST

START_TEST(quotes_of_a_spreadsheet)
{
    data_sign sign = expect_sign(DATA_SIGN_QUOTES, "a\tb\n", "c\td\n", 3, "x\t\"say \"\"hi\"\" now\"\n", CHARS);
    ck_assert_int_eq(sign.line, 5);
    expect_sign(DATA_SIGN_QUOTES, "", "\"a\"\tb\n", 3, "", CHARS);
    expect_sign(DATA_SIGNS, "a\tb\n", "\"Hello.\"\t\"Hallo.\"\n", 3, "", CHARS);               /* speech */
    expect_sign(DATA_SIGNS, "a\tb\n", "\"Hi,\" he said, \"you.\"\tx\n", 3, "\"a \"\"b\"\"\"\ty\n", CHARS);
    expect_sign(DATA_SIGNS, "a\tb\n", "\"\tx\n", 3, "\"\"\ty\n", CHARS);
}
END_TEST

START_TEST(blocks_of_tagged_words)
{
    data_sign sign = expect_sign(DATA_SIGN_BLOCKS, "", "the\tDET\ncat\tNOUN\n\n", 4, "", CHARS);
    ck_assert_int_eq(sign.count, 4);
    expect_sign(DATA_SIGN_BLOCKS, "", "the\tDET\ncat\tNOUN\n\n", 4, "", WORDS);
    expect_sign(DATA_SIGNS, "", "the\tDET\ncat\tNOUN\n", 4, "\n\n", CHARS);        /* one block */
    expect_sign(DATA_SIGNS, "", "the cat\tDET\ncat\tNOUN\n\n", 4, "", CHARS);     /* no words */
    expect_sign(DATA_SIGNS, "go\twent\nsee\tsaw\n\nput\tput\n\n", "", 0, "", CHARS); /* no tags */
    expect_sign(DATA_SIGNS, "a\tA\n\n", "the\tDET\n", 500, "", CHARS);            /* a stray empty line */
}
END_TEST

/* Merges are learned in a reading of their own, whose blocks do not count. */
START_TEST(blocks_with_merges)
{
    data_set_options options = {.source_kind = DATA_WORDS, .target_kind = DATA_BPE};
    ck_assert_int_eq(expect_sign(DATA_SIGN_BLOCKS, "", "the\tDET\ncat\tNOUN\n\n", 4, "", options).count, 4);
}
END_TEST

/* The signs of one file in a format. */
static void signs_of_format(const char *content, data_format format, data_sign signs[DATA_SIGNS])
{
    data_set *set = pairs_of("train", content, (data_set_options){.format = format});
    ck_assert_int_eq(data_set_signs(set, set, signs, NULL), AG_OK);
    data_set_free(set);
}

/* Tags are no words of a source, and a format is not recommended where it is read. */
START_TEST(signs_of_formats)
{
    static char tagged[1 << 12];
    data_sign signs[DATA_SIGNS];
    strcpy(tagged, "");
    for (int i = 0; i < 100; i++)
        strcat(tagged, i % 2 ? "ab,abs,V;3\n" : "ba,baed,V;PST\n");
    signs_of_format(tagged, (data_format){.kind = DATA_COLUMNS, .columns = "1,2,3"}, signs);
    for (int i = 0; i < DATA_SIGNS; i++)
        ck_assert_msg(signs[i].count == 0, "sign %d is false", i);
    signs_of_format("\"a\",b\n\"c\",d\n", (data_format){.kind = DATA_COLUMNS, .columns = "1,2", .no_quotes = true}, signs);
    ck_assert_int_eq(signs[DATA_SIGN_QUOTES].count, 0);
    signs_of_format("word,phones\na,b\nc,d\n", (data_format){.kind = DATA_COLUMNS, .columns = "1,2"}, signs);
    ck_assert_int_eq(signs[DATA_SIGN_HEADER].count, 1);
    char *targets = test_file_write(folder, "targets", "phones\nb\nd\n", 11);
    signs_of_format("word\na\nc\n", (data_format){.kind = DATA_PARALLEL, .targets = targets}, signs);
    ck_assert_int_eq(signs[DATA_SIGN_HEADER].count, 0);
    free(targets);
}
END_TEST

/* Sources of byte pairs may be any bytes. */
START_TEST(signs_of_any_bytes)
{
    data_sign signs[DATA_SIGNS];
    data_set *set = pairs_of("train", "caf\xE9 \xFF\tx\nb\ty\n", (data_set_options){.source_kind = DATA_BPE});
    ck_assert_int_eq(data_set_signs(set, set, signs, NULL), AG_OK);
    data_set_free(set);
}
END_TEST

START_TEST(carriage_returns)
{
    data_sign sign = expect_sign(DATA_SIGN_RETURNS, "a\tb\r\n", "c\td\r\r\n", 2, "", CHARS);
    ck_assert(sign.count == 2 && sign.line == 2);
    expect_sign(DATA_SIGNS, "", "c\td\r\n", 2, "", CHARS);
    expect_sign(DATA_SIGNS, "", "c\td\r\r\n", 2, "", WORDS);
}
END_TEST

/* ---- Frequent words ---------------------------------------------------------------- */

START_TEST(rare_words_are_unknown)
{
    data_set_options options = WORDS;
    options.min_count = 2;
    data_set *set = pairs_of("train", "b a b\tx y\nc a\ty\n", options);
    const data_vocab *source = data_set_source_vocab(set), *target = data_set_target_vocab(set);
    data_report report;
    ck_assert_int_eq(data_vocab_size(source), DATA_SPECIALS + 2);
    ck_assert_str_eq(data_vocab_token(source, DATA_SPECIALS), "b");
    ck_assert_str_eq(data_vocab_token(source, DATA_SPECIALS + 1), "a");
    ck_assert_int_eq(data_vocab_size(target), DATA_SPECIALS + 1);
    ck_assert_int_eq(data_set_report(set, NULL, &report, NULL), AG_OK);
    ck_assert(report.source.unknown == 1 && report.target.unknown == 1);
    data_set_free(set);

    options.target_kind = DATA_CHARS; /* whose characters all stay */
    set = pairs_of("train", "b a b\tx y\nc a\ty\n", options);
    ck_assert_int_eq(data_vocab_size(data_set_target_vocab(set)), DATA_SPECIALS + 3);
    data_set_free(set);

    char *path = test_file_write(folder, "text", "a b a c a", 9);
    set = data_set_text(path, &options, NULL);
    data_set_free(set);
    options.target_kind = DATA_WORDS;
    set = data_set_text(path, &options, NULL);
    ck_assert_int_eq(data_vocab_size(data_set_target_vocab(set)), DATA_SPECIALS + 1);
    data_set_free(set);
    ag_error error = {0};
    options.min_count = 4;
    ck_assert_ptr_null(data_set_text(path, &options, &error));
    ck_assert_int_eq(error.status, AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "no word"));
    free(path);
}
END_TEST

/* ---- Pairs that are left out -------------------------------------------------------- */

START_TEST(unfit_pairs_are_left_out)
{
    data_set_options options = {.max_tokens = 4, .leave_out = true};
    data_set *set = pairs_of("train", "\na\tb\nabcd\tb\n \tb\nabc\tabc\nb\tabcd\nb\t\n", options);
    const data_left_out left = data_set_left_out(set);
    ck_assert_int_eq(data_set_count(set), 2);
    ck_assert_int_eq(data_set_line(set, 1), 5);
    ck_assert(left.empty == 2 && left.longer == 2 && left.line == 3);
    data_set_free(set);
    options.tagging = true; /* without end marks */
    set = pairs_of("train", "abcd\tabcd\nabcde\tabcde\n", options);
    ck_assert(data_set_count(set) == 1 && data_set_left_out(set).longer == 1);
    data_set_free(set);
    char *path = test_file_write(folder, "train", "\tb\n", 3);
    ag_error error = {0};
    ck_assert_ptr_null(data_set_pairs(path, &options, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "no pair whose sides are neither empty nor too long"));
    free(path);
}
END_TEST

/* Each allocation fails in turn: an error, and nothing is left behind. */
START_TEST(allocations_may_fail)
{
    data_set_options options = WORDS;
    data_report report;
    data_sign signs[DATA_SIGNS];
    data_set *set = pairs_of("train", "b a b\tx y\nc a\ty\n", options), *dev = pairs_of("dev", "a\tq\n", options);
    int64_t failed[2] = {0};
    for (int which = 0; which < 2; which++)
        for (ag_status status = AG_NO_MEMORY; status == AG_NO_MEMORY; failed[which]++) {
            ag_error error = {0};
            test_fail_allocation(failed[which] + 1);
            status = which ? data_set_report(set, dev, &report, &error) : data_set_signs(set, dev, signs, &error);
            test_fail_allocation(0);
            ck_assert(status == AG_OK || (status == AG_NO_MEMORY && *error.message));
        }
    ck_assert(failed[0] > 4 && failed[1] > 1);
    const char *text = "b a b\tx y\nc a\ty\n";
    char *path = test_file_write(folder, "train", text, strlen(text));
    options.min_count = 2;
    data_set *made = NULL;
    for (int64_t n = 1; !made; n++) {
        test_fail_allocation(n);
        made = data_set_pairs(path, &options, NULL);
        test_fail_allocation(0);
        ck_assert_int_lt(n, 1000);
    }
    data_set_free(made);
    data_set_free(set);
    data_set_free(dev);
    free(path);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("report");
    TCase *c = tcase_create("report");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_report_counts);
    tcase_add_test(c, a_report_of_a_text);
    tcase_add_test(c, letters_in_two_forms);
    tcase_add_test(c, words_that_are_read_as_characters);
    tcase_add_test(c, names_of_columns);
    tcase_add_test(c, names_of_columns_that_are_held_out);
    tcase_add_test(c, quotes_of_a_spreadsheet);
    tcase_add_test(c, blocks_of_tagged_words);
    tcase_add_test(c, blocks_with_merges);
    tcase_add_test(c, signs_of_formats);
    tcase_add_test(c, signs_of_any_bytes);
    tcase_add_test(c, carriage_returns);
    tcase_add_test(c, rare_words_are_unknown);
    tcase_add_test(c, unfit_pairs_are_left_out);
    tcase_add_test(c, allocations_may_fail);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
