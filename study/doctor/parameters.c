/* parameters.c - findings about parameters: those that no gradient reaches, embeddings
 * that were never read, units that never act. */
#include "doctor.h"

#include <string.h>

/* ---- Pieces of parameters ---------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), part = strlen(end);
    return length >= part && strcmp(text + length - part, end) == 0;
}

/* Elements [begin, begin + size) of the flat vectors with a name. The matrix and the bias
 * that make queries, keys and values from one input are three pieces each: a mask can
 * take the gradient from two of them. */
typedef struct parameter_piece {
    char name[192];
    int64_t begin, size;
    bool asks, answers; /* part of the queries or keys; of the values */
    bool key_bias;
} parameter_piece;

static int pieces_of(const nn_param *item)
{
    return ends_with(item->name, "in_proj_weight") || ends_with(item->name, "in_proj_bias") ? 3 : 1;
}

static parameter_piece piece_at(const nn_param *item, int k)
{
    static const char *const names[] = {"queries", "keys", "values"};
    const int count = pieces_of(item);
    parameter_piece piece = {.begin = item->offset + k * (item->size / count), .size = item->size / count};
    if (count == 1) {
        ag_text_print(piece.name, sizeof piece.name, "%s", item->name);
        piece.asks = ends_with(item->name, "q_proj_weight") || ends_with(item->name, "k_proj_weight");
        piece.answers = ends_with(item->name, "v_proj_weight");
        return piece;
    }
    ag_text_print(piece.name, sizeof piece.name, "%s (%s)", item->name, names[k]);
    piece.asks = k < 2;
    piece.answers = k == 2;
    piece.key_bias = k == 1 && ends_with(item->name, "in_proj_bias");
    return piece;
}

static bool is_silent(const checkup *c, int64_t begin, int64_t size, int64_t stride)
{
    for (int64_t e = 0; e < size; e++)
        if (c->elements[begin + e * stride] == ELEMENT_REACHED)
            return false;
    return true;
}

/* Elements that are silent, from now on with a reason. */
static void explain(checkup *c, int64_t begin, int64_t size, int64_t stride)
{
    for (int64_t e = 0; e < size; e++)
        if (c->elements[begin + e * stride] == ELEMENT_SILENT)
            c->elements[begin + e * stride] = ELEMENT_EXPLAINED;
}

/* ---- Severed parameters ------------------------------------------------------------ */

/* The parameters, or pieces of them, without any gradient; those of `faint` have one when
 * all values are smaller. */
typedef struct severed_parameters {
    checkup_list names, faint;
    bool asks, others; /* queries and keys; anything else */
} severed_parameters;

static bool is_faint(const checkup *c, int64_t begin, int64_t size)
{
    for (int64_t e = 0; e < size; e++)
        if (c->elements[begin + e] == ELEMENT_FAINT)
            return true;
    return false;
}

static void note_severed(checkup *c, int i, severed_parameters *severed)
{
    const nn_param *item = &c->params.items[i];
    const bool whole = is_silent(c, item->offset, item->size, 1) && !is_faint(c, item->offset, item->size);
    if (whole)
        checkup_list_add(&severed->names, item->name);
    for (int side = 0; side < SIDES; side++)
        c->sides[side].severed |= whole && c->sides[side].table == i;
    for (int k = 0; k < pieces_of(item); k++) {
        const parameter_piece piece = piece_at(item, k);
        if (!is_silent(c, piece.begin, piece.size, 1))
            continue;
        const bool faint = is_faint(c, piece.begin, piece.size);
        explain(c, piece.begin, piece.size, 1);
        /* The softmax of scores does not change when the same is added to all keys'
         * scores, so the gradient by a bias of keys is 0 but for rounding. */
        if (!whole && piece.key_bias)
            continue;
        if (!whole)
            checkup_list_add(faint ? &severed->faint : &severed->names, piece.name);
        if (faint)
            continue;
        severed->asks |= piece.asks;
        severed->others |= !piece.asks;
    }
}

static void find_faint(checkup *c, checkup_list *names)
{
    static const char *const advice =
        sizeof(ag_real) < sizeof(double)
            ? "Examine it by the double build, tapeformer64, which tells small gradients from none. They do not learn "
              "in single precision: smaller weights, or a norm, keep attention and softmax from being so sharp."
            : "They do not learn: smaller weights, or a norm, keep attention and softmax from being so sharp.";
    c->faint = names->count > 0;
    if (c->faint)
        checkup_find(c, STUDY_OBSERVATION, advice,
                     "the gradient by %s rounds to 0 in all %lld %s, and would not if the weights were smaller",
                     checkup_list_end(names), (long long)c->health->examples,
                     ag_plural(c->health->examples, "example", "examples"));
}

