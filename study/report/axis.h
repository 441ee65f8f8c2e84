/* axis.h - the axes of a chart, with round numbers, and which of its points can be
 * drawn. */
#ifndef STUDY_AXIS_H
#define STUDY_AXIS_H

#include "report.h"

enum { AXIS_TICKS = 24, AXIS_NUMBER_SIZE = 32 };

typedef struct axis {
    double low, high; /* low < high */
    bool log;
    int digits; /* that tell the ticks apart */
    int tick_count;
    double ticks[AXIS_TICKS]; /* round numbers between low and high; 0 is never -0 */
} axis;

/* Makes the axes that show all points of the chart, or y from chart->low to chart->high,
 * with about the given numbers of ticks. False if there is no point. */
bool chart_axes(const study_chart *chart, int x_ticks, int y_ticks, axis *x, axis *y);
/* Where a value is between the ends of the axis: 0 at low, 1 at high. */
double axis_share(const axis *a, double value);
/* Prints the number of a tick. Returns its length. */
int axis_print_tick(const axis *a, int tick, char text[AXIS_NUMBER_SIZE]);
/* Which of `count` colours a line has, from 0. A companion has that of the line
 * before. */
int chart_colour(const study_chart *chart, int64_t line, int count);
/* Whether the mark belongs to a line and can be drawn. */
bool chart_has_mark(const study_chart *chart, const study_mark *mark);
/* Whether point i can be drawn: both numbers finite, and above 0 on a logarithmic
 * axis. */
bool chart_has_point(const study_chart *chart, const study_line *line, int64_t i);

#endif
