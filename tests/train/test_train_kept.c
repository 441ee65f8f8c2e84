/* test_train_kept.c - the models of a run's last checkpoints: which are kept, when old ones
 * go, and whose files are left alone. (tests/cli/test_cli_failing.c kills such a run at each
 * of its file calls.) */
#include "failing_calls.h"
#include "train_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { STEPS = 9, EVERY = 2 };

static train_options options_of(const train_fixture *f, int64_t keep)
{
    return (train_options){.steps = STEPS,
                           .batch = 8,
                           .average = 0.7,
                           .evaluate_every = 3, /* the best model's checkpoint is not kept */
                           .evaluate_sources = 4,
                           .save_every = EVERY,
                           .keep = keep,
                           .threads = 1,
                           .out = f->out};
}

static train_fixture new_fixture(void)
{
    return train_fixture_new("copy", 4, 4, NN_ENCODER, 8, 0.1);
}

/* Runs from the start, or resumes, with a model that knows nothing. */
static ag_status run(train_fixture *f, const train_options *options)
{
    ag_error error = {0};
    train_fixture_redraw(f, options->resume ? 100 : 7);
    ag_status status = train_run(f->model, f->training, f->dev, options, NULL, &error);
    ck_assert_msg(status == AG_OK || status == AG_INTERRUPTED, "%s", error.message);
    return status;
}

/* The folder has the kept models of these steps, up to a 0, and no others. */
static void expect_kept(const char *folder, const int *steps)
{
    int count = 0, found = 0;
    for (; steps[count]; count++) {
        char name[64];
        snprintf(name, sizeof name, "model-%06d.safetensors", steps[count]);
        ck_assert_msg(test_file_exists(folder, name), "there is no %s", name);
    }
    DIR *names = opendir(folder);
    ck_assert_ptr_nonnull(names);
    for (const struct dirent *entry; (entry = readdir(names));)
        found += !strncmp(entry->d_name, "model-", 6);
    closedir(names);
    ck_assert_int_eq(found, count);
}
#define EXPECT_KEPT(folder, ...) expect_kept(folder, (const int[]){__VA_ARGS__, 0})

static bool same_file(const char *folder_a, const char *name_a, const char *folder_b, const char *name_b)
{
    size_t sizes[2];
    char *a = test_file_read(folder_a, name_a, &sizes[0]), *b = test_file_read(folder_b, name_b, &sizes[1]);
    const bool same = sizes[0] == sizes[1] && !memcmp(a, b, sizes[0]);
    free(a);
    free(b);
    return same;
}

/* ---- Which ------------------------------------------------------------------------- */

/* The last models that save_every saves, and that of the end. Each is what
 * last.safetensors was at its step: the moving average. */
START_TEST(the_last_checkpoints_are_kept)
{
    train_fixture f = new_fixture();
    train_options options = options_of(&f, 3);
    char name[64];
    options.schedule = TRAIN_CONSTANT;
    ck_assert_int_eq(run(&f, &options), AG_OK);
    EXPECT_KEPT(f.out, 6, 8, 9);
    char *whole = f.out;
    f.out = test_path(f.folder, "stopped");
    options.out = f.out;
    options.keep = 0;
    for (int step = 6; step <= STEPS; step += step == 6 ? 2 : 1) {
        options.stop_at = step < STEPS ? step : 0;
        options.resume = step > 6;
        run(&f, &options);
        snprintf(name, sizeof name, "model-%06d.safetensors", step);
        ck_assert_msg(same_file(whole, name, f.out, "last.safetensors"), "%s", name);
    }
    EXPECT_KEPT(f.out, 0);
    free(whole);
    train_fixture_clear(&f);
}
END_TEST

START_TEST(patience_ends_with_a_kept_model)
{
    train_fixture f = new_fixture();
    train_options options = options_of(&f, 2);
    options.rate = 1e-300; /* no evaluation is better than the first */
    options.average = 0;
    options.patience = 1;
    options.steps = 100;
    options.save_every = 4;
    ck_assert_int_eq(run(&f, &options), AG_OK);
    EXPECT_KEPT(f.out, 4, 6);
    train_fixture_clear(&f);
}
END_TEST

/* ---- Resumes ----------------------------------------------------------------------- */

