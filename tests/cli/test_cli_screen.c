/* test_cli_screen.c - what train says of its data before it begins: the screen, the notes
 * of files that are read as what they are not, and --dry-run, which stops there. */
#include "cli_util.h"

#include <stdio.h>
#include <string.h>

#define DRY "$T train --dry-run --pairs $DIR/pairs --d-model 8 --heads 2 --layers 1 "

static const char pairs[] = "ab\tA B\nabc d\tAA C\nab\tA B\nab\tB\nb\tA\n";
static const char dev[] = "ab\tA B\nb\tB\nxy\tA\n";

START_TEST(the_screen_says_what_was_read)
{
    cli_write("pairs", pairs);
    cli_write("dev", dev);
    cli_expect("cd $DIR && $T train --dry-run --pairs pairs --dev dev --tgt-tokens words --d-model 8 --heads 2 "
               "--layers 1 --epochs 40 && ls",
               0,
               "data         pairs, 5 pairs; dev: dev, 3 pairs\n"
               "first pair   a b -> A B\n"
               "sources      chars: median 2, longest 5 (line 2); 12 in all; vocabulary: 9\n"
               "targets      words: median 2, longest 2 (line 1); 8 in all; vocabulary: 8\n"
               "new in dev   2 of 5 source tokens: 'x', 'y'; 0 of 4 target tokens\n"
               "repeated     1 pair comes again; 1 of 3 sources has several targets\n"
               "dev in train 1 of 3 pairs; the sources of 2\n"
               "model        encoder-decoder, width 8, 2 heads, ");
    ck_assert_ptr_nonnull(
        strstr(cli_output, "\nrun          40 steps of 64 pairs: 40 passes over the data\n"
                           "size         20 tokens suggest --d-model 64 --layers 2; this model has width 8\n"));
    ck_assert_ptr_nonnull(strstr(cli_output, "\ndev\npairs\n")); /* nothing was written */
}
END_TEST

/* A training has the same screen, on the other stream; --quiet has none. */
START_TEST(a_training_begins_with_it)
{
    cli_write("pairs", pairs);
    cli_expect(DRY "--steps 2 > $DIR/dry 2> $DIR/nothing; cd $DIR; wc -c < nothing; "
                   "$T train --pairs pairs --d-model 8 --heads 2 --layers 1 --steps 2 2> out > none; wc -c < none; "
                   "sed \"s|$DIR/||\" dry > here; head -n $(wc -l < here) out | cmp - here && echo same; ls run",
               0, "0\n0\nsame\n");
    cli_expect(DRY "--quiet | wc -c; LC_ALL=fr_FR.UTF-8 " DRY "--steps 2 | cmp - $DIR/dry && echo same", 0, "0\nsame\n");
    cli_expect("cd $DIR && $T train --dry-run --pairs pairs --steps 2 && echo fine", 0, "fine"); /* the folder is in use */
    cli_expect("$T train --dry-run --resume $DIR/run --steps 3 --pairs $DIR/pairs", 0, "run          3 steps");
}
END_TEST

START_TEST(screens_of_texts_and_tasks)
{
    cli_write("text", "one two one two one two three, one two one two one two one\n");
    cli_expect("$T train --dry-run --text $DIR/text --d-model 8 --heads 2 --context 8 --steps 20000", 0,
               "first tokens o n e \xE2\x90\xA3 t w o \xE2\x90\xA3\n"
               "tokens       chars: median 8, longest 8; ");
    ck_assert_ptr_nonnull(strstr(cli_output, "new in dev   "));
    ck_assert_ptr_nonnull(strstr(cli_output, "which are many: --patience"));
    ck_assert_ptr_null(strstr(cli_output, "repeated"));
    cli_expect("$T train --dry-run --task copy --steps 5000", 0, "run          5000 steps of 64 examples: ");
    ck_assert_ptr_null(strstr(cli_output, "repeated"));
}
END_TEST

START_TEST(files_that_are_something_else)
{
    cli_expect("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do printf \"w$i\\tAH K\\n\"; done > "
               "$DIR/pairs; " DRY,
               0, "consist of only 2 different words with spaces between (--tgt-tokens words");
    cli_expect(DRY "--tgt-tokens words 2>&1 > $DIR/out | wc -c", 0, "0\n");
    cli_expect(DRY "--tgt-tokens chars 2>&1 > $DIR/out | wc -c", 0, "0\n");
    cli_write("pairs", "word\tphones\nab\tA\nc\tC\n");
    cli_expect(DRY "--quiet", 0, "pairs:1: the first line looks like names of columns");
    ck_assert_ptr_nonnull(strstr(cli_output, "--columns word,phones"));
    cli_write("pairs", "the\tDET\ncat\tNOUN\n\nthe\tDET\ndog\tNOUN\n\nthe\tDET\n");
    cli_expect(DRY, 0, "in 3 blocks with empty lines between");
    cli_write("pairs", "\"a\"\tb\n\"c\"\td\n");
    cli_expect(DRY, 0, "look like those of a spreadsheet");
    cli_write("pairs", "\xC3\xA9\tb\ne\xCC\x81\td\n");
    cli_expect(DRY, 0, "pairs:2: the letter \xC3\xA9 is a letter and a mark here");
}
END_TEST

START_TEST(unfit_pairs_are_left_out)
{
    cli_write("pairs", "ab\tb\n\tc\nabcdefgh\td\na\tb\n");
    cli_expect(DRY "--max-length 8 --quiet", 0,
               "pairs:2: pairs are left out from here on: 1 with an empty side, 1 longer than --max-length 8\n");
    cli_expect(DRY, 0, "pairs are left out from here on: 1 with an empty side\n");
    cli_expect("$T train --dry-run --pairs - < $DIR/pairs 2>&1", 0, "stdin:2: pairs are left out from here on");
    ck_assert_ptr_nonnull(strstr(cli_output, "data         stdin, "));
}
END_TEST

START_TEST(rare_words_train_the_unknown)
{
    cli_write("pairs", "a b a\tx y\na b c\tx\nb d\ty\na\tx\n");
    cli_expect(DRY "--src-tokens words --dev $DIR/pairs --min-count 2", 0,
               "words: median 2, longest 3 (line 1); 9 in all; vocabulary: 6; 2 are <unk>\n");
    cli_expect("cd $DIR && $T train --pairs pairs --dev pairs --src-tokens words --min-count 2 --schedule constant --steps 3 " CLI_TINY
               " && $T info run && $T train --resume run --steps 4 --quiet",
               0, "source           6 tokens (words)");
    cli_expect_sentence(DRY "--min-count 2", 2, "--min-count needs a new vocabulary of words");
    cli_expect_sentence(DRY "--src-tokens words --min-count 9", 1, "no word occurs 9 times");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("screen");
    TCase *t = tcase_create("screen");
    tcase_add_checked_fixture(t, cli_set_up, cli_tear_down);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, the_screen_says_what_was_read);
    tcase_add_test(t, a_training_begins_with_it);
    tcase_add_test(t, screens_of_texts_and_tasks);
    tcase_add_test(t, files_that_are_something_else);
    tcase_add_test(t, unfit_pairs_are_left_out);
    tcase_add_test(t, rare_words_train_the_unknown);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
