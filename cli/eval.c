/* eval.c - tapeformer eval: how good a saved model is. */
#include "answers.h"
#include "examples.h"
#include "models.h"
#include "outputs.h"
#include "study_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct eval_flags {
    const char *model, *against, *calibration;
    cli_examples examples;
    train_evaluation evaluation;
    int64_t show;
    bool json;
} eval_flags;

/* The results of one model. */
typedef struct measurement {
    const char *model;
    train_metrics metrics;
    train_tags tags; /* of a tagger */
    train_calibration calibration;
    train_outcomes outcomes; /* with --against */
    /* train_answer_name, train_token_name with the word "error" */
    char answer_error[32], token_error[32];
} measurement;

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

/* A key of the JSON object. */
typedef struct json_key {
    char text[64];
} json_key;

static json_key prefixed(const char *prefix, const char *name)
{
    json_key key;
    snprintf(key.text, sizeof key.text, "%s%s", prefix, name);
    return key;
}

/* Appends the metrics, whose keys begin with `prefix`. */
static void put_metrics(data_json_object *object, const char *prefix, const train_metrics *m)
{
    const struct {
        const char *key;
        double value;
        bool measured;
    } rows[] = {{"loss", m->loss, true},
                {"perplexity", m->perplexity, true},
                {"loss_per_character", m->character_loss, m->characters > 0},
                {"token_accuracy", m->token_accuracy, true},
                {"exact_match", m->exact_match, m->decoded},
                {"wer", m->wer, m->decoded},
                {"per", m->per, m->decoded},
                {"chrf", m->chrf, m->scored},
                {"bleu", m->bleu, m->scored}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].measured)
            data_json_put_number(object, prefixed(prefix, rows[i].key).text, rows[i].value, 9);
}

/* Appends the interval of a difference. */
static void put_interval(data_json_object *object, const char *rate, const train_difference *d)
{
    data_json_put_number(object, prefixed(rate, "_low").text, d->low, 9);
    data_json_put_number(object, prefixed(rate, "_high").text, d->high, 9);
}

static void put_tags(data_json_object *object, const char *prefix, const train_tags *tags)
{
    data_json_put_number(object, prefixed(prefix, "tag_accuracy").text, tags->accuracy, 9);
    data_json_put_number(object, prefixed(prefix, "macro_f1").text, tags->macro_f1, 9);
    data_json_open(object, prefixed(prefix, "tags").text, '[');
    for (int64_t i = 0; i < tags->count; i++) {
        const train_tag *tag = &tags->items[i];
        data_json_open(object, NULL, '{');
        data_json_put_text(object, "tag", tag->name);
        data_json_put_number(object, "precision", tag->precision, 9);
        data_json_put_number(object, "recall", tag->recall, 9);
        data_json_put_number(object, "f1", tag->f1, 9);
        data_json_put_integer(object, "count", tag->wanted);
        data_json_close(object, '{');
    }
    data_json_close(object, '[');
}

/* Appends the calibration and the tags of a model's answers, whose keys begin with
 * `prefix`. */
static void put_answers(data_json_object *object, const char *prefix, const measurement *m)
{
    const train_calibration *calibration = &m->calibration;
    if (m->metrics.decoded)
        data_json_put_number(object, prefixed(prefix, "calibration_error").text, calibration->error, 9);
    if (m->metrics.decoded && calibration->temperature > 0) {
        data_json_put_number(object, prefixed(prefix, "temperature").text, calibration->temperature, 4);
        data_json_put_bool(object, prefixed(prefix, "temperature_at_end").text, calibration->temperature_at_end);
    }
    if (m->tags.items)
        put_tags(object, prefix, &m->tags);
}

static int print_json(const measurement *own, const measurement *other, const train_comparison *c)
{
    data_json_object object = data_json_object_grow(" ");
    put_metrics(&object, "", &own->metrics);
    if (other)
        put_metrics(&object, "against_", &other->metrics);
    if (other && c->decoded) {
        data_json_put_integer(&object, "only_model", c->only_a);
        data_json_put_integer(&object, "only_against", c->only_b);
        data_json_put_number(&object, "p", c->p, 9);
        put_interval(&object, "wer", &c->words);
    }
    if (other && c->same_tokens)
        put_interval(&object, c->decoded ? "per" : "loss", &c->tokens);
    if (own->metrics.decoded)
        data_json_put_integer(&object, "sources", own->metrics.sources);
    data_json_put_integer(&object, "tokens", own->metrics.tokens);
    put_answers(&object, "", own);
    if (other)
        put_answers(&object, "against_", other);
    const bool whole = data_json_object_end(&object);
    if (whole)
        puts(object.text);
    free(object.text);
    return whole ? CLI_DONE : cli_fail("eval", CLI_FAILED, "out of memory");
}

