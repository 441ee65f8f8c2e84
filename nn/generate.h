/* generate.h - models that answer: ensembles, which answer as one, and generation. The
 * second part of nn.h, which includes it.
 */
#ifndef NN_GENERATE_H
#define NN_GENERATE_H

#include "nn.h"

AG_HEADER_BEGIN

/* ---- Ensembles --------------------------------------------------------------------- */

/* Models that answer as one (Hansen and Salamon 1990): the probability of token c is the
 * mean of what each of n models gives it,
 *
 *   p(c) = 1/n sum_i softmax(logits_i)[c]
 *
 * With L_i = log sum_c e^logits_i[c], the logits of the ensemble are
 *
 *   logits[c] = log(1/n sum_i e^(logits_i[c] - L_i)) + L_1
 *
 * in double, from differences to the largest of the n terms, and then rounded to ag_real.
 * Their softmax is p. The logits of one model, and of one that is given n times, are the
 * model's own, bit for bit.
 *
 * The models have the same kind and the same sizes of vocabularies; everything else may
 * differ. The shortest max_length holds for all. The struct borrows all that it points
 * to. */
typedef struct nn_ensemble {
    const nn_model *const *models; /* [count] */
    int count;                     /* at least 1 */
    /* [count]: what errors call the models, such as the folders that they came from;
     * NULL: "model 1", "model 2" .. */
    const char *const *names;
} nn_ensemble;

/* AG_BAD_VALUE if the models cannot answer together: it names two that differ. */
ag_status nn_ensemble_check(const nn_ensemble *ensemble, ag_error *error) AG_CHECKED;
/* Called for model i of an ensemble, from 0. If it does not return AG_OK, it has set
 * *error, which is never NULL, to that status. */
typedef ag_status nn_on_model(void *context, int i, ag_error *error);
/* Calls `call` for each model in turn until one call fails, and returns what it returned.
 * The message of an error in one of several models begins with the model's name. */
ag_status nn_ensemble_each(const nn_ensemble *ensemble, nn_on_model *call, void *context, ag_error *error) AG_CHECKED;
/* The least max_length of the models. */
int nn_ensemble_max_length(const nn_ensemble *ensemble);
/* The longest sequence that all models can read, the least of nn_model_longest; 0: there
 * is none. */
int64_t nn_ensemble_longest(const nn_ensemble *ensemble);
/* The logits of the ensemble, of the shape that nn_model_apply gives: a constant if there
 * are several models. Each model is applied with the given pass, in which its own
 * parameters stand for pass->params. NULL with the error. */
ag_tensor *nn_ensemble_apply(const nn_ensemble *ensemble, const nn_pass *pass, const nn_input *input, ag_error *error);

/* ---- Generation -------------------------------------------------------------------- */

/* The places of `marks`. */
enum { NN_PAD, NN_BOS, NN_EOS, NN_UNK, NN_MARKS };

/* Options of nn_generate. Zero means the default: greedy decoding up to the model's
 * max_length. */
typedef struct nn_generation_options {
    /* The most tokens to generate, the end mark included. 0: the model's max_length. A
     * decoder's prompt and continuation are never longer than that, nor are learned
     * positions; other models may generate more tokens if this number is larger. */
    int64_t max_length;
    int beam; /* > 1: beam search with this many hypotheses */
    /* alpha >= 0: scores are divided by ((5 + length) / 6)^alpha (Wu et al. 2016, section
     * 7), where the length counts the end mark. 0: no penalty. */
    double length_penalty;
    /* T > 0: the model's distribution is softmax(logits / T) in all that follows: the
     * search, log_probability, and what sampling_temperature divides further. T is chosen on
     * held-out examples so that probabilities are the shares of right answers
     * (temperature scaling, Guo et al. 2017, section 4.2). The logits of an ensemble are
     * those of nn_ensemble. Greedy answers stay the same. 0: 1. */
    double temperature;
    int best;           /* hypotheses to return per row, at most `beam`; 0: 1 */
    bool sample;        /* draw from the distribution instead of taking the most probable
                         * token */
    double sampling_temperature; /* of a `sample`: divides the logits; 0: 1 */
    int top_k;                   /* > 0: draw from the k most probable tokens only */
    /* In (0, 1): draw only from the fewest most probable tokens that together have this
     * probability (nucleus sampling, Holtzman et al. 2020). */
    double top_p;
    uint64_t seed;           /* of the drawing: ag_seed_for(seed, AG_FOR_SAMPLING) */
    const uint64_t *streams; /* [rows]: the random stream of each row; NULL: row r has
                              * stream r */
    /* [NN_MARKS] the ids of the marks, -1 for one that the vocabulary does not have, as
     * data_vocab_marks gives them. An encoder-decoder's answers begin after bos; eos ends
     * a sequence, and the other marks are never generated: greedy choice, beam, top_k and
     * top_p work on the tokens that are left. log_probability does not change. NULL: bos
     * is 1, eos is 2, and every token may be generated. */
    const int32_t *marks;
    bool makes_unknown; /* unk may be generated, too, for a caller who replaces it */
    bool no_eos; /* nothing ends a sequence before max_length, as in a language model's
                  * text without marks; eos is never generated if it is among `marks` */
} nn_generation_options;

