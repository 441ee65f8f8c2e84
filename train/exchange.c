/* exchange.c - a run in several processes: see exchange.h. */
#include "exchange.h"

#include "options.h"

#include <string.h>

bool train_stop_wanted(const train_loop *loop, int64_t step)
{
    const train_options *options = &loop->options;
    return (options->stop && *options->stop) || (options->stop_at && step >= options->stop_at);
}

/* ---- The same run? ----------------------------------------------------------------- */

/* The level is compared first: the number of equal models depends on it. */
static const char *const same_names[TRAIN_SAME_COUNT] = {
    [TRAIN_SAME_LEVEL] = "instruction-set level (TAPEFORMER_LEVEL)",
    [TRAIN_SAME_DATA] = "training set",
    [TRAIN_SAME_MODEL] = "model",
    [TRAIN_SAME_OPTIONS] = "options",
};

/* A number in which texts that differ hardly ever agree. */
static double number_of(const char *text, uint64_t hash)
{
    for (; *text; text++)
        hash = ag_mix(hash + (unsigned char)*text);
    return (double)(hash >> 11);
}

static double number_of_options(const train_options *options)
{
    const train_field *field;
    double number = 0;
    for (int i = 0; (field = train_run_field(i)); i++) {
        char text[64];
        train_field_print(field, options, text, sizeof text);
        number += number_of(text, (uint64_t)i);
    }
    return number;
}

void train_exchange_begin(train_loop *loop)
{
    const nn_params *params = &loop->model->params;
    loop->same[TRAIN_SAME_DATA] = (double)(loop->state.training >> 11);
    loop->same[TRAIN_SAME_MODEL] = ag_vector_norm(params->value, params->size, loop->threads);
    loop->same[TRAIN_SAME_OPTIONS] = number_of_options(&loop->options);
    loop->same[TRAIN_SAME_LEVEL] = number_of(ag_level_name(), 0);
}

/* The sum of the parts if each has this number, by the same additions, so with the same
 * bits. */
static double sum_of_equals(double number, int64_t parts)
{
    double sum = number;
    for (int64_t i = 1; i < parts; i++)
        sum += number;
    return sum;
}

static ag_status check_same(const train_loop *loop, const double *sums)
{
    const int64_t parts = loop->options.accumulate;
    for (int i = 0; i < TRAIN_SAME_COUNT; i++)
        if (sums[TRAIN_SUM_SAME + i] != sum_of_equals(loop->same[i], parts))
            return ag_error_set(loop->error, AG_BAD_VALUE,
                                "the %lld processes of this run do not have the same %s, or are not %lld",
                                (long long)parts, same_names[i], (long long)parts);
    if (sums[TRAIN_SUM_TOKENS] != (double)loop->batch.tokens)
        return ag_error_set(loop->error, AG_BAD_VALUE,
                            "step %lld: the parts have %.15g targets together, and the batch has %lld: each part must "
                            "be computed by one process",
                            (long long)loop->state.step + 1, sums[TRAIN_SUM_TOKENS], (long long)loop->batch.tokens);
    return AG_OK;
}

/* ---- The exchange ------------------------------------------------------------------ */

static ag_status add_up(train_loop *loop, double *sums)
{
    const train_options *options = &loop->options;
    const nn_params *params = &loop->model->params;
    memcpy(sums + TRAIN_SUM_SAME, loop->same, sizeof loop->same);
    const ag_status status = options->exchange(options->context, params->grad, params->size, sums, TRAIN_SUMS);
    if (status == AG_OK)
        return AG_OK;
    return ag_error_set(loop->error, status, "step %lld: the exchange with the run's other processes failed",
                        (long long)loop->state.step + 1);
}

ag_status train_exchange(train_loop *loop, double *sums)
{
    sums[TRAIN_SUM_STOP] = train_stop_wanted(loop, loop->state.step + 1);
    ag_status status = add_up(loop, sums);
    if (status != AG_OK)
        return status;
    if (sums[TRAIN_SUM_STOPPED] > 0 || sums[TRAIN_SUM_EARLY] > 0) {
        loop->ended = sums[TRAIN_SUM_STOPPED] > 0 ? TRAIN_SUM_STOPPED : TRAIN_SUM_EARLY;
        return AG_OK;
    }
    loop->agreed = sums[TRAIN_SUM_STOP] > 0;
    return check_same(loop, sums);
}

ag_status train_exchange_end(train_loop *loop, int reason)
{
    double sums[TRAIN_SUMS] = {0};
    if (loop->options.part != 1 || loop->agreed || loop->state.step >= loop->options.steps)
        return AG_OK;
    sums[reason] = 1;
    return add_up(loop, sums);
}
