/* test_cli_answers.c - the answers of predict as TSV and JSON, the report of unknown
 * tokens, and the figures of eval. */
#include "cli_util.h"
#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines that are answered and lines that are not; é is unknown. */
#define LINES "printf 'ab\\n\\na\\tc\\nb\\303\\na\\303\\251\\303\\251\\nba\\n' | "
#define RUN   "$T predict --model $DIR/run "

/* Each line of a JSON Lines file is one JSON object. */
static void check_json_lines(char *text)
{
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char key[64], problem[512];
        size_t members = 0, depth = 0;
        const size_t size = strlen(line);
        data_json json = data_json_start(line, size);
        ck_assert(data_utf8_check(line, size) == size);
        ck_assert_msg(data_json_enter(&json, '{') && data_json_more(&json, '}', &members) && data_json_key(&json, key) &&
                          data_json_string(&json, problem),
                      "%s", line);
        for (const char *at = line, *in = NULL; *at; at++) { /* brackets outside of strings match */
            if (*at == '"' && at[-1] != '\\')
                in = in ? NULL : at;
            depth += !in && (*at == '{' || *at == '[');
            depth -= !in && (*at == '}' || *at == ']');
        }
        ck_assert_uint_eq(depth, 0);
    }
}

START_TEST(test_tsv)
{
    cli_train_tiny();
    cli_expect(LINES RUN "--tsv 2>/dev/null > $DIR/one; cut -f 1,2 $DIR/one", 0,
               "ab\t1\n\t0\na\\09c\t1\nb\xEF\xBF\xBD\t0\na\u00E9\u00E9\t1\nba\t1\n");
    /* every line has five fields, and the outputs are those of the plain form */
    cli_expect("awk -F '\\t' 'NF != 5 { bad = 1 } END { exit bad || NR != 6 }' $DIR/one", 0, "");
    cli_expect(LINES RUN "2>/dev/null > $DIR/plain; cut -f 5 $DIR/one | cmp - $DIR/plain && echo alike", 0, "alike");
    /* more lines than are taken from the input at once stay in their order */
    cli_expect("awk 'BEGIN { for (i = 0; i < 1500; i++) { s = \"\"; for (n = i; s == \"\" || n > 0; n = int(n / 3))"
               " s = s substr(\"abc\", 1 + n % 3, 1); print s } }' > $DIR/many; " RUN "--tsv $DIR/many | cut -f 1 | cmp - $DIR/many && echo alike",
               0, "alike");
    /* three answers to a line, whose fields belong together */
    cli_expect(LINES RUN "--tsv --best 3 2>/dev/null > $DIR/three; cut -f 2 $DIR/three | tr '\\n' ' '", 0,
               "1 2 3 0 1 2 3 0 1 2 3 1 2 3 ");
    cli_expect("awk -F '\\t' '$2 { d = exp($3) - $4; bad = bad || d * d > 1e-10 * $4 * $4 } END { exit bad }' $DIR/three", 0, "");
    cli_expect(LINES RUN "--scores --best 3 2>/dev/null | sed 1q | tr '\\t' '\\n' | awk 'NR % 2 == 0' > $DIR/scores;"
                         "sed 3q $DIR/three | cut -f 3 | cmp - $DIR/scores && echo alike",
               0, "alike");
    /* a length penalty changes the score, but not the probability */
    cli_expect("printf 'ab\\n' | " RUN "--tsv --beam 3 --length-penalty 1 | awk -F '\\t' '{ d = exp($3) / $4 - 1; print (d * d < 1e-6) }'",
               0, "1");
}
END_TEST

START_TEST(test_json)
{
    cli_train_tiny();
    cli_expect(LINES RUN "--json --best 2 2>/dev/null | tee $DIR/json | wc -l", 0, "6");
    cli_expect("cat $DIR/json", 0, "{\"file\": \"stdin\", \"line\": 1, \"source\": \"ab\", \"source_tokens\": [\"a\", \"b\"], "
                                   "\"unknown\": [], \"answers\": [{\"rank\": 1, \"log_probability\": -");
    ck_assert_ptr_nonnull(strstr(cli_output, "\"line\": 2, \"source\": \"\", \"problem\": \"empty\", \"answers\": []}\n"));
    ck_assert_ptr_nonnull(strstr(cli_output, "\"source\": \"a\\tc\", \"source_tokens\": [\"a\", \"\\t\", \"c\"]"));
    ck_assert_ptr_nonnull(strstr(cli_output, "\"source\": \"b\xEF\xBF\xBD\", \"problem\": \"not UTF-8\", \"answers\": []}\n"));
    ck_assert_ptr_nonnull(strstr(cli_output, "\"unknown\": [\"\u00E9\", \"\u00E9\"]"));
    check_json_lines(cli_output);
    cli_expect("printf 'a\\000b' | " RUN "--json 2>/dev/null", 1, "\"source\": \"a\\u0000b\", \"problem\": \"zero byte\"");
    cli_expect("printf 'a\\000b' | " RUN "--tsv 2>/dev/null", 1, "a\\00b\t0\t\t\t\n");
    cli_expect("head -c 999 /dev/zero | tr '\\0' a | " RUN "--json 2>/dev/null", 1, "\"problem\": \"too long\"");
    /* of files, the name and their own line numbers; in any batch, in order */
    cli_expect(LINES "cat > $DIR/lines; " RUN "$DIR/lines $DIR/lines --batch 1 --json 2>/dev/null |"
                     "sed 's/.*lines\", \"line\": \\([0-9]*\\).*/\\1/' | tr '\\n' ' '",
               0, "1 2 3 4 5 6 1 2 3 4 5 6 ");
    cli_expect(RUN "$DIR/lines --json 2>/dev/null > $DIR/1; for b in 1 2; do " RUN
                   "$DIR/lines --json --batch $b --threads 2 2>/dev/null | cmp - $DIR/1 && echo alike; done",
               0, "alike\nalike\n");
    cli_expect_sentence("echo a | " RUN "--json --tsv", 2, "--tsv and --json exclude each other");
    cli_expect("for form in json tsv; do echo a | " RUN "--$form > $DIR/1; echo a | " RUN
               "--$form --scores | cmp - $DIR/1 && echo alike; done",
               0, "alike\nalike\n");
}
END_TEST

