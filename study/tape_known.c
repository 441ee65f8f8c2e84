/* tape_known.c - which values and gradients of a tape are known after some steps. */
#include "tape.h"

bool tape_has_run(const study_tape_options *options, int64_t number)
{
    return !options->steps || number < options->steps;
}

bool tape_has_returned(const study_tape_options *options, int64_t count, int64_t number)
{
    return !options->steps || 2 * count + 1 - number <= options->steps;
}

int64_t tape_first_use(const ag_tape *tape, int64_t count, const ag_tensor *x)
{
    int64_t first = count, number = count;
    for (const ag_node *node = ag_tape_last(tape); node; node = ag_node_before(node)) {
        number--;
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i] == x)
                first = number;
    }
    return first;
}
