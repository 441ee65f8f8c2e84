/* test_ops_embedding.c - rows of tables, rotary positions, and biases by distance. */
#include "same_bytes.h"
#include "tape_fixture.h"

#include <math.h>
#include <string.h>

static void check_near(double found, double expected, double tolerance, const char *what)
{
    if (!(fabs(found - expected) <= tolerance)) /* (thousands of passing ck_asserts would be slow) */
        ck_abort_msg("%s is %.17g, expected %.17g", what, found, expected);
}

/* ---- Embedding --------------------------------------------------------------------- */

START_TEST(rows_are_read)
{
    enum { COUNT = 5, WIDTH = 3 };
    int32_t ids[2][3] = {{4, 0, 4}, {1, 4, 3}};
    const int32_t expected[6] = {4, 0, 4, 1, 4, 3};
    ag_tensor *table = ag_variable(tape, AG_SHAPE(COUNT, WIDTH), NULL);
    test_fill(table->data, table->size, 1, -1, 1);
    ag_tensor *y = ag_embedding(table, AG_SHAPE(2, 3), ids[0], -1);
    ck_assert(y && ag_shape_equal(y->shape, AG_SHAPE(2, 3, WIDTH)));
    for (int i = 0; i < 6; i++)
        ck_assert_mem_eq(y->data + i * WIDTH, table->data + expected[i] * WIDTH, WIDTH * sizeof(ag_real));

    /* A repeated id gets the sum, an id that is not there nothing, on top of what is
     * there. The ids were copied. */
    ag_real seed[6 * WIDTH];
    for (int i = 0; i < 6 * WIDTH; i++)
        seed[i] = (ag_real)(1 << i);
    memset(ids, 77, sizeof ids);
    for (int64_t i = 0; i < table->size; i++)
        table->grad[i] = 1;
    ck_assert_int_eq(ag_backward_seeded(y, seed), AG_OK);
    for (int row = 0; row < COUNT; row++)
        for (int d = 0; d < WIDTH; d++) {
            double sum = 1;
            for (int i = 0; i < 6; i++)
                sum += expected[i] == row ? (double)seed[i * WIDTH + d] : 0;
            ck_assert((double)table->grad[row * WIDTH + d] == sum);
        }
}
END_TEST

START_TEST(scale_and_positions_are_fused)
{
    enum { COUNT = 4, WIDTH = 5, LENGTH = 3 };
    const int32_t ids[2][LENGTH] = {{3, 0, 3}, {1, 2, 3}};
    ag_tensor *table = ag_variable(tape, AG_SHAPE(COUNT, WIDTH), NULL);
    ag_tensor *positions = ag_variable(tape, AG_SHAPE(LENGTH, WIDTH), NULL);
    test_fill(table->data, table->size, 1, -1, 1);
    test_fill(positions->data, positions->size, 2, -1, 1);
    ag_embedding_options options = {.padding_id = 0, .scale = 1.5, .positions = positions};
    ag_tensor *fused = ag_embedding_fused(table, AG_SHAPE(2, LENGTH), ids[0], &options);
    ag_tensor *plain = ag_add(ag_scale(ag_embedding(table, AG_SHAPE(2, LENGTH), ids[0], 0), 1.5), positions);
    ck_assert(fused && plain && ag_shape_equal(fused->shape, plain->shape));
    ck_assert_mem_eq(fused->data, plain->data, (size_t)fused->size * sizeof(ag_real));
    ck_assert_int_eq(ag_backward(ag_sum(fused, AG_ALL_AXES, false)), AG_OK);
    const double times[COUNT] = {0, 1, 1, 3};
    for (int i = 0; i < COUNT * WIDTH; i++)
        check_near((double)table->grad[i], 1.5 * times[i / WIDTH], 0, "dtable");
    for (int i = 0; i < LENGTH * WIDTH; i++)
        check_near((double)positions->grad[i], 2, 0, "dpositions");

    options.positions = ag_constant(tape, AG_SHAPE(WIDTH), NULL);
    tape_refuses(ag_embedding_fused(table, AG_SHAPE(2, LENGTH), ids[0], &options), AG_BAD_SHAPE,
                 "positions [5] for a result of [2,3,5]: expected its last two axes");
}
END_TEST

