/* gradcheck.c - the gradient check: what backward says against what the values say.
 *
 * Before gradients are compared the function has to behave: the same result at each call, inputs and result left
 * alone, gradients added to and not overwritten, the same gradient when backward runs again on the same tape. Each
 * of these faults has a sentence of its own, since the comparison would miss it or blame the wrong place. */
#include "gradcheck.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef TAPEFORMER_DOUBLE
#define DEFAULT_TOLERANCE 1e-9
#define DEFAULT_STEP      0x1p-6
#else
#define DEFAULT_TOLERANCE 1e-3
#define DEFAULT_STEP      0x1p-3
#endif

/* The streams of random numbers of a check; that of the directions of input i is DIRECTIONS + i. */
enum { WEIGHTS, FORMER_GRADIENTS, DIRECTIONS };

ag_status gradcheck_start(ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error)
{
    if (!report)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: no report given");
    gradcheck_begin(report);
    if (!isfinite(options->tolerance) || options->tolerance < 0)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: the tolerance is %g; it is 0 or more", options->tolerance);
    if (!isfinite(options->step) || options->step < 0)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: the step is %g; it is 0 or more", options->step);
    if (options->directions < 0)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: %d directions; it is 0 or more", options->directions);

    int exponent;
    if (options->tolerance == 0)
        options->tolerance = DEFAULT_TOLERANCE;
    if (options->step == 0)
        options->step = DEFAULT_STEP;
    if (options->threads <= 0)
        options->threads = 1;
    frexp(options->step, &exponent); /* a power of two adds no rounding of its own */
    options->step = ldexp(1, exponent - 1);
    return AG_OK;
}

void *gradcheck_alloc(gradcheck *check, size_t bytes)
{
    void *place = arena_alloc(&check->arena, bytes);
    if (!place)
        ag_error_set(check->error, AG_NO_MEMORY, "gradcheck: out of memory: %zu more %s wanted", bytes,
                     ag_plural((int64_t)bytes, "byte", "bytes"));
    return place;
}

static ag_real *alloc_reals(gradcheck *check, int64_t count)
{
    return gradcheck_alloc(check, (size_t)count * sizeof(ag_real));
}

static void copy(ag_real *to, const ag_real *from, int64_t count)
{
    if (count)
        memcpy(to, from, (size_t)count * sizeof(ag_real));
}

/* The first element in which the two differ by a bit (a NaN equals itself, -0 is not 0), or -1. */
static int64_t find_difference(const ag_real *a, const ag_real *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof(ag_real)) != 0) /* NOLINT(bugprone-suspicious-memory-comparison): of bits */
            return i;
    return -1;
}

static int64_t input_size(const gradcheck *check, int input)
{
    return ag_shape_size(check->inputs[input].shape);
}

/* Of size 0.5 to 1.5 and either sign, so that no output and no gradient weighs nothing. */
static ag_real draw_weight(ag_rng *rng)
{
    double size = 0.5 + ag_rng_uniform(rng);
    return (ag_real)(ag_rng_u32(rng) & 1 ? size : -size);
}

/* The measure of the check: relative for large numbers, absolute for small ones; infinite where there is no number. */
static double error_between(double analytic, double numeric)
{
    double error = fabs(analytic - numeric) / fmax(1, fmax(fabs(analytic), fabs(numeric)));
    return isfinite(error) ? error : INFINITY;
}

/* ---- Sentences ------------------------------------------------------------------------------ */

#define PLACE_TEXT 256

/* "[1,3] (flat 7)". */
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

/* "input 1 (weight) at [1,3] (flat 7)", or along a direction. Inputs count from 0, as in
 * the report and in all errors.
 */
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

/* Notes that the function misbehaves: nothing else is reported then. `input` -1: in the result. */
static void fault(gradcheck *check, int input, int64_t index, const char *sentence)
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

/* ---- The analytic side ---------------------------------------------------------------------- */

