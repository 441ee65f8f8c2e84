/* text_scores.h - chrF and BLEU of outputs that are texts. Internal to train/: the scores
 * are those of train_metrics. */
#ifndef TRAIN_TEXT_SCORES_H
#define TRAIN_TEXT_SCORES_H

#include "train.h"

enum { TRAIN_CHRF_ORDER = 6, TRAIN_BLEU_ORDER = 4 };

/* The n-grams of one length: of outputs, of references, and those that they share. */
typedef struct train_chrf_counts {
    int64_t output, reference, shared;
} train_chrf_counts;

/* Sums over outputs. A zeroed struct is empty. */
typedef struct train_text_scores {
    train_chrf_counts chrf[TRAIN_CHRF_ORDER];
    train_chrf_counts bleu[TRAIN_BLEU_ORDER]; /* `reference` is not used */
    int64_t output_words, reference_words;
} train_text_scores;

/* Adds an output and its references [count], at least one. AG_NO_MEMORY leaves the sums
 * of no use. */
ag_status train_text_scores_add(train_text_scores *scores, const char *output, const char *const *references,
                                int64_t count, ag_error *error) AG_CHECKED;

/* train_metrics.chrf and bleu. */
double train_chrf(const train_text_scores *scores);
double train_bleu(const train_text_scores *scores);

#endif
