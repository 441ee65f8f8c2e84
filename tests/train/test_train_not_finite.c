/* test_train_not_finite.c - a training that meets NaN or an infinity ends, names the
 * place, and saves none. */
#include "train_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static train_options options_of(const train_fixture *f)
{
    return (train_options){.batch = 25, .threads = 1, .out = f->out, .task = "copy"};
}

/* A parameter that becomes NaN after a step. */
typedef struct plant {
    int64_t at; /* the step */
    const train_fixture *fixture;
    unsigned char *bytes; /* of the checkpoint at that step */
    size_t size;
} plant;

static void plant_nan(void *context, const train_progress *progress)
{
    plant *l = context;
    if (progress->dev || progress->step != l->at)
        return;
    const nn_params *params = &l->fixture->model->params;
    int index = nn_params_find(params, "encoder.layers.0.linear1.weight");
    ck_assert_int_ge(index, 0);
    params->value[params->items[index].offset] = (ag_real)NAN;
    l->bytes = test_file_read(l->fixture->out, "checkpoint.safetensors", &l->size);
}

/* The files of step 2 stay, and the sentence names the place. */
static void check_planted(int64_t at, const char *step)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER_DECODER, 8, 0);
    plant l = {.at = at, .fixture = &f};
    train_options options = options_of(&f);
    options.on_progress = plant_nan;
    options.context = &l;
    options.steps = 10;
    options.save_every = 2;
    ag_error error = {0};
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, &error), AG_NOT_FINITE);
    ck_assert_msg(strstr(error.message, step) && strstr(error.message, "encoder.layers.0"), "%s", error.message);
    size_t size;
    unsigned char *bytes = test_file_read(f.out, "checkpoint.safetensors", &size);
    ck_assert_uint_eq(size, l.size);
    ck_assert_int_eq(memcmp(bytes, l.bytes, size), 0);
    free(bytes);
    free(l.bytes);
    train_fixture_clear(&f);
}

START_TEST(a_nan_names_its_operation)
{
    check_planted(3, "step 4: the loss is ");
}
END_TEST

START_TEST(parameters_that_are_not_finite_are_never_saved)
{
    check_planted(4, "step 4: the update made encoder.layers.0.linear1.weight[0] ");
}
END_TEST

START_TEST(a_huge_rate_names_an_operation)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER_DECODER, 8, 0);
    train_options options = options_of(&f);
    options.steps = 10;
    options.rate = PRECISION(1e300, 1e37);
    options.schedule = TRAIN_CONSTANT;
    options.warmup = -1;
    ag_error error = {0};
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, &error), AG_NOT_FINITE);
    ck_assert_msg(strstr(error.message, "from finite inputs") != NULL || strstr(error.message, "gradient") != NULL,
                  "%s", error.message);
    train_fixture_clear(&f);
}
END_TEST

/* Logits that are ordinary, as the product of a tiny norm and a huge projection: their
 * gradients are beyond the type. */
START_TEST(a_gradient_that_is_not_finite_names_its_operation)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER_DECODER, 8, 0);
    nn_params *params = &f.model->params;
    const double huge = PRECISION(1e308, 3e38);
    const nn_param *norm = &params->items[nn_params_find(params, "decoder.norm.weight")];
    const nn_param *output = &params->items[nn_params_find(params, "output.weight")];
    for (int64_t i = 0; i < norm->size; i++)
        params->value[norm->offset + i] = (ag_real)(1 / huge);
    for (int64_t i = 0; i < output->size; i++)
        params->value[output->offset + i] = (ag_real)(i % 3 ? huge : -huge);
    train_options options = options_of(&f);
    options.steps = 10;
    options.accumulate = 2;
    ag_error error = {0};
    ck_assert_int_eq(train_run(f.model, f.training, NULL, &options, NULL, &error), AG_NOT_FINITE);
    ck_assert_msg(strstr(error.message, "step 1: the gradient of linear in output") != NULL, "%s", error.message);
    char path[512]; /* what is saved is the run before its first step */
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", f.out);
    data_safetensors *file = data_safetensors_open(path, &error);
    ck_assert_msg(file != NULL, "%s", error.message);
    ck_assert_str_eq(data_safetensors_metadata(file, "state.step"), "0");
    data_safetensors_close(file);
    ck_assert(!test_file_exists(f.out, "model.safetensors"));
    train_fixture_clear(&f);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train_not_finite");
    TCase *c = tcase_create("not_finite");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_nan_names_its_operation);
    tcase_add_test(c, parameters_that_are_not_finite_are_never_saved);
    tcase_add_test(c, a_huge_rate_names_an_operation);
    tcase_add_test(c, a_gradient_that_is_not_finite_names_its_operation);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
