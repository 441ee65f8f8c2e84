/* diagnose_rerun.c - noise: the passes once more, from the same state. A gradient that
 * comes out otherwise is no function of the inputs. */
#include "diagnose.h"

#include <string.h>

/* Bytes to fill memory with: a real of these is about 0.5 to 30 in float, and 5e-4 to 30
 * in double. */
enum { ONE_BYTE = 0x3F, OTHER_BYTE = 0x40 };

/* Repeats what the check did up to its first backward, in memory that holds the given
 * byte where no one has written, and copies the gradient. */
static ag_status replay(diagnosis *d, int byte, ag_real *gradient)
{
    gradcheck *check = d->check;
    ag_tensor *y;
    ag_status status = gradcheck_backward_elsewhere(check, d->tape);
    if (status != AG_OK)
        return status;
    gradcheck_spoil(&d->tape->arena, byte);
    status = gradcheck_evaluate(check, d->tape, &y);
    gradcheck_spoil(&d->tape->scratch, byte);
    gradcheck_zero_gradients(check);
    if (status == AG_OK)
        status = gradcheck_add_gradients(check, y);
    gradcheck_return(check); /* in case that backward changed them */
    memcpy(gradient, check->inputs[d->input].grad, (size_t)d->size * sizeof *gradient);
    return status;
}

/* Whether the two differ beyond what the order of a sum may do. */
static bool differ(const ag_real *a, const ag_real *b, int64_t size)
{
    for (int64_t k = 0; k < size; k++) {
        const bool same = memcmp(&a[k], &b[k], sizeof *a) == 0; /* NOLINT(bugprone-suspicious-memory-comparison) */
        if (!same && !(gradcheck_error((double)a[k], (double)b[k]) <= GRADCHECK_TOLERANCE))
            return true;
    }
    return false;
}

ag_status diagnose_noise(diagnosis *d)
{
    ag_real *gradient[3];
    ag_status status = AG_OK;
    for (int i = 0; i < 3 && status == AG_OK; i++) {
        gradient[i] = gradcheck_alloc(d->check, (size_t)d->size * sizeof *gradient[i]);
        status = gradient[i] ? replay(d, i == 2 ? OTHER_BYTE : ONE_BYTE, gradient[i]) : AG_NO_MEMORY;
    }
    if (status != AG_OK)
        return status;
    if (differ(gradient[0], gradient[1], d->size))
        diagnosis_report(d, AG_MISTAKE_NOISE,
                         "is noise: the same passes give another one each time. It is random, counts calls, or threads "
                         "race for it");
    else if (differ(gradient[0], gradient[2], d->size))
        diagnosis_report(d, AG_MISTAKE_NOISE,
                         "is noise: it changes with what memory held before. It reads memory that was not written");
    return AG_OK;
}
