/* study.h - what models attend to, what they can see, what masks do; and documents that
 * show it.
 *
 * A study computes numbers (study_attention, study_influence, study_leaks,
 * study_laboratory, study_curves), and puts them into a document; a document is shown as
 * text in a terminal, as one HTML file, or as SVG pictures. So each study is written once
 * for all three.
 *
 * Threads: a document is used by one thread at a time. A study only reads the model and
 * the input that it is given, so several may look at one model at once. study_laboratory
 * trains models of its own.
 */
#ifndef STUDY_STUDY_H
#define STUDY_STUDY_H

#include "autograd.h"
#include "data.h"
#include "nn.h"
#include "train.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ---- Documents ------------------------------------------------------------------------------ */

/* Headings, paragraphs, tables, heat maps and charts in order. What is added is copied. A document keeps its first
 * error (memory), as a tape does: build the whole and look once, when it is shown. A NULL document takes nothing. */
typedef struct study_document study_document;

/* An empty document, which the caller frees; NULL when memory is out. */
study_document *study_document_new(const char *title);
/* Frees the document. NULL is fine. */
void study_document_free(study_document *document);

/* A heading; and a paragraph, whose `format` is that of printf. */
void study_add_heading(study_document *document, const char *text);
void study_add_text(study_document *document, const char *format, ...) AG_PRINTF(2, 3);

/* An example: what a model reads and what it answers, and a note in brackets, such as
 * "the model's own answer". Each keeps its side, whatever direction it is written
 * in. `answer` and `note` may be NULL. */
void study_add_example(study_document *document, const char *source, const char *answer, const char *note);

/* An expectation, and whether it came true, with what was measured. */
void study_add_verdict(study_document *document, bool holds, const char *expected, const char *measured);

/* A table: cells [rows, columns] of text, of which row 0 is the head. `caption` may be NULL. */
void study_add_table(study_document *document, const char *caption, int64_t rows, int64_t columns,
                     const char *const *cells);
/* The same, folded in HTML until a reader opens it: numbers that a picture shows as
 * well. */
void study_add_folded_table(study_document *document, const char *caption, int64_t rows, int64_t columns,
                            const char *const *cells);

/* The parts between these stand beside each other where a page has room: pictures on the
 * left, the rest on their right. Rows are not in rows. */
void study_begin_row(study_document *document);
void study_end_row(study_document *document);

/* What a cell of a heat map is beside its value: one that may have a value, one that a mask forbids (drawn hatched, so
 * that it is not taken for a zero), or padding (grey). */
typedef enum study_cell { STUDY_SEEN = 0, STUDY_MASKED, STUDY_PADDING } study_cell;

/* The kinds that a heat map may have, at most. */
enum { STUDY_KINDS = 8 };

/* Numbers as a picture: a rectangle of cells, the darker the larger. */
typedef struct study_heat {
    const char *group, *title; /* "decoder.layers.0.multihead_attn" and "head 2"; group may be NULL */
    const char *note;          /* one line under it, such as "entropy 1.25 bits"; may be NULL */
    int64_t rows, columns;
    const ag_real *values;                                   /* [rows, columns] */
    double high;                                          /* values are drawn from 0 to this; 0: 1 */
    const unsigned char *cells;                           /* [rows, columns] of study_cell; NULL: all seen */
    const char *row_axis, *column_axis;                   /* "query", "key"; may be NULL */
    const char *const *row_labels, *const *column_labels; /* [rows], [columns]; NULL: numbers from 0 */
    /* Columns of two sides, such as the tokens of a source and of a target: a line stands
     * before column `split`, and each side has a name and counts its columns from 0. A
     * `split` of 0: one side. */
    int64_t split;
    const char *sides[2];
    /* Where values are kinds and not sizes: value k is called kinds[k], and drawn as a
     * swatch. kinds[0] is what masked cells are called. NULL: sizes. */
    const char *const *kinds; /* [kind_count] */
    int64_t kind_count;       /* 2 to STUDY_KINDS */
} study_heat;

