/* import.c - models from the tensors of other programs: see train.h. */
#include "saved.h"
#include "weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One reading of one file. */
typedef struct importer {
    train_saved *saved;
    const train_import_options *options;
    data_safetensors *file;
    const char *path;
    ag_error *error;
} importer;

/* ---- The model --------------------------------------------------------------------- */

/* Whether the caller or the layout gives the configuration, and the tensors the sizes. */
static bool is_configured(const importer *in)
{
    return in->options->config || in->options->layout == TRAIN_LAYOUT_GPT2;
}

static ag_status configure(const importer *in, nn_model_config *config, ag_error *error)
{
    *config = in->options->config ? *in->options->config : (nn_model_config){0};
    if (is_configured(in))
        return train_layout_configure(in->options->layout, in->file, config, in->path, error);
    if (data_safetensors_metadata(in->file, TRAIN_DESCRIBED))
        return train_description_read(in->file, config, in->path, error);
    return ag_error_set(error, AG_BAD_VALUE,
                        "%s: its metadata describes no model, so its configuration must be given, at least the "
                        "number of heads",
                        in->path);
}

/* ---- Prefixes ---------------------------------------------------------------------- */

typedef enum matching { ALL_FOUND, ONE_MISSING, NO_MODEL } matching;

/* Whether each parameter has its tensor under the present names; if not, `missing` is the
 * first that has none. */
static matching match_names(const importer *in, char missing[TRAIN_NAME], ag_error *error)
{
    const train_layout layout = in->options->layout;
    const nn_model_kind kind = layout == TRAIN_LAYOUT_GPT2 ? NN_DECODER : in->options->config->kind;
    const char *table = train_layout_missing(layout, kind, in->file);
    nn_model_config config;
    if (table) {
        snprintf(missing, TRAIN_NAME, "%s", table);
        return ONE_MISSING;
    }
    if (configure(in, &config, error) != AG_OK ||
        (int64_t)config.encoder_layers + config.decoder_layers > data_safetensors_count(in->file))
        return NO_MODEL;
    nn_model *model = nn_model_outline(&config, error);
    if (!model)
        return NO_MODEL;
    const bool found = train_weights_missing(in->file, layout, &model->params, missing);
    nn_model_free(model);
    return found ? ONE_MISSING : ALL_FOUND;
}

/* Prefixes one inside the other: "module.", then "transformer.". */
enum { MOST_PREFIXES = 4 };

/* Removes prefixes until each parameter has its tensor; if that does not succeed,
 * restores all names. */
static ag_status strip_prefixes(const importer *in)
{
    char prefixes[MOST_PREFIXES][TRAIN_NAME], missing[TRAIN_NAME];
    ag_error problem = {0};
    int count = 0;
    matching result = match_names(in, missing, &problem);
    while (result == ONE_MISSING && count < MOST_PREFIXES) {
        train_tensor_prefix(in->file, missing, prefixes[count]);
        if (!*prefixes[count] || data_safetensors_strip(in->file, prefixes[count], NULL) != AG_OK)
            break;
        count++;
        result = match_names(in, missing, &problem);
    }
    if (problem.status == AG_NO_MEMORY)
        return ag_error_set(in->error, AG_NO_MEMORY, "%s: %.300s", in->path, problem.message);
    if (result != ALL_FOUND)
        return data_safetensors_strip(in->file, NULL, in->error);
    for (int i = 0; i < count && in->options->on_strip; i++)
        in->options->on_strip(in->options->context, prefixes[i]);
    return AG_OK;
}

static ag_status strip_names(const importer *in)
{
    ag_error problem = {0};
    if (!in->options->strip)
        return is_configured(in) ? strip_prefixes(in) : AG_OK;
    if (data_safetensors_strip(in->file, in->options->strip, &problem) == AG_OK)
        return AG_OK;
    return ag_error_set(in->error, problem.status, "%s: %.300s", in->path, problem.message);
}

/* ---- Weights ----------------------------------------------------------------------- */

/* Refuses weights that are not finite: one of them makes all results NaN. */
static ag_status check_finite(const importer *in)
{
    const nn_params *params = &in->saved->model->params;
    for (int i = 0; i < params->count; i++)
        for (int64_t e = 0; e < params->items[i].size; e++)
            if (!isfinite(params->value[params->items[i].offset + e]))
                return ag_error_set(in->error, AG_BAD_FILE,
                                    "%s: the tensor of %s has %g at place %lld, and weights are finite numbers (an F16 "
                                    "ends at 65504)",
                                    in->path, params->items[i].name, (double)params->value[params->items[i].offset + e],
                                    (long long)e);
    return AG_OK;
}

