/* test_study_tape.c - what is shown of a tape: costs, norms and groups in its table, values
 * and derivatives in its picture, and a training step of a model. */
#include "document_util.h"
#include "subject_util.h"
#include "tape_fixture.h"

#include "study/tape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The document of a tape as text. */
static char *text_of(const ag_tape *shown, const study_tape_options *options)
{
    study_document *document = study_document_new(NULL);
    ag_error error = {0};
    ck_assert_msg(study_tape(shown, options, document, &error) == AG_OK, "%s", error.message);
    char *text = study_document_text(document, &(study_text_options){.width = 200}, &error);
    ck_assert_ptr_nonnull(text);
    study_document_free(document);
    return text;
}

static void backward(ag_tensor *loss)
{
    ck_assert_ptr_nonnull(loss);
    for (const ag_node *node = ag_tape_last(loss->tape); node; node = ag_node_before(node))
        ag_retain_grad(node->output);
    ck_assert_int_eq(ag_backward(loss), AG_OK);
}

static ag_tensor *scalar(ag_real value)
{
    return ag_variable(tape, AG_SCALAR, &value);
}

/* ---- The picture ------------------------------------------------------------------- */

/* loss = (w x + b)^2 at w = 3, x = 2, b = -1: docs/tour.md has its gradients. A value that
 * is used twice has two arrows, each with its own derivative. */
START_TEST(values_gradients_and_derivatives)
{
    ag_tensor *w = scalar(3), *x = scalar(2), *b = scalar(-1), *s = ag_add(ag_mul(w, x), b);
    backward(ag_mul(s, s));
    const study_name names[] = {{w, "w"}, {x, "x"}, {b, "b"}};
    char *text = text_of(tape, &(study_tape_options){.names = names, .name_count = 3});
    test_has(text, "\nw  value 3  gradient 20\nx  value 2  gradient 30\n"
                   "[0] mul  value 6  gradient 10\n    from w: 2\n    from x: 3\n"
                   "b  value -1  gradient 10\n"
                   "[1] add  value 5  gradient 10\n    from [0] mul: 1\n    from b: 1\n"
                   "[2] mul  value 25  gradient 1\n    from [1] add: 5\n    from [1] add: 5\n");
    free(text);
    ck_assert_double_eq((double)w->grad[0], 20); /* (showing it changes no gradient) */
    ck_assert_double_eq((double)x->grad[0], 30);
}
END_TEST

/* Of three operations there are seven steps: a value appears when its operation runs;
 * after the gradient of the result, derivatives with the backward of their operation,
 * and a gradient when all uses of its value have had theirs. */
START_TEST(step_by_step)
{
    static const char *const shown[][2] = {
        {"[0] mul  value 6  gradient ?\n    from w\n    from x\n", "[1] add  value ?  gradient ?\n"},
        {"[1] add  value 5  gradient ?\n    from [0] mul\n    from b\n", "[2] mul  value ?  gradient ?\n"},
        {"[2] mul  value 25  gradient ?\n", "w  value 3  gradient ?\n"},
        {"[2] mul  value 25  gradient 1\n    from [1] add\n", "[1] add  value 5  gradient ?\n"},
        {"[1] add  value 5  gradient 10\n    from [0] mul\n", "    from [1] add: 5\n    from [1] add: 5\n"},
        {"[1] add  value 5  gradient 10\n    from [0] mul: 1\n", "w  value 3  gradient ?\n"},
        {"w  value 3  gradient 20\nx  value 2  gradient 30\n", "    from w: 2\n    from x: 3\n"},
    };
    ag_tensor *w = scalar(3), *x = scalar(2), *b = scalar(-1), *s = ag_add(ag_mul(w, x), b);
    backward(ag_mul(s, s));
    const study_name names[] = {{w, "w"}, {x, "x"}, {b, "b"}};
    study_tape_options options = {.names = names, .name_count = 3};
    char *all = text_of(tape, &options);
    for (options.steps = 1; options.steps <= 7; options.steps++) {
        char *text = text_of(tape, &options);
        test_has(text, shown[options.steps - 1][0]);
        test_has(text, shown[options.steps - 1][1]);
        ck_assert_int_eq(strstr(text, "|gradient|  shapes") != NULL, options.steps > 3); /* of the table */
        ck_assert_int_eq(strcmp(text, all) == 0, options.steps == 7);
        free(text);
    }
    free(all);
}
END_TEST

