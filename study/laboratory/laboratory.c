/* laboratory.c - the laboratory of masks from end to end: options, experiments,
 * document. */
#include "laboratory.h"

#include <stdlib.h>

static ag_status complete_options(study_laboratory_options *options, ag_error *error)
{
    int64_t threads = options->threads;
    const struct {
        const char *name;
        int64_t *value, otherwise, least, most;
    } rows[] = {
        {"length", &options->length, 8, 4, LABORATORY_LENGTH},
        {"number of letters", &options->letters, 8, 2, LABORATORY_LETTERS},
        {"number of steps", &options->steps, 400, LABORATORY_POINTS, 1000000},
        {"number of threads", &threads, 0, 0, 1024},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (*rows[i].value == 0)
            *rows[i].value = rows[i].otherwise;
        if (*rows[i].value < rows[i].least || *rows[i].value > rows[i].most)
            return ag_error_set(error, AG_BAD_VALUE, "the laboratory's %s is %lld: it must be %lld to %lld",
                                rows[i].name, (long long)*rows[i].value, (long long)rows[i].least,
                                (long long)rows[i].most);
    }
    return AG_OK;
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
    lab.tape = ag_tape_new(&(ag_tape_options){.threads = lab.options.threads, .no_grad = true});
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