/* Heat maps that a reader goes through one at a time, the most telling first (HTML: one
 * is large, and all are small beside it, group by group; text and SVG: one after the
 * other) or, where `side_by_side`, sees together. */
void study_add_heats(study_document *document, const study_heat *heats, int64_t count, bool side_by_side);

/* A curve in a chart. */
typedef struct study_line {
    const char *name;
    int64_t count;
    const double *x, *y; /* [count]; a y that is not finite makes a gap */
    bool companion;      /* in the colour of the line before it, dashed: what is possible beside what was measured */
} study_line;

/* A point of a line that is pointed out, such as the step whose model was kept. */
typedef struct study_mark {
    const char *name; /* "best, step 500" */
    int64_t line;
    double x, y;
} study_mark;

/* Curves over common axes. */
typedef struct study_chart {
    const char *title, *x_axis, *y_axis;
    const study_line *lines; /* [line_count] */
    int64_t line_count;
    bool log_y;              /* logarithmic; values that are not above 0 make gaps */
    double low, high;        /* of y; both 0: from the data */
    const study_mark *marks; /* [mark_count] */
    int64_t mark_count;
} study_chart;
/* A chart. */
void study_add_chart(study_document *document, const study_chart *chart);

/* How a document is shown in a terminal. Zero means the default in brackets. */
typedef struct study_text_options {
    int width;  /* in columns, 20 at least [80]: no line is wider */
    bool color; /* heat maps as blocks of colour, by escape sequences; each sets letters and ground, so that it reads on
                 * light and dark terminals [plain characters from ' ' to '#', 'x' where masked, '_' where padding] */
} study_text_options;
/* As text for a terminal, to be freed; NULL with the error. Maps and tables that are too
 * wide continue below. NULL options are the defaults. */
char *study_document_text(const study_document *document, const study_text_options *options, ag_error *error);
/* One self-contained HTML file. Replaces `path` whole or not at all. */
ag_status study_document_save(const study_document *document, const char *path, ag_error *error) AG_CHECKED;
/* Each heat map and chart as FOLDER/NN-title.svg, counted from 01 in the document's order; makes the folder. */
ag_status study_document_save_pictures(const study_document *document, const char *folder, ag_error *error) AG_CHECKED;

/* ---- Attention ------------------------------------------------------------------------------ */

/* The weights of one attention on one example. */
typedef struct study_map {
    char *name; /* "decoder.layers.0.multihead_attn" */
    int64_t heads, queries, keys;
    ag_real *weights; /* [heads, queries, keys] */
    /* [heads, queries, keys] of study_cell: padding where the query or the key lies beyond its side's length, masked
     * where the mask in force forbids the key. */
    unsigned char *cells;
    /* [heads] in bits, mean over the queries that are no padding and see something (0 where there are none): 0 one key,
     * log2 n n keys alike. */
    double *entropy;
} study_map;

/* The weights of every attention of a model. */
typedef struct study_maps {
    study_map *items; /* [count], in the order in which the model computes them */
    int count;
    int64_t blind; /* queries, those of each head counted, that had no key to look at: ag_tape_blind_queries */
} study_maps;

/* Runs the model on `input` without dropout and keeps every attention's weights. The caller clears the maps, which are
 * empty after an error: AG_BAD_VALUE for more than one row, or what nn_model_apply refuses. */
ag_status study_attention(const nn_model *model, const nn_input *input, study_maps *maps, ag_error *error) AG_CHECKED;
/* Frees the maps and leaves the struct zeroed. */
void study_maps_clear(study_maps *maps);

/* ---- Influence and leaks -------------------------------------------------------------------- */

