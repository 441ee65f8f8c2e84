/* autograd.h - the tape, tensors, operations and masks; operation.h and gradients.h,
 * which it includes, add operations of your own and gradient checks.
 *
 * This header is the manual of the layer. The pattern of use:
 *
 *     ag_tape *tape = ag_tape_new(NULL);
 *     ag_tensor *x = ag_variable(tape, AG_SHAPE(2, 3), values);
 *     ag_tensor *loss = ag_mean(ag_mul(x, x), AG_ALL_AXES, false);
 *     if (ag_backward(loss) != AG_OK)               // one check at the end is enough
 *         puts(ag_tape_error(tape)->message);
 *     ... x->grad holds d loss / d x ...
 *     ag_tape_rewind(tape);                         // the next step reuses the memory
 *     ag_tape_free(tape);
 *
 * Execution is define-by-run: an operation computes its result at once and appends a node
 * to the tape; ag_backward follows the nodes from the newest to the oldest. All that a
 * step makes lives in the tape and is gone after ag_tape_rewind. The caller frees nothing
 * but the tape.
 *
 * Errors: an operation that cannot be done returns NULL, and the tape keeps the first
 * error. An operation that is given NULL returns NULL and does nothing. So a program may
 * build a whole model and check once, at ag_backward. Where a comment says
 * "AG_BAD_SHAPE", say, the tape gets this status with a sentence that names the operation
 * and the shapes.
 *
 * Shapes are written [batch, tgt_len, d_model]. Tensors are dense and row-major.
 * Broadcasting follows NumPy: shapes are aligned at the last axis, and an axis of size 1
 * stretches.
 *
 * Threads: one tape, with all that is on it, is used by one thread at a time. Several
 * threads may work at once, each on its own tape, and may share what none of them
 * changes: the memory under an ag_leaf without gradient, and records of operations. All
 * other functions may be called at any time, with objects that no other thread uses. An
 * operation shares its work among a pool of threads (ag_tape_options); its result has the
 * same bits at any number of them.
 *
 * Two things are global to the process. One is the instruction-set level, which is chosen
 * at the first use (ag_level_name); any thread may make that use, but no thread may call
 * setenv at that moment. The other is the pool, which works for all tapes: while it is
 * busy for one of them, the operations of the others run on the threads that call them.
 * No function of the library may run beside setlocale; what the library writes is the
 * same in every locale.
 *
 * A child made by fork continues with everything that its parent had, and starts pool
 * threads of its own. It must not use a tape, or anything else, that another thread was
 * using at the moment of the fork.
 */
#ifndef AG_AUTOGRAD_H
#define AG_AUTOGRAD_H

#include "random.h"
#include "real.h"
#include "text.h"
#include "update.h"

AG_HEADER_BEGIN

/* ---- Version ----------------------------------------------------------------------- */

/* The version of this header. */
#define AG_VERSION "0.1.0"
/* The version of the library that the program runs with. */
const char *ag_version(void);

/* Linking a float program against the double library, or the reverse, fails at link time:
 * the function that every program needs has another name there. */
#ifdef TAPEFORMER_DOUBLE
#define ag_tape_new ag_tape_new_double
#endif

/* ---- Errors ------------------------------------------------------------------------ */

/* How a call ended. */
typedef enum ag_status {
    AG_OK = 0,
    AG_BAD_SHAPE, /* shapes that do not fit together */
    AG_BAD_VALUE, /* an argument outside its range */
    AG_NO_MEMORY,
    AG_BAD_FILE,   /* a file whose content is wrong */
    AG_IO,         /* the system refused to read or write */
    AG_NOT_FINITE, /* a NaN or an infinity where a number was needed */
    AG_INTERRUPTED /* stopped on request */
} ag_status;

/* An error: its kind, and one sentence for a person, without line break and full stop. */
typedef struct ag_error {
    ag_status status;
    char message[AG_MESSAGE_SIZE];
} ag_error;

/* Sets *error unless it holds an error already: the first is the one to show. `format` is
 * that of ag_text_print, and the sentence is kept as ag_text_show shows it, so names from
 * files may stand in it. `error` may be NULL. Returns `status`, for `return
 * ag_error_set(...)`. In sentences inputs, rows, axes and elements count from 0; the
 * lines of a file and their bytes count from 1. */
