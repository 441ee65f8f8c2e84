/* report.c - what a set holds: tokens, lengths, repeated examples, and what a second set
 * shares with it.
 *
 * Examples are compared by 64-bit hashes of their source, and of source and target. They
 * are sorted, so that equal ones stand side by side: 16 bytes per example.
 */
#include "set.h"

#include <stdlib.h>
#include <string.h>

/* An example as hashes. */
typedef struct example_key {
    uint64_t source, both;
} example_key;

static int compare_keys(const void *left, const void *right)
{
    const example_key *a = left, *b = right;
    if (a->source != b->source)
        return a->source < b->source ? -1 : 1;
    return (a->both > b->both) - (a->both < b->both);
}

static example_key key_of(data_view source, data_view target)
{
    const uint64_t hash = data_hash(source.text, source.size, 0);
    return (example_key){hash, data_hash(target.text, target.size, hash)};
}

/* ---- Tokens ---- */

/* The texts of a set as they count here: a text set has no source, and its target is the
 * window. */
static void report_texts(data_set *set, int64_t i, data_view texts[2])
{
    set->kind->texts(set, i, 0, &texts[0], &texts[1]);
    if (set->kind->is_text) {
        texts[1] = texts[0];
        texts[0] = (data_view){"", 0};
    }
}

/* Counts one text; lengths [DATA_MOST_LENGTH + 1] has how many texts have each length. */
static ag_status count_text(int64_t i, const data_vocab *vocab, data_view text, data_side_report *side,
                            int64_t *lengths)
{
    int64_t unknown = 0;
    const int64_t tokens = data_vocab_encode(vocab, text.text, text.size, NULL, 0, &unknown);
    if (tokens < 0)
        return AG_NO_MEMORY;
    side->tokens += tokens;
    side->unknown += unknown;
    lengths[tokens < DATA_MOST_LENGTH ? tokens : DATA_MOST_LENGTH]++;
    if (tokens > side->longest) {
        side->longest = tokens;
        side->longest_example = i;
    }
    return AG_OK;
}

/* The length of which at least half of the texts are no longer. */
static int64_t median_length(const int64_t *lengths, int64_t count)
{
    int64_t length = 0, below = lengths[0];
    while (2 * below < count)
        below += lengths[++length];
    return length;
}

static ag_status count_side(data_set *set, int which, data_side_report *side, int64_t *lengths)
{
    const data_vocab *vocab = which == 0 ? set->source_vocab : set->target_vocab;
    if (!vocab)
        return AG_OK;
    memset(lengths, 0, (DATA_MOST_LENGTH + 1) * sizeof *lengths);
    for (int64_t i = 0; i < set->count; i++) {
        data_view texts[2];
        report_texts(set, i, texts);
        if (count_text(i, vocab, texts[which], side, lengths) != AG_OK)
            return AG_NO_MEMORY;
    }
    side->median = median_length(lengths, set->count);
    side->longest_line = data_set_line(set, side->longest_example);
    return AG_OK;
}

/* ---- Examples ---- */

/* Counts what is repeated in sorted keys. */
static void count_repeated(const example_key *keys, int64_t count, data_report *report)
{
    int64_t targets = 0; /* distinct ones of the source so far */
    for (int64_t i = 0; i < count; i++) {
        const bool same_source = i > 0 && keys[i].source == keys[i - 1].source;
        const bool same_both = same_source && keys[i].both == keys[i - 1].both;
        report->sources += !same_source;
        report->repeated += same_both;
        targets = same_source ? targets + !same_both : 1;
        report->ambiguous += targets == 2 && !same_both;
    }
}

/* The first of the sorted keys that is not below `key`. */
static int64_t find_key(const example_key *keys, int64_t count, const example_key *key)
{
    int64_t low = 0, high = count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (compare_keys(&keys[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void count_shared(const example_key *keys, int64_t count, data_set *dev, data_report *report)
{
    for (int64_t i = 0; i < dev->count; i++) {
        data_view texts[2];
        report_texts(dev, i, texts);
        const example_key key = key_of(texts[0], texts[1]), source = {key.source, 0};
        const int64_t at = find_key(keys, count, &key), from = find_key(keys, count, &source);
        report->shared += at < count && compare_keys(&keys[at], &key) == 0;
        report->shared_sources += from < count && keys[from].source == key.source;
    }
}

static bool count_examples(data_set *set, data_set *dev, data_report *report)
{
    example_key *keys = malloc((size_t)set->count * sizeof *keys);
    if (!keys)
        return false;
    for (int64_t i = 0; i < set->count; i++) {
        data_view texts[2];
        report_texts(set, i, texts);
        keys[i] = key_of(texts[0], texts[1]);
    }
    qsort(keys, (size_t)set->count, sizeof *keys, compare_keys);
    count_repeated(keys, set->count, report);
    if (dev)
        count_shared(keys, set->count, dev, report);
    free(keys);
    return true;
}

ag_status data_set_report(data_set *set, data_set *dev, data_report *report, ag_error *error)
{
    *report = (data_report){.examples = set->count};
    int64_t *lengths = malloc((DATA_MOST_LENGTH + 1) * sizeof *lengths);
    const bool done = lengths && count_side(set, 0, &report->source, lengths) == AG_OK &&
                      count_side(set, 1, &report->target, lengths) == AG_OK &&
                      (set->kind->is_text || count_examples(set, dev, report));
    free(lengths);
    data_map_rest(&set->map);
    return done ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "%s: no memory to count what it holds", set->name);
}

ag_status data_set_unknown(data_set *set, data_unknown *source, data_unknown *target, ag_error *error)
{
    data_unknown *const sides[] = {source, target};
    const data_vocab *const vocabs[] = {set->source_vocab, set->target_vocab};
    for (int side = 0; side < 2; side++)
        for (int64_t i = 0; vocabs[side] && i < set->count; i++) {
            data_view texts[2];
            report_texts(set, i, texts);
            const ag_status status = data_unknown_add(sides[side], vocabs[side], texts[side].text, texts[side].size,
                                                      set->name, data_set_line(set, i), error);
            if (status != AG_OK)
                return status;
        }
    data_map_rest(&set->map);
    return AG_OK;
}
