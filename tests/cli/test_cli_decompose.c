/* test_cli_decompose.c - --decompose hangul: a user writes and reads Korean syllables, and
 * a model of another language is the same with the flag and without. */
#include "cli_util.h"

#include <stdio.h>
#include <string.h>

#define FLAGS " --decompose hangul --threads 1 " CLI_TINY

/* Sources of syllables and targets of other ones: the first syllable is dropped. */
static void write_korean(void)
{
    static const char *const syllables[] = {u8"\uD55C", u8"\uAD6D", u8"\uC5B4", u8"\uAC00", u8"\uB098", u8"\uB2E4"};
    char text[4096] = "";
    for (int i = 0; i < 60; i++)
        sprintf(text + strlen(text), "%s%s\t%s\n", syllables[i % 6], syllables[i / 6 % 6], syllables[i / 6 % 6]);
    cli_write("korean.tsv", text);
}

/* All but the metadata of a model. */
static void export_weights(const char *run)
{
    char line[256];
    snprintf(line, sizeof line, "$T export --model $DIR/%s --out $DIR/%s.weights", run, run);
    cli_expect(line, 0, "");
}

START_TEST(test_answers_are_syllables)
{
    write_korean();
    cli_expect("$T train --pairs $DIR/korean.tsv --steps 150 --lr 0.02" FLAGS " --out $DIR/run", 0, "");
    cli_expect("$T info $DIR/run", 0, "(characters, hangul decomposed)");
    cli_expect(u8"echo \uD55C\uAD6D | $T predict --model $DIR/run | tee $DIR/answer", 0, "");
    ck_assert_str_eq(cli_output, u8"\uAD6D\n");
    /* decomposed input is the same source, and exact matches are counted on one form */
    cli_expect(u8"echo \u1112\u1161\u11AB\uAD6D | $T predict --model $DIR/run | cmp - $DIR/answer", 0, "");
    cli_expect(u8"printf '\uD55C\uAD6D\\t\uAD6D\\n\u1112\u1161\u11AB\uAC00\\t\u1100\u1161\\n' > $DIR/dev.tsv; "
               "$T eval --model $DIR/run --pairs $DIR/dev.tsv --json",
               0, "\"exact_match\": 1,");
    cli_expect(u8"$T study influence --model $DIR/run --source \uD55C\uAD6D", 0, u8"\u1112");
    cli_expect("$T predict --model $DIR/run/checkpoint.safetensors $DIR/answer", 0, "");
}
END_TEST

START_TEST(test_resume_and_from_keep_it)
{
    write_korean();
    cli_expect("$T train --pairs $DIR/korean.tsv --steps 12" FLAGS " --out $DIR/whole && "
               "$T train --pairs $DIR/korean.tsv --steps 12 --stop-at 5" FLAGS " --out $DIR/parts && "
               "$T train --resume $DIR/parts --quiet --threads 1",
               0, "");
    cli_expect("cmp $DIR/whole/model.safetensors $DIR/parts/model.safetensors && echo same", 0, "same");
    cli_expect("$T train --from $DIR/whole --pairs $DIR/korean.tsv --steps 1 --quiet --out $DIR/tuned && "
               "$T info $DIR/tuned",
               0, "hangul decomposed");
    cli_expect("$T train --from $DIR/whole --decompose hangul --pairs $DIR/korean.tsv --steps 1 --quiet "
               "--out $DIR/again",
               0, "");
    cli_expect_sentence("$T train --from $DIR/whole --decompose none --pairs $DIR/korean.tsv --out $DIR/no", 2,
                        "contradicts the model");
}
END_TEST

/* The flag belongs to one recipe for all languages. */
START_TEST(test_other_languages_stay)
{
    cli_write("latin.tsv", u8"na\u00EFve\tnaif\nabc\t\u0254b\nb\tc\nca\tac\nab\tba\n\u3131\tx\n");
    cli_expect("$T train --pairs $DIR/latin.tsv --steps 8 --threads 1 " CLI_TINY " --out $DIR/plain", 0, "");
    cli_expect("$T train --pairs $DIR/latin.tsv --steps 8" FLAGS " --out $DIR/flag", 0, "");
    export_weights("plain");
    export_weights("flag");
    cli_expect("cmp $DIR/plain.weights $DIR/flag.weights && echo same", 0, "same");
}
END_TEST

