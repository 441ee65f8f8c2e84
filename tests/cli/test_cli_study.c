/* test_cli_study.c - tapeformer study as a user meets it: each kind on tiny runs, and
 * what is said of bad input. */
#include "cli_util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void expect_no(const char *saying)
{
    ck_assert_msg(!strstr(cli_output, saying), "\"%s\" is said by:\n%s", saying, cli_output);
}

/* ---- The kinds --------------------------------------------------------------------- */

START_TEST(test_usage)
{
    static const char *const kinds[] = {"leaks", "attention", "influence", "masks", "curves", "tape"};
    static const char *const shared[] = {"--out FILE", "--pictures DIR", "--color WHEN", "auto, always, never"};
    cli_expect("$T study --help", 0, "Usage: tapeformer study KIND");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        ck_assert_msg(strstr(cli_output, kinds[i]) != NULL, "%s is not listed", kinds[i]);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char line[64], usage[64];
        snprintf(line, sizeof line, "COLUMNS=200 $T study %s --help", kinds[i]);
        snprintf(usage, sizeof usage, "Usage: tapeformer study %s ", kinds[i]);
        cli_expect(line, 0, usage);
        for (size_t flag = 0; i > 0 && flag < sizeof shared / sizeof *shared; flag++) /* (leaks draws nothing) */
            ck_assert_msg(strstr(cli_output, shared[flag]) != NULL, "study %s has no %s", kinds[i], shared[flag]);
        snprintf(line, sizeof line, "$T study %s --color alwys", kinds[i]);
        cli_expect(line, 2, i > 0 ? "did you mean always?" : "there is no flag --color");
    }
    cli_expect("$T help study", 0, "Usage: tapeformer study KIND");
    cli_expect("$T study", 2, "The kind comes first");
    cli_expect("$T study --model x attention", 2, "The kind comes first");
    cli_expect_sentence("$T study atention", 2, "there is no study 'atention'; did you mean attention?");
    cli_expect_sentence("$T study leak", 2, "did you mean leaks?");
    cli_expect("$T study photosynthesis", 2, "there is no study 'photosynthesis'");
}
END_TEST

/* ---- Subjects ---------------------------------------------------------------------- */

/* The same for every kind that studies one example. */
static const char *const example_kinds[] = {"attention", "influence", "leaks", "tape"};
enum { EXAMPLE_KINDS = sizeof example_kinds / sizeof *example_kinds };

START_TEST(test_bad_examples)
{
    static const struct {
        const char *flags;
        int code;
        const char *saying;
    } cases[] = {
        {"", 2, "which model? Give --model DIR"},
        {"--model $DIR/none --source a", 1, "none"},
        {"--model $DIR/run", 2, "Give --source TEXT"},
        {"--model $DIR/run --source ''", 2, "--source is empty: give one token at least"},
        {"--model $DIR/run --source \"$(printf ' \\302\\240\\t')\"", 2, "--source is empty: give one token at least"},
        {"--model $DIR/run --source ab --target ' '", 2, "--target is empty: give one token at least"},
        {"--model $DIR/run --source ab --target ''", 2, "--target is empty: give one token at least"},
        {"--model $DIR/run --source ABC", 1,
         "--source: 3 of 3 tokens are not in the model's vocabulary, the first of them 'A'"},
        {"--model $DIR/run --source ab --target AB", 1, "--target: 2 of 2 tokens are not in the model's vocabulary"},
        {"--model $DIR/run --source \"$(printf 'a\\303')\"", 1, "--source: byte 2 is not UTF-8"},
        {"--model $DIR/run --source ab --pad -1", 2, "--pad -1: expected a whole number from 0 to 1000"},
        {"--model $DIR/tags", 2, "Give --source TEXT"},
        {"--model $DIR/tags --source ''", 2, "--source is empty: give one token at least"},
        {"--model $DIR/tags --source ab --target ab", 2, "is an encoder, which has no target"},
        {"--model $DIR/lm", 2, "Give --target TEXT"},
        {"--model $DIR/lm --target ''", 2, "--target is empty: give one token at least"},
        {"--model $DIR/lm --source the", 2, "is a language model, which reads no source"},
        {"--model $DIR/lm --target XYZ", 1, "--target: 3 of 3 tokens are not in the model's vocabulary"},
    };
    cli_train_three();
    for (size_t kind = 0; kind < EXAMPLE_KINDS; kind++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char line[256];
            if (!strcmp(example_kinds[kind], "leaks") && !strstr(cases[i].flags, " --source") &&
                !strstr(cases[i].flags, " --target"))
                continue; /* it draws examples of its own */
            snprintf(line, sizeof line, "$T study %s %s", example_kinds[kind], cases[i].flags);
            if (cases[i].code)
                cli_expect_sentence(line, cases[i].code, cases[i].saying);
            else
                cli_expect(line, 0, cases[i].saying);
        }
}
END_TEST

