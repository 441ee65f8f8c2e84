/* product.c - matrix products alone, in the three forms that a linear layer asks for.
 *
 *     forward   y = x W^T       C = A B^T       [rows, in] by [out, in]^T
 *     input     dx += dy W      C += A B        [rows, out] by [out, in]
 *     weight    dW += dy^T x    C += A^T B      [rows, out]^T by [rows, in]
 *
 * The operands stay where they are from call to call: small ones are in the processor's caches, as they mostly are in a
 * training step. */
#include "product_case.h"
#include "bench.h"
#include "kernels/kernels.h"

#include <stdlib.h>

typedef enum product_form { FORWARD, INPUT, WEIGHT, FORMS } product_form;
static const char *const form_names[FORMS] = {"forward", "input", "weight"};

/* Products of no model: rows, in, out. */
static const int64_t plain_sizes[][3] = {
    {32, 32, 32},    {48, 48, 48},    {64, 64, 64},    {96, 96, 96},    {128, 128, 128},    {192, 192, 192},
    {256, 256, 256}, {384, 384, 384}, {512, 512, 512}, {768, 768, 768}, {1024, 1024, 1024}, {33, 33, 33},
    {65, 65, 65},    {100, 100, 100}, {127, 130, 129}, {257, 257, 257}, {511, 511, 511},    {999, 1003, 1001},
};
enum { PLAIN_SIZES = sizeof plain_sizes / sizeof *plain_sizes };

/* What a row of figures is about. */
typedef struct product_row {
    const char *config;
    bench_layer layer;
    product_form form;
    int threads;
    ag_matmul_numbers matmul;
    const char *blas; /* the shared library that multiplies; NULL: our own product */
} product_row;

/* ---- One row ----------------------------------------------------------------------- */

static product_case case_of(const product_row *row)
{
    const bench_layer *layer = &row->layer;
    product_case product = {
        .kernel = row->matmul == AG_MATMUL_BF16 ? kernels()->product_bf16 : kernels()->product,
        .batch = layer->batch,
        .threads = row->threads,
        .add = row->form != FORWARD,
    };
    switch (row->form) {
    case WEIGHT:
        product.m = layer->out;
        product.n = layer->in;
        product.k = layer->rows;
        product.transpose_a = true;
        break;
    case INPUT:
        product.m = layer->rows;
        product.n = layer->in;
        product.k = layer->out;
        break;
    default:
        product.m = layer->rows;
        product.n = layer->out;
        product.k = layer->in;
        product.transpose_b = true;
    }
    return product;
}

void product_case_run(const product_case *product)
{
    const int64_t m = product->m, n = product->n, k = product->k;
    const product_task task = {
        .m = m,
        .n = n,
        .k = k,
        .a = product->a,
        .a_row = product->transpose_a ? 1 : k,
        .a_column = product->transpose_a ? m : 1,
        .b = product->b,
        .b_row = product->transpose_b ? 1 : n,
        .b_column = product->transpose_b ? k : 1,
        .c = product->c,
        .c_row = n,
        .add = product->add,
    };
    kernel_product_run(product->kernel, &task, product->batch, m * k, k * n, m * n, product->threads,
                       product->workspace);
}

static ag_status run_own(void *context, ag_error *error)
{
    (void)error;
    product_case_run(context);
    return AG_OK;
}

static ag_status run_blas(void *context, ag_error *error)
{
    (void)error;
    product_blas_run(context);
    return AG_OK;
}

/* At the beginning of a cache line, as the tape's memory is. */
static void *lines(size_t bytes)
{
    return aligned_alloc(64, (bytes + 64) / 64 * 64);
}

static ag_real *drawn(int64_t count, uint64_t stream)
{
    ag_real *values = lines((size_t)count * sizeof *values);
    if (values)
        bench_fill(values, count, stream);
    return values;
}

