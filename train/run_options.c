/* run_options.c - the options of a run: defaults and ranges. */
#include "run.h"

#include <math.h>

/* Each member that has a range, ends included. */
typedef struct range {
    const char *name;
    double value, low, high;
} range;

static ag_status check_ranges(const train_options *options, ag_error *error)
{
    const double most = 1e15; /* steps and rows: far from the limits of int64_t */
    const double below_one = nextafter(1, 0);
    const range ranges[] = {
        {"steps", (double)options->steps, 0, most},
        {"epochs", (double)options->epochs, 0, most},
        {"batch", (double)options->batch, 0, most},
        {"accumulate", (double)options->accumulate, 0, most},
        {"optimizer", (double)options->optimizer.kind, 0, TRAIN_SGD},
        {"schedule", (double)options->schedule, 0, TRAIN_NOAM},
        {"learning rate", options->rate, 0, HUGE_VAL},
        {"warmup", (double)options->warmup, -1, most},
        {"floor", options->floor, 0, 1},
        {"label smoothing", options->label_smoothing, 0, 1},
        {"average", options->average, 0, below_one},
        {"threads", options->threads, 0, 4096},
        {"matmul", (double)options->matmul, 0, AG_MATMUL_BF16},
        {"evaluate_every", (double)options->evaluate_every, 0, most},
        {"evaluate_sources", (double)options->evaluate_sources, 0, most},
        {"patience", (double)options->patience, 0, most},
        {"report_every", (double)options->report_every, 0, most},
        {"save_every", (double)options->save_every, 0, most},
        {"stop_at", (double)options->stop_at, 0, most},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (!(ranges[i].value >= ranges[i].low && ranges[i].value <= ranges[i].high) || isinf(ranges[i].value))
            return ag_error_set(error, AG_BAD_VALUE, "%s is %g and must be between %g and %g", ranges[i].name,
                                ranges[i].value, ranges[i].low, ranges[i].high);
    if (!(options->clip >= 0 || options->clip == -1) || isinf(options->clip))
        return ag_error_set(error, AG_BAD_VALUE, "clip is %g and must be positive, or -1 for none", options->clip);
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

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t one_at_least(int64_t x)
{
    return x > 1 ? x : 1;
}

ag_status train_options_complete(train_options *options, const train_options *given, const train_options *earlier,
                                 const data_set *training, ag_error *error)
{
    *options = *given;
    if (earlier) {
        if (options->epochs == 0)
            set_default(&options->steps, earlier->steps);
        set_default(&options->warmup, earlier->warmup);
        set_default(&options->evaluate_every, earlier->evaluate_every);
    }
    ag_status status = check_ranges(options, error);
    if (status != AG_OK)
        return status;
    set_default(&options->batch, 64);
    int64_t batches = data_set_batches(training, options->batch);
    set_default(&options->epochs, 10);
    if ((double)options->epochs * (double)batches > 1e15)
        return ag_error_set(error, AG_BAD_VALUE, "%lld epochs are too many", (long long)options->epochs);
    set_default(&options->steps, options->epochs * batches);
    if (earlier && options->steps < earlier->steps)
        return ag_error_set(error, AG_BAD_VALUE,
                            "the run was to have %lld steps, which a resume cannot make fewer (%lld)",
                            (long long)earlier->steps, (long long)options->steps);
    set_default(&options->warmup, smaller(options->steps / 20, 4000));
    set_default(&options->warmup, -1);
    set_default(&options->accumulate, 1);
    set_default(&options->evaluate_every, one_at_least(smaller(options->steps / 10, batches)));
    set_default(&options->evaluate_sources, 500);
    set_default(&options->report_every, 1);
    set_default(&options->save_every, options->evaluate_every);
    if (options->rate == 0)
        options->rate = options->schedule == TRAIN_NOAM ? 1 : 1e-3;
    if (options->clip == 0)
        options->clip = 1;
    return AG_OK;
}
