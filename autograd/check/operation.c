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
    sum->unclear += some->unclear;
    sum->above_noise = fmax(sum->above_noise, some->above_noise);
    sum->input_count = sum->input_count > some->input_count ? sum->input_count : some->input_count;
}

enum { MISTAKES = AG_MISTAKE_OVERWRITTEN + 1 };

/* The kinds of mistakes in the draws that failed. */
typedef struct mistakes {
    int draws[MISTAKES];                       /* in how many it was clear */
    char diagnosis[MISTAKES][AG_MESSAGE_SIZE]; /* of the worst of these, or the first */
} mistakes;

static void note_mistake(mistakes *all, int draw, const ag_gradcheck_report *found, bool is_worst)
{
    if (found->mistake && (all->draws[found->mistake]++ == 0 || is_worst))
        ag_sentence_print(all->diagnosis[found->mistake], "draw %d: %.440s", draw, found->diagnosis);
}

/* Some draws are too small to tell one mistake from another, so the kind is clear only if
 * it is that of more than half of those that have one. */
static void conclude_mistake(const mistakes *all, ag_gradcheck_report *report)
{
    int most = 0, sum = 0;
    for (int kind = 1; kind < MISTAKES; kind++) {
        sum += all->draws[kind];
        most = all->draws[kind] > all->draws[most] ? kind : most;
    }
    report->mistake = 2 * all->draws[most] > sum ? (ag_mistake)most : AG_MISTAKE_UNCLEAR;
    ag_sentence_print(report->diagnosis, "%s", all->diagnosis[report->mistake]);
}

/* Checks one more draw. The report becomes that of the worst, with the counts of all. */
static ag_status add_draw(const ag_op *op, int draw, const ag_gradcheck_options *options, mistakes *all,
                          ag_gradcheck_report *report, ag_error *error)
{
    ag_gradcheck_report found;
    gradcheck_begin(&found);
    ag_status status = gradcheck_run_draw(op, draw, options, gradcheck_compare, &found, error);
    if (status != AG_OK)
        return status;
    note_mistake(all, draw, &found, found.worst_error > report->worst_error);
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
    if (status == AG_OK && draws < 1)
        status = ag_error_set(error, AG_BAD_VALUE, "gradcheck: draws is %d; it must be 1 or more", draws);
    if (status != AG_OK)
        return status;

    mistakes all = {0};
    for (int draw = 0; draw < draws && status == AG_OK; draw++)
        status = add_draw(op, draw, &complete, &all, report, error);
    if (status != AG_OK)
        return status;
    conclude_mistake(&all, report);
    gradcheck_conclude(complete.tolerance, op->name, report);
    return AG_OK;
}
