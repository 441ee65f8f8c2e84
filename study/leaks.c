/* leaks.c - whether a model sees what its masks say, no more and no less.
 *
 * Each part is differentiated at two points: at the example's own values, and with all positions alike. At the first, a
 * weight of attention may be so small that an influence that is allowed becomes 0, and so does one that is not; at the
 * second all keys weigh about the same. */
#include "probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What was found in one part, over all points. */
typedef struct found {
    char name[PROBE_NAME];
    reach_part reach;
    study_side side;
    bool looks[SIDES]; /* where its inputs come from */
    double *influence; /* [outputs, inputs] the largest */
} found;

typedef struct search {
    reach reach;
    probe probe;
    found *parts; /* [count] */
    int count;
} search;

/* ---- Looking -------------------------------------------------------------------------------- */

/* NaN counts as more than any number, and stays. */
static double larger(double a, double b)
{
    return isnan(b) || b > a ? b : a;
}

/* What is known about the `index`-th part, in *known. */
static ag_status find_part(search *s, const probe_part *part, int index, found **known, ag_error *error)
{
    if (index < s->count) {
        *known = &s->parts[index];
        return (*known)->side == part->side
                   ? AG_OK
                   : ag_error_set(error, AG_BAD_VALUE, "%s has another place when the computation is run again",
                                  part->name);
    }
    found *parts = realloc(s->parts, (size_t)(s->count + 1) * sizeof *parts);
    if (parts)
        s->parts = parts;
    double *influence = calloc((size_t)(s->reach.lengths[part->side] * s->reach.inputs) + 1, sizeof *influence);
    if (!parts || !influence) {
        free(influence);
        return ag_error_set(error, AG_NO_MEMORY, "out of memory for the influences in %s", part->name);
    }
    found *f = *known = &s->parts[s->count++];
    *f = (found){.reach = part->reach, .side = part->side, .influence = influence};
    memcpy(f->name, part->name, sizeof f->name);
    for (int side = 0; side < SIDES; side++)
        f->looks[side] = part->inputs[side] != NULL;
    return AG_OK;
}

/* One random projection of each output by all inputs. */
static ag_status look_at_part(search *s, const probe_part *part, found *f, ag_error *error)
{
    probe *p = &s->probe;
    const int64_t outputs = s->reach.lengths[part->side], inputs = s->reach.inputs, width = part->output->shape.dim[2];
    for (int64_t first = 0; first < outputs; first += p->rows) {
        const int64_t rows = outputs - first < p->rows ? outputs - first : p->rows;
        ag_real *seed = probe_seed(p, part, error);
        if (!seed)
            return AG_NO_MEMORY;
        for (int64_t row = 0; row < rows; row++)
            probe_direction((uint64_t)(first + row), width, seed + (row * outputs + first + row) * width);
        ag_status status = probe_differentiate(p, part, error);
        if (status != AG_OK)
            return status;
        for (int64_t row = 0; row < rows; row++)
            for (int64_t j = 0; j < inputs; j++) {
                double *known = &f->influence[(first + row) * inputs + j];
                *known = larger(*known, probe_influence(p, part, row, j));
            }
    }
    return AG_OK;
}

/* Every part of one run; they are the parts from `index` on. */
static ag_status look_at_all(search *s, bool cut, probe_values values, int index, ag_error *error)
{
    ag_status status = probe_run(&s->probe, cut, values, error);
    const probe_part *parts = s->probe.parts;
    for (int i = 0; i < s->probe.count && status == AG_OK; i++) {
        found *known = NULL;
        status = find_part(s, &parts[i], index + i, &known, error);
        if (status == AG_OK)
            status = look_at_part(s, &parts[i], known, error);
    }
    return status;
}

static ag_status look(search *s, const study_subject *subject, ag_error *error)
{
    ag_status status = reach_init(&s->reach, subject, error);
    if (status == AG_OK)
        status = probe_init(&s->probe, subject, &s->reach, s->reach.lengths[s->reach.output], error);
    for (int cut = 1; cut >= 0; cut--) {
        const int index = s->count;
        for (int values = PROBE_OWN; values <= PROBE_ALIKE && status == AG_OK; values++)
            status = look_at_all(s, cut, (probe_values)values, index, error);
    }
    return status;
}

/* ---- Judging -------------------------------------------------------------------------------- */

/* Goes through all pairs: counts them and the leaks, and writes the leaks where there is room for them. */
static int64_t judge(const search *s, study_leaks *leaks)
{
    int64_t count = 0, position;
    leaks->allowed = leaks->forbidden = 0;
    for (int n = 0; n < s->count; n++) {
        const found *f = &s->parts[n];
        for (int64_t e = 0; e < s->reach.lengths[f->side] * s->reach.inputs; e++) {
            const int64_t i = e / s->reach.inputs, j = e % s->reach.inputs;
            const study_side side = reach_side(&s->reach, j, &position);
            if (!f->looks[side])
                continue;
            const bool allowed = reach_allows(&s->reach, f->reach, f->side, i, j), moves = !(f->influence[e] == 0);
            *(allowed ? &leaks->allowed : &leaks->forbidden) += 1;
            if (allowed == moves)
                continue;
            if (leaks->items)
                leaks->items[count] = (study_leak){.layer = (const char *)leaks->storage + (size_t)n * PROBE_NAME,
                                                   .side = side == SIDE_SOURCE ? "source" : "target",
                                                   .i = i,
                                                   .j = position,
                                                   .forbidden = !allowed,
                                                   .influence = f->influence[e]};
            count++;
        }
    }
    return count;
}

/* The leaks, and the names that they point to. */
static ag_status report(const search *s, study_leaks *leaks, ag_error *error)
{
    const int64_t count = judge(s, leaks);
    leaks->storage = malloc((size_t)s->count * PROBE_NAME + 1);
    leaks->items = malloc((size_t)count * sizeof *leaks->items + 1);
    if (!leaks->storage || !leaks->items) {
        study_leaks_clear(leaks);
        return ag_error_set(error, AG_NO_MEMORY, "out of memory for %lld leaks", (long long)count);
    }
    for (int n = 0; n < s->count; n++)
        memcpy((char *)leaks->storage + (size_t)n * PROBE_NAME, s->parts[n].name, PROBE_NAME);
    leaks->count = judge(s, leaks);
    return AG_OK;
}

ag_status study_leaks_find(const study_subject *subject, study_leaks *leaks, ag_error *error)
{
    search s = {0};
    *leaks = (study_leaks){0};
    ag_status status = look(&s, subject, error);
    if (status == AG_OK)
        status = report(&s, leaks, error);
    for (int n = 0; n < s.count; n++)
        free(s.parts[n].influence);
    free(s.parts);
    probe_clear(&s.probe);
    reach_clear(&s.reach);
    return status;
}

void study_leaks_clear(study_leaks *leaks)
{
    free(leaks->items);
    free(leaks->storage);
    *leaks = (study_leaks){0};
}
