/* initialize.c - the initial values of parameters. */
#include "nn.h"

#include <math.h>

/* A distribution: uniform in [-bound, bound), or normal with mean 0. */
typedef struct draw {
    bool normal;
    double size; /* the bound, or the standard deviation */
} draw;

/* fan_in: the inputs that a unit sums; fan_out: the units that an input goes to. Axes
 * after the second multiply both, as in a convolution. */
static void count_fans(ag_shape shape, double *fan_in, double *fan_out)
{
    double each = 1;
    for (int i = 2; i < shape.ndim; i++)
        each *= (double)shape.dim[i];
    *fan_in = (double)shape.dim[1] * each;
    *fan_out = (double)shape.dim[0] * each;
}

static ag_status find_draw(nn_initializer initializer, ag_shape shape, draw *result, ag_error *error)
{
    const nn_init_kind kind = initializer.kind;
    const double scale = initializer.scale, factor = scale != 0 ? scale : 1;
    double fan_in = 1, fan_out = 1;
    char text[AG_SHAPE_TEXT];

    if (!(scale >= 0 && isfinite(scale)))
        return ag_error_set(error, AG_BAD_VALUE, "initializer: scale is %g: it must be 0 or more and finite", scale);
    if (kind >= NN_XAVIER_UNIFORM && kind <= NN_KAIMING_NORMAL) {
        if (shape.ndim < 2)
            return ag_error_set(error, AG_BAD_SHAPE,
                                "initializer: Xavier and Kaiming need a matrix, and the shape is %s",
                                ag_shape_print(shape, text));
        count_fans(shape, &fan_in, &fan_out);
    }
    switch (kind) {
    case NN_NORMAL:
        *result = (draw){true, scale != 0 ? scale : 0.02};
        return AG_OK;
    case NN_UNIFORM:
        *result = (draw){false, scale};
        return AG_OK;
    case NN_XAVIER_UNIFORM:
        *result = (draw){false, factor * sqrt(6 / (fan_in + fan_out))};
        return AG_OK;
    case NN_XAVIER_NORMAL:
        *result = (draw){true, factor * sqrt(2 / (fan_in + fan_out))};
        return AG_OK;
    case NN_KAIMING_UNIFORM:
        *result = (draw){false, factor * sqrt(6 / fan_in)};
        return AG_OK;
    case NN_KAIMING_NORMAL:
        *result = (draw){true, factor * sqrt(2 / fan_in)};
        return AG_OK;
    default:
        return ag_error_set(error, AG_BAD_VALUE, "initializer: there is no kind %d", (int)kind);
    }
}

ag_status nn_initialize(nn_initializer initializer, ag_shape shape, ag_real *values, ag_rng *rng, ag_error *error)
{
    const int64_t size = ag_shape_size(shape);
    char text[AG_SHAPE_TEXT];
    if (size < 0)
        return ag_error_set(error, AG_BAD_SHAPE, "initializer: invalid shape %s",
                            ag_shape_print(shape, text));
    if (initializer.kind == NN_ZEROS || initializer.kind == NN_ONES) {
        for (int64_t i = 0; i < size; i++)
            values[i] = initializer.kind == NN_ONES;
        return AG_OK;
    }

    draw d = {0};
    ag_status status = find_draw(initializer, shape, &d, error);
    for (int64_t i = 0; i < size && status == AG_OK; i++)
        values[i] = (ag_real)(d.size * (d.normal ? ag_rng_normal(rng) : 2 * ag_rng_uniform(rng) - 1));
    return status;
}
