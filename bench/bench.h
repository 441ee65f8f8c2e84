/* bench.h - what the parts of the bench share: options, configurations, timing, and rows
 * of figures. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "autograd.h"
#include "data.h"
#include "nn.h"

/* ---- Options ----------------------------------------------------------------------- */

#define BENCH_COUNTS 2 /* thread counts of one run: one, and all */

typedef struct bench_options {
    const char *config;       /* NULL: all */
    const char *only;         /* the part to run; NULL: all */
    int64_t threads;          /* 0: one, and then all that the machine has */
    int64_t steps;            /* timed steps; 0: as many as fit the time */
    double dropout;           /* negative: 0, and then 0.1 */
    ag_matmul_numbers matmul; /* of training steps and products */
    bool json;
    const char *compare[2]; /* two files instead of a run */
    const char *blas;       /* the shared library that multiplies in place of ours; NULL: none */
    bool busy;              /* steps beside spinning processes instead of the parts */
    const char *pictures;   /* the folder for the charts of `scale`; NULL: none */
    const char *serve;      /* the file for parameters and batch of steps on demand; NULL: none */
    int64_t spin;           /* processes that spin; 0: none */
    const char *model;      /* the folder of a saved model that translates sentences; NULL: a drawn one */
    /* Found out by main: the thread counts, and the multiply-add peak with each, in
     * GFLOP/s. */
    int counts[BENCH_COUNTS], count_count;
    double peak[BENCH_COUNTS];
} bench_options;

/* ---- Configurations ---------------------------------------------------------------- */

typedef struct bench_config {
    const char *name;
    nn_model_kind kind;
    int vocab, d_model, heads, layers, ffn; /* `layers` in each stack */
    int64_t rows, source_length, target_length;
    int positions;   /* that are learned; 0: they are computed */
    bool tied;       /* the output is the table of the embedding */
    bool on_request; /* not part of a run of all configurations */
} bench_config;

extern const char *const bench_matmul_names[]; /* in the order of ag_matmul_numbers, ended by NULL */
extern const bench_config bench_configs[];
extern const int bench_config_count;

const bench_config *bench_config_find(const char *name); /* NULL: none */
/* Whether a run of the configuration `name` (NULL: of all) has this one. */
bool bench_config_wanted(const bench_config *config, const char *name);
/* The configuration as a model with drawn parameters. */
nn_model *bench_config_model(const bench_config *config, double dropout, ag_error *error);
int64_t bench_config_tokens(const bench_config *config); /* of source and target, in one step */

/* A product y = x W^T of a model, x [rows, in], W [out, in]; `batch` of them at once. The scores of attention are such
 * products too, with a batch for each row and head: x the queries, W the keys. */
typedef struct bench_layer {
    const char *name;
    int64_t batch, rows, in, out;
    double times; /* how often the model has it; causal attention counts half */
} bench_layer;

#define BENCH_LAYERS 16
int bench_config_layers(const bench_config *config, bench_layer layers[BENCH_LAYERS]);
/* Multiplications and additions of a training step: see configs.c. */
double bench_config_flops(const bench_config *config);

/* ---- Measuring --------------------------------------------------------------------- */

typedef ag_status bench_run(void *context, ag_error *error);

typedef struct bench_effort {
    int64_t warm_up;        /* calls before the clock starts */
    double seconds;         /* time calls until so much has passed, */
    int64_t fewest, most;   /* but this many samples at least and at most */
    double shortest_sample; /* calls are timed together where one takes less */
} bench_effort;

typedef struct bench_times {
    double median, least; /* seconds of a call */
} bench_times;

ag_status bench_time(bench_run *run, void *context, const bench_effort *effort, bench_times *times, ag_error *error);
/* The median and the least of samples [count], which it sorts. */
bench_times bench_times_of(double *samples, int64_t count);

/* Runs body(task, result) in a process of its own, so that its memory and its threads are its own, and brings back
 * `result` (of `size` bytes, no pointers). */
typedef ag_status bench_body(const void *task, void *result, ag_error *error);
ag_status bench_child(bench_body *body, const void *task, void *result, size_t size, ag_error *error);

/* Processes that spin until bench_spin_stop, or until this process ends. */
typedef struct bench_spinners {
    int *ids; /* [count], of processes */
    int count;
} bench_spinners;
ag_status bench_spin_start(bench_spinners *spinners, int count, ag_error *error);
void bench_spin_stop(bench_spinners *spinners);

int64_t bench_peak_memory(void); /* bytes that this process had resident at most */

/* Numbers in [-1, 1). */
void bench_fill(ag_real *values, int64_t count, uint64_t stream);

/* ---- Rows -------------------------------------------------------------------------- */

/* A figure, or a word where `text` is not NULL. */
typedef struct bench_field {
    const char *key, *title; /* in JSON; of the table's column, NULL: JSON alone */
    const char *text;
    double number;
    int digits;  /* behind the point */
    double unit; /* the table shows number / unit, with one digit; 0: the number itself */
} bench_field;

/* Prints a row: of a table, with a heading where the row before was of another `bench`,
 * or an object of JSON. */
void bench_report(bool json, const char *bench, const bench_field *fields, int count);

/* ---- Parts ------------------------------------------------------------------------- */

ag_status bench_peak(bench_options *options, ag_error *error); /* fills in options->peak */
void bench_peak_report(const bench_options *options);
ag_status bench_steps(const bench_options *options, ag_error *error);
ag_status bench_products(const bench_options *options, ag_error *error);
ag_status bench_attention(const bench_options *options, ag_error *error);
ag_status bench_generation(const bench_options *options, ag_error *error);
ag_status bench_sentences(const bench_options *options, ag_error *error);
ag_status bench_scale(const bench_options *options, ag_error *error);

/* What the flags of the same names ask for. bench_serve needs a configuration. */
ag_status bench_busy(const bench_options *options, ag_error *error);
ag_status bench_serve(const bench_options *options, ag_error *error);
ag_status bench_spin(const bench_options *options, ag_error *error);

/* Prints how much faster the second file is than the first, row by row. */
ag_status bench_compare(const char *const paths[2], ag_error *error);

#endif
