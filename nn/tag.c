/* tag.c - an encoder's answer: the most probable label of each source token, in one
 * pass. */
#include "generation.h"
#include "layer.h"

/* The logits of all models for each token of the input, [rows, source_length, V]. */
static ag_status apply_encoders(generation *g, ag_error *error)
{
    ag_tape_rewind(g->tape);
    for (int i = 0; i < g->ensemble->count; i++) {
        const generation_model *each = &g->each[i];
        const ag_tensor *logits = nn_model_apply(each->model, &each->pass, g->input);
        ag_error own = {0};
        if (pass_error(&each->pass, &own) != AG_OK)
            return nn_ensemble_error(g->ensemble, i, &own, error);
        g->logits.each[i] = logits->data;
    }
    g->stride = g->vocab;
    return AG_OK;
}

ag_status generation_tag(generation *g, ag_error *error)
{
    const nn_input *input = g->input;
    ag_status status = apply_encoders(g, error);
    for (int64_t row = 0; row < input->rows && status == AG_OK; row++) {
        nn_hypothesis *labels = &g->result->hypotheses[row];
        *labels = (nn_hypothesis){.tokens = generation_tokens(g, row, 0),
                                  .finished = true,
                                  .length = input->source_lengths ? input->source_lengths[row] : input->source_length};
        for (int64_t t = 0; t < labels->length; t++) {
            const ag_real *token;
            double log_sum;
            status = generation_logits(g, row * input->source_length + t, row, &token, &log_sum, error);
            if (status != AG_OK)
                return status;
            labels->tokens[t] = generation_most_probable(g, token);
            labels->log_probability += (double)token[labels->tokens[t]] - log_sum;
        }
        labels->score = labels->log_probability;
    }
    return status;
}
