/* tape.c - a small expression, forward and backward, node by node. */
#include "expression.h"
#include "session.h"

#include <string.h>

/* The three lines of the question: the expression, the values of its names, and how many
 * steps to show. */
typedef struct tape_question {
    char text[3 * EXPRESSION_TEXT];
    const char *expression, *values;
    int64_t steps; /* 0: all */
} tape_question;

static ag_status read_question(playground *p, tape_question *q, const char *text)
{
    char *end;
    if (strlen(text) >= sizeof q->text)
        return ag_error_set(&p->error, AG_BAD_VALUE, "an expression and its values have at most %d characters each",
                            EXPRESSION_TEXT);
    strcpy(q->text, text);
    q->expression = q->text;
    q->values = "";
    q->steps = 0;
    if ((end = strchr(q->text, '\n'))) {
        *end++ = 0;
        q->values = end;
        if ((end = strchr(end, '\n'))) {
            *end++ = 0;
            const double steps = ag_number_read(end, NULL);
            q->steps = steps >= 1 && steps < 1000 ? (int64_t)steps : 0;
        }
    }
    return AG_OK;
}

/* Node `number` of the tape, from 0, of `count`. */
static const ag_node *node_at(const ag_tape *tape, int64_t count, int64_t number)
{
    const ag_node *node = ag_tape_last(tape);
    for (int64_t i = count - 1; i > number; i--)
        node = ag_node_before(node);
    return node;
}

/* Says what the last of the steps shown was. */
static void describe_step(const ag_tape *tape, int64_t count, int64_t steps, study_document *document)
{
    const long long step = steps, all = 2 * count + 1;
    const int64_t number = steps <= count ? steps - 1 : 2 * count + 1 - steps;
    if (steps == count + 1) {
        study_add_text(document, "Step %lld of %lld. The gradient of the result by itself is 1.", step, all);
        return;
    }
    const ag_node *node = node_at(tape, count, number);
    if (steps <= count)
        study_add_text(document, "Step %lld of %lld, forward. [%lld] %s runs: %s", step, all, (long long)number,
                       node->op->name, node->op->formula);
    else
        study_add_text(document,
                       "Step %lld of %lld, backward. [%lld] %s gives each of its inputs its own gradient, times the "
                       "derivative on the arrow. A value that is used several times gets the sum.",
                       step, all, (long long)number, node->op->name);
}

static ag_status draw_tape(playground *p, const expression_names *names, int64_t steps)
{
    int64_t count = 0;
    for (const ag_node *node = ag_tape_last(p->tape); node; node = ag_node_before(node))
        count++;
    steps = steps && steps < 2 * count + 1 ? steps : 2 * count + 1;
    const study_tape_options options = {.names = names->items, .name_count = names->count, .steps = steps};
    study_document *document = study_document_new("The tape");
    describe_step(p->tape, count, steps, document);
    const ag_status status = study_tape(p->tape, &options, document, &p->error);
    if (status == AG_OK)
        return playground_answer_document(p, document, PICTURES_OF_TAPE);
    study_document_free(document);
    return status;
}

ag_status playground_tape(playground *p, const char *text)
{
    tape_question question;
    expression_names names;
    ag_status status = read_question(p, &question, text);
    if (status != AG_OK)
        return status;
    ag_tensor *y = expression_build(p->tape, question.expression, question.values, &names, &p->error);
    if (!y)
        return p->error.status;
    for (const ag_node *node = ag_tape_last(p->tape); node; node = ag_node_before(node))
        ag_retain_grad(node->output);
    status = ag_backward(y);
    return status == AG_OK ? draw_tape(p, &names, question.steps) : playground_tape_failed(p);
}
