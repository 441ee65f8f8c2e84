/* nn.h - parameters with names, layers, blocks, the three transformer models, generation.
 *
 * A layer is a small struct: its sizes, and the indices of its parameters in an nn_params. `nn_X_init` registers the
 * parameters under a name, `nn_X_apply` builds the computation on a tape. Parameter names and layouts are those of
 * PyTorch's modules of the same kind, so a weight matrix is [out, in].
 *
 * `nn_X_init` copies what it is given and fails as nn_params_add does, with a status: AG_BAD_SHAPE or AG_BAD_VALUE for
 * sizes and numbers that cannot be. What builds a computation fails as operations do: NULL, and the tape has the error.
 *
 * Order of use: nn_model_new (or: nn_params_init, the layers' _init functions, nn_params_allocate); then for each
 * step an nn_pass with a rewound tape. Nothing here needs freeing but nn_params, nn_model, nn_cache and
 * nn_generated.
 *
 * Threads: nn_X_apply, nn_model_apply, nn_generate and nn_continue only read the
 * parameters, so any number of threads may use one model at once, each with its own tape,
 * cache and results. There is one vector of gradients to a model, to which a backward
 * adds: backwards, and whatever changes parameters, have the model to themselves.
 *
 * Shapes: B batch, T target (or only) length, S source length, D d_model, V vocabulary.
 */
#ifndef NN_NN_H
#define NN_NN_H

#include "autograd.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ---- Parameters ----------------------------------------------------------------------------- */

/* How a parameter begins. fan_in and fan_out are the sizes of axes 1 and 0 of a matrix; for Xavier and Kaiming the
 * shape has 2 axes at least. */
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

/* A kind and its size. */
typedef struct nn_initializer {
    nn_init_kind kind;
    double scale; /* a factor on the bound or deviation of Xavier and Kaiming (0: 1); see above for the others */
} nn_initializer;

/* Fills values [shape] from the stream. AG_BAD_SHAPE where the kind needs a matrix, AG_BAD_VALUE where scale < 0. */
ag_status nn_initialize(nn_initializer initializer, ag_shape shape, ag_real *values, ag_rng *rng,
                        ag_error *error) AG_CHECKED;

/* One parameter: a tensor's place in the flat vectors. */
typedef struct nn_param {
    char *name; /* "encoder.layers.0.linear1.weight" */
    ag_shape shape;
    int64_t offset, size; /* its place in the flat vectors */
    nn_initializer initializer;
    bool decay; /* weight decay applies: matrices yes; biases and norms no */
} nn_param;

/* All parameters of a model: one flat vector of values, one of gradients. The optimiser, the clip and the checkpoint
 * are each one loop over them. */
typedef struct nn_params {
    nn_param *items; /* [count] in the order of registration */
    int count;
    int capacity;       /* private */
    int64_t size;       /* of the flat vectors */
    ag_real *value, *grad; /* [size]; NULL before nn_params_allocate */
} nn_params;

/* Parameters of which there are none yet: a zeroed struct is the same. */
void nn_params_init(nn_params *params);
/* Frees names and vectors and leaves the struct zeroed. */
void nn_params_clear(nn_params *params);
/* Registers a parameter before nn_params_allocate; returns its index, or -1 (name given twice, bad shape, too late, no
 * memory). `name` is copied. */
int nn_params_add(nn_params *params, const char *name, ag_shape shape, nn_initializer initializer, bool decay,
                  ag_error *error);
/* Allocates both vectors and draws the values: parameter i from stream i of
 * ag_seed_for(seed, AG_FOR_PARAMETERS). Gradients are zero. AG_BAD_VALUE where it was done before. */
ag_status nn_params_allocate(nn_params *params, uint64_t seed, ag_error *error) AG_CHECKED;
/* Sets all gradients to 0. */
void nn_params_zero_grad(nn_params *params);
/* The index of the parameter of that name; -1 where there is none. */
int nn_params_find(const nn_params *params, const char *name);

