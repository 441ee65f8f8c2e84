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

/* The i-th name of the library's tasks, and of the presets; NULL after the last. */
const char *cli_task_name(int i);
const char *cli_preset_name(int i);

/* The library's enumerations as words, in their order, ended by NULL. */
extern const char *const cli_token_names[];
extern const char *const cli_model_names[];
extern const char *const cli_activation_names[];
extern const char *const cli_norm_names[];
extern const char *const cli_position_names[];
extern const char *const cli_matmul_names[];
extern const char *const cli_optimizer_names[];
extern const char *const cli_schedule_names[];
extern const char *const cli_best_names[];
extern const char *const cli_layout_names[];

/* The recipes of train: --preset NAME stands for these arguments. */
typedef struct cli_preset {
    const char *name, *help;
    const char *arguments; /* separated by single spaces */
} cli_preset;
const cli_preset *cli_presets(int *count);

#endif
