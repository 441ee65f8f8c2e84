/* hvp.c - products of the Hessian with a vector, by central differences of gradients.
 *
 * With g the gradient and v the direction, D(t) = (g(x + t v) - g(x - t v)) / 2t is H v
 * plus an error c1 t^2 + c2 t^4 + .. . Richardson's extrapolation (differences.c) from
 * three steps cancels c1 and c2, so that t need not be small; that from the last two
 * cancels c1 alone, and tells by its distance how good they are:
 *
 *     fine:    (64 D(t/4) - 20 D(t/2) + D(t)) / 45
 *     coarse:  (4 D(t/4) - D(t/2)) / 3
 *
 * Rounding errors e of the gradients add e (64 * 4 + 20 * 2 + 1) / 45 t to the first. */
#include "gradcheck.h"

#include <math.h>
#include <string.h>

/* The factor on gradients good to GRADCHECK_EPSILON, over t. */
#define ROUNDING (GRADCHECK_EPSILON * 297 / 45)

static const double fine_share[3] = {1 / 45.0, -20 / 45.0, 64 / 45.0}; /* of t, t/2, t/4 */
static const double coarse_share[3] = {0, -1 / 3.0, 4 / 3.0};

typedef struct hvp_pass {
    gradcheck *check;
    ag_tape *tape;
    const ag_real *const *direction; /* [count] */
    ag_real *const *product;         /* [count] */
    ag_hvp_report *report;
    double **fine, **coarse; /* [count] of the inputs' sizes: H v, from three and two steps */
    bool crossed, finite;    /* by the latest steps: a kink; and all their results are */
    double unit;             /* a power of two: unit v moves no element by more than its scale */
} hvp_pass;

/* ---- Gradients --------------------------------------------------------------------- */

/* The gradient at the inputs' present values, in their `grad`. */
static ag_status find_gradient(hvp_pass *pass)
{
    gradcheck *check = pass->check;
    ag_tensor *y;
    gradcheck_zero_gradients(check);
    ag_status status = gradcheck_evaluate(check, pass->tape, &y);
    if (status != AG_OK)
        return status;
    char text[AG_SHAPE_TEXT];
    if (y->size != 1)
        return ag_error_set(check->error, AG_BAD_SHAPE,
                            "hvp: the function makes %s, and only a single number has a Hessian (take ag_sum of it?)",
                            ag_shape_print(y->shape, text));
    pass->finite &= isfinite(y->data[0]);
    pass->crossed |= check->kinks.hash != check->side;
    status = y->needs_grad ? ag_backward(y) : AG_OK;
    return status == AG_OK ? AG_OK : ag_error_set(check->error, status, "%s", ag_tape_error(pass->tape)->message);
}

/* The gradient at x, which stays in check->gradient, and the sides of x's kinks. */
static ag_status note_gradient(hvp_pass *pass)
{
    gradcheck *check = pass->check;
    ag_status status = find_gradient(pass);
    for (int i = 0; i < check->count && status == AG_OK; i++)
        if (gradcheck_input_size(check, i))
            memcpy(check->gradient[i], check->inputs[i].grad, (size_t)gradcheck_input_size(check, i) * sizeof(ag_real));
    check->side = check->kinks.hash;
    return status;
}

/* Adds the share of g(x + t v) / 2t, for negative t too, to both extrapolations. */
static ag_status add_gradient(hvp_pass *pass, double t, int step)
{
    gradcheck *check = pass->check;
    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < gradcheck_input_size(check, i) && pass->direction[i]; k++)
            check->inputs[i].data[k] = (ag_real)((double)check->origin[i][k] + t * (double)pass->direction[i][k]);
    ag_status status = find_gradient(pass);
    for (int i = 0; i < check->count && status == AG_OK; i++) {
        const int64_t size = gradcheck_input_size(check, i);
        for (int64_t k = 0; k < size; k++) {
            const double part = (double)check->inputs[i].grad[k] / (2 * t);
            pass->fine[i][k] += fine_share[step] * part;
            pass->coarse[i][k] += coarse_share[step] * part;
        }
    }
    return status;
}

/* ---- Steps ------------------------------------------------------------------------- */

static double largest_of(double largest, const ag_real *x, int64_t size)
{
    for (int64_t k = 0; k < size; k++)
        largest = fmax(largest, fabs((double)x[k]));
    return largest;
}

/* How far the two extrapolations are from each other, and what rounding adds, divided by
 * the largest element of the product if that is above 1. */
static double estimate_error(const hvp_pass *pass, double t)
{
    const gradcheck *check = pass->check;
    double difference = 0, product = 1, gradient = 0;
    for (int i = 0; i < check->count; i++) {
        const int64_t size = gradcheck_input_size(check, i);
        for (int64_t k = 0; k < size; k++) {
            const double fine = pass->fine[i][k], apart = fabs(fine - pass->coarse[i][k]);
            if (!isfinite(apart))
                return INFINITY;
            difference = fmax(difference, apart);
            product = fmax(product, fabs(fine));
        }
        gradient = largest_of(gradient, check->gradient[i], size);
    }
    return (difference + ROUNDING * gradient / t) / product;
}

static void keep_product(const hvp_pass *pass, double error, double step)
{
    const gradcheck *check = pass->check;
    *pass->report = (ag_hvp_report){.error = error, .step = step};
    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < gradcheck_input_size(check, i) && pass->product[i]; k++)
            pass->product[i][k] = (ag_real)pass->fine[i][k];
}

