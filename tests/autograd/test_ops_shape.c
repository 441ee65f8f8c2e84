/* test_ops_shape.c - reductions, reshape, permute, concat and slice against their
 * definitions, element by element. */
#include "check_util.h"

#include <math.h>
#include <string.h>

#define MOST 4000 /* elements of a drawn shape */

static ag_real values[MOST], seed[MOST];

static ag_shape draw_shape(ag_rng *rng, int least)
{
    static const int64_t sizes[] = {1, 2, 3, 5, 8, 1, 4, 17};
    ag_shape shape = {.ndim = least + (int)ag_rng_below(rng, (uint64_t)(6 - least))};
    int64_t room = MOST;
    for (int i = 0; i < shape.ndim; i++) {
        shape.dim[i] = sizes[ag_rng_below(rng, 8)];
        if (shape.dim[i] > room)
            shape.dim[i] = 1;
        room /= shape.dim[i];
    }
    return shape;
}

/* The indices of the element `flat`, and back. */
static void indices_of(ag_shape shape, int64_t flat, int64_t index[AG_MAX_DIMS])
{
    for (int i = shape.ndim - 1; i >= 0; i--) {
        index[i] = flat % shape.dim[i];
        flat /= shape.dim[i];
    }
}

static int64_t flat_of(ag_shape shape, const int64_t index[AG_MAX_DIMS])
{
    int64_t flat = 0;
    for (int i = 0; i < shape.ndim; i++)
        flat = flat * shape.dim[i] + index[i];
    return flat;
}

static void expect_error(const ag_tensor *result, ag_tape *tape, ag_status status, const char *message)
{
    ck_assert_ptr_null(result);
    ck_assert_int_eq(ag_tape_error(tape)->status, status);
    ck_assert_str_eq(ag_tape_error(tape)->message, message);
    ag_tape_rewind(tape);
}

/* ---- Reductions -------------------------------------------------------------------- */

enum { SUM, MEAN, MAX, REDUCTIONS };

static ag_tensor *reduce(int which, ag_tensor *x, unsigned axes, bool keep)
{
    ag_tensor *(*const operations[])(ag_tensor *, unsigned, bool) = {ag_sum, ag_mean, ag_max};
    return operations[which](x, axes, keep);
}

/* The naive result for one drawn shape and set of axes; `keep` shape is `kept`. */
static void check_reduction(int which, ag_tape *tape, ag_shape shape, unsigned axes, bool keep)
{
    static double sums[MOST];
    static int64_t place[MOST];
    ag_tensor *x = ag_variable(tape, shape, values);
    ag_tensor *y = reduce(which, x, axes, keep);
    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK); /* gradients add up */

    ag_shape kept = shape, wanted = AG_SCALAR;
    double count = 1;
    for (int i = 0; i < shape.ndim; i++) {
        bool reduced = axes >> i & 1;
        if (reduced) {
            kept.dim[i] = 1;
            count *= (double)shape.dim[i];
        }
        if (!reduced || keep)
            wanted.dim[wanted.ndim++] = kept.dim[i];
    }
    ck_assert(ag_shape_equal(y->shape, wanted));

    for (int64_t i = 0; i < y->size; i++) {
        sums[i] = 0;
        place[i] = -1;
    }
    for (int pass = 0; pass < 2; pass++) /* first the result, then the gradient */
        for (int64_t i = 0; i < x->size; i++) {
            int64_t index[AG_MAX_DIMS];
            indices_of(shape, i, index);
            for (int axis = 0; axis < shape.ndim; axis++)
                if (axes >> axis & 1)
                    index[axis] = 0;
            int64_t to = flat_of(kept, index);
            if (pass == 0) {
                sums[to] += (double)values[i];
                if (place[to] < 0 || values[i] > values[place[to]])
                    place[to] = i;
                continue;
            }
            double gradient = 2 * (double)seed[to];
            if (which == MEAN)
                gradient /= count;
            if (which == MAX && place[to] != i)
                gradient = 0;
            ck_assert_double_eq_tol((double)x->grad[i], gradient, PRECISION(1e-15, 1e-6));
        }
    for (int64_t i = 0; i < y->size; i++) {
        double result = which == SUM ? sums[i] : which == MEAN ? sums[i] / count : (double)values[place[i]];
        ck_assert_double_eq_tol((double)y->data[i], result, PRECISION(1e-12, 1e-5) * fmax(1, fabs(result)));
    }
    ag_tape_rewind(tape);
}

