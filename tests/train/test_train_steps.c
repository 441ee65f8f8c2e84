/* test_train_steps.c - a run step by step, and a program's masks in its batches. */
#include "train_fixture.h"

#include <string.h>

static void note_step(void *context, const train_progress *progress)
{
    *(int64_t *)context = progress->step;
    ck_assert_double_ge(progress->seconds_left, 0);
}

static train_loop *begin(const train_fixture *f, train_options options)
{
    ag_error error = {0};
    train_loop *loop = train_loop_new(f->model, f->training, &options, &error);
    ck_assert_msg(loop != NULL, "%s", error.message);
    return loop;
}

static void step(train_loop *loop, int64_t count)
{
    ag_error error = {0};
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(train_loop_step(loop, &error) == AG_OK, "%s", error.message);
}

static bool same_parameters(const train_fixture *a, const train_fixture *b)
{
    const nn_params *x = &a->model->params, *y = &b->model->params;
    return x->size == y->size && !memcmp(x->value, y->value, (size_t)x->size * sizeof *x->value);
}

static void compare_with_whole_run(train_optimizer_kind kind)
{
    train_fixture whole = train_fixture_new("reverse", 3, 6, NN_ENCODER_DECODER, 16, 0.1),
                  steps = train_fixture_new("reverse", 3, 6, NN_ENCODER_DECODER, 16, 0.1);
    const train_options options = {
        .steps = 12, .batch = 8, .optimizer.kind = kind, .rate = 1e-3, .accumulate = 2, .threads = 1};
    int64_t heard = 0;
    train_options own = options;
    own.on_progress = note_step;
    own.context = &heard;
    ag_error error = {0};
    ck_assert(train_run(whole.model, whole.training, NULL, &options, NULL, &error) == AG_OK);
    train_loop *loop = begin(&steps, own);
    step(loop, 11);
    ck_assert(!same_parameters(&whole, &steps));
    step(loop, 1);
    ck_assert_int_eq(heard, 12);
    ck_assert(same_parameters(&whole, &steps));
    step(loop, 3); /* beyond the schedule */
    ck_assert_int_eq(heard, 15);
    ck_assert(!same_parameters(&whole, &steps));
    train_loop_free(loop);
    train_fixture_clear(&whole);
    train_fixture_clear(&steps);
}

START_TEST(the_steps_of_a_whole_run)
{
    compare_with_whole_run(TRAIN_ADAMW);
    compare_with_whole_run(TRAIN_MUON);
}
END_TEST

/* A decoder's mask, by the number of positions that a query sees after itself. */
typedef struct shifted_mask {
    int64_t offset;
    int calls;
} shifted_mask;

static void shift_mask(void *context, nn_pass *pass, nn_input *input)
{
    shifted_mask *mask = context;
    mask->calls++;
    input->decoder_mask = ag_mask_causal(pass->tape, mask->offset);
}

/* The loss on the training set of a model that has trained under a mask. */
static double trained_loss(const train_fixture *f, shifted_mask *training, shifted_mask *evaluating)
{
    ag_error error = {0};
    train_metrics metrics;
    train_loop *loop = begin(
        f, (train_options){
               .steps = 150, .batch = 25, .rate = 5e-3, .threads = 1, .on_input = shift_mask, .context = training});
    step(loop, 150);
    train_loop_free(loop);
    const train_evaluation evaluation = {.threads = 1, .on_input = shift_mask, .context = evaluating};
    ck_assert_msg(train_evaluate(f->model, f->training, &evaluation, &metrics, &error) == AG_OK, "%s", error.message);
    return metrics.loss;
}

START_TEST(a_mask_of_the_caller_is_in_force)
{
    train_fixture plain = train_fixture_new("copy", 5, 5, NN_ENCODER_DECODER, 16, 0),
                  causal = train_fixture_new("copy", 5, 5, NN_ENCODER_DECODER, 16, 0),
                  leaking = train_fixture_new("copy", 5, 5, NN_ENCODER_DECODER, 16, 0);
    shifted_mask none = {0}, leak = {.offset = 1}, unused = {0};
    train_loop *loop = begin(&plain, (train_options){.steps = 150, .batch = 25, .rate = 5e-3, .threads = 1});
    step(loop, 150);
    train_loop_free(loop);
    const double right = trained_loss(&causal, &none, &unused);
    ck_assert_int_eq(none.calls, 150);
    ck_assert(same_parameters(&plain, &causal)); /* the mask is the model's own */

    shifted_mask seeing = {.offset = 1}, blind = {0};
    const double cheated = trained_loss(&leaking, &leak, &seeing);
    ck_assert_int_gt(seeing.calls, 0);
    ck_assert_double_lt(cheated, 0.5 * right); /* the next token is there to be read off */
    ck_assert_double_gt(trained_loss(&leaking, &leak, &blind), 2 * cheated);
    train_fixture_clear(&plain);
    train_fixture_clear(&causal);
    train_fixture_clear(&leaking);
}
END_TEST

