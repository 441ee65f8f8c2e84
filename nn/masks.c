/* masks.c - the masks that a model makes of its configuration and of the lengths in its
 * input. */
#include "layer.h"

const ag_mask *pass_length_mask(const nn_pass *pass, int64_t rows, const int32_t *lengths)
{
    return lengths ? ag_mask_key_lengths(pass->tape, rows, lengths) : NULL;
}

const ag_mask *pass_decoder_mask(const nn_pass *pass, const nn_input *input)
{
    ag_mask *causal = ag_mask_causal(pass->tape, 0);
    if (!input->target_lengths)
        return causal;
    ag_mask *within = ag_mask_key_lengths(pass->tape, input->rows, input->target_lengths);
    return ag_mask_and(pass->tape, causal, within);
}

/* ---- The window of cross-attention ------------------------------------------------- */

void nn_cross_range(const nn_model_config *config, int64_t tokens, int64_t t, int64_t *begin, int64_t *end)
{
    const int64_t window = config->cross_window;
    *begin = 0;
    *end = tokens;
    if (window == 0 || tokens == 0)
        return;
    const int64_t aligned = t < tokens ? t : tokens - 1;
    *begin = aligned > window ? aligned - window : 0;
    *end = t + window + 1 < tokens ? t + window + 1 : tokens;
}

/* The first key of the window around the last of `tokens` tokens. */
static int64_t last_begin(int64_t tokens, int64_t window)
{
    return tokens - 1 > window ? tokens - 1 - window : 0;
}

/* The keys from the last window's first on: no query's window begins later. */
static ag_mask *last_window(const nn_pass *pass, const cross_sources *from, int64_t window)
{
    if (!from->lengths)
        return ag_mask_not(pass->tape, ag_mask_prefix(pass->tape, last_begin(from->longest, window)));
    int32_t *begins = ag_tape_alloc(pass->tape, (size_t)from->rows * sizeof *begins);
    if (!begins)
        return NULL;
    for (int64_t b = 0; b < from->rows; b++)
        begins[b] = (int32_t)last_begin(from->lengths[b], window);
    return ag_mask_not(pass->tape, ag_mask_key_lengths(pass->tape, from->rows, begins));
}

const ag_mask *pass_cross_mask(const nn_model_config *config, const nn_pass *pass, const cross_sources *from,
                                    int64_t start, int64_t queries)
{
    const ag_mask *tokens = pass_length_mask(pass, from->rows, from->lengths);
    const int64_t window = config->cross_window, begin = start > window ? start - window : 0;
    ag_tape *tape = pass->tape;
    if (window == 0)
        return tokens;
    /* The sequences of a beam have one query each, at the same position: then these masks
     * must not depend on the query's number (split_heads in attention.c). */
    ag_mask *upto = queries == 1 ? ag_mask_prefix(tape, start + window + 1) : ag_mask_causal(tape, start + window);
    ag_mask *onward =
        queries == 1 ? ag_mask_not(tape, ag_mask_prefix(tape, begin)) : ag_mask_window(tape, window - start, INT64_MAX);
    ag_mask *mask = ag_mask_and(tape, upto, ag_mask_or(tape, onward, last_window(pass, from, window)));
    return tokens ? ag_mask_and(tape, tokens, mask) : mask;
}
