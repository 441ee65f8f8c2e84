/* pieces.h - memory of a tape that is free again before the rewind: of gradients that are done with, of values that are
 * forgotten. */
#ifndef AUTOGRAD_PIECES_H
#define AUTOGRAD_PIECES_H

#include "tape.h"

/* Memory for `bytes`, aligned as the arena's: of the free pieces the smallest that is large enough, or new. NULL, and
 * the tape has the error, when memory is out. */
void *pieces_take(ag_tape *tape, size_t bytes);
/* Gives back what pieces_take, or ag_tape_alloc, gave for so many bytes, which are not 0. */
void pieces_give(ag_tape *tape, void *place, size_t bytes);

#endif
