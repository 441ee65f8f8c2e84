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
    int64_t sometimes = 0, tokens = 0;
    for (int64_t t = 0; t < s->length; t++) {
        char text[32];
        ag_text_print(text, sizeof text, "%lld", (long long)t);
        tokens += s->tokens[t];
        if (s->tokens[t] && !s->reached[t])
            checkup_list_add(&never, text);
        else
            sometimes += s->tokens[t] - s->reached[t];
    }
    if (never.count)
        checkup_find(c, STUDY_FAULT,
                     "Look at the masks: no output with a target looks there, neither at once nor through other "
                     "positions.",
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
    if (c->block_count == 0) {
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

/* The blocks of a stack with the largest and the smallest number. */
typedef struct stack_range {
    const study_layer *low, *high;
    double ratio;
} stack_range;

static stack_range range_of(const study_health *health, const char *stack, bool gradient)
{
    stack_range range = {0};
    double low = 0, high = 0;
    for (int i = 0; i < health->layer_count; i++) {
        const study_layer *layer = &health->layers[i];
        const double size = gradient ? layer->output_gradient : layer->output;
        if (strncmp(layer->name, stack, strlen(stack)) != 0 || size <= 0)
            continue;
        if (!range.low || size < low)
            range.low = layer, low = size;
        if (!range.high || size > high)
            range.high = layer, high = size;
    }
    range.ratio = low > 0 ? high / low : 1;
    return range;
}

static bool find_range(checkup *c, const char *stack, bool gradient)
{
    const stack_range range = range_of(c->health, stack, gradient);
    const bool early = range.low < range.high; /* layers lie in the order of their depth */
    if (range.ratio <= STUDY_LAYER_RATIO)
        return false;
    checkup_find(c, STUDY_OBSERVATION,
                 "Pre-norm blocks, a norm where there is none, a smaller initialisation or a clip keep sizes alike.",
                 "%s: %s is %.2g x as large in %s as in %s",
                 !gradient ? (early ? "exploding values" : "vanishing values")
                 : early   ? "vanishing gradients"
                           : "exploding gradients",
                 gradient ? "the gradient" : "the output", range.ratio, range.high->name, range.low->name);
    return true;
}

ag_status checkup_layers(checkup *c)
{
    static const char *const stacks[] = {"encoder.layers.", "decoder.layers."};
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
    for (size_t i = 0; i < sizeof stacks / sizeof *stacks; i++)
        for (int gradient = 0; gradient < 2; gradient++)
            found |= find_range(c, stacks[i], gradient);
    if (!found && c->block_count > 1)
        checkup_find(c, STUDY_WELL, "", "from block to block of a stack, values and gradients differ by less than %g x",
                     (double)STUDY_LAYER_RATIO);
    return AG_OK;
}
