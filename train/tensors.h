/* tensors.h - a model's parameters as tensors of a file: found, checked, read and
 * written. */
#ifndef TRAIN_TENSORS_H
#define TRAIN_TENSORS_H

#include "data.h"
#include "nn.h"

#define TRAIN_NAME 256 /* bytes for a tensor's name; no parameter has a longer one */

/* Adds every parameter to the writer, with the values at `values` [params->size]. */
ag_status train_parameters_add(data_writer *writer, const nn_params *params, const ag_real *values,
                               ag_error *error) AG_CHECKED;
/* Reads every parameter. Checks all shapes, and dtypes if `dtype` is not NULL, before it
 * reads any value. */
ag_status train_parameters_read(const data_safetensors *file, nn_params *params, const char *dtype, const char *path,
                                ag_error *error) AG_CHECKED;
/* The tensor of this name, shape and dtype (NULL: any) in the file; NULL with the
 * error. */
const data_tensor *train_tensor_find(const data_safetensors *file, const char *name, ag_shape shape, const char *dtype,
                                     const char *path, ag_error *error);
/* Reports that the tensor is missing, and what may help: a tensor whose name ends in this
 * one and how to remove its prefix, the option for models without this parameter, or the
 * first name in the file. */
void train_tensor_missing(const data_safetensors *file, const char *name, const char *path, ag_error *error);
/* The prefix, with its dot, of the only tensor whose name ends in ".name"; "" if there is
 * none, or more than one. */
void train_tensor_prefix(const data_safetensors *file, const char *name, char prefix[TRAIN_NAME]);
/* Writes a tensor's shape, "[2,3]", and returns text. */
char *train_tensor_shape(const data_tensor *tensor, char *text, size_t size);

#endif