ag_status ag_error_set(ag_error *error, ag_status status, const char *format, ...) AG_PRINTF(3, 4);

/* ---- The tape ---------------------------------------------------------------------- */

/* The record of a computation, and the memory of all that it makes. */
typedef struct ag_tape ag_tape;
/* A tensor on a tape. */
typedef struct ag_tensor ag_tensor;
/* An operation that ran on a tape. */
typedef struct ag_node ag_node;
/* The record of an operation (operation.h). */
typedef struct ag_op ag_op;

/* Options of ag_tape_new. Zero means the default. */
typedef struct ag_tape_options {
    int threads;        /* that an operation may use; 0: one per processor of the process */
    bool no_grad;       /* true: forward only; no node is appended */
    bool forgets;       /* true: ag_forget takes effect */
    bool keeps_weights; /* true: as after ag_tape_keep_weights(tape, true) */
    bool measures;      /* true: each node gets a record of what it costs (ag_cost) */
} ag_tape_options;

/* Makes a tape, which the caller frees. `options` may be NULL. NULL if memory is out. */
ag_tape *ag_tape_new(const ag_tape_options *options);
/* Frees the tape and every tensor and mask on it. `tape` may be NULL. */
void ag_tape_free(ag_tape *tape);
/* Forgets every node, tensor, mask and error, and keeps the memory: a following step of
 * the same shapes makes no heap allocation. */
void ag_tape_rewind(ag_tape *tape);

/* The first error since the last rewind; its status is AG_OK if there is none. Never
 * NULL. */
const ag_error *ag_tape_error(const ag_tape *tape);
/* Makes a sentence the tape's error unless it has one already, as ag_error_set does; no
 * operation runs on the tape until the rewind. For constructors that find their arguments
 * wrong before ag_custom runs: layers, and operations made of others. (Inside an
 * operation's own functions call ag_fail, which adds its name.) Always returns NULL, for
 * `return ag_tape_fail(...)`. Does nothing if `tape` is NULL. `status` is not AG_OK. */
ag_tensor *ag_tape_fail(ag_tape *tape, ag_status status, const char *format, ...) AG_PRINTF(3, 4);

/* The number of threads that an operation may use. */
int ag_tape_threads(const ag_tape *tape);
/* The bytes of memory that the tape holds, in use or kept for the next step. */
size_t ag_tape_bytes(const ag_tape *tape);

/* Switches the appending of nodes on or off. Results made while it is off are constants.
 * Returns the former state. */
bool ag_tape_set_grad(ag_tape *tape, bool on);

/* Chooses the masks of dropout: the k-th dropout after this call draws from
 * (seed, step, k); on a new tape, from (0, 0, k). Call it once per training step. Equal
 * arguments give equal masks at any number of threads. */
void ag_tape_seed(ag_tape *tape, uint64_t seed, uint64_t step);

/* Open and close a scope, such as "encoder.layers.0". Scopes nest, and their names are
 * joined with dots. Each node keeps the scope that it was made in (ag_node), and errors
 * name it. `name` is copied. */
void ag_tape_enter(ag_tape *tape, const char *name);
void ag_tape_leave(ag_tape *tape);

/* Memory from the tape that lasts until the rewind, for what an operation keeps for its
 * backward. 64-byte aligned, not zeroed. NULL, and the tape has the error, if memory is
 * out. */
void *ag_tape_alloc(ag_tape *tape, size_t bytes);

/* Memory from the tape that outlives rewinds, for what is large and is made again and
 * again, such as the keys and values of incremental decoding. The tape keeps what is
 * returned for the next borrower, since the system zeroes each page that it hands out,
 * and frees it with itself. 64-byte aligned; it holds zeros or what its last borrower
 * left. NULL, and the tape has the error, if memory is out. */
void *ag_tape_borrow(ag_tape *tape, size_t bytes);
/* Returns it to the tape that lent it. `place` may be NULL. */
void ag_tape_return(ag_tape *tape, void *place);

/* Finds the oldest operation whose result holds a NaN or an infinity. Writes a sentence
 * such as "log in decoder.layers.1 made -inf from finite inputs", or one that names the
 * input that was not finite before, and returns true. False if all results are finite. */
bool ag_tape_find_nonfinite(ag_tape *tape, char text[AG_MESSAGE_SIZE]);

