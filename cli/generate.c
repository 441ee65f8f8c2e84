/* generate.c - tapeformer generate: text from a language model. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct generate_flags {
    const char *model, *prompt;
    int64_t length, top_k, seed, count, threads;
    double temperature, top_p;
    bool greedy;
} generate_flags;

static int print_tokens(const data_vocab *vocab, const int32_t *tokens, int64_t length)
{
    size_t size = data_vocab_decode(vocab, tokens, length, NULL, 0) + 1;
    char *text = malloc(size);
    if (!text)
        return cli_fail("generate", CLI_FAILED, "out of memory");
    data_vocab_decode(vocab, tokens, length, text, size);
    fputs(text, stdout);
    free(text);
    return CLI_DONE;
}

/* The prompt's tokens with bos before them: a prompt of none is bos alone. NULL after a report. */
static int32_t *read_prompt(const generate_flags *f, const train_saved *saved, int64_t *length)
{
    size_t size = strlen(f->prompt), good = data_utf8_check(f->prompt, size);
    int64_t unknown = 0;
    if (good < size) {
        cli_fail("generate", CLI_FAILED, "--prompt: byte %zu is not UTF-8", good + 1);
        return NULL;
    }
    int64_t count = data_vocab_encode(saved->target_vocab, f->prompt, size, NULL, 0, NULL);
    int32_t *tokens = malloc((size_t)(count + 1) * sizeof *tokens);
    if (!tokens) {
        cli_fail("generate", CLI_FAILED, "out of memory");
        return NULL;
    }
    tokens[0] = DATA_BOS;
    data_vocab_encode(saved->target_vocab, f->prompt, size, tokens + 1, count, &unknown);
    if (unknown) {
        cli_fail("generate", CLI_FAILED, "--prompt: %lld of %lld tokens are not in the model's vocabulary", (long long)unknown,
                 (long long)count);
        free(tokens);
        return NULL;
    }
    *length = count + 1;
    return tokens;
}

static int generate(const generate_flags *f, const train_saved *saved, ag_error *error)
{
    int64_t length;
    int32_t *prompt = read_prompt(f, saved, &length);
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = (int)f->threads, .no_grad = true});
    int code = prompt && tape ? CLI_DONE : CLI_FAILED;

    for (int64_t i = 0; i < f->count && code == CLI_DONE && !cli_interrupted; i++) {
        nn_input input = {.rows = 1, .target_length = length, .target = prompt};
        nn_generation_options options = {
            .max_length = f->length, .sample = !f->greedy, .temperature = f->temperature, .top_k = (int)f->top_k,
            .top_p = f->top_p < 1 ? f->top_p : 0, .seed = (uint64_t)(f->seed + i), .no_eos = true,
        };
        nn_generated result = {0};
        if (nn_generate(saved->model, tape, &input, &options, &result, error) != AG_OK) {
            code = cli_report("generate", error);
        } else {
            fputs(f->prompt, stdout);
            code = print_tokens(saved->target_vocab, result.hypotheses[0].tokens, result.hypotheses[0].length);
            putchar('\n');
        }
        nn_generated_clear(&result);
    }
    free(prompt);
    ag_tape_free(tape);
    return cli_interrupted ? CLI_INTERRUPTED : code;
}

int cli_generate(int count, const char *const *arguments)
{
    generate_flags f = {.prompt = "", .length = 500, .temperature = 1, .top_p = 1, .seed = 1, .count = 1};
    cli_flag table[] = {
        {"model", CLI_TEXT, &f.model, "DIR", "the folder of a trained language model, or a .safetensors file", .high = 0},
        {"prompt", CLI_TEXT, &f.prompt, "TEXT", "what to continue [nothing]", .high = 0},
        {"length", CLI_COUNT, &f.length, "N", "tokens to generate [500]", .low = 1, .high = 1e9},
        {"temperature", CLI_NUMBER, &f.temperature, "T", "below 1 bolder choices are rarer [1]", .low = 1e-3, .high = 100},
        {"top-k", CLI_COUNT, &f.top_k, "K", "draw from the K most probable tokens [all]", .high = 0},
        {"top-p", CLI_NUMBER, &f.top_p, "P", "draw from the most probable tokens that together have P [1]", .low = 1e-6, .high = 1},
        {"greedy", CLI_SWITCH, &f.greedy, NULL, "always the most probable token", .high = 0},
        {"count", CLI_COUNT, &f.count, "N", "texts [1]", .low = 1, .high = 1e6},
        {"seed", CLI_COUNT, &f.seed, "N", "of the drawing [1]", .high = 0},
        {"threads", CLI_COUNT, &f.threads, "N", "[all there are]", .low = 1, .high = 1024},
    };
    cli_command command = {
        .name = "generate", .summary = "continue a text", .flags = table, .flag_count = sizeof table / sizeof *table,
        .usage = "--model DIR [--prompt TEXT] [flags]",
    };
    ag_error error = {0};
    train_saved saved = {0};
    cli_read read = cli_flags_read(&command, count, arguments);
    if (read != CLI_READ_OK)
        return cli_read_code(read);
    if (!f.model)
        return cli_fail("generate", CLI_USAGE, "which model? Give --model DIR");
    if (train_saved_load(&saved, f.model, &error) != AG_OK)
        return cli_report("generate", &error);
    cli_catch_interrupts();
    int code = saved.model->config.kind == NN_DECODER
                   ? generate(&f, &saved, &error)
                   : cli_fail("generate", CLI_USAGE, "%s is no language model: use tapeformer predict", f.model);
    train_saved_clear(&saved);
    return code;
}
