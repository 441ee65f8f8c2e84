/* autograd.h - tensors, the tape, the operations, masks, random numbers, gradient checking.
 *
 * This header is the manual of the layer. The pattern of use:
 *
 *     ag_tape *tape = ag_tape_new(NULL);
 *     ag_tensor *x = ag_variable(tape, AG_SHAPE(2, 3), values);
 *     ag_tensor *loss = ag_mean(ag_mul(x, x), AG_ALL_AXES, false);
 *     if (ag_backward(loss) != AG_OK)                   // one check at the end is enough
 *         puts(ag_tape_error(tape)->message);
 *     ... x->grad holds d loss / d x ...
 *     ag_tape_rewind(tape);                             // the next step reuses the memory
 *     ag_tape_free(tape);
 *
 * Execution is define-by-run: an operation computes at once and notes itself on the tape,
 * and ag_backward walks the tape from its end to its beginning. All that a step makes
 * lives in the tape and is gone after ag_tape_rewind; the caller frees nothing but the
 * tape.
 *
 * An operation that cannot be done returns NULL, and the tape keeps the first error. An
 * operation that is given NULL returns NULL and does nothing, so a whole model may be
 * built before one check.
 *
 * Shapes are written [batch, tgt_len, d_model]; tensors are dense and row-major.
 * Broadcasting follows NumPy: shapes are aligned at the last axis, and an axis of size 1
 * stretches.
 *
 * Threads: a tape, with all that is on it, is used by one thread at a time. Several
 * threads may work at once, each on a tape of its own, and may share what none of them
 * changes: the memory under an ag_leaf without gradient, records of operations. All other
 * functions here may be called at any time, with objects that no other thread uses.
 *
 * Two things are global to the process. The instruction-set level is chosen at the first
 * use, which any thread may make (ag_level_name; nothing else may call setenv at that
 * moment). And one pool of threads works for all tapes: while it is busy for one, the
 * operations of the others run on the threads that call them, with the same bits. What
 * the library writes into files and messages is the same in every locale; no call of it
 * may run beside setlocale.
 *
 * A child made by fork goes on with everything that its parent had, and makes pool
 * threads of its own. It must not use a tape, or anything else, that another thread was
 * using at the moment of the fork.
 */
#ifndef AG_AUTOGRAD_H
#define AG_AUTOGRAD_H

#include "real.h"

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ---- Version -------------------------------------------------------------------------------- */

/* The version of this header. */
#define AG_VERSION "0.1.0"
/* The version of the library that the program runs with. */
const char *ag_version(void);

/* A program that was compiled for the other precision than the library's shall not link. */
#ifdef TAPEFORMER_DOUBLE
#define ag_tape_new ag_tape_new_double
#endif

/* ---- Errors --------------------------------------------------------------------------------- */

/* How something ended. */
typedef enum ag_status {
    AG_OK = 0,
    AG_BAD_SHAPE, /* shapes that do not fit together */
    AG_BAD_VALUE, /* an argument outside its range */
    AG_NO_MEMORY,
    AG_BAD_FILE,   /* a file whose content is wrong */
    AG_IO,         /* the system refused to read or write */
    AG_NOT_FINITE, /* NaN or infinity where a number was needed */
    AG_INTERRUPTED /* stopped on request */
} ag_status;

/* The room for an error's sentence in bytes, its final zero included. */
#define AG_MESSAGE_SIZE 512

/* An error: what kind, and one sentence for a person, with no line break and no full stop. */
typedef struct ag_error {
    ag_status status;
    char message[AG_MESSAGE_SIZE];
} ag_error;

/* Notes an error unless one is noted already: the first is the one to show. `format` is
 * that of ag_text_print; the sentence is noted as ag_text_show shows it, so names from
 * files may stand in it. `error` may be NULL. Returns `status`, so that `return
 * ag_error_set(...)` reads well. Sentences count as arrays do: inputs, rows, axes and
 * elements from 0; the lines of a file and their bytes from 1. */
ag_status ag_error_set(ag_error *error, ag_status status, const char *format, ...) AG_PRINTF(3, 4);

/* ---- Text ------------------------------------------------------------------------------------ */

/* These do the same in every locale, whatever setlocale the program has called. They set
 * the C locale for the calling thread while they work. */

/* snprintf of the C locale: numbers have a decimal point and no groups of digits, and a
 * NaN has no sign. The conversions are those of char, int, long, long long, size_t,
 * double, strings and pointers. */
int ag_text_print(char *text, size_t size, const char *format, ...) AG_PRINTF(3, 4);
/* vsnprintf of the C locale. */
int ag_text_print_list(char *text, size_t size, const char *format, va_list arguments) AG_PRINTF(3, 0);
/* strtod of the C locale. `end` may be NULL. */
double ag_number_read(const char *text, const char **end);
/* The room for a reason of the system's, in bytes. */
#define AG_REASON_TEXT 128
/* Writes what the error number errno means, in English, and returns `text`. */
char *ag_reason_print(int number, char text[AG_REASON_TEXT]);
/* The same within an expression: the text lives as long as the block around it (C
 * only). */
#define AG_REASON(number) ag_reason_print((number), (char[AG_REASON_TEXT]){0})

/* The length in bytes (1..4) of the well-formed UTF-8 sequence at text[0..size), RFC
 * 3629; 0 where there is none (overlong forms, surrogates, above U+10FFFF, cut short). */
int ag_utf8_length(const char *text, size_t size);
/* Writes a code point up to U+10FFFF as UTF-8 with a final zero, and returns its length
 * in bytes. */
