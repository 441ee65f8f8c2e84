/* attention_util.h - one problem of attention, solved by three loops in long double and
 * by the library. */
#ifndef TESTS_ATTENTION_UTIL_H
#define TESTS_ATTENTION_UTIL_H

#include "check_util.h"
#include "mask_tree.h"

#define MOST      70000 /* elements of an array */
#define TOLERANCE PRECISION(1e-12, 1e-6)

/* A mask as the library makes it, and its meaning; `context` is the problem's
 * mask_context. */
typedef ag_mask *attention_mask(ag_tape *tape, const void *context);
typedef bool attention_allows(const void *context, int64_t b, int64_t h, int64_t i, int64_t j);

/* The problem. Inputs are [B, H, T or S, width] here; `split` says in which layout
 * the library gets them. */
typedef struct problem {
    int64_t batch, heads, queries, keys, key_width, value_width;
    bool split;
    double scale, dropout; /* of the options */
    uint64_t seed;
    attention_mask *mask; /* NULL: none */
    attention_allows *allows;
    const void *mask_context;
    bool has_bias;
    ag_shape bias_shape;
    ag_real q[MOST], k[MOST], v[MOST], dy[MOST], bias[MOST];
} problem;

typedef struct result {
    ag_real y[MOST], dq[MOST], dk[MOST], dv[MOST], dbias[MOST];
    size_t bytes;  /* of the tape */
    int64_t blind; /* what the tape counted: queries that saw nothing */
} result;

/* Better than both precisions of the library. */
typedef long double exact;

typedef struct reference {
    exact y[MOST], dq[MOST], dk[MOST], dv[MOST], dbias[MOST];
    exact dbias_terms[MOST]; /* the sizes of what dbias is the sum of, summed */
    double score_terms;      /* the largest such sum for a score */
    int64_t blind;           /* queries that may look at nothing */
} reference;

extern problem given;      /* the problem of the running test */
extern reference expected; /* what attention_reference found */

/* A fresh problem with numbers drawn from `seed`, and neither mask nor bias; then a bias
 * for it. */
void attention_begin(int64_t batch, int64_t heads, int64_t queries, int64_t keys, int64_t key_width,
                     int64_t value_width, uint64_t seed);
void attention_begin_bias(ag_shape shape, uint64_t seed);
void attention_set_mask(attention_mask *mask, attention_allows *allows, const void *context);

/* Masks to set: of a mask_tree; causal, of an int64_t offset; the array of all values of
 * the problem's `allows`. */
attention_mask attention_tree, attention_causal, attention_array;
attention_allows attention_tree_allows, attention_causal_allows;

int64_t attention_pairs(void); /* batch rows times heads */
ag_shape attention_layout(int64_t length, int64_t width);
/* Between [B, H, length, width] and the layout of the problem. */
ag_tensor *attention_give(ag_tape *tape, const ag_real *values, int64_t length, int64_t width);
void attention_take(const ag_real *from, ag_real *to, int64_t length, int64_t width);

void attention_reference(void);
void attention_compute(bool is_plain, int threads, result *found);
/* The reference, both forms of the library, and that they agree: within TOLERANCE, and
 * all on how many are blind. */
void attention_both(result *fused, result *plain);

void attention_near(const char *what, const ag_real *found, const exact *wanted, int64_t count, double tolerance);
void attention_compare(const result *found, double tolerance);
bool attention_bits(const ag_real *a, const ag_real *b, int64_t count);
void attention_same(const result *a, const result *b);

#endif
