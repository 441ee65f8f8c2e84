/* test_diagnose.c - the kind of a mistake in a gradient: each kind planted into the right
 * backwards of built-in operations, right gradients, and faults of no kind.
 *
 * The plant is a copy of the operation's record whose backward calls the right one and then
 * spoils its gradient, or lets it read what it should not. */
#include "check_util.h"

#include <math.h>
#include <string.h>

#define MOST 256 /* elements of any tensor here */

typedef enum fault {
    NO_FAULT,
    FLIPPED,
    FLIPPED_ROW,
    ZEROED,
    DOUBLED,
    OVER_ROWS,
    TIMES_ROOT,
    SLIGHTLY_LARGE,
    SWAPPED_AXES,
    OTHER_LAYOUT,
    DY_TRANSPOSED,
    OTHER_TRANSPOSED,
    SHIFTED_UP,
    DY_SHIFTED,
    OTHER_SHIFTED,
    FIRST_ROW_COUNTS,
    LAST_ROW_COUNTS,
    LAST_ROW_LOST,
    TIMES_STRETCH,
    SUMMED_OVER_ROWS,
    COLUMN_ZERO,
    BATCH_ITEM_DOUBLED,
    HEAD_FLIPPED,
    LAST_ELEMENT_LOST,
    NO_CONSTANT,
    NO_ROW_CONSTANT,
    NO_INPUT,
    NO_ROW_INPUT,
    NO_OUTPUT,
    NO_ROW_OUTPUT,
    ASSIGNED,
    FIRST_CALL,
    LATEST_CALL,
    FIRST_GRADIENT,
    PREVIOUS_GRADIENT,
    COUNTING,
    UNWRITTEN,
    /* of no kind */
    RANDOM_FACTORS,
    RANDOM_TERMS,
    SQUARED,
    SCATTERED,
    SHUFFLED,
    HALF_FLIPPED,
    TOLERATED
} fault;

/* The fault that is planted now, and what it needs. */
static struct {
    fault kind;
    int input;
    uint64_t seed;
    const ag_op *right;
    ag_op spoilt;
    ag_real kept[4][MOST];  /* the inputs of another call */
    ag_real gradient[MOST]; /* of another backward */
    int calls;              /* of the function, and .. */
    int backwards;          /* .. of the backward */
} now;

/* ---- Faults ------------------------------------------------------------------------ */

static double uniform(int64_t k)
{
    ag_rng rng = ag_rng_make(now.seed, 77);
    rng.position = (uint64_t)(100 * k);
    return ag_rng_uniform(&rng);
}

static int64_t columns_of(const ag_tensor *x)
{
    return x->shape.ndim ? x->shape.dim[x->shape.ndim - 1] : 1;
}

/* Swaps the last two axes of `count` numbers that lie as [rows, columns], as often as they
 * fit. */
static void transpose(ag_real *g, int64_t count, int64_t rows, int64_t columns)
{
    ag_real copy[MOST];
    memcpy(copy, g, (size_t)count * sizeof *g);
    for (int64_t k = 0; k < count; k++) {
        const int64_t block = k / (rows * columns) * rows * columns, at = k - block;
        g[block + at % columns * rows + at / columns] = copy[k];
    }
}

/* What the right backward reads instead of its inputs and of dy. */
static void mislead(ag_real *dy, const ag_tensor *y, ag_tensor *other)
{
    const int64_t n = columns_of(y), rows = y->size / n;
    for (int64_t k = 0; k < y->size; k++) {
        const bool lost = (now.kind == FIRST_ROW_COUNTS && k >= n) ||
                          (now.kind == LAST_ROW_COUNTS && k < y->size - n) ||
                          (now.kind == LAST_ROW_LOST && k >= y->size - n);
        dy[k] = lost ? 0 : y->grad[k];
        if (now.kind == DY_SHIFTED)
            dy[k] = k + n < y->size ? y->grad[k + n] : 0;
    }
    if (now.kind == DY_TRANSPOSED)
        transpose(dy, y->size, rows, n);
    if (now.kind == OTHER_TRANSPOSED)
        transpose(other->data, other->size, columns_of(other), columns_of(other));
    if (now.kind == OTHER_SHIFTED)
        memmove(other->data, other->data + 1, (size_t)(other->size - 1) * sizeof *other->data);
}

/* The row's sum of dy times what stands for the row: 1, x or y. */
static double row_sum(const ag_real *dy, const ag_real *times, int64_t row, int64_t n)
{
    double sum = 0;
    for (int64_t j = row * n; j < (row + 1) * n; j++)
        sum += (double)dy[j] * (times ? (double)times[j] : 1);
    return sum;
}

