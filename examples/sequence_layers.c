/* sequence_layers.c - self-attention, a convolution and a recurrent layer side by side: what they cost, and how far a
 * token is from another (Vaswani et al. 2017, table 1).
 *
 *                          multiply-adds   one after the other   path between tokens n apart
 *     self-attention       O(n^2 d)        O(1)                  O(1)
 *     convolution          O(k n d^2)      O(1)                  O(n / k), dilated O(log_k n)
 *     recurrent            O(n d^2)        O(n)                  O(n)
 *
 * for n tokens of width d and kernels of width k. Each column is found out here rather than believed:
 *
 *     multiply-adds   by walking the tape and adding up what its products did;
 *     sequential      as the longest chain of operations on the tape, each of which had to wait for the one before;
 *     path            by influence: through how many layers or steps the first input reaches the last output, whose
 *                     derivative by it is exactly 0 as long as it does not.
 *
 * All three layers take x [n, d] to [n, d]. As in the table, self-attention is without its four projections, which
 * would add 4 n d^2. Times are of the forward pass on one thread, the best of several. The recurrent step is a plain
 * loop, not a tuned product: look at how its time grows, not at how long it is. */
#include <tapeformer/autograd.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- The recurrent step, an operation of our own ----------------------------------- */

/* h' = tanh(x_t + h U): row `t` of x [n, d], state h [1, d], U [d, d] (from, to). */
typedef struct step_attributes {
    int64_t t;
} step_attributes;

static int64_t step_row(const ag_node *node)
{
    return ((const step_attributes *)node->attributes)->t;
}

static ag_status step_shape(ag_node *node)
{
    const ag_shape x = node->inputs[0]->shape, h = node->inputs[1]->shape, u = node->inputs[2]->shape;
    const int64_t width = x.ndim == 2 ? x.dim[1] : -1;
    if (!ag_shape_equal(h, AG_SHAPE(1, width)) || !ag_shape_equal(u, AG_SHAPE(width, width)))
        return ag_fail(node, AG_BAD_SHAPE, "x [n, d], h [1, d] and U [d, d] do not fit together");
    if (step_row(node) < 0 || step_row(node) >= x.dim[0])
        return ag_fail(node, AG_BAD_VALUE, "there is no row %lld", (long long)step_row(node));
    node->output->shape = h;
    return AG_OK;
}

static ag_status step_forward(ag_node *node)
{
    const int64_t d = node->output->size;
    const ag_real *x = node->inputs[0]->data + step_row(node) * d, *h = node->inputs[1]->data,
                  *u = node->inputs[2]->data;
    ag_real *restrict y = node->output->data;
    memcpy(y, x, (size_t)d * sizeof *y);
    for (int64_t from = 0; from < d; from++)
        for (int64_t to = 0; to < d; to++)
            y[to] += h[from] * u[from * d + to];
    for (int64_t to = 0; to < d; to++)
        y[to] = (ag_real)tanh((double)y[to]);
    return AG_OK;
}

/* With g = dy (1 - y^2):   dx_t += g    dh += U g    dU += h^T g */
static ag_status step_backward(ag_node *node)
{
    const int64_t d = node->output->size;
    const ag_real *h = node->inputs[1]->data, *u = node->inputs[2]->data, *y = node->output->data,
               *dy = node->output->grad;
    ag_real *dx = ag_grad(node->inputs[0]), *dh = ag_grad(node->inputs[1]), *du = ag_grad(node->inputs[2]);
    for (int64_t to = 0; to < d; to++) {
        const ag_real g = dy[to] * (1 - y[to] * y[to]);
        if (dx)
            dx[step_row(node) * d + to] += g;
        for (int64_t from = 0; from < d; from++) {
            if (dh)
                dh[from] += u[from * d + to] * g;
            if (du)
                du[from * d + to] += h[from] * g;
        }
    }
    return AG_OK;
}

static ag_tensor *recurrent_step(ag_tensor *x, int64_t t, ag_tensor *h, ag_tensor *u);

static ag_tensor *step_example(ag_example *example)
{
    const int64_t n = ag_example_int(example, 1, 4), d = ag_example_int(example, 1, 4);
    const int64_t t = ag_example_int(example, 0, n - 1);
    ag_tensor *x = ag_example_input(example, "x", AG_SHAPE(n, d), -1, 1);
    ag_tensor *h = ag_example_input(example, "h", AG_SHAPE(1, d), -1, 1);
    return recurrent_step(x, t, h, ag_example_input(example, "U", AG_SHAPE(d, d), -1, 1));
}

