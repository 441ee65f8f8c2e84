/* set_text.c - a data set for language models: a text file cut into windows.
 *
 * The file is mapped, and the offset of every context-th token is kept. Window i has the
 * tokens from i * context on, and its targets are the tokens one later: N tokens give N -
 * 1 targets. Only a text with Korean syllables that are decomposed is copied.
 *
 * Where byte pairs end depends on the text around them, so the text of a window may have
 * other tokens than the window: all ids of a text of DATA_BPE are kept.
 */
#include "hangul.h"
#include "set.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

typedef struct text_set {
    data_set base;
    data_view text;        /* the set's part of the file, or `jamo` */
    char *jamo;            /* the part with its syllables decomposed; NULL: it has none */
    int32_t *ids;          /* DATA_BPE: [token_count]; else NULL */
    int64_t token_count;   /* in the text */
    size_t *window_starts; /* [count]: the offset in `text` of (or of white space before)
                            * token i * context */
} text_set;

/* ---- The kind ---- */

/* The first token of window i, and its length. A moved window has the full length, and is
 * pushed back inside the text. */
static int64_t window_place(const text_set *set, int64_t i, int64_t shift, int64_t *length)
{
    int64_t context = set->base.options.context, targets = set->token_count - 1, start = i * context + shift;
    int64_t whole = context < targets ? context : targets;
    if (shift == 0) {
        *length = targets - start < context ? targets - start : context;
        return start;
    }
    *length = whole;
    return start < 0 ? 0 : start > targets - whole ? targets - whole : start;
}

/* Sets *token and *token_size to token number n, and moves *at past it. */
static void next_token(const text_set *set, int64_t n, size_t *at, const char **token, size_t *token_size)
{
    const data_vocab *vocab = set->base.target_vocab;
    if (!set->ids) {
        data_token_next(data_vocab_kind(vocab), set->text.text, set->text.size, at, token, token_size);
        return;
    }
    *token = set->text.text + *at;
    *token_size = data_vocab_decode(vocab, &set->ids[n], 1, NULL, 0);
    *at += *token_size;
}

static void window_texts(data_set *base, int64_t i, int64_t shift, data_view *source, data_view *target)
{
    const text_set *set = (text_set *)base;
    int64_t context = base->options.context, length, start = window_place(set, i, shift, &length);
    size_t at = set->window_starts[start / context], token_size = 0;
    const char *token = set->text.text;

    for (int64_t n = start - start % context; n < start; n++)
        next_token(set, n, &at, &token, &token_size);
    for (int64_t n = 0; n <= length; n++) {
        next_token(set, start + n, &at, &token, &token_size);
        if (n == 0)
            source->text = token;
        if (n == 1)
            target->text = token;
        if (n == length - 1)
            source->size = (size_t)(token + token_size - source->text);
    }
    target->size = (size_t)(token + token_size - target->text);
}

static const int32_t *window_ids(data_set *base, int64_t i, int64_t shift, int64_t *count)
{
    const text_set *set = (text_set *)base;
    const int64_t start = window_place(set, i, shift, count);
    return set->ids ? set->ids + start : NULL;
}

static int64_t window_tokens(data_set *base, int64_t i)
{
    int64_t length;
    window_place((text_set *)base, i, 0, &length);
    return length;
}

static void text_free(data_set *base)
{
    free(((text_set *)base)->window_starts);
    free(((text_set *)base)->ids);
    free(((text_set *)base)->jamo);
}

/* ---- Opening ---- */

static ag_status check_text(const text_set *set, ag_error *error)
{
    const char *text = (const char *)set->base.map.bytes;
    char reason[DATA_TEXT_REASON];
    const size_t bad = data_vocab_check(set->base.target_vocab, text, set->base.map.size, reason);
    return bad == set->base.map.size ? AG_OK : data_byte_refuse(set->base.name, text, bad, reason, error);
}

/* Where the held-out end of the text begins: at the first border between tokens after the
 * share of bytes that is kept. */
