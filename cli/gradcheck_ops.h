/* gradcheck_ops.h - tapeformer gradcheck of operations: all in a table, or one as a
 * report. */
#ifndef CLI_GRADCHECK_OPS_H
#define CLI_GRADCHECK_OPS_H

#include "study_report.h"

typedef struct operations_flags {
    const char *operation; /* NULL: all */
    ag_gradcheck_options options;
    int draws;
    bool json;
    study_output output; /* of a report; needs `operation` */
} operations_flags;

/* The name of operation number `i`; NULL after the last. */
const char *cli_operation_name(int i);
/* Checks the operations, prints what is found, and returns the exit code: CLI_FAILED if
 * one of them fails. */
int cli_check_operations(const operations_flags *flags);

#endif
