/* dot.c - the dot test: backward against forward mode, without a step.
 *
 * Backward multiplies by the transposed Jacobian, forward mode by the Jacobian, so for
 * any cotangent w of the result and any direction u of the inputs
 *
 *     <w, J u> = <J^T w, u>
 *
 * and only rounding may come between the two numbers. The right side is computed once,
 * the left side once for each of a few u. */
#include "../scalar.h"
#include "gradcheck.h"

#include <math.h>
#include <string.h>

#define UNIT_ROUNDOFF (GRADCHECK_EPSILON / 2)
#ifdef TAPEFORMER_DOUBLE
#define SMALLEST_BOUND 1e-13
#define NOISE_STEP     0x1.8p-24
#else
#define SMALLEST_BOUND 1e-5
#define NOISE_STEP     0x1.8p-16
#endif
#define BF16_ROUNDING 0x1p-9 /* of a number with 8 bits of precision */
/* One direction of a function with a single result may by bad luck be nearly orthogonal
 * to the gradient, which leaves the difference without a measure; three are not. */
#define DOT_DIRECTIONS 3
/* The directions of inputs with small gradients are at most so much larger. */
#define LARGEST_SCALE 0x1p7
#define NOISE_SAMPLES 8
#define NOISE_FACTOR  16
#define LARGEST_BOUND 0x1p-6

#define NAME          "dot test"

/* Both sides of the equation. */
typedef struct dot_products {
    double forward;  /* <w, J u> */
    double backward; /* <J^T w, u> */
    double size;     /* sum_i |w_i (J u)_i| */
} dot_products;

/* All directions together. */
typedef struct directions_summary {
    double size; /* the sum of the products' sizes */
    int worst;   /* the direction with the largest difference */
} directions_summary;

typedef struct dot_test {
    gradcheck *check; /* its weights are w */
    ag_tape *tape;
    ag_dot_report *report;
    double *scale;         /* [count], of u */
    ag_real **direction;   /* [count], u */
    const ag_real **moves; /* [count], u or NULL */
} dot_test;

/* ---- The directions ---------------------------------------------------------------- */

static double root_mean_square(const ag_real *x, int64_t size)
{
    double sum = 0;
    for (int64_t i = 0; i < size; i++)
        sum += (double)x[i] * (double)x[i];
    return size ? sqrt(sum / (double)size) : 0;
}

/* Chooses the scales so that each input weighs alike in <J^T w, u>: 1 over the root mean
 * square of its gradient. Otherwise a bias of few elements, or a weight with a small
 * gradient, would be lost beside the others. */
static void choose_scales(dot_test *test)
{
    const gradcheck *check = test->check;
    double largest = 0;
    for (int i = 0; i < check->count; i++) {
        test->scale[i] = root_mean_square(check->inputs[i].grad, gradcheck_input_size(check, i));
        largest = fmax(largest, test->scale[i]);
    }
    for (int i = 0; i < check->count; i++) {
        const double factor = fmin(largest / test->scale[i], LARGEST_SCALE); /* NaN for 0 / 0: */
        test->scale[i] = largest > 0 && isfinite(largest) ? fmax(factor, 1) : 1;
    }
}

/* Draws direction `number`. Each input moves to the side where backward says that the
 * result grows, so that in a single result the inputs do not cancel. */
static void draw_directions(dot_test *test, int number)
{
    const gradcheck *check = test->check;
    for (int i = 0; i < check->count; i++) {
        const uint64_t stream = (uint64_t)number * (uint64_t)check->count + (uint64_t)i;
        const int64_t size = gradcheck_input_size(check, i);
        ag_real *direction = test->direction[i];
        ag_rng rng = ag_rng_make(check->options.seed, GRADCHECK_DIRECTIONS + stream);
        double growth = 0;
        for (int64_t j = 0; j < size; j++) {
            direction[j] = (ag_real)(test->scale[i] * (double)gradcheck_draw_weight(&rng));
            growth += (double)check->inputs[i].grad[j] * (double)direction[j];
        }
        for (int64_t j = 0; j < size && growth < 0; j++)
            direction[j] = -direction[j];
    }
}

