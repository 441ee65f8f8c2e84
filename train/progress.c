/* progress.c - a progress report as one line of text. */
#include "train.h"

/* Appends like snprintf, and never writes past the end. */
#define APPEND(...)                                                                                                    \
    (used += (size_t)ag_text_print(text + (used < size ? used : size - 1), used < size ? size - used : 1, __VA_ARGS__))

static const char *duration(double seconds, char text[32])
{
    long long all = seconds > 0 && seconds < 1e12 ? (long long)(seconds + 0.5) : 0;
    if (all >= 3600)
        snprintf(text, 32, "%lld:%02lld:%02lld", all / 3600, all / 60 % 60, all % 60);
    else
        snprintf(text, 32, "%lld:%02lld", all / 60, all % 60);
    return text;
}

static const char *speed(double per_second, char text[32])
{
    const char *unit = per_second >= 999950 ? "M" : per_second >= 999.5 ? "k" : "";
    double scaled = *unit == 'M' ? per_second / 1e6 : *unit == 'k' ? per_second / 1e3 : per_second;
    ag_text_print(text, 32, *unit ? "%.1f%s" : "%.0f%s", scaled, unit);
    return text;
}

char *train_count_line(int64_t done, const char *unit, double seconds, char *text, size_t size)
{
    char part[32];
    snprintf(text, size, "%lld %s  %s %s/s", (long long)done, unit, speed(seconds > 0 ? (double)done / seconds : 0, part),
             unit);
    return text;
}

char *train_progress_line(const train_progress *progress, char *text, size_t size)
{
    char part[32];
    size_t used = 0;
    if (size == 0)
        return text;
    APPEND("step %lld/%lld", (long long)progress->step, (long long)progress->steps);
    if (progress->dev) {
        const train_metrics *dev = progress->dev;
        APPEND("  dev loss %.4f  token accuracy %.2f%%", dev->loss, 100 * dev->token_accuracy);
        if (dev->decoded)
            APPEND("  word error %.2f%%  token error %.2f%%", 100 * dev->wer, 100 * dev->per);
        if (progress->best)
            APPEND("  best");
        else if (train_metrics_guess(dev))
            APPEND("  no better than guessing (%.4f)", dev->chance);
        return text;
    }
    APPEND("  epoch %lld  loss %.4f  rate %.1e", (long long)progress->epoch, progress->loss, progress->rate);
    APPEND("  %s tokens/s", speed(progress->tokens_per_second, part));
    APPEND("  %s left", duration(progress->seconds_left, part));
    return text;
}
