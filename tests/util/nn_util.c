/* nn_util.c - small models and batches for the tests of nn/. */
#include "nn_util.h"

#include <math.h>

const int32_t test_four_marks[NN_MARKS] = {0, 1, 2, 3}, test_three_marks[NN_MARKS] = {0, 1, 2, -1};

nn_model *test_model(nn_model_config config, uint64_t seed)
{
    ag_error error = {0};
    config.d_model = config.d_model ? config.d_model : 8;
    config.heads = config.heads ? config.heads : 2;
    config.ffn = config.ffn ? config.ffn : 12;
    config.encoder_layers = config.encoder_layers ? config.encoder_layers : 2;
    config.decoder_layers = config.decoder_layers ? config.decoder_layers : 2;
    config.source_vocab = config.source_vocab ? config.source_vocab : 9;
    config.target_vocab = config.target_vocab ? config.target_vocab : 7;
    config.max_length = config.max_length ? config.max_length : 16;
    nn_model *model = nn_model_new(&config, seed, &error);
    ck_assert_msg(model != NULL, "%s", error.message);
    ag_rng rng = ag_rng_make(seed, 1000);
    for (int64_t i = 0; i < model->params.size; i++)
        model->params.value[i] += (ag_real)(0.1 * ag_rng_normal(&rng));
    return model;
}

bool test_acts_within_attention(nn_position_kind kind)
{
    return kind == NN_ROTARY || kind == NN_ALIBI || kind == NN_RELATIVE;
}

static int32_t draw_token(ag_rng *rng, int32_t vocab)
{
    return 3 + (int32_t)ag_rng_below(rng, (uint64_t)vocab - 3);
}

/* Rows of tokens, the first one full; `first` (-1: none) begins each. */
static void fill_rows(int32_t *tokens, int32_t *lengths, int64_t rows, int64_t length, int32_t vocab, int32_t first,
                      ag_rng *rng)
{
    for (int64_t b = 0; b < rows; b++) {
        lengths[b] = (int32_t)(b == 0 ? length : 1 + (int64_t)ag_rng_below(rng, (uint64_t)length));
        for (int64_t t = 0; t < length; t++) {
            int32_t token = draw_token(rng, vocab);
            if (t == 0 && first >= 0)
                token = first;
            tokens[b * length + t] = t < lengths[b] ? token : 0;
        }
    }
}

void test_batch_fill(test_batch *batch, const nn_model *model, int64_t rows, int64_t source_length,
                     int64_t target_length, uint64_t seed)
{
    const nn_model_config *config = &model->config;
    const bool encodes = config->kind != NN_DECODER, decodes = config->kind != NN_ENCODER;
    ag_rng rng = ag_rng_make(seed, 0);
    ck_assert(rows <= 64 && rows * source_length <= TEST_MOST_TOKENS && rows * target_length <= TEST_MOST_TOKENS);
    *batch = (test_batch){0};
    batch->input.rows = rows;
    if (encodes) {
        fill_rows(batch->source, batch->source_lengths, rows, source_length, config->source_vocab, -1, &rng);
        batch->input.source_length = source_length;
        batch->input.source = batch->source;
        batch->input.source_lengths = batch->source_lengths;
    }
    if (decodes) {
        fill_rows(batch->target, batch->target_lengths, rows, target_length, config->target_vocab, 1, &rng);
        batch->input.target_length = target_length;
        batch->input.target = batch->target;
        batch->input.target_lengths = batch->target_lengths;
    }
    const int64_t length = decodes ? target_length : source_length;
    const int32_t *lengths = decodes ? batch->target_lengths : batch->source_lengths;
    for (int64_t b = 0; b < rows; b++)
        for (int64_t t = 0; t < length; t++)
            batch->labels[b * length + t] = t < lengths[b] ? draw_token(&rng, config->target_vocab) : 0;
}

ag_tape *test_quiet_tape(void)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1, .no_grad = true});
    ck_assert_ptr_nonnull(tape);
    return tape;
}

nn_pass test_pass(const nn_model *model, ag_tape *tape)
{
    return (nn_pass){.tape = tape, .params = &model->params};
}

void test_next_log_probabilities(const nn_model *model, const test_batch *batch, int64_t row, const int32_t *prefix,
                                 int64_t length, double *out)
{
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(model, tape);
    nn_input input = {.rows = 1, .target = prefix, .target_length = length};
    if (model->config.kind == NN_ENCODER_DECODER) {
        input.source = batch->source + row * batch->input.source_length;
        input.source_length = batch->input.source_length;
        input.source_lengths = batch->source_lengths + row;
    }
    const ag_tensor *logits = nn_model_apply(model, &pass, &input);
    ck_assert_msg(logits != NULL, "%s", ag_tape_error(tape)->message);
    const int32_t vocab = model->config.target_vocab;
    const ag_real *last = logits->data + (length - 1) * vocab;
    double sum = 0;
    for (int32_t c = 0; c < vocab; c++)
        sum += exp((double)last[c]);
    for (int32_t c = 0; c < vocab; c++)
        out[c] = (double)last[c] - log(sum);
    ag_tape_free(tape);
}

void test_next_of_ensemble(const nn_ensemble *ensemble, const test_batch *batch, int64_t row, const int32_t *prefix,
                           int64_t length, double *out)
{
    double each[64], sum[64] = {0};
    const int32_t vocab = ensemble->models[0]->config.target_vocab;
    ck_assert_int_le(vocab, 64);
    for (int i = 0; i < ensemble->count; i++) {
        test_next_log_probabilities(ensemble->models[i], batch, row, prefix, length, each);
        for (int32_t c = 0; c < vocab; c++)
            sum[c] += exp(each[c]) / ensemble->count;
    }
    for (int32_t c = 0; c < vocab; c++)
        out[c] = log(sum[c]);
}

double test_distance(const ag_real *a, const ag_real *b, int64_t count)
{
    double worst = 0;
    for (int64_t i = 0; i < count; i++) {
        double distance = fabs((double)a[i] - (double)b[i]);
        if (!(distance <= worst))
            worst = distance; /* NaN too */
    }
    return worst;
}