/* The newest node of the tape, and the one before a node; NULL if there is none. For
 * pictures, traces and profiles: study_tape shows a whole tape. */
const ag_node *ag_tape_last(const ag_tape *tape);
const ag_node *ag_node_before(const ag_node *node);

/* How the products of linear layers and matmuls take their operands, forward and
 * backward. Sums are of ag_real either way. */
typedef enum ag_matmul_numbers {
    AG_MATMUL_REAL = 0, /* as they are */
    AG_MATMUL_BF16      /* rounded to bfloat16 (8 bits of precision, to nearest, ties to
                         * even), about twice as fast; denormals become 0 */
} ag_matmul_numbers;

/* Whether this build and processor have such products. AG_MATMUL_BF16 needs a processor
 * with AVX512_BF16, a compiler that knows it, and PRECISION=float. */
bool ag_matmul_available(ag_matmul_numbers numbers);
/* Sets the precision of all later matrix products on this tape; a new tape has
 * AG_MATMUL_REAL. Returns false and changes nothing if this build or processor does not
 * support it. */
bool ag_tape_set_matmul(ag_tape *tape, ag_matmul_numbers numbers) AG_CHECKED;
/* The precision that ag_tape_set_matmul has set. */
ag_matmul_numbers ag_tape_matmul(const ag_tape *tape);

/* With `on` the caller promises that weights stay as they are: from now on ag_linear
 * copies each weight that is an ag_leaf once, in the order in which its product reads it,
 * and uses the copy again. Results have the same bits. A product of few rows takes half
 * of the time, since the copy is most of its work, so programs that generate do it around
 * all of their calls of nn_generate. The copies need as much memory as the weights.
 * Switching it off, which must be done before a weight changes or is freed, gives the
 * memory back. Returns the former state. */
bool ag_tape_keep_weights(ag_tape *tape, bool on);

/* ---- Tensors ----------------------------------------------------------------------- */

/* The most axes that a tensor can have. */
#define AG_MAX_DIMS 5

/* A shape of 0 to 5 axes. A scalar has ndim 0. An axis may have size 0. */
typedef struct ag_shape {
    int ndim;
    int64_t dim[AG_MAX_DIMS];
} ag_shape;

/* AG_SHAPE(2, 3): a shape from its sizes (C only). */
#define AG_SHAPE(...)                                                                                                  \
    ((ag_shape){.ndim = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dim = {__VA_ARGS__}})
/* The shape of a single number. */
#define AG_SCALAR ((ag_shape){.ndim = 0})

/* The number of elements: the product of the sizes, 1 for a scalar. -1 for a shape that
 * no tensor can have (more than 5 axes, a negative size, more elements than memory can
 * address). */
int64_t ag_shape_size(ag_shape shape);
/* Whether both have the same number of axes, and of the same sizes. */
bool ag_shape_equal(ag_shape a, ag_shape b);
/* The room for any shape as text, in bytes. */
#define AG_SHAPE_TEXT 128
/* Writes "[2,3]" into `text` and returns it. */
char *ag_shape_print(ag_shape shape, char text[AG_SHAPE_TEXT]);

/* A tensor. Read every field; write only through `data`, and only of tensors that you
 * made yourself. */
struct ag_tensor {
    ag_shape shape;
    int64_t size;  /* the number of elements */
    ag_real *data; /* [size], row-major */
    ag_real *grad; /* [size] or NULL; see ag_backward */
    ag_tape *tape;
    const ag_real *tangent; /* NULL, except during ag_jvp: [size], or NULL for zeros */
    ag_node *node;          /* the operation that made it; NULL for a leaf */
    bool needs_grad;        /* a leaf with a gradient, or made from one */
    bool retains_grad;      /* the gradient stays after ag_backward */
    bool is_forgotten;      /* by ag_forget: `data` is NULL except during a backward */
    bool is_callers;        /* `data` is the caller's own memory (ag_leaf) */
};

/* A copy of `data` (zeros if NULL) on the tape, to differentiate by: ag_backward adds to
 * its gradient `grad`, which begins at zero. */
ag_tensor *ag_variable(ag_tape *tape, ag_shape shape, const ag_real *data);
/* A copy of `data` (zeros if NULL) on the tape, without a gradient. */
ag_tensor *ag_constant(ag_tape *tape, ag_shape shape, const ag_real *data);
/* A tensor on the caller's own memory, such as parameters, which must live until the
 * rewind. `data` is [size]. ag_backward ADDS to `grad` [size]; NULL makes a constant. */
