/* gradients.h - gradient checks: whether a gradient is right, where it is wrong, and how.
 * The third part of autograd.h, which includes it.
 */
#ifndef AG_GRADIENTS_H
#define AG_GRADIENTS_H

#include "operation.h"

AG_HEADER_BEGIN

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
 * memory. It must be the same function at every call. Its result may have several
 * elements: backward starts from random weights for them. */
typedef ag_tensor *(*ag_function)(ag_tape *tape, ag_tensor *const *inputs, void *context);

/* What a check found about one input. */
typedef struct ag_gradcheck_summary {
    const char *name;
    int64_t checked, failed; /* elements (or directions): compared, and of these wrong */
    int64_t kinks;           /* elements left out because they lie on a kink, .. */
    int64_t unclear;         /* .. or because the difference's own error is too large */
    double worst_error;      /* 0 if nothing was compared */
    int64_t worst_index;     /* -1 if nothing was compared */
} ag_gradcheck_summary;

/* Options of ag_gradcheck. Zero means the default. */
typedef struct ag_gradcheck_options {
    double tolerance;                /* of |a - n| / max(1, |a|, |n|); 0: 1e-9 (float: 1e-3) */
    double step;                     /* the largest step, rounded down to a power of two;
                                      * of an element larger than 1, times its size; 0:
                                      * 2^-6 (float: 2^-3) */
    int directions;                  /* > 0: compare this many random directional derivatives of each
                                      * input instead of every element */
    int64_t elements;                /* > 0: compare at most this many elements of each input, drawn at
                                      * random; 0: all; unused if `directions` is set */
    uint64_t seed;                   /* of the weights, the directions and the examples */
    int threads;                     /* of the tape; 0: 1 */
    bool forward_mode;               /* check the tangents of ag_jvp instead of the gradients */
    ag_gradcheck_summary *summaries; /* [summary_count]: receives what was found about the
                                      * first inputs, one by one; NULL: not wanted */
    int summary_count;
} ag_gradcheck_options;

/* A result of at most this many elements is reported element by element. */
#define AG_GRADCHECK_OUTPUTS 64

/* The room for an operation's place on the tape as text, in bytes. */
#define AG_LOCATION_TEXT 192

/* Kinds of mistakes in a gradient. */
typedef enum ag_mistake {
    AG_MISTAKE_UNCLEAR,          /* none found: the gradient is right, or the evidence not clear */
    AG_MISTAKE_NOISE,            /* the same passes give another one: random, a race, memory that
                                  * was not written */
    AG_MISTAKE_STALE,            /* that of another call of the function */
    AG_MISTAKE_ZERO,             /* 0 everywhere: severed */
    AG_MISTAKE_SIGN,             /* the opposite sign */
    AG_MISTAKE_FACTOR,           /* multiplied by one number */
    AG_MISTAKE_TRANSPOSED,       /* two axes swapped, of the gradient, of dy or of an input */
    AG_MISTAKE_SHIFTED,          /* shifted by one along an axis: the gradient, dy or an input */
    AG_MISTAKE_SUMMED_TWICE,     /* summed over a broadcast axis twice, or over one too many */
    AG_MISTAKE_NOT_SUMMED,       /* a broadcast axis not summed: one index of it counts */
    AG_MISTAKE_PART,             /* wrong in some rows, columns, heads, batch items alone */
    AG_MISTAKE_MISSING_CONSTANT, /* lacks a term, or has one too much, that is constant, .. */
    AG_MISTAKE_MISSING_INPUT,    /* .. proportional to the input, .. */
    AG_MISTAKE_MISSING_OUTPUT,   /* .. or to the output */
    AG_MISTAKE_OVERWRITTEN       /* overwritten where backward must add */
} ag_mistake;
/* The kind's name for tables: "not summed". */
const char *ag_mistake_name(ag_mistake mistake);

