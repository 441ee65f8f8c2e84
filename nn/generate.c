/* generate.c - nn_ensemble_generate: checks the options, makes room for the result, and
 * chooses the way. */
#include "generation.h"
#include "scalar.h"

#include <math.h>
#include <stdlib.h>

/* ---- Options and prompts ----------------------------------------------------------- */

static ag_status check_numbers(const nn_generation_options *options, ag_error *error)
{
    const int found = options->beam > 1 ? options->beam : 1; /* hypotheses of a row */
    const struct {
        const char *name;
        double value;
        bool good;
        const char *rule;
    } numbers[] = {
        {"max_length", (double)options->max_length, options->max_length >= 0, "1 or more, or 0 for the model's"},
        {"beam", options->beam, options->beam >= 0, "0 or more"},
        {"length_penalty", options->length_penalty, options->length_penalty >= 0, "0 or more"},
        {"sampling_temperature", options->sampling_temperature, options->sampling_temperature >= 0, "above 0, or 0 for 1"},
        {"temperature", options->temperature, options->temperature >= 0, "above 0, or 0 for 1"},
        {"top_k", options->top_k, options->top_k >= 0, "1 or more, or 0 for all"},
        {"top_p", options->top_p, options->top_p >= 0 && options->top_p <= 1, "in (0, 1], or 0 for all"},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!numbers[i].good || !isfinite(numbers[i].value))
            return ag_error_set(error, AG_BAD_VALUE, "%s is %g: it must be %s", numbers[i].name, numbers[i].value,
                                numbers[i].rule);
    if (options->best < 0 || options->best > found)
        return ag_error_set(error, AG_BAD_VALUE, "best is %d: a search with beam %d finds %d at most", options->best,
                            options->beam, found);
    if (options->sample && options->beam > 1)
        return ag_error_set(error, AG_BAD_VALUE, "sample and beam %d exclude each other", options->beam);
    return AG_OK;
}

/* Sets bos and eos, and checks that a token is left to generate. */
static ag_status take_marks(generation *g, ag_error *error)
{
    const int32_t *marks = g->options.marks, vocab = g->vocab;
    const bool ends = !g->options.no_eos && g->kind != NN_ENCODER;
    g->bos = marks ? marks[NN_BOS] : GENERATION_BOS;
    g->eos = !ends ? -1 : marks ? marks[NN_EOS] : GENERATION_EOS;
    if (ends && (g->eos < 0 || g->eos >= vocab))
        return ag_error_set(error, AG_BAD_VALUE, "eos is %d: it must be a token of the target vocabulary of %d",
                            (int)g->eos, (int)vocab);
    if (g->kind == NN_ENCODER_DECODER && (g->bos < 0 || g->bos >= vocab))
        return ag_error_set(error, AG_BAD_VALUE, "bos is %d: it must be a token of the target vocabulary of %d",
                            (int)g->bos, (int)vocab);
    for (int32_t token = 0; token < vocab; token++)
        if (generation_allows(g, token))
            return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE, "marks: they are all %d tokens of the target vocabulary, and none is left "
                        "to generate", (int)vocab);
}

static ag_status complete_options(generation *g, const nn_generation_options *given, ag_error *error)
{
    nn_generation_options *options = &g->options;
    *options = given ? *given : (nn_generation_options){0};
    ag_status status = check_numbers(options, error);
    if (status != AG_OK)
        return status;
    status = take_marks(g, error);
    if (status != AG_OK)
        return status;
    if (options->max_length == 0)
        options->max_length = g->room;
    if (options->sampling_temperature == 0)
        options->sampling_temperature = 1;
    if (options->temperature == 0)
        options->temperature = 1;
    if (options->best == 0 || g->kind == NN_ENCODER)
        options->best = 1;
    return AG_OK;
}

static ag_status check_prompts(const generation *g, ag_error *error)
{
    const nn_input *input = g->input;
    if (input->rows < 0 || input->rows > INT32_MAX)
        return ag_error_set(error, AG_BAD_VALUE, "generation: %lld %s: they must be 0 to %d", (long long)input->rows,
                            ag_plural(input->rows, "row", "rows"), INT32_MAX);
    if (g->kind != NN_DECODER)
        return AG_OK;
    if (!input->target && input->rows > 0)
        return ag_error_set(error, AG_BAD_VALUE, "generation: a decoder needs prompts (a bos mark at least)");
    for (int64_t row = 0; row < input->rows; row++) {
        const int64_t length = input->target_lengths ? input->target_lengths[row] : input->target_length;
        if (length < 1 || length > input->target_length)
            return ag_error_set(error, AG_BAD_VALUE,
                                "generation: the prompt of row %lld has %lld %s: it must be 1 to %lld", (long long)row,
                                (long long)length, ag_plural(length, "token", "tokens"),
                                (long long)input->target_length);
        if (length > g->room)
            return ag_error_set(error, AG_BAD_VALUE, "generation: the prompt of row %lld has %lld %s: max_length is %lld",
                                (long long)row, (long long)length, ag_plural(length, "token", "tokens"),
                                (long long)g->room);
    }
    return AG_OK;
}

