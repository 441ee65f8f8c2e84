/* study.c - tapeformer study attention: what each token looks at, drawn in the terminal. */
#include "cli.h"
#include "tokens.h"

#include "study.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct study_flags {
    const char *model, *source, *target, *what;
    int which, color;
    int64_t layer, head, threads;
} study_flags;

static const char *const which_names[] = {"cross", "encoder", "decoder", "all", NULL};
static const char *const which_parts[] = {".multihead_attn", "encoder.", "decoder.", ""};
static const char *const color_names[] = {"auto", "always", "never", NULL};

/* The example as the model reads it, with a label for each token. */
typedef struct example {
    int32_t *source, *target;
    const char **source_labels, **target_labels;
    int64_t source_length, target_length;
} example;

static void example_clear(example *e)
{
    free(e->source);
    free(e->target);
    free(e->source_labels);
    free(e->target_labels);
}

/* Tokens of `text` between bos and eos, each where asked. */
static bool read_tokens(const char *flag, const data_vocab *vocab, const char *text, bool bos, bool eos,
                        int32_t **tokens, const char ***labels, int64_t *length)
{
    int64_t count;
    *tokens = cli_tokens("study", flag, vocab, text, bos, &count);
    if (!*tokens)
        return false;
    *length = count + bos + eos;
    if (eos)
        (*tokens)[*length - 1] = DATA_EOS;
    *labels = malloc((size_t)(*length + 1) * sizeof **labels);
    if (!*labels) {
        cli_fail("study", CLI_FAILED, "out of memory");
        return false;
    }
    for (int64_t i = 0; i < *length; i++)
        (*labels)[i] = data_vocab_token(vocab, (*tokens)[i]);
    return true;
}

/* What the model itself answers to the source, as text. To be freed; NULL after a report. */
static char *predicted_target(const train_saved *saved, const example *e)
{
    ag_error error = {0};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.no_grad = true});
    nn_input input = {.rows = 1, .source_length = e->source_length, .source = e->source};
    nn_generation_options options = {.marks = DATA_SPECIALS};
    nn_generated result = {0};
    char *text = NULL;

    if (!tape)
        ag_error_set(&error, AG_NO_MEMORY, "out of memory");
    else
        nn_generate(saved->model, tape, &input, &options, &result, &error);
    if (error.status == AG_OK)
        text = cli_text(saved->target_vocab, result.hypotheses[0].tokens, result.hypotheses[0].length);
    if (!text) {
        ag_error_set(&error, AG_NO_MEMORY, "out of memory");
        cli_report("study", &error);
    }
    nn_generated_clear(&result);
    ag_tape_free(tape);
    return text;
}

static bool read_example(const study_flags *f, const train_saved *saved, example *e)
{
    nn_model_kind kind = saved->model->config.kind;
    char *predicted = NULL;
    const char *target = f->target;
    bool good = true;

    if (kind != NN_DECODER)
        good = read_tokens("source", saved->source_vocab, f->source, false, !saved->tagging, &e->source,
                           &e->source_labels, &e->source_length);
    if (good && kind == NN_ENCODER_DECODER && !target)
        target = predicted = predicted_target(saved, e);
    if (good && kind != NN_ENCODER)
        good = target && read_tokens("target", saved->target_vocab, target, true, false, &e->target, &e->target_labels,
                                     &e->target_length);
    if (predicted && good)
        printf("%s -> %s\n", f->source, predicted);
    free(predicted);
    return good;
}

/* Draws one head. Rows are what each position attends from; in the decoder row i predicts the token behind it. */
static int draw_head(const study_flags *f, const study_map *map, int64_t head, const example *e)
{
    bool from_encoder = !strncmp(map->name, "encoder.", 8),
         to_source = from_encoder || strstr(map->name, ".multihead_attn");
    bool color = f->color == 1 || (f->color == 0 && isatty(STDOUT_FILENO));
    study_drawing drawing = {.color = color,
                             .row_labels = from_encoder ? e->source_labels : e->target_labels,
                             .column_labels = to_source ? e->source_labels : e->target_labels};
    const real *weights = map->weights + head * map->queries * map->keys;
    size_t size = study_draw_matrix(weights, map->queries, map->keys, &drawing, NULL, 0) + 1;
    char *text = malloc(size);
    if (!text)
        return cli_fail("study", CLI_FAILED, "out of memory");
    study_draw_matrix(weights, map->queries, map->keys, &drawing, text, size);
    printf("\n%s, head %lld\n%s", map->name, (long long)head, text);
    free(text);
    return CLI_DONE;
}