/* The result of a check. Its fields describe the element with the largest error: a is the
 * gradient by backward, n the derivative from the function's values alone. Both are the
 * derivative of one element of the result, `output`, by one element of an input: an
 * element of the Jacobian. Only where the result has more than AG_GRADCHECK_OUTPUTS
 * elements, or the fault shows in no single one of them, are they derivatives of the
 * result's sum with random weights (0.5 to 1.5, of either sign), which is what is
 * compared; `output` is -1 then, and the sentence says so. */
typedef struct ag_gradcheck_report {
    bool passed;
    int input_count;    /* of the function; in ag_gradcheck_op the most of any draw */
    int64_t checked;    /* elements (or directions) compared */
    int64_t failed;     /* of these, how many have an error above the tolerance */
    int64_t kinks;      /* elements left out because they lie on a kink */
    int64_t unclear;    /* elements left out because the error is above the tolerance, but
                         * may be the difference's own: |a - n| is at most three times the
                         * estimated error of n */
    double worst_error; /* |a - n| / max(1, |a|, |n|); NaN counts as infinite */
    double above_noise; /* the largest |a - n|, in units of the rounding and truncation
                         * that the element's n and a have; from 100 on the sentence of a
                         * check that passes says so: the tolerance may hide a fault */
    int input;          /* the input, from 0; -1: the fault is in the result itself */
    const char *input_name;
    int64_t index;                   /* the flat index in it, or the number of the direction */
    int64_t output;                  /* the flat index in the result; -1: weighted sum */
    double analytic, numeric;        /* a and n */
    double step;                     /* the smallest step that went into n */
    double numeric_error;            /* the extrapolation's own estimate of n's error */
    int draw;                        /* the drawn example, in ag_gradcheck_op */
    char location[AG_LOCATION_TEXT]; /* if the check failed: the first operation that is
                                      * wrong by itself (ag_gradcheck_locate), such as
                                      * "softmax in decoder.layers.1 (node 12 of 40)"; ""
                                      * if there is none or no other */
    char message[AG_MESSAGE_SIZE];   /* all of that as a sentence */
    /* If the check failed and the kind of mistake is clear: the kind, and a sentence that
     * says which input's gradient it is and how it is wrong. Otherwise
     * AG_MISTAKE_UNCLEAR, and "". */
    ag_mistake mistake;
    char diagnosis[AG_MESSAGE_SIZE];
} ag_gradcheck_report;

/* Compares the gradients of `f` by backward, or its tangents by ag_jvp, with central
 * differences, extrapolated to step 0 (Richardson; Ridders 1982). If a step would cross a
 * kink it is made smaller; an element on a kink is left out and counted, and so is one
 * for which the difference is too inexact to tell (`unclear`). `options` may be NULL. No
 * two inputs may have the same memory.
 *
 * The check fails if an error is above the tolerance, if either side is NaN, and if
 * nothing, or less than half of the elements, could be compared. It also fails, with an
 * infinite worst error, if two calls give different results, if the function or a
 * backward changes an input or the result, or if a backward overwrites gradients instead
 * of adding to them or adds something else when it runs again on the same tape.
 *
 * If a function of several operations fails, the report names the one that is wrong by
 * itself.
 *
 * A check that fails looks for the kind of mistake in the gradient of the input with the
 * largest error. It names one only if that predicts all of the gradient's elements,
 * within the noise, from numeric derivatives. With `directions` or `elements` it does so
 * for inputs of at most 256 elements.
 *
 * The gradients of the weighted sum stay in the inputs' `grad`; a result of one element
 * has the weight 1 there. The returned status is an error only if the
 * check could not run; whether the gradients agree is in `report`. */
ag_status ag_gradcheck(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                       const ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error) AG_CHECKED;

/* What ag_gradcheck_locate found. */
typedef struct ag_gradcheck_location {
    const ag_node *node;             /* the first that is wrong; NULL: none */
    int64_t number;                  /* of that node on the tape, from 0 */
    int64_t compared;                /* nodes, up to that one */
    int64_t skipped;                 /* nodes up to there that cannot be judged: a number
                                      * in them is NaN or infinite, all elements lie on
                                      * kinks, or the tangent rule leaves out what the
                                      * backward does, which is then on purpose, as
                                      * embedding leaves out the row of its padding */
    char location[AG_LOCATION_TEXT]; /* "softmax in decoder.layers.1 (node 12 of 40)", or "" */
    ag_gradcheck_report report;      /* of that node alone; an input is named by the
                                      * operation that made it */
    char message[AG_MESSAGE_SIZE];   /* all of that as a sentence */
} ag_gradcheck_location;

