/* trace.c - writes everything that one forward and backward pass computes to a file. */
#include "loss.h"
#include "study.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_SIZE 512

/* ---- The file ---------------------------------------------------------------------- */

/* Names a tensor of an operation: "forward" and node number 12 give
 * "forward/00012.encoder.norm.layer_norm". False if that is too long. */
static bool print_name(char name[NAME_SIZE], const char *part, int64_t number, const ag_node *node)
{
    const int length = snprintf(name, NAME_SIZE, "%s/%05lld.%s%s%s", part, (long long)number, node->scope,
                                *node->scope ? "." : "", node->op->name);
    return length >= 0 && length < NAME_SIZE;
}

/* Adds the result of every operation and its gradient, numbered in the order of
 * execution. */
static ag_status add_nodes(data_writer *writer, const ag_tape *tape, ag_error *error)
{
    ag_status status = AG_OK;
    int64_t number = 0;
    for (const ag_node *node = ag_tape_last(tape); node; node = ag_node_before(node))
        number++;
    for (const ag_node *node = ag_tape_last(tape); node && status == AG_OK; node = ag_node_before(node)) {
        const ag_tensor *y = node->output;
        char forward[NAME_SIZE], gradient[NAME_SIZE];
        number--;
        if (!print_name(forward, "forward", number, node) || !print_name(gradient, "gradient", number, node))
            return ag_error_set(error, AG_BAD_VALUE, "the name of a scope is too long: %.100s...", node->scope);
        status = data_writer_add_real(writer, forward, y->shape, y->data, error);
        if (status == AG_OK && y->grad)
            status = data_writer_add_real(writer, gradient, y->shape, y->grad, error);
    }
    return status;
}

static ag_status add_parameters(data_writer *writer, const nn_params *params, ag_error *error)
{
    ag_status status = AG_OK;
    for (int i = 0; i < params->count && status == AG_OK; i++) {
        const nn_param *item = &params->items[i];
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "parameter/%s", item->name);
        status = data_writer_add_real(writer, name, item->shape, params->grad + item->offset, error);
    }
    return status;
}

/* Writes the file; without a checksum, since other programs make and read such files,
 * too. */
static ag_status save_trace(const ag_tape *tape, const nn_params *params, const char *path, ag_error *error)
{
    data_writer *writer = data_writer_new(error);
    if (!writer)
        return AG_NO_MEMORY;
    data_writer_no_checksum(writer);
    ag_status status = add_nodes(writer, tape, error);
    if (status == AG_OK)
        status = add_parameters(writer, params, error);
    if (status == AG_OK)
        status = data_writer_save(writer, path, error);
    data_writer_free(writer);
    return status;
}

ag_status study_trace(const nn_model *model, const nn_input *input, const study_trace_options *options,
                      const char *path, ag_error *error)
{
    if (input->rows != 1)
        return ag_error_set(error, AG_BAD_VALUE, "a trace is of one example, not of %lld", (long long)input->rows);
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = options->threads});
    /* (with gradients of its own: the model does not change) */
    nn_params params = model->params;
    params.grad = calloc((size_t)params.size + 1, sizeof *params.grad);
    ag_status status = AG_OK;
    if (!tape || !params.grad) {
        status = ag_error_set(error, AG_NO_MEMORY, "out of memory");
    } else {
        nn_pass pass = {.tape = tape, .params = &params, .plain_attention = options->plain_attention};
        const int32_t end = options->marks ? options->marks[DATA_EOS] : DATA_EOS;
        ag_tensor *loss = study_loss(model, input, NULL, end, nn_model_apply(model, &pass, input));
        for (const ag_node *node = ag_tape_last(tape); node; node = ag_node_before(node))
            ag_retain_grad(node->output);
        if (!loss || ag_backward(loss) != AG_OK)
            status = ag_error_set(error, ag_tape_error(tape)->status, "%s", ag_tape_error(tape)->message);
        else
            status = save_trace(tape, &params, path, error);
    }
    free(params.grad);
    ag_tape_free(tape);
    return status;
}