/* The layer's number in "decoder.layers.1.self_attn". */
static int64_t layer_of(const study_map *map)
{
    const char *number = strstr(map->name, "layers.");
    return number ? strtoll(number + strlen("layers."), NULL, 10) : 0;
}

static int draw_maps(const study_flags *f, const study_maps *maps, const example *e)
{
    int code = CLI_DONE, drawn = 0;
    for (int i = 0; i < maps->count && code == CLI_DONE; i++) {
        const study_map *map = &maps->items[i];
        if (!strstr(map->name, which_parts[f->which]) || (f->layer >= 0 && layer_of(map) != f->layer))
            continue;
        if (f->which == 2 && strstr(map->name, ".multihead_attn"))
            continue;
        for (int64_t head = 0; head < map->heads && code == CLI_DONE; head++)
            if (f->head < 0 || f->head == head) {
                code = draw_head(f, map, head, e);
                drawn++;
            }
    }
    if (code == CLI_DONE && !drawn)
        return cli_fail("study", CLI_FAILED, "the model has no such attention (--which, --layer, --head)");
    return code;
}

static int study_attention_command(const study_flags *f)
{
    ag_error error = {0};
    train_saved saved = {0};
    example e = {0};
    study_maps maps = {0};
    int code = CLI_FAILED;

    if (train_saved_load(&saved, f->model, &error) != AG_OK)
        return cli_report("study", &error);
    if (saved.source_vocab && !f->source) {
        code = cli_fail("study", CLI_USAGE, "attend to what? Give --source TEXT");
    } else if (!saved.source_vocab && !f->target) {
        code = cli_fail("study", CLI_USAGE, "attend to what? Give --target TEXT");
    } else if (read_example(f, &saved, &e)) {
        nn_input input = {.rows = 1,
                          .source_length = e.source_length,
                          .target_length = e.target_length,
                          .source = e.source,
                          .target = e.target};
        code = study_attention(saved.model, &input, &maps, &error) == AG_OK ? draw_maps(f, &maps, &e)
                                                                            : cli_report("study", &error);
    }
    study_maps_clear(&maps);
    example_clear(&e);
    train_saved_clear(&saved);
    return code;
}

int cli_study(int count, const char *const *arguments)
{
    study_flags f = {.layer = -1, .head = -1, .which = 3};
    cli_flag table[] = {
        {"model", CLI_TEXT, &f.model, "DIR", "the folder of a trained model, or a .safetensors file", .high = 0},
        {"source", CLI_TEXT, &f.source, "TEXT", "what the model reads", .high = 0},
        {"target", CLI_TEXT, &f.target, "TEXT", "what it has written [its own answer]", .high = 0},
        {"which", CLI_CHOICE, &f.which, "PART", "[all]", .choices = which_names},
        {"layer", CLI_COUNT, &f.layer, "N", "only this layer, from 0", .high = 0},
        {"head", CLI_COUNT, &f.head, "N", "only this head, from 0", .high = 0},
        {"color", CLI_CHOICE, &f.color, "WHEN", "", .choices = color_names},
    };
    cli_command command = {
        .name = "study",
        .summary = "look at attention",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "attention --model DIR --source TEXT [flags]",
        .max_words = 1,
        .words = &f.what,
        .details = "Draws the attention weights of each layer and head: a row for each query, a column for each key.",
    };
    static const char *const studies[] = {"attention", NULL};
    cli_read read = cli_flags_read(&command, count, arguments);
    if (read != CLI_READ_OK)
        return cli_read_code(read);
    if (!f.what || strcmp(f.what, "attention")) {
        bool near = f.what && cli_nearest(f.what, studies);
        return cli_fail("study", CLI_USAGE, "study what? %stapeformer study attention --model DIR --source TEXT",
                        near ? "Did you mean " : "There is one kind: ");
    }
    if (!f.model)
        return cli_fail("study", CLI_USAGE, "which model? Give --model DIR");
    return study_attention_command(&f);
}
