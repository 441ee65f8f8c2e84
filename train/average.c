/* average.c - the mean of several models' weights: see train.h. */
#include "options.h"
#include "saved.h"

#include <stdlib.h>
#include <string.h>

static ag_status configs_agree(const train_saved *a, const char *a_name, const train_saved *b, const char *b_name,
                               ag_error *error)
{
    const nn_model_config *own = &a->model->config;
    nn_model_config other = b->model->config;
    const train_field *field;
    other.dropout = own->dropout; /* train --from may change it */
    for (int i = 0; (field = train_model_field(i)); i++) {
        char values[2][64];
        if (train_field_same(field, own, &other))
            continue;
        train_field_print(field, own, values[0], sizeof values[0]);
        train_field_print(field, &other, values[1], sizeof values[1]);
        return ag_error_set(error, AG_BAD_VALUE,
                            "%.120s and %.120s differ in %s, %s and %s: an average needs models of one configuration",
                            a_name, b_name, field->key + strlen("model."), values[0], values[1]);
    }
    return AG_OK;
}

/* Takes the parameters of the model at `path`, the count-th and like `first`, into the
 * means: mean += (parameter - mean) / count. The mean of equal models is that model, to
 * the bit, which sum / count is not in double: 3 x rounds. */
static ag_status add_model(const train_saved *first, const char *first_path, const char *path, int count,
                           double *means, ag_error *error)
{
    train_saved saved;
    ag_status status = train_saved_load(&saved, path, error);
    if (status != AG_OK)
        return status;
    status = train_saved_agree(first, first_path, &saved, path, error);
    if (status == AG_OK)
        status = configs_agree(first, first_path, &saved, path, error);
    for (int64_t i = 0; status == AG_OK && i < saved.model->params.size; i++)
        means[i] += ((double)saved.model->params.value[i] - means[i]) / count;
    train_saved_clear(&saved);
    return status;
}

/* Replaces the parameters of the first model by the means of all. */
static ag_status average_parameters(const train_saved *mean, const char *const *paths, int count, ag_error *error)
{
    nn_params *params = &mean->model->params;
    double *means = malloc((size_t)(params->size ? params->size : 1) * sizeof *means);
    if (!means)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for the mean of %lld numbers", (long long)params->size);
    for (int64_t i = 0; i < params->size; i++)
        means[i] = (double)params->value[i];
    ag_status status = AG_OK;
    for (int i = 1; i < count && status == AG_OK; i++)
        status = add_model(mean, paths[0], paths[i], i + 1, means, error);
    for (int64_t i = 0; i < params->size && status == AG_OK; i++)
        params->value[i] = (ag_real)means[i];
    free(means);
    return status;
}

ag_status train_average(train_saved *mean, const char *const *paths, int count, ag_error *error)
{
    *mean = (train_saved){0};
    if (count < 1)
        return ag_error_set(error, AG_BAD_VALUE, "an average of %d models: it needs one at least", count);
    ag_status status = train_saved_load(mean, paths[0], error);
    if (status == AG_OK)
        status = average_parameters(mean, paths, count, error);
    if (status != AG_OK)
        train_saved_clear(mean);
    return status;
}
