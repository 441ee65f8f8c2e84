/* test_reference_training.c - optimisers, the clip and schedules beside torch.optim, and
 * ten steps of training with all of them (tests/reference/reference_training.py). */
#include "nn_util.h"
#include "reference_util.h"
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Optimisers -------------------------------------------------------------------- */

static train_optimizer_config read_optimizer(const reference *at)
{
    static const char *const kinds[] = {"adamw", "adam", "sgd"};
    return (train_optimizer_config){
        .kind = (train_optimizer_kind)reference_choice(at, "optimizer", kinds, 3),
        .beta1 = reference_number(at, "beta1"),
        .beta2 = reference_number(at, "beta2"),
        .epsilon = reference_number(at, "epsilon"),
        .weight_decay = reference_number(at, "weight_decay"),
        .momentum = reference_number(at, "momentum"),
        .nesterov = reference_integer(at, "nesterov"),
    };
}

/* PyTorch's optimisers let all parameters of a group decay; ours those with the flag,
 * which matrices have. */
static void set_decay(const reference *at, nn_params *params)
{
    for (int i = 0; i < params->count; i++)
        params->items[i].decay = params->items[i].shape.ndim > 1 || reference_integer(at, "decay_all");
}

static const char *const names[] = {"matrix", "vector"};

/* Parameters "matrix" and "vector" with the values of the case "start". */
static void begin_optimizer(const reference *start, nn_params *params)
{
    for (int i = 0; i < 2; i++) {
        ag_shape shape;
        reference_values(start, names[i], &shape);
        ck_assert_int_eq(nn_params_add(params, names[i], shape, (nn_initializer){0}, false, NULL), i);
    }
    ck_assert_int_eq(nn_params_allocate(params, 1, NULL), AG_OK);
    for (int i = 0; i < 2; i++)
        memcpy(params->value + params->items[i].offset, reference_values(start, names[i], NULL),
               (size_t)params->items[i].size * sizeof(ag_real));
}

static void check_optimizer(const reference *at)
{
    nn_params params = {0};
    train_optimizer optimizer;
    const reference start = reference_other(at, "start");
    if (!strcmp(at->name, start.name))
        return;
    const train_optimizer_config config = read_optimizer(at);
    begin_optimizer(&start, &params);
    set_decay(at, &params);
    ck_assert_int_eq(train_optimizer_init(&optimizer, &config, &params, 1, NULL), AG_OK);
    const ag_real *rates = reference_values(&start, "rates", NULL);
    const ag_real *grads[] = {reference_values(&start, "grads/matrix", NULL),
                           reference_values(&start, "grads/vector", NULL)};
    const int steps = reference_integer(&start, "steps");
    for (int step = 1; step <= steps; step++) {
        for (int i = 0; i < 2; i++)
            memcpy(params.grad + params.items[i].offset, grads[i] + (step - 1) * params.items[i].size,
                   (size_t)params.items[i].size * sizeof(ag_real));
        train_optimizer_step(&optimizer, &params, &(train_update){.rate = (double)rates[step - 1]});
        char kind[16];
        snprintf(kind, sizeof kind, "%d", step);
        if (step <= 2 || step == steps)
            reference_compare_params(at, &params, "", kind, params.value);
    }
    train_optimizer_clear(&optimizer);
    nn_params_clear(&params);
}

START_TEST(optimizers_are_those_of_pytorch)
{
    reference_walk("optimizers", 13, check_optimizer);
}
END_TEST

/* ---- The clip ---------------------------------------------------------------------- */

/* PyTorch adds this to a norm before it divides by it. With it the numbers are the same;
 * train_run leaves it out, so that the clipped norm is max_norm. */
#define PYTORCH_NORM_EPSILON 1e-6

