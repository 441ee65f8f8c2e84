/* nonfinite.c - where a NaN or an infinity came from. */
#include "kernels/kernels.h"
#include "tape.h"

#include <math.h>

bool tape_find_nonfinite(const ag_real *x, int64_t size, double *value)
{
    if (kernels()->elementwise->all_finite(size, x))
        return false;
    for (int64_t i = 0; i < size; i++)
        if (!isfinite(x[i])) {
            *value = (double)x[i];
            return true;
        }
    return false;
}

/* The oldest node whose output is not finite; NULL if there is none. Nodes are linked
 * newest first, so the last one found is the oldest. */
static const ag_node *oldest_nonfinite(const ag_tape *tape, double *value)
{
    const ag_node *oldest = NULL;
    for (const ag_node *node = tape->last; node; node = node->before)
        if (tape_recompute_values(node->output) == AG_OK &&
            tape_find_nonfinite(node->output->data, node->output->size, value))
            oldest = node;
    return oldest;
}

bool ag_tape_find_nonfinite(ag_tape *tape, char text[AG_MESSAGE_SIZE])
{
    double value = 0, input_value = 0;
    const ag_node *node = oldest_nonfinite(tape, &value);
    if (!node)
        return false;

    const char *scope = *node->scope ? node->scope : "the outermost scope";
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && tape_find_nonfinite(node->inputs[i]->data, node->inputs[i]->size, &input_value)) {
            ag_sentence_print(text, "%s in %s was given %g as input %d", node->op->name, scope, input_value, i);
            return true;
        }
    ag_sentence_print(text, "%s in %s made %g from finite inputs", node->op->name, scope, value);
    return true;
}
