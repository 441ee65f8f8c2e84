/* nn.h - parameters with names, layers, blocks, the three transformer models; and, in
 * generate.h, which it includes, ensembles of models and generation.
 *
 * A layer is a small struct: its sizes, and the indices of its parameters in an
 * nn_params. `nn_X_init` registers the parameters under a name; `nn_X_apply` builds the
 * computation on a tape. Names and layouts of parameters are those of PyTorch's modules
 * of the same kind, so a weight matrix is [out, in].
 *
 * Errors: `nn_X_init` returns a status: AG_BAD_SHAPE or AG_BAD_VALUE for impossible sizes
 * and numbers, or what nn_params_add reports. Functions that build a computation fail as
 * operations do: they return NULL, and the tape keeps the error.
 *
 * Ownership: functions copy the names and configurations that they take. Only nn_params,
 * nn_model, nn_cache, nn_generated and nn_alignment own memory that the caller must free.
 *
 * Order of use: nn_model_new (or nn_params_init, the layers' _init functions,
 * nn_params_allocate); then, for each step, an nn_pass on a rewound tape.
 *
 * Threads: nn_X_apply, nn_model_apply, nn_generate and nn_continue only read the
 * parameters, so any number of threads may use one model at once, each with its own tape,
 * cache and results. A model has one vector of gradients, which every backward adds to:
 * while a thread runs a backward or changes parameters, no other may use the model.
 *
 * Shapes: B batch, T target (or only) length, S source length, D d_model, V vocabulary.
 */
#ifndef NN_NN_H
#define NN_NN_H

#include "autograd.h"

AG_HEADER_BEGIN

/* ---- Parameters -------------------------------------------------------------------- */

/* How a parameter is initialised. fan_in and fan_out are the sizes of a matrix's axes 1
 * and 0; Xavier and Kaiming need a shape of at least 2 axes. */
typedef enum nn_init_kind {
    NN_ZEROS = 0,
    NN_ONES,
    NN_NORMAL,          /* mean 0, standard deviation `scale` (0: 0.02) */
    NN_UNIFORM,         /* in [-scale, scale) */
    NN_XAVIER_UNIFORM,  /* Glorot and Bengio 2010: bound sqrt(6 / (fan_in + fan_out)) */
    NN_XAVIER_NORMAL,   /* deviation sqrt(2 / (fan_in + fan_out)) */
    NN_KAIMING_UNIFORM, /* He et al. 2015: bound sqrt(6 / fan_in) */
    NN_KAIMING_NORMAL   /* deviation sqrt(2 / fan_in) */
} nn_init_kind;

/* A kind of initialisation and its scale. */
typedef struct nn_initializer {
    nn_init_kind kind;
    double scale; /* see NN_NORMAL and NN_UNIFORM; of Xavier and Kaiming a factor on bound
                   * or deviation (0: 1) */
} nn_initializer;

/* Fills values [shape] with numbers drawn from `rng`. AG_BAD_SHAPE if the kind needs a
 * matrix, AG_BAD_VALUE if scale < 0. */
ag_status nn_initialize(nn_initializer initializer, ag_shape shape, ag_real *values, ag_rng *rng,
                        ag_error *error) AG_CHECKED;

/* One parameter: a tensor, and where it lies in the flat vectors. */
typedef struct nn_param {
    char *name; /* "encoder.layers.0.linear1.weight" */
    ag_shape shape;
    int64_t offset, size; /* in the flat vectors, in elements */
    nn_initializer initializer;
    bool decay; /* weight decay applies: to matrices, not to biases and norms */
    /* How many hidden matrices of equal size the rows hold, one above the other (3:
     * query, key and value of in_proj_weight), which TRAIN_MUON updates as matrices. 0
     * for all else: embeddings, output, positions, norms, biases. Attention and
     * feed-forward layers set it for theirs; a program may set it for its own, before
     * train_optimizer_init. */
    int hidden;
} nn_param;

/* All parameters of a model, in two flat vectors, values and gradients, so that the
 * optimiser, the clip and the checkpoint are one loop each. */
typedef struct nn_params {
    nn_param *items; /* [count] in the order of registration */
    int count;
    int capacity;          /* private */
    int64_t size;          /* of the flat vectors */
    ag_real *value, *grad; /* [size]; NULL before nn_params_allocate */
} nn_params;

