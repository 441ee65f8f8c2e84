/* mask.c - masks: which query may look at which key, as an expression and not as an
 * array.
 *
 * Most rows of most masks are one interval of keys. Rows of causal, padding, window and
 * prefix masks always are, and `and` makes an interval of two. mask_range computes with
 * the intervals' ends alone, so the cost of attention is that of the keys that a mask
 * allows. Only rows with holes are written out, key by key. */
#include "mask.h"
#include "tape.h"

#include <math.h>
#include <string.h>

typedef enum mask_kind {
    MASK_ALL,
    MASK_CAUSAL,
    MASK_KEY_LENGTHS,
    MASK_QUERY_LENGTHS,
    MASK_WINDOW,
    MASK_PREFIX,
    MASK_EXPLICIT,
    MASK_BIAS,
    MASK_AND,
    MASK_OR,
    MASK_NOT
} mask_kind;

/* One part of an expression. It never changes. Fields that its kind does not use are
 * 0. */
struct ag_mask {
    mask_kind kind;
    int parts;                  /* in the expression from here down */
    int64_t left, right;        /* window; `right`: causal offset, prefix length */
    int64_t size[4], step[4];   /* array [batch, heads, queries, keys]: sizes and strides
                                 * (0: it stretches); lengths: size[0] is the batch */
    const int32_t *lengths;     /* [batch] */
    const unsigned char *allow; /* explicit: 0 or 1 each */
    const ag_real *bias;        /* -inf forbids */
    const ag_mask *a, *b;
};

/* Functions here recurse over the expression. With this limit the stack stays small and a
 * row is computed in little time. */
#define MOST_PARTS 256

/* Keys of a row that are computed together. */
#define CHUNK 256

/* ---- Constructors ------------------------------------------------------------------ */

static ag_mask *mask_new(ag_tape *tape, ag_mask value)
{
    ag_mask *mask = tape ? ag_tape_alloc(tape, sizeof *mask) : NULL;
    if (!mask)
        return NULL;
    *mask = value;
    if (!mask->parts)
        mask->parts = 1;
    return mask;
}

ag_mask *ag_mask_all(ag_tape *tape)
{
    return mask_new(tape, (ag_mask){.kind = MASK_ALL});
}

ag_mask *ag_mask_causal(ag_tape *tape, int64_t offset)
{
    return mask_new(tape, (ag_mask){.kind = MASK_CAUSAL, .right = offset});
}

ag_mask *ag_mask_window(ag_tape *tape, int64_t left, int64_t right)
{
    return mask_new(tape, (ag_mask){.kind = MASK_WINDOW, .left = left, .right = right});
}

ag_mask *ag_mask_prefix(ag_tape *tape, int64_t length)
{
    if (tape && length < 0) {
        ag_error_set(&tape->error, AG_BAD_VALUE, "mask: a prefix of %lld %s: the length is 0 or more",
                     (long long)length, ag_plural(length, "key", "keys"));
        return NULL;
    }
    return mask_new(tape, (ag_mask){.kind = MASK_PREFIX, .right = length});
}

static ag_mask *mask_lengths(ag_tape *tape, mask_kind kind, int64_t batch, const int32_t *lengths)
{
    const char *whose = kind == MASK_KEY_LENGTHS ? "key" : "query";
    if (!tape)
        return NULL;
    if (ag_shape_size(AG_SHAPE(batch)) < 0 || (batch > 0 && !lengths)) {
        ag_error_set(&tape->error, AG_BAD_VALUE, "mask: %s lengths of %lld batch %s%s", whose, (long long)batch,
                     ag_plural(batch, "row", "rows"),
                     batch < 0 ? ": the count is 0 or more"
                     : lengths ? ": more than memory can hold"
                               : ", but none given");
        return NULL;
    }
    for (int64_t b = 0; b < batch; b++)
        if (lengths[b] < 0) {
            ag_error_set(&tape->error, AG_BAD_VALUE, "mask: the %s length of batch row %lld is %d: it is 0 or more",
                         whose, (long long)b, (int)lengths[b]);
            return NULL;
        }
    int32_t *copy = ag_tape_alloc(tape, (size_t)batch * sizeof *copy);
    if (!copy)
        return NULL;
    if (batch)
        memcpy(copy, lengths, (size_t)batch * sizeof *copy);
    return mask_new(tape, (ag_mask){.kind = kind, .size = {batch}, .lengths = copy});
}

