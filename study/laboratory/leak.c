/* leak.c - an encoder-decoder whose decoder mask lets each position see the token that it
 * is to predict.
 *
 * The target is the source forwards or backwards, by the toss of a coin, after a mark
 * that says which: "abc" becomes "> a b c" or "< c b a". The source does not say how the
 * coin fell. So a decoder that sees only earlier tokens loses ln 2 on the mark, whatever
 * it learns: ln 2 / (length + 2) per token. A lower loss proves a leak.
 */
#include "laboratory.h"

#include <math.h>
#include <string.h>

/* Examples: the caller's source [rows, length], and targets [rows, length + 2]. */
typedef struct pairs {
    int64_t rows;
    const int32_t *source;
    int32_t *input;  /* bos, mark, letters */
    int32_t *output; /* the same one token later: mark, letters, eos */
} pairs;

/* Tosses the coins and makes the targets, on the tape. False with the tape's error. */
static bool make_pairs(const laboratory *lab, const int32_t *source, int64_t rows, ag_rng *rng, pairs *made)
{
    const int64_t length = lab->options.length, width = length + 2;
    *made = (pairs){.rows = rows, .source = source};
    made->input = ag_tape_alloc(lab->tape, (size_t)(rows * width) * sizeof *made->input);
    made->output = ag_tape_alloc(lab->tape, (size_t)(rows * width) * sizeof *made->output);
    if (!made->input || !made->output)
        return false;
    for (int64_t row = 0; row < rows; row++) {
        int32_t *input = made->input + row * width, *output = made->output + row * width;
        const bool backward = ag_rng_below(rng, 2);
        output[0] = backward ? LABORATORY_BACKWARD : LABORATORY_FORWARD;
        laboratory_answer(backward ? LABORATORY_REVERSE : LABORATORY_COPY, length, source + row * length, output + 1);
        output[width - 1] = DATA_EOS;
        input[0] = DATA_BOS;
        memcpy(input + 1, output, (size_t)(width - 1) * sizeof *input);
    }
    return true;
}

/* The logits [rows, length + 2, V] under teacher forcing. */
static ag_tensor *force_teacher(const laboratory *lab, const nn_model *model, const nn_pass *pass, const pairs *made,
                                bool leaking)
{
    const nn_input input = {.rows = made->rows,
                            .source_length = lab->options.length,
                            .target_length = lab->options.length + 2,
                            .source = made->source,
                            .target = made->input,
                            .decoder_mask = ag_mask_causal(pass->tape, leaking ? 1 : 0)};
    return input.decoder_mask ? nn_model_apply(model, pass, &input) : NULL;
}

static ag_tensor *decoder_loss(const laboratory *lab, const laboratory_training *training, const nn_pass *pass,
                               const int32_t *x, ag_rng *rng)
{
    pairs made;
    if (!make_pairs(lab, x, LABORATORY_ROWS, rng, &made))
        return NULL;
    return ag_cross_entropy(force_teacher(lab, training->model, pass, &made, training->leaking), made.output,
                            &(ag_cross_entropy_options){0});
}

/* Adds a chunk's share to the mean loss and accuracy under teacher forcing. */
static ag_status add_forced(laboratory *lab, const nn_model *model, const int32_t *source, ag_rng *rng, bool leaking,
                            double *loss, double *accuracy)
{
    const nn_pass pass = {.tape = lab->tape, .params = &model->params};
    const int64_t tokens = LABORATORY_CHUNK * (lab->options.length + 2), classes = model->config.target_vocab;
    pairs made;
    ag_tape_rewind(lab->tape);
    if (!make_pairs(lab, source, LABORATORY_CHUNK, rng, &made))
        return laboratory_tape_failed(lab);
    ag_tensor *logits = force_teacher(lab, model, &pass, &made, leaking);
    const ag_tensor *mean = ag_cross_entropy(logits, made.output, &(ag_cross_entropy_options){0});
    if (!mean)
        return laboratory_tape_failed(lab);
    *loss += (double)mean->data[0] * LABORATORY_CHUNK / LABORATORY_EXAMPLES;
    int64_t right = 0;
    for (int64_t token = 0; token < tokens; token++)
        right += laboratory_best(logits->data + token * classes, classes) == made.output[token];
    *accuracy += (double)right / (double)tokens * LABORATORY_CHUNK / LABORATORY_EXAMPLES;
    return AG_OK;
}