/* Both extrapolations from the steps t, t/2 and t/4, which end at the first that is of no
 * use. */
static ag_status extrapolate(hvp_pass *pass, double t)
{
    const gradcheck *check = pass->check;
    pass->crossed = false;
    pass->finite = true;
    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < gradcheck_input_size(check, i); k++)
            pass->fine[i][k] = pass->coarse[i][k] = 0;
    for (int step = 0; step < 3; step++, t /= 2)
        for (int sign = 1; sign >= -1; sign -= 2) {
            ag_status status = add_gradient(pass, sign * t, step);
            if (status != AG_OK || pass->crossed || !pass->finite)
                return status;
        }
    return AG_OK;
}

/* Tries smaller and smaller steps until the error is within the tolerance, and keeps the
 * best product. */
static ag_status find_product(hvp_pass *pass)
{
    const gradcheck *check = pass->check;
    bool found = false, crossed = false;
    for (double step = check->options.step; step >= GRADCHECK_SMALLEST; step /= GRADCHECK_SHRINK) {
        ag_status status = extrapolate(pass, step * pass->unit);
        if (status != AG_OK)
            return status;
        const double error = estimate_error(pass, step * pass->unit);
        crossed |= pass->crossed;
        if (pass->crossed || !pass->finite || !isfinite(error))
            continue;
        if (!found || error < pass->report->error)
            keep_product(pass, error, step);
        found = true;
        if (error <= check->options.tolerance)
            break;
    }
    if (!found && crossed)
        return ag_error_set(check->error, AG_BAD_VALUE,
                            "hvp: a kink of the function, such as that of relu at 0, lies within every step, down to "
                            "%g: there is no second derivative",
                            GRADCHECK_SMALLEST);
    if (!found)
        return ag_error_set(check->error, AG_NOT_FINITE, "hvp: gradients near the inputs are NaN or infinite");
    return AG_OK;
}

/* ---- The call ---------------------------------------------------------------------- */

/* Chooses the unit; it is 0 if nothing moves. */
static ag_status choose_unit(hvp_pass *pass)
{
    const gradcheck *check = pass->check;
    double reach = 0;
    int exponent;
    for (int i = 0; i < check->count; i++)
        for (int64_t k = 0; k < gradcheck_input_size(check, i) && pass->direction[i]; k++) {
            const double v = (double)pass->direction[i][k];
            if (!isfinite(v))
                return ag_error_set(check->error, AG_BAD_VALUE, "hvp: the direction of input %d is %g at element %lld",
                                    i, v, (long long)k);
            reach = fmax(reach, fabs(v) / gradcheck_scale(check->origin[i][k]));
        }
    frexp(reach, &exponent);
    pass->unit = reach > 0 ? ldexp(1, -exponent) : 0;
    return AG_OK;
}

static ag_status alloc_products(hvp_pass *pass)
{
    gradcheck *check = pass->check;
    const size_t count = (size_t)check->count;
    pass->fine = gradcheck_alloc(check, count * sizeof *pass->fine);
    pass->coarse = gradcheck_alloc(check, count * sizeof *pass->coarse);
    for (int i = 0; i < check->count && pass->fine && pass->coarse; i++) {
        const size_t size = (size_t)gradcheck_input_size(check, i);
        pass->fine[i] = gradcheck_alloc(check, size * sizeof(double));
        pass->coarse[i] = gradcheck_alloc(check, size * sizeof(double));
        if (!pass->fine[i] || !pass->coarse[i])
            return AG_NO_MEMORY;
        memset(pass->fine[i], 0, size * sizeof(double)); /* the product if nothing moves */
    }
    return pass->fine && pass->coarse ? AG_OK : AG_NO_MEMORY;
}

/* A gradcheck_test, whose report is the hvp_pass. */
static ag_status run(gradcheck *check, ag_tape *tape, void *report)
{
    hvp_pass *pass = report;
    pass->check = check;
    pass->tape = tape;
    ag_status status = alloc_products(pass);
    if (status == AG_OK)
        status = choose_unit(pass);
    if (status == AG_OK)
        status = note_gradient(pass);
    if (status != AG_OK)
        return status;
    if (pass->unit == 0)
        keep_product(pass, 0, check->options.step);
    else
        status = find_product(pass);
    gradcheck_leave_gradients(check);
    return status;
}

ag_status ag_hvp(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                 const ag_real *const *direction, ag_real *const *product, const ag_gradcheck_options *options,
                 ag_hvp_report *report, ag_error *error)
{
    ag_gradcheck_options complete = options ? *options : (ag_gradcheck_options){0};
    ag_hvp_report unwanted;
    if (!f || (count && (!direction || !product)))
        return ag_error_set(error, AG_BAD_VALUE, "hvp: no function, no direction or no memory for the product");
    ag_status status = gradcheck_complete(&complete, error);
    if (status != AG_OK)
        return status;
    if (complete.step < GRADCHECK_SMALLEST)
        return ag_error_set(error, AG_BAD_VALUE, "hvp: the step is %g; it is at least %g", complete.step,
                            GRADCHECK_SMALLEST);
    if (complete.tolerance == 0)
        complete.tolerance = GRADCHECK_TOLERANCE;
    hvp_pass pass = {.direction = direction, .product = product, .report = report ? report : &unwanted};
    return gradcheck_run(f, context, inputs, count, &complete, run, &pass, error);
}
