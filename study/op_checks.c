/* op_checks.c - the gradient checks of an operation to look at: what each says, and the
 * error of a central difference over its step, beside that of a wrong gradient. */
#include "study.h"

#include <math.h>
#include <stdio.h>

#define PLANTED -0.03 /* the fault that is drawn beside what is right */
enum { WORDS = 256 };

/* The curves of one input: as the gradient is, and with the planted fault. */
typedef struct curve_pair {
    const ag_op *op;
    int draw;
    ag_error_curve right, wrong;
    double low, high; /* of both charts' errors */
} curve_pair;

/* ---- Numbers --------------------------------------------------------------------- */

static double measured_error(const ag_error_curve *curve, int i)
{
    return fabs(curve->central[i]) / (2 * curve->step[i]);
}

static double truncation_error(const ag_error_curve *curve, int i)
{
    return curve->third * curve->step[i] * curve->step[i] / 6;
}

static double rounding_error(const ag_error_curve *curve, int i)
{
    return curve->rounding / (2 * curve->step[i]);
}

/* The step at which truncation and rounding together are least. */
static double best_step(const ag_error_curve *curve)
{
    return cbrt(1.5 * curve->rounding / curve->third);
}

/* The error of the checker's own derivative; at least what a double can tell. */
static double chosen_error(const ag_error_curve *curve)
{
    return fmax(fabs(curve->numeric - curve->slope), 0x1p-53 * fabs(curve->slope));
}

static void widen(curve_pair *pair, double error)
{
    if (error > 0 && isfinite(error)) {
        pair->low = fmin(pair->low, error);
        pair->high = fmax(pair->high, error);
    }
}

/* One range of whole decades, so that the charts can be compared. */
static void find_range(curve_pair *pair)
{
    pair->low = INFINITY;
    pair->high = 0;
    for (int i = 0; i < pair->right.count; i++) {
        widen(pair, measured_error(&pair->right, i));
        widen(pair, measured_error(&pair->wrong, i));
    }
    widen(pair, chosen_error(&pair->right));
    pair->low = pow(10, floor(log10(pair->low)));
    pair->high = pow(10, ceil(log10(pair->high)));
}

/* ---- The chart ------------------------------------------------------------------- */

static void add_chart(const curve_pair *pair, const ag_error_curve *curve, const char *what, study_document *document)
{
    double y[3][AG_CURVE_STEPS];
    double (*const errors[])(const ag_error_curve *, int) = {truncation_error, rounding_error, measured_error};
    static const char *const names[] = {"truncation: h\xC2\xB2 |f'''| / 6", "rounding: eps |f| / h",
                                        "measured: |difference - gradient|"};
    study_line lines[3];
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < curve->count; i++) {
            const double error = errors[k](curve, i);
            y[k][i] = error >= pair->low && error <= pair->high ? error : NAN;
        }
        lines[k] = (study_line){.name = names[k], .count = curve->count, .x = curve->step, .y = y[k]};
    }
    char title[WORDS], chosen[WORDS];
    snprintf(title, sizeof title, "%.60s by %.60s: %.80s", pair->op->name, curve->input_name, what);
    ag_text_print(chosen, sizeof chosen, "chosen: extrapolated, h down to %.2g", curve->numeric_step);
    const study_mark mark = {.name = chosen, .line = 2, .x = curve->numeric_step, .y = chosen_error(curve)};
    study_add_chart(document, &(study_chart){.title = title,
                                             .x_axis = "step h",
                                             .y_axis = "error of the derivative",
                                             .lines = lines,
                                             .line_count = 3,
                                             .log_x = true,
                                             .log_y = true,
                                             .low = pair->low,
                                             .high = pair->high,
                                             .marks = &mark,
                                             .mark_count = isfinite(curve->numeric)});
}

/* ---- In words -------------------------------------------------------------------- */

/* "order 2.00", or that there is none. */
static void print_order(double order, char text[WORDS])
{
    if (isnan(order))
        snprintf(text, WORDS, "cannot be told");
    else
        ag_text_print(text, WORDS, "%.2f", order);
}

static void describe_pair(const curve_pair *pair, study_document *document)
{
    const ag_error_curve *right = &pair->right, *wrong = &pair->wrong;
    char order[WORDS], central[WORDS];
    if (right->third > 0)
        study_add_text(document,
                       "One central difference is best near h = %.2g, where truncation and rounding are alike. The "
                       "checker extrapolates from larger steps, down to h = %.2g: there rounding is small, and "
                       "extrapolation takes the truncation away. It is off by %.2g.",
                       best_step(right), right->numeric_step, chosen_error(right));
    else
        study_add_text(document,
                       "Rounding hides the third derivative along this direction, as where the function is linear or "
                       "quadratic: without truncation, the largest step is the best.");
    print_order(right->order, order);
    print_order(right->central_order, central);
    study_add_text(document,
                   "The remainder f(x + h v) - f(x) - h g.v has the order (2 if g is right): %s. Central (3): %s.",
                   order, central);
    print_order(wrong->order, order);
    print_order(wrong->central_order, central);
    study_add_text(document,
                   "With the planted fault the curve ends on a floor, the fault itself: %.2g. No step gets below it. "
                   "The remainder's order: %s. Central: %s.",
                   fabs(wrong->slope - right->slope), order, central);
}

