/* cli_util.h - the command as a user meets it, for its tests: a shell, what it prints,
 * and a tiny run.
 *
 * The command under test is in the environment variable TAPEFORMER (the Makefile sets
 * it). */
#ifndef TESTS_CLI_UTIL_H
#define TESTS_CLI_UTIL_H

#include "check_util.h"

extern char *cli_folder;         /* an empty folder of the test's own; $DIR in commands */
extern char cli_output[1 << 18]; /* what the last command printed, both streams */

/* The fixture of each test. */
void cli_set_up(void);
void cli_tear_down(void);

/* Runs a shell command in which $T is the tapeformer and $DIR a folder of our own; both
 * output streams go to cli_output. Returns the exit code, or 1000 and more when a signal
 * ended it. */
int cli_run(const char *command);
/* The command ends with this code and says this. */
void cli_expect(const char *command, int code, const char *saying);
/* The command is a mistake: it ends with this code, and all that it says is one line,
 * "tapeformer COMMAND: ...", that holds this. */
void cli_expect_sentence(const char *command, int code, const char *saying);

/* Flags of a tiny run: a second or less. */
#define CLI_TINY "--d-model 16 --heads 2 --layers 1 --ffn 16 --batch 16 --dropout 0 --eval-sources 20 --quiet"
/* Such a run in $DIR/run. */
void cli_train_tiny(void);
/* That run and two others: $DIR/run reads and writes, $DIR/tags labels, $DIR/lm goes on
 * with the text in $DIR/text. */
void cli_train_three(void);
/* $DIR/NAME becomes $DIR/run with all numbers of the parameter `parameter` set to
 * `value`. */
void cli_spoil(const char *name, const char *parameter, ag_real value);
/* A file in $DIR. */
void cli_write(const char *name, const char *text);

#endif