/* Takes a term from g, whose size is that of the result. */
static void take_term(ag_real *g, const ag_tensor *x, const ag_tensor *y)
{
    const int64_t n = columns_of(y);
    const bool row = now.kind == NO_ROW_CONSTANT || now.kind == NO_ROW_INPUT || now.kind == NO_ROW_OUTPUT;
    const bool output = now.kind == NO_OUTPUT || now.kind == NO_ROW_OUTPUT;
    const bool constant = now.kind == NO_CONSTANT || now.kind == NO_ROW_CONSTANT;
    for (int64_t k = 0; k < y->size; k++) {
        const double times = constant ? 1 : (double)(output ? y->data[k] : x->data[k]);
        const double weight = row ? row_sum(y->grad, constant ? NULL : y->data, k / n, n) : (double)y->grad[k];
        g[k % x->size] -= (ag_real)(0.7 * times * weight);
    }
}

/* The faults in a part of the elements, or without a kind. */
static ag_real spoil_element(ag_real g, int64_t k, int64_t size, int64_t n)
{
    const double u = uniform(k);
    switch (now.kind) {
    case FLIPPED_ROW:
        return k / n == 1 ? -g : g;
    case COLUMN_ZERO:
        return k % n == 1 ? 0 : g;
    case BATCH_ITEM_DOUBLED:
        return k >= size / 2 ? 2 * g : g;
    case HEAD_FLIPPED:
        return k / (size / 4) % 2 == 1 ? -g : g;
    case LAST_ELEMENT_LOST:
        return k == size - 1 ? 0 : g;
    case RANDOM_FACTORS:
        return g * (ag_real)(0.5 + u);
    case RANDOM_TERMS:
        return g + (ag_real)(u - 0.3);
    case SQUARED:
        return g * (ag_real)(0.3 + fabs((double)g));
    case SCATTERED:
        return u < 0.4 ? g * (ag_real)(1.2 + u) + (ag_real)0.1 : g;
    case HALF_FLIPPED:
        return u < 0.5 ? -g : g;
    case TOLERATED:
        return g + (ag_real)((u < 0.5 ? -0.6 : 0.6) * PRECISION(1e-9, 1e-3));
    default:
        return g;
    }
}

/* Spoils the right gradient g of x. */
static void spoil(ag_real *g, const ag_tensor *x, const ag_tensor *y)
{
    const int64_t n = columns_of(x), rows = x->size / n;
    const double stretch = (double)y->size / (double)x->size;
    double factor = 1;
    factor = now.kind == FLIPPED ? -1 : now.kind == ZEROED ? 0 : now.kind == DOUBLED ? 2 : factor;
    factor = now.kind == OVER_ROWS ? 1 / (double)rows : now.kind == TIMES_ROOT ? sqrt((double)n) : factor;
    factor = now.kind == TIMES_STRETCH ? stretch : now.kind == SLIGHTLY_LARGE ? PRECISION(1.0001, 1.1) : factor;
    for (int64_t k = 0; k < x->size; k++)
        g[k] = spoil_element(g[k] * (ag_real)factor, k, x->size, n);
    if (now.kind >= NO_CONSTANT && now.kind <= NO_ROW_OUTPUT)
        take_term(g, x, y);
    if (now.kind == SWAPPED_AXES)
        transpose(g, x->size, n, n);
    if (now.kind == OTHER_LAYOUT)
        transpose(g, x->size, x->shape.dim[x->shape.ndim - 2], n);
    for (int64_t k = 0; k < x->size && now.kind == SHIFTED_UP; k++)
        g[k] = k + n < x->size ? g[k + n] : 0;
    for (int64_t k = 0; k < n && now.kind == SUMMED_OVER_ROWS; k++) {
        for (int64_t i = 1; i < rows; i++)
            g[k] += g[i * n + k];
        for (int64_t i = 1; i < rows; i++)
            g[i * n + k] = g[k];
    }
    for (int64_t k = x->size - 1; k > 0 && now.kind == SHUFFLED; k--) {
        const int64_t other = (int64_t)(uniform(k) * (double)(k + 1));
        const ag_real kept = g[k];
        g[k] = g[other];
        g[other] = kept;
    }
    for (int64_t k = 0; k < x->size && now.kind == COUNTING; k++)
        g[k] *= (ag_real)sin((double)(now.backwards + k));
    if (now.kind == UNWRITTEN) {
        const ag_real *unwritten = ag_scratch(x->tape, sizeof(ag_real) * MOST);
        for (int64_t k = 0; k < x->size; k++)
            g[k] += unwritten[k];
    }
}

/* Another input than that of the gradient, if there is one. */
static ag_tensor *other_input(const ag_node *node)
{
    return node->inputs[node->input_count > 1 && node->inputs[1 - now.input % 2] ? 1 - now.input % 2 : now.input];
}

