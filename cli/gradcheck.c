/* gradcheck.c - tapeformer gradcheck: of the operations, or of a trained model. */
#include "doctor.h"
#include "gradcheck_ops.h"
#include "outputs.h"

typedef struct gradcheck_flags {
    operations_flags operations;
    doctor_flags doctor; /* of --model */
    study_output output; /* of either */
} gradcheck_flags;

/* Either all operations, or a model with one kind of examples. */
static int run_gradcheck(const cli_command *command, gradcheck_flags *f)
{
    const bool model = f->doctor.model != NULL;
    static const char *const of_model[] = {"pairs", "conllu", "blocks", "source", "task", "text", "count", "batch"};
    static const char *const of_operations[] = {"op", "draws", "tolerance", "json"};
    for (size_t i = 0; i < sizeof of_model / sizeof *of_model; i++)
        if (!cli_flags_effective(command, &(cli_need){of_model[i], model, "goes with --model"}, 1))
            return CLI_USAGE;
    for (size_t i = 0; i < sizeof of_operations / sizeof *of_operations; i++)
        if (!cli_flags_effective(command, &(cli_need){of_operations[i], !model, "goes without --model"}, 1))
            return CLI_USAGE;
    const bool report = f->output.report || f->output.pictures, one = model || f->operations.operation;
    const cli_need needs[] = {{"out", one, "goes with --op NAME or --model DIR"},
                              {"pictures", f->operations.operation, "goes with --op NAME"},
                              {"color", model || report, "goes with --out or --model DIR"},
                              {"json", !report, "goes without --out and --pictures"}};
    if (!cli_flags_effective(command, needs, sizeof needs / sizeof *needs) ||
        !cli_examples_effective(command, &f->doctor.examples))
        return CLI_USAGE;
    const int code = cli_check_outputs(command);
    if (code != CLI_DONE)
        return code;
    f->operations.output = f->doctor.output = f->output;
    if (!model)
        return cli_check_operations(&f->operations);
    if (cli_examples_count(&f->doctor.examples) != 1)
        return cli_fail("gradcheck", CLI_USAGE,
                        "examine it on what? Give one of --pairs FILE, --source FILE, --conllu FILE, --blocks FILE, "
                        "--task NAME, --text FILE");
    if (cli_output_is_picture(&f->output))
        return cli_fail("gradcheck", CLI_USAGE,
                        "a model's examination has no pictures: write it to a file that ends in .html or .txt");
    f->doctor.seed = f->doctor.examples.options.seed = f->operations.options.seed;
    f->doctor.examples.options.count = f->doctor.count;
    f->doctor.threads = f->operations.options.threads;
    return cli_doctor(&f->doctor);
}

int cli_gradcheck(int count, const char *const *arguments)
{
    gradcheck_flags f = {.operations = {.draws = 24, .options = {.seed = 1}}, .doctor.count = 1000};
    cli_flag table[] = {
        CLI_FLAG(f.operations.operation, "op", "NAME", "check only this operation", .names = cli_operation_name),
        CLI_FLAG(f.operations.draws, "draws", "N", "examples to draw of each operation", .low = 1, .high = 1e6),
        CLI_FLAG(f.operations.options.seed, "seed", "N", "seed of the examples"),
        CLI_FLAG(f.operations.options.tolerance, "tolerance", "X",
                 "largest |a - n| / max(1, |a|, |n|) of an analytic derivative a and a numeric one n", .low = 1e-300,
                 .high = 1, .otherwise = "1e-9 in double"),
        CLI_FLAG(f.operations.options.threads, "threads", "N", "threads to compute with", .low = 1, .high = 1024,
                 .otherwise = "1; with --model one per processor"),
        CLI_FLAG(f.operations.json, "json", NULL, "print a line with one JSON object for each operation"),
        CLI_FLAG(f.doctor.model, "model", "DIR", "examine this trained model instead, a folder or a .safetensors file"),
        CLI_EXAMPLE_FLAGS(f.doctor.examples),
        CLI_PARALLEL_FLAGS(f.doctor.examples),
        CLI_FLAG(f.doctor.count, "count", "N", "examples to examine the model on", .low = 1),
        CLI_FLAG(f.doctor.batch, "batch", "N", "examples that go through the model at once", .low = 1, .high = 100000,
                 .otherwise = "32, fewer of a large model"),
        STUDY_OUTPUT_FLAGS(f.output),
    };
    cli_command command = {
        .name = "gradcheck",
        .summary = "check gradients",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "[--op NAME [--out FILE]] [--json] | --model DIR --pairs FILE | --task NAME | --text FILE",
        .details = "Draws many shapes and forms of each operation, and compares every element of every gradient with "
                   "central differences under Richardson extrapolation. Elements at a kink (relu at 0, equal maxima) "
                   "are left out and counted. Beside that, backward is compared with forward mode (the dot test), and "
                   "what is left after the linear part must shrink with the square of the step (Taylor's test).\n\n"
                   "With --op NAME --out FILE it draws the error of a difference over its step, and beside it how a "
                   "wrong gradient looks.\n\n"
                   "With --model it examines a trained model on real examples: parameters without a gradient, tokens "
                   "that are never read, dead units, numbers that are not finite, positions that no loss reaches, the "
                   "sizes of layers. A fault ends it with 1, an observation does not.",
    };
    int code = cli_flags_read(&command, count, arguments);
    return code == CLI_DONE ? run_gradcheck(&command, &f) : code;
}