/* An empty set of parameters, as a zeroed struct is. */
void nn_params_init(nn_params *params);
/* Frees names and vectors and leaves the struct zeroed. */
void nn_params_clear(nn_params *params);
/* Registers a parameter, before nn_params_allocate, and returns its index; -1 with the
 * error if the name is taken, the shape is impossible, the parameters are allocated, or
 * memory is out. */
int nn_params_add(nn_params *params, const char *name, ag_shape shape, nn_initializer initializer, bool decay,
                  ag_error *error);
/* Allocates both vectors, initialises the values (parameter i from stream i of
 * ag_seed_for(seed, AG_FOR_PARAMETERS)) and zeroes the gradients. AG_BAD_VALUE if they
 * are allocated already. */
ag_status nn_params_allocate(nn_params *params, uint64_t seed, ag_error *error) AG_CHECKED;
/* The same with values of 0, for readers that fill them in. */
ag_status nn_params_reserve(nn_params *params, ag_error *error) AG_CHECKED;
/* Sets all gradients to 0. */
void nn_params_zero_grad(nn_params *params);
/* The index of the parameter of that name; -1 if there is none. */
int nn_params_find(const nn_params *params, const char *name);

/* ---- A forward pass ---------------------------------------------------------------- */

/* The points around a block at which nn_pass.on_block is called: the memory that a
 * decoder block attends to, the block's input, and its output. */
typedef enum nn_block_end { NN_BLOCK_MEMORY = 0, NN_BLOCK_INPUT, NN_BLOCK_OUTPUT } nn_block_end;

/* One forward pass: the tape, the parameters, and how to apply the layers. */
typedef struct nn_pass {
    ag_tape *tape;           /* where the computation goes */
    const nn_params *params; /* constants if their grad is NULL */
    bool training;           /* dropout is on */
    bool plain_attention;    /* unfused attention: ag_attention_options.plain */
    /* Called for each attention layer with its weights [B, heads, T, S], which implies
     * the plain form, and the mask in force (NULL: none). `name`, such as
     * "encoder.layers.0.self_attn", is valid during the call. NULL: not wanted. */
    void (*on_attention)(void *context, const char *name, ag_tensor *weights, const ag_mask *mask);
    /* Called by the models around every block, in the order of nn_block_end; `name` is
     * that of the block, "decoder.layers.1". The model goes on with the returned tensor
     * instead of x: x itself, or another of its shape, such as a leaf that cuts the
     * computation there. NULL: not wanted. */
    ag_tensor *(*on_block)(void *context, const char *name, nn_block_end end, ag_tensor *x);
    void *context; /* of both */
} nn_pass;

/* Parameter `index` as a leaf on the tape, whose gradient goes to the flat vector. NULL
 * for index -1, which stands for a bias that a layer does not have. */
ag_tensor *nn_parameter(const nn_pass *pass, int index);
/* Rows [begin, begin + rows) of a matrix, or elements of a vector: one block of a packed
 * weight. */
ag_tensor *nn_parameter_rows(const nn_pass *pass, int index, int64_t begin, int64_t rows);

/* ---- Layers ------------------------------------------------------------------------ */

/* y = x W^T + b. Parameters NAME.weight [out, in] (Xavier uniform), NAME.bias [out]
 * (zeros). */
typedef struct nn_linear {
    int weight, bias;
} nn_linear;
/* Registers the parameters; `bias` false: only the weight. */
ag_status nn_linear_init(nn_linear *layer, nn_params *params, const char *name, int64_t in, int64_t out, bool bias,
                         ag_error *error) AG_CHECKED;
/* x [.., in] -> [.., out] */
ag_tensor *nn_linear_apply(const nn_linear *layer, const nn_pass *pass, ag_tensor *x);

/* y = scale * table[id]; scale is sqrt(D) in Vaswani et al. 2017, section 3.4 (0: 1). The
 * table is NAME.weight [count, width], normal with deviation 1/sqrt(width). The row of
 * padding_id (-1: none) gets no gradient. */
typedef struct nn_embedding {
    int weight;
    double scale;
    int32_t padding_id;
} nn_embedding;
/* Registers the table. */
ag_status nn_embedding_init(nn_embedding *layer, nn_params *params, const char *name, int64_t count, int64_t width,
                            double scale, int32_t padding_id, ag_error *error) AG_CHECKED;