static void check_clip(const reference *at)
{
    nn_params params = {0};
    const ag_real *grads[3];
    for (int i = 0; i < 3; i++) {
        char name[16];
        ag_shape shape;
        snprintf(name, sizeof name, "%d", i);
        grads[i] = reference_values(at, name, &shape);
        ck_assert_int_eq(nn_params_add(&params, name, shape, (nn_initializer){0}, false, NULL), i);
    }
    ck_assert_int_eq(nn_params_allocate(&params, 1, NULL), AG_OK);
    for (int i = 0; i < 3; i++)
        memcpy(params.grad + params.items[i].offset, grads[i], (size_t)params.items[i].size * sizeof(ag_real));

    const double norm = train_gradient_norm(&params, 1), max_norm = reference_number(at, "max_norm");
    const ag_real as_real = (ag_real)norm;
    reference_compare(at, "norm", AG_SCALAR, &as_real);
    const double scale = train_clip_scale(norm + PYTORCH_NORM_EPSILON, max_norm);
    ck_assert(norm > max_norm || train_clip_scale(norm, max_norm) == 1);
    ck_assert(norm <= max_norm || fabs(train_clip_scale(norm, max_norm) * norm / max_norm - 1) < 1e-15);
    for (int64_t i = 0; i < params.size; i++)
        params.grad[i] = (ag_real)(scale * (double)params.grad[i]);
    reference_compare_params(at, &params, "", "clipped", params.grad);
    nn_params_clear(&params);
}

START_TEST(the_clip_is_that_of_pytorch)
{
    reference_walk("clipping", 20, check_clip);
}
END_TEST

/* ---- Schedules --------------------------------------------------------------------- */

static train_schedule read_schedule(const reference *at)
{
    static const char *const kinds[] = {"cosine", "constant", "inverse-sqrt", "noam", "linear", "wsd"};
    const train_schedule_kind kind = (train_schedule_kind)reference_choice(at, "schedule", kinds, 6);
    return (train_schedule){
        .kind = kind,
        .rate = reference_number(at, "rate"),
        .warmup = reference_integer(at, "warmup"),
        .total = reference_integer(at, "total"),
        .floor = reference_number(at, "floor"),
        .d_model = reference_integer(at, "d_model"),
        .decay = kind == TRAIN_WSD ? reference_number(at, "decay") : 0,
    };
}

static void compare_rates(const reference *at)
{
    const train_schedule schedule = read_schedule(at);
    ag_real rates[64];
    ck_assert_int_le(schedule.total, 64);
    for (int64_t step = 1; step <= schedule.total; step++)
        rates[step - 1] = (ag_real)train_schedule_rate(&schedule, step);
    reference_compare(at, "rates", AG_SHAPE(schedule.total), rates);
}

START_TEST(schedules_are_those_of_pytorch)
{
    reference_walk("schedules", 14, compare_rates);
}
END_TEST

/* ---- Ten steps of a whole model ---------------------------------------------------- */

/* One of the batches of the case "start". */
static nn_input read_batch(const reference *start, int step, const int32_t **labels)
{
    ag_shape source, target;
    nn_input input = {.source = reference_integers(start, "source", &source),
                      .target = reference_integers(start, "target", &target)};
    input.rows = source.dim[1];
    input.source_length = source.dim[2];
    input.target_length = target.dim[2];
    input.source += step * input.rows * input.source_length;
    input.target += step * input.rows * input.target_length;
    input.source_lengths = reference_integers(start, "source_lengths", NULL) + step * input.rows;
    input.target_lengths = reference_integers(start, "target_lengths", NULL) + step * input.rows;
    *labels = reference_integers(start, "labels", NULL) + step * input.rows * input.target_length;
    return input;
}

/* A key's bias adds the same to all scores of a query, which softmax does not see: its
 * gradient is 0, and rounding. Adam would make whole steps of the rounding, so both sides
 * set it to 0. */
