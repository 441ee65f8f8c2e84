/* gradcheck.h - the inside of the gradient check, for autograd/ alone.
 *
 *   operation.c     checks an operation on drawn examples
 *   function.c      checks a function, and blames one of its operations
 *   locate.c        the operation on a tape that is wrong by itself
 *   gradcheck.c     both sides of each derivative of a function
 *   diagnose.c      what kind of mistake it is (diagnose.h)
 *   dot.c           the dot test: backward against forward mode, without steps
 *   output.c        the worst of them again, for one element of the result
 *   taylor.c        Taylor's test: the order of what is left after the linear part
 *   curve.c         what is left, over the step
 *   hvp.c           products of the Hessian, by differences of gradients
 *   behaviour.c     the analytic side: gradients by backward
 *   tangent.c       forward mode from the inputs
 *   differences.c   the numeric side: derivatives from values alone
 *   report.c        what was found
 *   evaluate.c      what all do: memory, weights, one call of the function
 *
 * Each uses only files below it. */
#ifndef AUTOGRAD_GRADCHECK_H
#define AUTOGRAD_GRADCHECK_H

#include "../arena.h"
#include "../tape.h"

#include <float.h>

#ifdef TAPEFORMER_DOUBLE
#define GRADCHECK_TOLERANCE 1e-9
#define GRADCHECK_STEP      0x1p-6
#define GRADCHECK_EPSILON   DBL_EPSILON
#define GRADCHECK_SMALLEST  0x1p-18
#else
#define GRADCHECK_TOLERANCE 1e-3
#define GRADCHECK_STEP      0x1p-3
#define GRADCHECK_EPSILON   ((double)FLT_EPSILON)
#define GRADCHECK_SMALLEST  0x1p-9
#endif
/* If differences from the first step on fail, a first step smaller by this factor is
 * next, but none below GRADCHECK_SMALLEST: there rounding hides the derivative. */
#define GRADCHECK_SHRINK 8.0
/* A given step below this is refused: halved eight times, it would not move a number of
 * size 1. */
#define GRADCHECK_LEAST_STEP (256 * GRADCHECK_EPSILON)

/* Both sides may differ by so many times the estimated error of the numeric one before
 * the analytic one is called wrong: the estimate is of the error's order, and no
 * bound. */
#define GRADCHECK_DOUBT 3.0

/* How many times the rounding a number must be to count as clear of it. */
#define GRADCHECK_CLEAR 100.0

/* The streams of random numbers of a check; input i has the directions of stream
 * GRADCHECK_DIRECTIONS + i. */
enum {
    GRADCHECK_WEIGHTS,
    GRADCHECK_FORMER_GRADIENTS,
    GRADCHECK_ELSEWHERE,
    GRADCHECK_DIRECTIONS,
    GRADCHECK_WEIGHTS_ELSEWHERE = 1 << 30 /* after those of all inputs */
};

/* The leaves of a recorded run whose gradients lie in the inputs' memory. The function
 * may make them itself, of parts of an input too, as a layer does on its parameters. */
typedef struct gradcheck_leaves {
    int count;
    ag_tensor **leaves;       /* [count] */
    int *inputs;              /* [count], which input each is a part of */
    const ag_real **tangents; /* [count], for ag_jvp */
} gradcheck_leaves;

/* One check while it runs. The function under check is F. Its projection sum_k weights[k]
 * F_k is what is differentiated. */
typedef struct gradcheck {
    ag_function function;
    void *context;
    const ag_gradcheck_input *inputs;
    int count;
    ag_gradcheck_options options; /* with the defaults filled in */
    ag_gradcheck_report *report;
    ag_error *error;
    bool faulty;         /* the function misbehaves, so its gradients are not compared */
    bool unrepeatable;   /* since a second backward adds something else */
    int noisy_input;     /* of report->above_noise: the input, .. */
    int64_t noisy_index; /* .. and the element, or direction */

    ag_arena arena;           /* all memory of the check except the tapes' */
    ag_tape *tape;            /* without gradients, for evaluations */
    ag_tensor **leaves;       /* [count], of the latest evaluation */
    ag_real **origin;         /* [count], the inputs' values: the point of the derivatives */
    ag_real **gradient;       /* [count], by backward */
    ag_tensor *recorded;      /* the result at the origin, on the tape with gradients */
    gradcheck_leaves movable; /* on that tape */

    ag_kinks kinks; /* of the latest evaluation */
    uint64_t side;  /* of the kinks, at the origin */
    ag_shape shape; /* of the result; its ndim is -1 until it is known */
    int64_t size;
    ag_real *result;    /* [size], at the origin */
    ag_real *weights;   /* [size] */
    ag_real *elsewhere; /* [size], the weights of gradcheck_backward_elsewhere; NULL at first */
    ag_real *ahead;     /* [size], the result one step ahead */

    double *line_direction;     /* [largest input], of the line that gradcheck_find_line made */
    const ag_real **directions; /* [count], of the inputs: .. */
    ag_real *direction;         /* .. this one for the input that moves; NULL at first */
    ag_real *tangent;           /* [size], of the result */

    ag_mistake other_mistake; /* that the diagnosis cannot tell from the reported one */
} gradcheck;

