/* test_cli_runs.c - what the command says of a run is so: scores, defaults, the best
 * model, resumes. */
#include "cli_util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Flags of a run of a few steps, without those whose defaults are looked at. */
#define SMALL "--d-model 16 --heads 2 --layers 1 --ffn 16 --quiet --threads 1"

/* The number after `key` in what the last command printed. */
static double number_after(const char *key)
{
    const char *at = strstr(cli_output, key);
    ck_assert_msg(at != NULL, "no %s in:\n%s", key, cli_output);
    char *end;
    double number = strtod(at + strlen(key), &end);
    ck_assert_msg(end != at + strlen(key), "no number after %s in:\n%s", key, cli_output);
    return number;
}

/* ---- Scores ------------------------------------------------------------------------ */

/* The model's own log-probability: eval's loss times its tokens, for each pair alone,
 * whatever found the output. */
static void check_scores(const char *model, const char *flags)
{
    char line[1024];
    snprintf(line, sizeof line, "printf 'abc\\nba\\n' | $T predict --model $DIR/%s --scores %s | tee $DIR/answers",
             model, flags);
    cli_expect(line, 0, "\t");
    for (int i = 1; i <= 2; i++) {
        snprintf(line, sizeof line, "sed -n '%dp' $DIR/answers | cut -f 2", i);
        cli_expect(line, 0, "-");
        double score = number_after("");
        snprintf(line, sizeof line,
                 "printf '%s\\t%%s\\n' \"$(sed -n '%dp' $DIR/answers | cut -f 1)\" > $DIR/pair.tsv;"
                 "$T eval --model $DIR/%s --pairs $DIR/pair.tsv --json",
                 i == 1 ? "abc" : "ba", i, model);
        cli_expect(line, 0, "loss");
        double loss = number_after("\"loss\": ") * number_after("\"tokens\": ");
        ck_assert_msg(fabs(loss + score) < PRECISION(1e-6, 1e-4), "%s: score %.6f, loss %.6f", line, score, loss);
    }
}

/* So short a training leaves the marks much of the probability. */
START_TEST(test_scores_are_what_eval_finds)
{
    cli_write("pairs.tsv", "abc\tcba\nba\tab\nca\tac\n");
    cli_expect("$T train --pairs $DIR/pairs.tsv --dev $DIR/pairs.tsv --steps 30 --lr 0.01 " SMALL " --out $DIR/run;"
               "$T train --pairs $DIR/pairs.tsv --dev $DIR/pairs.tsv --model encoder --steps 2 " SMALL
               " --out $DIR/tags",
               0, "");
    check_scores("run", "");
    check_scores("run", "--beam 4");
    check_scores("tags", "");
    /* the penalty divides the score of 4 tokens, end mark included: ((5 + 4) / 6)^1 */
    cli_expect("printf 'abc\\n' | $T predict --model $DIR/run --scores --beam 4 | cut -f 1,2", 0, "\t");
    double score = number_after("\t");
    char answer[64];
    ck_assert_int_eq(sscanf(cli_output, "%63[^\t]", answer), 1);
    cli_expect("printf 'abc\\n' | $T predict --model $DIR/run --scores --beam 4 --length-penalty 1", 0, answer);
    ck_assert_double_eq_tol(number_after("\t"), score * 6 / (6 + (double)strlen(answer)), 1e-5);
}
END_TEST

/* ---- Defaults ---------------------------------------------------------------------- */

/* Whether a run of `flags` and `more` has the same numbers, and the same options in its
 * checkpoint, as the run in $DIR/plain. */
static bool runs_alike(const char *flags, const char *more)
{
    char line[2048];
    snprintf(line, sizeof line,
             "rm -rf $DIR/other; $T train %s %s " SMALL " --out $DIR/other && for r in plain other; do "
             "$T export --model $DIR/$r --out $DIR/$r.weights; head -c 9000 $DIR/$r/checkpoint.safetensors | "
             "tr ',' '\\n' | grep -a '\"run\\.' > $DIR/$r.options; done && test -s $DIR/plain.options && "
             "cmp $DIR/plain.weights $DIR/other.weights && cmp $DIR/plain.options $DIR/other.options && echo alike",
             flags, more);
    return cli_run(line) == 0 && strstr(cli_output, "alike");
}

