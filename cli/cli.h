/* cli.h - the subcommands. Each reads its flags, calls the library, prints, and returns
 * the exit code. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "flags.h"
#include "show.h"

#include "data.h"
#include "train.h"

#include <signal.h>

/* The whole command: takes main's arguments and returns its exit code. */
int cli_main(int argc, char **argv);

int cli_train(int count, const char *const *arguments);
int cli_eval(int count, const char *const *arguments);
int cli_predict(int count, const char *const *arguments);
int cli_generate(int count, const char *const *arguments);
int cli_gradcheck(int count, const char *const *arguments);
int cli_info(int count, const char *const *arguments);
int cli_import(int count, const char *const *arguments);
int cli_export(int count, const char *const *arguments);
int cli_average(int count, const char *const *arguments);
int cli_study(int count, const char *const *arguments);
int cli_subwords(int count, const char *const *arguments);
int cli_trace(int count, const char *const *arguments);

/* After cli_signals_begin, Ctrl-C, SIGTERM and a closing terminal end a command at once,
 * with the exit code CLI_INTERRUPTED: files are written whole or not at all, so nothing
 * is lost. A command that has something to save calls cli_finish_when_interrupted. Then
 * the first of these signals sets cli_interrupted to 1, which the command checks, and
 * only the second ends it. */
extern volatile sig_atomic_t cli_interrupted;
void cli_signals_begin(void);
void cli_finish_when_interrupted(void);
/* Lets the command outlive the reader of its output: after this, writing to a closed pipe
 * fails instead of ending the command. For commands whose result is in files. */
void cli_outlive_readers(void);

#endif
