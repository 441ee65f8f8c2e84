/* groups.c - the examples of a set grouped by source, for metrics that compare an output
 * with the nearest of several right answers.
 *
 * A hash table finds for each example the group of its source; then the examples are laid
 * out group after group. Made when first needed.
 */
#include "set.h"

#include <stdlib.h>
#include <string.h>

#define NO_GROUP UINT32_MAX

/* Scratch memory for making the groups. */
typedef struct grouping {
    uint32_t *slots;    /* [slot_count] group or NO_GROUP */
    size_t slot_count;  /* a power of two */
    uint32_t *group_of; /* [examples] */
    uint32_t *first_of; /* [examples, of which `groups` are used]: a group's first
                         * example */
    uint32_t groups;
} grouping;

void data_groups_clear(data_groups *groups)
{
    free(groups->members);
    free(groups->starts);
    *groups = (data_groups){0};
}

/* The group of example i, a new one if needed; its source [size] is in
 * set->source_copy. */
static uint32_t find_group(data_set *set, grouping *work, uint32_t i, size_t size)
{
    uint64_t key = ag_seed_for(set->options.seed, AG_FOR_SPLIT);
    size_t mask = work->slot_count - 1, slot = (size_t)data_hash(set->source_copy, size, key) & mask;
    for (; work->slots[slot] != NO_GROUP; slot = (slot + 1) & mask) {
        data_view source, target;
        uint32_t group = work->slots[slot];
        set->kind->texts(set, work->first_of[group], 0, &source, &target);
        if (source.size == size && memcmp(source.text, set->source_copy, size) == 0)
            return group;
    }
    work->slots[slot] = work->groups;
    work->first_of[work->groups] = i;
    return work->groups++;
}

/* Counts the members of each group, then appends each example to its group. */
static void lay_out(data_groups *groups, const grouping *work, int64_t count)
{
    uint32_t *starts = groups->starts;
    memset(starts, 0, ((size_t)work->groups + 1) * sizeof *starts);
    for (int64_t i = 0; i < count; i++)
        starts[work->group_of[i] + 1]++;
    for (uint32_t group = 0; group < work->groups; group++)
        starts[group + 1] += starts[group];
    /* first_of is free now, and counts the members placed so far. */
    memset(work->first_of, 0, (size_t)count * sizeof *work->first_of);
    for (int64_t i = 0; i < count; i++) {
        uint32_t group = work->group_of[i];
        groups->members[starts[group] + work->first_of[group]++] = (uint32_t)i;
    }
    groups->count = work->groups;
}

static void group_all(data_set *set, grouping *work)
{
    memset(work->slots, 0xFF, work->slot_count * sizeof *work->slots); /* NO_GROUP */
    for (int64_t i = 0; i < set->count; i++) {
        data_view source, target;
        set->kind->texts(set, i, 0, &source, &target);
        memcpy(set->source_copy, source.text, source.size);
        work->group_of[i] = find_group(set, work, (uint32_t)i, source.size);
    }
}

/* Makes the groups unless they exist. False when memory is out. */
static bool make_groups(data_set *set)
{
    data_groups *groups = &set->groups;
    if (groups->starts || set->kind->is_text)
        return true;
    size_t count = (size_t)set->count;
    grouping work = {.slot_count = 64};
    while (work.slot_count / 2 < count)
        work.slot_count *= 2;
    work.slots = malloc(work.slot_count * sizeof *work.slots);
    work.group_of = malloc(count * sizeof *work.group_of);
    work.first_of = malloc(count * sizeof *work.first_of);
    groups->members = malloc(count * sizeof *groups->members);

    bool done = work.slots && work.group_of && work.first_of && groups->members;
    if (done) {
        group_all(set, &work);
        groups->starts = malloc(((size_t)work.groups + 1) * sizeof *groups->starts);
        done = groups->starts != NULL;
    }
    if (done)
        lay_out(groups, &work, set->count);
    else
        data_groups_clear(groups);
    free(work.slots);
    free(work.group_of);
    free(work.first_of);
    return done;
}

int64_t data_set_source_count(data_set *set)
{
    return make_groups(set) ? set->groups.count : -1;
}

int64_t data_set_target_count(data_set *set, int64_t s)
{
    if (!make_groups(set) || s < 0 || s >= set->groups.count)
        return 0;
    return set->groups.starts[s + 1] - set->groups.starts[s];
}

int64_t data_set_target_index(data_set *set, int64_t s, int64_t r)
{
    if (r < 0 || r >= data_set_target_count(set, s))
        return -1;
    return set->groups.members[set->groups.starts[s] + (uint32_t)r];
}
