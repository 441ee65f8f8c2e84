/* operation.h - operations as records, your own among them, and the gradient checks that
 * prove them. The second part of autograd.h, which includes it.
 *
 * An operation is one record (ag_op): how its result is shaped and computed, how
 * gradients go back through it, and how to draw examples of it. examples/own_operation.c
 * adds one in a program, with its check.
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
    /* Calls the constructor on inputs drawn from the operation's domain
     * (ag_example_input), so that ag_gradcheck_op can check it. NULL: it cannot. */
    ag_tensor *(*example)(ag_example *example);
    /* Notes on which side of each kink the inputs lie (ag_kink). NULL: the operation is
     * smooth. */
    void (*kinks)(const ag_node *node, ag_kinks *kinks);
    /* Whether ag_forget may drop the result: `forward` can run again to the same effect,
     * `backward` does not read the output, and the operation is cheap. */
    bool can_repeat;
    /* Whether the output is the first input's memory in another shape of as many
     * elements. Then `forward` has nothing to write. */
    bool is_view;
} ag_op;

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
    ag_node *before;   /* the node appended before this one; NULL: this is the first */
};

/* Runs an operation: checks, computes, appends the node to the tape, and returns the
 * output. All built-in constructors do just this. `inputs` [count] and `attributes` (of
 * `attributes_size` bytes) are copied; `op` must live until the rewind. The first
 * `required` inputs must not be NULL, and the very first never; the others may be.
 * AG_BAD_VALUE for a record without name, shape or forward. */
ag_tensor *ag_custom(const ag_op *op, ag_tensor *const *inputs, int count, int required, const void *attributes,
                     size_t attributes_size);

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

/* ---- Gradient checks --------------------------------------------------------------- */

/* One input of a function under check. The check moves `data` element by element,
 * restores it, and compares with what backward adds to `grad`. Both are
 * [ag_shape_size(shape)]. */
typedef struct ag_gradcheck_input {
    const char *name;
    ag_shape shape;
    ag_real *data;
    ag_real *grad;
} ag_gradcheck_input;

/* The function under check: builds its result on `tape` from leaves on the inputs'
 * memory. It must be the same function at every call. A result of several elements is
 * projected on fixed random weights. */
typedef ag_tensor *(*ag_function)(ag_tape *tape, ag_tensor *const *inputs, void *context);

/* Options of ag_gradcheck. Zero means the default. */
typedef struct ag_gradcheck_options {
    double tolerance; /* of |a - n| / max(1, |a|, |n|); 0: 1e-9 (float: 1e-3) */
    double step;      /* the largest step, rounded down to a power of two; of an element
                       * larger than 1, times its size; 0: 2^-6 (float: 2^-3) */
    int directions;   /* > 0: compare this many random directional derivatives of each
                       * input instead of every element */
    uint64_t seed;    /* of the weights, the directions and the examples */
    int threads;      /* of the tape; 0: 1 */
} ag_gradcheck_options;

/* The result of a check. Its fields describe the element with the largest error: a is the
 * gradient by backward, n the derivative from the function's values alone. */
typedef struct ag_gradcheck_report {
    bool passed;
    int64_t checked;    /* elements (or directions) compared */
    int64_t kinks;      /* elements left out because they lie on a kink */
    double worst_error; /* |a - n| / max(1, |a|, |n|); NaN counts as infinite */
    int input;          /* the input, from 0; -1: the fault is in the result itself */
    const char *input_name;
    int64_t index; /* the flat index in it, or the number of the direction */
    double analytic, numeric;      /* a and n */
    double step;                   /* the smallest step that went into n */
    double numeric_error;          /* the extrapolation's own estimate of n's error */
    int draw;                      /* the drawn example, in ag_gradcheck_op */
    char message[AG_MESSAGE_SIZE]; /* all of that as a sentence */
} ag_gradcheck_report;

/* Compares the gradients of `f` by backward with central differences, extrapolated to
 * step 0 (Richardson; Ridders 1982). If a step would cross a kink it is made smaller; an
 * element on a kink is left out and counted. `options` may be NULL.
 *
 * The check fails if an error is above the tolerance, if either side is NaN, and if
 * nothing, or less than half of the elements, could be compared. It also fails, with an
 * infinite worst error, if two calls give different results, if the function or a
 * backward changes an input or the result, or if a backward overwrites gradients instead
 * of adding to them or adds something else when it runs again on the same tape.
 *
 * The gradients stay in the inputs' `grad`. The returned status is an error only if the
 * check could not run; whether the gradients agree is in `report`. */
ag_status ag_gradcheck(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                       const ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error) AG_CHECKED;

/* Checks an operation on `draws` examples that its record draws. The report is that of
 * the worst, with the counts of all. AG_BAD_VALUE if the record draws none. */
ag_status ag_gradcheck_op(const ag_op *op, int draws, const ag_gradcheck_options *options, ag_gradcheck_report *report,
                          ag_error *error) AG_CHECKED;

AG_HEADER_END
#endif
