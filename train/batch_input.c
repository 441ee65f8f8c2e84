/* batch_input.c - rows of a batch as a model's input, and their loss: see
 * batch_input.h. */
#include "batch_input.h"

#include <string.h>

/* ---- Does the set fit the model? --------------------------------------------------- */

static ag_status vocab_fits(const data_vocab *vocab, int32_t size, const char *side, ag_error *error)
{
    if (!vocab)
        return ag_error_set(error, AG_BAD_VALUE, "the model needs %s texts, and the set has none", side);
    if (data_vocab_size(vocab) != size)
        return ag_error_set(error, AG_BAD_VALUE, "the set's %s vocabulary has %d %s and the model's has %d", side,
                            (int)data_vocab_size(vocab), ag_plural(data_vocab_size(vocab), "token", "tokens"),
                            (int)size);
    return AG_OK;
}

static ag_status length_fits(const nn_model *model, int64_t length, const char *side, ag_error *error)
{
    const int64_t most = nn_model_longest(&model->config);
    if (most && length > most)
        return ag_error_set(error, AG_BAD_VALUE,
                            "the set's longest %s has %lld %s and the model has positions for %lld", side,
                            (long long)length, ag_plural(length, "token", "tokens"), (long long)most);
    return AG_OK;
}

ag_status train_set_fits(const nn_model *model, data_set *set, ag_error *error)
{
    ag_status status = vocab_fits(data_set_target_vocab(set), model->config.target_vocab, "target", error);
    if (status == AG_OK && model->config.kind != NN_DECODER)
        status = vocab_fits(data_set_source_vocab(set), model->config.source_vocab, "source", error);
    if (status == AG_OK && model->config.kind != NN_DECODER)
        status = length_fits(model, data_set_max_source(set), "source", error);
    if (status == AG_OK && model->config.kind != NN_ENCODER)
        status = length_fits(model, data_set_max_target(set), "target", error);
    return status;
}

/* ---- Rows as input ----------------------------------------------------------------- */

static int64_t longest(const int32_t *lengths, int64_t rows)
{
    int64_t most = 0;
    for (int64_t row = 0; row < rows; row++)
        most = lengths[row] > most ? lengths[row] : most;
    return most;
}

/* ids [rows, width] -> the first `kept` columns, [rows, kept]: `ids` itself if that is
 * all of them, else a copy on the tape. */
static const int32_t *first_columns(ag_tape *tape, const int32_t *ids, int64_t rows, int64_t width, int64_t kept)
{
    if (kept == width)
        return ids;
    int32_t *copy = ag_tape_alloc(tape, (size_t)(rows * kept) * sizeof *copy);
    for (int64_t row = 0; copy && kept && row < rows; row++)
        memcpy(copy + row * kept, ids + row * width, (size_t)kept * sizeof *copy);
    return copy;
}

static void add_source(const data_batch *batch, int64_t begin, ag_tape *tape, train_batch_input *rows)
{
    nn_input *input = &rows->input;
    input->source_lengths = batch->source_lengths + begin;
    input->source_length = longest(input->source_lengths, input->rows);
    input->source = first_columns(tape, batch->source + begin * batch->source_length, input->rows, batch->source_length,
                                  input->source_length);
}

static void add_target(const data_batch *batch, int64_t begin, ag_tape *tape, train_batch_input *rows)
{
    nn_input *input = &rows->input;
    input->target_lengths = batch->target_lengths + begin;
    input->target_length = longest(input->target_lengths, input->rows);
    input->target = first_columns(tape, batch->target_in + begin * batch->target_length, input->rows,
                                  batch->target_length, input->target_length);
}

ag_status train_batch_input_make(const nn_model *model, const data_batch *batch, int64_t begin, int64_t end,
                                 ag_tape *tape, train_batch_input *rows, ag_error *error)
{
    bool encoder = model->config.kind == NN_ENCODER, decoder = model->config.kind == NN_DECODER;
    if (encoder && (!batch->source || batch->target_in || batch->source_length != batch->target_length))
        return ag_error_set(error, AG_BAD_VALUE,
                            "an encoder learns from a tagging set, with a target for each source token");
    if (!encoder && (!batch->target_in || (!decoder && !batch->source)))
        return ag_error_set(error, AG_BAD_VALUE, "the set's examples do not have what this kind of model learns from");

    *rows = (train_batch_input){.input.rows = end - begin};
    if (!decoder)
        add_source(batch, begin, tape, rows);
    if (!encoder)
        add_target(batch, begin, tape, rows);
    rows->length = encoder ? rows->input.source_length : rows->input.target_length;
    rows->targets = first_columns(tape, batch->target_out + begin * batch->target_length, rows->input.rows,
                                  batch->target_length, rows->length);
    const ag_error *problem = ag_tape_error(tape);
    return problem->status == AG_OK ? AG_OK : ag_error_set(error, problem->status, "%s", problem->message);
}

ag_tensor *train_batch_input_loss(ag_tensor *logits, const train_batch_input *rows, double label_smoothing)
{
    ag_cross_entropy_options options = {
        .ignore = true, .ignore_index = DATA_NONE, .label_smoothing = label_smoothing, .reduction = AG_SUM};
    return ag_cross_entropy(logits, rows->targets, &options);
}
