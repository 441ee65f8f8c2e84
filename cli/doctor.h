/* doctor.h - tapeformer gradcheck --model: a saved model's gradients on real examples. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "examples.h"
#include "study_report.h"

typedef struct doctor_flags {
    const char *model;
    cli_examples examples;
    int64_t count, batch;
    uint64_t seed;
    int threads;
    study_output output;
} doctor_flags;

/* Examines the model, prints the page, and returns the exit code: CLI_FAILED if there is
 * a fault. */
int cli_doctor(const doctor_flags *flags);

#endif