START_TEST(reductions_over_drawn_shapes_and_axes)
{
    ag_rng rng = ag_rng_make(3, (uint64_t)_i);
    ag_tape *tape = ag_tape_new(NULL);
    test_fill(values, MOST, 1, -2, 2);
    test_fill(seed, MOST, 2, -1, 1);
    for (int draw = 0; draw < 300; draw++) {
        ag_shape shape = draw_shape(&rng, 0);
        unsigned axes = (unsigned)ag_rng_below(&rng, UINT64_C(1) << shape.ndim);
        if (ag_rng_below(&rng, 5) == 0)
            axes = AG_ALL_AXES;
        check_reduction(_i, tape, shape, axes, ag_rng_below(&rng, 2));
    }
    ag_tape_free(tape);
}
END_TEST

START_TEST(a_long_sum_keeps_its_digits)
{
    const int64_t count = 3000001;
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_constant(tape, AG_SHAPE(count), NULL);
    for (int64_t i = 0; i < count; i++)
        x->data[i] = (ag_real)0.1;
    double wanted = (double)count * (double)(ag_real)0.1;
    ck_assert_double_eq_tol((double)ag_sum(x, AG_ALL_AXES, false)->data[0] / wanted, 1, PRECISION(1e-13, 1e-7));
    /* over columns too, and in the gradient of a bias */
    ag_tensor *bias = ag_variable(tape, AG_SHAPE(3), NULL);
    ag_tensor *rows = ag_reshape(ag_slice(x, 0, 0, 3000000), AG_SHAPE(1000000, 3));
    ag_tensor *columns = ag_sum(rows, AG_AXIS(0), false);
    ck_assert_int_eq(ag_backward(ag_sum(ag_mul(rows, bias), AG_ALL_AXES, false)), AG_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_double_eq_tol((double)columns->data[i] / (1e6 * (double)(ag_real)0.1), 1, PRECISION(1e-13, 1e-7));
        ck_assert_double_eq_tol((double)bias->grad[i] / (1e6 * (double)(ag_real)0.1), 1, PRECISION(1e-13, 1e-7));
    }
    ag_tape_free(tape);
}
END_TEST

START_TEST(the_first_of_equal_maxima_has_the_gradient)
{
    const ag_real ties[] = {1, 7, 7, 7, 2, 2};
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2, 3), ties);
    ck_assert_int_eq(ag_backward(ag_sum(ag_max(x, AG_AXIS(1), false), AG_ALL_AXES, false)), AG_OK);
    const double wanted[] = {0, 1, 0, 1, 0, 0};
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq((double)x->grad[i], wanted[i]);
    ck_assert_int_eq(ag_backward(ag_max(x, AG_ALL_AXES, false)), AG_OK);
    ck_assert_double_eq((double)x->grad[1], 2);
    ck_assert_double_eq((double)x->grad[3], 1);
    ag_tape_free(tape);
}
END_TEST

START_TEST(a_maximum_does_not_hide_nan)
{
    const ag_real some[] = {1, NAN, 3, 4, 5, NAN};
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_constant(tape, AG_SHAPE(2, 3), some);
    const ag_tensor *rows = ag_max(x, AG_AXIS(1), false), *columns = ag_max(x, AG_AXIS(0), false);
    ck_assert(isnan(rows->data[0]) && isnan(rows->data[1]));
    ck_assert((double)columns->data[0] == 4 && isnan(columns->data[1]) && isnan(columns->data[2]));
    ag_tape_free(tape);
}
END_TEST