/* A generated sequence. */
typedef struct nn_hypothesis {
    int32_t *tokens; /* [length], without bos and end mark */
    int64_t length;
    bool finished; /* it ended with the end mark, not at max_length */
    /* ln p of these tokens, and of the end mark if it came, in the model's own
     * distribution: the softmax over all tokens, whatever sampling_temperature, top_k,
     * top_p and marks exclude. It is minus the sum of the tokens' cross-entropies in nats, so
     * train_evaluate's loss times tokens for this one pair. */
    double log_probability;
    double probability; /* e^log_probability: the model's confidence in the whole answer;
                         * 0 of a missing one */
    double score;       /* log_probability after the length penalty */
} nn_hypothesis;

/* The generated sequences of all rows. */
typedef struct nn_generated {
    int64_t rows;
    int best;
    nn_hypothesis *hypotheses; /* [rows, best], best first; missing ones are empty, score
                                * -infinity */
    void *storage;             /* private */
} nn_generated;

/* Generates a target for each source (NN_ENCODER_DECODER: input->source) or the
 * continuation of each prompt (NN_DECODER: input->target, bos included, with its
 * lengths). An encoder (NN_ENCODER) answers with the most probable label of each source
 * token; of the options it uses only `marks` and `temperature`. Rewinds the tape at every
 * token and records nothing on it. The caller clears the result, which is empty after an
 * error. */
ag_status nn_generate(const nn_model *model, ag_tape *tape, const nn_input *input, const nn_generation_options *options,
                      nn_generated *result, ag_error *error) AG_CHECKED;
/* The same with the probabilities of an ensemble, which takes as much time and memory as
 * its models one after the other. */
ag_status nn_ensemble_generate(const nn_ensemble *ensemble, ag_tape *tape, const nn_input *input,
                               const nn_generation_options *options, nn_generated *result, ag_error *error) AG_CHECKED;
/* Frees the hypotheses and leaves the struct zeroed. */
void nn_generated_clear(nn_generated *result);

/* Receives the next tokens of a text, valid during the call. Returns false to end the
 * text. */
typedef bool nn_on_tokens(void *context, const int32_t *tokens, int64_t count);

/* Continues a text without a limit of length: generates `count` tokens after `prompt`
 * [length], at least 1 token, and hands them on as they come. The model sees at most
 * max_length tokens; when they are full, it goes on from the newer half of them, and it
 * begins with the newest tokens of a prompt that is longer. The text ends earlier with
 * eos, which is not handed on, unless no_eos is set. Of the options, those of drawing,
 * `temperature`, `marks` and no_eos count. Only for NN_DECODER,
 * a language model. */
ag_status nn_continue(const nn_model *model, ag_tape *tape, const int32_t *prompt, int64_t length, int64_t count,
                      const nn_generation_options *options, nn_on_tokens *on_tokens, void *context,
                      ag_error *error) AG_CHECKED;
/* The same with the probabilities of an ensemble. */
ag_status nn_ensemble_continue(const nn_ensemble *ensemble, ag_tape *tape, const int32_t *prompt, int64_t length,
                               int64_t count, const nn_generation_options *options, nn_on_tokens *on_tokens,
                               void *context, ag_error *error) AG_CHECKED;

/* ---- Alignment --------------------------------------------------------------------- */

/* Where the tokens of generated answers look in their sources. For each token the weights
 * of a decoder layer's cross-attention, of the query that predicts the token, averaged
 * over heads, and over the models of an ensemble. Those of a token sum to 1. */
typedef struct nn_alignment {
    int64_t rows, queries, keys; /* queries: tokens of the longest answer, 1 at least; keys:
                                  * the source_length of the input */
    int best;                    /* as in nn_generated */
    ag_real *weights;            /* [rows, best, queries, keys]: 0 after the end of an answer */
} nn_alignment;

/* AG_BAD_VALUE for models without cross-attention, and for a layer that one of them does
 * not have. `layer` counts from 0; below 0: the last of each model. */
ag_status nn_ensemble_align_check(const nn_ensemble *ensemble, int layer, ag_error *error) AG_CHECKED;
/* Aligns the answers that nn_ensemble_generate gave to `input` with these options, by one
 * pass of each model for each place of `best`. The errors of nn_ensemble_align_check, of a
 * pass, and AG_NO_MEMORY. The caller clears the alignment, which is empty after an error.
 * Rewinds the tape. */
ag_status nn_ensemble_align(const nn_ensemble *ensemble, ag_tape *tape, const nn_input *input,
                            const nn_generation_options *options, const nn_generated *answers, int layer,
                            nn_alignment *alignment, ag_error *error) AG_CHECKED;
/* The weights [queries, keys] of the answer at a place of a row. */
const ag_real *nn_alignment_of(const nn_alignment *alignment, int64_t row, int place);
/* The position with the largest of the weights [keys] of one token, of equals the first. */
int64_t nn_aligned(const ag_real *weights, int64_t keys);
/* Frees the weights and leaves the struct zeroed. */
void nn_alignment_clear(nn_alignment *alignment);

AG_HEADER_END
#endif
