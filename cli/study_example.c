/* study_example.c - see study_example.h. */
#include "study_example.h"

#include "tokens.h"

#include <stdlib.h>

/* Whether the flags fit this kind of model. */
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

/* Adds `padding` tokens of padding to the `count` tokens of a side, and labels to all of
 * them. */
static int pad_side(const char *command, const data_vocab *vocab, int64_t count, int64_t padding, example_side *side)
{
    const size_t length = (size_t)(count + padding);
    int32_t *longer = realloc(side->tokens, length * sizeof *longer);
    if (longer)
        side->tokens = longer;
    side->labels = malloc(length * sizeof *side->labels);
    if (!longer || !side->labels)
        return cli_fail(command, CLI_FAILED, "out of memory");
    const int32_t pad = data_vocab_marks(vocab)[DATA_PAD];
    for (size_t i = 0; i < length; i++) {
        if (i >= (size_t)count)
            longer[i] = pad == DATA_NONE ? 0 : pad;
        side->labels[i] = data_vocab_token(vocab, longer[i]);
    }
    side->length = (int32_t)count;
    return CLI_DONE;
}

/* Refuses what training calls empty. The text of a language model may be nothing but
 * white space, if that is a token. */
static int check_empty(const char *command, const char *side, const char *text, const data_vocab *vocab, bool is_text)
{
    size_t size;
    text = cli_argument(text, &size);
    if (is_text ? data_vocab_encode(vocab, text, size, NULL, 0, NULL) > 0 : !data_text_empty(text, size))
        return CLI_DONE;
    return cli_fail(command, CLI_USAGE, "--%s is empty: give one token at least", side);
}

/* The source of a tagger has no end mark. */
static int read_source(const char *command, const study_example_flags *flags, study_example *example)
{
    const data_vocab *vocab = example->saved.source_vocab;
    example_side *side = &example->source;
    int64_t count;
    if (check_empty(command, "source", flags->source, vocab, false) != CLI_DONE)
        return CLI_USAGE;
    side->tokens = cli_tokens(command, "source", vocab, flags->source, false, &count);
    if (!side->tokens)
        return CLI_FAILED;
    if (!example->saved.tagging)
        side->tokens[count++] = data_vocab_marks(vocab)[DATA_EOS];
    const int code = pad_side(command, vocab, count, flags->padding, side);
    example->input.source = side->tokens;
    example->input.source_length = count + flags->padding;
    example->input.source_lengths = &side->length;
    return code;
}

/* Makes the model's own answer to the source the target, after bos; `answer` becomes its
 * text. */
static ag_status read_answer(study_example *example, int64_t *count, ag_error *error)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.no_grad = true});
    nn_generation_options options = {.marks = data_vocab_marks(example->saved.target_vocab)};
    nn_generated result = {0};
    ag_status status = AG_NO_MEMORY;

    if (tape)
        status = nn_generate(example->saved.model, tape, &example->input, &options, &result, error);
    if (status == AG_OK) {
        const nn_hypothesis *answer = result.hypotheses;
        *count = 1 + answer->length;
        size_t size;
        example->answer = cli_text(example->saved.target_vocab, answer->tokens, answer->length, &size);
        example->target.tokens = malloc((size_t)(answer->length + 1) * sizeof *example->target.tokens);
        if (!example->answer || !example->target.tokens) {
            status = AG_NO_MEMORY;
        } else {
            example->target.tokens[0] = options.marks[DATA_BOS];
            for (int64_t i = 0; i < answer->length; i++)
                example->target.tokens[1 + i] = answer->tokens[i];
        }
    }
    nn_generated_clear(&result);
    ag_tape_free(tape);
    return status == AG_OK ? AG_OK : ag_error_set(error, status, "out of memory");
}

static int read_target(const char *command, const study_example_flags *flags, study_example *example)
{
    const data_vocab *vocab = example->saved.target_vocab;
    example_side *side = &example->target;
    ag_error error = {0};
    int64_t count = 0;
    if (flags->target) {
        if (check_empty(command, "target", flags->target, vocab, !example->saved.source_vocab) != CLI_DONE)
            return CLI_USAGE;
        side->tokens = cli_tokens(command, "target", vocab, flags->target, true, &count);
        if (!side->tokens)
            return CLI_FAILED;
    } else if (read_answer(example, &count, &error) != AG_OK) {
        return cli_report(command, &error);
    }
    const int code = pad_side(command, vocab, count, flags->padding, side);
    example->input.target = side->tokens;
    example->input.target_length = count + flags->padding;
    example->input.target_lengths = &side->length;
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
    free(example->source.tokens);
    free(example->source.labels);
    free(example->target.tokens);
    free(example->target.labels);
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
