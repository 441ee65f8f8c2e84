/* study_report.c - see study.h: an example from the flags, and a document to the terminal and to files. */
#include "help.h"
#include "outputs.h"
#include "study_report.h"
#include "tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TRAIN_NAMES(cli_color_name, "auto", "always", "never")

/* ---- Where a study is shown ----------------------------------------------------------------- */

int cli_study_check(const char *command, const study_output *output, const char *model)
{
    const int code = cli_check_file(command, output->report, model);
    return code == CLI_DONE ? cli_check_folder(command, output->pictures) : code;
}

/* By itself on a terminal that knows colours, unless its user wants none
 * (no-color.org). */
static bool is_coloured(const study_output *output)
{
    enum { AUTO, ALWAYS };
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return output->color == ALWAYS || (output->color == AUTO && isatty(STDOUT_FILENO) && !(none && *none) &&
                                       !(terminal && !strcmp(terminal, "dumb")));
}

int cli_study_show(const study_document *document, const study_output *output)
{
    ag_error error = {0};
    const study_text_options options = {.width = cli_columns(stdout), .color = is_coloured(output)};
    char *text = document ? study_document_text(document, &options, &error) : NULL;
    if (!text) {
        ag_error_set(&error, AG_NO_MEMORY, "out of memory");
        return cli_report("study", &error);
    }
    fputs(text, stdout);
    free(text);
    if (output->report || output->pictures)
        putchar('\n');
    if (output->report) {
        if (study_document_save(document, output->report, &error) != AG_OK)
            return cli_report("study", &error);
        printf("The report is in %s\n", CLI_SHOWN(output->report));
    }
    if (output->pictures) {
        if (study_document_save_pictures(document, output->pictures, &error) != AG_OK)
            return cli_report("study", &error);
        printf("The pictures are in %s\n", CLI_SHOWN(output->pictures));
    }
    return CLI_DONE;
}

/* ---- What is studied ------------------------------------------------------------------------ */

/* What the flags lack, or have too much of, for this kind of model. */
static int check_flags(const char *command, const study_example_flags *flags, nn_model_kind kind)
{
    if (kind == NN_DECODER && flags->source)
        return cli_fail(command, CLI_USAGE, "%s is a language model, which reads no source: give --target TEXT alone",
                        flags->model);
    if (kind == NN_DECODER && !flags->target)
        return cli_fail(command, CLI_USAGE, "look at what? Give --target TEXT");
    if (kind != NN_DECODER && !flags->source)
        return cli_fail(command, CLI_USAGE, "look at what? Give --source TEXT");
    if (kind == NN_ENCODER && flags->target)
        return cli_fail(command, CLI_USAGE, "%s is an encoder, which has no target: give --source TEXT alone",
                        flags->model);
    return CLI_DONE;
}

/* `count` tokens with their labels, and room for `padding` more, which are DATA_PAD. */
static int add_padding(const char *command, const data_vocab *vocab, int64_t count, int64_t padding, int32_t **tokens,
                       const char ***labels)
{
    size_t length = (size_t)(count + padding);
    int32_t *longer = realloc(*tokens, length * sizeof *longer);
    if (longer)
        *tokens = longer;
    *labels = malloc(length * sizeof **labels);
    if (!longer || !*labels)
        return cli_fail(command, CLI_FAILED, "out of memory");
    for (size_t i = 0; i < length; i++) {
        if (i >= (size_t)count)
            longer[i] = DATA_PAD;
        (*labels)[i] = data_vocab_token(vocab, longer[i]);
    }
    return CLI_DONE;
}

/* Refuses what training calls empty. A language model's text may be white space alone, if
 * that is a token. */
static int check_empty(const char *command, const char *side, const char *text, const data_vocab *vocab, bool is_text)
{
    size_t size;
    text = cli_argument(text, &size);
    if (is_text ? data_vocab_encode(vocab, text, size, NULL, 0, NULL) > 0 : !data_text_empty(text, size))
        return CLI_DONE;
    return cli_fail(command, CLI_USAGE, "--%s is empty: give one token at least", side);
}