/* A stop's own checkpoint is none of the run's rhythm. */
START_TEST(stopped_anywhere)
{
    train_fixture f = new_fixture();
    train_options options = options_of(&f, 3);
    ck_assert_int_eq(run(&f, &options), AG_OK);
    char *whole = f.out;
    for (int step = 1; step < STEPS; step++) {
        char name[64];
        snprintf(name, sizeof name, "stopped-%d", step);
        options.out = f.out = test_path(f.folder, name);
        options.resume = false;
        options.stop_at = step;
        ck_assert_int_eq(run(&f, &options), AG_INTERRUPTED);
        options.resume = true;
        options.stop_at = 0;
        ck_assert_int_eq(run(&f, &options), AG_OK);
        EXPECT_KEPT(f.out, 6, 8, 9);
        for (int kept = 6; kept <= STEPS; kept += kept == 6 ? 2 : 1) {
            snprintf(name, sizeof name, "model-%06d.safetensors", kept);
            test_files_equal(whole, f.out, name);
        }
        free(f.out);
    }
    f.out = whole;
    train_fixture_clear(&f);
}
END_TEST

/* Another number at a resume: fewer are kept at once where the run stands at a step whose
 * model is kept, else with the next such step. A resume that keeps none leaves them. */
START_TEST(another_number_at_a_resume)
{
    train_fixture f = new_fixture();
    train_options options = options_of(&f, 4);
    options.stop_at = 8;
    ck_assert_int_eq(run(&f, &options), AG_INTERRUPTED);
    EXPECT_KEPT(f.out, 2, 4, 6, 8);
    options.resume = true;
    options.keep = 3;
    ck_assert_int_eq(run(&f, &options), AG_INTERRUPTED);
    EXPECT_KEPT(f.out, 4, 6, 8);
    options.stop_at = 0;
    options.keep = 0;
    ck_assert_int_eq(run(&f, &options), AG_OK);
    EXPECT_KEPT(f.out, 4, 6, 8);
    options.keep = 2;
    ck_assert_int_eq(run(&f, &options), AG_OK);
    EXPECT_KEPT(f.out, 8, 9);
    options.keep = 5;
    ck_assert_int_eq(run(&f, &options), AG_OK);
    EXPECT_KEPT(f.out, 8, 9);
    train_fixture_clear(&f);
}
END_TEST

/* A run that was killed after a checkpoint and before its model was kept: the resume keeps
 * it. */
START_TEST(killed_before_the_model_was_kept)
{
    train_fixture f = new_fixture();
    train_options options = options_of(&f, 2);
    options.stop_at = 6;
    ck_assert_int_eq(run(&f, &options), AG_INTERRUPTED);
    char *path = test_path(f.out, "model-000006.safetensors");
    ck_assert_int_eq(remove(path), 0);
    options.resume = true;
    ck_assert_int_eq(run(&f, &options), AG_INTERRUPTED);
    EXPECT_KEPT(f.out, 4, 6);
    free(path);
    train_fixture_clear(&f);
}
END_TEST

/* ---- Order ------------------------------------------------------------------------- */

static char *watched_folder;
static int most_kept, looks;

static int count_kept(void)
{
    int count = 0;
    for (int step = 1; step <= STEPS; step++) {
        char name[64];
        snprintf(name, sizeof name, "model-%06d.safetensors", step);
        count += test_file_exists(watched_folder, name);
    }
    return count;
}

/* Once there are as many as are to be kept, there are never fewer. */
static bool look_at_kept(const char *call, int descriptor)
{
    (void)descriptor;
    if (strcmp(call, "rename") != 0 && strcmp(call, "unlink") != 0)
        return false;
    test_on_file_call = NULL;
    const int count = count_kept();
    ck_assert_int_ge(count, most_kept < 2 ? most_kept : 2);
    most_kept = count > most_kept ? count : most_kept;
    looks++;
    test_on_file_call = look_at_kept;
    return false;
}

START_TEST(an_old_model_goes_after_the_new_one_came)
{
    train_fixture f = new_fixture();
    const train_options options = options_of(&f, 2);
    watched_folder = f.out;
    test_on_file_call = look_at_kept;
    ck_assert_int_eq(run(&f, &options), AG_OK);
    test_on_file_call = NULL;
    ck_assert_int_eq(most_kept, 3); /* the new one and two old ones */
    ck_assert_int_gt(looks, 10);
    ck_assert_int_eq(count_kept(), 2);
    train_fixture_clear(&f);
}
END_TEST

/* ---- Other files ------------------------------------------------------------------- */

/* Names that no run gives. */
static const char *const others[] = {"model-00001-of-00002.safetensors", "model-1.safetensors",
                                     "model-0000100.safetensors",        "model-000000.safetensors",
                                     "model--00100.safetensors",         "model-000100.safetensors.bak",
                                     "model-000100.json",                "model-9999999999999999999999.safetensors"};
enum { OTHERS = sizeof others / sizeof *others };