int ag_utf8_print(uint32_t code, char text[5]);

/* Foreign text, such as a file's name or a token, may steer a terminal or turn the
 * direction of text. The functions below show each control character as its sign (U+240A
 * for a line feed, U+241B for an escape). They show U+FFFD for each byte that is no
 * UTF-8, each C1 control, control of direction and invisible mark, and each code that is
 * no character.
 *
 * Copies `text` to `out` [size > 3] as it is shown; a text that is longer is cut, and
 * ends in "...". Returns `out`. */
char *ag_text_show(const char *text, char *out, size_t size);
/* Writes a sentence for a person, such as an error's: `format` is that of ag_text_print,
 * and the sentence is shown as ag_text_show does it. */
void ag_sentence_print(char text[AG_MESSAGE_SIZE], const char *format, ...) AG_PRINTF(2, 3);
/* The character at text[0..size) as it is shown. Returns the bytes that it takes in the
 * text; 0 at its end. */
int ag_text_show_next(const char *text, size_t size, uint32_t *code);
/* `one` where the count is 1, else `many`, for sentences: "%lld %s", n, ag_plural(n,
 * "token", "tokens"). */
const char *ag_plural(int64_t count, const char *one, const char *many);

/* ---- Instruction-set levels ------------------------------------------------------------------ */

/* The level that everything is computed with: "generic", "avx2" or "avx512"; or "plain",
 * the slow reference, which only its name chooses. It is chosen when the library first
 * computes, for the whole process: the best that the processor has, or the one that the
 * environment variable TAPEFORMER_LEVEL names. Results of two
 * levels differ in their last bits; those of one level are the same on all processors of
 * a kind. NULL where ag_level_check has an error. */
const char *ag_level_name(void);
/* AG_BAD_VALUE if TAPEFORMER_LEVEL names no level of the library, or one that this build
 * or processor does not have. Then every tape begins with this error, also after a
 * rewind. */
ag_status ag_level_check(ag_error *error) AG_CHECKED;

/* ---- Shapes and tensors --------------------------------------------------------------------- */

/* The most axes that a tensor can have. */
#define AG_MAX_DIMS 5

/* A shape of 0 to 5 axes; a scalar has ndim 0. An axis may have size 0. */
typedef struct ag_shape {
    int ndim;
    int64_t dim[AG_MAX_DIMS];
} ag_shape;

/* AG_SHAPE(2, 3): a shape from its sizes (C only). */
#define AG_SHAPE(...)                                                                                                  \
    ((ag_shape){.ndim = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dim = {__VA_ARGS__}})
/* The shape of a single number. */
#define AG_SCALAR ((ag_shape){.ndim = 0})

/* The number of elements: the product of the sizes, 1 for a scalar. -1 for a shape that cannot be
 * (more than 5 axes, a negative size, a product beyond what memory can address). */
int64_t ag_shape_size(ag_shape shape);
/* Whether they have the same number of axes, and of the same sizes. */
bool ag_shape_equal(ag_shape a, ag_shape b);
/* The room for any shape as text, in bytes. */
#define AG_SHAPE_TEXT 128
/* Writes "[2,3]" into `text` and returns it. */
char *ag_shape_print(ag_shape shape, char text[AG_SHAPE_TEXT]);

/* The record of a computation, and the memory of all that it makes. */
typedef struct ag_tape ag_tape;
/* An operation on a tape. */
typedef struct ag_node ag_node;

/* A tensor. Read every field; write only through `data`, and only of tensors you made yourself. */
typedef struct ag_tensor {
    ag_shape shape;
    int64_t size; /* the number of elements */
    ag_real *data;   /* [size], row-major */
    ag_real *grad;   /* [size] or NULL; see ag_backward */
    ag_tape *tape;
    ag_node *node;     /* the operation that made it; NULL for a leaf */
    bool needs_grad;   /* a leaf with a gradient, or made from one */
    bool retains_grad; /* the gradient stays after ag_backward */
    bool is_forgotten; /* see ag_forget: `data` is NULL outside of a backward */
} ag_tensor;

/* ---- The tape ------------------------------------------------------------------------------- */

/* Options of ag_tape_new. Zero means the default. */
typedef struct ag_tape_options {
    int threads;  /* threads that operations may use; 0: as many as processors that this process may use */
    bool no_grad; /* true: forward only, nothing is noted or kept for a backward */
    bool forgets; /* true: ag_forget takes effect */
} ag_tape_options;

/* A new tape, which the caller frees; `options` may be NULL. NULL when memory is out. */
ag_tape *ag_tape_new(const ag_tape_options *options);
/* Frees the tape and every tensor and mask on it. NULL is fine. */
void ag_tape_free(ag_tape *tape);

/* Forgets every tensor and the error, keeps the memory for the next step. A step of the same shapes
 * then makes no heap allocation. */
void ag_tape_rewind(ag_tape *tape);

/* The first error since the last rewind; status AG_OK where there is none. Never NULL. */
const ag_error *ag_tape_error(const ag_tape *tape);
/* Makes a sentence the tape's error unless it has one already, as ag_error_set does; no
 * operation runs on the tape until the rewind. For constructors that find their arguments
 * wrong before ag_custom runs: layers, and operations made of others. (Inside an
 * operation's own functions call ag_fail, which adds its name.) Returns NULL always, so
 * that a constructor can `return ag_tape_fail(...)`. Does nothing if `tape` is NULL.
 * `status` is not AG_OK. */
