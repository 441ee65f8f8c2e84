/* test_cli_from.c - tapeformer train --from: a run that begins with a model that is
 * there. */
#include "cli_util.h"
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define GPT2  "tests/reference/gpt2.safetensors"
#define QUICK " --batch 16 --threads 1 --quiet"

/* A model with nothing left at its default, in $DIR/odd. */
#define ODD                                                                                                            \
    "--d-model 12 --heads 3 --encoder-layers 2 --decoder-layers 1 --ffn 20 --max-length 40 --activation gated-silu "   \
    "--norm rms --post-norm --norm-eps 0.001 --embedding-scale 2 --positions learned --no-bias --tied"

/* The number that a command prints. */
static double number_of(const char *command)
{
    ck_assert_msg(cli_run(command) == 0, "%s: %s", command, cli_output);
    char *end;
    double number = strtod(cli_output, &end);
    ck_assert_msg(end != cli_output, "%s: %s", command, cli_output);
    return number;
}

static void expect_unchanged(void)
{
    cli_expect("diff -r $DIR/run $DIR/kept && echo unchanged", 0, "unchanged");
}

static void train_and_keep(void)
{
    cli_train_tiny();
    cli_expect("cp -r $DIR/run $DIR/kept", 0, "");
}

/* The first loss of the new run is the old model's on those pairs; the steps are counted
 * from 1 again. */
START_TEST(test_begins_with_the_model)
{
    train_and_keep();
    cli_write("pairs.tsv", "abc\tabc\nbcd\tbcd\ncab\tcab\nd\td\n");
    cli_expect("$T train --from $DIR/run --pairs $DIR/pairs.tsv --dev $DIR/pairs.tsv --steps 1" QUICK
               " --out $DIR/tuned",
               0, "");
    double loss = number_of("sed -n '1s/^{\"step\":1,.*\"loss\":\\([^,]*\\),.*/\\1/p' $DIR/tuned/log.jsonl");
    double was = number_of("$T eval --model $DIR/run --pairs $DIR/pairs.tsv --json | sed 's/.*\"loss\": //'");
    ck_assert_msg(fabs(loss - was) < PRECISION(1e-8, 1e-6) * was, "%.9g, was %.9g", loss, was);
    expect_unchanged();
    /* a step of nearly no length leaves the model where it was */
    cli_expect("$T train --from $DIR/run --task copy --task-max 4 --steps 1 --lr 1e-12" QUICK " --out $DIR/still", 0,
               "");
    double still = number_of("$T eval --model $DIR/still --pairs $DIR/pairs.tsv --json | sed 's/.*\"loss\": //'");
    ck_assert_msg(fabs(still - was) < 1e-6 * was, "%.9g, was %.9g", still, was);
}
END_TEST

/* If a given model's first batch is not finite, the message does not blame the learning
 * rate. */
START_TEST(test_a_model_that_overflows)
{
    char path[512];
    ag_error error = {0};
    train_saved saved;
    cli_train_tiny();
    snprintf(path, sizeof path, "%s/run", cli_folder);
    ck_assert_msg(train_saved_load(&saved, path, &error) == AG_OK, "%s", error.message);
    const nn_param *output = &saved.model->params.items[nn_params_find(&saved.model->params, "output.weight")];
    for (int64_t i = 0; i < output->size; i++)
        saved.model->params.value[output->offset + i] = PRECISION(1e308, 1e38f);
    ck_assert_msg(train_saved_save(&saved, path, true, &error) == AG_OK, "%s", error.message);
    train_saved_clear(&saved);
    cli_expect("$T train --from $DIR/run --task copy --task-max 4 --steps 1" QUICK " --out $DIR/tuned", 1, "step 1: ");
    ck_assert_msg(!strstr(cli_output, "--lr") && !strstr(cli_output, "learning rate"), "%s", cli_output);
}
END_TEST

START_TEST(test_learns_another_task)
{
    train_and_keep();
    double before = number_of("$T eval --model $DIR/run --task reverse --task-max 4 --json | sed 's/.*\"loss\": //'");
    cli_expect("$T train --from $DIR/run --task reverse --task-max 4 --steps 200 --lr 0.01" QUICK " --out $DIR/tuned; "
               "for d in run tuned; do $T info $DIR/$d | grep -v ^task > $DIR/$d.info; done; "
               "cmp $DIR/run.info $DIR/tuned.info && echo like",
               0, "like");
    double after = number_of("$T eval --model $DIR/tuned --task reverse --task-max 4 --json | sed 's/.*\"loss\": //'");
    ck_assert_msg(after < 0.8 * before, "%g, before %g", after, before);
    expect_unchanged();
}
END_TEST

