/* reference_util.h - the cases of a fixture file of tests/reference, and the comparison
 * with what PyTorch made.
 *
 * tests/reference/fixtures.py says how the files are laid out. */
#ifndef TESTS_REFERENCE_UTIL_H
#define TESTS_REFERENCE_UTIL_H

#include "check_util.h"
#include "data.h"
#include "nn.h"

/* The agreement that the tests demand: see reference_error. */
#define REFERENCE_LIMIT PRECISION(1e-10, 1e-5)

/* The case that a check is called for. */
typedef struct reference_file reference_file;
typedef struct reference {
    reference_file *file;
    const char *name;
} reference;

/* Calls `check` for each case of tests/reference/NAME.safetensors, and prints the largest
 * error. Fails the test if there is no such file, if it has another number of cases, or
 * if a tensor was neither read nor compared. */
void reference_walk(const char *name, int cases, void (*check)(const reference *at));
/* Another case of the same file. */
reference reference_other(const reference *at, const char *name);

/* A setting of the case, which must be there. */
const char *reference_text(const reference *at, const char *key);
int reference_integer(const reference *at, const char *key);
double reference_number(const reference *at, const char *key);
/* The place of a setting's text in a list of `count`. */
int reference_choice(const reference *at, const char *key, const char *const *choices, int count);

/* A tensor; NULL where the case has none of this name. */
const data_tensor *reference_find(const reference *at, const char *name);
/* Its numbers, and its shape unless `shape` is NULL. The tensor must be there; the memory
 * lives as long as the check runs. */
ag_real *reference_values(const reference *at, const char *name, ag_shape *shape);
int32_t *reference_integers(const reference *at, const char *name, ag_shape *shape);
unsigned char *reference_flags(const reference *at, const char *name, ag_shape *shape);

/* The largest error of any element: |a - e| / min(largest, max(1, |e|)), where `largest`
 * is the largest |e| of the tensor. So a number below 1 is measured by its tensor's
 * scale, however small that is, and a number above 1 by itself. A tensor of zeros must be
 * matched by zeros. Infinite where something is not a number. */
double reference_error(const ag_real *expected, const ag_real *actual, int64_t count, int64_t *worst);
/* Fails where the tensor `name` has another shape, or an error above REFERENCE_LIMIT. */
void reference_compare(const reference *at, const char *name, ag_shape shape, const ag_real *actual);

/* Parameters stand in a case as "param/NAME", where tapeformer's name is PREFIXNAME.
 * These fill in the values, and fail unless the names and the shapes of both sides are
 * the same, one for one ... */
void reference_load(const reference *at, nn_params *params, const char *prefix);
/* ... and compare a vector of values or gradients with "KIND/NAME". */
void reference_compare_params(const reference *at, const nn_params *params, const char *prefix, const char *kind,
                              const ag_real *values);

#endif