/* Copies what the inputs hold. */
static ag_status note_origin(gradcheck *check)
{
    size_t count = (size_t)check->count;
    check->leaves = gradcheck_alloc(check, count * sizeof *check->leaves);
    check->origin = gradcheck_alloc(check, count * sizeof *check->origin);
    check->gradient = gradcheck_alloc(check, count * sizeof *check->gradient);
    if (!check->leaves || !check->origin || !check->gradient)
        return AG_NO_MEMORY;
    for (int i = 0; i < check->count; i++) {
        int64_t size = input_size(check, i);
        check->origin[i] = alloc_reals(check, size);
        check->gradient[i] = alloc_reals(check, size);
        if (!check->origin[i] || !check->gradient[i])
            return AG_NO_MEMORY;
        copy(check->origin[i], check->inputs[i].data, size);
    }
    return AG_OK;
}

static void return_to_origin(gradcheck *check)
{
    for (int i = 0; i < check->count; i++)
        copy(check->inputs[i].data, check->origin[i], input_size(check, i));
}

/* Copies the result and draws the weights of its projection. */
static ag_status note_result(gradcheck *check, const ag_tensor *y)
{
    check->shape = y->shape;
    check->size = y->size;
    check->side = check->kinks.hash;
    check->result = alloc_reals(check, y->size);
    check->weights = alloc_reals(check, y->size);
    check->ahead = alloc_reals(check, y->size);
    if (!check->result || !check->weights || !check->ahead)
        return AG_NO_MEMORY;
    copy(check->result, y->data, y->size);
    ag_rng rng = ag_rng_make(check->options.seed, WEIGHTS);
    for (int64_t k = 0; k < y->size; k++)
        check->weights[k] = draw_weight(&rng);
    return AG_OK;
}

/* Evaluates with every input a little away. A function that keeps something from its first or its latest call, in
 * place of what the tape saved for it, is found out by this. */
static ag_status evaluate_elsewhere(gradcheck *check)
{
    ag_tensor *y;
    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < input_size(check, i); k++)
            check->inputs[i].data[k] *= (ag_real)1.0625; /* keeps the sign: many domains end at zero */
    ag_status status = gradcheck_evaluate(check, check->tape, &y);
    return_to_origin(check);
    return status;
}

/* Fills the scratch memory with NaN: a backward must not rely on what its forward left there. */
static void spoil_scratch(ag_tape *tape)
{
    for (size_t bytes = 0; bytes < tape->scratch.bytes; bytes += MEMORY_ALIGNMENT) {
        void *place = arena_alloc(&tape->scratch, MEMORY_ALIGNMENT);
        if (place)
            memset(place, 0xFF, MEMORY_ALIGNMENT);
    }
    arena_rewind(&tape->scratch);
}

/* Adds the gradient of the projected result to those of the inputs. A result that depends on no input adds nothing. */
static ag_status run_backward(gradcheck *check, ag_tensor *y)
{
    if (!y->needs_grad)
        return AG_OK;
    ag_status status = ag_backward_seeded(y, check->weights);
    return status == AG_OK ? AG_OK : ag_error_set(check->error, status, "%s", ag_tape_error(y->tape)->message);
}

static void require_untouched(gradcheck *check, const ag_tensor *y, const char *sentence)
{
    for (int i = 0; i < check->count && !check->faulty; i++) {
        int64_t at = find_difference(check->inputs[i].data, check->origin[i], input_size(check, i));
        if (at >= 0)
            fault(check, i, at, sentence);
    }
    int64_t at = find_difference(y->data, check->result, check->size);
    if (at >= 0 && !check->faulty)
        fault(check, -1, at, sentence);
}

static void require_finite_result(gradcheck *check)
{
    for (int64_t k = 0; k < check->size && !check->faulty; k++)
        if (!isfinite(check->result[k])) {
            char sentence[64];
            ag_text_print(sentence, sizeof sentence, "it is %g", (double)check->result[k]);
            fault(check, -1, k, sentence);
        }
}

