/* set_task.c - a data set whose examples a task generates.
 *
 * Example i is drawn from the random stream (seed, i), again and again until it belongs
 * to the set's part. The part depends on a hash of the source without the seed, so a
 * DATA_DEV set of any seed is unseen by all DATA_TRAIN sets.
 */
#include "set.h"

#include <stdio.h>
#include <string.h>

enum {
    NEVER_HELD_OUT = 3, /* bytes of a source: so few sources are this short that each must
                         * be learnt from */
    PATIENCE = 100000   /* draws for the first example of a part before it counts as
                         * empty */
};

typedef struct task_set {
    data_set base;
    const data_task *task;
    uint64_t held_out_below; /* the limit of hashes that belong to DATA_DEV */
    char source[DATA_TASK_TEXT], target[DATA_TASK_TEXT];
} task_set;

/* Whether the drawn example belongs to the set's part. */
static bool belongs_to_part(const task_set *set, size_t source_size)
{
    if (set->base.options.part == DATA_ALL)
        return true;
    bool held_out = source_size > NEVER_HELD_OUT && data_hash(set->source, source_size, 0) < set->held_out_below;
    return held_out == (set->base.options.part == DATA_DEV);
}

/* Makes example i in set->source and set->target. False if `draws` draws give none of the
 * part. */
static bool draw_example(task_set *set, int64_t i, uint64_t draws)
{
    const data_set_options *options = &set->base.options;
    ag_rng rng = ag_rng_make(ag_seed_for(options->seed, AG_FOR_EXAMPLES), (uint64_t)i);
    for (uint64_t draw = 0; draw < draws; draw++) {
        set->task->make(&rng, options->min_length, options->max_length, set->source, set->target);
        if (belongs_to_part(set, strlen(set->source)))
            return true;
    }
    return false;
}

static void task_texts(data_set *base, int64_t i, int64_t shift, data_view *source, data_view *target)
{
    task_set *set = (task_set *)base;
    (void)shift;
    draw_example(set, i, UINT64_MAX);
    *source = (data_view){set->source, strlen(set->source)};
    *target = (data_view){set->target, strlen(set->target)};
}

static int64_t task_tokens(data_set *set, int64_t i)
{
    data_view source, target;
    task_texts(set, i, 0, &source, &target);
    const int64_t tokens = data_vocab_count(set->source_vocab, source.text, source.size) +
                           data_vocab_count(set->target_vocab, target.text, target.size);
    return tokens > 0 ? tokens : 0; /* a length by which the order sorts */
}

static const data_set_kind task_kind = {
    .texts = task_texts, .tokens = task_tokens, .size = sizeof(task_set), .endless = true};

/* ---- Making ---- */

static ag_status choose_lengths(task_set *set, ag_error *error)
{
    data_set_options *options = &set->base.options;
    const data_task *task = set->task;
    if (options->min_length == 0)
        options->min_length = task->default_min;
    if (options->max_length == 0)
        options->max_length = options->min_length > task->default_max ? options->min_length : task->default_max;
    if (options->min_length < 1 || options->max_length > task->longest)
        return ag_error_set(error, AG_BAD_VALUE, "task %s: lengths from %d to %d are outside of 1 to %d", task->name,
                            options->min_length, options->max_length, task->longest);
    if (options->min_length > options->max_length)
        return ag_error_set(error, AG_BAD_VALUE, "task %s: the shortest length %d is above the longest, %d", task->name,
                            options->min_length, options->max_length);
    return AG_OK;
}

static ag_status measure_task(task_set *set, ag_error *error)
{
    data_set *base = &set->base;
    const data_set_options *options = &base->options;
    int64_t end_mark = options->tagging ? 0 : 1;
    set->task->most_tokens(options->max_length, &base->max_source, &base->max_target);
    base->max_source += end_mark;
    base->max_target += end_mark;
    int64_t longest = base->max_source > base->max_target ? base->max_source : base->max_target;
    if (options->max_tokens > 0 && longest > options->max_tokens)
        return ag_error_set(error, AG_BAD_VALUE,
                            "task %s: lengths up to %d make up to %lld %s, more than the limit of %lld",
                            set->task->name, options->max_length, (long long)longest,
                            ag_plural(longest, "token", "tokens"), (long long)options->max_tokens);
    if (options->tagging && !set->task->same_length)
        return ag_error_set(error, AG_BAD_VALUE,
                            "task %s: its targets are not of the length of their sources, which tagging needs",
                            set->task->name);
    base->count = options->count;
    base->source_bytes = base->target_bytes = DATA_TASK_TEXT - 1;
    set->held_out_below = data_share_limit(options->held_out);
    if (!draw_example(set, 0, PATIENCE))
        return ag_error_set(error, AG_BAD_VALUE,
                            "task %s: with lengths from %d to %d and a held-out share of %g this part of the examples "
                            "is empty (greater lengths have more)",
                            set->task->name, options->min_length, options->max_length, options->held_out);
    return AG_OK;
}

/* A copy of the given vocabulary, or one of the task's symbols. */
static ag_status make_vocab(data_vocab **vocab, const data_vocab *given, data_token_kind kind, const char *symbols,
                            ag_error *error)
{
    *vocab = data_set_vocab(given, kind, error);
    if (!*vocab)
        return AG_NO_MEMORY;
    data_vocab_maker maker;
    ag_status status = data_vocab_maker_begin(&maker, given ? NULL : vocab, -1, error);
    if (status == AG_OK)
        status = data_vocab_maker_add(&maker, (data_view){symbols, strlen(symbols)}, error);
    return data_vocab_maker_end(&maker, status, error);
}

data_set *data_set_task(const data_task *task, const data_set_options *options, ag_error *error)
{
    char name[64];
    if (!task) {
        ag_error_set(error, AG_BAD_VALUE, "there is no such task");
        return NULL;
    }
    if (!task->name || !task->make || !task->most_tokens || !task->source_symbols || !task->target_symbols) {
        ag_error_set(error, AG_BAD_VALUE,
                     "the task %.60s is incomplete: it needs name, make, most_tokens and the symbols of both sides",
                     task->name ? task->name : "without a name");
        return NULL;
    }
    snprintf(name, sizeof name, "task %s", task->name);
    data_set *base = data_set_new(&task_kind, name, options, error);
    task_set *set = (task_set *)base;
    if (!set)
        return NULL;
    set->task = task;
    if (choose_lengths(set, error) != AG_OK || measure_task(set, error) != AG_OK ||
        make_vocab(&base->source_vocab, options ? options->source_vocab : NULL, task->source_kind, task->source_symbols,
                   error) != AG_OK ||
        make_vocab(&base->target_vocab, options ? options->target_vocab : NULL, task->target_kind, task->target_symbols,
                   error) != AG_OK ||
        data_set_finish(base, error) != AG_OK) {
        data_set_free(base);
        return NULL;
    }
    return base;
}
