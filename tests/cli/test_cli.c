/* test_cli.c - the command as a user meets it: what it prints, its exit codes, and what
 * it says of bad input. */
#include "cli_util.h"

#include <stdio.h>
#include <string.h>

START_TEST(test_usage)
{
    cli_expect("$T", 2, "Usage: tapeformer COMMAND");
    cli_expect("$T --help", 0, "Usage: tapeformer COMMAND");
    cli_expect("$T --version", 0, "tapeformer ");
    cli_expect("$T trian", 2, "did you mean train?");
    cli_expect("$T train --taks reverse", 2, "did you mean --task?");
    cli_expect("$T train --task revers", 2, "did you mean reverse?");
    cli_expect("$T train --preset g2", 2, "did you mean g2p?");
    cli_expect("$T train --task reverse --model encodr", 2, "did you mean encoder?");
    cli_expect("$T train", 2, "give --task NAME, --text FILE or a file of pairs: --pairs FILE, ");
    cli_expect("$T train --task reverse --text x", 2, "exclude each other");
    cli_expect("$T train --list-presets", 0, "g2p");
    cli_expect("$T gradcheck --op matmull", 2, "did you mean matmul?");
    cli_expect("$T eval --model $DIR", 2, "--pairs FILE");
    cli_expect("$T help train", 0, "Usage: tapeformer train");
    cli_expect("$T train --task copy --steps 5 --epochs 2", 2, "--steps and --epochs exclude each other");
    cli_expect("TAPEFORMER_LEVEL=generic $T train --task copy --matmul bf16", 2,
               "--matmul bf16 needs a processor with AVX512");
    cli_expect("$T train --resume $DIR --out $DIR/x", 2, "--out and --resume exclude each other");
    cli_expect("$T train --text x --model encoder", 2, "--model encoder labels pairs");
    static const char *const commands[] = {"train", "eval", "predict", "generate", "gradcheck", "info", "study"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char line[64];
        snprintf(line, sizeof line, "$T %s --help", commands[i]);
        cli_expect(line, 0, "Usage: tapeformer");
    }
}
END_TEST

START_TEST(test_values)
{
    cli_expect("$T train --task copy --threads 0", 2, "--threads 0: expected a whole number from 1");
    cli_expect("$T train --task copy --lr nan", 2, "--lr nan: expected");
    cli_expect("$T train --task copy --out ''", 2, "--out '': expected DIR");
    cli_expect("$T train --task copy --lr", 2, "--lr needs a value");
    cli_expect("$T train --task copy --steps 1.5", 2, "--steps 1.5: expected a whole number");
    cli_expect("$T train --task copy --steps -3", 2, "--steps -3: expected");
    cli_expect("$T train --task copy --dropout 1", 2, "--dropout 1: expected");
    cli_expect("$T train --task copy --d-model 64 --heads 3 --out $DIR/run", 1, "heads 3");
    cli_expect("$T train --task addition --model encoder --out $DIR/run", 2, "labels each token");
    cli_expect("test ! -e $DIR/run && echo none", 0, "none");
}
END_TEST

START_TEST(test_bad_pairs)
{
    cli_write("empty.tsv", "");
    cli_write("tab.tsv", "abc\tcba\nno tab here\n");
    cli_write("utf8.tsv", "abc\tcba\nd\xff\tx\n");
    cli_write("side.tsv", "abc\tcba\n\tx\n");
    cli_write("long.tsv", "abc\tcba\naaaaaaaaaaaaaaaaaaaaaaaa\tb\n");
    cli_expect("$T train --pairs $DIR/none.tsv --out $DIR/run", 1, "none.tsv");
    cli_expect("$T train --pairs $DIR --out $DIR/run", 1, cli_folder);
    cli_expect("$T train --pairs $DIR/empty.tsv --out $DIR/run", 1, "empty.tsv");
    cli_expect("$T train --pairs $DIR/tab.tsv --out $DIR/run", 1, "tab.tsv:2:");
    cli_expect("$T train --pairs $DIR/utf8.tsv --out $DIR/run", 1, "utf8.tsv:2:");
    cli_expect("$T train --pairs $DIR/side.tsv --out $DIR/run", 1, "side.tsv:2:");
    cli_expect("$T train --pairs $DIR/long.tsv --max-length 10 --out $DIR/run", 1, "long.tsv:2:");
    cli_expect("test ! -e $DIR/run && echo none", 0, "none");
}
END_TEST

