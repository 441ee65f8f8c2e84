/* study_leaks.c - tapeformer study leaks: the proof that a model sees what it may see,
 * and nothing else. */
#include "help.h"
#include "study_report.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct leaks_flags {
    study_example_flags example;
    int64_t threads, seed;
} leaks_flags;

/* The counts of all examples together. */
enum { SHOWN = 10 /* leaks that are printed one by one */ };
typedef struct leak_counts {
    int64_t examples, allowed, forbidden, leaks;
} leak_counts;

/* ---- One example ------------------------------------------------------------------- */

/* Prints a sentence, folded at the width of the terminal. */
AG_PRINTF(1, 2) static void print_folded(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    ag_text_print_list(text, sizeof text, format, arguments);
    va_end(arguments);
    cli_print_prose(stdout, text);
}

/* "source of 5 and 2 of padding" */
static void name_side(char text[64], const char *side, int64_t tokens, int64_t positions)
{
    if (positions > tokens)
        snprintf(text, 64, "%s of %lld and %lld of padding", side, (long long)tokens, (long long)(positions - tokens));
    else
        snprintf(text, 64, "%s of %lld", side, (long long)tokens);
}

static void print_leak(const study_leak *leak)
{
    if (leak->forbidden)
        print_folded("LEAK in %s: output %lld depends on %s %lld, which the masks forbid (derivative %.3g)",
                     leak->layer, (long long)leak->i, leak->side, (long long)leak->j, leak->influence);
    else
        print_folded("BLIND in %s: output %lld does not depend on %s %lld, which the masks allow", leak->layer,
                     (long long)leak->i, leak->side, (long long)leak->j);
}

static int study_input(const leaks_flags *f, const nn_model *model, const nn_input *input, leak_counts *all)
{
    ag_error error = {0};
    char source[64] = "", target[64] = "";
    study_leaks leaks;
    const study_subject subject = {.model = model, .input = input, .threads = (int)f->threads};
    if (study_leaks_find(&subject, &leaks, &error) != AG_OK)
        return cli_report("study leaks", &error);
    if (input->source)
        name_side(source, "source", *input->source_lengths, input->source_length);
    if (input->target)
        name_side(target, "target", *input->target_lengths, input->target_length);
    print_folded("%s%s%s: %lld %s allowed, %lld forbidden, %lld %s", source, *source && *target ? ", " : "", target,
                 (long long)leaks.allowed, ag_plural(leaks.allowed, "pair", "pairs"), (long long)leaks.forbidden,
                 (long long)leaks.count, ag_plural(leaks.count, "leak", "leaks"));
    for (int64_t n = 0; n < leaks.count && all->leaks + n < SHOWN; n++)
        print_leak(&leaks.items[n]);
    all->examples++;
    all->allowed += leaks.allowed;
    all->forbidden += leaks.forbidden;
    all->leaks += leaks.count;
    study_leaks_clear(&leaks);
    return CLI_DONE;
}

/* ---- Drawn examples ---------------------------------------------------------------- */

/* The lengths of both sides. Each pair is studied with padding and without. */
enum { SIZES = 4, PADDING = 3, LONGEST = 16 };
static const int drawn_sizes[SIZES][2] = {{1, 1}, {4, 7}, {9, 6}, {LONGEST - PADDING, LONGEST - PADDING}};

/* Draws a token that is no mark; any token if all are marks. */
static int32_t draw_token(const data_vocab *vocab, ag_rng *rng)
{
    const int32_t size = data_vocab_size(vocab);
    int32_t others = 0, token = -1;
    for (int32_t id = 0; id < size; id++)
        others += !data_vocab_is_mark(vocab, id);
    if (others == 0)
        return (int32_t)ag_rng_below(rng, (uint64_t)size);
    int64_t left = (int64_t)ag_rng_below(rng, (uint64_t)others);
    for (; left >= 0; left -= !data_vocab_is_mark(vocab, token))
        token++;
    return token;
}

/* Draws `count` tokens, of which the first is bos if wanted, and padding. */
static void draw_tokens(int32_t *tokens, int32_t count, const data_vocab *vocab, bool bos, ag_rng *rng)
{
    const int32_t *marks = data_vocab_marks(vocab), pad = marks[DATA_PAD] == DATA_NONE ? 0 : marks[DATA_PAD];
    for (int32_t t = 0; t < LONGEST; t++)
        tokens[t] = t < count ? draw_token(vocab, rng) : pad;
    if (bos && marks[DATA_BOS] != DATA_NONE)
        tokens[0] = marks[DATA_BOS];
}