/* All of the configuration, and the vocabularies, are the model's. */
START_TEST(test_takes_the_configuration)
{
    cli_write("pairs.tsv", "ab c\tx y\nb a\ty x\nc\tz\n");
    cli_write("fewer.tsv", "b\tz\nb b\tz\n");
    cli_expect(
        "$T train --pairs $DIR/pairs.tsv --dev $DIR/pairs.tsv --tgt-tokens words --steps 2 --dropout 0.3 " ODD QUICK
        " --out $DIR/odd; $T info $DIR/odd | tee $DIR/a",
        0, "target           7 tokens (words)");
    cli_expect("$T train --from $DIR/odd --pairs $DIR/fewer.tsv --dev $DIR/pairs.tsv --steps 2" QUICK
               " --out $DIR/tuned; "
               "$T info $DIR/tuned | diff - $DIR/a && echo like",
               0, "like");
    cli_expect(
        "$T train --from $DIR/odd --pairs $DIR/pairs.tsv --dev $DIR/fewer.tsv --steps 2 --tgt-tokens words " ODD QUICK
        " --dropout 0.1 --out $DIR/said; $T info $DIR/said | diff - $DIR/a",
        1, "< dropout          0.1");
    ck_assert_ptr_null(strchr(strchr(cli_output, '<') + 1, '<'));
    /* what the file of the weights says is the same as the folder */
    cli_expect("$T train --from $DIR/odd/model.safetensors --pairs $DIR/fewer.tsv --dev $DIR/pairs.tsv --steps 2" QUICK
               " --out $DIR/again; for d in tuned again; do $T export --model $DIR/$d --out $DIR/$d.out; done; "
               "cmp $DIR/tuned.out $DIR/again.out && echo same",
               0, "same");
}
END_TEST

START_TEST(test_contradictions)
{
    static const char *const cases[][2] = {
        {"--d-model 16", "--d-model 16 contradicts the model in"},
        {"--heads 4", "where it is 3"},
        {"--layers 2", "--layers 2 contradicts"},
        {"--layers 1", "where it is 2"},
        {"--encoder-layers 1", "where it is 2"},
        {"--decoder-layers 2", "where it is 1"},
        {"--ffn 48", "where it is 20"},
        {"--max-length 41", "where it is 40"},
        {"--activation relu", "--activation relu contradicts"},
        {"--norm layer", "where it is rms"},
        {"--norm-eps 1e-5", "where it is 0.001"},
        {"--embedding-scale 3", "where it is 2"},
        {"--positions rotary", "where it is learned"},
        {"--model encoder", "where it is encoder-decoder"},
        {"--src-tokens words", "where it is chars"},
        {"--tgt-tokens chars", "where it is words"},
        {"--preset g2p", "contradicts the model in"},
        {"--resume $DIR/odd", "--from and --resume exclude each other"},
        {"--task copy", "--task, --pairs, --source, --conllu, --blocks and --text exclude each other"},
    };
    cli_write("pairs.tsv", "ab c\tx y\nb a\ty x\nc\tz\n");
    cli_expect("$T train --pairs $DIR/pairs.tsv --tgt-tokens words --steps 2 " ODD QUICK " --out $DIR/odd", 0, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[512];
        snprintf(line, sizeof line, "$T train --from $DIR/odd --pairs $DIR/pairs.tsv --steps 1 %s%s", cases[i][0],
                 strstr(cases[i][0], "resume") ? "" : " --out $DIR/x");
        cli_expect_sentence(line, 2, cases[i][1]);
    }
    cli_train_tiny();
    cli_expect_sentence("$T train --from $DIR/run --task copy --steps 1 --tied --out $DIR/x", 2,
                        "--tied is not set in the model in");
    cli_expect_sentence("$T train --from $DIR/run --task copy --steps 1 --post-norm --out $DIR/x", 2,
                        "--post-norm is not set in the model in");
    cli_expect_sentence("$T train --from $DIR/run --task copy --steps 1 --no-bias --out $DIR/x", 2, "--no-bias");
    cli_expect_sentence("$T train --from $DIR/run --task copy --steps 1 --layers 2 --out $DIR/x", 2, "where it is 1");
    cli_expect_sentence("$T train --from $DIR/run --text $DIR/pairs.tsv --out $DIR/x", 2, "reads pairs");
    cli_expect_sentence("$T train --from $DIR/run --out $DIR/x", 2, "nothing to train on");
    cli_expect_sentence("$T train --from $DIR/none --task copy --out $DIR/x", 1, "none: cannot open");
    cli_expect_sentence("$T train --resume $DIR/run --d-model 32", 2, "--d-model 32 contradicts the run in");
    cli_expect("test ! -e $DIR/x && echo none", 0, "none");
}
END_TEST

