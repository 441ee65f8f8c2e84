/* predict.c - tapeformer predict: one line in, one line out, in order, as the lines come. */
#include "cli.h"
#include "lines.h"
#include "tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct predict_flags {
    const char *model;
    int64_t beam, batch, threads, max_length, best;
    double length_penalty;
    bool scores;
} predict_flags;

/* A run of lines that are answered together. */
typedef struct predictor {
    const predict_flags *flags;
    const train_saved *saved;
    ag_tape *tape;
    data_batch batch;
    const char **texts; /* [flags->batch]: the lines that go through the model */
    bool *usable;       /* [flags->batch]: for each line, whether it does */
    int64_t lines, usable_lines;
    bool complained; /* a line was not as it should be */
} predictor;

/* ---- One line ------------------------------------------------------------------------------- */

/* Whether the model can read a line; if not, or only in part, says so. */
static bool check_line(predictor *p, const char *line, size_t size, int64_t number)
{
    const nn_model_config *config = &p->saved->model->config;
    size_t good = data_utf8_check(line, size);
    int64_t unknown = 0;
    const char *complaint = NULL;

    if (good < size || strlen(line) < size) {
        cli_fail("predict", CLI_FAILED, "stdin:%lld: byte %zu is not UTF-8 text; answered by an empty line",
                 (long long)number, good < size ? good + 1 : strlen(line) + 1);
        p->complained = true;
        return false;
    }
    int64_t tokens = data_vocab_encode(p->saved->source_vocab, line, size, NULL, 0, &unknown);
    if (tokens == 0)
        return false;
    int most = config->max_length - !p->saved->tagging; /* a tagger needs no end mark */
    if (tokens > most)
        complaint = "tokens, more than the model's longest";
    if (complaint) {
        cli_fail("predict", CLI_FAILED, "stdin:%lld: %lld %s %d; answered by an empty line", (long long)number,
                 (long long)tokens, complaint, most);
        p->complained = true;
        return false;
    }
    if (unknown) {
        cli_fail("predict", CLI_FAILED,
                 "stdin:%lld: %lld of %lld tokens are not in the model's vocabulary and are read as <unk>",
                 (long long)number, (long long)unknown, (long long)tokens);
        p->complained = true;
    }
    return true;
}

/* ---- A batch of lines ----------------------------------------------------------------------- */

static ag_status print_text(const data_vocab *vocab, const int32_t *tokens, int64_t length, ag_error *error)
{
    char *text = cli_text(vocab, tokens, length);
    if (!text)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory");
    fputs(text, stdout);
    free(text);
    return AG_OK;
}

static ag_status decode_batch(predictor *p, nn_generated *result, ag_error *error)
{
    const predict_flags *f = p->flags;
    nn_input input = {.rows = p->batch.rows,
                      .source_length = p->batch.source_length,
                      .source = p->batch.source,
                      .source_lengths = p->batch.source_lengths};
    nn_generation_options options = {.marks = DATA_SPECIALS,
                                     .max_length = f->max_length,
                                     .beam = (int)f->beam,
                                     .length_penalty = f->length_penalty,
                                     .best = (int)f->best};
    return nn_generate(p->saved->model, p->tape, &input, &options, result, error);
}

/* The answers in the order of the lines; lines that could not be read have an empty one. */
static ag_status print_batch(predictor *p, const nn_generated *result, ag_error *error)
{
    ag_status status = AG_OK;
    int64_t row = 0;
    for (int64_t i = 0; i < p->lines && status == AG_OK; i++) {
        for (int b = 0; p->usable[i] && b < result->best && status == AG_OK; b++) {
            const nn_hypothesis *hypothesis = &result->hypotheses[row * result->best + b];
            if (b)
                putchar('\t');
            status = print_text(p->saved->target_vocab, hypothesis->tokens, hypothesis->length, error);
            if (p->flags->scores)
                printf("\t%.6f", hypothesis->score);
        }
        row += p->usable[i];
        putchar('\n');
    }
    fflush(stdout);
    return status;
}

static ag_status answer(predictor *p, ag_error *error)
{
    nn_generated result = {0};
    ag_status status = AG_OK;
    if (p->usable_lines) {
        status = data_batch_sources(p->saved->source_vocab, p->texts, p->usable_lines, p->saved->tagging, &p->batch,
                                    NULL, error);
        if (status == AG_OK)
            status = decode_batch(p, &result, error);
    }
    if (status == AG_OK)
        status = print_batch(p, &result, error);
    nn_generated_clear(&result);
    p->lines = p->usable_lines = 0;
    return status;
}