/* Sets the lengths that all rows share: common, longest and most_fed. */
static void measure_prompts(generation *g)
{
    g->common = INT64_MAX;
    for (int64_t row = 0; row < g->input->rows; row++) {
        const int64_t prompt = generation_prompt_length(g, row), limit = generation_limit(g, row);
        if (prompt < g->common)
            g->common = prompt;
        if (limit > g->longest)
            g->longest = limit;
        if (prompt + limit - 1 > g->most_fed)
            g->most_fed = prompt + limit - 1;
    }
}

/* ---- The result -------------------------------------------------------------------- */

void nn_generated_clear(nn_generated *result)
{
    free(result->hypotheses);
    free(result->storage);
    *result = (nn_generated){0};
}

static ag_status init_result(generation *g, ag_error *error)
{
    nn_generated *result = g->result;
    const int64_t count = g->input->rows * g->options.best;
    const int64_t size = ag_shape_size(AG_SHAPE(count, g->longest, (int64_t)sizeof(int32_t)));
    *result = (nn_generated){.rows = g->input->rows, .best = g->options.best};
    result->hypotheses = calloc(count ? (size_t)count : 1, sizeof *result->hypotheses);
    result->storage = size >= 0 ? malloc(size ? (size_t)size : 1) : NULL;
    if (result->hypotheses && result->storage)
        return AG_OK;
    return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room for %lld %s of %lld %s", (long long)count,
                        ag_plural(count, "result", "results"), (long long)g->longest,
                        ag_plural(g->longest, "token", "tokens"));
}

/* ---- The models -------------------------------------------------------------------- */

static ag_status init_models(generation *g, ag_error *error)
{
    const int count = g->ensemble->count;
    g->each = calloc((size_t)count, sizeof *g->each);
    g->logits = (ensemble_logits){.count = count, .classes = g->vocab};
    g->logits.each = calloc((size_t)count, sizeof *g->logits.each);
    g->logits.log_sums = calloc((size_t)count, sizeof *g->logits.log_sums);
    const bool scratch = count > 1 || g->options.temperature != 1;
    if (scratch)
        g->mean = malloc((size_t)g->vocab * sizeof *g->mean);
    if (!g->each || !g->logits.each || !g->logits.log_sums || (scratch && !g->mean))
        return ag_error_set(error, AG_NO_MEMORY, "out of memory: no room to generate with %d %s", count,
                            ag_plural(count, "model", "models"));
    for (int i = 0; i < count; i++) {
        const nn_model *model = g->ensemble->models[i];
        g->each[i] = (generation_model){.model = model, .pass = {.tape = g->tape, .params = &model->params}};
    }
    return AG_OK;
}

static void clear_models(generation *g)
{
    for (int i = 0; g->each && i < g->ensemble->count; i++)
        nn_cache_clear(&g->each[i].cache);
    free(g->each);
    free(g->logits.each);
    free(g->logits.log_sums);
    free(g->mean);
}

/* ---- The whole --------------------------------------------------------------------- */

static ag_status generate_rows(generation *g, ag_error *error)
{
    const bool grad_was_on = ag_tape_set_grad(g->tape, false);
    ag_status status = init_models(g, error);
    if (status == AG_OK)
        status = g->kind == NN_ENCODER ? generation_tag(g, error)
                 : g->options.beam > 1 ? generation_beam(g, error)
                                       : generation_sample(g, error);
    for (int64_t i = 0; i < g->result->rows * g->result->best && status == AG_OK; i++) {
        nn_hypothesis *answer = &g->result->hypotheses[i];
        answer->probability = answer->score > -HUGE_VAL ? scalar_exp(answer->log_probability) : 0;
    }
    clear_models(g);
    ag_tape_rewind(g->tape);
    ag_tape_set_grad(g->tape, grad_was_on);
    return status;
}

ag_status nn_ensemble_generate(const nn_ensemble *ensemble, ag_tape *tape, const nn_input *input,
                               const nn_generation_options *options, nn_generated *result, ag_error *error)
{
    *result = (nn_generated){0};
    ag_status status = nn_ensemble_check(ensemble, error);
    if (status != AG_OK)
        return status;
    generation g = {.ensemble = ensemble,
                    .kind = ensemble->models[0]->config.kind,
                    .vocab = ensemble->models[0]->config.target_vocab,
                    .room = nn_ensemble_max_length(ensemble),
                    .tape = tape,
                    .input = input,
                    .result = result};
    status = complete_options(&g, options, error);
    if (status == AG_OK)
        status = check_prompts(&g, error);
    if (status != AG_OK)
        return status;

    if (g.kind == NN_ENCODER)
        g.longest = input->source_length;
    else
        measure_prompts(&g);
    status = init_result(&g, error);
    if (status == AG_OK && input->rows > 0)
        status = generate_rows(&g, error);
    if (status != AG_OK)
        nn_generated_clear(result);
    return status;
}

ag_status nn_generate(const nn_model *model, ag_tape *tape, const nn_input *input, const nn_generation_options *options,
                      nn_generated *result, ag_error *error)
{
    return nn_ensemble_generate(&(nn_ensemble){.models = &model, .count = 1}, tape, input, options, result, error);
}
