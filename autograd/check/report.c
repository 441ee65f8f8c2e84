/* report.c - what the check found, in the report's fields and as a sentence. */
#include "gradcheck.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void gradcheck_begin(ag_gradcheck_report *report)
{
    *report = (ag_gradcheck_report){.worst_error = -1, .input = -1, .index = -1, .output = -1};
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

/* The summary that the input fills; NULL if it is not wanted. */
static ag_gradcheck_summary *summary_of(const gradcheck *check, int input)
{
    return input < check->options.summary_count ? &check->options.summaries[input] : NULL;
}

void gradcheck_count_kink(gradcheck *check, int input)
{
    check->report->kinks++;
    if (summary_of(check, input))
        summary_of(check, input)->kinks++;
}

/* Whether an error above the tolerance may be the difference's own. */
static bool is_unclear(double analytic, const gradcheck_estimate *numeric)
{
    return isfinite(analytic) && isfinite(numeric->slope) &&
           fabs(analytic - numeric->slope) <= GRADCHECK_DOUBT * numeric->error;
}

static void count_unclear(gradcheck *check, int input)
{
    check->report->unclear++;
    if (summary_of(check, input))
        summary_of(check, input)->unclear++;
}

static void add_to_summary(ag_gradcheck_summary *summary, int64_t index, double error, bool failed)
{
    if (summary->checked == 0 || error > summary->worst_error) {
        summary->worst_error = error;
        summary->worst_index = index;
    }
    summary->checked++;
    summary->failed += failed;
}

/* By how many times both sides differ more than rounding and truncation explain. The
 * analytic side is at best rounded once. */
static double above_noise(double analytic, const gradcheck_estimate *numeric)
{
    const double size = fmax(1, fmax(fabs(analytic), fabs(numeric->slope)));
    const double ratio = fabs(analytic - numeric->slope) / (numeric->error + GRADCHECK_EPSILON * size);
    return isfinite(ratio) ? ratio : INFINITY;
}

void gradcheck_count(gradcheck *check, int input, int64_t index, double analytic, const gradcheck_estimate *numeric)
{
    ag_gradcheck_report *report = check->report;
    const double error = gradcheck_error(analytic, numeric->slope), ratio = above_noise(analytic, numeric);
    const bool failed = error > check->options.tolerance;
    if (failed && is_unclear(analytic, numeric)) {
        count_unclear(check, input);
        return;
    }
    report->checked++;
    report->failed += failed;
    if (summary_of(check, input))
        add_to_summary(summary_of(check, input), index, error, failed);
    if (ratio > report->above_noise) {
        report->above_noise = ratio;
        check->noisy_input = input;
        check->noisy_index = index;
    }
    if (error <= report->worst_error)
        return;
    report->worst_error = error;
    report->input = input;
    report->input_name = check->inputs[input].name;
    report->index = index;
    report->analytic = analytic;
    report->numeric = numeric->slope;
    report->step = numeric->step;
    report->numeric_error = numeric->error;
}

/* ---- The sentence ------------------------------------------------------------------ */

/* Prints of what the derivative is, if that is more than one number: ", element [1,0]
 * (flat 2) of the result". */
static const char *print_output(const gradcheck *check, char text[PLACE_TEXT])
{
    char at[PLACE_TEXT];
    *text = 0;
    if (check->report->output >= 0 && check->size > 1)
        ag_text_print(text, PLACE_TEXT, ", element %.150s of the result",
                      print_index(check->shape, check->report->output, at));
    else if (check->report->output < 0)
        ag_text_print(text, PLACE_TEXT, ", the result's %lld %s summed with random weights", (long long)check->size,
                      ag_plural(check->size, "element", "elements"));
    return text;
}

/* Prints how many comparisons failed, or how far above the noise one is that passed. */
static const char *print_extent(const gradcheck *check, char text[PLACE_TEXT])
{
    const ag_gradcheck_report *report = check->report;
    const bool directions = check->options.directions > 0;
    char place[PLACE_TEXT];
    *text = 0;
    if (report->failed)
        ag_text_print(text, PLACE_TEXT, "; %lld of %lld %s %s", (long long)report->failed, (long long)report->checked,
                      directions ? "directions" : "elements", ag_plural(report->failed, "fails", "fail"));
    else if (report->above_noise >= GRADCHECK_CLEAR)
        ag_text_print(text, PLACE_TEXT, "; passes, but %.120s is %.0f x above the noise",
                      print_place(check, check->noisy_input, check->noisy_index, directions, place),
                      report->above_noise);
    if (report->unclear)
        ag_text_print(text + strlen(text), PLACE_TEXT - strlen(text), "; for %lld the difference is too inexact to tell",
                      (long long)report->unclear);
    return text;
}

void gradcheck_describe(const gradcheck *check)
{
    ag_gradcheck_report *report = check->report;
    char place[PLACE_TEXT], output[PLACE_TEXT], extent[PLACE_TEXT];
    if (report->input < 0)
        return;
    print_place(check, report->input, report->index, check->options.directions > 0, place);
    ag_sentence_print(report->message,
                      "%s%s: analytic %.10g, numeric %.10g, error %.3g; step %.3g, numeric error %.3g%s", place,
                      print_output(check, output), report->analytic, report->numeric, report->worst_error, report->step,
                      report->numeric_error, print_extent(check, extent));
}

void gradcheck_report_location(const ag_gradcheck_location *location, ag_gradcheck_report *report)
{
    char before[AG_MESSAGE_SIZE];
    memcpy(before, report->message, sizeof before);
    if (location->node) {
        memcpy(report->location, location->location, sizeof report->location);
        ag_sentence_print(report->message, "%s; wrong by itself: %s", before, location->location);
        if (location->report.mistake) { /* nearer to the fault than that of the whole function */
            report->mistake = location->report.mistake;
            ag_sentence_print(report->diagnosis, "%.120s: %.380s", location->location, location->report.diagnosis);
        }
    } else if (report->failed && !location->skipped) {
        ag_sentence_print(report->message,
                          "%s; each operation alone is right: a value is cut off or changed between them", before);
    }
}

void gradcheck_conclude(double tolerance, const char *subject, ag_gradcheck_report *report)
{
    long long checked = report->checked, all = report->checked + report->kinks + report->unclear;
    report->passed = report->worst_error <= tolerance && checked > 0 && 2 * checked >= all;
    if (report->worst_error <= tolerance && all == 0)
        ag_sentence_print(report->message, "%.60s: compared nothing, there are no elements", subject);
    else if (report->worst_error <= tolerance && !report->passed && report->unclear)
        ag_sentence_print(report->message,
                          "%.60s: compared only %lld of %lld elements: for %lld the difference cannot tell, as its own "
                          "error is above the tolerance. Subtract large constants from the result, scale it, or use "
                          "the dot test and Taylor's test",
                          subject, checked, all, (long long)report->unclear);
    else if (report->worst_error <= tolerance && !report->passed)
        ag_sentence_print(report->message, "%.60s: compared only %lld of %lld elements, the others are on kinks",
                          subject, checked, all);
    if (report->worst_error < 0)
        report->worst_error = 0;
}