/* ---- A forward pass ------------------------------------------------------------------------- */

/* Where a model may be looked into: what a decoder's block attends to beside its input (the memory), what enters a
 * block, and what leaves it. */
typedef enum nn_block_end { NN_BLOCK_MEMORY = 0, NN_BLOCK_INPUT, NN_BLOCK_OUTPUT } nn_block_end;

/* What layers and models are applied with. */
typedef struct nn_pass {
    ag_tape *tape;           /* where the computation goes */
    const nn_params *params; /* with grad NULL they are constants */
    bool training;           /* dropout is on */
    bool plain_attention;    /* the unfused attention */
    /* Called with every attention's weights [B, heads, T, S] (which implies the plain form) and the mask that was in
     * force (NULL: none); `name`, such as "encoder.layers.0.self_attn", lives as long as the call. NULL: not wanted. */
    void (*on_attention)(void *context, const char *name, ag_tensor *weights, const ag_mask *mask);
    /* Called by the models around every block, in the order of nn_block_end, with `name` such as "decoder.layers.1".
     * What it returns stands in place of x: x itself or another tensor of that shape, such as a leaf that cuts the
     * computation there. NULL: not wanted. */
    ag_tensor *(*on_block)(void *context, const char *name, nn_block_end end, ag_tensor *x);
    void *context; /* of both */
} nn_pass;

/* Parameter `index` as a leaf on the tape: gradients go to the flat vector. index -1 gives NULL (a bias that is not
 * there). */
ag_tensor *nn_parameter(const nn_pass *pass, int index);
/* Rows [begin, begin + rows) of a matrix (or elements of a vector): a part of a packed weight. */
ag_tensor *nn_parameter_rows(const nn_pass *pass, int index, int64_t begin, int64_t rows);

/* ---- Layers --------------------------------------------------------------------------------- */

/* y = x W^T + b. Parameters NAME.weight [out, in] (Xavier uniform), NAME.bias [out] (zeros). */
typedef struct nn_linear {
    int weight, bias;
} nn_linear;
/* Registers the parameters, the bias only where `bias`. */
ag_status nn_linear_init(nn_linear *layer, nn_params *params, const char *name, int64_t in, int64_t out, bool bias,
                         ag_error *error) AG_CHECKED;
/* x [.., in] -> [.., out] */
ag_tensor *nn_linear_apply(const nn_linear *layer, const nn_pass *pass, ag_tensor *x);

/* Rows of a table, times `scale` (sqrt(D) in Vaswani et al. 2017, section 3.4; 0: 1). NAME.weight [count, width],
 * normal with deviation 1/sqrt(width). Rows of padding_id (-1: none) get no gradient. */
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
/* The table as an output projection (tied weights): x [.., width] -> [.., count]. */
ag_tensor *nn_embedding_project(const nn_embedding *layer, const nn_pass *pass, ag_tensor *x);

/* ag_layer_norm or ag_rms_norm. */
typedef enum nn_norm_kind { NN_LAYER_NORM = 0, NN_RMS_NORM } nn_norm_kind;
/* A norm over the last axis. Parameters NAME.weight (ones), NAME.bias (zeros; layer norm only) [width]. eps 0: 1e-5. */
typedef struct nn_norm {
    nn_norm_kind kind;
    int weight, bias;
    double eps;
} nn_norm;
/* Registers the parameters, the bias only where `bias`. */
ag_status nn_norm_init(nn_norm *layer, nn_params *params, const char *name, nn_norm_kind kind, int64_t width, bool bias,
                       double eps, ag_error *error) AG_CHECKED;
/* x [.., width] -> [.., width] */
ag_tensor *nn_norm_apply(const nn_norm *layer, const nn_pass *pass, ag_tensor *x);

