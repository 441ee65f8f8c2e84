/* masks.c - see masks.h. */
#include "masks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- As text ----------------------------------------------------------------------- */

const char *const playground_card_names[PLAYGROUND_CARDS] = {"source", "target", "cross"};
const char *const playground_pattern_names[PLAYGROUND_PATTERNS] = {"all", "causal", "leak", "window", "prefix", "own"};
static const char padding[] = ",padding";

static ag_status bad_mask(const char *name, const char *text, ag_error *error)
{
    return ag_error_set(error, AG_BAD_VALUE,
                        "%s=%.60s: expected all, causal, leak, window:N, prefix:N with N from 0 to %d, or "
                        "own:ROWSxCOLUMNS:CELLS with up to %d of each, and \",padding\" after it if it sees padding",
                        name, text, PLAYGROUND_SIDE, PLAYGROUND_SIDE);
}

/* Reads a number up to PLAYGROUND_SIDE and moves *text past it; -1 if there is none. */
static int read_count(const char **text)
{
    int number = 0;
    const char *at = *text;
    for (; *at >= '0' && *at <= '9' && number <= PLAYGROUND_SIDE; at++)
        number = 10 * number + *at - '0';
    if (at == *text || number > PLAYGROUND_SIDE)
        return -1;
    *text = at;
    return number;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* Reads "4x5:8CEF0" and moves *text past it. */
static bool read_cells(playground_mask *mask, const char **text)
{
    mask->rows = read_count(text);
    if (mask->rows < 1 || *(*text)++ != 'x')
        return false;
    mask->columns = read_count(text);
    if (mask->columns < 1 || *(*text)++ != ':')
        return false;
    for (int i = 0; i < mask->rows * mask->columns; i++) {
        const int digit = digit_of((*text)[i / 4]);
        if (digit < 0)
            return false;
        mask->cells[i] = digit >> (3 - i % 4) & 1;
    }
    *text += (mask->rows * mask->columns + 3) / 4;
    return true;
}

ag_status playground_mask_read(playground_mask *mask, const char *name, const char *text, ag_error *error)
{
    playground_mask read = {0};
    const char *at = text;
    int pattern = 0;
    size_t length = strcspn(text, ":,");
    while (pattern < PLAYGROUND_PATTERNS && (strlen(playground_pattern_names[pattern]) != length ||
                                             strncmp(playground_pattern_names[pattern], text, length) != 0))
        pattern++;
    if (pattern == PLAYGROUND_PATTERNS)
        return bad_mask(name, text, error);
    read.pattern = (playground_pattern)pattern;
    at += length;
    if (pattern >= PLAYGROUND_WINDOW && *at++ != ':')
        return bad_mask(name, text, error);
    if (pattern == PLAYGROUND_OWN && !read_cells(&read, &at))
        return bad_mask(name, text, error);
    if (pattern == PLAYGROUND_WINDOW || pattern == PLAYGROUND_PREFIX)
        read.number = read_count(&at);
    read.sees_padding = !strcmp(at, padding);
    if (read.number < 0 || (*at && !read.sees_padding))
        return bad_mask(name, text, error);
    *mask = read;
    return AG_OK;
}

void playground_mask_print(const playground_mask *mask, char text[PLAYGROUND_MASK_TEXT])
{
    int used = snprintf(text, PLAYGROUND_MASK_TEXT, "%s", playground_pattern_names[mask->pattern]);
    if (mask->pattern == PLAYGROUND_WINDOW || mask->pattern == PLAYGROUND_PREFIX)
        used += snprintf(text + used, (size_t)(PLAYGROUND_MASK_TEXT - used), ":%d", mask->number);
    if (mask->pattern == PLAYGROUND_OWN) {
        used += snprintf(text + used, (size_t)(PLAYGROUND_MASK_TEXT - used), ":%dx%d:", mask->rows, mask->columns);
        for (int i = 0; i < mask->rows * mask->columns; i += 4) {
            int digit = 0;
            for (int k = i; k < i + 4; k++)
                digit = 2 * digit + (k < mask->rows * mask->columns && mask->cells[k]);
            text[used++] = "0123456789ABCDEF"[digit];
        }
    }
    snprintf(text + used, (size_t)(PLAYGROUND_MASK_TEXT - used), "%s", mask->sees_padding ? padding : "");
}

/* ---- On a tape --------------------------------------------------------------------- */

bool playground_mask_allows(const playground_mask *mask, int64_t i, int64_t j)
{
    switch (mask->pattern) {
    case PLAYGROUND_CAUSAL:
        return j <= i;
    case PLAYGROUND_LEAK:
        return j <= i + 1;
    case PLAYGROUND_WINDOW:
        return llabs(i - j) <= mask->number;
    case PLAYGROUND_PREFIX:
        return j <= i || j < mask->number;
    case PLAYGROUND_OWN:
        i = i < mask->rows ? i : mask->rows - 1;
        j = j < mask->columns ? j : mask->columns - 1;
        return mask->cells[i * mask->columns + j];
    default:
        return true;
    }
}

/* The cells of an own mask for this many queries and keys. */
static const ag_mask *make_cells(const playground_mask *mask, ag_tape *tape, int64_t queries, int64_t keys)
{
    unsigned char *allow = ag_tape_alloc(tape, (size_t)(queries * keys));
    for (int64_t i = 0; allow && i < queries * keys; i++)
        allow[i] = playground_mask_allows(mask, i / keys, i % keys);
    return allow ? ag_mask_explicit(tape, 1, 1, queries, keys, allow) : NULL;
}

static const ag_mask *make_pattern(const playground_mask *mask, ag_tape *tape, int64_t queries, int64_t keys)
{
    switch (mask->pattern) {
    case PLAYGROUND_CAUSAL:
        return ag_mask_causal(tape, 0);
    case PLAYGROUND_LEAK:
        return ag_mask_causal(tape, 1);
    case PLAYGROUND_WINDOW:
        return ag_mask_window(tape, mask->number, mask->number);
    case PLAYGROUND_PREFIX:
        return ag_mask_or(tape, ag_mask_causal(tape, 0), ag_mask_prefix(tape, mask->number));
    case PLAYGROUND_OWN:
        return make_cells(mask, tape, queries, keys);
    default:
        return ag_mask_all(tape);
    }
}

void playground_masks_apply(const playground_mask *masks, ag_tape *tape, nn_input *input)
{
    const int64_t lengths[] = {input->source_length, input->target_length};
    const int32_t *const held[] = {input->source_lengths, input->target_lengths};
    const ag_mask **const places[] = {&input->encoder_mask, &input->decoder_mask, &input->cross_mask};
    for (int card = 0; card < PLAYGROUND_CARDS; card++) {
        const int query = card != PLAYGROUND_SOURCE, key = card == PLAYGROUND_TARGET;
        const playground_mask *mask = &masks[card];
        if ((query ? !input->target : !input->source) || (key ? !input->target : !input->source))
            continue;
        const ag_mask *made = make_pattern(mask, tape, lengths[query], lengths[key]);
        if (held[key] && !mask->sees_padding)
            made = ag_mask_and(tape, made, ag_mask_key_lengths(tape, input->rows, held[key]));
        *places[card] = made;
    }
}
