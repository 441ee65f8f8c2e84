/* tag.c - an encoder's answer: the most probable label of each source token, in one
 * pass. */
#include "generation.h"
#include "layer.h"

/* The logits of model i for each token of the input, [rows, source_length, V]. */
static ag_status apply_encoder(void *context, int i, ag_error *error)
{
    generation *g = context;
    const generation_model *each = &g->each[i];
    const ag_tensor *logits = nn_model_apply(each->model, &each->pass, g->input);
    if (logits)
        g->logits.each[i] = logits->data;
    return logits ? AG_OK : pass_error(&each->pass, error);
}

ag_status generation_tag(generation *g, ag_error *error)
{
    const nn_input *input = g->input;
    ag_tape_rewind(g->tape);
    g->stride = g->vocab;
    ag_status status = nn_ensemble_each(g->ensemble, apply_encoder, g, error);
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
