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
#include "report.h"
#include "train.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

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
