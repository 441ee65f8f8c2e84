/* test_bpe.c - byte pair encoding: how words are cut, what is learned, and that each text
 * comes back byte by byte. Learning and merging are compared with the definition, written
 * down without any index. */
#include "check_util.h"
#include "data/bpe.h"
#include "data/hash.h"
#include "data/words.h"
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

/* ---- Words ---- */

/* The words of a text, each followed by '|'. */
static const char *words_of(const char *text, size_t size)
{
    static char joined[256];
    size_t end = 0;
    for (size_t at = 0, word; at < size; at += word) {
        word = data_word_size(text + at, size - at);
        memcpy(joined + end, text + at, word);
        end += word;
        joined[end++] = '|';
    }
    joined[end] = '\0';
    return joined;
}

START_TEST(words_are_cut)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"Hello, world", "Hello|,| world|"},
        {"  two  spaces ", " | two| | spaces| |"},
        {"a\n\n b \n", "a|\n\n| b| \n|"},
        {"\n a", "\n| a|"},
        {" \na", " |\n|a|"},
        {"\t\ta", "\t|\t|a|"},
        {"it's we'll I'd they've you're I'm don't", "it|'s| we|'ll| I|'d| they|'ve| you|'re| I|'m| don|'t|"},
        {"It'S 'sun", "It|'|S| '|sun|"}, /* capitals and quotes */
        {"'sun", "'s|un|"},
        {"abc123 45.6", "abc|123| 45|.|6|"},
        {"!? ...x", "!?| ...|x|"},
        {u8"caf\u00E9 \u4E2D\u6587\u0663\u2167", u8"caf\u00E9| \u4E2D\u6587|\u0663\u2167|"},
        {u8"a\u00A0b\u3000\u3000c", u8"a|\u00A0|b|\u3000|\u3000|c|"}, /* white space, but no space */
        {u8"e\u0301 \U0001F600", u8"e|\u0301| \U0001F600|"},          /* a mark, a sign */
        {u8"\u180E\uFEFFa", u8"\u180E\uFEFF|a|"},                     /* no white space (any more) */
        {"a\xFF\xC3z", "a|\xFF\xC3|z|"},                              /* no UTF-8 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(words_of(cases[i][0], strlen(cases[i][0])), cases[i][1]);
    ck_assert_uint_eq(data_word_size("\0\0a", 3), 2);
}
END_TEST

/* All classes in one number. Another version of Unicode has another, and so has a table
 * that is damaged. */
START_TEST(classes_have_their_checksum)
{
    static unsigned char classes[0x110000];
    int64_t count[4] = {0};
    for (uint32_t code = 0; code < 0x110000; code++) {
        classes[code] = (unsigned char)data_character_of(code);
        count[classes[code]]++;
    }
    ck_assert_int_eq(count[DATA_SPACE], 25);
    ck_assert_int_eq(count[DATA_LETTER], 136104);
    ck_assert_int_eq(count[DATA_NUMBER], 1831);
    ck_assert_uint_eq(data_hash((const char *)classes, sizeof classes, 0), UINT64_C(0x2DA04C3E6EFF2423));
    ck_assert_int_eq(data_character_of(0x110000), DATA_OTHER);
}
END_TEST

/* Sets classes[first .. last] by the lines of a file of the Unicode Character Database;
 * false if the file is not there. */
static bool read_categories(unsigned char *classes)
{
    FILE *file = fopen("/usr/share/unicode/UnicodeData.txt", "r");
    char line[1024], name[256], category[8];
    unsigned code, first = 0;
    while (file && fgets(line, sizeof line, file)) {
        ck_assert_int_eq(sscanf(line, "%x;%255[^;];%7[^;]", &code, name, category), 3);
        const bool range = strstr(name, "Last>") != NULL;
        for (unsigned c = range ? first : code; c <= code; c++)
            classes[c] = *category == 'L' ? DATA_LETTER : *category == 'N' ? DATA_NUMBER : DATA_OTHER;
        first = code;
    }
    return file && fclose(file) == 0;
}

