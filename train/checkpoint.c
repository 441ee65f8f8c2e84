/* checkpoint.c - the whole state of a run as a .safetensors file: see checkpoint.h.
 *
 * Tensors: the parameters under their names, and flat vectors beside them:
 * "optimizer.first", "optimizer.second", "average". Metadata: the description of the
 * model, the counters ("state."), the options ("run."). Nothing that differs between two
 * equal states is in it: no time, no number of threads, no path.
 */
#include "checkpoint.h"

#include "folder.h"
#include "options.h"
#include "tensors.h"

#include <stdlib.h>
#include <string.h>

#define STATE(member)                                                                                                  \
    {                                                                                                                  \
        TRAIN_MEMBER(TRAIN_RECIPE, train_state, member), .key = "state." #member                                       \
    }

static const train_field state_fields[] = {
    STATE(step),         STATE(evaluated),        STATE(best_step),
    STATE(worse),        STATE(training),         STATE(dev),
    STATE(best.loss),    STATE(best.perplexity),  STATE(best.token_accuracy),
    STATE(best.decoded), STATE(best.exact_match), STATE(best.wer),
    STATE(best.per),     STATE(best.tokens),      STATE(best.sources),
};

static const train_field *state_field(int i)
{
    return i < (int)(sizeof state_fields / sizeof *state_fields) ? &state_fields[i] : NULL;
}

/* The flat vectors beside the parameters, in the order of train_vectors. */
typedef struct vectors {
    ag_real *values[TRAIN_VECTOR_COUNT]; /* NULL where the run has none */
} vectors;

static vectors vectors_of(const train_checkpoint *checkpoint)
{
    return (vectors){{checkpoint->optimizer->first, checkpoint->optimizer->second, checkpoint->average}};
}

/* ---- Saving ------------------------------------------------------------------------ */

static ag_status add_vectors(const train_checkpoint *checkpoint, data_writer *writer, ag_error *error)
{
    vectors flat = vectors_of(checkpoint);
    const ag_shape shape = AG_SHAPE(checkpoint->model->params.size);
    ag_status status = AG_OK;
    for (int i = 0; i < TRAIN_VECTOR_COUNT && status == AG_OK; i++)
        if (flat.values[i])
            status = data_writer_add_real(writer, train_vectors[i], shape, flat.values[i], error);
    return status;
}

ag_status train_checkpoint_save(const train_checkpoint *checkpoint, const char *path, ag_error *error)
{
    const nn_model *model = checkpoint->model;
    data_writer *writer = data_writer_new(error);
    if (!writer)
        return AG_NO_MEMORY;
    ag_status status =
        train_description_write(writer, TRAIN_FORMAT_CHECKPOINT, &model->config, &checkpoint->labels, error);
    if (status == AG_OK)
        status = train_fields_write(train_run_field, checkpoint->options, writer, error);
    if (status == AG_OK)
        status = train_fields_write(state_field, checkpoint->state, writer, error);
    if (status == AG_OK)
        status = data_writer_metadata(writer, TRAIN_LEVEL, ag_level_name(), error);
    if (status == AG_OK)
        status = train_parameters_add(writer, &model->params, model->params.value, error);
    if (status == AG_OK)
        status = add_vectors(checkpoint, writer, error);
    if (status == AG_OK)
        status = data_writer_save(writer, path, error);
    data_writer_free(writer);
    return status;
}

/* ---- Loading ----------------------------------------------------------------------- */

ag_status train_checkpoint_plan(train_options *plan, int64_t *step, const data_safetensors *file, const char *path,
                                ag_error *error)
{
    train_state state = {0};
    ag_status status = train_format_check(file, TRAIN_FORMAT_CHECKPOINT, path, error);
    if (status == AG_OK)
        status = train_fields_read(train_run_field, plan, file, path, error);
    if (status == AG_OK)
        status = train_fields_read(state_field, &state, file, path, error);
    *step = state.step;
    return status;
}

void train_checkpoint_take(train_options *options, const train_options *earlier)
{
    const int64_t steps = options->steps;
    train_fields_take(train_run_field, options, earlier);
    if (options->epochs)
        options->steps = steps; /* another length, which the epochs give */
}