ag_tensor *ag_leaf(ag_tape *tape, ag_shape shape, ag_real *data, ag_real *grad);
/* Memory for long vectors under ag_leaf, parameters and their gradients: `count` zeros,
 * aligned to a cache line, in huge pages if the vector is large and the system has them.
 * The caller frees it with free(). NULL if memory is out or `count` is negative. */
ag_real *ag_numbers_new(int64_t count);

/* The values of x, in the same memory, as a constant. */
ag_tensor *ag_detach(ag_tensor *x);
/* Keeps the gradient of an inner tensor readable in x->grad after ag_backward. Returns
 * x. */
ag_tensor *ag_retain_grad(ag_tensor *x);
/* Lets the tape drop x's values now and recompute them in the backward pass, to the same
 * bits (gradient checkpointing, Chen et al. 2016, section 3). For large, cheap results
 * such as norms. Do not read x->data, or that of an ag_detach of x, before the backward.
 * Does nothing unless the tape's option `forgets` is set, the operation that made x can
 * be repeated (ag_op), and no other tensor shares x's memory. */
void ag_forget(ag_tensor *x);

/* ---- Backward ---------------------------------------------------------------------- */

/* Differentiates `loss` (one element) by every leaf that it depends on.
 *
 * - A leaf's gradient is added to: two losses on one tape, or the same loss twice, sum
 *   up. The caller zeroes the memory that it gave to ag_leaf; an ag_variable begins at
 *   zero.
 * - A value that is used several times gets the sum over its uses.
 * - A gradient of 0 passes nothing on, even to values that are NaN or infinite, as
 *   padding and the logits of ignored targets may be. An operation is skipped if the
 *   gradient of its whole result is 0.
 * - Inner tensors keep their gradient only after ag_retain_grad: that of the latest call.
 *
 * AG_BAD_SHAPE if the loss is not one element, AG_BAD_VALUE if nothing under it needs a
 * gradient, and the tape's error if it has one. */
ag_status ag_backward(ag_tensor *loss) AG_CHECKED;

/* ag_backward from any tensor y: `seed` [y->size] is the gradient of the final result by
 * y; NULL: ones. */
ag_status ag_backward_seeded(ag_tensor *y, const ag_real *seed) AG_CHECKED;

/* ag_backward that checks each gradient as it is made and stops with AG_NOT_FINITE,
 * naming the first operation whose backward made a NaN or an infinity. Slower: for
 * finding the culprit afterwards. */
ag_status ag_backward_checked(ag_tensor *loss) AG_CHECKED;

/* ---- Forward mode ------------------------------------------------------------------ */

/* The derivative of y along a direction: if each of `leaves` [count] moves by its tangent
 * u, y moves by J u, J = dy / d leaves (the Jacobian-vector product; Griewank and Walther
 * 2008, Evaluating Derivatives, section 3.1). One pass over the tape, from the leaves to
 * y, by the operations' tangent rules. tangents[i] is [leaves[i]->size], NULL for zeros,
 * and `tangent` is [y->size]. Other leaves do not move. The pass keeps the tangents of
 * all values between on the tape until it ends.
 *
 * AG_BAD_VALUE if a leaf is none, has no gradient (ag_variable, ag_leaf), is on another
 * tape or is given twice, or if an operation on the way has no tangent rule; the error is
 * the tape's and names it. */
ag_status ag_jvp(ag_tensor *y, ag_tensor *const *leaves, const ag_real *const *tangents, int count,
                 ag_real *tangent) AG_CHECKED;

/* ---- Elementwise operations -------------------------------------------------------- */

/* A function of two elements, with broadcasting: the result has the shape to which both
 * inputs stretch, or the call is AG_BAD_SHAPE. An input that was stretched gets the sum
 * of its copies' gradients. */
ag_tensor *ag_add(ag_tensor *a, ag_tensor *b); /* a + b */
ag_tensor *ag_sub(ag_tensor *a, ag_tensor *b); /* a - b */
ag_tensor *ag_mul(ag_tensor *a, ag_tensor *b); /* a b */
ag_tensor *ag_div(ag_tensor *a, ag_tensor *b); /* a / b */
ag_tensor *ag_pow(ag_tensor *a, ag_tensor *b); /* a^b; a > 0 if b needs a gradient or is
                                                * no whole number */
