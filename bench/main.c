/* main.c - the bench: how fast, how near to the machine's limit, in how much memory.
 * README.md tells how to read it. */
#include "bench.h"
#include "kernels/kernels.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USAGE_ERROR 2

static const char help[] =
    "bench measures training steps, matrix products, attention and generation, beside the machine's own peak.\n\n"
    "Usage: bench [flags]\n"
    "       bench --busy [flags]\n"
    "       bench --compare BEFORE.json AFTER.json\n\n"
    "  --only PART       peak, step, product, attention, generate, sentences or scale; default all but scale\n"
    "  --config NAME     one configuration (toy, small, nano, g2p, annot, gptmid, gpt2); alone it means --only step\n"
    "  --threads N       default: 1, and then as many as the machine has\n"
    "  --dropout P       of training steps; default: 0, and then 0.1\n"
    "  --matmul NUMBERS  of training steps and products: float, or bf16 where the processor has it; default float\n"
    "  --steps N         timed training steps; default: as many as fit into 1.5 seconds, 5 to 200\n"
    "  --blas FILE       products by a shared library, such as libopenblas.so.0, in place of our own\n"
    "  --busy            training steps beside 1, 2 and 4 spinning processes per processor, nothing else\n"
    "  --pictures DIR    the charts of --only scale, as SVG files\n"
    "  --serve FILE      with --config: steps on demand, beside a peer (bench/README.md)\n"
    "  --spin N          N spinning processes until the standard input ends\n"
    "  --model FOLDER    of sentences: a trained model instead of a drawn one\n"
    "  --json            an object per line in place of tables\n"
    "  --compare A B     two files that --json wrote, row by row: a ratio above 1 means that B is the faster\n"
    "  --help            this text\n";

/* ---- Flags ------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static bool complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}

static bool read_count(const char *flag, const char *text, int64_t most, int64_t *count)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || end == text || *end || number < 1 || number > most)
        return complain("%s %s: expected a whole number from 1 to %lld", flag, text, (long long)most);
    *count = number;
    return true;
}

static bool read_dropout(const char *flag, const char *text, double *dropout)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !(number >= 0 && number < 1))
        return complain("%s %s: expected a number from 0 to below 1", flag, text);
    *dropout = number;
    return true;
}

typedef struct bench_part {
    const char *name;
    ag_status (*run)(const bench_options *options, ag_error *error);
    bool on_request; /* not part of a run of all parts */
} bench_part;

static ag_status report_peak(const bench_options *options, ag_error *error)
{
    (void)error;
    bench_peak_report(options);
    return AG_OK;
}

static const bench_part parts[] = {
    {"peak", report_peak, false},          {"step", bench_steps, false},          {"product", bench_products, false},
    {"attention", bench_attention, false}, {"generate", bench_generation, false}, {"sentences", bench_sentences, false},
    {"scale", bench_scale, true},
};
enum { PARTS = sizeof parts / sizeof *parts };

static bool read_part(const char *flag, const char *text, const char **part)
{
    char names[128] = "";
    for (int i = 0; i < PARTS; i++) {
        if (!strcmp(text, parts[i].name)) {
            *part = parts[i].name;
            return true;
        }
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", parts[i].name);
    }
    return complain("%s %s: expected one of %s", flag, text, names);
}

