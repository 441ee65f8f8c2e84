/* node.c - ag_custom, which runs one operation: check the inputs, find the output's
 * shape, compute it, append the node to the tape.
 *
 * Every operation goes through here, so this is all that "define by run" means: a node is
 * appended only after its inputs were made, and so the tape is sorted by dependence. */
#include "tape.h"

#include <string.h>

ag_status ag_fail(const ag_node *node, ag_status status, const char *format, ...)
{
    char sentence[AG_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    ag_text_print_list(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return ag_error_set(&node->tape->error, status, "%s: %s", node->op->name, sentence);
}

const char *tape_record_lacks(const ag_op *op)
{
    return !op            ? "is NULL"
           : !op->name    ? "has no name"
           : !op->shape   ? "has no shape"
           : !op->forward ? "has no forward"
                          : NULL;
}

/* The tape of the first input that is not NULL; NULL if there is none. */
static ag_tape *tape_of_inputs(ag_tensor *const *inputs, int count)
{
    for (int i = 0; i < count && inputs; i++)
        if (inputs[i])
            return inputs[i]->tape;
    return NULL;
}

/* Whether the inputs can be used together, on the tape of the first; if not, or if the
 * tape has an error already, the operation does not run. */
static bool inputs_are_usable(ag_tape *tape, const ag_op *op, ag_tensor *const *inputs, int count, int required)
{
    for (int i = 0; i < count; i++) {
        if (!inputs[i] && i < required)
            ag_error_set(&tape->error, AG_BAD_VALUE, "%s: input %d is NULL", op->name, i);
        else if (inputs[i] && inputs[i]->tape != tape)
            ag_error_set(&tape->error, AG_BAD_VALUE, "%s: input %d lives on another tape", op->name, i);
        else if (inputs[i] && inputs[i]->is_forgotten)
            ag_error_set(&tape->error, AG_BAD_VALUE, "%s: input %d has been forgotten", op->name, i);
    }
    return tape->error.status == AG_OK;
}

/* Whether the record can run; if not, the tape has the error. */
static bool record_is_usable(ag_tape *tape, const ag_op *op, bool lacks_attributes)
{
    const char *lacks = tape_record_lacks(op);
    if (lacks)
        ag_error_set(&tape->error, AG_BAD_VALUE, "%s: its record %s", op && op->name ? op->name : "an operation",
                     lacks);
    else if (lacks_attributes)
        ag_error_set(&tape->error, AG_BAD_VALUE, "%s: no attributes given", op->name);
    return !lacks && !lacks_attributes;
}

/* A node with its own copies of inputs and attributes, and an output that has no shape
 * yet. The output needs a gradient if one of the inputs does. */
static ag_node *node_new(ag_tape *tape, const ag_op *op, ag_tensor *const *inputs, int count, const void *attributes,
                         size_t attributes_size)
{
    ag_node *node = ag_tape_alloc(tape, sizeof *node);
    ag_tensor **kept_inputs = ag_tape_alloc(tape, (size_t)count * sizeof *inputs);
    ag_tensor *output = tape_tensor_new(tape, AG_SCALAR);
    void *kept_attributes = attributes_size ? ag_tape_alloc(tape, attributes_size) : NULL;
    ag_cost *cost = tape->measures ? ag_tape_alloc(tape, sizeof *cost) : NULL;
    if (!node || !kept_inputs || !output || (attributes_size && !kept_attributes) || (tape->measures && !cost))
        return NULL;
    if (cost)
        *cost = (ag_cost){0};

    memcpy(kept_inputs, inputs, (size_t)count * sizeof *inputs);
    if (attributes_size)
        memcpy(kept_attributes, attributes, attributes_size);
    *node = (ag_node){.op = op,
                      .tape = tape,
                      .input_count = count,
                      .inputs = kept_inputs,
                      .output = output,
                      .attributes = kept_attributes,
                      .cost = cost,
                      .scope = tape->scope ? tape->scope->text : "",
                      .dropouts = tape->dropouts};
    for (int i = 0; i < count; i++)
        if (inputs[i] && inputs[i]->needs_grad && tape->grad_on && op->backward)
            output->needs_grad = true;
    return node;
}

/* Gives the output memory for its shape; a view gets that of its input. */
static ag_status output_alloc(ag_node *node)
{
    ag_tensor *y = node->output;
    y->size = ag_shape_size(y->shape);
    if (y->size < 0)
        return ag_fail(node, AG_BAD_SHAPE, "the result would be larger than memory can be");
    if (node->op->is_view && (!node->inputs[0] || y->size != node->inputs[0]->size))
        return ag_fail(node, AG_BAD_SHAPE, "a view has as many elements as its input");
    if (node->op->is_view)
        y->data = node->inputs[0]->data;
    else if (!(y->data = tape_take(node->tape, (size_t)y->size * sizeof(ag_real))))
        return AG_NO_MEMORY;
    return AG_OK;
}

/* Gives the output its shape, memory and values. */
static ag_status node_run(ag_node *node)
{
    ag_status status = node->op->shape(node);
    if (status == AG_OK)
        status = output_alloc(node);
    return status == AG_OK ? node->op->forward(node) : status;
}

/* The same, with its time and memory. */
static ag_status node_run_measured(ag_node *node)
{
    const size_t taken = node->tape->arena.taken;
    const double start = ag_seconds();
    const ag_status status = node_run(node);
    node->cost->forward = ag_seconds() - start;
    node->cost->bytes = node->tape->arena.taken - taken;
    return status;
}

/* Computes the output and appends the node. NULL, and the tape has the error, if that
 * fails. */
static ag_tensor *node_append(ag_node *node)
{
    ag_tape *tape = node->tape;
    const ag_status status = node->cost ? node_run_measured(node) : node_run(node);
    arena_rewind(&tape->scratch);
    if (status != AG_OK || tape->error.status != AG_OK) {
        ag_fail(node, status != AG_OK ? status : tape->error.status, "failed without saying why");
        return NULL;
    }

    if (tape->kinks && node->op->kinks)
        node->op->kinks(node, tape->kinks);
    if (tape->grad_on) {
        node->output->node = node;
        node->before = tape->last;
        tape->last = node;
    }
    return node->output;
}

ag_tensor *ag_custom(const ag_op *op, ag_tensor *const *inputs, int count, int required, const void *attributes,
                     size_t attributes_size)
{
    ag_tape *tape = tape_of_inputs(inputs, count);
    if (!tape || !record_is_usable(tape, op, attributes_size && !attributes) ||
        !inputs_are_usable(tape, op, inputs, count, required))
        return NULL;
    ag_node *node = node_new(tape, op, inputs, count, attributes, attributes_size);
    return node ? node_append(node) : NULL;
}

ag_tensor *tape_replay(const ag_node *node, ag_tape *tape, ag_tensor *const *inputs)
{
    tape->dropout_seed = node->tape->dropout_seed;
    tape->dropout_step = node->tape->dropout_step;
    tape->dropouts = node->dropouts;
    ag_node *again = node_new(tape, node->op, inputs, node->input_count, NULL, 0);
    if (!again)
        return NULL;
    again->attributes = node->attributes;
    return node_append(again);
}
