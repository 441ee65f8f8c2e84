/* test_cli_files.c - the formats of files of pairs: the same pairs in any of them are the
 * same training, its resume and its evaluation; what flags do not fit. */
#include "cli_util.h"

#include <stdio.h>
#include <string.h>

#define TRAIN "$T train --steps 6 --threads 1 " CLI_TINY " "

/* 60 words and their reverses, in each format; $DIR/c.conllu and $DIR/b have sentences. */
static void write_files(void)
{
    char tsv[4096] = "",
         csv[4096] = "\xEF\xBB\xBF"
                     "id;reverse;word\r\n",
         words[4096] = "", reverses[4096] = "", conllu[8192] = "", blocks[4096] = "";
    for (int i = 0; i < 60; i++) {
        const char word[] = {(char)('a' + i % 4), (char)('a' + i / 4 % 4), (char)('a' + i / 16), 0};
        const char reverse[] = {word[2], word[1], word[0], 0}, *tag = i % 4 < 2 ? "NOUN" : "VERB";
        sprintf(tsv + strlen(tsv), "%s\t%s\n", word, reverse);
        sprintf(csv + strlen(csv), "%d;\"%s\";%s\r\n", i, reverse, word);
        sprintf(words + strlen(words), "%s\n", word);
        sprintf(reverses + strlen(reverses), "%s\n", reverse);
        sprintf(conllu + strlen(conllu), "%s%d\t%s\t%s\t%s\t_\t_\t_\t_\t_\t_\n", i % 3 ? "" : "\n# sentence\n",
                i % 3 + 1, word, word, tag);
        sprintf(blocks + strlen(blocks), "%s%s %s\n", i % 3 ? "" : "\n", word, tag);
    }
    cli_write("p.tsv", tsv);
    cli_write("p.csv", csv);
    cli_write("words", words);
    cli_write("reverses", reverses);
    cli_write("c.conllu", conllu);
    cli_write("b", blocks);
}

/* The formats of the same pairs. */
static const char *const same_pairs[] = {"--pairs $DIR/p.tsv", "--pairs $DIR/p.csv --columns word,reverse",
                                         "--source $DIR/words --target $DIR/reverses",
                                         "--pairs - --columns 2,1 --no-quotes < $DIR/turned"};
enum { FORMATS = sizeof same_pairs / sizeof *same_pairs };

/* The same training, and the same evaluation. */
START_TEST(test_formats_are_one)
{
    char command[512];
    write_files();
    cli_expect("paste $DIR/reverses $DIR/words > $DIR/turned", 0, "");
    for (int i = 0; i < FORMATS; i++) {
        snprintf(command, sizeof command, TRAIN "--out $DIR/%d %s", i, same_pairs[i]);
        cli_expect(command, 0, "");
        snprintf(command, sizeof command, "$T eval --model $DIR/0 --json %s > $DIR/e%d && cmp $DIR/e0 $DIR/e%d",
                 same_pairs[i], i, i);
        cli_expect(command, 0, "");
        snprintf(command, sizeof command,
                 "$T eval --model $DIR/%d --json --pairs $DIR/p.tsv | cmp - $DIR/e0 && echo alike", i);
        cli_expect(command, 0, "alike");
    }
    cli_expect("paste $DIR/words $DIR/reverses | gzip | gunzip | $T eval --model $DIR/0 --json --pairs - | cmp - "
               "$DIR/e0 && echo alike",
               0, "alike");
    cli_expect("$T gradcheck --model $DIR/0 --count 2 --source $DIR/words --target $DIR/reverses", 0, "");
    cli_expect("$T study tape --model $DIR/0 --pairs $DIR/p.csv --columns word,reverse", 0, "");
    cli_expect(
        TRAIN
        "--source $DIR/words --target $DIR/reverses --dev $DIR/words --dev-target $DIR/reverses --out $DIR/dev && "
        "$T eval --model $DIR/dev --json --pairs $DIR/p.tsv",
        0, "loss");
}
END_TEST

/* A run that is stopped remembers its format, and may go on with the same pairs in
 * another. */
START_TEST(test_resume)
{
    write_files();
    cli_expect(TRAIN "--pairs $DIR/p.csv --columns word,reverse --out $DIR/whole", 0, "");
    cli_expect(TRAIN
               "--pairs $DIR/p.csv --columns word,reverse --stop-at 3 --out $DIR/part && cp -r $DIR/part $DIR/other && "
               "cp -r $DIR/part $DIR/moved",
               0, "");
    cli_expect("$T train --resume $DIR/part --quiet && cmp $DIR/part/model.safetensors $DIR/whole/model.safetensors && "
               "echo alike",
               0, "alike");
    cli_expect("mv $DIR/p.csv $DIR/q.csv && $T train --resume $DIR/moved --pairs $DIR/q.csv --quiet", 0, "");
    cli_expect("$T train --resume $DIR/other --source $DIR/words --target $DIR/reverses --quiet && "
               "for r in whole other; do $T eval --model $DIR/$r --json --pairs $DIR/p.tsv > $DIR/$r.json; done; "
               "cmp $DIR/whole.json $DIR/other.json && echo alike",
               0, "alike");
    cli_expect_sentence("$T train --resume $DIR/moved --blocks $DIR/b --quiet", 1, "the training set is not the one");
}
END_TEST

