/* set.h - what every kind of data set is made of. Internal to data/.
 *
 * A kind of set (a task, a pair file, a text file) is a struct that begins with a
 * data_set, and a table of functions; the order of an epoch, the groups by source and the
 * batches are made from those alone. */
#ifndef DATA_SET_H
#define DATA_SET_H

#include "data.h"
#include "hash.h"
#include "files/mapped_file.h"

/* A text somewhere else: in a map or in a buffer of the set. */
typedef struct data_view {
    const char *text;
    size_t size;
} data_view;

typedef struct data_set_kind {
    /* The texts of example i, valid until the next call. Text sets: the source is the window, moved by `shift` tokens
     * where the text allows, and the target the same one token later. Others have no use for `shift`. */
    void (*texts)(data_set *set, int64_t i, int64_t shift, data_view *source, data_view *target);
    /* Its tokens, source and target together: the key of sorting. */
    int64_t (*tokens)(data_set *set, int64_t i);
    void (*free_own)(data_set *set); /* what the struct of this kind holds besides the data_set */
    /* A set from the file that `of` has mapped; NULL where the kind has no file. */
    data_set *(*again)(const data_set *of, const data_set_options *options, ag_error *error);
    bool is_text; /* a language model's set: no separate sources */
    bool endless; /* a new stretch of examples in each epoch */
} data_set_kind;

/* The order of one epoch; see order.c. An example is its distance from the epoch's first. */
typedef struct data_order {
    uint64_t epoch;
    int64_t rows;             /* 0: no order has been made */
    uint32_t *examples;       /* [count]: batch after batch, `rows` each */
    uint32_t *batches;        /* [number of batches]: which of them is the n-th to be used */
    uint32_t *pool, *lengths; /* [rows of a pool] scratch */
    uint32_t *starts;         /* [longest + 2] scratch */
    size_t batch_capacity, pool_capacity;
} data_order;

/* Examples of equal source together; see groups.c. */
typedef struct data_groups {
    int64_t count;     /* of distinct sources */
    uint32_t *members; /* [examples]: group after group, each in the order of the set */
    uint32_t *starts;  /* [count + 1]; NULL: not made yet */
} data_groups;

struct data_set {
    const data_set_kind *kind;
    const char *name;         /* of the file or task, for errors; a copy */
    data_set_options options; /* with no zeros where zero means a default; its vocabularies are NULL */
    data_vocab *source_vocab, *target_vocab;
    const data_map *map; /* of the file; NULL for a task */
    int64_t count, max_source, max_target;
    char *source_copy, *target_copy;   /* for data_set_example */
    size_t source_bytes, target_bytes; /* room in them, without the final zero */
    data_order order;
    data_groups groups;
};

/* A new set of `size` bytes, zeroed but for the kind, the name and the checked options (NULL: all defaults). */
data_set *data_set_new(size_t size, const data_set_kind *kind, const char *name, const data_set_options *options,
                       ag_error *error);
/* Maps a file to `map`, a field of the set: the one that `of` has mapped, or where `of`
 * is NULL the one that the set is named after. */
ag_status data_set_map(data_set *set, data_map *map, const data_set *of, ag_error *error) AG_CHECKED;
/* To be called when counts, maxima, vocabularies and source_bytes, target_bytes are known: the last preparations. */
ag_status data_set_finish(data_set *set, ag_error *error) AG_CHECKED;

/* The vocabulary of one side: a copy of the given one, or a new one. */
data_vocab *data_set_vocab(const data_vocab *given, data_token_kind kind, ag_error *error);
/* Adds each token of a text. False when memory is out. */
bool data_vocab_add_text(data_vocab *vocab, data_view text) AG_CHECKED;
int64_t data_count_tokens(data_token_kind kind, data_view text);
/* A part of all 64-bit hashes: those below the returned one. 0 <= share < 1. */
uint64_t data_share_limit(double share);

/* The first example of an epoch. */
int64_t data_epoch_first(const data_set *set, uint64_t epoch);
/* Makes the order of an epoch unless it is there already. 1 <= rows <= count. */
ag_status data_order_make(data_set *set, int64_t rows, uint64_t epoch, ag_error *error) AG_CHECKED;
void data_order_clear(data_order *order);
void data_groups_clear(data_groups *groups);

#endif
