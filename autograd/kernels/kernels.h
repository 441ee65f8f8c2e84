/* kernels.h - the inner loops: plain pointers and sizes, no tensor, no tape.
 *
 * Each family (product, map, rows, attention, update) is a struct of functions, compiled once per instruction-set level
 * from levels/FAMILY.c; kernels() is the best level that this processor has, chosen when it is first asked for. The
 * environment variable TAPEFORMER_LEVEL (generic, avx2, avx512) forces a lower one.
 */
#ifndef AUTOGRAD_KERNELS_H
#define AUTOGRAD_KERNELS_H

#include "attention.h"
#include "map.h"
#include "parallel.h"
#include "product.h"
#include "rows.h"
#include "update.h"

typedef struct kernel_table {
    const char *name; /* "avx2" */
    const kernel_product *product;
    const kernel_product *product_bf16; /* of operands rounded to bfloat16; NULL: there is none */
    const kernel_map *map;
    const kernel_rows *rows;
    const kernel_attention *attention;
    const kernel_update *update;
} kernel_table;

const kernel_table *kernels(void);

#endif
