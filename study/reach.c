/* reach.c - composes the declared masks.
 *
 * By the residual connection a position always depends on itself; by attention, on
 * whatever the mask lets it look at. A stack of layers lets through the boolean product
 * of their tables. In a decoder's block, cross-attention comes after self-attention, so
 * what it brings in goes no further within the block.
 */
#include "reach.h"

#include <stdlib.h>
#include <string.h>

/* ---- Declared masks ---------------------------------------------------------------- */

/* The mask of one attention: as declared, else the model's own. */
typedef struct declared_mask {
    const ag_mask *mask;
    int64_t heads, queries, keys;
    int64_t tokens; /* keys before the padding */
    bool causal;
    const nn_model_config *crosses; /* of cross-attention, for its window; else NULL */
} declared_mask;

static bool model_allows(const declared_mask *d, int64_t i, int64_t j)
{
    int64_t begin, end;
    if (!d->crosses)
        return j < d->tokens && (!d->causal || j <= i);
    nn_cross_range(d->crosses, d->tokens, i, &begin, &end);
    return j >= begin && j < end;
}

/* Whether any head of query i may look at key j. */
static bool declared_allows(const declared_mask *d, int64_t i, int64_t j)
{
    if (!d->mask)
        return model_allows(d, i, j);
    for (int64_t head = 0; head < d->heads; head++)
        if (ag_mask_allows(d->mask, 0, head, i, j))
            return true;
    return false;
}

/* Fills in a table whose rows are `stride` apart. `residual` adds the residual
 * connection. */
static ag_status fill_table(const declared_mask *d, bool residual, int64_t stride, unsigned char *table,
                            ag_error *error)
{
    ag_status status = ag_mask_fits(d->mask, 1, d->heads, d->queries, d->keys, error);
    for (int64_t i = 0; i < d->queries && status == AG_OK; i++)
        for (int64_t j = 0; j < d->keys; j++)
            table[i * stride + j] = (residual && i == j) || declared_allows(d, i, j);
    return status;
}

static ag_status fill_blocks(reach *r, const study_subject *subject, ag_error *error)
{
    const nn_model_config *config = &subject->model->config;
    const int64_t heads = config->heads, source = r->lengths[SIDE_SOURCE], target = r->lengths[SIDE_TARGET];
    const declared_mask encoder = {subject->encoder_mask, heads, source, source, r->tokens[SIDE_SOURCE], false, NULL},
                        decoder = {subject->decoder_mask, heads, target, target, r->tokens[SIDE_TARGET], true, NULL},
                        cross = {subject->cross_mask, heads, target, source, r->tokens[SIDE_SOURCE], false, config};
    ag_status status = AG_OK;
    if (r->encoder_block)
        status = fill_table(&encoder, true, r->inputs, r->encoder_block, error);
    if (status == AG_OK && r->decoder_block)
        status = fill_table(&decoder, true, r->inputs, r->decoder_block + source, error);
    if (status == AG_OK && r->decoder_block && r->encoder_block)
        status = fill_table(&cross, false, r->inputs, r->decoder_block, error);
    return status;
}

/* ---- Stacks of layers -------------------------------------------------------------- */

/* to[i] |= from[k] for each key k that query i may look at; from and to have rows of
 * `inputs`. */
static void pass_on(const unsigned char *allowed, int64_t queries, int64_t keys, const unsigned char *from,
                    int64_t inputs, unsigned char *to)
{
    for (int64_t i = 0; i < queries; i++)
        for (int64_t k = 0; k < keys; k++)
            if (allowed[i * inputs + k])
                for (int64_t j = 0; j < inputs; j++)
                    to[i * inputs + j] |= from[k * inputs + j];
}

/* Before the first block, each position depends on itself alone. */
static void begin_stack(const reach *r, study_side side, unsigned char *table)
{
    const int64_t first = side == SIDE_TARGET ? r->lengths[SIDE_SOURCE] : 0;
    memset(table, 0, (size_t)(r->lengths[side] * r->inputs));
    for (int64_t i = 0; i < r->lengths[side]; i++)
        table[i * r->inputs + first + i] = 1;
}

/* The reach of a stack of `layers` blocks, in `table`; `room` is scratch memory of the
 * same size. `memory` is the reach of the encoder's result; NULL without an encoder. */
static void compose_stack(const reach *r, study_side side, int layers, const unsigned char *memory,
                          unsigned char *table, unsigned char *room)
{
    const int64_t length = r->lengths[side], source = r->lengths[SIDE_SOURCE];
    const unsigned char *block = side == SIDE_SOURCE ? r->encoder_block : r->decoder_block;
    begin_stack(r, side, table);
    for (int layer = 0; layer < layers; layer++) {
        memcpy(room, table, (size_t)(length * r->inputs));
        pass_on(side == SIDE_SOURCE ? block : block + source, length, length, room, r->inputs, table);
        if (memory)
            pass_on(block, length, source, memory, r->inputs, table);
    }
}