/* ---- The comparison ---------------------------------------------------------------- */

/* Leaves J^T w in the inputs' gradients, for the latest run of the function. */
static ag_status find_gradients(gradcheck *check)
{
    ag_status status = gradcheck_list_leaves(check);
    if (status != AG_OK)
        return status;
    gradcheck_zero_gradients(check);
    return gradcheck_add_gradients(check, check->recorded);
}

/* Both products if the inputs begin <= i < end move by their direction. */
static ag_status multiply(dot_test *test, int begin, int end, dot_products *found)
{
    gradcheck *check = test->check;
    scalar_sum forward = {0}, backward = {0}, size = {0};
    for (int i = 0; i < check->count; i++)
        test->moves[i] = i >= begin && i < end ? test->direction[i] : NULL;
    ag_status status = gradcheck_jvp(check, test->moves, check->tangent);
    if (status != AG_OK)
        return status;
    for (int64_t k = 0; k < check->size; k++) {
        const double term = (double)check->weights[k] * (double)check->tangent[k];
        scalar_sum_add(&forward, term);
        scalar_sum_add(&size, fabs(term));
    }
    for (int i = begin; i < end; i++)
        for (int64_t j = 0; j < gradcheck_input_size(check, i); j++)
            scalar_sum_add(&backward, (double)check->inputs[i].grad[j] * (double)test->direction[i][j]);
    *found = (dot_products){scalar_sum_total(&forward), scalar_sum_total(&backward), scalar_sum_total(&size)};
    return AG_OK;
}

/* The difference of both sides; NaN counts as infinite. */
static double difference_of(const dot_products *products)
{
    const double difference = fabs(products->forward - products->backward);
    return isfinite(difference) ? difference : INFINITY;
}

/* Finds the input that the difference comes from. Both sides are linear in u, so the
 * difference of all inputs is the sum of those of two halves: it goes on in the half with
 * the larger one. */
static ag_status find_input(dot_test *test, int direction)
{
    ag_dot_report *report = test->report;
    int begin = 0, end = test->check->count;
    dot_products products = {0};
    draw_directions(test, direction);
    ag_status status = end == 1 ? multiply(test, 0, 1, &products) : AG_OK;
    while (end - begin > 1 && status == AG_OK) {
        const int middle = begin + (end - begin) / 2;
        dot_products left, right;
        status = multiply(test, begin, middle, &left);
        if (status == AG_OK)
            status = multiply(test, middle, end, &right);
        if (status != AG_OK)
            return status;
        const bool goes_left = difference_of(&left) > difference_of(&right);
        products = goes_left ? left : right;
        if (goes_left)
            end = middle;
        else
            begin = middle;
    }
    report->input = begin;
    report->input_name = test->check->inputs[begin].name;
    report->forward = products.forward;
    report->backward = products.backward;
    return status;
}

static double relative_error(double difference, double size)
{
    const double error = difference == 0 ? 0 : difference / size;
    return isnan(error) ? INFINITY : error;
}

/* If the result moves less than its values are rounded, as where tanh is 1 to the last
 * bit, the difference is measured beside a Jacobian of ones: backward may round the slope
 * to 0 or to 1e-17. Then no direction counts as one along which the result moves. */
static void allow_for_saturation(dot_test *test, double difference, directions_summary *found)
{
    const gradcheck *check = test->check;
    double values = 0, ones = 0;
    for (int64_t k = 0; k < check->size; k++) {
        const double weight = fabs((double)check->weights[k]) * check->options.directions;
        values += weight * fabs((double)check->recorded->data[k]);
        ones += weight;
    }
    if (!(found->size <= SMALLEST_BOUND * values))
        return;
    found->size = fmax(found->size, ones);
    test->report->checked = 0;
    test->report->error = relative_error(difference, found->size);
}

/* Compares the modes along each direction. The differences and their sizes are summed, so
 * that a direction in which the result hardly moves does not decide. */