ag_tensor *ag_tape_fail(ag_tape *tape, ag_status status, const char *format, ...) AG_PRINTF(3, 4);

/* The threads that operations may use. */
int ag_tape_threads(const ag_tape *tape);
/* The bytes of memory that the tape holds, in use or kept for the next step. */
size_t ag_tape_bytes(const ag_tape *tape);

/* What the products of linear layers and matmuls make of their operands, forward and backward. Sums are of ag_real. */
typedef enum ag_matmul_numbers {
    AG_MATMUL_REAL = 0, /* they are taken as they are */
    AG_MATMUL_BF16      /* each is rounded to bfloat16 in passing: 8 bits of precision, to nearest, ties to even; a
                         * denormal number, operand or sum, becomes 0. About twice as fast */
} ag_matmul_numbers;

/* Whether there are such products here. AG_MATMUL_BF16 takes a processor with AVX512_BF16, a compiler that knows it,
 * and PRECISION=float. */
bool ag_matmul_available(ag_matmul_numbers numbers);
/* Makes the products of the tape such ones from now on; a new tape has AG_MATMUL_REAL. False, and nothing changes,
 * where they are not available. */
bool ag_tape_set_matmul(ag_tape *tape, ag_matmul_numbers numbers) AG_CHECKED;
/* What ag_tape_set_matmul has set. */
ag_matmul_numbers ag_tape_matmul(const ag_tape *tape);

/* Operations made while off are not noted: their results are constants. Returns the former state. */
bool ag_tape_set_grad(ag_tape *tape, bool on);

/* The stream from which dropout draws: the k-th dropout after this call draws from (seed, step, k), a new tape's from
 * (0, 0, k). Call it once per training step; equal arguments give equal masks at any number of threads. */
void ag_tape_seed(ag_tape *tape, uint64_t seed, uint64_t step);

/* A name for where we are, such as "encoder.layers.0", until we leave; scopes nest and are joined with dots. Operations
 * note it: see ag_node and ag_tape_find_nonfinite. `name` is copied. */
void ag_tape_enter(ag_tape *tape, const char *name);
void ag_tape_leave(ag_tape *tape);

/* Memory from the tape, 64-byte aligned, not zeroed, valid until the rewind. NULL, and the tape has
 * the error, when memory is out. For an operation's saved values. */
void *ag_tape_alloc(ag_tape *tape, size_t bytes);

/* The first operation whose output (forward) is not finite: writes a sentence such as "log in decoder.layers.1 made
 * -inf from finite inputs", or which input it was that was not finite before, and returns true. */
bool ag_tape_find_nonfinite(ag_tape *tape, char text[AG_MESSAGE_SIZE]);

/* The newest node of the tape, and the one before a node; NULL at the end. For pictures, traces and profiles. */
const ag_node *ag_tape_last(const ag_tape *tape);
const ag_node *ag_node_before(const ag_node *node);

/* ---- Making tensors ------------------------------------------------------------------------- */

/* A copy of `data` (zeros where NULL) on the tape that takes part in differentiation: after ag_backward
 * its gradient is in ->grad. */
ag_tensor *ag_variable(ag_tape *tape, ag_shape shape, const ag_real *data);
/* A copy of `data` (zeros where NULL) without a gradient. */
ag_tensor *ag_constant(ag_tape *tape, ag_shape shape, const ag_real *data);
/* Memory for long vectors, parameters and their gradients (ag_leaf): `count` zeros, aligned to a line of the cache, of
 * large vectors in huge pages where the system has them. The caller frees it with free(). NULL where memory is out or
 * `count` is negative. */
ag_real *ag_numbers_new(int64_t count);
/* A tensor on the caller's own memory, which must live until the rewind: parameters. `data` is [size]. Gradients are
 * ADDED to `grad` ([size]); grad NULL makes a constant. */
ag_tensor *ag_leaf(ag_tape *tape, ag_shape shape, ag_real *data, ag_real *grad);
/* The same values, in the memory of x, cut off from differentiation. */
ag_tensor *ag_detach(ag_tensor *x);
/* Asks that the gradient of an inner tensor stays readable in x->grad after ag_backward. Returns x. */
ag_tensor *ag_retain_grad(ag_tensor *x);
/* Says that nobody will look at the values of x again before the backward, neither by x nor by what ag_detach made of
 * it. On a tape that forgets, their memory is then used again, and the backward makes them anew, the same to the bit,
 * if the operation that made x allows that (ag_op) and no other tensor shares its memory. Else nothing happens. Memory
 * for time: right for what is cheap to compute and large, such as norms. (Chen et al. 2016, section 3.) */
void ag_forget(ag_tensor *x);

/* ---- Backward ------------------------------------------------------------------------------- */

/* Differentiates `loss` (one element) by every leaf that it depends on.
 *
 * - A leaf's gradient is added to: two losses on one tape, or the same loss twice, sum up. The caller
 *   zeroes the memory it gave to ag_leaf; an ag_variable starts at zero.
 * - A value used several times gets the sum over its uses.
 * - A gradient of 0 passes nothing on, even to values that are NaN or infinite, as padding
 *   and the logits of ignored targets may be. An operation is skipped where the gradient
 *   of its whole result is 0.
 * - Inner tensors have their gradient only if asked by ag_retain_grad, and it is that of the latest call.
 * - Errors: no element or several elements; nothing that needs a gradient; an error noted before. */
ag_status ag_backward(ag_tensor *loss) AG_CHECKED;

