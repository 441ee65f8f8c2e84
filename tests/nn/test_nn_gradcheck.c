/* test_nn_gradcheck.c - the gradient checks of a layer in one call: by its parameters, with
 * their names, and by its inputs. */
#include "nn_util.h"

#include <string.h>

/* A layer of one's own: a gate over a linear layer, y = sigmoid(W x + b) tanh(V x). */
typedef struct gate {
    nn_params params;
    nn_linear open, value;
    bool cut; /* the gradient by V is lost */
} gate;

enum { WIDTH = 4, ROWS = 3 };

static void gate_init(gate *g)
{
    ag_error error = {0};
    *g = (gate){0};
    ck_assert_int_eq(nn_linear_init(&g->open, &g->params, "gate.open", WIDTH, WIDTH, true, &error), AG_OK);
    ck_assert_int_eq(nn_linear_init(&g->value, &g->params, "gate.value", WIDTH, WIDTH, false, &error), AG_OK);
    ck_assert_msg(nn_params_allocate(&g->params, 3, &error) == AG_OK, "%s", error.message);
}

static ag_tensor *gate_apply(const nn_pass *pass, ag_tensor *const *inputs, void *context)
{
    const gate *g = context;
    ck_assert(pass->training && pass->params == &g->params);
    ag_tensor *value = ag_tanh(nn_linear_apply(&g->value, pass, inputs[0]));
    return ag_mul(ag_sigmoid(nn_linear_apply(&g->open, pass, inputs[0])), g->cut ? ag_detach(value) : value);
}

/* Without inputs: of a constant, with dropout. */
static ag_tensor *gate_of_ones(const nn_pass *pass, ag_tensor *const *inputs, void *context)
{
    ag_real ones[ROWS * WIDTH];
    (void)inputs;
    for (int i = 0; i < ROWS * WIDTH; i++)
        ones[i] = 1;
    ag_tensor *x = ag_constant(pass->tape, AG_SHAPE(ROWS, WIDTH), ones);
    return ag_dropout(gate_apply(pass, &x, context), 0.5);
}

static ag_tensor *gate_without_input(const nn_pass *pass, ag_tensor *const *inputs, void *context)
{
    (void)inputs;
    (void)context;
    return ag_tape_fail(pass->tape, AG_BAD_SHAPE, "the gate fits nothing");
}

static ag_real x_values[ROWS * WIDTH], x_grad[ROWS * WIDTH];
static const ag_gradcheck_input x_input = {"x", {2, {ROWS, WIDTH}}, x_values, x_grad};

START_TEST(parameters_and_inputs)
{
    gate g;
    gate_init(&g);
    test_fill(x_values, ROWS * WIDTH, 4, -1, 1);
    ag_gradcheck_report report;
    ag_gradcheck_summary s[4];
    const ag_gradcheck_options options = {.summaries = s, .summary_count = 4};
    ag_error error = {0};
    ck_assert_msg(nn_gradcheck(gate_apply, &g, &g.params, &x_input, 1, &options, &report, &error) == AG_OK, "%s",
                  error.message);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(report.checked, ROWS * WIDTH + g.params.size);
    static const char *const names[] = {"x", "gate.open.weight", "gate.open.bias", "gate.value.weight"};
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(s[i].name, names[i]);

    g.cut = true;
    ck_assert_int_eq(nn_gradcheck(gate_apply, &g, &g.params, &x_input, 1, &options, &report, &error), AG_OK);
    ck_assert(!report.passed && s[1].failed == 0 && s[2].failed == 0);
    ck_assert(s[3].failed == s[3].checked && s[3].checked == (int64_t)WIDTH * WIDTH && s[0].failed > 0);
    nn_params_clear(&g.params);
}
END_TEST

