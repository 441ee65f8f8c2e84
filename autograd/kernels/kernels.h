/* kernels.h - the inner loops: plain pointers and sizes, no tensor, no tape.
 *
 * Each family (product, elementwise, rows, attention, update) is a struct of functions, compiled
 * once per instruction-set level from simd/FAMILY.c; kernels() is the best level that
 * this processor has, or the one that the environment variable TAPEFORMER_LEVEL names
 * (generic, avx2, avx512). It is chosen at the first call, for the whole process.
 */
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
/* Whether processor and build have the level of that name. Chooses none. */
bool kernel_level_available(const char *name);
/* Whether the environment names a level that is not available; then `text` becomes a
 * sentence that lists the levels to choose from. */
bool kernel_level_refused(char *text, size_t size);

#endif
