/* tape.c - the tape itself: its memory, its error, its scopes, and the tensors that begin on it. */
#include "tape.h"

#include "kernels/kernels.h"
#include "memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For any product that there is. */
static size_t workspace_bytes(int threads)
{
    const size_t plain = kernel_product_workspace(kernels()->product, threads);
    const size_t bf16 = kernels()->product_bf16 ? kernel_product_workspace(kernels()->product_bf16, threads) : 0;
    return plain > bf16 ? plain : bf16;
}

/* Clears the error; a refused level is an error of every tape. */
static void begin_error(ag_tape *tape)
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
    tape->product = kernels()->product;
    tape->workspace = memory_new(workspace_bytes(tape->threads));
    if (!tape->workspace) {
        free(tape);
        return NULL;
    }
    ag_tape_seed(tape, 0, 0);
    begin_error(tape);
    return tape;
}

void ag_tape_free(ag_tape *tape)
{
    if (!tape)
        return;
    arena_clear(&tape->arena);
    arena_clear(&tape->scratch);
    free(tape->workspace);
    free(tape);
}

void ag_tape_rewind(ag_tape *tape)
{
    arena_rewind(&tape->arena);
    arena_rewind(&tape->scratch);
    begin_error(tape);
    tape->last = NULL;
    tape->scope = NULL;
    tape->free_pieces = NULL;
    tape->blind_queries = 0;
}

const ag_error *ag_tape_error(const ag_tape *tape)
{
    return &tape->error;
}

