/* bpe_learn.c - learns merges from texts.
 *
 * Each distinct word is kept once, with its count, as an array of tokens. Each pair of
 * neighbours has its count over all words, and a list of the words in which it was seen.
 * A merge visits only those words, and changes only the counts of the pairs beside the
 * places where it merges. The most frequent pair comes from a heap whose keys may be too
 * high, since counts fall without a change to the heap: a pair that comes with another
 * key than its count goes back with its count.
 */
#include "bpe.h"
#include "data.h"
#include "files/grow.h"
#include "hash.h"
#include "heap.h"
#include "words.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_COUNT = 2, FIRST_SLOTS = 1024 };

typedef struct learned_word {
    size_t start;
    uint32_t size; /* of its bytes; later, of its tokens */
    int64_t count;
} learned_word;

struct data_learner {
    char *bytes; /* of all distinct words, one after another */
    size_t byte_count, byte_capacity;
    learned_word *words;
    size_t word_count, word_capacity;
    uint32_t *slots; /* [slot_count]: hash table from bytes to words; 0: empty, else the
                      * number of the word and 1 */
    size_t slot_count;
};

/* ---- Words ---- */

data_learner *data_learner_new(ag_error *error)
{
    data_learner *learner = calloc(1, sizeof *learner);
    if (!learner)
        ag_error_set(error, AG_NO_MEMORY, "no memory to learn a vocabulary");
    return learner;
}

void data_learner_free(data_learner *learner)
{
    if (!learner)
        return;
    free(learner->bytes);
    free(learner->words);
    free(learner->slots);
    free(learner);
}

/* The slot of the word, or the empty slot where it would go. */
static size_t slot_of_word(const data_learner *learner, const char *bytes, size_t size)
{
    size_t slot = (size_t)data_hash(bytes, size, 0) & (learner->slot_count - 1);
    for (uint32_t found; (found = learner->slots[slot]) != 0; slot = (slot + 1) & (learner->slot_count - 1)) {
        const learned_word *word = &learner->words[found - 1];
        if (word->size == size && memcmp(learner->bytes + word->start, bytes, size) == 0)
            break;
    }
    return slot;
}

static bool grow_word_slots(data_learner *learner)
{
    const size_t wanted = learner->slot_count ? 2 * learner->slot_count : FIRST_SLOTS;
    if (learner->word_count + 1 < learner->slot_count / 2)
        return true;
    uint32_t *slots = calloc(wanted, sizeof *slots);
    if (!slots)
        return false;
    free(learner->slots);
    learner->slots = slots;
    learner->slot_count = wanted;
    for (size_t i = 0; i < learner->word_count; i++)
        slots[slot_of_word(learner, learner->bytes + learner->words[i].start, learner->words[i].size)] =
            (uint32_t)(i + 1);
    return true;
}

static bool add_word(data_learner *learner, const char *bytes, size_t size)
{
    if (!grow_word_slots(learner))
        return false;
    const size_t slot = slot_of_word(learner, bytes, size);
    if (learner->slots[slot]) {
        learner->words[learner->slots[slot] - 1].count++;
        return true;
    }
    if (size > UINT32_MAX || learner->word_count + 1 >= UINT32_MAX ||
        !data_grow(learner->words, learner->word_count, &learner->word_capacity) ||
        !data_grow(learner->bytes, learner->byte_count + size, &learner->byte_capacity))
        return false;
    memcpy(learner->bytes + learner->byte_count, bytes, size);
    learner->words[learner->word_count] = (learned_word){learner->byte_count, (uint32_t)size, 1};
    learner->byte_count += size;
    learner->slots[slot] = (uint32_t)++learner->word_count;
    return true;
}

ag_status data_learner_add(data_learner *learner, const char *text, size_t size, ag_error *error)
{
    for (size_t at = 0, word_size; at < size; at += word_size) {
        word_size = data_word_size(text + at, size - at);
        if (!add_word(learner, text + at, word_size))
            return ag_error_set(error, AG_NO_MEMORY, "no memory for the %zu distinct words of a text",
                                learner->word_count + 1);
    }
    return AG_OK;
}

/* ---- Pairs ---- */

/* A pair of tokens that were neighbours once. */
typedef struct learned_pair {
    int32_t left, right;
    int64_t count;
    uint32_t places; /* the newest of its places, and 1; 0: none */
    bool is_raised;  /* by the present merge, and not in the heap with its count yet */
} learned_pair;

/* A word in which a pair was seen; places of one pair are a list. */
typedef struct pair_place {
    uint32_t word, next;
} pair_place;

/* One learning. The bytes of token id, DATA_SPECIALS <= id, are bytes[starts[id] ..
 * starts[id + 1]). */
