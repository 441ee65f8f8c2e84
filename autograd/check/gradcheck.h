/* gradcheck.h - the inside of the gradient check, for autograd/ alone.
 *
 * gradcheck.c runs the check and compares, differences.c finds derivatives from values
 * alone, operation.c applies both to examples of an operation. */
#ifndef AUTOGRAD_GRADCHECK_H
#define AUTOGRAD_GRADCHECK_H

#include "../arena.h"
#include "../tape.h"

/* One check while it runs. The function under check is F; what is differentiated is its projection sum_k weights[k]
 * F_k. */
typedef struct gradcheck {
    ag_function function;
    void *context;
    const ag_gradcheck_input *inputs;
    int count;
    ag_gradcheck_options options; /* with the defaults filled in */
    ag_gradcheck_report *report;
    ag_error *error;
    bool faulty; /* the function is wrong in a way that makes comparing its gradients pointless */

    ag_arena arena;     /* all memory of the check but the tapes' */
    ag_tape *tape;      /* without gradients, for evaluations */
    ag_tensor **leaves; /* [count], of the latest evaluation */
    ag_real **origin;      /* [count], copies of the inputs' data: where the derivatives are taken */
    ag_real **gradient;    /* [count], what backward found there */

    ag_kinks kinks; /* of the latest evaluation */
    uint64_t side;  /* of the kinks, at the origin */
    ag_shape shape; /* of the result; its ndim is -1 until it is known */
    int64_t size;
    ag_real *result;  /* [size], at the origin */
    ag_real *weights; /* [size] */
    ag_real *ahead;   /* [size], the result one step ahead */
} gradcheck;

/* A straight line through the origin along which one input moves: its elements begin <= i < end go by t direction[i
 * - begin]. Derivatives along it are divided by `unit`. */
typedef struct gradcheck_line {
    int input;
    int64_t begin, end;
    const double *direction;
    double unit;
} gradcheck_line;

/* A derivative from values alone. */
typedef struct gradcheck_estimate {
    double slope; /* NaN: there is none */
    double error; /* what the extrapolation thinks of itself */
    double step;  /* the smallest step that went into the slope */
} gradcheck_estimate;

/* Memory of the check, not zeroed; NULL, and the error is set, when it is out. */
void *gradcheck_alloc(gradcheck *check, size_t bytes);

/* Runs the function on `tape`, rewound before, at the inputs' present values. */
ag_status gradcheck_evaluate(gradcheck *check, ag_tape *tape, ag_tensor **result) AG_CHECKED;

/* The derivative of the projected function along the line; `on_kink` where the line crosses a kink at every step
 * that is large enough to tell anything. The input is back at the origin afterwards, to the bit. */
ag_status gradcheck_differentiate(gradcheck *check, const gradcheck_line *line, gradcheck_estimate *estimate,
                                  bool *on_kink) AG_CHECKED;

/* A step of 1 for a number of this size: a power of two, so that steps add no rounding of their own. */
double gradcheck_scale(ag_real value);

/* Begins the report and fills in the defaults of the options, or says what is wrong with
 * either. */
ag_status gradcheck_start(ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error) AG_CHECKED;

/* A report on nothing yet: its worst error is -1. */
void gradcheck_begin(ag_gradcheck_report *report);
/* ag_gradcheck with complete options, on a report just begun, and without the verdict. */
ag_status gradcheck_run(ag_function function, void *context, const ag_gradcheck_input *inputs, int count,
                        const ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error) AG_CHECKED;
/* The verdict: passed if the worst error is within the tolerance and enough was compared. `subject`: of what. */
void gradcheck_conclude(double tolerance, const char *subject, ag_gradcheck_report *report);

#endif