/* What is under study: a model on one example (input->rows is 1), which may be padded beyond its lengths. */
typedef struct study_subject {
    const nn_model *model; /* its parameters are constants here */
    const nn_input *input; /* one row */
    /* The computation, [rows, length, V] logits; NULL: nn_model_apply. It gets `input` with its one row repeated, and
     * the parameters as constants (pass->params). One that is put together from blocks shows them by pass->on_block. A
     * test plants its faults here, or by masks in `input`. */
    ag_tensor *(*apply)(void *context, const nn_model *model, const nn_pass *pass, const nn_input *input);
    void *context; /* of apply */
    /* What is declared: masks as in nn_input, NULL the model's own. The lengths of `input` count as declared. */
    const ag_mask *encoder_mask, *decoder_mask, *cross_mask;
    int threads; /* 0: all */
} study_subject;

/* How much output i moves with input j: values[i, j] = Frobenius norm of d logits_i / d embedding_j, the [V, D]
 * Jacobian by autograd, where embedding_j is what enters the first block (token and position together). Inputs are the
 * source's tokens and behind them the target's.
 *
 * Exact up to a vocabulary of 256. Beyond, it is estimated from 64 random projections of the logits, with a standard
 * error below 9 %; 0 stays exactly 0. The cost is that of outputs times vocabulary (or 64) backward passes of the
 * example. */
typedef struct study_influence {
    int64_t outputs, inputs, source_length; /* inputs below source_length are the encoder's */
    ag_real *values;                           /* [outputs, inputs] */
    /* [outputs, inputs] of study_cell: what the declared masks let through all layers together is seen; of the rest,
     * inputs behind the last token are padding. (A padded position is a position: it has an output, which depends on
     * itself and on what it may look at.) */
    unsigned char *cells;
} study_influence;
/* Finds the influence of each input on each output; the caller clears it. AG_BAD_VALUE for more than one row. */
ag_status study_influence_find(const study_subject *subject, study_influence *influence, ag_error *error) AG_CHECKED;
/* Frees the values and leaves the struct zeroed. */
void study_influence_clear(study_influence *influence);

/* A leak: what is declared and what is seen differ. */
typedef struct study_leak {
    /* "decoder.layers.1" a block by itself; "encoder.norm" and "output" what stands behind the blocks of a stack, where
     * a position may see itself alone; "model" all of it, from the first blocks' inputs to the logits */
    const char *layer;
    const char *side; /* of j: "source" (the memory, to a decoder's block) or "target" */
    int64_t i, j;     /* output (query) and input position */
    bool forbidden;   /* true: seen but forbidden, `influence` is not zero. False: allowed but without any influence */
    double influence; /* the norm of the gradient; NaN counts as a leak */
} study_leak;
/* All that were found. */
typedef struct study_leaks {
    study_leak *items; /* [count], in the order of the layers, then by i, then by j, the source's first */
    int64_t count;
    int64_t forbidden, allowed; /* pairs that were looked at */
    void *storage;              /* private */
} study_leaks;

/* Looks for leaks in every block by itself and in the whole model: for each pair, the gradient of a random projection
 * of output i by input j. Output i may depend on input j where a mask allows it, or, by the residual connection, where
 * i = j. What is forbidden must be exactly 0; what is allowed must not be 0 in all its elements.
 *
 * A sharp softmax can give a key a weight that is 0 in the numbers at hand, or too small to matter in them. So each
 * pair is looked at twice: at the example, and with all positions given the numbers of the first one, where keys weigh
 * much the same. It leaks if it is not 0 at one of the two, and has no influence if it is 0 at both.
 *
 * What is not differentiated is not seen: what happens to the tokens before the first block, and ag_detach. Nor can it
 * be seen whether a mask lets a position look at itself: the residual connection passes it on in either case. */
ag_status study_leaks_find(const study_subject *subject, study_leaks *leaks, ag_error *error) AG_CHECKED;
/* Frees the list and leaves the struct zeroed. */
void study_leaks_clear(study_leaks *leaks);

/* ---- The laboratory of masks ---------------------------------------------------------------- */