/* The table of a tagger's tags. */
static void print_tags(const train_tags *tags)
{
    printf("tag accuracy    %.2f %% of %lld %s, macro F1 %.2f %%\n\n", 100 * tags->accuracy, (long long)tags->tokens,
           ag_plural(tags->tokens, "token", "tokens"), 100 * tags->macro_f1);
    puts("precision    recall        F1     count  tag");
    for (int64_t i = 0; i < tags->count; i++) {
        const train_tag *tag = &tags->items[i];
        printf("%7.2f %% %7.2f %% %7.2f %% %9lld  ", 100 * tag->precision, 100 * tag->recall, 100 * tag->f1,
               (long long)tag->wanted);
        cli_show(stdout, tag->name);
        putchar('\n');
    }
}

static void print_metrics(const measurement *own)
{
    const train_metrics *m = &own->metrics;
    printf("loss            %.4f nats per token (perplexity %.3f), %lld %s\n", m->loss, m->perplexity,
           (long long)m->tokens, ag_plural(m->tokens, "token", "tokens"));
    if (m->characters > 0 && m->characters != m->tokens)
        printf("                %.4f nats per character, %lld %s\n", m->character_loss, (long long)m->characters,
               ag_plural(m->characters, "character", "characters"));
    if (train_metrics_guess(m))
        printf("                no better than guessing, which has %.4f\n", m->chance);
    printf("token accuracy  %.2f %%\n", 100 * m->token_accuracy);
    if (!m->decoded)
        return;
    printf("exact match     %.2f %% of %lld %s\n", 100 * m->exact_match, (long long)m->sources,
           ag_plural(m->sources, "source", "sources"));
    printf("%-15s %.2f %%\n", own->answer_error, 100 * m->wer);
    printf("%-15s %.2f %% of target tokens\n", own->token_error, 100 * m->per);
    if (m->scored)
        printf("chrF            %.2f\nBLEU            %.2f of tokens as they stand\n", m->chrf, m->bleu);
    printf("calibration     error %.2f %% of the answers' probabilities\n", 100 * own->calibration.error);
    if (own->calibration.temperature > 0)
        printf("                the loss is lowest with --temperature %.3g%s\n", own->calibration.temperature,
               own->calibration.temperature_at_end ? ", the end of the search: it falls further beyond" : "");
    if (own->tags.items)
        print_tags(&own->tags);
}

/* Says which of two models is better by a rate of errors or a loss, in units of 1 /
 * scale, and begins the line of the interval of its difference, other - own. */
static void print_difference(const char *title, const train_difference *d, const measurement *own,
                             const measurement *other, double scale, const char *unit)
{
    const bool own_better = d->better < 0;
    const int places = scale > 1 ? 2 : 4;
    printf("%-15s ", title);
    if (d->better)
        printf("%s is better than %s: %.*f%s against %.*f%s\n", CLI_SHOWN(own_better ? own->model : other->model),
               CLI_SHOWN(own_better ? other->model : own->model), places, scale * (own_better ? d->a : d->b), unit,
               places, scale * (own_better ? d->b : d->a), unit);
    else
        printf("the difference is no more than chance explains: %.*f%s against %.*f%s\n", places, scale * d->b, unit,
               places, scale * d->a, unit);
    printf("                difference %+.*f, 95 %% interval %+.*f to %+.*f", places, scale * d->difference, places,
           scale * d->low, places, scale * d->high);
}

static void print_comparison(const measurement *own, const measurement *other, const train_comparison *c)
{
    putchar('\n');
    if (!c->decoded) {
        print_difference("loss", &c->tokens, own, other, 1, " nats");
        putchar('\n');
        return;
    }
    print_difference(own->answer_error, &c->words, own, other, 100, " %");
    printf(", p = %.2g\n                right alone: %s on %lld %s, %s on %lld\n", c->p, CLI_SHOWN(other->model),
           (long long)c->only_b, ag_plural(c->only_b, "source", "sources"), CLI_SHOWN(own->model),
           (long long)c->only_a);
    if (!c->same_tokens) {
        printf("%-15s not compared: the models' target tokens are of different kinds\n", own->token_error);
        return;
    }
    print_difference(own->token_error, &c->tokens, own, other, 100, " %");
    putchar('\n');
}

/* ---- Measuring --------------------------------------------------------------------- */

/* Names the errors by what the model's sources and targets are. */
static void name_errors(measurement *m, const train_saved *saved)
{
    const data_vocab *source = saved->source_vocab, *target = saved->target_vocab;
    snprintf(m->answer_error, sizeof m->answer_error, "%s error", train_answer_name(source));
    snprintf(m->token_error, sizeof m->token_error, "%s error", train_token_name(source, target, saved->tagging));
}