static ag_status compare_directions(dot_test *test, directions_summary *found)
{
    ag_dot_report *report = test->report;
    double difference = 0, largest = -1;
    for (int d = 0; d < test->check->options.directions; d++) {
        dot_products products;
        draw_directions(test, d);
        ag_status status = multiply(test, 0, test->check->count, &products);
        if (status != AG_OK)
            return status;
        difference += difference_of(&products);
        found->size += products.size;
        report->checked += products.size != 0;
        if (difference_of(&products) > largest) {
            largest = difference_of(&products);
            report->forward = products.forward;
            report->backward = products.backward;
            found->worst = d;
        }
    }
    report->error = relative_error(difference, found->size);
    if (report->error > report->bound)
        allow_for_saturation(test, difference, found);
    return AG_OK;
}

/* ---- The bound --------------------------------------------------------------------- */

/* The longest sum that the operation's passes may form, by the shapes alone: a row of one
 * of its tensors, or all rows of one. */
static double longest_sum(const ag_node *node)
{
    double longest = 1;
    for (int i = -1; i < node->input_count; i++) {
        const ag_tensor *x = i < 0 ? node->output : node->inputs[i];
        const double row = x && x->shape.ndim && x->size ? (double)x->shape.dim[x->shape.ndim - 1] : 1;
        if (x)
            longest = fmax(longest, fmax(row, (double)x->size / row));
    }
    return longest;
}

/* How much of sum_i |w_i (J u)_i| rounding explains.
 *
 * A sum of n terms whose rounding errors are independent is wrong by about sqrt(n) u of
 * its terms' size, u the unit roundoff (Higham and Mary 2019, A new approach to
 * probabilistic rounding error analysis); the errors of operations after each other add
 * up in the same way, as the root of the sum of their squares. Two passes, each at 2
 * standard deviations: 4 u sqrt(sum n).
 *
 * With AG_MATMUL_BF16 backward rounds both operands of a product, forward mode none. The
 * rounding of dy in y = W x changes <dy, W u> by at most 2^-9 of sum_i |dy_i (W u)_i|.
 * That of W or x is independent from term to term, and so, as a sum, hardly ever more. At
 * 2 standard deviations 2 (2^-9 + 2^-9) for a product, and sqrt(products) for all, where
 * every operation counts as a product. */
static double rounding_bound(const ag_tensor *y)
{
    double sums = 0, operations = 0;
    for (const ag_node *node = y->node; node; node = ag_node_before(node))
        if (node->output->needs_grad) {
            sums += longest_sum(node);
            operations++;
        }
    const double bound = fmax(4 * UNIT_ROUNDOFF * sqrt(sums), SMALLEST_BOUND);
    return ag_tape_matmul(y->tape) == AG_MATMUL_BF16 ? bound + 4 * BF16_ROUNDING * sqrt(operations) : bound;
}

/* Both products along one direction where every input is 1 + step times what it is. */
static ag_status multiply_at(dot_test *test, double step, int direction, dot_products *found)
{
    gradcheck *check = test->check;
    for (int i = 0; i < check->count; i++)
        for (int64_t j = 0; j < gradcheck_input_size(check, i); j++)
            check->inputs[i].data[j] = (ag_real)((double)check->origin[i][j] * (1 + step));
    ag_status status = gradcheck_evaluate(check, test->tape, &check->recorded);
    if (status == AG_OK)
        status = find_gradients(check);
    if (status != AG_OK)
        return status;
    draw_directions(test, direction);
    return multiply(test, 0, check->count, found);
}

/* How much rounding moves the difference of both sides: its standard deviation over
 * points so near each other that only the roundings change. A fault differs little among
 * them, and so is not taken for noise. */
static ag_status measure_noise(dot_test *test, int direction, double *noise)
{
    double found[NOISE_SAMPLES], mean = 0, squares = 0;
    for (int k = 0; k < NOISE_SAMPLES; k++) {
        dot_products products;
        ag_status status = multiply_at(test, (k + 1) * NOISE_STEP, direction, &products);
        if (status != AG_OK)
            return status;
        found[k] = products.forward - products.backward;
        mean += found[k] / NOISE_SAMPLES;
    }
    for (int k = 0; k < NOISE_SAMPLES; k++)
        squares += (found[k] - mean) * (found[k] - mean);
    *noise = sqrt(squares / (NOISE_SAMPLES - 1));
    return AG_OK;
}