/* A line through the origin along which one input moves: its elements begin <= i < end
 * move by t direction[i - begin]. Derivatives along it are divided by `unit`. */
typedef struct gradcheck_line {
    int input;
    int64_t begin, end;
    const double *direction;
    double unit;
} gradcheck_line;

/* A derivative from values alone. */
typedef struct gradcheck_estimate {
    double slope; /* NaN: there is none */
    double error; /* the extrapolation's estimate of its own error */
    double step;  /* the smallest step that went into the slope */
} gradcheck_estimate;

static inline int64_t gradcheck_input_size(const gradcheck *check, int input)
{
    return ag_shape_size(check->inputs[input].shape);
}

/* Puts the name of a test in front of the error, where the parts that all checks share
 * have put "gradcheck". Returns `status`. */
ag_status gradcheck_name_error(ag_error *error, ag_status status, const char *test) AG_CHECKED;
/* Memory of the check, not zeroed. NULL, and the error is set, if memory is out. */
void *gradcheck_alloc(gradcheck *check, size_t bytes);
ag_real *gradcheck_reals(gradcheck *check, int64_t count);
/* A number of size 0.5 to 1.5 and either sign: neither an output nor a gradient is lost
 * by a weight near 0, and the numbers differ, since equal ones cancel in a norm. */
ag_real gradcheck_draw_weight(ag_rng *rng);
/* Rewinds `tape` and runs the function on it at the inputs' present values. */
ag_status gradcheck_evaluate(gradcheck *check, ag_tape *tape, ag_tensor **result) AG_CHECKED;
/* Sets the gradients of the inputs to 0. */
void gradcheck_zero_gradients(gradcheck *check);
/* Adds the gradient of the projected result y to those of the inputs. A result that
 * depends on no input adds nothing. */
ag_status gradcheck_add_gradients(gradcheck *check, ag_tensor *y) AG_CHECKED;

/* Begins an empty report; its worst error is -1. */
void gradcheck_begin(ag_gradcheck_report *report);
/* |a - n| / max(1, |a|, |n|): relative for large numbers, absolute for small ones;
 * infinite if either is not finite. */
double gradcheck_error(double analytic, double numeric);
/* Reports that the function misbehaves at an element of an input, or of the result
 * (`input` -1); nothing else is reported then. */
void gradcheck_fault(gradcheck *check, int input, int64_t index, const char *sentence);
/* Counts a comparison, and keeps both sides if they differ more than the worst so far. */
void gradcheck_count(gradcheck *check, int input, int64_t index, double analytic, const gradcheck_estimate *numeric);
/* Counts an element that lies on a kink. */
void gradcheck_count_kink(gradcheck *check, int input);
/* Writes the report's sentence, when all is compared. */
void gradcheck_describe(const gradcheck *check);
/* Adds to the report of a function that failed which of its operations is to blame. */
void gradcheck_report_location(const ag_gradcheck_location *location, ag_gradcheck_report *report);
/* The verdict: passed if the worst error is within the tolerance and enough was compared.
 * `subject` names what was checked. */
void gradcheck_conclude(double tolerance, const char *subject, ag_gradcheck_report *report);

/* The derivative of the projected function along the line. Sets *on_kink if the line
 * crosses a kink at every step that rounding allows. The input is back at the origin
 * afterwards, to the bit. */
ag_status gradcheck_differentiate(gradcheck *check, const gradcheck_line *line, gradcheck_estimate *estimate,
                                  bool *on_kink) AG_CHECKED;
/* Moves the input to `t` on the line, and back. Returns where it is in fact: the new
 * value of a lone element may have been rounded. */
double gradcheck_move(const gradcheck *check, const gradcheck_line *line, double t);
void gradcheck_restore(const gradcheck *check, const gradcheck_line *line);
/* The difference (F_k(t) - F_k(-t)) / 2t for each element k of the result, to column
 * [size]. The input is back at the origin afterwards. */
ag_status gradcheck_difference_outputs(gradcheck *check, const gradcheck_line *line, double t,
                                       double *column) AG_CHECKED;
/* The step for a number of this size that counts as 1: a power of two, which adds no
 * rounding of its own. */
double gradcheck_scale(ag_real value);

/* Copies the inputs' values, the origin, and puts them back. */
ag_status gradcheck_note_origin(gradcheck *check) AG_CHECKED;
void gradcheck_return(gradcheck *check);
/* Leaves check->gradient in the inputs' memory. */
void gradcheck_leave_gradients(gradcheck *check);
/* The derivative of the projected function along the line by forward mode. Leaves that of
 * each element of the result in check->tangent. */