/* The flags of a help text whose default is given as a value, one after the other: writes
 * "--name value" into `flag`. Returns where to go on, or NULL after the last. `skip`
 * holds the names that are not wanted, each between spaces. */
static const char *next_default(const char *help, const char *skip, char *flag, size_t size)
{
    for (const char *at = strstr(help, "\n  --"); at; at = strstr(at + 1, "\n  --")) {
        char name[64], value[64], spaced[80], row[2048];
        const size_t length = strcspn(at + 1, "\n");
        snprintf(row, sizeof row, "%.*s", (int)length, at + 1);
        const char *bracket = strrchr(row, '[');
        if (sscanf(row, "  --%63[a-z0-9-]", name) != 1 || !bracket || sscanf(bracket, "[%63[^];]", value) != 1)
            continue;
        snprintf(spaced, sizeof spaced, " %s ", name);
        if (strchr(value, ' ') || !strncmp(value, "--", 2) || strstr(skip, spaced))
            continue; /* words, another flag, or not wanted */
        snprintf(flag, size, "--%s %s", name, value);
        return at + 1;
    }
    return NULL;
}

/* Every default that the help of train gives as a value is the one that is used: a run
 * with the flag at that value is the run without it. */
static int check_documented(const char *flags, const char *skip)
{
    static char help[sizeof cli_output];
    char line[512];
    int checked = 0;
    snprintf(line, sizeof line, "rm -rf $DIR/plain; $T train %s " SMALL " --out $DIR/plain", flags);
    cli_expect(line, 0, "");
    cli_expect("COLUMNS=1000 $T train --help", 0, "--batch N");
    memcpy(help, cli_output, sizeof help);
    for (const char *at = help; (at = next_default(at, skip, line, sizeof line)); checked++)
        ck_assert_msg(runs_alike(flags, line), "%s with %s is another run:\n%s", flags, line, cli_output);
    return checked;
}

/* The same of another command, by what it prints; `before` comes before the command and
 * may be a pipe. */
static int check_printed(const char *before, const char *command, const char *flags, const char *skip)
{
    static char help[sizeof cli_output];
    char line[1024], flag[160];
    int checked = 0;
    snprintf(line, sizeof line, "COLUMNS=1000 $T %s --help", command);
    cli_expect(line, 0, "Flags:");
    memcpy(help, cli_output, sizeof help);
    snprintf(line, sizeof line, "%s $T %s %s > $DIR/plain.out", before, command, flags);
    cli_expect(line, 0, "");
    for (const char *at = help; (at = next_default(at, skip, flag, sizeof flag)); checked++) {
        snprintf(line, sizeof line, "%s $T %s %s %s > $DIR/other.out; cmp $DIR/plain.out $DIR/other.out && echo alike",
                 before, command, flags, flag);
        cli_expect(line, 0, "alike");
    }
    return checked;
}

START_TEST(test_documented_defaults)
{
    /* Left out: the flags that SMALL has, the folder, what is for other optimisers or
     * schedules (--decay), and dropout, whose value is the one of other data. */
    static const char with_adamw[] =
                          " d-model heads layers threads out dropout decay muon-lr momentum min-count merges ",
                      with_sgd[] = " d-model heads layers threads out dropout decay optimizer lr muon-lr weight-decay "
                                   "min-count merges beta1 beta2 ";
    ck_assert_int_eq(check_documented("--task copy --task-max 4 --steps 3", with_adamw), 29);
    ck_assert_int_eq(check_documented("--task copy --task-max 4 --steps 3 --optimizer sgd", with_sgd), 25);
}
END_TEST

START_TEST(test_documented_defaults_of_other_commands)
{
    cli_train_tiny();
    cli_expect("seq 1 400 > $DIR/text; $T train --text $DIR/text --steps 5 " SMALL " --out $DIR/lm", 0, "");
    ck_assert_int_eq(check_printed("", "eval", "--model $DIR/run --task copy --task-max 4", ""), 7);
    ck_assert_int_eq(check_printed("printf 'abc\nba\n' |", "predict", "--model $DIR/run --scores", ""), 4);
    ck_assert_int_eq(check_printed("", "generate", "--model $DIR/lm --prompt 12", " top-k "), 5);
    ck_assert_int_eq(check_printed("", "gradcheck", "--op softmax", " tolerance count color "), 3);
    ck_assert_int_eq(check_printed("", "study leaks", "--model $DIR/run", ""), 2);
    ck_assert_int_eq(check_printed("", "study attention", "--model $DIR/run --source abc", " layer head "), 3);
    ck_assert_int_eq(check_printed("", "study influence", "--model $DIR/run --source abc", ""), 2);
}
END_TEST

