/* ranges.c - loops over elements or rows that the threads of a tape share. */
#include "ranges.h"

#include "kernels/parallel.h"
#include "tape.h"

typedef struct range_task {
    range_body *body;
    void *context;
    int64_t piece, count; /* what a piece has of elements or rows, and how many there are */
} range_task;

static void range_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    const range_task *task = context;
    const int64_t last = end * task->piece;
    (void)worker;
    task->body(task->context, begin * task->piece, last < task->count ? last : task->count);
}

void parallel_elements(const ag_tape *tape, int64_t size, double work, range_body *body, void *context)
{
    range_task task = {body, context, PIECE, size};
    kernel_parallel(tape->threads, piece_count(size), work, range_pieces, &task);
}

void parallel_rows(const ag_tape *tape, int64_t rows, double work, range_body *body, void *context)
{
    range_task task = {body, context, 1, rows};
    kernel_parallel(tape->threads, rows, work, range_pieces, &task);
}