/* Finds the operation whose gradient is wrong, on any tape that has recorded a
 * computation: goes from the oldest node to the newest, runs each again on a tape of its
 * own, with its values and masks of dropout, and compares its backward with differences
 * of its own forward. So it does not matter what the operations around it do. Of an input
 * of more than 64 elements it compares some elements and some directions (the options
 * `elements` and `directions`; 0: 4 and 1). Products are of ag_real, also if the tape's
 * are not. Does not change the tape's values and gradients.
 *
 * If a whole function is wrong and none of its operations is, a value was cut off
 * (ag_detach) or changed between them. */
ag_status ag_gradcheck_locate(ag_tape *tape, const ag_gradcheck_options *options, ag_gradcheck_location *location,
                              ag_error *error) AG_CHECKED;

/* Checks an operation on `draws` examples that its record draws. The report is that of
 * the worst, with the counts of all; so are the summaries. The kind of mistake is named
 * only if all draws agree that can tell: one with an axis of size 2 takes one mistake for
 * another, so it counts only if there is no other. The sentence is that of the draw with
 * the largest input. AG_BAD_VALUE if the record draws none. */
ag_status ag_gradcheck_op(const ag_op *op, int draws, const ag_gradcheck_options *options, ag_gradcheck_report *report,
                          ag_error *error) AG_CHECKED;

/* ---- The dot test ------------------------------------------------------------------ */

/* The result of a dot test. */
typedef struct ag_dot_report {
    bool passed;
    bool skipped;    /* an operation without a tangent rule, which `message` names, stood
                      * in the way: nothing was compared */
    int64_t checked; /* directions along which the result moves */
    double error;    /* the sum over the directions u of |<w, J u> - <J^T w, u>|, divided
                      * by that of sum_i |w_i (J u)_i|; NaN counts as infinite */
    double bound;    /* the largest error that rounding explains */
    int input;       /* the input that a failure comes from, from 0; -1: it passed, or a
                      * NaN in the result is the failure */
    const char *input_name;
    double forward, backward;      /* <w, J u> and <J^T w, u> along the direction with the
                                    * largest difference, of that input alone */
    int draw;                      /* the drawn example, in ag_dot_test_op */
    char message[AG_MESSAGE_SIZE]; /* all of that as a sentence */
} ag_dot_report;

/* Whether backward and forward mode (ag_jvp) agree: for every w and u
 *
 *     <w, J u> = <J^T w, u>,   J = d f / d inputs,
 *
 * up to rounding (Claerbout 1992, Earth Soundings Analysis, chapter 5). There is no
 * step, so the test is as sharp as the arithmetic, in float too and at every
 * instruction-set level, and a model of millions of parameters needs a handful of passes.
 * But it compares two derivatives with each other, not with the function: rules that are
 * wrong in the same way pass. ag_gradcheck stays the judge.
 *
 * w and u are random, and no two of their elements equal: a uniform w cancels in norms
 * and hides faults. The direction of each input is scaled by the size of its gradient,
 * up to 128 times that of the others, and its sign chosen by it, so that every input
 * weighs about alike and they do not cancel in a single result.
 *
 * Of the options it takes `tolerance`, the largest error (0: what rounding explains, by
 * the sizes of the operations; at least 1e-13, in float 1e-5, and more for
 * AG_MATMUL_BF16, which f may switch on), `directions` (0: 3), `seed` and `threads`. If
 * the error is above that bound, the noise of rounding is measured at 8 points close by,
 * and the bound raised to 16 times the noise, at most 1/64: where a model has learned its
 * examples, p - 1 leaves few digits of the gradient. A result that moves by less than
 * that smallest error of its value is saturated, as tanh(100 x), and does not count as
 * one that moves. Of a loss that is 0 to the last bit all digits are noise, and the test
 * may call it wrong: let f return the logits. Leaves that f makes itself on the inputs'
 * memory count as parts of them. Arguments, errors and what stays in the inputs' `grad`,
 * J^T w, are as in ag_gradcheck. */
