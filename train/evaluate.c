/* evaluate.c - loss and token accuracy under teacher forcing; decode.c measures the
 * outputs.
 *
 * Sums over batches are in double, so that the results depend on the size of a batch only
 * by the rounding of each batch's own loss.
 */
#include "calibration.h"
#include "decode.h"
#include "nonfinite.h"
#include "batch_input.h"
#include "scalar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct loss_sums {
    scalar_sum loss;
    int64_t tokens, right, unknown, characters;
    train_temperature_sums *temperature; /* NULL: not wanted */
    train_outcomes *windows; /* gets the loss of each batch, which is one window; NULL: not
                              * wanted */
} loss_sums;

/* Counts the positions whose largest logit is the target's. logits [count, classes]. */
static void count_right(const ag_real *logits, int64_t classes, const int32_t *targets, int64_t count, loss_sums *sums)
{
    for (int64_t i = 0; i < count; i++, logits += classes) {
        if (targets[i] == DATA_NONE)
            continue;
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++)
            best = logits[c] > logits[best] ? c : best;
        sums->right += best == targets[i];
        sums->tokens++;
        if (sums->temperature)
            train_temperature_add(sums->temperature, logits, classes, targets[i]);
    }
}

/* A batch as the model takes it, its logits and their summed loss. */
typedef struct batch_result {
    train_batch_input rows;
    ag_tensor *logits, *loss;
} batch_result;

static ag_status run_batch(const nn_ensemble *ensemble, ag_tape *tape, const data_batch *batch,
                           const train_evaluation *evaluation, batch_result *result, ag_error *error)
{
    const nn_model *first = ensemble->models[0];
    nn_pass pass = {.tape = tape, .params = &first->params};
    ag_tape_rewind(tape);
    ag_status status = train_batch_input_make(first, batch, 0, batch->rows, tape, &result->rows, error);
    if (status != AG_OK)
        return status;
    if (evaluation->on_input)
        evaluation->on_input(evaluation->context, &pass, &result->rows.input);
    ag_error own = {0}; /* the caller's may be NULL */
    result->logits = nn_ensemble_apply(ensemble, &pass, &result->rows.input, &own);
    if (!result->logits)
        return ag_error_set(error, own.status, "%s", own.message);
    if (evaluation->generation.temperature != 1)
        result->logits = ag_scale(result->logits, 1 / evaluation->generation.temperature);
    result->loss = train_batch_input_loss(result->logits, &result->rows, 0);
    if (!result->loss)
        return ag_error_set(error, ag_tape_error(tape)->status, "%s", ag_tape_error(tape)->message);
    return AG_OK;
}

/* A batch of which the loss is not finite, and a tape to find out why. */
typedef struct bad_batch {
    const nn_ensemble *ensemble;
    ag_tape *tape;
    const data_batch *batch;
    const train_evaluation *evaluation;
} bad_batch;

/* Names the operation of model i that made the loss not finite. A no-grad tape does not
 * record its operations, so the batch runs again on a tape that does. AG_OK if the loss
 * of this model is finite. */
static ag_status explain_model(void *context, int i, ag_error *error)
{
    const bad_batch *bad = context;
    char text[AG_MESSAGE_SIZE];
    batch_result result;
    const nn_ensemble alone = {.models = bad->ensemble->models + i, .count = 1};
    ag_status status = run_batch(&alone, bad->tape, bad->batch, bad->evaluation, &result, error);
    if (status != AG_OK || isfinite(result.loss->data[0]))
        return status;
    bool found = ag_tape_find_nonfinite(bad->tape, text);
    return ag_error_set(error, AG_NOT_FINITE, "the loss of an evaluation is %g%s%s", (double)result.loss->data[0],
                        found ? ": " : "", found ? text : "");
}

/* The error of a loss that is not finite, which it is if that of a model is not. */
static ag_status explain_loss(const nn_ensemble *ensemble, const data_batch *batch, const train_evaluation *evaluation,
                              double loss, ag_error *error)
{
    bad_batch bad = {.ensemble = ensemble, .tape = ag_tape_new(NULL), .batch = batch, .evaluation = evaluation};
    if (!bad.tape)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for a tape");
    ag_status status = nn_ensemble_each(ensemble, explain_model, &bad, error);
    ag_tape_free(bad.tape);
    if (status == AG_OK)
        status = ag_error_set(error, AG_NOT_FINITE, "the loss of an evaluation is %g", loss);
    return status;
}

