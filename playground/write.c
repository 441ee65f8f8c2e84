/* write.c - what a model writes on its own, token by token, under the masks of the
 * evaluation.
 *
 * Each token is the most probable one after a whole pass over those so far. So a mask
 * holds exactly as it is drawn, also one that lets a token see what follows it: there is
 * nothing yet to see.
 */
#include "session.h"

#include <stdlib.h>
#include <string.h>

/* ---- One token --------------------------------------------------------------------- */

int32_t playground_most_probable(const ag_real *logits, int64_t classes, const int32_t *before, int count)
{
    int32_t best = -1;
    for (int32_t c = DATA_EOS; c < classes; c = c == DATA_EOS ? DATA_SPECIALS : c + 1) {
        bool named = false;
        for (int i = 0; i < count; i++)
            named |= before[i] == c;
        if (!named && (best < 0 || logits[c] > logits[best]))
            best = c;
    }
    return best;
}

static int64_t longest_of(const playground_rows *rows)
{
    int64_t most = 0;
    for (int64_t row = 0; row < rows->rows; row++)
        most = rows->lengths[row] > most ? rows->lengths[row] : most;
    return most;
}

/* tokens [rows, most] -> their first columns [rows, length], on the tape. */
static const int32_t *first_columns(const playground_rows *rows, int64_t length, ag_tape *tape)
{
    int32_t *columns = ag_tape_alloc(tape, (size_t)(rows->rows * length) * sizeof *columns);
    for (int64_t row = 0; columns && row < rows->rows; row++)
        memcpy(columns + row * length, rows->tokens + row * rows->most, (size_t)length * sizeof *columns);
    return columns;
}

/* The logits of an input that has its masks; NULL with the tape's error. The encoder runs
 * for the first token only. */
static const ag_tensor *logits_of(playground *p, const nn_input *input, playground_rows *rows)
{
    const nn_model *model = p->run->model;
    const nn_pass pass = {.tape = p->tape, .params = &model->params};
    if (model->config.kind != NN_ENCODER_DECODER)
        return nn_model_apply(model, &pass, input);
    const ag_shape shape = AG_SHAPE(input->rows, input->source_length, model->config.d_model);
    if (rows->memory)
        return nn_model_decode(model, &pass, input, ag_leaf(p->tape, shape, rows->memory, NULL));
    ag_tensor *memory = nn_model_encode(model, &pass, input);
    rows->memory = memory ? ag_numbers_new(ag_shape_size(shape)) : NULL;
    if (rows->memory)
        memcpy(rows->memory, memory->data, (size_t)ag_shape_size(shape) * sizeof *memory->data);
    return nn_model_decode(model, &pass, input, memory);
}

ag_status playground_logits(playground *p, nn_input *input, playground_rows *rows, const ag_tensor **logits)
{
    const bool grad = ag_tape_set_grad(p->tape, false);
    ag_tape_rewind(p->tape);
    if (rows) {
        input->rows = rows->rows;
        input->target_length = longest_of(rows);
        input->target = first_columns(rows, input->target_length, p->tape);
        input->target_lengths = rows->lengths;
    }
    playground_masks_apply(p->run->setting.masks[PLAYGROUND_EVALUATION], p->tape, input);
    *logits = logits_of(p, input, rows);
    ag_tape_set_grad(p->tape, grad);
    return *logits ? AG_OK : playground_tape_failed(p);
}

ag_status playground_write_token(playground *p, const nn_input *source, playground_rows *rows)
{
    const int64_t classes = p->run->model->config.target_vocab;
    nn_input input = *source;
    const ag_tensor *logits;
    const ag_status status = playground_logits(p, &input, rows, &logits);
    for (int64_t row = 0; status == AG_OK && row < rows->rows; row++) {
        const int64_t last = row * input.target_length + rows->lengths[row] - 1;
        if (rows->ended[row] || rows->lengths[row] == rows->most)
            continue;
        const int32_t token = playground_most_probable(logits->data + last * classes, classes, NULL, 0);
        rows->ended[row] = token == DATA_EOS;
        if (!rows->ended[row])
            rows->tokens[row * rows->most + rows->lengths[row]++] = token;
    }
    return status;
}

/* ---- The share of right answers ---------------------------------------------------- */

/* The tokens that a row of a language model begins with: up to its arrow. */
static int64_t prompt_length(const playground_run *run, const int32_t *tokens, int64_t length)
{
    const int32_t arrow =
        data_vocab_find(data_set_target_vocab(run->training), PLAYGROUND_ARROW, strlen(PLAYGROUND_ARROW));
    int64_t i = 0;
    while (i < length && tokens[i] != arrow)
        i++;
    return i < length ? i + 1 : length;
}

/* How many tokens row `row` of the batch begins with, before the model writes: all that it
 * is given. */
