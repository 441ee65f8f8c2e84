/* operation.h - operations as records, your own among them. The second part of
 * autograd.h, which includes it.
 *
 * An operation is one record (ag_op): how its result is shaped and computed, how
 * gradients go back through it, and how to draw examples of it. examples/own_operation.c
 * adds one in a program, with its check (gradients.h).
 */
#ifndef AG_OPERATION_H
#define AG_OPERATION_H

#include "autograd.h"

AG_HEADER_BEGIN

/* ---- Operations of your own -------------------------------------------------------- */

/* A drawn example of an operation, for the checks. */
typedef struct ag_example ag_example;
/* The sides of kinks on which a computation lies. A kink is a point where a function has
 * no derivative, such as 0 for relu. */
typedef struct ag_kinks ag_kinks;

/* An operation as a record; all built-in operations are such records (ag_ops). The
 * functions get the node that is being made or differentiated, and report errors by
 * ag_fail. */
typedef struct ag_op {
    const char *name;    /* "matmul" */
    const char *formula; /* one line, for tables and messages */
    /* Checks the inputs and attributes, and sets node->output->shape. */
    ag_status (*shape)(ag_node *node);
    /* Fills node->output->data. */
    ag_status (*forward)(ag_node *node);
    /* Adds to the gradients of the inputs (ag_grad). NULL: the result is a constant. */
    ag_status (*backward)(ag_node *node);
    /* The tangent rule (forward mode): tangent = the sum over i of (d output / d input i)
     * tangents[i]. tangents[i] has the size of inputs[i] and is NULL if it is 0; at least
     * one is not. `tangent`, of the output's size, holds zeros at first. The rule may
     * read what `backward` may, and sets no gradient. NULL: ag_jvp cannot pass
     * through. */
    ag_status (*jvp)(ag_node *node, const ag_real *const *tangents, ag_real *tangent);
    /* Calls the constructor on inputs drawn from the operation's domain
     * (ag_example_input), so that ag_gradcheck_op can check it. NULL: it cannot. */
    ag_tensor *(*example)(ag_example *example);
    /* Notes on which side of each kink the inputs lie (ag_kink). NULL: the operation is
     * smooth. */
    void (*kinks)(const ag_node *node, ag_kinks *kinks);
    /* The multiply-adds of the matrix products in `forward` and in `backward`, without
     * those that `backward` computes a second time. For profiles. NULL: there are
     * none. */
    void (*multiply_adds)(const ag_node *node, double *forward, double *backward);
    /* Whether ag_forget may drop the result: `forward` can run again to the same effect,
     * `backward` does not read the output, and the operation is cheap. */
    bool can_repeat;
    /* Whether the output is the first input's memory in another shape of as many
     * elements. Then `forward` has nothing to write. */
    bool is_view;
} ag_op;

/* What one run of an operation costs. All times are in seconds, by ag_seconds. */
typedef struct ag_cost {
    double forward, backward; /* `backward`: of all calls of ag_backward */
    double recompute;         /* of running `forward` again after ag_forget */
    int64_t recomputed;       /* how often it ran again */
    size_t bytes;             /* that `forward` left on the tape: the result, what is saved */
} ag_cost;

/* One run of an operation: what it was given and what it made. */
struct ag_node {
    const ag_op *op;
    ag_tape *tape;
    int input_count;
    ag_tensor **inputs; /* [input_count]; an optional input that was not given is NULL */
    ag_tensor *output;
    void *attributes;  /* the operation's own struct, copied by ag_custom */
    void *saved;       /* what forward keeps for backward, from ag_tape_alloc */
    const char *scope; /* see ag_tape_enter; "" outside */
    uint64_t dropouts; /* how many masks of dropout the tape had drawn before this node */
    ag_node *before;   /* the node appended before this one; NULL: this is the first */
    ag_cost *cost;     /* NULL unless the tape measures (ag_tape_options) */
};

/* Runs an operation: checks, computes, appends the node to the tape, and returns the
 * output. All built-in constructors do just this. `inputs` [count] and `attributes` (of
 * `attributes_size` bytes) are copied; `op` must live until the rewind. The first
 * `required` inputs must not be NULL, and the very first never; the others may be.
 * AG_BAD_VALUE for a record without name, shape or forward. */
ag_tensor *ag_custom(const ag_op *op, ag_tensor *const *inputs, int count, int required, const void *attributes,
                     size_t attributes_size);

/* The operation's backward alone, from any gradient dy [output->size] of its output:
 *
 *     dx[i] += (d output / d inputs[i])^T dy    dx[i] [inputs[i]->size]; NULL: not wanted
 *
 * Changes no gradient of the tape. Each input counts for itself, also where one tensor is
 * given twice. With dy 1 at one element and 0 elsewhere it is a row of the Jacobian.
 * AG_BAD_VALUE if the output needs no gradient: then the operation has kept nothing for
 * its backward. */
ag_status ag_node_backward(const ag_node *node, const ag_real *dy, ag_real *const *dx) AG_CHECKED;

/* Inside shape, forward and backward: sets the tape's error to "name: sentence" and
 * returns `status`. */
ag_status ag_fail(const ag_node *node, ag_status status, const char *format, ...) AG_PRINTF(3, 4);
/* Inside backward: where to add the gradient of x, zeroed at its first use. NULL if x
 * needs no gradient or is NULL. */
ag_real *ag_grad(ag_tensor *x);
/* ag_grad without the zeros: if *add comes back false, the memory holds nothing yet, and
 * the caller writes every element instead of adding to it. */
ag_real *ag_grad_begin(ag_tensor *x, bool *add);
/* Inside backward: adds g, of the shape `shape` to which x broadcasts, to the gradient of
 * x, summing in double over the axes that were stretched. */
void ag_grad_add(ag_tensor *x, ag_shape shape, const ag_real *g);
/* Inside forward and backward: memory that is gone when the function returns. 64-byte
 * aligned, not zeroed. NULL, and the tape has the error, if memory is out. */
void *ag_scratch(ag_tape *tape, size_t bytes);
/* Inside kinks: notes a decision, such as a sign or the index of a maximum. */
void ag_kink(ag_kinks *kinks, int64_t decision);

/* The table of all built-in operations, [*count]. */
const ag_op *const *ag_ops(int *count);

/* Inside example, which is called many times and must do the same each time: the tape, a
 * number in [low, high], and an input whose values are drawn from [low, high]. `name`
 * must outlive the check's report: give a literal. */
ag_tape *ag_example_tape(ag_example *example);
int64_t ag_example_int(ag_example *example, int64_t low, int64_t high);
double ag_example_real(ag_example *example, double low, double high);
ag_tensor *ag_example_input(ag_example *example, const char *name, ag_shape shape, double low, double high);

AG_HEADER_END
#endif
