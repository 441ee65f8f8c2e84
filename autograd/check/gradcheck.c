/* gradcheck.c - the gradient check: the gradients by backward against derivatives from
 * the function's values alone. In order of reading, from the whole to its parts:
 *
 *   gradcheck_run         tapes and memory, for this check and others
 *   gradcheck_compare     the gradients by backward (behaviour.c), then each input, then
 *                         the worst once more (output.c)
 *   compare_input         one derivative for each element of an input, or some along
 *                         random directions, which move all elements
 *   compare_derivative    both sides of one derivative (differences.c), and the report
 */
#include "gradcheck.h"

#include <math.h>

static ag_status check_inputs(const ag_gradcheck_input *inputs, int count, ag_error *error);
static ag_status compare_input(gradcheck *check, int input);
static ag_status compare_derivative(gradcheck *check, const gradcheck_line *line, int64_t index);

ag_status gradcheck_start(ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error)
{
    if (!report)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: no report given");
    gradcheck_begin(report);
    const double step = options->step;
    ag_status status = gradcheck_complete(options, error);
    if (status == AG_OK && step != 0 && step < GRADCHECK_LEAST_STEP)
        status = ag_error_set(error, AG_BAD_VALUE,
                              "gradcheck: the step is %g; below %g rounding leaves nothing of a difference, so make it "
                              "larger, or 0 for the default",
                              step, GRADCHECK_LEAST_STEP);
    if (options->tolerance == 0)
        options->tolerance = GRADCHECK_TOLERANCE;
    return status;
}

ag_status gradcheck_complete(ag_gradcheck_options *options, ag_error *error)
{
    if (!isfinite(options->tolerance) || options->tolerance < 0)
        return ag_error_set(error, AG_BAD_VALUE,
                            "gradcheck: the tolerance is %g; it must be above 0, or 0 for the default",
                            options->tolerance);
    if (!isfinite(options->step) || options->step < 0)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: the step is %g; it must be above 0, or 0 for the default",
                            options->step);
    if (options->threads < 0)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: threads is %d; it must be 1 or more, or 0 for one",
                            options->threads);
    if (options->directions < 0)
        return ag_error_set(error, AG_BAD_VALUE,
                            "gradcheck: %d directions; it must be 1 or more, or 0 for every element",
                            options->directions);
    if (options->elements < 0)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: %lld elements; it must be 1 or more, or 0 for all",
                            (long long)options->elements);
    if (options->summary_count < 0 || (options->summary_count && !options->summaries))
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: no memory given for %d summaries", options->summary_count);

    for (int i = 0; i < options->summary_count; i++)
        options->summaries[i] = (ag_gradcheck_summary){.worst_index = -1};
    int exponent;
    if (options->step == 0)
        options->step = GRADCHECK_STEP;
    if (options->threads == 0)
        options->threads = 1;
    frexp(options->step, &exponent); /* a power of two adds no rounding of its own */
    options->step = ldexp(1, exponent - 1);
    return AG_OK;
}

ag_status gradcheck_run(ag_function function, void *context, const ag_gradcheck_input *inputs, int count,
                        const ag_gradcheck_options *options, gradcheck_test *test, void *report, ag_error *error)
{
    ag_status status = check_inputs(inputs, count, error);
    if (status != AG_OK)
        return status;

    gradcheck check = {.function = function,
                       .context = context,
                       .inputs = inputs,
                       .count = count,
                       .options = *options,
                       .error = error,
                       .shape = {.ndim = -1}};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = options->threads});
    check.tape = ag_tape_new(&(ag_tape_options){.threads = options->threads, .no_grad = true});
    if (!tape || !check.tape)
        status = ag_error_set(error, AG_NO_MEMORY, "gradcheck: out of memory for its tapes");
    if (status == AG_OK)
        status = gradcheck_note_origin(&check);
    if (status == AG_OK) {
        status = test(&check, tape, report);
        gradcheck_return(&check);
    }
    ag_tape_free(tape);
    ag_tape_free(check.tape);
    arena_clear(&check.arena);
    return status;
}

/* An input moves alone, and its gradient is its own: no two may begin at the same
 * place. */
static ag_status check_apart(const ag_gradcheck_input *inputs, int i, ag_error *error)
{
    for (int j = 0; j < i; j++) {
        const bool same_data = inputs[i].data == inputs[j].data, same_grad = inputs[i].grad == inputs[j].grad;
        if (ag_shape_size(inputs[i].shape) && ag_shape_size(inputs[j].shape) && (same_data || same_grad))
            return ag_error_set(error, AG_BAD_VALUE,
                                "gradcheck: the inputs %d (%.60s) and %d (%.60s) have the same memory for their %s; "
                                "give each its own, or give it once and let the function use it twice",
                                j, inputs[j].name ? inputs[j].name : "unnamed", i,
                                inputs[i].name ? inputs[i].name : "unnamed", same_data ? "values" : "gradients");
    }
    return AG_OK;
}

