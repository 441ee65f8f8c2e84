/* tape.c - reads a recorded tape: the cost, values and gradients of its operations. */
#include "tape.h"

#include <math.h>
#include <stdlib.h>

/* ---- Rows -------------------------------------------------------------------------- */

/* The Euclidean norm of x [size]. */
static double norm_of(const ag_real *x, int64_t size)
{
    return x ? ag_vector_norm(x, size, 1) : TAPE_NO_NORM;
}

/* What the node keeps: what its forward took, without a result that was forgotten. */
static double kept_bytes(const ag_node *node)
{
    const double result = node->output->is_forgotten ? (double)node->output->size * (double)sizeof(ag_real) : 0;
    return fmax(0, (double)node->cost->bytes - result);
}

static tape_row row_of(const ag_node *node, const ag_tensor *values)
{
    tape_row row = {.node = node,
                    .forward = NAN,
                    .backward = NAN,
                    .recompute = NAN,
                    .multiply_adds = NAN,
                    .bytes = NAN,
                    .value = norm_of(values->data, values->size),
                    .gradient = norm_of(values->grad, values->size)};
    if (node->op->multiply_adds) {
        double forward, backward;
        node->op->multiply_adds(node, &forward, &backward);
        row.multiply_adds = forward + backward;
    }
    if (node->cost) {
        row.forward = node->cost->forward;
        row.backward = node->cost->backward;
        row.recompute = node->cost->recomputed ? node->cost->recompute : (double)NAN;
        row.bytes = kept_bytes(node);
    }
    return row;
}

ag_status tape_rows_read(tape_rows *rows, const ag_tape *tape, const ag_tape *values, const study_tape_options *options,
                         ag_error *error)
{
    static const study_tape_options none;
    *rows = (tape_rows){.options = options ? options : &none, .forward = NAN, .backward = NAN};
    const ag_error *problem = ag_tape_error(tape);
    if (problem->status != AG_OK)
        return ag_error_set(error, problem->status, "%s", problem->message);
    const ag_node *node = ag_tape_last(tape), *other = ag_tape_last(values);
    for (; node && other && node->op == other->op; node = ag_node_before(node), other = ag_node_before(other))
        rows->count++;
    if (node || other)
        return ag_error_set(error, AG_BAD_VALUE,
                            "the tape: two runs of the same computation differ in their operations");
    if (!rows->count)
        return ag_error_set(error, AG_BAD_VALUE, "the tape has no operations: run some on it, with gradients on");
    if (!(rows->items = calloc((size_t)rows->count, sizeof *rows->items)))
        return ag_error_set(error, AG_NO_MEMORY, "out of memory");
    node = ag_tape_last(tape);
    other = ag_tape_last(values);
    rows->measured = node->cost != NULL;
    for (int64_t i = rows->count; i-- > 0; node = ag_node_before(node), other = ag_node_before(other)) {
        rows->items[i] = row_of(node, other->output);
        if (!tape_has_run(rows->options, i))
            rows->items[i].value = TAPE_NO_NORM;
        if (rows->options->steps &&
            !tape_has_returned(rows->options, rows->count, tape_first_use(values, rows->count, other->output)))
            rows->items[i].gradient = TAPE_NO_NORM;
    }
    return AG_OK;
}

/* ---- Any tape ---------------------------------------------------------------------- */

ag_status study_tape(const ag_tape *tape, const study_tape_options *options, study_document *document, ag_error *error)
{
    tape_rows rows;
    ag_status status = tape_rows_read(&rows, tape, tape, options, error);
    if (status == AG_OK)
        status = tape_add_picture(tape, rows.options, document, error);
    if (status == AG_OK)
        status = tape_add_tables(&rows, document, error);
    free(rows.items);
    return status;
}