/* Raises the bound where gradients are small differences of large numbers, which the
 * sizes do not tell: p - 1 in the loss of a model that has learned its examples. Errors
 * that are the same at all points are about as large as the noise and not in it, so it
 * counts NOISE_FACTOR times, up to a limit above which the test would show nothing. If
 * the same point does not give the same bits again, that is a fault, and nothing is
 * raised. */
static ag_status allow_for_noise(dot_test *test, const directions_summary *found)
{
    ag_dot_report *report = test->report;
    double noise = 0;
    dot_products again = {0};
    ag_status status = measure_noise(test, found->worst, &noise);
    if (status == AG_OK)
        status = multiply_at(test, 0, found->worst, &again);
    if (status != AG_OK || again.forward != report->forward || again.backward != report->backward)
        return status;
    const double bound = NOISE_FACTOR * test->check->options.directions * noise / found->size;
    if (bound > report->bound)
        report->bound = fmax(report->bound, fmin(bound, LARGEST_BOUND));
    return AG_OK;
}

/* ---- The test ---------------------------------------------------------------------- */

static void conclude(ag_dot_report *report)
{
    report->passed = report->error <= report->bound && report->checked > 0;
    if (report->passed)
        ag_sentence_print(
            report->message,
            "backward and forward mode differ by %.3g of the sum of |w_i (J u)_i|; rounding explains %.3g",
            report->error, report->bound);
    else if (report->error <= report->bound)
        ag_sentence_print(report->message,
                          "compared nothing: no result moves with any input, or by less than its value is rounded");
    else if (report->input < 0)
        ag_sentence_print(report->message, "the result contains NaN, so that it has no derivative");
    else
        ag_sentence_print(report->message,
                          "backward and forward mode differ by %.3g of the sum of |w_i (J u)_i|, and rounding explains "
                          "%.3g; by input %d (%.60s) alone, backward finds %.10g, forward mode %.10g",
                          report->error, report->bound, report->input,
                          report->input_name ? report->input_name : "unnamed", report->backward, report->forward);
}

/* The first operation under y without a tangent rule; NULL: there is none. */
static const ag_op *operation_without_rule(const ag_tensor *y)
{
    const ag_op *found = NULL;
    for (const ag_node *node = y->node; node; node = ag_node_before(node))
        if (node->output->needs_grad && !node->op->jvp)
            found = node->op;
    return found;
}

static bool has_nan(const ag_tensor *y)
{
    for (int64_t k = 0; k < y->size; k++)
        if (isnan((double)y->data[k]))
            return true;
    return false;
}

/* Memory for the directions and the tangent of the result, and w. */
static ag_status prepare(dot_test *test)
{
    gradcheck *check = test->check;
    const size_t count = (size_t)check->count;
    check->shape = check->recorded->shape;
    check->size = check->recorded->size;
    test->scale = gradcheck_alloc(check, count * sizeof *test->scale);
    test->direction = gradcheck_alloc(check, count * sizeof *test->direction);
    test->moves = gradcheck_alloc(check, count * sizeof *test->moves);
    check->weights = gradcheck_reals(check, check->size);
    check->tangent = gradcheck_reals(check, check->size);
    if (!test->scale || !test->direction || !test->moves || !check->weights || !check->tangent)
        return AG_NO_MEMORY;
    for (int i = 0; i < check->count; i++) {
        test->direction[i] = gradcheck_reals(check, gradcheck_input_size(check, i));
        if (!test->direction[i])
            return AG_NO_MEMORY;
    }
    ag_rng rng = ag_rng_make(check->options.seed, GRADCHECK_WEIGHTS);
    for (int64_t k = 0; k < check->size; k++)
        check->weights[k] = gradcheck_draw_weight(&rng);
    return AG_OK;
}

