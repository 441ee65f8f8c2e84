/* typed.c - see typed.h. */
#include "typed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_TOKENS = 64, /* of a side, its marks and padding included: more cells than that nobody reads */
    MOST_PADDING = 8
};

/* ---- The text ---------------------------------------------------------------------- */

/* The number whose name is the word; -1: none. */
static int find_name(const char *(*name)(int), const char *word)
{
    int i = 0;
    while (name(i) && strcmp(name(i), word))
        i++;
    return name(i) ? i : -1;
}

static ag_status read_number(const char *name, const char *value, double most, int64_t *number, ag_error *error)
{
    const char *end;
    const double read = ag_number_read(value, &end);
    if (end == value || *end || !(read >= 0 && read <= most) || read != floor(read))
        return ag_error_set(error, AG_BAD_VALUE, "%s=%.20s: expected a whole number from 0 to %.0f", name, value, most);
    *number = (int64_t)read;
    return AG_OK;
}

static ag_status read_value(void *context, const char *name, const char *value, ag_error *error)
{
    playground_typed *typed = context;
    int word = 0;
    if (!strcmp(name, "source"))
        typed->source = value;
    else if (!strcmp(name, "target"))
        typed->target = value;
    else if (!strcmp(name, "masks"))
        typed->phase = (playground_phase)(word = find_name(playground_phase_name, value));
    else if (!strcmp(name, "attention"))
        typed->choice.kind = (study_attention_kind)(word = find_name(study_attention_kind_name, value));
    else if (!strcmp(name, "layer"))
        return read_number(name, value, 100, &typed->choice.layer, error);
    else if (!strcmp(name, "padding"))
        return read_number(name, value, MOST_PADDING, &typed->padding, error);
    else if (!strcmp(name, "tokens"))
        return read_number(name, value, MOST_TOKENS, &typed->tokens, error);
    else
        return ag_error_set(error, AG_BAD_VALUE, "an example has no '%.40s'", name);
    return word < 0 ? ag_error_set(error, AG_BAD_VALUE, "%s=%.40s is not known", name, value) : AG_OK;
}

/* ---- Tokens ------------------------------------------------------------------------ */

/* The tokens of a text, which stand after `before` others. */
static int32_t *find_tokens(const data_vocab *vocab, const char *side, const char *text, int64_t before, int64_t *count,
                            ag_error *error)
{
    ag_error own = {0};
    int32_t *tokens = data_vocab_known(vocab, text, strlen(text), before, count, &own);
    if (!tokens)
        ag_error_set(error, own.status, "the %s: %s", side, own.message);
    return tokens;
}

static int64_t most_tokens(const playground_run *run)
{
    const int most = run->model->config.max_length;
    return most < MOST_TOKENS ? most : MOST_TOKENS;
}

static ag_status check_length(const char *side, int64_t length, int64_t most, ag_error *error)
{
    return length <= most ? AG_OK
                          : ag_error_set(error, AG_BAD_VALUE, "the %s is too long: %lld positions are the most", side,
                                         (long long)most);
}

/* Moves tokens to the end of the row, if they fit, and frees them; NULL: there is an error. */
static ag_status append(playground_typed *typed, int32_t *tokens, int64_t count, ag_error *error)
{
    if (!tokens)
        return error->status;
    const ag_status status =
        check_length("target", *typed->rows.lengths + count + typed->padding, typed->rows.most, error);
    if (status == AG_OK) {
        memcpy(typed->rows.tokens + *typed->rows.lengths, tokens, (size_t)count * sizeof *tokens);
        *typed->rows.lengths += (int32_t)count;
    }
    free(tokens);
    return status;
}

/* The source of an encoder, with its padding. */
static ag_status make_source(playground_typed *typed, const playground_run *run, ag_error *error)
{
    int64_t count = 0;
    int32_t *tokens = find_tokens(data_set_source_vocab(run->training), "source", typed->source, 0, &count, error);
    typed->source_tokens = calloc(MOST_TOKENS, sizeof *tokens);
    ag_status status = !tokens ? error->status : AG_OK;
    if (status == AG_OK && !typed->source_tokens)
        status = ag_error_set(error, AG_NO_MEMORY, "no memory for a source");
    if (tokens && run->model->config.kind != NN_ENCODER)
        tokens[count++] = DATA_EOS;
    if (status == AG_OK)
        status = check_length("source", count + typed->padding, most_tokens(run), error);
    if (status == AG_OK)
        memcpy(typed->source_tokens, tokens, (size_t)count * sizeof *tokens);
    free(tokens);
    typed->source_count = (int32_t)count;
    typed->input.source = typed->source_tokens;
    typed->input.source_length = count + typed->padding;
    typed->input.source_lengths = &typed->source_count;
    return status;
}

