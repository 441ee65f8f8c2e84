/* doctor.c - see doctor.h. */
#include "doctor.h"

/* What the tests could prove, and what not. */
static void add_proofs(const study_health *health, study_document *document)
{
    const long long right = health->taylor.right, all = right + health->taylor.wrong + health->taylor.undecided;
    study_add_heading(document, "What this shows, and what it does not");
    if (health->dot.passed)
        study_add_text(document,
                       "The dot test compares the model's backward with its forward mode: a fault in one of "
                       "them would show. One that is in both alike would not. Taylor's test compares backward "
                       "with the loss itself, and could tell along %lld of %lld directions.",
                       right, all);
#ifdef TAPEFORMER_DOUBLE
    study_add_text(document,
                   "Everything was computed in double precision. What other examples reach was not looked at: "
                   "--count takes more.");
#else
    study_add_text(document, "Everything was computed in single precision. It tells a gradient of exactly 0 from one "
                             "that is too small for it only by smaller weights (at most 2^20 x), and rounding hides "
                             "most of what Taylor's test looks for. "
                             "The same flags to the double build prove more: `tapeformer64 gradcheck` (make "
                             "PRECISION=double).");
#endif
}

static int show_health(const doctor_flags *f, const study_health *health)
{
    ag_error error = {0};
    int code;
    study_document *document = study_document_new("Gradients of a model");
    study_add_text(document, "%s", CLI_SHOWN(f->model));
    if (study_health_write(health, document, &error) != AG_OK) {
        code = cli_report("gradcheck", &error);
    } else {
        add_proofs(health, document);
        code = cli_show_document("gradcheck", document, &f->output);
    }
    study_document_free(document);
    if (code == CLI_DONE && health->faults)
        return cli_fail("gradcheck", CLI_FAILED, "%s has %d %s", CLI_SHOWN(f->model), health->faults,
                        ag_plural(health->faults, "fault", "faults"));
    return code;
}

int cli_doctor(const doctor_flags *f)
{
    ag_error error = {0};
    train_saved saved = {0};
    study_health health = {0};
    int code = CLI_DONE;
    if (train_saved_load(&saved, f->model, &error) != AG_OK)
        return cli_report("gradcheck", &error);
    const nn_ensemble one = {.models = (const nn_model *const[]){saved.model}, .count = 1};
    data_set *set = cli_examples_open("gradcheck", &f->examples, &saved, &one, &code, &error);
    if (set) {
        const study_patient patient = {.model = saved.model,
                                       .set = set,
                                       .examples = f->count,
                                       .batch = f->batch,
                                       .seed = f->seed,
                                       .threads = f->threads};
        code = study_doctor(&patient, &health, &error) == AG_OK ? show_health(f, &health)
                                                                : cli_report("gradcheck", &error);
    }
    study_health_clear(&health);
    data_set_free(set);
    train_saved_clear(&saved);
    return code;
}
