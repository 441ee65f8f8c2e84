/* proofs.c - whether the gradients of the whole model are right: backward against forward
 * mode (the dot test), and backward against the loss itself (Taylor's test).
 *
 * Both run on the first tokens of a few examples, with the masks of dropout as in
 * training, by all parameters. If one fails, the operations of the model are compared one
 * by one. */
#include "doctor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Examples of the dot test, and the most tokens of each. Taylor's test has only the first
 * example: each unit of relu at each token is a kink that its steps may not cross. */
enum { DOT_ROWS = 2, MOST_TOKENS = 32 };
/* Values of the loss that Taylor's test needs for a direction, about; and the most
 * multiply-adds that it may take: a minute. A model that is too large for a direction by
 * each parameter gets a single one by all. */
enum { TAYLOR_VALUES = 43 };
#define MOST_WORK 1e12

/* ---- The examples ------------------------------------------------------------------ */

/* ids [rows, *length] -> the first columns, in place. */
static void cut_columns(int32_t *ids, int64_t rows, int64_t length)
{
    for (int64_t row = 0; ids && row < rows && length > MOST_TOKENS; row++)
        memmove(ids + row * MOST_TOKENS, ids + row * length, MOST_TOKENS * sizeof *ids);
}

static void cut_lengths(int32_t *lengths, int64_t rows, int64_t *length)
{
    for (int64_t row = 0; lengths && row < rows; row++)
        lengths[row] = lengths[row] < MOST_TOKENS ? lengths[row] : MOST_TOKENS;
    *length = *length < MOST_TOKENS ? *length : MOST_TOKENS;
}

static void cut_batch(data_batch *b)
{
    cut_columns(b->source, b->rows, b->source_length);
    cut_columns(b->target_in, b->rows, b->target_length);
    cut_columns(b->target_out, b->rows, b->target_length);
    cut_lengths(b->source_lengths, b->rows, &b->source_length);
    cut_lengths(b->target_lengths, b->rows, &b->target_length);
}

/* ---- The functions under test ------------------------------------------------------ */

/* Each loss alone, so that all of them must agree, and none cancels another. */
static ag_tensor *losses_of(const nn_pass *pass, ag_tensor *const *inputs, void *context)
{
    (void)inputs;
    return checkup_loss(context, pass, AG_NONE);
}

static ag_tensor *loss_of(const nn_pass *pass, ag_tensor *const *inputs, void *context)
{
    (void)inputs;
    return checkup_loss(context, pass, AG_SUM);
}

/* ---- The culprit ------------------------------------------------------------------- */

/* Compares the operations of the model one by one, unless that has been done, and writes
 * down what to do. */
static ag_status find_culprit(checkup *c)
{
    ag_gradcheck_location location;
    const ag_gradcheck_options options = {.seed = c->patient->seed, .threads = c->patient->threads};
    const nn_pass pass = {.tape = c->tape, .params = &c->params, .training = true};
    if (*c->culprit)
        return AG_OK;
    ag_tape_rewind(c->tape);
    if (!checkup_loss(c, &pass, AG_SUM))
        return ag_error_set(c->error, ag_tape_error(c->tape)->status, "%s", ag_tape_error(c->tape)->message);
    const ag_status status = ag_gradcheck_locate(c->tape, &options, &location, c->error);
    snprintf(c->health->location, sizeof c->health->location, "%s", status == AG_OK ? location.location : "");
    if (status == AG_OK && location.node)
        ag_text_print(c->culprit, AG_MESSAGE_SIZE, "Correct the backward of %s. %.300s.", location.location,
                      location.report.message);
    else if (status == AG_OK)
        ag_text_print(c->culprit, AG_MESSAGE_SIZE,
                      "No operation is wrong by itself: look for a value that is cut off (ag_detach) or changed "
                      "between operations%s.",
                      location.skipped ? ", and for one that is wrong in both modes alike" : "");
    return status;
}

/* ---- The dot test ------------------------------------------------------------------ */

static ag_status run_dot_test(checkup *c, const ag_gradcheck_options *options)
{
    ag_dot_report *report = &c->health->dot;
    ag_status status = nn_dot_test(losses_of, c, &c->params, NULL, 0, options, report, c->error);
    const bool overflows = !report->passed && !report->skipped && !isfinite(report->error);
    if (status == AG_OK && !report->passed && !report->skipped && !overflows)
        status = find_culprit(c);
    if (status != AG_OK)
        return status;
    if (report->skipped)
        checkup_find(c, STUDY_OBSERVATION, "Give its record a tangent rule (ag_op.jvp).", "dot test: %s",
                     report->message);
    else if (overflows) /* backward is finite, or the passes would have said so */
        checkup_find(c, STUDY_OBSERVATION, "Look at the layers' sizes: values as large as these leave no room.",
                     "dot test: it cannot tell, since a tangent of forward mode is not finite");
    else
        checkup_find(c, report->passed ? STUDY_WELL : STUDY_FAULT, report->passed ? "" : c->culprit, "dot test: %s",
                     report->message);
    return AG_OK;
}