static ag_status add_batch(const nn_ensemble *ensemble, ag_tape *tape, const data_batch *batch,
                           const train_evaluation *evaluation, loss_sums *sums, ag_error *error)
{
    batch_result result;
    ag_status status = run_batch(ensemble, tape, batch, evaluation, &result, error);
    if (status != AG_OK)
        return status;
    const train_batch_input *rows = &result.rows;
    const double loss = (double)result.loss->data[0];
    if (!isfinite(loss))
        return explain_loss(ensemble, batch, evaluation, loss, error);
    if (sums->windows)
        sums->windows->items[sums->windows->count++] = (train_outcome){loss, (double)batch->tokens};
    scalar_sum_add(&sums->loss, loss);
    count_right(result.logits->data, ensemble->models[0]->config.target_vocab, rows->targets,
                rows->input.rows * rows->length, sums);
    return AG_OK;
}

/* Notes which tokens of a batch are unknown. */
static ag_status add_unknown(data_set *set, const data_batch *batch, const train_evaluation *evaluation,
                             loss_sums *sums, ag_error *error)
{
    const data_vocab *const vocabs[2] = {data_set_source_vocab(set), data_set_target_vocab(set)};
    const int64_t found = data_vocab_count_unknown(vocabs[0], batch->source, batch->rows * batch->source_length) +
                          data_vocab_count_unknown(vocabs[1], batch->target_out, batch->rows * batch->target_length);
    ag_status status = AG_OK;
    sums->unknown += found;
    for (int64_t row = 0; row < batch->rows && evaluation->unknown && status == AG_OK; row++) {
        const int64_t line = data_set_line(set, batch->examples[row]);
        const char *texts[2] = {NULL, NULL};
        data_set_example(set, batch->examples[row], &texts[0], &texts[1]);
        for (int side = 0; side < 2 && status == AG_OK; side++)
            if (vocabs[side] && texts[side])
                status = data_unknown_add(&evaluation->unknown[side], vocabs[side], texts[side], strlen(texts[side]),
                                          data_set_name(set), line, error);
    }
    return status;
}

/* Counts the characters of the text that a batch's targets are. */
static ag_status add_characters(const data_vocab *vocab, const data_batch *batch, loss_sums *sums, ag_error *error)
{
    for (int64_t row = 0; row < batch->rows; row++) {
        const int32_t *ids = batch->target_out + row * batch->target_length;
        const size_t size = data_vocab_decode(vocab, ids, batch->target_lengths[row], NULL, 0) + 1;
        char *text = malloc(size);
        if (!text)
            return ag_error_set(error, AG_NO_MEMORY, "no memory for the text of an evaluation");
        data_vocab_decode(vocab, ids, batch->target_lengths[row], text, size);
        for (size_t i = 0; i + 1 < size; i++) /* all bytes of UTF-8 but those that go on with a character */
            sums->characters += ((unsigned char)text[i] & 0xC0) != 0x80;
        free(text);
    }
    return AG_OK;
}

static ag_status add_batches(const nn_ensemble *ensemble, ag_tape *tape, data_set *set,
                             const train_evaluation *evaluation, loss_sums *sums, ag_error *error)
{
    data_batch batch = {0};
    ag_status status = AG_OK;
    int64_t count = data_set_count(set), rows = evaluation->batch;
    for (int64_t first = 0; first < count && status == AG_OK; first += rows) {
        int64_t now = count - first < rows ? count - first : rows;
        status = train_evaluation_stopped(evaluation, error);
        if (status == AG_OK)
            status = data_set_range(set, first, now, &batch, error);
        if (status == AG_OK)
            status = add_batch(ensemble, tape, &batch, evaluation, sums, error);
        if (status == AG_OK)
            status = add_unknown(set, &batch, evaluation, sums, error);
        if (status == AG_OK && !batch.source)
            status = add_characters(data_set_target_vocab(set), &batch, sums, error);
    }
    data_batch_clear(&batch);
    return status;
}

/* Rows whose values, those of a no-grad pass of all models, take at most about
 * MOST_NUMBERS numbers: nine of the model's width and a feed-forward layer for each token
 * and block, and the logits. An evaluation shall take no more memory than training. */
static int64_t default_batch(const nn_ensemble *ensemble, const data_set *set)
{
    enum { MOST_NUMBERS = 1 << 26, WIDTHS = 9 };
    const int64_t source = data_set_max_source(set), target = data_set_max_target(set);
    double row = 0;
    for (int i = 0; i < ensemble->count; i++) {
        const nn_model_config *config = &ensemble->models[i]->config;
        const int64_t block = WIDTHS * (int64_t)config->d_model + config->ffn;
        row += (double)(source * config->encoder_layers * block) +
               (double)(target * (config->decoder_layers * block + config->target_vocab));
    }
    const double rows = MOST_NUMBERS / row;
    return rows < 1 ? 1 : rows < TRAIN_EVALUATION_BATCH ? (int64_t)rows : TRAIN_EVALUATION_BATCH;
}

