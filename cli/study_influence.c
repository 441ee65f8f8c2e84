/* study_influence.c - tapeformer study influence: what each output depends on, beside
 * what the masks allow. */
#include "study_report.h"

typedef struct influence_flags {
    study_example_flags example;
    study_output output;
    int64_t threads;
    bool broken; /* the result: an influence that the masks forbid is not 0 */
} influence_flags;

static int add_influence(void *context, const study_example *example, study_document *document)
{
    influence_flags *f = context;
    ag_error error = {0};
    study_influence influence;
    study_forbidden found;
    const study_labels labels = {example->source.labels, example->target.labels};
    const study_subject subject = {.model = example->saved.model, .input = &example->input, .threads = (int)f->threads};
    ag_status status = study_influence_find(&subject, &influence, &error);
    if (status == AG_OK)
        status = study_influence_write(&influence, &labels, document, &found, &error);
    study_influence_clear(&influence);
    if (status != AG_OK)
        return cli_report("study influence", &error);
    f->broken = found.broken > 0;
    return CLI_DONE;
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
        .details = "Draws how much each output moves with each input: the norm of the derivatives of its logits by the "
                   "embedding\nof the token and its position. Beside it stands what the masks let through. Exits with "
                   "1 where the model sees more.",
    };
    const int code = cli_study_report(&report, &command, count, arguments);
    if (code == CLI_DONE && f.broken)
        return cli_fail("study influence", CLI_FAILED,
                        "the model sees what its masks forbid (tapeformer study leaks tells where)");
    return code;
}

const study_kind cli_study_influence = {"influence", "what each output depends on, beside what the masks allow",
                                        run_influence};
