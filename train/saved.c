/* saved.c - models as .safetensors files: see saved.h.
 *
 * Nothing in a file is trusted: its configuration is checked like any caller's, and
 * compared with the file's tensors before memory is allocated for the model that it
 * claims to hold.
 */
#include "saved.h"

#include "folder.h"
#include "options.h"
#include "tensors.h"
#include "weights.h"

#include <stdlib.h>
#include <string.h>

const char *const train_vectors[] = {"optimizer.first", "optimizer.second", "average", NULL};

/* ---- The description --------------------------------------------------------------- */

static ag_status write_vocab(data_writer *writer, const char *key, const data_vocab *vocab, ag_error *error)
{
    if (!vocab)
        return AG_OK;
    char *text = data_vocab_write(vocab, error);
    if (!text)
        return AG_NO_MEMORY;
    ag_status status = data_writer_metadata(writer, key, text, error);
    free(text);
    return status;
}

ag_status train_description_write(data_writer *writer, const char *format, const nn_model_config *config,
                                  const train_labels *labels, ag_error *error)
{
    ag_status status = data_writer_metadata(writer, "format", format, error);
    if (status == AG_OK)
        status = train_fields_write(train_model_field, config, writer, error);
    if (status == AG_OK)
        status = write_vocab(writer, TRAIN_VOCAB_SOURCE, labels->source_vocab, error);
    if (status == AG_OK)
        status = write_vocab(writer, TRAIN_VOCAB_TARGET, labels->target_vocab, error);
    if (status == AG_OK)
        status = data_writer_metadata(writer, "task", labels->task, error);
    if (status == AG_OK)
        status = data_writer_metadata(writer, "arguments", labels->arguments, error);
    return status;
}

ag_status train_format_check(const data_safetensors *file, const char *format, const char *path, ag_error *error)
{
    const char *found = data_safetensors_metadata(file, "format");
    if (!found)
        return ag_error_set(error, AG_BAD_FILE, "%s: this is no file of tapeformer: its metadata names no format",
                            path);
    if (strcmp(found, format))
        return ag_error_set(error, AG_BAD_FILE, "%s: this is a '%.40s', and a '%s' is needed", path, found, format);
    return AG_OK;
}

static ag_status vocab_agrees(const data_safetensors *file, const char *key, const data_vocab *vocab, const char *path,
                              ag_error *error)
{
    const char *found = data_safetensors_metadata(file, key);
    char *text = vocab ? data_vocab_write(vocab, error) : NULL;
    if (vocab && !text)
        return AG_NO_MEMORY;
    bool same = found && text ? !strcmp(found, text) : !found && !text;
    free(text);
    if (!same)
        return ag_error_set(error, AG_BAD_VALUE, "%s: the run's %s vocabulary was another one than it is now", path,
                            key + strlen("vocab."));
    return AG_OK;
}

ag_status train_description_agrees(const data_safetensors *file, const char *format, const nn_model_config *config,
                                   const train_labels *labels, const char *path, ag_error *error)
{
    ag_status status = train_format_check(file, format, path, error);
    if (status == AG_OK)
        status = train_fields_agree(train_model_field, config, file, path, error);
    if (status == AG_OK)
        status = vocab_agrees(file, TRAIN_VOCAB_SOURCE, labels->source_vocab, path, error);
    if (status == AG_OK)
        status = vocab_agrees(file, TRAIN_VOCAB_TARGET, labels->target_vocab, path, error);
    return status;
}

/* ---- Saving ------------------------------------------------------------------------ */

ag_status train_model_save(const nn_model *model, const ag_real *values, const train_labels *labels, const char *path,
                           ag_error *error)
{
    data_writer *writer = data_writer_new(error);
    if (!writer)
        return AG_NO_MEMORY;
    ag_status status = train_description_write(writer, TRAIN_FORMAT_MODEL, &model->config, labels, error);
    if (status == AG_OK)
        status = train_parameters_add(writer, &model->params, values, error);
    if (status == AG_OK)
        status = data_writer_save(writer, path, error);
    data_writer_free(writer);
    return status;
}

/* ---- Loading ----------------------------------------------------------------------- */

ag_status train_description_read(const data_safetensors *file, nn_model_config *config, const char *path,
                                 ag_error *error)
{
    ag_error problem = {0};
    ag_status status = train_fields_read(train_model_field, config, file, path, error);
    if (status == AG_OK && nn_model_config_complete(config, &problem) != AG_OK)
        status = ag_error_set(error, AG_BAD_FILE, "%s: %.300s", path, problem.message);
    return status;
}

ag_status train_vocab_read(const data_safetensors *file, const char *key, int32_t size, data_vocab **vocab,
                           const char *path, ag_error *error)
{
    const char *text = data_safetensors_metadata(file, key);
    ag_error problem = {0};
    if (size == 0)
        return AG_OK;
    if (!text)
        return ag_error_set(error, AG_BAD_FILE, "%s: the metadata \"%s\" is missing", path, key);
    *vocab = data_vocab_read(text, &problem);
    if (!*vocab)
        return ag_error_set(error, problem.status, "%s: the metadata \"%s\": %.300s", path, key, problem.message);
    if (data_vocab_size(*vocab) != size)
        return ag_error_set(error, AG_BAD_FILE, "%s: the %s vocabulary has %d %s and the model's configuration says %d",
                            path, key + strlen("vocab."), (int)data_vocab_size(*vocab),
                            ag_plural(data_vocab_size(*vocab), "token", "tokens"), (int)size);
    return AG_OK;
}

