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

ag_status gradcheck_check_record(const ag_op *op, int draws, ag_error *error)
{
    if (tape_record_lacks(op))
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: the operation's record %s", tape_record_lacks(op));
    if (!op->example)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: the operation %s draws no examples", op->name);
    if (draws < 1)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: draws is %d; it must be 1 or more", draws);
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

/* What one draw shows. */
typedef struct evidence {
    ag_gradcheck_report report;
    unsigned readings; /* bit 1 << kind of each that its mistake may be; 0: it is unclear */
    int64_t size;      /* of the input whose gradient is worst */
    bool weak;         /* an axis has the size 2, where one mistake looks like another */
} evidence;

static bool has_axis_of_two(ag_shape shape)
{
    bool has = false;
    for (int axis = 0; axis < shape.ndim; axis++)
        has = has || shape.dim[axis] == 2;
    return has;
}

static ag_status compare_draw(gradcheck *check, ag_tape *tape, void *found)
{
    evidence *e = found;
    ag_status status = gradcheck_compare(check, tape, &e->report);
    if (e->report.mistake)
        e->readings = (1u << e->report.mistake | 1u << check->other_mistake) & ~1u;
    if (e->report.input >= 0) {
        e->size = gradcheck_input_size(check, e->report.input);
        e->weak = has_axis_of_two(check->inputs[e->report.input].shape) || has_axis_of_two(check->shape);
    }
    return status;
}

/* The diagnoses of the draws that failed. */
typedef struct mistakes {
    bool any;               /* one has a diagnosis; .. */
    bool weak;              /* .. all of these are weak */
    unsigned readings;      /* kinds on which they agree; the weak do not count if others do */
    unsigned best_readings; /* of the clearest, the largest of these: .. */
    int64_t best_size;      /* .. its input's size, .. */
    ag_mistake best;        /* .. its kind and its sentence */
    char diagnosis[AG_MESSAGE_SIZE];
    int64_t least_size;   /* the smallest input for which there was a diagnosis */
    int64_t unclear_size; /* the largest input of a draw that is unclear and not weak */
} mistakes;

static int count_readings(unsigned readings)
{
    int count = 0;
    for (; readings; readings >>= 1)
        count += (int)(readings & 1);
    return count;
}

static void note_mistake(mistakes *all, int draw, const evidence *found, double tolerance)
{
    if (!found->readings) {
        const bool tells = found->report.worst_error > tolerance && !found->weak;
        if (tells && found->size > all->unclear_size)
            all->unclear_size = found->size;
        return;
    }
    const bool first = !all->any || (all->weak && !found->weak);
    if (!first && found->weak && !all->weak)
        return;
    const int fewer = count_readings(all->best_readings) - count_readings(found->readings);
    all->any = true;
    all->weak = found->weak;
    all->least_size = first || found->size < all->least_size ? found->size : all->least_size;
    all->readings = first ? found->readings : all->readings & found->readings;
    if (!first && (fewer < 0 || (fewer == 0 && found->size <= all->best_size)))
        return;
    all->best_readings = found->readings;
    all->best_size = found->size;
    all->best = found->report.mistake;
    ag_sentence_print(all->diagnosis, "draw %d: %.440s", draw, found->report.diagnosis);
}

/* The kind is clear if all draws that can tell agree on it. A draw that is unclear
 * although a smaller one had a diagnosis contradicts. */
static void conclude_mistake(const mistakes *all, ag_gradcheck_report *report)
{
    const bool clear = all->any && (all->readings >> all->best & 1) && all->unclear_size < all->least_size;
    report->mistake = clear ? all->best : AG_MISTAKE_UNCLEAR;
    ag_sentence_print(report->diagnosis, "%s", clear ? all->diagnosis : "");
}

/* Checks one more draw. The report becomes that of the worst, with the counts of all. */
static ag_status add_draw(const ag_op *op, int draw, const ag_gradcheck_options *options, mistakes *all,
                          ag_gradcheck_report *report, ag_error *error)
{
    evidence found = {0};
    gradcheck_begin(&found.report);
    ag_status status = gradcheck_run_draw(op, draw, options, compare_draw, &found, error);
    if (status != AG_OK)
        return status;
    note_mistake(all, draw, &found, options->tolerance);
    if (found.report.worst_error <= report->worst_error) {
        add_counts(&found.report, report);
        return AG_OK;
    }
    ag_gradcheck_report worst = found.report;
    worst.draw = draw;
    ag_sentence_print(worst.message, "%.60s, draw %d: %.400s", op->name, draw, found.report.message);
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
        status = gradcheck_check_record(op, draws, error);
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
