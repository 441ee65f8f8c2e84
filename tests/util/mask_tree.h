/* mask_tree.h - masks drawn at random, each known twice: as the library builds it, and by
 * its definition. */
#ifndef TESTS_MASK_TREE_H
#define TESTS_MASK_TREE_H

#include "autograd.h"

#define TREE_BATCH   3
#define TREE_HEADS   3
#define TREE_QUERIES 12
#define TREE_KEYS    12
#define TREE_NODES   15

typedef enum tree_kind {
    TREE_ALL,
    TREE_CAUSAL,
    TREE_KEY_LENGTHS,
    TREE_QUERY_LENGTHS,
    TREE_WINDOW,
    TREE_PREFIX,
    TREE_EXPLICIT,
    TREE_AND,
    TREE_OR,
    TREE_NOT,
    TREE_KINDS
} tree_kind;

typedef struct tree_node {
    tree_kind kind;
    int64_t left, right; /* causal: offset, prefix: length, both in `right` */
    int32_t lengths[TREE_BATCH];
    int64_t batch, heads, queries, keys; /* explicit */
    unsigned char allow[TREE_BATCH * TREE_HEADS * TREE_QUERIES * TREE_KEYS];
    int a, b; /* parts, as places in the tree */
} tree_node;

/* Node 0 is the root. */
typedef struct mask_tree {
    int64_t batch;
    int count;
    tree_node node[TREE_NODES];
} mask_tree;

/* A tree for scores of these sizes (at most the ones above); kinds[] counts the kinds
 * drawn. */
void mask_tree_draw(mask_tree *tree, ag_rng *rng, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
                    int kinds[TREE_KINDS]);
bool mask_tree_allows(const mask_tree *tree, int64_t b, int64_t h, int64_t i, int64_t j);
ag_mask *mask_tree_build(const mask_tree *tree, ag_tape *tape);

#endif