/* The end of a line, LF, CRLF or the last line's CR, is no part of its source in any form
 * of output; any other CR is. */
START_TEST(test_line_ends)
{
    cli_train_tiny();
#define ENDS "printf 'ab\r\nb\ra\nab\r\r\nba\r' | " RUN
    cli_expect(ENDS "--tsv 2>/dev/null | cut -f 1", 0, "ab\nb\\0da\nab\\0d\nba\n");
    cli_expect(ENDS "--json 2>/dev/null | sed 's/.*source\": \"\\([^\"]*\\).*/\\1/'", 0, "ab\nb\\ra\nab\\r\nba\n");
    cli_expect(ENDS ">/dev/null", 1, "2 of 10 source tokens (2 lines) are not");
    cli_expect(ENDS "2>/dev/null | tr -d -c '\r' | wc -c; " ENDS "--tsv 2>/dev/null | cut -f 5 > $DIR/tsv;" ENDS
                    "2>/dev/null | cmp - $DIR/tsv && echo alike",
               0, "0\nalike");
}
END_TEST

/* The ten most frequent, with their first lines. */
START_TEST(test_unknown_tokens)
{
    cli_train_tiny();
    cli_expect("printf 'aX\\nXYX\\nb\\nX\\nX\\nZa\\n' | " RUN ">/dev/null", 1,
               "7 of 10 source tokens (5 lines) are not in the model's vocabulary and are read as <unk>:\n"
               "  X  5 times: stdin:1, stdin:2, stdin:4, ..\n"
               "  Y  1 time: stdin:2\n"
               "  Z  1 time: stdin:6\n");
    cli_expect("printf 'ABCDEFGHIJKLMM' | " RUN ">/dev/null", 1, "<unk>; the ten most frequent:\n  M  2 times: stdin:1\n  A");
    ck_assert_ptr_null(strstr(cli_output, "  J"));
    ck_assert_ptr_nonnull(strstr(cli_output, "  I  1 time: stdin:1\n"));
    cli_expect("printf 'a\\033b\\n' | " RUN ">/dev/null", 1, "  \u241B  1 time: stdin:1\n"); /* nothing moves the cursor */
    cli_expect("printf 'ab\\n' | " RUN ">/dev/null", 0, "");
    ck_assert_str_eq(cli_output, "");
    cli_expect("printf '\\357\\273\\277aX\\tXba\\n\\nXX\\ta\\303\\251\\r\\nab\\tba\\n' > $DIR/p.tsv;"
               "$T eval --model $DIR/run --pairs $DIR/p.tsv 2>&1 >/dev/null | sed \"s|$DIR/||g\"",
               0,
               "tapeformer eval: note: 3 of 6 source tokens (2 lines) are not in the model's vocabulary and are read as "
               "<unk>:\n  X  3 times: p.tsv:1, p.tsv:3\n"
               "tapeformer eval: note: 2 of 7 target tokens (2 lines) are not in the model's vocabulary and are read as "
               "<unk>:\n  X  1 time: p.tsv:1\n  \u00E9  1 time: p.tsv:3\n");
}
END_TEST

/* Errors are named by what answers what; words that answer words get chrF and BLEU, tags
 * their table. */