/* A function of each element; the result has the shape of x. Outside its domain a
 * function gives NaN or an infinity, as libm does, and that is no error. */
ag_tensor *ag_neg(ag_tensor *x);                  /* -x */
ag_tensor *ag_scale(ag_tensor *x, double factor); /* factor x */
ag_tensor *ag_exp(ag_tensor *x);                  /* e^x */
ag_tensor *ag_log(ag_tensor *x);                  /* the natural logarithm */
ag_tensor *ag_sqrt(ag_tensor *x);                 /* the square root */
ag_tensor *ag_tanh(ag_tensor *x);                 /* the hyperbolic tangent */
ag_tensor *ag_erf(ag_tensor *x);     /* 2/sqrt(pi) integral of e^(-t^2) from 0 to x */
ag_tensor *ag_sigmoid(ag_tensor *x); /* 1 / (1 + e^-x) */
ag_tensor *ag_relu(ag_tensor *x);    /* max(x, 0); derivative 0 at 0 */
ag_tensor *ag_silu(ag_tensor *x);    /* x sigmoid(x) */
/* The functions between the layers of a network. */
typedef enum ag_activation {
    AG_NO_ACTIVATION = 0,
    AG_RELU,
    AG_GELU,      /* with Phi computed by erf */
    AG_GELU_TANH, /* with Phi approximated by tanh */
    AG_SILU,
    AG_GATED_SILU /* silu(a) b of two linear layers (Shazeer 2020): only nn_feed_forward
                   * has it */
} ag_activation;
/* Gaussian error linear unit (Hendrycks and Gimpel 2016): x Phi(x), where Phi is the
 * distribution function of the normal distribution, computed by erf (`form` AG_GELU) or
 * by 0.5 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (AG_GELU_TANH). gelu(-inf) is -0. */
ag_tensor *ag_gelu(ag_tensor *x, ag_activation form);

/* Zero with probability p, else x / (1 - p) (Srivastava et al. 2014). p in [0, 1]; p = 0
 * returns x itself, p = 1 gives zeros. Element e of the k-th dropout after ag_tape_seed
 * stays if word e % 4 of Philox is at least p 2^32; the key is ag_seed_for(seed,
 * AG_FOR_DROPOUT), the counter (e / 4, k, step) in 64, 32 and 32 bits, low words
 * first. */
ag_tensor *ag_dropout(ag_tensor *x, double p);

/* ---- Products ---------------------------------------------------------------------- */

/* y = op(a) op(b) on the last two axes, where op transposes or not; the axes before them
 * are a batch and broadcast: [.., m, k] x [.., k, n] -> [.., m, n]. AG_BAD_SHAPE if the
 * inner sizes differ or an input has fewer than 2 axes. */
ag_tensor *ag_matmul(ag_tensor *a, ag_tensor *b, bool transpose_a, bool transpose_b);
/* y = x W^T + bias: x [.., in], weight [out, in], bias [out] or NULL -> [.., out]. */
ag_tensor *ag_linear(ag_tensor *x, ag_tensor *weight, ag_tensor *bias);

/* Options of ag_linear_fused: what follows a linear layer in a transformer. Zero means
 * that nothing does. */
typedef struct ag_linear_options {
    ag_activation activation; /* up to AG_SILU */
    double dropout;           /* in [0, 1] */
    ag_tensor *residual;      /* [.., out] or NULL */
} ag_linear_options;
/* y = residual + dropout(activation(x W^T + bias)): the same as these operations one
 * after the other, but each block of the product is finished while it is in the cache,
 * and the results between are not kept. `options` may be NULL. */
ag_tensor *ag_linear_fused(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, const ag_linear_options *options);

/* ---- Reductions -------------------------------------------------------------------- */

/* A set of axes: AG_AXIS(0) | AG_AXIS(2). */
#define AG_AXIS(i) (1u << (i))
/* The set of all axes. */
#define AG_ALL_AXES (~0u)
/* The sum, the mean and the maximum over a set of axes, which vanish, or stay with size 1
 * if `keep`. The maximum passes its gradient to the first of equal elements. The sum of
 * nothing is 0; its mean and its maximum are AG_BAD_SHAPE. AG_BAD_VALUE for an axis that
 * x does not have. */