/* ids [shape] -> [shape.., width] */
ag_tensor *nn_embedding_apply(const nn_embedding *layer, const nn_pass *pass, ag_shape shape, const int32_t *ids);
/* The table as an output projection (tied weights): y = x table^T, x [.., width] -> [..,
 * count]. */
ag_tensor *nn_embedding_project(const nn_embedding *layer, const nn_pass *pass, ag_tensor *x);

/* ag_layer_norm or ag_rms_norm. */
typedef enum nn_norm_kind { NN_LAYER_NORM = 0, NN_RMS_NORM } nn_norm_kind;
/* A norm over the last axis. Parameters NAME.weight [width] (ones), NAME.bias [width]
 * (zeros; layer norm only). eps 0: 1e-5. */
typedef struct nn_norm {
    nn_norm_kind kind;
    int weight, bias;
    double eps;
} nn_norm;
/* Registers the parameters; `bias` false: only the weight. */
ag_status nn_norm_init(nn_norm *layer, nn_params *params, const char *name, nn_norm_kind kind, int64_t width, bool bias,
                       double eps, ag_error *error) AG_CHECKED;
/* x [.., width] -> [.., width] */
ag_tensor *nn_norm_apply(const nn_norm *layer, const nn_pass *pass, ag_tensor *x);

/* How positions enter a model: added to the embeddings (sinusoidal, learned), as a
 * rotation of queries and keys (rotary, Su et al. 2021), or as a bias on the scores of
 * self-attention: by fixed slopes (ALiBi, nn_alibi_slope) or by learned numbers
 * (relative, nn_relative_positions). */
typedef enum nn_position_kind {
    NN_SINUSOIDAL = 0,
    NN_LEARNED,
    NN_ROTARY,
    NN_ALIBI,
    NN_RELATIVE,
    NN_NO_POSITIONS
} nn_position_kind;
/* The sinusoidal code (Vaswani et al. 2017, section 3.5) of positions start .. start +
 * length - 1, out [length, width]:
 *
 *   out[t, 2i]     = sin((start + t) / 10000^(2i/width))
 *   out[t, 2i + 1] = cos((start + t) / 10000^(2i/width)) */
void nn_sinusoidal(ag_real *out, int64_t start, int64_t length, int64_t width);
/* Positions of a kind. Learned: NAME.weight [max_length, width], normal with deviation
 * 0.02. */
typedef struct nn_positions {
    nn_position_kind kind;
    int weight;
    int64_t max_length, width;
} nn_positions;
/* Registers the table of learned positions; the other kinds have no parameters. */
ag_status nn_positions_init(nn_positions *layer, nn_params *params, const char *name, nn_position_kind kind,
                            int64_t max_length, int64_t width, ag_error *error) AG_CHECKED;
/* x [B, T, D] plus the code of positions start .. start + T - 1; x itself for the kinds
 * that add nothing to embeddings. AG_BAD_SHAPE if learned positions end before that. */
ag_tensor *nn_positions_apply(const nn_positions *layer, const nn_pass *pass, ag_tensor *x, int64_t start);

/* The slope m of ALiBi (Press, Smith and Lewis 2022, section 3) for head 0 <= head <
 * heads: attention adds -m |i - j| to the score of query i and key j. For a power of two
 * of heads it is 2^(-8 (head + 1) / heads). Other numbers have the slopes of the largest
 * power of two P below them, and then every other one of the slopes of 2 P heads, from
 * the first on. */
double nn_alibi_slope(int64_t head, int64_t heads);

/* Relative positions of T5 (Raffel et al. 2020, section 2.1): a learned number for each
 * head and each bucket of distances, added to the scores. NAME.weight [buckets, heads],
 * normal with deviation 1. All layers of a stack share one table.
 *
 * The distance of query i and key j is j - i. An encoder has half of the buckets for keys
 * before the query and the query itself, the other half for keys after it. A decoder,
 * one-sided, has all buckets for keys up to the query; if a mask allows keys after it,
 * they count as distance 0. Of the n buckets of a side, the first half is for one
 * distance each, 0 to n/2 - 1. The others grow logarithmically up to `greatest`, and the
 * last one is for all greater distances, too:
 *
 *   bucket(d) = n/2 + floor(log(d / (n/2)) / log(greatest / (n/2)) n/2), at most n - 1 */
