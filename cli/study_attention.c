/* study_attention.c - tapeformer study attention: what each token looks at. */
#include "study_report.h"

typedef struct attention_flags {
    study_example_flags example;
    study_output output;
    int which;
    int64_t layer, head;
} attention_flags;

static int add_attention(void *context, const study_example *example, study_document *document)
{
    const attention_flags *f = context;
    ag_error error = {0};
    study_maps maps;
    int64_t count = 0;
    if (study_attention(example->saved.model, &example->input, &maps, &error) != AG_OK)
        return cli_report("study attention", &error);
    const study_maps_choice choice = {.kind = (study_attention_kind)f->which, .layer = f->layer, .head = f->head};
    const study_labels labels = {example->source.labels, example->target.labels};
    const ag_status status = study_maps_write(&maps, &choice, &labels, document, &count, &error);
    study_maps_clear(&maps);
    if (status != AG_OK)
        return cli_report("study attention", &error);
    return count
               ? CLI_DONE
               : cli_fail("study attention", CLI_FAILED, "the model has no such attention (--which, --layer, --head)");
}

static int run_attention(int count, const char *const *arguments)
{
    attention_flags f = {.layer = -1, .head = -1, .which = STUDY_EVERY};
    const study_report report = {"What each token looks at", &f.output, &f.example, add_attention, &f};
    cli_flag table[] = {
        STUDY_EXAMPLE_FLAGS(f.example),
        CLI_FLAG(f.which, "which", "PART", "", .names = study_attention_kind_name),
        CLI_FLAG(f.layer, "layer", "N", "only this layer, from 0", .otherwise = "all"),
        CLI_FLAG(f.head, "head", "N", "only this head, from 0", .otherwise = "all"),
        STUDY_OUTPUT_FLAGS(f.output),
    };
    cli_command command = {
        .name = "study attention",
        .summary = "what each token looks at",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "--model DIR --source TEXT [flags]",
        .details = "Draws the attention weights of each layer and head: a row for each query, a column for each key. "
                   "What a mask\nforbids is marked apart from a weight of zero, and so is padding.",
    };
    return cli_study_report(&report, &command, count, arguments);
}

const study_kind cli_study_attention = {"attention", "what each token looks at: the weights of every layer and head",
                                        run_attention};
