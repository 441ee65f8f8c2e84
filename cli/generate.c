/* generate.c - tapeformer generate: text from a language model. */
#include "cli.h"
#include "models.h"
#include "tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct generate_flags {
    const char *model, *prompt;
    nn_generation_options options;
    int64_t length, count;
    int threads;
    bool greedy;
} generate_flags;

/* Prints tokens as they are generated. */
typedef struct printer {
    const data_vocab *vocab;
    bool begun;      /* text precedes: a word needs a space before it */
    int32_t open[2]; /* [held] the last tokens, whose text depends on the next one */
    int64_t held;
    int code;
} printer;

static bool print_text(printer *p, const int32_t *tokens, int64_t count)
{
    size_t size;
    char *text = cli_text(p->vocab, tokens, count, &size);
    if (!text) {
        p->code = cli_fail("generate", CLI_FAILED, "out of memory");
        return false;
    }
    if (p->begun && data_vocab_kind(p->vocab) == DATA_WORDS)
        putchar(' ');
    fwrite(text, 1, size, stdout);
    p->begun = true;
    free(text);
    return fflush(stdout) == 0;
}

static bool print_tokens(void *context, const int32_t *tokens, int64_t count)
{
    printer *p = context;
    int32_t *all = malloc((size_t)(p->held + count) * sizeof *all);
    if (!all) {
        p->code = cli_fail("generate", CLI_FAILED, "out of memory");
        return false;
    }
    memcpy(all, p->open, (size_t)p->held * sizeof *all);
    memcpy(all + p->held, tokens, (size_t)count * sizeof *all);
    count += p->held;
    p->held = data_vocab_open(p->vocab, all, count);
    memcpy(p->open, all + count - p->held, (size_t)p->held * sizeof *all);
    const bool more = print_text(p, all, count - p->held);
    free(all);
    return more;
}

/* Whether a mark stands between the texts that the model learned from. */
static bool has_ends(const data_vocab *vocab)
{
    const int32_t *marks = data_vocab_marks(vocab);
    return marks[DATA_EOS] != DATA_NONE && marks[DATA_EOS] == marks[DATA_BOS];
}

/* The token that an empty prompt stands for: the mark between texts or, where texts have
 * no marks, the line feed, after which a line begins. */
static int32_t beginning(const data_vocab *vocab)
{
    int32_t line_feed;
    int64_t unknown = 0;
    if (has_ends(vocab))
        return data_vocab_marks(vocab)[DATA_EOS];
    if (data_vocab_encode(vocab, "\n", 1, &line_feed, 1, &unknown) == 1 && !unknown)
        return line_feed;
    return cli_first_token(vocab);
}

/* The prompt's tokens; NULL after a report. An empty prompt means the beginning of a
 * text or of a line. */
static int32_t *read_prompt(const generate_flags *f, const train_saved *saved, int64_t *length)
{
    int32_t *tokens = cli_tokens("generate", "prompt", saved->target_vocab, f->prompt, false, length);
    if (tokens && *length == 0) {
        tokens[(*length)++] = beginning(saved->target_vocab);
    }
    return tokens;
}

/* Prints the prompt as it was given. If the next token may change its last syllable, its
 * tokens are printed, which are composed as the text that follows is. */
static void print_prompt(const generate_flags *f, printer *p, const int32_t *prompt, int64_t length)
{
    size_t size;
    const char *begin = cli_argument(f->prompt, &size);
    p->begun = !data_text_empty(begin, size);
    if (data_vocab_open(p->vocab, prompt, length))
        print_tokens(p, prompt, length);
    else
        fwrite(begin, 1, size, stdout);
}