static ag_status require_same_result(gradcheck *check)
{
    ag_tensor *y;
    ag_status status = gradcheck_evaluate(check, check->tape, &y);
    if (status != AG_OK)
        return status;
    int64_t at = find_difference(check->result, y->data, check->size);
    if (at >= 0 && !check->faulty)
        fault(check, -1, at, "the function is not deterministic: two calls with the same inputs differ");
    return AG_OK;
}

/* Runs backward once more, onto gradients that hold something: that plus the gradient must come out. */
static ag_status require_adding(gradcheck *check, ag_tensor *y)
{
    ag_rng rng = ag_rng_make(check->options.seed, FORMER_GRADIENTS);
    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < input_size(check, i); k++)
            check->inputs[i].grad[k] = draw_weight(&rng);
    ag_status status = run_backward(check, y);
    if (status != AG_OK)
        return status;

    rng.position = 0;
    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < input_size(check, i); k++) {
            double former = (double)draw_weight(&rng), gradient = (double)check->gradient[i][k];
            double sum = (double)check->inputs[i].grad[k];
            if (check->faulty || !isfinite(gradient) || error_between(sum, former + gradient) <= DEFAULT_TOLERANCE)
                continue;
            char sentence[192];
            if (error_between(sum, gradient) <= DEFAULT_TOLERANCE)
                ag_text_print(sentence, sizeof sentence,
                              "backward overwrites the gradient instead of adding to it: %g was there, %g was to be "
                              "added, %g came out",
                              former, gradient, sum);
            else
                ag_text_print(sentence, sizeof sentence,
                              "a second backward on the same tape adds %g where the first added %g", sum - former,
                              gradient);
            fault(check, i, k, sentence);
        }
    return AG_OK;
}

/* Leaves the gradients in check->gradient, or a fault. `tape` notes gradients. */
static ag_status find_gradients(gradcheck *check, ag_tape *tape)
{
    ag_tensor *y;
    ag_status status = evaluate_elsewhere(check);
    if (status == AG_OK)
        status = gradcheck_evaluate(check, tape, &y);
    if (status == AG_OK)
        status = note_result(check, y);
    if (status != AG_OK)
        return status;
    require_finite_result(check);
    require_untouched(check, y, "the function changes it");
    spoil_scratch(tape);

    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < input_size(check, i); k++)
            check->inputs[i].grad[k] = 0;
    status = run_backward(check, y);
    if (status != AG_OK)
        return status;
    require_untouched(check, y, "backward changes it");
    for (int i = 0; i < check->count; i++)
        copy(check->gradient[i], check->inputs[i].grad, input_size(check, i));

    status = require_same_result(check);
    if (status == AG_OK)
        status = evaluate_elsewhere(check);
    if (status == AG_OK)
        status = require_adding(check, y);
    for (int i = 0; i < check->count; i++)
        copy(check->inputs[i].grad, check->gradient[i], input_size(check, i));
    return status;
}

/* ---- Comparing ------------------------------------------------------------------------------ */