static ag_status check_inputs(const ag_gradcheck_input *inputs, int count, ag_error *error)
{
    char text[AG_SHAPE_TEXT];
    if (count < 1 || !inputs)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: no inputs given, so there is nothing to differentiate by");
    for (int i = 0; i < count; i++) {
        int64_t size = ag_shape_size(inputs[i].shape);
        if (size < 0)
            return ag_error_set(error, AG_BAD_SHAPE, "gradcheck: input %d has the impossible shape %s", i,
                                ag_shape_print(inputs[i].shape, text));
        if (size && (!inputs[i].data || !inputs[i].grad))
            return ag_error_set(error, AG_BAD_VALUE, "gradcheck: input %d has no memory for its %s", i,
                                inputs[i].data ? "gradient" : "values");
        ag_status status = check_apart(inputs, i, error);
        if (status != AG_OK)
            return status;
    }
    return AG_OK;
}

/* Names the inputs in their summaries, and takes memory for the lines. */
static ag_status prepare_comparison(gradcheck *check)
{
    int64_t largest = 1;
    check->report->input_count = check->count;
    for (int i = 0; i < check->count; i++) {
        if (gradcheck_input_size(check, i) > largest)
            largest = gradcheck_input_size(check, i);
        if (i < check->options.summary_count)
            check->options.summaries[i].name = check->inputs[i].name;
    }
    const int64_t room = check->options.directions ? largest : 1;
    check->line_direction = gradcheck_alloc(check, (size_t)room * sizeof *check->line_direction);
    return check->line_direction ? AG_OK : AG_NO_MEMORY;
}

ag_status gradcheck_compare(gradcheck *check, ag_tape *tape, void *report)
{
    check->report = report;
    ag_status status = prepare_comparison(check);
    if (status == AG_OK)
        status = gradcheck_find_gradients(check, tape);
    for (int i = 0; i < check->count && status == AG_OK && !check->faulty; i++)
        status = compare_input(check, i);
    if (status == AG_OK && !check->faulty)
        status = gradcheck_find_output(check);
    if (status == AG_OK && !check->faulty)
        gradcheck_describe(check);
    if (status == AG_OK)
        status = gradcheck_diagnose(check, tape);
    return status;
}

static ag_status compare_input(gradcheck *check, int input)
{
    const int64_t size = gradcheck_input_size(check, input);
    const int directions = check->options.directions;
    const int64_t most = check->options.elements;
    const bool drawn = !directions && most && most < size;
    const int64_t count = directions && size ? directions : drawn ? most : size;
    ag_rng rng = ag_rng_make(check->options.seed, GRADCHECK_DIRECTIONS + (uint64_t)input);
    ag_status status = AG_OK;
    for (int64_t i = 0; i < count && status == AG_OK; i++) {
        const int64_t index = drawn ? (int64_t)ag_rng_below(&rng, (uint64_t)size) : i;
        gradcheck_line line;
        gradcheck_find_line(check, input, index, &line);
        status = compare_derivative(check, &line, index);
    }
    return status;
}

/* The derivative along the line by backward, or by forward mode if the options say so. */
static ag_status analytic_slope(gradcheck *check, const gradcheck_line *line, double *slope)
{
    if (check->options.forward_mode)
        return gradcheck_find_tangent(check, line, slope);
    *slope = 0;
    for (int64_t i = line->begin; i < line->end; i++)
        *slope += (double)check->gradient[line->input][i] * line->direction[i - line->begin];
    return AG_OK;
}

/* Both sides of the derivative along one line. An element on a kink has no numeric side
 * and is counted instead. */
static ag_status compare_derivative(gradcheck *check, const gradcheck_line *line, int64_t index)
{
    double analytic;
    ag_status status = analytic_slope(check, line, &analytic);
    if (status != AG_OK)
        return status;
    analytic /= line->unit;

    gradcheck_estimate numeric;
    bool on_kink;
    status = gradcheck_differentiate(check, line, &numeric, &on_kink);
    if (status != AG_OK)
        return status;
    if (on_kink && isfinite(analytic)) {
        gradcheck_count_kink(check, line->input);
        return AG_OK;
    }
    if (check->size > 0) /* an empty result proves nothing */
        gradcheck_count(check, line->input, index, analytic, &numeric);
    return AG_OK;
}
