/* set.h - what all kinds of data set share. Internal to data/.
 *
 * A kind of set (a task, a pair file, a text file) is a struct that begins with a
 * data_set, and a table of functions. Batches, the order of an epoch and the groups by
 * source use only those.
 */
#ifndef DATA_SET_H
#define DATA_SET_H

#include "data.h"
#include "hash.h"
#include "files/mapped_file.h"

/* A text owned by another: in a mapped file or in a buffer of the set. */
typedef struct data_view {
    const char *text;
    size_t size;
} data_view;

typedef struct data_set_kind {
    /* The ids of example i, whose source, moved by `shift`, is the first *count and whose
     * target the same one token later. NULL, or returns NULL: its texts are encoded. */
    const int32_t *(*ids)(data_set *set, int64_t i, int64_t shift, int64_t *count);
    /* The texts of example i, valid until the next call. Text sets: the source is the
     * window, moved by `shift` tokens as far as the text allows, and the target the same
     * one token later. Other kinds ignore `shift`. */
    void (*texts)(data_set *set, int64_t i, int64_t shift, data_view *source, data_view *target);
    /* The tokens of source and target together: the key for sorting. */
    int64_t (*tokens)(data_set *set, int64_t i);
    /* Files, else NULL: reads the file that set->map maps. The vocabularies (NULL: made
     * from the file) are the caller's. */
    ag_status (*read)(data_set *set, const data_vocab *source, const data_vocab *target, ag_error *error);
    void (*free_own)(data_set *set); /* frees what the kind's struct holds; NULL:
                                      * nothing */
    size_t size;                     /* of the kind's struct */
    int64_t (*line)(data_set *set, int64_t i); /* data_set_line; NULL: there are no lines */
    bool is_text;                    /* a language model's set: no separate sources */
    bool endless;                    /* new examples in each epoch */
} data_set_kind;

/* The order of one epoch (order.c). Examples count from the first of the epoch. */
typedef struct data_order {
    uint64_t epoch;
    int64_t rows;             /* of a batch; 0: no order has been made */
    uint32_t *examples;       /* [count]: batch after batch, `rows` each */
    uint32_t *batches;        /* [number of batches]: the n-th to be used */
    uint32_t *pool, *lengths; /* [rows of a pool] scratch */
    uint32_t *starts;         /* [longest + 2] scratch */
    size_t batch_capacity, pool_capacity;
} data_order;

/* The examples grouped by source (groups.c). */
typedef struct data_groups {
    int64_t count;     /* of distinct sources */
    uint32_t *members; /* [examples]: group after group, each in the order of the set */
    uint32_t *starts;  /* [count + 1]; NULL: not made yet */
} data_groups;

struct data_set {
    const data_set_kind *kind;
    const char *name;         /* of the file or task, for errors; the set owns it */
    data_set_options options; /* defaults filled in; the vocabularies are NULL */
    data_vocab *source_vocab, *target_vocab;
    data_map map;         /* of the file; zeroed for a task */
    data_map targets_map; /* of the second of two parallel files, else zeroed */
    char *format_texts;   /* of options.format */
    int64_t count, max_source, max_target;
    data_left_out left_out;
    int64_t blocks; /* of lines with empty lines between, in a file of pairs */
    char *source_copy, *target_copy;   /* for data_set_example */
    size_t source_bytes, target_bytes; /* their sizes without the final zero */
    data_order order;
    data_groups groups;
};

/* A new set, zeroed except for the kind, the name and the checked options (NULL: all
 * defaults). */
data_set *data_set_new(const data_set_kind *kind, const char *name, const data_set_options *options,
                       ag_error *error);
/* A set of the file at `path`, or of the files that `of` (NULL: none) has open. */
data_set *data_set_open(const data_set_kind *kind, const char *path, const data_set *of,
                        const data_set_options *options, ag_error *error);
/* The last preparations, when counts, maxima, vocabularies and source_bytes, target_bytes
 * are set. */
ag_status data_set_finish(data_set *set, ag_error *error) AG_CHECKED;

/* The vocabulary of one side: a copy of `given`, or an empty one. */
data_vocab *data_set_vocab(const data_vocab *given, data_token_kind kind, ag_error *error);
/* Adds the tokens of a text that the vocabulary has to `counts` [its size]. */
void data_vocab_count_text(const data_vocab *vocab, data_view text, int64_t *counts);
/* Replaces a vocabulary by one of its tokens with counts of `least` and more, in the same
 * order. AG_NO_MEMORY leaves it as it is; AG_BAD_VALUE: none is left. */
ag_status data_vocab_keep(data_vocab **vocab, const int64_t *counts, int64_t least, ag_error *error) AG_CHECKED;
/* Fills a new vocabulary from texts: adds their tokens, or learns merges. */
typedef struct data_vocab_maker {
    data_vocab **vocab;    /* NULL: nothing is to be filled */
    data_learner *learner; /* of the merges of DATA_BPE; else NULL */
    int64_t merges;        /* data_set_options.merges */
} data_vocab_maker;

/* Begins to fill *vocab, which is new. `vocab` may be NULL: then texts are dropped. */
ag_status data_vocab_maker_begin(data_vocab_maker *maker, data_vocab **vocab, int64_t merges,
                                 ag_error *error) AG_CHECKED;
ag_status data_vocab_maker_add(const data_vocab_maker *maker, data_view text, ag_error *error) AG_CHECKED;
/* Ends a filling that succeeded so far, or failed with `status`. */
ag_status data_vocab_maker_end(data_vocab_maker *maker, ag_status status, ag_error *error) AG_CHECKED;
/* The limit below which this share of all 64-bit hashes lies, 0 <= share < 1. */
uint64_t data_share_limit(double share);

/* The first example of an epoch. */
int64_t data_epoch_first(const data_set *set, uint64_t epoch);
/* Makes the order of an epoch, unless set->order is that already. 1 <= rows <= count. */
ag_status data_order_make(data_set *set, int64_t rows, uint64_t epoch, ag_error *error) AG_CHECKED;
void data_order_clear(data_order *order);
void data_groups_clear(data_groups *groups);

#endif