START_TEST(padding_is_read_but_not_trained)
{
    const int32_t ids[] = {2, 0, 2, 1};
    ag_tensor *table = ag_variable(tape, AG_SHAPE(3, 2), (ag_real[]){1, 2, 3, 4, 5, 6});
    ag_tensor *y = ag_embedding(table, AG_SHAPE(4), ids, 2);
    ck_assert_int_eq(ag_backward(ag_sum(ag_mul(y, y), AG_ALL_AXES, false)), AG_OK);
    ck_assert_mem_eq(y->data, ((ag_real[]){5, 6, 1, 2, 5, 6, 3, 4}), 8 * sizeof(ag_real));
    ck_assert_mem_eq(table->grad, ((ag_real[]){2, 4, 6, 8, 0, 0}), 6 * sizeof(ag_real));
}
END_TEST

START_TEST(ids_of_any_shape)
{
    const int32_t ids[] = {1};
    ag_tensor *table = ag_variable(tape, AG_SHAPE(2, 3), (ag_real[]){1, 2, 3, 4, 5, 6});
    ag_tensor *scalar = ag_embedding(table, AG_SCALAR, ids, -1);
    ck_assert(scalar && ag_shape_equal(scalar->shape, AG_SHAPE(3)) && scalar->data[0] == 4);
    ag_tensor *deep = ag_embedding(table, AG_SHAPE(1, 1, 1, 1), ids, -1);
    ck_assert(deep && ag_shape_equal(deep->shape, AG_SHAPE(1, 1, 1, 1, 3)));
    ag_tensor *none = ag_embedding(table, AG_SHAPE(2, 0), NULL, -1);
    ck_assert(none && ag_shape_equal(none->shape, AG_SHAPE(2, 0, 3)));
    ck_assert_int_eq(ag_backward(ag_sum(none, AG_ALL_AXES, false)), AG_OK);
    for (int i = 0; i < 6; i++)
        ck_assert(table->grad[i] == 0);
    ag_tensor *thin = ag_variable(tape, AG_SHAPE(2, 0), NULL);
    ag_tensor *empty = ag_embedding(thin, AG_SHAPE(1), ids, -1);
    ck_assert(empty && empty->size == 0);
    ck_assert_int_eq(ag_backward(ag_sum(empty, AG_ALL_AXES, false)), AG_OK);
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_OK);
}
END_TEST

START_TEST(embedding_errors)
{
    const ag_shape shape = AG_SHAPE(3, 2);
    const int32_t high[] = {0, 3}, low[] = {0, -1}, good[] = {0, 1};
    tape_refuses(ag_embedding(ag_variable(tape, shape, NULL), AG_SHAPE(2), high, -1), AG_BAD_VALUE,
                 "embedding: id 3 at place 1 is outside the table of 3 rows");
    tape_refuses(ag_embedding(ag_variable(tape, shape, NULL), AG_SHAPE(2), low, -1), AG_BAD_VALUE, "id -1 at place 1");
    tape_refuses(ag_embedding(ag_variable(tape, AG_SHAPE(0, 2), NULL), AG_SHAPE(2), good, -1), AG_BAD_VALUE, "0 rows");
    tape_refuses(ag_embedding(ag_variable(tape, shape, NULL), AG_SHAPE(2), NULL, -1), AG_BAD_VALUE, "no ids");
    tape_refuses(ag_embedding(ag_variable(tape, shape, NULL), AG_SHAPE(2), good, 3), AG_BAD_VALUE, "padding_id is 3");
    tape_refuses(ag_embedding(ag_variable(tape, shape, NULL), AG_SHAPE(2), good, -2), AG_BAD_VALUE, "padding_id is -2");
    tape_refuses(ag_embedding(ag_variable(tape, AG_SHAPE(3), NULL), AG_SHAPE(2), good, -1), AG_BAD_SHAPE,
                 "the table is [3]");
    tape_refuses(ag_embedding(ag_variable(tape, shape, NULL), AG_SHAPE(-1), good, -1), AG_BAD_SHAPE,
                 "ids of shape [-1]");
    tape_refuses(ag_embedding(ag_variable(tape, shape, NULL), AG_SHAPE(1, 1, 1, 1, 2), good, -1), AG_BAD_SHAPE,
                 "ids of shape");
    ck_assert_ptr_null(ag_embedding(NULL, AG_SHAPE(2), good, -1));
}
END_TEST

