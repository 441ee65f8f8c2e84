/* saved.h - how a model stands in a .safetensors file: what model files and checkpoints share.
 *
 * Tensors: every parameter under its own name. Metadata: "format", the configuration ("model.d_model": "256", ..), the
 * vocabularies ("vocab.source", "vocab.target"), "task" and "arguments".
 */
#ifndef TRAIN_SAVED_H
#define TRAIN_SAVED_H

#include "train.h"

/* The metadata that every description of a model has, and those that vocabularies stand in. */
#define TRAIN_DESCRIBED    "model.kind"
#define TRAIN_VOCAB_SOURCE "vocab.source"
#define TRAIN_VOCAB_TARGET "vocab.target"
/* The instruction-set level that a checkpoint was computed at. */
#define TRAIN_LEVEL "run.level"

/* The flat vectors [params.size] that stand beside the parameters in a checkpoint, each
 * where its run has one; NULL ends them. */
enum { TRAIN_VECTOR_FIRST, TRAIN_VECTOR_SECOND, TRAIN_VECTOR_AVERAGE, TRAIN_VECTOR_COUNT };
extern const char *const train_vectors[];

/* What is saved beside a model's numbers. */
typedef struct train_labels {
    const data_vocab *source_vocab, *target_vocab; /* source NULL for language models */
    const char *task, *arguments;                  /* never NULL */
} train_labels;

/* Whether a file says that it is of this format. */
ag_status train_format_check(const data_safetensors *file, const char *format, const char *path,
                             ag_error *error) AG_CHECKED;

ag_status train_description_write(data_writer *writer, const char *format, const nn_model_config *config,
                                  const train_labels *labels, ag_error *error) AG_CHECKED;
/* Reads the configuration, complete and checked as any caller's. */
ag_status train_description_read(const data_safetensors *file, nn_model_config *config, const char *path,
                                 ag_error *error) AG_CHECKED;
/* Reads the vocabulary under `key`, which must have `size` tokens; leaves *vocab as it is where that is 0, for none. */
ag_status train_vocab_read(const data_safetensors *file, const char *key, int32_t size, data_vocab **vocab,
                           const char *path, ag_error *error) AG_CHECKED;
/* A copy of the text under `key`, "" where there is none; NULL with the error. */
char *train_text_read(const data_safetensors *file, const char *key, const char *path, ag_error *error);
/* Whether the file was made for this configuration and these vocabularies. */
ag_status train_description_agrees(const data_safetensors *file, const char *format, const nn_model_config *config,
                                   const train_labels *labels, const char *path, ag_error *error) AG_CHECKED;

/* Reads what train_saved_load does from a file of this format, a checkpoint's newest
 * weights; of a file of either format where `format` is NULL, a checkpoint's average
 * where it has one. */
ag_status train_saved_read(train_saved *saved, const char *path, const char *format, ag_error *error) AG_CHECKED;

/* A model file: these numbers, this configuration, nothing else. */
ag_status train_model_save(const nn_model *model, const ag_real *values, const train_labels *labels, const char *path,
                           ag_error *error) AG_CHECKED;

#endif