/* Positions: added to the embeddings (sinusoidal, learned) or turned into queries and keys (rotary). */
typedef enum nn_position_kind { NN_SINUSOIDAL = 0, NN_LEARNED, NN_ROTARY, NN_NO_POSITIONS } nn_position_kind;
/* The sinusoidal code (Vaswani et al. 2017, section 3.5): out[t, 2i] = sin((start+t) / 10000^(2i/width)), out[t,
 * 2i+1] = cos of the same. out [length, width]. */
void nn_sinusoidal(ag_real *out, int64_t start, int64_t length, int64_t width);
/* Learned: NAME.weight [max_length, width], normal 0.02. */
typedef struct nn_positions {
    nn_position_kind kind;
    int weight;
    int64_t max_length, width;
} nn_positions;
/* Registers the table of learned positions; other kinds have no parameters. */
ag_status nn_positions_init(nn_positions *layer, nn_params *params, const char *name, nn_position_kind kind,
                            int64_t max_length, int64_t width, ag_error *error) AG_CHECKED;
/* x [B, T, D] plus the code of positions start .. start+T-1; x itself where positions are rotary or none. AG_BAD_SHAPE
 * beyond max_length where they are learned. */
ag_tensor *nn_positions_apply(const nn_positions *layer, const nn_pass *pass, ag_tensor *x, int64_t start);

/* Keys and values of one attention for incremental decoding: [rows, heads, capacity, width of a head] each, of which
 * `length` are filled. A head's keys lie one behind the other, since all of them are read for each new token. */
typedef struct nn_attention_cache {
    ag_real *key, *value;
    int64_t rows, capacity, length;
    bool fixed; /* cross-attention: filled once, then only read */
} nn_attention_cache;

/* Multi-head attention (Vaswani et al. 2017, section 3.2.2). heads must divide d_model. Parameters as in
 * torch.nn.MultiheadAttention: NAME.in_proj_weight [3D, D] and NAME.in_proj_bias [3D] (query, key, value in this
 * order), or NAME.q_proj_weight [D, D], k_proj_weight [D, key_width], v_proj_weight [D, value_width] where those
 * widths differ from D; NAME.out_proj.weight [D, D], NAME.out_proj.bias [D]. */
typedef struct nn_attention_config {
    int64_t d_model, heads;
    int64_t key_width, value_width; /* of the inputs that become keys and values; 0: d_model */
    bool no_bias;
    double dropout; /* of the weights */
    bool rotary;    /* turn queries and keys by their positions */
} nn_attention_config;
/* The layer: its configuration with the defaults filled in, and its parameters. */
typedef struct nn_attention {
    nn_attention_config config;
    int in_weight, in_bias;                     /* packed, or -1 */
    int query_weight, key_weight, value_weight; /* separate, or -1 */
    nn_linear out;
} nn_attention;
/* Registers the parameters: matrices Xavier uniform, biases zeros. */
ag_status nn_attention_init(nn_attention *layer, nn_params *params, const char *name, const nn_attention_config *config,
                            ag_error *error) AG_CHECKED;
/* query [B, T, D], key [B, S, key_width], value [B, S, value_width] -> [B, T, D]. Self-attention gives the same
 * tensor thrice. `weights` (may be NULL) receives [B, heads, T, S]. `cache` (may be NULL): new keys and values are
 * appended to it and all it holds is attended to; the mask then speaks of absolute key positions, and of queries
 * counted from 0 in this call. */
ag_tensor *nn_attention_apply(const nn_attention *layer, const nn_pass *pass, ag_tensor *query, ag_tensor *key,
                              ag_tensor *value, const ag_mask *mask, nn_attention_cache *cache, ag_tensor **weights);

/* Additive attention (Bahdanau et al. 2015, section 3.1): another way to score a key, by a network with one hidden
 * layer in place of a product, so that queries and keys may have different widths:
 *
 *   score(q, k) = w . tanh(W_q q + W_k k)
 *   y = sum_j softmax_j(score(q, k_j)) v_j   over the keys that the mask allows
 *
 * The values are summed as they are, and nothing is projected behind. Of several heads each has its own `hidden /
 * heads` rows of W_q and W_k, its own row of w, and sums its own part of the values. Parameters: NAME.q_proj_weight
 * [hidden, query_width], NAME.k_proj_weight [hidden, key_width], NAME.score_weight [heads, hidden / heads].
 *
 * It keeps arrays [B, T, S, hidden]: much more than a product does. */
