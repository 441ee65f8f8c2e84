/* taylor.c - Taylor's test: the order in which what is left after the linear part
 * shrinks.
 *
 * Along a direction v, f(x + h v) = f(x) + h f' + h^2 f'' / 2 + h^3 f''' / 6 + .. With a
 * gradient whose slope g.v is off by d,
 *
 *     R1(h) = f(x + h v) - f(x) - h g.v            = -d h + h^2 f'' / 2 + ..
 *     R2(h) = f(x + h v) - f(x - h v) - 2 h g.v    = -2 d h + h^3 f''' / 3 + ..
 *
 * so that log |R| over log h is a line of slope 1 if d is not 0, else of slope 2 and 3.
 * The smaller the fault, the smaller the steps that show it; hence the fit to the
 * smallest that rounding leaves clear. R2 is the sharper judge: it meets the fault d
 * where h^2 f''' is as small as d, not where h f'' is. */
#include "gradcheck.h"

#include <math.h>
#include <stdio.h>

#define NAME "Taylor's test"

enum { FIRST = -4, STEPS = 17, DIRECTIONS = 2 };

/* Where the test has come to, over all examples of an operation. */
typedef struct taylor_test {
    ag_taylor_report *report;
    const char *operation; /* NULL: a function is tested */
    int draw;
    int64_t told;               /* directions in which a fault as large as the slope, or as 1, would show */
    ag_gradcheck_report faults; /* of the function, if it misbehaves */
} taylor_test;

/* ---- The verdict ----------------------------------------------------------------- */

/* The verdict from the order of R2, or of R1 if that of R2 cannot be told. If R1 does not
 * bear R2 out, nothing is said. An order of 0 is a jump. */
static ag_taylor_verdict judge(const ag_error_curve *curve)
{
    const double sharper = isnan(curve->central_order) ? curve->order : curve->central_order;
    if (!isfinite(curve->slope))
        return AG_TAYLOR_WRONG;
    if (isnan(sharper) || sharper < 0.5)
        return AG_TAYLOR_UNDECIDED;
    if (sharper < 1.5)
        return AG_TAYLOR_WRONG;
    return curve->order < 1.5 ? AG_TAYLOR_UNDECIDED : AG_TAYLOR_RIGHT;
}

/* ---- Words ----------------------------------------------------------------------- */

enum { WORDS = 128 };

/* Prints "3.0 % too small" and its like: what the slope is beside what it should be. */
static void print_fault(const ag_taylor_report *report, char text[WORDS])
{
    const double ratio = report->slope / report->numeric, percent = 100 * fabs(ratio - 1);
    if (!isfinite(report->slope))
        snprintf(text, WORDS, "not a finite number");
    else if (report->slope == 0)
        snprintf(text, WORDS, "0 where it should not be");
    else if (!isfinite(ratio) || fabs(ratio) > 1e6)
        snprintf(text, WORDS, "not 0 where it should be");
    else if (ratio < 0)
        ag_text_print(text, WORDS, "of the wrong sign and %.3g times the size", -ratio);
    else if (ratio > 2)
        ag_text_print(text, WORDS, "%.3g times what it should be", ratio);
    else
        ag_text_print(text, WORDS, percent < 0.95 ? "%.2g %% too %s" : "%.1f %% too %s", percent,
                      ratio < 1 ? "small" : "large");
}

/* Prints "2.00", or "not measurable". */
static const char *print_order(double order, char text[WORDS])
{
    if (isnan(order))
        return "not measurable";
    ag_text_print(text, WORDS, "%.2f", order);
    return text;
}

static void describe(const taylor_test *test)
{
    ag_taylor_report *report = test->report;
    char subject[WORDS] = "", place[WORDS], first[WORDS], second[WORDS], fault[WORDS];
    const char *name = report->input_name ? report->input_name : "unnamed";
    if (test->operation)
        snprintf(subject, sizeof subject, "%.60s, draw %d: ", test->operation, report->draw);
    snprintf(place, sizeof place, "input %d (%.60s) along direction %d", report->input, name, report->direction);
    const char *order = print_order(report->order, first), *central = print_order(report->central_order, second);

    if (report->verdict == AG_TAYLOR_WRONG) {
        print_fault(report, fault);
        ag_sentence_print(report->message,
                          "%s%s: the remainder has order %s (central %s) instead of 2 (3): the gradient by %.60s is "
                          "%s in this direction, %.10g instead of %.10g",
                          subject, place, order, central, name, fault, report->slope, report->numeric);
    } else if (report->verdict == AG_TAYLOR_RIGHT)
        ag_sentence_print(report->message, "%s%s: the remainder has order %s (central %s), as it must be", subject,
                          place, order, central);
    else if (isinf(report->bound))
        ag_sentence_print(report->message,
                          "%s%s: cannot tell anything: every step crosses a kink or leaves the function's domain on "
                          "one side",
                          subject, place);
    else if (isnan(report->order) && isnan(report->central_order))
        ag_sentence_print(report->message,
                          "%s%s: cannot tell an order: fewer than three steps in a row leave more than rounding; a "
                          "fault of the slope %.6g would be below %.2g",
                          subject, place, report->slope, report->bound);
    else
        ag_sentence_print(report->message, "%s%s: cannot tell: the remainder has order %s (central %s), %s", subject,
                          place, order, central,
                          isfinite(report->fault) && report->fault != 0
                              ? "as of a wrong gradient, but the function's values at other steps do not bear that out"
                              : "neither that of a right gradient nor that of a wrong one");
}

