/* vocab.h - what the files of data/ know of a vocabulary beside data.h. */
#ifndef DATA_VOCAB_H
#define DATA_VOCAB_H

#include "data.h"

/* Whether data_vocab_list made the vocabulary: its ids and marks are as they were given,
 * and its tokens stay as they are. */
bool data_vocab_is_listed(const data_vocab *vocab);

#endif