ag_status ag_dot_test(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                      const ag_gradcheck_options *options, ag_dot_report *report, ag_error *error) AG_CHECKED;

/* The dot test of an operation on `draws` examples that its record draws. The report is
 * that of the worst, with the count of all. AG_BAD_VALUE if the record draws none. */
ag_status ag_dot_test_op(const ag_op *op, int draws, const ag_gradcheck_options *options, ag_dot_report *report,
                         ag_error *error) AG_CHECKED;

/* ---- Taylor's test --------------------------------------------------------------- */

/* The most steps of a curve. */
enum { AG_CURVE_STEPS = 40 };

/* What is left of f after its linear part, over the step h, along a random direction v of
 * one input, with g the gradient by backward:
 *
 *     forward   R1(h) = f(x + h v) - f(x) - h g.v
 *     central   R2(h) = f(x + h v) - f(x - h v) - 2 h g.v
 *
 * R2 / 2h is the error of the central difference (f(x + h v) - f(x - h v)) / 2h. Over h
 * it is a V: on the right the truncation h^2 |f'''| / 6, on the left the rounding / 2h. A
 * result of several elements is projected on fixed random weights, as in ag_gradcheck. */
typedef struct ag_error_curve {
    int input;  /* the input that moves, from 0, */
    int inputs; /* of this many */
    const char *input_name;
    int count; /* of steps; 0: nothing to move, or an empty result */
    /* h, each half of the one before; R1 and R2 at each, NaN where the step crosses a
     * kink or leaves the domain */
    double step[AG_CURVE_STEPS], forward[AG_CURVE_STEPS], central[AG_CURVE_STEPS];
    /* rounding: of a difference of two values of f, sqrt(2) eps |f|, or what is measured,
     * if that is more; of g.v */
    double rounding, slope_rounding;
    double order, central_order; /* of R1 and R2 as powers of h, see ag_taylor_test; NaN:
                                  * cannot be told */
    double third;                /* |f'''| along v; 0 where rounding hides it */
    double bound;                /* a fault of the slope above this would show */
    double slope;                /* g.v */
    double numeric;              /* the derivative along v by ag_gradcheck; NaN: on a kink */
    double numeric_error;        /* its own estimate of its error, */
    double numeric_step;         /* and its smallest step */
} ag_error_curve;

/* Measures a curve of 32 steps from h = 1/2 on (float: 24) along a direction of input
 * number `input`. `planted` is a fault for teaching: the gradient counts as 1 + planted
 * times what it is. `options` may be NULL; of them `seed`, `threads`, `step` and
 * `tolerance` matter, the last two for `numeric`. AG_BAD_VALUE if the function misbehaves
 * (see ag_gradcheck). The curve points to the input's name. */
ag_status ag_gradcheck_curve(ag_function f, void *context, const ag_gradcheck_input *inputs, int count, int input,
                             double planted, const ag_gradcheck_options *options, ag_error_curve *curve,
                             ag_error *error) AG_CHECKED;
/* The same for example number `draw` of an operation's record. The curve of an input that
 * this example does not have is empty. */
ag_status ag_gradcheck_curve_op(const ag_op *op, int draw, int input, double planted,
                                const ag_gradcheck_options *options, ag_error_curve *curve, ag_error *error) AG_CHECKED;

/* What Taylor's test says of a gradient along a direction. */
typedef enum ag_taylor_verdict {
    AG_TAYLOR_UNDECIDED, /* fewer than three steps leave more than rounding, or the values do
                          * not tell a fault from a bend or from the end of the domain */
    AG_TAYLOR_RIGHT,
    AG_TAYLOR_WRONG
} ag_taylor_verdict;

/* The result of Taylor's test. From `verdict` on it describes one direction: the wrong
 * one with the largest fault; if none is wrong, the right one of the lowest order. */