static void still_key_biases(nn_params *params)
{
    for (int i = 0; i < params->count; i++) {
        const nn_param *item = &params->items[i];
        if (strstr(item->name, "in_proj_bias"))
            memset(params->grad + item->offset + item->size / 3, 0, (size_t)(item->size / 3) * sizeof(ag_real));
    }
}

/* Leaves the gradients of the summed loss in the parameters; returns the mean loss, and
 * the number of labels. */
static double differentiate(nn_model *model, ag_tape *tape, const nn_input *input, const int32_t *labels, int *count)
{
    const nn_pass pass = {.tape = tape, .params = &model->params};
    const ag_cross_entropy_options options = {.ignore = true, .reduction = AG_SUM};
    const ag_tensor *loss = ag_cross_entropy(nn_model_apply(model, &pass, input), labels, &options);
    *count = 0;
    for (int64_t i = 0; i < input->rows * input->target_length; i++)
        *count += labels[i] != 0;
    ck_assert_int_eq(ag_backward((ag_tensor *)loss), AG_OK);
    const double mean = (double)loss->data[0] / *count;
    ag_tape_rewind(tape);
    still_key_biases(&model->params);
    return mean;
}

/* Ten steps, as train_run makes them; notes the losses and norms. */
static void train(const reference *at, nn_model *model, train_optimizer *optimizer, ag_real *losses, ag_real *norms)
{
    const reference start = reference_other(at, "start");
    const train_schedule schedule = read_schedule(at);
    const double max_norm = reference_number(at, "max_norm");
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    ck_assert_ptr_nonnull(tape);
    for (int step = 0; step < schedule.total; step++) {
        const int32_t *labels;
        const nn_input input = read_batch(&start, step, &labels);
        int count;
        losses[step] = (ag_real)differentiate(model, tape, &input, labels, &count);
        const double norm = train_gradient_norm(&model->params, 1) / count;
        norms[step] = (ag_real)norm;
        const train_update update = {.rate = train_schedule_rate(&schedule, step + 1),
                                     .scale = train_clip_scale(norm + PYTORCH_NORM_EPSILON, max_norm) / count};
        train_optimizer_step(optimizer, &model->params, &update);
    }
    ag_tape_free(tape);
}

static nn_model *new_model(const reference *start)
{
    nn_model *model = test_model((nn_model_config){.d_model = reference_integer(start, "d_model"),
                                                   .heads = reference_integer(start, "heads"),
                                                   .ffn = reference_integer(start, "ffn"),
                                                   .encoder_layers = 1,
                                                   .decoder_layers = 1,
                                                   .source_vocab = 7,
                                                   .target_vocab = 5},
                                 1);
    reference_load(start, &model->params, "");
    return model;
}

static void check_run(const reference *at)
{
    const reference start = reference_other(at, "start");
    if (!strcmp(at->name, start.name))
        return;
    nn_model *model = new_model(&start);
    train_optimizer optimizer;
    const train_optimizer_config config = read_optimizer(at);
    set_decay(at, &model->params);
    ck_assert_int_eq(train_optimizer_init(&optimizer, &config, &model->params, 1, NULL), AG_OK);
    ag_real losses[64], norms[64];
    train(at, model, &optimizer, losses, norms);
    const ag_shape steps = AG_SHAPE(reference_integer(at, "total"));
    reference_compare(at, "losses", steps, losses);
    reference_compare(at, "norms", steps, norms);
    compare_rates(at);
    reference_compare_params(at, &model->params, "", "after", model->params.value);
    train_optimizer_clear(&optimizer);
    nn_model_free(model);
}

START_TEST(ten_steps_are_those_of_pytorch)
{
    reference_walk("training", 9, check_run);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("reference training");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, optimizers_are_those_of_pytorch);
    tcase_add_test(tcase, the_clip_is_that_of_pytorch);
    tcase_add_test(tcase, schedules_are_those_of_pytorch);
    tcase_add_test(tcase, ten_steps_are_those_of_pytorch);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