typedef struct nn_additive_attention_config {
    int64_t hidden, heads;          /* heads 0: 1; they must divide hidden and the values' width */
    int64_t query_width, key_width; /* 0: hidden */
    double dropout;                 /* of the weights */
} nn_additive_attention_config;
/* The layer: its configuration with the defaults filled in, and its parameters. */
typedef struct nn_additive_attention {
    nn_additive_attention_config config;
    int query_weight, key_weight, score_weight;
} nn_additive_attention;
/* Registers the parameters, all Xavier uniform. */
ag_status nn_additive_attention_init(nn_additive_attention *layer, nn_params *params, const char *name,
                                     const nn_additive_attention_config *config, ag_error *error) AG_CHECKED;
/* query [B, T, query_width], key [B, S, key_width], value [B, S, V] -> [B, T, V].
 * `weights` (may be NULL) receives [B, heads, T, S], before dropout. A query that may
 * look at nothing has output 0 and gradient 0; what a forbidden key or value holds
 * changes no bit of the output and of the gradients, NaN and infinity included. */
ag_tensor *nn_additive_attention_apply(const nn_additive_attention *layer, const nn_pass *pass, ag_tensor *query,
                                       ag_tensor *key, ag_tensor *value, const ag_mask *mask, ag_tensor **weights);

/* Position-wise feed-forward: linear2(dropout(f(linear1 x))), where f is the activation.
 * AG_GATED_SILU: linear2(dropout(silu(linear1 x) * linear_gate x)), with a third matrix.
 * Parameters NAME.linear1.*, NAME.linear2.*, NAME.linear_gate.*, where NAME is that of the
 * block, as in PyTorch. */
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

/* ---- Blocks --------------------------------------------------------------------------------- */

/* Of both kinds of block. */
typedef struct nn_block_config {
    nn_attention_config attention;
    int64_t ffn;
    ag_activation activation; /* [AG_RELU] */
    nn_norm_kind norm;
    double norm_eps;
    bool no_norm_bias; /* layer norms without bias */
    bool post_norm;    /* norm(x + f(x)), the original; else pre-norm x + f(norm(x)) */
    double dropout;    /* on each sublayer's result, and inside the feed-forward */
} nn_block_config;

/* Self-attention and feed-forward. Parameters NAME.self_attn.*, linear1, linear2, norm1, norm2
 * (torch.nn.TransformerEncoderLayer). With a causal mask it is the block of a decoder-only model. */
typedef struct nn_encoder_block {
    nn_block_config config;
    nn_attention self_attention;
    nn_feed_forward feed_forward;
    nn_norm norm1, norm2;
} nn_encoder_block;
/* Registers the parameters of the sublayers. */
ag_status nn_encoder_block_init(nn_encoder_block *block, nn_params *params, const char *name,
                                const nn_block_config *config, ag_error *error) AG_CHECKED;
/* x [B, T, D] -> [B, T, D]. `mask` (NULL: all) and `cache` (may be NULL) are those of nn_attention_apply. */
ag_tensor *nn_encoder_block_apply(const nn_encoder_block *block, const nn_pass *pass, ag_tensor *x, const ag_mask *mask,
                                  nn_attention_cache *cache);

/* Masked self-attention, attention to the encoder's result (the memory), feed-forward. Parameters NAME.self_attn.*,
 * multihead_attn.*, linear1, linear2, norm1, norm2, norm3 (torch.nn.TransformerDecoderLayer). */