/* Tagged words make a tagger of words without further flags. */
START_TEST(test_taggers)
{
    write_files();
    cli_expect(TRAIN "--conllu $DIR/c.conllu --out $DIR/c && $T info $DIR/c", 0, "encoder");
    cli_expect(TRAIN "--blocks $DIR/b --out $DIR/b1", 0, "");
    cli_expect("$T eval --model $DIR/c --json --conllu $DIR/c.conllu > $DIR/1; $T eval --model $DIR/b1 --json --blocks "
               "$DIR/b > $DIR/2;"
               "cmp $DIR/1 $DIR/2 && grep -c tag_accuracy $DIR/1",
               0, "1");
    cli_expect(TRAIN "--conllu $DIR/c.conllu --field lemma --model encoder-decoder --tgt-tokens chars --out $DIR/l", 0,
               "");
}
END_TEST

#define NO_TAGS "note: no source has tags in front of it, with which the model was trained"
/* Tags before the source: one model for several features. predict reads them, too. */
START_TEST(test_tags)
{
    cli_write("i.csv", "lemma,form,tags\nab,abed,V;PST\nab,abs,V;3\nba,baed,V;PST\nba,bas,V;3\nbb,bbs,V;3\n");
    cli_expect(TRAIN "--pairs $DIR/i.csv --columns lemma,form,tags --held-out 0.3 --out $DIR/i", 0, "");
    cli_expect("$T eval --model $DIR/i --pairs $DIR/i.csv --columns lemma,form,tags", 0, "exact match");
    cli_expect("printf 'V\\tPST\\tab\\nab\\n' | $T predict --model $DIR/i --json", 0,
               "\"source_tokens\": [\"V\\t\", \"PST\\t\", \"a\", \"b\"]");
    cli_expect("printf 'V\\tFUT\\tab\\n' | $T predict --model $DIR/i", 1, "FUT");
    /* A model with tags reads sources without any, and says so. */
    cli_expect("$T info $DIR/i", 0, "(characters, with tags before them)\ntarget");
    cli_expect("$T eval --model $DIR/i --pairs $DIR/i.csv --columns lemma,form 2>&1", 0, NO_TAGS);
    cli_expect("echo ab | $T predict --model $DIR/i 2>&1 >/dev/null", 0, NO_TAGS);
    cli_expect("{ echo ab; printf 'V\\tab\\n'; } | $T predict --model $DIR/i 2>&1 >/dev/null | wc -l", 0, "0\n");
    cli_expect_sentence(TRAIN "--pairs $DIR/i.csv --columns lemma,form,tags --model encoder --out $DIR/e", 1,
                        "an encoder, which labels each token, cannot read them");
}
END_TEST

START_TEST(test_mistakes)
{
    static const struct {
        const char *command, *sentence;
        int code;
    } cases[] = {
        {"train --pairs $DIR/p.tsv --source $DIR/words --target $DIR/words",
         "--task, --pairs, --source, --conllu, --blocks and", 2},
        {"train --source $DIR/words", "--source goes with --target FILE", 2},
        {"train --target $DIR/words", "--target goes with --source FILE", 2},
        {"train --source $DIR/words --target $DIR/words --dev $DIR/words", "--dev-target FILE has their targets", 2},
        {"train --pairs $DIR/p.tsv --dev-target $DIR/words", "--dev-target goes with --source and --dev", 2},
        {"train --text $DIR/words --columns 1,2", "--columns goes with --pairs", 2},
        {"train --pairs $DIR/p.tsv --separator comma", "--separator goes with --columns", 2},
        {"train --pairs $DIR/p.tsv --field upos", "--field goes with --conllu", 2},
        {"train --pairs - --dev - < $DIR/p.tsv", "- is the standard input, which has one file", 2},
        {"train --source $DIR/words --target $DIR/b", "b 80: line by line they belong together", 1},
        {"train --pairs $DIR/p.csv --columns word,form",
         "p.csv:1: no column is named 'form'; with semicolons between, they are: id", 1},
        {"train --pairs $DIR/p.csv --columns 1,4",
         "p.csv:1: the row has 3 columns with semicolons between, and --columns 1,4", 1},
        {"train --pairs $DIR/p.csv", "--columns 1,2", 1},
        {"train --pairs $DIR/c.conllu", "if this is CoNLL-U: --conllu FILE", 1},
        {"train --conllu $DIR/b", "--blocks FILE", 1},
        {"eval --model $DIR --pairs $DIR/p.tsv --no-quotes", "--no-quotes goes with --columns", 2},
        {"eval --model $DIR --source $DIR/words", "--source goes with --target FILE", 2},
        {"eval --model $DIR --pairs $DIR/p.tsv --conllu $DIR/b", "measure on what?", 2},
        {"eval --model $DIR --against $DIR --pairs - < $DIR/p.tsv", "--against reads the examples once for each model",
         2},
    };
    char command[256];
    write_files();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(command, sizeof command, "$T %s", cases[i].command);
        cli_expect_sentence(command, cases[i].code, cases[i].sentence);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli files");
    TCase *c = tcase_create("files");
    tcase_add_checked_fixture(c, cli_set_up, cli_tear_down);
    tcase_add_test(c, test_formats_are_one);
    tcase_add_test(c, test_resume);
    tcase_add_test(c, test_taggers);
    tcase_add_test(c, test_tags);
    tcase_add_test(c, test_mistakes);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
