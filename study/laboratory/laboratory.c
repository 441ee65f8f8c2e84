/* laboratory.c - the laboratory of masks from end to end: options, experiments,
 * document. */
#include "laboratory.h"

#include <stdlib.h>

static void set_default(int64_t *field, int64_t value)
{
    if (*field == 0)
        *field = value;
}

static ag_status check_range(const char *field, int64_t value, int64_t least, int64_t most, ag_error *error)
{
    if (value >= least && value <= most)
        return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE, "the laboratory's %s is %lld: it must be %lld to %lld", field,
                        (long long)value, (long long)least, (long long)most);
}

static ag_status complete_options(study_laboratory_options *options, ag_error *error)
{
    set_default(&options->length, 8);
    set_default(&options->letters, 8);
    set_default(&options->steps, 400);
    ag_status status = check_range("length", options->length, 4, LABORATORY_LENGTH, error);
    if (status == AG_OK)
        status = check_range("number of letters", options->letters, 2, LABORATORY_LETTERS, error);
    if (status == AG_OK)
        status = check_range("number of steps", options->steps, LABORATORY_POINTS, 1000000, error);
    if (status == AG_OK)
        status = check_range("number of threads", options->threads, 0, 1024, error);
    return status;
}

static void laboratory_clear(laboratory *lab)
{
    for (int task = 0; task < LABORATORY_TASKS; task++)
        for (int setting = 0; setting < LABORATORY_SETTINGS; setting++)
            nn_model_free(lab->taggers[task][setting]);
    ag_tape_free(lab->tape);
    free(lab->unseen);
}

static ag_status run_experiments(laboratory *lab)
{
    static ag_status (*const experiments[])(laboratory *) = {laboratory_train_taggers, laboratory_measure_grid,
                                                             laboratory_find_leak, laboratory_permute, laboratory_pad};
    ag_status status = laboratory_draw_unseen(&lab->options, lab->unseen, lab->error);
    for (size_t i = 0; i < sizeof experiments / sizeof *experiments && status == AG_OK; i++)
        status = experiments[i](lab);
    return status;
}

ag_status laboratory_run(const study_laboratory_options *options, laboratory_findings *findings, ag_error *error)
{
    ag_error own_error = {0};
    laboratory lab = {.options = *options, .findings = findings, .error = error ? error : &own_error};
    *findings = (laboratory_findings){0};
    ag_status status = complete_options(&lab.options, lab.error);
    if (status != AG_OK)
        return status;
    findings->options = lab.options;
    lab.steps_all = ((int64_t)LABORATORY_TASKS * LABORATORY_SETTINGS + 2) * lab.options.steps;
    lab.tape = ag_tape_new(&(ag_tape_options){.threads = lab.options.threads});
    lab.unseen = malloc((size_t)(LABORATORY_EXAMPLES * lab.options.length) * sizeof *lab.unseen);
    if (!lab.tape || !lab.unseen)
        status = ag_error_set(lab.error, AG_NO_MEMORY, "no memory for the laboratory");
    else
        status = run_experiments(&lab);
    if (status == AG_OK)
        laboratory_claim_all(findings);
    laboratory_clear(&lab);
    return status;
}

ag_status study_laboratory(const study_laboratory_options *options, study_document *document, ag_error *error)
{
    laboratory_findings *findings = malloc(sizeof *findings);
    if (!findings)
        return ag_error_set(error, AG_NO_MEMORY, "no memory for the laboratory");
    ag_status status = laboratory_run(options, findings, error);
    if (status == AG_OK)
        laboratory_write(findings, document);
    free(findings);
    return status;
}
