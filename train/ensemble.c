/* ensemble.c - saved models that answer as one: loads them and compares what they say
 * about tokens. */
#include "saved.h"

#include <stdlib.h>
#include <string.h>

/* The first token that two vocabularies have in different places. */
static int32_t first_difference(const data_vocab *a, const data_vocab *b)
{
    int32_t id = 0;
    while (id < data_vocab_size(a) && !strcmp(data_vocab_token(a, id), data_vocab_token(b, id)))
        id++;
    return id;
}

/* The first merge that two vocabularies of equally many have in different places; -1:
 * none. */
static int32_t first_other_merge(const data_vocab *a, const data_vocab *b)
{
    for (int32_t i = 0; i < data_vocab_merges(a); i++) {
        int32_t left[2], right[2];
        data_vocab_merge(a, i, &left[0], &right[0]);
        data_vocab_merge(b, i, &left[1], &right[1]);
        if (left[0] != left[1] || right[0] != right[1])
            return i;
    }
    return -1;
}

/* Whether both split text into tokens of one kind; NULL is the vocabulary of a language
 * model's sources. */
static ag_status token_kinds_agree(const char *side, const data_vocab *a, const char *a_name, const data_vocab *b,
                                   const char *b_name, ag_error *error)
{
    if (!a || !b || data_vocab_kind(a) == data_vocab_kind(b))
        return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE,
                        "%.120s and %.120s differ in the %s vocabulary, %s and %s: they need the same tokens", a_name,
                        b_name, side, data_token_kind_name((int)data_vocab_kind(a)),
                        data_token_kind_name((int)data_vocab_kind(b)));
}

/* Whether two vocabularies of one size have the same tokens in the same order. */
static ag_status tokens_agree(const char *side, const data_vocab *a, const char *a_name, const data_vocab *b,
                              const char *b_name, ag_error *error)
{
    if (!a)
        return AG_OK;
    const int32_t id = first_difference(a, b);
    if (id == data_vocab_size(a) && data_vocab_merges(a) == data_vocab_merges(b) && first_other_merge(a, b) < 0)
        return AG_OK;
    if (id == data_vocab_size(a))
        return ag_error_set(error, AG_BAD_VALUE,
                            "%.120s and %.120s differ in the %s vocabulary: it has the same tokens, and other merges "
                            "or another order of them",
                            a_name, b_name, side);
    return ag_error_set(error, AG_BAD_VALUE,
                        "%.120s and %.120s differ in the %s vocabulary, where token %d is '%.20s' and '%.20s': they "
                        "need the same tokens in the same order",
                        a_name, b_name, side, (int)id, data_vocab_token(a, id), data_vocab_token(b, id));
}

ag_status train_saved_agree(const train_saved *a, const char *a_name, const train_saved *b, const char *b_name,
                            ag_error *error)
{
    const nn_model *const models[] = {a->model, b->model};
    const char *const names[] = {a_name, b_name};
    const nn_ensemble both = {.models = models, .count = 2, .names = names};
    ag_status status = token_kinds_agree("source", a->source_vocab, a_name, b->source_vocab, b_name, error);
    if (status == AG_OK)
        status = token_kinds_agree("target", a->target_vocab, a_name, b->target_vocab, b_name, error);
    if (status == AG_OK)
        status = nn_ensemble_check(&both, error); /* the kinds of the models, the sizes of the vocabularies */
    if (status == AG_OK)
        status = tokens_agree("source", a->source_vocab, a_name, b->source_vocab, b_name, error);
    return status == AG_OK ? tokens_agree("target", a->target_vocab, a_name, b->target_vocab, b_name, error) : status;
}

/* Loads model i and compares it with the first. */
static ag_status load_model(train_ensemble *ensemble, int i, const char *const *paths, ag_error *error)
{
    ag_status status = train_saved_load(&ensemble->saved[i], paths[i], error);
    if (status != AG_OK)
        return status;
    ensemble->models[i] = ensemble->saved[i].model;
    ensemble->count++;
    return train_saved_agree(&ensemble->saved[0], paths[0], &ensemble->saved[i], paths[i], error);
}

ag_status train_ensemble_load(train_ensemble *ensemble, const char *const *paths, int count, ag_error *error)
{
    *ensemble = (train_ensemble){0};
    if (count < 1)
        return ag_error_set(error, AG_BAD_VALUE, "an ensemble of %d models: it needs one at least", count);
    ensemble->saved = calloc((size_t)count, sizeof *ensemble->saved);
    ensemble->models = calloc((size_t)count, sizeof *ensemble->models);
    ag_status status = AG_OK;
    if (!ensemble->saved || !ensemble->models)
        status = ag_error_set(error, AG_NO_MEMORY, "no memory to load %d models", count);
    for (int i = 0; i < count && status == AG_OK; i++)
        status = load_model(ensemble, i, paths, error);
    if (status == AG_OK)
        ensemble->nn = (nn_ensemble){.models = ensemble->models, .count = count, .names = paths};
    else
        train_ensemble_clear(ensemble);
    return status;
}

void train_ensemble_clear(train_ensemble *ensemble)
{
    for (int i = 0; i < ensemble->count; i++)
        train_saved_clear(&ensemble->saved[i]);
    free(ensemble->saved);
    free(ensemble->models);
    *ensemble = (train_ensemble){0};
}