double train_chance(const nn_model *model)
{
    return scalar_log((double)model->config.target_vocab);
}

/* An ensemble and what it is to be measured on. */
typedef struct measured_set {
    const nn_ensemble *ensemble;
    data_set *set;
} measured_set;

static ag_status set_fits_model(void *context, int i, ag_error *error)
{
    const measured_set *m = context;
    return train_set_fits(m->ensemble->models[i], m->set, error);
}

/* Whether each model can use the set. */
static ag_status set_fits(const nn_ensemble *ensemble, data_set *set, ag_error *error)
{
    measured_set measured = {ensemble, set};
    ag_status status = nn_ensemble_check(ensemble, error);
    return status == AG_OK ? nn_ensemble_each(ensemble, set_fits_model, &measured, error) : status;
}

ag_status train_ensemble_evaluate(const nn_ensemble *ensemble, data_set *set, const train_evaluation *evaluation,
                                  train_metrics *metrics, ag_error *error)
{
    train_evaluation own = *evaluation;
    *metrics = (train_metrics){0};
    if (own.batch < 0 || own.max_sources < 0 || own.threads < 0)
        return ag_error_set(error, AG_BAD_VALUE, "an evaluation's batch, sources and threads cannot be negative");
    if (!(own.generation.temperature >= 0)) /* without decoding, no generation checks it */
        return ag_error_set(error, AG_BAD_VALUE, "temperature is %g: it must be above 0, or 0 for 1",
                            own.generation.temperature);
    own.generation.temperature = own.generation.temperature == 0 ? 1 : own.generation.temperature;
    ag_status status = set_fits(ensemble, set, error);
    if (status != AG_OK)
        return status;
    const bool decodes = own.decode && ensemble->models[0]->config.kind != NN_DECODER;
    train_temperature_sums temperature = {{0}};
    loss_sums sums = {.windows = decodes ? NULL : own.outcomes,
                      .temperature = decodes && own.calibration && own.find_temperature ? &temperature : NULL};
    if (own.calibration)
        *own.calibration = (train_calibration){.count = 0};
    own.batch = sums.windows ? 1 : own.batch ? own.batch : default_batch(ensemble, set);
    if (sums.windows && train_outcomes_reserve(sums.windows, data_set_count(set), error) != AG_OK)
        return AG_NO_MEMORY;
    ag_tape *tape = own.tape ? own.tape : ag_tape_new(&(ag_tape_options){.threads = own.threads});
    if (!tape)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for a tape");

    const bool grad = ag_tape_set_grad(tape, false);
    const ag_matmul_numbers matmul = ag_tape_matmul(tape);
    bool available = ag_tape_set_matmul(tape, AG_MATMUL_REAL); /* the products that users
                                                                * of the model get */
    status = add_batches(ensemble, tape, set, &own, &sums, error);
    if (status == AG_OK && decodes)
        status = train_decode(ensemble, tape, set, &own, metrics, error);
    ag_tape_set_grad(tape, grad);
    available = ag_tape_set_matmul(tape, matmul) && available;
    (void)available; /* AG_MATMUL_REAL is always available, and so is what the tape had
                      * before */
    if (!own.tape)
        ag_tape_free(tape);

    double tokens = sums.tokens ? (double)sums.tokens : 1;
    if (own.outcomes) {
        own.outcomes->decoded = decodes;
        own.outcomes->kind = train_counted_kind(data_set_target_vocab(set), decodes);
        own.outcomes->unknown = sums.unknown;
    }
    if (sums.temperature)
        own.calibration->temperature = train_temperature_find(&temperature, &own.calibration->temperature_at_end) *
                                       own.generation.temperature;
    metrics->chance = train_chance(ensemble->models[0]);
    metrics->tokens = sums.tokens;
    metrics->unknown = sums.unknown;
    metrics->characters = sums.characters;
    metrics->character_loss = sums.characters ? scalar_sum_total(&sums.loss) / (double)sums.characters : 0;
    metrics->loss = scalar_sum_total(&sums.loss) / tokens;
    metrics->perplexity = scalar_exp(metrics->loss);
    metrics->token_accuracy = (double)sums.right / tokens;
    return status;
}

ag_status train_evaluate(const nn_model *model, data_set *set, const train_evaluation *evaluation,
                         train_metrics *metrics, ag_error *error)
{
    return train_ensemble_evaluate(&(nn_ensemble){.models = &model, .count = 1}, set, evaluation, metrics, error);
}
