/* probe.c - see probe.h. */
#include "probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The example, repeated --------------------------------------------------------- */

/* Limits on the memory of a batch: rows, tokens of both sides, logits. */
enum { MOST_ROWS = 64, MOST_TOKENS = 2048, MOST_LOGITS = 1 << 24 };

static int64_t choose_rows(const reach *r, int64_t vocab, int64_t wanted)
{
    int64_t rows = wanted < MOST_ROWS ? wanted : MOST_ROWS;
    if (r->inputs > 0 && rows > MOST_TOKENS / r->inputs)
        rows = MOST_TOKENS / r->inputs;
    if (r->inputs > 0 && rows > MOST_LOGITS / vocab / r->inputs)
        rows = MOST_LOGITS / vocab / r->inputs;
    return rows > 1 ? rows : 1;
}

/* Repeats one side's tokens and length in every row. Either may be NULL. */
static ag_status repeat_side(probe *p, study_side side, const int32_t *tokens, const int32_t *length, ag_error *error)
{
    const size_t rows = (size_t)p->rows, count = (size_t)p->reach->lengths[side];
    p->tokens[side] = tokens ? calloc(rows * count + 1, sizeof *tokens) : NULL;
    p->token_lengths[side] = length ? calloc(rows, sizeof *length) : NULL;
    if ((tokens && !p->tokens[side]) || (length && !p->token_lengths[side]))
        return ag_error_set(error, AG_NO_MEMORY, "out of memory for %zu rows of %zu tokens", rows, count);
    for (size_t row = 0; row < rows; row++) {
        if (tokens && count)
            memcpy(p->tokens[side] + row * count, tokens, count * sizeof *tokens);
        if (length)
            p->token_lengths[side][row] = *length;
    }
    return AG_OK;
}

ag_status probe_init(probe *p, const study_subject *subject, const reach *r, int64_t rows, ag_error *error)
{
    const nn_input *input = subject->input;
    const nn_model *model = subject->model;
    *p = (probe){.subject = subject, .reach = r, .params = model->params};
    p->params.grad = NULL;
    p->rows = choose_rows(r, model->config.target_vocab, rows);
    p->tape = ag_tape_new(&(ag_tape_options){.threads = subject->threads});
    ag_status status = p->tape ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "out of memory for a tape");
    if (status == AG_OK && model->config.kind != NN_DECODER)
        status = repeat_side(p, SIDE_SOURCE, input->source, input->source_lengths, error);
    if (status == AG_OK && model->config.kind != NN_ENCODER)
        status = repeat_side(p, SIDE_TARGET, input->target, input->target_lengths, error);
    p->input = (nn_input){.rows = p->rows,
                          .source_length = r->lengths[SIDE_SOURCE],
                          .target_length = r->lengths[SIDE_TARGET],
                          .source = p->tokens[SIDE_SOURCE],
                          .source_lengths = p->token_lengths[SIDE_SOURCE],
                          .target = p->tokens[SIDE_TARGET],
                          .target_lengths = p->token_lengths[SIDE_TARGET]};
    if (status != AG_OK)
        probe_clear(p);
    return status;
}

void probe_clear(probe *p)
{
    for (int side = 0; side < SIDES; side++) {
        free(p->tokens[side]);
        free(p->token_lengths[side]);
    }
    free(p->seed);
    free(p->parts);
    ag_tape_free(p->tape);
    *p = (probe){0};
}

/* Makes a mask of one row into one for every row. */
static ag_status widen_mask(probe *p, const ag_mask *mask, int64_t queries, int64_t keys, const ag_mask **wide)
{
    const int64_t heads = p->subject->model->config.heads;
    *wide = NULL;
    if (!mask)
        return AG_OK;
    ag_status status = ag_mask_fits(mask, 1, heads, queries, keys, &p->error);
    unsigned char *allow = status == AG_OK ? ag_tape_alloc(p->tape, (size_t)(heads * queries * keys) + 1) : NULL;
    if (!allow)
        return status;
    for (int64_t head = 0; head < heads; head++)
        for (int64_t i = 0; i < queries; i++)
            for (int64_t j = 0; j < keys; j++)
                allow[(head * queries + i) * keys + j] = ag_mask_allows(mask, 0, head, i, j);
    *wide = ag_mask_explicit(p->tape, 1, heads, queries, keys, allow);
    return AG_OK;
}

/* The masks of all attentions that the model has. */
static ag_status widen_masks(probe *p)
{
    const nn_input *input = p->subject->input;
    const nn_model_kind kind = p->subject->model->config.kind;
    const int64_t source = p->reach->lengths[SIDE_SOURCE], target = p->reach->lengths[SIDE_TARGET];
    ag_status status = AG_OK;
    if (kind != NN_DECODER)
        status = widen_mask(p, input->encoder_mask, source, source, &p->input.encoder_mask);
    if (status == AG_OK && kind != NN_ENCODER)
        status = widen_mask(p, input->decoder_mask, target, target, &p->input.decoder_mask);
    if (status == AG_OK && kind == NN_ENCODER_DECODER)
        status = widen_mask(p, input->cross_mask, target, source, &p->input.cross_mask);
    return status;
}

