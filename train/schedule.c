/* schedule.c - the learning rate of each update.
 *
 * Updates count from 1. The warm-up reaches the full rate at update `warmup`, and the
 * cosine and the lines their floor just after the last update, so that no update has
 * rate 0.
 */
#include "scalar.h"
#include "train.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

bool train_schedule_has_end(train_schedule_kind kind)
{
    return kind == TRAIN_COSINE || kind == TRAIN_LINEAR || kind == TRAIN_WSD;
}

int64_t train_schedule_decay_begin(const train_schedule *schedule)
{
    if (!train_schedule_has_end(schedule->kind))
        return INT64_MAX;
    if (schedule->kind != TRAIN_WSD)
        return schedule->warmup;
    const int64_t begin = schedule->total - (int64_t)(schedule->decay * (double)schedule->total + 0.5);
    return begin > schedule->warmup ? begin : schedule->warmup;
}

/* Where between the rate (1) and its floor (0) the decay is at this update. */
static double decay_share(const train_schedule *schedule, int64_t step)
{
    const int64_t begin = train_schedule_decay_begin(schedule);
    const double length = (double)(schedule->total - begin), past = (double)(step - 1 - begin);
    const double done = past <= 0 ? 0 : past < length ? past / length : 1;
    return schedule->kind == TRAIN_COSINE ? 0.5 * (1 + scalar_cos(PI * done)) : 1 - done;
}

double train_schedule_rate(const train_schedule *schedule, int64_t step)
{
    double t = (double)(step > 1 ? step : 1);
    double warmup = (double)(schedule->warmup > 1 ? schedule->warmup : 1);
    if (schedule->kind == TRAIN_NOAM)
        return schedule->rate / sqrt((double)schedule->d_model) * fmin(1 / sqrt(t), t / (warmup * sqrt(warmup)));
    if (t <= (double)schedule->warmup)
        return schedule->rate * t / warmup;
    if (train_schedule_has_end(schedule->kind))
        return schedule->rate * (schedule->floor + (1 - schedule->floor) * decay_share(schedule, step));
    return schedule->kind == TRAIN_INVERSE_SQRT ? schedule->rate * sqrt(warmup / t) : schedule->rate;
}