ag_mask *ag_mask_key_lengths(ag_tape *tape, int64_t batch, const int32_t *lengths)
{
    return mask_lengths(tape, MASK_KEY_LENGTHS, batch, lengths);
}

ag_mask *ag_mask_query_lengths(ag_tape *tape, int64_t batch, const int32_t *lengths)
{
    return mask_lengths(tape, MASK_QUERY_LENGTHS, batch, lengths);
}

ag_mask *ag_mask_explicit(ag_tape *tape, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
                          const unsigned char *allow)
{
    ag_shape shape = AG_SHAPE(batch, heads, queries, keys);
    int64_t size = ag_shape_size(shape);
    char text[AG_SHAPE_TEXT];
    if (!tape)
        return NULL;
    if (size < 0 || (size > 0 && !allow)) {
        ag_error_set(&tape->error, size < 0 ? AG_BAD_SHAPE : AG_BAD_VALUE, "mask: an explicit mask %s %s",
                     ag_shape_print(shape, text),
                     size < 0 ? "cannot be: sizes are 0 or more, and fit into memory" : "was given no values");
        return NULL;
    }
    unsigned char *copy = ag_tape_alloc(tape, (size_t)size);
    if (!copy)
        return NULL;
    for (int64_t e = 0; e < size; e++)
        copy[e] = allow[e] != 0;
    return mask_new(
        tape, (ag_mask){.kind = MASK_EXPLICIT,
                        .allow = copy,
                        .size = {batch, heads, queries, keys},
                        .step = {batch == 1 ? 0 : heads * queries * keys, heads == 1 ? 0 : queries * keys, keys, 1}});
}

static ag_mask *mask_combine(ag_tape *tape, mask_kind kind, const ag_mask *a, const ag_mask *b)
{
    static const char *const names[] = {[MASK_AND] = "and", [MASK_OR] = "or", [MASK_NOT] = "not"};
    if (!tape)
        return NULL;
    if (!a || (!b && kind != MASK_NOT)) {
        ag_error_set(&tape->error, AG_BAD_VALUE, "mask: '%s' was given NULL", names[kind]);
        return NULL;
    }
    int parts = 1 + a->parts + (b ? b->parts : 0);
    if (parts > MOST_PARTS) {
        ag_error_set(&tape->error, AG_BAD_VALUE,
                     "mask: '%s' would make an expression of %d parts, more than %d (an explicit "
                     "mask holds any)",
                     names[kind], parts, MOST_PARTS);
        return NULL;
    }
    return mask_new(tape, (ag_mask){.kind = kind, .parts = parts, .a = a, .b = b});
}

ag_mask *ag_mask_and(ag_tape *tape, const ag_mask *a, const ag_mask *b)
{
    return mask_combine(tape, MASK_AND, a, b);
}

ag_mask *ag_mask_or(ag_tape *tape, const ag_mask *a, const ag_mask *b)
{
    return mask_combine(tape, MASK_OR, a, b);
}

ag_mask *ag_mask_not(ag_tape *tape, const ag_mask *a)
{
    return mask_combine(tape, MASK_NOT, a, NULL);
}

bool mask_without_bias(const ag_mask **mask, const ag_tensor *bias, ag_shape scores)
{
    bool forbids = false;
    for (int64_t e = 0; e < bias->size && !forbids; e++)
        forbids = bias->data[e] == -INFINITY;
    if (!forbids)
        return true;

    ag_mask part = {.kind = MASK_BIAS, .parts = 1, .bias = bias->data};
    int64_t step = 1;
    for (int axis = 3, own = bias->shape.ndim - 1; axis >= 0; axis--, own--) {
        part.size[axis] = scores.dim[axis];
        if (own >= 0 && bias->shape.dim[own] != 1)
            part.step[axis] = step;
        step *= own >= 0 ? bias->shape.dim[own] : 1;
    }
    ag_mask *allowed = mask_new(bias->tape, part);
    if (allowed && *mask)
        /* (not by ag_mask_and: with MOST_PARTS parts the user's mask would be refused
         * here) */
        allowed =
            mask_new(bias->tape, (ag_mask){.kind = MASK_AND, .parts = (*mask)->parts + 2, .a = *mask, .b = allowed});
    if (allowed)
        *mask = allowed;
    return allowed != NULL;
}