/* ---- Blocks ------------------------------------------------------------------------ */

/* The values of x, or those of position 0 at all positions, as a leaf: gradients end
 * there. */
static ag_tensor *make_leaf(probe *p, const ag_tensor *x)
{
    const int64_t rows = x->shape.dim[0], length = x->shape.dim[1], width = x->shape.dim[2];
    const size_t bytes = (size_t)x->size * sizeof(ag_real), position = (size_t)width * sizeof(ag_real);
    ag_real *data = p->values == PROBE_ALIKE ? ag_tape_alloc(p->tape, bytes) : x->data;
    ag_real *grad = ag_tape_alloc(p->tape, bytes);
    if (!data || !grad)
        return NULL;
    for (int64_t row = 0; row < rows && data != x->data; row++)
        for (int64_t t = 0; t < length; t++)
            memcpy(data + (row * length + t) * width, x->data + row * length * width, position);
    return ag_leaf(p->tape, x->shape, data, grad);
}

/* Whether x has the rows and positions that belong there. */
static bool has_shape(probe *p, const char *name, study_side side, const ag_tensor *x)
{
    const int64_t length = p->reach->lengths[side];
    char text[AG_SHAPE_TEXT];
    if (x->shape.ndim == 3 && x->shape.dim[0] == p->rows && x->shape.dim[1] == length)
        return true;
    ag_error_set(&p->error, AG_BAD_SHAPE, "%s shows %s, where %lld rows of %lld positions belong", name,
                 ag_shape_print(x->shape, text), (long long)p->rows, (long long)length);
    return false;
}

/* Adds a part. `input` is on the side of the output. */
static void add_part(probe *p, const char *name, reach_part which, study_side side, ag_tensor *input, ag_tensor *memory,
                     ag_tensor *output)
{
    probe_part *parts = realloc(p->parts, (size_t)(p->count + 1) * sizeof *parts);
    if (!parts) {
        ag_error_set(&p->error, AG_NO_MEMORY, "out of memory for %d parts of a model", p->count + 1);
        return;
    }
    p->parts = parts;
    probe_part *part = &p->parts[p->count++];
    *part = (probe_part){.reach = which, .side = side, .output = output};
    part->inputs[SIDE_SOURCE] = memory;
    part->inputs[side] = input;
    snprintf(part->name, sizeof part->name, "%s", name);
}

/* Cuts at one end of a block: the rest of the computation continues from a leaf. */
static ag_tensor *cut_block(probe *p, const char *name, nn_block_end end, study_side side, ag_tensor *x)
{
    switch (end) {
    case NN_BLOCK_MEMORY:
        if (p->left[SIDE_SOURCE] && !p->entered[SIDE_TARGET] && x != p->left[SIDE_SOURCE])
            add_part(p, "encoder.norm", REACH_POSITION, SIDE_SOURCE, p->left[SIDE_SOURCE], NULL, x);
        return p->memory = make_leaf(p, x);
    case NN_BLOCK_INPUT:
        return p->entered[side] = make_leaf(p, x);
    default:
        add_part(p, name, side == SIDE_SOURCE ? REACH_ENCODER_BLOCK : REACH_DECODER_BLOCK, side, p->entered[side],
                 side == SIDE_TARGET ? p->memory : NULL, x);
        return p->left[side] = make_leaf(p, x);
    }
}

/* nn_pass.on_block */
static ag_tensor *enter_or_leave(void *context, const char *name, nn_block_end end, ag_tensor *x)
{
    probe *p = context;
    const bool decodes = p->subject->model->config.kind != NN_ENCODER;
    const study_side side = decodes && strncmp(name, "encoder.", strlen("encoder.")) ? SIDE_TARGET : SIDE_SOURCE;
    if (!x || p->error.status != AG_OK || !has_shape(p, name, end == NN_BLOCK_MEMORY ? SIDE_SOURCE : side, x))
        return x;
    if (p->cut)
        return cut_block(p, name, end, side, x);
    if (end == NN_BLOCK_INPUT && !p->entered[side])
        return p->entered[side] = make_leaf(p, x);
    return x;
}

/* ---- Running ----------------------------------------------------------------------- */

/* Adds the part that ends with the logits. */
static void add_last_part(probe *p, ag_tensor *logits)
{
    const study_side side = p->reach->output;
    ag_tensor *const *inputs = p->cut ? p->left : p->entered;
    if (!has_shape(p, "the output", side, logits))
        return;
    if (!inputs[side] || (p->subject->model->config.kind == NN_ENCODER_DECODER && !inputs[SIDE_SOURCE])) {
        ag_error_set(&p->error, AG_BAD_VALUE, "the computation does not show its blocks (nn_pass.on_block)");
        return;
    }
    if (p->cut)
        add_part(p, "output", REACH_POSITION, side, inputs[side], NULL, logits);
    else
        add_part(p, "model", REACH_MODEL, side, inputs[side], inputs[SIDE_SOURCE], logits);
}