static bool read_spaces(unsigned char *classes)
{
    FILE *file = fopen("/usr/share/unicode/PropList.txt", "r");
    char line[1024];
    while (file && fgets(line, sizeof line, file)) {
        unsigned first, last;
        int fields = sscanf(line, "%x..%x", &first, &last);
        for (unsigned c = first; fields > 0 && strstr(line, "; White_Space #") && c <= (fields == 2 ? last : first);
             c++)
            classes[c] = DATA_SPACE;
    }
    return file && fclose(file) == 0;
}

/* Against the standard's own data, where Debian's package unicode-data has put them. */
START_TEST(classes_are_those_of_the_standard)
{
    static unsigned char classes[0x110000];
    if (!read_categories(classes) || !read_spaces(classes)) {
        printf("skipped: /usr/share/unicode has no UnicodeData.txt and PropList.txt\n");
        return;
    }
    for (uint32_t code = 0; code < 0x110000; code++)
        ck_assert_msg(data_character_of(code) == (data_character)classes[code], "U+%04X", (unsigned)code);
}
END_TEST

/* ---- The definition ---- */

enum { MOST = 4096 };

/* Words of tokens; a token is a text of bytes. */
typedef struct token {
    char bytes[64];
    int size;
} token;
static token tokens[MOST];
static int word_starts[MOST], word_count;

static bool same_token(const token *a, const token *b)
{
    return a->size == b->size && !memcmp(a->bytes, b->bytes, (size_t)a->size);
}

static int compare_token(const token *a, const token *b)
{
    const int size = a->size < b->size ? a->size : b->size, order = memcmp(a->bytes, b->bytes, (size_t)size);
    return order ? order : a->size - b->size;
}

/* Cuts a text into words of bytes. */
static void cut_bytes(const char *text, int size)
{
    word_count = 0;
    for (int at = 0; at < size; word_count++) {
        const int word = (int)data_word_size(text + at, (size_t)(size - at));
        word_starts[word_count] = at;
        for (int end = at + word; at < end; at++) {
            tokens[at].bytes[0] = text[at];
            tokens[at].size = 1;
        }
    }
    word_starts[word_count] = size;
}

/* Replaces a pair in all words. */
static void merge_everywhere(token left, token right)
{
    int out = 0;
    for (int w = 0; w < word_count; w++) {
        const int begin = word_starts[w], end = word_starts[w + 1];
        word_starts[w] = out;
        for (int i = begin; i < end; i++, out++) {
            const bool both = i + 1 < end && same_token(&tokens[i], &left) && same_token(&tokens[i + 1], &right);
            tokens[out] = tokens[i];
            if (both) {
                memcpy(tokens[out].bytes + left.size, right.bytes, (size_t)right.size);
                tokens[out].size += right.size;
                i++;
            }
        }
    }
    word_starts[word_count] = out;
}

/* The most frequent pair, of equals the smallest; its count. */
static int best_pair(token *left, token *right)
{
    int best = 0;
    for (int w = 0; w < word_count; w++)
        for (int i = word_starts[w]; i + 1 < word_starts[w + 1]; i++) {
            int count = 0;
            for (int v = 0; v < word_count; v++)
                for (int j = word_starts[v]; j + 1 < word_starts[v + 1]; j++)
                    count += same_token(&tokens[i], &tokens[j]) && same_token(&tokens[i + 1], &tokens[j + 1]);
            const int order = best ? compare_token(&tokens[i], left) : 0;
            if (count > best ||
                (count == best && (order < 0 || (order == 0 && compare_token(&tokens[i + 1], right) < 0)))) {
                best = count;
                *left = tokens[i];
                *right = tokens[i + 1];
            }
        }
    return best;
}

static void is_token(const data_vocab *vocab, int32_t id, const token *expected)
{
    char bytes[128];
    ck_assert_uint_eq(data_vocab_decode(vocab, &id, 1, bytes, sizeof bytes), (size_t)expected->size);
    ck_assert_mem_eq(bytes, expected->bytes, (size_t)expected->size);
}

