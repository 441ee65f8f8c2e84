/* reference_util.c - fixture files of tests/reference: cases, settings, tensors,
 * errors. */
#include "reference_util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_HELD = 1024, NAME_SIZE = 256 };

struct reference_file {
    data_safetensors *tensors;
    const char *name;
    bool *seen;            /* of each tensor */
    void *held[MOST_HELD]; /* what the check that runs has read */
    int held_count;
    int compared; /* tensors */
    double error; /* the largest one */
    char worst[NAME_SIZE];
};

/* ---- Files and cases --------------------------------------------------------------- */

static void *hold(reference_file *file, void *memory)
{
    ck_assert_ptr_nonnull(memory);
    ck_assert_int_lt(file->held_count, MOST_HELD);
    return file->held[file->held_count++] = memory;
}

static void let_go(reference_file *file)
{
    while (file->held_count > 0)
        free(file->held[--file->held_count]);
}

static void open_file(reference_file *file, const char *name)
{
    char path[NAME_SIZE];
    ag_error error = {0};
    *file = (reference_file){.name = name};
    snprintf(path, sizeof path, "tests/reference/%s.safetensors", name);
    file->tensors = data_safetensors_open(path, &error);
    ck_assert_msg(file->tensors != NULL, "%s (the tests run in the project's folder)", error.message);
    file->seen = calloc((size_t)data_safetensors_count(file->tensors), sizeof *file->seen);
    ck_assert_ptr_nonnull(file->seen);
}

static void close_file(reference_file *file)
{
    for (int64_t i = 0; i < data_safetensors_count(file->tensors); i++)
        ck_assert_msg(file->seen[i], "%s: no test read %s", file->name,
                      data_safetensors_at(file->tensors, i)->name);
    printf("%s: %d comparisons, largest error %.1e in %s\n", file->name, file->compared, file->error, file->worst);
    free(file->seen);
    data_safetensors_close(file->tensors);
}

void reference_walk(const char *name, int cases, void (*check)(const reference *at))
{
    reference_file file;
    open_file(&file, name);
    const char *listed = data_safetensors_metadata(file.tensors, "cases");
    ck_assert_ptr_nonnull(listed);
    char *names = malloc(strlen(listed) + 1), *next = NULL;
    ck_assert_ptr_nonnull(names);
    strcpy(names, listed);
    int count = 0;
    for (char *at = strtok_r(names, " ", &next); at; at = strtok_r(NULL, " ", &next), count++) {
        check(&(reference){&file, at});
        let_go(&file);
    }
    free(names);
    ck_assert_int_eq(count, cases);
    close_file(&file);
}

reference reference_other(const reference *at, const char *name)
{
    return (reference){at->file, name};
}

/* ---- Settings ---------------------------------------------------------------------- */

const char *reference_text(const reference *at, const char *key)
{
    char whole[NAME_SIZE];
    snprintf(whole, sizeof whole, "%s/%s", at->name, key);
    const char *text = data_safetensors_metadata(at->file->tensors, whole);
    ck_assert_msg(text != NULL, "%s: the setting %s is missing", at->file->name, whole);
    return text;
}

int reference_integer(const reference *at, const char *key)
{
    return (int)strtol(reference_text(at, key), NULL, 10);
}

double reference_number(const reference *at, const char *key)
{
    return strtod(reference_text(at, key), NULL);
}

int reference_choice(const reference *at, const char *key, const char *const *choices, int count)
{
    const char *text = reference_text(at, key);
    for (int i = 0; i < count; i++)
        if (!strcmp(text, choices[i]))
            return i;
    ck_abort_msg("%s: %s/%s is %s", at->file->name, at->name, key, text);
}

/* ---- Tensors ----------------------------------------------------------------------- */

const data_tensor *reference_find(const reference *at, const char *name)
{
    char whole[NAME_SIZE];
    snprintf(whole, sizeof whole, "%s/%s", at->name, name);
    return data_safetensors_find(at->file->tensors, whole);
}

static const data_tensor *look_at(const reference *at, const char *name)
{
    const data_tensor *tensor = reference_find(at, name);
    ck_assert_msg(tensor != NULL, "%s: the tensor %s/%s is missing", at->file->name, at->name, name);
    int64_t place = 0;
    while (data_safetensors_at(at->file->tensors, place) != tensor)
        place++;
    at->file->seen[place] = true;
    return tensor;
}

ag_real *reference_values(const reference *at, const char *name, ag_shape *shape)
{
    const data_tensor *tensor = look_at(at, name);
    ag_shape found = {.ndim = tensor->rank};
    ck_assert_int_le(tensor->rank, AG_MAX_DIMS);
    for (int axis = 0; axis < tensor->rank; axis++)
        found.dim[axis] = (int64_t)tensor->shape[axis];
    const int64_t size = ag_shape_size(found);
    ag_real *values = hold(at->file, malloc((size_t)size * sizeof *values + 1));
    ck_assert_int_eq(data_tensor_read(tensor, values, size, NULL), AG_OK);
    if (shape)
        *shape = found;
    return values;
}

