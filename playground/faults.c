/* faults.c - see faults.h. An operation that passes its input on, with a backward that is
 * wrong; its tangent rule is right, so that forward mode disagrees. */
#include "faults.h"

#include <string.h>

static const char *const names[PLAYGROUND_FAULTS] = {"none", "half", "sign", "shift", "first"};

const char *playground_fault_name(playground_fault fault)
{
    return names[fault];
}

ag_status playground_fault_read(playground_fault *fault, const char *name, ag_error *error)
{
    for (int i = 0; i < PLAYGROUND_FAULTS; i++)
        if (!strcmp(names[i], name)) {
            *fault = (playground_fault)i;
            return AG_OK;
        }
    return ag_error_set(error, AG_BAD_VALUE, "fault=%.40s: expected none, half, sign, shift or first", name);
}

/* ---- The operation ----------------------------------------------------------------- */

static playground_fault fault_of(const ag_node *node)
{
    return *(const playground_fault *)node->attributes;
}

static ag_status planted_shape(ag_node *node)
{
    node->output->shape = node->inputs[0]->shape;
    return AG_OK;
}

static ag_status planted_forward(ag_node *node)
{
    memcpy(node->output->data, node->inputs[0]->data, (size_t)node->output->size * sizeof(ag_real));
    return AG_OK;
}

/* The gradient that the faulty backward makes of dy at element i of y [.., positions,
 * features]. */
static ag_real wrong_gradient(const ag_node *node, int64_t i)
{
    const ag_shape shape = node->output->shape;
    const int64_t features = shape.dim[shape.ndim - 1], positions = shape.dim[shape.ndim - 2];
    const int64_t position = i / features % positions;
    const ag_real *dy = node->output->grad;
    switch (fault_of(node)) {
    case PLAYGROUND_HALF:
        return dy[i] / 2;
    case PLAYGROUND_SIGN:
        return i % features % 2 ? -dy[i] : dy[i];
    case PLAYGROUND_SHIFT:
        return position + 1 < positions ? dy[i + features] : 0;
    case PLAYGROUND_FIRST:
        return i < features * positions ? dy[i] : 0;
    default:
        return dy[i];
    }
}

static ag_status planted_backward(ag_node *node)
{
    ag_real *dx = ag_grad(node->inputs[0]);
    for (int64_t i = 0; dx && i < node->output->size; i++)
        dx[i] += wrong_gradient(node, i);
    return AG_OK;
}

static ag_status planted_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    memcpy(tangent, tangents[0], (size_t)node->output->size * sizeof(ag_real));
    return AG_OK;
}

static const ag_op planted_fault = {
    .name = "planted_fault",
    .formula = "y = x, with a backward that is wrong",
    .shape = planted_shape,
    .forward = planted_forward,
    .backward = planted_backward,
    .jvp = planted_jvp,
};

/* ---- In a pass --------------------------------------------------------------------- */

static ag_tensor *plant_block(void *context, const char *name, nn_block_end end, ag_tensor *x)
{
    playground_planting *p = context;
    if (end == NN_BLOCK_OUTPUT && !strcmp(name, p->block))
        x = ag_custom(&planted_fault, &x, 1, 1, &p->fault, sizeof p->fault);
    return x && p->on_block ? p->on_block(p->context, name, end, x) : x;
}

void playground_plant(playground_planting *planting, playground_fault fault, nn_model_kind kind, nn_pass *pass)
{
    if (fault == PLAYGROUND_NO_FAULT)
        return;
    *planting = (playground_planting){.fault = fault,
                                      .block = kind == NN_ENCODER ? "encoder.layers.0" : "decoder.layers.0",
                                      .on_block = pass->on_block,
                                      .context = pass->context};
    pass->on_block = plant_block;
    pass->context = planting;
}
