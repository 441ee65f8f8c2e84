/* team.c - see team.h. */
#include "team.h"

cli_team cli_the_team = {.size = 1};
