/* tape_fixture.c - a tape of the test's own. */
#include "tape_fixture.h"

#include <string.h>

ag_tape *tape;

void tape_set_up(void)
{
    tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    ck_assert_ptr_nonnull(tape);
}

void tape_tear_down(void)
{
    ag_tape_free(tape);
}

void tape_refuses(const ag_tensor *result, ag_status status, const char *part)
{
    ck_assert_ptr_null(result);
    ck_assert_int_eq(ag_tape_error(tape)->status, status);
    ck_assert_msg(strstr(ag_tape_error(tape)->message, part) != NULL, "message: %s", ag_tape_error(tape)->message);
    ag_tape_rewind(tape);
}
