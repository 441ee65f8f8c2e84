/* passes.c - all examples through the model and back, and what is noted on the way. */
#include "doctor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- The computation --------------------------------------------------------------- */

/* Keeps the tensor for checkup_note_batch if its rows and positions are those of the
 * batch; an own computation may have others. Returns whether they are. */
static bool note_output(checkup *c, study_side side, const char *name, ag_tensor *x)
{
    const int64_t length = side == SIDE_SOURCE ? c->batch.source_length : c->batch.target_length;
    if (x->shape.ndim != 3 || x->shape.dim[0] != c->batch.rows || x->shape.dim[1] != length ||
        c->block_now == c->most_blocks)
        return false;
    checkup_block *block = &c->blocks[c->block_now++];
    ag_text_print(block->name, sizeof block->name, "%s", name);
    block->side = side;
    block->output = ag_retain_grad(x);
    return true;
}

/* Beside the results of the blocks, what enters a stack and what follows it: a block that
 * is the first or the last of its stack is compared with these. */
static ag_tensor *note_block(void *context, const char *name, nn_block_end end, ag_tensor *x)
{
    static const char *const inputs[] = {"the encoder's input", "the decoder's input"};
    checkup *c = context;
    const study_side side = strncmp(name, "encoder.", strlen("encoder.")) == 0 ? SIDE_SOURCE : SIDE_TARGET;
    if (end == NN_BLOCK_OUTPUT)
        note_output(c, side, name, x);
    else if (end == NN_BLOCK_MEMORY && !c->sides[side].entered)
        note_output(c, SIDE_SOURCE, "the encoder's result", x);
    else if (end == NN_BLOCK_INPUT && !c->sides[side].entered && note_output(c, side, inputs[side], x))
        c->sides[side].entered = x;
    return x;
}

ag_tensor *checkup_loss(const checkup *c, const nn_pass *pass, ag_reduction reduction)
{
    const study_patient *patient = c->patient;
    const data_batch *b = &c->batch;
    const nn_input input = {.rows = b->rows,
                            .source = b->source,
                            .source_lengths = b->source_lengths,
                            .source_length = b->source_length,
                            .target = b->target_in,
                            .target_lengths = b->target_lengths,
                            .target_length = b->target_length};
    const ag_cross_entropy_options options = {.ignore = true, .ignore_index = DATA_NONE, .reduction = reduction};
    ag_tensor *logits = patient->apply ? patient->apply(patient->context, patient->model, pass, &input)
                                       : nn_model_apply(patient->model, pass, &input);
    return ag_cross_entropy(logits, b->target_out, &options);
}

/* Forward and, by `backward`, back. Gradients begin at 0. */
static ag_status run_pass(checkup *c, ag_status (*backward)(ag_tensor *loss), double *loss)
{
    const nn_pass pass = {.tape = c->tape, .params = &c->params, .on_block = note_block, .context = c};
    nn_params_zero_grad(&c->params);
    ag_tape_rewind(c->tape);
    c->block_now = 0;
    c->sides[SIDE_SOURCE].entered = c->sides[SIDE_TARGET].entered = NULL;
    ag_tensor *y = checkup_loss(c, &pass, AG_SUM);
    *loss = y ? (double)y->data[0] : NAN;
    if (y && y->node->inputs[0]->node)
        note_output(c, c->patient->model->config.kind == NN_ENCODER ? SIDE_SOURCE : SIDE_TARGET, "the logits",
                    y->node->inputs[0]);
    return y && isfinite(*loss) ? backward(y) : ag_tape_error(c->tape)->status;
}

/* ---- Numbers that are not finite --------------------------------------------------- */

#define LARGE_NUMBERS                                                                                                  \
    "Look at this operation's inputs: a rate that is too high, a division by 0 or the logarithm of 0 makes them."

/* The first operation whose result is not finite. If the loss is finite all the same, a
 * mask or a probability of 0 has hidden the number, which may be meant. */
static void find_forward(checkup *c, double loss)
{
    char text[AG_MESSAGE_SIZE];
    const bool found = ag_tape_find_nonfinite(c->tape, text);
    if (isfinite(loss) && found && c->passes == 0)
        checkup_find(c, STUDY_OBSERVATION, "Nothing, if a mask makes it on purpose; else make it finite.",
                     "%s, though the loss is finite", text);
    if (isfinite(loss))
        return;
    c->broken = true;
    checkup_find(c, STUDY_FAULT, LARGE_NUMBERS, "the loss of batch %lld is %g%s%s", (long long)c->passes, loss,
                 found ? ": " : "", found ? text : "");
}

/* The first operation whose backward makes a number that is not finite. */
static void find_backward(checkup *c)
{
    double loss;
    c->broken = true;
    const ag_status status = run_pass(c, ag_backward_checked, &loss);
    checkup_find(c, STUDY_FAULT, LARGE_NUMBERS, "the gradients of batch %lld are not finite%s%s", (long long)c->passes,
                 status == AG_NOT_FINITE ? ": " : "", status == AG_NOT_FINITE ? ag_tape_error(c->tape)->message : "");
}

/* ---- All batches ------------------------------------------------------------------- */

/* The rows of a batch: few enough that its logits take at most MOST_LOGITS numbers. */
static int64_t choose_rows(const study_patient *patient)
{
    enum { ROWS = 32, MOST_LOGITS = 1 << 25 };
    const int64_t row = data_set_max_target(patient->set) * patient->model->config.target_vocab;
    const int64_t fit = row > 0 ? MOST_LOGITS / row : ROWS;
    return patient->batch ? patient->batch : fit < 1 ? 1 : fit < ROWS ? fit : ROWS;
}