START_TEST(test_names_of_errors)
{
#define TRAIN_ON(file, flags)                                                                                          \
    "$T train --pairs $DIR/" file " --dev $DIR/" file " --steps 2 --overwrite --out $DIR/run " CLI_TINY " " flags
#define EVAL_ON(file) "$T eval --model $DIR/run --pairs $DIR/" file
    cli_write("letters", "ab\tba\nba\tab\n");
    cli_write("words", "the cat\tle chat\nthe dog\tle chien\n");
    cli_expect(TRAIN_ON("letters", ""), 0, "");
    cli_expect(EVAL_ON("letters"), 0, "\nletter error    ");
    ck_assert_ptr_nonnull(strstr(cli_output, "\nword error      "));
    ck_assert_ptr_null(strstr(cli_output, "BLEU"));
    cli_expect(EVAL_ON("letters") " --json", 0, "{\"loss\": ");
    ck_assert_ptr_null(strstr(cli_output, "chrf"));
    cli_expect(TRAIN_ON("words", "--tgt-tokens words"), 0, "");
    cli_expect(EVAL_ON("words"), 0, "\nphone error     ");
    cli_expect(TRAIN_ON("words", "--src-tokens words --tgt-tokens words"), 0, "");
    cli_expect(EVAL_ON("words"), 0, "\nanswer error    ");
    ck_assert_ptr_nonnull(strstr(cli_output, "\ntoken error     "));
    ck_assert_ptr_nonnull(strstr(cli_output, "\nchrF            "));
    ck_assert_ptr_nonnull(strstr(cli_output, "\nBLEU            "));
    cli_expect(EVAL_ON("words") " --json", 0, ", \"chrf\": ");
    cli_expect(TRAIN_ON("words", "--src-tokens words --tgt-tokens words --model encoder"), 0, "");
    cli_expect(EVAL_ON("words"), 0, "\ntag error       ");
    ck_assert_ptr_nonnull(strstr(cli_output, "\nprecision    recall        F1     count  tag\n"));
    ck_assert_ptr_nonnull(strstr(cli_output, "        2  le\n"));
    ck_assert_ptr_null(strstr(cli_output, "BLEU"));
    cli_expect(EVAL_ON("words") " --json", 0, "\"tags\": [{\"tag\": \"le\", \"precision\": ");
    cli_expect(EVAL_ON("words") " --json --against $DIR/run", 0, ", \"against_calibration_error\": ");
    ck_assert_ptr_nonnull(strstr(cli_output, ", \"calibration_error\": "));
    ck_assert_ptr_nonnull(strstr(cli_output, ", \"against_tags\": [{\"tag\": \"le\", \"precision\": "));
}
END_TEST

/* The temperature that is found on a set makes its loss lowest, and keeps greedy
 * answers. */
START_TEST(test_calibration)
{
    cli_train_tiny();
    cli_write("pairs", "ab\tba\nbc\tcb\nca\tac\ncab\tbac\n");
#define EVAL "$T eval --model $DIR/run --pairs $DIR/pairs "
    cli_expect(EVAL "--calibration $DIR/c.svg > $DIR/said; head -c 5 $DIR/c.svg", 0, "<svg ");
    cli_expect("cat $DIR/said", 0, " % of the answers' probabilities\n                the loss is lowest with --temperature ");
    cli_expect("grep -c \"^The calibration is in $DIR/c.svg$\" $DIR/said; grep -c 'end of the search' $DIR/said", 1, "1\n0\n");
    cli_expect(EVAL "--temperature 100 --calibration $DIR/c.svg", 0,
               "the loss is lowest with --temperature 12.5, the end of the search: it falls further beyond\n");
    cli_expect(EVAL "--json --temperature 100 --calibration $DIR/c.svg 2>/dev/null", 0,
               ", \"temperature\": 12.5, \"temperature_at_end\": true}\n");
    cli_expect("t=$(sed -n 's/.*lowest with --temperature //p' $DIR/said);"
               "for f in 0.97 1 1.03; do " EVAL "--json --temperature $(echo $t $f | awk '{ print $1 * $2 }') |"
               "sed 's/.*loss\": \\([0-9.]*\\).*/\\1/'; done | awk '{ a[NR] = $1 } END { print (a[2] <= a[1] && a[2] <= a[3]) }'",
               0, "1");
    cli_expect(EVAL "--calibration $DIR/c.txt && grep -c '^0.000 to 0.067' $DIR/c.txt", 0, "1");
    cli_expect("for t in 0.5 2; do printf 'ab\\nba\\n' | " RUN "--temperature $t --tsv > $DIR/$t; done;"
               "cut -f 5 $DIR/2 > $DIR/x; cut -f 5 $DIR/0.5 | cmp - $DIR/x && paste $DIR/0.5 $DIR/2 | awk '{ print ($4 > $9) }'",
               0, "1\n1\n");
    cli_expect_sentence(EVAL "--calibration $DIR/pairs", 2, "write another file");
    cli_expect_sentence(EVAL "--calibration c.svg --against $DIR/run", 2, "--calibration goes without --against");
    cli_expect_sentence("$T eval --model x --text y --calibration c.svg", 2, "--calibration goes without --text");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_answers");
    TCase *t = tcase_create("answers");
    tcase_add_checked_fixture(t, cli_set_up, cli_tear_down);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_tsv);
    tcase_add_test(t, test_json);
    tcase_add_test(t, test_line_ends);
    tcase_add_test(t, test_unknown_tokens);
    tcase_add_test(t, test_names_of_errors);
    tcase_add_test(t, test_calibration);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