/* A window of the generated text may end within a syllable. */
START_TEST(test_generated_text_is_composed)
{
    cli_expect(u8"for i in 1 2 3 4 5 6 7 8 9; do echo \uAC01\uAC01\uAC01\uAC01\uAC01\uAC01\uAC01; done > $DIR/text; "
               "$T train --text $DIR/text --context 8 --steps 200 --lr 0.02" FLAGS " --out $DIR/lm",
               0, "");
    static const char *const prompts[] = {u8"\uAC01", u8"\uAC00", u8"\u1100"};
    for (int i = 0; i < 3; i++) {
        char line[256];
        snprintf(line, sizeof line, "$T generate --model $DIR/lm --greedy --length %d --prompt '%s'", 15 + i,
                 prompts[i]);
        cli_expect(line, 0, "");
        ck_assert_msg(!strncmp(cli_output, u8"\uAC01\uAC01\uAC01\uAC01\uAC01\uAC01", 18), "%s", cli_output);
    }
    cli_expect(u8"$T generate --model $DIR/lm --greedy --length 1 --prompt '\uAC00'", 0, u8"\uAC01\n");
    cli_expect(u8"$T generate --model $DIR/lm --greedy --length 2 --prompt '\uAC01'", 0, u8"\uAC01\uAC00\n");
}
END_TEST

/* The vocabularies of such a model, written and read again: import says it as train does. */
START_TEST(test_import_says_it_as_train_does)
{
    write_korean();
    cli_expect("cd $DIR; $T train --pairs korean.tsv --steps 8" FLAGS " --out run;"
               "$T export --model run --out weights.safetensors --src-vocab s.txt --tgt-vocab t.txt;"
               "$T import weights.safetensors --heads 2 --max-length 64 --src-vocab s.txt --tgt-vocab t.txt --decompose hangul "
               "--out again"
               " && for m in run again; do cut -f 1 korean.tsv | $T predict --model $m > $m.out; done;"
               "test -s run.out && cmp run.out again.out && echo alike",
               0, "alike");
    cli_expect_sentence("cd $DIR; $T import weights.safetensors --heads 2 --src-vocab s.txt --src-tokens jamo --out x", 2,
                        "chars, words");
    cli_expect_sentence("cd $DIR; $T import weights.safetensors --heads 2 --decompose hangul --out x", 2,
                        "--decompose goes with a --src-vocab or --tgt-vocab of chars");
    cli_expect_sentence("cd $DIR; $T import weights.safetensors --heads 2 --tgt-vocab t.txt --tgt-tokens words --decompose "
                        "hangul --out x",
                        2, "--decompose goes with a --src-vocab or --tgt-vocab of chars");
    cli_expect_sentence("cd $DIR; $T import weights.safetensors --heads 2 --tgt-tokens words --out x", 2,
                        "--tgt-tokens goes with --tgt-vocab");
}
END_TEST

START_TEST(test_where_it_does_nothing)
{
    write_korean();
    cli_expect_sentence("$T train --task copy --decompose hangul", 2, "--decompose needs a file");
    cli_expect_sentence("$T train --pairs $DIR/korean.tsv --src-tokens words --tgt-tokens words --decompose hangul", 2,
                        "words stay whole");
    cli_expect_sentence("$T train --pairs $DIR/korean.tsv --decompose latin", 2, "none, hangul");
    cli_expect_sentence("$T train --pairs $DIR/korean.tsv --src-tokens jamo", 2, "chars, words");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli_decompose");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, cli_set_up, cli_tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_answers_are_syllables);
    tcase_add_test(tests, test_resume_and_from_keep_it);
    tcase_add_test(tests, test_other_languages_stay);
    tcase_add_test(tests, test_generated_text_is_composed);
    tcase_add_test(tests, test_import_says_it_as_train_does);
    tcase_add_test(tests, test_where_it_does_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