/* ---- Rotary positions -------------------------------------------------------------- */

/* Position t of head h against the formula, with the angles worked out here. */
START_TEST(pairs_are_turned)
{
    enum { B = 2, T = 7, HEADS = 3, WIDTH = 10 };
    const double base = 10000;
    const int64_t start = 5;
    ag_tensor *x = ag_variable(tape, AG_SHAPE(B, T, HEADS * WIDTH), NULL);
    test_fill(x->data, x->size, 1, -2, 2);
    ag_tensor *y = ag_rotary(x, HEADS, start, base);
    ck_assert(y && ag_shape_equal(y->shape, x->shape));
    for (int64_t pair = 0; pair < x->size / 2; pair++) {
        int64_t i = pair % (WIDTH / 2), t = pair / (HEADS * WIDTH / 2) % T;
        double angle = (double)(start + t) / pow(base, 2.0 * (double)i / WIDTH);
        double a = (double)x->data[2 * pair], b = (double)x->data[2 * pair + 1];
        check_near((double)y->data[2 * pair], a * cos(angle) - b * sin(angle), PRECISION(1e-14, 5e-7),
                   "first of a pair");
        check_near((double)y->data[2 * pair + 1], a * sin(angle) + b * cos(angle), PRECISION(1e-14, 5e-7), "second");
    }
}
END_TEST

