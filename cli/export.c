/* export.c - tapeformer export: a saved model's weights, and its vocabularies, for other
 * programs. */
#include "cli.h"
#include "outputs.h"

#include "../train/options.h"

#include <string.h>

typedef struct export_flags {
    const char *model, *out, *source_vocab, *target_vocab;
    train_layout layout;
} export_flags;

/* Writes the vocabularies first, since they are small: once the file of weights exists,
 * all files do. */
static int write_files(const export_flags *f, const train_saved *saved, ag_error *error)
{
    if (f->source_vocab && !saved->source_vocab)
        return cli_fail("export", CLI_USAGE, "--src-vocab: a language model has no sources");
    if (f->source_vocab && data_vocab_write_file(saved->source_vocab, f->source_vocab, error) != AG_OK)
        return cli_report("export", error);
    if (f->target_vocab && data_vocab_write_file(saved->target_vocab, f->target_vocab, error) != AG_OK)
        return cli_report("export", error);
    if (train_export(saved->model, f->layout, f->out, error) != AG_OK)
        return cli_report("export", error);
    return CLI_DONE;
}

int cli_export(int count, const char *const *arguments)
{
    export_flags f = {0};
    cli_flag table[] = {
        CLI_FLAG(f.model, "model", "DIR", "the folder of a trained model, or a .safetensors file"),
        CLI_FLAG(f.out, "out", "FILE", "the .safetensors file to write", .written = TRAIN_WRITES_FILE),
        CLI_FLAG(f.layout, "layout", "NAME", "names and shapes of the tensors", .names = train_layout_name),
        CLI_FLAG(f.source_vocab, "src-vocab", "FILE", "write the sources' tokens to this file, one per line",
                 .written = TRAIN_WRITES_FILE),
        CLI_FLAG(f.target_vocab, "tgt-vocab", "FILE", "write the targets' tokens, or the text's, to this file",
                 .written = TRAIN_WRITES_FILE),
    };
    cli_command command = {
        .name = "export",
        .summary = "write a model's weights for other programs",
        .usage = "--model DIR --out FILE.safetensors [flags]",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .details = "The names are those of PyTorch's modules (docs/import-export.md). `tapeformer import FILE --config "
                   "DIR` reads the weights back, changed or not.",
    };
    ag_error error = {0};
    train_saved saved = {0};
    int code = cli_flags_read(&command, count, arguments);
    if (code != CLI_DONE)
        return code;
    if (!f.model || !f.out)
        return cli_fail("export", CLI_USAGE, f.model ? "where to? Give --out FILE" : "which model? Give --model DIR");
    code = cli_check_outputs(&command);
    if (code != CLI_DONE)
        return code;
    if (train_saved_load(&saved, f.model, &error) != AG_OK)
        return cli_report("export", &error);
    code = write_files(&f, &saved, &error);
    train_saved_clear(&saved);
    return code;
}
