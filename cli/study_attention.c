/* study_attention.c - tapeformer study attention: what each token looks at. */
#include "study_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct attention_flags {
    study_example_flags example;
    study_output output;
    int which;
    int64_t layer, head;
} attention_flags;

enum { CROSS, ENCODER, DECODER, ALL };
static TRAIN_NAMES(which_name, "cross", "encoder", "decoder", "all")

/* Read from the name of an attention, such as "decoder.layers.1.multihead_attn". */
static int64_t layer_of(const char *name)
{
    const char *number = strstr(name, "layers.");
    return number ? strtoll(number + strlen("layers."), NULL, 10) : 0;
}

static int which_of(const char *name)
{
    if (!strncmp(name, "encoder.", strlen("encoder.")))
        return ENCODER;
    return strstr(name, ".multihead_attn") ? CROSS : DECODER;
}

static bool is_wanted(const attention_flags *f, const char *name)
{
    return (f->which == ALL || f->which == which_of(name)) && (f->layer < 0 || f->layer == layer_of(name));
}

/* The texts of a heat map. */
typedef struct map_texts {
    char group[64], title[32], note[128];
} map_texts;

static study_heat make_heat(const study_map *map, int64_t head, const study_example *example, map_texts *texts)
{
    const int64_t size = map->queries * map->keys;
    const int which = which_of(map->name);
    static const char *const looks[] = {"decoder looks at encoder", "encoder looks at itself",
                                        "decoder looks at itself"}; /* CROSS, ENCODER, DECODER */
    snprintf(texts->group, sizeof texts->group, "%s, layer %lld", looks[which], (long long)layer_of(map->name));
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
        .row_labels = which == ENCODER ? example->source.labels : example->target.labels,
        .column_labels = which == DECODER ? example->target.labels : example->source.labels,
    };
}

/* Adds all heads that are wanted in one part of the document: first the most interesting,
 * how the decoder looks at the encoder. */
static int add_maps(const attention_flags *f, const study_maps *maps, const study_example *example,
                    study_document *document)
{
    int64_t most = 0, count = 0;
    for (int i = 0; i < maps->count; i++)
        most += maps->items[i].heads;
    study_heat *heats = malloc((size_t)(most + 1) * sizeof *heats);
    map_texts *texts = malloc((size_t)(most + 1) * sizeof *texts);
    if (heats && texts) {
        for (int n = 0; n < 3 * maps->count; n++) {
            static const int order[] = {CROSS, DECODER, ENCODER};
            const study_map *map = &maps->items[n % maps->count];
            if (which_of(map->name) != order[n / maps->count] || !is_wanted(f, map->name))
                continue;
            for (int64_t head = 0; head < map->heads; head++)
                if (f->head < 0 || f->head == head) {
                    heats[count] = make_heat(map, head, example, &texts[count]);
                    count++;
                }
        }
        study_add_heats(document, heats, count, false);
    }
    int code =
        !heats || !texts ? cli_fail("study attention", CLI_FAILED, "out of memory")
        : !count ? cli_fail("study attention", CLI_FAILED, "the model has no such attention (--which, --layer, --head)")
                 : CLI_DONE;
    free(heats);
    free(texts);
    return code;
}

static int add_attention(void *context, const study_example *example, study_document *document)
{
    const attention_flags *f = context;
    ag_error error = {0};
    study_maps maps;
    if (study_attention(example->saved.model, &example->input, &maps, &error) != AG_OK)
        return cli_report("study attention", &error);
    study_add_text(document,
                   "A row for each query, a column for each key%s. The entropy is 0 bits for one key alone and "
                   "log2 n for n keys alike.",
                   example->input.target ? "; in the decoder each row predicts the token after its own" : "");
    if (maps.blind)
        study_add_text(document,
                       "%lld %s, those of each head counted, had no key that they may look at: their "
                       "attention is zero.",
                       (long long)maps.blind, ag_plural(maps.blind, "query", "queries"));
    const int code = add_maps(f, &maps, example, document);
    study_maps_clear(&maps);
    return code;
}

static int run_attention(int count, const char *const *arguments)
{
    attention_flags f = {.layer = -1, .head = -1, .which = ALL};
    const study_report report = {"What each token looks at", &f.output, &f.example, add_attention, &f};
    cli_flag table[] = {
        STUDY_EXAMPLE_FLAGS(f.example),
        CLI_FLAG(f.which, "which", "PART", "", .names = which_name),
        CLI_FLAG(f.layer, "layer", "N", "only this layer, from 0", .otherwise = "all"),
        CLI_FLAG(f.head, "head", "N", "only this head, from 0", .otherwise = "all"),
        STUDY_OUTPUT_FLAGS(f.output),
    };
    cli_command command = {
        .name = "study attention",
        .summary = "what each token looks at",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "--model DIR --source TEXT [flags]",
        .details = "Draws the attention weights of each layer and head: a row for each query, a column for each key. "
                   "What a mask\nforbids is marked apart from a weight of zero, and so is padding.",
    };
    return cli_study_report(&report, &command, count, arguments);
}

const study_kind cli_study_attention = {"attention", "what each token looks at: the weights of every layer and head",
                                        run_attention};
