/* attention.c - every attention's weights, kept while a model runs. */
#include "study.h"

#include <stdlib.h>
#include <string.h>

typedef struct collector {
    study_maps *maps;
    ag_error *error;
} collector;

void study_maps_clear(study_maps *maps)
{
    for (int i = 0; i < maps->count; i++) {
        free(maps->items[i].name);
        free(maps->items[i].weights);
    }
    free(maps->items);
    *maps = (study_maps){0};
}

/* A copy of one attention's weights [1, heads, queries, keys], behind those that are there. */
static void keep(void *context, const char *name, ag_tensor *weights)
{
    const collector *collect = context;
    study_maps *maps = collect->maps;
    size_t name_size = strlen(name) + 1, bytes = (size_t)weights->size * sizeof(real);
    study_map *items = realloc(maps->items, (size_t)(maps->count + 1) * sizeof *items);
    if (items)
        maps->items = items;
    study_map map = {.name = malloc(name_size),
                     .heads = weights->shape.dim[1],
                     .queries = weights->shape.dim[2],
                     .keys = weights->shape.dim[3],
                     .weights = malloc(bytes ? bytes : 1)};
    if (!items || !map.name || !map.weights) {
        free(map.name);
        free(map.weights);
        ag_error_set(collect->error, AG_NO_MEMORY, "out of memory for the attention of %s", name);
        return;
    }
    memcpy(map.name, name, name_size);
    if (bytes)
        memcpy(map.weights, weights->data, bytes);
    maps->items[maps->count++] = map;
}

ag_status study_attention(const nn_model *model, const nn_input *input, study_maps *maps, ag_error *error)
{
    ag_error own = {0};
    collector collect = {maps, &own};
    *maps = (study_maps){0};
    if (input->rows != 1)
        return ag_error_set(error, AG_BAD_VALUE, "attention is studied on one example, not on %lld",
                            (long long)input->rows);
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.no_grad = true});
    if (!tape)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory");
    nn_pass pass = {.tape = tape, .params = &model->params, .on_attention = keep, .context = &collect};
    if (!nn_model_apply(model, &pass, input))
        ag_error_set(&own, ag_tape_error(tape)->status, "%s", ag_tape_error(tape)->message);
    ag_tape_free(tape);
    if (own.status != AG_OK) {
        study_maps_clear(maps);
        ag_error_set(error, own.status, "%s", own.message);
    }
    return own.status;
}
