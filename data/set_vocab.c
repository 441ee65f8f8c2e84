/* set_vocab.c - makes the vocabulary of one side of a set's examples from their texts. */
#include "set.h"

#include <string.h>

data_vocab *data_set_vocab(const data_vocab *given, data_token_kind kind, ag_error *error)
{
    return given ? data_vocab_copy(given, error) : data_vocab_new(kind, error);
}

ag_status data_vocab_maker_begin(data_vocab_maker *maker, data_vocab **vocab, int64_t merges, ag_error *error)
{
    *maker = (data_vocab_maker){.vocab = vocab, .merges = merges};
    if (!vocab || data_vocab_kind(*vocab) != DATA_BPE || merges < 0)
        return AG_OK;
    maker->learner = data_learner_new(error);
    return maker->learner ? AG_OK : AG_NO_MEMORY;
}

ag_status data_vocab_maker_add(const data_vocab_maker *maker, data_view text, ag_error *error)
{
    const char *token;
    size_t at = 0, size;
    if (maker->learner)
        return data_learner_add(maker->learner, text.text, text.size, error);
    if (!maker->vocab || data_vocab_kind(*maker->vocab) == DATA_BPE) /* all bytes are there */
        return AG_OK;
    while (data_vocab_next(*maker->vocab, text.text, text.size, &at, &token, &size))
        if (data_vocab_add(*maker->vocab, token, size) < 0)
            return ag_error_set(error, AG_NO_MEMORY, "no memory for a vocabulary");
    return AG_OK;
}

ag_status data_vocab_maker_end(data_vocab_maker *maker, ag_status status, ag_error *error)
{
    data_vocab *learned = NULL;
    if (status == AG_OK && maker->learner) {
        learned = data_learner_vocab(maker->learner, maker->merges, error);
        status = learned ? AG_OK : AG_NO_MEMORY;
    }
    if (learned) {
        data_vocab_free(*maker->vocab);
        *maker->vocab = learned;
    }
    data_learner_free(maker->learner);
    maker->learner = NULL;
    return status;
}

void data_vocab_count_text(const data_vocab *vocab, data_view text, int64_t *counts)
{
    const char *token;
    size_t at = 0, size;
    while (data_vocab_next(vocab, text.text, text.size, &at, &token, &size)) {
        const int32_t id = data_vocab_find(vocab, token, size);
        if (id != DATA_NONE)
            counts[id]++;
    }
}

ag_status data_vocab_keep(data_vocab **vocab, const int64_t *counts, int64_t least, ag_error *error)
{
    data_vocab *kept = data_vocab_new(data_vocab_kind(*vocab), error);
    if (kept && data_vocab_has_tags(*vocab))
        data_vocab_mark_tags(kept);
    for (int32_t id = DATA_SPECIALS; kept && id < data_vocab_size(*vocab); id++) {
        const char *token = data_vocab_token(*vocab, id);
        const bool keeps = counts[id] >= least || data_token_is_tag(token, strlen(token));
        if (keeps && data_vocab_add(kept, token, strlen(token)) < 0) {
            data_vocab_free(kept);
            kept = NULL;
        }
    }
    if (!kept)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for a vocabulary of frequent words");
    data_vocab_free(*vocab);
    *vocab = kept;
    if (data_vocab_size(kept) > DATA_SPECIALS)
        return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE, "no word occurs %lld times: all would be <unk>", (long long)least);
}