/* The first rows of the batch, which lie first in its arrays. */
static void keep_rows(data_batch *b, int64_t rows)
{
    if (b->rows <= rows)
        return;
    b->rows = rows;
    b->tokens = 0;
    for (int64_t row = 0; row < rows; row++)
        b->tokens += b->target_lengths[row];
}

static ag_status run_batch(checkup *c, int64_t rows)
{
    double loss;
    ag_status status = data_set_batch(c->patient->set, rows, (uint64_t)c->passes, &c->batch, c->error);
    if (status != AG_OK)
        return status;
    if (c->patient->examples)
        keep_rows(&c->batch, c->patient->examples - c->health->examples);
    status = run_pass(c, ag_backward, &loss);
    if (status != AG_OK)
        return ag_error_set(c->error, status, "%s", ag_tape_error(c->tape)->message);
    find_forward(c, loss);
    if (!c->broken && !isfinite(ag_vector_norm(c->params.grad, c->params.size, ag_tape_threads(c->tape))))
        find_backward(c);
    if (c->broken)
        return AG_OK;
    c->health->examples += c->batch.rows;
    c->health->tokens += c->batch.tokens;
    c->health->loss += loss;
    c->health->blind += ag_tape_blind_queries(c->tape);
    checkup_note_batch(c);
    c->passes++;
    return AG_OK;
}

ag_status checkup_passes(checkup *c)
{
    const int64_t rows = choose_rows(c->patient), batches = data_set_batches(c->patient->set, rows);
    const int64_t examples = c->patient->examples;
    const int64_t wanted = examples ? examples / rows + (examples % rows != 0) : batches;
    ag_status status = AG_OK;
    for (int64_t n = 0; n < batches && n < wanted && status == AG_OK && !c->broken; n++)
        status = run_batch(c, rows);
    if (status == AG_OK && !c->broken && c->health->tokens == 0)
        return ag_error_set(c->error, AG_BAD_VALUE, "the set has no targets to learn from");
    if (c->health->tokens)
        c->health->loss /= (double)c->health->tokens;
    if (status == AG_OK && !c->broken)
        checkup_find(c, STUDY_WELL, "", "every value and every gradient of %lld %s is finite",
                     (long long)c->health->examples, ag_plural(c->health->examples, "example", "examples"));
    return status;
}

/* ---- Gradients that round to 0 ----------------------------------------------------- */

static ag_status backward_enlarged(ag_tensor *loss)
{
    const ag_real seed = (ag_real)0x1p60;
    return ag_backward_seeded(loss, &seed);
}

/* One pass with the values in c->params, which are smaller than the model's. */
static ag_status run_damped(checkup *c)
{
    double loss;
    const ag_status status = run_pass(c, backward_enlarged, &loss);
    if (status != AG_OK)
        return ag_error_set(c->error, status, "%s", ag_tape_error(c->tape)->message);
    for (int64_t e = 0; e < c->params.size; e++)
        if (c->elements[e] == ELEMENT_SILENT && c->params.grad[e] != 0)
            c->elements[e] = ELEMENT_FAINT;
    return AG_OK;
}

ag_status checkup_damp(checkup *c)
{
    static const double scales[] = {0x1p-6, 0x1p-20};
    ag_real *values = c->params.value, *copy = ag_numbers_new(c->params.size);
    ag_status status = AG_OK;
    if (!copy)
        return ag_error_set(c->error, AG_NO_MEMORY, "out of memory for %lld parameters", (long long)c->params.size);
    c->params.value = copy;
    for (size_t k = 0; k < sizeof scales / sizeof *scales && status == AG_OK; k++) {
        for (int64_t e = 0; e < c->params.size; e++)
            copy[e] = (ag_real)(scales[k] * (double)values[e]);
        status = run_damped(c);
    }
    c->params.value = values;
    free(copy);
    return status;
}

/* ---- Where a gradient ends --------------------------------------------------------- */

static bool has_gradient(const ag_tensor *x)
{
    for (int64_t i = 0; x->grad && i < x->size; i++)
        if (x->grad[i] != 0)
            return true;
    return false;
}

/* Whether the node has a gradient and passes none on to an input between it and the
 * leaves. */
static bool ends_gradient(const ag_node *node)
{
    for (int i = 0; i < node->input_count && has_gradient(node->output); i++) {
        const ag_tensor *x = node->inputs[i];
        if (x && x->node && x->needs_grad && x->size && !has_gradient(x))
            return true;
    }
    return false;
}

static ag_status backward_retained(ag_tensor *loss)
{
    for (const ag_node *node = ag_tape_last(loss->tape); node; node = ag_node_before(node))
        ag_retain_grad(node->output);
    return ag_backward(loss);
}

ag_status checkup_find_end(checkup *c, char text[AG_MESSAGE_SIZE])
{
    double loss;
    *text = '\0';
    if (run_pass(c, backward_retained, &loss) != AG_OK)
        return ag_error_set(c->error, ag_tape_error(c->tape)->status, "%s", ag_tape_error(c->tape)->message);
    for (const ag_node *node = ag_tape_last(c->tape); node; node = ag_node_before(node))
        if (ends_gradient(node)) {
            ag_sentence_print(text, "%s in %s", node->op->name, *node->scope ? node->scope : "the outermost scope");
            return AG_OK;
        }
    return AG_OK;
}