static int64_t given_length(const playground_run *run, const data_batch *batch, int64_t row)
{
    const int32_t *tokens = batch->target_in + row * batch->target_length;
    return run->model->config.kind == NN_DECODER ? prompt_length(run, tokens, batch->target_lengths[row]) : 1;
}

static bool all_ended(const playground_rows *rows)
{
    for (int64_t row = 0; row < rows->rows; row++)
        if (!rows->ended[row] && rows->lengths[row] < rows->most)
            return false;
    return true;
}

ag_status playground_rows_init(playground_rows *rows, int64_t count, int64_t most, ag_error *error)
{
    *rows = (playground_rows){.rows = count,
                              .most = most,
                              .tokens = calloc((size_t)(count * most), sizeof *rows->tokens),
                              .lengths = calloc((size_t)count, sizeof *rows->lengths),
                              .ended = calloc((size_t)count, sizeof *rows->ended)};
    if (rows->tokens && rows->lengths && rows->ended)
        return AG_OK;
    playground_rows_clear(rows);
    return ag_error_set(error, AG_NO_MEMORY, "no memory for answers");
}

void playground_rows_clear(playground_rows *rows)
{
    free(rows->tokens);
    free(rows->lengths);
    free(rows->ended);
    free(rows->memory);
    *rows = (playground_rows){0};
}

/* Whether a row is its whole target and ended there. */
static bool is_right(const data_batch *batch, const playground_rows *rows, int64_t row)
{
    const int64_t length = batch->target_lengths[row];
    return rows->ended[row] && rows->lengths[row] == length &&
           !memcmp(rows->tokens + row * rows->most, batch->target_in + row * batch->target_length,
                   (size_t)length * sizeof(int32_t));
}

/* A row that differs from its target need not go on. */
static void end_wrong(const data_batch *batch, playground_rows *rows)
{
    for (int64_t row = 0; row < rows->rows; row++) {
        const int64_t length = rows->lengths[row], whole = batch->target_lengths[row];
        rows->ended[row] = rows->ended[row] || length > whole ||
                           memcmp(rows->tokens + row * rows->most, batch->target_in + row * batch->target_length,
                                  (size_t)length * sizeof(int32_t)) != 0;
    }
}

static ag_status count_written(playground *p, const data_batch *batch, int64_t *right)
{
    playground_rows rows;
    const nn_input source = {
        .source = batch->source, .source_length = batch->source_length, .source_lengths = batch->source_lengths};
    const bool reads = p->run->model->config.kind != NN_DECODER;
    ag_status status = playground_rows_init(&rows, batch->rows, batch->target_length + 1, &p->error);
    for (int64_t row = 0; status == AG_OK && row < rows.rows; row++) {
        rows.lengths[row] = (int32_t)given_length(p->run, batch, row);
        memcpy(rows.tokens + row * rows.most, batch->target_in + row * batch->target_length,
               (size_t)rows.lengths[row] * sizeof *rows.tokens);
    }
    while (status == AG_OK && !all_ended(&rows)) {
        status = playground_write_token(p, reads ? &source : &(nn_input){0}, &rows);
        end_wrong(batch, &rows);
    }
    for (int64_t row = 0; status == AG_OK && row < rows.rows; row++)
        *right += is_right(batch, &rows, row);
    playground_rows_clear(&rows);
    return status;
}

/* A tagger answers all at once. */
static ag_status count_tagged(playground *p, const data_batch *batch, int64_t *right)
{
    const int64_t classes = p->run->model->config.target_vocab, length = batch->source_length;
    nn_input input = {
        .rows = batch->rows, .source = batch->source, .source_length = length, .source_lengths = batch->source_lengths};
    const ag_tensor *logits;
    const ag_status status = playground_logits(p, &input, NULL, &logits);
    if (status != AG_OK)
        return status;
    for (int64_t row = 0; row < batch->rows; row++) {
        int64_t i = 0;
        while (i < batch->source_lengths[row] &&
               playground_most_probable(logits->data + (row * length + i) * classes, classes, NULL, 0) ==
                   batch->target_out[row * length + i])
            i++;
        *right += i == batch->source_lengths[row];
    }
    return AG_OK;
}

ag_status playground_exact(playground *p, int64_t count, double *exact)
{
    const playground_run *run = p->run;
    const int64_t all = data_set_count(run->dev);
    int64_t right = 0;
    data_batch batch = {0};
    ag_status status = AG_OK;
    count = count < all ? count : all;
    for (int64_t row = 0; row < count && status == AG_OK; row += PLAYGROUND_ROWS) {
        const int64_t rows = count - row < PLAYGROUND_ROWS ? count - row : PLAYGROUND_ROWS;
        status = data_set_range(run->dev, row, rows, &batch, &p->error);
        if (status == AG_OK)
            status = (run->model->config.kind == NN_ENCODER ? count_tagged : count_written)(p, &batch, &right);
    }
    data_batch_clear(&batch);
    if (status == AG_OK)
        *exact = (double)right / (double)count;
    return status;
}
