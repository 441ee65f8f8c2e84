/* test_reference_layers.c - nn.Linear, nn.LayerNorm, nn.Embedding and F.cross_entropy
 * (tests/reference/reference_layers.py). */
#include "reference_util.h"
#include "tape_fixture.h"

#include <string.h>

static nn_params params;

static nn_pass pass(void)
{
    return (nn_pass){.tape = tape, .params = &params};
}

static ag_tensor *read_variable(const reference *at, const char *name)
{
    ag_shape shape;
    const ag_real *values = reference_values(at, name, &shape);
    return ag_variable(tape, shape, values);
}

static void load(const reference *at)
{
    ck_assert_int_eq(nn_params_allocate(&params, 1, NULL), AG_OK);
    reference_load(at, &params, "layer.");
}

/* Differentiates the sum of output times upstream; x NULL: there is no input with a
 * gradient. */
static void finish(const reference *at, ag_tensor *output, const ag_tensor *x)
{
    ck_assert_msg(output != NULL, "%s: %s", at->name, ag_tape_error(tape)->message);
    ck_assert_int_eq(ag_backward_seeded(output, reference_values(at, "upstream", NULL)), AG_OK);
    reference_compare(at, "output", output->shape, output->data);
    if (x)
        reference_compare(at, "grad/x", x->shape, x->grad);
    reference_compare_params(at, &params, "layer.", "grad", params.grad);
    ag_tape_rewind(tape);
    nn_params_clear(&params);
}

static void check_linear(const reference *at)
{
    nn_linear layer;
    ag_tensor *x = read_variable(at, "x");
    const data_tensor *weight = reference_find(at, "param/weight");
    ck_assert_int_eq(nn_linear_init(&layer, &params, "layer", (int64_t)weight->shape[1], (int64_t)weight->shape[0],
                                    reference_integer(at, "bias"), NULL),
                     AG_OK);
    load(at);
    const nn_pass own = pass();
    finish(at, nn_linear_apply(&layer, &own, x), x);
}

START_TEST(linear_is_that_of_pytorch)
{
    reference_walk("linear", 5, check_linear);
}
END_TEST

static void check_layer_norm(const reference *at)
{
    nn_norm layer;
    ag_tensor *x = read_variable(at, "x");
    const double eps = reference_number(at, "eps");
    if (!reference_find(at, "param/weight")) {
        finish(at, ag_layer_norm(x, NULL, NULL, eps), x);
        return;
    }
    ck_assert_int_eq(
        nn_norm_init(&layer, &params, "layer", NN_LAYER_NORM, x->shape.dim[x->shape.ndim - 1], true, eps, NULL), AG_OK);
    load(at);
    const nn_pass own = pass();
    finish(at, nn_norm_apply(&layer, &own, x), x);
}

START_TEST(layer_norm_is_that_of_pytorch)
{
    reference_walk("layer_norm", 10, check_layer_norm);
}
END_TEST

static void check_embedding(const reference *at)
{
    nn_embedding layer;
    ag_shape shape;
    const int32_t *ids = reference_integers(at, "ids", &shape);
    const data_tensor *weight = reference_find(at, "param/weight");
    ck_assert_int_eq(nn_embedding_init(&layer, &params, "layer", (int64_t)weight->shape[0], (int64_t)weight->shape[1],
                                       reference_number(at, "scale"), reference_integer(at, "padding_id"), NULL),
                     AG_OK);
    load(at);
    const nn_pass own = pass();
    finish(at, nn_embedding_apply(&layer, &own, shape, ids), NULL);
}

START_TEST(embedding_is_that_of_pytorch)
{
    reference_walk("embedding", 5, check_embedding);
}
END_TEST

static void check_cross_entropy(const reference *at)
{
    static const char *const reductions[] = {"mean", "sum", "none"};
    const char *ignore = reference_text(at, "ignore");
    ag_tensor *logits = read_variable(at, "logits");
    const ag_cross_entropy_options options = {
        .ignore = strcmp(ignore, "none") != 0,
        .ignore_index = (int32_t)strtol(ignore, NULL, 10),
        .label_smoothing = reference_number(at, "label_smoothing"),
        .class_weights = reference_find(at, "class_weights") ? reference_values(at, "class_weights", NULL) : NULL,
        .reduction = (ag_reduction)reference_choice(at, "reduction", reductions, 3),
    };
    ag_tensor *loss = ag_cross_entropy(logits, reference_integers(at, "targets", NULL), &options);
    ck_assert_msg(loss != NULL, "%s: %s", at->name, ag_tape_error(tape)->message);
    ck_assert_int_eq(ag_backward_seeded(loss, reference_values(at, "upstream", NULL)), AG_OK);
    reference_compare(at, "loss", loss->shape, loss->data);
    reference_compare(at, "grad/logits", logits->shape, logits->grad);
    ag_tape_rewind(tape);
}

START_TEST(cross_entropy_is_that_of_pytorch)
{
    reference_walk("cross_entropy", 54, check_cross_entropy);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("reference layers");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, tape_set_up, tape_tear_down);
    tcase_add_test(tcase, linear_is_that_of_pytorch);
    tcase_add_test(tcase, layer_norm_is_that_of_pytorch);
    tcase_add_test(tcase, embedding_is_that_of_pytorch);
    tcase_add_test(tcase, cross_entropy_is_that_of_pytorch);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
