/* tensors.h - a model's parameters as tensors of a file: found, checked, read and written. */
#ifndef TRAIN_TENSORS_H
#define TRAIN_TENSORS_H

#include "data.h"
#include "nn.h"

#define TRAIN_NAME 256 /* room for a tensor's name; longer ones are no parameter's */

/* Adds every parameter, with the numbers at `values` [params->size]. */
ag_status train_parameters_add(data_writer *writer, const nn_params *params, const ag_real *values,
                               ag_error *error) AG_CHECKED;
/* Reads every parameter. All shapes (and dtypes, where `dtype` is not NULL) are compared before any number is read. */
ag_status train_parameters_read(const data_safetensors *file, nn_params *params, const char *dtype, const char *path,
                                ag_error *error) AG_CHECKED;
/* A tensor of this name and shape in the file; NULL with the error. `dtype` NULL: any. */
const data_tensor *train_tensor_find(const data_safetensors *file, const char *name, ag_shape shape, const char *dtype,
                                     const char *path, ag_error *error);
/* Says that the tensor is missing, and what there is: a tensor that ends in the name and
 * how to take its prefix away, the option that a model without this parameter has, or the
 * first names. */
void train_tensor_missing(const data_safetensors *file, const char *name, const char *path, ag_error *error);
/* The prefix of the one tensor that ends in ".name", dot included; "" where there is
 * none, or several. */
void train_tensor_prefix(const data_safetensors *file, const char *name, char prefix[TRAIN_NAME]);
/* Writes "[2,3]" of a tensor's shape. */
char *train_tensor_shape(const data_tensor *tensor, char *text, size_t size);

#endif
