/* text_scores.c - chrF and BLEU: how much of its references an output shares, by n-grams.
 *
 * A text becomes a row of numbers, one for each character or word; its n-grams are
 * sorted, and those of two texts are counted against each other. The sums over all
 * outputs are whole numbers, so the scores depend on no order.
 */
#include "text_scores.h"
#include "scalar.h"

#include <stdlib.h>
#include <string.h>

enum { CHRF = TRAIN_CHRF_ORDER, BLEU = TRAIN_BLEU_ORDER };

/* ---- Texts as numbers -------------------------------------------------------------- */

typedef struct number_row {
    int32_t *numbers; /* [count] */
    int64_t count;
} number_row;

/* The characters of a text without white space, each the number that its bytes make, or
 * its words, by their ids in `names`. The caller frees the numbers; NULL when memory is
 * out. */
static number_row number_text(const char *text, data_vocab *names)
{
    const size_t size = strlen(text);
    number_row row = {malloc((size + 1) * sizeof *row.numbers), 0};
    const char *word, *letter;
    size_t at = 0, word_size, letter_size;
    while (row.numbers && data_token_next(DATA_WORDS, text, size, &at, &word, &word_size)) {
        if (names) {
            const int32_t id = data_vocab_add(names, word, word_size);
            row.numbers[row.count++] = id;
            if (id == DATA_NO_MEMORY) { /* words that are no UTF-8 are all DATA_NONE */
                free(row.numbers);
                row.numbers = NULL;
            }
            continue;
        }
        for (size_t in = 0; data_token_next(DATA_CHARS, word, word_size, &in, &letter, &letter_size);) {
            uint32_t code = 0;
            for (size_t i = 0; i < letter_size; i++)
                code = code << 8 | (unsigned char)letter[i];
            row.numbers[row.count++] = (int32_t)code;
        }
    }
    return row;
}

/* ---- n-grams ----------------------------------------------------------------------- */

typedef struct gram {
    const int32_t *at;
    size_t bytes;
} gram;

static int compare_grams(const void *a, const void *b)
{
    const gram *x = a, *y = b;
    return memcmp(x->at, y->at, x->bytes);
}

static int64_t gram_count(const number_row *row, int order)
{
    return row->count >= order ? row->count - order + 1 : 0;
}

/* The sorted n-grams of a row, in grams [row->count]; returns how many there are. */
static int64_t sort_grams(const number_row *row, int order, gram *grams)
{
    const int64_t count = gram_count(row, order);
    for (int64_t i = 0; i < count; i++)
        grams[i] = (gram){row->numbers + i, (size_t)order * sizeof *row->numbers};
    if (count > 1)
        qsort(grams, (size_t)count, sizeof *grams, compare_grams);
    return count;
}

/* How many of the sorted grams equal `wanted`; moves *from past those below it. */
static int64_t count_equal(const gram *grams, int64_t count, int64_t *from, const gram *wanted)
{
    int64_t equal = 0;
    while (*from < count && compare_grams(&grams[*from], wanted) < 0)
        ++*from;
    while (*from + equal < count && compare_grams(&grams[*from + equal], wanted) == 0)
        equal++;
    return equal;
}

/* The n-grams that an output shares with its references: each counts at most as often as
 * in the reference that has it most often. `scratch` has room for the grams of all rows,
 * and `from` for a number for each reference. */
static int64_t shared_grams(const number_row *output, const number_row *references, int64_t count, int order,
                            gram *scratch, int64_t *from)
{
    const int64_t own = sort_grams(output, order, scratch);
    gram *next = scratch + output->count;
    int64_t shared = 0;
    for (int64_t r = 0; r < count; r++, next += references[r - 1].count) {
        sort_grams(&references[r], order, next);
        from[r] = 0;
    }
    for (int64_t i = 0, equal; i < own; i += equal) {
        int64_t begin = i, most = 0;
        equal = count_equal(scratch, own, &begin, &scratch[i]);
        next = scratch + output->count;
        for (int64_t r = 0; r < count; r++, next += references[r - 1].count) {
            const int64_t here = count_equal(next, gram_count(&references[r], order), &from[r], &scratch[i]);
            most = here > most ? here : most;
        }
        shared += equal < most ? equal : most;
    }
    return shared;
}

/* ---- Sums over outputs ------------------------------------------------------------- */

/* F of chrF counts, from 0 to 100. */
static double chrf_score(const train_chrf_counts counts[CHRF])
{
    const double factor = 4; /* beta^2 */
    double precision = 0, recall = 0;
    int orders = 0;
    for (int n = 0; n < CHRF; n++) {
        if (counts[n].output == 0 || counts[n].reference == 0)
            continue;
        precision += (double)counts[n].shared / (double)counts[n].output;
        recall += (double)counts[n].shared / (double)counts[n].reference;
        orders++;
    }
    if (precision + recall == 0)
        return 0;
    precision /= orders;
    recall /= orders;
    return 100 * (1 + factor) * precision * recall / (factor * precision + recall);
}