/* The help of a command speaks of no flag that the command does not have: rows that
 * commands share have other defaults in each. */
START_TEST(test_helps_name_their_own_flags)
{
    cli_expect("for c in train eval predict generate import export info trace gradcheck 'study attention' 'study "
               "influence' 'study leaks' 'study masks' 'study curves' 'study tape'; do "
               "COLUMNS=1000 $T $c --help | grep '^  --' > $DIR/rows; "
               "sed 's/^  \\(--[a-z0-9-]*\\).*/\\1/' $DIR/rows | sort -u > $DIR/own; cat $DIR/own >> $DIR/all; "
               "sed 's/^  --[a-z0-9-]*//' $DIR/rows | grep -o -- '--[a-z][a-z0-9-]*' | sort -u | comm -23 - $DIR/own; "
               "done | wc -l; test $(wc -l < $DIR/all) -gt 100",
               0, "0\n");
}
END_TEST

/* Expects that a run of these flags puts this value into its checkpoint. */
static void expect_option(const char *flags, const char *option, const char *value)
{
    char line[1024];
    snprintf(line, sizeof line,
             "rm -rf $DIR/r; $T train --task copy --task-max 4 %s --stop-at 1 " SMALL " --out $DIR/r 2>/dev/null;"
             "head -c 9000 $DIR/r/checkpoint.safetensors | tr ',' '\\n' | grep -a '\"run\\.%s\"'",
             flags, option);
    char expected[128];
    snprintf(expected, sizeof expected, "\"run.%s\":\"%s\"", option, value);
    cli_expect(line, 0, expected);
}

/* The defaults that the help says in words, computed; and those that depend on other
 * flags. */