ag_tensor *ag_sum(ag_tensor *x, unsigned axes, bool keep);
ag_tensor *ag_mean(ag_tensor *x, unsigned axes, bool keep);
ag_tensor *ag_max(ag_tensor *x, unsigned axes, bool keep);

/* ---- Shape operations -------------------------------------------------------------- */

/* The elements of x, in the same memory, in another shape of as many elements. One size
 * may be -1 and is worked out. */
ag_tensor *ag_reshape(ag_tensor *x, ag_shape shape);
/* Axis i of the result is axis order[i] of x; `order` has x->shape.ndim entries, each
 * axis once. */
ag_tensor *ag_permute(ag_tensor *x, const int *order);
/* Joins `count` tensors along `axis` (negative: from the end); their other axes are
 * equal. */
ag_tensor *ag_concat(ag_tensor *const *xs, int count, int axis);
/* Elements begin <= i < end of `axis` (negative: from the end). */
ag_tensor *ag_slice(ag_tensor *x, int axis, int64_t begin, int64_t end);

/* Rows of a table: table [count, width], ids of shape `shape` -> [shape.., width]. An id
 * outside the table is AG_BAD_VALUE. Rows with the id `padding_id` (-1: none) are read
 * but get no gradient. `ids` is copied. */
ag_tensor *ag_embedding(ag_tensor *table, ag_shape shape, const int32_t *ids, int32_t padding_id);
/* Options of ag_embedding_fused. */
typedef struct ag_embedding_options {
    int32_t padding_id;   /* -1: none */
    double scale;         /* of the table's rows; 0: 1 */
    ag_tensor *positions; /* [length, width], added to every row of ids; NULL: none */
} ag_embedding_options;
/* scale table[ids] + positions as one operation, with ids of shape [.., length];
 * otherwise as ag_embedding. */
ag_tensor *ag_embedding_fused(ag_tensor *table, ag_shape shape, const int32_t *ids,
                              const ag_embedding_options *options);

/* ---- Softmax, norms, positions ----------------------------------------------------- */

/* Along `axis` (negative: from the end):
 *
 *   softmax(x) = e^x / sum e^x
 *   log_softmax(x) = x - log sum e^x
 *
 * Both are computed from x minus its maximum. If all x are -inf, softmax is 0 and
 * log_softmax is -inf. */
ag_tensor *ag_softmax(ag_tensor *x, int axis);
ag_tensor *ag_log_softmax(ag_tensor *x, int axis);
/* (x - mean) / sqrt(variance + eps) * weight + bias over the last axis (Ba et al. 2016),
 * where the variance is the mean squared deviation. weight and bias are [width] or NULL;
 * eps >= 0. Neither huge nor tiny rows lose anything: their squares are scaled. With eps
 * 0 a row of equal numbers becomes the bias, and its gradient is 0. */
ag_tensor *ag_layer_norm(ag_tensor *x, ag_tensor *weight, ag_tensor *bias, double eps);
/* x / sqrt(mean x^2 + eps) * weight over the last axis (Zhang and Sennrich 2019). weight
 * is [width] or NULL; eps >= 0. Huge and tiny rows as in ag_layer_norm. With eps 0 a row
 * of zeros stays 0, and its gradient is 0. */
ag_tensor *ag_rms_norm(ag_tensor *x, ag_tensor *weight, double eps);
/* Rotary positions (Su et al. 2021, section 3.4.2): x [.., T, heads * width]. In each
 * head, the pair of elements (2i, 2i+1) at position t is rotated by the angle (start + t)
 * base^(-2i/width), in radians. width is even; base > 0, usually 10000. */
ag_tensor *ag_rotary(ag_tensor *x, int heads, int64_t start, double base);
/* A bias for the scores of attention that depends on the distance of query and key alone,
 * from a table [R, heads] and the row of the table for each distance, rows [queries +
 * keys - 1], which are copied -> [1, heads, queries, keys]:
 *
 *   y[0, h, i, j] = table[rows[j - i + queries - 1], h]
 *
 * AG_BAD_VALUE for a row that the table does not have. */
ag_tensor *ag_distance_bias(ag_tensor *table, int64_t queries, int64_t keys, const int32_t *rows);

/* ---- Losses ------------------------------------------------------------------------ */

