/* function.c - ag_gradcheck: options, the check, the verdict, and, if the function fails,
 * which of its operations is to blame. */
#include "gradcheck.h"

#include <string.h>

/* Calls the function on leaves of the inputs, and puts back what it changes in them. */
static ag_status record(ag_tape *tape, ag_function f, void *context, const ag_gradcheck_input *inputs, int count)
{
    ag_tensor **leaves = ag_tape_alloc(tape, (size_t)count * sizeof(ag_tensor *));
    const void **values = ag_tape_alloc(tape, (size_t)count * sizeof(void *));
    for (int i = 0; i < count && leaves && values; i++) {
        leaves[i] = ag_leaf(tape, inputs[i].shape, inputs[i].data, inputs[i].grad);
        values[i] = tape_copy(tape, inputs[i].data, (size_t)ag_shape_size(inputs[i].shape) * sizeof(ag_real));
    }
    if (tape->error.status != AG_OK)
        return tape->error.status;
    f(tape, leaves, context);
    for (int i = 0; i < count; i++)
        if (ag_shape_size(inputs[i].shape))
            memcpy(inputs[i].data, values[i], (size_t)ag_shape_size(inputs[i].shape) * sizeof(ag_real));
    return tape->error.status;
}

/* Records the function once more and looks for the operation that is wrong by itself. A
 * function of a single operation needs no search. */
static ag_status locate_fault(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                              const ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error)
{
    const ag_gradcheck_options own = {
        .tolerance = options->tolerance, .seed = options->seed, .threads = options->threads};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = options->threads});
    if (!tape)
        return ag_error_set(error, AG_NO_MEMORY, "gradcheck: out of memory for its tapes");
    ag_tape_seed(tape, options->seed, 0);
    ag_status status = record(tape, f, context, inputs, count);
    if (status != AG_OK)
        ag_error_set(error, status, "%s", tape->error.message);
    if (status == AG_OK && tape->last && tape->last->before) {
        ag_gradcheck_location found;
        status = ag_gradcheck_locate(tape, &own, &found, error);
        if (status == AG_OK)
            gradcheck_report_location(&found, report);
    }
    ag_tape_free(tape);
    return status;
}

ag_status ag_gradcheck(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                       const ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error)
{
    ag_gradcheck_options complete = options ? *options : (ag_gradcheck_options){0};
    ag_status status = gradcheck_start(&complete, report, error);
    if (status == AG_OK && !f)
        status = ag_error_set(error, AG_BAD_VALUE, "gradcheck: no function given");
    if (status == AG_OK)
        status = gradcheck_run(f, context, inputs, count, &complete, gradcheck_compare, report, error);
    if (status == AG_OK)
        gradcheck_conclude(complete.tolerance, "the function", report);
    if (status == AG_OK && report->worst_error > complete.tolerance && !complete.forward_mode)
        status = locate_fault(f, context, inputs, count, &complete, report, error);
    return status;
}
