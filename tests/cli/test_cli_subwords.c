/* test_cli_subwords.c - tapeformer tokens: learns, encodes, decodes and counts. */
#include "cli_util.h"

#include <stdio.h>
#include <string.h>

/* A text of lines in which some words come often. */
static void write_rhyme(void)
{
    char text[4096] = "";
    for (int i = 0; i < 40; i++)
        strcat(text, i % 3 ? "the cat sat on the mat\n" : "that's the hat, at last\r\n");
    cli_write("rhyme.txt", text);
}

START_TEST(test_learns_and_counts)
{
    write_rhyme();
    cli_expect("$T tokens learn $DIR/rhyme.txt --merges 5 --out $DIR/five", 0, "5 merges, 265 tokens");
    cli_expect("cat $DIR/five", 0, "");
    ck_assert_str_eq(cli_output, u8"#version: 0.2\na t\nt h\nth e\n\u0120 the\n\u0120 c\n");
    cli_expect("$T tokens learn $DIR/rhyme.txt --out $DIR/all", 0, "no other pair of tokens comes twice");
    cli_expect("$T tokens count $DIR/rhyme.txt --vocab $DIR/all", 0, "tokens per word");
    cli_expect(
        "printf 'a  b\\n' | $T tokens count - --vocab $DIR/all", 0,
        "bytes            5\nwords            2\ntokens           5\ntokens per word  2.500\nbytes per token  1.000\n");
    cli_expect(": > $DIR/empty; $T tokens count $DIR/empty --vocab $DIR/all", 0, "tokens           0\n");
    cli_expect("$T tokens learn $DIR/empty --out $DIR/bytes", 0, "0 merges, 260 tokens");
    cli_expect("cat $DIR/bytes; printf a | $T tokens encode - --vocab $DIR/bytes", 0, "");
    ck_assert_str_eq(cli_output, "#version: 0.2\na\n");
}
END_TEST

START_TEST(test_bytes_come_back)
{
    write_rhyme();
    cli_expect("$T tokens learn $DIR/rhyme.txt --merges 20 --out $DIR/vocab", 0, "20 merges");
    cli_expect(u8"printf 'the cat\\n\\nat' | $T tokens encode - --vocab $DIR/vocab", 0, "");
    ck_assert_str_eq(cli_output, u8"the \u0120cat \u010A\n\u010A\nat\n");
    cli_expect("printf 'a!' | $T tokens encode - --ids --vocab $DIR/vocab", 0, "101 37\n");
    for (int ids = 0; ids < 2; ids++) {
        const char *flag = ids ? "--ids" : "";
        char line[512];
        snprintf(
            line, sizeof line,
            "(cat $DIR/rhyme.txt; printf '\\377\\000\\001 \\n\\r') > $DIR/bytes; $T tokens encode $DIR/bytes --vocab "
            "$DIR/vocab %s | $T tokens decode - --vocab $DIR/vocab %s | cmp - $DIR/bytes",
            flag, flag);
        cli_expect(line, 0, "");
    }
}
END_TEST

START_TEST(test_mistakes_are_said)
{
    write_rhyme();
    cli_expect("$T tokens learn $DIR/rhyme.txt --merges 9 --out $DIR/vocab", 0, "9 merges");
    cli_expect_sentence("$T tokens", 2, "do what? Give one of learn, encode, decode, count, and a file");
    cli_expect_sentence("$T tokens lern $DIR/rhyme.txt", 2, "did you mean learn?");
    cli_expect_sentence("$T tokens learn --out $DIR/x", 2, "learn which file?");
    cli_expect_sentence("$T tokens learn $DIR/rhyme.txt", 2, "where to? Give --out FILE");
    cli_expect_sentence("$T tokens learn $DIR/rhyme.txt --out $DIR/rhyme.txt", 2, "rhyme.txt");
    cli_expect_sentence("$T tokens count $DIR/rhyme.txt", 2, "with which vocabulary? Give --vocab FILE");
    cli_expect_sentence("$T tokens count $DIR/rhyme.txt --merges 5 --vocab $DIR/vocab", 2, "--merges goes with learn");
    cli_expect_sentence("$T tokens count $DIR/rhyme.txt --ids --vocab $DIR/vocab", 2, "--ids goes with encode");
    cli_expect_sentence("$T tokens count $DIR/rhyme.txt --vocab $DIR/rhyme.txt", 1, "rhyme.txt:1: this is no merge");
    cli_expect_sentence("$T tokens count $DIR/none --vocab $DIR/vocab", 1, "cannot open");
    cli_expect_sentence("echo 300 5 | $T tokens decode - --ids --vocab $DIR/vocab", 1, "word 1, '300', is no id");
    cli_expect_sentence("echo xyz a | $T tokens decode - --vocab $DIR/vocab", 1, "word 1, 'xyz', is no token");
    cli_expect_sentence("echo 99999999999999999999 | $T tokens decode - --ids --vocab $DIR/vocab", 1, "is no id");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli_subwords");
    TCase *tests = tcase_create("cli_subwords");
    tcase_add_checked_fixture(tests, cli_set_up, cli_tear_down);
    tcase_add_test(tests, test_learns_and_counts);
    tcase_add_test(tests, test_bytes_come_back);
    tcase_add_test(tests, test_mistakes_are_said);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
