/* test_ops_loss.c - cross-entropy and mean squared error: figures, reductions, what does
 * not count, precision. */
#include "same_bytes.h"
#include "tape_fixture.h"

#include <math.h>
#include <string.h>

static void check_near(double found, double expected, double tolerance, const char *what)
{
    double size = fabs(expected) > 1 ? fabs(expected) : 1;
    if (!(fabs(found - expected) <= tolerance * size)) /* (thousands of passing ck_asserts would be slow) */
        ck_abort_msg("%s is %.17g, expected %.17g", what, found, expected);
}

#define EXACT PRECISION(1e-14, 3e-7)

/* ---- Cross-entropy against the formula --------------------------------------------- */

/* The loss of one row in double and its gradient by the logits. */
static double naive_row(int64_t classes, const ag_real *x, int target, double smoothing, const ag_real *weights,
                        double *dx)
{
    double sum = 0, max = -INFINITY, loss = 0, total = 0;
    for (int64_t c = 0; c < classes; c++)
        max = fmax(max, (double)x[c]);
    for (int64_t c = 0; c < classes; c++)
        sum += exp((double)x[c] - max);
    for (int64_t c = 0; c < classes; c++) {
        double q = smoothing / (double)classes * (weights ? (double)weights[c] : 1);
        if (c == target)
            q += (1 - smoothing) * (weights ? (double)weights[c] : 1);
        loss += q * (log(sum) - ((double)x[c] - max));
        total += q;
        dx[c] = -q;
    }
    for (int64_t c = 0; c < classes; c++)
        dx[c] += total * exp((double)x[c] - max) / sum;
    return loss;
}

/* The loss, with arguments that are gone when it returns: they must have been copied. */
static ag_tensor *loss_of_passing_arguments(ag_tensor *logits, const int32_t *targets, ag_cross_entropy_options options)
{
    const int64_t classes = logits->shape.dim[logits->shape.ndim - 1], rows = logits->size / classes;
    int32_t *passing_targets = malloc((size_t)rows * sizeof *targets);
    ag_real *passing_weights = malloc((size_t)classes * sizeof *passing_weights);
    memcpy(passing_targets, targets, (size_t)rows * sizeof *targets);
    if (options.class_weights)
        options.class_weights = memcpy(passing_weights, options.class_weights, (size_t)classes * sizeof(ag_real));
    ag_tensor *loss = ag_cross_entropy(logits, passing_targets, &options);
    memset(passing_targets, 77, (size_t)rows * sizeof *targets);
    memset(passing_weights, 77, (size_t)classes * sizeof *passing_weights);
    free(passing_targets);
    free(passing_weights);
    return loss;
}

/* Compares loss and gradient with the plain way for one choice of options; every fifth
 * row is ignored, if any. */
static void check_cross_entropy(int64_t classes, const ag_cross_entropy_options *options)
{
    enum { ROWS = 23 };
    const int64_t size = ROWS * classes;
    ag_real *x = malloc((size_t)size * sizeof *x), seed[ROWS];
    double *dx = malloc((size_t)size * sizeof *dx), losses[ROWS], sum = 0, counted = 0;
    int32_t targets[ROWS];
    test_fill(x, size, (uint64_t)classes, -4, 4);
    test_fill(seed, ROWS, 4, 0.5, 2);
    for (int r = 0; r < ROWS; r++) {
        targets[r] = options->ignore && r % 5 == 2 ? options->ignore_index : (int32_t)(r * 7 % classes);
        bool counts = !(options->ignore && targets[r] == options->ignore_index);
        losses[r] = counts ? naive_row(classes, x + r * classes, targets[r], options->label_smoothing,
                                       options->class_weights, dx + r * classes)
                           : 0;
        for (int64_t c = 0; !counts && c < classes; c++)
            dx[r * classes + c] = 0;
        sum += losses[r];
        if (counts)
            counted += options->class_weights ? (double)options->class_weights[targets[r]] : 1;
    }

    ag_tensor *logits = ag_variable(tape, AG_SHAPE(ROWS, classes), x);
    ag_tensor *loss = loss_of_passing_arguments(logits, targets, *options);
    for (int64_t i = 0; i < size; i++)
        logits->grad[i] = 1; /* gradients are added to it */
    ck_assert_msg(loss != NULL, "%s", ag_tape_error(tape)->message);
    ck_assert_int_eq(ag_backward_seeded(loss, seed), AG_OK);
    if (options->reduction == AG_NONE) {
        ck_assert(ag_shape_equal(loss->shape, AG_SHAPE(ROWS)));
        for (int r = 0; r < ROWS; r++)
            check_near((double)loss->data[r], losses[r], EXACT, "a row's loss");
    } else {
        ck_assert_int_eq(loss->shape.ndim, 0);
        check_near((double)loss->data[0], options->reduction == AG_SUM ? sum : sum / counted, EXACT, "loss");
    }
    for (int64_t i = 0; i < size; i++) {
        double dloss = (double)seed[options->reduction == AG_NONE ? i / classes : 0];
        double scale = options->reduction == AG_MEAN ? 1 / counted : 1;
        check_near((double)logits->grad[i], 1 + dloss * scale * dx[i], PRECISION(1e-14, 5e-7), "gradient");
        if (options->ignore && i / classes % 5 == 2 && logits->grad[i] != 1)
            ck_abort_msg("an ignored row has a gradient");
    }
    free(x);
    free(dx);
    ag_tape_rewind(tape);
}