ag_status gradcheck_find_tangent(gradcheck *check, const gradcheck_line *line, double *slope) AG_CHECKED;
/* Lists in check->movable the leaves of the tape that made check->recorded. */
ag_status gradcheck_list_leaves(gradcheck *check) AG_CHECKED;
/* The tangent [size] of check->recorded if each input moves by directions[i], of its
 * size; NULL: it does not. */
ag_status gradcheck_jvp(gradcheck *check, const ag_real *const *directions, ag_real *tangent) AG_CHECKED;
/* Leaves the gradients by backward on `tape` in check->gradient, or reports a fault.
 * Those of a lone result are its own: its weight is 1 then. */
ag_status gradcheck_find_gradients(gradcheck *check, ag_tape *tape) AG_CHECKED;
/* Evaluates at a point nearby. A function that keeps values of its first or latest call
 * in memory of its own, instead of on the tape, gives wrong gradients after that. */
ag_status gradcheck_evaluate_elsewhere(gradcheck *check) AG_CHECKED;
/* The same on `tape` with a backward, from other weights: a backward that keeps its first
 * or latest gradient in memory of its own is wrong at the origin after that. Rewinds the
 * tape. What it adds stays in the inputs' gradients. */
ag_status gradcheck_backward_elsewhere(gradcheck *check, ag_tape *tape) AG_CHECKED;
/* Writes that point's values of an input to `data`. */
void gradcheck_move_elsewhere(const gradcheck *check, int input, ag_real *data);
/* Fills the memory of an arena with a byte, when none of it is in use any more. */
void gradcheck_spoil(ag_arena *arena, int byte);

/* Looks for the kind of mistake if the comparison failed, and reports it if it is clear.
 * `tape` is for passes with gradients. */
ag_status gradcheck_diagnose(gradcheck *check, ag_tape *tape) AG_CHECKED;

/* The line of comparison `index` of an input: one element moves, or all of them along the
 * random direction of that number. It is valid until the next call. */
void gradcheck_find_line(gradcheck *check, int input, int64_t index, gradcheck_line *line);
/* Turns the reported derivative, of a weighted sum, into that of the element of the
 * result in which both sides differ most, if that leads to the same verdict. */
ag_status gradcheck_find_output(gradcheck *check) AG_CHECKED;

/* Fills in the defaults of the options except the tolerance. AG_BAD_VALUE if one cannot
 * be used. */
ag_status gradcheck_complete(ag_gradcheck_options *options, ag_error *error) AG_CHECKED;

/* Measures a curve of `count` steps from 2^first on, except `numeric`. */
ag_status gradcheck_measure_curve(gradcheck *check, const gradcheck_line *line, int first, int count,
                                  ag_error_curve *curve) AG_CHECKED;
/* The rounding of a difference of two values of f, by values at distances of
 * `spacing`. */
ag_status gradcheck_measure_rounding(gradcheck *check, const gradcheck_line *line, double spacing,
                                     double *rounding) AG_CHECKED;
/* Whether the curve's remainder at step number i, forward or central, is clear of
 * rounding. */
bool gradcheck_is_clear(const ag_error_curve *curve, const double *remainders, int i);
/* Fills in the curve's `numeric`. */
ag_status gradcheck_measure_numeric(gradcheck *check, const gradcheck_line *line, ag_error_curve *curve) AG_CHECKED;
/* Makes the next random direction of a whole input, in memory of the check. */
ag_status gradcheck_draw_line(gradcheck *check, int input, ag_rng *rng, gradcheck_line *line) AG_CHECKED;

/* Begins the report and fills in the defaults of the options. AG_BAD_VALUE if either
 * cannot be used. */
ag_status gradcheck_start(ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error) AG_CHECKED;

/* A test of a function: leaves in *report, of the test's own type, what it finds. `tape`
 * is for the pass with gradients. Sets check->report before anything can be a fault. */
typedef ag_status gradcheck_test(gradcheck *check, ag_tape *tape, void *report);
/* Every element, or random directions, by differences. Its report is an
 * ag_gradcheck_report just begun, and gets no verdict yet. */
gradcheck_test gradcheck_compare;
/* Runs the test on a function, with complete options. */
ag_status gradcheck_run(ag_function function, void *context, const ag_gradcheck_input *inputs, int count,
                        const ag_gradcheck_options *options, gradcheck_test *test, void *report,
                        ag_error *error) AG_CHECKED;
/* Runs the test on example number `draw` of the operation, of which
 * gradcheck_check_record has found that it draws examples. */
ag_status gradcheck_check_record(const ag_op *op, int draws, ag_error *error) AG_CHECKED;
ag_status gradcheck_run_draw(const ag_op *op, int draw, const ag_gradcheck_options *options, gradcheck_test *test,
                             void *report, ag_error *error) AG_CHECKED;

#endif