/* A new run has a folder of its own. */
START_TEST(test_the_model_is_not_written_over)
{
    train_and_keep();
    cli_expect_sentence("$T train --from $DIR/run --task copy --task-max 4 --steps 2" QUICK " --out $DIR/run", 1,
                        "already holds a run");
    cli_expect_sentence("cd $DIR/run && $T train --from . --task copy --task-max 4 --steps 2" QUICK " --out ../run/", 1,
                        "already holds a run");
    cli_expect("cd $DIR && $T train --from run --task copy --task-max 4 --steps 2" QUICK, 1, "run already holds a run");
    cli_expect("mkdir $DIR/in && cp $DIR/run/model.safetensors $DIR/in/ && $T train --from $DIR/in/model.safetensors "
               "--task copy --task-max 4 --steps 2" QUICK " --out $DIR/in",
               1, "already holds a model");
    cli_expect("ls $DIR/in | wc -l", 0, "1");
    expect_unchanged();
}
END_TEST

/* Symbols and lengths that the model does not know. */
START_TEST(test_data_that_does_not_fit)
{
    cli_train_tiny();
    cli_write("some.tsv", "abc\tABC\nabX\tabc\ncab\tcab\n");
    cli_expect("$T train --from $DIR/run --pairs $DIR/some.tsv --dev $DIR/some.tsv --steps 2" QUICK " --out $DIR/some",
               0, "note: 1 of 9 source tokens is not in the model's vocabulary and is read as <unk>\n");
    ck_assert_ptr_nonnull(strstr(cli_output, "note: 3 of 9 target tokens are not"));
    cli_write("none.tsv", "abc\tABC\nabX\tDEF\n");
    cli_expect_sentence("$T train --from $DIR/run --pairs $DIR/none.tsv --dev $DIR/none.tsv --out $DIR/x" QUICK, 1,
                        "none of the 6 target tokens is in the vocabulary of the model in");
    ck_assert_ptr_nonnull(strstr(cli_output, "whose first is 'a'"));
    cli_expect("{ printf 'a\\ta\\nb\\tb\\n'; head -c 99 /dev/zero | tr '\\0' a; printf '\\tb\\n'; } > $DIR/long.tsv", 0, "");
    cli_expect_sentence("$T train --dry-run --from $DIR/run --pairs $DIR/long.tsv --out $DIR/x" QUICK, 0,
                        "long.tsv:3: pairs are left out from here on: 1 longer than --max-length "
                        "64");
    cli_expect_sentence("$T train --from $DIR/run --task copy --task-min 70 --task-max 80 --out $DIR/x" QUICK, 1,
                        "more than the limit of 64");
    cli_expect("test ! -e $DIR/x && echo none", 0, "none");
}
END_TEST

/* GPT-2's layout, which comes without a vocabulary: its tokens are their own numbers. */
START_TEST(test_an_imported_language_model)
{
    cli_expect("$T import " GPT2 " --layout gpt2 --heads 3 --out $DIR/gpt2 && cp -r $DIR/gpt2 $DIR/kept", 0, "");
    cli_expect("seq 1 400 | awk '{ printf \"%d \", 4 + $1 % 7 }' > $DIR/ids; seq 500 900 | tr '\\n' ' ' > $DIR/words",
               0, "");
    cli_expect_sentence("$T train --from $DIR/gpt2 --text $DIR/words" QUICK " --out $DIR/x", 1,
                        "tokens is in the vocabulary of the model in");
    ck_assert_ptr_nonnull(strstr(cli_output, "whose first is '0'"));
    cli_expect_sentence("{ echo 11; cat $DIR/ids; } > $DIR/one; $T train --from $DIR/gpt2 --text $DIR/one" QUICK " --out $DIR/x",
                        1, "is not in the model's vocabulary, which has no mark for unknown tokens");
    cli_expect_sentence("$T train --from $DIR/gpt2 --task copy" QUICK " --out $DIR/x", 2, "is a language model");
    cli_expect_sentence("$T train --from $DIR/gpt2 --text $DIR/ids --context 10" QUICK " --out $DIR/x", 1,
                        "windows of 10 tokens are longer than the limit of 9");
    double before = number_of("$T eval --model $DIR/gpt2 --text $DIR/ids --json | sed 's/.*\"loss\": //'");
    cli_expect("$T train --from $DIR/gpt2 --text $DIR/ids --steps 60 --lr 0.003" QUICK " --out $DIR/tuned", 0, "");
    double after = number_of("$T eval --model $DIR/tuned --text $DIR/ids --json | sed 's/.*\"loss\": //'");
    ck_assert_msg(after < 0.8 * before, "%g, before %g", after, before);
    cli_expect("diff -r $DIR/gpt2 $DIR/kept && echo unchanged", 0, "unchanged");
    cli_expect("$T export --model $DIR/tuned --layout gpt2 --out $DIR/out.safetensors", 0, "");
}
END_TEST