/* ---- Rows -------------------------------------------------------------------------- */

typedef struct interval {
    int64_t begin, end;
} interval;

/* a + b, or the nearest number that int64_t has. */
static int64_t add_saturating(int64_t a, int64_t b)
{
    if (b > 0 && a > INT64_MAX - b)
        return INT64_MAX;
    if (b < 0 && a < INT64_MIN - b)
        return INT64_MIN;
    return a + b;
}

/* The keys, from 0 on, that a mask of one of the simple kinds (all, causal, lengths,
 * window, prefix) allows the query. */
static interval simple_row(const ag_mask *mask, mask_query query)
{
    interval all = {0, INT64_MAX}, none = {0, 0};
    bool in_batch = query.b >= 0 && query.b < mask->size[0];
    int64_t begin;

    switch (mask->kind) {
    case MASK_CAUSAL:
        return (interval){0, add_saturating(add_saturating(query.i, mask->right), 1)};
    case MASK_KEY_LENGTHS:
        return in_batch ? (interval){0, mask->lengths[query.b]} : none;
    case MASK_QUERY_LENGTHS:
        return in_batch && query.i < mask->lengths[query.b] ? all : none;
    case MASK_WINDOW:
        begin = mask->left == INT64_MIN ? INT64_MAX : add_saturating(query.i, -mask->left);
        return (interval){begin > 0 ? begin : 0, add_saturating(add_saturating(query.i, mask->right), 1)};
    case MASK_PREFIX:
        return (interval){0, mask->right};
    default:
        return all;
    }
}

/* The offset of the query's row (its key 0) in an array; -1 if the array has no such
 * row. */
static int64_t array_row(const ag_mask *mask, mask_query query)
{
    int64_t at[3] = {query.b, query.h, query.i}, offset = 0;
    for (int axis = 0; axis < 3; axis++) {
        if (at[axis] < 0 || (mask->step[axis] != 0 && at[axis] >= mask->size[axis]))
            return -1;
        offset += at[axis] * mask->step[axis];
    }
    return offset;
}

static void array_chunk(const ag_mask *mask, mask_query query, int64_t begin, int64_t count, unsigned char *allow)
{
    int64_t row = array_row(mask, query), step = mask->step[3];
    memset(allow, 0, (size_t)count);
    if (row < 0 || begin < 0 || begin >= mask->size[3])
        return;
    if (count > mask->size[3] - begin)
        count = mask->size[3] - begin;
    if (mask->kind == MASK_EXPLICIT)
        memcpy(allow, mask->allow + row + begin, (size_t)count);
    else
        for (int64_t n = 0; n < count; n++)
            allow[n] = (unsigned char)!(mask->bias[row + (begin + n) * step] == -INFINITY);
}

/* Writes whether the query may look at the keys begin .. begin + count - 1; at most
 * CHUNK. */
static void row_chunk(const ag_mask *mask, mask_query query, int64_t begin, int64_t count, unsigned char *allow)
{
    unsigned char other[CHUNK];
    switch (mask->kind) {
    case MASK_AND:
        row_chunk(mask->a, query, begin, count, allow);
        row_chunk(mask->b, query, begin, count, other);
        for (int64_t n = 0; n < count; n++)
            allow[n] &= other[n];
        break;
    case MASK_OR:
        row_chunk(mask->a, query, begin, count, allow);
        row_chunk(mask->b, query, begin, count, other);
        for (int64_t n = 0; n < count; n++)
            allow[n] |= other[n];
        break;
    case MASK_NOT:
        row_chunk(mask->a, query, begin, count, allow);
        for (int64_t n = 0; n < count; n++)
            allow[n] ^= 1;
        break;
    case MASK_EXPLICIT:
    case MASK_BIAS:
        array_chunk(mask, query, begin, count, allow);
        break;
    default: {
        interval row = simple_row(mask, query);
        for (int64_t n = 0; n < count; n++)
            allow[n] = begin + n >= row.begin && begin + n < row.end;
    }
    }
}

