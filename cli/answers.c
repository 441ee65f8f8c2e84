/* answers.c - see answers.h. */
#include "answers.h"

#include "tokens.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A search that found fewer hypotheses than wanted gives the others no probability (a
 * score of -infinity). Greedy decoding always finds one. */
static bool is_found(const nn_hypothesis *hypotheses, int i)
{
    return i == 0 || hypotheses[i].score > -HUGE_VAL;
}

static ag_status no_memory(ag_error *error)
{
    return ag_error_set(error, AG_NO_MEMORY, "out of memory");
}

/* Whether the vocabulary's texts are any bytes, as they are in the output then. */
static bool has_bytes(const data_vocab *vocab)
{
    return data_vocab_kind(vocab) == DATA_BPE;
}

/* ---- Lines ------------------------------------------------------------------------- */

/* The hypotheses of a line, separated by TAB. */
static ag_status put_text(const cli_answers *answers, const nn_hypothesis *hypotheses, int best, FILE *out,
                          ag_error *error)
{
    for (int i = 0; i < best && is_found(hypotheses, i); i++) {
        size_t size;
        char *text = cli_text(answers->target_vocab, hypotheses[i].tokens, hypotheses[i].length, &size);
        if (!text)
            return no_memory(error);
        if (i)
            fputc('\t', out);
        cli_put_field(out, text, size, has_bytes(answers->target_vocab));
        if (answers->scores)
            fprintf(out, "\t%.6f", hypotheses[i].score);
        free(text);
    }
    fputc('\n', out);
    return AG_OK;
}

/* The source's token, from 0, with which token t of hypothesis number i is aligned. The
 * source's end mark is none. */
static int64_t aligned_token(const cli_answers *answers, const cli_source *source, int i, int64_t t)
{
    return nn_aligned(nn_alignment_of(answers->alignment, answers->row, i) + t * answers->alignment->keys,
                      source->tokens);
}

/* TAB and the pairs source-target of hypothesis number i, as Pharaoh's format has them. */
static void put_pairs(const cli_answers *answers, const cli_source *source, int i, int64_t length, FILE *out)
{
    fputc('\t', out);
    for (int64_t t = 0; t < length; t++)
        fprintf(out, "%s%lld-%lld", t ? " " : "", (long long)aligned_token(answers, source, i, t), (long long)t);
}

/* A line for each hypothesis. A line of input without an answer keeps its place: rank 0,
 * and the other fields are empty. */
static ag_status put_tsv(const cli_answers *answers, const cli_source *source, const nn_hypothesis *hypotheses,
                         int best, FILE *out, ag_error *error)
{
    if (source->problem) {
        cli_put_field(out, source->text, source->size, has_bytes(answers->source_vocab));
        fputs(answers->alignment ? "\t0\t\t\t\t\n" : "\t0\t\t\t\n", out);
    }
    for (int i = 0; i < best && is_found(hypotheses, i); i++) {
        size_t size;
        char *text = cli_text(answers->target_vocab, hypotheses[i].tokens, hypotheses[i].length, &size);
        if (!text)
            return no_memory(error);
        cli_put_field(out, source->text, source->size, has_bytes(answers->source_vocab));
        fprintf(out, "\t%d\t%.6f\t%.6g\t", i + 1, hypotheses[i].log_probability, hypotheses[i].probability);
        cli_put_field(out, text, size, has_bytes(answers->target_vocab));
        if (answers->alignment)
            put_pairs(answers, source, i, hypotheses[i].length, out);
        fputc('\n', out);
        free(text);
    }
    return AG_OK;
}

/* ---- JSON -------------------------------------------------------------------------- */

/* The tokens of a line, and those of them that are unknown. */
static bool put_source_tokens(data_json_object *object, const data_vocab *vocab, const cli_source *source)
{
    int64_t unknown;
    const int64_t count = data_vocab_encode(vocab, source->text, source->size, NULL, 0, &unknown);
    int32_t *ids = count >= 0 ? malloc((size_t)(count + 1) * sizeof *ids) : NULL;
    const char *token = "";
    size_t at = 0, size = 0;
    if (!ids || data_vocab_encode(vocab, source->text, source->size, ids, count, NULL) < 0) {
        free(ids);
        return false;
    }
    data_json_open(object, "source_tokens", '[');
    for (int64_t i = 0; i < count; i++) {
        if (unknown) /* as they stand in the line, since the vocabulary does not have all of them */
            data_vocab_next(vocab, source->text, source->size, &at, &token, &size);
        else
            token = data_vocab_token(vocab, ids[i]);
        data_json_put_bytes(object, NULL, token, unknown ? size : strlen(token));
    }
    data_json_close(object, '[');
    free(ids);
    data_json_open(object, "unknown", '[');
    for (at = 0; unknown && data_vocab_next(vocab, source->text, source->size, &at, &token, &size);)
        if (data_vocab_find(vocab, token, size) == DATA_NONE)
            data_json_put_bytes(object, NULL, token, size);
    data_json_close(object, '[');
    return true;
}

/* The pairs of hypothesis number i, and its cross-attention: a row for each of its tokens,
 * a column for each of the source's, and one for the source's end mark. */
