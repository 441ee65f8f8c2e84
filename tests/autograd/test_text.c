/* test_text.c - how foreign text is shown, alone and in error messages. */
#include "check_util.h"

#include <stdio.h>
#include <string.h>

#define GONE "\xEF\xBF\xBD" /* U+FFFD */

static const struct {
    const char *text, *shown;
} cases[] = {
    {"", ""},
    {"plain \"text\" \\n", "plain \"text\" \\n"},
    {"a\tb\nc\r", "a\xE2\x90\x89" "b\xE2\x90\x8A" "c\xE2\x90\x8D"},
    {"\x1b[31m\x07\x7f", "\xE2\x90\x9B[31m\xE2\x90\x87\xE2\x90\xA1"},
    {"\xC2\x80\xC2\x9B\xC2\x9F\xC2\xA0", GONE GONE GONE "\xC2\xA0"},
    {"\x9b" "1m\xC3\xE6\x97", GONE "1m" GONE GONE GONE},
    {"\xD8\x9C\xE2\x80\x8E\xE2\x80\x8F", GONE GONE GONE},
    {"\xE2\x80\xA8\xE2\x80\xAA\xE2\x80\xAE\xE2\x80\xAF", GONE GONE GONE "\xE2\x80\xAF"},
    {"\xE2\x81\xA0\xE2\x81\xA6\xE2\x81\xA9\xE2\x81\xAF\xE2\x81\xB0", GONE GONE GONE GONE "\xE2\x81\xB0"},
    {"\xE2\x80\x8B\xE2\x80\x8C\xE2\x80\x8D", GONE "\xE2\x80\x8C\xE2\x80\x8D"},
    {"\xEF\xB7\x8F\xEF\xB7\x90\xEF\xB7\xAF\xEF\xB7\xB0", "\xEF\xB7\x8F" GONE GONE "\xEF\xB7\xB0"},
    {"\xEF\xBB\xBF\xEF\xBF\xB9\xEF\xBF\xBE\xEF\xBF\xBF", GONE GONE GONE GONE},
    {"\xF0\x9F\xBF\xBE\xF3\xA0\x80\x81\xF3\xA0\x81\xBF\xF3\xA0\x82\x80", GONE GONE GONE "\xF3\xA0\x82\x80"},
    {"\xC3\xA4\xE6\x97\xA5\xF0\x9F\x98\x80", "\xC3\xA4\xE6\x97\xA5\xF0\x9F\x98\x80"},
};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(text_is_shown)
{
    for (int i = 0; i < CASES; i++) {
        char out[128], again[128];
        ck_assert_ptr_eq(ag_text_show(cases[i].text, out, sizeof out), out);
        ck_assert_msg(!strcmp(out, cases[i].shown), "case %d: %s", i, out);
        ck_assert_str_eq(ag_text_show(out, again, sizeof again), out);
    }
}
END_TEST

START_TEST(characters_are_shown_one_by_one)
{
    for (int i = 0; i < CASES; i++) {
        const char *text = cases[i].text;
        char out[128] = "";
        size_t left = strlen(text), length = 0;
        uint32_t code;
        for (int taken; (taken = ag_text_show_next(text, left, &code)) > 0; text += taken, left -= (size_t)taken)
            length += (size_t)ag_utf8_print(code, out + length);
        ck_assert_uint_eq(left, 0);
        ck_assert_str_eq(out, cases[i].shown);
    }
}
END_TEST

/* Whole where it fits, to the byte; else cut between characters, with "..." at its end,
 * in no more room. */
START_TEST(long_text_is_cut)
{
    static const char text[] = "abc\xE2\x90\x8A\x1b\xC3\xA4xyz";
    char whole[64];
    ag_text_show(text, whole, sizeof whole);
    const size_t length = strlen(whole);
    for (size_t size = 4; size <= length + 2; size++) {
        char *out = malloc(size);
        ck_assert_ptr_nonnull(out);
        ag_text_show(text, out, size);
        if (size > length) {
            ck_assert_str_eq(out, whole);
        } else {
            size_t kept = strlen(out) - 3;
            ck_assert_uint_lt(kept + 3, size);
            ck_assert_uint_ge(kept + 3 + 3, size); /* a character of three bytes may be missing */
            ck_assert_str_eq(out + kept, "...");
            ck_assert(!memcmp(out, whole, kept) && ((unsigned char)whole[kept] & 0xC0) != 0x80);
        }
        free(out);
    }
}
END_TEST

START_TEST(code_points_are_printed)
{
    static const struct {
        uint32_t code;
        const char *text;
    } codes[] = {
        {0x41, "A"},
        {0x7F, "\x7f"},
        {0x80, "\xC2\x80"},
        {0x7FF, "\xDF\xBF"},
        {0x800, "\xE0\xA0\x80"},
        {0xFFFF, "\xEF\xBF\xBF"},
        {0x10000, "\xF0\x90\x80\x80"},
        {0x10FFFF, "\xF4\x8F\xBF\xBF"},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        char text[5];
        ck_assert_int_eq(ag_utf8_print(codes[i].code, text), (int)strlen(codes[i].text));
        ck_assert_str_eq(text, codes[i].text);
    }
}
END_TEST

/* Names that an operation, a scope or a file brings into a sentence. */
START_TEST(errors_show_what_they_name)
{
    ag_error error = {0};
    ck_assert_int_eq(ag_error_set(&error, AG_IO, "%s: %d %%", "a\x1b\nb\xff", 7), AG_IO);
    ck_assert_str_eq(error.message, "a\xE2\x90\x9B\xE2\x90\x8A" "b" GONE ": 7 %");
    ck_assert_int_eq(ag_error_set(&error, AG_NO_MEMORY, "later"), AG_NO_MEMORY);
    ck_assert_int_eq(error.status, AG_IO);

    char name[3 * AG_MESSAGE_SIZE];
    memset(name, '\x1b', sizeof name - 1);
    name[sizeof name - 1] = 0;
    error = (ag_error){0};
    ck_assert_int_eq(ag_error_set(&error, AG_IO, "%s", name), AG_IO);
    const size_t length = strlen(error.message);
    ck_assert_uint_ge(length, AG_MESSAGE_SIZE - 6);
    ck_assert(!memcmp(error.message + length - 6, "\xE2\x90\x9B...", 6));

    ag_tape *tape = ag_tape_new(NULL);
    ag_tape_enter(tape, "block\x1b[2J");
    ag_tensor *x = ag_constant(tape, AG_SHAPE(2, 3), NULL);
    ck_assert_ptr_null(ag_matmul(x, x, false, false));
    ck_assert(!strpbrk(ag_tape_error(tape)->message, "\x1b\n"));
    ag_tape_free(tape);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("text");
    TCase *c = tcase_create("text");
    tcase_add_test(c, text_is_shown);
    tcase_add_test(c, characters_are_shown_one_by_one);
    tcase_add_test(c, long_text_is_cut);
    tcase_add_test(c, code_points_are_printed);
    tcase_add_test(c, errors_show_what_they_name);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
