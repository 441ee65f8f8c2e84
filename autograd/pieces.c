/* pieces.c - free pieces of a tape's memory, in a list by their addresses. */
#include "pieces.h"

struct memory_piece {
    size_t bytes;
    memory_piece *next; /* at a higher address */
};

/* Takes `bytes` from the front of a free piece; what is left of it stays free. */
static memory_piece *take_free(ag_tape *tape, size_t bytes)
{
    memory_piece **best = NULL;
    for (memory_piece **link = &tape->free_pieces; *link; link = &(*link)->next)
        if ((*link)->bytes >= bytes && (!best || (*link)->bytes < (*best)->bytes))
            best = link;
    if (!best)
        return NULL;
    memory_piece *piece = *best, *next = piece->next;
    if (piece->bytes > bytes) {
        memory_piece *rest = (memory_piece *)(void *)((char *)piece + bytes);
        *rest = (memory_piece){.bytes = piece->bytes - bytes, .next = next};
        next = rest;
    }
    *best = next;
    return piece;
}

void *pieces_take(ag_tape *tape, size_t bytes)
{
    memory_piece *piece = take_free(tape, memory_lines(bytes));
    return piece ? (void *)piece : ag_tape_alloc(tape, bytes);
}

/* (Neighbours are joined, so that large gradients find room as well.) */
void pieces_give(ag_tape *tape, void *place, size_t bytes)
{
    memory_piece **link = &tape->free_pieces, *before = NULL, *piece = place;
    while (*link && (uintptr_t)*link < (uintptr_t)piece) {
        before = *link;
        link = &before->next;
    }
    *piece = (memory_piece){.bytes = memory_lines(bytes), .next = *link};
    *link = piece;
    if (piece->next && (char *)piece + piece->bytes == (char *)piece->next) {
        piece->bytes += piece->next->bytes;
        piece->next = piece->next->next;
    }
    if (before && (char *)before + before->bytes == (char *)piece) {
        before->bytes += piece->bytes;
        before->next = piece->next;
    }
}