/* ---- Attention --------------------------------------------------------------------- */

START_TEST(test_attention)
{
    cli_train_three();
    cli_expect("$T study attention --model $DIR/run --source abc --target ab --color never", 0, "abc -> ab (as given)");
    static const char *const all[] = {
        "decoder looks at encoder, layer 0, head 0", "decoder looks at encoder, layer 0, head 1",
        "decoder looks at itself, layer 0, head 0",  "decoder looks at itself, layer 0, head 1",
        "encoder looks at itself, layer 0, head 0",  "encoder looks at itself, layer 0, head 1",
        "encoder.layers.0.self_attn, entropy "}; /* the module's name is there, too */
    const char *before = cli_output;
    for (int i = 0; i < 7; i++) { /* each after the other */
        const char *at = strstr(before, all[i]);
        ck_assert_msg(at != NULL, "%s is not where it should be in:\n%s", all[i], cli_output);
        before = at;
    }
    cli_expect("$T study attention --model $DIR/run --source abc --target ab --color never | grep -c ', entropy'", 0,
               "6\n");
    cli_expect("$T study attention --model $DIR/run --source abc --which cross", 0, "(the model's own answer)");
    cli_expect("$T study attention --model $DIR/tags --source abc", 0, "encoder looks at itself, layer 0, head 1");
    cli_expect("$T study attention --model $DIR/lm --target 'the c'", 0, "decoder looks at itself, layer 0, head 1");
    expect_no("no key that they may look at");
}
END_TEST

