/* study_influence.c - tapeformer study influence: what each output depends on, beside
 * what the masks allow. */
#include "study_report.h"

#include <stdlib.h>

typedef struct influence_flags {
    study_example_flags example;
    study_output output;
    int64_t threads;
    bool broken; /* the result: an influence that the masks forbid is not 0 */
} influence_flags;

/* The data of the two pictures, [outputs, inputs]. */
typedef struct pictures {
    ag_real *shares, *allowed;
    unsigned char *cells;      /* of the shares */
    const char **labels;       /* [inputs] */
    int64_t forbidden, broken; /* pairs that the masks forbid; those of them that are not 0 */
} pictures;

static void pictures_clear(pictures *p)
{
    free(p->shares);
    free(p->allowed);
    free(p->cells);
    free(p->labels);
}

/* Divides the influences on each output by the largest. Forbidden ones that are not 0 are
 * shown like any other number. */
static void fill_pictures(const study_influence *influence, pictures *p)
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
            p->cells[e] = broken ? STUDY_SEEN : influence->cells[e];
            p->allowed[e] = !forbidden;
            p->forbidden += forbidden;
            p->broken += broken;
        }
    }
}

static int pictures_init(pictures *p, const study_influence *influence, const study_example *example)
{
    const size_t inputs = (size_t)influence->inputs, size = (size_t)influence->outputs * inputs;
    *p = (pictures){.shares = malloc((size + 1) * sizeof *p->shares),
                    .allowed = malloc((size + 1) * sizeof *p->allowed),
                    .cells = malloc(size + 1),
                    .labels = malloc((inputs + 1) * sizeof *p->labels)};
    if (!p->shares || !p->allowed || !p->cells || !p->labels)
        return cli_fail("study influence", CLI_FAILED, "out of memory");
    fill_pictures(influence, p);
    for (int64_t j = 0; j < influence->inputs; j++)
        p->labels[j] = j < influence->source_length ? example->source.labels[j]
                                                    : example->target.labels[j - influence->source_length];
    return CLI_DONE;
}

static void add_pictures(study_document *document, const study_influence *influence, const study_example *example,
                         const pictures *p)
{
    const nn_model_kind kind = example->saved.model->config.kind;
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
        .row_labels = kind == NN_ENCODER ? example->source.labels : example->target.labels,
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

static void add_verdict(study_document *document, const pictures *p)
{
    if (p->broken)
        study_add_text(document, "LEAK: %lld of the %lld %s that the masks forbid %s not 0.", (long long)p->broken,
                       (long long)p->forbidden, ag_plural(p->forbidden, "influence", "influences"),
                       ag_plural(p->broken, "is", "are"));
    else if (p->forbidden)
        study_add_text(document, "All %lld %s that the masks forbid %s exactly 0.", (long long)p->forbidden,
                       ag_plural(p->forbidden, "influence", "influences"), ag_plural(p->forbidden, "is", "are"));
    else
        study_add_text(document, "The masks forbid nothing here.");
}

static int add_influence(void *context, const study_example *example, study_document *document)
{
    influence_flags *f = context;
    ag_error error = {0};
    study_influence influence;
    pictures p;
    const study_subject subject = {.model = example->saved.model, .input = &example->input, .threads = (int)f->threads};
    if (study_influence_find(&subject, &influence, &error) != AG_OK)
        return cli_report("study influence", &error);
    const int code = pictures_init(&p, &influence, example);
    if (code == CLI_DONE) {
        study_add_text(document,
                       "How much the output of each row moves with the embedding in each column: the "
                       "norm of its derivatives.%s",
                       example->input.target ? " In the decoder each row predicts the token after its own." : "");
        add_pictures(document, &influence, example, &p);
        add_verdict(document, &p);
        f->broken = p.broken > 0;
    }
    pictures_clear(&p);
    study_influence_clear(&influence);
    return code;
}

static int run_influence(int count, const char *const *arguments)
{
    influence_flags f = {0};
    const study_report report = {"What each output depends on", &f.output, &f.example, add_influence, &f};
    cli_flag table[] = {
        STUDY_EXAMPLE_FLAGS(f.example),
        CLI_THREADS(f.threads),
        STUDY_OUTPUT_FLAGS(f.output),
    };
    cli_command command = {
        .name = "study influence",
        .summary = cli_study_influence.summary,
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "--model DIR --source TEXT [flags]",
        .details =
            "Draws how much each output moves with each input: the norm of the derivatives of its logits by the "
            "embedding\nof the token and its position. Beside it stands what the masks let through. Exits with 1 where the "
            "model sees more.",
    };
    const int code = cli_study_report(&report, &command, count, arguments);
    if (code == CLI_DONE && f.broken)
        return cli_fail("study influence", CLI_FAILED,
                        "the model sees what its masks forbid (tapeformer study leaks tells where)");
    return code;
}

const study_kind cli_study_influence = {"influence", "what each output depends on, beside what the masks allow",
                                        run_influence};