typedef struct learning {
    data_vocab *vocab;
    const data_learner *learner;
    learned_word *words; /* [word_count], their sizes those of their tokens */
    int32_t *tokens;     /* the words', where their bytes are in the learner */
    learned_pair *pairs;
    size_t pair_count, pair_capacity;
    uint32_t *slots; /* [slot_count]: hash table to pairs; 0: empty, else the pair and 1 */
    size_t slot_count;
    pair_place *places;
    size_t place_count, place_capacity;
    uint32_t *raised; /* the pairs that the present merge has raised */
    size_t raised_count, raised_capacity;
    char *bytes;
    size_t *starts;
    size_t byte_capacity, start_capacity;
    data_heap heap; /* of pairs, by their negative counts */
} learning;

static size_t slot_of_pair_count(const learning *l, int32_t left, int32_t right)
{
    size_t slot = (size_t)data_hash_pair(left, right) & (l->slot_count - 1);
    for (uint32_t found; (found = l->slots[slot]) != 0; slot = (slot + 1) & (l->slot_count - 1))
        if (l->pairs[found - 1].left == left && l->pairs[found - 1].right == right)
            break;
    return slot;
}

static bool grow_count_slots(learning *l)
{
    const size_t wanted = l->slot_count ? 2 * l->slot_count : FIRST_SLOTS;
    if (l->pair_count + 1 < l->slot_count / 2)
        return true;
    uint32_t *slots = calloc(wanted, sizeof *slots);
    if (!slots)
        return false;
    free(l->slots);
    l->slots = slots;
    l->slot_count = wanted;
    for (size_t i = 0; i < l->pair_count; i++)
        slots[slot_of_pair_count(l, l->pairs[i].left, l->pairs[i].right)] = (uint32_t)(i + 1);
    return true;
}

/* The pair of two tokens, made if need be; NULL when memory is out. */
static learned_pair *find_pair(learning *l, int32_t left, int32_t right)
{
    if (!grow_count_slots(l))
        return NULL;
    const size_t slot = slot_of_pair_count(l, left, right);
    if (!l->slots[slot]) {
        if (l->pair_count + 1 >= UINT32_MAX || !data_grow(l->pairs, l->pair_count, &l->pair_capacity))
            return NULL;
        l->pairs[l->pair_count] = (learned_pair){.left = left, .right = right};
        l->slots[slot] = (uint32_t)++l->pair_count;
    }
    return &l->pairs[l->slots[slot] - 1];
}

/* Notes that `word` has the pair `count` times more. */
static bool raise_pair(learning *l, int32_t left, int32_t right, uint32_t word)
{
    learned_pair *pair = find_pair(l, left, right);
    if (!pair)
        return false;
    if (!pair->is_raised) {
        if (!data_grow(l->raised, l->raised_count, &l->raised_capacity))
            return false;
        l->raised[l->raised_count++] = (uint32_t)(pair - l->pairs);
        pair->is_raised = true;
    }
    if (!pair->places || l->places[pair->places - 1].word != word) {
        if (l->place_count + 1 >= UINT32_MAX || !data_grow(l->places, l->place_count, &l->place_capacity))
            return false;
        l->places[l->place_count] = (pair_place){word, pair->places};
        pair->places = (uint32_t)++l->place_count;
    }
    pair->count += l->words[word].count;
    return true;
}

static bool lower_pair(learning *l, int32_t left, int32_t right, uint32_t word)
{
    learned_pair *pair = find_pair(l, left, right);
    if (pair)
        pair->count -= l->words[word].count;
    return pair != NULL;
}

/* Puts the raised pairs into the heap. */
static bool push_raised(learning *l)
{
    for (; l->raised_count > 0; l->raised_count--) {
        const uint32_t i = l->raised[l->raised_count - 1];
        l->pairs[i].is_raised = false;
        if (l->pairs[i].count >= LEAST_COUNT && !data_heap_push(&l->heap, (data_heap_entry){-l->pairs[i].count, i}))
            return false;
    }
    return true;
}

/* ---- The order of equally frequent pairs ---- */

