/* saved.h - a model as a .safetensors file: what model files and checkpoints share.
 *
 * Tensors: every parameter under its own name. Metadata: "format", the configuration
 * ("model.d_model": "256", ..), the vocabularies ("vocab.source", "vocab.target"), "task"
 * and "arguments".
 */
#ifndef TRAIN_SAVED_H
#define TRAIN_SAVED_H

#include "train.h"

/* Keys of the metadata: one that every model has, and those of the vocabularies. */
#define TRAIN_DESCRIBED    "model.kind"
#define TRAIN_VOCAB_SOURCE "vocab.source"
#define TRAIN_VOCAB_TARGET "vocab.target"
/* The key of the instruction-set level at which a checkpoint was computed. */
#define TRAIN_LEVEL "run.level"

/* The names of the flat vectors [params.size] that a checkpoint has beside the
 * parameters, each if its run keeps it; NULL ends them. */
enum { TRAIN_VECTOR_FIRST, TRAIN_VECTOR_SECOND, TRAIN_VECTOR_AVERAGE, TRAIN_VECTOR_COUNT };
extern const char *const train_vectors[];

/* The vocabularies and texts that are saved with a model. */
typedef struct train_labels {
    const data_vocab *source_vocab, *target_vocab; /* source NULL for language models */
    const char *task, *arguments;                  /* never NULL */
} train_labels;

/* AG_BAD_FILE unless the file's metadata "format" is this one. */
ag_status train_format_check(const data_safetensors *file, const char *format, const char *path,
                             ag_error *error) AG_CHECKED;

/* Adds the format, the configuration and the labels to the metadata. */
ag_status train_description_write(data_writer *writer, const char *format, const nn_model_config *config,
                                  const train_labels *labels, ag_error *error) AG_CHECKED;
/* Reads the configuration, completes it and checks it like any caller's. */
ag_status train_description_read(const data_safetensors *file, nn_model_config *config, const char *path,
                                 ag_error *error) AG_CHECKED;
/* Reads the vocabulary under `key`, which must have `size` tokens. Does nothing if `size`
 * is 0. */
ag_status train_vocab_read(const data_safetensors *file, const char *key, int32_t size, data_vocab **vocab,
                           const char *path, ag_error *error) AG_CHECKED;
/* A copy of `given`, or if that is NULL of the text under `key` ("" if there is none);
 * NULL with the error. */
char *train_text_read(const data_safetensors *file, const char *key, const char *given, const char *path,
                      ag_error *error);
/* AG_BAD_VALUE unless the file has this configuration and these vocabularies. */
ag_status train_description_agrees(const data_safetensors *file, const char *format, const nn_model_config *config,
                                   const train_labels *labels, const char *path, ag_error *error) AG_CHECKED;

/* train_saved_load of a file of this format, with a checkpoint's newest weights. `format`
 * NULL: of either format, with a checkpoint's average if it has one. */
ag_status train_saved_read(train_saved *saved, const char *path, const char *format, ag_error *error) AG_CHECKED;

/* AG_BAD_VALUE, with the names of both, unless the models are of one kind and have the
 * same tokens in the same order. */
ag_status train_saved_agree(const train_saved *a, const char *a_name, const train_saved *b, const char *b_name,
                            ag_error *error) AG_CHECKED;

/* Writes a model file: these values, the model's configuration, the labels. */
ag_status train_model_save(const nn_model *model, const ag_real *values, const train_labels *labels, const char *path,
                           ag_error *error) AG_CHECKED;

#endif
