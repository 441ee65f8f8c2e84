/* run_options.c - the options of a run: defaults and ranges. */
#include "run.h"

#include "options.h"

#include <math.h>
#include <string.h>

/* Refuses options that contradict each other, or that have no effect beside another: the
 * caller expects one. */
static ag_status check_together(const train_options *options, ag_error *error)
{
    const train_optimizer_config *optimizer = &options->optimizer;
    const bool sgd = optimizer->kind == TRAIN_SGD, muon = optimizer->kind == TRAIN_MUON;
    if (!sgd && !muon && optimizer->momentum > 0)
        return ag_error_set(error, AG_BAD_VALUE, "momentum needs SGD or Muon; Adam's counterpart is beta1");
    if (!sgd && optimizer->nesterov)
        return ag_error_set(error, AG_BAD_VALUE, "nesterov needs SGD; Muon always has it, and Adam never");
    if (!muon && options->muon_rate != 0)
        return ag_error_set(error, AG_BAD_VALUE, "muon_rate needs Muon; of other optimizers rate is the only rate");
    if (train_schedule_has_end(options->schedule) && options->warmup > options->steps)
        return ag_error_set(error, AG_BAD_VALUE, "a warm-up of %lld steps is longer than the run, which has %lld",
                            (long long)options->warmup, (long long)options->steps);
    if (optimizer->nesterov && optimizer->momentum <= 0)
        return ag_error_set(error, AG_BAD_VALUE, "nesterov needs a momentum above 0, such as 0.9");
    return AG_OK;
}

/* Checks an option against the range of its row. 0 is in range where it means the
 * default, and so is -1 where it means "none". */
static ag_status check_option(const train_field *row, const train_options *options, ag_error *error)
{
    const double value = train_field_number(row, options);
    const double low = row->most != 0 ? 0 : row->low, high = row->most != 0 ? row->most : train_field_high(row);
    const char *name = row->key ? row->key + strlen("run.") : row->member, *none = row->none ? ", or -1 for none" : "";
    if (value == 0 || (row->none && value == -1) || (value >= low && value <= high && isfinite(value)))
        return AG_OK;
    if (isinf(high))
        return ag_error_set(error, AG_BAD_VALUE, "%s is %.9g and must be a finite number of %g or more%s", name, value,
                            low, none);
    return ag_error_set(error, AG_BAD_VALUE, "%s is %.9g and must be between %g and %.9g%s", name, value, low, high, none);
}

static ag_status check_ranges(const train_options *options, ag_error *error)
{
    const train_field *row;
    for (int i = 0; (row = train_option(i)); i++)
        if (row->owner == TRAIN_RUN && row->type != TRAIN_TEXT && row->type != TRAIN_UINT64 &&
            check_option(row, options, error) != AG_OK)
            return AG_BAD_VALUE;
    if (!ag_matmul_available(options->matmul))
        return ag_error_set(error, AG_BAD_VALUE, "this processor, or this build, has no products of bfloat16");
    if (options->resume && !options->out)
        return ag_error_set(error, AG_BAD_VALUE, "a resume needs the folder of the run");
    return AG_OK;
}

/* The part that this process computes, and how the processes exchange what they have
 * computed, go together. `accumulate` is filled in. */
static ag_status check_part(const train_options *options, ag_error *error)
{
    if ((options->part != 0) != (options->exchange != NULL))
        return ag_error_set(error, AG_BAD_VALUE,
                            options->part ? "part %lld needs an exchange with the processes of the other parts"
                                          : "an exchange needs the part of the batch that this process computes",
                            (long long)options->part);
    if (options->part < 0 || options->part > options->accumulate)
        return ag_error_set(error, AG_BAD_VALUE, "part is %lld and must be one of the %lld parts of a batch, from 1",
                            (long long)options->part, (long long)options->accumulate);
    return AG_OK;
}

/* Fills in the defaults that depend on no other option. A resumed run keeps all that it
 * has saved, zeros included; and a seed of 0 is a seed. */
static void fill_in_usual(train_options *options, bool resumed)
{
    const train_field *row;
    for (int i = 0; (row = train_option(i)); i++)
        if (row->owner == TRAIN_RUN && row->usual != 0 && row->type != TRAIN_UINT64 && !(resumed && row->key) &&
            train_field_number(row, options) == 0)
            train_field_set_number(row, options, row->usual);
}

