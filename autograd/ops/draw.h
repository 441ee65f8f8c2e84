/* draw.h - drawn shapes for the examples of several operations. */
#ifndef AUTOGRAD_OPS_DRAW_H
#define AUTOGRAD_OPS_DRAW_H

#include "autograd.h"

/* A shape of `least` to 5 axes with sizes of 1 to 7, odd ones and 1 among them, and some dozens of elements at most. */
ag_shape draw_shape(ag_example *example, int least);
/* Two shapes that broadcast, either way or both ways; now and then one has no element. */
void draw_broadcast_pair(ag_example *example, ag_shape *a, ag_shape *b);
/* A set of axes of `shape`; none, some, or AG_ALL_AXES. */
unsigned draw_axes(ag_example *example, ag_shape shape);

#endif