START_TEST(parameters_alone)
{
    gate g;
    gate_init(&g);
    ag_gradcheck_report report;
    ag_dot_report dot;
    ag_taylor_report taylor;
    ag_error error = {0};
    ck_assert_msg(nn_gradcheck(gate_of_ones, &g, &g.params, NULL, 0, NULL, &report, &error) == AG_OK, "%s",
                  error.message);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(report.checked, g.params.size);
    ck_assert_int_eq(nn_dot_test(gate_of_ones, &g, &g.params, NULL, 0, NULL, &dot, &error), AG_OK);
    ck_assert_msg(dot.passed && !dot.skipped, "%s", dot.message);
    ck_assert_int_eq(nn_taylor_test(gate_of_ones, &g, &g.params, NULL, 0, NULL, &taylor, &error), AG_OK);
    ck_assert_msg(taylor.passed, "%s", taylor.message);

    g.cut = true;
    ck_assert_int_eq(nn_gradcheck(gate_of_ones, &g, &g.params, NULL, 0, NULL, &report, &error), AG_OK);
    ck_assert_str_eq(report.input_name, "gate.value.weight");
    ck_assert_msg(!strncmp(report.message, "input 2 (gate.value.weight) at [", 32), "%s", report.message);
    ck_assert_int_eq(nn_taylor_test(gate_of_ones, &g, &g.params, NULL, 0, NULL, &taylor, &error), AG_OK);
    ck_assert(!taylor.passed);
    nn_params_clear(&g.params);
}
END_TEST

/* The loss of a whole model, in one call. */
typedef struct problem {
    nn_model *model;
    test_batch batch;
} problem;

static ag_tensor *loss_of(const nn_pass *pass, ag_tensor *const *inputs, void *context)
{
    const problem *p = context;
    (void)inputs;
    return ag_cross_entropy(nn_model_apply(p->model, pass, &p->batch.input), p->batch.labels,
                            &(ag_cross_entropy_options){.ignore = true});
}

START_TEST(a_whole_model)
{
    problem p = {.model = test_model((nn_model_config){.kind = NN_DECODER, .dropout = 0.1, .activation = AG_GELU}, 9)};
    test_batch_fill(&p.batch, p.model, 2, 0, 4, 8);
    /* in float the rounding of a whole model is what limits the numeric side */
    const ag_gradcheck_options options = {.tolerance = PRECISION(1e-8, 1e-2), .elements = 3};
    ag_gradcheck_report report;
    ag_error error = {0};
    ck_assert_msg(nn_gradcheck(loss_of, &p, &p.model->params, NULL, 0, &options, &report, &error) == AG_OK, "%s",
                  error.message);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(report.checked, 3 * p.model->params.count);
    nn_model_free(p.model);
}
END_TEST

/* ---- The operation to blame -------------------------------------------------------- */

static ag_status same_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status double_forward(ag_node *node)
{
    for (int64_t i = 0; i < node->output->size; i++)
        node->output->data[i] = 2 * node->inputs[0]->data[i];
    return AG_OK;
}

/* Forgets the factor for the last element. */
static ag_status lying_backward(ag_node *node)
{
    ag_real *dx = ag_grad(node->inputs[0]);
    const int64_t size = node->output->size;
    for (int64_t i = 0; dx && i < size; i++)
        dx[i] += (ag_real)(i == size - 1 ? 1 : 2) * node->output->grad[i];
    return AG_OK;
}

static const ag_op lying_double = {
    .name = "double", .formula = "y = 2 x", .shape = same_shape, .forward = double_forward, .backward = lying_backward};

/* Puts the lie before the second block of the decoder. */
static ag_tensor *lie_before_block(void *context, const char *name, nn_block_end end, ag_tensor *x)
{
    (void)context;
    const bool here = end == NN_BLOCK_INPUT && strcmp(name, "decoder.layers.1") == 0;
    return here ? ag_custom(&lying_double, &x, 1, 1, NULL, 0) : x;
}

