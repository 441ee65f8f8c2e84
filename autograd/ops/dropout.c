/* dropout.c - elements set to zero at random (Srivastava et al. 2014), the others scaled so that the mean stays.
 *
 * The mask is a function of (seed, step, number of the dropout, element), so it is the same at any number of threads,
 * and the backward draws it again instead of keeping it. */
#include "../broadcast.h"
#include "../tape.h"
#include "draw.h"

static ag_status shape_dropout(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

typedef struct dropout_task {
    const kernel_dropout *mask;
    int64_t size;
    const ag_real *from;
    ag_real *to;
    bool add;
} dropout_task;

static void dropout_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    const dropout_task *task = context;
    int64_t at = begin * PIECE;
    int64_t count = end * PIECE < task->size ? end * PIECE - at : task->size - at;
    (void)worker;
    kernels()->elementwise->dropout(task->mask, at, count, task->from + at, task->to + at, task->add);
}

static void dropout_run(const ag_node *node, const ag_real *from, ag_real *to, bool add)
{
    dropout_task task = {.mask = node->attributes, .size = node->output->size, .from = from, .to = to, .add = add};
    kernel_parallel(node->tape->threads, piece_count(task.size), (double)task.size * 8, dropout_pieces, &task);
}

static ag_status forward_dropout(ag_node *node)
{
    dropout_run(node, node->inputs[0]->data, node->output->data, false);
    return AG_OK;
}

/* dx = dy / (1 - p) where x was kept, else 0 */
static ag_status backward_dropout(ag_node *node)
{
    bool add;
    ag_real *dx = ag_grad_begin(node->inputs[0], &add);
    if (!dx)
        return AG_NO_MEMORY;
    dropout_run(node, node->output->grad, dx, add);
    return AG_OK;
}

/* The stream is set, so that the example is the same function at every call. */
static ag_tensor *example_dropout(ag_example *example)
{
    static const double chances[] = {1e-10, 0.1, 0.5, 0.9, 1};
    double p = chances[ag_example_int(example, 0, 4)];
    uint64_t seed = (uint64_t)ag_example_int(example, 0, 1000), step = (uint64_t)ag_example_int(example, 0, 1000);
    ag_tape_seed(ag_example_tape(example), seed, step);
    return ag_dropout(ag_example_input(example, "x", draw_shape(example, 0), -2, 2), p);
}

const ag_op op_dropout = {.name = "dropout",
                          .formula = "y = 0 with probability p, else x / (1 - p)",
                          .shape = shape_dropout,
                          .forward = forward_dropout,
                          .backward = backward_dropout,
                          .example = example_dropout};

ag_tensor *ag_dropout(ag_tensor *x, double p)
{
    if (!x)
        return NULL;
    ag_tape *tape = x->tape;
    if (!(p >= 0 && p <= 1)) {
        ag_error_set(&tape->error, AG_BAD_VALUE, "dropout: the probability is %g, outside of 0 to 1", p);
        return NULL;
    }
    if (p == 0)
        return x;
    kernel_dropout mask = tape_next_dropout(tape, p);
    return ag_custom(&op_dropout, &x, 1, 1, &mask, sizeof mask);
}
