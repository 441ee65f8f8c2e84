/* continue.c - text of any length from a model that sees only so much: window after window. */
#include "nn.h"

#include <stdlib.h>
#include <string.h>

/* The newest `length` tokens of what is there: the prompt, and behind it what has been generated. */
static void newest(const int32_t *prompt, int64_t prompt_length, const int32_t *tokens, int64_t done, int64_t length,
                   int32_t *window)
{
    for (int64_t i = 0; i < length; i++) {
        const int64_t at = prompt_length + done - length + i;
        window[i] = at < prompt_length ? prompt[at] : tokens[at - prompt_length];
    }
}

ag_status nn_continue(const nn_model *model, ag_tape *tape, const int32_t *prompt, int64_t length, int64_t count,
                      const nn_generation_options *options, int32_t *tokens, ag_error *error)
{
    const int64_t longest = model->config.max_length, half = longest > 1 ? longest / 2 : 1;
    ag_status status = AG_OK;
    if (model->config.kind != NN_DECODER)
        return ag_error_set(error, AG_BAD_VALUE, "continue: only a language model (a decoder) goes on with a text");
    if (length < 1)
        return ag_error_set(error, AG_BAD_VALUE, "continue: the prompt has %lld tokens: one at least is needed", (long long)length);
    int32_t *window = malloc((size_t)longest * sizeof *window);
    if (!window)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for a window of %lld tokens", (long long)longest);

    int64_t done = 0;
    for (uint64_t turn = 0; done < count && status == AG_OK; turn++) {
        const int64_t held = length + done <= half ? length + done : half;
        nn_generation_options chunk = *options;
        nn_generated result = {0};
        chunk.no_eos = true;
        chunk.max_length = count - done;
        chunk.seed += turn << 32; /* each window draws from numbers of its own */
        newest(prompt, length, tokens, done, held, window);
        nn_input input = {.rows = 1, .target_length = held, .target = window};
        status = nn_generate(model, tape, &input, &chunk, &result, error);
        if (status == AG_OK) {
            memcpy(tokens + done, result.hypotheses[0].tokens, (size_t)result.hypotheses[0].length * sizeof *tokens);
            done += result.hypotheses[0].length;
        }
        nn_generated_clear(&result);
    }
    free(window);
    return status;
}