typedef struct nn_relative_positions {
    int64_t buckets;  /* 32; 0: no relative positions */
    int64_t greatest; /* 128 */
    bool one_sided;
    int weight;
} nn_relative_positions;
/* Registers the table. */
ag_status nn_relative_positions_init(nn_relative_positions *layer, nn_params *params, const char *name, int64_t heads,
                                     bool one_sided, ag_error *error) AG_CHECKED;
/* The bucket, and row of the table, of a distance j - i. */
int64_t nn_relative_bucket(const nn_relative_positions *layer, int64_t distance);

/* Keys and values of one attention layer for incremental decoding: [rows, heads,
 * capacity, D / heads] each, of which `length` positions are filled. The keys of a head
 * are contiguous, since every new token reads all of them. */
typedef struct nn_attention_cache {
    ag_real *key, *value;
    int64_t rows, capacity, length;
    bool fixed;       /* cross-attention: filled once, then only read */
    int64_t position; /* if fixed: that of the next call's first query, which its caller
                       * sets; otherwise `length` is */
} nn_attention_cache;

/* Multi-head attention (Vaswani et al. 2017, section 3.2.2):
 *
 *   head_h = softmax(q_h k_h^T / sqrt(D / heads)) v_h
 *   y = concat(head_1, ..) W_out^T + b_out
 *
 * where q, k, v are projections of query, key and value. `heads` must divide d_model.
 * Parameters as in torch.nn.MultiheadAttention: NAME.in_proj_weight [3D, D] and
 * NAME.in_proj_bias [3D] (query, key, value in this order), or NAME.q_proj_weight [D, D],
 * k_proj_weight [D, key_width], v_proj_weight [D, value_width] if those widths differ
 * from D; NAME.out_proj.weight [D, D], NAME.out_proj.bias [D]. */
typedef struct nn_attention_config {
    int64_t d_model, heads;
    int64_t key_width, value_width; /* of the inputs that become keys and values; 0:
                                     * d_model */
    bool no_bias;
    double dropout; /* of the attention weights */
    bool rotary;    /* rotate queries and keys by their positions (ag_rotary) */
    bool alibi;     /* add -nn_alibi_slope |i - j| to the scores */
    /* Add the learned numbers of this table, which the caller has registered. */
    nn_relative_positions relative;
} nn_attention_config;
/* The layer: its configuration, defaults filled in, and its parameters. */
typedef struct nn_attention {
    nn_attention_config config;
    int in_weight, in_bias;                     /* packed, or -1 */
    int query_weight, key_weight, value_weight; /* separate, or -1 */
    nn_linear out;
} nn_attention;
/* Registers the parameters: matrices Xavier uniform, biases zeros. */
ag_status nn_attention_init(nn_attention *layer, nn_params *params, const char *name, const nn_attention_config *config,
                            ag_error *error) AG_CHECKED;
/* query [B, T, D], key [B, S, key_width], value [B, S, value_width] -> [B, T, D];
 * self-attention passes one tensor three times. `mask` NULL: all keys allowed. `weights`
 * (may be NULL) receives [B, heads, T, S]. `cache` (may be NULL): the new keys and values
 * are appended to it, and the queries attend to all that it holds; the mask then counts
 * keys from the cache's first and queries from the first of this call. Positions count
 * from 0, those of queries from the cache's length or, if it is fixed, its position. */
ag_tensor *nn_attention_apply(const nn_attention *layer, const nn_pass *pass, ag_tensor *query, ag_tensor *key,
                              ag_tensor *value, const ag_mask *mask, nn_attention_cache *cache, ag_tensor **weights);

/* Additive attention (Bahdanau et al. 2015, section 3.1). A network with one hidden layer
 * scores a key, instead of a product, so queries and keys may have different widths:
 *
 *   score(q, k) = w . tanh(W_q q + W_k k)
 *   y = sum_j softmax_j(score(q, k_j)) v_j   over the keys that the mask allows
 *
 * Neither the values nor the result are projected. With several heads, each has its
 * own hidden / heads rows of W_q and W_k, its own row of w, and its own slice of the
 * values. Parameters: NAME.q_proj_weight [hidden, query_width], NAME.k_proj_weight
 * [hidden, key_width], NAME.score_weight [heads, hidden / heads].
 *
 * Memory: arrays [B, T, S, hidden], much more than for nn_attention. */
