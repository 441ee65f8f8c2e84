/* test_hangul.c - Korean syllables are read as their jamo and come out as syllables. */
#include "check_util.h"
#include "data.h"

#include <stdio.h>
#include <string.h>

static char *folder;

static void set_up(void)
{
    folder = test_folder_new();
}

static void tear_down(void)
{
    test_folder_remove(folder);
}

/* A vocabulary of all jamo that compose, and of some other characters. */
static data_vocab *vocab_of_jamo(void)
{
    static const char others[] = u8"a \u3131\u314F\u1113\u11C3\u4E00";
    const uint32_t ranges[][2] = {{0x1100, 0x1112}, {0x1161, 0x1175}, {0x11A8, 0x11C2}};
    data_vocab *vocab = data_vocab_new(DATA_JAMO, NULL);
    char token[5];
    for (int i = 0; i < 3; i++)
        for (uint32_t code = ranges[i][0]; code <= ranges[i][1]; code++)
            ck_assert_int_ge(data_vocab_add(vocab, token, (size_t)ag_utf8_print(code, token)), DATA_SPECIALS);
    for (size_t at = 0; at < strlen(others);) {
        const int size = ag_utf8_length(others + at, strlen(others) - at);
        ck_assert_int_ge(data_vocab_add(vocab, others + at, (size_t)size), DATA_SPECIALS);
        at += (size_t)size;
    }
    return vocab;
}

/* The tokens of a text, each followed by '|'. */
static const char *tokens_of(const char *text)
{
    static char joined[256];
    const char *token;
    size_t at = 0, size, end = 0;
    while (data_token_next(DATA_JAMO, text, strlen(text), &at, &token, &size)) {
        memcpy(joined + end, token, size);
        end += size;
        joined[end++] = '|';
    }
    joined[end] = '\0';
    ck_assert_uint_eq(at, strlen(text));
    return joined;
}

/* The text made of the ids of `text`. */
static const char *there_and_back(const char *text)
{
    static char back[256];
    data_vocab *vocab = vocab_of_jamo();
    int32_t ids[64];
    int64_t unknown, count = data_vocab_encode(vocab, text, strlen(text), ids, 64, &unknown);
    ck_assert_int_eq(unknown, 0);
    data_vocab_decode(vocab, ids, count, back, sizeof back);
    data_vocab_free(vocab);
    return back;
}

START_TEST(every_syllable_there_and_back)
{
    data_vocab *vocab = vocab_of_jamo();
    uint32_t code = 0xAC00;
    for (uint32_t l = 0x1100; l <= 0x1112; l++)
        for (uint32_t v = 0x1161; v <= 0x1175; v++)
            for (uint32_t t = 0x11A7; t <= 0x11C2; t++, code++) {
                const uint32_t expected[] = {l, v, t};
                char syllable[5], jamo[5], back[8];
                int32_t ids[4];
                const size_t size = (size_t)ag_utf8_print(code, syllable);
                const int64_t count = data_vocab_encode(vocab, syllable, size, ids, 4, NULL);
                ck_assert_int_eq(count, t == 0x11A7 ? 2 : 3);
                for (int64_t i = 0; i < count; i++) {
                    ag_utf8_print(expected[i], jamo);
                    ck_assert_str_eq(data_vocab_token(vocab, ids[i]), jamo);
                }
                ck_assert_uint_eq(data_vocab_decode(vocab, ids, count, back, sizeof back), 3);
                ck_assert_str_eq(back, syllable);
            }
    ck_assert_uint_eq(code, 0xD7A3 + 1);
    data_vocab_free(vocab);
}
END_TEST

START_TEST(tokens_of_mixtures)
{
    ck_assert_str_eq(tokens_of(u8"\uAC00a\uD7A3"), u8"\u1100|\u1161|a|\u1112|\u1175|\u11C2|");
    /* the neighbours of the syllables, compatibility jamo, an ideograph */
    ck_assert_str_eq(tokens_of(u8"\uABFF\uD7A4\u3131\u4E00"), u8"\uABFF|\uD7A4|\u3131|\u4E00|");
    ck_assert_str_eq(tokens_of(u8"\u1112\u1161\u11AB"), u8"\u1112|\u1161|\u11AB|"); /* NFD */
    ck_assert_str_eq(tokens_of(u8"\uAC00\r\n\uAC01"), u8"\u1100|\u1161|\n|\u1100|\u1161|\u11A8|");
    ck_assert_str_eq(tokens_of(""), "");
}
END_TEST