void mask_row(const ag_mask *mask, mask_query query, int64_t begin, int64_t end, unsigned char *allow)
{
    const ag_mask all = {.kind = MASK_ALL};
    for (; begin < end; begin += CHUNK, allow += CHUNK)
        row_chunk(mask ? mask : &all, query, begin, end - begin < CHUNK ? end - begin : CHUNK, allow);
}

/* ---- Intervals --------------------------------------------------------------------- */

/* Shrinks `row` to the keys that are allowed, by testing each. Returns whether they have
 * no holes. */
static bool scan_row(const ag_mask *mask, mask_query query, interval *row)
{
    int64_t first = -1, last = -1, allowed = 0;
    for (int64_t begin = row->begin; begin < row->end; begin += CHUNK) {
        unsigned char allow[CHUNK];
        int64_t count = row->end - begin < CHUNK ? row->end - begin : CHUNK;
        row_chunk(mask, query, begin, count, allow);
        for (int64_t n = 0; n < count; n++)
            if (allow[n]) {
                first = first < 0 ? begin + n : first;
                last = begin + n;
                allowed++;
            }
    }
    *row = first < 0 ? (interval){0, 0} : (interval){first, last + 1};
    return row->end - row->begin == allowed;
}

static bool is_empty(interval x)
{
    return x.begin >= x.end;
}

static interval intersection(interval x, interval y)
{
    return (interval){x.begin > y.begin ? x.begin : y.begin, x.end < y.end ? x.end : y.end};
}

static bool bound_row(const ag_mask *mask, mask_query query, interval within, interval *row);

/* The union of two intervals is an interval if they touch. If not, the interval that
 * contains both is only a bound. */
static bool bound_or(const ag_mask *mask, mask_query query, interval within, interval *row)
{
    interval x, y;
    bool exact_x = bound_row(mask->a, query, within, &x), exact_y = bound_row(mask->b, query, within, &y);
    if (is_empty(x) || is_empty(y)) {
        *row = is_empty(x) ? y : x;
        return is_empty(x) ? exact_y : exact_x;
    }
    *row = (interval){x.begin < y.begin ? x.begin : y.begin, x.end > y.end ? x.end : y.end};
    return exact_x && exact_y && x.begin <= y.end && y.begin <= x.end;
}

/* The rest of `within` is one interval if the part that `not` takes away lies at an
 * end. */
static bool bound_not(const ag_mask *mask, mask_query query, interval within, interval *row)
{
    interval x;
    bool exact = bound_row(mask->a, query, within, &x);
    *row = within;
    if (!exact)
        return false;
    if (is_empty(x))
        return true;
    if (x.begin == within.begin)
        row->begin = x.end;
    else if (x.end == within.end)
        row->end = x.begin;
    else
        return false;
    return true;
}

/* Sets *row to an interval inside `within` that contains all keys there that the query
 * sees. Returns whether it sees all of the interval; if not, scan_row finds out which. */
static bool bound_row(const ag_mask *mask, mask_query query, interval within, interval *row)
{
    *row = within;
    if (is_empty(within))
        return true;
    switch (mask->kind) {
    case MASK_AND: {
        interval x;
        bool exact = bound_row(mask->a, query, within, &x);
        return bound_row(mask->b, query, x, row) && exact;
    }
    case MASK_OR:
        return bound_or(mask, query, within, row);
    case MASK_NOT:
        return bound_not(mask, query, within, row);
    case MASK_EXPLICIT:
    case MASK_BIAS:
        return scan_row(mask, query, row);
    default:
        *row = intersection(within, simple_row(mask, query));
        return true;
    }
}

bool mask_range(const ag_mask *mask, mask_query query, int64_t keys, int64_t *begin, int64_t *end)
{
    interval row = {0, keys};
    bool whole = !mask || bound_row(mask, query, row, &row) || scan_row(mask, query, &row);
    if (is_empty(row)) {
        row = (interval){0, 0};
        whole = true;
    }
    *begin = row.begin;
    *end = row.end;
    return whole;
}

