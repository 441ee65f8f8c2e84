/* predict.c - tapeformer predict: answers each line of input with one line, in order.
 *
 * All lines that have been read are answered before the next are waited for, so someone
 * who types gets an answer to each line, while a file is read ahead. Lines of similar
 * length go through the model together. */
#include "cli.h"
#include "lines.h"
#include "models.h"
#include "tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct predict_flags {
    const char *model;
    const char **files; /* [file_count]; none: standard input */
    int file_count;
    nn_generation_options generation;
    int64_t batch;
    int threads;
    bool scores;
} predict_flags;

/* This many batches of lines are taken from the input at once and sorted by length, which
 * divides the padding by about this number. */
#define BATCHES 16

typedef struct source_line {
    const char *text;
    int64_t number;   /* from 1 */
    int64_t tokens;   /* 0: the line does not go through the model, and its answer is empty */
    off_t begin, end; /* of its answer within all answers */
} source_line;

typedef struct predictor {
    const predict_flags *flags;
    const nn_ensemble *ensemble;
    const train_saved *saved; /* the first model: its vocabularies are those of all */
    ag_tape *tape;
    const char *name; /* of the input, for messages */
    data_batch batch;
    source_line *lines;   /* [BATCHES * flags->batch] in their order */
    source_line **sorted; /* [the same] the lines that go through the model, by length */
    const char **texts;   /* [flags->batch] */
    int64_t count, usable;
    bool complained; /* a line was bad in some way */
} predictor;

/* ---- One line ---------------------------------------------------------------------- */

/* The most tokens of a line, its end mark not counted; a tagger needs none. */
static int64_t longest_line(const predictor *p)
{
    const int64_t wanted = p->flags->generation.max_length, usual = nn_ensemble_max_length(p->ensemble),
                  longest = nn_ensemble_longest(p->ensemble);
    const bool further = !longest && wanted > usual;
    return (further ? wanted : usual) - !p->saved->tagging;
}

/* The number of tokens of a line that the model can read, or 0. Reports a line that it
 * cannot read, or only in part. An empty line has an empty answer. */
static int64_t check_line(predictor *p, const char *line, size_t size, int64_t number)
{
    const int64_t most = longest_line(p);
    char reason[DATA_TEXT_REASON];
    size_t good = data_text_check(line, size, reason);
    int64_t unknown = 0;

    if (good < size) {
        cli_fail("predict", CLI_FAILED, "%s:%lld: byte %zu of the line %s; answered by an empty line", p->name,
                 (long long)number, good + 1, reason);
        p->complained = true;
        return 0;
    }
    if (data_text_empty(line, size))
        return 0;
    int64_t tokens = data_vocab_encode(p->saved->source_vocab, line, size, NULL, 0, &unknown);
    if (tokens > most) {
        cli_fail("predict", CLI_FAILED,
                 "%s:%lld: %lld %s, more than the model's longest %lld%s; answered by an empty line", p->name,
                 (long long)number, (long long)tokens, ag_plural(tokens, "token", "tokens"), (long long)most,
                 nn_ensemble_longest(p->ensemble) ? "" : " (--max-length allows more)");
        p->complained = true;
        return 0;
    }
    if (unknown) {
        cli_fail("predict", CLI_FAILED,
                 "%s:%lld: %lld of %lld %s %s not in the model's vocabulary and %s read as <unk>", p->name,
                 (long long)number, (long long)unknown, (long long)tokens, ag_plural(tokens, "token", "tokens"),
                 ag_plural(unknown, "is", "are"), ag_plural(unknown, "is", "are"));
        p->complained = true;
    }
    return tokens;
}

