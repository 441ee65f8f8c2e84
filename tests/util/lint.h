/* lint.h - what a checker of one source cannot see in another: tests/lint puts this
 * before each.
 *
 * ag_error_set notes the status and returns it. A checker that does not know follows
 * every error as if it could be success, and reports faults after it that are none. */
#ifndef TESTS_LINT_H
#define TESTS_LINT_H

#include "autograd.h"

int lint_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* autograd/error.c without the text. */
static inline ag_status lint_error_set(ag_error *error, ag_status status, int text)
{
    (void)text;
    if (error && error->status == AG_OK)
        error->status = status;
    return status;
}
#define ag_error_set(error, status, ...) lint_error_set(error, status, lint_text(__VA_ARGS__))

#endif