ag_status probe_run(probe *p, bool cut, probe_values values, ag_error *error)
{
    const study_subject *subject = p->subject;
    ag_tape_rewind(p->tape);
    p->count = 0;
    p->cut = cut;
    p->values = values;
    p->memory = NULL;
    memset(p->entered, 0, sizeof p->entered);
    memset(p->left, 0, sizeof p->left);
    p->error = (ag_error){0};

    const nn_pass pass = {.tape = p->tape, .params = &p->params, .on_block = enter_or_leave, .context = p};
    if (widen_masks(p) == AG_OK && ag_tape_error(p->tape)->status == AG_OK) {
        ag_tensor *logits = subject->apply ? subject->apply(subject->context, subject->model, &pass, &p->input)
                                           : nn_model_apply(subject->model, &pass, &p->input);
        if (logits && p->error.status == AG_OK)
            add_last_part(p, logits);
    }
    const ag_error *tape = ag_tape_error(p->tape);
    if (tape->status != AG_OK)
        ag_error_set(&p->error, tape->status, "%s", tape->message);
    return p->error.status == AG_OK ? AG_OK : ag_error_set(error, p->error.status, "%s", p->error.message);
}

/* ---- Differentiating --------------------------------------------------------------- */

void probe_direction(uint64_t stream, int64_t width, ag_real *seed)
{
    ag_rng rng = ag_rng_make(0, stream);
    for (int64_t c = 0; c < width; c++)
        seed[c] = (ag_real)ag_rng_normal(&rng);
}

/* Makes p->seed as large as the part's output, all zeros. */
static ag_status clear_seed(probe *p, const probe_part *part, ag_error *error)
{
    const size_t bytes = (size_t)part->output->size * sizeof(ag_real);
    ag_real *seed = realloc(p->seed, bytes + 1); /* (of 0 bytes, realloc may return NULL) */
    if (!seed)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory for a seed of %lld numbers",
                            (long long)part->output->size);
    p->seed = memset(seed, 0, bytes);
    return AG_OK;
}

/* Differentiates by the inputs of the part, from p->seed. */
static ag_status differentiate(probe *p, const probe_part *part, ag_error *error)
{
    for (int side = 0; side < SIDES; side++) {
        ag_tensor *x = part->inputs[side];
        if (x && x->size)
            memset(x->grad, 0, (size_t)x->size * sizeof(ag_real));
    }
    if (!part->output->needs_grad || ag_backward_seeded(part->output, p->seed) == AG_OK)
        return AG_OK;
    return ag_error_set(error, ag_tape_error(p->tape)->status, "%s", ag_tape_error(p->tape)->message);
}

/* The norm of the gradient of input j in this row. */
static double gradient_norm(const probe *p, const probe_part *part, int64_t row, int64_t j)
{
    int64_t position;
    const study_side side = reach_side(p->reach, j, &position);
    const ag_tensor *x = part->inputs[side];
    if (!x)
        return 0;
    const int64_t width = x->shape.dim[2];
    const ag_real *g = x->grad + (row * p->reach->lengths[side] + position) * width;
    double largest = 0, sum = 0;
    for (int64_t c = 0; c < width; c++) {
        const double size = fabs((double)g[c]);
        if (isnan(size))
            return NAN;
        largest = size > largest ? size : largest;
    }
    if (largest == 0 || isinf(largest))
        return largest;
    /* (divided by the largest: else a square could underflow to 0) */
    for (int64_t c = 0; c < width; c++)
        sum += (double)g[c] / largest * ((double)g[c] / largest);
    return largest * sqrt(sum);
}

ag_status probe_outputs(probe *p, const probe_part *part, int64_t each,
                        void (*seed)(int64_t i, int64_t c, int64_t width, ag_real *seed),
                        double (*combine)(double value, double norm), double *values, ag_error *error)
{
    const int64_t outputs = p->reach->lengths[part->side], inputs = p->reach->inputs,
                  width = part->output->shape.dim[2], count = outputs * each;
    for (int64_t first = 0; first < count; first += p->rows) {
        const int64_t rows = count - first < p->rows ? count - first : p->rows;
        ag_status status = clear_seed(p, part, error);
        if (status != AG_OK)
            return status;
        for (int64_t row = 0; row < rows; row++) {
            const int64_t i = (first + row) / each;
            seed(i, (first + row) % each, width, p->seed + (row * outputs + i) * width);
        }
        status = differentiate(p, part, error);
        if (status != AG_OK)
            return status;
        for (int64_t row = 0; row < rows; row++)
            for (int64_t j = 0; j < inputs; j++) {
                double *value = &values[(first + row) / each * inputs + j];
                *value = combine(*value, gradient_norm(p, part, row, j));
            }
    }
    return AG_OK;
}
