/* predict.c - tapeformer predict: answers each line of input with one line, in order.
 *
 * All lines that have been read are answered before the next are waited for, so someone
 * who types gets an answer to each line, while a file is read ahead. Lines of similar
 * length go through the model together. */
#include "answers.h"
#include "lines.h"
#include "models.h"
#include "progress.h"

#include "../train/copies.h"

#include <errno.h>
#include <fcntl.h>
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
    bool scores, tsv, json;
    bool align, copy_unknown;
    int align_layer; /* -1: the last */
} predict_flags;

/* This many batches of lines are taken from the input at once and sorted by length, which
 * divides the padding by about this number. */
#define BATCHES 16

typedef struct source_line {
    cli_source source;
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
    cli_answers answers;
    nn_alignment alignment; /* of the batch that is being answered */
    data_vocab *copies;     /* of --copy-unknown: the target tokens and those copied; else NULL */
    data_unknown unknown;
    cli_progress progress;
    double started;
    int64_t answered; /* lines */
    bool complained;  /* a line was bad in some way */
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

/* The number of tokens of a line that the model can read, or 0 with the source's problem,
 * which is reported unless the line is empty. */
static int64_t check_line(predictor *p, cli_source *source)
{
    const int64_t most = longest_line(p);
    char reason[DATA_TEXT_REASON];
    size_t good = data_vocab_check(p->saved->source_vocab, source->text, source->size, reason);

    if (good < source->size) {
        cli_fail("predict", CLI_FAILED, "%s:%lld: byte %zu of the line %s; answered by an empty line", p->name,
                 (long long)source->number, good + 1, reason);
        p->complained = true;
        source->problem = source->text[good] ? "not UTF-8" : "zero byte";
        return 0;
    }
    if (data_text_empty(source->text, source->size)) {
        source->problem = "empty";
        return 0;
    }
    int64_t tokens = data_vocab_encode(p->saved->source_vocab, source->text, source->size, NULL, 0, NULL);
    if (tokens < 0) {
        cli_fail("predict", CLI_FAILED, "%s:%lld: no memory for its tokens; answered by an empty line", p->name,
                 (long long)source->number);
        p->complained = true;
        source->problem = "no memory";
        return 0;
    }
    if (tokens > most) {
        cli_fail("predict", CLI_FAILED,
                 "%s:%lld: %lld %s, more than the model's longest %lld%s; answered by an empty line", p->name,
                 (long long)source->number, (long long)tokens, ag_plural(tokens, "token", "tokens"), (long long)most,
                 nn_ensemble_longest(p->ensemble) ? "" : " (--max-length allows more)");
        p->complained = true;
        source->problem = "too long";
        return 0;
    }
    return tokens;
}

static int by_length(const void *a, const void *b)
{
    const source_line *x = *(source_line *const *)a, *y = *(source_line *const *)b;
    if (x->source.tokens != y->source.tokens)
        return x->source.tokens < y->source.tokens ? -1 : 1;
    return x->source.number < y->source.number ? -1 : 1;
}

/* ---- A batch of lines -------------------------------------------------------------- */

/* Answers the batch and, where flags or an <unk> want it, aligns the answers. */
static ag_status decode_batch(predictor *p, nn_generated *result, ag_error *error)
{
    const predict_flags *f = p->flags;
    const nn_input input = {.rows = p->batch.rows,
                            .source_length = p->batch.source_length,
                            .source = p->batch.source,
                            .source_lengths = p->batch.source_lengths};
    nn_generation_options options = f->generation;
    options.marks = data_vocab_marks(p->saved->target_vocab);
    options.makes_unknown = f->copy_unknown;
    ag_status status = nn_ensemble_generate(p->ensemble, p->tape, &input, &options, result, error);
    const bool copies = status == AG_OK && p->copies && train_has_unknown(p->copies, result);
    if (status == AG_OK && (f->align || copies))
        status = nn_ensemble_align(p->ensemble, p->tape, &input, &options, result, f->align_layer, &p->alignment,
                                   error);
    if (status == AG_OK && copies)
        status = train_copy_unknown(p->copies, p->saved->source_vocab, &p->alignment, p->texts, result, error);
    return status;
}

static ag_status answer_batch(predictor *p, source_line *const *lines, int64_t rows, FILE *out, ag_error *error)
{
    nn_generated result = {0};
    for (int64_t row = 0; row < rows; row++)
        p->texts[row] = lines[row]->source.text;
    ag_status status =
        data_batch_sources(p->saved->source_vocab, p->texts, rows, p->saved->tagging, &p->batch, NULL, error);
    if (status == AG_OK)
        status = decode_batch(p, &result, error);
    for (int64_t row = 0; row < rows && status == AG_OK; row++) {
        lines[row]->begin = ftello(out);
        p->answers.row = row;
        status = cli_answers_put(&p->answers, &lines[row]->source, result.hypotheses + row * result.best, result.best,
                                 out, error);
        lines[row]->end = ftello(out);
    }
    nn_generated_clear(&result);
    nn_alignment_clear(&p->alignment);
    return status;
}

/* ---- All lines --------------------------------------------------------------------- */

/* Takes lines from those that have been read. */
static ag_status take_lines(predictor *p, cli_lines *lines, ag_error *error)
{
    ag_status status = AG_OK;
    p->count = p->usable = 0;
    while (status == AG_OK && p->count < BATCHES * p->flags->batch) {
        size_t size;
        char *text = cli_lines_next(lines, &size);
        if (!text)
            break;
        source_line *line = &p->lines[p->count++];
        *line = (source_line){.source = {.text = text, .size = size, .file = p->name, .number = lines->number}};
        line->source.tokens = check_line(p, &line->source);
        if (line->source.tokens) {
            p->sorted[p->usable++] = line;
            status = data_unknown_add(&p->unknown, p->saved->source_vocab, text, size, p->name, lines->number, error);
        }
    }
    if (p->usable)
        qsort(p->sorted, (size_t)p->usable, sizeof(source_line *), by_length);
    return status;
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
        if (line->source.tokens)
            fwrite(answers + line->begin, 1, (size_t)(line->end - line->begin), stdout);
        else
            status = cli_answers_put(&p->answers, &line->source, NULL, 0, stdout, error);
    }
    free(answers);
    if (fflush(stdout) != 0 && status == AG_OK)
        status = ag_error_set(error, AG_IO, "cannot write to standard output: %s", AG_REASON(errno));
    p->answered += p->count;
    cli_progress_lines(&p->progress, p->answered, ag_seconds() - p->started, false);
    return status;
}

