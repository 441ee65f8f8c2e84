/* gradcheck.c - the gradient checks of a layer or model: its parameters become inputs of
 * the function under check, with their names. */
#include "layer.h"

#include <stdlib.h>
#include <string.h>

/* One check: a function of inputs and parameters as an ag_function, and all that it is
 * differentiated by. */
typedef struct params_check {
    nn_function *function;
    void *context;
    const nn_params *params;
    ag_gradcheck_input *inputs; /* [count]: the caller's, then the parameters */
    int count;
} params_check;

/* nn_parameter makes leaves of its own on the parameters' memory, so those that the check
 * made for them are not needed. */
static ag_tensor *run_function(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    const params_check *check = context;
    const nn_pass pass = {.tape = tape, .params = check->params, .training = true};
    return check->function(&pass, inputs, check->context);
}

static ag_status prepare(params_check *check, const ag_gradcheck_input *inputs, int count, ag_error *error)
{
    const nn_params *params = check->params;
    if (!check->function)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: no function given");
    if (count < 0 || (count && !inputs))
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: no inputs given");
    if (!params || !params->value || !params->grad)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: the parameters have no memory (nn_params_allocate)");
    check->count = count + params->count;
    check->inputs = calloc((size_t)check->count + 1, sizeof *check->inputs);
    if (!check->inputs)
        return ag_error_set(error, AG_NO_MEMORY, "gradcheck: out of memory for %d inputs", check->count);
    if (count)
        memcpy(check->inputs, inputs, (size_t)count * sizeof *inputs);
    for (int i = 0; i < params->count; i++) {
        const nn_param *item = &params->items[i];
        check->inputs[count + i] =
            (ag_gradcheck_input){item->name, item->shape, params->value + item->offset, params->grad + item->offset};
    }
    return AG_OK;
}

ag_status nn_gradcheck(nn_function *f, void *context, const nn_params *params, const ag_gradcheck_input *inputs,
                       int count, const ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error)
{
    params_check check = {.function = f, .context = context, .params = params};
    ag_status status = prepare(&check, inputs, count, error);
    if (status == AG_OK)
        status = ag_gradcheck(run_function, &check, check.inputs, check.count, options, report, error);
    free(check.inputs);
    return status;
}

ag_status nn_dot_test(nn_function *f, void *context, const nn_params *params, const ag_gradcheck_input *inputs,
                      int count, const ag_gradcheck_options *options, ag_dot_report *report, ag_error *error)
{
    params_check check = {.function = f, .context = context, .params = params};
    ag_status status = prepare(&check, inputs, count, error);
    if (status == AG_OK)
        status = ag_dot_test(run_function, &check, check.inputs, check.count, options, report, error);
    free(check.inputs);
    return status;
}

ag_status nn_taylor_test(nn_function *f, void *context, const nn_params *params, const ag_gradcheck_input *inputs,
                         int count, const ag_gradcheck_options *options, ag_taylor_report *report, ag_error *error)
{
    params_check check = {.function = f, .context = context, .params = params};
    ag_status status = prepare(&check, inputs, count, error);
    if (status == AG_OK)
        status = ag_taylor_test(run_function, &check, check.inputs, check.count, options, report, error);
    free(check.inputs);
    return status;
}