/* A tagger's source has no end mark. */
static int read_source(const char *command, const study_example_flags *flags, study_example *example)
{
    const data_vocab *vocab = example->saved.source_vocab;
    const bool marked = !example->saved.tagging;
    int64_t count;
    if (check_empty(command, "source", flags->source, vocab, false) != CLI_DONE)
        return CLI_USAGE;
    example->source = cli_tokens(command, "source", vocab, flags->source, false, &count);
    if (!example->source)
        return CLI_FAILED;
    if (marked)
        example->source[count++] = DATA_EOS;
    int code = add_padding(command, vocab, count, flags->padding, &example->source, &example->source_labels);
    example->source_tokens = (int32_t)count;
    example->input.source = example->source;
    example->input.source_length = count + flags->padding;
    example->input.source_lengths = &example->source_tokens;
    return code;
}

/* The model's own answer to the source becomes the target, behind bos, and `answer` its text. */
static ag_status read_answer(study_example *example, int64_t *count, ag_error *error)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.no_grad = true});
    nn_generation_options options = {.marks = DATA_SPECIALS};
    nn_generated result = {0};
    ag_status status = AG_NO_MEMORY;

    if (tape)
        status = nn_generate(example->saved.model, tape, &example->input, &options, &result, error);
    if (status == AG_OK) {
        const nn_hypothesis *answer = result.hypotheses;
        *count = answer->length;
        example->answer = cli_text(example->saved.target_vocab, answer->tokens, answer->length);
        example->target = malloc((size_t)(answer->length + 1) * sizeof *example->target);
        if (!example->answer || !example->target) {
            status = AG_NO_MEMORY;
        } else {
            example->target[0] = DATA_BOS;
            for (int64_t i = 0; i < answer->length; i++)
                example->target[1 + i] = answer->tokens[i];
        }
    }
    nn_generated_clear(&result);
    ag_tape_free(tape);
    return status == AG_OK ? AG_OK : ag_error_set(error, status, "out of memory");
}

static int read_target(const char *command, const study_example_flags *flags, study_example *example)
{
    const data_vocab *vocab = example->saved.target_vocab;
    ag_error error = {0};
    int64_t count = 0;
    if (flags->target) {
        if (check_empty(command, "target", flags->target, vocab, !example->saved.source_vocab) != CLI_DONE)
            return CLI_USAGE;
        example->target = cli_tokens(command, "target", vocab, flags->target, true, &count);
        if (!example->target)
            return CLI_FAILED;
    } else if (read_answer(example, &count, &error) != AG_OK) {
        return cli_report(command, &error);
    }
    count++; /* bos */
    int code = add_padding(command, vocab, count, flags->padding, &example->target, &example->target_labels);
    example->target_tokens = (int32_t)count;
    example->input.target = example->target;
    example->input.target_length = count + flags->padding;
    example->input.target_lengths = &example->target_tokens;
    return code;
}

int cli_study_read(const char *command, const study_example_flags *flags, study_example *example)
{
    ag_error error = {0};
    *example = (study_example){.input = {.rows = 1}};
    if (!flags->model)
        return cli_fail(command, CLI_USAGE, "which model? Give --model DIR");
    if (train_saved_load(&example->saved, flags->model, &error) != AG_OK)
        return cli_report(command, &error);
    const nn_model_kind kind = example->saved.model->config.kind;
    int code = check_flags(command, flags, kind);
    if (code == CLI_DONE && kind != NN_DECODER)
        code = read_source(command, flags, example);
    if (code == CLI_DONE && kind != NN_ENCODER)
        code = read_target(command, flags, example);
    return code;
}

void cli_study_clear(study_example *example)
{
    free(example->source);
    free(example->target);
    free(example->source_labels);
    free(example->target_labels);
    free(example->answer);
    train_saved_clear(&example->saved);
    *example = (study_example){0};
}

void cli_study_describe(study_document *document, const study_example_flags *flags, const study_example *example)
{
    const nn_model_kind kind = example->saved.model->config.kind;
    const char *target = example->answer ? example->answer : flags->target;
    if (kind == NN_ENCODER_DECODER)
        study_add_example(document, flags->source, target, example->answer ? "the model's own answer" : "as given");
    else
        study_add_example(document, kind == NN_ENCODER ? flags->source : flags->target, NULL, NULL);
    if (flags->padding)
        study_add_text(document, "Positions of padding after %s: %lld.",
                       kind == NN_ENCODER_DECODER ? "each side" : "it", (long long)flags->padding);
}