START_TEST(test_whole_path)
{
    cli_train_tiny();
    cli_expect("$T info $DIR/run", 0, "encoder.layers.0.self_attn.in_proj_weight");
    cli_expect("$T info $DIR/run | grep -c 'cross window'", 1, "0");
    cli_expect("$T eval --model $DIR/run --task copy --count 20 --json", 0, "\"exact_match\": ");
    cli_expect("printf 'ab\\nba\\n\\nc\\n' | $T predict --model $DIR/run | wc -l", 0, "4");
    cli_expect("printf 'ab\\n' | $T predict --model $DIR/run --beam 3 --best 3 | tr '\\t' '\\n' | wc -l", 0, "3");
    cli_expect("$T study attention --model $DIR/run --source abc --which cross --color never", 0,
               "decoder looks at encoder, layer 0, head 1");
}
END_TEST

/* The user's own data and length replace those of a preset and of the run that is
 * resumed. */
START_TEST(test_overrides)
{
    cli_write("pairs.tsv", "ab\tba\nbc\tcb\nca\tac\n");
    cli_expect("$T train --preset demo --pairs $DIR/pairs.tsv --epochs 2 --schedule constant " CLI_TINY
               " --out $DIR/run; tail -n 1 $DIR/run/log.jsonl",
               0, "\"step\":2,");
    cli_expect("$T train --resume $DIR/run --epochs 3 --quiet; tail -n 1 $DIR/run/log.jsonl", 0, "\"step\":3,");
    cli_expect("$T train --resume $DIR/run --steps 5 --quiet; tail -n 1 $DIR/run/log.jsonl", 0, "\"step\":5,");
}
END_TEST

/* Lengths: room for the longest of dev, too; what is longer than learned positions is
 * refused with its line. The other kinds of positions never end: eval takes any length,
 * and predict what --max-length says. */
START_TEST(test_long_lines)
{
    cli_write("pairs.tsv", "ab\tba\nbc\tcb\nca\tac\n");
    cli_expect("{ printf 'a\\ta\\n'; head -c 99 /dev/zero | tr '\\0' a; printf '\\tb\\n'; } > $DIR/long.tsv", 0, "");
    cli_expect("$T train --pairs $DIR/pairs.tsv --steps 2 " CLI_TINY " --out $DIR/run", 0, "");
    cli_expect("$T eval --model $DIR/run --pairs $DIR/long.tsv", 0, "of 2 sources");
    cli_expect("tail -1 $DIR/long.tsv | cut -f 1 | $T predict --model $DIR/run", 1,
               "longest 63 (--max-length allows more)");
    cli_expect("tail -1 $DIR/long.tsv | cut -f 1 | $T predict --model $DIR/run --max-length 100", 0, "");
    cli_expect("$T train --pairs $DIR/pairs.tsv --positions learned --steps 2 " CLI_TINY " --out $DIR/learned", 0, "");
    cli_expect("$T eval --model $DIR/learned --pairs $DIR/long.tsv", 1, "long.tsv:2: the source has 100 tokens");
    cli_expect("tail -1 $DIR/long.tsv | cut -f 1 | $T predict --model $DIR/learned --max-length 100", 1,
               "longest 63; answered");
    cli_expect("$T train --pairs $DIR/pairs.tsv --dev $DIR/long.tsv --positions learned --steps 2 " CLI_TINY
               " --out $DIR/dev",
               0, "");
    cli_expect("$T info $DIR/dev", 0, "longest          200");
    cli_expect("$T train --pairs $DIR/pairs.tsv --model encoder --max-length 3 --steps 2 " CLI_TINY " --out $DIR/tags",
               0, "");
    cli_expect("echo abc | $T predict --model $DIR/tags", 0, "");
    cli_expect("echo abca | $T predict --model $DIR/tags", 1, "4 tokens, more than the model's longest 3");
}
END_TEST