/* ---- The test -------------------------------------------------------------------- */

/* Whether a direction is to be described instead of the one that is. */
static bool is_worse(const ag_taylor_report *found, const ag_taylor_report *worst)
{
    if (worst->right + worst->wrong + worst->undecided == 0)
        return true;
    if (found->verdict != worst->verdict)
        return found->verdict > worst->verdict;
    if (found->verdict == AG_TAYLOR_WRONG)
        return fabs(found->fault) > fabs(worst->fault);
    return found->verdict == AG_TAYLOR_RIGHT ? found->order < worst->order : found->bound > worst->bound;
}

/* Counts the direction, and describes it if it is the worst so far. */
static void report_direction(taylor_test *test, const ag_taylor_report *found)
{
    ag_taylor_report *report = test->report;
    const int64_t right = report->right, wrong = report->wrong, undecided = report->undecided;
    if (is_worse(found, report)) {
        *report = *found;
        describe(test);
    }
    report->right = right + (found->verdict == AG_TAYLOR_RIGHT);
    report->wrong = wrong + (found->verdict == AG_TAYLOR_WRONG);
    report->undecided = undecided + (found->verdict == AG_TAYLOR_UNDECIDED);
    test->told += found->verdict != AG_TAYLOR_UNDECIDED || found->bound < fmax(1, fabs(found->slope));
}

/* Whether the fault is gone at the smallest step at which rounding would leave it clear.
 * A wrong gradient is as wrong there; a function that bends within 2^-20 is not: R2 / 2h
 * is less than half the fault, and less than half the slope, since the values must
 * move. */
static ag_status vanishes(gradcheck *check, const gradcheck_line *line, double fault, bool *gone)
{
    ag_error_curve near = {0};
    double rounding = 0;
    int exponent;
    const double moving = 256 * GRADCHECK_EPSILON; /* a step below this hardly moves an element of size 1 */
    ag_status status = gradcheck_measure_rounding(check, line, 16 * moving, &rounding);
    frexp(fmax(GRADCHECK_CLEAR * rounding / fault, moving), &exponent);
    *gone = false;
    if (status != AG_OK || exponent >= FIRST - (STEPS - 1))
        return status;
    status = gradcheck_measure_curve(check, line, exponent, 1, &near);
    *gone = fabs(near.central[0]) / near.step[0] < fmin(fault, fabs(near.slope)); /* (false for NaN) */
    return status;
}

/* The fault of the slope beside that from values alone: ag_gradcheck's, or where that is
 * on a kink the central difference of the smallest step that crosses none. The verdict is
 * taken back if the fault is less than a quarter of R2 / 2h: then the remainder is
 * another one than a fault's. It may be curvature at large steps, which are all that
 * rounding leaves in single precision, or a kink at x itself of which no operation tells.
 * It is also taken back if there is no such fault, since the values give no derivative,
 * or if smaller steps do not show it. */
static ag_status measure_fault(gradcheck *check, const gradcheck_line *line, ag_error_curve *curve,
                               ag_taylor_report *found)
{
    double remainder = NAN; /* R2 / 2h of the smallest step that is clear of rounding */
    ag_status status = gradcheck_measure_numeric(check, line, curve);
    found->numeric = curve->numeric;
    for (int i = curve->count - 1; i >= 0 && isnan(remainder); i--)
        if (gradcheck_is_clear(curve, curve->central, i))
            remainder = curve->central[i] / (2 * curve->step[i]);
    if (isnan(found->numeric))
        found->numeric = curve->slope + remainder;
    found->fault = found->slope / found->numeric - 1;
    if (status != AG_OK || !isfinite(found->slope))
        return status;
    const double rounding = 16 * GRADCHECK_EPSILON * fmax(1, fabs(found->slope));
    const double fault = fabs(found->slope - found->numeric);
    bool gone = !(fault >= fmax(fmax(fabs(remainder) / 4, curve->numeric_error), rounding)); /* (true for NaN) */
    if (!gone)
        status = vanishes(check, line, fault, &gone);
    if (gone)
        found->verdict = AG_TAYLOR_UNDECIDED;
    return status;
}

