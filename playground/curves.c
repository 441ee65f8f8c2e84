/* curves.c - the curves of a run and their charts. */
#include "session.h"

void playground_curve_add(playground_curve *curve, double x, double y)
{
    curve->stride = curve->stride ? curve->stride : 1;
    if (++curve->skipped < curve->stride)
        return;
    curve->skipped = 0;
    if (curve->count == CURVE_POINTS) {
        curve->count /= 2;
        for (int64_t i = 0; i < curve->count; i++) {
            curve->x[i] = curve->x[2 * i + 1];
            curve->y[i] = curve->y[2 * i + 1];
        }
        curve->stride *= 2;
    }
    curve->x[curve->count] = x;
    curve->y[curve->count++] = y;
}

static study_line line_of(const char *name, const playground_curve *curve)
{
    return (study_line){.name = name, .count = curve->count, .x = curve->x, .y = curve->y};
}

ag_status playground_charts(playground *p, const char *text)
{
    const playground_run *run = p->run;
    (void)text;
    ag_status status = playground_needs_run(p);
    study_document *document = status == AG_OK ? study_document_new("Curves") : NULL;
    if (status != AG_OK)
        return status;
    const study_line losses[] = {line_of("training", &run->training_loss), line_of("unseen examples", &run->dev_loss)};
    const study_line exact[] = {line_of("unseen examples", &run->exact)};
    study_add_chart(document, &(study_chart){.title = "Loss, with the right answer so far to read",
                                             .x_axis = "step",
                                             .y_axis = "nats per token",
                                             .lines = losses,
                                             .line_count = 2});
    study_add_chart(document, &(study_chart){.title = "Right answers, written alone",
                                             .x_axis = "step",
                                             .y_axis = "%",
                                             .lines = exact,
                                             .line_count = 1,
                                             .high = 100});
    return playground_answer_document(p, document, 1000);
}
