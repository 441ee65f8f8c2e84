/* test_cli_align.c - alignments of a model that was trained on a task whose alignment is
 * known, and copies of tokens that no vocabulary has. */
#include "cli_util.h"

#include <stdio.h>
#include <string.h>

/* A model that reverses: token t of an answer is the last but t of its source. */
#define TRAINED                                                                                                        \
    " --d-model 32 --ffn 64 --layers 1 --heads 2 --steps 300 --lr 0.01 --batch 32 --dropout 0 --positions rotary"      \
    " --eval-sources 20 --quiet --threads 2 --out $DIR/run"

/* Prints COUNT lines `source TAB reversed` of 3 to 7 letters by a linear congruence, whose
 * numbers every awk has exactly: small letters, and of ten letters RARE capitals. */
#define PAIRS(count, seed, rare)                                                                                       \
    "awk -v x=" seed " -v rare=" rare " 'function draw(n) { x = (x * 16807) % 2147483647; return int(x / 7) % n }"      \
    " BEGIN { for (i = 0; i < " count "; i++) { s = t = \"\"; n = 3 + draw(5); for (k = 0; k < n; k++) {"               \
    " c = draw(10) < rare ? substr(\"ABCDEFGHIJKLMNOPQRSTUVWXYZ\", 1 + draw(26), 1) : substr(\"abcdefghij\", 1 + draw(10), 1);" \
    " s = s c; t = c t } print s \"\\t\" t } }'"

#define PREDICT "$T predict --model $DIR/run "

START_TEST(test_reversed)
{
    cli_expect("$T train --task reverse --task-min 3 --task-max 7" TRAINED, 0, "");
    cli_expect(PAIRS("200", "5", "0") " > $DIR/pairs; cut -f 1 $DIR/pairs > $DIR/sources", 0, "");
    /* nearly all tokens of the right answers are aligned with the antidiagonal */
    cli_expect(PREDICT "--tsv --align $DIR/sources > $DIR/tsv; paste $DIR/pairs $DIR/tsv | awk -F '\\t' '$2 == $7 {"
                       " n = split($8, pair, \" \"); bad = bad || n != length($1); for (i = 1; i <= n; i++) {"
                       " split(pair[i], p, \"-\"); bad = bad || p[2] != i - 1 || p[1] >= n; all++; right += p[1] == n - i } }"
                       " END { print (all > 800 && right > 0.95 * all), bad + 0 }'",
               0, "1 0\n");
    /* the pairs of JSON are those of TSV, for each of several answers and in any batch */
    cli_expect(PREDICT "--tsv --align --best 2 $DIR/sources | cut -f 6 > $DIR/pairs2;" PREDICT
                       "--json --align --best 2 --batch 7 $DIR/sources | grep -o '\"alignment\": [^a]*\"a' |"
                       "sed 's/[^0-9,]*\\([0-9]*\\), \\([0-9]*\\)[^0-9]*/\\1-\\2 /g; s/ $//' | cmp - $DIR/pairs2 && echo alike",
               0, "alike");
    cli_expect("for b in 1 3; do " PREDICT "--json --align --batch $b --threads 2 $DIR/sources > $DIR/$b; done;"
               "cmp $DIR/1 $DIR/3 && echo alike",
               0, "alike");
    /* a row for each token of the answer; its weights, the end mark's the last, sum to 1 */
    cli_expect("echo abcde | " PREDICT "--json --align | sed 's/.*attention\": \\[\\[//; s/\\]\\].*//; s/\\], \\[/;/g' |"
               "tr ';' '\\n' | awk -F , '{ s = 0; for (i = 1; i <= NF; i++) s += $i; bad = bad || NF != 6 || (s - 1) ^ 2 > 1e-6 }"
               " END { print NR, bad + 0 }'",
               0, "5 0\n");
    cli_expect("printf '\\nab\\n' | " PREDICT "--tsv --align | awk -F '\\t' '{ print NF }'", 0, "6\n6\n");
    cli_expect(PREDICT "--tsv --align --align-layer 0 $DIR/sources | cmp - $DIR/tsv && echo alike", 0, "alike");
    cli_expect("echo ab | $T predict --model $DIR/run,$DIR/run --tsv --align > $DIR/a; echo ab | " PREDICT
               "--tsv --align | cmp - $DIR/a && echo alike",
               0, "alike");
    cli_expect_sentence("echo ab | " PREDICT "--tsv --align --align-layer 1", 1, "there is no layer 1 to align by");
    cli_expect_sentence("echo ab | " PREDICT "--align", 2, "--align goes with --tsv or --json");
    cli_expect_sentence("echo ab | " PREDICT "--tsv --align-layer 0", 2, "--align-layer goes with --align or --copy-unknown");
}
END_TEST

