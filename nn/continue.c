/* continue.c - text of any length from a model that sees max_length tokens: window after
 * window. */
#include "nn.h"

#include <stdlib.h>
#include <string.h>

/* The newest `held` tokens of the text, at most `half`: what the next window begins
 * with. */
typedef struct window {
    int32_t *tokens; /* [half] */
    int64_t held, half;
} window;

/* Appends tokens and drops the oldest ones beyond `half`. */
static void append_tokens(window *w, const int32_t *tokens, int64_t count)
{
    if (count > w->half) {
        tokens += count - w->half;
        count = w->half;
    }
    int64_t kept = w->held + count > w->half ? w->half - count : w->held;
    memmove(w->tokens, w->tokens + w->held - kept, (size_t)kept * sizeof *tokens);
    memcpy(w->tokens + kept, tokens, (size_t)count * sizeof *tokens);
    w->held = kept + count;
}

/* Generates one window: as many tokens as the model has room for, at most `most`. */
static ag_status continue_window(const nn_ensemble *ensemble, ag_tape *tape, window *w, nn_generation_options options,
                               int64_t most, nn_generated *result, ag_error *error)
{
    nn_input input = {.rows = 1, .target_length = w->held, .target = w->tokens};
    options.max_length = most;
    return nn_ensemble_generate(ensemble, tape, &input, &options, result, error);
}

ag_status nn_ensemble_continue(const nn_ensemble *ensemble, ag_tape *tape, const int32_t *prompt, int64_t length,
                               int64_t count, const nn_generation_options *options, nn_on_tokens *on_tokens,
                               void *context, ag_error *error)
{
    ag_error own = {0};
    ag_status status = nn_ensemble_check(ensemble, error);
    if (status != AG_OK)
        return status;
    const int room = nn_ensemble_max_length(ensemble);
    window w = {.half = room > 1 ? room / 2 : 1};
    if (ensemble->models[0]->config.kind != NN_DECODER)
        return ag_error_set(error, AG_BAD_VALUE, "continue: only a language model (a decoder) goes on with a text");
    if (!on_tokens)
        return ag_error_set(error, AG_BAD_VALUE, "continue: on_tokens is NULL: no function receives the tokens");
    if (length < 1)
        return ag_error_set(error, AG_BAD_VALUE, "continue: the prompt has %lld %s: at least one is needed",
                            (long long)length, ag_plural(length, "token", "tokens"));
    if (!(w.tokens = malloc((size_t)w.half * sizeof *w.tokens)))
        return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for a window of %lld %s", (long long)w.half,
                            ag_plural(w.half, "token", "tokens"));

    append_tokens(&w, prompt, length);
    bool more = true;
    for (uint64_t turn = 0; more && count > 0 && own.status == AG_OK; turn++) {
        nn_generation_options drawing = options ? *options : (nn_generation_options){0};
        nn_generated result = {0};
        drawing.seed += turn << 32; /* each window has random numbers of its own */
        if (continue_window(ensemble, tape, &w, drawing, count, &result, &own) == AG_OK) {
            const nn_hypothesis *made = result.hypotheses;
            more = (made->length == 0 || on_tokens(context, made->tokens, made->length)) && !made->finished;
            append_tokens(&w, made->tokens, made->length);
            count -= made->length;
        }
        nn_generated_clear(&result);
    }
    free(w.tokens);
    return own.status == AG_OK ? AG_OK : ag_error_set(error, own.status, "%s", own.message);
}

ag_status nn_continue(const nn_model *model, ag_tape *tape, const int32_t *prompt, int64_t length, int64_t count,
                      const nn_generation_options *options, nn_on_tokens *on_tokens, void *context, ag_error *error)
{
    return nn_ensemble_continue(&(nn_ensemble){.models = &model, .count = 1}, tape, prompt, length, count, options,
                                on_tokens, context, error);
}
