/* report.c - what the check found, in the report's fields and as a sentence. */
#include "gradcheck.h"

#include <math.h>
#include <stdio.h>

void gradcheck_begin(ag_gradcheck_report *report)
{
    *report = (ag_gradcheck_report){.worst_error = -1, .input = -1, .index = -1};
}

double gradcheck_error(double analytic, double numeric)
{
    double error = fabs(analytic - numeric) / fmax(1, fmax(fabs(analytic), fabs(numeric)));
    return isfinite(error) ? error : INFINITY;
}

/* ---- Places ------------------------------------------------------------------------ */

#define PLACE_TEXT 256

/* Prints "[1,3] (flat 7)". */
static const char *print_index(ag_shape shape, int64_t index, char text[PLACE_TEXT])
{
    ag_shape place = {.ndim = shape.ndim};
    int64_t rest = index;
    char coordinates[AG_SHAPE_TEXT];
    for (int i = shape.ndim - 1; i >= 0; i--) {
        place.dim[i] = rest % shape.dim[i];
        rest /= shape.dim[i];
    }
    snprintf(text, PLACE_TEXT, "%s (flat %lld)", ag_shape_print(place, coordinates), (long long)index);
    return text;
}

/* Prints "input 1 (weight) at [1,3] (flat 7)", or "... along direction 2". Inputs count
 * from 0, as in the report and in all errors. */
static const char *print_place(const gradcheck *check, int input, int64_t index, bool is_direction,
                               char text[PLACE_TEXT])
{
    const ag_gradcheck_input *which = &check->inputs[input];
    const char *name = which->name ? which->name : "unnamed";
    char at[PLACE_TEXT];
    if (is_direction)
        snprintf(text, PLACE_TEXT, "input %d (%.60s) along direction %lld", input, name, (long long)index);
    else
        snprintf(text, PLACE_TEXT, "input %d (%.60s) at %.150s", input, name, print_index(which->shape, index, at));
    return text;
}

/* ---- Findings ---------------------------------------------------------------------- */

void gradcheck_fault(gradcheck *check, int input, int64_t index, const char *sentence)
{
    char place[PLACE_TEXT], at[PLACE_TEXT];
    ag_gradcheck_report *report = check->report;
    if (input >= 0)
        print_place(check, input, index, false, place);
    else
        snprintf(place, sizeof place, "the result at %.150s", print_index(check->shape, index, at));
    check->faulty = true;
    report->worst_error = INFINITY;
    report->input = input;
    report->input_name = input >= 0 ? check->inputs[input].name : NULL;
    report->index = index;
    ag_sentence_print(report->message, "%s: %.240s", place, sentence);
}

void gradcheck_report_difference(gradcheck *check, const gradcheck_line *line, int64_t index, double analytic,
                                 const gradcheck_estimate *numeric)
{
    ag_gradcheck_report *report = check->report;
    double error = gradcheck_error(analytic, numeric->slope);
    if (error <= report->worst_error)
        return;
    char place[PLACE_TEXT];
    print_place(check, line->input, index, check->options.directions > 0, place);
    report->worst_error = error;
    report->input = line->input;
    report->input_name = check->inputs[line->input].name;
    report->index = index;
    report->analytic = analytic;
    report->numeric = numeric->slope;
    report->step = numeric->step;
    report->numeric_error = numeric->error;
    ag_sentence_print(report->message, "%s: analytic %.10g, numeric %.10g, error %.3g; step %.3g, numeric error %.3g",
                      place, analytic, numeric->slope, error, numeric->step, numeric->error);
}

void gradcheck_conclude(double tolerance, const char *subject, ag_gradcheck_report *report)
{
    long long checked = report->checked, all = report->checked + report->kinks;
    report->passed = report->worst_error <= tolerance && checked > 0 && 2 * checked >= all;
    if (report->worst_error <= tolerance && all == 0)
        ag_sentence_print(report->message, "%.60s: compared nothing, there are no elements", subject);
    else if (report->worst_error <= tolerance && !report->passed)
        ag_sentence_print(report->message, "%.60s: compared only %lld of %lld elements, the others are on kinks",
                          subject, checked, all);
    if (report->worst_error < 0)
        report->worst_error = 0;
}
