/* import.c - models from the tensors of other programs: see train.h. */
#include "layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One reading of one file. */
typedef struct importer {
    train_saved *saved;
    const train_import_options *options;
    const data_safetensors *file;
    const char *path;
    ag_error *error;
} importer;

/* ---- The model ------------------------------------------------------------------------------ */

static ag_status make_model(const importer *in)
{
    const train_layout layout = in->options->layout;
    nn_model_config config = in->options->config ? *in->options->config : (nn_model_config){0};
    ag_status status;
    if (in->options->config || layout != TRAIN_LAYOUT_PYTORCH)
        status = train_layout_configure(layout, in->file, &config, in->path, in->error);
    else if (data_safetensors_metadata(in->file, TRAIN_DESCRIBED))
        status = train_description_read(in->file, &config, in->path, in->error);
    else
        status = ag_error_set(in->error, AG_BAD_VALUE,
                              "%s: its metadata describes no model, so its configuration must be said, the number of "
                              "heads at least",
                              in->path);
    if (status != AG_OK)
        return status;
    in->saved->tagging = config.kind == NN_ENCODER;
    in->saved->model = train_weights_read(in->file, layout, NULL, &config, in->path, in->error);
    return in->error->status;
}

/* ---- Vocabularies --------------------------------------------------------------------------- */

/* Words that are the tokens' own numbers. */
static data_vocab *number_tokens(int32_t size, ag_error *error)
{
    data_vocab *vocab = data_vocab_new(DATA_WORDS, error);
    for (int32_t id = DATA_SPECIALS; vocab && id < size; id++) {
        char word[16];
        int length = snprintf(word, sizeof word, "%d", (int)id);
        if (data_vocab_add(vocab, word, (size_t)length) < 0) {
            ag_error_set(error, AG_NO_MEMORY, "no memory for a vocabulary of %d %s", (int)size,
                         ag_plural(size, "token", "tokens"));
            data_vocab_free(vocab);
            vocab = NULL;
        }
    }
    return vocab;
}

/* The vocabulary of one side, of `size` tokens. */
static ag_status make_vocab(const importer *in, const char *key, const data_vocab *given, int32_t size,
                            data_vocab **vocab)
{
    if (!given && data_safetensors_metadata(in->file, key))
        return train_vocab_read(in->file, key, size, vocab, in->path, in->error);
    const int32_t found = given ? data_vocab_size(given) : size < DATA_SPECIALS ? DATA_SPECIALS : size;
    if (found != size)
        return ag_error_set(in->error, AG_BAD_VALUE,
                            "%s: the %s vocabulary has %d %s, the first %d for padding and other marks, and the "
                            "model has %d",
                            in->path, key + strlen("vocab."), (int)found, ag_plural(found, "token", "tokens"),
                            DATA_SPECIALS, (int)size);
    *vocab = given ? data_vocab_copy(given, in->error) : number_tokens(size, in->error);
    return *vocab ? AG_OK : AG_NO_MEMORY;
}

static ag_status make_vocabs(const importer *in)
{
    const nn_model_config *config = &in->saved->model->config;
    ag_status status = AG_OK;
    if (config->kind != NN_DECODER)
        status = make_vocab(in, TRAIN_VOCAB_SOURCE, in->options->source_vocab, config->source_vocab,
                            &in->saved->source_vocab);
    if (status == AG_OK)
        status = make_vocab(in, TRAIN_VOCAB_TARGET, in->options->target_vocab, config->target_vocab,
                            &in->saved->target_vocab);
    return status;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static char *make_text(const importer *in, const char *key, const char *given)
{
    if (!given)
        return train_text_read(in->file, key, in->path, in->error);
    size_t size = strlen(given) + 1;
    char *copy = malloc(size);
    if (copy)
        memcpy(copy, given, size);
    else
        ag_error_set(in->error, AG_NO_MEMORY, "%s: no memory for the metadata", in->path);
    return copy;
}

static ag_status import_file(importer *in)
{
    in->saved->task = make_text(in, "task", in->options->task);
    in->saved->arguments = in->saved->task ? make_text(in, "arguments", in->options->arguments) : NULL;
    ag_status status = in->saved->arguments ? make_model(in) : AG_NO_MEMORY;
    return status == AG_OK ? make_vocabs(in) : status;
}

ag_status train_import(train_saved *saved, const char *path, const train_import_options *options, ag_error *error)
{
    ag_error own = {0}; /* so that the status is known where the caller wants no error */
    *saved = (train_saved){0};
    data_safetensors *file = data_safetensors_open(path, &own);
    importer in = {.saved = saved, .options = options, .file = file, .path = path, .error = &own};
    const ag_status status = file ? import_file(&in) : own.status;
    data_safetensors_close(file);
    if (status == AG_OK)
        return AG_OK;
    train_saved_clear(saved);
    return ag_error_set(error, status, "%s", own.message);
}