/* a b + a: the backward of the sum gives a only a part of its gradient. */
START_TEST(half_a_gradient_is_not_shown)
{
    ag_tensor *a = scalar(2), *b = scalar(3);
    backward(ag_add(ag_mul(a, b), a));
    char *text = text_of(tape, &(study_tape_options){.steps = 4});
    test_has(text, "variable  value 2  gradient ?\n");
    test_has(text, "    from variable: 1\n");
    free(text);
    text = text_of(tape, &(study_tape_options){.steps = 5});
    test_has(text, "variable  value 2  gradient 4\n");
    free(text);
}
END_TEST

/* A bias [3] on two rows has 6 ones in its Jacobian [6, 3]; a mean has 1/6 everywhere;
 * elementwise ones are diagonal; small ones are written out, larger ones are a norm. A
 * constant has no derivative. */
START_TEST(jacobians)
{
    const ag_real rows[] = {1, 2, 3, 4, 5, 6}, bias[] = {(ag_real)0.5, 0, -1}, two[] = {1, 2};
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2, 3), rows), *b = ag_variable(tape, AG_SHAPE(3), bias);
    ag_tensor *sum = ag_add(x, b), *square = ag_mul(b, ag_constant(tape, AG_SHAPE(3), bias));
    ag_tensor *pair =
        ag_matmul(ag_constant(tape, AG_SHAPE(1, 2), two), ag_variable(tape, AG_SHAPE(2, 1), two), false, false);
    ag_tensor *soft = ag_softmax(sum, -1);
    backward(ag_add(ag_add(ag_mean(soft, AG_ALL_AXES, false), ag_sum(square, AG_ALL_AXES, false)),
                    ag_sum(pair, AG_ALL_AXES, false)));
    char *text = text_of(tape, NULL);
    test_has(text, "] add  [2,3]  value [1.5 2 2; 4.5 5 5]");
    test_has(text, "    from variable: 1\n    from variable: 1\n");
    test_has(text, "    from variable: diag [0.5 0 -1]\n    from constant\n");
    test_has(text, "    from constant\n    from variable: [1 2]\n");
    test_has(text, "softmax: 0.1667\n");
    test_has(text, "] add: norm 0.662\n"); /* sqrt(2) |diag(p) - p p^T|, p = 0.233 0.384 0.384 */
    free(text);
}
END_TEST

/* Of a result of more than 64 elements the norm is estimated. That of the identity times 3
 * with n elements is 3 sqrt(n), here exactly, since each row of the estimate is a row of
 * signs times 3. */
START_TEST(the_norm_of_a_large_jacobian)
{
    enum { SIZE = 100 };
    ag_tensor *x = ag_variable(tape, AG_SHAPE(SIZE), NULL);
    ag_tensor *y = ag_scale(x, 3);
    backward(ag_sum(y, AG_ALL_AXES, false));
    char *text = text_of(tape, NULL);
    test_has(text, "[0] scale  [100]  |value| 0  |gradient| 10\n    from variable: norm ~30\n");
    free(text);
}
END_TEST

START_TEST(only_small_tapes_are_drawn)
{
    for (int more = 0; more < 2; more++) {
        ag_tensor *x = scalar(1);
        for (int i = 0; i < STUDY_TAPE_PICTURE - 1 + more; i++)
            x = ag_scale(x, 1);
        backward(x);
        char *text = text_of(tape, NULL);
        ck_assert_uint_eq(test_count(text, "    from "), more ? 0 : STUDY_TAPE_PICTURE - 1);
        test_has(text, "\n[58] scale ");
        free(text);
        ag_tape_rewind(tape);
    }
}
END_TEST

/* ---- The table --------------------------------------------------------------------- */

/* Without scopes, costs or retained gradients there are no groups and no columns for
 * them. */
START_TEST(what_is_not_known_has_no_column)
{
    const ag_real x[] = {3, 4};
    ag_exp(ag_scale(ag_constant(tape, AG_SHAPE(2), x), 2));
    char *text = text_of(tape, NULL);
    test_has(text, "\noperation  |value|  shapes      formula\n");
    test_has(text, "\n[0] scale       10  [2] -> [2]  y = ");
    test_has_no(text, "outside of scopes");
    free(text);
}
END_TEST