typedef struct nn_additive_attention_config {
    int64_t hidden, heads;          /* heads 0: 1; they must divide hidden and the values'
                                     * width */
    int64_t query_width, key_width; /* 0: hidden */
    double dropout;                 /* of the attention weights */
} nn_additive_attention_config;
/* The layer: its configuration, defaults filled in, and its parameters. */
typedef struct nn_additive_attention {
    nn_additive_attention_config config;
    int query_weight, key_weight, score_weight;
} nn_additive_attention;
/* Registers the parameters, all Xavier uniform. */
ag_status nn_additive_attention_init(nn_additive_attention *layer, nn_params *params, const char *name,
                                     const nn_additive_attention_config *config, ag_error *error) AG_CHECKED;
/* query [B, T, query_width], key [B, S, key_width], value [B, S, N] -> [B, T, N].
 * `weights` (may be NULL) receives [B, heads, T, S], before dropout. A query without an
 * allowed key has output 0 and gradient 0. What a forbidden key or value holds, NaN and
 * infinity included, changes no bit of the output and of the gradients. */
ag_tensor *nn_additive_attention_apply(const nn_additive_attention *layer, const nn_pass *pass, ag_tensor *query,
                                       ag_tensor *key, ag_tensor *value, const ag_mask *mask, ag_tensor **weights);

/* Position-wise feed-forward: linear2(dropout(f(linear1 x))), where f is the activation.
 * AG_GATED_SILU: linear2(dropout(silu(linear1 x) * linear_gate x)), with a third matrix.
 * Parameters NAME.linear1.*, NAME.linear2.*, NAME.linear_gate.*, where NAME is that of
 * the block, as in PyTorch. */
typedef struct nn_feed_forward {
    nn_linear in, gate, out;
    ag_activation activation;
    double dropout;
} nn_feed_forward;
/* Registers the parameters of a block named `block`, biases only where `bias`. `ffn` is
 * the width inside. AG_NO_ACTIVATION means the default, AG_RELU. */
ag_status nn_feed_forward_init(nn_feed_forward *layer, nn_params *params, const char *block, int64_t d_model,
                               int64_t ffn, ag_activation activation, bool bias, double dropout,
                               ag_error *error) AG_CHECKED;
/* x [.., D] -> [.., D] */
ag_tensor *nn_feed_forward_apply(const nn_feed_forward *layer, const nn_pass *pass, ag_tensor *x);

/* ---- Blocks ------------------------------------------------------------------------ */

/* The configuration of either kind of block. */
typedef struct nn_block_config {
    nn_attention_config attention;
    int64_t ffn;
    ag_activation activation; /* [AG_RELU] */
    nn_norm_kind norm;
    double norm_eps;
    bool no_norm_bias; /* layer norms without bias */
    bool post_norm;    /* norm(x + f(x)), the original; else pre-norm, x + f(norm(x)) */
    double dropout;    /* on each sublayer's result, and inside the feed-forward */
    /* Only of a decoder's block: if attention.rotary or attention.alibi, so is the
     * cross-attention; and the table of relative positions that it has, or {0}. */
    bool cross_positions;
    nn_relative_positions cross_relative;
} nn_block_config;

/* Self-attention and feed-forward (torch.nn.TransformerEncoderLayer). Parameters
 * NAME.self_attn.*, linear1, linear2, norm1, norm2. With a causal mask it is the block of
 * a decoder-only model. */
typedef struct nn_encoder_block {
    nn_block_config config;
    nn_attention self_attention;
    nn_feed_forward feed_forward;
    nn_norm norm1, norm2;
} nn_encoder_block;
/* Registers the parameters of the sublayers. */
ag_status nn_encoder_block_init(nn_encoder_block *block, nn_params *params, const char *name,
                                const nn_block_config *config, ag_error *error) AG_CHECKED;
/* x [B, T, D] -> [B, T, D]. `mask` and `cache` (each may be NULL) as in
 * nn_attention_apply. */