START_TEST(reductions_of_nothing)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2, 0, 3), NULL);
    ag_tensor *y = ag_sum(x, AG_AXIS(1), false);
    ck_assert(ag_shape_equal(y->shape, AG_SHAPE(2, 3)));
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq((double)y->data[i], 0);
    ck_assert_int_eq(ag_backward(ag_sum(y, AG_ALL_AXES, false)), AG_OK);
    ck_assert_int_eq((int)ag_max(x, AG_AXIS(0), false)->size, 0);
    ag_tape_rewind(tape);
    x = ag_variable(tape, AG_SHAPE(2, 0, 3), NULL);
    expect_error(ag_mean(x, AG_AXIS(1), false), tape, AG_BAD_SHAPE,
                 "mean: the axes of [2,0,3] that it is taken over have no element");
    x = ag_variable(tape, AG_SHAPE(2, 0, 3), NULL);
    expect_error(ag_max(x, AG_ALL_AXES, false), tape, AG_BAD_SHAPE,
                 "max: the axes of [2,0,3] that it is taken over have no element");
    x = ag_variable(tape, AG_SHAPE(2, 3), NULL);
    expect_error(ag_sum(x, AG_AXIS(2), false), tape, AG_BAD_VALUE, "sum: [2,3] has no axis 2");
    ag_tape_free(tape);
}
END_TEST

/* ---- Reshape ----------------------------------------------------------------------- */

START_TEST(reshape_keeps_the_elements)
{
    test_fill(values, 24, 1, -1, 1);
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2, 3, 4), values);
    ag_tensor *y = ag_reshape(x, AG_SHAPE(4, -1));
    ck_assert(ag_shape_equal(y->shape, AG_SHAPE(4, 6)));
    ck_assert_ptr_eq(y->data, x->data);
    ck_assert_int_eq(ag_backward_seeded(y, values), AG_OK);
    ck_assert_mem_eq(x->grad, values, 24 * sizeof(ag_real));
    ck_assert_int_eq(ag_backward_seeded(y, values), AG_OK); /* gradients add up */
    ck_assert_double_eq((double)x->grad[5], 2 * (double)values[5]);
    ck_assert(ag_shape_equal(ag_reshape(x, AG_SHAPE(-1))->shape, AG_SHAPE(24)));
    ck_assert(ag_shape_equal(ag_reshape(x, AG_SHAPE(1, 24, 1))->shape, AG_SHAPE(1, 24, 1)));
    ag_tensor *nothing = ag_constant(tape, AG_SHAPE(0, 4), NULL);
    ck_assert(ag_shape_equal(ag_reshape(nothing, AG_SHAPE(-1, 2))->shape, AG_SHAPE(0, 2)));
    nothing = ag_leaf(tape, AG_SHAPE(2, 0), NULL, NULL);
    ck_assert(ag_shape_equal(ag_reshape(nothing, AG_SHAPE(0))->shape, AG_SHAPE(0)));
    ag_tape_free(tape);
}
END_TEST

START_TEST(reshape_errors)
{
    static const struct {
        ag_shape from, to;
        const char *message;
    } cases[] = {
        {{2, {2, 3}}, {1, {7}}, "reshape: [2,3] has 6 elements, [7] has another number"},
        {{2, {2, 3}}, {2, {4, -1}}, "reshape: no size for the -1 of [4,-1] gives the 6 elements of [2,3]"},
        {{2, {2, 3}}, {2, {-1, -1}}, "reshape: [-1,-1] has more than one size of -1"},
        {{2, {0, 3}}, {2, {0, -1}}, "reshape: no size for the -1 of [0,-1] gives the 0 elements of [0,3]"},
        {{2, {2, 3}}, {2, {-2, -3}}, "reshape: [2,3] has 6 elements, [-2,-3] has another number"},
        {{2, {2, 3}}, {6, {6, 1, 1, 1, 1}}, "reshape: [2,3] has 6 elements, [6,1,1,1,1] has another number"},
    };
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, cases[_i].from, NULL);
    expect_error(ag_reshape(x, cases[_i].to), tape, AG_BAD_SHAPE, cases[_i].message);
    ag_tape_free(tape);
}
END_TEST

/* ---- Permute ----------------------------------------------------------------------- */

