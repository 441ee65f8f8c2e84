/* nn_util.h - small models and batches for the tests of nn/. */
#ifndef TESTS_NN_UTIL_H
#define TESTS_NN_UTIL_H

#include "check_util.h"
#include "nn.h"

/* A model of d_model 8, 2 heads, 2 layers, small vocabularies, if `config` leaves those
 * 0. Every parameter, including biases and norms, is moved off its initial value: a zero
 * or a one could hide an error. */
nn_model *test_model(nn_model_config config, uint64_t seed);
/* Whether positions of this kind act within attention, where cross_positions is allowed. */
bool test_acts_within_attention(nn_position_kind kind);

/* A batch of drawn tokens 3.. in rows of different lengths, padding 0 after them, bos 1
 * at the begin of targets. */
#define TEST_MOST_TOKENS 512
typedef struct test_batch {
    nn_input input;
    int32_t source[TEST_MOST_TOKENS], target[TEST_MOST_TOKENS], labels[TEST_MOST_TOKENS];
    int32_t source_lengths[64], target_lengths[64];
} test_batch;
/* labels: of each target (of each source token for an encoder), 0 at padding. */
void test_batch_fill(test_batch *batch, const nn_model *model, int64_t rows, int64_t source_length,
                     int64_t target_length, uint64_t seed);

/* Marks for nn_generation_options: the ids 0 to 3, and 0 to 2 without a mark for unknown
 * tokens. */
extern const int32_t test_four_marks[NN_MARKS], test_three_marks[NN_MARKS];

/* A tape with one thread that notes nothing; fails the test where there is none. */
ag_tape *test_quiet_tape(void);

/* A pass of the model on the tape, without dropout. */
nn_pass test_pass(const nn_model *model, ag_tape *tape);

/* By a whole pass: the log-probabilities of the next token after `prefix` (bos or prompt
 * included) for one source row of the batch. `out` is [target_vocab]. */
void test_next_log_probabilities(const nn_model *model, const test_batch *batch, int64_t row, const int32_t *prefix,
                                 int64_t length, double *out);
/* The same of the mean of the models' probabilities, computed in double from a whole pass
 * of each. */
void test_next_of_ensemble(const nn_ensemble *ensemble, const test_batch *batch, int64_t row, const int32_t *prefix,
                           int64_t length, double *out);

/* The largest |a - b|. */
double test_distance(const ag_real *a, const ag_real *b, int64_t count);

#endif
