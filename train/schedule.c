/* schedule.c - the learning rate of each update.
 *
 * Updates count from 1. The warm-up reaches the full rate at update `warmup`, and the
 * cosine its floor just after the last update, so that no update has rate 0.
 */
#include "scalar.h"
#include "train.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

static double cosine_rate(const train_schedule *schedule, int64_t step)
{
    double length = (double)(schedule->total - schedule->warmup);
    double done = (double)(step - 1 - schedule->warmup);
    double progress = length > 0 && done < length ? done / length : 1;
    return schedule->rate * (schedule->floor + (1 - schedule->floor) * 0.5 * (1 + scalar_cos(PI * progress)));
}

bool train_schedule_has_end(train_schedule_kind kind)
{
    return kind == TRAIN_COSINE;
}

double train_schedule_rate(const train_schedule *schedule, int64_t step)
{
    double t = (double)(step > 1 ? step : 1);
    double warmup = (double)(schedule->warmup > 1 ? schedule->warmup : 1);
    if (schedule->kind == TRAIN_NOAM)
        return schedule->rate / sqrt((double)schedule->d_model) * fmin(1 / sqrt(t), t / (warmup * sqrt(warmup)));
    if (t <= (double)schedule->warmup)
        return schedule->rate * t / warmup;
    switch (schedule->kind) {
    case TRAIN_COSINE:
        return cosine_rate(schedule, step);
    case TRAIN_INVERSE_SQRT:
        return schedule->rate * sqrt(warmup / t);
    default:
        return schedule->rate;
    }
}