static bool is_of_words(const data_vocab *vocab)
{
    return data_vocab_kind(vocab) == DATA_WORDS || data_vocab_kind(vocab) == DATA_BPE;
}

/* Whether words answer words, of which chrF and BLEU say something. */
static bool answers_texts(const train_saved *saved)
{
    const data_vocab *source = saved->source_vocab, *target = saved->target_vocab;
    return !saved->tagging && source && is_of_words(source) && is_of_words(target);
}

static int measure_model(const eval_flags *f, measurement *m, ag_error *error)
{
    cli_models models;
    int code = cli_models_load(&models, "eval", m->model);
    const nn_ensemble *ensemble = &models.ensemble.nn;
    const train_saved *saved = models.ensemble.saved;
    data_set *set = NULL;
    data_unknown unknown[2] = {{0}, {0}};
    if (code == CLI_DONE)
        set = cli_examples_open("eval", &f->examples, saved, ensemble, &code, error);
    shown show = {.left = f->show,
                  .out = f->json ? stderr : stdout}; /* a program that reads the JSON finds nothing else in stdout */
    if (set) {
        train_evaluation evaluation = f->evaluation;
        evaluation.decode = saved->source_vocab != NULL;
        evaluation.on_output = f->show ? show_output : NULL;
        evaluation.context = &show;
        evaluation.unknown = unknown;
        evaluation.scores = answers_texts(saved);
        evaluation.tags = &m->tags;
        evaluation.calibration = &m->calibration;
        evaluation.find_temperature = f->calibration != NULL;
        name_errors(m, saved);
        evaluation.outcomes = f->against ? &m->outcomes : NULL;
        ag_status status = train_ensemble_evaluate(ensemble, set, &evaluation, &m->metrics, error);
        code = status == AG_OK ? CLI_DONE : cli_report("eval", error);
    }
    for (int side = 0; side < 2 && code == CLI_DONE; side++)
        cli_report_unknown("eval", "note: ", side ? "target" : "source", &unknown[side]);
    if (code == CLI_DONE && !f->json)
        print_metrics(m);
    data_unknown_clear(&unknown[0]);
    data_unknown_clear(&unknown[1]);
    data_set_free(set);
    cli_models_clear(&models);
    return code;
}

/* Writes the reliability curve. */
static int draw_calibration(const eval_flags *f, const measurement *m, ag_error *error)
{
    study_document *document = study_document_new("Calibration");
    ag_status status = study_calibration_write(&m->calibration, document, error);
    if (status == AG_OK)
        status = cli_save_document(document, f->calibration, error);
    study_document_free(document);
    if (status != AG_OK)
        return cli_report("eval", error);
    fprintf(f->json ? stderr : stdout, "The calibration is in %s\n", CLI_SHOWN(f->calibration));
    return CLI_DONE;
}

static int evaluate_model(const eval_flags *f, ag_error *error)
{
    measurement own = {.model = f->model};
    int code = measure_model(f, &own, error);
    if (code == CLI_DONE && f->json)
        code = print_json(&own, NULL, NULL);
    if (code == CLI_DONE && f->calibration)
        code = draw_calibration(f, &own, error);
    train_tags_clear(&own.tags);
    return code;
}

/* Measures --model and --against, each under a line with its name, and
 * compares them. */
static int compare_models(const eval_flags *f, ag_error *error)
{
    measurement own = {.model = f->model}, other = {.model = f->against};
    measurement *const both[] = {&own, &other};
    train_comparison comparison;
    int code = CLI_DONE;
    for (int i = 0; i < 2 && code == CLI_DONE; i++) {
        if (!f->json)
            printf(i ? "\n%s\n" : "%s\n", CLI_SHOWN(both[i]->model));
        code = measure_model(f, both[i], error);
    }
    if (code == CLI_DONE &&
        train_compare(&own.outcomes, &other.outcomes, f->examples.options.seed, &comparison, error) != AG_OK)
        code = cli_report("eval", error);
    if (code == CLI_DONE && f->json)
        code = print_json(&own, &other, &comparison);
    else if (code == CLI_DONE)
        print_comparison(&own, &other, &comparison);
    for (int i = 0; i < 2; i++) {
        train_outcomes_clear(&both[i]->outcomes);
        train_tags_clear(&both[i]->tags);
    }
    return code;
}

/* Whether each of two readings of the file finds all of it. */
static bool can_be_read_twice(const char *path)
{
    struct stat info;
    return !path || (strcmp(path, "-") && (stat(path, &info) != 0 || S_ISREG(info.st_mode)));
}