static ag_status test_direction(gradcheck *check, taylor_test *test, const gradcheck_line *line, int direction)
{
    ag_error_curve curve;
    ag_status status = gradcheck_measure_curve(check, line, FIRST, STEPS, &curve);
    if (status != AG_OK)
        return status;
    ag_taylor_report found = {.input = curve.input,
                              .input_name = curve.input_name,
                              .direction = direction,
                              .draw = test->draw,
                              .order = curve.order,
                              .central_order = curve.central_order,
                              .slope = curve.slope,
                              .numeric = NAN,
                              .bound = curve.bound};
    found.verdict = judge(&curve);
    if (found.verdict == AG_TAYLOR_WRONG)
        status = measure_fault(check, line, &curve, &found);
    if (status == AG_OK)
        report_direction(test, &found);
    return status;
}

static ag_status test_input(gradcheck *check, taylor_test *test, int input)
{
    ag_rng rng = ag_rng_make(check->options.seed, GRADCHECK_DIRECTIONS + (uint64_t)input);
    ag_status status = AG_OK;
    for (int d = 0; d < check->options.directions && status == AG_OK; d++) {
        gradcheck_line line;
        status = gradcheck_draw_line(check, input, &rng, &line);
        if (status == AG_OK)
            status = test_direction(check, test, &line, d);
    }
    return status;
}

/* Counts and describes a function that misbehaves, of which no direction was tested. */
static void report_misbehaviour(const taylor_test *test)
{
    ag_taylor_report *report = test->report;
    *report = (ag_taylor_report){.right = report->right,
                                 .wrong = report->wrong + 1,
                                 .undecided = report->undecided,
                                 .verdict = AG_TAYLOR_WRONG,
                                 .input = test->faults.input,
                                 .input_name = test->faults.input_name,
                                 .draw = test->draw,
                                 .order = NAN,
                                 .central_order = NAN,
                                 .slope = NAN,
                                 .numeric = NAN,
                                 .fault = INFINITY,
                                 .bound = NAN};
    ag_sentence_print(report->message, "%s", test->faults.message);
}

static ag_status run_test(gradcheck *check, ag_tape *tape, void *context)
{
    taylor_test *test = context;
    gradcheck_begin(&test->faults);
    check->report = &test->faults;
    ag_status status = gradcheck_find_gradients(check, tape);
    for (int i = 0; i < check->count && status == AG_OK && !check->faulty; i++)
        if (check->size && gradcheck_input_size(check, i))
            status = test_input(check, test, i);
    if (check->faulty)
        report_misbehaviour(test);
    return status;
}

/* Begins the report, and fills in the options' defaults. */
static ag_status start_test(ag_gradcheck_options *options, ag_taylor_report *report, ag_error *error)
{
    ag_gradcheck_report unused;
    if (!report)
        return ag_error_set(error, AG_BAD_VALUE, NAME ": no report given");
    *report = (ag_taylor_report){.input = -1, .order = NAN, .central_order = NAN};
    ag_sentence_print(report->message, NAME ": it did not run");
    ag_status status = gradcheck_start(options, &unused, error);
    if (options->directions == 0)
        options->directions = DIRECTIONS;
    return status;
}

/* The verdict of a test that ran; of one that did not, what its errors are called by. */
static ag_status conclude(const taylor_test *test, ag_status status, ag_error *error)
{
    ag_taylor_report *report = test->report;
    if (status != AG_OK)
        return gradcheck_name_error(error, status, NAME);
    report->passed = report->wrong == 0 && test->told > 0;
    if (report->right + report->wrong + report->undecided == 0)
        ag_sentence_print(report->message, NAME ": there are no elements to move, or none in the result");
    return AG_OK;
}

ag_status ag_taylor_test(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                         const ag_gradcheck_options *options, ag_taylor_report *report, ag_error *error)
{
    ag_gradcheck_options complete = options ? *options : (ag_gradcheck_options){0};
    taylor_test test = {.report = report};
    ag_status status = start_test(&complete, report, error);
    if (status == AG_OK && !f)
        status = ag_error_set(error, AG_BAD_VALUE, NAME ": no function given");
    if (status == AG_OK)
        status = gradcheck_run(f, context, inputs, count, &complete, run_test, &test, error);
    return conclude(&test, status, error);
}

ag_status ag_taylor_test_op(const ag_op *op, int draws, const ag_gradcheck_options *options, ag_taylor_report *report,
                            ag_error *error)
{
    ag_gradcheck_options complete = options ? *options : (ag_gradcheck_options){0};
    taylor_test test = {.report = report};
    ag_status status = start_test(&complete, report, error);
    if (status == AG_OK)
        status = gradcheck_check_record(op, draws, error);
    for (test.draw = 0; test.draw < draws && status == AG_OK; test.draw++) {
        test.operation = op->name;
        status = gradcheck_run_draw(op, test.draw, &complete, run_test, &test, error);
    }
    return conclude(&test, status, error);
}
