/* tape.c - the tape: the list of nodes, their memory, the first error, and what
 * operations read from the tape when they run (threads, products, dropout).
 *
 * The tape owns all that a step makes. ag_tape_rewind forgets it in one go, which is why
 * no tensor, node or mask is ever freed alone, and why pointers to them end with the
 * rewind. */
#include "tape.h"

#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

/* ---- Life -------------------------------------------------------------------------- */

/* Enough for either kind of product, so that ag_tape_set_matmul allocates nothing. */
static size_t workspace_bytes(int threads)
{
    const size_t plain = kernel_product_workspace(kernels()->product, threads);
    const size_t bf16 = kernels()->product_bf16 ? kernel_product_workspace(kernels()->product_bf16, threads) : 0;
    return plain > bf16 ? plain : bf16;
}

/* Clears the error, unless the instruction-set level was refused: that every tape
 * reports. */
static void clear_error(ag_tape *tape)
{
    tape->error = (ag_error){0};
    tape->error.status = ag_level_check(&tape->error);
}

ag_tape *ag_tape_new(const ag_tape_options *options)
{
    ag_tape *tape = calloc(1, sizeof *tape);
    if (!tape)
        return NULL;
    int threads = options ? options->threads : 0;
    tape->threads = threads > 0 ? threads : kernel_threads_available();
    tape->grad_on = !(options && options->no_grad);
    tape->forgets = options && options->forgets;
    tape->keeps_weights = options && options->keeps_weights;
    tape->measures = options && options->measures;
    tape->lent.is_zeroed = true;
    tape->product = kernels()->product;
    tape->workspace = memory_new(workspace_bytes(tape->threads));
    if (!tape->workspace) {
        free(tape);
        return NULL;
    }
    ag_tape_seed(tape, 0, 0);
    clear_error(tape);
    return tape;
}

void ag_tape_free(ag_tape *tape)
{
    if (!tape)
        return;
    arena_clear(&tape->arena);
    arena_clear(&tape->scratch);
    arena_clear(&tape->lent);
    arena_clear(&tape->packed_arena);
    free(tape->workspace);
    free(tape);
}

void ag_tape_rewind(ag_tape *tape)
{
    arena_rewind(&tape->arena);
    arena_rewind(&tape->scratch);
    clear_error(tape);
    tape->last = NULL;
    tape->scope = NULL;
    tape->blind_queries = 0;
}

/* ---- Errors ------------------------------------------------------------------------ */

const ag_error *ag_tape_error(const ag_tape *tape)
{
    return &tape->error;
}

ag_tensor *ag_tape_fail(ag_tape *tape, ag_status status, const char *format, ...)
{
    char sentence[2 * AG_MESSAGE_SIZE]; /* ag_error_set shortens it */
    va_list arguments;
    if (!tape)
        return NULL;
    va_start(arguments, format);
    ag_text_print_list(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    ag_error_set(&tape->error, status, "%s", sentence);
    return NULL;
}

/* ---- Memory ------------------------------------------------------------------------ */

size_t ag_tape_bytes(const ag_tape *tape)
{
    return tape->arena.bytes + tape->scratch.bytes + tape->lent.bytes + tape->packed_arena.bytes +
           workspace_bytes(tape->threads);
}

/* `place`, or the error of a request that found no memory. */
static void *require_memory(ag_tape *tape, void *place, size_t bytes)
{
    if (!place)
        ag_tape_fail(tape, AG_NO_MEMORY, "out of memory: %zu more %s wanted by a tape that holds %zu", bytes,
                     ag_plural((int64_t)bytes, "byte", "bytes"), ag_tape_bytes(tape));
    return place;
}

void *ag_tape_alloc(ag_tape *tape, size_t bytes)
{
    return require_memory(tape, arena_alloc(&tape->arena, bytes), bytes);
}

const void *tape_copy(ag_tape *tape, const void *data, size_t bytes)
{
    void *copy = data ? ag_tape_alloc(tape, bytes) : NULL;
    return copy && bytes ? memcpy(copy, data, bytes) : copy;
}

void *tape_take(ag_tape *tape, size_t bytes)
{
    return require_memory(tape, arena_take(&tape->arena, bytes), bytes);
}

void *ag_scratch(ag_tape *tape, size_t bytes)
{
    return require_memory(tape, arena_alloc(&tape->scratch, bytes), bytes);
}

/* ---- Settings ---------------------------------------------------------------------- */

int ag_tape_threads(const ag_tape *tape)
{
    return tape->threads;
}

/* NULL if this build or processor has no products of such numbers. */
static const kernel_product *product_with(ag_matmul_numbers numbers)
{
    return numbers == AG_MATMUL_BF16 ? kernels()->product_bf16 : kernels()->product;
}

bool ag_matmul_available(ag_matmul_numbers numbers)
{
    return product_with(numbers) != NULL;
}

bool ag_tape_set_matmul(ag_tape *tape, ag_matmul_numbers numbers)
{
    const kernel_product *product = product_with(numbers);
    if (product)
        tape->product = product;
    return product != NULL;
}

ag_matmul_numbers ag_tape_matmul(const ag_tape *tape)
{
    return tape->product == kernels()->product ? AG_MATMUL_REAL : AG_MATMUL_BF16;
}

bool ag_tape_set_grad(ag_tape *tape, bool on)
{
    bool before = tape->grad_on;
    tape->grad_on = on;
    return before;
}

void ag_tape_seed(ag_tape *tape, uint64_t seed, uint64_t step)
{
    tape->dropout_seed = ag_seed_for(seed, AG_FOR_DROPOUT);
    tape->dropout_step = step;
    tape->dropouts = 0;
}

kernel_dropout tape_next_dropout(ag_tape *tape, double p)
{
    return kernel_dropout_make(tape->dropout_seed, tape->dropout_step, tape->dropouts++, p);
}

/* ---- Reading ----------------------------------------------------------------------- */

const ag_node *ag_tape_last(const ag_tape *tape)
{
    return tape->last;
}

const ag_node *ag_node_before(const ag_node *node)
{
    return node->before;
}

int64_t ag_tape_blind_queries(const ag_tape *tape)
{
    return tape->blind_queries;
}