/* ag_backward from any tensor: `seed` ([y->size]; NULL: ones) is the gradient of the end result by y. */
ag_status ag_backward_seeded(ag_tensor *y, const ag_real *seed) AG_CHECKED;

/* ag_backward that looks at each gradient as it is made and stops with AG_NOT_FINITE, naming the first
 * operation whose backward made a NaN or infinity. Slower; for finding the culprit afterwards. */
ag_status ag_backward_checked(ag_tensor *loss) AG_CHECKED;

/* ---- Elementwise operations (with NumPy broadcasting) --------------------------------------- */

/* Element by element. The result has the shape to which both stretch, AG_BAD_SHAPE where there is none; an input that
 * was stretched gets the sum of the gradients of its copies. */
ag_tensor *ag_add(ag_tensor *a, ag_tensor *b); /* a + b */
ag_tensor *ag_sub(ag_tensor *a, ag_tensor *b); /* a - b */
ag_tensor *ag_mul(ag_tensor *a, ag_tensor *b); /* a b */
ag_tensor *ag_div(ag_tensor *a, ag_tensor *b); /* a / b */
ag_tensor *ag_pow(ag_tensor *a, ag_tensor *b); /* a^b; a > 0 where b gets a gradient or is no whole number */
/* A function of each element; the result has the shape of x. Outside of its domain a function is NaN or infinite, as in
 * libm, and that is no error. */
ag_tensor *ag_neg(ag_tensor *x);                  /* -x */
ag_tensor *ag_scale(ag_tensor *x, double factor); /* factor x */
ag_tensor *ag_exp(ag_tensor *x);                  /* e^x */
ag_tensor *ag_log(ag_tensor *x);                  /* the natural logarithm */
ag_tensor *ag_sqrt(ag_tensor *x);                 /* the square root */
ag_tensor *ag_tanh(ag_tensor *x);                 /* the hyperbolic tangent */
ag_tensor *ag_erf(ag_tensor *x);                  /* 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x */
ag_tensor *ag_sigmoid(ag_tensor *x);              /* 1 / (1 + e^-x) */
ag_tensor *ag_relu(ag_tensor *x);                 /* max(x, 0); derivative 0 at 0 */
ag_tensor *ag_silu(ag_tensor *x);                 /* x sigmoid(x) */
/* The functions between the layers of a network. */
typedef enum ag_activation {
    AG_NO_ACTIVATION = 0,
    AG_RELU,
    AG_GELU,      /* with Phi computed by erf */
    AG_GELU_TANH, /* with Phi approximated by tanh */
    AG_SILU,
    AG_GATED_SILU /* silu(a) b (Shazeer 2020): of two linear layers, so nn_feed_forward has
                   * it and ag_linear_fused does not */
} ag_activation;
/* Gaussian error linear unit (Hendrycks and Gimpel 2016): x Phi(x), where Phi is the
 * distribution function of the normal distribution, computed by erf (`form` AG_GELU) or
 * by 0.5 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (AG_GELU_TANH). gelu(-inf) is -0. */
ag_tensor *ag_gelu(ag_tensor *x, ag_activation form);

/* ---- Products ------------------------------------------------------------------------------- */

/* y = op(a) op(b) on the last two axes, op transposing them where asked; the axes before are a batch
 * and broadcast. [.., m, k] x [.., k, n] -> [.., m, n]. Both have 2 axes at least; AG_BAD_SHAPE if they do not fit. */
ag_tensor *ag_matmul(ag_tensor *a, ag_tensor *b, bool transpose_a, bool transpose_b);
/* y = x W^T + bias: x [.., in], weight [out, in], bias [out] or NULL -> [.., out]. */
ag_tensor *ag_linear(ag_tensor *x, ag_tensor *weight, ag_tensor *bias);
/* Options of ag_linear_fused: what follows a linear layer in a transformer. Zero means
 * that nothing of the kind follows. */
typedef struct ag_linear_options {
    ag_activation activation; /* up to AG_SILU */
    double dropout;      /* in [0, 1] */
    ag_tensor *residual; /* [.., out] or NULL */
} ag_linear_options;
/* y = residual + dropout(activation(x W^T + bias)): the same as the operations one after the other, but each part of
 * the product is finished while it is in the cache, and what lies between is not kept. `options` may be NULL. */
ag_tensor *ag_linear_fused(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, const ag_linear_options *options);

/* ---- Reductions ----------------------------------------------------------------------------- */

/* A set of axes: AG_AXIS(0) | AG_AXIS(2). */
#define AG_AXIS(i) (1u << (i))
/* All the axes that there are. */
#define AG_ALL_AXES (~0u)
/* The sum, the mean, the maximum over a set of axes. Reduced axes vanish, or stay with size 1 where `keep`. The sum
 * over nothing is 0; its mean and its maximum are errors, and so is an axis that x does not have. The maximum sends its
 * gradient to the first of equal ones. */
ag_tensor *ag_sum(ag_tensor *x, unsigned axes, bool keep);
ag_tensor *ag_mean(ag_tensor *x, unsigned axes, bool keep);
ag_tensor *ag_max(ag_tensor *x, unsigned axes, bool keep);

/* ---- Shape operations ----------------------------------------------------------------------- */

