/* run_options.c - the options of a run: defaults and ranges. */
#include "run.h"

#include <math.h>

/* Each member that has a range, ends included. */
typedef struct range {
    const char *name;
    double value, low, high;
} range;

/* False for NaN and infinity, too. */
static bool is_within(const range *r)
{
    return r->value >= r->low && r->value <= r->high && !isinf(r->value);
}

/* Refuses options that contradict each other, or have no effect beside another one: their
 * caller expects an effect. */
static ag_status check_together(const train_options *options, ag_error *error)
{
    const train_optimizer_config *optimizer = &options->optimizer;
    const bool sgd = optimizer->kind == TRAIN_SGD;
    if (!sgd && (optimizer->momentum != 0 || optimizer->nesterov))
        return ag_error_set(error, AG_BAD_VALUE, "momentum is SGD's, and the optimizer is Adam: Adam has beta1");
    if (train_schedule_has_end(options->schedule) && options->warmup > options->steps)
        return ag_error_set(error, AG_BAD_VALUE, "a warm-up of %lld steps is longer than the run, which has %lld",
                            (long long)options->warmup, (long long)options->steps);
    if (optimizer->nesterov && optimizer->momentum == 0)
        return ag_error_set(error, AG_BAD_VALUE, "Nesterov's form is one of the momentum, which is 0 (0.9, say)");
    return AG_OK;
}

/* Of steps and rows: far from the limits of int64_t. */
#define MOST 1e15

static ag_status check_ranges(const train_options *options, ag_error *error)
{
    const double below_one = nextafter(1, 0);
    const range ranges[] = {
        {"steps", (double)options->steps, 0, MOST},
        {"epochs", (double)options->epochs, 0, MOST},
        {"batch", (double)options->batch, 0, MOST},
        {"accumulate", (double)options->accumulate, 0, MOST},
        {"optimizer", (double)options->optimizer.kind, 0, TRAIN_SGD},
        {"schedule", (double)options->schedule, 0, TRAIN_NOAM},
        {"learning rate", options->rate, 0, HUGE_VAL},
        {"warmup", (double)options->warmup, -1, MOST},
        {"label smoothing", options->label_smoothing, 0, 1},
        {"average", options->average, 0, below_one},
        {"threads", options->threads, 0, 4096},
        {"matmul", (double)options->matmul, 0, AG_MATMUL_BF16},
        {"evaluate_every", (double)options->evaluate_every, 0, MOST},
        {"evaluate_sources", (double)options->evaluate_sources, 0, MOST},
        {"best_by", (double)options->best_by, 0, TRAIN_BEST_WER},
        {"patience", (double)options->patience, 0, MOST},
        {"report_every", (double)options->report_every, 0, MOST},
        {"save_every", (double)options->save_every, 0, MOST},
        {"stop_at", (double)options->stop_at, 0, MOST},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (!is_within(&ranges[i]))
            return ag_error_set(error, AG_BAD_VALUE, "%s is %g and must be between %g and %g", ranges[i].name,
                                ranges[i].value, ranges[i].low, ranges[i].high);
    const range or_none[] = {
        {"floor", options->floor, 0, 1},
        {"weight decay", options->optimizer.weight_decay, 0, HUGE_VAL},
        {"clip", options->clip, 0, HUGE_VAL},
    };
    for (size_t i = 0; i < sizeof or_none / sizeof *or_none; i++)
        if (or_none[i].value != -1 && !is_within(&or_none[i]))
            return ag_error_set(error, AG_BAD_VALUE, "%s is %g and must be between 0 and %g, or -1 for none",
                                or_none[i].name, or_none[i].value, or_none[i].high);
    if (!ag_matmul_available(options->matmul))
        return ag_error_set(error, AG_BAD_VALUE, "this processor, or this build, has no products of bfloat16");
    if (options->resume && !options->out)
        return ag_error_set(error, AG_BAD_VALUE, "a resume needs the folder of the run");
    return AG_OK;
}

static void set_default(int64_t *value, int64_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void set_default_number(double *value, double otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static int64_t within(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* The default of the rate: that of Adam does not move plain descent, and Noam's is a
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

/* Fills in what a new run's caller leaves out; the number of steps is known by now. */
static void fill_in(train_options *options)
{
    set_default(&options->warmup, train_default_warmup(options->schedule, options->steps));
    set_default(&options->warmup, -1);
    set_default(&options->accumulate, 1);
    set_default(&options->evaluate_every, within(options->steps / TRAIN_DEFAULT_EVALUATIONS, 1, INT64_MAX));
    set_default(&options->evaluate_sources, TRAIN_DEFAULT_EVALUATE_SOURCES);
    set_default_number(&options->rate, default_rate(options));
    set_default_number(&options->floor, TRAIN_DEFAULT_FLOOR);
    set_default_number(&options->clip, TRAIN_DEFAULT_CLIP);
    if (options->optimizer.kind == TRAIN_ADAMW)
        set_default_number(&options->optimizer.weight_decay, TRAIN_DEFAULT_WEIGHT_DECAY);
}

/* The steps of the whole run; batch is filled in. */
static ag_status count_steps(train_options *options, const data_set *training, ag_error *error)
{
    const int64_t batches = data_set_batches(training, options->batch);
    const int64_t passes = options->epochs ? options->epochs : TRAIN_DEFAULT_PASSES;
    if ((double)passes * (double)batches > MOST)
        return ag_error_set(error, AG_BAD_VALUE, "%lld %s are too many", (long long)passes,
                            ag_plural(passes, "epoch", "epochs"));
    if (options->epochs)
        set_default(&options->steps, passes * batches);
    set_default(&options->steps, within(passes * batches, TRAIN_DEFAULT_STEPS_LEAST, TRAIN_DEFAULT_STEPS_MOST));
    return AG_OK;
}

/* Whether a run of `earlier` may go on to another number of steps. */
static ag_status check_length(const train_options *options, const train_options *earlier, ag_error *error)
{
    if (options->steps < earlier->steps)
        return ag_error_set(error, AG_BAD_VALUE, "the run was to have %lld %s, which a resume cannot make fewer (%lld)",
                            (long long)earlier->steps, ag_plural(earlier->steps, "step", "steps"),
                            (long long)options->steps);
    if (options->steps > earlier->steps && train_schedule_has_end(earlier->schedule))
        return ag_error_set(error, AG_BAD_VALUE,
                            "the run was laid out for %lld %s, with a learning rate that sinks until then: a resume "
                            "cannot make them %lld, since the rate would jump; begin a new run with this model",
                            (long long)earlier->steps, ag_plural(earlier->steps, "step", "steps"),
                            (long long)options->steps);
    return AG_OK;
}

ag_status train_options_complete(train_options *options, const train_options *given, const train_options *earlier,
                                 const data_set *training, ag_error *error)
{
    *options = *given;
    if (earlier)
        train_checkpoint_take(options, earlier);
    ag_status status = check_ranges(options, error);
    if (status != AG_OK)
        return status;
    set_default(&options->batch, TRAIN_DEFAULT_BATCH);
    status = count_steps(options, training, error);
    if (status == AG_OK)
        status = earlier ? check_length(options, earlier, error) : check_together(options, error);
    if (status != AG_OK)
        return status;
    if (!earlier)
        fill_in(options);
    options->floor = options->floor < 0 ? 0 : options->floor;
    options->optimizer.weight_decay = options->optimizer.weight_decay < 0 ? 0 : options->optimizer.weight_decay;
    set_default(&options->report_every, 1);
    set_default(&options->save_every, options->evaluate_every);
    return AG_OK;
}
