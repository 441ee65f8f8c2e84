/* nonfinite.c - finds where a number that is not finite came from: see nonfinite.h. */
#include "nonfinite.h"

#include <math.h>

ag_status train_parameters_finite(const nn_params *params, int64_t step, ag_error *error)
{
    for (int i = 0; i < params->count; i++) {
        const nn_param *parameter = &params->items[i];
        const ag_real *values = params->value + parameter->offset;
        for (int64_t e = 0; e < parameter->size; e++)
            if (!isfinite(values[e]))
                return ag_error_set(error, AG_NOT_FINITE,
                                    "step %lld: the update made %s[%lld] %g",
                                    (long long)step, parameter->name, (long long)e, (double)values[e]);
    }
    return AG_OK;
}

ag_status train_loss_not_finite(ag_tape *tape, double loss, int64_t step, ag_error *error)
{
    char text[AG_MESSAGE_SIZE];
    if (ag_tape_find_nonfinite(tape, text))
        return ag_error_set(error, AG_NOT_FINITE, "step %lld: the loss is %g: %s", (long long)step, loss, text);
    return ag_error_set(error, AG_NOT_FINITE, "step %lld: the loss is %g", (long long)step, loss);
}
