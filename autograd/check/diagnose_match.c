/* diagnose_match.c - when a suspicion explains the evidence, and the report of it.
 *
 * A prediction must hit every element, not most of them, and within the noise. A number
 * hits by chance with a probability of about the noise over the numbers' size (1e-9 in
 * double, 1e-3 in float). So three elements that are hit, each far from the right
 * gradient, leave no room for chance; one more is needed where a number was fitted. */
#include "diagnose.h"

#include <math.h>
#include <stdarg.h>

/* The numeric side is good to the check's tolerance; the differences that make it are
 * extrapolated until their own estimate is a tenth of that. */
#define RELATIVE_NOISE (0.1 * GRADCHECK_TOLERANCE)
/* The estimate of the error is one of its size, not a bound. */
#define DOUBT 4
/* How far from the right gradient a prediction must lie, in units of the slack, to tell
 * the two apart. */
#define FAR 20

/* The difference between two numbers as large as `value` that means nothing. */
static double slack(double noise, double value)
{
    return DOUBT * noise + RELATIVE_NOISE * fmax(1, fabs(value));
}

double diagnosis_slack(const diagnosis *d, int64_t k, double value)
{
    return slack(d->noise[k], value);
}

bool diagnosis_has_signal(const diagnosis *d, int64_t k)
{
    return fabs(d->numeric[k]) > FAR * diagnosis_slack(d, k, d->numeric[k]);
}

bool diagnosis_is_far(const diagnosis *d, int64_t k)
{
    const double distance = fabs(d->analytic[k] - d->numeric[k]);
    return !(distance <= FAR * diagnosis_slack(d, k, fmax(fabs(d->analytic[k]), fabs(d->numeric[k]))));
}

ag_status diagnosis_explains(diagnosis *d, predictor *predict, const void *suspicion, int64_t telling, bool *explains)
{
    int64_t all = 0, known = 0, told = 0;
    *explains = false;
    for (int64_t k = 0; k < d->size; k++) {
        if (d->inside && !d->inside[k])
            continue;
        all++;
        if (isnan(d->numeric[k]))
            continue;
        prediction p;
        ag_status status = predict(d, suspicion, k, &p);
        if (status != AG_OK)
            return status;
        if (isnan(p.value))
            continue;
        const double allowed = slack(p.noise, p.value);
        if (!(fabs(d->analytic[k] - p.value) <= allowed))
            return AG_OK;
        known++;
        told += fabs(p.value - d->numeric[k]) > FAR * (allowed + diagnosis_slack(d, k, d->numeric[k]));
    }
    *explains = told >= telling && 2 * known >= all;
    return AG_OK;
}

void diagnosis_report(const diagnosis *d, ag_mistake mistake, const char *format, ...)
{
    char sentence[AG_MESSAGE_SIZE];
    ag_gradcheck_report *report = d->check->report;
    va_list arguments;
    va_start(arguments, format);
    ag_text_print_list(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    report->mistake = mistake;
    d->check->other_mistake = AG_MISTAKE_UNCLEAR;
    ag_sentence_print(report->diagnosis, "%s %.380s", d->subject, sentence);
}