/* The same elements, in the memory of x, in another shape of that many; one size may be -1 and is worked out. */
ag_tensor *ag_reshape(ag_tensor *x, ag_shape shape);
/* Axis i of the result is axis order[i] of x; `order` has x->shape.ndim entries, each axis once. */
ag_tensor *ag_permute(ag_tensor *x, const int *order);
/* Joins `count` tensors along `axis` (negative: from the end); other axes are equal. */
ag_tensor *ag_concat(ag_tensor *const *xs, int count, int axis);
/* Elements begin <= i < end of `axis` (negative: from the end). */
ag_tensor *ag_slice(ag_tensor *x, int axis, int64_t begin, int64_t end);
/* Rows of a table: table [count, width], ids of shape `shape` -> [shape.., width]. An id outside the table is an
 * error. Rows with id `padding_id` (-1: none) are read but get no gradient. `ids` is copied. */
ag_tensor *ag_embedding(ag_tensor *table, ag_shape shape, const int32_t *ids, int32_t padding_id);
/* Options of ag_embedding_fused. */
typedef struct ag_embedding_options {
    int32_t padding_id;   /* -1: none */
    double scale;         /* 0: 1 */
    ag_tensor *positions; /* what is added, the same for every row of ids */
} ag_embedding_options;
/* scale table[ids] + positions, as one operation: ids of shape [.., length], positions [length, width] or NULL. The
 * rest is as in ag_embedding. */
ag_tensor *ag_embedding_fused(ag_tensor *table, ag_shape shape, const int32_t *ids,
                              const ag_embedding_options *options);

/* ---- Softmax, norms, dropout, positions ----------------------------------------------------- */

/* e^x / sum e^x along `axis` (negative: from the end), computed from x less its maximum; and the logarithm of that,
 * x - log sum e^x. Of nothing but -inf they are all 0, and all -inf. */
ag_tensor *ag_softmax(ag_tensor *x, int axis);
ag_tensor *ag_log_softmax(ag_tensor *x, int axis);
/* (x - mean) / sqrt(variance + eps) * weight + bias over the last axis (Ba et al. 2016).
 * The variance is the mean squared deviation, whose squares neither overflow nor vanish
 * on the way. weight and bias [width] or NULL; eps is 0 or more. Where it is 0, a row of
 * equal numbers becomes the bias, and its gradient is 0. */
ag_tensor *ag_layer_norm(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, double eps);
/* x / sqrt(mean x^2 + eps) * weight over the last axis (Zhang and Sennrich 2019). weight
 * [width] or NULL; eps is 0 or more. Huge and tiny rows as above; where eps is 0, a row
 * of zeros stays 0, and its gradient is 0. */
ag_tensor *ag_rms_norm(ag_tensor *x, ag_tensor *weight, double eps);
/* Zero with probability p, else x / (1 - p). p in [0, 1]; p = 0 is x itself, p = 1 all zeros. Element e of the k-th
 * dropout after ag_tape_seed stays where word e % 4 of Philox is at least p 2^32, whose key is
 * ag_seed_for(seed, AG_FOR_DROPOUT) and whose counter is (e / 4, k, step) in 64, 32 and 32 bits, low words first. */
ag_tensor *ag_dropout(ag_tensor *x, double p);
/* Rotary positions (Su et al. 2021, section 3.4.2): x [.., T, heads * width]; in each head the pair (2i, 2i+1) at
 * position t is turned by the angle (start + t) base^(-2i/width), in radians. width is even, base above 0 (10000, say).
 */
ag_tensor *ag_rotary(ag_tensor *x, int heads, int64_t start, double base);

/* ---- Masks ---------------------------------------------------------------------------------- */

/* A mask answers one question: may query i look at key j? True = may look. It is a description, not an array:
 * it has no sizes until it is used on scores [batch, heads, queries, keys]. Masks live on the tape. A NULL mask
 * argument of an operation allows everything; constructors given NULL return NULL with the tape's error set. */
typedef struct ag_mask ag_mask;

/* Every query may look at every key. */
ag_mask *ag_mask_all(ag_tape *tape);
/* j <= i + offset. Offset 0 for queries and keys that start together; keys - queries to align their ends. */
ag_mask *ag_mask_causal(ag_tape *tape, int64_t offset);
/* j < lengths[b]: the padding mask of the keys. `lengths` [batch] is copied. */
ag_mask *ag_mask_key_lengths(ag_tape *tape, int64_t batch, const int32_t *lengths);
/* i < lengths[b]: padded queries see nothing and get output 0. `lengths` [batch] is copied. */
ag_mask *ag_mask_query_lengths(ag_tape *tape, int64_t batch, const int32_t *lengths);
/* i - left <= j <= i + right: a band. */
ag_mask *ag_mask_window(ag_tape *tape, int64_t left, int64_t right);
/* j < length: every query sees the first `length` keys; or it to a causal mask for a prefix LM. */
ag_mask *ag_mask_prefix(ag_tape *tape, int64_t length);
/* allow [batch, heads, queries, keys], nonzero = may look; batch or heads may be 1 and then hold for all. Copied. */
ag_mask *ag_mask_explicit(ag_tape *tape, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
                          const unsigned char *allow);
/* Where both a and b may look; where one of them may, or both; where a may not. An expression has at most 256 parts,
 * counting a part once for each place that it stands in. */
ag_mask *ag_mask_and(ag_tape *tape, const ag_mask *a, const ag_mask *b);
ag_mask *ag_mask_or(ag_tape *tape, const ag_mask *a, const ag_mask *b);
ag_mask *ag_mask_not(ag_tape *tape, const ag_mask *a);

/* May query i of head h in batch row b look at key j? An explicit mask allows nothing outside of itself, and lengths
 * nothing beyond their batch. */
