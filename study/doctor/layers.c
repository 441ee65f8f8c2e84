/* layers.c - findings about positions, masks and layers: where no gradient arrives, and
 * where it grows or shrinks too much. */
#include "doctor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Positions and masks ----------------------------------------------------------- */

/* "3", "3 to 7", .. of the positions at which no token ever has a gradient. */
static void find_unreached(checkup *c, const checkup_side *s)
{
    checkup_list never = {0};
    int64_t sometimes = 0, tokens = 0, reached = 0;
    for (int64_t t = 0; t < s->length; t++) {
        char text[32];
        ag_text_print(text, sizeof text, "%lld", (long long)t);
        tokens += s->tokens[t];
        reached += s->reached[t];
        if (s->tokens[t] && !s->reached[t])
            checkup_list_add(&never, text);
        else
            sometimes += s->tokens[t] - s->reached[t];
    }
    if (never.count && !reached && s->severed)
        return; /* the finding of what is severed has said why */
    if (never.count)
        checkup_find(c, c->faint ? STUDY_OBSERVATION : STUDY_FAULT,
                     c->faint ? "Attention may be so sharp that these weights round to 0; if not, a mask hides them."
                              : "Look at the masks: no output with a target looks there, neither at once nor through "
                                "other positions.",
                     "no loss reaches %s %s %s", s->name, ag_plural(never.count, "position", "positions"),
                     checkup_list_end(&never));
    else
        checkup_find(c, STUDY_WELL, "", "a loss reaches every position of the %s", s->name);
    if (sometimes)
        checkup_find(c, STUDY_OBSERVATION,
                     "A mask hides them, or weights of attention are so sharp that they round to 0.",
                     "%lld of %lld tokens of the %s got no gradient in their example", (long long)sometimes,
                     (long long)tokens, s->name);
    if (s->leaks)
        checkup_find(c, STUDY_FAULT, "Padding changes what is learned: give the masks the lengths of the rows.",
                     "the loss depends on %lld %s of padding of the %s", (long long)s->leaks,
                     ag_plural(s->leaks, "position", "positions"), s->name);
}

void checkup_positions(checkup *c)
{
    if (!c->sides[SIDE_SOURCE].entered && !c->sides[SIDE_TARGET].entered) {
        checkup_find(c, STUDY_OBSERVATION, "Let it call on_block (nn_pass) around its blocks.",
                     "the computation does not show its blocks, so positions and layers could not be examined");
        return;
    }
    for (int side = 0; side < SIDES; side++)
        if (c->sides[side].entered)
            find_unreached(c, &c->sides[side]);
    if (c->health->blind)
        checkup_find(c, STUDY_OBSERVATION, "Their result is 0. If that is not meant, the masks are wrong.",
                     "%lld %s of single heads had no key to look at", (long long)c->health->blind,
                     ag_plural(c->health->blind, "query", "queries"));
}

/* ---- Layers ------------------------------------------------------------------------ */

/* The layer of a parameter: "encoder.layers.0", else all before the last dot. */
static size_t layer_length(const char *name)
{
    const char *layers = strstr(name, ".layers."), *last = strrchr(name, '.');
    if (layers)
        last = strchr(layers + strlen(".layers."), '.');
    return last ? (size_t)(last - name) : strlen(name);
}

static bool same_layer(const study_layer *layer, const char *name, size_t length)
{
    return strlen(layer->name) == length && strncmp(layer->name, name, length) == 0;
}

static study_layer *layer_of(study_health *health, const char *name)
{
    const size_t length = layer_length(name);
    for (int i = 0; i < health->layer_count; i++)
        if (same_layer(&health->layers[i], name, length))
            return &health->layers[i];
    study_layer *layer = &health->layers[health->layer_count++];
    ag_text_print(layer->name, sizeof layer->name, "%.*s", (int)length, name);
    return layer;
}

static void add_parameter(checkup *c, int i)
{
    const nn_param *item = &c->params.items[i];
    study_layer *layer = layer_of(c->health, item->name);
    const double norm = ag_vector_norm(c->params.value + item->offset, item->size, 1);
    layer->parameters += item->size;
    layer->weight += norm * norm;
    layer->weight_gradient += c->squares[i] / (double)c->passes;
}

static void add_block(study_health *health, const checkup_block *block)
{
    for (int i = 0; i < health->layer_count; i++)
        if (same_layer(&health->layers[i], block->name, strlen(block->name)) && block->numbers > 0) {
            health->layers[i].output = sqrt(block->value / block->numbers);
            health->layers[i].output_gradient = sqrt(block->gradient / block->numbers);
        }
}

/* The places of a side with the largest and the smallest numbers, of the stack's input,
 * its blocks, and what follows. */
typedef struct stack_range {
    const checkup_block *low, *high;
    double ratio;
} stack_range;

