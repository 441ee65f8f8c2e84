/* packed.h - copies of weights in the order in which products read them, kept while the
 * weights stay the same (ag_tape_keep_weights). */
#ifndef AUTOGRAD_PACKED_H
#define AUTOGRAD_PACKED_H

#include "autograd.h"
#include "kernels/product.h"

/* Sets task->packed to the kept copy of the task's B, the values of `weight`, and makes
 * the copy if there is none; leaves it NULL if the tape keeps no weights or `weight` is
 * not the caller's own memory. AG_NO_MEMORY, and the tape has the error, if memory is
 * out. */
ag_status packed_weight_find(const ag_tensor *weight, product_task *task) AG_CHECKED;

#endif