/* Calls the right backward, with its inputs and dy as the fault has them. */
static ag_status call_right(ag_node *node)
{
    ag_real dy[MOST], data[4][MOST], *right_dy = node->output->grad;
    const bool stale = now.kind == FIRST_CALL || now.kind == LATEST_CALL;
    for (int i = 0; i < node->input_count; i++) {
        if (!node->inputs[i])
            continue;
        const size_t bytes = (size_t)node->inputs[i]->size * sizeof(ag_real);
        memcpy(data[i], node->inputs[i]->data, bytes);
        if (stale)
            memcpy(node->inputs[i]->data, now.kept[i], bytes);
    }
    mislead(dy, node->output, other_input(node));
    node->output->grad = dy;
    ag_status status = now.right->backward(node);
    node->output->grad = right_dy;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            memcpy(node->inputs[i]->data, data[i], (size_t)node->inputs[i]->size * sizeof(ag_real));
    return status;
}

/* A backward that gives its first gradient for ever, or that of the backward before. */
static void keep_gradient(ag_real *g, int64_t size)
{
    const size_t bytes = (size_t)size * sizeof *g;
    ag_real right[MOST];
    memcpy(right, g, bytes);
    if ((now.kind == FIRST_GRADIENT && now.backwards > 1) || now.kind == PREVIOUS_GRADIENT)
        memcpy(g, now.gradient, bytes);
    if (now.backwards == 1 || now.kind == PREVIOUS_GRADIENT)
        memcpy(now.gradient, right, bytes);
}

static ag_status spoilt_backward(ag_node *node)
{
    ag_tensor *x = node->inputs[now.input];
    const ag_real *grad = ag_grad(x);
    ag_real former[MOST], *g = x->grad;
    ck_assert(grad == g && x->size <= MOST && node->output->size <= MOST);
    memcpy(former, g, (size_t)x->size * sizeof *g);
    memset(g, 0, (size_t)x->size * sizeof *g);
    now.backwards++;
    ag_status status = call_right(node);
    spoil(g, x, node->output);
    keep_gradient(g, x->size);
    for (int64_t k = 0; k < x->size && now.kind != ASSIGNED; k++)
        g[k] += former[k];
    return status;
}

/* Puts the fault into the operation that made y. */
static ag_tensor *plant(ag_tensor *y, ag_tensor *const *inputs, int count)
{
    for (int i = 0; i < count && (now.calls == 0 || now.kind == LATEST_CALL); i++)
        memcpy(now.kept[i], inputs[i]->data, (size_t)inputs[i]->size * sizeof(ag_real));
    now.calls++;
    if (y && y->node) {
        now.right = y->node->op;
        now.spoilt = *now.right;
        now.spoilt.backward = spoilt_backward;
        y->node->op = &now.spoilt;
    }
    return y;
}

/* ---- The operations ---------------------------------------------------------------- */

#define FUNCTION(name, count, expression)                                                                              \
    static ag_tensor *name(ag_tape *tape, ag_tensor *const *in, void *context)                                         \
    {                                                                                                                  \
        (void)tape;                                                                                                    \
        (void)context;                                                                                                 \
        return plant(expression, in, count);                                                                           \
    }

static const int32_t ids[] = {3, 0, 5, 2, 3, 1, 4, 5};

FUNCTION(f_tanh, 1, ag_tanh(in[0]))
FUNCTION(f_exp, 1, ag_exp(in[0]))
FUNCTION(f_gelu, 1, ag_gelu(in[0], AG_GELU))
FUNCTION(f_add, 2, ag_add(in[0], in[1]))
FUNCTION(f_mul, 2, ag_mul(in[0], in[1]))
FUNCTION(f_div, 2, ag_div(in[0], in[1]))
FUNCTION(f_matmul, 2, ag_matmul(in[0], in[1], false, false))
FUNCTION(f_linear, 2, ag_linear(in[0], in[1], NULL))
FUNCTION(f_softmax, 1, ag_softmax(in[0], -1))
FUNCTION(f_layer_norm, 1, ag_layer_norm(in[0], NULL, NULL, 1e-5))
FUNCTION(f_rms_norm, 1, ag_rms_norm(in[0], NULL, 1e-5))
FUNCTION(f_attention, 3, ag_attention(in[0], in[1], in[2], NULL))
FUNCTION(f_embedding, 1, ag_embedding(in[0], AG_SHAPE(8), ids, -1))
FUNCTION(f_mean, 1, ag_mean(in[0], AG_AXIS(0), false))

typedef struct subject {
    ag_function function;
    int count;
    ag_shape shape[3];
} subject;

#define SHAPE(...) AG_SHAPE(__VA_ARGS__)
enum {
    TANH,
    EXP,
    GELU,
    ADD,
    MUL,
    DIV,
    SQUARE_MUL,
    MATMUL,
    WIDE_MATMUL,
    LINEAR,
    SOFTMAX,
    LAYER_NORM,
    RMS_NORM,
    ATTENTION,
    EMBEDDING,
    MEAN,
    SUBJECTS
};