ag_tensor *nn_encoder_block_apply(const nn_encoder_block *block, const nn_pass *pass, ag_tensor *x, const ag_mask *mask,
                                  nn_attention_cache *cache);

/* Masked self-attention, attention to the encoder's output (the memory) and feed-forward
 * (torch.nn.TransformerDecoderLayer). Parameters NAME.self_attn.*, multihead_attn.*,
 * linear1, linear2, norm1, norm2, norm3. */
typedef struct nn_decoder_block {
    nn_block_config config;
    nn_attention self_attention, cross_attention;
    nn_feed_forward feed_forward;
    nn_norm norm1, norm2, norm3;
} nn_decoder_block;
/* Registers the parameters of the sublayers. Rotary positions and ALiBi apply to the
 * cross-attention only with cross_positions. */
ag_status nn_decoder_block_init(nn_decoder_block *block, nn_params *params, const char *name,
                                const nn_block_config *config, ag_error *error) AG_CHECKED;
/* x [B, T, D], memory [B, S, D] -> [B, T, D]. memory may be NULL if the cross-attention's
 * cache is filled. Masks and caches (each may be NULL) as in nn_attention_apply. */
ag_tensor *nn_decoder_block_apply(const nn_decoder_block *block, const nn_pass *pass, ag_tensor *x, ag_tensor *memory,
                                  const ag_mask *self_mask, const ag_mask *cross_mask, nn_attention_cache *self_cache,
                                  nn_attention_cache *cross_cache);

/* ---- Models ------------------------------------------------------------------------ */

/* The three kinds of model. */
typedef enum nn_model_kind {
    NN_ENCODER_DECODER = 0, /* sequence to sequence */
    NN_ENCODER,             /* a label for each token */
    NN_DECODER              /* a language model */
} nn_model_kind;

/* Whether a norm follows each stack of blocks. Usually it follows pre-norm blocks, whose
 * sum no other norm has seen, and not post-norm blocks, which end with a norm.
 * torch.nn.Transformer always has one (YES); a torch.nn.TransformerEncoder that was given
 * no norm has none (NO). */
typedef enum nn_final_norm { NN_FINAL_NORM_USUAL = 0, NN_FINAL_NORM_YES, NN_FINAL_NORM_NO } nn_final_norm;

/* The sizes and choices of a model. Zero means the default in brackets. */
typedef struct nn_model_config {
    nn_model_kind kind;
    int32_t source_vocab, target_vocab; /* required: source for models with an encoder,
                                         * target for all */
    int d_model;                        /* [256] */
    int heads;                          /* [4] */
    int encoder_layers, decoder_layers; /* [3]; of the stacks that the kind has */
    int ffn;                            /* [4 d_model] */
    int max_length;                     /* [512] longest sequence of learned positions
                                         * (nn_model_longest), and of generation unless
                                         * its options say otherwise */
    ag_activation activation;           /* [AG_RELU] of the feed-forward layers */
    nn_norm_kind norm;
    double norm_eps;        /* [1e-5] */
    double embedding_scale; /* [sqrt(d_model): Vaswani et al. 2017, section 3.4] the
                             * factor on embeddings */
    nn_position_kind positions;
    bool cross_positions;     /* rotary, ALiBi or relative positions also act within
                               * cross-attention, by the distance from the target's
                               * position to the source's: where target and source run
                               * side by side, as phones and letters do */
    int cross_window;         /* [0: none] cross-attention sees only this many places on
                               * each side of the aligned one (nn_cross_range) */
    bool post_norm;           /* [pre-norm] */
    nn_final_norm final_norm; /* [pre-norm: yes, post-norm: no] */
    bool no_bias;             /* linear layers of the blocks without bias; no_output_bias
                               * is for the output */
    bool no_norm_bias;        /* layer norms without bias */
    bool no_output_bias;      /* the output projection without bias; a tied one never has
                               * one */
    bool tied_output;         /* the output projection is the target embedding's table
                               * (Press and Wolf 2017) */
    double dropout;           /* [0] */
    int32_t padding_id;       /* [0] its embedding gets no gradient. -1: none */
} nn_model_config;

