/* test_saturated_rows.c - rows whose softmax is 1 and 0: what nothing can move has the gradient 0, exactly, and noise
 * of rounding comes out nowhere. (Of attention: test_attention_gradients.c.) */
#include "check_util.h"

#include <float.h>
#include <math.h>

enum { ROWS = 5, MOST_WIDTH = 300 };
static const int64_t widths[] = {1, 2, 17, 33, 257, MOST_WIDTH};
#define EPSILON PRECISION(DBL_EPSILON, FLT_EPSILON)

static ag_real x[ROWS * MOST_WIDTH], dy[ROWS * MOST_WIDTH], dx[ROWS * MOST_WIDTH];

static int64_t top_of(int64_t row, int64_t width)
{
    return row * 37 % width;
}

/* Rows with one large number each, and a drawn gradient of what becomes of them. */
static void draw(int64_t width)
{
    test_fill(x, ROWS * width, (uint64_t)width, -3, 3);
    test_fill(dy, ROWS * width, (uint64_t)width + 1, -100, 100);
    for (int64_t row = 0; row < ROWS; row++)
        x[row * width + top_of(row, width)] = 2000;
    for (int64_t i = 0; i < ROWS * width; i++)
        dx[i] = 0;
}

START_TEST(softmax_gives_nothing)
{
    for (int w = 0; w < 6; w++)
        for (int masked = 0; masked < 2; masked++) {
            draw(widths[w]);
            ag_tape *tape = ag_tape_new(NULL);
            ag_tensor *leaf = ag_leaf(tape, AG_SHAPE(1, 1, ROWS, widths[w]), x, dx);
            ag_tensor *y = masked ? ag_masked_softmax(leaf, NULL) : ag_softmax(leaf, -1);
            ck_assert_int_eq(ag_backward_seeded(y, dy), AG_OK);
            for (int64_t i = 0; i < ROWS * widths[w]; i++)
                ck_assert(dx[i] == 0);
            ag_tape_free(tape);
        }
}
END_TEST

/* dx = dy - e^y sum dy: -(the others' dy) at the top, and dy itself elsewhere. */
START_TEST(log_softmax_gives_what_the_others_want)
{
    for (int w = 0; w < 6; w++)
        for (int alone = 0; alone < 2; alone++) {
            const int64_t width = widths[w];
            draw(width);
            for (int64_t i = 0; alone && i < ROWS * width; i++)
                dy[i] = i % width == top_of(i / width, width) ? dy[i] : 0;
            ag_tape *tape = ag_tape_new(NULL);
            ag_tensor *y = ag_log_softmax(ag_leaf(tape, AG_SHAPE(ROWS, width), x, dx), -1);
            ck_assert_int_eq(ag_backward_seeded(y, dy), AG_OK);
            for (int64_t row = 0; row < ROWS; row++) {
                long double others = 0, sizes = 0;
                for (int64_t c = 0; c < width; c++) {
                    const ag_real wanted = dy[row * width + c];
                    sizes += fabsl((long double)wanted);
                    others += c == top_of(row, width) ? 0 : (long double)wanted;
                    ck_assert(c == top_of(row, width) || dx[row * width + c] == wanted);
                }
                const long double found = (long double)dx[row * width + top_of(row, width)];
                ck_assert(alone ? found == 0 : fabsl(found + others) <= 4 * (long double)EPSILON * sizes);
            }
            ag_tape_free(tape);
        }
}
END_TEST

/* A certain and right answer adds nothing, with weights of classes, and to a gradient
 * that is there already. */
START_TEST(cross_entropy_gives_nothing)
{
    static ag_real weights[MOST_WIDTH];
    test_fill(weights, MOST_WIDTH, 9, 0.1, 7);
    for (int w = 0; w < 6; w++)
        for (int form = 0; form < 12; form++) {
            const int64_t width = widths[w];
            int32_t targets[ROWS];
            draw(width);
            for (int64_t row = 0; row < ROWS; row++)
                targets[row] = (int32_t)top_of(row, width);
            const ag_real before = form & 1 ? (ag_real)1e-6 : 0;
            for (int64_t i = 0; i < ROWS * width; i++)
                dx[i] = before;
            ag_tape *tape = ag_tape_new(NULL);
            const ag_cross_entropy_options options = {.reduction = (ag_reduction)(form / 4),
                                                      .class_weights = form & 2 ? weights : NULL};
            ag_tensor *y = ag_cross_entropy(ag_leaf(tape, AG_SHAPE(ROWS, width), x, dx), targets, &options);
            ck_assert_int_eq(ag_backward_seeded(y, dy), AG_OK);
            for (int64_t i = 0; i < ROWS * width; i++)
                ck_assert(dx[i] == before);
            ag_tape_free(tape);
        }
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, softmax_gives_nothing);
    tcase_add_test(tests, log_softmax_gives_what_the_others_want);
    tcase_add_test(tests, cross_entropy_gives_nothing);
}

static Suite *make_suite(void)
{
    Suite *suite = suite_create("saturated_rows");
    test_at_each_level(suite, add);
    return suite;
}

TEST_MAIN(make_suite)