static ag_status find_severed(checkup *c)
{
    severed_parameters severed = {0};
    char end[AG_MESSAGE_SIZE], advice[AG_MESSAGE_SIZE];
    for (int i = 0; i < c->params.count; i++)
        note_severed(c, i, &severed);
    find_faint(c, &severed.faint);
    if (!severed.names.count) {
        if (!c->faint)
            checkup_find(c, STUDY_WELL, "", "a gradient reaches each of the %d parameters", c->params.count);
        return AG_OK;
    }
    ag_status status = checkup_find_end(c, end);
    if (severed.asks && !severed.others)
        ag_text_print(advice, sizeof advice,
                      "Their values have a gradient: where a query may look at one key only, what it asks does not "
                      "matter. Look at the mask of this attention.");
    else
        ag_text_print(advice, sizeof advice,
                      "They do not learn.%s%s%s Look for weights or a result of 0, for a mask that hides all of it, "
                      "and for ag_detach or a constant on the way to the loss.",
                      *end ? " In the last batch the gradient ends at " : "", end, *end ? "." : "");
    checkup_find(c, STUDY_FAULT, advice, "the gradient by %s is exactly 0 in all %lld %s: severed",
                 checkup_list_end(&severed.names), (long long)c->health->examples,
                 ag_plural(c->health->examples, "example", "examples"));
    return status;
}

/* ---- Embeddings -------------------------------------------------------------------- */

/* A source never begins with a mark, nor ends with one if it is tagged; the end mark of a
 * target is only an answer. */
static bool cannot_occur(nn_model_kind kind, int side, const int32_t *marks, int64_t word)
{
    if (side == SIDE_TARGET)
        return word == marks[DATA_EOS] && word != marks[DATA_BOS];
    return (word == marks[DATA_BOS] && (word != marks[DATA_EOS] || kind == NN_ENCODER)) ||
           (word == marks[DATA_EOS] && kind == NN_ENCODER);
}

/* Examples that were made for another model: what follows holds for <unk> alone. */
static void find_unknown(checkup *c)
{
    if (c->unknown)
        checkup_find(c, STUDY_OBSERVATION,
                     "Look first whether these examples are for this model: what is said of embeddings and units may "
                     "come from this alone.",
                     "%lld of %lld %s not in the model's vocabularies and %s read as <unk>", (long long)c->unknown,
                     (long long)c->tokens, ag_plural(c->unknown, "tokens is", "tokens are"),
                     ag_plural(c->unknown, "is", "are"));
}

/* Tokens that no example has: their rows keep the values that they have. With a tied
 * output they still learn as answers. */
static void find_unread(checkup *c, int side)
{
    const nn_model_kind kind = c->patient->model->config.kind;
    const checkup_side *s = &c->sides[side];
    const nn_param *table = &c->params.items[s->table];
    const int64_t width = table->size / s->words;
    checkup_list unread = {0}, silent = {0};
    for (int64_t word = 0; word < s->words; word++) {
        const int64_t row = table->offset + word * width;
        const bool padding = word == c->patient->model->config.padding_id;
        if (is_silent(c, row, width, 1) && s->read[word] && !padding)
            checkup_list_add(&silent, data_vocab_token(s->vocab, (int32_t)word));
        else if (!s->read[word] && !padding && !cannot_occur(kind, side, data_vocab_marks(s->vocab), word))
            checkup_list_add(&unread, data_vocab_token(s->vocab, (int32_t)word));
        if (!s->read[word] || padding)
            explain(c, row, width, 1);
    }
    if (silent.count && !is_silent(c, table->offset, table->size, 1))
        checkup_find(c, STUDY_FAULT, "No loss depends on them: look at the masks, and at what hides these tokens.",
                     "%lld %s of the %s %s read, and %s embedding never gets a gradient: %s", (long long)silent.count,
                     ag_plural(silent.count, "token", "tokens"), s->name, ag_plural(silent.count, "is", "are"),
                     ag_plural(silent.count, "its", "their"), checkup_list_end(&silent));
    if (unread.count)
        checkup_find(c, STUDY_OBSERVATION,
                     "Nothing, if they cannot occur. Else train on examples that have them: an embedding that is "
                     "never read stays as it was drawn.",
                     "%lld of the %lld tokens of the %s %s in no example: %s", (long long)unread.count,
                     (long long)s->words, s->name, ag_plural(unread.count, "is", "are"), checkup_list_end(&unread));
    else
        checkup_find(c, STUDY_WELL, "", "every token that the %s can have is read in some example", s->name);
}

/* Learned positions after the longest example. */
static void find_unused_positions(checkup *c, int side)
{
    const checkup_side *s = &c->sides[side];
    if (s->positions < 0)
        return;
    const nn_param *table = &c->params.items[s->positions];
    const int64_t count = table->shape.dim[0], width = table->size / count;
    int64_t used = 0;
    for (int64_t t = 0; t < s->length && t < count; t++)
        used = s->tokens[t] ? t + 1 : used;
    explain(c, table->offset + used * width, (count - used) * width, 1);
    if (used < count)
        checkup_find(c, STUDY_OBSERVATION, "Expect nothing of the model on longer texts than these examples.",
                     "of the %lld learned positions of the %s only the first %lld are used", (long long)count, s->name,
                     (long long)used);
}