/* A model. Its parameters: src_embedding.weight, tgt_embedding.weight; for learned
 * positions src_positions.weight, tgt_positions.weight; for relative positions
 * encoder.relative_positions.weight, decoder.relative_positions.weight and, with
 * cross_positions, decoder.cross_relative_positions.weight [32, heads];
 * encoder.layers.N.*, encoder.norm.*, decoder.layers.N.*, decoder.norm.* (see
 * nn_final_norm), output.weight, output.bias. */
typedef struct nn_model {
    nn_model_config config; /* defaults filled in */
    nn_params params;
    nn_embedding source_embedding, target_embedding;
    nn_positions source_positions, target_positions;
    nn_encoder_block *encoder;      /* [encoder_layers] */
    nn_decoder_block *decoder;      /* [decoder_layers] of an NN_ENCODER_DECODER, else
                                     * NULL */
    nn_encoder_block *decoder_only; /* [decoder_layers] of an NN_DECODER, else NULL */
    nn_norm encoder_norm, decoder_norm;
    nn_linear output; /* weight -1 if tied */
} nn_model;

/* Fills in the defaults and checks the rest: sizes in range, heads divide d_model, an
 * even head width for rotary positions, dropout in [0, 1). A final_norm that is what the
 * blocks usually have becomes NN_FINAL_NORM_USUAL, so that equal models have equal
 * configurations. */
ag_status nn_model_config_complete(nn_model_config *config, ag_error *error) AG_CHECKED;
/* The longest sequence that the model can read: max_length of learned positions. 0: there
 * is none, since the other kinds of positions never end. */
int64_t nn_model_longest(const nn_model_config *config);
/* The keys begin <= j < end that the target's position t may see in cross-attention, in
 * a source of that many tokens. With a window of N > 0, those at most N away from
 * position t of the source or, where the source is shorter, from its last one; so no
 * query is blind:
 *
 *   |j - min(t, tokens - 1)| <= N
 *
 * Without one, all tokens. */
void nn_cross_range(const nn_model_config *config, int64_t tokens, int64_t t, int64_t *begin, int64_t *end);
/* A model with parameters initialised from `seed`; the caller frees it. NULL with the
 * error. */
nn_model *nn_model_new(const nn_model_config *config, uint64_t seed, ag_error *error);
/* Sets the output projections of all sublayers to 0: self_attn.out_proj,
 * multihead_attn.out_proj and linear2. Then each residual sum begins as x + 0, so a
 * pre-norm block begins as the identity (Goyal et al. 2017, section 5.1; Zhang et al.
 * 2019, Fixup, section 3). For a new model, before its first update: it concerns the
 * initial values alone, and the configuration does not know of it. */
void nn_model_zero_residuals(nn_model *model);
/* nn_model_new without nn_params_allocate, for readers that compare the parameters' names
 * and shapes with a file before they take memory for the values. */
nn_model *nn_model_outline(const nn_model_config *config, ag_error *error);
/* Frees the model. NULL is allowed. */
void nn_model_free(nn_model *model);

/* The input of a model. Arrays are row-major; only the lengths say what is padding.
 *
 * Without dropout, padding changes no number of a row's own: the logits of its tokens
 * have the same bits alone and in any batch, padded to any length with anything. So have
 * their losses, the sum that ag_cross_entropy makes of them, and each token's gradient
 * with respect to its embedding.
 *
 * The gradient of a parameter is a sum over all positions of [rows, length], in pieces of
 * fixed length. It keeps every bit if padding leaves the tokens at their places in there:
 * a single row padded to any length, or rows of padding after the others. If padding
 * moves them, only the order of the summands changes. */
typedef struct nn_input {
    int64_t rows;
    int64_t source_length, target_length;
    const int32_t *source;         /* [rows, source_length]; not for NN_DECODER */
    const int32_t *source_lengths; /* [rows]; NULL: no padding */
    const int32_t *target;         /* [rows, target_length], begins with bos; not for
                                    * NN_ENCODER */
    const int32_t *target_lengths; /* [rows]; NULL: no padding */
    /* Masks instead of the model's own, for study. NULL: the model's own. Its encoder
     * self-attention allows the keys within the source's length; its decoder
     * self-attention keys j <= i within the target's length; its cross-attention those
     * within the source's length and, if there is one, the cross window. */
    const ag_mask *encoder_mask, *decoder_mask, *cross_mask;
} nn_input;

