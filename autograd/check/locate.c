/* locate.c - the operation on a tape whose backward disagrees with its own forward.
 *
 * A wrong gradient of a whole function says little about where the fault is: it passes
 * through every older operation. So each node is checked alone. It runs again on a tape
 * of its own, with leaves that hold copies of its inputs' values; that is a function like
 * any other, and the gradient check of functions decides whether its backward is
 * right. */
#include "gradcheck.h"

#include <string.h>

/* An input of up to this many elements is compared element by element; of a larger one,
 * so many elements and directions. */
enum { SMALL_INPUT = 64, SOME_ELEMENTS = 4, SOME_DIRECTIONS = 1 };

/* The search: the tape, and the node that is compared now. */
typedef struct search {
    ag_tape *tape;
    ag_gradcheck_options options; /* of the latest comparison, .. */
    int64_t elements;             /* .. and how many elements and directions the caller wants */
    int directions;
    ag_gradcheck_location *location;
    ag_error *error;
    const ag_node *node;
    ag_arena arena; /* of what follows, for one node */
    int *leaf;      /* [node->input_count]: which leaf the input is; -1: a constant, or NULL */
    ag_gradcheck_input *leaves;
    int leaf_count;
} search;

/* The node as a function of its differentiable inputs. */
static ag_tensor *replay_node(ag_tape *tape, ag_tensor *const *leaves, void *context)
{
    const search *s = context;
    const ag_node *node = s->node;
    ag_tensor **inputs = ag_tape_alloc(tape, (size_t)node->input_count * sizeof *inputs);
    for (int i = 0; i < node->input_count && inputs; i++) {
        const ag_tensor *x = node->inputs[i];
        inputs[i] = s->leaf[i] >= 0 ? leaves[s->leaf[i]] : x ? ag_leaf(tape, x->shape, x->data, NULL) : NULL;
    }
    return inputs && tape->error.status == AG_OK ? tape_replay(node, tape, inputs) : NULL;
}

/* Copies an input's values for a leaf. */
static ag_status add_leaf(search *s, const ag_tensor *x)
{
    const size_t bytes = (size_t)x->size * sizeof(ag_real);
    ag_gradcheck_input *leaf = &s->leaves[s->leaf_count++];
    *leaf = (ag_gradcheck_input){.name = x->node ? x->node->op->name : "leaf",
                                 .shape = x->shape,
                                 .data = arena_alloc(&s->arena, bytes),
                                 .grad = arena_alloc(&s->arena, bytes)};
    if (!leaf->data || !leaf->grad)
        return AG_NO_MEMORY;
    if (bytes)
        memcpy(leaf->data, x->data, bytes);
    return AG_OK;
}

/* One leaf for each differentiable input; one that is given twice has one leaf. */
static ag_status make_leaves(search *s)
{
    const ag_node *node = s->node;
    const size_t count = (size_t)node->input_count;
    s->leaf_count = 0;
    s->leaf = arena_alloc(&s->arena, count * sizeof *s->leaf);
    s->leaves = arena_alloc(&s->arena, count * sizeof *s->leaves);
    ag_status status = s->leaf && s->leaves ? AG_OK : AG_NO_MEMORY;
    for (int i = 0; i < node->input_count && status == AG_OK; i++) {
        const ag_tensor *x = node->inputs[i];
        s->leaf[i] = -1;
        for (int j = 0; j < i && x; j++)
            if (node->inputs[j] == x)
                s->leaf[i] = s->leaf[j];
        if (x && x->needs_grad && s->leaf[i] < 0) {
            s->leaf[i] = s->leaf_count;
            status = add_leaf(s, x);
        }
    }
    return status;
}

/* Whether numbers can be compared at this node. */
static bool node_is_finite(const ag_node *node)
{
    double value;
    for (int i = 0; i < node->input_count; i++) {
        const ag_tensor *x = node->inputs[i];
        if (x && x->needs_grad && tape_find_nonfinite(x->data, x->size, &value))
            return false;
    }
    return !tape_find_nonfinite(node->output->data, node->output->size, &value);
}

/* Compares by elements, or by directions if there are any. */
static ag_status compare_by(search *s, int64_t elements, int directions, ag_gradcheck_report *report)
{
    s->options.elements = elements;
    s->options.directions = directions;
    gradcheck_begin(report);
    return gradcheck_run(replay_node, s, s->leaves, s->leaf_count, &s->options, gradcheck_compare, report, s->error);
}

/* Whether the node leaves a part of its gradient out on purpose, as embedding does for
 * the row of its padding: then its tangent rule leaves out the same. Runs the comparison
 * that failed again, of tangents. */
static ag_status modes_agree(search *s, const ag_gradcheck_report *failed, bool *agree)
{
    ag_gradcheck_report report;
    *agree = false;
    if (!s->node->op->jvp || failed->failed == 0)
        return AG_OK;
    s->options.forward_mode = true;
    ag_status status = compare_by(s, s->options.elements, s->options.directions, &report);
    s->options.forward_mode = false;
    *agree = report.failed == failed->failed && report.input == failed->input && report.index == failed->index &&
             gradcheck_error(report.analytic, failed->analytic) <= s->options.tolerance;
    return status;
}

