/* gradcheck.c - tapeformer gradcheck: the table of operations with the worst error of
 * each. */
#include "doctor.h"
#include "help.h"

#include <stdio.h>
#include <string.h>

typedef struct gradcheck_flags {
    const char *operation;
    ag_gradcheck_options options;
    int draws;
    bool json;
    doctor_flags doctor; /* of --model */
} gradcheck_flags;

static void print_json(const ag_op *op, const ag_gradcheck_report *r)
{
    char text[1024];
    data_json_object object = data_json_object_start(text, sizeof text, " ");
    data_json_put_text(&object, "operation", op->name);
    data_json_put_bool(&object, "passed", r->passed);
    data_json_put_integer(&object, "checked", r->checked);
    data_json_put_integer(&object, "kinks", r->kinks);
    data_json_put_number(&object, "worst_error", r->worst_error, 6);
    data_json_put_text(&object, "input", r->input_name ? r->input_name : "");
    data_json_put_integer(&object, "index", r->index);
    data_json_put_integer(&object, "draw", r->draw);
    data_json_put_number(&object, "analytic", r->analytic, 17);
    data_json_put_number(&object, "numeric", r->numeric, 17);
    data_json_put_number(&object, "step", r->step, 6);
    data_json_put_number(&object, "numeric_error", r->numeric_error, 6);
    data_json_object_end(&object);
    puts(text);
}

static void print_row(const ag_op *op, const ag_gradcheck_report *r)
{
    printf("%-16s %8lld %6lld   %9.2e   %s\n", op->name, (long long)r->checked, (long long)r->kinks, r->worst_error,
           r->passed ? "ok" : "FAILED");
    if (!r->passed)
        printf("    draw %d, %s\n", r->draw, r->message);
}

static const char *operation_name(int i)
{
    int count;
    const ag_op *const *ops = ag_ops(&count);
    return i < count ? ops[i]->name : NULL;
}

static int check_all(const gradcheck_flags *f)
{
    int count, failed = 0;
    const ag_op *const *ops = ag_ops(&count);
    if (!f->json)
        printf("%-16s %8s %6s   %9s\n", "operation", "elements", "kinks", "worst error");
    for (int i = 0; i < count; i++) {
        ag_gradcheck_report report;
        ag_error error = {0};
        if (f->operation && strcmp(f->operation, ops[i]->name))
            continue;
        if (ag_gradcheck_op(ops[i], f->draws, &f->options, &report, &error) != AG_OK)
            return cli_report("gradcheck", &error);
        if (f->json)
            print_json(ops[i], &report);
        else
            print_row(ops[i], &report);
        failed += !report.passed;
        fflush(stdout);
    }
    if (failed)
        return cli_fail("gradcheck", CLI_FAILED, "%d %s failed", failed, ag_plural(failed, "operation", "operations"));
#ifndef TAPEFORMER_DOUBLE
    if (!f->json)
        cli_print_prose(stdout, "\nIn single precision the numeric side itself is this rough; the proof is "
                                "`tapeformer64 gradcheck` (make PRECISION=double), where every element must agree "
                                "within 1e-9.");
#endif
    return CLI_DONE;
}

/* Either all operations, or a model with one kind of examples. */
static int run_gradcheck(const cli_command *command, gradcheck_flags *f)
{
    const bool model = f->doctor.model != NULL;
    static const char *const of_model[] = {"pairs", "task", "text", "count", "batch", "out"};
    static const char *const of_operations[] = {"op", "draws", "tolerance", "json"};
    for (size_t i = 0; i < sizeof of_model / sizeof *of_model; i++)
        if (!cli_flags_effective(command, &(cli_need){of_model[i], model, "goes with --model"}, 1))
            return CLI_USAGE;
    for (size_t i = 0; i < sizeof of_operations / sizeof *of_operations; i++)
        if (!cli_flags_effective(command, &(cli_need){of_operations[i], !model, "goes without --model"}, 1))
            return CLI_USAGE;
    const cli_need needs[] = {{"task-min", f->doctor.examples.task, "goes with --task"},
                              {"task-max", f->doctor.examples.task, "goes with --task"}};
    if (!cli_flags_effective(command, needs, sizeof needs / sizeof *needs))
        return CLI_USAGE;
    if (!model)
        return check_all(f);
    if (!cli_examples_given(&f->doctor.examples))
        return cli_fail("gradcheck", CLI_USAGE,
                        "examine it on what? Give one of --pairs FILE, --task NAME, --text FILE");
    f->doctor.seed = f->doctor.examples.options.seed = f->options.seed;
    f->doctor.examples.options.count = f->doctor.count;
    f->doctor.threads = f->options.threads;
    return cli_doctor(&f->doctor);
}

int cli_gradcheck(int count, const char *const *arguments)
{
    gradcheck_flags f = {.draws = 24, .options = {.seed = 1}, .doctor.count = 1000};
    cli_flag table[] = {
        CLI_FLAG(f.operation, "op", "NAME", "check only this operation", .names = operation_name),
        CLI_FLAG(f.draws, "draws", "N", "examples to draw of each operation", .low = 1, .high = 1e6),
        CLI_FLAG(f.options.seed, "seed", "N", "seed of the examples"),
        CLI_FLAG(f.options.tolerance, "tolerance", "X",
                 "largest |a - n| / max(1, |a|, |n|) of an analytic derivative a and a numeric one n", .low = 1e-300,
                 .high = 1, .otherwise = "1e-9 in double"),
        CLI_FLAG(f.options.threads, "threads", "N", "threads to compute with", .low = 1, .high = 1024,
                 .otherwise = "1; with --model one per processor"),
        CLI_FLAG(f.json, "json", NULL, "print a line with one JSON object for each operation"),
        CLI_FLAG(f.doctor.model, "model", "DIR", "examine this trained model instead, a folder or a .safetensors file"),
        CLI_EXAMPLE_FLAGS(f.doctor.examples),
        CLI_FLAG(f.doctor.count, "count", "N", "examples to examine the model on", .low = 1),
        CLI_FLAG(f.doctor.batch, "batch", "N", "examples that go through the model at once", .low = 1, .high = 100000,
                 .otherwise = "32, fewer of a large model"),
        CLI_FLAG(f.doctor.output.report, "out", "FILE", "write the examination as one HTML file, too"),
    };
    cli_command command = {
        .name = "gradcheck",
        .summary = "check gradients",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "[--op NAME] [--json] | --model DIR --pairs FILE | --task NAME | --text FILE",
        .details = "Draws many shapes and forms of each operation, and compares every element of every gradient with "
                   "central differences under Richardson extrapolation. Elements at a kink (relu at 0, equal maxima) "
                   "are left out and counted.\n\n"
                   "With --model it examines a trained model on real examples: parameters without a gradient, tokens "
                   "that are never read, dead units, numbers that are not finite, positions that no loss reaches, the "
                   "sizes of layers. A fault ends it with 1, an observation does not.",
    };
    int code = cli_flags_read(&command, count, arguments);
    return code == CLI_DONE ? run_gradcheck(&command, &f) : code;
}
