/* test_cli_arguments.c - a run's flags as the text that its checkpoint holds, there and
 * back; and texts of files that are damaged, or not ours. */
#include "check_util.h"
#include "data.h"
#include "flags.h"

#include <stdlib.h>
#include <string.h>

typedef struct values {
    const char *pairs, *out;
    int64_t steps;
    bool quiet;
} values;

static cli_command command_of(values *v, cli_flag table[4])
{
    static const train_field fields[4] = {
        {"pairs", "FILE", "", TRAIN_MEMBER(TRAIN_RECIPE, values, pairs)},
        {"out", "DIR", "", TRAIN_MEMBER(TRAIN_RECIPE, values, out), .local = true},
        {"steps", "N", "", TRAIN_MEMBER(TRAIN_RECIPE, values, steps)},
        {"quiet", NULL, "", TRAIN_MEMBER(TRAIN_RECIPE, values, quiet)},
    };
    for (int i = 0; i < 4; i++)
        table[i] = (cli_flag){.field = &fields[i], .object = v};
    return (cli_command){.name = "test", .summary = "", .usage = "", .flags = table, .flag_count = 4};
}

/* Names of files may hold any byte but 0 and the slash; a flag's value is never taken for
 * a flag. */
START_TEST(what_is_written_reads_back)
{
    static const char *const names[] = {"pairs.tsv",       "a\nb",    "\n",  "\n\n\t0a", "a\n\t0", "\xff\x80",
                                        "caf\xc3\xa9\xc3", "--steps", "\t41"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        values before = {0}, after = {0};
        cli_flag table[4], read[4];
        const char *const arguments[] = {"--pairs", names[i], "--out", "o", "--quiet", "--steps", "7"};
        cli_command command = command_of(&before, table), again = command_of(&after, read);
        ck_assert_int_eq(cli_flags_read(&command, 7, arguments), CLI_DONE);
        char *text = cli_flags_write(&command);
        ck_assert_ptr_nonnull(text);
        ck_assert_uint_eq(data_utf8_check(text, strlen(text)), strlen(text));
        ck_assert_int_eq(cli_flags_read_text(&again, text), CLI_DONE);
        ck_assert_str_eq(after.pairs, names[i]);
        ck_assert_int_eq(after.steps, 7);
        ck_assert(after.quiet);
        ck_assert_ptr_null(after.out); /* it is local */
        free(text);
    }
}
END_TEST

/* An escape that is cut short is none, and nothing after the end of the text is read. */
START_TEST(escapes_that_are_cut_short)
{
    static const struct {
        char text[24]; /* the text, its end, and what must not be read */
        const char *rest;
    } cases[] = {
        {"--pairs\nx\n\t\0" "23", "\t"},
        {"--pairs\nx\n\ta\0" "23", "\ta"},
        {"--pairs\nx\n\t0x\0" "23", "\t0x"},
        {"--pairs\nx\n\t+1\0" "23", "\t+1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        values v = {0};
        cli_flag table[4];
        char text[24];
        const char *word = NULL;
        memcpy(text, cases[i].text, sizeof text);
        cli_command command = command_of(&v, table);
        command.max_words = 1;
        command.words = &word;
        ck_assert_int_eq(cli_flags_read_text(&command, text), CLI_DONE);
        ck_assert_str_eq(v.pairs, "x");
        ck_assert_str_eq(word, cases[i].rest);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli arguments");
    TCase *c = tcase_create("arguments");
    tcase_add_test(c, what_is_written_reads_back);
    tcase_add_test(c, escapes_that_are_cut_short);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