/* A norm that is NaN is shown as one; a gradient that does not exist is a dash. */
START_TEST(norms_that_are_nan)
{
    const ag_real x[] = {(ag_real)NAN, 4}, c[] = {3, 4};
    backward(ag_sum(ag_mul(ag_variable(tape, AG_SHAPE(2), x), ag_scale(ag_constant(tape, AG_SHAPE(2), c), 2)),
                    AG_ALL_AXES, false));
    char *text = text_of(tape, NULL);
    test_has(text, "\noperation  |value|  |gradient|  shapes");
    test_has(text, "\n[0] scale  10                -  [2] -> [2]");
    test_has(text, "\n[1] mul    nan           1.414  [2] [2] -> [2]");
    free(text);
}
END_TEST

/* Shares of a tape's time sum to 100 %; the head of a group has the sums of its rows. The
 * group is named by the scope up to its number. */
START_TEST(costs_and_groups)
{
    ag_tape *measured = ag_tape_new(&(ag_tape_options){.threads = 1, .measures = true});
    ag_tensor *x = ag_variable(measured, AG_SHAPE(4, 6), NULL), *w = ag_variable(measured, AG_SHAPE(6, 6), NULL);
    ag_tape_enter(measured, "layers.0");
    ag_tape_enter(measured, "first");
    x = ag_linear(x, w, NULL);
    ag_tape_leave(measured);
    ag_tape_enter(measured, "norm");
    x = ag_rms_norm(x, NULL, 1e-5);
    ag_tape_leave(measured);
    ag_tape_leave(measured);
    ag_tape_enter(measured, "layers.1.first");
    x = ag_linear(x, w, NULL);
    ag_tape_leave(measured);
    backward(ag_sum(x, AG_ALL_AXES, false));
    char *text = text_of(measured, &(study_tape_options){.peak = 1e9});
    test_has(text, "\nlinear         2            864  "); /* 2 x 3 x 4 x 6 x 6 */
    test_has(text, "\nall            4            864  ");
    test_has(text, "\nlayers.0                         432  ");
    test_has(text, "\n  [0] linear (first)             432  ");
    test_has(text, "\n  [1] rms_norm (norm)              -  ");
    test_has(text, "\nlayers.1                         432  ");
    test_has(text, "\noutside of scopes                  -  ");
    test_has(text, " forward us  back us  % of time  % of peak ");
    test_has(text, " 100.0 ");

    tape_rows rows;
    ag_error error = {0};
    ck_assert_int_eq(tape_rows_read(&rows, measured, measured, NULL, &error), AG_OK);
    ck_assert_int_eq(rows.count, 4);
    ck_assert_double_eq(rows.items[2].multiply_adds, 432);
    ck_assert_double_ge(rows.items[0].bytes, 4 * 6 * sizeof(ag_real));
    ck_assert_double_eq(rows.items[3].gradient, 1);
    ck_assert(isnan(rows.items[1].multiply_adds) && isnan(rows.items[0].recompute));
    free(rows.items);
    free(text);
    ag_tape_free(measured);
}
END_TEST

/* ---- Errors ------------------------------------------------------------------------ */

static void refuses(ag_status status, const char *part)
{
    study_document *document = study_document_new(NULL);
    ag_error error = {0};
    ck_assert_int_eq(study_tape(tape, NULL, document, &error), status);
    test_has(error.message, part);
    study_document_free(document);
}

START_TEST(tapes_that_show_nothing)
{
    refuses(AG_BAD_VALUE, "the tape has no operations");
    ck_assert_ptr_null(ag_matmul(scalar(1), scalar(2), false, false));
    refuses(AG_BAD_SHAPE, "matmul");
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    const ag_real values[] = {1, 2, 3};
    backward(ag_sum(ag_exp(ag_variable(tape, AG_SHAPE(3), values)), AG_ALL_AXES, false));
    free(text_of(tape, NULL)); /* (the tape has the memory for derivatives now) */
    for (int64_t n = 1, done = 0; !done; n++) {
        study_document *document = study_document_new(NULL);
        ag_error error = {0};
        const int64_t before = test_allocations();
        test_fail_allocation(n);
        ag_status status = study_tape(tape, NULL, document, &error);
        test_fail_allocation(0);
        done = test_allocations() - before < n;
        if (status == AG_OK && !done) /* (a part of the document) */
            ck_assert_ptr_null(study_document_text(document, NULL, &error));
        ck_assert_int_eq(error.status, done ? AG_OK : AG_NO_MEMORY);
        study_document_free(document);
        ck_assert_int_lt(n, 1000);
    }
}
END_TEST

