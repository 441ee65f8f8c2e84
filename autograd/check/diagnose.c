/* diagnose.c - what kind of mistake makes a gradient differ: the order in which mistakes
 * are suspected.
 *
 * The order is from what is certain to what takes more to believe: passes that cannot be
 * repeated, values of another call, one number or one move for all elements or a part of
 * them, a term with factors of its own, derivatives elsewhere; and at last the bare place
 * of what is wrong. Where two would explain the same elements, the earlier is the simpler
 * one. */
#include "diagnose.h"

/* A check of some elements or directions compares few numbers, because a function is slow
 * or an input large. All elements of the input are then differentiated only if they are
 * not more than this. */
#define MOST_ELEMENTS_OF_SOME 256

/* Asks one group after the other until one explains the evidence. Forward mode has no
 * backward to run again, so it begins after noise. Of a function whose second backward
 * differs from its first, only noise and values of another call can be told. */
static ag_status suspect(diagnosis *d)
{
    ag_status (*const groups[])(diagnosis *) = {diagnose_noise, diagnose_stale,  diagnose_values, diagnose_part,
                                                diagnose_terms, diagnose_probes, diagnose_place};
    const size_t first = d->check->options.forward_mode ? 1 : 0;
    const size_t count = d->check->faulty ? 2 : sizeof groups / sizeof *groups;
    ag_status status = AG_OK;
    for (size_t i = first; i < count && status == AG_OK && !d->check->report->mistake; i++)
        status = groups[i](d);
    return status;
}

/* Whether there is a fault with evidence to look at. */
static bool has_evidence(const gradcheck *check)
{
    const ag_gradcheck_report *report = check->report;
    if (report->mistake || report->input < 0 || (check->faulty && !check->unrepeatable))
        return false;
    const bool all = check->options.directions == 0 && check->options.elements == 0;
    return report->worst_error > check->options.tolerance &&
           (all || gradcheck_input_size(check, report->input) <= MOST_ELEMENTS_OF_SOME);
}

ag_status gradcheck_diagnose(gradcheck *check, ag_tape *tape)
{
    if (!has_evidence(check))
        return AG_OK;
    const ag_gradcheck_input *input = &check->inputs[check->report->input];
    diagnosis d = {.check = check,
                   .tape = tape,
                   .input = check->report->input,
                   .shape = input->shape,
                   .size = ag_shape_size(input->shape)};
    ag_text_print(d.subject, sizeof d.subject, "the %s input %d (%.60s)",
                  check->options.forward_mode ? "tangent by" : "gradient of", d.input,
                  input->name ? input->name : "unnamed");
    ag_status status = diagnosis_gather(&d);
    if (status == AG_OK && check->faulty) /* the first backward may have given an earlier gradient */
        status = diagnose_stale(&d);
    if (status == AG_OK && check->faulty && !check->report->mistake)
        status = diagnosis_gather_second(&d);
    if (status == AG_OK && !check->report->mistake)
        status = suspect(&d);
    gradcheck_leave_gradients(check);
    return status;
}

const char *ag_mistake_name(ag_mistake mistake)
{
    static const char *const names[] = {"unclear",       "noise",          "stale",      "zero",
                                        "sign",          "factor",         "transposed", "shifted",
                                        "summed twice",  "not summed",     "part",       "missing constant",
                                        "missing input", "missing output", "overwritten"};
    return (size_t)mistake < sizeof names / sizeof *names ? names[mistake] : "unclear";
}
