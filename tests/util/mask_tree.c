/* mask_tree.c - drawing masks, and what each means by the words of its definition. */
#include "mask_tree.h"

static int64_t draw(ag_rng *rng, int64_t low, int64_t high)
{
    return low + (int64_t)ag_rng_below(rng, (uint64_t)(high - low + 1));
}

static int draw_node(mask_tree *tree, ag_rng *rng, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
                     int depth, int kinds[TREE_KINDS])
{
    int at = tree->count++;
    tree_node *node = &tree->node[at];
    *node = (tree_node){.kind = (tree_kind)draw(rng, 0, depth < 3 ? TREE_KINDS - 1 : TREE_EXPLICIT)};
    kinds[node->kind]++;
    node->left = draw(rng, -2, 4);
    node->right = node->kind == TREE_PREFIX ? draw(rng, 0, keys + 1) : draw(rng, -4, 4);
    for (int64_t b = 0; b < batch; b++)
        node->lengths[b] = (int32_t)draw(rng, 0, (node->kind == TREE_KEY_LENGTHS ? keys : queries) + 1);
    node->batch = draw(rng, 0, 1) ? batch : 1;
    node->heads = draw(rng, 0, 1) ? heads : 1;
    node->queries = queries;
    node->keys = keys;
    int64_t chance = draw(rng, 1, 8);
    for (int64_t e = 0; e < node->batch * node->heads * queries * keys; e++)
        node->allow[e] = (unsigned char)(draw(rng, 0, 8) < chance ? draw(rng, 1, 255) : 0);
    if (node->kind >= TREE_AND)
        node->a = draw_node(tree, rng, batch, heads, queries, keys, depth + 1, kinds);
    if (node->kind == TREE_AND || node->kind == TREE_OR)
        node->b = draw_node(tree, rng, batch, heads, queries, keys, depth + 1, kinds);
    return at;
}

void mask_tree_draw(mask_tree *tree, ag_rng *rng, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
                    int kinds[TREE_KINDS])
{
    tree->batch = batch;
    tree->count = 0;
    draw_node(tree, rng, batch, heads, queries, keys, 0, kinds);
}

static bool node_allows(const mask_tree *tree, int at, int64_t b, int64_t h, int64_t i, int64_t j)
{
    const tree_node *node = &tree->node[at];
    switch (node->kind) {
    case TREE_ALL:
        return true;
    case TREE_CAUSAL:
        return j <= i + node->right;
    case TREE_KEY_LENGTHS:
        return j < node->lengths[b];
    case TREE_QUERY_LENGTHS:
        return i < node->lengths[b];
    case TREE_WINDOW:
        return i - node->left <= j && j <= i + node->right;
    case TREE_PREFIX:
        return j < node->right;
    case TREE_EXPLICIT:
        b = node->batch == 1 ? 0 : b;
        h = node->heads == 1 ? 0 : h;
        return node->allow[((b * node->heads + h) * node->queries + i) * node->keys + j] != 0;
    case TREE_AND:
        return node_allows(tree, node->a, b, h, i, j) && node_allows(tree, node->b, b, h, i, j);
    case TREE_OR:
        return node_allows(tree, node->a, b, h, i, j) || node_allows(tree, node->b, b, h, i, j);
    default:
        return !node_allows(tree, node->a, b, h, i, j);
    }
}

bool mask_tree_allows(const mask_tree *tree, int64_t b, int64_t h, int64_t i, int64_t j)
{
    return node_allows(tree, 0, b, h, i, j);
}

static ag_mask *build(const mask_tree *tree, int at, int64_t batch, ag_tape *tape)
{
    const tree_node *node = &tree->node[at];
    switch (node->kind) {
    case TREE_ALL:
        return ag_mask_all(tape);
    case TREE_CAUSAL:
        return ag_mask_causal(tape, node->right);
    case TREE_KEY_LENGTHS:
        return ag_mask_key_lengths(tape, batch, node->lengths);
    case TREE_QUERY_LENGTHS:
        return ag_mask_query_lengths(tape, batch, node->lengths);
    case TREE_WINDOW:
        return ag_mask_window(tape, node->left, node->right);
    case TREE_PREFIX:
        return ag_mask_prefix(tape, node->right);
    case TREE_EXPLICIT:
        return ag_mask_explicit(tape, node->batch, node->heads, node->queries, node->keys, node->allow);
    case TREE_AND:
        return ag_mask_and(tape, build(tree, node->a, batch, tape), build(tree, node->b, batch, tape));
    case TREE_OR:
        return ag_mask_or(tape, build(tree, node->a, batch, tape), build(tree, node->b, batch, tape));
    default:
        return ag_mask_not(tape, build(tree, node->a, batch, tape));
    }
}

ag_mask *mask_tree_build(const mask_tree *tree, ag_tape *tape)
{
    return build(tree, 0, tree->batch, tape);
}
