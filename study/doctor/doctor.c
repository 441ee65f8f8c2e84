/* doctor.c - the examination from end to end: memory, passes, findings. */
#include "doctor.h"

#include <math.h>
#include <stdlib.h>

/* ---- Memory ------------------------------------------------------------------------ */

static ag_status allocate_side(checkup *c, study_side side, const nn_embedding *embedding, const nn_positions *code,
                               const data_vocab *vocab, int64_t length)
{
    checkup_side *s = &c->sides[side];
    s->name = side == SIDE_SOURCE ? "source" : "target";
    s->vocab = vocab;
    s->table = embedding->weight;
    s->positions = code->kind == NN_LEARNED ? code->weight : -1;
    s->words = c->params.items[s->table].shape.dim[0];
    s->length = length;
    s->read = calloc((size_t)s->words + 1, sizeof *s->read);
    s->tokens = calloc((size_t)length + 1, sizeof *s->tokens);
    s->reached = calloc((size_t)length + 1, sizeof *s->reached);
    return s->read && s->tokens && s->reached ? AG_OK : AG_NO_MEMORY;
}

static ag_status allocate(checkup *c)
{
    const nn_model *model = c->patient->model;
    data_set *set = c->patient->set;
    ag_status status = AG_OK;
    c->params = model->params;
    c->params.grad = ag_numbers_new(c->params.size);
    c->elements = calloc((size_t)c->params.size + 1, sizeof *c->elements);
    c->squares = calloc((size_t)c->params.count + 1, sizeof *c->squares);
    c->most_blocks = model->config.encoder_layers + model->config.decoder_layers + AROUND_BLOCKS;
    c->blocks = calloc((size_t)c->most_blocks + 1, sizeof *c->blocks);
    c->tape = ag_tape_new(&(ag_tape_options){.threads = c->patient->threads});
    if (!c->params.grad || !c->elements || !c->squares || !c->blocks || !c->tape)
        status = AG_NO_MEMORY;
    if (status == AG_OK && model->config.kind != NN_DECODER)
        status = allocate_side(c, SIDE_SOURCE, &model->source_embedding, &model->source_positions,
                               data_set_source_vocab(set), data_set_max_source(set));
    if (status == AG_OK && model->config.kind != NN_ENCODER)
        status = allocate_side(c, SIDE_TARGET, &model->target_embedding, &model->target_positions,
                               data_set_target_vocab(set), data_set_max_target(set));
    return status == AG_OK ? AG_OK : ag_error_set(c->error, status, "out of memory for the doctor's notes");
}

static void clear(checkup *c)
{
    for (int side = 0; side < SIDES; side++) {
        free(c->sides[side].read);
        free(c->sides[side].tokens);
        free(c->sides[side].reached);
    }
    data_batch_clear(&c->batch);
    free(c->params.grad);
    free(c->elements);
    free(c->squares);
    free(c->blocks);
    ag_tape_free(c->tape);
}

/* ---- The examination --------------------------------------------------------------- */

static ag_status check_patient(const study_patient *patient, ag_error *error)
{
    if (!patient->model || !patient->set)
        return ag_error_set(error, AG_BAD_VALUE, "the doctor needs a model and a set of examples");
    if (patient->examples < 0 || patient->batch < 0)
        return ag_error_set(error, AG_BAD_VALUE, "the doctor's examples and batch cannot be negative");
    if (patient->model->config.kind != NN_DECODER && !data_set_source_vocab(patient->set))
        return ag_error_set(error, AG_BAD_VALUE, "the model reads pairs, and the set's examples have no source");
    return AG_OK;
}

/* The parameters with a number that is not finite. */
static void check_values(checkup *c)
{
    checkup_list bad = {0};
    for (int i = 0; i < c->params.count; i++) {
        const nn_param *item = &c->params.items[i];
        if (!isfinite(ag_vector_norm(c->params.value + item->offset, item->size, 1)))
            checkup_list_add(&bad, item->name);
    }
    if (bad.count)
        checkup_find(c, STUDY_FAULT, "Go back to a checkpoint from before: nothing can be learned from such numbers.",
                     "%lld %s a NaN or an infinity: %s", (long long)bad.count,
                     ag_plural(bad.count, "parameter holds", "parameters hold"), checkup_list_end(&bad));
}

ag_status study_doctor(const study_patient *patient, study_health *health, ag_error *error)
{
    ag_error own_error = {0};
    checkup c = {.patient = patient, .health = health, .error = error ? error : &own_error};
    *health = (study_health){0};
    for (int side = 0; side < SIDES; side++)
        c.sides[side].table = c.sides[side].positions = -1;
    ag_status status = check_patient(patient, c.error);
    if (status == AG_OK)
        status = allocate(&c);
    if (status == AG_OK) {
        check_values(&c);
        status = checkup_passes(&c);
    }
    if (status == AG_OK && !c.broken)
        status = checkup_damp(&c);
    if (status == AG_OK && !c.broken)
        status = checkup_parameters(&c);
    if (status == AG_OK && !c.broken) {
        checkup_positions(&c);
        status = checkup_layers(&c);
    }
    if (status == AG_OK && !c.broken)
        status = checkup_proofs(&c);
    clear(&c);
    if (status != AG_OK)
        study_health_clear(health);
    return status;
}

void study_health_clear(study_health *health)
{
    free(health->layers);
    *health = (study_health){0};
}
