/* run.c - begins a run, changes its masks and fault, trains and evaluates. */
#include "session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVALUATED_ROWS = 100, /* unseen examples of an evaluation */
    EVALUATED_STEPS = 50, /* from one evaluation to the next */
    MOST_STEPS = 1000     /* of one call */
};

playground_run *playground_run_new(playground *p)
{
    playground_run *run = calloc(1, sizeof *run);
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    if (run && tape) {
        ag_tape_free(p->tape);
        p->tape = tape;
        return run;
    }
    free(run);
    ag_tape_free(tape);
    ag_error_set(&p->error, AG_NO_MEMORY, "no memory for a run");
    return NULL;
}

void playground_run_free(playground_run *run)
{
    if (!run)
        return;
    train_loop_free(run->loop);
    nn_model_free(run->model);
    data_set_free(run->training);
    data_set_free(run->dev);
    playground_setting_clear(&run->setting);
    free(run);
}

/* ---- Begin ------------------------------------------------------------------------- */

static void note_step(void *context, const train_progress *progress)
{
    playground_run *run = context;
    run->step = progress->step;
    run->loss = progress->loss;
    run->rate = progress->rate;
    run->norm = progress->gradient_norm;
    playground_curve_add(&run->training_loss, (double)run->step, run->loss, run->theories.training.loss);
}

void playground_mask_training(void *context, nn_pass *pass, nn_input *input)
{
    playground_run *run = context;
    playground_masks_apply(run->setting.masks[PLAYGROUND_TRAINING], pass->tape, input);
    playground_plant(&run->planting, run->setting.fault, run->model->config.kind, pass);
}

static void mask_evaluation(void *context, nn_pass *pass, nn_input *input)
{
    const playground_run *run = context;
    playground_masks_apply(run->setting.masks[PLAYGROUND_EVALUATION], pass->tape, input);
}

static ag_status begin_loop(playground_run *run, ag_error *error)
{
    train_options options = run->setting.recipe.run;
    options.on_progress = note_step;
    options.on_input = playground_mask_training;
    options.context = run;
    run->loop = train_loop_new(run->model, run->training, &options, error);
    return run->loop ? AG_OK : error->status;
}

static ag_status make_run(playground_run *run, const char *text, ag_error *error)
{
    ag_status status = playground_setting_read(&run->setting, text, error);
    if (status == AG_OK)
        status = playground_open_examples(run, &(train_saved){0}, error);
    if (status != AG_OK)
        return status;
    const nn_model_config config = train_recipe_model(&run->setting.recipe, run->training, run->dev);
    run->model = nn_model_new(&config, run->setting.recipe.run.seed, error);
    return run->model ? AG_OK : error->status;
}

/* {"setting": .., "parameters": .., "source_length": .., "target_length": .., "step": ..,
 * "learns": ..} */
static ag_status describe(playground *p, const playground_run *run)
{
    char setting[PLAYGROUND_JSON / 2];
    ag_status status;
    data_json_object json = playground_json_start(p, &status);
    playground_setting_print(&run->setting, setting, sizeof setting);
    data_json_put_text(&json, "setting", setting);
    data_json_put_integer(&json, "parameters", run->model->params.size);
    data_json_put_integer(&json, "encoder_layers", run->model->config.encoder_layers);
    data_json_put_integer(&json, "decoder_layers", run->model->config.decoder_layers);
    data_json_put_integer(&json, "source_length", data_set_max_source(run->training));
    data_json_put_integer(&json, "target_length", data_set_max_target(run->training));
    data_json_put_integer(&json, "step", run->step);
    data_json_put_bool(&json, "learns", run->loop != NULL);
    return status == AG_OK ? playground_json_end(p, &json) : status;
}

ag_status playground_take_run(playground *p, playground_run *run, ag_status made)
{
    ag_status status = made;
    if (status == AG_OK && !run->studied)
        status = begin_loop(run, &p->error);
    if (status == AG_OK)
        status = playground_theories_find(p, run, &run->setting, &run->theories);
    if (status == AG_OK)
        status = describe(p, run);
    playground_run_free(status == AG_OK ? p->run : run);
    if (status == AG_OK)
        p->run = run;
    return status;
}