/* Adds the counts of the reference that gives the output the highest F. */
static void add_chrf(train_text_scores *scores, const number_row *output, const number_row *references, int64_t count,
                     gram *scratch, int64_t *from)
{
    train_chrf_counts best[CHRF] = {{0, 0, 0}};
    double highest = -1;
    for (int64_t r = 0; r < count; r++) {
        train_chrf_counts counts[CHRF];
        for (int n = 0; n < CHRF; n++) {
            const int64_t reference = gram_count(&references[r], n + 1);
            counts[n].output = reference ? gram_count(output, n + 1) : 0;
            counts[n].reference = reference;
            counts[n].shared = shared_grams(output, &references[r], 1, n + 1, scratch, from);
        }
        const double score = chrf_score(counts);
        if (score > highest) {
            highest = score;
            memcpy(best, counts, sizeof best);
        }
    }
    for (int n = 0; n < CHRF; n++) {
        scores->chrf[n].output += best[n].output;
        scores->chrf[n].reference += best[n].reference;
        scores->chrf[n].shared += best[n].shared;
    }
}

static void add_bleu(train_text_scores *scores, const number_row *output, const number_row *references, int64_t count,
                     gram *scratch, int64_t *from)
{
    int64_t nearest = count ? references[0].count : 0;
    for (int64_t r = 1; r < count; r++) {
        const int64_t length = references[r].count, off = llabs(length - output->count),
                      least = llabs(nearest - output->count);
        if (off < least || (off == least && length < nearest))
            nearest = length;
    }
    scores->output_words += output->count;
    scores->reference_words += nearest;
    for (int n = 0; n < BLEU; n++) {
        scores->bleu[n].output += gram_count(output, n + 1);
        scores->bleu[n].shared += shared_grams(output, references, count, n + 1, scratch, from);
    }
}

/* rows [1 + count]: the output, then its references. */
static ag_status add_rows(train_text_scores *scores, number_row *rows, int64_t count, bool words)
{
    size_t total = 1;
    for (int64_t i = 0; i <= count; i++)
        total += (size_t)rows[i].count;
    gram *scratch = malloc(total * sizeof *scratch);
    int64_t *from = malloc((size_t)(count + 1) * sizeof *from);
    if (scratch && from)
        (words ? add_bleu : add_chrf)(scores, &rows[0], rows + 1, count, scratch, from);
    const bool done = scratch && from;
    free(scratch);
    free(from);
    return done ? AG_OK : AG_NO_MEMORY;
}

ag_status train_text_scores_add(train_text_scores *scores, const char *output, const char *const *references,
                                int64_t count, ag_error *error)
{
    number_row *rows = calloc((size_t)count + 1, sizeof *rows);
    ag_status status = rows ? AG_OK : AG_NO_MEMORY;
    for (int words = 0; words < 2 && status == AG_OK; words++) {
        data_vocab *names = words ? data_vocab_new(DATA_WORDS, NULL) : NULL;
        if (words && !names)
            status = AG_NO_MEMORY;
        for (int64_t i = 0; i <= count && status == AG_OK; i++) {
            rows[i] = number_text(i ? references[i - 1] : output, names);
            status = rows[i].numbers ? AG_OK : AG_NO_MEMORY;
        }
        if (status == AG_OK)
            status = add_rows(scores, rows, count, words == 1);
        for (int64_t i = 0; i <= count; i++) {
            free(rows[i].numbers);
            rows[i] = (number_row){NULL, 0};
        }
        data_vocab_free(names);
    }
    free(rows);
    return status == AG_OK ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "no memory to score an output");
}

/* ---- Scores ------------------------------------------------------------------------ */

double train_chrf(const train_text_scores *scores)
{
    return chrf_score(scores->chrf);
}

double train_bleu(const train_text_scores *scores)
{
    double logs = 0, halved = 1;
    if (scores->bleu[0].shared == 0)
        return 0;
    for (int n = 0; n < BLEU; n++) {
        if (scores->bleu[n].output == 0)
            return 0;
        if (scores->bleu[n].shared == 0)
            halved *= 2;
        const double shared = scores->bleu[n].shared ? (double)scores->bleu[n].shared : 1 / halved;
        logs += scalar_log(shared / (double)scores->bleu[n].output);
    }
    const double longer = (double)scores->reference_words / (double)scores->output_words;
    const double brevity = longer > 1 ? 1 - longer : 0;
    return 100 * scalar_exp(brevity + logs / BLEU);
}