/* ---- Taylor's test ----------------------------------------------------------------- */

/* All parameters as one input: a single direction. */
static ag_tensor *loss_by_all(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    checkup *c = context;
    const nn_pass pass = {.tape = tape, .params = &c->params, .training = true};
    return loss_of(&pass, inputs, context);
}

static ag_status measure_taylor(checkup *c, const ag_gradcheck_options *options)
{
    ag_taylor_report *report = &c->health->taylor;
    const nn_params *params = &c->params;
    const double tokens = (double)(c->batch.source_length + c->batch.target_length);
    if (TAYLOR_VALUES * (double)params->count * (double)params->size * tokens < MOST_WORK)
        return nn_taylor_test(loss_of, c, params, NULL, 0, options, report, c->error);
    const ag_gradcheck_input all = {"all parameters", AG_SHAPE(params->size), params->value, params->grad};
    return ag_taylor_test(loss_by_all, c, &all, 1, options, report, c->error);
}

static ag_status run_taylor_test(checkup *c, const ag_gradcheck_options *options)
{
    static const char *const hidden = sizeof(ag_real) < sizeof(double)
                                          ? "Examine it in double precision, where rounding hides less."
                                          : "A model with gelu or silu instead of relu has no kinks.";
    const ag_taylor_report *report = &c->health->taylor;
    ag_status status = measure_taylor(c, options);
    if (status == AG_OK && report->wrong)
        status = find_culprit(c);
    if (status != AG_OK)
        return status;
    if (report->wrong)
        checkup_find(c, STUDY_FAULT, c->culprit, "Taylor's test: %s", report->message);
    else
        checkup_find(c, report->right ? STUDY_WELL : STUDY_OBSERVATION, report->right ? "" : hidden,
                     "Taylor's test: along %lld of %lld directions the loss changes as the gradient says, up to a "
                     "remainder of order 2%s",
                     (long long)report->right, (long long)(report->right + report->undecided),
                     report->undecided ? "; along the others rounding or kinks hide the order" : "");
    return AG_OK;
}

/* ---- Element by element ------------------------------------------------------------ */

/* Compares some elements of each parameter with differences of the losses. The dot test
 * has found nothing: it passes what is wrong in both modes alike. */
static ag_status run_element_check(checkup *c, const ag_gradcheck_options *options)
{
    ag_gradcheck_report *report = &c->health->elements;
    ag_status status = nn_gradcheck(losses_of, c, &c->params, NULL, 0, options, report, c->error);
    if (status == AG_OK && report->failed)
        status = find_culprit(c);
    if (status != AG_OK)
        return status;
    if (report->failed)
        checkup_find(c, STUDY_FAULT, c->culprit, "%lld of %lld elements are not the differences of the losses: %s",
                     (long long)report->failed, (long long)report->checked, report->message);
    else
        checkup_find(c, report->checked ? STUDY_WELL : STUDY_OBSERVATION, "",
                     "%lld elements of the gradients agree with differences of the losses%s",
                     (long long)report->checked,
                     report->unclear + report->kinks ? "; of others rounding or kinks leave too few digits" : "");
    return AG_OK;
}

/* Taylor's test and the differences move the parameters' values: those of a copy. */
static ag_status run_tests(checkup *c, ag_real *copy)
{
    const ag_gradcheck_options options = {
        .seed = c->patient->seed, .threads = ag_tape_threads(c->tape), .directions = 1};
    const ag_gradcheck_options dot_options = {.seed = options.seed, .threads = options.threads};
    const ag_gradcheck_options element_options = {
        .seed = options.seed, .threads = options.threads, .elements = c->patient->elements};
    ag_real *values = c->params.value;
    memcpy(copy, values, (size_t)c->params.size * sizeof *copy);
    ag_status status = data_set_batch(c->patient->set, DOT_ROWS, 0, &c->batch, c->error);
    if (status != AG_OK)
        return status;
    cut_batch(&c->batch);
    c->params.value = copy;
    status = run_dot_test(c, &dot_options);
    if (status == AG_OK && c->patient->elements && !*c->culprit)
        status = run_element_check(c, &element_options);
    c->batch.rows = 1;
    if (status == AG_OK)
        status = run_taylor_test(c, &options);
    c->params.value = values;
    return status;
}

ag_status checkup_proofs(checkup *c)
{
    ag_real *copy = ag_numbers_new(c->params.size);
    if (!copy)
        return ag_error_set(c->error, AG_NO_MEMORY, "out of memory for %lld parameters", (long long)c->params.size);
    const ag_status status = run_tests(c, copy);
    free(copy);
    return status;
}