/* --which, --layer and --head choose. */
START_TEST(test_attention_of_a_part)
{
    cli_train_three();
    const char *study = "$T study attention --model $DIR/run --source abc --target ab --color never";
    static const struct {
        const char *flags, *counts; /* of encoder, decoder and cross-attention */
    } cases[] = {{"", "2 2 2"},
                 {"--which all --layer 0", "2 2 2"},
                 {"--which cross", "0 0 2"},
                 {"--which encoder", "2 0 0"},
                 {"--which decoder", "0 2 0"},
                 {"--head 1", "1 1 1"},
                 {"--which decoder --head 0", "0 1 0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[512];
        snprintf(line, sizeof line,
                 "%s %s > $DIR/text; echo $(grep -c '^encoder looks at itself.*, head' $DIR/text) "
                 "$(grep -c '^decoder looks at itself.*, head' $DIR/text) $(grep -c 'at encoder.*, head' $DIR/text)",
                 study, cases[i].flags);
        cli_expect(line, 0, cases[i].counts);
    }
    cli_expect_sentence("$T study attention --model $DIR/run --source abc --layer 1", 1, "no such attention");
    cli_expect_sentence("$T study attention --model $DIR/run --source abc --head 2", 1, "no such attention");
    cli_expect_sentence("$T study attention --model $DIR/lm --target the --which cross", 1, "no such attention");
    cli_expect_sentence("$T study attention --model $DIR/run --source abc --which cros", 2, "did you mean cross?");
}
END_TEST

/* Cells that a causal mask forbids are drawn as 'x', padding as '_'. */
START_TEST(test_attention_draws_masks)
{
    cli_train_three();
    cli_expect("$T study attention --model $DIR/lm --target the --color never --head 0 --pad 2 | "
               "grep -o '[x_ ]*$' | tr -d ' ' | grep .",
               0, "xxx__\nxx__\nx__\n__\n______\n______\n");
    cli_expect("$T study attention --model $DIR/run --source ab --target ab --which cross --pad 1", 0,
               "Positions of padding after each side: 1.");
    cli_expect("$T study attention --model $DIR/run --source ab --which cross --color always", 0, "\x1b[48;5;");
    cli_expect("$T study attention --model $DIR/run --source ab --which cross", 0, ""); /* (into a pipe) */
    expect_no("\x1b");
}
END_TEST

/* ---- Files ------------------------------------------------------------------------- */

START_TEST(test_files)
{
    cli_train_tiny();
    const char *study = "$T study attention --model $DIR/run --source abc --target ab --which cross";
    char line[512];
    snprintf(line, sizeof line, "%s --out $DIR/r.html --pictures $DIR/p", study);
    cli_expect(line, 0, "decoder looks at encoder, layer 0, head 1");
    ck_assert_msg(strstr(cli_output, "The report is in ") && strstr(cli_output, "The pictures are in "), "%s",
                  cli_output);
    cli_expect("grep -c '<html' $DIR/r.html; ls $DIR/p", 0,
               "1\n01-decoder-looks-at-encoder-layer-0-head-0.svg\n"
               "02-decoder-looks-at-encoder-layer-0-head-1.svg\n");
    snprintf(line, sizeof line, "%s --out $DIR/none/r.html > /dev/null", study);
    cli_expect_sentence(line, 1, "none/r.html");
    snprintf(line, sizeof line, "%s --pictures $DIR/r.html > /dev/null", study);
    cli_expect_sentence(line, 1, "r.html");
    snprintf(line, sizeof line, "%s --out ''", study);
    cli_expect_sentence(line, 2, "--out '': expected FILE");
    snprintf(line, sizeof line, "%s > /dev/full", study);
    cli_expect_sentence(line, 1, "cannot write to standard output");
}
END_TEST

/* ---- Influence and leaks ----------------------------------------------------------- */

START_TEST(test_influence)
{
    cli_train_three();
    cli_expect("$T study influence --model $DIR/run --source abc --target ab --pad 1", 0,
               "influences that the masks forbid are exactly 0");
    cli_expect("$T study influence --model $DIR/lm --target 'the c' --color never", 0, "influences that the masks");
    cli_expect("$T study influence --model $DIR/tags --source abc", 0, "The masks forbid nothing here");
    cli_expect("$T study influence --model $DIR/tags --source abc --out $DIR/r.html", 0, "The report is in ");
}
END_TEST

START_TEST(test_leaks)
{
    static const char *const runs[] = {"run", "tags", "lm"};
    cli_train_three();
    for (int i = 0; i < 3; i++) {
        char line[64];
        snprintf(line, sizeof line, "$T study leaks --model $DIR/%s", runs[i]);
        cli_expect(line, 0, "No leak.");
    }
    cli_expect("$T study leaks --model $DIR/run --source abc --pad 2", 0, "No leak.");
    cli_expect_sentence("$T study leaks", 2, "which model? Give --model DIR");
    cli_expect_sentence("$T study leaks --model $DIR/none", 1, "none");
    cli_expect_sentence("$T study leaks --model $DIR/run --pad 2", 2, "--pad goes with a text");
}
END_TEST

/* A model with a NaN in its attention sees everything; one whose output is 0 sees
 * nothing. */
START_TEST(test_what_is_found_fails)
{
    cli_train_tiny();
    cli_spoil("nan", "decoder.layers.0.self_attn.in_proj_weight", (ag_real)NAN);
    cli_expect("COLUMNS=200 $T study leaks --model $DIR/nan", 1, "which the masks forbid (derivative nan)");
    cli_expect("$T study leaks --model $DIR/nan --source ab --target ba", 1, "leaks in 1 example\n");
    cli_expect("$T study influence --model $DIR/nan --source ab --target ba", 1,
               "the model sees what its masks forbid");
    ck_assert_msg(strstr(cli_output, "LEAK: ") != NULL, "%s", cli_output);
    cli_spoil("blind", "output.weight", 0);
    cli_expect("COLUMNS=200 $T study leaks --model $DIR/blind", 1, "which the masks allow");
    cli_expect("$T study influence --model $DIR/blind --source ab --target ba", 0, "exactly 0");
}
END_TEST

/* ---- Curves and masks -------------------------------------------------------------- */

START_TEST(test_curves)
{
    cli_train_tiny();
    cli_expect("$T study curves $DIR/run --out $DIR/r.html && grep -c '<svg' $DIR/r.html", 0, "The report is in ");
    cli_expect_sentence("$T study curves", 2, "Give the folders of runs");
    cli_expect_sentence("$T study curves $DIR/none", 1, "none");
    cli_write("bad.jsonl", "{\"step\":1,\n");
    cli_expect_sentence("$T study curves $DIR/bad.jsonl", 1, "bad.jsonl:1:");
}
END_TEST

/* Every operation has a line, the loss the last; the page can be sorted and has the
 * picture of so small a tape. */
START_TEST(test_tape)
{
    cli_train_tiny();
    cli_expect("COLUMNS=200 $T study tape --model $DIR/run --source abc --out $DIR/t.html", 0, "One step: forward ");
    ck_assert_ptr_nonnull(strstr(cli_output, "By kind of operation"));
    ck_assert_ptr_nonnull(strstr(cli_output, "cross_entropy"));
    ck_assert_ptr_nonnull(strstr(cli_output, "encoder.layers.0 "));
    ck_assert_ptr_nonnull(strstr(cli_output, " from output.weight: norm "));
    cli_expect("grep -c '<table class=\"sortable\">' $DIR/t.html", 0, "2");
    cli_expect("grep -c '<rect class=\"box line-1\"' $DIR/t.html", 0, "1");
    cli_expect("$T study tape --model $DIR/run --source abc --plain --threads 1", 0, "masked_softmax");
    cli_expect("$T study tape --model $DIR/run --task reverse --task-max 5 --batch 3", 0, "A batch of 3 examples with ");
    cli_expect_sentence("$T study tape --model $DIR/run --task reverse --source a", 2,
                        "--source goes without a file of pairs");
    cli_expect_sentence("$T study tape --model $DIR/run --source a --batch 3", 2, "--batch goes with a file of pairs");
    cli_expect_sentence("$T study tape --model $DIR/run --task reverse --text x", 2, "a step on what? Give one of");
    cli_expect_sentence("$T study tape --model $DIR/run --text x", 2, "this model reads pairs");
    cli_expect_sentence("$T study tape --model $DIR/run --task reverse --out $DIR/run/model.safetensors", 2,
                        "write another file");
}
END_TEST

START_TEST(test_masks)
{
    cli_expect_sentence("$T study masks --length 3", 2, "--length 3: expected a whole number from 4 to 16");
    cli_expect_sentence("$T study masks --steps 0", 2, "--steps 0: expected");
    cli_expect("$T study masks now", 2, "what is 'now'?");
    cli_expect_sentence("$T study masks --length 4 --letters 2", 1, "there are only 16 sequences");
    cli_expect("$T study masks --steps 20000 > /dev/null 2> $DIR/err & p=$!;"
               "while [ ! -s $DIR/err ]; do sleep 0.05; done; kill -INT $p; wait $p",
               130, "");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_study");
    TCase *c = tcase_create("cli_study");
    tcase_add_checked_fixture(c, cli_set_up, cli_tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_usage);
    tcase_add_test(c, test_bad_examples);
    tcase_add_test(c, test_attention);
    tcase_add_test(c, test_attention_of_a_part);
    tcase_add_test(c, test_attention_draws_masks);
    tcase_add_test(c, test_files);
    tcase_add_test(c, test_influence);
    tcase_add_test(c, test_leaks);
    tcase_add_test(c, test_what_is_found_fails);
    tcase_add_test(c, test_curves);
    tcase_add_test(c, test_tape);
    tcase_add_test(c, test_masks);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
