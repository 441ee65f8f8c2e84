/* weights.h - a model's parameters from the tensors of a file, in any layout. */
#ifndef TRAIN_WEIGHTS_H
#define TRAIN_WEIGHTS_H

#include "layout.h"

/* The first tensor that a model of this configuration needs and the file has not: true,
 * and its name. */
bool train_weights_missing(const data_safetensors *file, train_layout layout, const nn_params *params,
                           char name[TRAIN_NAME]);
/* A model of this configuration with the numbers of a file's tensors (weights.c): each parameter has one, of float
 * dtype, and each tensor is a parameter's or one of `others` (names ended by NULL; NULL: none). NULL with the error. */
nn_model *train_weights_read(const data_safetensors *file, train_layout layout, const char *const *others,
                             const nn_model_config *config, const char *path, ag_error *error);

#endif
