/* seeing.c - what a model looks at in the example that a person has typed, what it
 * depends on, and whether that is more than it may. */
#include "typed.h"

#include <stdlib.h>
#include <string.h>

/* ---- An example -------------------------------------------------------------------- */

/* What stands after the arrow of a sequence; NULL: no arrow. */
static const char *after_arrow(const char *text)
{
    const char *arrow = strstr(text, PLAYGROUND_ARROW);
    arrow = arrow ? arrow + strlen(PLAYGROUND_ARROW) : NULL;
    return arrow && *arrow == ' ' ? arrow + 1 : arrow;
}

ag_status playground_unseen(playground *p, const char *text)
{
    const double number = ag_number_read(text, NULL);
    const char *source, *target, *after;
    ag_status status = playground_needs_run(p);
    if (status == AG_OK && !(number >= 0 && number < 1e9))
        status = ag_error_set(&p->error, AG_BAD_VALUE, "example %.20s: expected a number from 0", text);
    if (status != AG_OK)
        return status;
    data_set_example(p->run->dev, (int64_t)number % data_set_count(p->run->dev), &source, &target);
    after = p->run->model->config.kind == NN_DECODER ? after_arrow(target) : NULL;
    data_json_object json = playground_json_start(p, &status);
    data_json_put_text(&json, "source", source ? source : target);
    data_json_put_text(&json, "target", !source ? "" : after ? after : target);
    return status == AG_OK ? playground_json_end(p, &json) : status;
}

/* ---- Attention --------------------------------------------------------------------- */

/* Adds the maps that the example names. */
static ag_status add_maps(playground *p, const playground_typed *typed, const study_labels *labels,
                          study_document *document)
{
    study_maps maps;
    int64_t count = 0;
    ag_status status = study_attention(p->run->model, &typed->input, &maps, &p->error);
    if (status == AG_OK)
        status = study_maps_write(&maps, &typed->choice, labels, document, &count, &p->error);
    if (status == AG_OK && !count)
        status = ag_error_set(&p->error, AG_BAD_VALUE, "the model has no such attention");
    study_maps_clear(&maps);
    return status;
}

/* ---- Influence --------------------------------------------------------------------- */

static study_subject subject_of(const playground *p, const playground_typed *typed)
{
    return (study_subject){.model = p->run->model, .input = &typed->input, .threads = 1};
}

static ag_status add_influence(playground *p, const playground_typed *typed, const study_labels *labels,
                               study_document *document)
{
    study_influence influence;
    study_forbidden found;
    const study_subject subject = subject_of(p, typed);
    ag_status status = study_influence_find(&subject, &influence, &p->error);
    if (status == AG_OK)
        status = study_influence_write(&influence, labels, document, &found, &p->error);
    study_influence_clear(&influence);
    return status;
}

/* ---- Documents --------------------------------------------------------------------- */

/* Reads the example, completes it, and answers with a document that `add` fills. */
static ag_status answer_example(playground *p, const char *text, int64_t first,
                                ag_status (*add)(playground *, const playground_typed *, const study_labels *,
                                                 study_document *))
{
    playground_typed typed;
    study_labels labels = {0};
    ag_status status = playground_typed_read(p, text, &typed);
    if (status == AG_OK)
        status = playground_typed_complete(p, &typed);
    if (status == AG_OK)
        status = playground_labels_init(&labels, p->run, &typed.input, &p->error);
    study_document *document = status == AG_OK ? study_document_new("Example") : NULL;
    if (status == AG_OK)
        status = add(p, &typed, &labels, document);
    if (status == AG_OK)
        status = playground_answer_document(p, document, first);
    else
        study_document_free(document);
    playground_labels_clear(&labels);
    playground_typed_clear(&typed);
    return status;
}

ag_status playground_attention(playground *p, const char *text)
{
    return answer_example(p, text, PICTURES_OF_ATTENTION, add_maps);
}

ag_status playground_influence(playground *p, const char *text)
{
    return answer_example(p, text, PICTURES_OF_INFLUENCE, add_influence);
}

/* ---- Leaks ------------------------------------------------------------------------- */

/* The token at a position of a side. */
static const char *token_at(const playground *p, const playground_typed *typed, bool source, int64_t position)
{
    const nn_input *input = &typed->input;
    return source ? data_vocab_token(data_set_source_vocab(p->run->training), input->source[position])
                  : data_vocab_token(data_set_target_vocab(p->run->training), input->target[position]);
}

/* Of `count` leaks, `whole` are of the whole model and the others of a part by itself.
 * "decoder.layers.0 lets position 3 (c) see target 4 (b) .." */
static void print_leaks(const playground *p, const playground_typed *typed, const study_leak *leak, int64_t count,
                        int64_t whole, char *text, size_t size)
{
    const bool of_source =
        !strncmp(leak->layer, "encoder.", strlen("encoder.")) || p->run->model->config.kind == NN_ENCODER;
    ag_text_print(text, size,
                  "%lld %s under the masks of %s: %lld in the whole model and %lld in its parts, each by itself. The "
                  "first: %s lets position %lld (%s) see %s %lld (%s), which the usual masks forbid: causal in a "
                  "decoder, and padding hidden (influence %.2g).",
                  (long long)count, ag_plural(count, "leak", "leaks"), playground_phase_name((int)typed->phase),
                  (long long)whole, (long long)(count - whole), leak->layer, (long long)leak->i,
                  token_at(p, typed, of_source, leak->i), leak->side, (long long)leak->j,
                  token_at(p, typed, !strcmp(leak->side, "source"), leak->j), leak->influence);
}

static void print_verdict(const playground *p, const playground_typed *typed, const study_leaks *leaks, char *text,
                          size_t size)
{
    const study_leak *first = NULL;
    int64_t count = 0, whole = 0;
    for (int64_t n = 0; n < leaks->count; n++) {
        count += leaks->items[n].forbidden;
        whole += leaks->items[n].forbidden && !strcmp(leaks->items[n].layer, "model");
        first = !first && leaks->items[n].forbidden ? &leaks->items[n] : first;
    }
    if (count) {
        print_leaks(p, typed, first, count, whole, text, size);
        return;
    }
    ag_text_print(
        text, size,
        "No leak: under the masks of %s, none of the %lld pairs of positions that the usual masks forbid has an "
        "influence, in each block by itself and in the whole model.",
        playground_phase_name((int)typed->phase), (long long)leaks->forbidden);
}

ag_status playground_leaks(playground *p, const char *text)
{
    enum { VERDICT = 1024 };
    playground_typed typed;
    study_leaks leaks = {0};
    ag_status status = playground_typed_read(p, text, &typed);
    if (status == AG_OK)
        status = playground_typed_complete(p, &typed);
    if (status == AG_OK) {
        const study_subject subject = subject_of(p, &typed);
        status = study_leaks_find(&subject, &leaks, &p->error);
    }
    if (status == AG_OK)
        status = playground_answer_text(p, malloc(VERDICT));
    if (status == AG_OK)
        print_verdict(p, &typed, &leaks, p->answer, VERDICT);
    study_leaks_clear(&leaks);
    playground_typed_clear(&typed);
    return status;
}