/* How the losses of the rows become the result: their mean, their sum, or all of them. */
typedef enum ag_reduction { AG_MEAN = 0, AG_SUM, AG_NONE } ag_reduction;

/* Options of ag_cross_entropy. Zero means the default. */
typedef struct ag_cross_entropy_options {
    bool ignore; /* whether targets equal to ignore_index are left out */
    int32_t ignore_index;
    double label_smoothing; /* s in [0, 1]: this share of the target spreads evenly over
                             * the classes (Szegedy et al. 2016, section 7) */
    const ag_real *class_weights; /* w [classes] or NULL: all 1; copied */
    ag_reduction reduction;
} ag_cross_entropy_options;

/* The loss -log softmax(logits)[target] in nats: logits [.., C], and one target per row
 * in [0, C) or ignored, else AG_BAD_VALUE. `targets` is copied. `options` may be NULL.
 * With p = softmax(logits),
 *
 *   loss_i = (1 - s) w[t_i] (-log p_i[t_i]) + (s / C) sum_c w[c] (-log p_i[c])
 *
 * AG_SUM adds the rows that are not ignored. AG_MEAN divides that sum by the sum of
 * w[t_i] over these rows, and is 0 if there are none. AG_NONE keeps the shape [..], with
 * 0 at ignored rows. Ignored rows get gradient 0. */
ag_tensor *ag_cross_entropy(ag_tensor *logits, const int32_t *targets, const ag_cross_entropy_options *options);
/* (a - b)^2 with broadcasting, reduced. The mean over nothing is AG_BAD_SHAPE. */
ag_tensor *ag_mse(ag_tensor *a, ag_tensor *b, ag_reduction reduction);

/* ---- Masks ------------------------------------------------------------------------- */

/* A mask answers one question: may query i look at key j? It is a description, not an
 * array, and has no sizes until it is used on scores [batch, heads, queries, keys]. Masks
 * live on the tape. An operation whose mask is NULL allows everything; a constructor that
 * is given a NULL mask returns NULL and sets the tape's error (AG_BAD_VALUE). */
typedef struct ag_mask ag_mask;

/* Every query may look at every key. */
ag_mask *ag_mask_all(ag_tape *tape);
/* j <= i + offset. Offset 0 for queries and keys that start together, keys - queries to
 * align their ends. */
ag_mask *ag_mask_causal(ag_tape *tape, int64_t offset);
/* j < lengths[b]: the padding mask of the keys. `lengths` [batch] is copied. */
ag_mask *ag_mask_key_lengths(ag_tape *tape, int64_t batch, const int32_t *lengths);
/* i < lengths[b]: padded queries see nothing and get output 0. `lengths` [batch] is
 * copied. */
ag_mask *ag_mask_query_lengths(ag_tape *tape, int64_t batch, const int32_t *lengths);
/* i - left <= j <= i + right: a band. */
ag_mask *ag_mask_window(ag_tape *tape, int64_t left, int64_t right);
/* j < length: every query sees the first `length` keys. Joined to a causal mask by
 * ag_mask_or, the mask of a prefix language model. */
ag_mask *ag_mask_prefix(ag_tape *tape, int64_t length);
/* allow [batch, heads, queries, keys], nonzero = may look. batch and heads may be 1 and
 * then hold for all. Copied. */
ag_mask *ag_mask_explicit(ag_tape *tape, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
                          const unsigned char *allow);
/* Where both a and b may look; where at least one of them may; where a may not. An
 * expression has at most 256 parts, counting a part once for each place in which it
 * stands; a larger one is AG_BAD_VALUE. */
ag_mask *ag_mask_and(ag_tape *tape, const ag_mask *a, const ag_mask *b);
ag_mask *ag_mask_or(ag_tape *tape, const ag_mask *a, const ag_mask *b);
ag_mask *ag_mask_not(ag_tape *tape, const ag_mask *a);

/* Whether query i of head h in batch row b may look at key j. An explicit mask allows
 * nothing outside its own sizes, and lengths allow nothing beyond their batch. */
bool ag_mask_allows(const ag_mask *mask, int64_t b, int64_t h, int64_t i, int64_t j);
/* Whether the mask fits scores of these sizes: AG_OK, or AG_BAD_SHAPE and a sentence that
 * says why not. */
ag_status ag_mask_fits(const ag_mask *mask, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
                       ag_error *error) AG_CHECKED;
