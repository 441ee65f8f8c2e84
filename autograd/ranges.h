/* ranges.h - loops over elements or rows that the threads of a tape share. For autograd/
 * alone. */
#ifndef AUTOGRAD_RANGES_H
#define AUTOGRAD_RANGES_H

#include "autograd.h"

/* The elements of a piece, the unit of work of loops over elements. Pieces depend on the
 * number of elements alone, never on the number of threads: so does the result. */
#define PIECE ((int64_t)16384)

static inline int64_t piece_count(int64_t size)
{
    return (size + PIECE - 1) / PIECE;
}

/* Computes the elements (or rows) begin <= i < end. */
typedef void range_body(void *context, int64_t begin, int64_t end);

/* Runs `body` over the elements 0 <= i < size, in pieces of PIECE elements, or over the
 * rows 0 <= i < rows, each of which is a piece. `work` is that of kernel_parallel. */
void parallel_elements(const ag_tape *tape, int64_t size, double work, range_body *body, void *context);
void parallel_rows(const ag_tape *tape, int64_t rows, double work, range_body *body, void *context);

#endif