/* Options of study_laboratory. Zero means the default in brackets. */
typedef struct study_laboratory_options {
    int64_t length;                                                                  /* of the sequences [8] */
    int64_t letters;                                                                 /* of the alphabet [8] */
    int64_t steps;                                                                   /* of each training [400] */
    uint64_t seed;                                                                   /* of parameters and examples */
    int threads;                                                                     /* [all] */
    void (*on_progress)(void *context, const char *what, int64_t done, int64_t all); /* NULL: none */
    void *context;                                                                   /* of on_progress */
    const volatile sig_atomic_t *stop; /* not 0: gives up with AG_INTERRUPTED */
} study_laboratory_options;

/* Trains small models on sequences of letters, of which it is known what must be seen, and adds to the document what
 * they learned beside what their masks allow: 25 taggers, of five tasks (copy, shift left and right, reverse, sort)
 * under the masks full, causal, window and prefix and without positions, by position; each of them under the other
 * masks; a decoder that sees the token that it is to predict beside a correct one; permuted input; padding with and
 * without its mask. Of each expectation it says whether it came true. The same numbers for the same options, at any
 * number of threads. AG_BAD_VALUE for options out of range (length 4 to 16, letters 2 to 10, steps 40 to 10^6) and for
 * sequences so few that training would see an eighth of them, AG_NOT_FINITE where a training comes to no number. */
ag_status study_laboratory(const study_laboratory_options *options, study_document *document,
                           ag_error *error) AG_CHECKED;

/* ---- Traces --------------------------------------------------------------------------------- */

/* Options of study_trace. Zero means the default. */
typedef struct study_trace_options {
    int threads;          /* 0: all; the file is the same for any number */
    bool plain_attention; /* attention by single operations, so that scores and weights are among the results */
} study_trace_options;

/* Runs the model on `input` (one row) and the backward of a loss, and writes what was computed to a .safetensors file:
 *
 *     forward/00012.encoder.layers.0.self_attn.attention    what the 13th operation made
 *     gradient/00012.encoder.layers.0.self_attn.attention   the loss's gradient by it
 *     parameter/encoder.layers.0.linear1.weight             and by a parameter
 *
 * The loss is the mean cross-entropy: of each token of the target from those before it, the end mark last; of a tagger
 * that of its own answers. Equal bytes mean equal computations, between two builds, say, or two machines. The model's
 * own gradients stay as they are. AG_BAD_VALUE for more than one row; replaces `path` whole or, with AG_IO, not at all.
 */
ag_status study_trace(const nn_model *model, const nn_input *input, const study_trace_options *options,
                      const char *path, ag_error *error) AG_CHECKED;

/* Where two traces differ. */
typedef struct study_difference {
    bool found;
    int64_t compared;              /* tensors that agree, those before the first that does not */
    char message[AG_MESSAGE_SIZE]; /* where `found`: which tensor, where in it, both values */
} study_difference;

/* The first tensor, in the order of the computation, in which two traces differ: by more than tolerance max(1, |a|,
 * |b|) in any element (NaN agrees with NaN, an infinity with itself alone), in shape, or, unless `common`, by being in
 * one file alone. Element types may differ; F64 is compared as such, whatever `ag_real` is, and integers exactly
 * (beside fractions: as the nearest double). Works on any two .safetensors files that have names in common;
 * AG_BAD_VALUE where there are none. */
ag_status study_trace_compare(const char *a, const char *b, bool common, double tolerance, study_difference *difference,
                              ag_error *error) AG_CHECKED;

/* ---- Curves --------------------------------------------------------------------------------- */

/* Charts of training logs (log.jsonl, or folders that hold one) by step: the losses in
 * training and on dev, the error rates on dev, the learning rate. Every run has its
 * colour in each, and the step whose model was kept is marked. */
ag_status study_curves(const char *const *paths, int count, study_document *document, ag_error *error) AG_CHECKED;

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