START_TEST(composes_what_can_be_composed)
{
    static const char *const cases[][2] = {
        {u8"\uD55C\uAD6D a\u3131\u314F", u8"\uD55C\uAD6D a\u3131\u314F"},
        {u8"\u1112\u1161\u11AB", u8"\uD55C"},             /* NFD in, NFC out */
        {u8"\uD558\u11AB", u8"\uD55C"},                   /* LV and T */
        {u8"\uD55C\u11AB", u8"\uD55C\u11AB"},             /* LVT is closed */
        {u8"\u1112\u1112\u1161", u8"\u1112\uD558"},       /* lone jamo */
        {u8"\u1161\u11AB\u1112", u8"\u1161\u11AB\u1112"}, /* no L, no V */
        {u8"\u1112a\u1161", u8"\u1112a\u1161"},
        {u8"\u1113\u1161", u8"\u1113\u1161"}, /* an old L, an old T */
        {u8"\uD558\u11C3", u8"\uD558\u11C3"},
        {u8"\uD558\uD558", u8"\uD558\uD558"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(there_and_back(cases[i][0]), cases[i][1]);
}
END_TEST

START_TEST(decoding_is_cut_and_open)
{
    data_vocab *vocab = vocab_of_jamo();
    char text[8];
    int32_t ids[8] = {DATA_BOS};
    ck_assert_int_eq(data_vocab_encode(vocab, u8"\uD55Ca", 4, ids + 1, 7, NULL), 4);
    ids[5] = DATA_EOS;
    ids[6] = ids[1];
    ck_assert_uint_eq(data_vocab_decode(vocab, ids, 7, text, 3), 4);
    ck_assert_str_eq(text, "\xED\x95");
    ck_assert_uint_eq(data_vocab_decode(vocab, ids, 7, NULL, 0), 4);
    const int64_t open[] = {0, 0, 1, 2, 0, 0};
    for (int64_t count = 0; count <= 5; count++)
        ck_assert_int_eq(data_vocab_open(vocab, ids, count), open[count]);
    ids[2] = ids[1]; /* L L: the first is final; the vowel of L a V has no L */
    ck_assert_int_eq(data_vocab_open(vocab, ids, 3), 1);
    data_vocab_encode(vocab, u8"\u1112a\u1161", 7, ids, 8, NULL);
    ck_assert_int_eq(data_vocab_open(vocab, ids, 3), 0);
    data_vocab_free(vocab);

    /* as characters the same jamo stay apart, and nothing is open */
    vocab = data_vocab_new(DATA_CHARS, NULL);
    ids[0] = data_vocab_add(vocab, u8"\u1112", 3);
    ids[1] = data_vocab_add(vocab, u8"\u1161", 3);
    data_vocab_decode(vocab, ids, 2, text, sizeof text);
    ck_assert_str_eq(text, u8"\u1112\u1161");
    ck_assert_int_eq(data_vocab_open(vocab, ids, 2), 0);
    data_vocab_free(vocab);
}
END_TEST

START_TEST(vocabularies_say_it)
{
    ag_error error = {0};
    data_vocab *vocab = data_vocab_new(DATA_JAMO, NULL);
    ck_assert_int_eq(data_vocab_add(vocab, u8"\uAC00", 3), DATA_NONE);
    ck_assert_int_eq(data_vocab_add(vocab, u8"\uAC01", 3), DATA_NONE);
    ck_assert_int_eq(data_vocab_add(vocab, u8"\u1100", 3), 4);
    char *text = data_vocab_write(vocab, NULL);
    ck_assert_str_eq(text, u8"jamo 1 \u1100");
    data_vocab *back = data_vocab_read(text, &error);
    ck_assert_msg(back && data_vocab_kind(back) == DATA_JAMO, "%s", error.message);
    data_vocab_free(back);
    back = data_vocab_copy(vocab, NULL);
    ck_assert_int_eq(data_vocab_kind(back), DATA_JAMO);
    ck_assert_ptr_null(data_vocab_read(u8"jamo 1 \uAC00", &error));
    ck_assert_ptr_null(data_vocab_read("jam 1 a", &error));
    ck_assert_ptr_null(data_vocab_read("jamos 1 a", &error));
    free(text);
    data_vocab_free(vocab);
    data_vocab_free(back);
}
END_TEST

/* ---- Files ------------------------------------------------------------------------- */

static data_set *pairs_of(const char *name, const char *content, data_token_kind kind)
{
    ag_error error = {0};
    char *path = test_file_write(folder, name, content, strlen(content));
    data_set_options options = {.source_kind = kind, .target_kind = kind};
    data_set *set = data_set_pairs(path, &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    free(path);
    return set;
}

START_TEST(pairs_keep_their_texts)
{
    data_set *set = pairs_of("korean", u8"\uD55C\uAD6D\tx\n\uAC00\uC790\t\uAC00\uAC01\n", DATA_JAMO);
    const char *source, *target;
    data_batch batch = {0};
    ag_error error = {0};
    ck_assert_int_eq(data_set_max_source(set), 7);
    ck_assert_int_eq(data_set_max_target(set), 6);
    data_set_example(set, 1, &source, &target);
    ck_assert_str_eq(source, u8"\uAC00\uC790");
    ck_assert_str_eq(target, u8"\uAC00\uAC01");
    ck_assert_int_eq(data_set_range(set, 1, 1, &batch, &error), AG_OK);
    ck_assert_int_eq(batch.source_length, 5);
    char text[16];
    data_vocab_decode(data_set_target_vocab(set), batch.target_out, batch.target_length, text, sizeof text);
    ck_assert_str_eq(text, target);
    data_batch_clear(&batch);
    data_set_free(set);
}
END_TEST

/* Without syllables the two kinds give the same ids. */
START_TEST(other_languages_stay)
{
    static const char content[] = u8"na\u00EFve\tx \u0254\n\u3042\u1100\t\u4E00y\n";
    data_set *sets[] = {pairs_of("a", content, DATA_CHARS), pairs_of("b", content, DATA_JAMO)};
    data_batch batches[2] = {{0}, {0}};
    ag_error error = {0};
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(data_set_batch(sets[i], 2, 0, &batches[i], &error), AG_OK);
    const size_t ids = (size_t)(2 * batches[0].source_length), targets = (size_t)(2 * batches[0].target_length);
    ck_assert_int_eq(batches[0].source_length, batches[1].source_length);
    ck_assert_int_eq(batches[0].target_length, batches[1].target_length);
    ck_assert_mem_eq(batches[0].source, batches[1].source, ids * sizeof(int32_t));
    ck_assert_mem_eq(batches[0].target_out, batches[1].target_out, targets * sizeof(int32_t));
    for (int i = 0; i < 2; i++) {
        data_batch_clear(&batches[i]);
        data_set_free(sets[i]);
    }
}
END_TEST

static const char korean_text[] =
    u8"\uBAA8\uB4E0 \uC778\uAC04\uC740 \uD0DC\uC5B4\uB0A0 \uB54C\uBD80\uD130\r\n\uC790\uC720\uB85C\uC6B0\uBA70 abc\n"
    u8"\uADF8 \uC874\uC5C4\uACFC \uAD8C\uB9AC\uC5D0 \u3131\u314F\n";

static data_set *text_of(int64_t context, data_part part, ag_error *error)
{
    char *path = test_file_write(folder, "text", korean_text, strlen(korean_text));
    data_set_options options = {.target_kind = DATA_JAMO, .context = context, .part = part, .held_out = 0.3};
    data_set *set = data_set_text(path, &options, error);
    free(path);
    return set;
}

/* Appends the targets of all windows in order, after the first token. */
static int64_t targets_of(data_set *set, int32_t *ids)
{
    ag_error error = {0};
    data_batch batch = {0};
    int64_t count = 0;
    for (int64_t i = 0; i < data_set_count(set); i++) {
        ck_assert_int_eq(data_set_range(set, i, 1, &batch, &error), AG_OK);
        if (i == 0)
            ids[count++] = batch.target_in[0];
        ck_assert_int_eq(batch.target_in[0], ids[count - 1]);
        memcpy(ids + count, batch.target_out, (size_t)batch.target_length * sizeof *ids);
        count += batch.target_length;
    }
    data_batch_clear(&batch);
    return count;
}

/* Windows begin and end within syllables, and hold all tokens of the text in order. */
START_TEST(windows_cut_syllables)
{
    ag_error error = {0};
    for (int64_t context = 1; context <= 9; context++) {
        char text[512], expected[512] = "";
        int32_t ids[256];
        size_t length = 0;
        for (data_part part = DATA_TRAIN; part <= DATA_DEV; part++) {
            data_set *set = text_of(context, part, &error);
            ck_assert_msg(set != NULL, "%s", error.message);
            const int64_t count = targets_of(set, ids);
            length += data_vocab_decode(data_set_target_vocab(set), ids, count, text + length, sizeof text - length);
            for (uint64_t n = 0; n < 12; n++) { /* moved windows stay in the text */
                data_batch batch = {0};
                ck_assert_int_eq(data_set_batch(set, 1, n, &batch, &error), AG_OK);
                ck_assert_int_ge(batch.target_length, 1);
                data_batch_clear(&batch);
            }
            data_set_free(set);
        }
        size_t end = 0;
        for (const char *from = korean_text; *from; from++)
            if (*from != '\r')
                expected[end++] = *from;
        ck_assert_str_eq(text, expected);
    }
}
END_TEST

START_TEST(memory_of_a_text_runs_out)
{
    data_set *set = NULL;
    for (int64_t n = 1; !set; n++) {
        ag_error error = {0};
        char *path = test_file_write(folder, "text", korean_text, strlen(korean_text));
        data_set_options options = {.target_kind = DATA_JAMO, .context = 5};
        test_fail_allocation(n);
        set = data_set_text(path, &options, &error);
        test_fail_allocation(0);
        ck_assert(set || error.status == AG_NO_MEMORY);
        free(path);
    }
    data_set_free(set);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("hangul");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, every_syllable_there_and_back);
    tcase_add_test(tests, tokens_of_mixtures);
    tcase_add_test(tests, composes_what_can_be_composed);
    tcase_add_test(tests, decoding_is_cut_and_open);
    tcase_add_test(tests, vocabularies_say_it);
    tcase_add_test(tests, pairs_keep_their_texts);
    tcase_add_test(tests, other_languages_stay);
    tcase_add_test(tests, windows_cut_syllables);
    tcase_add_test(tests, memory_of_a_text_runs_out);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