static void put_alignment(data_json_object *object, const cli_answers *answers, const cli_source *source, int i,
                          int64_t length)
{
    const ag_real *weights = nn_alignment_of(answers->alignment, answers->row, i);
    data_json_open(object, "alignment", '[');
    for (int64_t t = 0; t < length; t++) {
        data_json_open(object, NULL, '[');
        data_json_put_integer(object, NULL, aligned_token(answers, source, i, t));
        data_json_put_integer(object, NULL, t);
        data_json_close(object, '[');
    }
    data_json_close(object, '[');
    data_json_open(object, "attention", '[');
    for (int64_t t = 0; t < length; t++, weights += answers->alignment->keys) {
        data_json_open(object, NULL, '[');
        for (int64_t j = 0; j <= source->tokens; j++)
            data_json_put_number(object, NULL, (double)weights[j], 5);
        data_json_close(object, '[');
    }
    data_json_close(object, '[');
}

static bool put_hypothesis(data_json_object *object, const cli_answers *answers, const cli_source *source,
                           const nn_hypothesis *hypothesis, int i)
{
    const data_vocab *vocab = answers->target_vocab;
    size_t size;
    char *text = cli_text(vocab, hypothesis->tokens, hypothesis->length, &size);
    if (!text)
        return false;
    data_json_open(object, NULL, '{');
    data_json_put_integer(object, "rank", i + 1);
    data_json_put_number(object, "log_probability", hypothesis->log_probability, 9);
    data_json_put_number(object, "probability", hypothesis->probability, 9);
    data_json_put_number(object, "score", hypothesis->score, 9);
    data_json_put_bool(object, "finished", hypothesis->finished);
    data_json_open(object, "tokens", '[');
    for (int64_t t = 0; t < hypothesis->length; t++)
        data_json_put_text(object, NULL, data_vocab_token(vocab, hypothesis->tokens[t]));
    data_json_close(object, '[');
    data_json_put_bytes(object, "output", text, size);
    if (answers->alignment)
        put_alignment(object, answers, source, i, hypothesis->length);
    data_json_close(object, '{');
    free(text);
    return true;
}

/* One object for a line of input. */
static ag_status put_json(const cli_answers *answers, const cli_source *source, const nn_hypothesis *hypotheses,
                          int best, FILE *out, ag_error *error)
{
    data_json_object object = data_json_object_grow(" ");
    bool done = true;
    data_json_put_text(&object, "file", source->file);
    data_json_put_integer(&object, "line", source->number);
    data_json_put_bytes(&object, "source", source->text, source->size);
    if (source->problem)
        data_json_put_text(&object, "problem", source->problem);
    else
        done = put_source_tokens(&object, answers->source_vocab, source);
    data_json_open(&object, "answers", '[');
    for (int i = 0; i < best && is_found(hypotheses, i) && done; i++)
        done = put_hypothesis(&object, answers, source, &hypotheses[i], i);
    data_json_close(&object, '[');
    done = data_json_object_end(&object) && done;
    if (done) {
        fputs(object.text, out);
        fputc('\n', out);
    }
    free(object.text);
    return done ? AG_OK : no_memory(error);
}

ag_status cli_answers_put(const cli_answers *answers, const cli_source *source, const nn_hypothesis *hypotheses,
                          int best, FILE *out, ag_error *error)
{
    return answers->form == CLI_ANSWER_TSV    ? put_tsv(answers, source, hypotheses, best, out, error)
           : answers->form == CLI_ANSWER_JSON ? put_json(answers, source, hypotheses, best, out, error)
                                              : put_text(answers, hypotheses, best, out, error);
}

/* ---- Unknown tokens ---------------------------------------------------------------- */

static void report_token(const data_unknown_token *token)
{
    fputs("  ", stderr);
    cli_show(stderr, token->token);
    fprintf(stderr, "  %lld %s", (long long)token->count, ag_plural(token->count, "time", "times"));
    for (int i = 0; i < token->place_count; i++)
        fprintf(stderr, "%s%s:%lld", i ? ", " : ": ", CLI_SHOWN(token->places[i].file),
                (long long)token->places[i].line);
    fputs(token->more ? ", ..\n" : "\n", stderr);
}

void cli_report_unknown(const char *command, const char *note, const char *side, data_unknown *unknown)
{
    enum { SHOWN = 10 };
    if (unknown->untagged > 0 && unknown->untagged == unknown->texts)
        cli_fail(command, CLI_DONE,
                 "note: no source has tags in front of it, with which the model was trained: --columns of train and "
                 "eval names their columns after the target's, and in a line each tag ends with a TAB");
    if (!unknown->unknown)
        return;
    data_unknown_sort(unknown);
    const char *verb = ag_plural(unknown->unknown, "is", "are");
    cli_fail(command, CLI_DONE,
             "%s%lld of %lld %s %s (%lld %s) %s not in the model's vocabulary and %s read as <unk>%s", note,
             (long long)unknown->unknown, (long long)unknown->tokens, side,
             ag_plural(unknown->tokens, "token", "tokens"), (long long)unknown->lines,
             ag_plural(unknown->lines, "line", "lines"), verb, verb,
             unknown->count > SHOWN ? "; the ten most frequent:" : ":");
    for (int64_t i = 0; i < unknown->count && i < SHOWN; i++)
        report_token(&unknown->items[i]);
}