/* Every combination of options, for numbers of classes around where vectors and blocks
 * end. */
START_TEST(cross_entropy_equals_the_formula)
{
    const int64_t class_counts[] = {1, 2, 3, 17, 33, 256, 531};
    ag_real weights[531];
    test_fill(weights, 531, 9, 0.1, 3);
    for (size_t i = 0; i < sizeof class_counts / sizeof *class_counts; i++)
        for (int form = 0; form < 3 * 3 * 2 * 4; form++) {
            const double smoothing[] = {0, 0.1, 1};
            const int32_t ignored[] = {-100, 255, 0};
            ag_cross_entropy_options options = {
                .reduction = (ag_reduction)(form % 3),
                .label_smoothing = smoothing[form / 3 % 3],
                .class_weights = form / 9 % 2 ? weights : NULL,
                .ignore = form / 18 < 3,
                .ignore_index = form / 18 < 3 ? ignored[form / 18] : 0,
            };
            if (options.ignore && options.ignore_index == 0 && class_counts[i] == 1)
                continue; /* nothing would count */
            check_cross_entropy(class_counts[i], &options);
        }
}
END_TEST

/* PyTorch's figures for these inputs, to their four digits, and the closed forms log(1 +
 * e^-2) and log(1 + 1/e). */
START_TEST(known_figures)
{
    const ag_real even[] = {3, 3, 2, 2}, x[] = {3, 1, 1, 2};
    const int32_t targets[] = {0, 1};
    const double first = log(1 + exp(-2)), second = log(1 + exp(-1));
    const ag_cross_entropy_options smoothed = {.label_smoothing = 0.15};
    ag_tensor *logits = ag_constant(tape, AG_SHAPE(2, 2), x);
    ag_tensor *loss = ag_cross_entropy(ag_constant(tape, AG_SHAPE(2, 2), even), targets, NULL);
    check_near((double)loss->data[0], log(2), EXACT, "loss of even logits");
    check_near((double)ag_cross_entropy(logits, targets, NULL)->data[0], (first + second) / 2, EXACT, "plain loss");
    loss = ag_cross_entropy(logits, targets, &smoothed);
    check_near((double)loss->data[0], 0.3326, 5e-5, "smoothed loss");
    check_near((double)loss->data[0], (first + 0.075 * 2 + second + 0.075) / 2, EXACT, "smoothed loss");

    /* Targets that are distributions, (0.8, 0.2) and (0.1, 0.9) smoothed by 0.2, by way
     * of log-softmax. */
    const ag_real q[] = {(ag_real)0.74, (ag_real)0.26, (ag_real)0.18, (ag_real)0.82};
    ag_tensor *weighted = ag_mul(ag_constant(tape, AG_SHAPE(2, 2), q), ag_log_softmax(logits, -1));
    loss = ag_scale(ag_sum(weighted, AG_ALL_AXES, false), -0.5);
    check_near((double)loss->data[0], 0.5701, 5e-5, "loss of soft targets");
}
END_TEST