/* ---- Dead units -------------------------------------------------------------------- */

/* The elements of one unit in a feed-forward layer: its row in the first matrix and its
 * column in the second. */
static bool unit_is_dead(checkup *c, const nn_param *in, const nn_param *bias, const nn_param *out, int64_t unit)
{
    const int64_t units = in->shape.dim[0], width = in->shape.dim[1], rows = out->shape.dim[0];
    const bool dead = is_silent(c, in->offset + unit * width, width, 1) &&
                      (!bias || is_silent(c, bias->offset + unit, 1, 1)) &&
                      is_silent(c, out->offset + unit, rows, units);
    if (dead) {
        explain(c, in->offset + unit * width, width, 1);
        explain(c, out->offset + unit, rows, units);
        if (bias)
            explain(c, bias->offset + unit, 1, 1);
    }
    return dead;
}

/* The parameter BLOCK.NAME; NULL if there is none. */
static const nn_param *sibling(const checkup *c, const nn_param *of, const char *name)
{
    char full[256];
    const char *block_end = strstr(of->name, ".linear1.");
    ag_text_print(full, sizeof full, "%.*s.%s", (int)(block_end - of->name), of->name, name);
    const int index = nn_params_find(&c->params, full);
    return index < 0 ? NULL : &c->params.items[index];
}

/* Whether a gradient arrives at the layer whose second matrix is `out`; if not, its
 * units cannot be judged. */
static bool is_reached(const checkup *c, const nn_param *out, const nn_param *out_bias)
{
    return !is_silent(c, out->offset, out->size, 1) || (out_bias && !is_silent(c, out_bias->offset, out_bias->size, 1));
}

/* Units of relu whose sum is negative at every token: the unit is 0 and its gradient is
 * 0, so nothing brings it back. */
static void find_dead_units(checkup *c)
{
    enum { ENOUGH_TOKENS = 5000 }; /* a unit that acts on one in a thousand is seen by then */
    checkup_list layers = {0};
    int64_t dead = 0, units = 0;
    if (c->patient->model->config.activation != AG_RELU)
        return;
    for (int i = 0; i < c->params.count; i++) {
        const nn_param *in = &c->params.items[i];
        const nn_param *out = ends_with(in->name, ".linear1.weight") ? sibling(c, in, "linear2.weight") : NULL;
        int64_t here = 0;
        if (!out || !is_reached(c, out, sibling(c, in, "linear2.bias")))
            continue;
        for (int64_t unit = 0; unit < in->shape.dim[0]; unit++)
            here += unit_is_dead(c, in, sibling(c, in, "linear1.bias"), out, unit);
        units += in->shape.dim[0];
        dead += here;
        if (here) {
            char text[256];
            ag_text_print(text, sizeof text, "%lld in %.*s", (long long)here,
                          (int)(strlen(in->name) - strlen(".weight")), in->name);
            checkup_list_add(&layers, text);
        }
    }
    if (dead)
        checkup_find(c, STUDY_OBSERVATION,
                     c->tokens < ENOUGH_TOKENS
                         ? "Examine more examples before you call them dead: these are few tokens."
                         : "They cost time and do nothing. A lower rate or a longer warm-up kills fewer; gelu and silu "
                           "have no dead units.",
                     "%lld of %lld relu units are 0 at all %lld %s of these examples: %s", (long long)dead,
                     (long long)units, (long long)c->tokens, ag_plural(c->tokens, "token", "tokens"),
                     checkup_list_end(&layers));
    else if (units)
        checkup_find(c, STUDY_WELL, "", "each of the %lld relu units acts on some token", (long long)units);
}

/* ---- Single numbers ---------------------------------------------------------------- */

/* Elements without a gradient that no finding has explained. */
static void find_silent_elements(checkup *c)
{
    checkup_list names = {0};
    int64_t all = 0;
    for (int i = 0; i < c->params.count; i++) {
        const nn_param *item = &c->params.items[i];
        int64_t silent = 0;
        for (int64_t e = 0; e < item->size; e++)
            silent += c->elements[item->offset + e] == ELEMENT_SILENT;
        all += silent;
        if (silent)
            checkup_list_add(&names, item->name);
    }
    if (all)
        checkup_find(c, STUDY_OBSERVATION, "Nothing, if more examples reach them.",
                     "%lld single %s of %lld had no gradient: in %s", (long long)all,
                     ag_plural(all, "element", "elements"), (long long)c->params.size, checkup_list_end(&names));
}

ag_status checkup_parameters(checkup *c)
{
    find_unknown(c);
    find_dead_units(c);
    for (int side = 0; side < SIDES; side++)
        if (c->sides[side].table >= 0) {
            find_unread(c, side);
            find_unused_positions(c, side);
        }
    const ag_status status = find_severed(c);
    if (status == AG_OK)
        find_silent_elements(c);
    return status;
}