/* ---- Which example --------------------------------------------------------------- */

/* How much a curve shows: all of a V whose gradient is not small, all of it, truncation
 * at least, a slope, anything. */
enum { MOST_WORTH = 5 };
static int curve_worth(const ag_error_curve *curve)
{
    if (curve->third == 0)
        return curve->count == 0 ? 0 : curve->slope == 0 ? 1 : 2;
    return isnan(curve->central_order) ? 3 : fabs(curve->slope) < 0.5 ? 4 : MOST_WORTH;
}

/* Finds the first drawn example that shows most; pair->right.count stays 0 if all are
 * empty. `*inputs` becomes the largest number of inputs that an example has. */
static ag_status find_example(curve_pair *pair, int input, int draws, const ag_gradcheck_options *options, int *inputs,
                              ag_error *error)
{
    int best = 0;
    for (int draw = 0; draw < draws; draw++) {
        ag_error_curve curve;
        ag_status status = ag_gradcheck_curve_op(pair->op, draw, input, 0, options, &curve, error);
        if (status != AG_OK)
            return status;
        *inputs = curve.inputs > *inputs ? curve.inputs : *inputs;
        if (curve_worth(&curve) > best) {
            best = curve_worth(&curve);
            pair->right = curve;
            pair->draw = draw;
        }
    }
    return AG_OK;
}

static ag_status add_input(const ag_op *op, int input, int draws, const ag_gradcheck_options *options,
                           study_document *document, int *inputs, ag_error *error)
{
    curve_pair pair = {.op = op};
    ag_status status = find_example(&pair, input, draws, options, inputs, error);
    if (status != AG_OK || pair.right.slope == 0)
        return status;
    status = ag_gradcheck_curve_op(op, pair.draw, input, PLANTED, options, &pair.wrong, error);
    if (status != AG_OK)
        return status;
    find_range(&pair);
    add_chart(&pair, &pair.right, "the gradient as it is", document);
    add_chart(&pair, &pair.wrong, "made 3 % too small", document);
    describe_pair(&pair, document);
    return AG_OK;
}

/* ---- All of it ------------------------------------------------------------------- */

ag_status study_op_checks_find(const ag_op *op, int draws, const ag_gradcheck_options *options, study_op_checks *checks,
                               ag_error *error)
{
    ag_gradcheck_options dot_options = options ? *options : (ag_gradcheck_options){0};
    dot_options.tolerance = 0; /* that of the dot test follows from rounding alone */
    ag_status status = ag_gradcheck_op(op, draws, options, &checks->elements, error);
    if (status == AG_OK)
        status = ag_dot_test_op(op, draws, &dot_options, &checks->dot, error);
    if (status == AG_OK)
        status = ag_taylor_test_op(op, draws, options, &checks->taylor, error);
    checks->passed = status == AG_OK && checks->elements.passed && checks->taylor.passed &&
                     (checks->dot.passed || !study_op_checks_have_dot(checks));
    return status;
}

bool study_op_checks_have_dot(const study_op_checks *checks)
{
    return !checks->dot.skipped && (checks->dot.checked > 0 || checks->dot.error > checks->dot.bound);
}

static void add_verdicts(const study_op_checks *checks, study_document *document)
{
    study_add_verdict(document, checks->elements.passed,
                      "every element agrees with differences of the function's values", checks->elements.message);
    if (study_op_checks_have_dot(checks))
        study_add_verdict(document, checks->dot.passed, "backward and forward mode agree", checks->dot.message);
    else
        study_add_text(document, "The dot test says nothing: %s.", checks->dot.message);
    const ag_taylor_report *taylor = &checks->taylor;
    char claim[WORDS] = "what is left after the linear part shrinks with the square of the step";
    if (taylor->passed && isnan(taylor->order) && isnan(taylor->central_order))
        ag_text_print(claim, sizeof claim,
                      "nothing is left after the linear part but rounding, as of a linear function: a fault of the "
                      "slope above %.2g would have shown",
                      taylor->bound);
    study_add_verdict(document, taylor->passed, claim, taylor->message);
}

ag_status study_op_checks_write(const study_op_checks *checks, const ag_op *op, int draws,
                                const ag_gradcheck_options *options, study_document *document, ag_error *error)
{
    ag_status status = AG_OK;
    add_verdicts(checks, document);
    study_add_heading(document, "The error over the step");
    study_add_text(document,
                   "A central difference (f(x + h v) - f(x - h v)) / 2h is off by truncation, which falls with h, and "
                   "by rounding, which grows as h falls: a V in logarithmic axes. Where the gradient is wrong, the "
                   "curve has a floor instead of a V.");
    for (int input = 0, inputs = 1; input < inputs && status == AG_OK; input++)
        status = add_input(op, input, draws, options, document, &inputs, error);
    return status;
}
