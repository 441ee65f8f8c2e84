/* align.c - where the tokens of an answer look in their source: one layer's
 * cross-attention while the model reads its own answer. */
#include "generation.h"
#include "layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One call of nn_ensemble_align. */
typedef struct alignment_work {
    const nn_ensemble *ensemble;
    ag_tape *tape;
    const nn_generated *answers;
    nn_input input;   /* the sources with the answers of one place as targets */
    int32_t *targets; /* [rows, queries] */
    int32_t *lengths; /* [rows] */
    int32_t bos;
    int layer, place;
    char name[64]; /* of the attention that is wanted */
    nn_alignment *alignment;
} alignment_work;

void nn_alignment_clear(nn_alignment *alignment)
{
    free(alignment->weights);
    *alignment = (nn_alignment){0};
}

const ag_real *nn_alignment_of(const nn_alignment *alignment, int64_t row, int place)
{
    return alignment->weights + (row * alignment->best + place) * alignment->queries * alignment->keys;
}

int64_t nn_aligned(const ag_real *weights, int64_t keys)
{
    int64_t most = 0;
    for (int64_t j = 1; j < keys; j++)
        most = weights[j] > weights[most] ? j : most;
    return most;
}

/* nn_pass.on_attention: adds the weights [rows, heads, queries, keys] of the layer that is
 * wanted, averaged over heads and models, to those of the answers of this place. */
static void add_layer(void *context, const char *name, ag_tensor *weights, const ag_mask *mask)
{
    const alignment_work *work = context;
    const int64_t heads = weights->shape.dim[1], queries = weights->shape.dim[2], keys = weights->shape.dim[3];
    const double share = 1.0 / (double)(heads * work->ensemble->count);
    (void)mask;
    if (strcmp(name, work->name) != 0)
        return;
    for (int64_t row = 0; row < work->input.rows; row++) {
        const int64_t length = work->answers->hypotheses[row * work->answers->best + work->place].length;
        ag_real *sums = work->alignment->weights + (row * work->answers->best + work->place) * queries * keys;
        for (int64_t i = 0; i < length * keys; i++) {
            double sum = 0;
            for (int64_t h = 0; h < heads; h++)
                sum += (double)weights->data[(row * heads + h) * queries * keys + i];
            sums[i] += (ag_real)(sum * share);
        }
    }
}

/* Reads the answers of one place with model i. Only the decoder's attention is wanted, so
 * the encoder's stays fused. */
static ag_status read_with_model(void *context, int i, ag_error *error)
{
    alignment_work *work = context;
    const nn_model *model = work->ensemble->models[i];
    nn_pass pass = {.tape = work->tape, .params = &model->params};
    snprintf(work->name, sizeof work->name, "decoder.layers.%d.multihead_attn",
             work->layer < 0 ? model->config.decoder_layers - 1 : work->layer);
    ag_tape_rewind(work->tape);
    ag_tensor *memory = nn_model_encode(model, &pass, &work->input);
    pass.on_attention = add_layer;
    pass.context = work;
    nn_model_decode(model, &pass, &work->input, memory);
    return pass_error(&pass, error);
}

/* The queries of an answer are bos and its tokens except the last, which is predicted
 * only. */
static void fill_targets(alignment_work *work)
{
    const int64_t queries = work->input.target_length;
    for (int64_t row = 0; row < work->input.rows; row++) {
        const nn_hypothesis *answer = &work->answers->hypotheses[row * work->answers->best + work->place];
        int32_t *target = work->targets + row * queries;
        work->lengths[row] = answer->length ? (int32_t)answer->length : 1;
        target[0] = work->bos;
        for (int64_t t = 1; t < queries; t++)
            target[t] = t < answer->length ? answer->tokens[t - 1] : work->bos; /* the lengths say what is padding */
    }
}

static ag_status init_alignment(alignment_work *work, const nn_input *input, ag_error *error)
{
    const nn_generated *answers = work->answers;
    int64_t queries = 1;
    for (int64_t i = 0; i < answers->rows * answers->best; i++)
        queries = answers->hypotheses[i].length > queries ? answers->hypotheses[i].length : queries;
    const int64_t size = ag_shape_size(AG_SHAPE(answers->rows, answers->best, queries, input->source_length));
    *work->alignment =
        (nn_alignment){.rows = answers->rows, .best = answers->best, .queries = queries, .keys = input->source_length};
    work->targets = malloc((size_t)(answers->rows * queries + 1) * sizeof *work->targets);
    work->lengths = malloc((size_t)(answers->rows + 1) * sizeof *work->lengths);
    work->alignment->weights = size >= 0 ? calloc((size_t)size + 1, sizeof(ag_real)) : NULL;
    work->input = *input;
    work->input.target = work->targets;
    work->input.target_length = queries;
    work->input.target_lengths = work->lengths;
    if (work->targets && work->lengths && work->alignment->weights)
        return AG_OK;
    return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for the alignments of %lld %s",
                        (long long)answers->rows, ag_plural(answers->rows, "source", "sources"));
}

/* A model and the layer that it needs to have. */
static ag_status has_layer(void *context, int i, ag_error *error)
{
    const alignment_work *work = context;
    const int layers = work->ensemble->models[i]->config.decoder_layers;
    if (work->layer < layers)
        return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE, "there is no layer %d to align by: the decoder has %d, counted from 0",
                        work->layer, layers);
}

ag_status nn_ensemble_align_check(const nn_ensemble *ensemble, int layer, ag_error *error)
{
    alignment_work work = {.ensemble = ensemble, .layer = layer};
    ag_status status = nn_ensemble_check(ensemble, error);
    if (status == AG_OK && ensemble->models[0]->config.kind != NN_ENCODER_DECODER)
        status = ag_error_set(error, AG_BAD_VALUE,
                              "only an encoder-decoder has cross-attention, which aligns answers with sources");
    return status == AG_OK ? nn_ensemble_each(ensemble, has_layer, &work, error) : status;
}

ag_status nn_ensemble_align(const nn_ensemble *ensemble, ag_tape *tape, const nn_input *input,
                            const nn_generation_options *options, const nn_generated *answers, int layer,
                            nn_alignment *alignment, ag_error *error)
{
    alignment_work work = {.ensemble = ensemble,
                           .tape = tape,
                           .answers = answers,
                           .bos = options && options->marks ? options->marks[NN_BOS] : GENERATION_BOS,
                           .layer = layer,
                           .alignment = alignment};
    *alignment = (nn_alignment){0};
    ag_status status = nn_ensemble_align_check(ensemble, layer, error);
    if (status != AG_OK)
        return status;
    const bool grad_was_on = ag_tape_set_grad(tape, false);
    status = init_alignment(&work, input, error);
    for (; work.place < answers->best && answers->rows > 0 && status == AG_OK; work.place++) {
        fill_targets(&work);
        status = nn_ensemble_each(ensemble, read_with_model, &work, error);
    }
    ag_tape_rewind(tape);
    ag_tape_set_grad(tape, grad_was_on);
    free(work.targets);
    free(work.lengths);
    if (status != AG_OK)
        nn_alignment_clear(alignment);
    return status;
}
