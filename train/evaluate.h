/* evaluate.h - how good a model is: metrics, calibration, and whether one model is better
 * than another. A part of train.h, which includes it.
 */
#ifndef TRAIN_EVALUATE_H
#define TRAIN_EVALUATE_H

#include "data.h"
#include "nn.h"

#include <signal.h>

AG_HEADER_BEGIN

/* ---- Metrics ----------------------------------------------------------------------- */

/* The edit distance: the fewest insertions, deletions and replacements of tokens that
 * turn a [a_length] into b [b_length] (Levenshtein 1966). -1 when memory is out. */
int64_t train_edit_distance(const int32_t *a, int64_t a_length, const int32_t *b, int64_t b_length) AG_CHECKED;

/* The result of an evaluation. Fractions are in [0, 1]. */
typedef struct train_metrics {
    double loss;           /* mean cross-entropy per target token in nats, without
                            * smoothing */
    double perplexity;     /* e^loss */
    double token_accuracy; /* targets that are the argmax under teacher forcing */
    bool decoded;          /* whether exact_match, wer, per and sources were measured */
    double exact_match;    /* share of the sources whose output equals one of their
                            * targets */
    double wer;            /* word error rate, as in grapheme-to-phoneme work: 1 -
                            * exact_match */
    double per;            /* phone (token) error rate: the edits from outputs to their
                            * nearest targets / the tokens of those targets, each summed
                            * over sources; of byte pairs, in characters of the texts */
    bool scored; /* whether chrf and bleu were measured: train_evaluation.scores */
    /* chrF (Popovic 2015), from 0 to 100, as sacrebleu computes it by default: of
     * character n-grams of length 1 to 6, without white space, over all sources,
     *
     *   F = 5 P R / (4 P + R)                       (beta = 2)
     *
     * P and R, precision and recall, are the means of those of the lengths that both
     * sides have. Of several targets, the one with the source's highest F counts. */
    double chrf;
    /* BLEU (Papineni et al. 2002), from 0 to 100, as sacrebleu's with `--tokenize none`:
     * of the words as they stand between white space,
     *
     *   BLEU = min(1, e^(1 - r / c)) (p_1 p_2 p_3 p_4)^(1/4)
     *
     * p_n: the share of all outputs' n-grams that are in a target, each at most as often
     * as in the target that has it most often; c: the words of all outputs; r: those of
     * the targets nearest in length. The i-th p_n of 0 becomes 1 / (2^i n-grams) (Chen
     * and Cherry 2014, method 3). */
    double bleu;
    int64_t tokens, sources;
    /* Language models: the characters (code points) of the target tokens' text, and the
     * loss per character, in which models of other tokens can be compared; else 0. */
    int64_t characters;
    double character_loss;
    int64_t unknown; /* source and target tokens that are not in the vocabularies */
    double chance;   /* the loss of uniform guessing: ln of the target vocabulary's
                      * size */
} train_metrics;

/* The names of a whole answer of a model ("word", or "answer" if its sources are words
 * between spaces or byte pairs), and of one of its tokens ("tag", "letter", "phone" for
 * words that answer letters, "token" for words that answer words). Outputs of byte pairs
 * are compared letter by letter. `source` is NULL for a language
 * model. The texts are constants. */
const char *train_answer_name(const data_vocab *source);
const char *train_token_name(const data_vocab *source, const data_vocab *target, bool tagging);

/* One tag of a tagger. */
typedef struct train_tag {
    char *name;
    int64_t right, given, wanted; /* tokens: with this tag in output and target, in the
                                   * output, in the target */
    double precision, recall, f1; /* right / given, right / wanted, 2 right / (given +
                                   * wanted); 0 / 0 is 0 */
} train_tag;

/* All tags that outputs or targets have. */
typedef struct train_tags {
    train_tag *items; /* [count], the most frequent in the targets first */
    int64_t count;
    int64_t right, tokens;
    double accuracy; /* right / tokens */
    double macro_f1; /* the mean of the tags' F1 */
} train_tags;

/* Frees the items and leaves the struct zeroed. */
void train_tags_clear(train_tags *tags);

