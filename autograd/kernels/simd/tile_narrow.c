/* tile_narrow.c - a tile of few columns, by vectors of half the level's width: a processor that adds and multiplies
 * whole ones in two halves takes half the time. */
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