static size_t held_out_start(const text_set *set, data_view text)
{
    double kept = (double)text.size * (1 - set->base.options.held_out);
    size_t at = kept < (double)text.size ? (size_t)kept : text.size;
    while (at < text.size && ((unsigned char)text.text[at] & 0xC0) == 0x80) /* inside a character */
        at++;
    if (at > 0 && at < text.size && text.text[at - 1] == '\r' && text.text[at] == '\n') /* inside the end of a line */
        at++;
    if (data_vocab_kind(set->base.target_vocab) == DATA_WORDS)
        while (at < text.size && !data_utf8_space(text.text + at, text.size - at))
            at += (size_t)ag_utf8_length(text.text + at, text.size - at);
    return at;
}

static void choose_part(text_set *set)
{
    data_view text = {(const char *)set->base.map.bytes, set->base.map.size};
    size_t start = data_text_start(text.text, text.size);
    text = (data_view){text.text + start, text.size - start};
    text.size -= text.size > 0 && text.text[text.size - 1] == '\r'; /* it ends the last line (data_line_next) */
    size_t border = held_out_start(set, text);
    if (set->base.options.part == DATA_TRAIN)
        text.size = border;
    if (set->base.options.part == DATA_DEV)
        text = (data_view){text.text + border, text.size - border};
    set->text = text;
}

static bool has_syllables(data_view text)
{
    for (size_t at = 0; at < text.size; at++)
        if (data_hangul_next(text.text, text.size, &at))
            return true;
    return false;
}

/* Copies the text with its syllables decomposed, if it has any, since windows begin and
 * end between any two tokens. */
static ag_status decompose_text(text_set *set, ag_error *error)
{
    const char *token;
    size_t at = 0, token_size, size = 0;
    if (!has_syllables(set->text))
        return AG_OK;
    while (data_token_next(DATA_JAMO, set->text.text, set->text.size, &at, &token, &token_size))
        size += token_size;
    set->jamo = malloc(size);
    if (!set->jamo)
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory for its text with decomposed syllables",
                            set->base.name);
    size = at = 0;
    while (data_token_next(DATA_JAMO, set->text.text, set->text.size, &at, &token, &token_size)) {
        memcpy(set->jamo + size, token, token_size);
        size += token_size;
    }
    set->text = (data_view){set->jamo, size};
    return AG_OK;
}

/* Adds the tokens of the set's part to its vocabulary, or learns their merges. */
static ag_status fill_vocab(text_set *set, ag_error *error)
{
    data_vocab_maker maker;
    ag_status status = data_vocab_maker_begin(&maker, &set->base.target_vocab, set->base.options.merges, error);
    if (status == AG_OK)
        status = data_vocab_maker_add(&maker, set->text, error);
    return data_vocab_maker_end(&maker, status, error);
}

/* Counts the tokens; encodes those of DATA_BPE. */
static ag_status read_tokens(text_set *set, ag_error *error)
{
    const data_vocab *vocab = set->base.target_vocab;
    set->token_count = data_vocab_count(vocab, set->text.text, set->text.size);
    if (set->token_count >= 0 && data_vocab_kind(vocab) == DATA_BPE) {
        set->ids = malloc((size_t)(set->token_count + 1) * sizeof *set->ids);
        if (!set->ids || data_vocab_encode(vocab, set->text.text, set->text.size, set->ids, set->token_count, NULL) < 0)
            set->token_count = -1;
    }
    if (set->token_count < 0)
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory for its tokens", set->base.name);
    return AG_OK;
}

