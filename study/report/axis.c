/* axis.c - see axis.h. */
#include "axis.h"

#include <math.h>

/* Points beyond these are not drawn: differences and margins of such numbers may
 * overflow, or vanish. */
#define MOST  1e250
#define LEAST 1e-250

static bool has_place(double value, bool logarithmic)
{
    return fabs(value) < MOST && (!logarithmic || value > LEAST); /* (false for NaN) */
}

bool chart_has_point(const study_chart *chart, const study_line *line, int64_t i)
{
    return has_place(line->x[i], chart->log_x) && has_place(line->y[i], chart->log_y);
}

bool chart_has_mark(const study_chart *chart, const study_mark *mark)
{
    return mark->line >= 0 && mark->line < chart->line_count && has_place(mark->x, chart->log_x) &&
           has_place(mark->y, chart->log_y);
}

int chart_colour(const study_chart *chart, int64_t line, int count)
{
    int64_t own = 0; /* lines with a colour of their own; the first always has one */
    for (int64_t i = 1; i <= line && i < chart->line_count; i++)
        own += !chart->lines[i].companion;
    return (int)(own % count);
}

static double position(const axis *a, double value)
{
    return a->log ? log10(value) : value;
}

double axis_share(const axis *a, double value)
{
    double low = position(a, a->low);
    return (position(a, value) - low) / (position(a, a->high) - low);
}

/* ---- Ticks ------------------------------------------------------------------------- */

static void add_tick(axis *a, double value)
{
    double share = axis_share(a, value);
    if (share > -1e-9 && share < 1 + 1e-9 && a->tick_count < AXIS_TICKS)
        a->ticks[a->tick_count++] = value == 0 ? 0 : value;
}

int axis_print_tick(const axis *a, int tick, char text[AXIS_NUMBER_SIZE])
{
    return ag_text_print(text, AXIS_NUMBER_SIZE, "%.*g", a->digits, a->ticks[tick]);
}

/* 1, 2 or 5 times a power of ten: about `wanted` such steps make up the range. */
static double round_step(double range, int wanted)
{
    double rough = range / wanted, power = pow(10, floor(log10(rough))), times = rough / power;
    return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

static void linear_ticks(axis *a, int wanted)
{
    double step = round_step(a->high - a->low, wanted), first = ceil(a->low / step - 1e-9);
    a->digits = (int)fmin(fmax(6, 2 + floor(log10(fmax(fabs(a->low), fabs(a->high)) / step))), 15);
    for (int i = 0; i < AXIS_TICKS; i++)
        add_tick(a, (first + i) * step);
}

static void add_decades(axis *a, int first, int last, int stride, bool fine)
{
    a->digits = 6;
    a->tick_count = 0;
    for (int power = first; power <= last; power += stride) {
        add_tick(a, pow(10, power));
        if (fine) {
            add_tick(a, 2 * pow(10, power));
            add_tick(a, 5 * pow(10, power));
        }
    }
}

/* Powers of ten: only some if there are many; with their doubles and quintuples if there
 * are few. */
static void log_ticks(axis *a, int wanted)
{
    int first = (int)floor(log10(a->low)), last = (int)ceil(log10(a->high));
    add_decades(a, first, last, (last - first) / wanted + 1, last - first <= wanted / 2);
    if (a->tick_count < 3)
        add_decades(a, first, last, 1, true);
    if (a->tick_count < 3) {
        a->tick_count = 0;
        linear_ticks(a, wanted);
    }
}

static void make_ticks(axis *a, int wanted)
{
    if (a->log)
        log_ticks(a, wanted);
    else
        linear_ticks(a, wanted);
}

/* ---- Ranges ------------------------------------------------------------------------ */

/* Widens a range that is empty, or too small for the precision of its numbers. */
static void widen(axis *a)
{
    double size = fmax(fabs(a->low), fabs(a->high));
    if (a->high - a->low > size * 1e-9)
        return;
    if (a->log) {
        a->low /= 2;
        a->high *= 2;
        return;
    }
    double room = size > 0 ? size * 0.5 : 1;
    a->low -= room;
    a->high += room;
}

/* Extends the range to 0 if that is near, else by a small margin at both ends. */
static void round_range(axis *a)
{
    double range = a->high - a->low;
    if (a->log) {
        double room = pow(10, 0.04 * (log10(a->high) - log10(a->low)));
        a->low /= room;
        a->high *= room;
        return;
    }
    a->low = a->low >= 0 && a->low < range * 0.5 ? 0 : a->low - range * 0.04;
    a->high = a->high <= 0 && -a->high < range * 0.5 ? 0 : a->high + range * 0.04;
}

static void widen_to(axis *x, axis *y, double at_x, double at_y)
{
    x->low = fmin(x->low, at_x);
    x->high = fmax(x->high, at_x);
    y->low = fmin(y->low, at_y);
    y->high = fmax(y->high, at_y);
}

static bool data_range(const study_chart *chart, axis *x, axis *y)
{
    *x = (axis){.low = INFINITY, .high = -INFINITY, .log = chart->log_x};
    *y = (axis){.low = INFINITY, .high = -INFINITY, .log = chart->log_y};
    for (int64_t k = 0; k < chart->line_count; k++) {
        const study_line *line = &chart->lines[k];
        for (int64_t i = 0; i < line->count; i++)
            if (chart_has_point(chart, line, i))
                widen_to(x, y, line->x[i], line->y[i]);
    }
    for (int64_t k = 0; k < chart->mark_count; k++)
        if (chart_has_mark(chart, &chart->marks[k]))
            widen_to(x, y, chart->marks[k].x, chart->marks[k].y);
    return x->low <= x->high;
}

bool chart_axes(const study_chart *chart, int x_ticks, int y_ticks, axis *x, axis *y)
{
    bool given =
        has_place(chart->low, chart->log_y) && has_place(chart->high, chart->log_y) && chart->low < chart->high;
    if (!data_range(chart, x, y))
        return false;
    widen(x);
    if (given) {
        y->low = chart->low;
        y->high = chart->high;
    } else {
        widen(y);
        round_range(y);
    }
    make_ticks(x, x_ticks);
    make_ticks(y, y_ticks);
    return true;
}