char *train_text_read(const data_safetensors *file, const char *key, const char *given, const char *path,
                      ag_error *error)
{
    const char *text = given ? given : data_safetensors_metadata(file, key);
    text = text ? text : "";
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy)
        memcpy(copy, text, size);
    else
        ag_error_set(error, AG_NO_MEMORY, "%s: no memory for the metadata", path);
    return copy;
}

/* Replaces the newest weights by their average, if the file has it. */
static ag_status read_average(const data_safetensors *file, nn_params *params, const char *path, ag_error *error)
{
    const char *name = train_vectors[TRAIN_VECTOR_AVERAGE];
    if (!data_safetensors_find(file, name))
        return AG_OK;
    const data_tensor *average = train_tensor_find(file, name, AG_SHAPE(params->size), NULL, path, error);
    return average ? data_tensor_read(average, params->value, params->size, error) : AG_BAD_FILE;
}

/* Reads an open file; `path` names it in errors. */
static ag_status read_file(train_saved *saved, const data_safetensors *file, const char *path, const char *format,
                           ag_error *error)
{
    nn_model_config config = {0};
    const char *found = data_safetensors_metadata(file, "format");
    const bool checkpoint = found && !strcmp(found, TRAIN_FORMAT_CHECKPOINT);
    const char *expected = format ? format : checkpoint ? TRAIN_FORMAT_CHECKPOINT : TRAIN_FORMAT_MODEL;
    ag_status status = train_format_check(file, expected, path, error);
    if (status == AG_OK)
        status = train_description_read(file, &config, path, error);
    if (status == AG_OK)
        status = train_vocab_read(file, TRAIN_VOCAB_SOURCE, config.kind == NN_DECODER ? 0 : config.source_vocab,
                                  &saved->source_vocab, path, error);
    if (status == AG_OK)
        status = train_vocab_read(file, TRAIN_VOCAB_TARGET, config.target_vocab, &saved->target_vocab, path, error);
    if (status == AG_OK && !(saved->task = train_text_read(file, "task", NULL, path, error)))
        status = AG_NO_MEMORY;
    if (status == AG_OK && !(saved->level = train_text_read(file, TRAIN_LEVEL, NULL, path, error)))
        status = AG_NO_MEMORY;
    if (status == AG_OK && !(saved->arguments = train_text_read(file, "arguments", NULL, path, error)))
        status = AG_NO_MEMORY;
    if (status == AG_OK && !(saved->model = train_weights_read(
                                 file, TRAIN_LAYOUT_PYTORCH, checkpoint ? train_vectors : NULL, &config, path, error)))
        status = error->status;
    if (status == AG_OK && checkpoint && !format)
        status = read_average(file, &saved->model->params, path, error);
    saved->tagging = config.kind == NN_ENCODER;
    return status;
}

ag_status train_saved_read(train_saved *saved, const char *path, const char *format, ag_error *error)
{
    ag_error own = {0}; /* the caller's may be NULL */
    *saved = (train_saved){0};
    data_safetensors *file = data_safetensors_open(path, &own);
    ag_status status = file ? read_file(saved, file, path, format, &own) : own.status;
    data_safetensors_close(file);
    if (status == AG_OK)
        return AG_OK;
    train_saved_clear(saved);
    return ag_error_set(error, status, "%s", own.message);
}

ag_status train_saved_from(train_saved *saved, const data_safetensors *file, const char *path, ag_error *error)
{
    ag_error own = {0};
    *saved = (train_saved){0};
    if (read_file(saved, file, path, NULL, &own) == AG_OK)
        return AG_OK;
    train_saved_clear(saved);
    return ag_error_set(error, own.status, "%s", own.message);
}

ag_status train_saved_load(train_saved *saved, const char *path, ag_error *error)
{
    *saved = (train_saved){0};
    if (!data_path_is_folder(path))
        return train_saved_read(saved, path, NULL, error);
    char *inside = data_path_join(path, TRAIN_MODEL_FILE, error);
    ag_status status = inside ? train_saved_read(saved, inside, NULL, error) : AG_NO_MEMORY;
    free(inside);
    return status;
}

ag_status train_saved_save(const train_saved *saved, const char *folder, bool overwrite, ag_error *error)
{
    const train_labels labels = {saved->source_vocab, saved->target_vocab, saved->task ? saved->task : "",
                                 saved->arguments ? saved->arguments : ""};
    ag_status status = data_folder_make(folder, error);
    char *path = status == AG_OK ? data_path_join(folder, TRAIN_MODEL_FILE, error) : NULL;
    train_lock lock = {0};
    if (!path)
        return status == AG_OK ? AG_NO_MEMORY : status;
    status = train_lock_take(&lock, folder, error);
    if (status == AG_OK && !overwrite)
        status = train_folder_unused(folder, error);
    if (status == AG_OK)
        status = train_model_save(saved->model, saved->model->params.value, &labels, path, error);
    if (status == AG_OK)
        status = train_folder_drop_run(folder, error);
    train_lock_release(&lock);
    free(path);
    return status;
}

void train_saved_clear(train_saved *saved)
{
    nn_model_free(saved->model);
    data_vocab_free(saved->source_vocab);
    data_vocab_free(saved->target_vocab);
    free(saved->task);
    free(saved->arguments);
    free(saved->level);
    *saved = (train_saved){0};
}