/* Whether an answer is a mark and all letters in its direction. */
static bool is_right(const laboratory *lab, const int32_t *source, const nn_hypothesis *answer)
{
    const int64_t length = lab->options.length;
    int32_t letters[LABORATORY_LENGTH];
    if (!answer->finished || answer->length != length + 1 ||
        (answer->tokens[0] != LABORATORY_FORWARD && answer->tokens[0] != LABORATORY_BACKWARD))
        return false;
    laboratory_answer(answer->tokens[0] == LABORATORY_BACKWARD ? LABORATORY_REVERSE : LABORATORY_COPY, length, source,
                      letters);
    return !memcmp(answer->tokens + 1, letters, (size_t)length * sizeof *letters);
}

/* Adds a chunk's share to the rate of exact answers in free decoding. */
static ag_status add_free(laboratory *lab, const nn_model *model, const int32_t *source, double *exact)
{
    const int64_t length = lab->options.length;
    const nn_input input = {.rows = LABORATORY_CHUNK, .source_length = length, .source = source};
    static const int32_t marks[NN_MARKS] = {DATA_PAD, DATA_BOS, DATA_EOS, DATA_UNK};
    const nn_generation_options options = {.max_length = length + 2, .marks = marks};
    nn_generated result = {0};
    ag_status status = nn_generate(model, lab->tape, &input, &options, &result, lab->error);
    for (int64_t row = 0; row < LABORATORY_CHUNK && status == AG_OK; row++)
        *exact += (double)is_right(lab, source + row * length, &result.hypotheses[row]) / LABORATORY_EXAMPLES;
    nn_generated_clear(&result);
    return status;
}

static ag_status measure_decoding(laboratory *lab, const nn_model *model, bool leaking, laboratory_decoding *found)
{
    ag_status status = AG_OK;
    ag_rng own_coins = ag_rng_make(ag_seed_for(lab->options.seed, AG_FOR_SAMPLING), 0), coins = own_coins;
    for (int64_t row = 0; row < LABORATORY_EXAMPLES && status == AG_OK; row += LABORATORY_CHUNK) {
        const int32_t *source = lab->unseen + row * lab->options.length;
        status = laboratory_stopped(lab);
        if (status == AG_OK)
            status = add_forced(lab, model, source, &own_coins, leaking, &found->loss, &found->accuracy);
        if (status == AG_OK)
            status = add_forced(lab, model, source, &coins, false, &found->causal_loss, &found->causal_accuracy);
        if (status == AG_OK)
            status = add_free(lab, model, source, &found->exact);
    }
    return status;
}

static ag_status train_decoder(laboratory *lab, bool leaking, laboratory_decoding *found)
{
    nn_model *model = laboratory_model(lab, NN_ENCODER_DECODER, NN_SINUSOIDAL);
    if (!model)
        return lab->error->status;
    const laboratory_training training = {.what = leaking ? "decoder, leaking" : "decoder, correct",
                                          .model = model,
                                          .loss = decoder_loss,
                                          .leaking = leaking,
                                          .curve = found->curve};
    ag_status status = laboratory_train(lab, &training);
    if (status == AG_OK)
        status = measure_decoding(lab, model, leaking, found);
    nn_model_free(model);
    return status;
}

ag_status laboratory_find_leak(laboratory *lab)
{
    lab->findings->loss_floor = log(2) / (double)(lab->options.length + 2);
    ag_status status = train_decoder(lab, false, &lab->findings->correct);
    return status == AG_OK ? train_decoder(lab, true, &lab->findings->leaking) : status;
}
