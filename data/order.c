/* order.c - the order in which an epoch uses its examples.
 *
 * The examples are shuffled and cut into pools of 64 batches; each pool is sorted by
 * length and cut into batches; the batches are shuffled. So the rows of a batch have
 * similar lengths and little padding, and yet in every epoch an example meets other
 * examples and the lengths come in another order. All of it is a function of (seed,
 * epoch, rows): a resumed run needs no stored state.
 */
#include "set.h"

#include <stdlib.h>
#include <string.h>

enum { POOL_BATCHES = 64 };

void data_order_clear(data_order *order)
{
    free(order->examples);
    free(order->batches);
    free(order->pool);
    free(order->lengths);
    free(order->starts);
    *order = (data_order){0};
}

int64_t data_epoch_first(const data_set *set, uint64_t epoch)
{
    /* No run reaches 2^62 examples; cutting off the bits above keeps sums from
     * overflowing. */
    return set->kind->endless ? (int64_t)(epoch * (uint64_t)set->count & (UINT64_MAX >> 2)) : 0;
}

int64_t data_set_batches(const data_set *set, int64_t rows)
{
    if (rows < 1)
        return 0;
    return set->count / rows + (set->count % rows != 0);
}

/* Replaces an array by a larger one, whose content is undefined. */
static bool replace_array(uint32_t **array, size_t wanted)
{
    free(*array);
    *array = wanted <= SIZE_MAX / sizeof **array ? malloc(wanted * sizeof **array) : NULL;
    return *array != NULL;
}

static int64_t longest_example(const data_set *set)
{
    return set->max_source + set->max_target;
}

static int64_t pool_rows(const data_set *set, int64_t rows)
{
    return rows > set->count / POOL_BATCHES ? set->count : rows * POOL_BATCHES;
}

/* Memory grows with the number of batches and the size of a pool, and never shrinks. */
static bool reserve_order(data_set *set, int64_t rows)
{
    data_order *order = &set->order;
    size_t batches = (size_t)data_set_batches(set, rows), pool = (size_t)pool_rows(set, rows);
    order->rows = 0; /* no order until the new one is complete */
    if (!order->examples && !replace_array(&order->examples, (size_t)set->count))
        return false;
    if (!order->starts && !replace_array(&order->starts, (size_t)longest_example(set) + 2))
        return false;
    if (batches > order->batch_capacity) {
        order->batch_capacity = 0;
        if (!replace_array(&order->batches, batches))
            return false;
        order->batch_capacity = batches;
    }
    if (pool > order->pool_capacity) {
        order->pool_capacity = 0;
        if (!replace_array(&order->pool, pool) || !replace_array(&order->lengths, pool))
            return false;
        order->pool_capacity = pool;
    }
    return true;
}

/* Sets values to 0 .. count-1 in a random order (Fisher and Yates, in Durstenfeld's
 * form). */
static void shuffle(uint32_t *values, int64_t count, ag_rng *rng)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = (uint32_t)i;
    for (int64_t last = count - 1; last > 0; last--) {
        int64_t other = (int64_t)ag_rng_below(rng, (uint64_t)last + 1);
        uint32_t kept = values[last];
        values[last] = values[other];
        values[other] = kept;
    }
}

/* Sorts examples[0..size) by length, stably, with a counting sort. `first` is the epoch's
 * first example. */
static void sort_pool(data_set *set, uint32_t *examples, int64_t size, int64_t first)
{
    data_order *order = &set->order;
    int64_t longest = longest_example(set);
    uint32_t *starts = order->starts;
    memset(starts, 0, ((size_t)longest + 2) * sizeof *starts);
    for (int64_t i = 0; i < size; i++) {
        int64_t length = set->kind->tokens(set, first + examples[i]);
        order->lengths[i] = (uint32_t)(length < longest ? length : longest);
        order->pool[i] = examples[i];
        starts[order->lengths[i] + 1]++;
    }
    for (int64_t length = 0; length < longest; length++)
        starts[length + 1] += starts[length];
    for (int64_t i = 0; i < size; i++)
        examples[starts[order->lengths[i]]++] = order->pool[i];
}

ag_status data_order_make(data_set *set, int64_t rows, uint64_t epoch, ag_error *error)
{
    data_order *order = &set->order;
    if (order->rows == rows && order->epoch == epoch)
        return AG_OK;
    if (!reserve_order(set, rows))
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory for the order of %lld %s", set->name,
                            (long long)set->count, ag_plural(set->count, "example", "examples"));

    ag_rng rng = ag_rng_make(ag_seed_for(set->options.seed, AG_FOR_ORDER), epoch);
    int64_t pool = pool_rows(set, rows), first = data_epoch_first(set, epoch);
    shuffle(order->examples, set->count, &rng);
    for (int64_t at = 0; at < set->count; at += pool)
        sort_pool(set, order->examples + at, pool < set->count - at ? pool : set->count - at, first);
    shuffle(order->batches, data_set_batches(set, rows), &rng);
    order->epoch = epoch;
    order->rows = rows;
    return AG_OK;
}
