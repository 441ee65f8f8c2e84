/* draw.h - random shapes for the examples of operations. */
#ifndef AUTOGRAD_OPS_DRAW_H
#define AUTOGRAD_OPS_DRAW_H

#include "autograd.h"

/* A shape of `least` to 5 axes, with sizes from 1 to 7 and at most 60 elements. */
ag_shape draw_shape(ag_example *example, int least);
/* Two shapes that broadcast: one stretches to the other, or each does along some axes.
 * One in five pairs has a shape without elements. */
void draw_broadcast_pair(ag_example *example, ag_shape *a, ag_shape *b);
/* A set of axes of `shape`: none, some, all, or AG_ALL_AXES. */
unsigned draw_axes(ag_example *example, ag_shape shape);

#endif