START_TEST(permute_over_drawn_shapes_and_orders)
{
    ag_rng rng = ag_rng_make(7, 0);
    ag_tape *tape = ag_tape_new(NULL);
    test_fill(values, MOST, 1, -2, 2);
    test_fill(seed, MOST, 2, -1, 1);
    for (int draw = 0; draw < 300; draw++) {
        ag_shape shape = draw_shape(&rng, 0);
        int order[AG_MAX_DIMS] = {0, 1, 2, 3, 4};
        for (int i = shape.ndim - 1; i > 0; i--) {
            int j = (int)ag_rng_below(&rng, (uint64_t)i + 1), kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        ag_tensor *x = ag_variable(tape, shape, values), *y = ag_permute(x, order);
        ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
        ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK); /* gradients add up */
        for (int64_t i = 0; i < x->size; i++) {
            int64_t from[AG_MAX_DIMS], to[AG_MAX_DIMS];
            indices_of(shape, i, from);
            for (int axis = 0; axis < shape.ndim; axis++) {
                to[axis] = from[order[axis]];
                ck_assert_int_eq(y->shape.dim[axis], shape.dim[order[axis]]);
            }
            int64_t at = flat_of(y->shape, to);
            ck_assert(y->data[at] == values[i] && x->grad[i] == 2 * seed[at]);
        }
        ag_tape_rewind(tape);
    }
    ag_tape_free(tape);
}
END_TEST

START_TEST(permute_errors)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2, 3), NULL);
    expect_error(ag_permute(x, (int[]){0, 2}), tape, AG_BAD_VALUE, "permute: [2,3] has no axis 2");
    x = ag_variable(tape, AG_SHAPE(2, 3), NULL);
    expect_error(ag_permute(x, (int[]){-1, 0}), tape, AG_BAD_VALUE, "permute: [2,3] has no axis -1");
    x = ag_variable(tape, AG_SHAPE(2, 3), NULL);
    expect_error(ag_permute(x, (int[]){1, 1}), tape, AG_BAD_VALUE, "permute: axis 1 of [2,3] is named twice");
    ck_assert_ptr_null(ag_permute(NULL, (int[]){0}));
    ag_tape_free(tape);
}
END_TEST

/* ---- Concat and slice -------------------------------------------------------------- */

START_TEST(concat_and_slice_undo_each_other)
{
    ag_rng rng = ag_rng_make(9, 0);
    ag_tape *tape = ag_tape_new(NULL);
    test_fill(values, MOST, 1, -2, 2);
    test_fill(seed, MOST, 2, -1, 1);
    for (int draw = 0; draw < 200; draw++) {
        ag_shape whole = draw_shape(&rng, 1);
        int axis = (int)ag_rng_below(&rng, (uint64_t)whole.ndim), negative = axis - whole.ndim;
        int64_t size = whole.dim[axis], first = (int64_t)ag_rng_below(&rng, (uint64_t)size + 1);
        int64_t second = first + (int64_t)ag_rng_below(&rng, (uint64_t)(size - first) + 1);
        ag_tensor *x = ag_variable(tape, whole, values);
        ag_tensor *parts[] = {ag_slice(x, axis, 0, first), ag_slice(x, negative, first, second),
                              ag_slice(x, axis, second, size)};
        ag_tensor *y = ag_concat(parts, 3, ag_rng_below(&rng, 2) ? axis : negative);
        ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
        ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK); /* gradients add up */
        ck_assert(ag_shape_equal(y->shape, whole));
        ck_assert_mem_eq(y->data, values, (size_t)y->size * sizeof(ag_real));
        for (int64_t i = 0; i < y->size; i++)
            ck_assert(x->grad[i] == 2 * seed[i]);

        int64_t index[AG_MAX_DIMS]; /* and the middle part is what it should be, on its own */
        for (int64_t i = 0; i < parts[1]->size; i++) {
            indices_of(parts[1]->shape, i, index);
            index[axis] += first;
            ck_assert(parts[1]->data[i] == values[flat_of(whole, index)]);
        }
        ag_tape_rewind(tape);
    }
    ag_tape_free(tape);
}
END_TEST

START_TEST(concat_of_one_tensor_twice_adds_both_gradients)
{
    const ag_real two[] = {1, 2}, weights[] = {1, 10, 100, 1000};
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2), two), *c = ag_constant(tape, AG_SHAPE(2), two);
    ck_assert_int_eq(ag_backward_seeded(ag_concat((ag_tensor *[]){x, x}, 2, 0), weights), AG_OK);
    ck_assert(x->grad[0] == 101 && x->grad[1] == 1010);
    ck_assert_int_eq(ag_backward_seeded(ag_concat((ag_tensor *[]){c, x}, 2, 0), weights), AG_OK);
    ck_assert(x->grad[0] == 201 && x->grad[1] == 2010);
    ag_tape_free(tape);
}
END_TEST