typedef struct ag_taylor_report {
    bool passed;                     /* something was tested, so that a fault as large as
                                      * the slope, or as 1, would have shown; nothing is
                                      * wrong */
    int64_t right, wrong, undecided; /* directions by verdict */
    ag_taylor_verdict verdict;
    int input; /* from 0; -1: the fault is in the result itself */
    const char *input_name;
    int direction;                 /* its number, from 0 */
    int draw;                      /* the drawn example, in ag_taylor_test_op */
    double order, central_order;   /* of R1 and R2; NaN: cannot be told */
    double slope;                  /* g.v */
    double numeric;                /* of a wrong direction: the derivative from values alone, */
    double fault;                  /* slope / numeric - 1: -0.03 if g.v is 3 % too small. If
                                    * the function misbehaves it is infinite, and the
                                    * other numbers are NaN */
    double bound;                  /* a fault of the slope above this would have shown */
    char message[AG_MESSAGE_SIZE]; /* all of that as a sentence */
} ag_taylor_report;

/* Taylor's test: along random directions of each input in turn, with h = 2^-4 .. 2^-20,
 * R1 must shrink by 4 whenever h halves (order 2), and R2 by 8 (order 3). If the gradient
 * is wrong, both shrink by 2 alone (order 1). This needs no tolerance, and no step that
 * is just right. The order is fitted to the smallest steps, up to four, whose remainder
 * is more than 100 times the rounding; three in a row are needed. So no order can be told
 * where f is linear, nor often that of R2 in single precision; `bound` then says what is
 * known. Steps that cross a kink are left out.
 *
 * `options` may be NULL; of them `directions` (of each input; 0: 2), `seed` and `threads`
 * matter. A function that misbehaves fails as in ag_gradcheck. The returned status is an
 * error only if the test could not run. */
ag_status ag_taylor_test(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                         const ag_gradcheck_options *options, ag_taylor_report *report, ag_error *error) AG_CHECKED;
/* The same on `draws` examples that an operation's record draws. */
ag_status ag_taylor_test_op(const ag_op *op, int draws, const ag_gradcheck_options *options, ag_taylor_report *report,
                            ag_error *error) AG_CHECKED;

/* ---- Second order ------------------------------------------------------------------ */

/* The result of ag_hvp. */
typedef struct ag_hvp_report {
    double error; /* an estimate of the largest error of an element, divided by the largest
                   * element of the product if that is above 1 */
    double step;  /* the largest step that went into the product */
} ag_hvp_report;

/* The product H v of the Hessian of `f`, whose result is one number, with a vector v: how
 * the gradient by the inputs changes along v (Nocedal and Wright 2006, Numerical
 * Optimization, section 8.1). direction[i], v, and product[i], H v, are of the size of
 * inputs[i]; a NULL direction is zero, a NULL product is not wanted.
 *
 * H v comes from central differences of the gradients by backward, extrapolated to step 0
 * from three steps: 7 gradients in all, and up to 6 more for each time that the steps
 * must be made smaller, by a kink or because the estimate of the error is above the
 * tolerance. Of a function that is smooth over steps of 2^-6 (float: 2^-3), the error is
 * about 1e-13 (float: 1e-5) of the largest element of the gradient g: what the steps make
 * of g's own rounding. H is symmetric, so u.Hv and v.Hu agree to that. A wrong backward
 * makes a wrong product: check the gradients first.
 *
 * Of the options it takes `tolerance` (of the error; 0: 1e-9, float: 1e-3), `step`,
 * `seed` (of dropout) and `threads`. The gradients stay in the inputs' `grad`. `options`
 * and `report` may be NULL. AG_BAD_SHAPE if the result is not one number, AG_BAD_VALUE if
 * a kink lies too near for any step, AG_NOT_FINITE if gradients nearby are not finite. */
ag_status ag_hvp(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                 const ag_real *const *direction, ag_real *const *product, const ag_gradcheck_options *options,
                 ag_hvp_report *report, ag_error *error) AG_CHECKED;

AG_HEADER_END
#endif
