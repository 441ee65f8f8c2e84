/* set.c - what all kinds of data set share: options, opening, vocabularies, examples. */
#include "set.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_COUNT = 10000, DEFAULT_CONTEXT = 128, DEFAULT_MAX_HELD_OUT = 2000 };
#define DEFAULT_HELD_OUT 0.05
#define LARGEST_CONTEXT  ((int64_t)1 << 30)

/* ---- Options ---- */

static ag_status check_options(const data_set_options *options, ag_error *error)
{
    if (!(options->held_out > 0 && options->held_out < 1))
        return ag_error_set(error, AG_BAD_VALUE, "the held-out share must be between 0 and 1, not %g",
                            options->held_out);
    if (options->part != DATA_ALL && options->part != DATA_TRAIN && options->part != DATA_DEV)
        return ag_error_set(error, AG_BAD_VALUE, "there is no part %d of a data set", (int)options->part);
    if (!data_token_kind_name((int)options->source_kind) || !data_token_kind_name((int)options->target_kind))
        return ag_error_set(error, AG_BAD_VALUE, "tokens are characters, words, byte pairs or jamo, not kind %d and %d",
                            (int)options->source_kind, (int)options->target_kind);
    if (options->max_held_out < 0 || options->max_tokens < 0)
        return ag_error_set(error, AG_BAD_VALUE, "max_held_out %lld and max_tokens %lld must not be negative",
                            (long long)options->max_held_out, (long long)options->max_tokens);
    if (options->min_count < 0)
        return ag_error_set(error, AG_BAD_VALUE, "min_count is %lld and must not be negative",
                            (long long)options->min_count);
    if (options->merges < -1)
        return ag_error_set(error, AG_BAD_VALUE, "merges %lld: 0 means the default, and -1 none",
                            (long long)options->merges);
    if (options->count < 1 || options->count > UINT32_MAX)
        return ag_error_set(error, AG_BAD_VALUE, "an epoch has from 1 to %lld examples, not %lld",
                            (long long)UINT32_MAX, (long long)options->count);
    if (options->context < 1 || options->context > LARGEST_CONTEXT)
        return ag_error_set(error, AG_BAD_VALUE, "a window has from 1 to %lld tokens of context, not %lld",
                            (long long)LARGEST_CONTEXT, (long long)options->context);
    return AG_OK;
}

static data_set_options complete_options(const data_set_options *given)
{
    data_set_options options = given ? *given : (data_set_options){0};
    if (options.held_out == 0)
        options.held_out = DEFAULT_HELD_OUT;
    if (options.max_held_out == 0)
        options.max_held_out = DEFAULT_MAX_HELD_OUT;
    if (options.count == 0)
        options.count = DEFAULT_COUNT;
    if (options.context == 0)
        options.context = DEFAULT_CONTEXT;
    /* the caller's: the set keeps no pointer to them */
    options.source_vocab = options.target_vocab = NULL;
    return options;
}

/* ---- Making and freeing ---- */

/* Makes the texts of the options' format the set's own. */
static bool own_format(data_set *set)
{
    data_format *format = &set->options.format;
    const char **const texts[] = {&format->columns, &format->targets};
    size_t sizes[2], at = 0;
    for (int i = 0; i < 2; i++)
        sizes[i] = *texts[i] ? strlen(*texts[i]) + 1 : 0;
    if (sizes[0] + sizes[1] == 0)
        return true;
    set->format_texts = malloc(sizes[0] + sizes[1]);
    for (int i = 0; i < 2 && set->format_texts; at += sizes[i++])
        if (sizes[i])
            *texts[i] = memcpy(set->format_texts + at, *texts[i], sizes[i]);
    return set->format_texts != NULL;
}

data_set *data_set_new(const data_set_kind *kind, const char *name, const data_set_options *options, ag_error *error)
{
    data_set_options complete = complete_options(options);
    if (check_options(&complete, error) != AG_OK)
        return NULL;
    data_set *set = calloc(1, kind->size);
    size_t name_size = strlen(name) + 1;
    char *copy = malloc(name_size);
    if (set)
        set->options = complete;
    if (!set || !copy || !own_format(set)) {
        free(set);
        free(copy);
        ag_error_set(error, AG_NO_MEMORY, "%s: no memory for a data set", name);
        return NULL;
    }
    memcpy(copy, name, name_size);
    set->kind = kind;
    set->name = copy;
    return set;
}

/* Opens the second of two parallel files, or takes that of another set. */
static ag_status open_targets(data_set *set, const data_set *of, ag_error *error)
{
    const char *path = set->options.format.targets;
    if (!path)
        return ag_error_set(error, AG_BAD_VALUE, "%s: which file has the targets?", set->name);
    set->options.format.targets = data_map_name(path);
    return of ? data_map_again(&set->targets_map, &of->targets_map, set->options.format.targets, error)
              : data_map_open(&set->targets_map, path, error);
}

