/* curves.c - the curves of a run and their charts. */
#include "session.h"

#include <math.h>

void playground_curve_add(playground_curve *curve, double x, double y, double best)
{
    curve->stride = curve->stride ? curve->stride : 1;
    if (curve->count && curve->x[curve->count - 1] == x) { /* measured again at the same step */
        curve->y[curve->count - 1] = y;
        curve->best[curve->count - 1] = best;
        return;
    }
    if (++curve->skipped < curve->stride)
        return;
    curve->skipped = 0;
    if (curve->count == CURVE_POINTS) {
        curve->count /= 2;
        for (int64_t i = 0; i < curve->count; i++) {
            curve->x[i] = curve->x[2 * i + 1];
            curve->y[i] = curve->y[2 * i + 1];
            curve->best[i] = curve->best[2 * i + 1];
        }
        curve->stride *= 2;
    }
    curve->x[curve->count] = x;
    curve->best[curve->count] = best;
    curve->y[curve->count++] = y;
}

/* ---- What theory says -------------------------------------------------------------- */

ag_status playground_theories_find(playground *p, const playground_run *run, const playground_setting *setting,
                                   playground_theories *theories)
{
    playground_theory_subject subject = {.model = run->model,
                                         .recipe = &run->setting.recipe,
                                         .set = run->training,
                                         .masks = setting->masks[PLAYGROUND_TRAINING],
                                         .come_again = run->model->config.kind == NN_DECODER};
    ag_status status = playground_theory_find(&subject, p->tape, &theories->training, &p->error);
    subject.set = run->dev;
    subject.masks = setting->masks[PLAYGROUND_EVALUATION];
    subject.come_again = false;
    if (status == AG_OK)
        status = playground_theory_find(&subject, p->tape, &theories->unseen, &p->error);
    subject.looks_back = true;
    if (status == AG_OK)
        status = playground_theory_find(&subject, p->tape, &theories->honest, &p->error);
    return status;
}

/* ---- Charts ------------------------------------------------------------------------ */

enum { LINES = 5 };
typedef struct chart_lines {
    study_line lines[LINES];
    int64_t count;
} chart_lines;

static void add_curve(chart_lines *chart, const char *name, const playground_curve *curve)
{
    chart->lines[chart->count++] = (study_line){.name = name, .count = curve->count, .x = curve->x, .y = curve->y};
}

/* Adds the best possible values, if any is known: as a companion of the line before, or in a
 * colour of its own. */
static void add_best(chart_lines *chart, const char *name, const playground_curve *curve, bool companion)
{
    bool known = false;
    for (int64_t i = 0; i < curve->count; i++)
        known = known || isfinite(curve->best[i]);
    if (known)
        chart->lines[chart->count++] =
            (study_line){.name = name, .count = curve->count, .x = curve->x, .y = curve->best, .companion = companion};
}

static void add_losses(const playground_run *run, study_document *document)
{
    chart_lines losses = {0};
    const playground_theories *theories = &run->theories;
    const bool same = playground_theory_same(&theories->training, &theories->unseen) &&
                      theories->training.loss == theories->unseen.loss;
    add_curve(&losses, "training", &run->training_loss);
    add_best(&losses, same ? "least possible" : "least possible in training", &run->training_loss, true);
    add_curve(&losses, "unseen examples", &run->dev_loss);
    if (!same)
        add_best(&losses, "least possible on unseen ones", &run->dev_loss, true);
    add_best(&losses, "least possible without a leak", &run->honest_loss, false);
    study_add_chart(document, &(study_chart){.title = "Loss, with the right answer so far to read",
                                             .x_axis = "step",
                                             .y_axis = "nats per token",
                                             .lines = losses.lines,
                                             .line_count = losses.count});
}

static void add_right_answers(const playground_run *run, study_document *document)
{
    chart_lines right = {0};
    add_curve(&right, "whole answers, written alone", &run->exact);
    add_best(&right, "whole answers: most possible", &run->exact, true);
    add_curve(&right, "tokens, teacher-forced", &run->accuracy);
    add_best(&right, "tokens: most possible", &run->accuracy, true);
    study_add_chart(document, &(study_chart){.title = "Right answers on unseen examples",
                                             .x_axis = "step",
                                             .y_axis = "%",
                                             .lines = right.lines,
                                             .line_count = right.count,
                                             .high = 100});
}

ag_status playground_charts(playground *p, const char *text)
{
    (void)text;
    ag_status status = playground_needs_run(p);
    study_document *document = status == AG_OK ? study_document_new("Curves") : NULL;
    if (status != AG_OK)
        return status;
    add_losses(p->run, document);
    add_right_answers(p->run, document);
    playground_theories_write(&p->run->theories, p->run->model->config.kind, document);
    return playground_answer_document(p, document, PICTURES_OF_CHARTS);
}