static int by_length(const void *a, const void *b)
{
    const source_line *x = *(source_line *const *)a, *y = *(source_line *const *)b;
    if (x->tokens != y->tokens)
        return x->tokens < y->tokens ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

/* ---- A batch of lines -------------------------------------------------------------- */

static ag_status decode_batch(predictor *p, nn_generated *result, ag_error *error)
{
    nn_input input = {.rows = p->batch.rows,
                      .source_length = p->batch.source_length,
                      .source = p->batch.source,
                      .source_lengths = p->batch.source_lengths};
    return nn_ensemble_generate(p->ensemble, p->tape, &input, &p->flags->generation, result, error);
}

/* Writes the hypotheses [best] of one line. A search that found fewer gives the others no
 * probability (a score of -infinity). */
static ag_status write_answer(const predictor *p, const nn_hypothesis *hypotheses, int best, FILE *out, ag_error *error)
{
    for (int i = 0; i < best && (i == 0 || hypotheses[i].score > -HUGE_VAL); i++) {
        char *text = cli_text(p->saved->target_vocab, hypotheses[i].tokens, hypotheses[i].length);
        if (!text)
            return ag_error_set(error, AG_NO_MEMORY, "out of memory");
        if (i)
            fputc('\t', out);
        cli_put_field(out, text);
        if (p->flags->scores)
            fprintf(out, "\t%.6f", hypotheses[i].score);
        free(text);
    }
    return AG_OK;
}

static ag_status answer_batch(predictor *p, source_line *const *lines, int64_t rows, FILE *out, ag_error *error)
{
    nn_generated result = {0};
    for (int64_t row = 0; row < rows; row++)
        p->texts[row] = lines[row]->text;
    ag_status status =
        data_batch_sources(p->saved->source_vocab, p->texts, rows, p->saved->tagging, &p->batch, NULL, error);
    if (status == AG_OK)
        status = decode_batch(p, &result, error);
    for (int64_t row = 0; row < rows && status == AG_OK; row++) {
        lines[row]->begin = ftello(out);
        status = write_answer(p, result.hypotheses + row * result.best, result.best, out, error);
        lines[row]->end = ftello(out);
    }
    nn_generated_clear(&result);
    return status;
}

/* ---- All lines --------------------------------------------------------------------- */

/* Takes lines from those that have been read. */
static void take_lines(predictor *p, cli_lines *lines)
{
    p->count = p->usable = 0;
    while (p->count < BATCHES * p->flags->batch) {
        size_t size;
        char *text = cli_lines_next(lines, &size);
        if (!text)
            break;
        source_line *line = &p->lines[p->count++];
        *line = (source_line){.text = text, .number = lines->number};
        line->tokens = check_line(p, text, size, line->number);
        if (line->tokens)
            p->sorted[p->usable++] = line;
    }
    if (p->usable)
        qsort(p->sorted, (size_t)p->usable, sizeof(source_line *), by_length);
}

/* Answers the lines that were taken, in batches of similar length, and prints the answers
 * in the order of the lines. */
static ag_status answer_lines(predictor *p, ag_error *error)
{
    char *answers = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&answers, &size);
    ag_status status = AG_OK;
    for (int64_t begin = 0; begin < p->usable && out && status == AG_OK; begin += p->flags->batch) {
        int64_t left = p->usable - begin, rows = left < p->flags->batch ? left : p->flags->batch;
        status = answer_batch(p, p->sorted + begin, rows, out, error);
    }
    bool failed = !out || ferror(out);
    if (out && fclose(out))
        failed = true;
    if (status == AG_OK && (failed || !answers)) /* closing may need memory, too */
        status = ag_error_set(error, AG_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < p->count && status == AG_OK; i++) {
        const source_line *line = &p->lines[i];
        fwrite(answers + line->begin, 1, (size_t)(line->end - line->begin), stdout);
        putchar('\n');
    }
    free(answers);
    if (fflush(stdout) != 0 && status == AG_OK)
        status = ag_error_set(error, AG_IO, "cannot write to standard output: %s", AG_REASON(errno));
    return status;
}

/* Answers the lines of an open file. Waits for input only when every line that has arrived
 * is answered. */
static ag_status answer_file(predictor *p, int file, const char *name, ag_error *error)
{
    cli_lines lines = {.file = file};
    ag_status status = AG_OK;
    p->name = name;
    while (status == AG_OK) {
        take_lines(p, &lines);
        if (p->count)
            status = answer_lines(p, error); /* reading more reuses the lines' memory */
        else if (!cli_lines_fill(&lines))
            break;
    }
    if (status == AG_OK && lines.failed)
        status = ag_error_set(error, AG_IO, "%s: cannot read", p->name);
    cli_lines_clear(&lines);
    return status;
}

/* Answers the files one after the other. */
static ag_status answer_files(predictor *p, ag_error *error)
{
    const predict_flags *f = p->flags;
    ag_status status = f->file_count ? AG_OK : answer_file(p, STDIN_FILENO, "stdin", error);
    for (int i = 0; i < f->file_count && status == AG_OK; i++) {
        int file;
        do
            file = open(f->files[i], O_RDONLY | O_CLOEXEC);
        while (file < 0 && errno == EINTR);
        if (file < 0)
            return ag_error_set(error, AG_IO, "%s: cannot open: %s", f->files[i], AG_REASON(errno));
        status = answer_file(p, file, f->files[i], error);
        close(file);
    }
    return status;
}

/* Refuses files that cannot be read before a model is loaded and anything answered. */
static int check_files(const predict_flags *f)
{
    struct stat info;
    for (int i = 0; i < f->file_count; i++) {
        if (access(f->files[i], R_OK) != 0)
            return cli_fail("predict", CLI_FAILED, "%s: cannot open: %s", f->files[i], AG_REASON(errno));
        if (stat(f->files[i], &info) == 0 && S_ISDIR(info.st_mode))
            return cli_fail("predict", CLI_FAILED, "%s: cannot read: %s", f->files[i], AG_REASON(EISDIR));
    }
    return CLI_DONE;
}