START_TEST(concat_and_slice_errors)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(2, 3), NULL), *y = ag_variable(tape, AG_SHAPE(2, 4), NULL);
    expect_error(ag_concat((ag_tensor *[]){x, y}, 2, 0), tape, AG_BAD_SHAPE,
                 "concat: [2,3] and [2,4] (input 1) differ in another axis than 0, the one they are joined along");
    x = ag_variable(tape, AG_SHAPE(2, 3), NULL);
    y = ag_variable(tape, AG_SHAPE(2), NULL);
    expect_error(ag_concat((ag_tensor *[]){x, y}, 2, 1), tape, AG_BAD_SHAPE,
                 "concat: [2,3] and [2] (input 1) differ in another axis than 1, the one they are joined along");
    x = ag_variable(tape, AG_SHAPE(2, 3), NULL);
    expect_error(ag_concat((ag_tensor *[]){x, NULL}, 2, 1), tape, AG_BAD_VALUE, "concat: input 1 is NULL");
    x = ag_variable(tape, AG_SHAPE(2, 3), NULL);
    expect_error(ag_concat(&x, 1, -3), tape, AG_BAD_VALUE, "concat: [2,3] has no axis -3");
    x = ag_variable(tape, AG_SHAPE(2, 3), NULL);
    expect_error(ag_slice(x, 2, 0, 1), tape, AG_BAD_VALUE, "slice: [2,3] has no axis 2");
    x = ag_variable(tape, AG_SHAPE(2, 3), NULL);
    expect_error(ag_slice(x, 1, 2, 4), tape, AG_BAD_VALUE, "slice: [2, 4) is not a range within axis 1 of [2,3]");
    x = ag_variable(tape, AG_SHAPE(2, 3), NULL);
    expect_error(ag_slice(x, -1, 2, 1), tape, AG_BAD_VALUE, "slice: [2, 1) is not a range within axis 1 of [2,3]");
    x = ag_variable(tape, AG_SHAPE(2, 3), NULL);
    expect_error(ag_slice(x, 0, -1, 1), tape, AG_BAD_VALUE, "slice: [-1, 1) is not a range within axis 0 of [2,3]");
    ag_tensor *nothing = ag_leaf(tape, AG_SHAPE(2, 0), NULL, NULL); /* without memory */
    ck_assert(ag_shape_equal(ag_slice(nothing, 0, 1, 2)->shape, AG_SHAPE(1, 0)));
    ck_assert(ag_shape_equal(ag_slice(nothing, 1, 0, 0)->shape, AG_SHAPE(2, 0)));
    ck_assert_ptr_null(ag_concat(NULL, 0, 0));
    ck_assert_ptr_null(ag_slice(NULL, 0, 0, 0));
    ag_tape_free(tape);
}
END_TEST

static Suite *shape_suite(void)
{
    Suite *suite = suite_create("ops_shape");
    TCase *tcase = tcase_create("reduce");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, reductions_over_drawn_shapes_and_axes, 0, REDUCTIONS);
    tcase_add_test(tcase, a_long_sum_keeps_its_digits);
    tcase_add_test(tcase, the_first_of_equal_maxima_has_the_gradient);
    tcase_add_test(tcase, a_maximum_does_not_hide_nan);
    tcase_add_test(tcase, reductions_of_nothing);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("shape");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, reshape_keeps_the_elements);
    tcase_add_loop_test(tcase, reshape_errors, 0, 6);
    tcase_add_test(tcase, permute_over_drawn_shapes_and_orders);
    tcase_add_test(tcase, permute_errors);
    tcase_add_test(tcase, concat_and_slice_undo_each_other);
    tcase_add_test(tcase, concat_of_one_tensor_twice_adds_both_gradients);
    tcase_add_test(tcase, concat_and_slice_errors);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(shape_suite)
