/* ensemble.c - several models that answer as one: the mean of their probabilities.
 *
 * The mean is taken of e^a, where a is a model's logits moved so that all models have the
 * log-sum of the first. A move by 0 and the logarithm of n / n round nothing, so the
 * logits of one model, or of equal ones, come out as they went in.
 */
#include "ensemble.h"

#include "layer.h"
#include "scalar.h"

#include <math.h>

/* ---- Names ------------------------------------------------------------------------- */

enum { SHOWN_SIZE = 200 }; /* of a name in an error: a sentence has room for two */

/* The name of model i in errors. */
static char *print_name(const nn_ensemble *ensemble, int i, char name[SHOWN_SIZE])
{
    if (ensemble->names)
        ag_text_show(ensemble->names[i], name, SHOWN_SIZE);
    else
        ag_text_print(name, SHOWN_SIZE, "model %d", i + 1);
    return name;
}

ag_status ensemble_error(const nn_ensemble *ensemble, int i, const ag_error *own, ag_error *error)
{
    char name[SHOWN_SIZE];
    if (ensemble->count == 1)
        return ag_error_set(error, own->status, "%s", own->message);
    return ag_error_set(error, own->status, "%s: %s", print_name(ensemble, i, name), own->message);
}

ag_status nn_ensemble_each(const nn_ensemble *ensemble, nn_on_model *call, void *context, ag_error *error)
{
    for (int i = 0; i < ensemble->count; i++) {
        ag_error own = {0}; /* the caller's may be NULL */
        if (call(context, i, &own) != AG_OK)
            return ensemble_error(ensemble, i, &own, error);
    }
    return AG_OK;
}

/* ---- Do the models go together? ---------------------------------------------------- */

static ag_status vocabs_agree(const nn_ensemble *ensemble, int i, const char *side, int32_t first, int32_t other,
                              ag_error *error)
{
    char names[2][SHOWN_SIZE];
    if (first == other)
        return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE,
                        "%s and %s have %s vocabularies of %d and %d tokens: they need the same tokens",
                        print_name(ensemble, 0, names[0]), print_name(ensemble, i, names[1]), side, (int)first,
                        (int)other);
}

ag_status nn_ensemble_check(const nn_ensemble *ensemble, ag_error *error)
{
    char names[2][SHOWN_SIZE];
    if (ensemble->count < 1)
        return ag_error_set(error, AG_BAD_VALUE, "an ensemble of %d models: it needs one at least", ensemble->count);
    const nn_model_config *first = &ensemble->models[0]->config;
    for (int i = 1; i < ensemble->count; i++) {
        const nn_model_config *other = &ensemble->models[i]->config;
        if (other->kind != first->kind)
            return ag_error_set(error, AG_BAD_VALUE, "%s and %s are models of different kinds: they need to be of one kind",
                                print_name(ensemble, 0, names[0]), print_name(ensemble, i, names[1]));
        ag_status status = vocabs_agree(ensemble, i, "target", first->target_vocab, other->target_vocab, error);
        if (status == AG_OK && first->kind != NN_DECODER)
            status = vocabs_agree(ensemble, i, "source", first->source_vocab, other->source_vocab, error);
        if (status != AG_OK)
            return status;
    }
    return AG_OK;
}

int nn_ensemble_max_length(const nn_ensemble *ensemble)
{
    int least = ensemble->models[0]->config.max_length;
    for (int i = 1; i < ensemble->count; i++)
        if (ensemble->models[i]->config.max_length < least)
            least = ensemble->models[i]->config.max_length;
    return least;
}

int64_t nn_ensemble_longest(const nn_ensemble *ensemble)
{
    int64_t least = 0;
    for (int i = 0; i < ensemble->count; i++) {
        const int64_t longest = nn_model_longest(&ensemble->models[i]->config);
        if (longest && (!least || longest < least))
            least = longest;
    }
    return least;
}

/* ---- The mean ---------------------------------------------------------------------- */