/* ---- Learning and encoding ---- */

/* A text of few letters, so that pairs repeat and are equally frequent. */
static int draw_text(ag_rng *rng, char *text, int longest)
{
    static const char letters[] = "aab\xC3\xA9 \xFF"
                                  "c'\n1\0";
    const int size = 1 + (int)ag_rng_below(rng, (uint64_t)longest), some = 1 + (int)ag_rng_below(rng, 12);
    for (int i = 0; i < size; i++)
        text[i] = letters[ag_rng_below(rng, (uint64_t)some)];
    return size;
}

static data_vocab *learn_from(const char *text, int size, int64_t merges)
{
    data_learner *learner = data_learner_new(NULL);
    ck_assert_int_eq(data_learner_add(learner, text, (size_t)size, NULL), AG_OK);
    data_vocab *vocab = data_learner_vocab(learner, merges, NULL);
    ck_assert_ptr_nonnull(vocab);
    data_learner_free(learner);
    return vocab;
}

START_TEST(merges_are_those_of_the_definition)
{
    char text[MOST];
    for (uint64_t seed = 0; seed < 60; seed++) {
        ag_rng rng = ag_rng_make(seed, 0);
        const int size = draw_text(&rng, text, 160);
        data_vocab *vocab = learn_from(text, size, 40);
        token left, right;
        cut_bytes(text, size);
        int32_t made = 0;
        for (; made < 40 && best_pair(&left, &right) >= 2; made++) {
            int32_t a, b;
            ck_assert_int_lt(made, data_vocab_merges(vocab));
            data_vocab_merge(vocab, made, &a, &b);
            is_token(vocab, a, &left);
            is_token(vocab, b, &right);
            merge_everywhere(left, right);
        }
        ck_assert_int_eq(data_vocab_merges(vocab), made);
        int32_t ids[MOST];
        const int64_t count = data_vocab_encode(vocab, text, (size_t)size, ids, MOST, NULL);
        ck_assert_int_eq(count, word_starts[word_count]); /* the text is left as its own learning left it */
        for (int64_t i = 0; i < count; i++)
            is_token(vocab, ids[i], &tokens[i]);
        data_vocab_free(vocab);
    }
}
END_TEST

/* A text other than the learned one: all merges in their order, each everywhere. */
static void check_encoding(const data_vocab *vocab, const char *text, int size)
{
    static int32_t ids[MOST];
    static char back[MOST + 1];
    cut_bytes(text, size);
    for (int32_t i = 0; i < data_vocab_merges(vocab); i++) {
        int32_t parts[2];
        token both[2];
        data_vocab_merge(vocab, i, &parts[0], &parts[1]);
        for (int p = 0; p < 2; p++)
            both[p].size = (int)data_vocab_decode(vocab, &parts[p], 1, both[p].bytes, sizeof both[p].bytes);
        merge_everywhere(both[0], both[1]);
    }
    const int64_t count = data_vocab_encode(vocab, text, (size_t)size, ids, MOST, NULL);
    ck_assert_int_eq(count, word_starts[word_count]);
    ck_assert_int_eq(data_vocab_encode(vocab, text, (size_t)size, NULL, 0, NULL), count);
    for (int64_t i = 0; i < count; i++)
        is_token(vocab, ids[i], &tokens[i]);
    ck_assert_uint_eq(data_vocab_decode(vocab, ids, count, back, sizeof back), (size_t)size);
    ck_assert_mem_eq(back, text, (size_t)size);
    int32_t few[4] = {-7, -7, -7, -7};
    data_vocab_encode(vocab, text, (size_t)size, few, 3, NULL);
    for (int64_t i = 0; i < 3 && i < count; i++)
        ck_assert_int_eq(few[i], ids[i]);
    ck_assert_int_eq(few[3], -7);
}