START_TEST(test_bad_lines)
{
    cli_train_tiny();
    cli_expect("printf 'ab\\na\\303b\\nc\\n' | $T predict --model $DIR/run", 1, "stdin:2:");
    cli_expect("printf 'ab\\na\\303b\\nc\\n' | $T predict --model $DIR/run 2>/dev/null | wc -l", 0, "3");
    cli_expect("printf 'ab\\nA\\n' | $T predict --model $DIR/run", 1,
               "1 of 3 source tokens (1 line) is not in the model's vocabulary and is read as <unk>:\n  A  1 time: stdin:2\n");
    cli_expect("printf '\\357\\273\\277ab\\r\\nba' | $T predict --model $DIR/run | wc -l", 0, "2");
    ck_assert_ptr_null(strstr(cli_output, "stdin:1:")); /* a byte order mark is no token */
    cli_expect("head -c 1000 /dev/zero | tr '\\0' 'a' | $T predict --model $DIR/run", 1, "stdin:1:");
    cli_expect("$T study attention --model $DIR/run --source ABC", 1, "not in the model's vocabulary");
    cli_expect("$T generate --model $DIR/run", 2, "use tapeformer predict");
}
END_TEST

/* Lines of mixed lengths go through the model in batches of similar length; the answers
 * are those of each line alone, to the last digit of their scores, and in the lines'
 * order. Two of the lines cannot be read. */
START_TEST(test_predict_in_batches)
{
    cli_train_tiny();
    cli_expect(
        "awk 'BEGIN { for (i = 1; i <= 150; i++) { n = 1 + i * 7 % 12; if (i == 70) n = 3000;"
        " for (j = 1; j <= n; j++) printf \"%s\", i == 40 ? \"\\303\" : substr(\"abcd\", 1 + (i * j + j) % 4, 1);"
        " print \"\" } }' > $DIR/lines; wc -l < $DIR/lines",
        0, "150");
    static const char *const flags[] = {"--batch 3", "", "--batch 4 --beam 3 --best 2"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        char line[1024];
        snprintf(line, sizeof line,
                 "F=\"--model $DIR/run --max-length 14 --scores %s\";"
                 "while IFS= read -r line; do printf '%%s\\n' \"$line\" | $T predict $F; done < $DIR/lines"
                 " > $DIR/alone 2>/dev/null; $T predict $F < $DIR/lines > $DIR/together; echo $?;"
                 "cmp $DIR/alone $DIR/together && wc -l < $DIR/together; grep -Ec '\\.[0-9]{6}$' $DIR/together",
                 flags[i]);
        cli_expect(line, 0, "stdin:40: byte 1 of the line is not well-formed UTF-8");
        ck_assert_msg(strstr(cli_output, "stdin:70: 3000 tokens") && strstr(cli_output, "\n1\n150\n148\n"), "%s",
                      cli_output);
    }
}
END_TEST

/* Who waits for an answer before writing the next line gets it. */
START_TEST(test_predict_answers_at_once)
{
    cli_train_tiny();
    cli_expect(
        "mkfifo $DIR/in $DIR/out; timeout 60 $T predict --model $DIR/run < $DIR/in > $DIR/out &"
        "exec 3> $DIR/in 4< $DIR/out;"
        "for word in ab ba abc; do echo $word >&3; read answer <&4 || exit 9; done; exec 3>&-; wait && echo answered",
        0, "answered");
}
END_TEST

START_TEST(test_bad_models)
{
    cli_train_tiny();
    cli_expect("$T info $DIR/none", 1, "none");
    cli_expect("head -c 2000 $DIR/run/model.safetensors > $DIR/cut.safetensors; $T info $DIR/cut.safetensors", 1,
               "cut.safetensors");
    /* one bit of the last byte, and one digit of the configuration */
    cli_expect("cp $DIR/run/model.safetensors $DIR/byte.safetensors; n=$(wc -c < $DIR/byte.safetensors);"
               "printf '\\125' | dd of=$DIR/byte.safetensors bs=1 seek=$((n - 2)) conv=notrunc 2>/dev/null; $T info "
               "$DIR/byte.safetensors",
               1, "damaged");
    cli_expect(
        "sed 's/\"model.heads\":\"2\"/\"model.heads\":\"4\"/' $DIR/run/model.safetensors > $DIR/digit.safetensors;"
        "$T info $DIR/digit.safetensors",
        1, "damaged");
}
END_TEST

