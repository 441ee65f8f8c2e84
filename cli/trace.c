/* trace.c - tapeformer trace: writes what a model computes on one example to a file, or
 * compares two such files. */
#include "outputs.h"
#include "study_example.h"

#include <stdio.h>
#include <string.h>

typedef struct trace_flags {
    study_example_flags example;
    const char *out, *files[2];
    bool compare, common;
    double tolerance;
    study_trace_options options;
} trace_flags;

static int write_trace(const cli_command *command, const trace_flags *f)
{
    if (!f->example.model)
        return cli_fail("trace", CLI_USAGE, "which model? Give --model DIR, or --compare and two files");
    study_example example = {0};
    ag_error error = {0};
    int code = cli_check_outputs(command);
    if (code == CLI_DONE)
        code = cli_study_read("trace", &f->example, &example);
    if (code == CLI_DONE) {
        study_trace_options options = f->options;
        options.marks = data_vocab_marks(example.saved.target_vocab);
        if (study_trace(example.saved.model, &example.input, &options, f->out, &error) != AG_OK)
            code = cli_report("trace", &error);
        else
            printf("The trace is in %s\n", CLI_SHOWN(f->out));
    }
    cli_study_clear(&example);
    return code;
}

static int compare_traces(const trace_flags *f)
{
    if (!f->files[1])
        return cli_fail("trace", CLI_USAGE, "compare which files? Give two");
    study_difference difference;
    ag_error error = {0};
    if (study_trace_compare(f->files[0], f->files[1], f->common, f->tolerance, &difference, &error) != AG_OK)
        return cli_report("trace", &error);
    printf("%lld %s\n", (long long)difference.compared,
           ag_plural(difference.compared, "tensor agrees", "tensors agree"));
    return difference.found ? cli_fail("trace", CLI_FAILED, "%s", difference.message) : CLI_DONE;
}

/* Refuses flags that belong to the other use of the command. */
static int check_flags(const trace_flags *f, const cli_flag *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = table[i].field->name;
        const bool comparing = !strcmp(name, "tolerance") || !strcmp(name, "common");
        if (!table[i].given || !strcmp(name, "compare") || comparing == f->compare)
            continue;
        return comparing ? cli_fail("trace", CLI_USAGE, "--%s is for --compare", name)
                         : cli_fail("trace", CLI_USAGE, "--%s: --compare reads two files and runs no model", name);
    }
    return CLI_DONE;
}

int cli_trace(int count, const char *const *arguments)
{
    trace_flags f = {.out = "trace.safetensors"};
    cli_flag table[] = {
        STUDY_EXAMPLE_FLAGS(f.example),
        CLI_FLAG(f.out, "out", "FILE", "the file to write", .written = TRAIN_WRITES_FILE),
        CLI_FLAG(f.options.plain_attention, "plain", NULL,
                 "compute attention by single operations, so that scores and weights are in the trace"),
        CLI_THREADS(f.options.threads),
        CLI_FLAG(f.compare, "compare", NULL, "compare two files and name the first tensor in which they differ"),
        CLI_FLAG(f.tolerance, "tolerance", "X", "largest |a - b| / max(1, |a|, |b|) that counts as equal"),
        CLI_FLAG(f.common, "common", NULL, "compare only tensors that both files have"),
    };
    cli_command command = {
        .name = "trace",
        .summary = "write down what a model computes on one example, or compare two such files",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "--model DIR --source TEXT [flags] | --compare FILE FILE [--tolerance X]",
        .max_words = 2,
        .words = f.files,
        .details = "The file holds the result of each operation under forward/, the gradient of the loss with respect "
                   "to it under gradient/, and the gradients of the parameters under parameter/, numbered in the order "
                   "of the computation.",
    };
    int code = cli_flags_read(&command, count, arguments);
    if (code != CLI_DONE)
        return code;
    code = check_flags(&f, table, sizeof table / sizeof *table);
    if (code != CLI_DONE)
        return code;
    if (f.compare)
        return compare_traces(&f);
    if (f.files[0])
        return cli_fail("trace", CLI_USAGE, "what is '%s'? Files are for --compare", f.files[0]);
    return write_trace(&command, &f);
}
