/* influence.c - how much each output moves with each input: the norms of the blocks of
 * the Jacobian matrix.
 */
#include "probe.h"

#include <math.h>
#include <stdlib.h>

/* Up to MOST_EXACT logits are differentiated one by one: the norm is exact. For more,
 * random projections are differentiated: if r consists of independent standard normal
 * numbers, the expected |r J|^2 is the squared Frobenius norm of J. The mean of n such
 * squares gives the norm with a standard error of at most 1 / sqrt(2 n) of it, reached if
 * J has rank 1: here 9 %. A norm of exactly 0 stays 0. */
enum { MOST_EXACT = 256, PROJECTIONS = 64 };

/* The c-th logit, or the c-th projection of all logits. */
static void seed_logits(int64_t i, int64_t c, int64_t vocab, ag_real *seed)
{
    (void)i;
    if (vocab > MOST_EXACT)
        probe_direction((uint64_t)c, vocab, seed);
    else
        seed[c] = 1;
}

/* Fills in norms [outputs, inputs], which are 0. They are combined by hypot, which
 * neither overflows nor underflows. */
static ag_status find_norms(probe *p, const reach *r, double *norms, ag_error *error)
{
    const probe_part *part = &p->parts[0];
    const int64_t vocab = part->output->shape.dim[2], each = vocab > MOST_EXACT ? PROJECTIONS : vocab;
    ag_status status = probe_outputs(p, part, each, seed_logits, hypot, norms, error);
    for (int64_t e = 0; e < r->lengths[r->output] * r->inputs && each < vocab; e++)
        norms[e] /= sqrt(PROJECTIONS);
    return status;
}

static unsigned char influence_cell(const reach *r, int64_t i, int64_t j)
{
    int64_t position;
    const study_side side = reach_side(r, j, &position);
    if (reach_allows(r, REACH_MODEL, r->output, i, j))
        return STUDY_SEEN;
    return position >= r->tokens[side] ? STUDY_PADDING : STUDY_MASKED;
}

static ag_status make_influence(const reach *r, const double *norms, study_influence *influence, ag_error *error)
{
    const int64_t outputs = r->lengths[r->output], size = outputs * r->inputs;
    *influence = (study_influence){.outputs = outputs, .inputs = r->inputs, .source_length = r->lengths[SIDE_SOURCE]};
    influence->values = malloc((size_t)size * sizeof(ag_real) + 1);
    influence->cells = malloc((size_t)size + 1);
    if (!influence->values || !influence->cells) {
        study_influence_clear(influence);
        return ag_error_set(error, AG_NO_MEMORY, "out of memory for %lld influences", (long long)size);
    }
    for (int64_t e = 0; e < size; e++) {
        influence->values[e] = (ag_real)norms[e];
        influence->cells[e] = influence_cell(r, e / r->inputs, e % r->inputs);
    }
    return AG_OK;
}

ag_status study_influence_find(const study_subject *subject, study_influence *influence, ag_error *error)
{
    probe p = {0};
    reach r = {0};
    double *norms = NULL;
    *influence = (study_influence){0};
    ag_status status = reach_init(&r, subject, error);
    if (status == AG_OK)
        status = probe_init(&p, subject, &r, INT64_MAX, error);
    if (status == AG_OK) {
        norms = calloc((size_t)(r.lengths[r.output] * r.inputs) + 1, sizeof *norms);
        status = norms ? probe_run(&p, false, PROBE_OWN, error)
                       : ag_error_set(error, AG_NO_MEMORY, "out of memory for an influence matrix");
    }
    if (status == AG_OK)
        status = find_norms(&p, &r, norms, error);
    if (status == AG_OK)
        status = make_influence(&r, norms, influence, error);
    free(norms);
    probe_clear(&p);
    reach_clear(&r);
    return status;
}

void study_influence_clear(study_influence *influence)
{
    free(influence->values);
    free(influence->cells);
    *influence = (study_influence){0};
}