static subject subject_of(int which)
{
    switch (which) {
    case TANH:
        return (subject){f_tanh, 1, {SHAPE(4, 5)}};
    case EXP:
        return (subject){f_exp, 1, {SHAPE(4, 5)}};
    case GELU:
        return (subject){f_gelu, 1, {SHAPE(4, 5)}};
    case ADD:
        return (subject){f_add, 2, {SHAPE(4, 5), SHAPE(5)}};
    case MUL:
        return (subject){f_mul, 2, {SHAPE(4, 5), SHAPE(5)}};
    case DIV:
        return (subject){f_div, 2, {SHAPE(4, 5), SHAPE(1, 5)}};
    case SQUARE_MUL:
        return (subject){f_mul, 2, {SHAPE(4, 4), SHAPE(4, 4)}};
    case MATMUL:
        return (subject){f_matmul, 2, {SHAPE(4, 4), SHAPE(4, 4)}};
    case WIDE_MATMUL:
        return (subject){f_matmul, 2, {SHAPE(3, 4), SHAPE(4, 6)}};
    case LINEAR:
        return (subject){f_linear, 2, {SHAPE(4, 5), SHAPE(6, 5)}};
    case SOFTMAX:
        return (subject){f_softmax, 1, {SHAPE(3, 5)}};
    case LAYER_NORM:
        return (subject){f_layer_norm, 1, {SHAPE(3, 5)}};
    case RMS_NORM:
        return (subject){f_rms_norm, 1, {SHAPE(3, 5)}};
    case ATTENTION:
        return (subject){f_attention, 3, {SHAPE(2, 2, 3, 4), SHAPE(2, 2, 4, 4), SHAPE(2, 2, 4, 4)}};
    case EMBEDDING:
        return (subject){f_embedding, 1, {SHAPE(6, 3)}};
    default:
        return (subject){f_mean, 1, {SHAPE(4, 5)}};
    }
}

static ag_gradcheck_report check_fault(int which, int input, fault kind, uint64_t seed, double tolerance)
{
    static ag_real data[3][MOST], grad[3][MOST];
    const subject s = subject_of(which);
    ag_gradcheck_input inputs[3];
    ag_gradcheck_report report;
    ag_error error = {0};
    for (int i = 0; i < s.count; i++) {
        test_fill(data[i], MOST, seed + (uint64_t)(11 + i), 0.5, 1.5);
        for (int64_t k = 0; k < MOST; k += 3) /* of either sign */
            data[i][k] = -data[i][k];
        inputs[i] = (ag_gradcheck_input){i ? "b" : "a", s.shape[i], data[i], grad[i]};
    }
    memset(&now, 0, sizeof now);
    now.kind = kind;
    now.input = input;
    now.seed = seed;
    const ag_gradcheck_options options = {.seed = seed, .tolerance = tolerance};
    ag_status status = ag_gradcheck(s.function, NULL, inputs, s.count, &options, &report, &error);
    ck_assert_msg(status == AG_OK, "%s", error.message);
    return report;
}

/* ---- Each kind in at least three operations ---------------------------------------- */

typedef struct planted {
    ag_mistake kind;
    fault fault;
    int subject, input;
    const char *says;
} planted;

