/* gradients.c - checks the gradients: of the model as it stands with its fault, and of single
 * operations. */
#include "session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXAMPLES = 64, /* unseen ones, of an examination */
    EXAMINED_AT_ONCE = 16,
    ELEMENTS = 1, /* of each parameter */
    DRAWS = 4     /* examples of an operation */
};

/* ---- The model --------------------------------------------------------------------- */

/* The logits that a training step computes. */
static ag_tensor *apply_training(void *context, const nn_model *model, const nn_pass *pass, const nn_input *input)
{
    nn_pass own = *pass;
    nn_input masked = *input;
    playground_mask_training(context, &own, &masked);
    return nn_model_apply(model, &own, &masked);
}

/* Whether the dot test ran (it has a message) and found a difference. */
static bool dot_differs(const ag_dot_report *dot)
{
    return *dot->message && !dot->passed && !dot->skipped && isfinite(dot->error);
}

/* Adds the answer in one sentence: right, wrong and where, or not to be told. */
static void add_verdict(const study_health *health, study_document *document)
{
    const bool wrong = dot_differs(&health->dot) || health->elements.failed || health->taylor.wrong;
    if (!wrong && health->dot.passed)
        study_add_text(document, "The gradients are right, as far as the tests below can tell.");
    else if (!wrong)
        study_add_text(document, "The tests cannot tell whether the gradients are right: see what they found below.");
    else if (*health->location)
        study_add_text(document, "The gradients are wrong: %s passes back something else than the derivative.",
                       health->location);
    else
        study_add_text(document, "The gradients are wrong, but no single operation is: see the faults below.");
}

/* Adds a table of what each of the three tests found, in plain words. */
static void add_tests(const study_health *health, study_document *document)
{
    static const char agrees[] = "agrees with backward", differs[] = "differs from backward",
                      silent[] = "cannot tell here";
    const ag_gradcheck_report *elements = &health->elements;
    const ag_taylor_report *taylor = &health->taylor;
    const char *const cells[] = {
        "Test",
        "What it compares with backward",
        "What it found",
        "Dot test",
        "the derivative, computed a second time from the inputs forward",
        health->dot.passed          ? agrees
        : dot_differs(&health->dot) ? differs
                                    : silent,
        "Differences",
        "how much the loss changes when one number of the model changes a little",
        elements->failed    ? differs
        : elements->checked ? agrees
        : *health->location ? "not needed: another test has found the fault"
                            : silent,
        "Taylor's test",
        "how much the loss changes when many numbers change together",
        taylor->wrong   ? differs
        : taylor->right ? agrees
                        : silent,
    };
    study_add_table(document, NULL, 4, 3, cells);
}

ag_status playground_gradcheck(playground *p, const char *text)
{
    study_health health;
    (void)text;
    ag_status status = playground_needs_run(p);
    if (status != AG_OK)
        return status;
    const study_patient patient = {.model = p->run->model,
                                   .set = p->run->dev,
                                   .examples = EXAMPLES,
                                   .batch = EXAMINED_AT_ONCE,
                                   .elements = ELEMENTS,
                                   .seed = 1,
                                   .threads = 1,
                                   .apply = apply_training,
                                   .context = p->run};
    status = study_doctor(&patient, &health, &p->error);
    if (status != AG_OK)
        return status;
    study_document *document = study_document_new("Gradients");
    add_verdict(&health, document);
    add_tests(&health, document);
    study_add_heading(document, "The examination in full");
    status = study_health_write(&health, document, &p->error);
    study_health_clear(&health);
    if (status == AG_OK)
        return playground_answer_document(p, document, PICTURES_OF_GRADCHECK);
    study_document_free(document);
    return status;
}

/* ---- Single operations ------------------------------------------------------------- */

ag_status playground_operations(playground *p, const char *text)
{
    int count;
    const ag_op *const *ops = ag_ops(&count);
    size_t size = 1, used = 0;
    (void)text;
    for (int i = 0; i < count; i++)
        size += strlen(ops[i]->name) + strlen("<option></option>");
    ag_status status = playground_answer_text(p, malloc(size));
    for (int i = 0; i < count && status == AG_OK; i++)
        used += (size_t)snprintf(p->answer + used, size - used, "<option>%s</option>", ops[i]->name);
    return status;
}

static ag_status write_curve(const ag_op *op, study_document *document, ag_error *error)
{
    study_op_checks checks;
    const ag_gradcheck_options options = {.seed = 1, .threads = 1};
    study_add_text(document, "%s", op->formula);
    ag_status status = study_op_checks_find(op, DRAWS, &options, &checks, error);
    return status == AG_OK ? study_op_checks_write(&checks, op, DRAWS, &options, document, error) : status;
}

ag_status playground_error_curve(playground *p, const char *text)
{
    int count, i = 0;
    const ag_op *const *ops = ag_ops(&count);
    while (i < count && strcmp(ops[i]->name, text) != 0)
        i++;
    if (i == count)
        return ag_error_set(&p->error, AG_BAD_VALUE, "there is no operation '%.40s'", text);
    study_document *document = study_document_new("Error curves");
    const ag_status status = write_curve(ops[i], document, &p->error);
    if (status == AG_OK)
        return playground_answer_document(p, document, PICTURES_OF_CURVE);
    study_document_free(document);
    return status;
}