/* The logits [rows, target_length, V]; of an encoder [rows, source_length, V]. V is
 * target_vocab. */
ag_tensor *nn_model_apply(const nn_model *model, const nn_pass *pass, const nn_input *input);
/* The encoder's output [rows, source_length, D] (the memory), after the final norm. */
ag_tensor *nn_model_encode(const nn_model *model, const nn_pass *pass, const nn_input *input);
/* The logits of nn_model_apply, given the memory that nn_model_encode returned for the
 * same input, or a copy of it: a source is encoded once for several targets. NN_DECODER:
 * memory is NULL. AG_BAD_VALUE for NN_ENCODER. */
ag_tensor *nn_model_decode(const nn_model *model, const nn_pass *pass, const nn_input *input, ag_tensor *memory);

/* The state of `rows` sequences in incremental decoding: the keys and values of every
 * layer, so that a new token costs one query and not a whole pass. */
typedef struct nn_cache {
    int64_t rows, length; /* tokens seen so far */
    int64_t heads, width; /* of a key, all heads together: d_model */
    int layers;
    nn_attention_cache *self, *cross; /* [layers]; cross NULL for NN_DECODER */
    int32_t *source_lengths;          /* [rows] or NULL: all full */
    ag_tape *tape;                    /* whose memory the keys and values lie in */
} nn_cache;

/* A cache for `capacity` tokens. For NN_ENCODER_DECODER it runs the encoder on `input`
 * and keeps the keys and values of the cross-attention (at padding they are undefined);
 * for NN_DECODER only input->rows counts. The caller rewinds the tape before, and clears
 * the cache before it frees the tape, whose memory the cache borrows. AG_BAD_VALUE for
 * NN_ENCODER. */
ag_status nn_cache_init(nn_cache *cache, const nn_model *model, const nn_pass *pass, const nn_input *input,
                        int64_t capacity, ag_error *error) AG_CHECKED;
/* Returns and frees what the cache holds and leaves it zeroed. */
void nn_cache_clear(nn_cache *cache);
/* The next `count` tokens of each sequence [rows, count] -> logits [rows, count, V], the
 * same that nn_model_apply on all tokens so far gives at these positions. AG_BAD_VALUE if
 * they exceed the capacity. */
ag_tensor *nn_cache_apply(nn_cache *cache, const nn_model *model, const nn_pass *pass, const int32_t *tokens,
                          int64_t count);
/* Row i becomes what row from[i] was, from [rows], as beam search needs; `rows` may be
 * fewer than before. AG_BAD_VALUE for a row that does not exist. */
ag_status nn_cache_reorder(nn_cache *cache, const int32_t *from, int64_t rows, ag_error *error) AG_CHECKED;

/* ---- Gradient checks --------------------------------------------------------------- */

/* A layer or model of one's own under check: builds its result with pass->params on
 * pass->tape, from `inputs` (leaves) if it has any. NULL, and the tape has the error, if
 * that fails. Training is on, and each call has the same masks of dropout. */
typedef ag_tensor *nn_function(const nn_pass *pass, ag_tensor *const *inputs, void *context);

/* ag_gradcheck, ag_dot_test and ag_taylor_test by all parameters, which the report names,
 * and by other inputs [count] before them (NULL and 0: none). The gradients stay in
 * params->grad; call nn_params_zero_grad before you train on. AG_BAD_VALUE for parameters
 * without memory. A large model takes long element by element: set the options `elements`
 * or `directions`. */
ag_status nn_gradcheck(nn_function *f, void *context, const nn_params *params, const ag_gradcheck_input *inputs,
                       int count, const ag_gradcheck_options *options, ag_gradcheck_report *report,
                       ag_error *error) AG_CHECKED;
ag_status nn_dot_test(nn_function *f, void *context, const nn_params *params, const ag_gradcheck_input *inputs,
                      int count, const ag_gradcheck_options *options, ag_dot_report *report,
                      ag_error *error) AG_CHECKED;
ag_status nn_taylor_test(nn_function *f, void *context, const nn_params *params, const ag_gradcheck_input *inputs,
                         int count, const ag_gradcheck_options *options, ag_taylor_report *report,
                         ag_error *error) AG_CHECKED;

AG_HEADER_END

#include "generate.h"

#endif