/* One forward pass, one backward, one pass of forward mode for each direction; before
 * them a forward pass without gradients, after which a result of another shape shows. */
static ag_status run_dot_test(gradcheck *check, ag_tape *tape, void *dot_report)
{
    ag_dot_report *report = dot_report;
    dot_test test = {.check = check, .tape = tape, .report = report};
    ag_tensor *first;
    ag_status status = gradcheck_evaluate(check, check->tape, &first);
    if (status == AG_OK)
        status = gradcheck_evaluate(check, tape, &check->recorded);
    if (status != AG_OK)
        return status;
    const ag_op *unknown = operation_without_rule(check->recorded);
    if (unknown) {
        report->skipped = true;
        ag_sentence_print(report->message,
                          "skipped: %.60s has no tangent rule (jvp), so forward mode cannot pass through it",
                          unknown->name);
        return AG_OK;
    }
    report->bound = check->options.tolerance > 0 ? check->options.tolerance : rounding_bound(check->recorded);
    if (has_nan(check->recorded)) {
        report->error = INFINITY;
        conclude(report);
        return AG_OK;
    }
    status = prepare(&test);
    if (status == AG_OK)
        status = find_gradients(check);
    if (status != AG_OK)
        return status;

    directions_summary found = {0};
    choose_scales(&test);
    status = compare_directions(&test, &found);
    if (status == AG_OK && report->error > report->bound && check->options.tolerance == 0)
        status = allow_for_noise(&test, &found);
    if (status == AG_OK && report->error > report->bound)
        status = find_input(&test, found.worst);
    if (status == AG_OK)
        conclude(report);
    return status;
}

/* Begins the report and fills in the defaults of the options. */
static ag_status start(ag_gradcheck_options *options, ag_dot_report *report, ag_error *error)
{
    if (!report)
        return ag_error_set(error, AG_BAD_VALUE, NAME ": no report given");
    *report = (ag_dot_report){.input = -1};
    ag_sentence_print(report->message, NAME ": it did not run");
    if (options->directions == 0)
        options->directions = DOT_DIRECTIONS;
    return gradcheck_complete(options, error);
}

ag_status ag_dot_test(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                      const ag_gradcheck_options *options, ag_dot_report *report, ag_error *error)
{
    ag_gradcheck_options complete = options ? *options : (ag_gradcheck_options){0};
    ag_status status = start(&complete, report, error);
    if (status == AG_OK && !f)
        status = ag_error_set(error, AG_BAD_VALUE, NAME ": no function given");
    if (status == AG_OK)
        status = gradcheck_run(f, context, inputs, count, &complete, run_dot_test, report, error);
    return gradcheck_name_error(error, status, NAME);
}

ag_status ag_dot_test_op(const ag_op *op, int draws, const ag_gradcheck_options *options, ag_dot_report *report,
                         ag_error *error)
{
    ag_gradcheck_options complete = options ? *options : (ag_gradcheck_options){0};
    ag_status status = start(&complete, report, error);
    if (status == AG_OK)
        status = gradcheck_check_record(op, draws, error);
    if (status != AG_OK)
        return gradcheck_name_error(error, status, NAME);

    int64_t checked = 0;
    conclude(report); /* of no draws */
    for (int draw = 0; draw < draws && !report->skipped; draw++) {
        ag_dot_report found = {.input = -1, .draw = draw};
        status = gradcheck_run_draw(op, draw, &complete, run_dot_test, &found, error);
        if (status != AG_OK)
            return gradcheck_name_error(error, status, NAME);
        checked += found.checked;
        if (draw == 0 || found.skipped || found.error / found.bound > report->error / report->bound)
            *report = found;
    }
    report->checked = checked;
    if (!report->skipped)
        conclude(report);
    char sentence[AG_MESSAGE_SIZE];
    memcpy(sentence, report->message, sizeof sentence);
    ag_sentence_print(report->message, "%.60s, draw %d: %.400s", op->name, report->draw, sentence);
    return AG_OK;
}