static ag_status measure(const void *given, void *result, ag_error *error)
{
    const bench_effort effort = {.warm_up = 2, .seconds = 0.04, .fewest = 3, .most = 1000, .shortest_sample = 2e-4};
    const product_row *row = given;
    product_case product = case_of(row);
    ag_status status = AG_NO_MEMORY;
    product.a = drawn(product.batch * product.m * product.k, 1);
    product.b = drawn(product.batch * product.k * product.n, 2);
    product.c = drawn(product.batch * product.m * product.n, 3);
    product.workspace = lines(kernel_product_workspace(product.kernel, row->threads));
    if (!product.a || !product.b || !product.c || !product.workspace)
        ag_error_set(error, status, "out of memory");
    else if (!row->blas)
        status = bench_time(run_own, &product, &effort, result, error);
    else if ((status = product_blas_load(row->blas, row->threads, error)) == AG_OK)
        status = bench_time(run_blas, &product, &effort, result, error);
    free(product.a);
    free(product.b);
    free(product.c);
    free(product.workspace);
    return status;
}

static void report(const bench_options *options, const product_row *row, const bench_times *times, double peak)
{
    const product_case product = case_of(row);
    const double flops = 2e-9 * (double)(product.batch * product.m) * (double)product.n * (double)product.k;
    const bench_field fields[] = {
        {.key = "config", .title = "config", .text = row->config},
        {.key = "layer", .title = "layer", .text = row->layer.name},
        {.key = "form", .title = "form", .text = form_names[row->form]},
        {.key = "batch", .title = "batch", .number = (double)product.batch},
        {.key = "m", .title = "m", .number = (double)product.m},
        {.key = "n", .title = "n", .number = (double)product.n},
        {.key = "k", .title = "k", .number = (double)product.k},
        {.key = "matmul", .title = "matmul", .text = bench_matmul_names[row->matmul]},
        {.key = "threads", .title = "threads", .number = row->threads},
        {.key = "ms", .title = "ms", .number = 1e3 * times->median, .digits = 5},
        {.key = "min_ms", .title = "least", .number = 1e3 * times->least, .digits = 5},
        {.key = "gflops", .title = "GFLOP/s", .number = flops / times->median, .digits = 1},
        {.key = "percent_of_peak", .title = "% of peak", .number = 100 * flops / times->median / peak, .digits = 1},
        {.key = "best_percent", .title = "at best", .number = 100 * flops / times->least / peak, .digits = 1},
    };
    bench_report(options->json, "product", fields, sizeof fields / sizeof *fields);
}

/* ---- All rows ---------------------------------------------------------------------- */

static ag_status run_layer(const bench_options *options, const char *config, const bench_layer *layer, ag_error *error)
{
    ag_status status = AG_OK;
    for (int form = 0; form < FORMS; form++)
        for (int i = 0; i < options->count_count && status == AG_OK; i++) {
            const product_row row = {config,          *layer,       (product_form)form, options->counts[i],
                                     options->matmul, options->blas};
            bench_times times;
            status = bench_child(measure, &row, &times, sizeof times, error);
            if (status == AG_OK)
                report(options, &row, &times, options->peak[i]);
        }
    return status;
}

static bool same_product(const bench_layer *a, const bench_layer *b)
{
    return a->batch == b->batch && a->rows == b->rows && a->in == b->in && a->out == b->out;
}

/* The products of a model, each shape once. */
static ag_status run_config(const bench_options *options, const bench_config *config, ag_error *error)
{
    bench_layer layers[BENCH_LAYERS];
    int count = bench_config_layers(config, layers);
    ag_status status = AG_OK;
    for (int i = 0; i < count && status == AG_OK; i++) {
        bool seen = false;
        for (int earlier = 0; earlier < i; earlier++)
            seen = seen || same_product(&layers[i], &layers[earlier]);
        if (!seen)
            status = run_layer(options, config->name, &layers[i], error);
    }
    return status;
}

ag_status bench_products(const bench_options *options, ag_error *error)
{
    ag_status status = AG_OK;
    for (int i = 0; i < PLAIN_SIZES && !options->config && status == AG_OK; i++) {
        const int64_t *size = plain_sizes[i];
        const bench_layer layer = {"plain", 1, size[0], size[1], size[2], 1};
        status = run_layer(options, "any", &layer, error);
    }
    for (int i = 0; i < bench_config_count && status == AG_OK; i++)
        if (bench_config_wanted(&bench_configs[i], options->config))
            status = run_config(options, &bench_configs[i], error);
    return status;
}
