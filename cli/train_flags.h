/* train_flags.h - the flags of tapeformer train, read into a recipe. */
#ifndef CLI_TRAIN_FLAGS_H
#define CLI_TRAIN_FLAGS_H

#include "flags.h"

#include "../train/options.h"

enum { TRAIN_FLAGS_MOST = 120 };

/* Binds flags to the recipe: writes one for each option that has a name to `flags`
 * [TRAIN_FLAGS_MOST] and returns their number. `model_alone`: only the options that
 * describe a model. */
int train_flags_bind(train_recipe *recipe, bool model_alone, cli_flag *flags);

/* The flag of one option, bound to the recipe. */
cli_flag train_flag_named(train_recipe *recipe, const char *name);

/* Reads the flags over the defaults; command->flags has room for TRAIN_FLAGS_MOST. With
 * --resume, `base` becomes the model and the texts of the run's checkpoint, and `earlier`
 * the run's recipe. Texts in the recipes point into base->arguments. The caller clears
 * base at the end. */
int train_flags_read(cli_command *command, train_recipe *recipe, int count, const char *const *arguments,
                          train_saved *base, train_recipe *earlier) AG_CHECKED;

/* Copies the model of `base`, with which the run begins or goes on, into the recipe; in a
 * resume also every option of `earlier` that it may not change. Returns CLI_USAGE after
 * naming a flag that was given and contradicts them. */
int train_flags_take(const cli_command *command, train_recipe *recipe, const train_saved *base,
                     train_recipe *earlier) AG_CHECKED;

/* Refuses --final-norm together with --no-final-norm; returns the exit code. */
int train_flags_final_norm(const cli_command *command);

void train_presets_print(void);

#endif