ag_status playground_begin(playground *p, const char *text)
{
    playground_run *run = playground_run_new(p);
    return run ? playground_take_run(p, run, make_run(run, text, &p->error)) : p->error.status;
}

ag_status playground_change(playground *p, const char *text)
{
    playground_setting setting;
    playground_theories theories;
    ag_status status = playground_needs_run(p);
    if (status == AG_OK)
        status = playground_setting_read(&setting, text, &p->error);
    if (status != AG_OK)
        return status;
    status = playground_theories_find(p, p->run, &setting, &theories);
    if (status == AG_OK) {
        memcpy(p->run->setting.masks, setting.masks, sizeof setting.masks);
        memcpy(p->run->setting.set_apart, setting.set_apart, sizeof setting.set_apart);
        p->run->setting.fault = setting.fault;
        p->run->theories = theories;
    }
    playground_setting_clear(&setting);
    return status == AG_OK ? describe(p, p->run) : status;
}

/* ---- Train and evaluate ------------------------------------------------------------ */

static ag_status needs_examples(playground *p)
{
    ag_status status = playground_needs_run(p);
    if (status == AG_OK && p->run->studied)
        return ag_error_set(&p->error, AG_BAD_VALUE,
                            "this model came without examples, so it is studied only: paste own lines and load it "
                            "again to train it on them");
    return status;
}

static ag_status describe_step(playground *p)
{
    ag_status status;
    data_json_object json = playground_json_start(p, &status);
    data_json_put_integer(&json, "step", p->run->step);
    data_json_put_number(&json, "loss", p->run->loss, 6);
    data_json_put_number(&json, "rate", p->run->rate, 4);
    data_json_put_number(&json, "norm", p->run->norm, 4);
    const bool last = p->run->step == p->run->setting.recipe.run.steps;
    data_json_put_bool(&json, "evaluate", p->run->step % EVALUATED_STEPS == 0 || last);
    data_json_put_bool(&json, "last", last);
    return status == AG_OK ? playground_json_end(p, &json) : status;
}

ag_status playground_step(playground *p, const char *text)
{
    const double count = ag_number_read(text, NULL);
    ag_status status = needs_examples(p);
    if (status == AG_OK && !(count >= 1 && count <= MOST_STEPS))
        status = ag_error_set(&p->error, AG_BAD_VALUE, "step %.20s: expected a number from 1 to %d", text, MOST_STEPS);
    for (double i = 0; i < count && status == AG_OK; i++)
        status = train_loop_step(p->run->loop, &p->error);
    return status == AG_OK ? describe_step(p) : status;
}

static void note_evaluation(playground_run *run)
{
    const playground_result *result = &run->result;
    const playground_theory *theory = &run->theories.unseen;
    const double step = (double)run->step;
    playground_curve_add(&run->dev_loss, step, result->loss, theory->loss);
    playground_curve_add(&run->honest_loss, step, NAN, theory->leaks ? run->theories.honest.loss : NAN);
    playground_curve_add(&run->accuracy, step, 100 * result->token_accuracy, 100 * theory->accuracy);
    playground_curve_add(&run->exact, step, 100 * result->exact, 100 * theory->exact);
}

ag_status playground_evaluate(playground *p, const char *text)
{
    playground_run *run = p->run;
    train_metrics metrics;
    (void)text;
    ag_status status = needs_examples(p);
    if (status != AG_OK)
        return status;
    playground_result *result = &run->result;
    const train_evaluation evaluation = {
        .tape = p->tape, .batch = PLAYGROUND_ROWS, .on_input = mask_evaluation, .context = run};
    status = train_evaluate(run->model, run->dev, &evaluation, &metrics, &p->error);
    if (status == AG_OK)
        status = playground_exact(p, EVALUATED_ROWS, &result->exact);
    if (status != AG_OK)
        return status;
    result->loss = metrics.loss;
    result->token_accuracy = metrics.token_accuracy;
    result->step = run->step;
    note_evaluation(run);
    data_json_object json = playground_json_start(p, &status);
    data_json_put_integer(&json, "step", result->step);
    data_json_put_number(&json, "loss", result->loss, 6);
    data_json_put_number(&json, "accuracy", result->token_accuracy, 6);
    data_json_put_number(&json, "exact", result->exact, 6);
    return status == AG_OK ? playground_json_end(p, &json) : status;
}
