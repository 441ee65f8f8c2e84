/* test_cli_ensemble.c - --model a,b,c: several models that answer as one. */
#include "cli_util.h"

#include <stdio.h>
#include <string.h>

/* Runs $DIR/a, $DIR/b and $DIR/c on one file of pairs, of different sizes and seeds. */
static void train_committee(const char *flags)
{
    char line[1024];
    cli_write("pairs.tsv", "abc\tcba\nba\tab\nca\tac\nabab\tbaba\ncab\tbac\n");
    cli_write("sources.txt", "abc\nba\nca\nabab\ncab\n");
    for (int i = 0; i < 3; i++) {
        snprintf(line, sizeof line,
                 "$T train --pairs $DIR/pairs.tsv --dev $DIR/pairs.tsv --steps 80 --lr 0.02 --seed %d --threads 1 "
                 "--d-model 16 --layers 1 --ffn 16 --batch 16 --dropout 0 --eval-sources 20 --quiet --heads %d %s --out $DIR/%c",
                 i + 1, i + 1 == 3 ? 4 : i + 1, flags, 'a' + i);
        cli_expect(line, 0, "");
    }
}

START_TEST(test_the_mean_of_three)
{
    train_committee("");
    /* eval measures what predict prints: five answers that are right, and one that is not */
    cli_expect("(cat $DIR/pairs.tsv; printf 'bab\\tccccc\\n') > $DIR/judged.tsv;"
               "cut -f 1 $DIR/judged.tsv | $T predict --model $DIR/a,$DIR/b,$DIR/c --beam 3 > $DIR/answers;"
               "cut -f 2 $DIR/judged.tsv | paste - $DIR/answers | awk '$1 == $2 { n++ } END { print n + 0 }' > $DIR/right;"
               "$T eval --model $DIR/a,$DIR/b,$DIR/c --beam 3 --pairs $DIR/judged.tsv |"
               "awk '/^exact/ { printf \"%.0f\\n\", $3 * 6 / 100 }' | cmp - $DIR/right && cat $DIR/right",
               0, "5\n");
    /* the mean is another model than each of the three */
    cli_expect("for m in $DIR/a $DIR/b $DIR/c $DIR/a,$DIR/b,$DIR/c; do"
               " $T eval --model $m --pairs $DIR/pairs.tsv --json; done | sort -u | wc -l",
               0, "4");
    cli_expect("$T eval --model $DIR/a --pairs $DIR/pairs.tsv --beam 2 --json > $DIR/1;"
               "$T eval --model $DIR/a,$DIR/a,$DIR/a/last.safetensors,$DIR/a --pairs $DIR/pairs.tsv --beam 2 --json |"
               "cmp - $DIR/1 && echo alike",
               0, "alike");
    cli_expect("for n in 1 2 4; do $T predict --model $DIR/a,$DIR/b --scores --beam 2 --best 2 --threads $n "
               "$DIR/sources.txt > $DIR/out$n; done; cmp $DIR/out1 $DIR/out2 && cmp $DIR/out1 $DIR/out4 && echo alike",
               0, "alike");
}
END_TEST

START_TEST(test_taggers)
{
    train_committee("--model encoder");
    cli_expect("$T predict --model $DIR/a,$DIR/b,$DIR/c $DIR/sources.txt | awk '{ print length($1) }' | tr '\\n' ' '", 0,
               "3 2 2 4 3");
    cli_expect("$T eval --model $DIR/a,$DIR/b --pairs $DIR/pairs.tsv", 0, "exact match");
}
END_TEST

START_TEST(test_texts)
{
    cli_train_three();
    cli_expect("$T train --text $DIR/text --context 16 --steps 20 --seed 2 " CLI_TINY " --out $DIR/other", 0, "");
    cli_expect("$T eval --model $DIR/lm,$DIR/other --text $DIR/text", 0, "loss");
    cli_expect("$T generate --model $DIR/lm,$DIR/other --length 60 --prompt the | head -c 3", 0, "the");
    cli_expect("$T generate --model $DIR/lm,$DIR/lm --length 60 > $DIR/twice; $T generate --model $DIR/lm --length 60 |"
               "cmp - $DIR/twice && echo alike",
               0, "alike");
}
END_TEST

/* A folder whose name has a comma, alone and in a list. */
START_TEST(test_commas)
{
    train_committee("");
    cli_expect("cd $DIR; mkdir x; cp -r a a,b; cp -r c x/c,; for m in a,b ./a,./b a,b,c ./a,./b,c x/c, b,x/c,,a; do"
               " $T eval --model $m --pairs pairs.tsv --json > \"out-$(echo $m | tr / _)\"; done;"
               "$T eval --model a --pairs pairs.tsv --json | cmp - out-a,b &&"          /* the folder a,b */
               "! cmp -s out-a,b out-._a,._b &&"                                        /* two folders */
               "$T eval --model ./a,c --pairs pairs.tsv --json | cmp - out-a,b,c &&"    /* a,b and c */
               "$T eval --model c --pairs pairs.tsv --json | cmp - out-x_c, &&"         /* c, */
               "$T eval --model b,c,./a --pairs pairs.tsv --json | cmp - out-b,x_c,,a && echo alike",
               0, "alike");
    cli_expect_sentence("cd $DIR; $T eval --model a, --pairs pairs.tsv", 2, "a,: a name is missing");
    cli_expect_sentence("cd $DIR; $T predict --model ,a < /dev/null", 2, ",a: a name is missing");
    cli_expect_sentence("cd $DIR; $T predict --model b,,a < /dev/null", 2, "b,,a: a name is missing");
}
END_TEST