static const ag_op recurrent_step_op = {
    .name = "recurrent_step",
    .formula = "h' = tanh(x_t + h U)",
    .shape = step_shape,
    .forward = step_forward,
    .backward = step_backward,
    .example = step_example,
};

static ag_tensor *recurrent_step(ag_tensor *x, int64_t t, ag_tensor *h, ag_tensor *u)
{
    return ag_custom(&recurrent_step_op, (ag_tensor *[]){x, h, u}, 3, 3, &(step_attributes){t},
                     sizeof(step_attributes));
}

/* ---- The three layers -------------------------------------------------------------- */

enum { MOST_TOKENS = 512, MOST_WIDTH = 256, MOST_KERNEL = 8 };

typedef struct sizes {
    int64_t n, d, k;
} sizes;

/* What the layers are made from. */
typedef struct parts {
    ag_tensor *x;                /* [n, d] */
    ag_tensor *kernel;           /* [d, k d] */
    ag_tensor *entry, *handover; /* [d, d] of the recurrent layer: from the input, from the state before */
} parts;

/* softmax(x x^T / sqrt(d)) x: every token looks at every token. */
static ag_tensor *self_attention(const parts *p)
{
    const double scale = p->x ? 1 / sqrt((double)p->x->shape.dim[1]) : 1;
    ag_tensor *scores = ag_scale(ag_matmul(p->x, p->x, false, true), scale);
    return ag_matmul(ag_softmax(scores, -1), p->x, false, false);
}

/* y_t = sum over a < k of W_a x_(t - a dilation), with zeros before the beginning: the k tokens that it takes, side by
 * side, times one matrix. */
static ag_tensor *convolve(const parts *p, int64_t dilation)
{
    ag_tensor *taps[MOST_KERNEL];
    if (!p->x || !p->kernel)
        return NULL;
    const int64_t n = p->x->shape.dim[0], d = p->x->shape.dim[1], k = p->kernel->shape.dim[1] / d;
    ag_tensor *zeros = ag_constant(p->x->tape, AG_SHAPE((k - 1) * dilation, d), NULL);
    ag_tensor *padded = ag_concat((ag_tensor *[]){zeros, p->x}, 2, 0);
    for (int64_t a = 0; a < k; a++)
        taps[a] = ag_slice(padded, 0, a * dilation, a * dilation + n);
    return ag_linear(ag_concat(taps, (int)k, 1), p->kernel, NULL);
}

static ag_tensor *convolution(const parts *p)
{
    return convolve(p, 1);
}

/* h_t = tanh(W x_t + h_(t-1) U). The W x_t are one product for all t; the rest waits for its turn. What step `cut`
 * hands over is cut off from differentiation (-1: none is). */
static ag_tensor *recur(const parts *p, int64_t cut)
{
    ag_tensor *states[MOST_TOKENS];
    if (!p->x)
        return NULL;
    ag_tensor *inputs = ag_linear(p->x, p->entry, NULL);
    ag_tensor *state = ag_constant(p->x->tape, AG_SHAPE(1, p->x->shape.dim[1]), NULL);
    for (int64_t t = 0; t < p->x->shape.dim[0]; t++) {
        states[t] = recurrent_step(inputs, t, state, p->handover);
        state = t == cut ? ag_detach(states[t]) : states[t];
    }
    return ag_concat(states, (int)p->x->shape.dim[0], 0);
}

static ag_tensor *recurrent(const parts *p)
{
    return recur(p, -1);
}

static ag_tensor *(*const layers[])(const parts *) = {self_attention, convolution, recurrent};
enum { LAYERS = 3 };

/* A leaf on drawn numbers of the deviation 1 / sqrt(fan_in), which leaves the size of
 * what they multiply as it is. */
static ag_tensor *drawn(ag_tape *tape, ag_shape shape, int64_t fan_in, uint64_t stream, ag_real *values)
{
    ag_rng rng = ag_rng_make(17, stream);
    for (int64_t i = 0; i < ag_shape_size(shape); i++)
        values[i] = (ag_real)(ag_rng_normal(&rng) / sqrt((double)fan_in));
    return ag_leaf(tape, shape, values, NULL);
}

