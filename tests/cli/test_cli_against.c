/* test_cli_against.c - eval --against: which of two models is better, in words. */
#include "cli_util.h"

#include <stdio.h>
#include <string.h>

#define RUN " --lr 0.02 --threads 1 " CLI_TINY

/* $DIR/poor and $DIR/good copy one of four letters, $DIR/pairs.tsv has all sources. */
static void train_two(void)
{
    char text[4096] = "";
    for (int i = 0; i < 64; i++) {
        const char word[] = {(char)('a' + i % 4), (char)('a' + i / 4 % 4), (char)('a' + i / 16), 0};
        sprintf(text + strlen(text), "%s\t%s\n", word, word);
    }
    cli_write("pairs.tsv", text);
    cli_expect("$T train --pairs $DIR/pairs.tsv --dev $DIR/pairs.tsv --steps 4" RUN " --out $DIR/poor && "
               "$T train --pairs $DIR/pairs.tsv --dev $DIR/pairs.tsv --steps 150" RUN " --out $DIR/good",
               0, "");
}

START_TEST(test_the_better_model)
{
    train_two();
    cli_expect("$T eval --model $DIR/poor --against $DIR/good --pairs $DIR/pairs.tsv | sed \"s|$DIR/||g\"", 0,
               "word error      good is better than poor: ");
    ck_assert_msg(strstr(cli_output, "letter error    good is better than poor: "), "%s", cli_output);
    cli_expect("$T eval --model $DIR/good --against $DIR/poor --pairs $DIR/pairs.tsv | sed \"s|$DIR/||g\"", 0,
               "word error      good is better than poor: ");
    cli_expect("$T eval --model $DIR/good --against $DIR/good --pairs $DIR/pairs.tsv", 0,
               "word error      the difference is no more than chance explains: ");
    ck_assert_msg(strstr(cli_output, "95 % interval +0.00 to +0.00, p = 1\n"), "%s", cli_output);
    /* each model's own measurement is that of eval without the flag */
    cli_expect("$T eval --model $DIR/poor --pairs $DIR/pairs.tsv > $DIR/alone;"
               "$T eval --model $DIR/poor --against $DIR/good --pairs $DIR/pairs.tsv | sed -n '2,7p' |"
               "cmp - $DIR/alone && echo alike",
               0, "alike");
}
END_TEST

START_TEST(test_json_counts_outputs)
{
    train_two();
    cli_expect("cut -f 1 $DIR/pairs.tsv > $DIR/words; for m in poor good; do "
               "$T predict --model $DIR/$m $DIR/words | paste - $DIR/words | awk '{ print $1 == $2 }' > $DIR/$m.right; "
               "done; paste $DIR/poor.right $DIR/good.right | awk '$1 > $2 { a++ } $1 < $2 { b++ } END "
               "{ printf \"\\\"only_model\\\": %d, \\\"only_against\\\": %d, \", a, b }' > $DIR/counted;"
               "$T eval --model $DIR/poor --against $DIR/good --pairs $DIR/pairs.tsv --json > $DIR/found;"
               "grep -q -F \"$(cat $DIR/counted)\" $DIR/found && echo counted",
               0, "counted");
    cli_expect("cat $DIR/found", 0, "\"against_wer\": ");
    ck_assert(strstr(cli_output, "\"wer_low\": -") && strstr(cli_output, "\"per_high\": -"));
    cli_expect("$T eval --model $DIR/poor --against $DIR/good --pairs $DIR/pairs.tsv --json --threads 2 --batch 7 |"
               "sed 's/\"[a-z_]*\\(loss\\|perplexity\\)\": [^,]*, //g' > $DIR/other;"
               "sed 's/\"[a-z_]*\\(loss\\|perplexity\\)\": [^,]*, //g' $DIR/found | cmp - $DIR/other && echo alike",
               0, "alike");
    cli_expect("$T eval --model $DIR/poor --against $DIR/good --pairs $DIR/pairs.tsv --json --threads 2 |"
               "cmp - $DIR/found && echo alike",
               0, "alike");
    cli_expect("$T eval --model $DIR/poor --against $DIR/good --pairs $DIR/pairs.tsv --json --seed 2 |"
               "cmp -s - $DIR/found || echo another",
               0, "another");
}
END_TEST

/* A tagger's outputs are compared with those of another kind of model. */
START_TEST(test_other_kinds)
{
    train_two();
    cli_expect("$T train --pairs $DIR/pairs.tsv --dev $DIR/pairs.tsv --model encoder --steps 100" RUN
               " --out $DIR/tags && "
               "$T eval --model $DIR/poor --against $DIR/tags --pairs $DIR/pairs.tsv | sed \"s|$DIR/||g\"",
               0, "tags is better than poor");
    cli_expect("$T train --pairs $DIR/pairs.tsv --dev $DIR/pairs.tsv --tgt-tokens words --steps 5" RUN
               " --out $DIR/words && $T eval --model $DIR/poor --against $DIR/words --pairs $DIR/pairs.tsv",
               0, "letter error    not compared");
    cli_expect("$T eval --model $DIR/poor --against $DIR/words --pairs $DIR/pairs.tsv --json", 0, "\"wer_low\"");
    ck_assert(!strstr(cli_output, "per_low"));
    cli_expect(
        "$T eval --model $DIR/poor --against $DIR/good --task copy --task-min 4 --task-max 5 --count 20 --seed 3", 0,
        "right alone");
}
END_TEST

START_TEST(test_language_models)
{
    cli_expect("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo one two three four five six seven; done > $DIR/text;"
               "$T train --text $DIR/text --context 8 --steps 2" RUN " --out $DIR/poor && "
               "$T train --text $DIR/text --context 8 --steps 60" RUN " --out $DIR/good && "
               "$T train --text $DIR/text --context 16 --steps 2" RUN " --out $DIR/wide",
               0, "");
    cli_expect("$T eval --model $DIR/poor --against $DIR/good --text $DIR/text | sed \"s|$DIR/||g\"", 0,
               "loss            good is better than poor: ");
    ck_assert_msg(!strstr(cli_output, "word error") && !strstr(cli_output, "p = "), "%s", cli_output);
    cli_expect("$T eval --model $DIR/poor --against $DIR/good --text $DIR/text --json", 0, "\"loss_high\": -");
    cli_expect("$T eval --model $DIR/poor --against $DIR/wide --text $DIR/text", 1, "windows of the text");
}
END_TEST

START_TEST(test_refusals)
{
    train_two();
    cli_expect("cat $DIR/pairs.tsv | $T eval --model $DIR/poor --against $DIR/good --pairs /dev/stdin", 2,
               "write them to a file");
    cli_expect("$T eval --model $DIR/poor --against $DIR/missing --pairs $DIR/pairs.tsv", 1, "missing");
    cli_expect_sentence("$T eval --model x --against y --text z --batch 8", 2,
                        "--batch goes without --against and --text together");
    cli_expect_sentence("$T eval --model x --pairs y --seed 9", 2, "--seed goes with --task or --against");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli_against");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, cli_set_up, cli_tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_the_better_model);
    tcase_add_test(tests, test_json_counts_outputs);
    tcase_add_test(tests, test_other_kinds);
    tcase_add_test(tests, test_language_models);
    tcase_add_test(tests, test_refusals);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
