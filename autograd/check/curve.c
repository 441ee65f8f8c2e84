/* curve.c - what is left of a function after its linear part, over the step: the data of
 * Taylor's test, and of the picture of a difference's error.
 *
 * Two roundings must not be taken for a remainder. Values of x + h v are rounded, by as
 * much as h v itself where h is small: so h g.v is not used, but the sum of g_i times the
 * move that element i has made in fact, which is exact. And values of f are rounded, by
 * more than eps |f| where the function cancels inside: so the roughness of values at
 * tiny, equal distances is measured by their fifth differences, in which a smooth
 * function leaves nothing (J. J. More and S. M. Wild, Estimating computational noise,
 * SIAM Journal on Scientific Computing 33, 2011). */
#include "../scalar.h"
#include "gradcheck.h"

#include <math.h>

#ifdef TAPEFORMER_DOUBLE
#define STEPS      32
#define NOISE_STEP 0x1p-20
#else
#define STEPS      24
#define NOISE_STEP 0x1p-14
#endif

enum { NOISE_SIDE = 4, NOISE_ORDER = 5 }; /* values on each side; the order of their differences */
#define SLOPE_ROUNDING 16.0               /* eps in the elements of a gradient */
enum { FEWEST = 3, FITTED = 4 };          /* steps to which an order is fitted: at least, at most */

/* The sum of w_k (f_k(x + t v) - f_k(x)), minus the gradient times the move. NaN if the
 * step crosses a kink or leaves the domain. */
static ag_status find_remainder(gradcheck *check, const gradcheck_line *line, double t, double *remainder)
{
    ag_tensor *y;
    gradcheck_move(check, line, t);
    ag_status status = gradcheck_evaluate(check, check->tape, &y);
    if (status != AG_OK)
        return status;
    const ag_real *moved = check->inputs[line->input].data, *origin = check->origin[line->input];
    double change = 0, linear = 0;
    for (int64_t k = 0; k < check->size; k++)
        change += (double)check->weights[k] * ((double)y->data[k] - (double)check->result[k]);
    for (int64_t i = line->begin; i < line->end; i++)
        linear += (double)check->gradient[line->input][i] * ((double)moved[i] - (double)origin[i]);
    *remainder = check->kinks.hash == check->side && isfinite(change) ? change - linear : NAN;
    return AG_OK;
}

/* The rounding of a difference of two values of f, as the size of the results has it:
 * sqrt(2) eps |f|, the outputs' errors being independent. */
static double expected_rounding(const gradcheck *check)
{
    double sum = 0;
    for (int64_t k = 0; k < check->size; k++) {
        const double part = (double)check->weights[k] * (double)check->result[k];
        sum += part * part;
    }
    return GRADCHECK_EPSILON * sqrt(2 * sum);
}

/* The rounding of g.v: that of each element is a few eps of what was added up in it,
 * which is at least of size 1 in functions that are scaled well, even where the sum is
 * 0. */
static double expected_slope_rounding(const gradcheck *check, const gradcheck_line *line)
{
    double sum = 0;
    for (int64_t i = line->begin; i < line->end; i++) {
        const double part = line->direction[i - line->begin] * fmax(1, fabs((double)check->gradient[line->input][i]));
        sum += part * part;
    }
    return SLOPE_ROUNDING * GRADCHECK_EPSILON * sqrt(sum);
}

/* The rounding of f as nine values at distances of `spacing` have it; 0 if one of them
 * does not count. If each value has an independent error of variance s^2, their
 * differences of order n have the variance s^2 (2n)! / n!^2. */
static ag_status measure_rounding(gradcheck *check, const gradcheck_line *line, double spacing, double *rounding)
{
    enum { VALUES = 2 * NOISE_SIDE + 1, DIFFERENCES = VALUES - NOISE_ORDER };
    double values[VALUES], square = 0, growth = 1;
    for (int i = 0; i < VALUES; i++) {
        values[i] = 0;
        if (i == NOISE_SIDE)
            continue;
        ag_status status = find_remainder(check, line, spacing * (i - NOISE_SIDE), &values[i]);
        if (status != AG_OK)
            return status;
    }
    for (int order = 1; order <= NOISE_ORDER; order++) {
        growth *= (NOISE_ORDER + order) / (double)order;
        for (int i = 0; i < VALUES - order; i++)
            values[i] = values[i + 1] - values[i];
    }
    for (int i = 0; i < DIFFERENCES; i++)
        square += values[i] * values[i];
    *rounding = isfinite(square) ? sqrt(2 * square / DIFFERENCES / growth) : 0;
    return AG_OK;
}