START_TEST(test_models_that_do_not_go_together)
{
    train_committee("");
    cli_write("others.tsv", "xyz\tzyx\nyx\txy\nzx\txz\n");
    cli_train_three();
    cli_expect("cd $DIR; $T train --pairs others.tsv --dev others.tsv --steps 1 --out other " CLI_TINY, 0, "");
    cli_expect_sentence("cd $DIR; $T eval --model a,b,other --pairs pairs.tsv", 1,
                        "a and other differ in the source vocabulary, where token 4 is 'a' and 'x'");
    cli_expect_sentence("cd $DIR; $T predict --model tags,a sources.txt", 1,
                        "tags and a are models of different kinds: they need to be of one kind");
    cli_expect_sentence("cd $DIR; $T generate --model lm,a", 1, "lm and a are models of different kinds");
    cli_expect_sentence("cd $DIR; $T eval --model a,nowhere --pairs pairs.tsv", 1, "nowhere");
    cli_expect_sentence("cd $DIR; $T predict --model lm,lm sources.txt", 2, "use tapeformer generate");
}
END_TEST

/* Numbers that are no numbers, in one of the models. */
START_TEST(test_the_bad_model_is_named)
{
    cli_train_tiny();
    cli_spoil("bad", "output.bias", (ag_real)NAN);
    cli_expect_sentence("cd $DIR; echo abc | $T predict --model run,bad", 1, "bad: generation: the logits of row 0");
    cli_expect_sentence("cd $DIR; $T eval --model run,bad --task reverse", 1,
                        "bad: the loss of an evaluation is nan: linear");
    cli_expect_sentence("cd $DIR; echo abc | $T predict --model bad", 1, "predict: generation: the logits of row 0");
}
END_TEST

/* The mean of a model with itself is the model. */
START_TEST(test_average)
{
    cli_train_tiny();
    cli_expect("cd $DIR; $T average run run run/model.safetensors --out same && for m in run same; do "
               "$T export --model $m --out $m.weights; done; cmp run.weights same.weights && echo alike",
               0, "alike");
    cli_expect("cd $DIR; $T average run run/last.safetensors run/checkpoint.safetensors --out mean; "
               "$T eval --model mean --task reverse",
               0, "loss");
    cli_expect_sentence("cd $DIR; $T average run run --out mean", 1, "mean already holds a model");
    cli_expect("cd $DIR; $T average run run --out mean --overwrite", 0, "saved: mean/model.safetensors");
    cli_expect_sentence("cd $DIR; $T average run --out other", 2, "Give two models or more");
    cli_expect_sentence("cd $DIR; $T average run run", 2, "Give --out DIR");
    cli_expect_sentence("cd $DIR; $T average run nowhere --out other", 1, "nowhere");
    cli_expect("test -e $DIR/other || echo none", 0, "none");
}
END_TEST

/* The models that a run keeps are those of its last checkpoints, and their mean is made of
 * all of them. */
START_TEST(test_average_of_kept_models)
{
    cli_expect("cd $DIR; $T train --task copy --task-max 4 --steps 9 --save-every 2 --keep 3 " CLI_TINY
               " --stop-at 5 --out run",
               0, "stopped after step 5");
    cli_expect("cd $DIR; $T train --resume run; ls run/model-*; cmp run/model-000009.safetensors run/last.safetensors",
               0, "run/model-000006.safetensors\nrun/model-000008.safetensors\nrun/model-000009.safetensors\n");
    cli_expect("cd $DIR; $T average run/model-*.safetensors --out mean", 0, "model: the mean of 3");
    cli_expect("cd $DIR; $T average run/model-000006.safetensors run/model-000008.safetensors run/last.safetensors "
               "--out again; cmp mean/model.safetensors again/model.safetensors && $T eval --model mean --task copy",
               0, "loss");
    /* the mean is another model than each of the three */
    cli_expect("cd $DIR; for m in mean/model run/model-000006 run/model-000008 run/last; do "
               "$T export --model $m.safetensors --out weights; cksum < weights; done | sort -u | grep -c ' '",
               0, "4\n");
    cli_expect_sentence("cd $DIR; $T average run/model-*.safetensors --out run --overwrite", 2,
                        "write to another folder");
    cli_expect_sentence("cd $DIR/run; $T average last.safetensors ../mean --out ../run --overwrite", 2,
                        "write to another folder");
    cli_expect("cd $DIR; $T train --resume run --keep 1; ls run/model-*", 0, "run/model-000009.safetensors\n");
    ck_assert_ptr_null(strstr(cli_output, "model-000008"));
    cli_expect("cd $DIR; $T train --task copy --task-max 4 --steps 3 " CLI_TINY " --overwrite --out run; ls run", 0,
               "last.safetensors");
    ck_assert_ptr_null(strstr(cli_output, "model-0"));
    cli_expect_sentence("cd $DIR; $T train --task copy --keep -1 --out other", 2, "--keep -1");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_ensemble");
    TCase *t = tcase_create("ensemble");
    tcase_add_checked_fixture(t, cli_set_up, cli_tear_down);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_the_mean_of_three);
    tcase_add_test(t, test_taggers);
    tcase_add_test(t, test_texts);
    tcase_add_test(t, test_commas);
    tcase_add_test(t, test_models_that_do_not_go_together);
    tcase_add_test(t, test_the_bad_model_is_named);
    tcase_add_test(t, test_average);
    tcase_add_test(t, test_average_of_kept_models);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
