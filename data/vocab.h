/* vocab.h - what the files of data/ know of a vocabulary beside data.h. */
#ifndef DATA_VOCAB_H
#define DATA_VOCAB_H

#include "data.h"

/* Whether data_vocab_list made the vocabulary: its ids and marks are as they were given,
 * and its tokens stay as they are. */
bool data_vocab_is_listed(const data_vocab *vocab);
/* Sets made[id], [size], for each token that is a byte or that a merge makes. */
void data_vocab_note_made(const data_vocab *vocab, bool *made);
/* Adds the tokens, or with DATA_BPE the merges, of the lines of a file. */
ag_status data_vocab_read_lines(data_vocab *vocab, const char *path, ag_error *error) AG_CHECKED;

#endif