bool ag_mask_allows(const ag_mask *mask, int64_t b, int64_t h, int64_t i, int64_t j);
/* Whether the mask can be used on scores of these sizes: AG_OK, or AG_BAD_SHAPE and a sentence that says why not. */
ag_status ag_mask_fits(const ag_mask *mask, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
                       ag_error *error) AG_CHECKED;
/* A picture, a line per query, '#' may look and '.' may not, as snprintf does: returns the length that it needs
 * (without the final zero), writes at most `size` bytes. */
size_t ag_mask_print(const ag_mask *mask, int64_t b, int64_t h, int64_t queries, int64_t keys, char *text, size_t size);

/* ---- Attention ------------------------------------------------------------------------------ */

/* Options of ag_attention. Zero means the default. */
typedef struct ag_attention_options {
    int heads;           /* of rank-3 inputs; 0: 1 */
    double scale;        /* of the scores; 0: 1/sqrt(key width) */
    const ag_mask *mask; /* NULL: all */
    ag_tensor *bias; /* added to the scores, broadcastable to [batch, heads, queries, keys]; NULL: none. -inf forbids */
    double dropout;  /* of the weights */
    bool plain;      /* the composition of single operations instead of the fused one */
    ag_tensor **weights; /* where to put the weights [batch, heads, queries, keys], before dropout; implies `plain` */
} ag_attention_options;

/* Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1): softmax(scale Q K^T + bias | mask) V.
 *
 *   rank 3: q [B, T, heads*dk], k [B, S, heads*dk], v [B, S, heads*dv] -> [B, T, heads*dv]
 *   rank 4: q [B, heads, T, dk], k [B, heads, S, dk], v [B, heads, S, dv] -> [B, heads, T, dv]
 *
 * A query that may look at nothing has output 0 and gradient 0. What a forbidden key or value holds, NaN and
 * infinity included, changes no bit of the output, nor (in the fused form) of any gradient but its own, which
 * is 0. The fused form keeps no [T, S] array: two numbers per query and head. */
ag_tensor *ag_attention(ag_tensor *q, ag_tensor *k, ag_tensor *v, const ag_attention_options *options);

/* The parts of the plain form: softmax over the allowed keys of scores [B, H, T, S], 0 elsewhere and in rows
 * that see nothing; and the sum over allowed keys of weights [B, H, T, S] times values [B, H, S, dv]. */
ag_tensor *ag_masked_softmax(ag_tensor *scores, const ag_mask *mask);
ag_tensor *ag_masked_sum(ag_tensor *weights, ag_tensor *values, const ag_mask *mask);

/* How many queries had no key to look at, in the forward passes of attention and of masked softmax since the tape was
 * made or rewound. Each head's query counts; which form of attention it was, and how many threads, change nothing. A
 * model that is not meant to have such queries is masked wrongly where this is not 0. */
int64_t ag_tape_blind_queries(const ag_tape *tape);

/* ---- Losses --------------------------------------------------------------------------------- */

/* What becomes of the losses of the rows: their mean, their sum, or nothing. */
typedef enum ag_reduction { AG_MEAN = 0, AG_SUM, AG_NONE } ag_reduction;

/* Options of ag_cross_entropy. Zero means the default. */
typedef struct ag_cross_entropy_options {
    bool ignore; /* whether targets equal to ignore_index are left out */
    int32_t ignore_index;
    double label_smoothing;    /* in [0, 1]: this much of the target spreads evenly over the classes */
    const ag_real *class_weights; /* [classes] or NULL: all 1; copied */
    ag_reduction reduction;
} ag_cross_entropy_options;

/* -log softmax(logits)[target] in nats: logits [.., C], `targets` one per row (copied), in [0, C) or ignored, or else
 * AG_BAD_VALUE. `options` may be NULL.
 *
 *   loss_i = (1 - s) w[t_i] (-log p_i[t_i]) + (s / C) sum_c w[c] (-log p_i[c])
 *
 * AG_SUM adds the rows that count; AG_MEAN divides that by the sum of w[t_i] over them, and is 0 where
 * nothing counts; AG_NONE keeps the shape [..], 0 at ignored rows. Ignored rows get gradient 0. */
ag_tensor *ag_cross_entropy(ag_tensor *logits, const int32_t *targets, const ag_cross_entropy_options *options);
/* (a - b)^2 with broadcasting, reduced; the mean over nothing is an error. */
ag_tensor *ag_mse(ag_tensor *a, ag_tensor *b, ag_reduction reduction);

/* ---- Updates of parameters ------------------------------------------------------------------ */

/* How an update changes a parameter p with the gradient d. In the formulas, which are those
 * of torch.optim, g = scale d; t is the number of the update, from 1. In a range that
 * decays, all rules but AG_ADAMW add weight_decay p to g. */
typedef enum ag_update_rule {
    AG_SGD = 0,  /* p -= rate g */
    AG_MOMENTUM, /* b = momentum b + g,  p -= rate b  (Sutskever et al. 2013) */
    AG_NESTEROV, /* b = momentum b + g,  p -= rate (g + momentum b)  (the same paper) */
    /* m += (1 - beta1) (g - m),  v += (1 - beta2) (g^2 - v),
     * p -= rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
     * (Kingma and Ba 2015, algorithm 1). A g beyond 2^63, or 2^511 if ag_real is double, is
     * cut to that, since its square would overflow. */
    AG_ADAM,
    /* p -= rate weight_decay p in a range that decays, then as AG_ADAM (Loshchilov and
     * Hutter 2019, algorithm 2). */
    AG_ADAMW
} ag_update_rule;

