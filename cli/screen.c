/* screen.c - see screen.h. */
#include "screen.h"

#include "show.h"

#include <string.h>

enum { SHOWN_TOKENS = 20, SHOWN_UNSEEN = 3 };

/* Begins a line of the screen. */
static void put_title(FILE *out, const char *title)
{
    fprintf(out, "%-12s ", title);
}

/* ---- The examples ------------------------------------------------------------------ */

/* "1 pair", "7 windows". */
static void put_count(FILE *out, const train_recipe *recipe, int64_t count)
{
    const bool pairs = train_files_count(&recipe->files) > 0;
    const char *one = recipe->text ? "window" : pairs ? "pair" : "example";
    const char *many = recipe->text ? "windows" : pairs ? "pairs" : "examples";
    fprintf(out, "%lld %s", (long long)count, ag_plural(count, one, many));
}

static void print_sets(FILE *out, const cli_screen *screen)
{
    const train_recipe *recipe = screen->recipe;
    put_title(out, "data");
    fprintf(out, "%s, ", CLI_SHOWN(data_set_name(screen->training)));
    put_count(out, recipe, data_set_count(screen->training));
    fputs(recipe->run.task ? " an epoch; dev: " : "; dev: ", out);
    if (recipe->dev)
        fprintf(out, "%s, ", CLI_SHOWN(data_set_name(screen->dev)));
    put_count(out, recipe, data_set_count(screen->dev));
    fputs(recipe->dev        ? "\n"
          : recipe->run.task ? " that training never sees\n"
                             : ", held out of the same file\n",
          out);
}

/* Prints the first tokens of a text with spaces between; a token that is a space has a
 * sign of its own. */
static ag_status put_tokens(FILE *out, const data_vocab *vocab, const char *text)
{
    int32_t ids[SHOWN_TOKENS];
    const int64_t count = data_vocab_encode(vocab, text, strlen(text), ids, SHOWN_TOKENS, NULL);
    if (count < 0)
        return AG_NO_MEMORY;
    for (int64_t i = 0; i < count && i < SHOWN_TOKENS; i++) {
        const char *token = data_vocab_token(vocab, ids[i]);
        fprintf(out, i ? " %s" : "%s", strcmp(token, " ") ? CLI_SHOWN(token) : "\xE2\x90\xA3");
    }
    fputs(count > SHOWN_TOKENS ? " .." : "", out);
    return AG_OK;
}

static ag_status print_first(FILE *out, const cli_screen *screen)
{
    const char *source, *target;
    const data_vocab *vocab = data_set_source_vocab(screen->training);
    ag_status status = AG_OK;
    data_set_example(screen->training, 0, &source, &target);
    put_title(out, vocab ? "first pair" : "first tokens");
    if (vocab) {
        status = put_tokens(out, vocab, source);
        fputs(" -> ", out);
    }
    if (status == AG_OK)
        status = put_tokens(out, data_set_target_vocab(screen->training), target);
    fputc('\n', out);
    return status;
}

static void print_side(FILE *out, const char *title, const data_vocab *vocab, const data_side_report *side)
{
    if (!vocab)
        return;
    const data_token_kind kind = data_vocab_kind(vocab); /* jamo are characters of Korean alone */
    put_title(out, title);
    fprintf(out, "%s: median %lld, longest %lld", data_token_kind_name((int)(kind == DATA_JAMO ? DATA_CHARS : kind)),
            (long long)side->median, (long long)side->longest);
    if (side->longest_line)
        fprintf(out, " (line %lld)", (long long)side->longest_line);
    fprintf(out, "; %lld in all; vocabulary: %d", (long long)side->tokens, data_vocab_size(vocab));
    if (side->unknown)
        fprintf(out, "; %lld are <unk>", (long long)side->unknown);
    fputc('\n', out);
}

/* ---- The two sets ------------------------------------------------------------------ */

