/* tags.c - the tags of a tagger, each with its precision, recall and F1. */
#include "decode.h"

#include <stdlib.h>
#include <string.h>

void train_tags_clear(train_tags *tags)
{
    for (int64_t i = 0; i < tags->count; i++)
        free(tags->items[i].name);
    free(tags->items);
    *tags = (train_tags){0};
}

ag_status train_tags_begin(train_tags *tags, const data_vocab *vocab, ag_error *error)
{
    train_tags_clear(tags);
    tags->items = calloc((size_t)data_vocab_size(vocab), sizeof *tags->items);
    for (int32_t id = 0; tags->items && id < data_vocab_size(vocab); id++) {
        const char *name = data_vocab_token(vocab, id);
        const size_t size = strlen(name) + 1;
        tags->items[id].name = malloc(size);
        if (!tags->items[id].name)
            break;
        memcpy(tags->items[id].name, name, size);
        tags->count++;
    }
    if (tags->count == data_vocab_size(vocab))
        return AG_OK;
    train_tags_clear(tags);
    return ag_error_set(error, AG_NO_MEMORY, "no memory for the counts of %d %s", (int)data_vocab_size(vocab),
                        ag_plural(data_vocab_size(vocab), "tag", "tags"));
}

void train_tags_add(train_tags *tags, const int32_t *output, const int32_t *target, int64_t length)
{
    for (int64_t i = 0; i < length; i++) {
        tags->items[output[i]].given++;
        if (target[i] >= 0)
            tags->items[target[i]].wanted++;
        if (target[i] == output[i])
            tags->items[output[i]].right++;
        tags->right += target[i] == output[i];
        tags->tokens++;
    }
}

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static int by_wanted(const void *a, const void *b)
{
    const train_tag *x = a, *y = b;
    if (x->wanted != y->wanted)
        return x->wanted > y->wanted ? -1 : 1;
    return strcmp(x->name, y->name);
}

void train_tags_end(train_tags *tags)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < tags->count; i++) {
        train_tag tag = tags->items[i];
        if (tag.given == 0 && tag.wanted == 0) {
            free(tag.name);
            continue;
        }
        tag.precision = share(tag.right, tag.given);
        tag.recall = share(tag.right, tag.wanted);
        tag.f1 = share(2 * tag.right, tag.given + tag.wanted);
        tags->macro_f1 += tag.f1;
        tags->items[kept++] = tag;
    }
    tags->count = kept;
    tags->accuracy = share(tags->right, tags->tokens);
    tags->macro_f1 /= kept > 0 ? (double)kept : 1;
    if (kept > 1)
        qsort(tags->items, (size_t)kept, sizeof *tags->items, by_wanted);
}