/* The file has the vectors that this run keeps, and no tensor that is unknown to it. */
static ag_status check_tensors(const train_checkpoint *checkpoint, const data_safetensors *file, const char *path,
                               ag_error *error)
{
    const nn_params *params = &checkpoint->model->params;
    vectors flat = vectors_of(checkpoint);
    for (int i = 0; i < TRAIN_VECTOR_COUNT; i++)
        if (flat.values[i] &&
            !train_tensor_find(file, train_vectors[i], AG_SHAPE(params->size), data_real_dtype, path, error))
            return AG_BAD_FILE;
    for (int64_t t = 0; t < data_safetensors_count(file); t++) {
        const char *name = data_safetensors_at(file, t)->name;
        bool known = nn_params_find(params, name) >= 0;
        for (int i = 0; i < TRAIN_VECTOR_COUNT && !known; i++)
            known = flat.values[i] && !strcmp(name, train_vectors[i]);
        if (!known)
            return ag_error_set(error, AG_BAD_FILE, "%s: the tensor %.200s is none of this run's", path, name);
    }
    return AG_OK;
}

static ag_status read_state(const train_checkpoint *checkpoint, train_state *state, const data_safetensors *file,
                            const char *path, ag_error *error)
{
    ag_status status = train_fields_read(state_field, state, file, path, error);
    if (status != AG_OK)
        return status;
    const int64_t counters[] = {state->evaluated, state->best_step, state->worse}; /* none is ahead of the steps */
    bool good = state->step >= 0 && state->step <= INT64_C(1000000000000000);
    for (int i = 0; i < 3; i++)
        good = good && counters[i] >= 0 && counters[i] <= state->step;
    if (!good)
        return ag_error_set(error, AG_BAD_FILE, "%s: the counters of the run do not fit together", path);
    if (state->training != checkpoint->state->training || state->dev != checkpoint->state->dev)
        return ag_error_set(error, AG_BAD_VALUE, "%s: the %s set is not the one that this run began with", path,
                            state->training != checkpoint->state->training ? "training" : "dev");
    return AG_OK;
}

ag_status train_checkpoint_load(train_checkpoint *checkpoint, const data_safetensors *file, const char *path,
                                ag_error *error)
{
    nn_params *params = &checkpoint->model->params;
    train_state state = {0};
    ag_status status = train_description_agrees(file, TRAIN_FORMAT_CHECKPOINT, &checkpoint->model->config,
                                                &checkpoint->labels, path, error);
    if (status == AG_OK)
        status = train_fields_agree(train_run_field, checkpoint->options, file, path, error);
    if (status == AG_OK)
        status = read_state(checkpoint, &state, file, path, error);
    if (status == AG_OK)
        status = check_tensors(checkpoint, file, path, error);
    if (status == AG_OK)
        status = train_parameters_read(file, params, data_real_dtype, path, error);
    vectors flat = vectors_of(checkpoint);
    for (int i = 0; i < TRAIN_VECTOR_COUNT && status == AG_OK; i++)
        if (flat.values[i]) {
            status =
                data_tensor_read(data_safetensors_find(file, train_vectors[i]), flat.values[i], params->size, error);
            data_safetensors_rest(file);
        }
    if (status == AG_OK) {
        *checkpoint->state = state;
        checkpoint->optimizer->step = (uint64_t)state.step;
    }
    return status;
}

ag_status train_checkpoint_read(train_saved *saved, const char *out, ag_error *error)
{
    *saved = (train_saved){0};
    char *path = data_path_join(out, TRAIN_CHECKPOINT_FILE, error);
    ag_status status = path ? train_saved_read(saved, path, TRAIN_FORMAT_CHECKPOINT, error) : AG_NO_MEMORY;
    free(path);
    return status;
}

ag_status train_checkpoint_options(train_options *options, const char *out, ag_error *error)
{
    ag_error own = {0}; /* so that the status is known where the caller wants no error */
    *options = (train_options){0};
    char *path = data_path_join(out, TRAIN_CHECKPOINT_FILE, error);
    if (!path)
        return AG_NO_MEMORY;
    data_safetensors *file = data_safetensors_open(path, &own);
    int64_t step;
    ag_status status = file ? train_checkpoint_plan(options, &step, file, path, &own) : own.status;
    data_safetensors_close(file);
    free(path);
    return status == AG_OK ? AG_OK : ag_error_set(error, status, "%s", own.message);
}