static int compare_tokens(const learning *l, int32_t a, int32_t b)
{
    const size_t a_size = l->starts[a + 1] - l->starts[a], b_size = l->starts[b + 1] - l->starts[b];
    const int order = memcmp(l->bytes + l->starts[a], l->bytes + l->starts[b], a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static bool is_smaller_pair(const void *context, size_t a, size_t b)
{
    const learning *l = context;
    const learned_pair *x = &l->pairs[a], *y = &l->pairs[b];
    const int order = compare_tokens(l, x->left, y->left);
    return order ? order < 0 : compare_tokens(l, x->right, y->right) < 0;
}

/* Notes the bytes of the vocabulary's newest token. */
static bool note_bytes(learning *l, int32_t id)
{
    const char *form = data_vocab_token(l->vocab, id);
    const size_t start = l->starts[id];
    size_t size = 0;
    if (!data_grow(l->starts, (size_t)id + 1, &l->start_capacity) ||
        !data_grow(l->bytes, start + strlen(form), &l->byte_capacity))
        return false;
    for (int byte; (byte = data_bpe_next_byte(&form)) >= 0; size++)
        l->bytes[start + size] = (char)byte;
    l->starts[id + 1] = start + size;
    return true;
}

/* ---- Learning ---- */

static bool begin_learning(learning *l)
{
    const data_learner *learner = l->learner;
    l->words = malloc((learner->word_count + 1) * sizeof *l->words);
    l->tokens = malloc((learner->byte_count + 1) * sizeof *l->tokens);
    if (!l->words || !l->tokens || !data_grow(l->starts, DATA_SPECIALS, &l->start_capacity))
        return false;
    l->starts[DATA_SPECIALS] = 0;
    for (int32_t id = DATA_SPECIALS; id < data_vocab_size(l->vocab); id++)
        if (!note_bytes(l, id))
            return false;
    for (size_t i = 0; i < learner->byte_count; i++)
        l->tokens[i] = DATA_SPECIALS + (unsigned char)learner->bytes[i];
    for (size_t i = 0; i < learner->word_count; i++) {
        const learned_word *word = &learner->words[i];
        l->words[i] = *word;
        for (size_t at = word->start; at + 1 < word->start + word->size; at++)
            if (!raise_pair(l, l->tokens[at], l->tokens[at + 1], (uint32_t)i))
                return false;
    }
    return push_raised(l);
}

/* Merges the pair wherever it is in a word. */
static bool merge_in_word(learning *l, uint32_t number, data_merge merge)
{
    learned_word *word = &l->words[number];
    int32_t *tokens = l->tokens + word->start;
    uint32_t out = 0;
    for (uint32_t in = 0; in < word->size; out++) {
        const bool found = in + 1 < word->size && tokens[in] == merge.left && tokens[in + 1] == merge.right;
        if (!found) {
            tokens[out] = tokens[in++];
            continue;
        }
        if (out > 0 && (!lower_pair(l, tokens[out - 1], merge.left, number) ||
                        !raise_pair(l, tokens[out - 1], merge.both, number)))
            return false;
        if (in + 2 < word->size &&
            (!lower_pair(l, merge.right, tokens[in + 2], number) || !raise_pair(l, merge.both, tokens[in + 2], number)))
            return false;
        tokens[out] = merge.both;
        in += 2;
    }
    word->size = out;
    return true;
}

/* Merges the pair in all words. */
static bool merge_pair(learning *l, size_t pair)
{
    data_merge merge = {l->pairs[pair].left, l->pairs[pair].right, 0};
    const int32_t size = data_vocab_size(l->vocab);
    merge.both = data_vocab_add_merge(l->vocab, merge.left, merge.right);
    if (merge.both < DATA_SPECIALS || (merge.both == size && !note_bytes(l, merge.both)))
        return false;
    uint32_t place = l->pairs[pair].places;
    l->pairs[pair].places = 0;
    for (; place; place = l->places[place - 1].next)
        if (!merge_in_word(l, l->places[place - 1].word, merge))
            return false;
    l->pairs[pair].count = 0;
    return push_raised(l);
}

/* Merges the most frequent pairs until there are `merges`. */
static bool learn(learning *l, int64_t merges)
{
    bool done = begin_learning(l);
    while (done && l->heap.count > 0 && data_vocab_merges(l->vocab) < merges) {
        const data_heap_entry best = data_heap_pop(&l->heap);
        const int64_t count = l->pairs[best.item].count;
        if (count == -best.key)
            done = merge_pair(l, best.item);
        else if (count >= LEAST_COUNT && count < -best.key)
            done = data_heap_push(&l->heap, (data_heap_entry){-count, best.item});
    }
    return done;
}

data_vocab *data_learner_vocab(const data_learner *learner, int64_t merges, ag_error *error)
{
    learning l = {.vocab = data_vocab_new(DATA_BPE, error), .learner = learner, .heap.before = is_smaller_pair};
    l.heap.context = &l;
    const bool done = l.vocab && learn(&l, merges ? merges : DATA_DEFAULT_MERGES);
    if (l.vocab && !done) {
        ag_error_set(error, AG_NO_MEMORY, "no memory to learn %lld %s from %zu words",
                     (long long)(merges ? merges : DATA_DEFAULT_MERGES), ag_plural(merges, "merge", "merges"),
                     learner->word_count);
        data_vocab_free(l.vocab);
        l.vocab = NULL;
    }
    free(l.words);
    free(l.tokens);
    free(l.pairs);
    free(l.slots);
    free(l.places);
    free(l.raised);
    free(l.bytes);
    free(l.starts);
    data_heap_clear(&l.heap);
    return l.vocab;
}