/* ---- A training step --------------------------------------------------------------- */

static test_subject s;

static void step_set_up(void)
{
    test_subject_init(&s, (nn_model_config){.kind = NN_ENCODER_DECODER}, (test_sizes){6, 5, 4, 3});
}

static void step_tear_down(void)
{
    test_subject_clear(&s);
}

static char *step_text(const nn_input *input, const int32_t *targets, const study_step_options *options)
{
    study_document *document = study_document_new(NULL);
    ag_error error = {0};
    ck_assert_msg(study_tape_step(s.model, input, targets, options, document, &error) == AG_OK, "%s", error.message);
    char *text = study_document_text(document, &(study_text_options){.width = 200}, &error);
    study_document_free(document);
    return text;
}

/* The last operation is the loss, whose value is that of the trace. Parameters have their
 * names. The model's own gradients and values stay. */
START_TEST(a_step_of_a_model)
{
    nn_params *params = &s.model->params;
    for (int64_t i = 0; i < params->size; i++)
        params->grad[i] = (ag_real)i;
    const uint64_t size = (uint64_t)params->size * sizeof(ag_real);
    ag_real *values = malloc(size);
    memcpy(values, params->value, size);
    char *text = step_text(s.subject.input, NULL, &(study_step_options){.threads = 1});
    test_has(text, "with 1 thread at level");
    test_has(text, "\nencoder.layers.1  ");
    test_has(text, " attention (self_attn)  ");
    test_has(text, " again ");
    test_has(text, " % of peak ");
    test_has(text, "    from decoder.layers.0.linear1.weight: norm ");
    test_has(text, ".self_attn.in_proj_weight[8..]");
    ck_assert_mem_eq(params->value, values, size);
    for (int64_t i = 0; i < params->size; i++)
        ck_assert_double_eq((double)params->grad[i], (double)(ag_real)i);
    free(text);
    free(values);
}
END_TEST

/* With plain attention the scores have rows of their own. Several examples need targets. */
START_TEST(plain_attention_and_targets)
{
    char *text = step_text(s.subject.input, NULL, &(study_step_options){.threads = 1, .plain_attention = true});
    test_has(text, " masked_softmax (self_attn)  ");
    free(text);
    test_batch batch;
    ag_error error = {0};
    test_batch_fill(&batch, s.model, 3, 4, 5, 1);
    study_document *document = study_document_new(NULL);
    ck_assert_int_eq(study_tape_step(s.model, &batch.input, NULL, NULL, document, &error), AG_BAD_VALUE);
    test_has(error.message, "a step of 3 examples needs their targets");
    study_document_free(document);
    text = step_text(&batch.input, batch.labels, NULL);
    test_has(text, "[3,5,");
    free(text);
}
END_TEST

static Suite *tape_suite(void)
{
    Suite *suite = suite_create("study tape");
    TCase *tapes = tcase_create("tapes"), *steps = tcase_create("steps");
    tcase_set_timeout(tapes, 60);
    tcase_set_timeout(steps, 60);
    tcase_add_checked_fixture(tapes, tape_set_up, tape_tear_down);
    tcase_add_test(tapes, values_gradients_and_derivatives);
    tcase_add_test(tapes, step_by_step);
    tcase_add_test(tapes, half_a_gradient_is_not_shown);
    tcase_add_test(tapes, jacobians);
    tcase_add_test(tapes, the_norm_of_a_large_jacobian);
    tcase_add_test(tapes, only_small_tapes_are_drawn);
    tcase_add_test(tapes, what_is_not_known_has_no_column);
    tcase_add_test(tapes, norms_that_are_nan);
    tcase_add_test(tapes, costs_and_groups);
    tcase_add_test(tapes, tapes_that_show_nothing);
    tcase_add_test(tapes, every_allocation_may_fail);
    suite_add_tcase(suite, tapes);
    tcase_add_checked_fixture(steps, step_set_up, step_tear_down);
    tcase_add_test(steps, a_step_of_a_model);
    tcase_add_test(steps, plain_attention_and_targets);
    suite_add_tcase(suite, steps);
    return suite;
}

TEST_MAIN(tape_suite)
