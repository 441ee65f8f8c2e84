/* diagnose_evidence.c - the evidence of a diagnosis: both sides of the derivative by each
 * element of an input. */
#include "diagnose.h"

#include <math.h>

/* The element's line. `scale` must live as long. */
static gradcheck_line element_line(const diagnosis *d, int64_t k, double *scale)
{
    *scale = gradcheck_scale(d->check->origin[d->input][k]);
    return (gradcheck_line){.input = d->input, .begin = k, .end = k + 1, .direction = scale, .unit = *scale};
}

ag_status diagnosis_differentiate(diagnosis *d, int64_t k, gradcheck_estimate *slope)
{
    double scale;
    bool on_kink;
    const gradcheck_line line = element_line(d, k, &scale);
    ag_status status = gradcheck_differentiate(d->check, &line, slope, &on_kink);
    if (on_kink)
        slope->slope = NAN;
    return status;
}

/* The gradient's element by backward, or that of the tangents. */
static ag_status find_analytic(diagnosis *d, int64_t k)
{
    double scale;
    const gradcheck_line line = element_line(d, k, &scale);
    d->analytic[k] = (double)d->check->gradient[d->input][k];
    if (!d->check->options.forward_mode)
        return AG_OK;
    ag_status status = gradcheck_find_tangent(d->check, &line, &d->analytic[k]);
    d->analytic[k] /= scale;
    return status;
}

ag_status diagnosis_gather(diagnosis *d)
{
    gradcheck *check = d->check;
    const size_t bytes = (size_t)d->size * sizeof(double);
    d->analytic = gradcheck_alloc(check, bytes);
    d->numeric = gradcheck_alloc(check, bytes);
    d->noise = gradcheck_alloc(check, bytes);
    ag_status status = d->analytic && d->numeric && d->noise ? AG_OK : AG_NO_MEMORY;
    for (int64_t k = 0; k < d->size && status == AG_OK; k++) {
        gradcheck_estimate slope = {.slope = NAN};
        status = find_analytic(d, k);
        if (status == AG_OK)
            status = diagnosis_differentiate(d, k, &slope);
        d->numeric[k] = slope.slope;
        d->noise[k] = slope.error;
    }
    return status;
}

ag_status diagnosis_gather_second(diagnosis *d)
{
    gradcheck *check = d->check;
    ag_tensor *y;
    ag_status status = gradcheck_evaluate(check, d->tape, &y);
    if (status == AG_OK)
        status = gradcheck_evaluate_elsewhere(check);
    gradcheck_zero_gradients(check);
    if (status == AG_OK)
        status = gradcheck_add_gradients(check, y);
    for (int64_t k = 0; k < d->size && status == AG_OK; k++)
        d->analytic[k] = (double)check->inputs[d->input].grad[k];
    gradcheck_return(check);
    return status;
}