START_TEST(texts_come_back_byte_by_byte)
{
    char text[MOST];
    for (uint64_t seed = 0; seed < 60; seed++) {
        ag_rng rng = ag_rng_make(seed, 1);
        data_vocab *vocab = learn_from(text, draw_text(&rng, text, 300), 1 + (int64_t)ag_rng_below(&rng, 60));
        check_encoding(vocab, text, draw_text(&rng, text, 900)); /* also words that are long */
        for (int i = 0; i < 600; i++)
            text[i] = (char)ag_rng_below(&rng, 256);
        check_encoding(vocab, text, 600);
        for (int i = 0; i < 600; i++)
            text[i] = "aab"[ag_rng_below(&rng, 3)];
        check_encoding(vocab, text, DATA_SHORT_WORD);
        check_encoding(vocab, text, DATA_SHORT_WORD + 1);
        check_encoding(vocab, text, 600);
        data_vocab_free(vocab);
    }
}
END_TEST

START_TEST(most_frequent_words_become_tokens)
{
    const char text[] =
        "low low low low low lower lower newest newest newest newest newest newest widest widest widest";
    data_vocab *vocab = learn_from(text, sizeof text - 1, 0);
    ck_assert_int_eq(data_vocab_find(vocab, u8"\u0120newest", strlen(u8"\u0120newest")) == DATA_NONE, false);
    ck_assert_int_eq(data_vocab_find(vocab, "newest", 6), DATA_NONE); /* never without its space */
    ck_assert_int_eq(data_vocab_size(vocab), DATA_SPECIALS + DATA_BYTES + data_vocab_merges(vocab));
    data_vocab_free(vocab);
    vocab = learn_from("", 0, 0);
    ck_assert_int_eq(data_vocab_size(vocab), DATA_SPECIALS + DATA_BYTES);
    data_vocab_free(vocab);
}
END_TEST

/* ---- Forms and files ---- */