static int predict_lines(const predict_flags *f, ag_error *error)
{
    cli_models models;
    int code = cli_models_load(&models, "predict", f->model);
    predictor p = {.flags = f, .ensemble = &models.ensemble.nn, .saved = models.ensemble.saved};

    if (code == CLI_DONE && !p.saved->source_vocab) {
        code = cli_fail("predict", CLI_USAGE, "%s is a language model: use tapeformer generate", f->model);
    } else if (code == CLI_DONE) {
        p.tape = ag_tape_new(&(ag_tape_options){.threads = f->threads, .no_grad = true, .keeps_weights = true});
        p.lines = malloc(BATCHES * (size_t)f->batch * sizeof *p.lines);
        p.sorted = malloc(BATCHES * (size_t)f->batch * sizeof *p.sorted);
        p.texts = malloc((size_t)f->batch * sizeof *p.texts);
        if (!p.tape || !p.lines || !p.sorted || !p.texts)
            code = cli_fail("predict", CLI_FAILED, "out of memory");
        else if (answer_files(&p, error) != AG_OK)
            code = cli_report("predict", error);
        else if (p.complained)
            code = CLI_FAILED;
    }
    free(p.lines);
    free(p.sorted);
    free(p.texts);
    data_batch_clear(&p.batch);
    ag_tape_free(p.tape);
    cli_models_clear(&models);
    return code;
}

/* Checks the flags together. Without --beam, the beam is as wide as the number of
 * hypotheses to print. */
static int check_flags(const cli_command *command, predict_flags *f)
{
    if (!f->model)
        return cli_fail("predict", CLI_USAGE, "which model? Give --model DIR");
    nn_generation_options *generation = &f->generation;
    if (!generation->beam)
        generation->beam = generation->best;
    const cli_need need = {"length-penalty", generation->beam > 1 || f->scores || generation->length_penalty == 0,
                           "goes with a --beam of 2 or more, or --scores"};
    if (!cli_flags_effective(command, &need, 1))
        return CLI_USAGE;
    if (generation->best > generation->beam)
        return cli_fail("predict", CLI_USAGE, "--best %d: a beam of %d has no more hypotheses than that",
                        generation->best, generation->beam);
    return check_files(f);
}

int cli_predict(int count, const char *const *arguments)
{
    predict_flags f = {.batch = 64, .generation = {.best = 1, .marks = DATA_SPECIALS}};
    cli_flag table[] = {
        CLI_FLAG(f.model, "model", "DIR", CLI_MODELS_HELP),
        CLI_FLAG(f.generation.beam, "beam", "N", "hypotheses of the beam search; 1: greedy", .low = 1, .high = 1000,
                 .otherwise = "--best"),
        CLI_FLAG(f.generation.best, "best", "N",
                 "print the N best hypotheses, or all where there are fewer, separated by TAB", .low = 1, .high = 1000),
        CLI_FLAG(f.generation.length_penalty, "length-penalty", "A",
                 "exponent of the beam search's length penalty; 0: none"),
        CLI_FLAG(
            f.scores, "scores", NULL,
            "print TAB and the score after each hypothesis: the logarithm of its probability, as eval's loss has it, "
            "after the length penalty"),
        CLI_FLAG(f.generation.max_length, "max-length", "N",
                 "longest output in tokens; above the model's also longest line, unless its positions are learned",
                 .low = 1, .high = 1e6, .otherwise = "the model's"),
        CLI_FLAG(f.batch, "batch", "N", "lines to translate at once", .low = 1, .high = 100000),
        CLI_THREADS(f.threads),
    };
    cli_command command = {
        .name = "predict",
        .summary = "translate lines of files, or of standard input",
        .flags = table,
        .flag_count = sizeof table / sizeof *table,
        .max_words = count,
        .usage = "--model DIR[,DIR...] [FILE...] [flags]",
        .details = "Each line of input gets one line of standard output. Files are read one after the other; without "
                   "files, standard input is read and answered line by line.\n\nA line that cannot be read (bad UTF-8, "
                   "too long) is answered by an empty line, and a token that the model does not know is read as <unk>. "
                   "Each is reported with its line number, and then the exit code is 1.",
    };
    ag_error error = {0};
    command.words = f.files = malloc((size_t)(count ? count : 1) * sizeof *f.files);
    if (!f.files)
        return cli_fail("predict", CLI_FAILED, "out of memory");
    int code = cli_flags_read(&command, count, arguments);
    f.file_count = command.word_count;
    if (code == CLI_DONE)
        code = check_flags(&command, &f);
    if (code == CLI_DONE)
        code = predict_lines(&f, &error);
    free(f.files);
    return code;
}
