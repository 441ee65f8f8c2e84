/* test_cli_flags.c - what a user types: names that are nearly right, files and pipes,
 * flags that stand for others; and the help that says what may be typed. */
#include "cli_util.h"

#include <stdio.h>
#include <string.h>

/* ---- Names that are nearly right --------------------------------------------------- */

/* Upper case and hyphens do not matter, a beginning is enough, and of names that are
 * equally near the one that begins alike is meant. */
START_TEST(test_likeness)
{
    static const char *const cases[][2] = {
        {"dmodel", "d-model"},
        {"d_model", "d-model"},
        {"D-Model", "d-model"},
        {"modle", "model"},
        {"head", "heads"},
        {"batch-size", "batch"},
        {"optim", "optimizer"},
        {"taskmin", "task-min"},
        {"task-mi", "task-min"},
        {"evalevery", "eval-every"},
        {"max-len", "max-length"},
        {"maxlength", "max-length"},
        {"learning-rate", NULL},
        {"layer", "layers"},
        {"drop-out", "dropout"},
        {"lrr", "lr"},
        {"srctokens", "src-tokens"},
        {"encoder_layer", "encoder-layers"},
        {"-", NULL},
        {"photosynthesis", NULL},
        {"xyz", NULL},
        {"Quite", "quiet"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[128], saying[128];
        const char *meant = cases[i][1];
        snprintf(line, sizeof line, "$T train --%s 2>&1 | head -n 1", cases[i][0]);
        snprintf(saying, sizeof saying, "there is no flag --%s%s%s%s\n", cases[i][0], meant ? "; did you mean --" : "",
                 meant ? meant : "", meant ? "?" : "");
        cli_expect(line, 0, saying);
    }
    cli_expect("$T train --$(head -c 300 /dev/zero | tr '\\0' a)", 2, "there is no flag --aaa");
}
END_TEST

/* Commands, flags, kinds and values all look for likeness, and all say what there is. */
START_TEST(test_suggestions)
{
    cli_expect("$T train --dmodel 3", 2, "there is no flag --dmodel; did you mean --d-model?");
    cli_expect("$T Train", 2, "did you mean train?");
    cli_expect("$T study Leak", 2, "did you mean leaks?");
    cli_expect_sentence(
        "$T train --task Revers", 2,
        "--task Revers: expected one of copy, reverse, sort, shift, addition, numbers, dates; did you mean "
        "reverse?");
    cli_expect_sentence("$T eval --model x --task revers", 2, "did you mean reverse?");
    cli_expect_sentence("$T train --preset demo1", 2, "expected one of demo, g2p, addition, text; did you mean demo?");
    cli_expect_sentence("$T train --task copy --norm RMS", 2, "did you mean rms?");
    cli_expect_sentence("$T gradcheck --op soft-max", 2, "that --help lists; did you mean softmax?");
    cli_expect("$T eval pairs.tsv", 2, "what is 'pairs.tsv'? Usage: tapeformer eval --model DIR[,DIR...] --pairs FILE");
}
END_TEST

/* ---- Flags that stand for others --------------------------------------------------- */

START_TEST(test_best_sets_the_beam)
{
    cli_train_tiny();
    cli_expect("printf 'ab\\n' | $T predict --model $DIR/run --best 3 > $DIR/best;"
               "printf 'ab\\n' | $T predict --model $DIR/run --best 3 --beam 3 > $DIR/beam;"
               "cmp $DIR/best $DIR/beam && tr '\\t' '\\n' < $DIR/best | wc -l",
               0, "3");
    cli_expect_sentence("$T predict --model $DIR/run --best 3 --beam 2", 2,
                        "--best 3: a beam of 2 has no more hypotheses than that");
}
END_TEST

/* ---- One and many ------------------------------------------------------------------ */

START_TEST(test_counts)
{
    cli_write("pairs.tsv", "ab\tba\nbc\tcb\nca\tac\n");
    cli_expect("$T train --pairs $DIR/pairs.tsv --d-model 16 --heads 1 --layers 1 --steps 1 --out $DIR/run", 0,
               ", 2 pairs; dev: 1 pair, held out");
    ck_assert_ptr_nonnull(strstr(cli_output, " 1 head, "));
    ck_assert_ptr_nonnull(strstr(cli_output, "done after 1 step; "));
    cli_expect("printf 'abX\\nabXX\\nX\\n' | $T predict --model $DIR/run", 1,
               "4 of 8 source tokens (3 lines) are not in the model's vocabulary and are read as <unk>:\n");
    ck_assert_ptr_nonnull(strstr(cli_output, "  X  4 times: stdin:1, stdin:2, stdin:3\n"));
    cli_expect("echo X | $T predict --model $DIR/run", 1, "1 of 1 source token (1 line) is not in the model's");
    cli_expect("printf 'a\\tb\\n' > $DIR/one.tsv; $T eval --model $DIR/run --pairs $DIR/one.tsv", 0, "of 1 source\n");
    ck_assert_ptr_nonnull(strstr(cli_output, ", 2 tokens\n"));
}
END_TEST

/* ---- Files and pipes --------------------------------------------------------------- */

START_TEST(test_predict_reads_files)
{
    cli_train_tiny();
    cli_write("one", "abc\ncb\n");
    cli_write("two", "\xEF\xBB\xBF"
                     "ba\r\nA");
    cli_expect("cat $DIR/one $DIR/two | tr -d '\\357\\273\\277' | $T predict --model $DIR/run > $DIR/piped;"
               "$T predict $DIR/one --model $DIR/run $DIR/two > $DIR/named 2> $DIR/said;"
               "cmp $DIR/piped $DIR/named && wc -l < $DIR/named",
               0, "4");
    cli_expect("cat $DIR/said", 0, "1 of 8 source tokens (1 line) is not in the model's vocabulary");
    ck_assert_ptr_nonnull(strstr(cli_output, "/two:2\n"));
    cli_expect("cat $DIR/two | $T predict --model $DIR/run $DIR/one /dev/stdin | wc -l", 0, "4");
    cli_expect_sentence("$T predict --model $DIR/run $DIR/one $DIR/none", 1, "/none: cannot open: No such file");
    cli_expect_sentence("$T predict --model $DIR/run $DIR", 1, ": cannot read: Is a directory");
}
END_TEST

/* A second value for a flag is refused in every command, whatever the flag takes: the
 * first would be ignored. Values of a preset or a resumed run are no first ones. */
START_TEST(test_two_values)
{
    cli_expect("$T predict --model a --model b", 2,
               "tapeformer predict: --model is given twice: --model a,b names both\n");
    cli_expect("$T eval --pairs x --model a --against b --against=c", 2, "--against is given twice: --against b,c names both\n");
    cli_expect("$T train --task copy --steps 5 --steps 5", 2, "--steps is given twice, with 5 and with 5: leave one out\n");
    cli_expect("$T train --task copy --lr=0.01 --lr 1e-3", 2, "--lr is given twice, with 0.01 and with 1e-3: leave one out\n");
    cli_expect("$T train --preset demo --task copy --task reverse", 2, "--task is given twice, with copy and with reverse");
    cli_expect("$T study attention --model a --source x --source y", 2, "--source is given twice, with x and with y");
    cli_expect("$T train --task copy --positions rotary --positions alibi", 2, "with rotary and with alibi");
    cli_expect("$T average a b --out x --out y", 2, "--out is given twice, with x and with y");
    cli_train_tiny();
    cli_expect("echo ab | $T predict --model $DIR/run --json --json", 0, "{");
    cli_expect("$T train --preset demo --steps 2 --schedule constant --d-model 8 --out $DIR/small --quiet", 0, "");
    cli_expect("$T train --resume $DIR/small --steps 3 --quiet; tail -n 1 $DIR/small/log.jsonl", 0, "\"step\":3,");
}
END_TEST

/* Two files where one is read: the program that joins them is named. */
START_TEST(test_two_files)
{
    cli_expect("$T train --pairs a.txt b.txt", 2,
               "--pairs takes one file, and b.txt is another: paste a.txt b.txt makes one of both");
    cli_expect("$T train --pairs x --dev=a b", 2, "what is 'b'? Usage: tapeformer train");
    cli_expect("$T train --pairs x --dev a b", 2, "--dev takes one file, and b is another: paste a b makes");
    cli_expect("$T train --pairs a --dev x --pairs b", 2,
               "--pairs takes one file, and b is another: cat a b has the lines");
    cli_expect("$T eval --model run --text=a --text=b", 2, "--text takes one file, and b is another: cat a b has");
    cli_expect("$T train --pairs a --dev x --dev y", 2, "--dev takes one file, and y is another: cat x y has");
    cli_expect("$T train --text a b", 2, "cat a b makes one of both");
    cli_expect("$T eval --model run --pairs a b", 2, "paste a b makes one of both");
    cli_expect("$T eval --model run --text a b", 2, "cat a b makes one of both");
    cli_expect("$T eval --model run x", 2, "what is 'x'? Usage: tapeformer eval");
}
END_TEST

/* The message about a line that cannot be read says how to write it, in predict's input
 * as in files of pairs. */
START_TEST(test_other_encodings)
{
    cli_train_tiny();
    cli_expect(
        "printf 'ab\\ncaf\\351\\n' | $T predict --model $DIR/run", 1,
        "stdin:2: byte 4 of the line is not well-formed UTF-8 (if the text is Latin-1: iconv -f LATIN1 -t UTF-8); "
        "answered by an empty line");
    cli_expect("printf '\\377\\376a\\0\\n\\0' | $T predict --model $DIR/run", 1,
               "stdin:1: byte 1 of the line is not well-formed UTF-8 (the text is UTF-16: iconv -f UTF-16 -t UTF-8)");
    cli_expect("printf 'ab,ba\\n' > $DIR/a.csv; $T eval --model $DIR/run --pairs $DIR/a.csv", 1,
               "if this is CSV, with commas or semicolons: --columns 1,2");
}
END_TEST

/* Wherever a file is read, a pipe may stand. */
START_TEST(test_pipes)
{
    cli_expect("paste -d '\\t' /dev/null /dev/null; i=0; while [ $i -lt 40 ]; do echo \"a$i\tb$i\"; i=$((i+1)); done >"
               " $DIR/pairs; cut -f 2 $DIR/pairs > $DIR/text",
               0, "");
    cli_expect("export TMPDIR=$DIR; cat $DIR/pairs | $T train --pairs /dev/stdin --steps 3 " CLI_TINY " --out $DIR/run;"
               "$T train --pairs $DIR/pairs --steps 3 " CLI_TINY " --out $DIR/same;"
               "tail -n 1 $DIR/run/log.jsonl | grep -o 'dev_loss.*' > $DIR/a;"
               "tail -n 1 $DIR/same/log.jsonl | grep -o 'dev_loss.*' > $DIR/b; cmp $DIR/a $DIR/b; cat $DIR/a",
               0, "dev_loss");
    cli_expect("mkfifo $DIR/dev; cat $DIR/pairs > $DIR/dev & cat $DIR/pairs |"
               "$T train --pairs /dev/stdin --dev $DIR/dev --steps 3 " CLI_TINY " --out $DIR/dev-run; wait",
               0, "");
    cli_expect("cat $DIR/text | $T train --text /dev/stdin --context 8 --steps 3 " CLI_TINY " --out $DIR/lm", 0, "");
    /* what was a pipe is no more there at a resume */
    cli_expect("mkfifo $DIR/from $DIR/dev-from; cat $DIR/pairs > $DIR/from & cat $DIR/pairs > $DIR/dev-from &"
               "$T train --pairs $DIR/from --dev $DIR/dev-from --steps 3 --stop-at 2 " CLI_TINY " --out $DIR/on; wait;"
               "rm $DIR/from $DIR/dev-from; test -e $DIR/on/checkpoint.safetensors",
               0, "");
    cli_expect_sentence("$T train --resume $DIR/on --quiet", 1,
                        "No such file or directory (the run read it: --pairs FILE says where the same data are now)");
    cli_expect_sentence("$T train --resume $DIR/on --quiet --pairs $DIR/pairs", 1,
                        "(the run read it: --dev FILE says where the same data are now)");
    cli_expect("cat $DIR/pairs | $T train --resume $DIR/on --quiet --pairs /dev/stdin --dev $DIR/pairs && echo done", 0,
               "done");
    cli_expect("cat $DIR/pairs | $T eval --model $DIR/run --pairs /dev/stdin", 0, "exact match");
    cli_expect("cat $DIR/text | $T eval --model $DIR/lm --text /dev/stdin", 0, "perplexity");
    cli_expect("cat $DIR/run/model.safetensors | $T info /dev/stdin", 0, "encoder layers");
    cli_expect(
        "$T export --model $DIR/run --out $DIR/w.safetensors --src-vocab $DIR/src --tgt-vocab $DIR/tgt;"
        "cat $DIR/src | $T import $DIR/w.safetensors --src-vocab /dev/stdin --tgt-vocab $DIR/tgt --heads 2 --out "
        "$DIR/in",
        0, "saved: ");
    cli_expect("cat $DIR/run/log.jsonl | $T study curves /dev/stdin --color never", 0, "loss");
    cli_expect_sentence("cat $DIR/pairs | TMPDIR=/none/such $T eval --model $DIR/run --pairs /dev/stdin", 1,
                        "TMPDIR names another folder");
    cli_expect("ls $DIR | grep -c tapeformer-", 1, "0");
}
END_TEST

/* ---- Help -------------------------------------------------------------------------- */

/* Prints the help of every command, of every kind of study and the recipes, in
 * columns. */
#define ALL_HELP                                                                                                       \
    "for c in '' train eval predict generate gradcheck info study import export trace 'study attention' "              \
    "'study influence' 'study leaks' 'study masks' 'study curves' 'study tape' 'train --list-presets'; do $T $c "      \
    "--help; done"

START_TEST(test_help_is_folded)
{
    cli_expect(ALL_HELP " | awk 'length > 80 { bad++ } length > 76 { near++ } END { print bad + 0, (near > 9) }'", 0,
               "0 1");
    cli_expect("export COLUMNS=50;" ALL_HELP " | awk 'length > 50 { print }'", 0, "");
    ck_assert_str_eq(cli_output, "");
    cli_expect("export COLUMNS=120;" ALL_HELP
               " | awk 'length > 120 { print \"long\" } length > 100 { print \"used\" }'",
               0, "used");
    ck_assert_ptr_null(strstr(cli_output, "long"));
    /* A terminal's own width, where there is a program that makes one. */
    cli_expect("unset COLUMNS; if script -qec true /dev/null < /dev/null > /dev/null 2>&1; then"
               " script -qec \"stty cols 45; $T predict --help\" /dev/null < /dev/null | tr -d '\\r' > $DIR/shown;"
               " COLUMNS=45 $T predict --help | cmp - $DIR/shown; fi && echo same",
               0, "same");
    /* The same words at each width, and 80 columns where the variable is no number. */
    cli_expect("for w in 30 77 200; do COLUMNS=$w $T train --help | tr -s ' \\n' '\\n' | cksum; done | sort -u | wc -l",
               0, "1");
    cli_expect("COLUMNS=x $T train --help > $DIR/x; env -u COLUMNS $T train --help | cmp - $DIR/x && echo same", 0,
               "same");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_flags");
    TCase *c = tcase_create("flags");
    tcase_add_checked_fixture(c, cli_set_up, cli_tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_likeness);
    tcase_add_test(c, test_suggestions);
    tcase_add_test(c, test_best_sets_the_beam);
    tcase_add_test(c, test_predict_reads_files);
    tcase_add_test(c, test_counts);
    tcase_add_test(c, test_two_files);
    tcase_add_test(c, test_two_values);
    tcase_add_test(c, test_other_encodings);
    tcase_add_test(c, test_pipes);
    tcase_add_test(c, test_help_is_folded);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
