/* test_cli_bpe.c - models of byte pairs: their merges stay with them, and whatever bytes
 * they read, no token is unknown. */
#include "cli_util.h"

#include "train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TINY CLI_TINY " --threads 1"

/* 200 pairs of words that are shouted, and the sources as a text. */
static void write_words(void)
{
    static const char *const stems[] = {"walk", "talk", "house", "green"};
    char pairs[1 << 14] = "", text[1 << 14] = "";
    size_t at = 0, end = 0;
    for (int i = 0; i < 200; i++) {
        const char *a = stems[i % 4], *b = stems[i / 4 % 4];
        at += (size_t)snprintf(pairs + at, sizeof pairs - at, "%sing %ss %d\t%s %s\n", a, b, i, b, a);
        end += (size_t)snprintf(text + end, sizeof text - end, "%sing %ss %d\n", a, b, i);
    }
    cli_write("pairs", pairs);
    cli_write("text", text);
}

static void train_text(const char *name)
{
    char command[512];
    snprintf(command, sizeof command,
             "$T train --text $DIR/text --tgt-tokens bpe --merges 30 --context 16 --steps 12 --save-every 4 " TINY
             " --out $DIR/%s",
             name);
    cli_expect(command, 0, "");
}

START_TEST(test_runs_and_models_keep_their_merges)
{
    write_words();
    train_text("lm");
    cli_expect("$T info $DIR/lm", 0, "290 tokens (byte pairs, 30 merges)");
    cli_expect("$T train --text $DIR/text --tgt-tokens bpe --merges 30 --context 16 --steps 12 --save-every 4 " TINY
               " --out $DIR/again --stop-at 6 && $T train --resume $DIR/again --quiet && for f in model last checkpoint; "
               "do cmp $DIR/lm/$f.safetensors $DIR/again/$f.safetensors || exit 3; done",
               0, "");
    cli_expect("$T train --from $DIR/lm --text $DIR/text --steps 2 " TINY " --out $DIR/more", 0, "");
    cli_expect("$T average $DIR/lm $DIR/more --out $DIR/mean && $T info $DIR/mean", 0, "(byte pairs, 30 merges)");
    cli_expect("$T eval --model $DIR/lm,$DIR/more --text $DIR/text", 0, "nats per character");
    cli_expect("$T export --model $DIR/lm --out $DIR/w.safetensors --tgt-vocab $DIR/merges && "
               "$T import $DIR/w.safetensors --config $DIR/lm --tgt-tokens bpe --tgt-vocab $DIR/merges --out $DIR/back && "
               "$T info $DIR/back",
               0, "(byte pairs, 30 merges)");
    cli_expect_sentence("$T train --resume $DIR/lm --merges 31", 2, "--merges 31 contradicts the run");
    cli_expect_sentence("$T train --from $DIR/lm --text $DIR/text --merges 30 --out $DIR/x", 2, "that of --from has its");
    cli_expect_sentence("$T train --text $DIR/text --merges 30 --out $DIR/x", 2, "--merges goes with --src-tokens bpe");
    cli_expect_sentence("$T train --task copy --tgt-tokens bpe --out $DIR/x", 2, "tasks define their tokens");
}
END_TEST

START_TEST(test_other_merges_are_other_models)
{
    write_words();
    train_text("lm");
    cli_expect("$T train --text $DIR/pairs --tgt-tokens bpe --merges 30 --context 16 --steps 2 " TINY " --out $DIR/other",
               0, "");
    cli_expect_sentence("$T generate --model $DIR/lm,$DIR/other", 1, "differ in the target vocabulary");
    cli_expect("$T train --text $DIR/text --tgt-tokens bpe --merges 0 --context 16 --steps 2 " TINY
               " --out $DIR/bytes && $T info $DIR/bytes",
               0, "260 tokens (byte pairs, 0 merges)");
}
END_TEST

START_TEST(test_any_bytes_go_through)
{
    write_words();
    cli_expect("$T train --pairs $DIR/pairs --src-tokens bpe --tgt-tokens bpe --merges 30 --steps 30 " TINY
               " --out $DIR/run",
               0, "");
    cli_expect(u8"printf 'caf\\351 \\303 walks\\n\u4E2D\u6587\\n' | $T predict --model $DIR/run | wc -l", 0, "2\n");
    cli_expect(u8"printf 'walking \\351\\n\u4E2D\\n' | $T predict --json --model $DIR/run", 0, "\"unknown\": []");
    ck_assert_ptr_null(strstr(cli_output, "unk>"));
    ck_assert_ptr_nonnull(strstr(cli_output, u8"\"source_tokens\": [\"walking\", \"\u0120\", \"\u00E9\"]"));
    ck_assert_ptr_nonnull(strstr(cli_output, u8"[\"\u00E4\", \"\u00B8\", \"\u0143\"]"));
    cli_expect("printf 'a\\0b\\n' | $T predict --model $DIR/run", 1, "byte 2 of the line is zero");
    cli_expect(u8"printf '\\351t\\303 \u4E2D\\tw\\377\\n' > $DIR/odd; $T eval --model $DIR/run --pairs $DIR/odd", 0,
               "answer error    100.00 %");
    ck_assert_ptr_nonnull(strstr(cli_output, "letter error"));
    ck_assert_ptr_null(strstr(cli_output, "vocabulary"));

    train_text("lm");
    cli_expect("$T generate --model $DIR/lm --length 20 --prompt \"$(printf 'w\\351')\" | head -c 2 | od -An -tx1", 0,
               " 77 e9\n");
    cli_expect("$T generate --model $DIR/lm --length 20 | grep -c walk", 0, "");
}
END_TEST

/* Outputs are judged by their texts: a text has the same tokens as another, or not. */
START_TEST(test_texts_are_compared)
{
    write_words();
    cli_expect("cut -f 2 $DIR/pairs | sed 's/.*/&\t&/' | sort -u > $DIR/copy; $T train --pairs $DIR/copy --dev $DIR/copy "
               "--src-tokens bpe --tgt-tokens bpe --merges 30 --steps 300 --lr 0.01 " TINY " --out $DIR/copies && "
               "$T eval --model $DIR/copies --pairs $DIR/copy --show 1",
               0, "exact match     100.00 % of 16 sources");
    ck_assert_ptr_nonnull(strstr(cli_output, "letter error    0.00 %"));
    /* one letter of five or more */
    cli_expect("sed '1s/.$/z/' $DIR/copy | head -n 1 > $DIR/one; cut -f 2 $DIR/one | tr -d '\\n' | wc -c | tr -d ' '; $T eval "
               "--model $DIR/copies --pairs $DIR/one",
               0, "exact match     0.00 % of 1 source");
    const double letters = atof(cli_output), error = atof(strstr(cli_output, "letter error") + strlen("letter error"));
    ck_assert_double_eq_tol(error, 100 / letters, 0.006);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli_bpe");
    TCase *tests = tcase_create("cli_bpe");
    tcase_add_checked_fixture(tests, cli_set_up, cli_tear_down);
    tcase_add_test(tests, test_runs_and_models_keep_their_merges);
    tcase_add_test(tests, test_other_merges_are_other_models);
    tcase_add_test(tests, test_any_bytes_go_through);
    tcase_add_test(tests, test_texts_are_compared);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