attention_keys mask_keys(const ag_mask *mask, mask_query query, int64_t keys, unsigned char *room)
{
    attention_keys seen = {0};
    if (mask_range(mask, query, keys, &seen.begin, &seen.end))
        return seen;
    mask_row(mask, query, seen.begin, seen.end, room + seen.begin);
    seen.allow = room;
    return seen;
}

bool mask_differs(const ag_mask *mask, int axis)
{
    switch (mask ? mask->kind : MASK_ALL) {
    case MASK_AND:
    case MASK_OR:
        return mask_differs(mask->a, axis) || mask_differs(mask->b, axis);
    case MASK_NOT:
        return mask_differs(mask->a, axis);
    case MASK_ALL:
        return false;
    case MASK_KEY_LENGTHS:
        return axis == 0;
    case MASK_QUERY_LENGTHS:
        return axis == 0 || axis == 2;
    case MASK_EXPLICIT:
    case MASK_BIAS:
        return mask->step[axis] != 0;
    default:
        return axis == 2;
    }
}

/* ---- Questions --------------------------------------------------------------------- */

bool ag_mask_allows(const ag_mask *mask, int64_t b, int64_t h, int64_t i, int64_t j)
{
    unsigned char allow = 1;
    if (mask)
        row_chunk(mask, (mask_query){b, h, i}, j, 1, &allow);
    return allow;
}

ag_status ag_mask_fits(const ag_mask *mask, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
                       ag_error *error)
{
    char own[AG_SHAPE_TEXT], scores[AG_SHAPE_TEXT];
    if (!mask)
        return AG_OK;
    ag_shape_print(AG_SHAPE(batch, heads, queries, keys), scores);

    switch (mask->kind) {
    case MASK_KEY_LENGTHS:
    case MASK_QUERY_LENGTHS:
        if (mask->size[0] == batch)
            return AG_OK;
        return ag_error_set(error, AG_BAD_SHAPE, "a mask of %s lengths for %lld batch %s on scores %s, which have %lld",
                            mask->kind == MASK_KEY_LENGTHS ? "key" : "query", (long long)mask->size[0],
                            ag_plural(mask->size[0], "row", "rows"), scores, (long long)batch);
    case MASK_EXPLICIT:
        if ((mask->size[0] == batch || mask->size[0] == 1) && (mask->size[1] == heads || mask->size[1] == 1) &&
            mask->size[2] == queries && mask->size[3] == keys)
            return AG_OK;
        return ag_error_set(
            error, AG_BAD_SHAPE, "an explicit mask %s on scores %s (only its batch and heads may be 1 instead)",
            ag_shape_print(AG_SHAPE(mask->size[0], mask->size[1], mask->size[2], mask->size[3]), own), scores);
    case MASK_AND:
    case MASK_OR:
    case MASK_NOT: {
        ag_status status = ag_mask_fits(mask->a, batch, heads, queries, keys, error);
        return status == AG_OK ? ag_mask_fits(mask->b, batch, heads, queries, keys, error) : status;
    }
    default:
        return AG_OK;
    }
}

/* Counts a character, and writes it if there is room for it and for the final zero. */
static void put_character(char *text, size_t size, size_t *length, char c)
{
    if (*length + 1 < size)
        text[*length] = c;
    (*length)++;
}

size_t ag_mask_print(const ag_mask *mask, int64_t b, int64_t h, int64_t queries, int64_t keys, char *text, size_t size)
{
    size_t length = 0;
    for (int64_t i = 0; i < queries; i++) {
        for (int64_t begin = 0; begin < keys; begin += CHUNK) {
            unsigned char allow[CHUNK];
            int64_t end = keys - begin < CHUNK ? keys : begin + CHUNK;
            mask_row(mask, (mask_query){b, h, i}, begin, end, allow);
            for (int64_t n = 0; n < end - begin; n++)
                put_character(text, size, &length, allow[n] ? '#' : '.');
        }
        put_character(text, size, &length, '\n');
    }
    if (size)
        text[length < size ? length : size - 1] = 0;
    return length;
}
