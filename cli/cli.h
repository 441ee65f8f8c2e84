/* cli.h - the subcommands. Each reads its flags, calls the library, prints, and returns the exit code. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "flags.h"
#include "show.h"

#include "data.h"
#include "train.h"

#include <signal.h>

/* The whole command: what main is given, and what it returns. */
int cli_main(int argc, char **argv);

int cli_train(int count, const char *const *arguments);
int cli_eval(int count, const char *const *arguments);
int cli_predict(int count, const char *const *arguments);
int cli_generate(int count, const char *const *arguments);
int cli_gradcheck(int count, const char *const *arguments);
int cli_info(int count, const char *const *arguments);
int cli_import(int count, const char *const *arguments);
int cli_export(int count, const char *const *arguments);
int cli_study(int count, const char *const *arguments);
int cli_trace(int count, const char *const *arguments);

/* Ctrl-C, SIGTERM and a terminal that closes end a command at once, with CLI_INTERRUPTED:
 * files appear whole or not at all, so there is nothing to lose. A command that has
 * something to save calls cli_finish_when_interrupted: then the first of these signals
 * makes cli_interrupted 1, which the command looks at, and the second ends it. */
extern volatile sig_atomic_t cli_interrupted;
void cli_finish_when_interrupted(void);
/* From now on a reader of the command's output that goes away makes writing fail, and
 * does not end the command. For commands whose result is in files. */
void cli_outlive_readers(void);

/* Prints the sentence of an error and gives the exit code that fits it. */
int cli_report(const char *command, const ag_error *error);

#endif
