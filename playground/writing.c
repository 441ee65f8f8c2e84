/* writing.c - one token of a model's answer: what the decoder sees, where it looks, what
 * it says. A tagger's answer is a token for each one of its source. */
#include "typed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 5 /* tokens of which the probability is shown */ };

/* The next token of an answer: the input so far, and the logits for it. */
typedef struct next_token {
    const playground_run *run;
    nn_input input;
    int64_t at;            /* the position whose output is the next token */
    const ag_real *logits; /* [classes] there */
    const int32_t *answer; /* [written] so far */
    int64_t written;
    study_labels labels;
} next_token;

/* ---- What it says ------------------------------------------------------------------ */

/* exp(logit) / sum exp(logits) */
static double probability(const next_token *next, int32_t token)
{
    const int64_t classes = next->run->model->config.target_vocab;
    double most = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; c++)
        most = fmax(most, (double)next->logits[c]);
    for (int64_t c = 0; c < classes; c++)
        sum += exp((double)next->logits[c] - most);
    return exp((double)next->logits[token] - most) / sum;
}

static void add_words(const next_token *next, study_document *document)
{
    const data_vocab *vocab = data_set_target_vocab(next->run->training);
    const int64_t classes = next->run->model->config.target_vocab;
    int32_t tokens[SHOWN];
    char numbers[SHOWN][32];
    const char *cells[2 * (SHOWN + 1)] = {"Next token", "Probability"};
    int count = 0;
    while (count < SHOWN && (tokens[count] = playground_most_probable(next->logits, classes, tokens, count)) >= 0) {
        ag_text_print(numbers[count], sizeof *numbers, "%.3f", probability(next, tokens[count]));
        cells[2 * count + 2] = data_vocab_token(vocab, tokens[count]);
        cells[2 * count + 3] = numbers[count];
        count++;
    }
    study_add_text(document, "Token %lld: it says %s, with a probability of %s.", (long long)next->written + 1,
                   cells[2], cells[3]);
    study_add_table(document, NULL, count + 1, 2, cells);
}

/* ---- Where it looks ---------------------------------------------------------------- */

/* The rows of one query in all maps of a kind, one below the other. */
typedef struct query_rows {
    ag_real *values;
    unsigned char *cells;
    char (*names)[64];
    const char **labels;
    int64_t rows, columns;
} query_rows;

static void query_rows_clear(query_rows *q)
{
    free(q->values);
    free(q->cells);
    free(q->names);
    free(q->labels);
}

static ag_status query_rows_init(query_rows *q, const study_maps *maps, study_attention_kind kind, ag_error *error)
{
    *q = (query_rows){0};
    for (int i = 0; i < maps->count; i++)
        if (study_map_kind(&maps->items[i]) == kind) {
            q->rows += maps->items[i].heads;
            q->columns = maps->items[i].keys;
        }
    q->values = calloc((size_t)(q->rows * q->columns) + 1, sizeof *q->values);
    q->cells = calloc((size_t)(q->rows * q->columns) + 1, 1);
    q->names = calloc((size_t)q->rows + 1, sizeof *q->names);
    q->labels = calloc((size_t)q->rows + 1, sizeof *q->labels);
    return q->values && q->cells && q->names && q->labels ? AG_OK
                                                          : ag_error_set(error, AG_NO_MEMORY, "no memory for a map");
}

/* Copies the rows of query `at`. */
static void fill_rows(query_rows *q, const study_maps *maps, study_attention_kind kind, int64_t at)
{
    int64_t row = 0, layer = 0;
    for (int i = 0; i < maps->count; i++) {
        const study_map *map = &maps->items[i];
        if (study_map_kind(map) != kind)
            continue;
        for (int64_t head = 0; head < map->heads; head++, row++) {
            const int64_t from = (head * map->queries + at) * map->keys;
            memcpy(q->values + row * q->columns, map->weights + from, (size_t)q->columns * sizeof *q->values);
            memcpy(q->cells + row * q->columns, map->cells + from, (size_t)q->columns);
            snprintf(q->names[row], sizeof *q->names, "layer %lld, head %lld", (long long)layer, (long long)head);
            q->labels[row] = q->names[row];
        }
        layer++;
    }
}

/* How many tokens the masks let some head see, and how many there are. */
static void count_seen(const query_rows *q, int64_t *seen, int64_t *all)
{
    *seen = *all = 0;
    for (int64_t j = 0; j < q->columns; j++) {
        bool sees = false;
        for (int64_t row = 0; row < q->rows; row++)
            sees |= q->cells[row * q->columns + j] == STUDY_SEEN;
        *seen += sees;
        *all += q->cells[j] != STUDY_PADDING;
    }
}

/* Adds where the position looks in one of the sides, if the model has such an attention. */
static ag_status add_look(const next_token *next, const study_maps *maps, study_attention_kind kind,
                          study_document *document, ag_error *error)
{
    const char *side = kind == STUDY_DECODER ? "what is written" : "the source";
    const char *const *labels = kind == STUDY_DECODER ? next->labels.target : next->labels.source;
    char title[64], note[128];
    int64_t seen, all;
    query_rows q;
    ag_status status = query_rows_init(&q, maps, kind, error);
    if (status == AG_OK && q.rows) {
        fill_rows(&q, maps, kind, next->at);
        count_seen(&q, &seen, &all);
        const char *position = (kind == STUDY_ENCODER ? next->labels.source : next->labels.target)[next->at];
        ag_text_print(title, sizeof title, "from %s to %s", position, side);
        ag_text_print(note, sizeof note, "may see %lld of %lld", (long long)seen, (long long)all);
        study_add_heats(document,
                        &(study_heat){.title = title,
                                      .note = note,
                                      .rows = q.rows,
                                      .columns = q.columns,
                                      .values = q.values,
                                      .cells = q.cells,
                                      .row_axis = "head",
                                      .column_axis = side,
                                      .row_labels = q.labels,
                                      .column_labels = labels},
                        1, true);
    }
    query_rows_clear(&q);
    return status;
}