/* Draws the mask, one line per query, '#' may look and '.' may not. Like snprintf, writes
 * at most `size` bytes and returns the length of the whole picture without the final
 * zero. */
size_t ag_mask_print(const ag_mask *mask, int64_t b, int64_t h, int64_t queries, int64_t keys, char *text, size_t size);

/* ---- Attention --------------------------------------------------------------------- */

/* Options of ag_attention. Zero means the default. */
typedef struct ag_attention_options {
    int heads;           /* of rank-3 inputs; 0: 1 */
    double scale;        /* of the scores; 0: 1/sqrt(dk) */
    const ag_mask *mask; /* NULL: all */
    ag_tensor *bias;     /* added to the scores [batch, heads, queries, keys]; broadcasts;
                          * -inf forbids, as a mask does; NULL: none */
    double dropout;      /* of the weights, in [0, 1] */
    bool plain;          /* compute by single operations instead of the fused one */
    ag_tensor **weights; /* where to put the weights [batch, heads, queries, keys] before
                          * dropout; implies `plain` */
} ag_attention_options;

/* Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1):
 *
 *   softmax(scale Q K^T + bias | mask) V
 *
 *   rank 3: q [B, T, H*dk], k [B, S, H*dk], v [B, S, H*dv] -> [B, T, H*dv], H = heads
 *   rank 4: q [B, H, T, dk], k [B, H, S, dk], v [B, H, S, dv] -> [B, H, T, dv]
 *
 * A query that may look at nothing has output 0 and gradient 0. What a forbidden key or
 * value holds, NaN and infinity included, changes no bit of the output and, in the fused
 * form, of any gradient but its own, which is 0. The fused form keeps no [T, S] array,
 * only two numbers per query and head (Dao et al. 2022). `options` may be NULL. */
ag_tensor *ag_attention(ag_tensor *q, ag_tensor *k, ag_tensor *v, const ag_attention_options *options);

/* The two parts of the plain form. ag_masked_softmax: softmax of scores [B, H, T, S] over
 * the allowed keys, 0 at the others and in rows that see nothing. ag_masked_sum: the sum
 * over the allowed keys of weights [B, H, T, S] times values [B, H, S, dv]. */
ag_tensor *ag_masked_softmax(ag_tensor *scores, const ag_mask *mask);
ag_tensor *ag_masked_sum(ag_tensor *weights, ag_tensor *values, const ag_mask *mask);

/* The number of queries that had no key to look at, in all attentions and masked
 * softmaxes since the tape was made or rewound. Each head's query counts; neither the
 * form of attention nor the number of threads changes the count. If a model is not meant
 * to have such queries, a count above 0 means that its masks are wrong. */
int64_t ag_tape_blind_queries(const ag_tape *tape);

/* ---- Measuring --------------------------------------------------------------------- */

/* The seconds of a clock that nobody sets, from an unknown start: for differences. */
double ag_seconds(void);
/* The processor time of this process in seconds: user and system, all threads together.
 * What other processes do changes it little, so it compares runs on a busy machine. Where
 * the system has no such clock (WebAssembly) it is ag_seconds. */
double ag_processor_seconds(void);

/* The most multiply-adds a second that `threads` threads reach: chains of them in
 * registers, at the widest instructions of the processor, whatever the level. The best of
 * samples of about a millisecond, taken for `seconds`. */
double ag_peak(int threads, double seconds);

/* ---- Instruction-set levels -------------------------------------------------------- */

/* The level at which everything is computed: "generic", "neon" (aarch64), "avx2" or
 * "avx512" (x86-64), or "plain", the slow reference. It is chosen for the whole process
 * when the library first computes: the level that the environment variable
 * TAPEFORMER_LEVEL names, else the best that the processor has ("plain" never is).
 * Results of two levels differ in their last bits. Those of one level are the same on all
 * processors that have it, and all have "plain" and "generic". NULL if ag_level_check has
 * an error. */
const char *ag_level_name(void);
/* AG_BAD_VALUE if TAPEFORMER_LEVEL names no level of the library, or one that this build
 * or processor does not have. Then every tape begins with this error, also after a
 * rewind. */
ag_status ag_level_check(ag_error *error) AG_CHECKED;

AG_HEADER_END

#include "gradients.h"
#include "operation.h"

#endif