/* One update of a vector of parameters. A rule reads only the fields that its formula has. */
typedef struct ag_update {
    ag_update_rule rule;
    uint64_t step;       /* t */
    double rate;         /* the learning rate */
    double scale;        /* of the gradient, such as a clip's factor; 0: 1 */
    double weight_decay; /* 0: none */
    double momentum;
    double beta1, beta2, epsilon;
    ag_real *first, *second; /* [size], zeros before the first update: b or m, and v */
    ag_real *average;        /* [size], follows p after each update: average += share (p - average) with
                              * share = (1 - average_decay) / (1 - average_decay^t), the mean of all values so
                              * far, weighted by average_decay^0 for the newest, ^1 for the one before, ..;
                              * NULL: none */
    double average_decay;    /* in [0, 1) */
} ag_update;

/* Elements begin <= i < end of the vectors, which have weight decay or not. */
typedef struct ag_update_range {
    int64_t begin, end;
    bool decays;
} ag_update_range;

/* Updates `value` from `gradient`, and sets `gradient` to 0 for the next backward to add to,
 * in one pass over memory. `ranges` [count] are in order and do not overlap; elements
 * outside of them are left alone. The vectors are the caller's and must not overlap.
 * Gradients should be finite: nothing checks. The same bits at any number of threads. */
void ag_update_apply(const ag_update *update, ag_real *value, ag_real *gradient, const ag_update_range *ranges,
                     int count, int threads);

/* The Euclidean norm sqrt(sum x[i]^2) of x [size], summed in double; squares that would
 * overflow or vanish are scaled. The same bits at any number of threads. Not finite if an
 * element is not. */
double ag_vector_norm(const ag_real *x, int64_t size, int threads);

/* ---- Operations as records, and your own ---------------------------------------------------- */

typedef struct ag_example ag_example; /* a drawn example of an operation, for the checks */
typedef struct ag_kinks ag_kinks;     /* the sides of kinks that a computation is on */

/* An operation. `shape` checks the inputs and attributes and sets node->output->shape; `forward` fills
 * node->output->data; `backward` adds to the gradients of the inputs (ag_grad). Each reports by ag_fail. */
typedef struct ag_op {
    const char *name;                     /* "matmul" */
    const char *formula;                  /* one line, for tables and messages */
    ag_status (*shape)(ag_node *node);    /* see above */
    ag_status (*forward)(ag_node *node);  /* see above */
    ag_status (*backward)(ag_node *node); /* see above; NULL: its result is a constant */
    /* Calls the constructor on drawn inputs from the operation's domain (see ag_example_*), so that the operation
     * can be checked. NULL: not checked by the table's walk. */
    ag_tensor *(*example)(ag_example *example);
    /* Notes on which side of each kink the inputs are (ag_kink). NULL: smooth. */
    void (*kinks)(const ag_node *node, ag_kinks *kinks);
    /* Whether `forward` may be called again to the same effect, `backward` does not look at the output, and the
     * operation is cheap: ag_forget. */
    bool can_repeat;
    /* Whether the output is the first input's memory in another shape of as many elements.
     * Then `forward` has nothing to write. */
    bool is_view;
} ag_op;

/* An operation on a tape: what it was given and what it made. */
struct ag_node {
    const ag_op *op;
    ag_tape *tape;
    int input_count;
    ag_tensor **inputs; /* [input_count]; an optional input that was not given is NULL */
    ag_tensor *output;
    void *attributes;  /* the operation's own struct, copied by ag_custom */
    void *saved;       /* what forward keeps for backward, from ag_tape_alloc */
    const char *scope; /* see ag_tape_enter; "" outside */
    ag_node *before;
};

/* Runs an operation: checks, computes, notes it on the tape. All built-in constructors do just this. `inputs` and
 * `attributes` (of `attributes_size` bytes) are copied. The first input is never NULL; the inputs from
 * `required` on may be. A record without name, shape or forward is AG_BAD_VALUE. */
ag_tensor *ag_custom(const ag_op *op, ag_tensor *const *inputs, int count, int required, const void *attributes,
                     size_t attributes_size);

/* Inside shape, forward, backward: notes "name: sentence" on the tape and returns `status`. */
ag_status ag_fail(const ag_node *node, ag_status status, const char *format, ...) AG_PRINTF(3, 4);
/* Inside backward: where to add the gradient of x, zeroed at first use; NULL where x (or NULL) needs none. */
ag_real *ag_grad(ag_tensor *x);
/* ag_grad without the zeros: where *add comes back false, nothing is there yet, and the caller writes every element
 * instead of adding to it. */
ag_real *ag_grad_begin(ag_tensor *x, bool *add);
/* Inside backward: adds g (of shape `shape`, to which x broadcasts) to the gradient of x, summing over the axes
 * that were stretched, in double. (A linear layer's bias is summed with its weight's gradient instead.) */
void ag_grad_add(ag_tensor *x, ag_shape shape, const ag_real *g);
/* Inside forward and backward: memory that is gone when the function returns. 64-byte aligned, not zeroed. */
void *ag_scratch(ag_tape *tape, size_t bytes);
/* Inside kinks: notes a decision (a sign, the index of a maximum). */
void ag_kink(ag_kinks *kinks, int64_t decision);

/* The table of all built-in operations, [*count]. */
const ag_op *const *ag_ops(int *count);

/* Inside example, which is called many times and must do the same each time: the tape, drawn numbers (ends included),
 * and drawn inputs with values in [low, high]. `name` must outlive the check's report: give a literal. */
