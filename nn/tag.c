/* tag.c - an encoder's answer: the most probable label of each source token, in one
 * pass. */
#include "generation.h"
#include "layer.h"

ag_status generation_tag(generation *g, ag_error *error)
{
    const int32_t classes = g->model->config.target_vocab;
    const nn_input *input = g->input;
    ag_tape_rewind(g->pass.tape);
    const ag_tensor *logits = nn_model_apply(g->model, &g->pass, input);
    if (!logits)
        return pass_error(&g->pass, error);
    for (int64_t row = 0; row < input->rows; row++) {
        nn_hypothesis *labels = &g->result->hypotheses[row];
        *labels = (nn_hypothesis){.tokens = generation_tokens(g, row, 0),
                                  .finished = true,
                                  .length = input->source_lengths ? input->source_lengths[row] : input->source_length};
        for (int64_t t = 0; t < labels->length; t++) {
            const ag_real *token = logits->data + (row * input->source_length + t) * classes;
            double log_sum;
            ag_status status = generation_normalise(g, token, row, &log_sum, error);
            if (status != AG_OK)
                return status;
            labels->tokens[t] = generation_most_probable(g, token);
            labels->log_probability += (double)token[labels->tokens[t]] - log_sum;
        }
        labels->score = labels->log_probability;
    }
    return AG_OK;
}