/* A folder with those, and a folder whose name a run gives to files. */
static void put_others(const char *folder)
{
    ck_assert_int_eq(mkdir(folder, 0777), 0);
    for (int i = 0; i < OTHERS; i++)
        free(test_file_write(folder, others[i], "mine", 4));
    char *inner = test_path(folder, "model-000300.safetensors");
    ck_assert_int_eq(mkdir(inner, 0777), 0);
    free(inner);
}

static void expect_others(const char *folder)
{
    for (int i = 0; i < OTHERS; i++)
        ck_assert_msg(test_file_exists(folder, others[i]), "%s is gone", others[i]);
    ck_assert(test_file_exists(folder, "model-000300.safetensors"));
}

static void remove_inner(const char *folder)
{
    char *inner = test_path(folder, "model-000300.safetensors");
    ck_assert_int_eq(remove(inner), 0);
    free(inner);
}

/* A new run removes the kept models of the run that it overwrites, as soon as it begins,
 * also where it keeps none; nothing else. */
START_TEST(a_new_run_removes_those_of_the_old)
{
    train_fixture f = new_fixture();
    train_options options = options_of(&f, 3);
    put_others(f.out);
    ck_assert_int_eq(run(&f, &options), AG_OK); /* they are no run: nothing is in the way */
    expect_others(f.out);
    for (int keep = 0; keep < 2; keep++) {
        free(test_file_write(f.out, "model-000100.safetensors", "old", 3));
        free(test_file_write(f.out, "model-1000000.safetensors", "old", 3));
        options.overwrite = true;
        options.stop_at = 3;
        options.keep = keep;
        ck_assert_int_eq(run(&f, &options), AG_INTERRUPTED);
        ck_assert(!test_file_exists(f.out, "model-000100.safetensors"));
        ck_assert(!test_file_exists(f.out, "model-1000000.safetensors"));
        ck_assert(!test_file_exists(f.out, "model-000009.safetensors"));
        ck_assert(test_file_exists(f.out, "model-000002.safetensors") == (keep == 1));
        expect_others(f.out);
    }
    remove_inner(f.out);
    train_fixture_clear(&f);
}
END_TEST

/* One that was killed before it removed them: its resume does. */
START_TEST(a_resume_removes_those_of_a_run_overwritten)
{
    train_fixture f = new_fixture();
    train_options options = options_of(&f, 2);
    options.stop_at = 3; /* where no model is kept, which removes others, too */
    ck_assert_int_eq(run(&f, &options), AG_INTERRUPTED);
    free(test_file_write(f.out, "model-000100.safetensors", "old", 3));
    options.resume = true;
    ck_assert_int_eq(run(&f, &options), AG_INTERRUPTED);
    EXPECT_KEPT(f.out, 2);
    train_fixture_clear(&f);
}
END_TEST

/* Kept models alone are a reason to refuse a folder; a saved model that replaces a run
 * removes them. */
START_TEST(a_folder_with_kept_models_is_in_use)
{
    train_fixture f = new_fixture();
    ag_error error = {0};
    put_others(f.out);
    ck_assert_int_eq(train_folder_check(f.out, false, NULL), AG_OK);
    free(test_file_write(f.out, "model-000100.safetensors", "old", 3));
    ck_assert_int_eq(train_folder_check(f.out, false, &error), AG_BAD_VALUE);
    ck_assert_msg(strstr(error.message, "already holds models of a run: overwrite them (--overwrite)"), "%s",
                  error.message);
    const train_saved saved = {.model = f.model,
                               .source_vocab = (data_vocab *)(uintptr_t)data_set_source_vocab(f.training),
                               .target_vocab = (data_vocab *)(uintptr_t)data_set_target_vocab(f.training)};
    ck_assert_int_eq(train_saved_save(&saved, f.out, false, NULL), AG_BAD_VALUE);
    ck_assert_int_eq(train_saved_save(&saved, f.out, true, NULL), AG_OK);
    ck_assert(!test_file_exists(f.out, "model-000100.safetensors"));
    ck_assert(test_file_exists(f.out, "model.safetensors"));
    expect_others(f.out);
    remove_inner(f.out);
    train_fixture_clear(&f);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/kept");
    TCase *t = tcase_create("kept");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, the_last_checkpoints_are_kept);
    tcase_add_test(t, patience_ends_with_a_kept_model);
    tcase_add_test(t, stopped_anywhere);
    tcase_add_test(t, another_number_at_a_resume);
    tcase_add_test(t, killed_before_the_model_was_kept);
    tcase_add_test(t, an_old_model_goes_after_the_new_one_came);
    tcase_add_test(t, a_new_run_removes_those_of_the_old);
    tcase_add_test(t, a_resume_removes_those_of_a_run_overwritten);
    tcase_add_test(t, a_folder_with_kept_models_is_in_use);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