/* gradient = (p - q) / N */
START_TEST(gradient_of_the_mean)
{
    enum { N = 3, C = 4 };
    const int32_t targets[N] = {2, 0, 3};
    ag_tensor *logits = ag_variable(tape, AG_SHAPE(N, C), NULL);
    test_fill(logits->data, N * C, 5, -2, 2);
    ag_tensor *p = ag_softmax(ag_detach(logits), -1);
    ag_tensor *loss = ag_cross_entropy(logits, targets, &(ag_cross_entropy_options){.label_smoothing = 0.2});
    ck_assert_int_eq(ag_backward(loss), AG_OK);
    for (int i = 0; i < N * C; i++) {
        double q = 0.2 / C + (i % C == targets[i / C] ? 0.8 : 0);
        check_near((double)logits->grad[i], ((double)p->data[i] - q) / N, EXACT, "gradient");
    }
}
END_TEST

/* ---- Ignored targets --------------------------------------------------------------- */

/* Smoothing must not leak to an ignored row: the result is, bit for bit, that of the
 * other rows alone, and what an ignored row holds, even NaN, changes nothing. */
START_TEST(ignored_rows_are_not_there)
{
    enum { ROWS = 6, C = 5 };
    ag_real x[ROWS * C], kept[ROWS * C];
    ag_real weights[C] = {1, 2, (ag_real)0.5, 3, (ag_real)0.25};
    const int32_t targets[ROWS] = {1, 255, 4, 255, 255, 0}, kept_targets[] = {1, 4, 0};
    int64_t rows = 0;
    test_fill(x, ROWS * C, 6, -3, 3);
    for (int r = 0; r < ROWS; r++)
        if (targets[r] != 255)
            memcpy(kept + rows++ * C, x + r * C, C * sizeof(ag_real));
        else
            x[r * C + 1] = r == 1 ? (ag_real)NAN : (ag_real)INFINITY;

    for (int reduction = AG_MEAN; reduction <= AG_SUM; reduction++) {
        ag_cross_entropy_options options = {.ignore = true,
                                            .ignore_index = 255,
                                            .label_smoothing = 0.3,
                                            .class_weights = weights,
                                            .reduction = (ag_reduction)reduction};
        ag_tensor *all = ag_variable(tape, AG_SHAPE(2, 3, C), x), *few = ag_variable(tape, AG_SHAPE(rows, C), kept);
        ag_tensor *loss = ag_cross_entropy(all, targets, &options);
        options.ignore = false;
        ag_tensor *few_loss = ag_cross_entropy(few, kept_targets, &options);
        ck_assert(loss->data[0] == few_loss->data[0]);
        ck_assert_int_eq(ag_backward(loss), AG_OK);
        ck_assert_int_eq(ag_backward(few_loss), AG_OK);
        for (int r = 0, k = 0; r < ROWS; r++)
            for (int c = 0; c < C; c++)
                ck_assert(all->grad[r * C + c] == (targets[r] == 255 ? 0 : few->grad[k++]));
        ag_tape_rewind(tape);
    }
}
END_TEST

START_TEST(nothing_counts)
{
    const int32_t targets[] = {-100, -100, -100};
    const ag_real zeros[4] = {0};
    const int32_t zero_targets[] = {2, 2, 2};
    for (int reduction = AG_MEAN; reduction <= AG_NONE; reduction++)
        for (int form = 0; form < 2; form++) { /* all ignored; all classes of weight 0 */
            ag_cross_entropy_options options = {.ignore = form == 0,
                                                .ignore_index = -100,
                                                .label_smoothing = 0.1,
                                                .class_weights = form ? zeros : NULL,
                                                .reduction = (ag_reduction)reduction};
            ag_tensor *logits = ag_variable(tape, AG_SHAPE(3, 4), NULL);
            const ag_real seed[3] = {1, 1, 1};
            test_fill(logits->data, 12, 3, -2, 2);
            ag_tensor *loss = ag_cross_entropy(logits, form ? zero_targets : targets, &options);
            ck_assert_int_eq(ag_backward_seeded(loss, seed), AG_OK);
            for (int64_t i = 0; i < loss->size; i++)
                ck_assert(loss->data[i] == 0);
            for (int i = 0; i < 12; i++)
                ck_assert(logits->grad[i] == 0);
            ag_tape_rewind(tape);
        }
}
END_TEST

