/* influence_write.c - the influence matrix as a heat map, beside what the masks let
 * through. */
#include "study.h"

#include <stdlib.h>

/* The data of the two pictures, [outputs, inputs]. */
typedef struct pictures {
    ag_real *shares, *allowed;
    unsigned char *cells; /* of the shares */
    const char **labels;  /* [inputs] */
} pictures;

static void pictures_clear(pictures *p)
{
    free(p->shares);
    free(p->allowed);
    free(p->cells);
    free(p->labels);
}

/* Divides the influences on each output by the largest. Forbidden ones that are not 0 are
 * masked cells with a value, also in the padding, so that they are drawn as leaks. */
static void fill_pictures(const study_influence *influence, pictures *p, study_forbidden *found)
{
    const int64_t inputs = influence->inputs;
    for (int64_t i = 0; i < influence->outputs; i++) {
        const ag_real *values = influence->values + i * inputs;
        ag_real largest = 0;
        for (int64_t j = 0; j < inputs; j++)
            largest = values[j] > largest ? values[j] : largest;
        for (int64_t j = 0; j < inputs; j++) {
            const int64_t e = i * inputs + j;
            const bool forbidden = influence->cells[e] != STUDY_SEEN, broken = forbidden && !(values[j] == 0);
            p->shares[e] = largest > 0 ? values[j] / largest : values[j];
            p->cells[e] = broken ? STUDY_MASKED : influence->cells[e];
            p->allowed[e] = !forbidden;
            found->pairs += forbidden;
            found->broken += broken;
        }
    }
}

static ag_status pictures_init(pictures *p, const study_influence *influence, const study_labels *labels,
                               study_forbidden *found, ag_error *error)
{
    const size_t inputs = (size_t)influence->inputs, size = (size_t)influence->outputs * inputs;
    *p = (pictures){.shares = malloc((size + 1) * sizeof *p->shares),
                    .allowed = malloc((size + 1) * sizeof *p->allowed),
                    .cells = malloc(size + 1),
                    .labels = malloc((inputs + 1) * sizeof *p->labels)};
    if (!p->shares || !p->allowed || !p->cells || !p->labels)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory");
    fill_pictures(influence, p, found);
    for (int64_t j = 0; j < influence->inputs; j++)
        p->labels[j] = j < influence->source_length ? labels->source[j] : labels->target[j - influence->source_length];
    return AG_OK;
}

static void add_pictures(study_document *document, const study_influence *influence, const study_labels *labels,
                         const pictures *p)
{
    static const char *const kinds[] = {"masked", "allowed"};
    study_heat heats[2];
    heats[0] = (study_heat){
        .title = "influence",
        .note = "each row in parts of its largest",
        .rows = influence->outputs,
        .columns = influence->inputs,
        .values = p->shares,
        .cells = p->cells,
        .row_axis = "output",
        .column_axis = "input",
        .row_labels = labels->target ? labels->target : labels->source,
        .column_labels = p->labels,
        .split = influence->source_length,
        .sides = {"source", "target"},
    };
    heats[1] = heats[0];
    heats[1].title = "declared";
    heats[1].note = "what the masks let through all layers together";
    heats[1].values = p->allowed;
    heats[1].cells = influence->cells;
    heats[1].kinds = kinds;
    heats[1].kind_count = sizeof kinds / sizeof *kinds;
    study_add_heats(document, heats, 2, true);
}

static void add_verdict(study_document *document, const study_forbidden *found)
{
    if (found->broken)
        study_add_text(document, "LEAK: in the whole model, %lld of the %lld %s that the masks forbid %s not 0.", (long long)found->broken,
                       (long long)found->pairs, ag_plural(found->pairs, "influence", "influences"),
                       ag_plural(found->broken, "is", "are"));
    else if (found->pairs)
        study_add_text(document, "All %lld %s that the masks forbid %s exactly 0.", (long long)found->pairs,
                       ag_plural(found->pairs, "influence", "influences"), ag_plural(found->pairs, "is", "are"));
    else
        study_add_text(document, "The masks forbid nothing here.");
}

ag_status study_influence_write(const study_influence *influence, const study_labels *labels, study_document *document,
                                study_forbidden *found, ag_error *error)
{
    pictures p;
    *found = (study_forbidden){0};
    const ag_status status = pictures_init(&p, influence, labels, found, error);
    if (status == AG_OK) {
        study_add_text(document,
                       "How much the output of each row moves with the embedding in each column: the "
                       "norm of its derivatives.%s",
                       labels->target ? " In the decoder each row predicts the token after its own." : "");
        add_pictures(document, influence, labels, &p);
        add_verdict(document, found);
    }
    pictures_clear(&p);
    return status;
}