/* Interrupted and resumed without the model that it began with: the bytes of a run that
 * was left alone. */
static void check_resume(const char *flags)
{
    char line[1024];
    snprintf(line, sizeof line,
             "mkdir $DIR/r && cp -r $DIR/start $DIR/r/start && cd $DIR/r && "
             "$T train --from start %s" QUICK " --out whole",
             flags);
    cli_expect(line, 0, "");
    snprintf(line, sizeof line,
             "cd $DIR/r && $T train --from start %s" QUICK " --stop-at 17 --out parts && rm -r start", flags);
    cli_expect(line, 0, "--resume");
    cli_expect_sentence("cd $DIR/r && $T train --resume parts --dropout 0.3 --quiet", 2,
                        "--dropout 0.3 contradicts the run in parts, where it is 0.1");
    cli_expect("cd $DIR/r && $T train --resume parts --threads 2 --quiet", 0, "");
    cli_expect("cd $DIR/r && for f in model checkpoint last; do cmp whole/$f.safetensors parts/$f.safetensors; done && "
               "rm -r $DIR/r && echo same",
               0, "same");
}

START_TEST(test_resume)
{
    cli_write("pairs.tsv", "ab\tba\nbc\tcb\nca\tac\nabcd\tdcba\nabc\tcbX\n");
    cli_expect("$T train --task copy --task-max 4 --steps 20 " CLI_TINY " --out $DIR/start", 0, "");
    check_resume("--task reverse --task-max 4 --dropout 0.1 --average 0.9 --steps 30 --eval-every 10");
    check_resume("--pairs $DIR/pairs.tsv --dropout 0.1 --steps 30 --eval-every 10");
    cli_expect("rm -r $DIR/start; $T import " GPT2 " --layout gpt2 --heads 3 --dropout 0.1 --out $DIR/start; "
               "seq 1 400 | awk '{ printf \"%d \", 4 + $1 % 7 }' > $DIR/ids",
               0, "");
    check_resume("--text $DIR/ids --steps 30 --eval-every 10"); /* with the model's own dropout and context */
}
END_TEST

/* A model without a checkpoint, as import makes it, is begun with, and not resumed. */
START_TEST(test_resume_of_a_model_alone)
{
    cli_train_tiny();
    cli_expect("mkdir $DIR/alone $DIR/nothing && cp $DIR/run/model.safetensors $DIR/alone", 0, "");
    cli_expect_sentence("$T train --resume $DIR/alone", 1,
                        "/alone/checkpoint.safetensors: cannot open: No such file or directory (the folder holds a "
                        "model and no run: train --from /");
    cli_expect("$T train --resume $DIR/nothing", 1, "checkpoint.safetensors: cannot open: No such file or directory\n");
    cli_expect("$T train --resume $DIR/none", 1, "checkpoint.safetensors: cannot open: No such file or directory\n");
}
END_TEST

/* The flags of a run that began with --from do not contradict the model in its
 * checkpoint, odd as they may be. */
START_TEST(test_resume_of_a_run_of_its_own)
{
    cli_expect("seq 1 300 | tr '\\n' ' ' > $DIR/text; $T train --text $DIR/text --encoder-layers 3 "
               "--max-length 32 --context 16 --d-model 12 --heads 3 --steps 4 --stop-at 2" QUICK " --out $DIR/lm; "
               "$T train --resume $DIR/lm --quiet && echo done",
               0, "done");
    cli_expect("$T train --preset g2p --task copy --task-max 4 --model encoder --decoder-layers 5 --ffn 20 "
               "--norm-eps 0.1 --d-model 12 --heads 3 --steps 4 --stop-at 2" QUICK " --out $DIR/tags; "
               "$T train --resume $DIR/tags --quiet && echo done",
               0, "done");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli/from");
    TCase *c = tcase_create("from");
    tcase_add_checked_fixture(c, cli_set_up, cli_tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_begins_with_the_model);
    tcase_add_test(c, test_a_model_that_overflows);
    tcase_add_test(c, test_learns_another_task);
    tcase_add_test(c, test_takes_the_configuration);
    tcase_add_test(c, test_contradictions);
    tcase_add_test(c, test_the_model_is_not_written_over);
    tcase_add_test(c, test_data_that_does_not_fit);
    tcase_add_test(c, test_an_imported_language_model);
    tcase_add_test(c, test_resume);
    tcase_add_test(c, test_resume_of_a_run_of_its_own);
    tcase_add_test(c, test_resume_of_a_model_alone);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