START_TEST(no_rows_or_no_classes)
{
    const int32_t ignored[] = {-1, -1};
    const ag_cross_entropy_options options = {.ignore = true, .ignore_index = -1};
    for (int reduction = AG_MEAN; reduction <= AG_SUM; reduction++) {
        ag_cross_entropy_options plain = {.reduction = (ag_reduction)reduction};
        ag_tensor *loss = ag_cross_entropy(ag_variable(tape, AG_SHAPE(0, 4), NULL), NULL, &plain);
        ck_assert(loss && loss->data[0] == 0);
        ck_assert_int_eq(ag_backward(loss), AG_OK);
    }
    ag_tensor *rows = ag_cross_entropy(ag_variable(tape, AG_SHAPE(2, 0, 4), NULL), NULL,
                                       &(ag_cross_entropy_options){.reduction = AG_NONE});
    ck_assert(rows && ag_shape_equal(rows->shape, AG_SHAPE(2, 0)));
    ag_tensor *loss = ag_cross_entropy(ag_variable(tape, AG_SHAPE(2, 0), NULL), ignored, &options);
    ck_assert(loss && loss->data[0] == 0);
    tape_refuses(ag_cross_entropy(ag_variable(tape, AG_SHAPE(2, 0), NULL), ignored, NULL), AG_BAD_VALUE, "0 classes");
}
END_TEST

/* ---- Hard cases -------------------------------------------------------------------- */

/* Logits far from 0, a forbidden class, a class of weight 0 that is impossible, and a row
 * where all is impossible. */
START_TEST(extreme_logits)
{
    const ag_real inf = (ag_real)INFINITY;
    const ag_real x[5][3] = {
        {10000, -10000, 9999}, {-30000, -30001, -30002}, {1, -inf, 2}, {1, -inf, 2}, {-inf, -inf, -inf}};
    const ag_real weights[] = {1, 0, 1};
    const int32_t targets[] = {2, 0, 0, 1, 0};
    const ag_cross_entropy_options options = {.reduction = AG_NONE, .class_weights = weights};
    const ag_real seed[] = {1, 1, 1, 1, 1};
    ag_tensor *logits = ag_variable(tape, AG_SHAPE(5, 3), x[0]);
    ag_tensor *loss = ag_cross_entropy(logits, targets, &options);
    check_near((double)loss->data[0], 1 + log(1 + exp(-1)), EXACT, "loss of large logits");
    check_near((double)loss->data[1], log(1 + exp(-1) + exp(-2)), EXACT, "loss of small logits");
    check_near((double)loss->data[2], 1 + log(1 + exp(-1)), EXACT, "loss beside an impossible class");
    ck_assert(loss->data[3] == 0 && loss->data[4] == inf);
    ck_assert_int_eq(ag_backward_seeded(loss, seed), AG_OK);
    for (int i = 0; i < 15; i++)
        ck_assert(isfinite(logits->grad[i]));
    ck_assert(logits->grad[7] == 0 && logits->grad[10] == 0);

    /* Smoothing asks for the impossible class, unless its weight is 0. */
    ag_cross_entropy_options smoothed = {.label_smoothing = 0.3};
    ck_assert(ag_cross_entropy(ag_constant(tape, AG_SHAPE(3), x[2]), targets + 2, &smoothed)->data[0] == inf);
    smoothed.class_weights = weights;
    loss = ag_cross_entropy(ag_constant(tape, AG_SHAPE(3), x[2]), targets + 2, &smoothed);
    check_near((double)loss->data[0], 0.8 * (1 + log(1 + exp(-1))) + 0.1 * log(1 + exp(-1)), EXACT, "smoothed loss");
}
END_TEST

/* The sum of a million rows: in float, adding one after the other would be off in the
 * fourth digit. */
START_TEST(precision_of_many_terms)
{
    enum { ROWS = 1 << 20, C = 2, DIFFERENT = 64 };
    int32_t *targets = malloc(ROWS * sizeof *targets);
    ag_tensor *logits = ag_constant(tape, AG_SHAPE(ROWS, C), NULL);
    double expected = 0, dx[C];
    ck_assert(targets && logits);
    test_fill(logits->data, DIFFERENT * C, 8, -1, 1);
    for (int64_t r = 0; r < ROWS; r++) {
        targets[r] = (int32_t)(r % DIFFERENT % C);
        memcpy(logits->data + r * C, logits->data + r % DIFFERENT * C, C * sizeof(ag_real));
        if (r < DIFFERENT)
            expected += naive_row(C, logits->data + r * C, targets[r], 0.1, NULL, dx);
    }
    ag_cross_entropy_options options = {.label_smoothing = 0.1};
    double mean = (double)ag_cross_entropy(logits, targets, &options)->data[0];
    options.reduction = AG_SUM;
    double sum = (double)ag_cross_entropy(logits, targets, &options)->data[0];
    check_near(mean, expected / DIFFERENT, PRECISION(1e-11, 1e-7), "mean of a million rows");
    check_near(sum, expected / DIFFERENT * ROWS, PRECISION(1e-11, 1e-7), "sum of a million rows");

    ag_tensor *zero = ag_constant(tape, AG_SHAPE(1), NULL);
    mean = (double)ag_mse(logits, zero, AG_MEAN)->data[0];
    double squares = 0;
    for (int i = 0; i < DIFFERENT * C; i++)
        squares += (double)logits->data[i] * (double)logits->data[i];
    check_near(mean, squares / (DIFFERENT * C), PRECISION(1e-11, 1e-7), "mean of a million squares");
    free(targets);
}
END_TEST

