/* notes.c - what one pass adds to the sums: which parameters, tokens and positions have a
 * gradient, and how large values and gradients are. */
#include "doctor.h"

/* The positions of one side's batch: `tokens` [rows, length]. */
typedef struct side_batch {
    const int32_t *tokens, *lengths;
    int64_t rows, length;
} side_batch;

static side_batch batch_of(const checkup *c, study_side side)
{
    const data_batch *b = &c->batch;
    return side == SIDE_SOURCE ? (side_batch){b->source, b->source_lengths, b->rows, b->source_length}
                               : (side_batch){b->target_in, b->target_lengths, b->rows, b->target_length};
}

/* ---- Parameters -------------------------------------------------------------------- */

static void note_parameters(checkup *c)
{
    for (int64_t e = 0; e < c->params.size; e++)
        if (c->params.grad[e] != 0)
            c->elements[e] = ELEMENT_REACHED;
    for (int i = 0; i < c->params.count; i++) {
        const nn_param *item = &c->params.items[i];
        const double norm = ag_vector_norm(c->params.grad + item->offset, item->size, 1) / (double)c->batch.tokens;
        c->squares[i] += norm * norm;
    }
}

/* ---- Tokens and positions ---------------------------------------------------------- */

static bool has_nonzero(const ag_real *x, int64_t size)
{
    for (int64_t i = 0; i < size; i++)
        if (x[i] != 0)
            return true;
    return false;
}

static void note_side(checkup *c, study_side side)
{
    checkup_side *s = &c->sides[side];
    const side_batch b = batch_of(c, side);
    const ag_tensor *x = s->entered;
    for (int64_t row = 0; row < b.rows && b.tokens; row++)
        for (int64_t t = 0; t < b.length; t++) {
            const int64_t place = row * b.length + t, width = x ? x->size / (b.rows * b.length) : 0;
            const bool reached = x && x->grad && has_nonzero(x->grad + place * width, width);
            if (t >= b.lengths[row]) {
                s->leaks += reached;
                continue;
            }
            s->read[b.tokens[place]]++;
            s->tokens[t]++;
            s->reached[t] += reached;
        }
}

/* ---- Blocks ------------------------------------------------------------------------ */

static double sum_of_squares(const ag_real *x, int64_t size)
{
    double sum = 0;
    for (int64_t i = 0; x && i < size; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static void note_block_sums(checkup *c, checkup_block *block)
{
    const side_batch b = batch_of(c, block->side);
    const ag_tensor *y = block->output;
    const int64_t row_size = y->size / b.rows, width = row_size / b.length;
    for (int64_t row = 0; row < b.rows; row++) {
        const int64_t size = b.lengths[row] * width;
        block->value += sum_of_squares(y->data + row * row_size, size);
        block->gradient += sum_of_squares(y->grad ? y->grad + row * row_size : NULL, size);
        block->numbers += (double)size;
    }
}

static void note_unknown(checkup *c)
{
    const data_batch *b = &c->batch;
    const data_set *set = c->patient->set;
    c->unknown += data_vocab_count_unknown(data_set_source_vocab(set), b->source, b->rows * b->source_length) +
                  data_vocab_count_unknown(data_set_target_vocab(set), b->target_out, b->rows * b->target_length);
    c->tokens += b->tokens;
    for (int64_t row = 0; b->source && row < b->rows; row++)
        c->tokens += b->source_lengths[row];
}

void checkup_note_batch(checkup *c)
{
    note_unknown(c);
    note_parameters(c);
    for (int side = 0; side < SIDES; side++)
        if (c->sides[side].table >= 0)
            note_side(c, (study_side)side);
    c->block_count = c->block_now;
    for (int i = 0; i < c->block_count; i++)
        note_block_sums(c, &c->blocks[i]);
}
