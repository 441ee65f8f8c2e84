/* tape_fixture.h - a tape of the test's own, for the tests of operations. */
#ifndef TESTS_TAPE_FIXTURE_H
#define TESTS_TAPE_FIXTURE_H

#include "check_util.h"

extern ag_tape *tape; /* with one thread */

/* The fixture of each test. */
void tape_set_up(void);
void tape_tear_down(void);

/* Checks that the operation returned NULL and left this status and a message that holds
 * `part` on the tape, and rewinds it. */
void tape_refuses(const ag_tensor *result, ag_status status, const char *part);

#endif