static void set_default(int64_t *value, int64_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static int64_t within(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* The default rate. Adam's is too small for plain descent, and Noam's schedule takes a
 * factor. */
static double default_rate(const train_options *options)
{
    if (options->schedule == TRAIN_NOAM)
        return TRAIN_DEFAULT_RATE_NOAM;
    return options->optimizer.kind == TRAIN_SGD ? TRAIN_DEFAULT_RATE_SGD : TRAIN_DEFAULT_RATE;
}

int64_t train_default_warmup(train_schedule_kind schedule, int64_t steps)
{
    const int64_t part = schedule == TRAIN_NOAM ? TRAIN_DEFAULT_WARMUP_PART_NOAM : TRAIN_DEFAULT_WARMUP_PART;
    return within(steps / part, 0, TRAIN_DEFAULT_WARMUP_MOST);
}

train_schedule train_options_schedule(const train_options *options, int d_model)
{
    return (train_schedule){.kind = options->schedule,
                            .rate = options->rate,
                            .warmup = options->warmup > 0 ? options->warmup : 0,
                            .total = options->steps,
                            .floor = options->floor,
                            .d_model = d_model,
                            .decay = options->decay};
}

/* Fills in the defaults that depend on other options of a new run; the number of steps is
 * known by now. */
static void fill_in_dependent(train_options *options)
{
    set_default(&options->warmup, train_default_warmup(options->schedule, options->steps));
    set_default(&options->warmup, -1);
    set_default(&options->evaluate_every, within(options->steps / TRAIN_DEFAULT_EVALUATIONS, 1, INT64_MAX));
    if (options->rate == 0)
        options->rate = default_rate(options);
    if (options->floor == 0 && options->schedule == TRAIN_COSINE)
        options->floor = TRAIN_DEFAULT_FLOOR;
    const bool muon = options->optimizer.kind == TRAIN_MUON, noam = options->schedule == TRAIN_NOAM;
    if (muon && options->muon_rate == 0)
        options->muon_rate = noam ? TRAIN_DEFAULT_RATE_MUON_NOAM : TRAIN_DEFAULT_RATE_MUON;
    if (muon && options->optimizer.momentum == 0)
        options->optimizer.momentum = TRAIN_DEFAULT_MOMENTUM_MUON;
    if ((muon || options->optimizer.kind == TRAIN_ADAMW) && options->optimizer.weight_decay == 0)
        options->optimizer.weight_decay = TRAIN_DEFAULT_WEIGHT_DECAY;
}

#define MOST_STEPS 1e15 /* as a checkpoint's counters have at most */

int64_t train_run_steps(const train_options *options, const data_set *training)
{
    const int64_t batches = data_set_batches(training, options->batch ? options->batch : TRAIN_DEFAULT_BATCH);
    const int64_t passes = options->epochs ? options->epochs : TRAIN_DEFAULT_PASSES;
    if (options->steps)
        return options->steps;
    if ((double)passes * (double)batches > MOST_STEPS)
        return -1;
    return options->epochs ? passes * batches
                           : within(passes * batches, TRAIN_DEFAULT_STEPS_LEAST, TRAIN_DEFAULT_STEPS_MOST);
}

static ag_status count_steps(train_options *options, const data_set *training, ag_error *error)
{
    options->steps = train_run_steps(options, training);
    if (options->steps > 0)
        return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE, "%lld %s are too many", (long long)options->epochs,
                        ag_plural(options->epochs, "epoch", "epochs"));
}

/* Whether a run of `earlier` that has done `done` updates may go on to another number of
 * steps. */
static ag_status check_length(const train_options *options, const train_options *earlier, int64_t done, ag_error *error)
{
    const train_schedule schedule = train_options_schedule(earlier, 0);
    const int64_t decay = train_schedule_decay_begin(&schedule);
    if (options->steps < earlier->steps)
        return ag_error_set(error, AG_BAD_VALUE, "the run has %lld %s; a resume cannot shorten it to %lld",
                            (long long)earlier->steps, ag_plural(earlier->steps, "step", "steps"),
                            (long long)options->steps);
    if (options->steps > earlier->steps && done > decay)
        return ag_error_set(error, AG_BAD_VALUE,
                            "the learning rate falls after step %lld, to end at step %lld, and the run is at step "
                            "%lld; "
                            "lengthening it to %lld steps would make the rate jump: begin a new run with this model",
                            (long long)decay, (long long)earlier->steps, (long long)done, (long long)options->steps);
    return AG_OK;
}

ag_status train_options_complete(train_options *options, const train_options *given, const train_options *earlier,
                                 int64_t done, const data_set *training, ag_error *error)
{
    *options = *given;
    if (earlier)
        train_checkpoint_take(options, earlier);
    ag_status status = check_ranges(options, error);
    if (status != AG_OK)
        return status;
    fill_in_usual(options, earlier != NULL);
    status = check_part(options, error);
    if (status == AG_OK)
        status = count_steps(options, training, error);
    if (status == AG_OK)
        status = earlier ? check_length(options, earlier, done, error) : check_together(options, error);
    if (status != AG_OK)
        return status;
    if (!earlier)
        fill_in_dependent(options);
    double *const none[] = {&options->floor, &options->optimizer.weight_decay, &options->optimizer.momentum};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        *none[i] = *none[i] < 0 ? 0 : *none[i];
    set_default(&options->save_every, options->evaluate_every);
    return AG_OK;
}