START_TEST(cross_entropy_errors)
{
    const ag_shape shape = AG_SHAPE(2, 3);
    const int32_t good[] = {0, 2}, high[] = {0, 3}, low[] = {-1, 0}, far[] = {-100, 0};
    ag_cross_entropy_options options = {.ignore = true, .ignore_index = -1};
    tape_refuses(ag_cross_entropy(ag_variable(tape, shape, NULL), high, NULL), AG_BAD_VALUE,
                 "cross_entropy: row 1 has target 3, which is none of the 3 classes");
    tape_refuses(ag_cross_entropy(ag_variable(tape, shape, NULL), low, NULL), AG_BAD_VALUE, "row 0 has target -1");
    tape_refuses(ag_cross_entropy(ag_variable(tape, shape, NULL), far, &options), AG_BAD_VALUE,
                 "row 0 has target -100");
    tape_refuses(ag_cross_entropy(ag_variable(tape, shape, NULL), NULL, NULL), AG_BAD_VALUE, "no targets");
    tape_refuses(ag_cross_entropy(ag_variable(tape, AG_SCALAR, NULL), good, NULL), AG_BAD_SHAPE, "scalar");
    const double smoothing[] = {-0.01, 1.01, (double)NAN};
    for (int i = 0; i < 3; i++) {
        options.label_smoothing = smoothing[i];
        tape_refuses(ag_cross_entropy(ag_variable(tape, shape, NULL), good, &options), AG_BAD_VALUE, "label smoothing");
    }
    options = (ag_cross_entropy_options){.reduction = (ag_reduction)3};
    tape_refuses(ag_cross_entropy(ag_variable(tape, shape, NULL), good, &options), AG_BAD_VALUE, "reduction 3");
    ck_assert_ptr_null(ag_cross_entropy(NULL, good, NULL));
}
END_TEST

/* ---- Mean squared error ------------------------------------------------------------ */

/* Against the composition of single operations, over every way to stretch. */
START_TEST(mse_equals_its_composition)
{
    const ag_shape shapes[][2] = {{AG_SHAPE(3, 5), AG_SHAPE(3, 5)},
                                  {AG_SHAPE(4, 3, 5), AG_SHAPE(5)},
                                  {AG_SHAPE(1, 7), AG_SHAPE(6, 1)},
                                  {AG_SHAPE(2, 3), AG_SCALAR},
                                  {AG_SCALAR, AG_SCALAR},
                                  {AG_SHAPE(1), AG_SHAPE(150, 301)},
                                  {AG_SHAPE(2, 1, 3, 1), AG_SHAPE(4, 1, 5)}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int reduction = AG_MEAN; reduction <= AG_NONE; reduction++) {
            ag_tensor *x[4]; /* a and b of mse, a and b of the composition */
            for (int k = 0; k < 4; k++) {
                x[k] = ag_variable(tape, shapes[i][k % 2], NULL);
                test_fill(x[k]->data, x[k]->size, 1 + (uint64_t)(k % 2), -2, 2);
                test_fill(x[k]->grad, x[k]->size, 5, 1, 2); /* gradients are added to it */
            }
            ag_tensor *found = ag_mse(x[0], x[1], (ag_reduction)reduction), *difference = ag_sub(x[2], x[3]);
            ag_tensor *expected = ag_mul(difference, difference);
            if (reduction != AG_NONE)
                expected =
                    reduction == AG_SUM ? ag_sum(expected, AG_ALL_AXES, false) : ag_mean(expected, AG_ALL_AXES, false);
            ck_assert(found && expected && ag_shape_equal(found->shape, expected->shape));
            ag_real *seed = malloc((size_t)found->size * sizeof *seed);
            test_fill(seed, found->size, 3, -1, 1);
            ck_assert_int_eq(ag_backward_seeded(found, seed), AG_OK);
            ck_assert_int_eq(ag_backward_seeded(expected, seed), AG_OK);
            for (int64_t e = 0; e < found->size; e++)
                check_near((double)found->data[e], (double)expected->data[e], PRECISION(1e-13, 1e-6), "mse");
            for (int k = 0; k < 2; k++)
                for (int64_t e = 0; e < x[k]->size; e++)
                    check_near((double)x[k]->grad[e], (double)x[k + 2]->grad[e], PRECISION(1e-12, 4e-6), "gradient");
            free(seed);
            ag_tape_rewind(tape);
        }
}
END_TEST

