/* elementwise.c - what the elementwise kernels of all levels share. */
#include "elementwise.h"

#include "philox.h"

kernel_dropout kernel_dropout_make(uint64_t key, uint64_t step, uint64_t number, double p)
{
    return (kernel_dropout){.key = key,
                            .step = step,
                            .number = number,
                            .threshold = (uint64_t)(p * 0x1p32 + 0.5),
                            .scale = p < 1 ? (ag_real)(1 / (1 - p)) : 0};
}

bool kernel_dropout_keeps(const kernel_dropout *mask, int64_t element)
{
    const uint32_t key[2] = {(uint32_t)mask->key, (uint32_t)(mask->key >> 32)};
    const uint64_t draw = (uint64_t)element / 4;
    const uint32_t counter[4] = {(uint32_t)draw, (uint32_t)(draw >> 32), (uint32_t)mask->number, (uint32_t)mask->step};
    uint32_t words[4];
    philox(counter, key, words);
    return words[element % 4] >= mask->threshold;
}