static const planted plants[] = {
    {AG_MISTAKE_SIGN, FLIPPED, TANH, 0, "the gradient of input 0 (a) has the opposite sign"},
    {AG_MISTAKE_SIGN, FLIPPED, MATMUL, 1, "the gradient of input 1 (b) has the opposite sign"},
    {AG_MISTAKE_SIGN, FLIPPED, LAYER_NORM, 0, "opposite sign"},
    {AG_MISTAKE_SIGN, FLIPPED, ATTENTION, 1, "opposite sign"},
    {AG_MISTAKE_ZERO, ZEROED, GELU, 0, "is exactly 0 everywhere"},
    {AG_MISTAKE_ZERO, ZEROED, LINEAR, 1, "is exactly 0 everywhere"},
    {AG_MISTAKE_ZERO, ZEROED, EMBEDDING, 0, "is exactly 0 everywhere"},
    {AG_MISTAKE_FACTOR, DOUBLED, TANH, 0, "is 2 times what it must be"},
    {AG_MISTAKE_FACTOR, OVER_ROWS, MATMUL, 1, "is 0.25 times what it must be (1/4, and 4 is the size of axis 1 of"},
    {AG_MISTAKE_FACTOR, OVER_ROWS, MEAN, 0, "(1/4, and 4 is the size of axis 0 of the input)"},
    {AG_MISTAKE_FACTOR, TIMES_ROOT, LINEAR, 0, "(sqrt(5), and 5 is the size of axis 1 of the input)"},
    {AG_MISTAKE_FACTOR, TIMES_ROOT, ATTENTION, 0, "is 2 times what it must be"},
    {AG_MISTAKE_FACTOR, SLIGHTLY_LARGE, SOFTMAX, 0, PRECISION("is 1.0001 times what it must be", "is 1.1 times")},
    {AG_MISTAKE_TRANSPOSED, SWAPPED_AXES, MATMUL, 1, "is transposed: its axes 0 and 1 are swapped"},
    {AG_MISTAKE_TRANSPOSED, SWAPPED_AXES, SQUARE_MUL, 0, "is transposed: its axes 0 and 1 are swapped"},
    {AG_MISTAKE_TRANSPOSED, SWAPPED_AXES, ATTENTION, 1, "is transposed: its axes 2 and 3 are swapped"},
    {AG_MISTAKE_TRANSPOSED, OTHER_LAYOUT, WIDE_MATMUL, 1, "it lies in memory as [6,4] and not as [4,6]"},
    {AG_MISTAKE_TRANSPOSED, OTHER_LAYOUT, LINEAR, 1, "it lies in memory as [5,6] and not as [6,5]"},
    {AG_MISTAKE_TRANSPOSED, DY_TRANSPOSED, MATMUL, 0, "made of the result's gradient with the axes 0 and 1 swapped"},
    {AG_MISTAKE_TRANSPOSED, OTHER_TRANSPOSED, MATMUL, 0, "is made of input 1 (b) with the axes 0 and 1 swapped"},
    {AG_MISTAKE_TRANSPOSED, OTHER_TRANSPOSED, SQUARE_MUL, 1, "is made of input 0 (a) with the axes 0 and 1 swapped"},
    {AG_MISTAKE_SHIFTED, SHIFTED_UP, EMBEDDING, 0, "is shifted by one along axis 0: at index i it is what index i+1"},
    {AG_MISTAKE_SHIFTED, SHIFTED_UP, LINEAR, 1, "is shifted by one along axis 0"},
    {AG_MISTAKE_SHIFTED, SHIFTED_UP, GELU, 0, "is shifted by one along axis 0"},
    {AG_MISTAKE_SHIFTED, DY_SHIFTED, MATMUL, 1, "made of the result's gradient shifted by one along axis 0"},
    {AG_MISTAKE_SHIFTED, DY_SHIFTED, EMBEDDING, 0, "made of the result's gradient shifted by one along axis 0"},
    {AG_MISTAKE_SHIFTED, OTHER_SHIFTED, MUL, 0, "is made of input 1 (b) shifted by one along axis 0"},
    {AG_MISTAKE_NOT_SUMMED, FIRST_ROW_COUNTS, ADD, 1, "axis 0 of the result: only index 0 of it counts"},
    {AG_MISTAKE_NOT_SUMMED, LAST_ROW_COUNTS, MUL, 1, "axis 0 of the result: only index 3 of it counts"},
    {AG_MISTAKE_NOT_SUMMED, FIRST_ROW_COUNTS, DIV, 1, "axis 0 of the result: only index 0 of it counts"},
    {AG_MISTAKE_NOT_SUMMED, FIRST_ROW_COUNTS, LINEAR, 1, "axis 0 of the result: only index 0 of it counts"},
    {AG_MISTAKE_SUMMED_TWICE, TIMES_STRETCH, ADD, 1, "4 times what it must be, the size of axis 0 of the result"},
    {AG_MISTAKE_SUMMED_TWICE, TIMES_STRETCH, DIV, 1, "4 times what it must be, the size of axis 0 of the result"},
    {AG_MISTAKE_SUMMED_TWICE, TIMES_STRETCH, MUL, 1, "4 times what it must be, the size of axis 0 of the result"},
    {AG_MISTAKE_SUMMED_TWICE, SUMMED_OVER_ROWS, MUL, 0, "is summed over axis 0 of the input too"},
    {AG_MISTAKE_PART, FLIPPED_ROW, TANH, 0, "is wrong in row 1 alone; there it has the opposite sign"},
    {AG_MISTAKE_PART, COLUMN_ZERO, LINEAR, 1, "is wrong in column 1 alone; there it is exactly 0"},
    {AG_MISTAKE_PART, BATCH_ITEM_DOUBLED, ATTENTION, 0, "is wrong in batch item 1 alone; there it is 2 times"},
    {AG_MISTAKE_PART, HEAD_FLIPPED, ATTENTION, 2, "is wrong in head 1 alone; there it has the opposite sign"},
    {AG_MISTAKE_PART, LAST_ELEMENT_LOST, ADD, 1, "is wrong in element 4 alone"},
    {AG_MISTAKE_PART, LAST_ELEMENT_LOST, GELU, 0, "is wrong in column 4 of row 3 alone"},
    {AG_MISTAKE_PART, LAST_ROW_LOST, LINEAR, 1, "a part of the sum over axis 0 of the result: index 3 does not count"},
    {AG_MISTAKE_MISSING_CONSTANT, NO_CONSTANT, TANH, 0, "lacks a term that is constant"},
    {AG_MISTAKE_MISSING_CONSTANT, NO_CONSTANT, MUL, 1, "lacks a term that is constant"},
    {AG_MISTAKE_MISSING_CONSTANT, NO_CONSTANT, SOFTMAX, 0, "lacks a term that is constant"},
    {AG_MISTAKE_MISSING_CONSTANT, NO_ROW_CONSTANT, LAYER_NORM, 0, "lacks a term that is constant along axis 1"},
    {AG_MISTAKE_MISSING_INPUT, NO_INPUT, EXP, 0, "lacks a term that is proportional to the input"},
    {AG_MISTAKE_MISSING_INPUT, NO_INPUT, SQUARE_MUL, 1, "lacks a term that is proportional to the input"},
    {AG_MISTAKE_MISSING_INPUT, NO_INPUT, LAYER_NORM, 0, "lacks a term that is proportional to the input"},
    {AG_MISTAKE_MISSING_INPUT, NO_ROW_INPUT, RMS_NORM, 0, "proportional to the input along axis 1"},
    {AG_MISTAKE_MISSING_OUTPUT, NO_OUTPUT, GELU, 0, "lacks a term that is proportional to the output"},
    {AG_MISTAKE_MISSING_OUTPUT, NO_OUTPUT, MUL, 1, "lacks a term that is proportional to the output"},
    {AG_MISTAKE_MISSING_OUTPUT, NO_ROW_OUTPUT, SOFTMAX, 0, "proportional to the output along axis 1"},
    {AG_MISTAKE_OVERWRITTEN, ASSIGNED, TANH, 0, "is overwritten where backward must add to it"},
    {AG_MISTAKE_OVERWRITTEN, ASSIGNED, MATMUL, 1, "is overwritten where backward must add to it"},
    {AG_MISTAKE_OVERWRITTEN, ASSIGNED, EMBEDDING, 0, "is overwritten where backward must add to it"},
    {AG_MISTAKE_STALE, FIRST_CALL, MATMUL, 0, "is that of another call"},
    {AG_MISTAKE_STALE, FIRST_CALL, MUL, 1, "is that of another call"},
    {AG_MISTAKE_STALE, FIRST_CALL, GELU, 0, "is that of another call"},
    {AG_MISTAKE_STALE, LATEST_CALL, SQUARE_MUL, 0, "is that of another call"},
    {AG_MISTAKE_STALE, LATEST_CALL, LINEAR, 1, "is that of another call"},
    {AG_MISTAKE_STALE, FIRST_GRADIENT, MATMUL, 0, "is that of another call"},
    {AG_MISTAKE_STALE, FIRST_GRADIENT, GELU, 0, "is that of another call"},
    {AG_MISTAKE_STALE, PREVIOUS_GRADIENT, MUL, 1, "is that of another call"},
    {AG_MISTAKE_STALE, PREVIOUS_GRADIENT, GELU, 0, "is that of another call"},
    {AG_MISTAKE_NOISE, COUNTING, SOFTMAX, 0, "is noise: the same passes give another one each time"},
    {AG_MISTAKE_NOISE, COUNTING, MATMUL, 1, "is noise: the same passes give another one each time"},
    {AG_MISTAKE_NOISE, UNWRITTEN, TANH, 0, "is noise: it changes with what memory held before"},
    {AG_MISTAKE_NOISE, UNWRITTEN, LINEAR, 0, "is noise: it changes with what memory held before"},
};
#define PLANTS ((int)(sizeof plants / sizeof *plants))