/* Locates on one training step of a model with everything. */
static ag_gradcheck_location locate_in_model(bool lies, nn_model_config config)
{
    problem p = {.model = test_model(config, 9)};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    const nn_pass pass = {
        .tape = tape, .params = &p.model->params, .training = true, .on_block = lies ? lie_before_block : NULL};
    test_batch_fill(&p.batch, p.model, 2, 4, 3, 8);
    ag_gradcheck_location found;
    ag_error error = {0};
    ag_tape_seed(tape, 7, 7);
    ck_assert_msg(loss_of(&pass, NULL, &p) != NULL, "%s", ag_tape_error(tape)->message);
    ck_assert_msg(ag_gradcheck_locate(tape, NULL, &found, &error) == AG_OK, "%s", error.message);
    ag_tape_free(tape);
    nn_model_free(p.model);
    return found;
}

static const nn_model_config models[] = {
    {.kind = NN_ENCODER_DECODER, .dropout = 0.1, .activation = AG_GELU, .tied_output = true},
    {.kind = NN_ENCODER_DECODER, .dropout = 0.1, .activation = AG_RELU, .post_norm = true},
    {.kind = NN_DECODER, .positions = NN_ROTARY, .norm = NN_RMS_NORM, .activation = AG_GATED_SILU, .no_bias = true},
    {.kind = NN_DECODER, .positions = NN_LEARNED, .activation = AG_SILU, .dropout = 0.2, .max_length = 6},
    {.kind = NN_ENCODER_DECODER, .positions = NN_RELATIVE},
    {.kind = NN_DECODER, .positions = NN_ALIBI},
};

START_TEST(a_right_model_has_no_culprit)
{
    ag_gradcheck_location found = locate_in_model(false, models[_i]);
    ck_assert_msg(!found.node && found.compared > 20, "%s", found.message);
    ck_assert_msg(found.skipped * 4 <= found.compared, "%s", found.message);
}
END_TEST

START_TEST(the_culprit_in_a_model)
{
    ag_gradcheck_location found = locate_in_model(true, models[_i]);
    ck_assert_msg(found.number >= 0 && !strncmp(found.location, "double in decoder.layers.1 (node ", 33), "%s",
                  found.message);
}
END_TEST

/* ---- Bad input --------------------------------------------------------------------- */

START_TEST(bad_input_is_a_sentence)
{
    gate g;
    nn_params empty = {0};
    gate_init(&g);
    ag_gradcheck_report report;
    ag_error error = {0};
    ck_assert_int_eq(nn_gradcheck(gate_of_ones, &g, &empty, NULL, 0, NULL, &report, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "gradcheck: the parameters have no memory (nn_params_allocate)");
    error = (ag_error){0};
    ck_assert_int_eq(nn_gradcheck(NULL, &g, &g.params, NULL, 0, NULL, &report, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "gradcheck: no function given");
    ck_assert_int_eq(nn_gradcheck(gate_apply, &g, &g.params, NULL, 1, NULL, &report, NULL), AG_BAD_VALUE);
    error = (ag_error){0};
    ck_assert_int_eq(nn_gradcheck(gate_without_input, &g, &g.params, NULL, 0, NULL, &report, &error), AG_BAD_SHAPE);
    ck_assert_str_eq(error.message, "the gate fits nothing");
    test_fail_allocation(1);
    error = (ag_error){0};
    ck_assert_int_eq(nn_gradcheck(gate_of_ones, &g, &g.params, NULL, 0, NULL, &report, &error), AG_NO_MEMORY);
    test_fail_allocation(0);
    ck_assert_str_eq(error.message, "gradcheck: out of memory for 3 inputs");
    nn_params_clear(&g.params);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_gradcheck");
    TCase *tests = tcase_create("checks");
    tcase_add_test(tests, parameters_and_inputs);
    tcase_add_test(tests, parameters_alone);
    tcase_add_test(tests, a_whole_model);
    tcase_add_loop_test(tests, a_right_model_has_no_culprit, 0, sizeof models / sizeof *models);
    tcase_add_loop_test(tests, the_culprit_in_a_model, 0, sizeof models / sizeof *models);
    tcase_add_test(tests, bad_input_is_a_sentence);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
