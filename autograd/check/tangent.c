/* tangent.c - forward mode from the inputs of a check: which leaves of the tape they are,
 * and how the result moves if they do. */
#include "gradcheck.h"

/* ---- The leaves -------------------------------------------------------------------- */

/* The input in whose gradient the leaf's gradient lies; -1: in none. (The values may lie
 * in several inputs, as in f(x, x); the gradients tell those apart.) */
static int input_of_leaf(const gradcheck *check, const ag_tensor *x)
{
    const uintptr_t begin = (uintptr_t)x->grad, end = begin + (size_t)x->size * sizeof(ag_real);
    for (int i = 0; i < check->count && x->size; i++) {
        const uintptr_t first = (uintptr_t)check->inputs[i].grad;
        if (begin >= first && end <= first + (size_t)gradcheck_input_size(check, i) * sizeof(ag_real))
            return i;
    }
    return -1;
}

/* Adds x to the list if it is a leaf on an input's memory and not yet there. While the
 * list is made, the leaves on it have a tangent as their mark. */
static void add_leaf(gradcheck *check, ag_tensor *x)
{
    static const ag_real mark;
    gradcheck_leaves *list = &check->movable;
    if (!x || x->node || !x->needs_grad || x->tangent)
        return;
    const int input = input_of_leaf(check, x);
    if (input < 0)
        return;
    x->tangent = &mark;
    list->leaves[list->count] = x;
    list->inputs[list->count++] = input;
}

ag_status gradcheck_list_leaves(gradcheck *check)
{
    size_t most = 1; /* the result may be a leaf itself */
    for (const ag_node *node = ag_tape_last(check->recorded->tape); node; node = ag_node_before(node))
        most += (size_t)node->input_count;
    gradcheck_leaves *list = &check->movable;
    *list = (gradcheck_leaves){.leaves = gradcheck_alloc(check, most * sizeof *list->leaves),
                               .inputs = gradcheck_alloc(check, most * sizeof *list->inputs),
                               .tangents = gradcheck_alloc(check, most * sizeof *list->tangents)};
    if (!list->leaves || !list->inputs || !list->tangents)
        return AG_NO_MEMORY;

    add_leaf(check, check->recorded);
    for (const ag_node *node = ag_tape_last(check->recorded->tape); node; node = ag_node_before(node))
        for (int i = 0; i < node->input_count; i++)
            add_leaf(check, node->inputs[i]);
    for (int i = 0; i < list->count; i++)
        list->leaves[i]->tangent = NULL;
    return AG_OK;
}

/* ---- Tangents ---------------------------------------------------------------------- */

ag_status gradcheck_jvp(gradcheck *check, const ag_real *const *directions, ag_real *tangent)
{
    const gradcheck_leaves *list = &check->movable;
    for (int i = 0; i < list->count; i++) {
        const ag_real *direction = directions[list->inputs[i]];
        const ag_real *whole = check->inputs[list->inputs[i]].grad;
        list->tangents[i] = direction ? direction + (list->leaves[i]->grad - whole) : NULL;
    }
    ag_tensor *y = check->recorded;
    ag_status status = ag_jvp(y, list->leaves, list->tangents, list->count, tangent);
    return status == AG_OK ? AG_OK : ag_error_set(check->error, status, "%s", ag_tape_error(y->tape)->message);
}

/* What the derivative along a line needs: the leaves, a direction for each input, and a
 * tangent of the result. */
static ag_status prepare_lines(gradcheck *check)
{
    int64_t largest = 0;
    for (int i = 0; i < check->count; i++)
        if (gradcheck_input_size(check, i) > largest)
            largest = gradcheck_input_size(check, i);
    check->directions = gradcheck_alloc(check, (size_t)check->count * sizeof *check->directions);
    check->direction = gradcheck_reals(check, largest);
    check->tangent = gradcheck_reals(check, check->size);
    if (!check->directions || !check->direction || !check->tangent)
        return AG_NO_MEMORY;
    return gradcheck_list_leaves(check);
}

ag_status gradcheck_find_tangent(gradcheck *check, const gradcheck_line *line, double *slope)
{
    if (!check->direction && prepare_lines(check) != AG_OK)
        return AG_NO_MEMORY;
    for (int i = 0; i < check->count; i++)
        check->directions[i] = i == line->input ? check->direction : NULL;
    for (int64_t i = 0; i < gradcheck_input_size(check, line->input); i++)
        check->direction[i] = i < line->begin || i >= line->end ? 0 : (ag_real)line->direction[i - line->begin];

    ag_status status = gradcheck_jvp(check, check->directions, check->tangent);
    if (status != AG_OK)
        return status;
    *slope = 0;
    for (int64_t k = 0; k < check->size; k++)
        *slope += (double)check->weights[k] * (double)check->tangent[k];
    return AG_OK;
}
