/* theory_text.c - what theory says, in sentences for a reader. */
#include "theory.h"

#include <math.h>

enum { WHY = 128 };

bool playground_theory_same(const playground_theory *a, const playground_theory *b)
{
    return a->unknown == b->unknown && a->leaks == b->leaks && a->letters == b->letters && a->unsure == b->unsure &&
           a->first == b->first && a->standing == b->standing && a->knows == b->knows && a->needs == b->needs;
}

/* Why the first place that cannot be sure cannot. */
static void say_why(const playground_theory *theory, nn_model_kind kind, char why[WHY])
{
    const bool reads_source = kind == NN_DECODER && theory->first <= theory->letters;
    if (theory->standing == PLAYGROUND_SORTED)
        ag_text_print(why, WHY, "knows %lld of the %lld letters that are sorted", (long long)theory->knows,
                      (long long)theory->letters);
    else if (theory->standing == PLAYGROUND_LENGTH)
        ag_text_print(why, WHY, "cannot know how long the source is");
    else if (reads_source)
        ag_text_print(why, WHY, "must predict the next letter of the source, which follows no rule");
    else
        ag_text_print(why, WHY, "needs letter %lld and cannot know it, so one guess in 26 is right",
                      (long long)theory->needs);
}

/* `other`: what differs from it by lengths alone; NULL: nothing. */
static void write_unsure(const playground_theory *theory, const playground_theory *other, nn_model_kind kind,
                         const char *where, study_document *document)
{
    char why[WHY], elsewhere[WHY] = "";
    say_why(theory, kind, why);
    if (other && other->loss != theory->loss)
        ag_text_print(elsewhere, sizeof elsewhere, " (%.4f in training, where the lengths differ)", other->loss);
    study_add_text(document,
                   "%s, where the source has %lld %s, position %lld %s (counted from 0). Of %lld answers %lld %s not "
                   "certain. So over many examples the loss is at least %.4f nats per token%s, and at most %.1f %% "
                   "of the tokens are right.",
                   where, (long long)theory->letters, ag_plural(theory->letters, "letter", "letters"),
                   (long long)theory->first, why, (long long)theory->places, (long long)theory->unsure,
                   ag_plural(theory->unsure, "is", "are"), theory->loss, elsewhere, 100 * theory->accuracy);
}

static void write_losses(const playground_theory *theory, const playground_theory *other, nn_model_kind kind,
                         const char *where, study_document *document)
{
    if (theory->unknown)
        study_add_text(document, "%s, no least loss is known: %s.", where, theory->unknown);
    else if (theory->loss > 0)
        write_unsure(theory, other, kind, where, document);
    else
        study_add_text(document, "%s, each position can know its answer: the least loss is 0.", where);
    if (theory->leaks)
        study_add_text(document, "The target's mask shows tokens that the model must still predict: a leak. When the "
                                 "model writes alone it does not have them, so a low loss proves nothing.");
}

void playground_theories_write(const playground_theories *theories, nn_model_kind kind, study_document *document)
{
    const playground_theory *training = &theories->training, *unseen = &theories->unseen;
    const bool same = playground_theory_same(training, unseen);
    if (!same)
        write_losses(training, NULL, kind, "In training", document);
    write_losses(unseen, same ? training : NULL, kind, same ? "Under these masks" : "On unseen examples", document);
    if (unseen->leaks && !theories->honest.unknown)
        study_add_text(document,
                       "Without the leak the least loss on unseen examples is %.4f: a lower one was read, not learned.",
                       theories->honest.loss);
    if (unseen->unknown)
        return;
    if (isnan(unseen->exact))
        study_add_text(document, "What share of whole answers can be right, written alone, is not known here.");
    else
        study_add_text(document, "Written alone, %s%.3g %% of the whole answers can be right.",
                       unseen->exact < 1 ? "at most " : "", 100 * unseen->exact);
}