/* log sum_c e^logits[c], in double. */
static double log_sum_of(const ag_real *logits, int64_t classes)
{
    double most = (double)logits[0];
    scalar_sum sum = {0, 0};
    for (int64_t c = 1; c < classes; c++)
        if ((double)logits[c] > most)
            most = (double)logits[c];
    for (int64_t c = 0; c < classes; c++)
        scalar_sum_add(&sum, scalar_exp((double)logits[c] - most));
    return most + scalar_log(scalar_sum_total(&sum));
}

int ensemble_log_sums(const ensemble_logits *logits, int64_t at)
{
    for (int i = 0; i < logits->count; i++) {
        logits->log_sums[i] = log_sum_of(logits->each[i] + at, logits->classes);
        if (!isfinite(logits->log_sums[i]))
            return i;
    }
    return logits->count;
}

/* The logit of class c in model i, moved to the log-sum of the first model. */
static double moved_logit(const ensemble_logits *logits, int i, int64_t c)
{
    return (double)logits->each[i][c] + (logits->log_sums[0] - logits->log_sums[i]);
}

void ensemble_mean(const ensemble_logits *logits, int64_t at, ag_real *mean)
{
    for (int64_t c = 0; c < logits->classes; c++) {
        double most = -INFINITY, sum = 0;
        for (int i = 0; i < logits->count; i++)
            most = moved_logit(logits, i, at + c) > most ? moved_logit(logits, i, at + c) : most;
        for (int i = 0; i < logits->count; i++)
            sum += isinf(most) ? 1 : scalar_exp(moved_logit(logits, i, at + c) - most);
        mean[c] = (ag_real)(most + scalar_log(sum / logits->count));
    }
}

/* Fills mean [rows, V]. A row that is not finite in one of the models is NaN: padding may
 * hold anything. */
static void mean_of_rows(const ensemble_logits *logits, int64_t rows, ag_real *mean)
{
    for (int64_t row = 0; row < rows; row++) {
        const int64_t at = row * logits->classes;
        if (ensemble_log_sums(logits, at) == logits->count)
            ensemble_mean(logits, at, mean + at);
        else
            for (int64_t c = 0; c < logits->classes; c++)
                mean[at + c] = (ag_real)NAN;
    }
}

/* One application of all models. */
typedef struct application {
    const nn_ensemble *ensemble;
    const nn_pass *pass;
    const nn_input *input;
    ensemble_logits logits;
    ag_tensor *newest; /* the logits of the latest model */
} application;

static ag_status apply_model(void *context, int i, ag_error *error)
{
    application *a = context;
    const nn_model *model = a->ensemble->models[i];
    nn_pass own = *a->pass;
    own.params = &model->params;
    a->newest = nn_model_apply(model, &own, a->input);
    if (pass_error(&own, error) != AG_OK)
        return error->status;
    a->logits.each[i] = a->newest->data;
    return AG_OK;
}

ag_tensor *nn_ensemble_apply(const nn_ensemble *ensemble, const nn_pass *pass, const nn_input *input, ag_error *error)
{
    if (nn_ensemble_check(ensemble, error) != AG_OK)
        return NULL;
    ag_tape *tape = pass->tape;
    application a = {.ensemble = ensemble,
                     .pass = pass,
                     .input = input,
                     .logits = {.count = ensemble->count, .classes = ensemble->models[0]->config.target_vocab}};
    a.logits.each = ag_tape_alloc(tape, (size_t)a.logits.count * sizeof *a.logits.each);
    a.logits.log_sums = ag_tape_alloc(tape, (size_t)a.logits.count * sizeof *a.logits.log_sums);
    if (nn_ensemble_each(ensemble, apply_model, &a, error) != AG_OK)
        return NULL;
    ag_tensor *y = a.newest;
    if (a.logits.count == 1)
        return y;
    ag_real *mean = ag_tape_alloc(tape, (size_t)y->size * sizeof *mean);
    if (mean)
        mean_of_rows(&a.logits, y->size / a.logits.classes, mean);
    y = mean ? ag_leaf(tape, y->shape, mean, NULL) : NULL;
    return pass_error(pass, error) == AG_OK ? y : NULL;
}
