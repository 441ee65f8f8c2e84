/* copies.c - see copies.h. */
#include "copies.h"

#include <string.h>

data_vocab *train_copies_new(const nn_ensemble *ensemble, const data_vocab *source, const data_vocab *target,
                             ag_error *error)
{
    const data_token_kind kind = data_vocab_kind(target);
    if (ensemble->models[0]->config.kind != NN_ENCODER_DECODER) {
        ag_error_set(error, AG_BAD_VALUE,
                     "only an encoder-decoder has cross-attention, which says what an <unk> is to be a copy of");
        return NULL;
    }
    if (kind != data_vocab_kind(source) || kind == DATA_BPE || data_vocab_marks(target)[DATA_UNK] == DATA_NONE) {
        ag_error_set(error, AG_BAD_VALUE,
                     "a token of a source can be copied where source and target tokens are of one kind that has an "
                     "<unk>, and those of this model are %s and %s",
                     data_token_kind_name((int)data_vocab_kind(source)), data_token_kind_name((int)kind));
        return NULL;
    }
    return data_vocab_copy(target, error);
}

bool train_has_unknown(const data_vocab *copies, const nn_generated *answers)
{
    for (int64_t i = 0; i < answers->rows * answers->best; i++)
        if (data_vocab_count_unknown(copies, answers->hypotheses[i].tokens, answers->hypotheses[i].length))
            return true;
    return false;
}

/* The id of the source's token that is to be copied; -1 when memory is out. The positions
 * of `weights` after the text's tokens are its end mark and padding. */
static int32_t copy_token(data_vocab *copies, const data_vocab *source, const char *text, const ag_real *weights)
{
    const size_t size = strlen(text);
    const char *token, *best = NULL;
    size_t at = 0, token_size, best_size = 0;
    bool best_unknown = false;
    ag_real most = 0;
    for (int64_t j = 0; data_vocab_next(source, text, size, &at, &token, &token_size); j++) {
        const bool unknown = data_vocab_find(source, token, token_size) == DATA_NONE;
        if (data_token_is_tag(token, token_size)) /* no answer has one */
            continue;
        if (best && unknown == best_unknown ? weights[j] <= most : best && best_unknown)
            continue;
        most = weights[j];
        best = token;
        best_size = token_size;
        best_unknown = unknown;
    }
    return best ? data_vocab_add(copies, best, best_size) : data_vocab_marks(copies)[DATA_UNK];
}

ag_status train_copy_unknown(data_vocab *copies, const data_vocab *source, const nn_alignment *alignment,
                             const char *const *texts, nn_generated *answers, ag_error *error)
{
    for (int64_t i = 0; i < answers->rows * answers->best; i++) {
        const int64_t row = i / answers->best;
        const ag_real *weights = nn_alignment_of(alignment, row, (int)(i % answers->best));
        nn_hypothesis *answer = &answers->hypotheses[i];
        for (int64_t t = 0; t < answer->length; t++) {
            if (answer->tokens[t] != data_vocab_marks(copies)[DATA_UNK])
                continue;
            const int32_t id = copy_token(copies, source, texts[row], weights + t * alignment->keys);
            if (id < 0)
                return ag_error_set(error, AG_NO_MEMORY, "no memory for the copied tokens of an answer");
            answer->tokens[t] = id;
        }
    }
    return AG_OK;
}