/* Answers the lines of an open file. Waits for input only when every line that has
 * arrived is answered. */
static ag_status answer_file(predictor *p, int file, const char *name, ag_error *error)
{
    cli_lines lines = {.file = file};
    ag_status status = AG_OK;
    p->name = name;
    while (status == AG_OK) {
        status = take_lines(p, &lines, error);
        if (status == AG_OK && p->count)
            status = answer_lines(p, error); /* reading more reuses the lines' memory */
        else if (status == AG_OK && !cli_lines_fill(&lines))
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

static cli_answers answers_form(const predict_flags *f, const train_saved *saved)
{
    return (cli_answers){.form = f->json  ? CLI_ANSWER_JSON
                                 : f->tsv ? CLI_ANSWER_TSV
                                          : CLI_ANSWER_TEXT,
                         .scores = f->scores,
                         .source_vocab = saved->source_vocab,
                         .target_vocab = saved->target_vocab};
}

/* Whether the models can align and copy, as far as the flags want it. */
static int prepare_alignment(predictor *p, ag_error *error)
{
    const predict_flags *f = p->flags;
    if ((f->align || f->copy_unknown) && nn_ensemble_align_check(p->ensemble, f->align_layer, error) != AG_OK)
        return cli_report("predict", error);
    if (!f->copy_unknown)
        return CLI_DONE;
    p->copies = train_copies_new(p->ensemble, p->saved->source_vocab, p->saved->target_vocab, error);
    p->answers.target_vocab = p->copies;
    return p->copies ? CLI_DONE : cli_report("predict", error);
}

/* The exit code after all lines were answered, or an error. */
static int finish_answers(predictor *p, ag_status status, const ag_error *error)
{
    if (status == AG_OK)
        cli_progress_lines(&p->progress, p->answered, ag_seconds() - p->started, true);
    cli_progress_end(&p->progress);
    cli_report_unknown("predict", "", "source", &p->unknown);
    if (status != AG_OK)
        return cli_report("predict", error);
    return p->complained || p->unknown.unknown ? CLI_FAILED : CLI_DONE;
}

static int predict_lines(const predict_flags *f, ag_error *error)
{
    cli_models models;
    int code = cli_models_load(&models, "predict", f->model);
    /* answers on a terminal would tear the live line */
    predictor p = {.flags = f,
                   .ensemble = &models.ensemble.nn,
                   .saved = models.ensemble.saved,
                   .progress = cli_progress_make(isatty(STDOUT_FILENO)),
                   .started = ag_seconds()};

    if (code == CLI_DONE && !p.saved->source_vocab) {
        code = cli_fail("predict", CLI_USAGE, "%s is a language model: use tapeformer generate", f->model);
    } else if (code == CLI_DONE) {
        p.answers = answers_form(f, p.saved);
        p.answers.alignment = f->align ? &p.alignment : NULL;
        p.tape = ag_tape_new(&(ag_tape_options){.threads = f->threads, .no_grad = true, .keeps_weights = true});
        p.lines = malloc(BATCHES * (size_t)f->batch * sizeof *p.lines);
        p.sorted = malloc(BATCHES * (size_t)f->batch * sizeof *p.sorted);
        p.texts = malloc((size_t)f->batch * sizeof *p.texts);
        if (!p.tape || !p.lines || !p.sorted || !p.texts)
            code = cli_fail("predict", CLI_FAILED, "out of memory");
        else
            code = prepare_alignment(&p, error);
        if (code == CLI_DONE)
            code = finish_answers(&p, answer_files(&p, error), error);
    }
    free(p.lines);
    free(p.sorted);
    free(p.texts);
    data_vocab_free(p.copies);
    data_unknown_clear(&p.unknown);
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
    const cli_need needs[] = {
        {"length-penalty", generation->beam > 1 || f->scores || f->json || generation->length_penalty == 0,
         "goes with a --beam of 2 or more, or --scores"},
        {"tsv", !f->json, "and --json exclude each other"},
        {"align", f->tsv || f->json, "goes with --tsv or --json"},
        {"align-layer", f->align || f->copy_unknown, "goes with --align or --copy-unknown"}};
    if (!cli_flags_effective(command, needs, sizeof needs / sizeof *needs))
        return CLI_USAGE;
    if (generation->best > generation->beam)
        return cli_fail("predict", CLI_USAGE, "--best %d: a beam of %d has no more hypotheses than that",
                        generation->best, generation->beam);
    return check_files(f);
}

int cli_predict(int count, const char *const *arguments)
{
    predict_flags f = {.batch = 64, .align_layer = -1, .generation = {.best = 1, .temperature = 1}};
    cli_flag table[] = {
        CLI_FLAG(f.model, "model", "DIR", CLI_MODELS_HELP, .joined_by = CLI_LIST),
        CLI_FLAG(f.generation.beam, "beam", "N", "hypotheses of the beam search; 1: greedy", .low = 1, .high = 1000,
                 .otherwise = "--best"),
        CLI_FLAG(f.generation.best, "best", "N",
                 "print the N best hypotheses, or all where there are fewer, separated by TAB", .low = 1, .high = 1000),
        CLI_FLAG(f.generation.temperature, "temperature", "T",
                 "divides the logits, so that answers are right as often as their probabilities say; eval finds it",
                 .low = 1e-3, .high = 1000),
        CLI_FLAG(f.generation.length_penalty, "length-penalty", "A",
                 "exponent of the beam search's length penalty; 0: none"),
        CLI_FLAG(f.scores, "scores", NULL,
                 "print TAB and the score after each hypothesis: its log-probability, after the length penalty; --tsv and "
                 "--json have it anyway"),
        CLI_FLAG(f.tsv, "tsv", NULL,
                 "print a line for each answer: source, rank, log-probability, probability, output, separated by TAB"),
        CLI_FLAG(f.json, "json", NULL, "print a JSON object for each line of input, with all its answers"),
        CLI_FLAG(f.align, "align", NULL,
                 "print which source token each output token is aligned with: pairs SOURCE-OUTPUT, from 0"),
        CLI_FLAG(f.copy_unknown, "copy-unknown", NULL,
                 "let answers have <unk>, and print instead of it the source's token that it is aligned with"),
        CLI_FLAG(f.align_layer, "align-layer", "N", "align by the cross-attention of this layer, from 0", .low = 0,
                 .high = 1000, .otherwise = "the last"),
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
        .details = "Each line of the files, or of standard input, gets one line of standard output.\n\nA line that "
                   "cannot be read (bad UTF-8, "
                   "too long) is answered by an empty line (with --tsv by rank 0, with --json by \"problem\") and "
                   "reported with its number. A token that the model does not know is read as <unk>; at the end the "
                   "most frequent of them are listed with their lines. In both cases the exit code is 1.\n\nThe "
                   "probability is that of the whole answer with its end mark, and the log-probability its natural "
                   "logarithm, before any length penalty.",
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
