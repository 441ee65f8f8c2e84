/* weights.h - a model's parameters from the tensors of a file, in any layout. */
#ifndef TRAIN_WEIGHTS_H
#define TRAIN_WEIGHTS_H

#include "layout.h"

/* Whether a parameter has no tensor in the file; `name` is that of the first one. */
bool train_weights_missing(const data_safetensors *file, train_layout layout, const nn_params *params,
                           char name[TRAIN_NAME]);
/* A model of this configuration with the values of a file's tensors. Each parameter must
 * have a tensor of a float dtype, and each tensor must be a parameter's or one of
 * `others` (ended by NULL; NULL: none). NULL with the error. */
nn_model *train_weights_read(const data_safetensors *file, train_layout layout, const char *const *others,
                             const nn_model_config *config, const char *path, ag_error *error);

#endif
