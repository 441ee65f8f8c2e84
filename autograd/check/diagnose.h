/* diagnose.h - the inside of the diagnosis, for autograd/check/ alone: what kind of
 * mistake makes a gradient differ.
 *
 *   diagnose.c           the order in which mistakes are suspected
 *   diagnose_rerun.c     noise: the passes once more
 *   diagnose_probe.c     mistakes that show at another point or with other weights, among
 *                        them gradients of another call
 *   diagnose_terms.c     missing terms
 *   diagnose_part.c      mistakes in a part of the elements
 *   diagnose_values.c    mistakes that show in the elements of both sides alone
 *   diagnose_evidence.c  both sides of each element
 *   diagnose_match.c     when a suspicion explains the elements
 *
 * A suspicion predicts each element of the wrong gradient from derivatives that are
 * right, the numeric ones. It is a diagnosis if every element comes out as predicted, and
 * if enough of them could not have done so by chance. */
#ifndef AUTOGRAD_DIAGNOSE_H
#define AUTOGRAD_DIAGNOSE_H

#include "gradcheck.h"

/* The evidence: both sides of the derivative by each element of one input. */
typedef struct diagnosis {
    gradcheck *check;
    ag_tape *tape; /* for passes with gradients */
    int input;
    ag_shape shape; /* of the input */
    int64_t size;
    double *analytic, *numeric; /* [size]; a number that is not known is NaN */
    double *noise;              /* [size], the error that `numeric` may have */
    bool *inside;               /* [size]: the elements to explain; NULL: all */
    char subject[128];          /* "the gradient of input 1 (weight)" */
} diagnosis;

/* What a suspicion says of one element: a number and its error. NaN: it says nothing. */
typedef struct prediction {
    double value, noise;
} prediction;
typedef ag_status predictor(diagnosis *d, const void *suspicion, int64_t k, prediction *p);

/* Takes memory for the evidence and fills it in. */
ag_status diagnosis_gather(diagnosis *d) AG_CHECKED;
/* Puts the gradient that a second backward on the same tape finds, after another call, in
 * the place of the first. */
ag_status diagnosis_gather_second(diagnosis *d) AG_CHECKED;
/* The numeric derivative by element k where the check is now, with its error. NaN on a
 * kink. */
ag_status diagnosis_differentiate(diagnosis *d, int64_t k, gradcheck_estimate *slope) AG_CHECKED;

/* Whether the suspicion explains the evidence: each element is as predicted within the
 * noise, half of them at least are predicted, and `telling` of them are predicted to be
 * something else than the right gradient, far beyond the noise. */
ag_status diagnosis_explains(diagnosis *d, predictor *predict, const void *suspicion, int64_t telling,
                             bool *explains) AG_CHECKED;
/* The difference that the noise at element k, and the rounding of numbers as large as
 * `value`, may make. */
double diagnosis_slack(const diagnosis *d, int64_t k, double value);
/* Whether element k of the right gradient is certainly not 0. */
bool diagnosis_has_signal(const diagnosis *d, int64_t k);
/* Whether both sides of element k certainly differ. */
bool diagnosis_is_far(const diagnosis *d, int64_t k);

/* How many telling elements a diagnosis needs, beside one for each fitted number. */
#define DIAGNOSIS_TELLING 2

/* Sets the report's mistake and its sentence, "SUBJECT is ...". */
void diagnosis_report(const diagnosis *d, ag_mistake mistake, const char *format, ...) AG_PRINTF(3, 4);

/* The stride of an axis, and the coordinate of element k along it. */
static inline int64_t axis_stride(ag_shape shape, int axis)
{
    int64_t stride = 1;
    for (int i = axis + 1; i < shape.ndim; i++)
        stride *= shape.dim[i];
    return stride;
}

static inline int64_t axis_coordinate(ag_shape shape, int axis, int64_t k)
{
    return k / axis_stride(shape, axis) % shape.dim[axis];
}

/* Each asks for one group of mistakes. If one explains the evidence, the report has its
 * mistake afterwards. */
ag_status diagnose_values(diagnosis *d) AG_CHECKED;
ag_status diagnose_multiple(diagnosis *d) AG_CHECKED; /* part of diagnose_values */
ag_status diagnose_part(diagnosis *d) AG_CHECKED;
ag_status diagnose_place(diagnosis *d) AG_CHECKED;
ag_status diagnose_terms(diagnosis *d) AG_CHECKED;
ag_status diagnose_probes(diagnosis *d) AG_CHECKED;
ag_status diagnose_stale(diagnosis *d) AG_CHECKED;
ag_status diagnose_noise(diagnosis *d) AG_CHECKED;

#endif
