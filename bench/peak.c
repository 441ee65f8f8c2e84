/* peak.c - the limit: multiply-adds in registers alone (ag_peak). */
#include "bench.h"
#include "kernels/peak.h"

static ag_status measure(const void *threads, void *gflops, ag_error *error)
{
    (void)error;
    *(double *)gflops = 2e-9 * ag_peak(*(const int *)threads, 0.4);
    return AG_OK;
}

ag_status bench_peak(bench_options *options, ag_error *error)
{
    ag_status status = AG_OK;
    for (int i = 0; i < options->count_count && status == AG_OK; i++)
        status = bench_child(measure, &options->counts[i], &options->peak[i], sizeof options->peak[i], error);
    return status;
}

void bench_peak_report(const bench_options *options)
{
    for (int i = 0; i < options->count_count; i++) {
        const bench_field fields[] = {
            {.key = "instructions", .title = "widest", .text = kernel_peak_instructions()},
            {.key = "threads", .title = "threads", .number = options->counts[i]},
            {.key = "gflops", .title = "GFLOP/s", .number = options->peak[i], .digits = 1},
            {.key = "gflops_per_thread",
             .title = "a thread",
             .number = options->peak[i] / options->counts[i],
             .digits = 1},
        };
        bench_report(options->json, "peak", fields, sizeof fields / sizeof *fields);
    }
}
