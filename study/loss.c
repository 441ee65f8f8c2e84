/* loss.c - see loss.h. */
#include "loss.h"

#include "data.h"

/* Fills in the answer wanted at each position, [length]: the next token, and `end` after the
 * last. Of a tagger no right answer is known, so its own is wanted. Padding
 * does not count. */
static void fill_wanted(const nn_model *model, const nn_input *input, const ag_tensor *logits, int32_t end,
                        int32_t *wanted)
{
    const bool tags = model->config.kind == NN_ENCODER;
    const int64_t length = logits->shape.dim[1], classes = logits->shape.dim[2];
    const int32_t *lengths = tags ? input->source_lengths : input->target_lengths;
    const int64_t tokens = lengths ? lengths[0] : length;
    for (int64_t i = 0; i < length; i++) {
        const ag_real *row = logits->data + i * classes;
        int32_t best = 0;
        for (int32_t c = 1; c < classes; c++)
            best = row[c] > row[best] ? c : best;
        wanted[i] = i >= tokens ? DATA_NONE : tags ? best : i + 1 < tokens ? input->target[i + 1] : end;
    }
}

ag_tensor *study_loss(const nn_model *model, const nn_input *input, const int32_t *targets, int32_t end,
                      ag_tensor *logits)
{
    const ag_cross_entropy_options options = {.ignore = true, .ignore_index = DATA_NONE};
    if (!logits || targets)
        return ag_cross_entropy(logits, targets, &options);
    int32_t *wanted = ag_tape_alloc(logits->tape, (size_t)logits->shape.dim[1] * sizeof *wanted);
    if (!wanted)
        return NULL;
    fill_wanted(model, input, logits, end, wanted);
    return ag_cross_entropy(logits, wanted, &options);
}