static double dot(const ag_real *a, const ag_real *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* One query and one key at all positions: their dot product is a function of the distance
 * alone, and lengths stay. */
START_TEST(dots_depend_on_the_distance)
{
    enum { T = 20, WIDTH = 16 };
    ag_tensor *q = ag_variable(tape, AG_SHAPE(T, WIDTH), NULL), *k = ag_variable(tape, AG_SHAPE(T, WIDTH), NULL);
    for (int t = 0; t < T; t++) {
        test_fill(q->data + t * WIDTH, WIDTH, 1, -1, 1);
        test_fill(k->data + t * WIDTH, WIDTH, 2, -1, 1);
    }
    ag_tensor *q_turned = ag_rotary(q, 1, 0, 100), *k_turned = ag_rotary(k, 1, 0, 100);
    const double tolerance = PRECISION(1e-13, 4e-6);
    for (int i = 0; i < T; i++) {
        const ag_real *query = q_turned->data + i * WIDTH;
        check_near(dot(query, query, WIDTH), dot(q->data, q->data, WIDTH), tolerance, "squared length");
        for (int j = 0; j < T; j++) {
            int back = i < j ? i : j; /* both moved to the beginning */
            double moved = dot(q_turned->data + (i - back) * WIDTH, k_turned->data + (j - back) * WIDTH, WIDTH);
            check_near(dot(query, k_turned->data + j * WIDTH, WIDTH), moved, tolerance, "dot product");
        }
    }
    double near = dot(q_turned->data, k_turned->data, WIDTH);
    double far = dot(q_turned->data, k_turned->data + 5 * WIDTH, WIDTH);
    ck_assert_msg(fabs(near - far) > 0.1, "the distance makes no difference: %g and %g", near, far);
}
END_TEST

/* A later part that is given its start position equals that part of the whole, bit for
 * bit. */
START_TEST(start_continues_a_sequence)
{
    enum { B = 3, T = 9, WIDTH = 12 };
    ag_tensor *x = ag_variable(tape, AG_SHAPE(B, T, WIDTH), NULL);
    test_fill(x->data, x->size, 1, -1, 1);
    ag_tensor *whole = ag_slice(ag_rotary(x, 2, 100, 10000), 1, 4, T);
    ag_tensor *part = ag_rotary(ag_slice(x, 1, 4, T), 2, 104, 10000);
    ck_assert(whole && part);
    ck_assert_mem_eq(whole->data, part->data, (size_t)part->size * sizeof(ag_real));
}
END_TEST

/* The gradient is turned back: turning and then seeding with the result gives x again.
 * And position 0 is not turned. */
START_TEST(gradient_is_turned_back)
{
    enum { B = 2, T = 6, WIDTH = 8 };
    ag_tensor *x = ag_variable(tape, AG_SHAPE(B, T, WIDTH), NULL);
    test_fill(x->data, x->size, 1, -1, 1);
    for (int64_t i = 0; i < x->size; i++)
        x->grad[i] = 1;
    ag_tensor *y = ag_rotary(x, 2, 0, 10000);
    ck_assert_int_eq(ag_backward_seeded(y, y->data), AG_OK);
    for (int64_t i = 0; i < x->size; i++)
        check_near((double)x->grad[i], 1 + (double)x->data[i], PRECISION(1e-15, 4e-7), "x, turned and turned back");
    for (int b = 0; b < B; b++)
        ck_assert_mem_eq(y->data + b * T * WIDTH, x->data + b * T * WIDTH, WIDTH * sizeof(ag_real));
}
END_TEST

START_TEST(rotary_errors)
{
    const ag_shape shape = AG_SHAPE(2, 12);
    tape_refuses(ag_rotary(ag_variable(tape, AG_SHAPE(12), NULL), 1, 0, 10000), AG_BAD_SHAPE, "rotary: [12]");
    tape_refuses(ag_rotary(ag_variable(tape, shape, NULL), 4, 0, 10000), AG_BAD_SHAPE, "[2,12] with 4 heads");
    tape_refuses(ag_rotary(ag_variable(tape, AG_SHAPE(2, 13), NULL), 1, 0, 10000), AG_BAD_SHAPE, "[2,13] with 1 head");
    tape_refuses(ag_rotary(ag_variable(tape, shape, NULL), 0, 0, 10000), AG_BAD_VALUE, "0 heads");
    tape_refuses(ag_rotary(ag_variable(tape, shape, NULL), -1, 0, 10000), AG_BAD_VALUE, "-1 heads");
    const double bases[] = {0, -1, (double)NAN, (double)INFINITY};
    for (int i = 0; i < 4; i++)
        tape_refuses(ag_rotary(ag_variable(tape, shape, NULL), 1, 0, bases[i]), AG_BAD_VALUE, "base is");
    const ag_shape empty[] = {AG_SHAPE(0, 12), AG_SHAPE(3, 0), AG_SHAPE(0, 5, 4)};
    for (int i = 0; i < 3; i++) {
        ag_tensor *y = ag_rotary(ag_variable(tape, empty[i], NULL), 2, 0, 10000);
        ck_assert(y && y->size == 0);
        ck_assert_int_eq(ag_backward_seeded(y, NULL), AG_OK);
    }
}
END_TEST

/* ---- Biases by distance ------------------------------------------------------------ */

START_TEST(biases_depend_on_the_distance)
{
    enum { ROWS = 3, HEADS = 2, T = 4, S = 6 };
    static const int32_t rows[T + S - 1] = {2, 0, 1, 1, 0, 2, 2, 0, 1};
    ag_tensor *table = ag_variable(tape, AG_SHAPE(ROWS, HEADS), NULL);
    test_fill(table->data, table->size, 1, -1, 1);
    ag_tensor *y = ag_distance_bias(table, T, S, rows);
    ck_assert(y && ag_shape_equal(y->shape, AG_SHAPE(1, HEADS, T, S)));
    double expected[ROWS * HEADS] = {0};
    ag_real dy[HEADS * T * S];
    test_fill(dy, HEADS * T * S, 2, -1, 1);
    for (int e = 0; e < HEADS * T * S; e++) {
        const int h = e / (T * S), i = e / S % T, j = e % S, row = rows[j - i + T - 1];
        ck_assert(y->data[e] == table->data[row * HEADS + h]);
        expected[row * HEADS + h] += (double)dy[e];
    }
    ck_assert_int_eq(ag_backward_seeded(y, dy), AG_OK);
    for (int e = 0; e < ROWS * HEADS; e++)
        check_near((double)table->grad[e], expected[e], PRECISION(1e-15, 1e-6), "the table's gradient");
}
END_TEST

START_TEST(distance_bias_errors)
{
    static const int32_t rows[] = {0, 1, 3};
    ag_tensor *table = ag_variable(tape, AG_SHAPE(3, 2), NULL);
    tape_refuses(ag_distance_bias(table, 2, 2, rows), AG_BAD_VALUE, "row 3 at place 2 is outside the table of 3 rows");
    table = ag_variable(tape, AG_SHAPE(3, 2), NULL);
    tape_refuses(ag_distance_bias(table, 2, 2, NULL), AG_BAD_VALUE, "no rows given");
    tape_refuses(ag_distance_bias(ag_variable(tape, AG_SHAPE(3), NULL), 1, 1, rows), AG_BAD_SHAPE, "the table is [3]");
    tape_refuses(ag_distance_bias(ag_variable(tape, AG_SHAPE(3, 2), NULL), -1, 1, rows), AG_BAD_SHAPE, "-1 queries");
    for (int i = 0; i < 2; i++) {
        ag_tensor *y = ag_distance_bias(ag_variable(tape, AG_SHAPE(3, 2), NULL), i ? 0 : 4, i ? 4 : 0, NULL);
        ck_assert(y && y->size == 0);
        ck_assert_int_eq(ag_backward_seeded(y, NULL), AG_OK);
    }
}
END_TEST

/* ---- Threads ----------------------------------------------------------------------- */

static ag_tensor *embedding(ag_tape *on, ag_tensor *const *inputs, void *context)
{
    enum { COUNT = 6000 };
    int32_t ids[COUNT];
    (void)on;
    (void)context;
    for (int i = 0; i < COUNT; i++)
        ids[i] = i % 101 * i % 37;
    return ag_embedding(inputs[0], AG_SHAPE(COUNT), ids, 4);
}

static ag_tensor *rotary(ag_tape *on, ag_tensor *const *inputs, void *context)
{
    (void)on;
    (void)context;
    return ag_rotary(inputs[0], 3, 7, 10000);
}

static ag_tensor *distance_bias(ag_tape *on, ag_tensor *const *inputs, void *context)
{
    int32_t rows[130 + 140 - 1];
    (void)on;
    (void)context;
    for (int d = 0; d < 130 + 140 - 1; d++)
        rows[d] = d * 7 % 32;
    return ag_distance_bias(inputs[0], 130, 140, rows);
}

START_TEST(same_bytes_at_any_threads)
{
    test_same_bytes(embedding, NULL, (ag_shape[]){AG_SHAPE(37, 33)}, 1);
    test_same_bytes(rotary, NULL, (ag_shape[]){AG_SHAPE(9, 67, 66)}, 1);
    test_same_bytes(distance_bias, NULL, (ag_shape[]){AG_SHAPE(32, 6)}, 1);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, tape_set_up, tape_tear_down);
    tcase_add_test(tests, rows_are_read);
    tcase_add_test(tests, scale_and_positions_are_fused);
    tcase_add_test(tests, padding_is_read_but_not_trained);
    tcase_add_test(tests, ids_of_any_shape);
    tcase_add_test(tests, embedding_errors);
    tcase_add_test(tests, pairs_are_turned);
    tcase_add_test(tests, dots_depend_on_the_distance);
    tcase_add_test(tests, start_continues_a_sequence);
    tcase_add_test(tests, gradient_is_turned_back);
    tcase_add_test(tests, rotary_errors);
    tcase_add_test(tests, biases_depend_on_the_distance);
    tcase_add_test(tests, distance_bias_errors);
    tcase_add_test(tests, same_bytes_at_any_threads);
}

static Suite *suite(void)
{
    Suite *s = suite_create("ops_embedding");
    test_at_each_level(s, add_tests);
    return s;
}

TEST_MAIN(suite)
