/* eval.c - tapeformer eval: how good a saved model is. */
#include "examples.h"

#include <stdio.h>
#include <string.h>

typedef struct eval_flags {
    const char *model;
    cli_examples examples;
    train_evaluation evaluation;
    int64_t show;
    bool json;
} eval_flags;

/* ---- Output ------------------------------------------------------------------------ */

/* How many more outputs to print, and where. */
typedef struct shown {
    int64_t left;
    FILE *out;
} shown;

static void show_output(void *context, const char *source, const char *output, const char *target, bool correct)
{
    shown *s = context;
    if (s->left <= 0)
        return;
    s->left--;
    fputs(correct ? "right  " : "WRONG  ", s->out);
    cli_show(s->out, source);
    fputs(" -> ", s->out);
    cli_show(s->out, output);
    if (!correct) {
        fputs("   expected ", s->out);
        cli_show(s->out, target);
    }
    fputc('\n', s->out);
}

static void print_json(const train_metrics *m)
{
    char text[1024];
    data_json_object object = data_json_object_start(text, sizeof text, " ");
    data_json_put_number(&object, "loss", m->loss, 9);
    data_json_put_number(&object, "perplexity", m->perplexity, 9);
    data_json_put_number(&object, "token_accuracy", m->token_accuracy, 9);
    if (m->decoded) {
        data_json_put_number(&object, "exact_match", m->exact_match, 9);
        data_json_put_number(&object, "wer", m->wer, 9);
        data_json_put_number(&object, "per", m->per, 9);
        data_json_put_integer(&object, "sources", m->sources);
    }
    data_json_put_integer(&object, "tokens", m->tokens);
    data_json_object_end(&object);
    puts(text);
}

static void print_metrics(const train_metrics *m, bool json)
{
    if (json) {
        print_json(m);
        return;
    }
    printf("loss            %.4f nats per token (perplexity %.3f), %lld %s\n", m->loss, m->perplexity,
           (long long)m->tokens, ag_plural(m->tokens, "token", "tokens"));
    if (train_metrics_guess(m))
        printf("                no better than guessing, which has %.4f\n", m->chance);
    printf("token accuracy  %.2f %%\n", 100 * m->token_accuracy);
    if (!m->decoded)
        return;
    printf("exact match     %.2f %% of %lld %s\n", 100 * m->exact_match, (long long)m->sources,
           ag_plural(m->sources, "source", "sources"));
    printf("word error      %.2f %%\n", 100 * m->wer);
    printf("phone error     %.2f %% of target tokens\n", 100 * m->per);
}

static int evaluate_model(const eval_flags *f, ag_error *error)
{
    train_saved saved = {0};
    train_metrics metrics = {0};
    int code;
    if (train_saved_load(&saved, f->model, error) != AG_OK)
        return cli_report("eval", error);
    data_set *set = cli_examples_open("eval", &f->examples, &saved, &code, error);
    shown show = {.left = f->show,
                  .out = f->json ? stderr : stdout}; /* a program that reads the JSON finds nothing else in stdout */
    if (set) {
        train_evaluation evaluation = f->evaluation;
        evaluation.decode = saved.source_vocab != NULL;
        evaluation.on_output = f->show ? show_output : NULL;
        evaluation.context = &show;
        ag_status status = train_evaluate(saved.model, set, &evaluation, &metrics, error);
        code = status == AG_OK ? CLI_DONE : cli_report("eval", error);
    }
    if (code == CLI_DONE && metrics.unknown)
        cli_fail("eval", CLI_DONE, "note: %lld %s not in the model's vocabularies and %s read as <unk>",
                 (long long)metrics.unknown, ag_plural(metrics.unknown, "token is", "tokens are"),
                 ag_plural(metrics.unknown, "is", "are"));
    if (code == CLI_DONE)
        print_metrics(&metrics, f->json);
    data_set_free(set);
    train_saved_clear(&saved);
    return code;
}

int cli_eval(int count, const char *const *arguments)
{
    eval_flags f = {.examples.options = {.count = 1000, .seed = 1000000},
                    .evaluation = {.batch = 64, .generation.beam = 1}};
    nn_generation_options *generation = &f.evaluation.generation;
    cli_flag table[] = {
        CLI_FLAG(f.model, "model", "DIR", "the folder of a trained model, or a .safetensors file"),
        CLI_EXAMPLE_FLAGS(f.examples),
        CLI_FLAG(f.examples.options.count, "count", "N", "examples of the task", .low = 1),
        CLI_FLAG(f.examples.options.seed, "seed", "N", "seed of the task's examples"),
        CLI_FLAG(generation->beam, "beam", "N", "hypotheses of the beam search; 1: greedy", .low = 1, .high = 1000),
        CLI_FLAG(generation->length_penalty, "length-penalty", "A",
                 "exponent of the beam search's length penalty; 0: none"),
        CLI_FLAG(f.evaluation.batch, "batch", "N", "sources to evaluate at once", .low = 1, .high = 100000),
        CLI_FLAG(f.show, "show", "N", "print the first N outputs, too; with --json to standard error"),
        CLI_THREADS(f.evaluation.threads),
        CLI_FLAG(f.json, "json", NULL, "print the result as one JSON object"),
    };
    cli_command command = {
        .name = "eval",
        .summary = "measure a model",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "--model DIR --pairs FILE | --task NAME | --text FILE [flags]",
        .details = "Word error: the share of distinct sources whose output equals none of their targets. Phone error: "
                   "the edits from each output to its nearest target, divided by the tokens of that target.",
    };
    ag_error error = {0};
    int code = cli_flags_read(&command, count, arguments);
    if (code != CLI_DONE)
        return code;
    if (!f.model)
        return cli_fail("eval", CLI_USAGE, "which model? Give --model DIR");
    if (!cli_examples_given(&f.examples))
        return cli_fail("eval", CLI_USAGE, "measure on what? Give one of --pairs FILE, --task NAME, --text FILE");
    const cli_need needs[] = {
        {"count", f.examples.task, "goes with --task"},
        {"seed", f.examples.task, "goes with --task"},
        {"beam", !f.examples.text, "goes without --text: a language model reads no sources"},
        {"show", !f.examples.text, "goes without --text: a language model reads no sources"},
        {"length-penalty", generation->beam > 1 || generation->length_penalty == 0, "goes with a --beam of 2 or more"}};
    if (!cli_examples_effective(&command, &f.examples) ||
        !cli_flags_effective(&command, needs, sizeof needs / sizeof *needs))
        return CLI_USAGE;
    return evaluate_model(&f, &error);
}