typedef struct nn_decoder_block {
    nn_block_config config;
    nn_attention self_attention, cross_attention;
    nn_feed_forward feed_forward;
    nn_norm norm1, norm2, norm3;
} nn_decoder_block;
/* Registers the parameters of the sublayers. Rotary positions turn the self-attention alone. */
ag_status nn_decoder_block_init(nn_decoder_block *block, nn_params *params, const char *name,
                                const nn_block_config *config, ag_error *error) AG_CHECKED;
/* x [B, T, D], memory [B, S, D] -> [B, T, D]. memory may be NULL where the cross cache is filled; masks and caches are
 * those of nn_attention_apply. */
ag_tensor *nn_decoder_block_apply(const nn_decoder_block *block, const nn_pass *pass, ag_tensor *x, ag_tensor *memory,
                                  const ag_mask *self_mask, const ag_mask *cross_mask, nn_attention_cache *self_cache,
                                  nn_attention_cache *cross_cache);

/* ---- Models --------------------------------------------------------------------------------- */

/* What a model does. */
typedef enum nn_model_kind {
    NN_ENCODER_DECODER = 0, /* sequence to sequence */
    NN_ENCODER,             /* a label for each token */
    NN_DECODER              /* a language model */
} nn_model_kind;

/* Whether a norm follows each stack of blocks: usually that of pre-norm blocks, whose
 * sums nothing else has normed, and not that of post-norm blocks, which end with a norm.
 * torch.nn.Transformer has one in any case (YES), a torch.nn.TransformerEncoder that was
 * given no norm has none (NO). */
typedef enum nn_final_norm { NN_FINAL_NORM_USUAL = 0, NN_FINAL_NORM_YES, NN_FINAL_NORM_NO } nn_final_norm;

/* What a model is made of. Zero means the default in brackets. */
typedef struct nn_model_config {
    nn_model_kind kind;
    int32_t source_vocab, target_vocab; /* needed: source for encoder kinds, target for all */
    int d_model;                        /* [256] */
    int heads;                          /* [4] */
    int encoder_layers, decoder_layers; /* [3]; those that the kind has */
    int ffn;                            /* [4 d_model] */
    int max_length;                     /* [512] longest sequence, for learned positions and generation */
    ag_activation activation;           /* [AG_RELU] of the feed-forward layers */
    nn_norm_kind norm;
    double norm_eps;        /* [1e-5] */
    double embedding_scale; /* [sqrt(d_model): Vaswani et al. 2017, section 3.4] the factor on embeddings */
    nn_position_kind positions;
    bool post_norm;           /* [pre-norm] */
    nn_final_norm final_norm; /* [pre-norm: yes, post-norm: no] */
    bool no_bias;             /* linear layers of the blocks without bias (that of the output is a matter of its own) */
    bool no_norm_bias;        /* layer norms without bias */
    bool no_output_bias;      /* the output projection without bias; a tied one has none in any case */
    bool tied_output;         /* the output projection is the target embedding's table */
    double dropout;           /* [0] */
    int32_t padding_id;       /* DATA_PAD: its embedding gets no gradient. [0] */
} nn_model_config;

/* A model. Its parameters: src_embedding.weight, tgt_embedding.weight,
 * src_positions.weight / tgt_positions.weight (learned), encoder.layers.N.*,
 * encoder.norm.*, decoder.layers.N.*, decoder.norm.* (see nn_final_norm), output.weight,
 * output.bias. */
typedef struct nn_model {
    nn_model_config config; /* with the defaults filled in */
    nn_params params;
    nn_embedding source_embedding, target_embedding;
    nn_positions source_positions, target_positions;
    nn_encoder_block *encoder; /* [encoder_layers], or the decoder-only model's [decoder_layers] in `decoder_only` */
    nn_decoder_block *decoder;
    nn_encoder_block *decoder_only;
    nn_norm encoder_norm, decoder_norm;
    nn_linear output; /* weight -1 where tied */
} nn_model;

/* Fills in the defaults (of final_norm, too: what is usual is called so) and checks:
 * sizes in range, heads divide d_model, rotary needs an even head width, dropout in [0,
 * 1). */
