/* layout.h - a model's parameters under the names, and in the layouts, of other programs.
 *
 * TRAIN_LAYOUT_PYTORCH has the names of nn.h, since those are PyTorch's. A file may also
 * have
 *
 *     NAME.q_proj_weight, .k_proj_weight, ..   instead of NAME.in_proj_weight
 *     output.weight                            of a tied output: it equals
 *                                              tgt_embedding.weight
 *     n_averaged                               not a parameter: the counter of
 *                                              torch.optim.swa_utils.AveragedModel
 *
 * TRAIN_LAYOUT_GPT2 is that of GPT-2's checkpoints (Radford et al. 2019): a decoder,
 * pre-norm, with learned positions, gelu by tanh, embedding scale 1 and an output tied to
 * the embedding. Its linear layers are "Conv1D": y = x W + b, so W is [in, out], the
 * transpose of ours. All names may begin with "transformer.". decoder.layers.N is
 * shortened to .. here:
 *
 *     wte.weight, wpe.weight                   tgt_embedding.weight, tgt_positions.weight
 *     h.N.ln_1.*, h.N.ln_2.*                   ..norm1.*, ..norm2.*
 *     h.N.attn.c_attn.weight [D, 3D], .bias    ..self_attn.in_proj_weight, .in_proj_bias
 *     h.N.attn.c_proj.weight [D, D], .bias     ..self_attn.out_proj.*
 *     h.N.mlp.c_fc.weight [D, F], .bias        ..linear1.*
 *     h.N.mlp.c_proj.weight [F, D], .bias      ..linear2.*
 *     ln_f.*                                   decoder.norm.*
 *     lm_head.weight                           the tied output: if present, it equals
 *                                              wte.weight; never after "transformer."
 *     h.N.attn.bias, h.N.attn.masked_bias      not parameters: the causal mask of
 *                                              programs that keep it in a buffer
 */
#ifndef TRAIN_LAYOUT_H
#define TRAIN_LAYOUT_H

#include "tensors.h"
#include "train.h"

#define TRAIN_GPT2_PREFIX "transformer."
#define TRAIN_GPT2_OUTPUT "lm_head.weight"
#define TRAIN_OWN_OUTPUT  "output.weight"
#define TRAIN_OWN_TABLE   "tgt_embedding.weight"

/* The place of a parameter in a file. */
typedef struct train_place {
    char name[TRAIN_NAME];
    bool transposed; /* a matrix with its axes exchanged */
} train_place;

/* The place of a parameter; `prefix` is that of the file's names in GPT-2's layout. */
train_place train_layout_place(train_layout layout, const char *prefix, const char *parameter);

/* The prefix of the file's names: "transformer." or "". */
const char *train_layout_prefix(const data_safetensors *file, train_layout layout);

/* Whether a tensor belongs to the layout without being a parameter. */
bool train_layout_ignores(train_layout layout, const char *prefix, const char *name);

/* Completes a configuration from the shapes of a file's tensors: the sizes of the
 * vocabularies always; width, number of blocks, feed-forward and (learned positions)
 * longest sequence if they are 0. For GPT-2's layout it sets all but heads and dropout. A
 * size whose tensor is missing stays 0. AG_BAD_VALUE if `heads` is 0, which no tensor
 * shows. */
ag_status train_layout_configure(train_layout layout, const data_safetensors *file, nn_model_config *config,
                                 const char *path, ag_error *error) AG_CHECKED;

/* The first missing one of the tensors that give sizes ("src_embedding.weight"), or
 * NULL. */
const char *train_layout_missing(train_layout layout, nn_model_kind kind, const data_safetensors *file);

/* AG_BAD_VALUE, with the reason, if the layout has no place for such a model. */
ag_status train_layout_fits(train_layout layout, const nn_model_config *config, ag_error *error) AG_CHECKED;

#endif