static int study_drawn_inputs(const leaks_flags *f, const train_saved *saved, leak_counts *all)
{
    const nn_model_config *config = &saved->model->config;
    const int room = config->max_length < LONGEST ? config->max_length : LONGEST;
    ag_rng rng = ag_rng_make((uint64_t)f->seed, 0);
    int code = CLI_DONE;
    for (int n = 0; n < 2 * SIZES && code == CLI_DONE; n++) {
        int32_t source[LONGEST], target[LONGEST], lengths[2];
        const int padding = n % 2 && room > PADDING ? PADDING : 0;
        for (int side = 0; side < 2; side++)
            lengths[side] = drawn_sizes[n / 2][side] < room - padding ? drawn_sizes[n / 2][side] : room - padding;
        nn_input input = {.rows = 1};
        if (config->kind != NN_DECODER) {
            draw_tokens(source, lengths[0], saved->source_vocab, false, &rng);
            input.source = source;
            input.source_lengths = &lengths[0];
            input.source_length = lengths[0] + padding;
        }
        if (config->kind != NN_ENCODER) {
            draw_tokens(target, lengths[1], saved->target_vocab, true, &rng);
            input.target = target;
            input.target_lengths = &lengths[1];
            input.target_length = lengths[1] + padding;
        }
        code = study_input(f, saved->model, &input, all);
    }
    return code;
}

/* ---- The command ------------------------------------------------------------------- */

static int print_verdict(const leaks_flags *f, const leak_counts *all)
{
    if (all->leaks > SHOWN)
        print_folded("and %lld more", (long long)(all->leaks - SHOWN));
    if (all->leaks)
        return cli_fail("study leaks", CLI_FAILED, "%s has %lld %s in %lld %s", f->example.model, (long long)all->leaks,
                        ag_plural(all->leaks, "leak", "leaks"), (long long)all->examples,
                        ag_plural(all->examples, "example", "examples"));
    print_folded(
        "No leak. Each block by itself and the whole model, %lld %s: all %lld derivatives that the masks forbid "
        "are exactly 0, and none of the %lld that they allow is.",
        (long long)all->examples, ag_plural(all->examples, "example", "examples"), (long long)all->forbidden,
        (long long)all->allowed);
    return CLI_DONE;
}

static int study_drawn(const leaks_flags *f, leak_counts *all)
{
    ag_error error = {0};
    train_saved saved = {0};
    if (!f->example.model)
        return cli_fail("study leaks", CLI_USAGE, "which model? Give --model DIR");
    if (train_saved_load(&saved, f->example.model, &error) != AG_OK)
        return cli_report("study leaks", &error);
    const int code = study_drawn_inputs(f, &saved, all);
    train_saved_clear(&saved);
    return code;
}

static int study_given(const leaks_flags *f, leak_counts *all)
{
    study_example example;
    int code = cli_study_read("study leaks", &f->example, &example);
    if (code == CLI_DONE)
        code = study_input(f, example.saved.model, &example.input, all);
    cli_study_clear(&example);
    return code;
}

static int run_leaks(int count, const char *const *arguments)
{
    leaks_flags f = {0};
    leak_counts all = {0};
    cli_flag table[] = {
        STUDY_EXAMPLE_FLAGS(f.example),
        CLI_FLAG(f.seed, "seed", "N", "seed of the random examples"),
        CLI_THREADS(f.threads),
    };
    cli_command command = {
        .name = "study leaks",
        .summary = cli_study_leaks.summary,
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "--model DIR [--source TEXT] [--target TEXT] [flags]",
        .details =
            "Differentiates every output of each block, and of the whole model, by every input. What the masks forbid "
            "must be\nexactly 0, what they allow must not; else it exits with 1. Without a text it draws examples of "
            "several lengths,\nwith padding and without.",
    };
    int code = cli_flags_read(&command, count, arguments);
    if (code != CLI_DONE)
        return code;
    const bool given = f.example.source || f.example.target;
    if (!given && f.example.padding)
        return cli_fail("study leaks", CLI_USAGE, "--pad goes with a text: examples that are drawn have their own");
    code = given ? study_given(&f, &all) : study_drawn(&f, &all);
    return code == CLI_DONE ? print_verdict(&f, &all) : code;
}

const study_kind cli_study_leaks = {"leaks", "prove that a model sees what it may see, and nothing else", run_leaks};