ag_status nn_model_config_complete(nn_model_config *config, ag_error *error) AG_CHECKED;
/* A model with parameters drawn from `seed`, which the caller frees. NULL with the error. */
nn_model *nn_model_new(const nn_model_config *config, uint64_t seed, ag_error *error);
/* nn_model_new without nn_params_allocate: for a reader that compares the parameters' names and shapes with a file
 * before it takes memory for their numbers. */
nn_model *nn_model_outline(const nn_model_config *config, ag_error *error);
/* Frees the model. NULL is fine. */
void nn_model_free(nn_model *model);

/* What a model is applied to. Arrays are row-major; padding is told by the lengths alone.
 *
 * Without dropout, the logits of a row's tokens have the same bits alone and in any batch, padded to any length,
 * whatever the padding holds; so have their losses, the sum of these that ag_cross_entropy makes of a batch, and the
 * gradients that reach each token's embedding by its own position. Gradients of parameters are sums over all positions
 * of [rows, length], in pieces of fixed length. They keep every bit where padding leaves the tokens' places in there as
 * they are: a single row padded to any length, rows of padding alone behind the others. Where padding moves the places,
 * the order of the summands changes, and nothing else. */
typedef struct nn_input {
    int64_t rows;
    int64_t source_length, target_length;
    const int32_t *source;         /* [rows, source_length]; not for NN_DECODER */
    const int32_t *source_lengths; /* [rows]; NULL: all full */
    const int32_t *target;         /* [rows, target_length], begins with bos; not for NN_ENCODER */
    const int32_t *target_lengths; /* [rows]; NULL: all full */
    /* Masks in place of the model's own, for study; NULL: the model's own, which are: encoder self-attention sees
     * the keys within the source's length; decoder self-attention sees keys j <= i within the target's length;
     * cross-attention those of the source. */
    const ag_mask *encoder_mask, *decoder_mask, *cross_mask;
} nn_input;

/* The logits: [rows, target_length, target_vocab], or [rows, source_length, target_vocab] of an encoder. */
ag_tensor *nn_model_apply(const nn_model *model, const nn_pass *pass, const nn_input *input);
/* The encoder's result [rows, source_length, D] (the memory), final norm included. */
ag_tensor *nn_model_encode(const nn_model *model, const nn_pass *pass, const nn_input *input);

/* Incremental decoding: the state of `rows` sequences. */
typedef struct nn_cache {
    int64_t rows, length; /* tokens seen so far */
    int64_t heads, width; /* of a key, all heads together: d_model */
    int layers;
    nn_attention_cache *self, *cross; /* [layers]; cross NULL for NN_DECODER */
    int32_t *source_lengths;          /* [rows] or NULL: all full */
} nn_cache;

/* A cache for `capacity` tokens. For NN_ENCODER_DECODER it runs the encoder on `input` and keeps the keys and values
 * of the cross-attention; for NN_DECODER `input` only tells the rows. The tape is rewound by the caller, and the
 * cache cleared. AG_BAD_VALUE for NN_ENCODER. */
ag_status nn_cache_init(nn_cache *cache, const nn_model *model, const nn_pass *pass, const nn_input *input,
                        int64_t capacity, ag_error *error) AG_CHECKED;
/* Frees what the cache holds and leaves it zeroed. */
void nn_cache_clear(nn_cache *cache);
/* The next `count` tokens [rows, count] of each sequence -> logits [rows, count, V], the same as nn_model_apply on
 * all tokens so far gives at these positions. AG_BAD_VALUE where they are more than the capacity. */
ag_tensor *nn_cache_apply(nn_cache *cache, const nn_model *model, const nn_pass *pass, const int32_t *tokens,
                          int64_t count);
/* Row i becomes what row from[i] was (beam search), from [rows]; `rows` may shrink. AG_BAD_VALUE for a row that is not
 * there. */