/* Generates text number i after the prompt. */
static int generate_text(const generate_flags *f, const train_ensemble *ensemble, ag_tape *tape, const int32_t *prompt,
                         int64_t length, int64_t i, ag_error *error)
{
    printer p = {.vocab = ensemble->saved[0].target_vocab, .code = CLI_DONE};
    nn_generation_options options = f->options;
    options.marks = data_vocab_marks(p.vocab);
    options.no_eos = !has_ends(p.vocab);
    options.sample = !f->greedy;
    options.seed += (uint64_t)i;
    if (options.top_p == 1)
        options.top_p = 0; /* all tokens */
    print_prompt(f, &p, prompt, length);
    if (nn_ensemble_continue(&ensemble->nn, tape, prompt, length, f->length, &options, print_tokens, &p, error) !=
        AG_OK)
        p.code = cli_report("generate", error);
    print_text(&p, p.open, p.held);
    putchar('\n');
    return p.code;
}

static int generate(const generate_flags *f, const train_ensemble *ensemble, ag_error *error)
{
    int64_t length = 0;
    int32_t *prompt = read_prompt(f, &ensemble->saved[0], &length);
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = f->threads, .no_grad = true, .keeps_weights = true});
    int code = !prompt ? CLI_FAILED : tape ? CLI_DONE : cli_fail("generate", CLI_FAILED, "out of memory");
    for (int64_t i = 0; i < f->count && code == CLI_DONE && !ferror(stdout); i++)
        code = generate_text(f, ensemble, tape, prompt, length, i, error);
    free(prompt);
    ag_tape_free(tape);
    return code;
}

int cli_generate(int count, const char *const *arguments)
{
    generate_flags f = {.prompt = "",
                        .length = 500,
                        .count = 1,
                        .options = {.sampling_temperature = 1, .top_p = 1, .seed = 1}};
    cli_flag table[] = {
        CLI_FLAG(f.model, "model", "DIR", CLI_MODELS_HELP, .joined_by = CLI_LIST),
        CLI_FLAG(f.prompt, "prompt", "TEXT", "what to continue", .otherwise = "the beginning of a line"),
        CLI_FLAG(f.length, "length", "N", "tokens to generate", .low = 1, .high = 1e9),
        CLI_FLAG(f.options.sampling_temperature, "temperature", "T",
                 "divides the logits: below 1, improbable tokens become rarer", .low = 1e-3, .high = 100),
        CLI_FLAG(f.options.top_k, "top-k", "K", "draw from the K most probable tokens", .otherwise = "all"),
        CLI_FLAG(f.options.top_p, "top-p", "P", "draw from the most probable tokens that together have P", .low = 1e-6,
                 .high = 1),
        CLI_FLAG(f.greedy, "greedy", NULL, "always take the most probable token"),
        CLI_FLAG(f.count, "count", "N", "number of texts", .low = 1, .high = 1e6),
        CLI_FLAG(f.options.seed, "seed", "N", "seed of the sampling"),
        CLI_THREADS(f.threads),
    };
    cli_command command = {
        .name = "generate",
        .summary = "continue a text",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "--model DIR[,DIR...] [--prompt TEXT] [flags]",
    };
    ag_error error = {0};
    int code = cli_flags_read(&command, count, arguments);
    if (code != CLI_DONE)
        return code;
    if (!f.model)
        return cli_fail("generate", CLI_USAGE, "which model? Give --model DIR");
    const char *drawing = "goes without --greedy, which takes the most probable token and draws nothing";
    const cli_need needs[] = {{"temperature", !f.greedy, drawing},
                              {"top-k", !f.greedy, drawing},
                              {"top-p", !f.greedy, drawing},
                              {"seed", !f.greedy, drawing}};
    if (!cli_flags_effective(&command, needs, sizeof needs / sizeof *needs))
        return CLI_USAGE;
    cli_models models;
    code = cli_models_load(&models, "generate", f.model);
    if (code == CLI_DONE)
        code = models.ensemble.saved[0].model->config.kind == NN_DECODER
                       ? generate(&f, &models.ensemble, &error)
                       : cli_fail("generate", CLI_USAGE, "%s is no language model: use tapeformer predict", f.model);
    cli_models_clear(&models);
    return code;
}
