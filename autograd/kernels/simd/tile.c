/* tile.c - tiles of vectors of the level's width. */
#include "tile_shapes.h"

void KERNEL(tile)(const tile_task *task)
{
#ifdef TILE_NARROW
    if (task->columns <= LANES / 2) {
        KERNEL(tile_narrow)(task);
        return;
    }
#endif
    tiles[task->rows - 1][(task->columns - 1) / LANES](task);
}