START_TEST(test_nothing_is_lost)
{
    cli_expect("$T train --task copy --task-max 4 --steps 40 --stop-at 20 --eval-every 10 " CLI_TINY " --out $DIR/run",
               0, "");
    cli_expect("cp -r $DIR/run $DIR/kept", 0, "");
    cli_expect("$T train --task copy --steps 20 " CLI_TINY " --out $DIR/run", 1, "already holds a run");
    cli_expect("$T train --resume $DIR/run --seed 5", 2, "--seed 5 contradicts the run in");
    cli_expect("$T train --task copy --steps 5 " CLI_TINY " --out $DIR/run/model.safetensors/x", 1, "x");
    cli_expect("for f in model checkpoint; do cmp $DIR/run/$f.safetensors $DIR/kept/$f.safetensors; done && echo same",
               0, "same");
    /* a disk that takes no more: the limit is on the size of a file */
    cli_expect("(trap '' XFSZ; ulimit -f 4; $T train --resume $DIR/run)", 1, "cannot write");
    cli_expect("cmp $DIR/run/model.safetensors $DIR/kept/model.safetensors && echo same; ls $DIR/run", 0, "same");
    ck_assert_ptr_null(strstr(cli_output, "tmp"));
    cli_expect("$T train --resume $DIR/run --quiet", 0, "");
}
END_TEST

START_TEST(test_output_that_cannot_be_written)
{
    static const char *const arguments[] = {"--help",
                                            "-h",
                                            "help",
                                            "help train",
                                            "train --help",
                                            "study --help",
                                            "study leaks --help",
                                            "--version",
                                            "--describe",
                                            "train --list-presets",
                                            "info $DIR/run"};
    cli_train_tiny();
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        char line[128];
        snprintf(line, sizeof line, "$T %s > /dev/full", arguments[i]);
        cli_expect_sentence(line, 1, "cannot write to standard output");
    }
}
END_TEST

/* Ctrl-C in the middle, then a resume: the same bytes as a run that was left alone, and
 * at another number of threads. */
START_TEST(test_interrupt_and_resume)
{
    const char *flags = "--task copy --task-max 4 --steps 300 --eval-every 100 --lr 0.003 --threads";
    char line[1024];
    snprintf(line, sizeof line, "$T train %s 1 " CLI_TINY " --out $DIR/whole", flags);
    cli_expect(line, 0, "");
    snprintf(line, sizeof line, "$T train %s 2 " CLI_TINY " --stop-at 137 --out $DIR/parts", flags);
    cli_expect(line, 0, "--resume");
    cli_expect("$T train --resume $DIR/parts --stop-at 100 --quiet", 0, "stopped after step 137");
    cli_expect("$T train --resume $DIR/parts --threads 4 --quiet", 0, "");
    cli_expect("for f in model checkpoint last; do cmp $DIR/whole/$f.safetensors $DIR/parts/$f.safetensors; done && "
               "echo same",
               0, "same");
    cli_expect("$T train --task copy --steps 1000000 " CLI_TINY " --out $DIR/endless & p=$!;"
               "while [ ! -s $DIR/endless/log.jsonl ]; do sleep 0.05; done; kill -INT $p; wait $p",
               130, "stopped after step");
    cli_expect("test -s $DIR/endless/checkpoint.safetensors && echo saved", 0, "saved");
}
END_TEST

START_TEST(test_gradcheck)
{
    cli_expect("$T gradcheck --op softmax --json", 0, "\"operation\": \"softmax\", \"passed\": true");
    cli_expect("$T gradcheck --op softmax --json", 0, "\"directions_wrong\": 0, ");
    cli_expect("$T gradcheck --op softmax --json", 0, "\"failed\": 0, ");
    cli_expect("$T gradcheck --op softmax --json", 0, "\"above_noise\": ");
    cli_expect("$T gradcheck --op matmul", 0, " -   ok"); /* it is linear in each input */
    cli_expect("$T gradcheck --op gelu | grep 'gelu.*e-.*e-.* [12][.][0-9][0-9]   ok'", 0, "ok");
}
END_TEST