START_TEST(what_a_run_step_by_step_refuses)
{
    static const volatile sig_atomic_t stop = 0;
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER_DECODER, 16, 0);
    const train_options refused[] = {{.steps = 5, .out = f.out}, {.steps = 5, .stop = &stop}, {.steps = -1}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ag_error error = {0};
        ck_assert_ptr_null(train_loop_new(f.model, f.training, &refused[i], &error));
        ck_assert_int_eq(error.status, AG_BAD_VALUE);
        ck_assert_int_gt((int)strlen(error.message), 20);
        ck_assert_ptr_null(train_loop_new(f.model, f.training, &refused[i], NULL));
    }
    train_loop_free(NULL);
    train_fixture_clear(&f);
}
END_TEST

/* The error of a run whose rate makes the loss overflow names the step. */
START_TEST(an_error_of_a_step)
{
    train_fixture f = train_fixture_new("copy", 4, 4, NN_ENCODER_DECODER, 16, 0);
    ag_error error = {0};
    train_loop *loop = begin(&f, (train_options){.steps = 50, .rate = 1e30, .warmup = -1, .clip = -1, .threads = 1});
    ag_status status = AG_OK;
    for (int i = 0; i < 50 && status == AG_OK; i++)
        status = train_loop_step(loop, &error);
    ck_assert_int_eq(status, AG_NOT_FINITE);
    ck_assert_ptr_nonnull(strstr(error.message, "step "));
    ck_assert_ptr_nonnull(strstr(error.message, "a lower learning rate may help"));
    train_loop_free(loop);
    train_fixture_clear(&f);
}
END_TEST

/* ---- A step is tried again --------------------------------------------------------- */

/* y = x, whose backward fails. */
static ag_status same_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status copy_forward(ag_node *node)
{
    memcpy(node->output->data, node->inputs[0]->data, (size_t)node->output->size * sizeof *node->output->data);
    return AG_OK;
}

static ag_status fail_backward(ag_node *node)
{
    return ag_fail(node, AG_BAD_VALUE, "this part fails");
}

static ag_tensor *fail_at_encoder(void *context, const char *name, nn_block_end end, ag_tensor *x)
{
    static const ag_op failing = {
        .name = "failing", .formula = "y = x", .shape = same_shape, .forward = copy_forward, .backward = fail_backward};
    (void)context;
    return end == NN_BLOCK_INPUT && !strncmp(name, "encoder", 7) ? ag_custom(&failing, &x, 1, 1, NULL, 0) : x;
}

typedef struct failing_part {
    int left; /* parts before it, and itself */
    bool in_backward;
} failing_part;

static void fail_part(void *context, nn_pass *pass, nn_input *input)
{
    failing_part *part = context;
    (void)input;
    if (--part->left == 0 && part->in_backward)
        pass->on_block = fail_at_encoder;
    else if (part->left == 0)
        ag_tape_fail(pass->tape, AG_BAD_VALUE, "this part fails");
}

/* Each part of three batches fails once, in its forward or in its backward. By then it,
 * and the part before it, have gradients, which are no part of the next attempt. */
START_TEST(a_step_that_failed_is_tried_again)
{
    train_fixture whole = train_fixture_new("reverse", 3, 6, NN_ENCODER_DECODER, 16, 0.1),
                  f = train_fixture_new("reverse", 3, 6, NN_ENCODER_DECODER, 16, 0.1);
    failing_part part = {.left = 1 + _i / 2, .in_backward = _i % 2};
    train_options options = {.steps = 3, .batch = 8, .rate = 1e-3, .accumulate = 2, .threads = 1};
    ag_error error = {0};
    ck_assert(train_run(whole.model, whole.training, NULL, &options, NULL, &error) == AG_OK);
    options.on_input = fail_part;
    options.context = &part;
    train_loop *loop = begin(&f, options);
    int failures = 0;
    for (int64_t done = 0; done < options.steps;) {
        const bool is_done = train_loop_step(loop, &error) == AG_OK;
        ck_assert_msg(is_done || strstr(error.message, "this part fails"), "%s", error.message);
        done += is_done;
        failures += !is_done;
    }
    ck_assert_int_eq(failures, 1);
    ck_assert(same_parameters(&whole, &f));
    train_loop_free(loop);
    train_fixture_clear(&f);
    train_fixture_clear(&whole);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("train_steps");
    TCase *t = tcase_create("steps");
    tcase_add_test(t, the_steps_of_a_whole_run);
    tcase_add_test(t, a_mask_of_the_caller_is_in_force);
    tcase_add_test(t, what_a_run_step_by_step_refuses);
    tcase_add_test(t, an_error_of_a_step);
    tcase_add_loop_test(t, a_step_that_failed_is_tried_again, 0, 2 * 2 * 3);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