START_TEST(test_kind_is_named)
{
    const planted *p = &plants[_i];
    ag_gradcheck_report right = check_fault(p->subject, p->input, NO_FAULT, 5, 0);
    ck_assert_msg(right.passed && right.mistake == AG_MISTAKE_UNCLEAR && !*right.diagnosis,
                  "plant %d, without its fault: %s", _i, right.message);
    ag_gradcheck_report wrong = check_fault(p->subject, p->input, p->fault, 5, 0);
    ck_assert_msg(!wrong.passed, "plant %d was not caught: %s", _i, wrong.message);
    ck_assert_msg(wrong.mistake == p->kind, "plant %d is called %s: %s; %s", _i, ag_mistake_name(wrong.mistake),
                  wrong.diagnosis, wrong.message);
    ck_assert_msg(strstr(wrong.diagnosis, p->says), "plant %d: %s", _i, wrong.diagnosis);
}
END_TEST

START_TEST(test_each_kind_is_planted)
{
    int operations[AG_MISTAKE_OVERWRITTEN + 1] = {0};
    for (int i = 0; i < PLANTS; i++) {
        bool is_new = true;
        for (int j = 0; j < i; j++)
            is_new = is_new && !(plants[j].kind == plants[i].kind && plants[j].subject == plants[i].subject);
        operations[plants[i].kind] += is_new;
    }
    for (int kind = AG_MISTAKE_UNCLEAR + 1; kind <= AG_MISTAKE_OVERWRITTEN; kind++)
        ck_assert_msg(operations[kind] >= 3, "%s is planted in %d operations", ag_mistake_name((ag_mistake)kind),
                      operations[kind]);
}
END_TEST