/* The form of a report follows from the ending of its file. */
START_TEST(test_report_of_an_operation)
{
    cli_expect("$T gradcheck --op gelu --out $DIR/g.html", 0, "gelu by x: made 3 % too small");
    cli_expect("tail -1 $DIR/g.html", 0, "</html>");
    cli_expect("$T gradcheck --op gelu --out $DIR/g.svg | tail -1", 0, "The report is in ");
    cli_expect("head -c 5 $DIR/g.svg; grep -c '<svg ' $DIR/g.svg", 0, "<svg 3");
    cli_expect("COLUMNS=80 $T gradcheck --op gelu --out $DIR/g.txt > $DIR/o; head -n -2 $DIR/o | cmp - $DIR/g.txt && "
               "echo same",
               0, "same");
    cli_expect("$T gradcheck --op gelu --pictures $DIR/p > $DIR/o; ls $DIR/p", 0,
               "01-gelu-by-x-the-gradient-as-it-is.svg");
    cli_expect_sentence("$T gradcheck --out $DIR/g.html", 2, "--out goes with --op NAME or --model DIR");
    cli_expect_sentence("$T gradcheck --pictures $DIR", 2, "--pictures goes with --op NAME");
    cli_expect_sentence("$T gradcheck --op add --color never", 2, "--color goes with --out or --model DIR");
    cli_expect_sentence("$T gradcheck --op add --json --out $DIR/g.html", 2,
                        "--json goes without --out and --pictures");
    cli_expect_sentence("$T gradcheck --op add --out $DIR/none/g.html", 1, "none/g.html");
}
END_TEST

START_TEST(test_language_model)
{
    cli_write("text.txt", "the cat sat on the mat. the dog sat on the log. the cat saw the dog. the dog saw the cat. ");
    cli_expect("for i in 1 2 3 4 5 6; do cat $DIR/text.txt $DIR/text.txt > $DIR/t; mv $DIR/t $DIR/text.txt; done;"
               "$T train --text $DIR/text.txt --context 16 --steps 20 " CLI_TINY " --out $DIR/lm",
               0, "");
    cli_expect("$T generate --model $DIR/lm --prompt 'the ' --length 8 | wc -c", 0, "13");
    cli_expect_sentence("$T generate --model $DIR/lm --prompt 'tXeYZ' --length 8", 1,
                        "--prompt: 3 of 5 tokens are not in the model's vocabulary, the first of them 'X'");
    cli_expect_sentence("$T generate --model $DIR/lm --prompt \"$(printf 'the\\ncat')\" --length 8", 1,
                        "--prompt: 1 of 7 tokens is not in the model's vocabulary, the first of them '\\0a'");
    cli_expect("$T eval --model $DIR/lm --text $DIR/text.txt --json", 0, "\"perplexity\"");
    cli_expect("$T predict --model $DIR/lm </dev/null", 2, "use tapeformer generate");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli");
    TCase *c = tcase_create("cli");
    tcase_add_checked_fixture(c, cli_set_up, cli_tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_usage);
    tcase_add_test(c, test_values);
    tcase_add_test(c, test_bad_pairs);
    tcase_add_test(c, test_whole_path);
    tcase_add_test(c, test_overrides);
    tcase_add_test(c, test_long_lines);
    tcase_add_test(c, test_bad_lines);
    tcase_add_test(c, test_predict_in_batches);
    tcase_add_test(c, test_predict_answers_at_once);
    tcase_add_test(c, test_bad_models);
    tcase_add_test(c, test_nothing_is_lost);
    tcase_add_test(c, test_output_that_cannot_be_written);
    tcase_add_test(c, test_interrupt_and_resume);
    tcase_add_test(c, test_gradcheck);
    tcase_add_test(c, test_report_of_an_operation);
    tcase_add_test(c, test_language_model);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