static ag_status measure_windows(text_set *set, ag_error *error)
{
    data_set *base = &set->base;
    int64_t context = base->options.context;
    if (set->token_count < 2)
        return ag_error_set(error, AG_BAD_FILE, "%s: %s fewer than 2 tokens, too few to predict one from another",
                            base->name, base->options.part == DATA_ALL ? "the file has" : "this part of the file has");
    int64_t targets = set->token_count - 1;
    base->count = (targets + context - 1) / context;
    base->max_target = targets < context ? targets : context;
    if (base->count > UINT32_MAX)
        return ag_error_set(error, AG_BAD_FILE, "%s: more than %lld windows (a longer context makes fewer)", base->name,
                            (long long)UINT32_MAX);
    if (base->options.max_tokens > 0 && base->max_target > base->options.max_tokens)
        return ag_error_set(error, AG_BAD_VALUE, "%s: windows of %lld %s are longer than the limit of %lld", base->name,
                            (long long)base->max_target, ag_plural(base->max_target, "token", "tokens"),
                            (long long)base->options.max_tokens);
    return AG_OK;
}

/* Finds where windows begin, and the bytes of the longest. */
static ag_status find_windows(text_set *set, ag_error *error)
{
    data_set *base = &set->base;
    int64_t context = base->options.context;
    const char *token;
    size_t at = 0, token_size;
    set->window_starts = malloc((size_t)base->count * sizeof *set->window_starts);
    if (!set->window_starts)
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory for an index of %lld %s", base->name,
                            (long long)base->count, ag_plural(base->count, "window", "windows"));
    for (int64_t window = 0; window < base->count; window++) {
        size_t start = set->window_starts[window] = at;
        for (int64_t n = window * context; n < (window + 1) * context && n < set->token_count; n++)
            next_token(set, n, &at, &token, &token_size);
        if (at - start > base->target_bytes)
            base->target_bytes = at - start;
    }
    return AG_OK;
}

/* Takes the words that the text has less than min_count times out of its vocabulary. */
static ag_status drop_rare_words(text_set *set, ag_error *error)
{
    data_set *base = &set->base;
    if (base->options.min_count <= 1 || data_vocab_kind(base->target_vocab) != DATA_WORDS)
        return AG_OK;
    int64_t *counts = calloc((size_t)data_vocab_size(base->target_vocab), sizeof *counts);
    if (!counts)
        return ag_error_set(error, AG_NO_MEMORY, "%s: no memory to count words", base->name);
    data_vocab_count_text(base->target_vocab, set->text, counts);
    ag_status status = data_vocab_keep(&base->target_vocab, counts, base->options.min_count, error);
    free(counts);
    return status;
}

static ag_status read_text(data_set *base, const data_vocab *source, const data_vocab *target, ag_error *error)
{
    text_set *set = (text_set *)base;
    (void)source;
    if (base->map.size == 0)
        return ag_error_set(error, AG_BAD_FILE, "%s: the file is empty", base->name);
    base->target_vocab = data_set_vocab(target, base->options.target_kind, error);
    if (!base->target_vocab)
        return AG_NO_MEMORY;
    ag_status status = check_text(set, error);
    if (status != AG_OK)
        return status;

    choose_part(set);
    if (data_vocab_kind(base->target_vocab) == DATA_JAMO)
        status = decompose_text(set, error);
    if (status == AG_OK && !target)
        status = fill_vocab(set, error);
    if (status == AG_OK && !target)
        status = drop_rare_words(set, error);
    if (status == AG_OK)
        status = read_tokens(set, error);
    if (status == AG_OK)
        status = measure_windows(set, error);
    if (status == AG_OK)
        status = find_windows(set, error);
    return status == AG_OK ? data_set_finish(base, error) : status;
}

static const data_set_kind text_kind = {.ids = window_ids,
                                        .texts = window_texts,
                                        .tokens = window_tokens,
                                        .read = read_text,
                                        .free_own = text_free,
                                        .size = sizeof(text_set),
                                        .is_text = true};

data_set *data_set_text(const char *path, const data_set_options *options, ag_error *error)
{
    if (options && options->tagging) {
        ag_error_set(error, AG_BAD_VALUE, "%s: a text file has no tags (a pair file has)", path);
        return NULL;
    }
    return data_set_open(&text_kind, path, NULL, options, error);
}