/* Calibration is measured in bins of equal width, as Guo et al. (2017, section 2, M = 15)
 * do it: bin i, from 0, has the answers of a probability in (i/15, (i + 1)/15], and bin 0
 * those of 0, too. */
enum { TRAIN_CALIBRATION_BINS = 15 };
/* One of them. */
typedef struct train_calibration_bin {
    int64_t count;               /* of answers */
    double confidence, accuracy; /* the mean of their probabilities, and the share that is
                                  * right; 0 of an empty bin */
} train_calibration_bin;

/* Whether a model is as sure as it is right. The confidence of an answer is its
 * probability (nn_hypothesis). */
typedef struct train_calibration {
    train_calibration_bin bins[TRAIN_CALIBRATION_BINS];
    int64_t count; /* of answers */
    /* The expected calibration error, the sum over bins of bin.count / count *
     * |bin.accuracy - bin.confidence|. */
    double error;
    /* The temperature T that makes the loss of softmax(logits / T) on the set lowest (Guo
     * et al. 2017, section 4.2), from 1/8 to 8 times train_evaluation.generation's
     * `temperature`, to about 1 %; 0 without train_evaluation.find_temperature. */
    double temperature;
    /* The loss falls up to one end of that range: T is the end, and the lowest loss is
     * beyond it, or nowhere (a set with only right answers has it at T = 0). */
    bool temperature_at_end;
} train_calibration;

/* The result of an evaluation for one unit: of a source, the edits from its output to its
 * nearest target (0: the output is right) and the tokens of that target; of a window of a
 * language model's text, its loss in nats and its tokens. */
typedef struct train_outcome {
    double amount, size;
} train_outcome;

/* Those of all units of an evaluation, in the order of its set. */
typedef struct train_outcomes {
    train_outcome *items; /* [count] */
    int64_t count;
    bool decoded;         /* the units are sources */
    data_token_kind kind; /* of the tokens counted: DATA_CHARS for targets of byte pairs */
    int64_t unknown;      /* train_metrics.unknown */
} train_outcomes;

/* Frees the items and leaves the struct zeroed. */
void train_outcomes_clear(train_outcomes *outcomes);

/* Called before each batch goes through the model, which is made from the pass and the
 * input as the callback leaves them. It may put masks on pass->tape into the input, and
 * set pass->on_block, to study what a model learns under them. */
typedef void train_on_input(void *context, nn_pass *pass, nn_input *input);

/* Options of train_evaluate. Zero means the default. */
typedef struct train_evaluation {
    int64_t batch;       /* rows at once; 0: 64, fewer of a large model */
    int64_t max_sources; /* 0: all */
    bool decode;         /* generate, and measure exact match and error rates (not for
                          * NN_DECODER) */
    nn_generation_options generation; /* how to decode; its `temperature` is the loss's, too */
    int threads;                      /* 0: all */
    ag_tape *tape; /* to use instead of a new one: its content is dropped, its threads
                    * apply */
    /* Called after decoding for each source in order, with its text, the output and the
     * nearest target. NULL: not wanted. */
    void (*on_output)(void *context, const char *source, const char *output, const char *target, bool correct);
    /* Zeroed, or that of an earlier evaluation, whose items are freed: gets the outcome
     * of each unit, for train_compare, and is cleared by the caller. Without `decode`
     * rows go through the model one by one then. NULL: not wanted. */
    train_outcomes *outcomes;
    train_calibration *calibration; /* with `decode`: gets that of the answers; NULL: not
                                     * wanted */
    bool find_temperature; /* with `calibration`: its temperature, too, at the cost of 25
                            * softmaxes for each token */
    /* With `decode`: an output <unk> becomes the source's token with which it is aligned.
     * AG_BAD_VALUE for other models than encoder-decoders, and where source and target
     * tokens are of different kinds. Without it, <unk> is no output. */
    bool copy_unknown;
    int copy_layer; /* with `copy_unknown`: the decoder's layer to align by, from 0; below 0:
                     * the last */
    bool scores;      /* with `decode`: chrf and bleu, too, unless the model is a tagger */
    train_tags *tags; /* zeroed: gets the tags of a tagger that decodes; the caller clears
                       * it. NULL: not wanted */
    /* [2], zeroed: get the unknown tokens of sources and of targets, with the set's name,
     * which must outlive them, and the lines of a set that has any. The caller clears them.
     * NULL: not wanted. */
    data_unknown *unknown;
    train_on_input *on_input; /* of the loss, not of decoding; NULL: not wanted */
    void *context;            /* of on_output and on_input */
    const volatile sig_atomic_t *stop; /* becomes not 0: stop with AG_INTERRUPTED. NULL:
                                        * never */
} train_evaluation;

