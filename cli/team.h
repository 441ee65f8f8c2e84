/* team.h - the processes that train one model together (train_options.exchange). The
 * program that connects them (mpi/main.c) describes them here before it calls cli_main;
 * the command alone is a team of one. */
#ifndef CLI_TEAM_H
#define CLI_TEAM_H

#include "train.h"

typedef struct cli_team {
    int rank, size; /* this process, from 0, and their number */
    int threads;    /* the default of --threads; 0: as always */
    /* As train_options.exchange, but for the context. */
    ag_status (*exchange)(ag_real *gradients, int64_t count, double *sums, int64_t sum_count);
    /* Why an exchange failed: the sentence of the process that failed, after its rank. */
    char failure[1 << 12];
    /* Only rank 0 prints. In another process this is the sentence that cli_fail would
     * have printed last. */
    char sentence[1 << 12];
} cli_team;

extern cli_team cli_the_team;

#endif