static parts make_parts(ag_tape *tape, sizes s)
{
    static ag_real x[MOST_TOKENS * MOST_WIDTH], kernel[MOST_KERNEL * MOST_WIDTH * MOST_WIDTH];
    static ag_real entry[MOST_WIDTH * MOST_WIDTH], handover[MOST_WIDTH * MOST_WIDTH];
    parts p = {.kernel = drawn(tape, AG_SHAPE(s.d, s.k * s.d), s.k * s.d, 2, kernel),
               .entry = drawn(tape, AG_SHAPE(s.d, s.d), s.d, 3, entry),
               .handover = drawn(tape, AG_SHAPE(s.d, s.d), s.d, 4, handover)};
    drawn(tape, AG_SHAPE(s.n, s.d), 1, 1, x);
    p.x = ag_variable(tape, AG_SHAPE(s.n, s.d), x); /* the one that has a gradient */
    return p;
}

/* ---- What they cost ---------------------------------------------------------------- */

/* The multiplications, each with its addition, of the products on the tape. */
static int64_t multiply_adds(const ag_tape *tape)
{
    int64_t count = 0;
    for (const ag_node *node = ag_tape_last(tape); node; node = ag_node_before(node)) {
        const ag_shape x = node->inputs[0]->shape;
        const bool is_product = !strcmp(node->op->name, "matmul") || !strcmp(node->op->name, "linear") ||
                                !strcmp(node->op->name, recurrent_step_op.name);
        if (is_product) /* each element of the result is a sum over the last axis of the first input */
            count += node->output->size * x.dim[x.ndim - 1];
    }
    return count;
}

/* The longest chain of operations that lead to x. (What several of them use is gone through several times: these layers
 * are simple enough for that.) */
static int64_t longest_chain(const ag_tensor *x)
{
    int64_t longest = 0;
    if (!x || !x->node) /* an input that was not given, or a leaf */
        return 0;
    for (int i = 0; i < x->node->input_count; i++) {
        const int64_t chain = longest_chain(x->node->inputs[i]);
        longest = chain > longest ? chain : longest;
    }
    return longest + 1;
}