/* The integers of the fixtures are small: `ag_real` holds them exactly. */
int32_t *reference_integers(const reference *at, const char *name, ag_shape *shape)
{
    ag_shape found;
    const ag_real *values = reference_values(at, name, &found);
    const int64_t size = ag_shape_size(found);
    int32_t *integers = hold(at->file, malloc((size_t)size * sizeof *integers + 1));
    for (int64_t i = 0; i < size; i++)
        integers[i] = (int32_t)values[i];
    if (shape)
        *shape = found;
    return integers;
}

unsigned char *reference_flags(const reference *at, const char *name, ag_shape *shape)
{
    ag_shape found;
    const ag_real *values = reference_values(at, name, &found);
    const int64_t size = ag_shape_size(found);
    unsigned char *flags = hold(at->file, malloc((size_t)size + 1));
    for (int64_t i = 0; i < size; i++)
        flags[i] = values[i] != 0;
    if (shape)
        *shape = found;
    return flags;
}

/* ---- Comparing --------------------------------------------------------------------- */

double reference_error(const ag_real *expected, const ag_real *actual, int64_t count, int64_t *worst)
{
    double largest = 0, error = 0;
    *worst = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)expected[i]));
    for (int64_t i = 0; i < count; i++) {
        const double distance = fabs((double)actual[i] - (double)expected[i]);
        const double here = distance == 0 ? 0 : distance / fmin(largest, fmax(1, fabs((double)expected[i])));
        if (!(here <= error)) {
            error = isnan(here) ? INFINITY : here;
            *worst = i;
        }
    }
    return error;
}

void reference_compare(const reference *at, const char *name, ag_shape shape, const ag_real *actual)
{
    char found[AG_SHAPE_TEXT], wanted[AG_SHAPE_TEXT];
    ag_shape own;
    int64_t worst;
    const ag_real *expected = reference_values(at, name, &own);
    if (!ag_shape_equal(shape, own))
        ck_abort_msg("%s: %s/%s has the shape %s instead of %s", at->file->name, at->name, name,
                     ag_shape_print(shape, found), ag_shape_print(own, wanted));
    ck_assert_msg(actual != NULL, "%s: %s/%s: there is nothing to compare", at->file->name, at->name, name);
    const double error = reference_error(expected, actual, ag_shape_size(own), &worst);
    at->file->compared++;
    if (error > at->file->error) {
        at->file->error = error;
        snprintf(at->file->worst, sizeof at->file->worst, "%s/%s", at->name, name);
    }
    if (error > REFERENCE_LIMIT)
        ck_abort_msg("%s: %s/%s: element %lld is %.17g instead of %.17g, an error of %.2g", at->file->name, at->name,
                     name, (long long)worst, (double)actual[worst], (double)expected[worst], error);
}

/* ---- Parameters -------------------------------------------------------------------- */

/* KIND/NAME of the parameter PREFIXNAME. */
static void name_in_file(char out[NAME_SIZE], const nn_param *item, const char *prefix, const char *kind)
{
    ck_assert_msg(!strncmp(item->name, prefix, strlen(prefix)), "%s does not begin with %s", item->name, prefix);
    snprintf(out, NAME_SIZE, "%s/%s", kind, item->name + strlen(prefix));
}

static int count_parameters(const reference *at)
{
    char begin[NAME_SIZE];
    const int length = snprintf(begin, sizeof begin, "%s/param/", at->name);
    int count = 0;
    for (int64_t i = 0; i < data_safetensors_count(at->file->tensors); i++)
        count += !strncmp(data_safetensors_at(at->file->tensors, i)->name, begin, (size_t)length);
    return count;
}

void reference_load(const reference *at, nn_params *params, const char *prefix)
{
    char name[NAME_SIZE];
    ck_assert_int_eq(count_parameters(at), params->count);
    for (int i = 0; i < params->count; i++) {
        const nn_param *item = &params->items[i];
        ag_shape shape;
        name_in_file(name, item, prefix, "param");
        const ag_real *values = reference_values(at, name, &shape);
        ck_assert_msg(ag_shape_equal(shape, item->shape), "%s: %s/%s has another shape", at->file->name, at->name,
                      name);
        memcpy(params->value + item->offset, values, (size_t)item->size * sizeof *values);
    }
}

void reference_compare_params(const reference *at, const nn_params *params, const char *prefix, const char *kind,
                              const ag_real *values)
{
    char name[NAME_SIZE];
    for (int i = 0; i < params->count; i++) {
        name_in_file(name, &params->items[i], prefix, kind);
        reference_compare(at, name, params->items[i].shape, values + params->items[i].offset);
    }
}