START_TEST(bytes_have_visible_forms)
{
    data_vocab *vocab = data_vocab_new(DATA_BPE, NULL);
    for (int byte = 0; byte < DATA_BYTES; byte++) {
        const char *form = data_vocab_token(vocab, DATA_SPECIALS + byte);
        ck_assert_uint_eq(data_text_check(form, strlen(form), NULL), strlen(form));
        ck_assert(!data_text_empty(form, strlen(form)) && (unsigned char)*form > ' ');
        ck_assert_int_eq(data_vocab_find(vocab, form, strlen(form)), DATA_SPECIALS + byte);
        ck_assert_int_eq(data_bpe_next_byte(&form), byte);
        ck_assert_int_eq(data_bpe_next_byte(&form), -1);
    }
    static const struct {
        int byte;
        const char *form;
    } known[] = {{' ', u8"\u0120"},  {'\n', u8"\u010A"}, {'!', "!"},         {0x7F, u8"\u0121"},
                 {0xA0, u8"\u0142"}, {0xAD, u8"\u0143"}, {0xFF, u8"\u00FF"}, {0, u8"\u0100"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        ck_assert_str_eq(data_vocab_token(vocab, DATA_SPECIALS + known[i].byte), known[i].form);
    ck_assert_int_eq(data_vocab_add(vocab, "ab", 2), DATA_NONE);
    ck_assert_int_eq(data_vocab_add_merge(vocab, DATA_EOS, 10), DATA_NONE);
    ck_assert_int_eq(data_vocab_add_merge(vocab, 10, 1000), DATA_NONE);
    ck_assert_int_eq(data_vocab_add_merge(vocab, 10, 11), 260);
    ck_assert_int_eq(data_vocab_add_merge(vocab, 10, 11), DATA_NONE);
    ck_assert_int_eq(data_vocab_add_merge(vocab, 11, 12), 261);
    ck_assert_int_eq(data_vocab_add_merge(vocab, 260, 12), 262);
    ck_assert_int_eq(data_vocab_add_merge(vocab, 10, 261), 262); /* the same bytes */
    data_vocab_free(vocab);
}
END_TEST

static void same_vocab(const data_vocab *a, data_vocab *b)
{
    ck_assert_ptr_nonnull(b);
    ck_assert_int_eq(data_vocab_size(a), data_vocab_size(b));
    ck_assert_int_eq(data_vocab_merges(a), data_vocab_merges(b));
    char *texts[] = {data_vocab_write(a, NULL), data_vocab_write(b, NULL)};
    ck_assert_str_eq(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
    data_vocab_free(b);
}

START_TEST(vocabularies_are_copied_written_and_read)
{
    char text[MOST];
    ag_rng rng = ag_rng_make(5, 0);
    for (int i = 0; i < 900; i++)
        text[i] = (char)ag_rng_below(&rng, i < 450 ? 256 : 3);
    for (int i = 0; i < 100; i++)
        memcpy(text + 900 + 2 * i, "\\\\", 2);
    data_vocab *vocab = learn_from(text, 1100, 100);
    char *line = data_vocab_write(vocab, NULL), *path = test_path(folder, "vocab");
    ck_assert_int_gt(data_vocab_merges(vocab), 5);
    ck_assert_int_eq(strncmp(line, "bpe ", 4), 0);
    same_vocab(vocab, data_vocab_read(line, NULL));
    same_vocab(vocab, data_vocab_copy(vocab, NULL));
    ck_assert_int_eq(data_vocab_write_file(vocab, path, NULL), AG_OK);
    same_vocab(vocab, data_vocab_read_file(DATA_BPE, path, NULL));
    free(path);
    free(line);
    data_vocab_free(vocab);
}
END_TEST

START_TEST(bad_vocabularies_are_refused)
{
    static const char *const lines[][2] = {
        {"bpe", "does not begin with"},
        {"bpe 1", "1 merge is announced and only 0 are there"},
        {"bpe 1 a", "1 merge is announced and only 0 are there"},
        {"bpe 1 a b c", "more follows"},
        {"bpe 1 a bc", "merge 1 of 1 joins tokens that are not there"},
        {"bpe 2 a b a b", "merge 2 of 2"},
        {"bpe 1 a <pad>", "merge 1 of 1"},
        {"bpe 1  b", "merge 1 of 1"},
    };
    static const char *const files[][2] = {
        {"a\n", ":1: this is no merge"},
        {"#version: 0.2\na b\na b c\n", ":3: this is no merge"},
        {"a b\nab d\nxy d\n", ":3: the first token is neither a byte nor made by a line before"},
        {"a b\nc xy\n", ":2: the second token"},
        {"a b\n\n", ":2: this is no merge"},
        {"a b\na b\n", ":2: this merge has come before"},
    };
    ag_error error;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        error = (ag_error){0};
        ck_assert_ptr_null(data_vocab_read(lines[i][0], &error));
        ck_assert_msg(strstr(error.message, lines[i][1]) != NULL, "%s", error.message);
        ck_assert_int_eq(error.status, AG_BAD_FILE);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = test_file_write(folder, "bad", files[i][0], strlen(files[i][0]));
        error = (ag_error){0};
        ck_assert_ptr_null(data_vocab_read_file(DATA_BPE, path, &error));
        ck_assert_msg(strstr(error.message, files[i][1]) != NULL, "%s", error.message);
        free(path);
    }
}
END_TEST

/* ---- Memory ---- */

/* Learns, copies, writes, reads and encodes; the number of tokens, -1 where memory was out. */
static int64_t use_all(const char *text, size_t size)
{
    static int32_t ids[MOST];
    ag_error error = {0};
    data_learner *learner = data_learner_new(&error);
    data_vocab *vocab = NULL, *copy = NULL, *read = NULL;
    if (learner && data_learner_add(learner, text, size, &error) == AG_OK)
        vocab = data_learner_vocab(learner, 30, &error);
    copy = vocab ? data_vocab_copy(vocab, &error) : NULL;
    char *line = copy ? data_vocab_write(copy, &error) : NULL;
    read = line ? data_vocab_read(line, &error) : NULL;
    const int64_t count = read ? data_vocab_encode(read, text, size, ids, MOST, NULL) : -1;
    ck_assert(!read == (error.status == AG_NO_MEMORY));
    data_learner_free(learner);
    data_vocab_free(vocab);
    data_vocab_free(copy);
    data_vocab_free(read);
    free(line);
    return count;
}

START_TEST(every_allocation_may_fail)
{
    char text[800];
    int64_t failed = 0;
    for (int i = 0; i < 800; i++)
        text[i] = i % 400 < 300 ? "aab"[i * i % 3] : "abc \n"[i * i % 5];
    const int64_t whole = use_all(text, sizeof text);
    for (int64_t n = 1, count = -1; count < 0; n++) {
        test_fail_allocation(n);
        count = use_all(text, sizeof text);
        test_fail_allocation(0);
        ck_assert(count < 0 || count == whole);
        failed += count < 0;
    }
    ck_assert_int_gt(failed, 60);
}
END_TEST

/* A word too long for the stack needs memory of its own, each time it is cut. */
START_TEST(known_tokens_may_find_no_memory)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz";
    char word[10 * (sizeof text - 1)];
    int failed = 0;
    data_vocab *vocab = data_vocab_new(DATA_BPE, NULL);
    for (size_t i = 0; i < sizeof word; i++)
        word[i] = text[i % (sizeof text - 1)];
    for (int64_t n = 1, count = 0; count != (int64_t)sizeof word; n++) {
        ag_error error = {0};
        test_fail_allocation(n);
        int32_t *ids = data_vocab_known(vocab, word, sizeof word, 0, &count, &error);
        test_fail_allocation(0);
        ck_assert(ids ? count == (int64_t)sizeof word : error.status == AG_NO_MEMORY);
        count = ids ? count : 0;
        failed += !ids;
        free(ids);
    }
    ck_assert_int_eq(failed, 7); /* three arrays each time that it is cut, and the ids */
    data_vocab_free(vocab);
}
END_TEST

/* A merge that found no memory has changed nothing, and can be added after that. */
START_TEST(a_merge_that_failed_can_be_added)
{
    int64_t failed = 0;
    data_vocab *vocab = data_vocab_new(DATA_BPE, NULL);
    for (int32_t i = 0; i < 200; i++) {
        const int32_t size = data_vocab_size(vocab), left = DATA_SPECIALS + i, right = DATA_SPECIALS + i / 2;
        int32_t both = -1;
        for (int64_t n = 1; both < 0; n++) {
            ck_assert_int_eq(data_vocab_size(vocab), size);
            ck_assert_int_eq(data_vocab_merges(vocab), i);
            test_fail_allocation(n);
            both = data_vocab_add_merge(vocab, left, right);
            test_fail_allocation(0);
            failed += both < 0;
        }
        ck_assert_int_eq(both, size);
        char form[8];
        snprintf(form, sizeof form, "%s%s", data_vocab_token(vocab, left), data_vocab_token(vocab, right));
        ck_assert_int_eq(data_vocab_find(vocab, form, strlen(form)), both);
    }
    ck_assert_int_gt(failed, 200);
    data_vocab_free(vocab);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("bpe");
    TCase *tests = tcase_create("bpe");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, words_are_cut);
    tcase_add_test(tests, classes_have_their_checksum);
    tcase_add_test(tests, classes_are_those_of_the_standard);
    tcase_add_test(tests, merges_are_those_of_the_definition);
    tcase_add_test(tests, texts_come_back_byte_by_byte);
    tcase_add_test(tests, most_frequent_words_become_tokens);
    tcase_add_test(tests, bytes_have_visible_forms);
    tcase_add_test(tests, vocabularies_are_copied_written_and_read);
    tcase_add_test(tests, bad_vocabularies_are_refused);
    tcase_add_test(tests, every_allocation_may_fail);
    tcase_add_test(tests, known_tokens_may_find_no_memory);
    tcase_add_test(tests, a_merge_that_failed_can_be_added);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