/* The check of the node alone. */
static ag_status compare_node(search *s, ag_gradcheck_report *report)
{
    bool small = true;
    for (int i = 0; i < s->leaf_count; i++)
        small = small && ag_shape_size(s->leaves[i].shape) <= SMALL_INPUT;
    if (small)
        return compare_by(s, 0, 0, report);
    ag_status status = compare_by(s, s->elements, 0, report);
    if (status != AG_OK || report->worst_error > s->options.tolerance)
        return status;
    ag_gradcheck_report along;
    status = compare_by(s, 0, s->directions, &along);
    if (along.worst_error > s->options.tolerance || report->checked == 0)
        *report = along;
    return status;
}

/* Brings back the node's values that were forgotten. */
static ag_status recompute(const ag_node *node)
{
    ag_status status = tape_recompute_values(node->output);
    for (int i = 0; i < node->input_count && status == AG_OK; i++)
        status = tape_recompute_values(node->inputs[i]);
    return status;
}

/* Compares one node, and notes it if it is wrong. */
static ag_status visit(search *s, const ag_node *node)
{
    ag_gradcheck_location *location = s->location;
    ag_gradcheck_report report;
    if (!node->output->needs_grad || node->output->size == 0)
        return AG_OK;
    s->node = node;
    ag_status status = recompute(node);
    if (status != AG_OK)
        return ag_error_set(s->error, status, "%s", s->tape->error.message);
    if (!node_is_finite(node)) {
        location->skipped++;
        return AG_OK;
    }
    arena_rewind(&s->arena);
    status = make_leaves(s);
    if (status != AG_OK)
        return ag_error_set(s->error, status, "gradcheck: out of memory for the inputs of %.60s", node->op->name);
    status = compare_node(s, &report);
    if (status != AG_OK)
        return status;
    bool on_purpose = false;
    if (report.worst_error > s->options.tolerance)
        status = modes_agree(s, &report, &on_purpose);
    const bool unknown = on_purpose || (report.checked == 0 && report.worst_error < 0);
    location->compared += !unknown;
    location->skipped += unknown;
    if (report.worst_error > s->options.tolerance && !on_purpose) {
        location->node = node;
        location->report = report;
    }
    return status;
}

/* The tape's nodes, oldest first; NULL if memory is out. They are linked newest first. */
static const ag_node **list_nodes(const ag_tape *tape, ag_arena *arena, int64_t *count)
{
    *count = 0;
    for (const ag_node *node = tape->last; node; node = node->before)
        ++*count;
    const ag_node **nodes = arena_alloc(arena, (size_t)*count * sizeof *nodes);
    int64_t at = *count;
    for (const ag_node *node = tape->last; node && nodes; node = node->before)
        nodes[--at] = node;
    return nodes;
}

static void conclude(ag_gradcheck_location *location, int64_t count)
{
    const ag_node *node = location->node;
    if (!node) {
        ag_sentence_print(location->message, "no operation is wrong by itself: %lld compared, %lld that cannot be",
                          (long long)location->compared, (long long)location->skipped);
        return;
    }
    ag_text_print(location->location, AG_LOCATION_TEXT, "%.60s in %.80s (node %lld of %lld)", node->op->name,
                  *node->scope ? node->scope : "the outermost scope", (long long)location->number, (long long)count);
    ag_sentence_print(location->message, "%s: %s", location->location, location->report.message);
}

ag_status ag_gradcheck_locate(ag_tape *tape, const ag_gradcheck_options *options, ag_gradcheck_location *location,
                              ag_error *error)
{
    search s = {
        .tape = tape, .options = options ? *options : (ag_gradcheck_options){0}, .location = location, .error = error};
    ag_arena list = {0};
    int64_t count;
    if (!tape || !location)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: no tape, or no memory for the location");
    *location = (ag_gradcheck_location){.number = -1};
    s.options.summary_count = 0;
    ag_status status = gradcheck_start(&s.options, &location->report, error);
    if (status == AG_OK && tape->error.status != AG_OK)
        status = ag_error_set(error, tape->error.status, "%s", tape->error.message);
    s.elements = s.options.elements ? s.options.elements : SOME_ELEMENTS;
    s.directions = s.options.directions ? s.options.directions : SOME_DIRECTIONS;
    s.options.forward_mode = false;

    const ag_node **nodes = list_nodes(tape, &list, &count);
    if (status == AG_OK && !nodes)
        status =
            ag_error_set(error, AG_NO_MEMORY, "gradcheck: out of memory for a list of %lld nodes", (long long)count);
    for (int64_t n = 0; n < count && status == AG_OK && !location->node; n++) {
        location->number = n;
        status = visit(&s, nodes[n]);
    }
    if (!location->node)
        location->number = -1;
    tape_drop_recomputed(tape);
    arena_clear(&s.arena);
    arena_clear(&list);
    if (status == AG_OK)
        conclude(location, count);
    return status;
}