static stack_range range_of(const checkup *c, study_side side, bool gradient)
{
    stack_range range = {0};
    const checkup_block *low_before = NULL; /* the smallest before the largest */
    double low = 0, high = 0, before = 0;
    for (int i = 0; i < c->block_count; i++) {
        const checkup_block *block = &c->blocks[i];
        const double square = gradient ? block->gradient : block->value;
        const double size = block->numbers > 0 ? sqrt(square / block->numbers) : 0;
        if (block->side != side || size <= 0)
            continue;
        if (!range.low || size < low)
            range.low = block, low = size;
        if (!range.high || size > high) {
            range.high = block, high = size;
            low_before = range.low, before = low;
        }
    }
    /* A norm after the stack makes values small again: they have exploded all the
     * same. */
    if (!gradient && low_before && high > before * STUDY_LAYER_RATIO)
        range.low = low_before, low = before;
    range.ratio = low > 0 ? high / low : 1;
    return range;
}

static bool find_range(checkup *c, study_side side, bool gradient)
{
    const stack_range range = range_of(c, side, gradient);
    const bool early = range.low < range.high; /* blocks lie in the order of their depth */
    if (range.ratio <= STUDY_LAYER_RATIO)
        return false;
    checkup_find(c, STUDY_OBSERVATION,
                 "Pre-norm blocks, a norm where there is none, a smaller initialisation or a clip keep sizes alike.",
                 "%s: %.2g x as large in %s as in %s",
                 !gradient ? (early ? "exploding values" : "vanishing values")
                 : early   ? "vanishing gradients"
                           : "exploding gradients",
                 range.ratio, range.high->name, range.low->name);
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The norm of a matrix's gradient over the matrix's own; 0 for a vector, and where either
 * is 0. */
static double matrix_ratio(const checkup *c, int i)
{
    const nn_param *item = &c->params.items[i];
    const double norm = ag_vector_norm(c->params.value + item->offset, item->size, 1);
    return item->shape.ndim > 1 && norm > 0 ? sqrt(c->squares[i] / (double)c->passes) / norm : 0;
}

/* Matrices whose gradient, over their own norm, is STUDY_PARAMETER_RATIO times as small
 * or large as that of the matrix in the middle. Vectors are left out: a bias may be 0. */
static bool find_ratios(checkup *c, double *ratios)
{
    checkup_list small = {0}, large = {0};
    int count = 0;
    for (int i = 0; i < c->params.count; i++)
        if (matrix_ratio(c, i) > 0)
            ratios[count++] = matrix_ratio(c, i);
    qsort(ratios, (size_t)count, sizeof *ratios, compare_numbers);
    const double middle = count ? ratios[count / 2] : 0;
    for (int i = 0; i < c->params.count; i++) {
        const double ratio = matrix_ratio(c, i);
        if (ratio > middle * STUDY_PARAMETER_RATIO)
            checkup_list_add(&large, c->params.items[i].name);
        else if (ratio > 0 && ratio < middle / STUDY_PARAMETER_RATIO)
            checkup_list_add(&small, c->params.items[i].name);
    }
    if (small.count)
        checkup_find(
            c, STUDY_OBSERVATION,
            "They hardly learn: look for very small weights right after them, or very large ones before a norm.",
            "vanishing gradients: by %s, relative to the weights, more than %g x smaller than by the model's "
            "middle matrix",
            checkup_list_end(&small), (double)STUDY_PARAMETER_RATIO);
    if (large.count)
        checkup_find(c, STUDY_OBSERVATION,
                     "One step changes them completely: they are very small, or very large weights follow.",
                     "exploding gradients: by %s, relative to the weights, more than %g x larger than by the model's "
                     "middle matrix",
                     checkup_list_end(&large), (double)STUDY_PARAMETER_RATIO);
    return small.count || large.count;
}

ag_status checkup_layers(checkup *c)
{
    study_health *health = c->health;
    bool found = false;
    health->layers = calloc((size_t)c->params.count + 1, sizeof *health->layers);
    if (!health->layers)
        return ag_error_set(c->error, AG_NO_MEMORY, "out of memory for %d layers", c->params.count);
    for (int i = 0; i < c->params.count; i++)
        add_parameter(c, i);
    for (int i = 0; i < health->layer_count; i++) {
        study_layer *layer = &health->layers[i];
        layer->weight = sqrt(layer->weight);
        layer->weight_gradient = sqrt(layer->weight_gradient);
    }
    for (int i = 0; i < c->block_count; i++)
        add_block(health, &c->blocks[i]);
    for (int side = 0; side < SIDES; side++)
        for (int gradient = 0; gradient < 2; gradient++)
            found |= find_range(c, (study_side)side, gradient);
    double *ratios = calloc((size_t)c->params.count + 1, sizeof *ratios);
    if (!ratios)
        return ag_error_set(c->error, AG_NO_MEMORY, "out of memory for %d ratios", c->params.count);
    found |= find_ratios(c, ratios);
    free(ratios);
    if (!found && c->block_count > 1)
        checkup_find(c, STUDY_WELL, "",
                     "from a stack's input through its blocks to what follows, values and gradients differ by less "
                     "than %g x",
                     (double)STUDY_LAYER_RATIO);
    return AG_OK;
}