static double now(void)
{
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

typedef struct cost {
    int64_t multiply_adds, chain;
    double milliseconds;
} cost;

static cost cost_of(ag_tensor *(*layer)(const parts *), ag_tape *tape, sizes s)
{
    cost c = {.milliseconds = INFINITY};
    for (int repeat = 0; repeat < 5; repeat++) {
        ag_tape_rewind(tape);
        const parts p = make_parts(tape, s);
        const double begin = now();
        const ag_tensor *y = layer(&p);
        c.milliseconds = fmin(c.milliseconds, 1e3 * (now() - begin));
        if (!y)
            break; /* the tape knows why */
        c.multiply_adds = multiply_adds(tape);
        c.chain = longest_chain(y);
    }
    return c;
}

/* The power of two by which something grew. */
static double power(double before, double after)
{
    return log2(after / before);
}

/* Four sizes, each twice the one before in what grows, and how the costs of the last
 * follow from those before it. */
static void print_costs(ag_tape *tape, const char *what, sizes s, sizes factor)
{
    cost costs[LAYERS] = {{0}}, before[LAYERS];
    printf("%s grows:   %21s%23s%23s\n%4s%5s%3s", what, "self-attention", "convolution", "recurrent", "n", "d", "k");
    for (int i = 0; i < LAYERS; i++)
        printf("%14s%9s", "operations", "ms");
    printf("\n");
    for (int row = 0; row < 4; row++) {
        printf("%4lld%5lld%3lld", (long long)s.n, (long long)s.d, (long long)s.k);
        for (int i = 0; i < LAYERS; i++) {
            before[i] = costs[i];
            costs[i] = cost_of(layers[i], tape, s);
            printf("%14lld%9.3f", (long long)costs[i].multiply_adds, costs[i].milliseconds);
        }
        printf("\n");
        s = (sizes){s.n * factor.n, s.d * factor.d, s.k * factor.k};
    }
    printf("power of %s:", what);
    for (int i = 0; i < LAYERS; i++)
        printf("%14.2f%9.1f", power((double)before[i].multiply_adds, (double)costs[i].multiply_adds),
               power(before[i].milliseconds, costs[i].milliseconds));
    printf("\n\n");
}

static void print_chains(ag_tape *tape)
{
    printf("operations one after the other:\n%5s  %14s  %11s  %9s\n", "n", "self-attention", "convolution",
           "recurrent");
    for (int64_t n = 64; n <= MOST_TOKENS; n *= 2) {
        int64_t chains[LAYERS];
        for (int i = 0; i < LAYERS; i++)
            chains[i] = cost_of(layers[i], tape, (sizes){n, 16, 3}).chain;
        printf("%5lld  %14lld  %11lld  %9lld\n", (long long)n, (long long)chains[0], (long long)chains[1],
               (long long)chains[2]);
    }
    printf("\n");
}

/* ---- How far a token is from another ----------------------------------------------- */

/* Whether the first input has influence on the last output y: derivatives of one of its elements by all of the input.
 */
static bool reaches(ag_tensor *y, const ag_tensor *x)
{
    static ag_real seed[MOST_TOKENS * MOST_WIDTH];
    bool reached = false;
    if (!y)
        return false;
    const int64_t n = x->shape.dim[0], d = x->shape.dim[1];
    memset(seed, 0, (size_t)y->size * sizeof *seed);
    seed[(n - 1) * d] = 1;
    if (x->grad)
        memset(x->grad, 0, (size_t)x->size * sizeof *x->grad);
    if (ag_backward_seeded(y, seed) == AG_OK && x->grad)
        for (int64_t i = 0; i < d; i++)
            reached = reached || x->grad[i] != 0;
    return reached;
}

/* The fewest layers, one upon the other, through which it does, each `growth` times as dilated as the one below; 0
 * where neither n layers nor a dilation beyond n are enough. */
static int64_t layers_needed(ag_tape *tape, sizes s, int64_t growth)
{
    for (int64_t count = 1, widest = 1; count <= s.n && widest < growth * s.n; count++, widest *= growth) {
        ag_tape_rewind(tape);
        parts p = make_parts(tape, s);
        const ag_tensor *x = p.x;
        int64_t dilation = 1;
        for (int64_t layer = 0; layer < count; layer++) {
            p.x = convolve(&p, dilation);
            dilation *= growth;
        }
        if (reaches(p.x, x))
            return count;
    }
    return 0;
}

/* How many of the handovers from step to step there is no way around: cut one, and the
 * influence is gone. */
static int64_t handovers_needed(ag_tape *tape, sizes s)
{
    int64_t needed = 0;
    ag_tape_rewind(tape);
    parts p = make_parts(tape, s);
    if (!reaches(recurrent(&p), p.x))
        return 0;
    for (int64_t cut = 0; cut + 1 < s.n; cut++) {
        ag_tape_rewind(tape);
        p = make_parts(tape, s);
        needed += !reaches(recur(&p, cut), p.x);
    }
    return needed;
}

static void print_paths(ag_tape *tape)
{
    printf("from the first input to the last output, k = 3:\n%5s  %14s  %11s  %7s  %9s\n", "n", "self-attention",
           "convolution", "dilated", "recurrent");
    for (int64_t n = 8; n <= 64; n *= 2) {
        const sizes s = {n, 16, 3};
        ag_tape_rewind(tape);
        const parts p = make_parts(tape, s);
        const bool at_once = reaches(self_attention(&p), p.x);
        printf("%5lld  %14s  %11lld  %7lld  %9lld\n", (long long)n, at_once ? "1" : "none",
               (long long)layers_needed(tape, s, 1), (long long)layers_needed(tape, s, s.k),
               (long long)handovers_needed(tape, s));
    }
    printf("(layers, and steps of the recurrent one)\n");
}

int main(void)
{
    ag_gradcheck_report report;
    ag_error error = {0};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    if (!tape || ag_gradcheck_op(&recurrent_step_op, 24, NULL, &report, &error) != AG_OK) {
        puts(error.message);
        ag_tape_free(tape);
        return 1;
    }
    printf("the gradient of recurrent_step is %s\n\n", report.passed ? "right" : report.message);
    printf("expected:   %22s%23s%23s\n\n", "O(n^2 d)", "O(k n d^2)", "O(n d^2)");
    print_costs(tape, "n", (sizes){64, 64, 3}, (sizes){2, 1, 1});
    print_costs(tape, "d", (sizes){64, 32, 3}, (sizes){1, 2, 1});
    print_costs(tape, "k", (sizes){128, 64, 1}, (sizes){1, 1, 2});
    print_chains(tape);
    print_paths(tape);
    const ag_error failure = *ag_tape_error(tape);
    if (failure.status != AG_OK)
        puts(failure.message);
    ag_tape_free(tape);
    return failure.status == AG_OK ? 0 : 1;
}