/* Prints the most frequent unknown tokens of one side. */
static void put_unseen(FILE *out, const char *side, data_unknown *unseen)
{
    data_unknown_sort(unseen);
    fprintf(out, "%lld of %lld%s tokens%s", (long long)unseen->unknown, (long long)unseen->tokens, side,
            unseen->unknown ? ": " : "");
    for (int64_t i = 0; i < unseen->count && i < SHOWN_UNSEEN; i++)
        fprintf(out, "%s'%s'", i ? ", " : "", CLI_SHOWN(unseen->items[i].token));
    fputs(unseen->count > SHOWN_UNSEEN ? " .." : "", out);
}

static ag_status print_unseen(FILE *out, const cli_screen *screen, ag_error *error)
{
    data_unknown source = {0}, target = {0};
    ag_status status = data_set_unknown(screen->dev, &source, &target, error);
    const bool text = data_set_source_vocab(screen->training) == NULL;
    put_title(out, "new in dev");
    if (!text) {
        put_unseen(out, " source", &source);
        fputs("; ", out);
    }
    put_unseen(out, text ? "" : " target", &target);
    fputc('\n', out);
    data_unknown_clear(&source);
    data_unknown_clear(&target);
    return status;
}

static void print_repeated(FILE *out, const data_report *report, int64_t dev)
{
    put_title(out, "repeated");
    fprintf(out, "%lld %s again; %lld of %lld sources %s several targets\n", (long long)report->repeated,
            ag_plural(report->repeated, "pair comes", "pairs come"), (long long)report->ambiguous,
            (long long)report->sources, ag_plural(report->ambiguous, "has", "have"));
    put_title(out, "dev in train");
    fprintf(out, "%lld of %lld pairs; the sources of %lld\n", (long long)report->shared, (long long)dev,
            (long long)report->shared_sources);
}

/* ---- The model and the run --------------------------------------------------------- */

static void print_model(FILE *out, const cli_screen *screen)
{
    const nn_model_config *config = &screen->model->config;
    const char *from = screen->recipe->resume ? NULL : screen->recipe->from;
    const int64_t size = screen->model->params.size;
    put_title(out, "model");
    fprintf(out, "%s, width %d, %d %s, %lld %s", train_model_kind_name((int)config->kind), config->d_model,
            config->heads, ag_plural(config->heads, "head", "heads"), (long long)size,
            ag_plural(size, "parameter", "parameters"));
    if (from)
        fprintf(out, ", those of %s", CLI_SHOWN(from));
    fputc('\n', out);
}

static void print_run(FILE *out, const cli_screen *screen)
{
    const train_recipe *recipe = screen->recipe;
    const train_suggestion run = train_suggest(screen->report, &recipe->run, screen->training);
    put_title(out, "run");
    fprintf(out, "%lld %s of ", (long long)run.steps, ag_plural(run.steps, "step", "steps"));
    put_count(out, recipe, run.batch);
    fprintf(out, run.passes < 1000 ? ": %.3g" : ": %.0f", run.passes);
    fprintf(out, recipe->run.task ? " epochs\n" : " passes over the data%s\n",
            run.few    ? ", which are few: --epochs " TRAIN_GOOD_PASSES " may learn more"
            : run.many ? ", which are many: --patience 3 stops when dev gets no better"
                       : "");
    if (recipe->run.task)
        return;
    put_title(out, "size");
    fprintf(out, "%lld tokens suggest --d-model %d --layers %d; this model has width %d\n", (long long)run.tokens,
            run.d_model, run.layers, screen->model->config.d_model);
}

ag_status cli_screen_print(FILE *out, const cli_screen *screen, ag_error *error)
{
    const data_report *report = screen->report;
    const bool task = screen->recipe->run.task != NULL;
    const data_vocab *source = data_set_source_vocab(screen->training);
    print_sets(out, screen);
    ag_status status = print_first(out, screen);
    print_side(out, "sources", source, &report->source);
    print_side(out, source ? "targets" : "tokens", data_set_target_vocab(screen->training), &report->target);
    if (status == AG_OK && !task)
        status = print_unseen(out, screen, error);
    if (source && !task)
        print_repeated(out, report, data_set_count(screen->dev));
    print_model(out, screen);
    print_run(out, screen);
    return status;
}