data_set *data_set_open(const data_set_kind *kind, const char *path, const data_set *of,
                        const data_set_options *options, ag_error *error)
{
    const char *name = of ? of->name : data_map_name(path);
    data_set *set = data_set_new(kind, name, options, error);
    if (!set)
        return NULL;
    ag_status status = of ? data_map_again(&set->map, &of->map, name, error) : data_map_open(&set->map, path, error);
    if (status == AG_OK && set->options.format.kind == DATA_PARALLEL)
        status = open_targets(set, of, error);
    if (status == AG_OK)
        status = kind->read(set, options ? options->source_vocab : NULL, options ? options->target_vocab : NULL, error);
    if (status == AG_OK)
        return set;
    data_set_free(set);
    return NULL;
}

ag_status data_set_finish(data_set *set, ag_error *error)
{
    const bool has_ends = !set->kind->is_text && !set->options.tagging;
    if (has_ends && (data_vocab_marks(set->source_vocab)[DATA_EOS] == DATA_NONE ||
                     data_vocab_marks(set->target_vocab)[DATA_EOS] == DATA_NONE ||
                     data_vocab_marks(set->target_vocab)[DATA_BOS] == DATA_NONE))
        return ag_error_set(error, AG_BAD_VALUE,
                            "%s: pairs need an end mark in both vocabularies and a begin mark in that of the targets",
                            set->name);
    set->source_copy = malloc(set->source_bytes + 1);
    set->target_copy = malloc(set->target_bytes + 1);
    if (!set->source_copy || !set->target_copy)
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory for the texts of an example", set->name);
    /* all of it was read, and batches need a few lines at a time */
    data_map_rest(&set->map);
    return AG_OK;
}

data_set *data_set_held_out(const data_set *set, ag_error *error)
{
    data_set_options options = set->options;
    options.part = DATA_DEV;
    options.source_vocab = set->source_vocab;
    options.target_vocab = set->target_vocab;
    if (set->kind->read && set->options.part == DATA_TRAIN)
        return data_set_open(set->kind, set->name, set, &options, error);
    ag_error_set(error, AG_BAD_VALUE, "%s: only the DATA_TRAIN part of a pair or text file has a held-out part",
                 set->name);
    return NULL;
}

void data_set_free(data_set *set)
{
    if (!set)
        return;
    if (set->kind->free_own)
        set->kind->free_own(set);
    data_map_close(&set->map);
    data_map_close(&set->targets_map);
    free(set->format_texts);
    data_order_clear(&set->order);
    data_groups_clear(&set->groups);
    data_vocab_free(set->source_vocab);
    data_vocab_free(set->target_vocab);
    free(set->source_copy);
    free(set->target_copy);
    free((void *)set->name);
    free(set);
}

uint64_t data_share_limit(double share)
{
    return (uint64_t)(share * 0x1p64);
}

/* ---- Reading a set ---- */

int64_t data_set_count(const data_set *set)
{
    return set->count;
}

const char *data_set_name(const data_set *set)
{
    return set->name;
}

data_left_out data_set_left_out(const data_set *set)
{
    return set->left_out;
}

const data_vocab *data_set_source_vocab(const data_set *set)
{
    return set->source_vocab;
}

const data_vocab *data_set_target_vocab(const data_set *set)
{
    return set->target_vocab;
}

int64_t data_set_max_source(const data_set *set)
{
    return set->max_source;
}

int64_t data_set_max_target(const data_set *set)
{
    return set->max_target;
}

/* Copies a text, cut to `room` bytes, with a final zero. */
static const char *copy_view(char *buffer, size_t room, data_view view)
{
    size_t size = view.size < room ? view.size : room;
    memcpy(buffer, view.text, size);
    buffer[size] = '\0';
    return buffer;
}

int64_t data_set_line(data_set *set, int64_t i)
{
    return set->kind->line && i >= 0 && i < set->count ? set->kind->line(set, i) : 0;
}

void data_set_example(data_set *set, int64_t i, const char **source, const char **target)
{
    data_view source_view, target_view;
    *source = *target = NULL;
    if (i < 0 || (i >= set->count && !set->kind->endless))
        return;
    set->kind->texts(set, i, 0, &source_view, &target_view);
    if (set->kind->is_text) {
        *target = copy_view(set->target_copy, set->target_bytes, source_view);
        return;
    }
    *source = copy_view(set->source_copy, set->source_bytes, source_view);
    *target = copy_view(set->target_copy, set->target_bytes, target_view);
}

uint64_t data_set_fingerprint(data_set *set)
{
    const int64_t stretch = INT64_C(1) << 18; /* examples after which the file's pages are
                                               * released */
    uint64_t hash = (uint64_t)set->count;
    for (int64_t i = 0; i < set->count; i++) {
        if (i % stretch == 0)
            data_map_rest(&set->map);
        data_view source = {0}, target = {0};
        set->kind->texts(set, i, 0, &source, &target);
        hash = data_hash(source.text, source.size, hash);
        hash = data_hash(target.text, target.size, hash);
    }
    return hash;
}
