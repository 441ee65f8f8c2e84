/* level.c - the instruction-set level at which everything is computed. */
#include "kernels/kernels.h"
#include "tape.h"

const char *ag_level_name(void)
{
    return kernels()->name;
}

ag_status ag_level_check(ag_error *error)
{
    char sentence[AG_MESSAGE_SIZE];
    if (!kernel_level_refused(sentence, sizeof sentence))
        return AG_OK;
    return ag_error_set(error, AG_BAD_VALUE, "%s", sentence);
}