START_TEST(mse_of_equals_and_of_nothing)
{
    ag_tensor *x = ag_variable(tape, AG_SHAPE(3), (ag_real[]){1, 2, 3});
    ag_tensor *loss = ag_mse(x, x, AG_SUM);
    ck_assert_int_eq(ag_backward(loss), AG_OK);
    ck_assert(loss->data[0] == 0 && x->grad[0] == 0 && x->grad[2] == 0);

    ag_tensor *empty = ag_variable(tape, AG_SHAPE(0, 3), NULL);
    loss = ag_mse(empty, x, AG_SUM);
    ck_assert_int_eq(ag_backward(loss), AG_OK);
    ck_assert(loss->data[0] == 0 && x->grad[1] == 0);
    tape_refuses(ag_mse(empty, x, AG_MEAN), AG_BAD_SHAPE, "mse: [0,3] and [3]: the mean of an empty result is undefined");
}
END_TEST

START_TEST(mse_errors)
{
    tape_refuses(ag_mse(ag_variable(tape, AG_SHAPE(2, 3), NULL), ag_variable(tape, AG_SHAPE(2), NULL), AG_MEAN),
                 AG_BAD_SHAPE, "mse: [2,3] and [2] do not broadcast");
    tape_refuses(ag_mse(ag_variable(tape, AG_SHAPE(2), NULL), ag_variable(tape, AG_SHAPE(2), NULL), (ag_reduction)-1),
                 AG_BAD_VALUE, "reduction -1");
    ck_assert_ptr_null(ag_mse(NULL, NULL, AG_MEAN));
}
END_TEST

/* ---- Threads ----------------------------------------------------------------------- */

static ag_tensor *cross_entropy(ag_tape *on, ag_tensor *const *inputs, void *context)
{
    enum { ROWS = 217 };
    int32_t targets[ROWS];
    (void)on;
    for (int r = 0; r < ROWS; r++)
        targets[r] = r % 7 == 3 ? -100 : r * 5 % 131;
    return ag_cross_entropy(inputs[0], targets, context);
}

static ag_tensor *mse(ag_tape *on, ag_tensor *const *inputs, void *context)
{
    (void)on;
    return ag_mse(inputs[0], inputs[1], *(const ag_reduction *)context);
}

START_TEST(same_bytes_at_any_threads)
{
    for (int reduction = AG_MEAN; reduction <= AG_NONE; reduction++) {
        ag_cross_entropy_options options = {
            .ignore = true, .ignore_index = -100, .label_smoothing = 0.1, .reduction = (ag_reduction)reduction};
        test_same_bytes(cross_entropy, &options, (ag_shape[]){AG_SHAPE(217, 131)}, 1);
        test_same_bytes(mse, &options.reduction, (ag_shape[]){AG_SHAPE(217, 331), AG_SHAPE(331)}, 2);
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, tape_set_up, tape_tear_down);
    tcase_add_test(tests, cross_entropy_equals_the_formula);
    tcase_add_test(tests, known_figures);
    tcase_add_test(tests, gradient_of_the_mean);
    tcase_add_test(tests, ignored_rows_are_not_there);
    tcase_add_test(tests, nothing_counts);
    tcase_add_test(tests, no_rows_or_no_classes);
    tcase_add_test(tests, extreme_logits);
    tcase_add_test(tests, precision_of_many_terms);
    tcase_add_test(tests, cross_entropy_errors);
    tcase_add_test(tests, mse_equals_its_composition);
    tcase_add_test(tests, mse_of_equals_and_of_nothing);
    tcase_add_test(tests, mse_errors);
    tcase_add_test(tests, same_bytes_at_any_threads);
}

static Suite *suite(void)
{
    Suite *s = suite_create("ops_loss");
    test_at_each_level(s, add_tests);
    return s;
}

TEST_MAIN(suite)
