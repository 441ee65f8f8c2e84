/* elementwise.c - what the elementwise kernels of all levels share. */
#include "elementwise.h"

kernel_dropout kernel_dropout_make(uint64_t key, uint64_t step, uint64_t number, double p)
{
    return (kernel_dropout){.key = key,
                            .step = step,
                            .number = number,
                            .threshold = (uint64_t)(p * 0x1p32 + 0.5),
                            .scale = p < 1 ? (ag_real)(1 / (1 - p)) : 0};
}