static void report_comparison(gradcheck *check, const gradcheck_line *line, int64_t index, double analytic,
                              const gradcheck_estimate *numeric)
{
    ag_gradcheck_report *report = check->report;
    double error = error_between(analytic, numeric->slope);
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

static ag_status compare(gradcheck *check, const gradcheck_line *line, int64_t index)
{
    double analytic = 0;
    for (int64_t i = line->begin; i < line->end; i++)
        analytic += (double)check->gradient[line->input][i] * line->direction[i - line->begin];
    analytic /= line->unit;

    gradcheck_estimate numeric;
    bool on_kink;
    ag_status status = gradcheck_differentiate(check, line, &numeric, &on_kink);
    if (status != AG_OK)
        return status;
    if (on_kink && isfinite(analytic)) {
        check->report->kinks++;
        return AG_OK;
    }
    check->report->checked += check->size > 0; /* the derivatives of nothing are right whatever backward does */
    report_comparison(check, line, index, analytic, &numeric);
    return AG_OK;
}

static ag_status compare_elements(gradcheck *check, int input)
{
    ag_status status = AG_OK;
    for (int64_t i = 0; i < input_size(check, input) && status == AG_OK; i++) {
        double scale = gradcheck_scale(check->origin[input][i]);
        gradcheck_line line = {.input = input, .begin = i, .end = i + 1, .direction = &scale, .unit = scale};
        status = compare(check, &line, i);
    }
    return status;
}

/* Every element goes up or down by its own scale: a wrong gradient of any of them shows in the sum. */
static ag_status compare_directions(gradcheck *check, int input)
{
    int64_t size = input_size(check, input);
    ag_rng rng = ag_rng_make(check->options.seed, DIRECTIONS + (uint64_t)input);
    double *direction = gradcheck_alloc(check, (size_t)size * sizeof *direction);
    if (!direction)
        return AG_NO_MEMORY;

    gradcheck_line line = {.input = input, .begin = 0, .end = size, .direction = direction, .unit = 1};
    ag_status status = AG_OK;
    for (int d = 0; d < check->options.directions && size && status == AG_OK; d++) {
        for (int64_t i = 0; i < size; i++) {
            double scale = gradcheck_scale(check->origin[input][i]);
            direction[i] = ag_rng_u32(&rng) & 1 ? scale : -scale;
        }
        status = compare(check, &line, d);
    }
    return status;
}

static ag_status check_inputs(const ag_gradcheck_input *inputs, int count, ag_error *error)
{
    char text[AG_SHAPE_TEXT];
    if (count < 0 || (count && !inputs))
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: no inputs given");
    for (int i = 0; i < count; i++) {
        int64_t size = ag_shape_size(inputs[i].shape);
        if (size < 0)
            return ag_error_set(error, AG_BAD_SHAPE, "gradcheck: input %d has the impossible shape %s", i,
                                ag_shape_print(inputs[i].shape, text));
        if (size && (!inputs[i].data || !inputs[i].grad))
            return ag_error_set(error, AG_BAD_VALUE, "gradcheck: input %d has no memory for its %s", i,
                                inputs[i].data ? "gradient" : "values");
    }
    return AG_OK;
}

/* All but the memory of the check. */
static ag_status run(gradcheck *check, ag_tape *tape)
{
    ag_status status = note_origin(check);
    if (status != AG_OK)
        return status;
    status = find_gradients(check, tape);
    for (int i = 0; i < check->count && status == AG_OK && !check->faulty; i++)
        status = check->options.directions ? compare_directions(check, i) : compare_elements(check, i);
    return_to_origin(check);
    return status;
}

void gradcheck_begin(ag_gradcheck_report *report)
{
    *report = (ag_gradcheck_report){.worst_error = -1, .input = -1, .index = -1};
}

ag_status gradcheck_run(ag_function function, void *context, const ag_gradcheck_input *inputs, int count,
                        const ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error)
{
    ag_status status = check_inputs(inputs, count, error);
    if (status != AG_OK)
        return status;

    gradcheck check = {.function = function,
                       .context = context,
                       .inputs = inputs,
                       .count = count,
                       .options = *options,
                       .report = report,
                       .error = error,
                       .shape = {.ndim = -1}};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = options->threads});
    check.tape = ag_tape_new(&(ag_tape_options){.threads = options->threads, .no_grad = true});
    if (tape && check.tape)
        status = run(&check, tape);
    else
        status = ag_error_set(error, AG_NO_MEMORY, "gradcheck: out of memory for its tapes");
    ag_tape_free(tape);
    ag_tape_free(check.tape);
    arena_clear(&check.arena);
    return status;
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

ag_status ag_gradcheck(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                       const ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error)
{
    ag_gradcheck_options complete = options ? *options : (ag_gradcheck_options){0};
    ag_status status = gradcheck_start(&complete, report, error);
    if (status == AG_OK && !f)
        status = ag_error_set(error, AG_BAD_VALUE, "gradcheck: no function given");
    if (status == AG_OK)
        status = gradcheck_run(f, context, inputs, count, &complete, report, error);
    if (status == AG_OK)
        gradcheck_conclude(complete.tolerance, "the function", report);
    return status;
}
