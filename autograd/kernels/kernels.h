/* kernels.h - the inner loops: on pointers and sizes, without tensors or tapes.
 *
 * Each family (product, elementwise, rows, attention, update) is a struct of functions.
 * Level "plain", in plain/, is the reference: textbook loops to read, which all other
 * levels are tested against. simd/FAMILY.c is compiled once for each of the levels
 * generic, neon, avx2 and avx512, with that level's instructions. Levels plain and
 * generic give the same bytes on every machine, because they never fuse a multiplication
 * and an addition.
 *
 * kernels() is the best level that this processor has, or the one that the environment
 * variable TAPEFORMER_LEVEL names. The first call chooses it for the whole process.
 *
 * A build with TAPEFORMER_PLAIN defined (`make LEVELS=plain`) has level plain alone
 * and is strict C11: no vector extension, attribute, intrinsic or built-in function of
 * a compiler. */
#ifndef AUTOGRAD_KERNELS_H
#define AUTOGRAD_KERNELS_H

#include "attention.h"
#include "elementwise.h"
#include "parallel.h"
#include "product.h"
#include "rows.h"
#include "update.h"

typedef struct kernel_table {
    const char *name; /* "avx2"; NULL: kernel_level_refused */
    const kernel_product *product;
    const kernel_product *product_bf16; /* of operands rounded to bfloat16; NULL: there is none */
    const kernel_elementwise *elementwise;
    const kernel_rows *rows;
    const kernel_attention *attention;
    const kernel_update *update;
} kernel_table;

/* Never NULL. Any thread may make the first call. */
const kernel_table *kernels(void);

#define KERNEL_LEVEL_VARIABLE "TAPEFORMER_LEVEL"
/* The level of that name; NULL if the build or the processor does not have it. Chooses
 * nothing: it is for tests that compare levels. */
const kernel_table *kernel_level(const char *name);
/* Whether the environment names a level that is not available; then `text` becomes a
 * sentence that lists the levels to choose from. */
bool kernel_level_refused(char *text, size_t size);

#endif