START_TEST(test_defaults_that_depend)
{
    static const char *const words[] = {"[0.001; sgd: 0.3; noam: 1]",
                                        "[0.01; adam and sgd: 0]",
                                        "[1/20 of the steps; noam: 1/3; at most 4000]",
                                        "[30 passes over the data, but 2000 to 20000 steps]",
                                        "[1/10 of the steps]",
                                        "[0.1; --task, whose examples never repeat: 0; --from: its own]",
                                        "[4 times --d-model]",
                                        "[the square root of --d-model]"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cli_expect("COLUMNS=1000 $T train --help", 0, words[i]);
    expect_option("--steps 2000", "rate", "0.001");
    expect_option("--steps 2000 --optimizer adam", "rate", "0.001");
    expect_option("--steps 2000 --optimizer sgd", "rate", "0.3");
    expect_option("--steps 2000 --schedule noam", "rate", "1");
    expect_option("--steps 2000 --schedule noam --optimizer sgd", "rate", "1");
    expect_option("--steps 2000", "muon_rate", "0");
    expect_option("--steps 2000 --optimizer muon", "rate", "0.001");
    expect_option("--steps 2000 --optimizer muon", "muon_rate", "0.02");
    expect_option("--steps 2000 --optimizer muon", "momentum", "0.95");
    expect_option("--steps 2000 --optimizer muon", "weight_decay", "0.01");
    expect_option("--steps 2000 --optimizer muon --schedule noam", "muon_rate", "7");
    expect_option("--steps 2000", "weight_decay", "0.01");
    expect_option("--steps 2000 --optimizer adam", "weight_decay", "0");
    expect_option("--steps 2000 --optimizer sgd", "weight_decay", "0");
    expect_option("--steps 2000 --weight-decay 0", "weight_decay", "0");
    expect_option("--steps 2000 --optimizer muon --momentum 0", "momentum", "0");
    expect_option("--steps 2000", "warmup", "100");
    expect_option("--steps 100000", "warmup", "4000");
    expect_option("--steps 600 --schedule noam", "warmup", "200");
    expect_option("--steps 600 --warmup 0", "warmup", "-1");
    expect_option("--steps 600", "floor", "0.05");
    expect_option("--steps 600 --floor 0", "floor", "0");
    expect_option("--steps 600 --schedule linear", "floor", "0");
    expect_option("--steps 600 --schedule wsd --floor 0.1", "floor", "0.1");
    expect_option("--steps 600 --schedule wsd", "decay", "0.4");
    expect_option("--steps 600 --clip 0", "clip", "-1");
    expect_option("--steps 2000", "evaluate_every", "200");
    expect_option("--steps 9", "evaluate_every", "1");
    expect_option("--task-count 128", "steps", "2000");
    expect_option("--task-count 12800", "steps", "6000");
    expect_option("--task-count 1280000", "steps", "20000");
    expect_option("--task-count 128 --epochs 7", "steps", "14");
    expect_option("", "best_by", "exact");
}
END_TEST

/* Texts have rotary positions where heads have an even width; all else has sinusoidal
 * ones. A flag of the user's decides, and with --from the model's own kind. */
START_TEST(test_default_positions)
{
    static const char *const cases[][2] = {
        {"--text $DIR/pairs.tsv", "rotary"},
        {"--preset demo --text $DIR/pairs.tsv", "rotary"},
        {"--text $DIR/pairs.tsv --d-model 20 --heads 4", "sinusoidal"},
        {"--text $DIR/pairs.tsv --positions sinusoidal", "sinusoidal"},
        {"--text $DIR/pairs.tsv --from $DIR/old", "alibi"},
        {"--task copy", "sinusoidal"},
        {"--pairs $DIR/pairs.tsv", "sinusoidal"},
        {"--pairs $DIR/pairs.tsv --model encoder", "sinusoidal"},
        {"--preset g2p --pairs $DIR/pairs.tsv", "rotary, also in cross-attention"},
        {"--preset g2p --pairs $DIR/pairs.tsv --positions none", "none"},
    };
    cli_expect("for i in $(seq 1 40); do printf '%s\t%s\n' aaa aaa aab baa; done > $DIR/pairs.tsv;"
               "$T train --text $DIR/pairs.tsv --positions alibi --d-model 16 --steps 1 --quiet --out $DIR/old",
               0, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[1024];
        snprintf(line, sizeof line,
                 "$T train --steps 2 --stop-at 1 %s %s --quiet --overwrite --out $DIR/r 2> $DIR/said && "
                 "$T info $DIR/r | grep '^positions' | sed 's/positions *//'",
                 strstr(cases[i][0], "d-model") || strstr(cases[i][0], "from") ? "" : "--d-model 16", cases[i][0]);
        char expected[64];
        snprintf(expected, sizeof expected, "%s\n", cases[i][1]);
        cli_expect(line, 0, "");
        ck_assert_str_eq(cli_output, expected);
        cli_expect("$T train --resume $DIR/r", 0, "done");
    }
}
END_TEST

/* The learning rate and the evaluations of a run are those that its defaults say. */
START_TEST(test_defaults_in_the_log)
{
    cli_expect("$T train --task copy --task-max 4 --steps 40 " SMALL " --out $DIR/r && "
               "grep -c dev_loss $DIR/r/log.jsonl",
               0, "10\n");
    cli_expect("sed -n '2p' $DIR/r/log.jsonl", 0, "\"rate\":0.001,"); /* the warm-up's last of 2 */
    cli_expect("$T train --task copy --task-max 4 --steps 40 --schedule noam " SMALL " --out $DIR/n && "
               "grep '^{\"step\":13,' $DIR/n/log.jsonl",
               0, "");
    ck_assert_double_eq_tol(number_after("\"rate\":"), 1 / sqrt(16) / sqrt(13), 1e-6);
}
END_TEST

/* A text's window is no longer than the model's longest sequence. */
START_TEST(test_context_within_max_length)
{
    cli_expect("seq 1 400 > $DIR/text; $T train --text $DIR/text --max-length 24 --steps 1 " SMALL " --out $DIR/lm; "
               "$T info $DIR/lm",
               0, "longest          24");
}
END_TEST

/* Flags that say nothing where others stand. */
START_TEST(test_flags_without_effect)
{
    static const char *const cases[][2] = {
        {"train --task copy --schedule noam --floor 0.1", "--floor goes with --schedule cosine, linear or wsd"},
        {"train --task copy --schedule linear --decay 0.1", "--decay goes with --schedule wsd"},
        {"train --task copy --momentum 0.9", "--momentum goes with --optimizer sgd or muon (Adam has --beta1)"},
        {"train --task copy --optimizer sgd --nesterov", "--nesterov goes with --optimizer sgd and a --momentum"},
        {"train --task copy --optimizer sgd --beta1 0.5", "--beta1 goes with --optimizer adamw, adam or muon"},
        {"train --task copy --optimizer sgd --beta2 0.5", "--beta2 goes with --optimizer adamw, adam or muon"},
        {"train --task copy --muon-lr 0.02", "--muon-lr goes with --optimizer muon"},
        {"train --task copy --optimizer muon --nesterov", "--nesterov goes with --optimizer sgd and a --momentum"},
        {"train --task copy --dev x", "--dev goes with --pairs"},
        {"train --pairs x --dev y --held-out 0.1", "--held-out goes without --dev"},
        {"train --task copy --context 9", "--context goes with --text"},
        {"train --pairs x --task-max 9", "--task-max goes with --task"},
        {"train --text x --best-by wer", "--best-by can only be loss with --text"},
        {"train --task copy --src-tokens words", "--src-tokens goes with --pairs"},
        {"train --text x --src-tokens words", "--src-tokens goes with --pairs"},
        {"train --task copy --tgt-tokens words", "--tgt-tokens needs --pairs or --text: tasks define their tokens"},
        {"train --task copy --norm rms --no-norm-bias", "--no-norm-bias needs --norm layer"},
        {"eval --model x --text y --beam 4", "--beam goes without --text"},
        {"eval --model x --text y --show 4", "--show goes without --text"},
        {"eval --model x --pairs y --length-penalty 1", "--length-penalty goes with a --beam of 2 or more"},
        {"predict --model x --length-penalty 1", "--length-penalty goes with a --beam of 2 or more, or --scores"},
        {"eval --model x --pairs y --count 9", "--count goes with --task"},
        {"eval --model x --pairs y --seed 9", "--seed goes with --task"},
        {"generate --model x --greedy --top-k 9", "--top-k goes without --greedy"},
        {"generate --model x --greedy --temperature 2", "--temperature goes without --greedy"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[256];
        snprintf(line, sizeof line, "$T %s", cases[i][0]);
        cli_expect_sentence(line, 2, cases[i][1]);
    }
    cli_expect_sentence("$T train --task copy --steps 9 --warmup 10 --quiet --out $DIR/w", 1,
                        "a warm-up of 10 steps is longer than the run, which has 9");
    /* a preset's flags give way */
    cli_expect("$T train --preset addition --steps 5 " SMALL " --out $DIR/p", 0, "");
    cli_expect("$T train --preset demo --task copy --optimizer sgd --steps 1 " SMALL " --out $DIR/r", 0, "");
    cli_expect("$T train --preset g2p --task copy --steps 1 " SMALL " --out $DIR/g", 0, "");
}
END_TEST

/* A preset's rate and warm-up are no defaults of another schedule's, or of another
 * optimiser's. */
START_TEST(test_presets_give_way)
{
    expect_option("--preset demo --steps 2000", "rate", "0.003");
    expect_option("--preset demo --steps 2000 --optimizer adam", "rate", "0.003");
    expect_option("--preset demo --steps 2000 --schedule constant", "rate", "0.003");
    expect_option("--preset demo --steps 2000 --schedule noam", "rate", "1");
    expect_option("--preset demo --steps 2000 --optimizer sgd", "rate", "0.3");
    expect_option("--preset demo --steps 2000 --optimizer sgd --lr 0.2", "rate", "0.2");
    expect_option("--preset demo --steps 2000 --schedule noam --lr 0.5", "rate", "0.5");
    expect_option("--preset addition --steps 6000", "warmup", "1000");
    expect_option("--preset addition --steps 6000 --schedule noam", "warmup", "2000");
    expect_option("--preset addition --steps 6000 --schedule noam --warmup 500", "warmup", "500");
    expect_option("--preset addition --steps 900", "warmup", "45");
    static const char *const models[] = {"--positions learned", "--model encoder", "--layers 1"};
    for (int i = 0; i < 3; i++) {
        char line[512];
        snprintf(line, sizeof line,
                 "$T train --preset g2p --task copy --task-max 4 --d-model 8 --steps 2 %s --out $DIR/g%d --quiet && "
                 "$T info $DIR/g%d",
                 models[i], i, i);
        cli_expect(line, 0, i < 2 ? "copy" : "encoder layers   1");
        ck_assert_ptr_null(strstr(cli_output, i < 2 ? "also in cross-attention" : "decoder layers   4"));
    }
}
END_TEST

/* ---- The best model, the last, the checkpoint -------------------------------------- */

START_TEST(test_best_by)
{
    static const char *const ways[] = {"exact", "loss", "wer"};
    char line[512];
    for (int i = 0; i < 3; i++) {
        snprintf(line, sizeof line,
                 "$T train --task copy --task-max 4 --steps 4 --best-by %s " SMALL " --out $DIR/%s && head -c 9000 "
                 "$DIR/%s/checkpoint.safetensors | tr ',' '\\n' | grep -a best_by",
                 ways[i], ways[i], ways[i]);
        cli_expect(line, 0, ways[i]);
    }
    cli_expect_sentence("$T train --resume $DIR/loss --best-by wer", 2, "--best-by wer contradicts the run in");
}
END_TEST

START_TEST(test_every_file_of_a_run_is_a_model)
{
    static const char *const names[] = {"model", "last", "checkpoint"};
    char line[512];
    cli_expect("$T train --task copy --task-max 4 --steps 20 --lr 0.01 --average 0.9 " SMALL " --out $DIR/run", 0, "");
    for (int i = 0; i < 3; i++) {
        snprintf(line, sizeof line,
                 "M=\"--model $DIR/run/%s.safetensors\"; $T info $DIR/run/%s.safetensors > $DIR/%s.info && "
                 "$T eval $M --task copy --task-max 4 --count 50 --json > $DIR/%s.eval && "
                 "printf 'abc\\n' | $T predict $M > $DIR/%s.predict && $T export $M --out $DIR/%s.export && echo done",
                 names[i], names[i], names[i], names[i], names[i], names[i]);
        cli_expect(line, 0, "done");
    }
    cli_expect("for k in info eval predict export; do cmp $DIR/last.$k $DIR/checkpoint.$k || exit 9; done; echo same",
               0, "same");
}
END_TEST

/* ---- Resumes ----------------------------------------------------------------------- */

/* Zeros as output projections are another run, which a resume goes on with by itself, and
 * which a model that is there cannot begin. */
START_TEST(test_zero_residual)
{
    static const char run[] = "$T train --task copy --task-max 4 --steps 20 --batch 16 " SMALL;
    char line[2048];
    snprintf(line, sizeof line,
             "%s --out $DIR/usual && %s --zero-residual --out $DIR/zero && "
             "%s --zero-residual --stop-at 10 --out $DIR/half; $T train --resume $DIR/half --quiet && "
             "cmp $DIR/zero/last.safetensors $DIR/half/last.safetensors && "
             "for r in zero usual; do $T export --model $DIR/$r/last.safetensors --out $DIR/$r.weights; done && "
             "! cmp -s $DIR/zero.weights $DIR/usual.weights && echo as meant", /* without metadata */
             run, run, run);
    cli_expect(line, 0, "as meant");
    cli_expect("$T train --from $DIR/usual --zero-residual --task copy --task-max 4 --out $DIR/x", 2,
               "--zero-residual needs a new model: that of --from has its values");
}
END_TEST

/* A longer run: a schedule with an end refuses and names the way out, one without goes
 * on. */
START_TEST(test_longer_runs)
{
    cli_expect("$T train --task copy --task-max 4 --steps 20 " SMALL " --out $DIR/cosine", 0, "");
    cli_expect("$T train --resume $DIR/cosine --steps 40 --quiet", 1,
               "the learning rate falls after step 1, to end at step 20, and the run is at step 20; lengthening it to "
               "40 steps would make the rate jump: begin a new run with this model (train --from ");
    cli_expect("$T train --task copy --task-max 4 --steps 20 --schedule inverse-sqrt " SMALL " --out $DIR/root;"
               "$T train --resume $DIR/root --steps 40 --quiet; tail -n 1 $DIR/root/log.jsonl",
               0, "{\"step\":40,");
    cli_expect("grep '^{\"step\":40,\"epoch' $DIR/root/log.jsonl", 0, "");
    ck_assert_double_eq_tol(number_after("\"rate\":"), 0.001 / sqrt(40), 1e-9); /* the warm-up is still 1 of 20 */
}
END_TEST

/* Which flags of a resumed run may be others: by the help, by the refusals, and in
 * fact. */
START_TEST(test_what_a_resume_may_change)
{
    static const char *const refused[] = {
        "--lr 0.01",
        "--batch 32",
        "--seed 2",
        "--schedule noam",
        "--optimizer adam",
        "--clip 2",
        "--warmup 3",
        "--floor 0.1",
        "--average 0.5",
        "--dropout 0.1",
        "--d-model 32",
        "--tied",
        "--task reverse",
        "--task-max 5",
        "--eval-sources 10",
        "--held-out 0.1",
        "--label-smoothing 0.1",
        "--accumulate 2",
    };
    enum { NAMED = 7 }; /* the others are what the run has */
    static const char *const taken[] = {"--steps 20",  "--eval-every 7", "--patience 100",     "--save-every 5",
                                        "--threads 1", "--quiet",        "--stop-at 19",       "--lr 0.001",
                                        "--batch 64",  "--task copy",    "--weight-decay 0.01", "--keep 2"};
    char line[512];
    cli_expect("$T train --task copy --task-max 4 --steps 20 --stop-at 10 " SMALL " --out $DIR/run", 0, "");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        snprintf(line, sizeof line, "$T train --resume $DIR/run %s --quiet", refused[i]);
        cli_expect_sentence(line, 2, refused[i]);
        ck_assert_msg(strstr(cli_output, "contradicts the run in") || strstr(cli_output, "is not set in the run in"),
                      "%s", cli_output);
        ck_assert_msg(strstr(cli_output, "a resume may change --pairs") != NULL, "%s", cli_output);
        ck_assert_msg(!strstr(cli_output, "run."), "%s", cli_output);
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        snprintf(line, sizeof line, "rm -rf $DIR/copy; cp -r $DIR/run $DIR/copy; $T train --resume $DIR/copy %s",
                 taken[i]);
        cli_expect(line, 0, "");
        if (i >= NAMED)
            continue;
        char name[64];
        ck_assert_int_eq(sscanf(taken[i], "%63s", name), 1);
        cli_expect("COLUMNS=1000 $T train --help | grep -e '  --resume'", 0, name);
    }
}
END_TEST

/* ---- Runs that end badly ----------------------------------------------------------- */

START_TEST(test_divergence)
{
    cli_expect("$T train --task copy --task-max 4 --steps 40 --lr 1000 --clip 0 --schedule constant --warmup 0 "
               "--optimizer sgd " SMALL " --out $DIR/far",
               1, "a lower learning rate may help, and a limit on the gradients' norm (--lr, --clip)");
    ck_assert_msg(!strstr(cli_output, "-nan"), "%s", cli_output);
    cli_expect("$T train --task copy --task-max 4 --steps 20 --lr 3 --schedule constant --warmup 0 " SMALL
               " --out $DIR/lost; grep -c '\"best\":true' $DIR/lost/log.jsonl; test -s $DIR/lost/model.safetensors",
               0, "0\n");
    cli_expect("$T train --resume $DIR/lost", 0, "no evaluation was better than guessing, whose loss is 3.4012: step ");
    cli_expect("$T eval --model $DIR/lost --task copy --task-max 4", 0, "no better than guessing, which has 3.4012");
    cli_expect("$T train --task copy --task-max 4 --steps 20 --lr 3 --schedule constant --warmup 0 --d-model 16 "
               "--heads 2 --layers 1 --threads 1 --out $DIR/shown",
               0, "(no better than guessing: 3.4012)");
    ck_assert_msg(!strstr(cli_output, "(best)"), "%s", cli_output);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli/runs");
    TCase *c = tcase_create("runs");
    tcase_add_checked_fixture(c, cli_set_up, cli_tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_scores_are_what_eval_finds);
    tcase_add_test(c, test_documented_defaults);
    tcase_add_test(c, test_documented_defaults_of_other_commands);
    tcase_add_test(c, test_helps_name_their_own_flags);
    tcase_add_test(c, test_defaults_that_depend);
    tcase_add_test(c, test_default_positions);
    tcase_add_test(c, test_defaults_in_the_log);
    tcase_add_test(c, test_context_within_max_length);
    tcase_add_test(c, test_flags_without_effect);
    tcase_add_test(c, test_presets_give_way);
    tcase_add_test(c, test_best_by);
    tcase_add_test(c, test_every_file_of_a_run_is_a_model);
    tcase_add_test(c, test_zero_residual);
    tcase_add_test(c, test_longer_runs);
    tcase_add_test(c, test_what_a_resume_may_change);
    tcase_add_test(c, test_divergence);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