/* The vocabulary is made of small letters; then the model trains on capitals as <unk>. */
START_TEST(test_copies)
{
    cli_expect(PAIRS("60", "3", "0") " > $DIR/small;" PAIRS("3000", "7", "3") " > $DIR/mixed;" PAIRS("200", "11", "3") " > $DIR/pairs;"
               "cut -f 1 $DIR/pairs > $DIR/sources; $T train --pairs $DIR/small --steps 1 --quiet --out $DIR/base "
               "--d-model 32 --ffn 64 --layers 1 --heads 2 --positions rotary --dropout 0",
               0, "");
    cli_expect("$T train --from $DIR/base --pairs $DIR/mixed --dev $DIR/pairs --steps 400 --lr 0.01 --batch 32 --eval-sources 20 "
               "--quiet --threads 2 --out $DIR/run 2>/dev/null",
               0, "");
    /* without the flag, no answer has a capital; with it, most are right */
    cli_expect(PREDICT "$DIR/sources 2>/dev/null > $DIR/plain; grep -c '[A-Z<]' $DIR/plain", 1, "0\n");
    cli_expect(PREDICT "--copy-unknown $DIR/sources 2>/dev/null > $DIR/copied; grep -c '<' $DIR/copied;"
                       "cut -f 2 $DIR/pairs | paste - $DIR/copied | awk '$1 == $2 { n++; c += $1 ~ /[A-Z]/ } END { print (n > 120), (c > 80) }'",
               0, "0\n1 1\n");
    /* eval finds the same answers, and compares them as texts */
    cli_expect("cut -f 2 $DIR/pairs | paste - $DIR/copied | awk '{ wrong += $1 != $2 } END { printf \"%.4f\\n\", wrong / NR }' > $DIR/wer;"
               "sort -u $DIR/pairs | wc -l;"
               "$T eval --model $DIR/run --pairs $DIR/pairs --copy-unknown --json 2>/dev/null |"
               "sed 's/.*\"wer\": \\([0-9.e-]*\\).*/\\1/' | awk '{ printf \"%.4f\\n\", $1 }' | cmp - $DIR/wer && echo alike",
               0, "200\nalike");
    cli_expect("$T eval --model $DIR/run --pairs $DIR/pairs --copy-unknown --show 200 2>/dev/null | grep -c 'right.*[A-Z].* -> .*[A-Z]' |"
               "awk '{ print ($1 > 80) }'",
               0, "1\n");
    /* in JSON the copied token is a token of the answer; alignments and copies go together */
    cli_expect("echo aQb | " PREDICT "--copy-unknown --align --json 2>/dev/null", 1,
               "\"tokens\": [\"b\", \"Q\", \"a\"], \"output\": \"bQa\", \"alignment\": [[2, 0], [1, 1], [0, 2]]");
    cli_expect("echo aQb | " PREDICT "--copy-unknown --align-layer 0 --beam 2 2>/dev/null", 1, "bQa\n");
}
END_TEST

/* Sentences with one name each, which comes once in the training data: --min-count makes
 * it <unk>. The unknown word is copied wherever the weights point, so `us` never is. */
START_TEST(test_copied_words)
{
    cli_expect("awk 'function draw(n) { x = (x * 16807) % 2147483647; return int(x / 7) % n }"
               " BEGIN { x = 9; split(\"calls sees helps visits\", v, \" \"); split(\"ruft sieht hilft besucht\", w, \" \");"
               " for (i = 0; i < 2100; i++) { n = \"N\" draw(1000000); k = 1 + draw(4);"
               " if (draw(2)) print n, v[k], \"us now\\tjetzt\", w[k], n, \"uns\";"
               " else print \"he\", v[k], n, \"today\\ter\", w[k], \"heute\", n } }' > $DIR/all;"
               "head -n 2000 $DIR/all > $DIR/pairs; tail -n 100 $DIR/all > $DIR/names;"
               "$T train --pairs $DIR/pairs --dev $DIR/names --src-tokens words --tgt-tokens words --min-count 2 --lr 0.01"
               " --steps 200 --d-model 32 --heads 2 --layers 1 --ffn 64 --positions rotary --dropout 0 --quiet --out $DIR/run 2>/dev/null;"
               "$T eval --model $DIR/run --pairs $DIR/names --copy-unknown 2>/dev/null | awk '/^exact/ { print ($3 > 95) }'",
               0, "1\n");
    cli_expect("echo Mary helps us now | " PREDICT "--copy-unknown 2>/dev/null", 1, "jetzt hilft Mary uns\n");
}
END_TEST

START_TEST(test_refused)
{
    cli_train_three();
    cli_expect_sentence("echo ab | $T predict --model $DIR/tags --tsv --align", 1, "only an encoder-decoder has cross-attention");
    cli_expect_sentence("echo ab | $T predict --model $DIR/tags --copy-unknown", 1, "only an encoder-decoder has cross-attention");
    cli_write("pairs", "ab\tx yz\nba\tyz x\n");
    cli_expect("$T train --pairs $DIR/pairs --dev $DIR/pairs --tgt-tokens words --steps 1 --out $DIR/phones " CLI_TINY, 0, "");
    cli_expect_sentence("echo ab | $T predict --model $DIR/phones --copy-unknown", 1,
                        "where source and target tokens are of one kind that has an <unk>, and those of this model are chars and words");
    cli_expect("$T eval --model $DIR/phones --pairs $DIR/pairs --copy-unknown", 1, "are chars and words");
    cli_expect_sentence("$T eval --model $DIR/lm --text $DIR/text --copy-unknown", 2, "--copy-unknown goes without --text");
    cli_expect_sentence("$T eval --model $DIR/run --pairs $DIR/pairs --align-layer 0", 2, "--align-layer goes with --copy-unknown");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_align");
    TCase *t = tcase_create("align");
    tcase_add_checked_fixture(t, cli_set_up, cli_tear_down);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_reversed);
    tcase_add_test(t, test_copies);
    tcase_add_test(t, test_copied_words);
    tcase_add_test(t, test_refused);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