ag_status gradcheck_measure_rounding(gradcheck *check, const gradcheck_line *line, double spacing, double *rounding)
{
    ag_status status = measure_rounding(check, line, spacing, rounding);
    gradcheck_restore(check, line);
    *rounding = fmax(*rounding, expected_rounding(check));
    return status;
}

bool gradcheck_is_clear(const ag_error_curve *curve, const double *remainders, int i)
{
    const double rounding = GRADCHECK_CLEAR * curve->rounding + curve->step[i] * curve->slope_rounding;
    return fabs(remainders[i]) > rounding; /* (false for NaN) */
}

/* The logarithm to base 2 from the natural one, which scalar.h has. */
static double binary_logarithm(double x)
{
    return scalar_log(x) / 0.69314718055994530942;
}

/* The slope of log |values| over log h, by least squares over the smallest clear steps.
 * NaN if fewer than three stand in a row, or if they follow no power: beside the place
 * where a fault and the curvature cancel. */
static double fit_order(const ag_error_curve *curve, const double *values)
{
    int last = curve->count - 1, count = 0;
    while (last >= 0 && !gradcheck_is_clear(curve, values, last))
        last--;
    while (count < FITTED && count <= last && gradcheck_is_clear(curve, values, last - count))
        count++;
    if (count < FEWEST)
        return NAN;

    double products = 0, squares = 0, least = INFINITY, most = -INFINITY;
    for (int i = 0; i < count; i++) {
        const double height = binary_logarithm(fabs(values[last - i])), from_middle = i - (count - 1) / 2.0;
        products += from_middle * height;
        squares += from_middle * from_middle;
        if (i > 0) {
            const double slope = height - binary_logarithm(fabs(values[last - i + 1]));
            least = fmin(least, slope);
            most = fmax(most, slope);
        }
    }
    return most - least < 1 ? products / squares : NAN;
}

/* |f'''| from the smallest pair of steps whose central differences differ by more than
 * rounding: (R2(2h) / 4h - R2(h) / 2h) = 3 h^2 f''' / 6. */
static double find_third(const ag_error_curve *curve)
{
    for (int i = curve->count - 1; i > 0; i--) {
        const double h = curve->step[i], change = curve->central[i - 1] / (4 * h) - curve->central[i] / (2 * h);
        if (fabs(change) > GRADCHECK_CLEAR * curve->rounding / h)
            return 2 * fabs(change) / (h * h);
    }
    return 0;
}

/* The largest fault d of the slope that would not have shown: R2 / 2h is -d + .., give or
 * take its rounding. */
static double find_bound(const ag_error_curve *curve)
{
    double least = INFINITY;
    for (int i = 0; i < curve->count; i++)
        least = fmin(least, curve->slope_rounding +
                                (fabs(curve->central[i]) + GRADCHECK_CLEAR * curve->rounding) / (2 * curve->step[i]));
    return least;
}

ag_status gradcheck_measure_curve(gradcheck *check, const gradcheck_line *line, int first, int count,
                                  ag_error_curve *curve)
{
    double rounding = 0;
    *curve = (ag_error_curve){.input = line->input,
                              .inputs = check->count,
                              .input_name = check->inputs[line->input].name,
                              .count = count,
                              .numeric = NAN};
    ag_status status = measure_rounding(check, line, NOISE_STEP, &rounding);
    for (int i = 0; i < count && status == AG_OK; i++) {
        double ahead = NAN, behind = NAN, h = ldexp(1, first - i);
        status = find_remainder(check, line, h, &ahead);
        if (status == AG_OK)
            status = find_remainder(check, line, -h, &behind);
        curve->step[i] = h;
        curve->forward[i] = ahead;
        curve->central[i] = ahead - behind;
    }
    gradcheck_restore(check, line);
    if (status != AG_OK)
        return status;
    curve->rounding = fmax(expected_rounding(check), rounding);
    curve->slope_rounding = expected_slope_rounding(check, line);
    curve->third = find_third(curve);
    curve->order = fit_order(curve, curve->forward);
    curve->central_order = fit_order(curve, curve->central);
    curve->bound = find_bound(curve);
    for (int64_t i = line->begin; i < line->end; i++)
        curve->slope += (double)check->gradient[line->input][i] * line->direction[i - line->begin];
    return AG_OK;
}

