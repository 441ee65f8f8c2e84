/* influence.c - how much each output moves with each input: norms of the blocks of the Jacobian matrix. */
#include "probe.h"

#include <math.h>
#include <stdlib.h>

/* So many logits are differentiated one by one, and the norm is exact. Of more, random projections are taken: with r of
 * independent standard normal numbers the expected |r J|^2 is the squared Frobenius norm of J. Over n of them the
 * standard error of the norm is at most 1 / sqrt(2 n) of it, if J has rank 1; here 9 %. What is exactly 0 stays so. */
enum { MOST_EXACT = 256, PROJECTIONS = 64 };

/* Output i by its c-th logit or projection. */
static void seed_row(const reach *r, int64_t vocab, int64_t row, int64_t i, int64_t c, ag_real *seed)
{
    ag_real *place = seed + (row * r->lengths[r->output] + i) * vocab;
    if (vocab > MOST_EXACT)
        probe_direction((uint64_t)c, vocab, place);
    else
        place[c] = 1;
}

/* norms[outputs, inputs]. They are added by hypot, which neither overflows nor underflows. */
static ag_status differentiate(probe *p, const reach *r, double *norms, ag_error *error)
{
    const probe_part *part = &p->parts[0];
    const int64_t vocab = part->output->shape.dim[2], each = vocab > MOST_EXACT ? PROJECTIONS : vocab;
    const int64_t count = r->lengths[r->output] * each;
    for (int64_t first = 0; first < count; first += p->rows) {
        const int64_t rows = count - first < p->rows ? count - first : p->rows;
        ag_real *seed = probe_seed(p, part, error);
        if (!seed)
            return AG_NO_MEMORY;
        for (int64_t row = 0; row < rows; row++)
            seed_row(r, vocab, row, (first + row) / each, (first + row) % each, seed);
        ag_status status = probe_differentiate(p, part, error);
        if (status != AG_OK)
            return status;
        for (int64_t row = 0; row < rows; row++)
            for (int64_t j = 0; j < r->inputs; j++) {
                double *norm = &norms[(first + row) / each * r->inputs + j];
                *norm = hypot(*norm, probe_influence(p, part, row, j));
            }
    }
    for (int64_t e = 0; e < r->lengths[r->output] * r->inputs && each < vocab; e++)
        norms[e] /= sqrt(PROJECTIONS);
    return AG_OK;
}

static unsigned char cell_of(const reach *r, int64_t i, int64_t j)
{
    int64_t position;
    const study_side side = reach_side(r, j, &position);
    if (reach_allows(r, REACH_MODEL, r->output, i, j))
        return STUDY_SEEN;
    return position >= r->tokens[side] ? STUDY_PADDING : STUDY_MASKED;
}

static ag_status keep(const reach *r, const double *norms, study_influence *influence, ag_error *error)
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
        influence->cells[e] = cell_of(r, e / r->inputs, e % r->inputs);
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
        status = differentiate(&p, &r, norms, error);
    if (status == AG_OK)
        status = keep(&r, norms, influence, error);
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