/* What a language model is given: the source and, if it knows one, the arrow. */
static ag_status make_prompt(playground_typed *typed, const playground_run *run, ag_error *error)
{
    const data_vocab *vocab = data_set_target_vocab(run->training);
    const int32_t arrow = data_vocab_find(vocab, PLAYGROUND_ARROW, strlen(PLAYGROUND_ARROW));
    int64_t count;
    int32_t *tokens = find_tokens(vocab, "source", typed->source, 0, &count, error);
    if (tokens && arrow != DATA_NONE)
        tokens[count++] = arrow;
    return append(typed, tokens, count, error);
}

/* What the decoder is given: the begin mark, and a prompt. */
static ag_status make_row(playground_typed *typed, const playground_run *run, ag_error *error)
{
    ag_status status = playground_rows_init(&typed->rows, 1, most_tokens(run), error);
    if (status != AG_OK)
        return status;
    typed->rows.tokens[0] = DATA_BOS;
    *typed->rows.lengths = 1;
    if (run->model->config.kind == NN_DECODER)
        status = make_prompt(typed, run, error);
    typed->given = *typed->rows.lengths;
    return status;
}

ag_status playground_typed_read(playground *p, const char *text, playground_typed *typed)
{
    const playground_run *run = p->run;
    *typed = (playground_typed){.choice = {.kind = STUDY_EVERY, .layer = -1, .head = -1, .side_by_side = true},
                                .input = {.rows = 1}};
    ag_status status = playground_needs_run(p);
    if (status == AG_OK && !(typed->text = malloc(strlen(text) + 1)))
        status = ag_error_set(&p->error, AG_NO_MEMORY, "no memory for an example");
    if (status == AG_OK)
        status = playground_values_read(strcpy(typed->text, text), read_value, typed, &p->error);
    if (status == AG_OK && (!typed->source || data_text_empty(typed->source, strlen(typed->source))))
        status = ag_error_set(&p->error, AG_BAD_VALUE, "the source is empty: type one token at least");
    if (status == AG_OK && run->model->config.kind != NN_DECODER)
        status = make_source(typed, run, &p->error);
    if (status == AG_OK && run->model->config.kind != NN_ENCODER)
        status = make_row(typed, run, &p->error);
    return status;
}

void playground_typed_clear(playground_typed *typed)
{
    free(typed->text);
    free(typed->source_tokens);
    playground_rows_clear(&typed->rows);
}

/* ---- The answer -------------------------------------------------------------------- */

ag_status playground_typed_write(playground *p, playground_typed *typed, int64_t count)
{
    ag_status status = AG_OK;
    playground_rows *rows = &typed->rows;
    const int64_t longest = data_set_max_target(p->run->training);
    const int64_t most = typed->given + (count < longest ? count : longest);
    while (status == AG_OK && !*rows->ended && *rows->lengths < most && *rows->lengths < rows->most)
        status = playground_write_token(p, &typed->input, rows);
    return status;
}

ag_status playground_typed_complete(playground *p, playground_typed *typed)
{
    const playground_run *run = p->run;
    ag_status status = AG_OK;
    int64_t count;
    if (typed->rows.rows && typed->target) {
        int32_t *tokens =
            find_tokens(data_set_target_vocab(run->training), "target", typed->target, 0, &count, &p->error);
        status = append(typed, tokens, count, &p->error);
    } else if (typed->rows.rows) {
        typed->rows.most -= typed->padding;
        status = playground_typed_write(p, typed, typed->rows.most);
    }
    if (typed->rows.rows) {
        typed->input.target = typed->rows.tokens;
        typed->input.target_length = *typed->rows.lengths + typed->padding;
        typed->input.target_lengths = typed->rows.lengths;
    }
    ag_tape_rewind(p->tape);
    playground_masks_apply(run->setting.masks[typed->phase], p->tape, &typed->input);
    return status;
}

/* ---- Labels ------------------------------------------------------------------------ */

static const char **make_labels(const data_vocab *vocab, const int32_t *tokens, int64_t count, ag_error *error)
{
    const char **labels = malloc((size_t)(count + 1) * sizeof *labels);
    for (int64_t i = 0; labels && i < count; i++)
        labels[i] = data_vocab_token(vocab, tokens[i]);
    if (!labels)
        ag_error_set(error, AG_NO_MEMORY, "no memory for labels");
    return labels;
}

ag_status playground_labels_init(study_labels *labels, const playground_run *run, const nn_input *input,
                                 ag_error *error)
{
    const data_set *set = run->training;
    *labels = (study_labels){0};
    if (input->source)
        labels->source = make_labels(data_set_source_vocab(set), input->source, input->source_length, error);
    if (input->target)
        labels->target = make_labels(data_set_target_vocab(set), input->target, input->target_length, error);
    return (input->source && !labels->source) || (input->target && !labels->target) ? error->status : AG_OK;
}

void playground_labels_clear(study_labels *labels)
{
    free((void *)labels->source);
    free((void *)labels->target);
}
