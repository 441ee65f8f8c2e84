/* test_op_examples.c - which cases the operations' own examples draw. A case that is no
 * longer drawn is one that no gradient check sees any more, and no check can notice that:
 * so what is drawn stands here, operation by operation.
 *
 * Whoever changes an example on purpose runs this test, which prints the new line for the
 * table, and answers for the change: fewer shapes and less choice are fewer cases. */
#include "check_util.h"

#include <math.h>
#include <string.h>

enum { DRAWS = 200 };

/* Of the results of the first DRAWS examples: how many shapes there are, a hash of all,
 * and a weighted mean of all elements, which moves with every choice that moves a
 * result. */
typedef struct drawn {
    const char *name;
    int shapes;
    uint32_t hash;
    double mean;
} drawn;

static const drawn expected[] = {
    {"add", 141, 0x7e60dcc3, 0.0141527},
    {"sub", 141, 0x7e60dcc3, 0.0217698},
    {"mul", 141, 0x7e60dcc3, -0.0087367},
    {"div", 148, 0x6912a0f3, -0.0207094},
    {"pow", 141, 0x7e60dcc3, 0.0055786},
    {"neg", 138, 0x0b8414d3, -0.0165392},
    {"scale", 130, 0xfbac4e4e, -0.0061849},
    {"exp", 138, 0x0b8414d3, 0.0083050},
    {"log", 138, 0x0b8414d3, 0.0087914},
    {"sqrt", 138, 0x0b8414d3, 0.0024835},
    {"tanh", 138, 0x0b8414d3, 0.0142296},
    {"erf", 138, 0x0b8414d3, 0.0145335},
    {"sigmoid", 138, 0x0b8414d3, 0.0025689},
    {"relu", 138, 0x0b8414d3, 0.0160525},
    {"gelu", 122, 0x888ae6d6, 0.0255785},
    {"silu", 138, 0x0b8414d3, 0.0248698},
    {"matmul", 148, 0x96ccb765, 0.0070884},
    {"linear", 121, 0x574e2f04, 0.0244983},
    {"sum", 81, 0x36601f80, 0.0145232},
    {"mean", 81, 0x36601f80, 0.0145232},
    {"max", 81, 0x36601f80, 0.0237718},
    {"reshape", 131, 0x538d7667, 0.0035751},
    {"permute", 138, 0xb77f121c, -0.0031123},
    {"concat", 157, 0x4d248fc7, 0.0029709},
    {"slice", 147, 0x50993f49, -0.0032080},
    {"embedding", 112, 0x7da523f9, 0.0165021},
    {"softmax", 105, 0xd076640c, 0.0226205},
    {"log_softmax", 105, 0xd076640c, 0.0020069},
    {"layer_norm", 131, 0xc9420c6d, 0.0193478},
    {"rms_norm", 131, 0xc9420c6d, 0.0131746},
    {"dropout", 134, 0x6a7cdfbf, 0.0050797},
    {"rotary", 171, 0x625ae647, -0.0002897},
    {"distance_bias", 132, 0xe5cfd4c8, 0.0108659},
    {"attention", 145, 0x4d468dc9, 0.0118365},
    {"masked_softmax", 163, 0x1837069e, 0.0105183},
    {"masked_sum", 143, 0xb6750850, 0.0028234},
    {"cross_entropy", 17, 0x681c80b3, -0.0040672},
    {"mse", 56, 0x97db9f0a, -0.0016938},
};

/* ---- Drawings of examples ---------------------------------------------------------- */

static const ag_op *inner;
static ag_shape shapes[DRAWS];
static int draw; /* its place */
static double weighted;
static uint32_t hash;

static void hash_number(int64_t number)
{
    hash = (hash ^ (uint32_t)number) * UINT32_C(16777619);
}

/* sum w y / sum |y|, with drawn weights w; what is not finite is hashed. */
static double mean_of(const ag_tensor *y)
{
    ag_rng weights = ag_rng_make(1, (uint64_t)draw);
    double sum = 0, size = 1e-30;
    for (int64_t i = 0; i < y->size; i++) {
        const double weight = 2 * ag_rng_uniform(&weights) - 1;
        if (isfinite(y->data[i])) {
            sum += weight * (double)y->data[i];
            size += fabs((double)y->data[i]);
        } else {
            hash_number(i);
        }
    }
    return sum / size;
}

/* The example of `inner`, once: notes the result, and then asks for the impossible, which
 * ends the check. */
static ag_tensor *note_example(ag_example *example)
{
    ag_tensor *y = inner->example(example);
    ck_assert_msg(y != NULL, "%s: draw %d: %s", inner->name, draw, ag_tape_error(ag_example_tape(example))->message);
    shapes[draw] = y->shape;
    hash_number(y->shape.ndim);
    for (int axis = 0; axis < y->shape.ndim; axis++)
        hash_number(y->shape.dim[axis]);
    weighted += mean_of(y) * cos((double)draw);
    return ag_reshape(y, AG_SHAPE(y->size + 1));
}

static int count_shapes(void)
{
    int count = 0;
    for (int i = 0; i < DRAWS; i++) {
        bool is_new = true;
        for (int j = 0; j < i; j++)
            is_new = is_new && !ag_shape_equal(shapes[i], shapes[j]);
        count += is_new;
    }
    return count;
}

static drawn find_drawn(const ag_op *op)
{
    ag_op recorder = *op;
    recorder.example = note_example;
    inner = op;
    hash = UINT32_C(2166136261);
    weighted = 0;
    for (draw = 0; draw < DRAWS; draw++) {
        ag_gradcheck_report report;
        const ag_gradcheck_options options = {.seed = (uint64_t)draw};
        ck_assert_int_eq(ag_gradcheck_op(&recorder, 1, &options, &report, NULL), AG_BAD_SHAPE);
    }
    return (drawn){op->name, count_shapes(), hash, weighted / DRAWS};
}

/* ---- The table --------------------------------------------------------------------- */

enum { EXPECTED = sizeof expected / sizeof *expected };

START_TEST(every_example_draws_its_cases)
{
    int count;
    const ag_op *const *ops = ag_ops(&count);
    ck_assert_int_eq(count, EXPECTED);
    const drawn found = find_drawn(ops[_i]), *wanted = &expected[_i];
    ck_assert_str_eq(found.name, wanted->name);
    ck_assert_msg(
        found.shapes == wanted->shapes && found.hash == wanted->hash && fabs(found.mean - wanted->mean) < 1e-6,
        "%s draws other cases than before, of %d shapes (before: %d); its line is now {\"%s\", %d, 0x%08x, %.7f},",
        found.name, found.shapes, wanted->shapes, found.name, found.shapes, (unsigned)found.hash, found.mean);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("op_examples");
    TCase *tests = tcase_create("all");
    tcase_add_loop_test(tests, every_example_draws_its_cases, 0, EXPECTED);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