/* ---- All lines ------------------------------------------------------------------------------ */

/* Collects the lines that are there, up to a batch, and answers them; waits only when it has none. */
static ag_status answer_all(predictor *p, cli_lines *lines, ag_error *error)
{
    ag_status status = AG_OK;
    while (status == AG_OK && !cli_interrupted) {
        size_t size;
        char *line = cli_lines_next(lines, &size);
        if (line) {
            bool usable = check_line(p, line, size, lines->number);
            p->usable[p->lines++] = usable;
            if (usable)
                p->texts[p->usable_lines++] = line;
        }
        if (p->lines == p->flags->batch || (!line && p->lines))
            status = answer(p, error); /* before more is read: the lines' memory is reused */
        else if (!line && !cli_lines_fill(lines))
            break;
    }
    if (status == AG_OK && lines->failed)
        return ag_error_set(error, AG_IO, "cannot read standard input");
    return status;
}

static int run(const predict_flags *f, ag_error *error)
{
    train_saved saved = {0};
    cli_lines lines = {.file = STDIN_FILENO};
    if (train_saved_load(&saved, f->model, error) != AG_OK)
        return cli_report("predict", error);
    predictor p = {.flags = f, .saved = &saved};
    int code = CLI_DONE;

    if (!saved.source_vocab) {
        code = cli_fail("predict", CLI_USAGE, "%s is a language model: use tapeformer generate", f->model);
    } else {
        p.tape = ag_tape_new(&(ag_tape_options){.threads = (int)f->threads, .no_grad = true});
        p.texts = malloc((size_t)f->batch * sizeof *p.texts);
        p.usable = malloc((size_t)f->batch * sizeof *p.usable);
        if (!p.tape || !p.texts || !p.usable)
            code = cli_fail("predict", CLI_FAILED, "out of memory");
        else if (answer_all(&p, &lines, error) != AG_OK)
            code = cli_report("predict", error);
        else if (cli_interrupted)
            code = CLI_INTERRUPTED;
        else if (p.complained)
            code = CLI_FAILED;
    }
    free(p.texts);
    free(p.usable);
    data_batch_clear(&p.batch);
    ag_tape_free(p.tape);
    cli_lines_clear(&lines);
    train_saved_clear(&saved);
    return code;
}

int cli_predict(int count, const char *const *arguments)
{
    predict_flags f = {.beam = 1, .batch = 64, .best = 1};
    cli_flag table[] = {
        {"model", CLI_TEXT, &f.model, "DIR", "the folder of a trained model, or a .safetensors file", .high = 0},
        {"beam", CLI_COUNT, &f.beam, "N", "hypotheses of the beam search; 1: greedy [1]", .low = 1, .high = 1000},
        {"best", CLI_COUNT, &f.best, "N", "print the N best hypotheses, separated by TAB; at most --beam [1]", .low = 1,
         .high = 1000},
        {"length-penalty", CLI_NUMBER, &f.length_penalty, "A", "of the beam search [0]", .high = 0},
        {"scores", CLI_SWITCH, &f.scores, NULL, "print TAB and the score behind each hypothesis", .high = 0},
        {"max-length", CLI_COUNT, &f.max_length, "N", "longest output in tokens [the model's]", .low = 1, .high = 1e6},
        {"batch", CLI_COUNT, &f.batch, "N", "lines at once, where so many are there [64]", .low = 1, .high = 100000},
        {"threads", CLI_COUNT, &f.threads, "N", "[all there are]", .low = 1, .high = 1024},
    };
    cli_command command = {
        .name = "predict",
        .summary = "translate lines",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .usage = "--model DIR < sources > outputs",
        .details = "A line that cannot be read (bad UTF-8, too long) is answered by an empty line, a token that the "
                   "model does not know\n"
                   "is read as <unk>; each is reported with its line number, and the exit code is then 1.",
    };
    ag_error error = {0};
    cli_read read = cli_flags_read(&command, count, arguments);
    if (read != CLI_READ_OK)
        return cli_read_code(read);
    if (!f.model)
        return cli_fail("predict", CLI_USAGE, "which model? Give --model DIR");
    if (f.best > f.beam)
        return cli_fail("predict", CLI_USAGE, "--best %lld: a beam of %lld has no more hypotheses than that",
                        (long long)f.best, (long long)f.beam);
    cli_catch_interrupts();
    return run(&f, &error);
}
