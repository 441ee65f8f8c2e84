/* test_train_average.c - the mean of models' weights, element by element. */
#include "train_fixture.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const nn_model_config small = {.d_model = 8, .heads = 2, .encoder_layers = 1, .decoder_layers = 1};

START_TEST(the_mean_of_each_element)
{
    char *folder = test_folder_new(), *paths[3];
    nn_model *models[3];
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        nn_model_config config = small;
        config.dropout = 0.1 * i; /* may differ */
        paths[i] = train_fixture_save(folder, names[i], config, DATA_CHARS, "xyz", "xyz", (uint64_t)i + 1, &models[i]);
    }
    for (int count = 1; count <= 3; count++) {
        train_saved mean;
        ag_error error = {0};
        ck_assert_msg(train_average(&mean, (const char *const *)paths, count, &error) == AG_OK, "%s", error.message);
        ck_assert_int_eq(mean.model->params.size, models[0]->params.size);
        ck_assert_int_eq(data_vocab_size(mean.source_vocab), 7);
        for (int64_t e = 0; e < mean.model->params.size; e++) {
            long double sum = 0, sizes = 0;
            for (int i = 0; i < count; i++) {
                sum += (long double)models[i]->params.value[e];
                sizes += fabsl((long double)models[i]->params.value[e]);
            }
            const long double difference = fabsl((long double)mean.model->params.value[e] - sum / count);
            ck_assert(difference <= 2 * PRECISION(DBL_EPSILON, FLT_EPSILON) * sizes);
        }
        train_saved_clear(&mean);
    }
    for (int i = 0; i < 3; i++) {
        nn_model_free(models[i]);
        free(paths[i]);
    }
    test_folder_remove(folder);
}
END_TEST

START_TEST(models_that_differ_are_refused)
{
    nn_model_config wide = small, post = small, tags = small;
    wide.d_model = 16;
    post.post_norm = true;
    tags.kind = NN_ENCODER;
    const struct {
        nn_model_config config;
        const char *letters, *says;
    } others[] = {
        {wide, "xyz", "differ in d_model, 8 and 16"},
        {post, "xyz", "differ in post_norm"},
        {small, "xzy", "differ in the source vocabulary, where token 5 is 'y' and 'z'"},
        {tags, "xyz", " are models of different kinds"},
    };
    char *folder = test_folder_new();
    char *first = train_fixture_save(folder, "first", small, DATA_CHARS, "xyz", "xyz", 1, NULL);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char name[] = {(char)('a' + i), 0};
        char *other = train_fixture_save(folder, name, others[i].config, DATA_CHARS, others[i].letters,
                                         others[i].letters, 2, NULL);
        const char *paths[] = {first, first, other};
        train_saved mean;
        ag_error error = {0};
        ck_assert_int_eq(train_average(&mean, paths, 3, &error), AG_BAD_VALUE);
        ck_assert_msg(strstr(error.message, others[i].says) && strstr(error.message, "first"), "%s", error.message);
        ck_assert_ptr_null(mean.model);
        free(other);
    }
    train_saved mean;
    ck_assert_int_eq(train_average(&mean, NULL, 0, NULL), AG_BAD_VALUE);
    free(first);
    test_folder_remove(folder);
}
END_TEST

START_TEST(each_allocation_may_fail)
{
    char *folder = test_folder_new();
    char *path = train_fixture_save(folder, "first", small, DATA_CHARS, "xyz", "xyz", 1, NULL);
    const char *paths[] = {path, path};
    int failed = 0;
    for (ag_status status = AG_NO_MEMORY; status != AG_OK;) {
        train_saved mean;
        ag_error error = {0};
        test_fail_allocation(++failed);
        status = train_average(&mean, paths, 2, &error);
        test_fail_allocation(0);
        ck_assert_msg(status == AG_OK || status == AG_NO_MEMORY, "allocation %d: %s", failed, error.message);
        ck_assert_int_eq(error.status, status);
        train_saved_clear(&mean);
    }
    ck_assert_int_gt(failed, 30);
    free(path);
    test_folder_remove(folder);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train/average");
    TCase *t = tcase_create("average");
    tcase_add_test(t, the_mean_of_each_element);
    tcase_add_test(t, models_that_differ_are_refused);
    tcase_add_test(t, each_allocation_may_fail);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
