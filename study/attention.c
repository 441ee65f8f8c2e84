/* attention.c - keeps the weights of every attention while a model runs, and what its
 * mask allowed. */
#include "study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The context of nn_pass.on_attention. */
typedef struct map_collector {
    const nn_input *input;
    study_maps *maps;
    ag_error *error;
} map_collector;

static void map_clear(study_map *map)
{
    free(map->name);
    free(map->weights);
    free(map->cells);
    free(map->entropy);
}

void study_maps_clear(study_maps *maps)
{
    for (int i = 0; i < maps->count; i++)
        map_clear(&maps->items[i]);
    free(maps->items);
    *maps = (study_maps){0};
}

/* The number of positions before the padding on one side. */
static int64_t side_length(const nn_input *input, bool source)
{
    const int32_t *lengths = source ? input->source_lengths : input->target_lengths;
    return lengths ? lengths[0] : source ? input->source_length : input->target_length;
}

/* The name of the attention tells on which side its queries and keys are. */
static void mark_cells(study_map *map, const nn_input *input, const ag_mask *mask)
{
    const bool from_source = !strncmp(map->name, "encoder.", strlen("encoder.")),
               to_source = from_source || strstr(map->name, ".multihead_attn");
    const int64_t queries = side_length(input, from_source), keys = side_length(input, to_source);
    unsigned char *cell = map->cells;
    for (int64_t h = 0; h < map->heads; h++)
        for (int64_t i = 0; i < map->queries; i++)
            for (int64_t j = 0; j < map->keys; j++)
                *cell++ = (unsigned char)(i >= queries || j >= keys          ? STUDY_PADDING
                                          : ag_mask_allows(mask, 0, h, i, j) ? STUDY_SEEN
                                                                             : STUDY_MASKED);
}

/* -sum w log2 w over the keys of a row; -1 if the row sees no key, or is padding. */
static double row_entropy(const ag_real *weights, const unsigned char *cells, int64_t keys)
{
    bool sees = false;
    double sum = 0;
    for (int64_t j = 0; j < keys; j++) {
        const double w = (double)weights[j];
        sees |= cells[j] == STUDY_SEEN;
        sum -= w > 0 ? w * log2(w) : w; /* (adds 0; or NaN, so that it shows) */
    }
    return sees ? sum : -1;
}

/* Fills in the mean entropy of each head. */
static void average_entropy(study_map *map)
{
    for (int64_t h = 0; h < map->heads; h++) {
        double sum = 0;
        int64_t rows = 0;
        for (int64_t i = 0; i < map->queries; i++) {
            const int64_t row = (h * map->queries + i) * map->keys;
            const double entropy = row_entropy(map->weights + row, map->cells + row, map->keys);
            if (entropy != -1) {
                sum += entropy;
                rows++;
            }
        }
        map->entropy[h] = rows ? sum / (double)rows : 0;
    }
}

/* nn_pass.on_attention: appends a copy of the weights [1, heads, queries, keys]. */
static void keep_map(void *context, const char *name, ag_tensor *weights, const ag_mask *mask)
{
    const map_collector *collect = context;
    study_maps *maps = collect->maps;
    const int64_t *size = weights->shape.dim;
    const size_t elements = (size_t)weights->size;
    study_map *items = realloc(maps->items, (size_t)(maps->count + 1) * sizeof *items);
    if (items)
        maps->items = items;
    /* (one more of each: of 0 bytes, malloc may return NULL) */
    study_map map = {.name = malloc(strlen(name) + 1),
                     .heads = size[1],
                     .queries = size[2],
                     .keys = size[3],
                     .weights = malloc((elements + 1) * sizeof(ag_real)),
                     .cells = malloc(elements + 1),
                     .entropy = malloc((size_t)(size[1] + 1) * sizeof(double))};
    if (!items || !map.name || !map.weights || !map.cells || !map.entropy) {
        map_clear(&map);
        ag_error_set(collect->error, AG_NO_MEMORY, "out of memory for the attention of %s", name);
        return;
    }
    memcpy(map.name, name, strlen(name) + 1);
    memcpy(map.weights, weights->data, elements * sizeof(ag_real));
    mark_cells(&map, collect->input, mask);
    average_entropy(&map);
    maps->items[maps->count++] = map;
}

ag_status study_attention(const nn_model *model, const nn_input *input, study_maps *maps, ag_error *error)
{
    ag_error own = {0};
    map_collector collect = {input, maps, &own};
    *maps = (study_maps){0};
    if (input->rows != 1)
        return ag_error_set(error, AG_BAD_VALUE, "attention is studied on one example, not on %lld",
                            (long long)input->rows);
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.no_grad = true});
    if (!tape)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory");
    nn_pass pass = {.tape = tape, .params = &model->params, .on_attention = keep_map, .context = &collect};
    if (!nn_model_apply(model, &pass, input))
        ag_error_set(&own, ag_tape_error(tape)->status, "%s", ag_tape_error(tape)->message);
    maps->blind = ag_tape_blind_queries(tape);
    ag_tape_free(tape);
    if (own.status != AG_OK) {
        study_maps_clear(maps);
        ag_error_set(error, own.status, "%s", own.message);
    }
    return own.status;
}
