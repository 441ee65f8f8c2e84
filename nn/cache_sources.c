/* cache_sources.c - fills a cache with the keys and values of the sources: the encoder's
 * pass, without padding where it can be left out.
 *
 * Padding costs as much as tokens. So the rows go through the encoder in groups of
 * similar lengths, each group cut to its longest row. A group reads all weights once
 * more, which is why rows of different lengths may share one. Padding changes no number
 * of a row's own (nn_input), so neither do the groups.
 */
#include "cache.h"
#include "layer.h"

#include <string.h>

/* Reading the weights for one more group takes about as long as computing with this many
 * more tokens. */
#define GROUP_TOKENS 16

/* ---- Groups ------------------------------------------------------------------------ */

/* Whether every row's length and ids are good. If not, the encoder gets the whole input,
 * and its error names the place. */
static bool rows_are_good(const nn_input *input, int32_t vocab)
{
    for (int64_t row = 0; row < input->rows; row++)
        if (input->source_lengths[row] < 0 || input->source_lengths[row] > input->source_length)
            return false;
    for (int64_t i = 0; i < input->rows * input->source_length; i++)
        if (input->source[i] < 0 || input->source[i] >= vocab)
            return false;
    return true;
}

/* Whether groups give the results of the whole input: a mask of the caller's and dropout
 * count rows and positions in the whole, and who looks at the pass wants to see all. */
static bool can_be_grouped(const nn_model *model, const nn_pass *pass, const nn_input *input)
{
    return input->source && input->source_lengths && !input->encoder_mask && !pass->training && !pass->on_block &&
           !pass->on_attention && rows_are_good(input, model->config.source_vocab);
}

/* Finds the groups that cost the fewest tokens, with padding and with GROUP_TOKENS for
 * each group: a group whose longest row has n tokens has those of next[n] + 1 to n, and
 * the longest row of the group after it has next[n] or fewer. `rows` [longest + 1]
 * counts the rows of up to n tokens; `cost` [longest + 1] is scratch: that of all rows
 * of up to n tokens. */
static void plan_groups(int64_t longest, const int64_t *rows, int64_t *cost, int64_t *next)
{
    cost[0] = 0;
    for (int64_t n = 1; n <= longest; n++) {
        cost[n] = INT64_MAX;
        for (int64_t shorter = n - 1; shorter >= 0; shorter--) {
            const int64_t count = rows[n] - rows[shorter];
            const int64_t whole = cost[shorter] + (count ? count * n + GROUP_TOKENS : 0);
            if (whole < cost[n]) {
                cost[n] = whole;
                next[n] = shorter;
            }
        }
    }
}

/* ---- Filling ----------------------------------------------------------------------- */

/* Encodes `input`, whose row i is row rows[i] of the cache (NULL: i). */
static bool fill_rows(nn_cache *cache, const nn_model *model, const nn_pass *pass, const nn_input *input,
                      const int32_t *rows)
{
    ag_tensor *memory = nn_model_encode(model, pass, input);
    bool done = memory != NULL;
    for (int i = 0; i < cache->layers && done; i++)
        done = attention_cache_fill(&model->decoder[i].cross_attention, pass, memory, rows, &cache->cross[i]);
    return done;
}

/* Encodes the rows of more than `shorter` and up to `longest` tokens. `tokens`
 * [input->rows, longest], `lengths` and `rows` [input->rows] are scratch. */
static bool fill_group(nn_cache *cache, const nn_model *model, const nn_pass *pass, const nn_input *input,
                       int64_t shorter, int64_t longest, int32_t *tokens, int32_t *lengths, int32_t *rows)
{
    nn_input group = {.source_length = longest, .source = tokens, .source_lengths = lengths};
    for (int64_t row = 0; row < input->rows; row++) {
        const int32_t length = input->source_lengths[row];
        if (length <= shorter || length > longest)
            continue;
        memcpy(tokens + group.rows * longest, input->source + row * input->source_length,
               (size_t)longest * sizeof *tokens);
        lengths[group.rows] = length;
        rows[group.rows++] = (int32_t)row;
    }
    return group.rows == 0 || fill_rows(cache, model, pass, &group, rows);
}

static void fill_groups(nn_cache *cache, const nn_model *model, const nn_pass *pass, const nn_input *input)
{
    const int64_t longest = input->source_length;
    int64_t *counts = ag_tape_alloc(pass->tape, (size_t)(3 * (longest + 1)) * sizeof *counts);
    int32_t *room = ag_tape_alloc(pass->tape, (size_t)(input->rows * (longest + 2)) * sizeof *room);
    if (!counts || !room)
        return;
    int64_t *cost = counts + longest + 1, *next = cost + longest + 1;
    int32_t *lengths = room + input->rows * longest, *rows = lengths + input->rows;
    memset(counts, 0, (size_t)(longest + 1) * sizeof *counts);
    for (int64_t row = 0; row < input->rows; row++)
        counts[input->source_lengths[row]]++;
    for (int64_t n = 1; n <= longest; n++)
        counts[n] += counts[n - 1];
    plan_groups(longest, counts, cost, next);
    for (int64_t n = longest; n > 0; n = next[n])
        if (!fill_group(cache, model, pass, input, next[n], n, room, lengths, rows))
            return;
}

ag_status cache_fill_cross(nn_cache *cache, const nn_model *model, const nn_pass *pass, const nn_input *input,
                           ag_error *error)
{
    if (can_be_grouped(model, pass, input))
        fill_groups(cache, model, pass, input);
    else
        fill_rows(cache, model, pass, input, NULL);
    for (int i = 0; i < cache->layers; i++)
        cache->cross[i].length = input->source_length;
    return pass_error(pass, error);
}