/* ---- No diagnosis where there is none ---------------------------------------------- */

static const fault unclear[] = {RANDOM_FACTORS, RANDOM_TERMS, SQUARED, SCATTERED, SHUFFLED, HALF_FLIPPED};
#define UNCLEAR ((int)(sizeof unclear / sizeof *unclear))

/* Faults of no kind: 6 for each of the operations, with numbers of their own. */
START_TEST(test_unclear_faults)
{
    const int which = _i / UNCLEAR;
    ag_gradcheck_report report = check_fault(which, 0, unclear[_i % UNCLEAR], (uint64_t)(100 + _i), 0);
    ck_assert_msg(!report.passed, "fault %d was not caught: %s", _i, report.message);
    ck_assert_msg(report.mistake == AG_MISTAKE_UNCLEAR, "fault %d is called %s: %s", _i,
                  ag_mistake_name(report.mistake), report.diagnosis);
    ck_assert_str_eq(report.diagnosis, "");
}
END_TEST

/* Right gradients, checked with a tolerance that none can meet: what differs is rounding,
 * and must not be taken for a mistake. At least 25 operations have an error above it in
 * each of 8 rounds, if also where that may be the difference's own. */
#define ROUNDS 8

START_TEST(test_right_gradients)
{
    int count, failed = 0;
    const ag_op *const *ops = ag_ops(&count);
    for (int i = 0; i < count; i++) {
        const ag_gradcheck_options options = {.seed = (uint64_t)(1 + _i), .tolerance = PRECISION(1e-16, 1e-8)};
        ag_gradcheck_report report;
        ck_assert_int_eq(ag_gradcheck_op(ops[i], 1, &options, &report, NULL), AG_OK);
        failed += report.failed + report.unclear > 0;
        ck_assert_msg(report.mistake == AG_MISTAKE_UNCLEAR, "%s is called %s: %s; %s", ops[i]->name,
                      ag_mistake_name(report.mistake), report.diagnosis, report.message);
    }
    ck_assert_int_ge(failed, 25);
}
END_TEST

/* ---- Other ways to it -------------------------------------------------------------- */

/* x^2 whose derivative by one of both factors is cut off. */
static ag_tensor *f_half(ag_tape *tape, ag_tensor *const *in, void *context)
{
    (void)tape;
    (void)context;
    return ag_mul(in[0], ag_detach(in[0]));
}

FUNCTION(f_sum, 1, ag_sum(in[0], AG_ALL_AXES, false))
FUNCTION(f_small_scale, 1, ag_scale(in[0], 0.01))

static ag_tensor *f_softmax_between(ag_tape *tape, ag_tensor *const *in, void *context)
{
    (void)tape;
    (void)context;
    return ag_exp(plant(ag_softmax(ag_scale(in[0], 2), -1), in, 1));
}

/* Along directions too the elements of a small input are looked at; of a large one none. */
START_TEST(test_directions)
{
    for (int64_t rows = 16; rows <= 17; rows++) {
        static ag_real data[MOST + 16], grad[MOST + 16];
        test_fill(data, MOST + 16, 3, 0.5, 1.5);
        const ag_gradcheck_input input = {"a", AG_SHAPE(rows, 16), data, grad};
        const ag_gradcheck_options options = {.directions = 2};
        ag_gradcheck_report report;
        ck_assert_int_eq(ag_gradcheck(f_half, NULL, &input, 1, &options, &report, NULL), AG_OK);
        ck_assert(!report.passed);
        ck_assert_int_eq(report.mistake, rows == 16 ? AG_MISTAKE_FACTOR : AG_MISTAKE_UNCLEAR);
    }
}
END_TEST

/* Faults that the tolerance allows in each element add up along a direction, which fails.
 * No single element is wrong then, so there is no place to name. */
START_TEST(test_no_element_is_wrong)
{
    static ag_real data[MOST], grad[MOST];
    test_fill(data, MOST, 3, 0.5, 1);
    const ag_gradcheck_input input = {"a", AG_SHAPE(16, 16), data, grad};
    const ag_gradcheck_options options = {.directions = 4};
    ag_gradcheck_report report;
    memset(&now, 0, sizeof now);
    now.kind = TOLERATED;
    ck_assert_int_eq(ag_gradcheck(f_small_scale, NULL, &input, 1, NULL, &report, NULL), AG_OK);
    ck_assert_msg(report.passed, "%s", report.message);
    ck_assert_int_eq(ag_gradcheck(f_small_scale, NULL, &input, 1, &options, &report, NULL), AG_OK);
    ck_assert_msg(!report.passed, "%s", report.message);
    ck_assert_int_eq(report.mistake, AG_MISTAKE_UNCLEAR);
    ck_assert_str_eq(report.diagnosis, "");
}
END_TEST

