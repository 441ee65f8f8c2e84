/* layout.h - a model's parameters under the names, and in the layouts, of other programs.
 *
 * TRAIN_LAYOUT_PYTORCH is as it is here, since the names of nn.h are those of PyTorch's
 * modules. Besides it may have
 *
 *     NAME.q_proj_weight, .k_proj_weight, .v_proj_weight   for NAME.in_proj_weight
 *     output.weight                             where the output is tied: it equals tgt_embedding.weight
 *     n_averaged                                nothing: the counter of torch.optim.swa_utils.AveragedModel
 *
 * TRAIN_LAYOUT_GPT2 is that of GPT-2's checkpoints (Radford et al. 2019): a decoder,
 * pre-norm, with learned positions, gelu by tanh, embeddings as they are, and the output
 * tied to them. Its linear layers are "Conv1D": y = x W + b, so W is [in, out], the
 * transpose of ours. All names may have "transformer." in front.
 *
 *     wte.weight, wpe.weight                    tgt_embedding.weight, tgt_positions.weight
 *     h.N.ln_1.*, h.N.ln_2.*                    decoder.layers.N.norm1.*, .norm2.*
 *     h.N.attn.c_attn.weight [D, 3D], .bias     decoder.layers.N.self_attn.in_proj_weight, .in_proj_bias
 *     h.N.attn.c_proj.weight [D, D], .bias      decoder.layers.N.self_attn.out_proj.*
 *     h.N.mlp.c_fc.weight [D, F], .bias         decoder.layers.N.linear1.*
 *     h.N.mlp.c_proj.weight [F, D], .bias       decoder.layers.N.linear2.*
 *     ln_f.*                                    decoder.norm.*
 *     lm_head.weight (never behind "transformer."; where it is there it equals wte.weight)
 *     h.N.attn.bias, h.N.attn.masked_bias       nothing: the causal mask of programs that keep it in a buffer
 */
#ifndef TRAIN_LAYOUT_H
#define TRAIN_LAYOUT_H

#include "tensors.h"
#include "train.h"

#define TRAIN_GPT2_PREFIX "transformer."
#define TRAIN_GPT2_OUTPUT "lm_head.weight"
#define TRAIN_OWN_OUTPUT  "output.weight"
#define TRAIN_OWN_TABLE   "tgt_embedding.weight"

/* Where a parameter stands in a file. */
typedef struct train_place {
    char name[TRAIN_NAME];
    bool transposed; /* a matrix whose axes have changed places */
} train_place;

/* `prefix` stands before the names of a file in GPT-2's layout. */
train_place train_layout_place(train_layout layout, const char *prefix, const char *parameter);

/* The prefix of this file. */
const char *train_layout_prefix(const data_safetensors *file, train_layout layout);

/* Whether a tensor belongs to the layout, and yet is no parameter. */
bool train_layout_passes_over(train_layout layout, const char *prefix, const char *name);

/* Completes a configuration from the shapes of a file's tensors: the vocabularies always, and what is 0 of width,
 * number of blocks, feed-forward and (learned positions) longest sequence. Of GPT-2's layout it sets all but heads and
 * dropout. Where a tensor that tells is missing, a size stays 0. AG_BAD_VALUE where `heads` is 0, which no tensor
 * tells. */
ag_status train_layout_configure(train_layout layout, const data_safetensors *file, nn_model_config *config,
                                 const char *path, ag_error *error) AG_CHECKED;

/* The first tensor that tells a size and is not there, or NULL:
 * "src_embedding.weight". */
const char *train_layout_missing(train_layout layout, nn_model_kind kind, const data_safetensors *file);

/* Whether a model of this configuration can be in that layout; the sentence says why not. */
ag_status train_layout_fits(train_layout layout, const nn_model_config *config, ag_error *error) AG_CHECKED;

#endif