ag_tensor *ag_tape_fail(ag_tape *tape, ag_status status, const char *format, ...)
{
    char sentence[2 * AG_MESSAGE_SIZE]; /* as in error.c: longer than what is left of it when it is shown */
    va_list arguments;
    if (!tape)
        return NULL;
    va_start(arguments, format);
    ag_text_print_list(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    ag_error_set(&tape->error, status, "%s", sentence);
    return NULL;
}

int64_t ag_tape_blind_queries(const ag_tape *tape)
{
    return tape->blind_queries;
}

int ag_tape_threads(const ag_tape *tape)
{
    return tape->threads;
}

size_t ag_tape_bytes(const ag_tape *tape)
{
    return tape->arena.bytes + tape->scratch.bytes + workspace_bytes(tape->threads);
}

/* NULL where there are none with such numbers. */
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

/* ---- Memory --------------------------------------------------------------------------------- */

static void *alloc_from(ag_tape *tape, ag_arena *arena, size_t bytes)
{
    void *place = arena_alloc(arena, bytes);
    if (!place)
        ag_error_set(&tape->error, AG_NO_MEMORY, "out of memory: %zu more %s wanted by a tape that holds %zu", bytes,
                     ag_plural((int64_t)bytes, "byte", "bytes"), ag_tape_bytes(tape));
    return place;
}

void *ag_tape_alloc(ag_tape *tape, size_t bytes)
{
    return alloc_from(tape, &tape->arena, bytes);
}

void *ag_scratch(ag_tape *tape, size_t bytes)
{
    return alloc_from(tape, &tape->scratch, bytes);
}

/* ---- Scopes --------------------------------------------------------------------------------- */

void ag_tape_enter(ag_tape *tape, const char *name)
{
    const char *outer = tape->scope ? tape->scope->text : "";
    size_t outer_length = strlen(outer), length = strlen(name);
    ag_scope *scope = ag_tape_alloc(tape, sizeof *scope);
    char *text = ag_tape_alloc(tape, outer_length + length + 2);
    if (!scope || !text)
        return;
    snprintf(text, outer_length + length + 2, "%s%s%s", outer, outer_length ? "." : "", name);
    *scope = (ag_scope){.text = text, .outer = tape->scope};
    tape->scope = scope;
}

void ag_tape_leave(ag_tape *tape)
{
    if (tape->scope)
        tape->scope = tape->scope->outer;
}

/* ---- Tensors that begin here ---------------------------------------------------------------- */

ag_tensor *tape_tensor_new(ag_tape *tape, ag_shape shape)
{
    char text[AG_SHAPE_TEXT];
    int64_t size = ag_shape_size(shape);
    if (size < 0)
        return ag_tape_fail(tape, AG_BAD_SHAPE, "%s is no shape of a tensor: sizes are 0 or more, axes 5 at most",
                            ag_shape_print(shape, text));
    ag_tensor *x = ag_tape_alloc(tape, sizeof *x);
    if (x)
        *x = (ag_tensor){.shape = shape, .size = size, .tape = tape};
    return x;
}

/* A tensor with memory of its own, a copy of `values` or zeros. */
static ag_tensor *new_with_values(ag_tape *tape, ag_shape shape, const ag_real *values)
{
    ag_tensor *x = tape ? tape_tensor_new(tape, shape) : NULL;
    if (!x || !(x->data = ag_tape_alloc(tape, (size_t)x->size * sizeof(ag_real))))
        return NULL;
    if (values && x->size)
        memcpy(x->data, values, (size_t)x->size * sizeof(ag_real));
    else
        memset(x->data, 0, (size_t)x->size * sizeof(ag_real));
    return x;
}

ag_tensor *ag_constant(ag_tape *tape, ag_shape shape, const ag_real *data)
{
    return new_with_values(tape, shape, data);
}

ag_tensor *ag_variable(ag_tape *tape, ag_shape shape, const ag_real *data)
{
    ag_tensor *x = new_with_values(tape, shape, data);
    if (!x || !(x->grad = ag_tape_alloc(tape, (size_t)x->size * sizeof(ag_real))))
        return NULL;
    memset(x->grad, 0, (size_t)x->size * sizeof(ag_real));
    x->needs_grad = x->retains_grad = true;
    return x;
}

ag_tensor *ag_leaf(ag_tape *tape, ag_shape shape, ag_real *data, ag_real *grad)
{
    ag_tensor *x = tape ? tape_tensor_new(tape, shape) : NULL;
    if (!x)
        return NULL;
    if (!data && x->size)
        return ag_tape_fail(tape, AG_BAD_VALUE, "leaf: no data given");
    x->data = data;
    x->grad = grad;
    x->needs_grad = x->retains_grad = grad != NULL;
    return x;
}

ag_tensor *ag_detach(ag_tensor *x)
{
    return x ? ag_leaf(x->tape, x->shape, x->data, NULL) : NULL;
}

ag_tensor *ag_retain_grad(ag_tensor *x)
{
    if (x && x->needs_grad)
        x->retains_grad = true;
    return x;
}

/* ---- Looking at the tape -------------------------------------------------------------------- */

const ag_node *ag_tape_last(const ag_tape *tape)
{
    return tape->last;
}

const ag_node *ag_node_before(const ag_node *node)
{
    return node->before;
}

bool tape_find_nonfinite(const ag_real *x, int64_t size, double *value)
{
    if (kernels()->elementwise->all_finite(size, x))
        return false;
    for (int64_t i = 0; i < size; i++)
        if (!isfinite(x[i])) {
            *value = (double)x[i];
            return true;
        }
    return false;
}

bool ag_tape_find_nonfinite(ag_tape *tape, char text[AG_MESSAGE_SIZE])
{
    const ag_node *oldest = NULL;
    double value = 0, input_value = 0;

    for (const ag_node *node = tape->last; node; node = node->before)
        if (tape_remember(node->output) == AG_OK && tape_find_nonfinite(node->output->data, node->output->size, &value))
            oldest = node;
    if (!oldest)
        return false;

    int guilty = -1; /* an input that was bad before */
    for (int i = 0; i < oldest->input_count && guilty < 0; i++)
        if (oldest->inputs[i] && tape_find_nonfinite(oldest->inputs[i]->data, oldest->inputs[i]->size, &input_value))
            guilty = i;
    tape_find_nonfinite(oldest->output->data, oldest->output->size, &value);
    if (guilty < 0)
        ag_sentence_print(text, "%s in %s made %g from finite inputs", oldest->op->name,
                          *oldest->scope ? oldest->scope : "the outermost scope", value);
    else
        ag_sentence_print(text, "%s in %s was given %g as input %d", oldest->op->name,
                          *oldest->scope ? oldest->scope : "the outermost scope", input_value, guilty);
    return true;
}