/* Wrong tangents have kinds as well: the rule of exp with the opposite sign. */
static ag_status flipped_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    ag_status status = now.right->jvp(node, tangents, tangent);
    for (int64_t k = 0; k < node->output->size; k++)
        tangent[k] = -tangent[k];
    return status;
}

static ag_tensor *f_flipped_jvp(ag_tape *tape, ag_tensor *const *in, void *context)
{
    (void)tape;
    (void)context;
    ag_tensor *y = plant(ag_exp(in[0]), in, 1);
    now.spoilt.jvp = flipped_jvp;
    return y;
}

START_TEST(test_tangents)
{
    ag_real data[6], grad[6];
    test_fill(data, 6, 3, 0.5, 1.5);
    const ag_gradcheck_input input = {"a", AG_SHAPE(2, 3), data, grad};
    const ag_gradcheck_options options = {.forward_mode = true};
    ag_gradcheck_report report;
    memset(&now, 0, sizeof now);
    ck_assert_int_eq(ag_gradcheck(f_flipped_jvp, NULL, &input, 1, &options, &report, NULL), AG_OK);
    ck_assert(!report.passed);
    ck_assert_int_eq(report.mistake, AG_MISTAKE_SIGN);
    ck_assert_str_eq(report.diagnosis, "the tangent by input 0 (a) has the opposite sign");
}
END_TEST

/* In a function of several operations the kind is that of the one that is wrong. */
START_TEST(test_located_operation)
{
    ag_real data[20], grad[20];
    test_fill(data, 20, 3, 0.5, 1.5);
    const ag_gradcheck_input input = {"a", AG_SHAPE(4, 5), data, grad};
    ag_gradcheck_report report;
    memset(&now, 0, sizeof now);
    now.kind = NO_ROW_OUTPUT;
    ck_assert_int_eq(ag_gradcheck(f_softmax_between, NULL, &input, 1, NULL, &report, NULL), AG_OK);
    ck_assert_int_eq(report.mistake, AG_MISTAKE_MISSING_OUTPUT);
    ck_assert_msg(strstr(report.diagnosis, "softmax in ") && strstr(report.diagnosis, "proportional to the output"),
                  "%s", report.diagnosis);
}
END_TEST

/* The gradients that the caller finds are those of the first backward at the inputs, which
 * is the second of all: one nearby runs before. The diagnosis ran others. */
START_TEST(test_gradients_stay)
{
    ag_real data[6], grad[6];
    test_fill(data, 6, 3, 0.5, 1.5);
    const ag_gradcheck_input input = {"a", AG_SHAPE(6), data, grad};
    ag_gradcheck_report report;
    memset(&now, 0, sizeof now);
    now.kind = COUNTING;
    ck_assert_int_eq(ag_gradcheck(f_sum, NULL, &input, 1, NULL, &report, NULL), AG_OK);
    ck_assert_int_eq(report.mistake, AG_MISTAKE_NOISE);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq_tol((double)grad[i], sin(2 + i), PRECISION(1e-14, 1e-6));
}
END_TEST

START_TEST(test_out_of_memory)
{
    ag_real data[6], grad[6];
    test_fill(data, 6, 3, 0.5, 1.5);
    const ag_gradcheck_input input = {"a", AG_SHAPE(2, 3), data, grad};
    int failures = 0;
    for (int64_t n = 1;; n++, failures++) {
        ag_gradcheck_report report;
        ag_error error = {0};
        test_fail_allocation(n);
        ag_status status = ag_gradcheck(f_half, NULL, &input, 1, NULL, &report, &error);
        test_fail_allocation(0);
        if (status == AG_OK)
            break;
        ck_assert_int_eq(status, AG_NO_MEMORY);
        ck_assert_ptr_nonnull(strstr(error.message, "out of memory"));
    }
    ck_assert_int_ge(failures, 5);
}
END_TEST

static Suite *diagnose_suite(void)
{
    Suite *suite = suite_create("diagnose");
    TCase *tests = tcase_create("mistakes");
    tcase_add_loop_test(tests, test_kind_is_named, 0, PLANTS);
    tcase_add_test(tests, test_each_kind_is_planted);
    tcase_add_loop_test(tests, test_unclear_faults, 0, SUBJECTS * UNCLEAR);
    tcase_add_loop_test(tests, test_right_gradients, 0, ROUNDS);
    tcase_add_test(tests, test_directions);
    tcase_add_test(tests, test_no_element_is_wrong);
    tcase_add_test(tests, test_tangents);
    tcase_add_test(tests, test_located_operation);
    tcase_add_test(tests, test_gradients_stay);
    tcase_add_test(tests, test_out_of_memory);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(diagnose_suite)