static ag_status make_model(const importer *in)
{
    const train_layout layout = in->options->layout;
    nn_model_config config;
    ag_status status = strip_names(in);
    if (status == AG_OK)
        status = configure(in, &config, in->error);
    if (status != AG_OK)
        return status;
    in->saved->tagging = config.kind == NN_ENCODER;
    in->saved->model = train_weights_read(in->file, layout, NULL, &config, in->path, in->error);
    return in->saved->model ? check_finite(in) : in->error->status;
}

/* ---- Vocabularies ------------------------------------------------------------------ */

/* A vocabulary whose words are the tokens' numbers, after the usual marks or, as GPT-2's
 * tokens from 0 on are like any others, without marks. */
static data_vocab *number_tokens(int32_t size, bool marked, ag_error *error)
{
    enum { WORD = 12 };
    static const int32_t none[DATA_SPECIALS] = {DATA_NONE, DATA_NONE, DATA_NONE, DATA_NONE};
    char *words = malloc((size_t)size * WORD + 1);
    const char **tokens = malloc(((size_t)size + 1) * sizeof *tokens);
    data_vocab *vocab = words && tokens && marked ? data_vocab_new(DATA_WORDS, NULL) : NULL;
    bool done = words && tokens && (vocab || !marked);
    for (int32_t id = 0; id < size && done; id++) {
        tokens[id] = words + (size_t)id * WORD;
        const int length = snprintf(words + (size_t)id * WORD, WORD, "%d", (int)id);
        if (marked && id >= DATA_SPECIALS)
            done = data_vocab_add(vocab, tokens[id], (size_t)length) >= 0;
    }
    if (done && !marked)
        done = (vocab = data_vocab_list(DATA_WORDS, tokens, size, none, NULL)) != NULL;
    free(words);
    free(tokens);
    if (done)
        return vocab;
    ag_error_set(error, AG_NO_MEMORY, "no memory for a vocabulary of %d %s", (int)size,
                 ag_plural(size, "token", "tokens"));
    data_vocab_free(vocab);
    return NULL;
}

/* The vocabulary of one side, of `size` tokens: the given one, the metadata's, or
 * numbers. */
static ag_status make_vocab(const importer *in, const char *key, const data_vocab *given, int32_t size,
                            data_vocab **vocab)
{
    if (!given && data_safetensors_metadata(in->file, key))
        return train_vocab_read(in->file, key, size, vocab, in->path, in->error);
    const bool marked = in->options->layout != TRAIN_LAYOUT_GPT2;
    const int32_t least = marked ? DATA_SPECIALS : 0;
    const int32_t found = given ? data_vocab_size(given) : size < least ? least : size;
    int marks = !given && marked ? DATA_SPECIALS : 0;
    for (int32_t id = 0; given && id < found; id++)
        marks += data_vocab_is_mark(given, id);
    if (found != size)
        return ag_error_set(in->error, AG_BAD_VALUE,
                            "%s: the %s vocabulary has %d %s, of which %d %s for padding and other marks, and the "
                            "model has %d",
                            in->path, key + strlen("vocab."), (int)found, ag_plural(found, "token", "tokens"), marks,
                            ag_plural(marks, "is", "are"), (int)size);
    *vocab = given ? data_vocab_copy(given, in->error) : number_tokens(size, marked, in->error);
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

/* ---- Importing --------------------------------------------------------------------- */

static ag_status import_file(importer *in)
{
    const train_import_options *options = in->options;
    in->saved->task = train_text_read(in->file, "task", options->task, in->path, in->error);
    if (in->saved->task)
        in->saved->arguments = train_text_read(in->file, "arguments", options->arguments, in->path, in->error);
    ag_status status = in->saved->arguments ? make_model(in) : AG_NO_MEMORY;
    return status == AG_OK ? make_vocabs(in) : status;
}

ag_status train_import(train_saved *saved, const char *path, const train_import_options *options, ag_error *error)
{
    ag_error own = {0}; /* the caller's may be NULL */
    *saved = (train_saved){0};
    data_safetensors *file = train_weights_open(path, &own);
    importer in = {.saved = saved, .options = options, .file = file, .path = path, .error = &own};
    const ag_status status = file ? import_file(&in) : own.status;
    data_safetensors_close(file);
    if (status == AG_OK)
        return AG_OK;
    train_saved_clear(saved);
    return ag_error_set(error, status, "%s", own.message);
}