static bool read_config(const char *flag, const char *text, const char **name)
{
    char names[128] = "";
    for (int i = 0; i < bench_config_count; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", bench_configs[i].name);
    if (!bench_config_find(text))
        return complain("%s %s: expected one of %s", flag, text, names);
    *name = text;
    return true;
}

static bool read_matmul(const char *flag, const char *text, ag_matmul_numbers *matmul)
{
    for (int i = 0; bench_matmul_names[i]; i++)
        if (!strcmp(text, bench_matmul_names[i])) {
            *matmul = (ag_matmul_numbers)i;
            return ag_matmul_available(*matmul) || complain("%s %s: this processor or build has none", flag, text);
        }
    return complain("%s %s: expected float or bf16", flag, text);
}

/* The flags without a value, and those whose value is any text. */
static bool read_plain_flag(const char *flag, const char *value, bench_options *options)
{
    if (!strcmp(flag, "--json"))
        options->json = true;
    else if (!strcmp(flag, "--busy"))
        options->busy = true;
    else if (!strcmp(flag, "--blas"))
        options->blas = value;
    else if (!strcmp(flag, "--serve"))
        options->serve = value;
    else if (!strcmp(flag, "--model"))
        options->model = value;
    else if (!strcmp(flag, "--pictures"))
        options->pictures = value;
    else
        return false;
    return true;
}

/* One flag and the values after it; *used counts both. */
static bool read_flag(char **arguments, int count, int *used, bench_options *options)
{
    static const struct {
        const char *name;
        int values;
    } known[] = {
        {"--json", 0}, {"--busy", 0},   {"--compare", 2}, {"--blas", 1},     {"--serve", 1},
        {"--only", 1}, {"--config", 1}, {"--threads", 1}, {"--dropout", 1},  {"--steps", 1},
        {"--spin", 1}, {"--matmul", 1}, {"--model", 1},   {"--pictures", 1},
    };
    const char *flag = arguments[0], *value = arguments[1];
    *used = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(flag, known[i].name))
            *used = 1 + known[i].values;
    if (!*used)
        return complain("there is no flag %s; --help lists them", flag);
    if (count < *used)
        return complain("%s needs %s", flag, *used == 3 ? "two files" : "a value");
    if (!strcmp(flag, "--compare")) {
        options->compare[0] = arguments[1];
        options->compare[1] = arguments[2];
        return true;
    }
    if (read_plain_flag(flag, value, options))
        return true;
    if (!strcmp(flag, "--only"))
        return read_part(flag, value, &options->only);
    if (!strcmp(flag, "--config"))
        return read_config(flag, value, &options->config);
    if (!strcmp(flag, "--threads"))
        return read_count(flag, value, 1024, &options->threads);
    if (!strcmp(flag, "--spin"))
        return read_count(flag, value, 1024, &options->spin);
    if (!strcmp(flag, "--matmul"))
        return read_matmul(flag, value, &options->matmul);
    if (!strcmp(flag, "--dropout"))
        return read_dropout(flag, value, &options->dropout);
    return read_count(flag, value, 1000, &options->steps);
}

static bool read_flags(int count, char **arguments, bench_options *options)
{
    for (int i = 0, used = 0; i < count; i += used)
        if (!read_flag(arguments + i, count - i, &used, options))
            return false;
    if (options->serve && !options->config)
        return complain("--serve needs a --config");
    return true;
}

/* ---- The run ----------------------------------------------------------------------- */

static ag_status run(bench_options *options, ag_error *error)
{
    const int all = kernel_threads_available();
    ag_status status = ag_level_check(error);
    if (status != AG_OK)
        return status;
    options->counts[0] = options->threads ? (int)options->threads : 1;
    options->counts[1] = all;
    options->count_count = options->threads || all == 1 ? 1 : 2;
    if (options->blas)
        options->only = "product";
    if (options->config && !options->only)
        options->only = "step";
    if (options->spin)
        return bench_spin(options, error);
    if (options->serve)
        return bench_serve(options, error);
    if (!options->json)
        printf("Kernels for %s, %zu bytes a number, %d processors.\n", kernels()->name, sizeof(ag_real), all);
    if (options->busy)
        return bench_busy(options, error);

    status = bench_peak(options, error);
    for (int i = 0; i < PARTS && status == AG_OK; i++)
        if (options->only ? !strcmp(options->only, parts[i].name) : !parts[i].on_request)
            status = parts[i].run(options, error);
    return status;
}

int main(int argc, char **argv)
{
    bench_options options = {.dropout = -1};
    ag_error error = {0};
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            fputs(help, stdout);
            return 0;
        }
    if (!read_flags(argc - 1, argv + 1, &options))
        return USAGE_ERROR;
    ag_status status = options.compare[0] ? bench_compare(options.compare, &error) : run(&options, &error);
    if (status != AG_OK) {
        complain("%s", error.message);
        return 1;
    }
    return 0;
}