ag_status nn_cache_reorder(nn_cache *cache, const int32_t *from, int64_t rows, ag_error *error) AG_CHECKED;

/* ---- Generation ----------------------------------------------------------------------------- */

/* Options of nn_generate. Zero means greedy decoding to the model's longest length. */
typedef struct nn_generation_options {
    int64_t max_length;      /* tokens to generate at most, the end mark included; 0: as many as the model's
                                max_length lets. A prompt and what follows it are never longer than that */
    int beam;                /* > 1: beam search with this many hypotheses */
    double length_penalty;   /* alpha >= 0: scores are divided by ((5 + length) / 6)^alpha (Wu et al. 2016, section
                                7), where the length counts the end mark; 0: not */
    int best;                /* hypotheses to return per row; 0: 1; at most `beam` */
    bool sample;             /* draw from the distribution instead */
    double temperature;      /* of the logits; 0: 1 */
    int top_k;               /* > 0: only the k most probable tokens */
    double top_p;            /* in (0, 1): only the most probable tokens that together have this much (Holtzman et al.
                                2020) */
    uint64_t seed;           /* of the drawing, by way of ag_seed_for(seed, AG_FOR_SAMPLING) */
    const uint64_t *streams; /* [rows]: which stream each row draws from; NULL: row r from stream r */
    int32_t marks; /* tokens 0 .. marks - 1 are never generated, eos aside: padding, bos, unknown; 0: any token may be.
                      Greedy choice, beam, top_k and top_p work among the others; log_probability is not changed */
    int32_t bos, eos; /* the marks; both 0: DATA_BOS 1 and DATA_EOS 2 */
    bool no_eos;      /* language model text goes on until max_length */
} nn_generation_options;

/* A sequence that was generated. */
typedef struct nn_hypothesis {
    int32_t *tokens; /* [length], without bos; the end mark is not included */
    int64_t length;
    bool finished; /* the end mark came */
    /* The natural logarithm of the probability that the model itself gives to these
     * tokens, and to the end mark where it came: that of the softmax over all tokens,
     * whatever temperature, top_k, top_p and marks leave to choose from. It is -(sum of
     * the tokens' cross-entropies), as train_evaluate has them: loss times tokens of this
     * one pair. */
    double log_probability;
    double score; /* log_probability after the length penalty */
} nn_hypothesis;

/* What was generated for each row. */
typedef struct nn_generated {
    int64_t rows;
    int best;
    nn_hypothesis *hypotheses; /* [rows, best], best first; if there are fewer, the rest are empty, score -infinity */
    void *storage;             /* private */
} nn_generated;

/* Generates from sources (NN_ENCODER_DECODER: input->source) or prompts (NN_DECODER: input->target with lengths, bos
 * included). The tape is a no-grad one and is rewound at every token. The caller clears the result, which is
 * empty after an error.
 * An encoder (NN_ENCODER) answers with the most probable label of each source token; of the options only `marks` counts
 * then. */
ag_status nn_generate(const nn_model *model, ag_tape *tape, const nn_input *input, const nn_generation_options *options,
                      nn_generated *result, ag_error *error) AG_CHECKED;
/* Frees the hypotheses and leaves the struct zeroed. */
void nn_generated_clear(nn_generated *result);

/* Receives the next tokens of a text, valid during the call; false ends the text. */
typedef bool nn_on_tokens(void *context, const int32_t *tokens, int64_t count);

/* A language model's text of any length: `count` tokens behind `prompt` [length], 1 at least, handed on as they come.
 * The model sees max_length tokens at most; when they are full it goes on from the newer half of them (and from the
 * newest tokens of a prompt that is longer than that). Of the options those of drawing and `marks` count; no token ends
 * the text. */
ag_status nn_continue(const nn_model *model, ag_tape *tape, const int32_t *prompt, int64_t length, int64_t count,
                      const nn_generation_options *options, nn_on_tokens *on_tokens, void *context,
                      ag_error *error) AG_CHECKED;

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
