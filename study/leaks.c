/* leaks.c - whether a model sees what its masks allow, no more and no less.
 *
 * Each part is differentiated at two points: at the example's own values, and with all
 * positions alike. At the first, an attention weight may be so small that an influence
 * becomes 0, whether allowed or forbidden; at the second, all keys have about the same
 * weight.
 */
#include "probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The influences in one part, over both points. */
typedef struct leak_part {
    char name[PROBE_NAME];
    reach_part reach;
    study_side side;   /* of its output */
    bool looks[SIDES]; /* which sides its inputs come from */
    double *influence; /* [outputs, inputs] the largest */
} leak_part;

typedef struct leak_search {
    reach reach;
    probe probe;
    leak_part *parts; /* [count] */
    int count;
} leak_search;

/* ---- Differentiating --------------------------------------------------------------- */

/* NaN counts as larger than any number. */
static double larger_or_nan(double a, double b)
{
    return isnan(b) || b > a ? b : a;
}

/* Finds part number `index`, or adds it if it is new. */
static ag_status find_part(leak_search *s, const probe_part *part, int index, leak_part **known, ag_error *error)
{
    if (index < s->count) {
        *known = &s->parts[index];
        return (*known)->side == part->side
                   ? AG_OK
                   : ag_error_set(error, AG_BAD_VALUE, "%s has another place when the computation is run again",
                                  part->name);
    }
    leak_part *parts = realloc(s->parts, (size_t)(s->count + 1) * sizeof *parts);
    if (parts)
        s->parts = parts;
    double *influence = calloc((size_t)(s->reach.lengths[part->side] * s->reach.inputs) + 1, sizeof *influence);
    if (!parts || !influence) {
        free(influence);
        return ag_error_set(error, AG_NO_MEMORY, "out of memory for the influences in %s", part->name);
    }
    leak_part *f = *known = &s->parts[s->count++];
    *f = (leak_part){.reach = part->reach, .side = part->side, .influence = influence};
    memcpy(f->name, part->name, sizeof f->name);
    for (int side = 0; side < SIDES; side++)
        f->looks[side] = part->inputs[side] != NULL;
    return AG_OK;
}

/* One random projection of each output. */
static void seed_projection(int64_t i, int64_t c, int64_t width, ag_real *seed)
{
    (void)c;
    probe_direction((uint64_t)i, width, seed);
}

/* Differentiates all parts of one run; they are the parts from number `index` on. */
static ag_status search_run(leak_search *s, bool cut, probe_values values, int index, ag_error *error)
{
    ag_status status = probe_run(&s->probe, cut, values, error);
    const probe_part *parts = s->probe.parts;
    for (int i = 0; i < s->probe.count && status == AG_OK; i++) {
        leak_part *known = NULL;
        status = find_part(s, &parts[i], index + i, &known, error);
        if (status == AG_OK)
            status = probe_outputs(&s->probe, &parts[i], 1, seed_projection, larger_or_nan, known->influence, error);
    }
    return status;
}

static ag_status search_leaks(leak_search *s, const study_subject *subject, ag_error *error)
{
    ag_status status = reach_init(&s->reach, subject, error);
    if (status == AG_OK)
        status = probe_init(&s->probe, subject, &s->reach, s->reach.lengths[s->reach.output], error);
    for (int cut = 1; cut >= 0; cut--) {
        const int index = s->count;
        for (int values = PROBE_OWN; values <= PROBE_ALIKE && status == AG_OK; values++)
            status = search_run(s, cut, (probe_values)values, index, error);
    }
    return status;
}

/* ---- Judging ----------------------------------------------------------------------- */

/* Goes through all pairs of output and input: counts them, returns the number of leaks,
 * and writes the leaks to leaks->items unless that is NULL. */
static int64_t judge_pairs(const leak_search *s, study_leaks *leaks)
{
    int64_t count = 0, position;
    leaks->allowed = leaks->forbidden = 0;
    for (int n = 0; n < s->count; n++) {
        const leak_part *f = &s->parts[n];
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
                leaks->items[count] = (study_leak){.layer = f->name,
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

/* Makes the list of leaks, which point to the names of the parts. */
static ag_status list_leaks(const leak_search *s, study_leaks *leaks, ag_error *error)
{
    const int64_t count = judge_pairs(s, leaks);
    leaks->items = malloc((size_t)count * sizeof *leaks->items + 1);
    if (!leaks->items)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory for %lld leaks", (long long)count);
    leaks->count = judge_pairs(s, leaks);
    return AG_OK;
}

ag_status study_leaks_find(const study_subject *subject, study_leaks *leaks, ag_error *error)
{
    leak_search s = {0};
    *leaks = (study_leaks){0};
    ag_status status = search_leaks(&s, subject, error);
    if (status == AG_OK)
        status = list_leaks(&s, leaks, error);
    for (int n = 0; n < s.count; n++)
        free(s.parts[n].influence);
    leaks->storage = s.parts;
    if (status != AG_OK)
        study_leaks_clear(leaks);
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