ag_tape *ag_example_tape(ag_example *example);
int64_t ag_example_int(ag_example *example, int64_t low, int64_t high);
double ag_example_real(ag_example *example, double low, double high);
ag_tensor *ag_example_input(ag_example *example, const char *name, ag_shape shape, double low, double high);

/* ---- Gradient checking ---------------------------------------------------------------------- */

/* One input of a function under check: the checker moves `data` element by element (and restores it) and compares
 * with what backward adds to `grad`. Both [ag_shape_size(shape)]. */
typedef struct ag_gradcheck_input {
    const char *name;
    ag_shape shape;
    ag_real *data;
    ag_real *grad;
} ag_gradcheck_input;

/* The function: builds its result on `tape` from leaves on the inputs' memory. It must be the same function at every
 * call. A result of several elements is projected on fixed random weights. */
typedef ag_tensor *(*ag_function)(ag_tape *tape, ag_tensor *const *inputs, void *context);

/* Options of ag_gradcheck. Zero means the default. */
typedef struct ag_gradcheck_options {
    double tolerance; /* on |a - n| / max(1, |a|, |n|); 0: 1e-9 in double, 1e-3 in float */
    double step;      /* the largest step of the extrapolation, rounded down to a power of two, times the size of
                       * elements beyond 1; 0: 2^-6 in double, 2^-3 in float */
    int directions;   /* > 0: compare this many random directional derivatives per input instead of every element */
    uint64_t seed;    /* of the projections */
    int threads;      /* of the tape; 0: 1 */
} ag_gradcheck_options;

/* What was found. The worst element: which input, where, both sides, and how well the numeric side knows itself. */
typedef struct ag_gradcheck_report {
    bool passed;
    int64_t checked;    /* elements (or directions) compared */
    int64_t kinks;      /* elements left out because they sit on a kink */
    double worst_error; /* |a - n| / max(1, |a|, |n|); NaN counts as infinite */
    int input;          /* the worst element's input, from 0; -1: the fault is in the result itself */
    const char *input_name;
    int64_t index; /* its flat index, or the number of the direction */
    double analytic, numeric;
    double step;                   /* the step at which the extrapolation settled */
    double numeric_error;          /* its own estimate of its error */
    int draw;                      /* ag_gradcheck_op: which drawn example */
    char message[AG_MESSAGE_SIZE]; /* all of that as a sentence */
} ag_gradcheck_report;

/* Compares the gradients of `f` by backward and by central differences with Richardson extrapolation (Ridders 1982).
 * Where a step would cross a kink it is made smaller; an element on a kink is left out and counted. NaN on either side
 * is a failure, and so is a check that compared nothing, or less than half. Failures too, with an infinite worst error:
 * results that differ between two calls; a function or a backward that changes an input or the result; a backward that
 * overwrites gradients in place of adding to them, or adds something else when it runs again on the same tape. The
 * gradients stay in the inputs' `grad`. The status is an error only if the check could not run; whether the gradients
 * agree is in `report`. `options` may be NULL. */
ag_status ag_gradcheck(ag_function f, void *context, const ag_gradcheck_input *inputs, int count,
                       const ag_gradcheck_options *options, ag_gradcheck_report *report, ag_error *error) AG_CHECKED;

/* Checks an operation on `draws` examples that its record draws; the report is that of the worst, with the counts of
 * all. AG_BAD_VALUE where the record draws none. */
ag_status ag_gradcheck_op(const ag_op *op, int draws, const ag_gradcheck_options *options, ag_gradcheck_report *report,
                          ag_error *error) AG_CHECKED;

/* ---- Random numbers ------------------------------------------------------------------------- */

/* Philox4x32-10 (Salmon et al. 2011): 128 random bits from a 128-bit counter and a 64-bit key. */
void ag_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Spreads every bit of x over all 64 (the finalizer of Steele et al. 2014 with Stafford's constants, variant 13). */
uint64_t ag_mix(uint64_t x);

/* What random numbers are drawn for: one list for all layers, and a program's own purposes from 1000 on. One seed of
 * the user's serves them all, by way of ag_seed_for, without one use meeting the numbers of another. */
typedef enum ag_purpose {
    AG_FOR_EXAMPLES = 1,
    AG_FOR_ORDER,
    AG_FOR_SHIFT,
    AG_FOR_SPLIT,
    AG_FOR_DROPOUT,
    AG_FOR_PARAMETERS,
    AG_FOR_SAMPLING
} ag_purpose;

/* The seed for one purpose, made of the user's: ag_mix(seed + 0x9E3779B97F4A7C15 purpose), modulo 2^64. */
uint64_t ag_seed_for(uint64_t seed, ag_purpose purpose);

/* A place in a random stream: equal (seed, stream, position) give equal numbers everywhere. Copy it, save it, set
 * `position` to jump. Each number advances position by one. */
typedef struct ag_rng {
    uint64_t seed, stream, position;
} ag_rng;

/* The beginning of a stream: position 0. */
ag_rng ag_rng_make(uint64_t seed, uint64_t stream);
/* The next number of the stream, made by ag_philox with the seed as its key and (position, stream) as its counter. */
uint32_t ag_rng_u32(ag_rng *rng);               /* 0 .. 2^32 - 1 */
uint64_t ag_rng_below(ag_rng *rng, uint64_t n); /* 0 .. n-1, unbiased; n = 0 gives 0 */
double ag_rng_uniform(ag_rng *rng);             /* [0, 1), 53 bits */
double ag_rng_normal(ag_rng *rng);              /* mean 0, variance 1, by Box and Muller (1958) */

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