static ag_status compose(reach *r, const nn_model_config *config, ag_error *error)
{
    const int64_t longest =
        r->lengths[SIDE_SOURCE] > r->lengths[SIDE_TARGET] ? r->lengths[SIDE_SOURCE] : r->lengths[SIDE_TARGET];
    unsigned char *memory = calloc((size_t)(longest * r->inputs) + 1, 1),
                  *room = calloc((size_t)(longest * r->inputs) + 1, 1);
    ag_status status = AG_OK;
    if (!memory || !room)
        status = ag_error_set(error, AG_NO_MEMORY, "out of memory for a table of %lld inputs", (long long)r->inputs);
    else if (config->kind == NN_ENCODER)
        compose_stack(r, SIDE_SOURCE, config->encoder_layers, NULL, r->model, room);
    else {
        if (r->encoder_block)
            compose_stack(r, SIDE_SOURCE, config->encoder_layers, NULL, memory, room);
        compose_stack(r, SIDE_TARGET, config->decoder_layers, r->encoder_block ? memory : NULL, r->model, room);
    }
    free(memory);
    free(room);
    return status;
}

/* ---- Making ------------------------------------------------------------------------ */

static ag_status find_sizes(reach *r, const study_subject *subject, ag_error *error)
{
    const nn_input *input = subject->input;
    const nn_model_kind kind = subject->model->config.kind;
    *r = (reach){.output = kind == NN_ENCODER ? SIDE_SOURCE : SIDE_TARGET};
    if (input->rows != 1)
        return ag_error_set(error, AG_BAD_VALUE, "influence is studied on one example, not on %lld",
                            (long long)input->rows);
    if (kind != NN_DECODER) {
        r->lengths[SIDE_SOURCE] = input->source_length;
        r->tokens[SIDE_SOURCE] = input->source_lengths ? *input->source_lengths : input->source_length;
    }
    if (kind != NN_ENCODER) {
        r->lengths[SIDE_TARGET] = input->target_length;
        r->tokens[SIDE_TARGET] = input->target_lengths ? *input->target_lengths : input->target_length;
    }
    r->inputs = r->lengths[SIDE_SOURCE] + r->lengths[SIDE_TARGET];
    if (r->lengths[SIDE_SOURCE] < 0 || r->lengths[SIDE_TARGET] < 0 || ag_shape_size(AG_SHAPE(r->inputs, r->inputs)) < 0)
        return ag_error_set(error, AG_BAD_VALUE, "a source of %lld positions and a target of %lld cannot be studied",
                            (long long)r->lengths[SIDE_SOURCE], (long long)r->lengths[SIDE_TARGET]);
    return AG_OK;
}

static unsigned char *table_new(const reach *r, study_side outputs)
{
    return calloc((size_t)(r->lengths[outputs] * r->inputs) + 1, 1);
}

ag_status reach_init(reach *r, const study_subject *subject, ag_error *error)
{
    if (!subject->model || !subject->input)
        return ag_error_set(error, AG_BAD_VALUE, "a study needs a model and an input: the subject has no %s",
                            subject->model ? "input" : "model");
    const nn_model_config *config = &subject->model->config;
    const bool encodes = config->kind != NN_DECODER, decodes = config->kind != NN_ENCODER;
    ag_status status = find_sizes(r, subject, error);
    if (status != AG_OK)
        return status;
    r->encoder_block = encodes ? table_new(r, SIDE_SOURCE) : NULL;
    r->decoder_block = decodes ? table_new(r, SIDE_TARGET) : NULL;
    r->model = table_new(r, r->output);
    if ((encodes && !r->encoder_block) || (decodes && !r->decoder_block) || !r->model)
        status = ag_error_set(error, AG_NO_MEMORY, "out of memory for a table of %lld inputs", (long long)r->inputs);
    if (status == AG_OK)
        status = fill_blocks(r, subject, error);
    if (status == AG_OK)
        status = compose(r, config, error);
    if (status != AG_OK)
        reach_clear(r);
    return status;
}

void reach_clear(reach *r)
{
    free(r->encoder_block);
    free(r->decoder_block);
    free(r->model);
    *r = (reach){0};
}

/* ---- Asking ------------------------------------------------------------------------ */

study_side reach_side(const reach *r, int64_t j, int64_t *position)
{
    const study_side side = j < r->lengths[SIDE_SOURCE] ? SIDE_SOURCE : SIDE_TARGET;
    *position = side == SIDE_SOURCE ? j : j - r->lengths[SIDE_SOURCE];
    return side;
}

bool reach_allows(const reach *r, reach_part part, study_side output, int64_t i, int64_t j)
{
    int64_t position;
    switch (part) {
    case REACH_ENCODER_BLOCK:
        return r->encoder_block[i * r->inputs + j];
    case REACH_DECODER_BLOCK:
        return r->decoder_block[i * r->inputs + j];
    case REACH_MODEL:
        return r->model[i * r->inputs + j];
    default:
        return reach_side(r, j, &position) == output && position == i;
    }
}