ag_status gradcheck_measure_numeric(gradcheck *check, const gradcheck_line *line, ag_error_curve *curve)
{
    gradcheck_estimate estimate;
    bool on_kink;
    ag_status status = gradcheck_differentiate(check, line, &estimate, &on_kink);
    curve->numeric = on_kink ? NAN : estimate.slope;
    curve->numeric_error = estimate.error;
    curve->numeric_step = estimate.step;
    return status;
}

/* Each element moves by 0.5 to 1.5 times its own scale, up or down: equal sizes would
 * hide a gradient whose faults cancel in a sum. */
ag_status gradcheck_draw_line(gradcheck *check, int input, ag_rng *rng, gradcheck_line *line)
{
    const int64_t size = gradcheck_input_size(check, input);
    double *direction = gradcheck_alloc(check, (size_t)size * sizeof *direction);
    if (!direction)
        return AG_NO_MEMORY;
    for (int64_t i = 0; i < size; i++)
        direction[i] = gradcheck_scale(check->origin[input][i]) * (double)gradcheck_draw_weight(rng);
    *line = (gradcheck_line){.input = input, .begin = 0, .end = size, .direction = direction, .unit = 1};
    return AG_OK;
}

/* ---- A curve to look at ---------------------------------------------------------- */

/* Which curve is wanted, and the place for it. */
typedef struct curve_request {
    int input;
    bool may_lack; /* the input: an example without it has an empty curve */
    double planted;
    ag_error_curve *curve;
    ag_gradcheck_report faults; /* of the function, if it misbehaves */
} curve_request;

static ag_status make_curve(gradcheck *check, ag_tape *tape, void *context)
{
    curve_request *request = context;
    gradcheck_line line;
    gradcheck_begin(&request->faults);
    check->report = &request->faults;
    const int input = request->input;
    *request->curve = (ag_error_curve){.input = input, .inputs = check->count, .numeric = NAN};
    if (request->may_lack && input >= check->count)
        return AG_OK;
    if (input < 0 || input >= check->count)
        return ag_error_set(check->error, AG_BAD_VALUE,
                            "gradcheck: a curve of input %d, and the function has %d %s (they count from 0)", input,
                            check->count, ag_plural(check->count, "input", "inputs"));
    ag_status status = gradcheck_find_gradients(check, tape);
    if (status == AG_OK && check->faulty)
        return ag_error_set(check->error, AG_BAD_VALUE, "%s", request->faults.message);
    ag_rng rng = ag_rng_make(check->options.seed, GRADCHECK_DIRECTIONS + (uint64_t)input);
    if (status == AG_OK)
        status = gradcheck_draw_line(check, input, &rng, &line);
    if (status != AG_OK)
        return status;
    for (int64_t i = line.begin; i < line.end; i++)
        check->gradient[input][i] *= (ag_real)(1 + request->planted);
    const int count = check->size && line.end ? STEPS : 0;
    status = gradcheck_measure_curve(check, &line, -1, count, request->curve);
    if (status == AG_OK && count)
        status = gradcheck_measure_numeric(check, &line, request->curve);
    return status;
}

/* The options' defaults; AG_BAD_VALUE if there is no place for the result. */
static ag_status start_curve(ag_gradcheck_options *options, const ag_error_curve *curve, ag_error *error)
{
    ag_gradcheck_report unused;
    if (!curve)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: no curve given");
    return gradcheck_start(options, &unused, error);
}

ag_status ag_gradcheck_curve(ag_function f, void *context, const ag_gradcheck_input *inputs, int count, int input,
                             double planted, const ag_gradcheck_options *options, ag_error_curve *curve,
                             ag_error *error)
{
    ag_gradcheck_options complete = options ? *options : (ag_gradcheck_options){0};
    curve_request request = {.input = input, .planted = planted, .curve = curve};
    ag_status status = start_curve(&complete, curve, error);
    if (status == AG_OK && !f)
        status = ag_error_set(error, AG_BAD_VALUE, "gradcheck: no function given");
    if (status == AG_OK)
        status = gradcheck_run(f, context, inputs, count, &complete, make_curve, &request, error);
    return status;
}

ag_status ag_gradcheck_curve_op(const ag_op *op, int draw, int input, double planted,
                                const ag_gradcheck_options *options, ag_error_curve *curve, ag_error *error)
{
    ag_gradcheck_options complete = options ? *options : (ag_gradcheck_options){0};
    curve_request request = {.input = input, .may_lack = true, .planted = planted, .curve = curve};
    ag_status status = start_curve(&complete, curve, error);
    if (status == AG_OK)
        status = gradcheck_check_record(op, 1, error);
    if (status == AG_OK)
        status = gradcheck_run_draw(op, draw, &complete, make_curve, &request, error);
    return status;
}
