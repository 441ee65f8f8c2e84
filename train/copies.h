/* copies.h - replaces <unk> in answers by the token of the source that it is aligned with.
 *
 * A word that is too rare for the vocabulary is often a name or a number, which stands in
 * the target as in the source. A model that has learnt to answer <unk> in its place says
 * where it is, and its attention says of which word (Luong et al. 2015, "Addressing the
 * rare word problem in neural machine translation"; by attention, Jean et al. 2015, "On
 * using very large target vocabulary for neural machine translation"). Those papers look
 * the word up in a dictionary first; here it is copied as it stands. */
#ifndef TRAIN_COPIES_H
#define TRAIN_COPIES_H

#include "train.h"

/* The target vocabulary, to which copies are added as they come; the caller frees it.
 * NULL with the error: AG_BAD_VALUE unless the models are encoder-decoders and the tokens
 * of both vocabularies are letters, or both words. */
data_vocab *train_copies_new(const nn_ensemble *ensemble, const data_vocab *source, const data_vocab *target,
                             ag_error *error);
/* Whether one of the answers has the mark for unknown tokens. */
bool train_has_unknown(const data_vocab *copies, const nn_generated *answers);
/* Replaces each such mark of the answers by the token of its row's source, texts [rows],
 * that has the largest weight in its alignment, as a token of `copies`. Where some of the
 * source's tokens are unknown, it is one of those: a model that knows a word knows what it
 * becomes. AG_NO_MEMORY. */
ag_status train_copy_unknown(data_vocab *copies, const data_vocab *source, const nn_alignment *alignment,
                             const char *const *texts, nn_generated *answers, ag_error *error) AG_CHECKED;

#endif
