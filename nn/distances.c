/* distances.c - positions as a bias on the scores of attention that depends on the
 * distance of query and key: fixed slopes (ALiBi) or learned numbers (T5).
 */
#include "layer.h"
#include "scalar.h"

/* T5's numbers (Raffel et al. 2020, section 2.1). */
#define BUCKETS  32
#define GREATEST 128

/* ---- Slopes ------------------------------------------------------------------------ */

double nn_alibi_slope(int64_t head, int64_t heads)
{
    int64_t power = 1; /* the largest power of two that is not above the heads */
    while (2 * power <= heads)
        power *= 2;
    const double slopes = (double)power;
    return head < power ? scalar_pow(2, -8 * (double)(head + 1) / slopes)
                        : scalar_pow(2, -4 * (double)(2 * (head - power) + 1) / slopes);
}

/* ---- Buckets ----------------------------------------------------------------------- */

int64_t nn_relative_bucket(const nn_relative_positions *layer, int64_t distance)
{
    const int64_t own = layer->one_sided ? layer->buckets : layer->buckets / 2; /* of one side */
    const int64_t first = !layer->one_sided && distance > 0 ? own : 0, exact = own / 2;
    int64_t away = distance < 0 ? -distance : layer->one_sided ? 0 : distance;
    if (away < exact)
        return first + away;
    if (away > layer->greatest)
        away = layer->greatest;
    /* (1e-9: where the quotient is a whole number, rounding must not make it less) */
    const double share = scalar_log((double)away / (double)exact) / scalar_log((double)layer->greatest / (double)exact);
    const int64_t bucket = exact + (int64_t)(share * (double)(own - exact) + 1e-9);
    return first + (bucket < own ? bucket : own - 1);
}

ag_status nn_relative_positions_init(nn_relative_positions *layer, nn_params *params, const char *name, int64_t heads,
                                     bool one_sided, ag_error *error)
{
    *layer = (nn_relative_positions){.buckets = BUCKETS, .greatest = GREATEST, .one_sided = one_sided, .weight = -1};
    return layer_parameter(params, name, "weight", AG_SHAPE(BUCKETS, heads),
                           (nn_initializer){.kind = NN_NORMAL, .scale = 1}, &layer->weight, error);
}

/* ---- The bias ---------------------------------------------------------------------- */

/* Row d of the table of slopes, [distances, heads], is for the distance first + d. */
static ag_tensor *slopes_table(const nn_pass *pass, int64_t heads, int64_t first, int64_t distances)
{
    ag_tensor *table = ag_constant(pass->tape, AG_SHAPE(distances, heads), NULL);
    for (int64_t h = 0; h < heads && table; h++) {
        const double slope = nn_alibi_slope(h, heads);
        for (int64_t d = 0; d < distances; d++) {
            const int64_t distance = first + d;
            table->data[d * heads + h] = (ag_real)(-slope * (double)(distance < 0 ? -distance : distance));
        }
    }
    return table;
}

ag_tensor *attention_bias(const nn_attention *layer, const nn_pass *pass, int64_t start, int64_t queries, int64_t keys)
{
    const nn_attention_config *config = &layer->config;
    const bool learned = config->relative.buckets > 0;
    if (!learned && !config->alibi)
        return NULL;
    const int64_t distances = queries > 0 && keys > 0 ? queries + keys - 1 : 0, first = 1 - queries - start;
    int32_t *rows = ag_tape_alloc(pass->tape, (size_t)distances * sizeof *rows);
    for (int64_t d = 0; d < distances && rows; d++)
        rows[d] = learned ? (int32_t)nn_relative_bucket(&config->relative, first + d) : (int32_t)d;
    ag_tape_enter(pass->tape, learned ? "relative_positions" : "slopes");
    ag_tensor *table =
        learned ? nn_parameter(pass, config->relative.weight) : slopes_table(pass, config->heads, first, distances);
    ag_tensor *bias = ag_distance_bias(table, queries, keys, rows);
    ag_tape_leave(pass->tape);
    return bias;
}
