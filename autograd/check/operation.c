/* operation.c - the gradient check of an operation on examples that its record draws. */
#include "../example.h"
#include "gradcheck.h"

#include <math.h>

/* Calls the example for the first time, which finds the inputs. */
static ag_status draw_inputs(ag_example *example, int threads, ag_error *error)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads, .no_grad = true});
    if (!tape)
        return ag_error_set(error, AG_NO_MEMORY, "gradcheck: out of memory for its tapes");
    example_call(tape, NULL, example);
    ag_status status = tape->error.status;
    if (status != AG_OK)
        ag_error_set(error, status, "%s", tape->error.message);
    ag_tape_free(tape);
    return status;
}

ag_status gradcheck_check_record(const ag_op *op, ag_error *error)
{
    if (tape_record_lacks(op))
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: the operation's record %s", tape_record_lacks(op));
    if (!op->example)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: the operation %s draws no examples", op->name);
    return AG_OK;
}

ag_status gradcheck_run_draw(const ag_op *op, int draw, const ag_gradcheck_options *options, gradcheck_test *test,
                             void *report, ag_error *error)
{
    ag_example example = example_make(op, options->seed, draw);
    ag_status status = draw_inputs(&example, options->threads, error);
    if (status == AG_OK)
        status = gradcheck_run(example_call, &example, example.inputs, example.count, options, test, report, error);
    example_clear(&example);
    return status;
}

/* Puts the counts of both reports together into the second. */
static void add_counts(const ag_gradcheck_report *some, ag_gradcheck_report *sum)
{
    sum->checked += some->checked;
    sum->failed += some->failed;
    sum->kinks += some->kinks;
    sum->above_noise = fmax(sum->above_noise, some->above_noise);
    sum->input_count = sum->input_count > some->input_count ? sum->input_count : some->input_count;
}

/* Checks one more draw. The report becomes that of the worst, with the counts of all. */
static ag_status add_draw(const ag_op *op, int draw, const ag_gradcheck_options *options, ag_gradcheck_report *report,
                          ag_error *error)
{
    ag_gradcheck_report found;
    gradcheck_begin(&found);
    ag_status status = gradcheck_run_draw(op, draw, options, gradcheck_compare, &found, error);
    if (status != AG_OK)
        return status;
    if (found.worst_error <= report->worst_error) {
        add_counts(&found, report);
        return AG_OK;
    }
    ag_gradcheck_report worst = found;
    worst.draw = draw;
    ag_sentence_print(worst.message, "%.60s, draw %d: %.400s", op->name, draw, found.message);
    add_counts(report, &worst);
    *report = worst;
    return AG_OK;
}

ag_status ag_gradcheck_op(const ag_op *op, int draws, const ag_gradcheck_options *options, ag_gradcheck_report *report,
                          ag_error *error)
{
    ag_gradcheck_options complete = options ? *options : (ag_gradcheck_options){0};
    ag_status status = gradcheck_start(&complete, report, error);
    if (status == AG_OK)
        status = gradcheck_check_record(op, error);
    if (status != AG_OK)
        return status;

    for (int draw = 0; draw < draws && status == AG_OK; draw++)
        status = add_draw(op, draw, &complete, report, error);
    if (status != AG_OK)
        return status;
    gradcheck_conclude(complete.tolerance, op->name, report);
    return AG_OK;
}