/* Checks the flags together. */
static int check_flags(const cli_command *command, const eval_flags *f)
{
    const nn_generation_options *generation = &f->evaluation.generation;
    const cli_examples *examples = &f->examples;
    if (!f->model)
        return cli_fail("eval", CLI_USAGE, "which model? Give --model DIR");
    if (cli_examples_count(examples) != 1)
        return cli_fail(
            "eval", CLI_USAGE,
            "measure on what? Give one of --pairs FILE, --source FILE, --conllu FILE, --blocks FILE, --task "
            "NAME, --text FILE");
    const cli_need needs[] = {
        {"count", examples->task, "goes with --task"},
        {"seed", examples->task || f->against, "goes with --task or --against"},
        {"beam", !examples->text, "goes without --text: a language model reads no sources"},
        {"batch", !examples->text || !f->against,
         "goes without --against and --text together, which measure each window of the text by itself"},
        {"show", !examples->text, "goes without --text: a language model reads no sources"},
        {"copy-unknown", !examples->text, "goes without --text: a language model reads no sources"},
        {"align-layer", f->evaluation.copy_unknown, "goes with --copy-unknown"},
        {"calibration", !examples->text, "goes without --text: a language model gives no answers"},
        {"calibration", !f->against, "goes without --against: draw each model by itself"},
        {"length-penalty", generation->beam > 1 || generation->length_penalty == 0, "goes with a --beam of 2 or more"}};
    if (!cli_examples_effective(command, examples) ||
        !cli_flags_effective(command, needs, sizeof needs / sizeof *needs))
        return CLI_USAGE;
    const char *const inputs[] = {f->model, cli_examples_path(examples), examples->options.format.targets,
                                  examples->text};
    if (f->against && !(can_be_read_twice(inputs[1]) && can_be_read_twice(inputs[2]) && can_be_read_twice(inputs[3])))
        return cli_fail("eval", CLI_USAGE,
                        "--against reads the examples once for each model, which a pipe does not allow: write them to "
                        "a file");
    return cli_check_outputs(command);
}

int cli_eval(int count, const char *const *arguments)
{
    eval_flags f = {.examples.options = {.count = 1000, .seed = 1000000},
                    .evaluation = {.batch = 64, .copy_layer = -1, .generation = {.beam = 1, .temperature = 1}}};
    nn_generation_options *generation = &f.evaluation.generation;
    cli_flag table[] = {
        CLI_FLAG(f.model, "model", "DIR", CLI_MODELS_HELP, .joined_by = CLI_LIST),
        CLI_FLAG(f.against, "against", "DIR",
                 "another model, or several: better than --model's, or is the difference chance?",
                 .joined_by = CLI_LIST),
        CLI_EXAMPLE_FLAGS(f.examples),
        CLI_PARALLEL_FLAGS(f.examples),
        CLI_FLAG(f.examples.options.count, "count", "N", "examples of the task", .low = 1),
        CLI_FLAG(f.examples.options.seed, "seed", "N", "seed of the task's examples, and of --against's resamples"),
        CLI_FLAG(generation->beam, "beam", "N", "hypotheses of the beam search; 1: greedy", .low = 1, .high = 1000),
        CLI_FLAG(generation->length_penalty, "length-penalty", "A",
                 "exponent of the beam search's length penalty; 0: none"),
        CLI_FLAG(generation->temperature, "temperature", "T", "divides the logits, in the loss and in the answers",
                 .low = 1e-3, .high = 1000),
        CLI_FLAG(f.evaluation.copy_unknown, "copy-unknown", NULL,
                 "let <unk> be a token of answers, replaced by the source's token that it is aligned with"),
        CLI_FLAG(f.evaluation.copy_layer, "align-layer", "N", "align by the cross-attention of this layer, from 0",
                 .low = 0, .high = 1000, .otherwise = "the last"),
        CLI_FLAG(f.calibration, "calibration", "FILE",
                 "draw the share of right answers over their probability, as HTML; FILE.txt: as text, FILE.svg: the "
                 "picture",
                 .written = TRAIN_WRITES_FILE),
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
        .usage = "--model DIR[,DIR...] --pairs FILE | --source FILE --target FILE | --conllu FILE | --blocks FILE | "
                 "--task NAME | --text FILE [flags]",
        .details = "Word error (answer error where sources are words): the share of distinct sources whose output "
                   "equals none of their targets. Letter, phone, token or tag error: the edits from each output to its "
                   "nearest target, divided by the tokens of that target. Where words answer words, chrF and BLEU, "
                   "with all targets of a source as references; of a tagger, each tag's figures. --against: "
                   "an exact McNemar test of the word errors, and intervals by a paired bootstrap; differences are "
                   "those from --model to --against.",
    };
    ag_error error = {0};
    int code = cli_flags_read(&command, count, arguments);
    if (code != CLI_DONE)
        return code;
    code = check_flags(&command, &f);
    if (code != CLI_DONE)
        return code;
    return f.against ? compare_models(&f, &error) : evaluate_model(&f, &error);
}
