/* version.c - which library this is. */
#include "autograd.h"

const char *ag_version(void)
{
    return AG_VERSION;
}
