/* scale.c - how time and memory of a training step grow with the model's width and depth,
 * the length of its rows and their number: one of them at a time from a common base.
 *
 * Beside the time stands what the arithmetic alone takes at the machine's peak. The charts
 * and the share of the peak are of the shortest step, since the peak is that of the
 * quickest run, and one slow moment of the machine would bend a line. */
#include "report/report.h"
#include "training.h"

#include <math.h>

enum { BASE_WIDTH = 256, BASE_LENGTH = 64, BASE_LAYERS = 2, BASE_ROWS = 4, HEAD_WIDTH = 64, VOCAB = 65 };

typedef struct scale_axis {
    const char *name;
    int64_t base, values[12];
    int count;
} scale_axis;

enum { WIDTH, LENGTH, LAYERS, ROWS, AXES };

static const scale_axis axes[AXES] = {
    [WIDTH] = {"d_model", BASE_WIDTH, {64, 128, 256, 512, 1024}, 5},
    [LENGTH] = {"length", BASE_LENGTH, {16, 32, 64, 128, 256, 512, 1024, 2048, 4096}, 9},
    [LAYERS] = {"layers", BASE_LAYERS, {1, 2, 3, 4, 6, 8, 12}, 7},
    [ROWS] = {"batch", BASE_ROWS, {1, 2, 4, 8, 16, 32, 64, 128, 256, 512}, 10},
};

typedef struct scale_result {
    bench_times times;
    double flops;
    int64_t arena, memory;
} scale_result;

/* ---- Measuring --------------------------------------------------------------------- */

/* The base with one of its sizes replaced. */
static bench_config config_at(int axis, int64_t value)
{
    const int width = axis == WIDTH ? (int)value : BASE_WIDTH;
    return (bench_config){
        .name = "scale",
        .kind = NN_DECODER,
        .vocab = VOCAB,
        .d_model = width,
        .heads = width / HEAD_WIDTH,
        .layers = axis == LAYERS ? (int)value : BASE_LAYERS,
        .ffn = 4 * width,
        .rows = axis == ROWS ? value : BASE_ROWS,
        .target_length = axis == LENGTH ? value : BASE_LENGTH,
    };
}

static ag_status measure(const void *task, void *out, ag_error *error)
{
    const bench_effort effort = {.warm_up = 1, .seconds = 0.5, .fewest = 3, .most = 200};
    scale_result *result = out;
    bench_training training = {0};
    ag_status status = bench_training_start(&training, task, error);
    if (status == AG_OK)
        status = bench_time(bench_training_step, &training, &effort, &result->times, error);
    if (status == AG_OK) {
        result->arena = (int64_t)ag_tape_bytes(training.tape);
        result->memory = bench_peak_memory();
    }
    bench_training_end(&training);
    return status;
}

static void report(const bench_options *options, int axis, int64_t value, const scale_result *result)
{
    const double gflops = 1e-9 * result->flops / result->times.least;
    const bench_field fields[] = {
        {.key = "axis", .title = "axis", .text = axes[axis].name},
        {.key = "value", .title = "value", .number = (double)value},
        {.key = "threads", .title = "threads", .number = options->counts[0]},
        {.key = "ms_per_step", .title = "ms/step", .number = 1e3 * result->times.median, .digits = 3},
        {.key = "min_ms", .title = "least", .number = 1e3 * result->times.least, .digits = 3},
        {.key = "arithmetic_ms",
         .title = "at peak",
         .number = 1e-6 * result->flops / options->peak[0],
         .digits = 3},
        {.key = "percent_of_peak", .title = "% of peak", .number = 100 * gflops / options->peak[0], .digits = 1},
        {.key = "arena_bytes", .title = "arena MB", .number = (double)result->arena, .unit = 1e6},
        {.key = "peak_rss_bytes", .title = "RSS MB", .number = (double)result->memory, .unit = 1e6},
    };
    bench_report(options->json, "scale", fields, sizeof fields / sizeof *fields);
}

/* ---- Charts ------------------------------------------------------------------------ */

enum { MOST_VALUES = sizeof axes[0].values / sizeof *axes[0].values };

typedef struct scale_figures {
    double doublings[AXES][MOST_VALUES]; /* of the base */
    double ms[AXES][MOST_VALUES], peak_ms[AXES][MOST_VALUES], arena[AXES][MOST_VALUES], rss[AXES][MOST_VALUES];
} scale_figures;

static void keep_figures(scale_figures *figures, const bench_options *options, int axis, int i,
                         const scale_result *result)
{
    figures->doublings[axis][i] = log2((double)axes[axis].values[i] / (double)axes[axis].base);
    figures->ms[axis][i] = 1e3 * result->times.least;
    figures->peak_ms[axis][i] = 1e-6 * result->flops / options->peak[0];
    figures->arena[axis][i] = 1e-6 * (double)result->arena;
    figures->rss[axis][i] = 1e-6 * (double)result->memory;
}

/* Adds a chart with a line for each axis, and a dashed companion for each. */
static void add_chart(study_document *document, const scale_figures *figures, const char *title, const char *y_axis,
                      const double (*y)[MOST_VALUES], const char *companion, const double (*beside)[MOST_VALUES])
{
    study_line lines[2 * AXES];
    for (int axis = 0; axis < AXES; axis++) {
        const double *x = figures->doublings[axis];
        lines[2 * axis] = (study_line){.name = axes[axis].name, .count = axes[axis].count, .x = x, .y = y[axis]};
        lines[2 * axis + 1] =
            (study_line){.name = companion, .count = axes[axis].count, .x = x, .y = beside[axis], .companion = true};
    }
    study_add_chart(document, &(study_chart){.title = title,
                                             .x_axis = "doublings of the base",
                                             .y_axis = y_axis,
                                             .lines = lines,
                                             .line_count = 2 * AXES,
                                             .log_y = true});
}

static ag_status save_pictures(const scale_figures *figures, const char *folder, ag_error *error)
{
    study_document *document = study_document_new("Scale");
    add_chart(document, figures, "Shortest step", "ms", figures->ms, "arithmetic at the peak", figures->peak_ms);
    add_chart(document, figures, "Memory", "MB", figures->rss, "arena", figures->arena);
    const ag_status status = study_document_save_pictures(document, folder, error);
    study_document_free(document);
    return status;
}

/* ---- The part ---------------------------------------------------------------------- */

ag_status bench_scale(const bench_options *options, ag_error *error)
{
    scale_figures figures = {0};
    ag_status status = AG_OK;
    for (int axis = 0; axis < AXES && status == AG_OK; axis++)
        for (int i = 0; i < axes[axis].count && status == AG_OK; i++) {
            const bench_config config = config_at(axis, axes[axis].values[i]);
            const bench_training_task task = {&config, 0, options->matmul, options->counts[0]};
            scale_result result = {0};
            status = bench_child(measure, &task, &result, sizeof result, error);
            result.flops = bench_config_flops(&config);
            if (status == AG_OK) {
                report(options, axis, axes[axis].values[i], &result);
                keep_figures(&figures, options, axis, i, &result);
            }
        }
    return status == AG_OK && options->pictures ? save_pictures(&figures, options->pictures, error) : status;
}
