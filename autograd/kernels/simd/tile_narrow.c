/* tile_narrow.c - tiles of few columns, with vectors of half the level's width: half the
 * time on a processor that computes whole vectors in two halves. */
#ifdef KERNEL_LEVEL_avx512
#define VECTOR_BYTES 32
#define TILE_VECTORS 1
#endif
#include "tile.h"

#ifdef TILE_NARROW
#include "tile_shapes.h"

void KERNEL(tile_narrow)(const tile_task *task)
{
    tiles[task->rows - 1][0](task);
}
#endif