/* Measures the model on the whole set, without dropout. AG_NOT_FINITE if the loss is not
 * finite, AG_BAD_VALUE if the set does not fit the model or an option is out of range,
 * AG_INTERRUPTED, AG_NO_MEMORY. */
ag_status train_evaluate(const nn_model *model, data_set *set, const train_evaluation *evaluation,
                         train_metrics *metrics, ag_error *error) AG_CHECKED;
/* The same of an ensemble: its loss is that of the mean of the models' probabilities.
 * Each model is applied with the pass and the input of on_input, but its own
 * parameters. */
ag_status train_ensemble_evaluate(const nn_ensemble *ensemble, data_set *set, const train_evaluation *evaluation,
                                  train_metrics *metrics, ag_error *error) AG_CHECKED;

/* ---- Is one model better than another? ------------------------------------------- */

/* The exact form of McNemar's test (McNemar 1947). Of the sources on which one of two
 * models is right and the other wrong, only_a went to a and only_b to b. If the models
 * are equally good, each of these n = only_a + only_b is as likely to go to either, so
 * that the chance of a split as uneven as this one, or more, is
 *
 *   p = min(1, 2 sum_{i=0}^{min(only_a, only_b)} C(n, i) / 2^n),  1 if n = 0
 *
 * to 10 digits for counts of up to a million; 0 below the smallest double. */
double train_mcnemar(int64_t only_a, int64_t only_b);

/* The resamples of train_compare. */
#define TRAIN_RESAMPLES 10000

/* An error rate or a loss of the models a and b. */
typedef struct train_difference {
    double a, b;
    double difference; /* b - a */
    double low, high;  /* its interval */
    int better;        /* 1: b is better, -1: a is, 0: chance may explain the difference */
} train_difference;

/* The result of train_compare. */
typedef struct train_comparison {
    bool decoded;           /* of sources; if not, of the windows of a text, and only
                             * count and tokens mean something */
    int64_t count;          /* of units */
    int64_t only_a, only_b; /* sources that one model alone got right */
    double p;               /* train_mcnemar of those */
    train_difference words; /* word error rates; `better` if p < 0.05 */
    /* Phone error rates, or losses per token; `better` if 0 is outside of the interval
     * and the models differ on six units at least: chance alone lets five favour one
     * model with a probability of 0.06. */
    train_difference tokens;
    bool same_tokens; /* whether both count tokens of one kind; if not, `tokens` says
                       * nothing */
} train_comparison;

/* Compares two evaluations of the same examples. The intervals are those of the paired
 * bootstrap: TRAIN_RESAMPLES times, count units are drawn with replacement, the same for
 * both models, and the rates of each and their difference b - a are computed anew:
 *
 *   words: (wrong_b - wrong_a) / count
 *   tokens: sum amount_b / sum size_b - the same of a
 *
 * The interval goes from the 250th smallest to the 250th largest difference, which leaves
 * 2.5 % on either side (the percentile interval: Efron and Tibshirani 1993, chapter 13;
 * for outputs of two systems: Koehn 2004). It takes units for independent of each other.
 *
 * The result depends on the outcomes, their order and the seed alone; b against a is a
 * against b with its signs changed. AG_BAD_VALUE if the evaluations are not of the same
 * units, or losses of other tokens; AG_NO_MEMORY. */
ag_status train_compare(const train_outcomes *a, const train_outcomes *b, uint64_t seed, train_comparison *comparison,
                        ag_error *error) AG_CHECKED;

AG_HEADER_END

#endif
