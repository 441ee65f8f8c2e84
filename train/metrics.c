/* metrics.c - the edit distance (Levenshtein 1966), by the table of Wagner and Fischer,
 * of which it keeps one row; and which of two evaluations is better.
 */
#include "train.h"

#include <stdlib.h>

static int64_t least(int64_t a, int64_t b, int64_t c)
{
    int64_t smaller = a < b ? a : b;
    return smaller < c ? smaller : c;
}

int64_t train_edit_distance(const int32_t *a, int64_t a_length, const int32_t *b, int64_t b_length)
{
    int64_t *row = malloc((size_t)(b_length + 1) * sizeof *row); /* row[j]: the distance
                                                                  * from a's first i
                                                                  * tokens to b's first
                                                                  * j */
    if (!row)
        return -1;
    for (int64_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (int64_t i = 1; i <= a_length; i++) {
        int64_t diagonal = i - 1; /* row[j - 1] of the previous i */
        row[0] = i;
        for (int64_t j = 1; j <= b_length; j++) {
            int64_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    int64_t distance = row[b_length];
    free(row);
    return distance;
}

/* Whether the vocabulary's texts are those of whole words. NULL: there is none. */
static bool has_texts(const data_vocab *vocab)
{
    return vocab && (data_vocab_kind(vocab) == DATA_WORDS || data_vocab_kind(vocab) == DATA_BPE);
}

const char *train_answer_name(const data_vocab *source)
{
    return has_texts(source) ? "answer" : "word";
}

const char *train_token_name(const data_vocab *source, const data_vocab *target, bool tagging)
{
    if (tagging)
        return "tag";
    if (data_vocab_kind(target) != DATA_WORDS)
        return "letter";
    return has_texts(source) ? "token" : "phone";
}

bool train_metrics_guess(const train_metrics *metrics)
{
    return !(metrics->loss < metrics->chance);
}

/* Above 0 if a has more exact matches than b, below 0 if fewer; 0 if chance explains the
 * difference (TRAIN_BEST_EXACT). */
static int compare_exact(const train_metrics *a, const train_metrics *b)
{
    const int64_t right_a = (int64_t)(a->exact_match * (double)a->sources + 0.5),
                  right_b = (int64_t)(b->exact_match * (double)b->sources + 0.5);
    const int64_t more = right_a - right_b, right = right_a + right_b, wrong = a->sources + b->sources - right;
    if (more * more <= (right < wrong ? right : wrong))
        return 0;
    return more > 0 ? 1 : -1;
}

bool train_metrics_better(const train_metrics *a, const train_metrics *b, train_best_by by)
{
    const bool decoded = a->decoded && b->decoded;
    const int exact = decoded && by == TRAIN_BEST_EXACT ? compare_exact(a, b) : 0;
    if (exact != 0)
        return exact > 0;
    if (decoded && by == TRAIN_BEST_WER && a->wer != b->wer)
        return a->wer < b->wer;
    return a->loss < b->loss;
}
