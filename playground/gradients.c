/* gradients.c - checks the gradients: of the model as it stands with its fault, and of single
 * operations. */
#include "session.h"

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

/* What a person wants to know first. */
static void add_verdict(const study_health *health, study_document *document)
{
    const bool right = health->dot.passed && !health->elements.failed && !health->taylor.wrong;
    char sentence[AG_MESSAGE_SIZE] = "by forward mode, by differences and by Taylor's test";
    if (!right)
        ag_text_print(sentence, sizeof sentence, "%s%s",
                      *health->location ? "wrong by itself: " : "see the faults below", health->location);
    study_add_verdict(document, right, "the gradients are those of the loss", sentence);
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
