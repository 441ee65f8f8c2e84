/* study.h - looking at what models attend to. */
#ifndef STUDY_STUDY_H
#define STUDY_STUDY_H

#include "autograd.h"
#include "data.h"
#include "nn.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* The weights of one attention on one example: weights [heads, queries, keys]. */
typedef struct study_map {
    char *name; /* "decoder.layers.0.multihead_attn" */
    int64_t heads, queries, keys;
    real *weights;
} study_map;

typedef struct study_maps {
    study_map *items; /* [count], in the order in which the model computes them */
    int count;
} study_maps;

/* Runs the model on `input` (one row) without dropout and keeps every attention's weights. */
ag_status study_attention(const nn_model *model, const nn_input *input, study_maps *maps, ag_error *error);
void study_maps_clear(study_maps *maps);

/* How a matrix is drawn on a terminal. */
typedef struct study_drawing {
    bool color; /* 24-step grey blocks by escape sequences; else characters from ' ' to '#' */
    const char *const *row_labels, *const *column_labels; /* [rows], [columns]; may be NULL */
} study_drawing;

/* Draws values in [0, 1], a line per row, labels at the left and on top. Behaves as snprintf: returns the length
 * needed, writes at most `size` bytes with a final zero. */
size_t study_draw_matrix(const real *values, int64_t rows, int64_t columns, const study_drawing *drawing, char *text,
                         size_t size);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