static ag_status add_looks(const next_token *next, study_document *document, ag_error *error)
{
    study_maps maps;
    ag_status status = study_attention(next->run->model, &next->input, &maps, error);
    if (status == AG_OK)
        status = add_look(next, &maps, STUDY_CROSS, document, error);
    if (status == AG_OK)
        status = add_look(next, &maps, STUDY_DECODER, document, error);
    if (status == AG_OK && next->run->model->config.kind == NN_ENCODER)
        status = add_look(next, &maps, STUDY_ENCODER, document, error);
    study_maps_clear(&maps);
    return status;
}

/* ---- The token --------------------------------------------------------------------- */

/* A tagger's token for position `count` of the source, or for the last. */
static ag_status find_tag(playground *p, playground_typed *typed, int64_t count, next_token *next)
{
    const int64_t classes = p->run->model->config.target_vocab, last = typed->source_count - 1;
    const ag_tensor *logits;
    next->input = typed->input;
    const ag_status status = playground_logits(p, &next->input, NULL, &logits);
    if (status != AG_OK)
        return status;
    next->at = next->written = count < last ? count : last;
    next->logits = logits->data + next->at * classes;
    int32_t *tags = ag_tape_alloc(p->tape, (size_t)(last + 1) * sizeof *tags);
    for (int64_t i = 0; tags && i < next->written; i++)
        tags[i] = playground_most_probable(logits->data + i * classes, classes, NULL, 0);
    next->answer = tags;
    return tags ? AG_OK : playground_tape_failed(p);
}

/* The token that a decoder writes after `count` others, or at the end of its answer. */
static ag_status find_written(playground *p, playground_typed *typed, int64_t count, next_token *next)
{
    const ag_tensor *logits;
    ag_status status = playground_typed_write(p, typed, count);
    next->input = typed->input;
    if (status == AG_OK)
        status = playground_logits(p, &next->input, &typed->rows, &logits);
    if (status != AG_OK)
        return status;
    next->at = *typed->rows.lengths - 1;
    next->written = *typed->rows.lengths - typed->given;
    next->answer = typed->rows.tokens + typed->given;
    next->logits = logits->data + next->at * p->run->model->config.target_vocab;
    return AG_OK;
}

static ag_status find_next(playground *p, playground_typed *typed, int64_t count, next_token *next)
{
    *next = (next_token){.run = p->run};
    const ag_status status =
        (p->run->model->config.kind == NN_ENCODER ? find_tag : find_written)(p, typed, count, next);
    return status == AG_OK ? playground_labels_init(&next->labels, p->run, &next->input, &p->error) : status;
}

/* The text of tokens, to be freed; NULL: no memory. */
static char *text_of(const playground_run *run, const int32_t *tokens, int64_t count)
{
    const data_vocab *vocab = data_set_target_vocab(run->training);
    const size_t size = data_vocab_decode(vocab, tokens, count, NULL, 0) + 1;
    char *text = malloc(size);
    if (text)
        data_vocab_decode(vocab, tokens, count, text, size);
    return text;
}

static ag_status write_next(playground *p, const playground_typed *typed, const next_token *next,
                            study_document *document)
{
    char *answer = text_of(p->run, next->answer, next->written);
    if (!answer)
        return ag_error_set(&p->error, AG_NO_MEMORY, "no memory for an answer");
    study_add_example(document, typed->source, answer, next->written ? "so far" : "nothing yet");
    free(answer);
    study_begin_row(document);
    const ag_status status = add_looks(next, document, &p->error);
    add_words(next, document);
    study_end_row(document);
    return status;
}

ag_status playground_next(playground *p, const char *text)
{
    playground_typed typed;
    next_token next = {0};
    ag_status status = playground_typed_read(p, text, &typed);
    if (status == AG_OK)
        status = find_next(p, &typed, typed.tokens, &next);
    study_document *document = status == AG_OK ? study_document_new("Next token") : NULL;
    if (status == AG_OK)
        status = write_next(p, &typed, &next, document);
    if (status == AG_OK)
        status = playground_answer_document(p, document, PICTURES_OF_NEXT);
    else
        study_document_free(document);
    playground_labels_clear(&next.labels);
    playground_typed_clear(&typed);
    return status;
}

ag_status playground_looks(playground *p, const char *text)
{
    playground_typed typed;
    next_token next = {0};
    ag_status status = playground_typed_read(p, text, &typed);
    if (status == AG_OK)
        status = find_next(p, &typed, INT64_MAX, &next);
    if (status == AG_OK) {
        /* (a row that is full shows no token after its last) */
        const bool full = typed.rows.rows && !*typed.rows.ended;
        data_json_object json = playground_json_start(p, &status);
        data_json_put_integer(&json, "looks", next.written + !full);
        status = status == AG_OK ? playground_json_end(p, &json) : status;
    }
    playground_labels_clear(&next.labels);
    playground_typed_clear(&typed);
    return status;
}
