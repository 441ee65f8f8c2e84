/* transpose.h - transposes a square of LANES x LANES numbers in registers. */
#ifndef AUTOGRAD_KERNELS_TRANSPOSE_H
#define AUTOGRAD_KERNELS_TRANSPOSE_H

#include "level.h"

/* Interleaves the first halves, or the second halves, of a and b: a lane of a, then
 * one of b. */
#if LANE_COUNT == 16
#define FIRST_HALVES(a, b)  PICK(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define SECOND_HALVES(a, b) PICK(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif LANE_COUNT == 8
#define FIRST_HALVES(a, b)  PICK(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define SECOND_HALVES(a, b) PICK(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif LANE_COUNT == 4
#define FIRST_HALVES(a, b)  PICK(a, b, 0, 4, 1, 5)
#define SECOND_HALVES(a, b) PICK(a, b, 2, 6, 3, 7)
#else
#define FIRST_HALVES(a, b)  PICK(a, b, 0, 2)
#define SECOND_HALVES(a, b) PICK(a, b, 1, 3)
#endif

/* Exchanges lane j of x[i] and lane i of x[j].
 *
 * Write an element's place as the bits of its row followed by those of its column. Each
 * round moves the first bit of the row to the end of the column, and the first bit of the
 * column to the end of the row. After as many rounds as either has bits, row and column
 * have changed places. */
static inline void transpose_square(vector x[LANE_COUNT])
{
    vector y[LANE_COUNT];
    UNROLL(4)
    for (int round = 1; round < LANE_COUNT; round *= 2) {
        UNROLL(8)
        for (int i = 0; i < LANE_COUNT / 2; i++) {
            y[2 * i] = FIRST_HALVES(x[i], x[i + LANE_COUNT / 2]);
            y[2 * i + 1] = SECOND_HALVES(x[i], x[i + LANE_COUNT / 2]);
        }
        UNROLL(16)
        for (int i = 0; i < LANE_COUNT; i++)
            x[i] = y[i];
    }
}

/* out[j * out_row + i] = in[i * in_row + j] for 0 <= i, j < LANES. Reads the last row,
 * number rows - 1, again for the rows after it. */
static inline void transpose(int64_t rows, const ag_real *in, int64_t in_row, ag_real *out, int64_t out_row)
{
    vector x[LANE_COUNT];
    UNROLL(16)
    for (int64_t i = 0; i < LANE_COUNT; i++)
        x[i] = load(in + smaller(i, rows - 1) * in_row);
    transpose_square(x);
    UNROLL(16)
    for (int i = 0; i < LANE_COUNT; i++)
        store(out + i * out_row, x[i]);
}

#endif
