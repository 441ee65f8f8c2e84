/* ensemble.c - saved models that answer as one: loads them and compares what they say
 * about tokens. */
#include "options.h"
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

/* Whether both are the same vocabulary; NULL is that of a language model's sources. */
static ag_status vocabs_agree(const char *side, const data_vocab *a, const char *a_name, const data_vocab *b,
                              const char *b_name, ag_error *error)
{
    const char *rule = "both need the same tokens in the same order";
    if (!a || !b)
        return AG_OK;
    if (data_vocab_kind(a) != data_vocab_kind(b))
        return ag_error_set(error, AG_BAD_VALUE, "%.120s and %.120s differ in the %s vocabulary, %s and %s: %s", a_name,
                            b_name, side, data_token_kind_name((int)data_vocab_kind(a)),
                            data_token_kind_name((int)data_vocab_kind(b)), rule);
    if (data_vocab_size(a) != data_vocab_size(b))
        return ag_error_set(error, AG_BAD_VALUE, "%.120s and %.120s differ in the %s vocabulary, %d and %d tokens: %s",
                            a_name, b_name, side, (int)data_vocab_size(a), (int)data_vocab_size(b), rule);
    const int32_t id = first_difference(a, b);
    if (id == data_vocab_size(a))
        return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE,
                        "%.120s and %.120s differ in the %s vocabulary, where token %d is '%.20s' and '%.20s': %s",
                        a_name, b_name, side, (int)id, data_vocab_token(a, id), data_vocab_token(b, id), rule);
}

ag_status train_saved_agree(const train_saved *a, const char *a_name, const train_saved *b, const char *b_name,
                            ag_error *error)
{
    const nn_model_kind kinds[] = {a->model->config.kind, b->model->config.kind};
    if (kinds[0] != kinds[1])
        return ag_error_set(error, AG_BAD_VALUE,
                            "%.120s is of the kind %s and %.120s of the kind %s: both need to be of one kind",
                            a_name, train_model_kind_name((int)kinds[0]), b_name, train_model_kind_name((int)kinds[1]));
    ag_status status = vocabs_agree("source", a->source_vocab, a_name, b->source_vocab, b_name, error);
    return status == AG_OK ? vocabs_agree("target", a->target_vocab, a_name, b->target_vocab, b_name, error) : status;
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
