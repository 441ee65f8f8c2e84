/* maps_write.c - heat maps of attention weights, a picture for each head. */
#include "study.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *study_attention_kind_name(int kind)
{
    static const char *const names[] = {"cross", "encoder", "decoder", "all"};
    return kind >= STUDY_CROSS && kind <= STUDY_EVERY ? names[kind] : NULL;
}

/* Read from the name of an attention, such as "decoder.layers.1.multihead_attn". */
static int64_t layer_of(const char *name)
{
    const char *number = strstr(name, "layers.");
    return number ? strtoll(number + strlen("layers."), NULL, 10) : 0;
}

study_attention_kind study_map_kind(const study_map *map)
{
    if (!strncmp(map->name, "encoder.", strlen("encoder.")))
        return STUDY_ENCODER;
    return strstr(map->name, ".multihead_attn") ? STUDY_CROSS : STUDY_DECODER;
}

static bool is_chosen(const study_map *map, const study_maps_choice *choice)
{
    return (choice->kind == STUDY_EVERY || choice->kind == study_map_kind(map)) &&
           (choice->layer < 0 || choice->layer == layer_of(map->name));
}

/* The texts of a heat map. */
typedef struct map_texts {
    char group[64], title[32], note[128];
} map_texts;

static study_heat make_heat(const study_map *map, int64_t head, const study_labels *labels, map_texts *texts)
{
    const int64_t size = map->queries * map->keys;
    const study_attention_kind kind = study_map_kind(map);
    static const char *const looks[] = {"decoder looks at encoder", "encoder looks at itself",
                                        "decoder looks at itself"}; /* STUDY_CROSS, .. */
    snprintf(texts->group, sizeof texts->group, "%s, layer %lld", looks[kind], (long long)layer_of(map->name));
    snprintf(texts->title, sizeof texts->title, "head %lld", (long long)head);
    ag_text_print(texts->note, sizeof texts->note, "%s, entropy %.2f bits", map->name, map->entropy[head]);
    return (study_heat){
        .group = texts->group,
        .title = texts->title,
        .note = texts->note,
        .rows = map->queries,
        .columns = map->keys,
        .values = map->weights + head * size,
        .cells = map->cells + head * size,
        .row_axis = "query",
        .column_axis = "key",
        .row_labels = kind == STUDY_ENCODER ? labels->source : labels->target,
        .column_labels = kind == STUDY_DECODER ? labels->target : labels->source,
    };
}

/* Makes the heat maps that are chosen: first the most interesting, how the decoder looks
 * at the encoder. Returns how many. */
static int64_t make_heats(const study_maps *maps, const study_maps_choice *choice, const study_labels *labels,
                          study_heat *heats, map_texts *texts)
{
    static const study_attention_kind order[] = {STUDY_CROSS, STUDY_DECODER, STUDY_ENCODER};
    int64_t count = 0;
    for (int n = 0; n < 3 * maps->count; n++) {
        const study_map *map = &maps->items[n % maps->count];
        if (study_map_kind(map) != order[n / maps->count] || !is_chosen(map, choice))
            continue;
        for (int64_t head = 0; head < map->heads; head++)
            if (choice->head < 0 || choice->head == head) {
                heats[count] = make_heat(map, head, labels, &texts[count]);
                count++;
            }
    }
    return count;
}

static void add_words(const study_maps *maps, bool decodes, study_document *document)
{
    study_add_text(document,
                   "A row for each query, a column for each key%s. The entropy is 0 bits for one key alone and "
                   "log2 n for n keys alike.",
                   decodes ? "; in the decoder each row predicts the token after its own" : "");
    if (maps->blind)
        study_add_text(document,
                       "%lld %s, those of each head counted, had no key that they may look at: their "
                       "attention is zero.",
                       (long long)maps->blind, ag_plural(maps->blind, "query", "queries"));
}

ag_status study_maps_write(const study_maps *maps, const study_maps_choice *choice, const study_labels *labels,
                           study_document *document, int64_t *count, ag_error *error)
{
    int64_t most = 0;
    for (int i = 0; i < maps->count; i++)
        most += maps->items[i].heads;
    study_heat *heats = malloc((size_t)(most + 1) * sizeof *heats);
    map_texts *texts = malloc((size_t)(most + 1) * sizeof *texts);
    const bool fits = heats && texts;
    if (fits) {
        add_words(maps, labels->target != NULL, document);
        *count = make_heats(maps, choice, labels, heats, texts);
        study_add_heats(document, heats, *count, choice->side_by_side);
    }
    free(heats);
    free(texts);
    return fits ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "out of memory");
}
