/* models.h - the value of --model: one saved model, or several that answer as one. */
#ifndef CLI_MODELS_H
#define CLI_MODELS_H

#include "train.h"

/* The models of a list such as a,b,c. */
typedef struct cli_models {
    char *text;         /* the list, with a zero after each name */
    const char **paths; /* [count] into it */
    int count;
    train_ensemble ensemble;
} cli_models;

/* The help of a --model that takes several. */
#define CLI_MODELS_HELP                                                                                                \
    "the folder of a trained model, or a .safetensors file; several with commas between answer as one, with the mean " \
    "of their probabilities"

/* Names the models of a list without loading them: sets paths and count. Returns CLI_DONE,
 * or the exit code after a report. The caller clears the models in both cases. */
int cli_models_name(cli_models *models, const char *command, const char *list);
/* Loads the models of a list, which a comma divides, except where the names on both sides
 * of it, and the comma, are one path that exists: of several such paths the longest is
 * taken. So every folder can be named, and ./a,./b are two even if a folder a,b exists.
 * Returns CLI_DONE, or the exit code after a report. The caller clears the models in both
 * cases. */
int cli_models_load(cli_models *models, const char *command, const char *list);
void cli_models_clear(cli_models *models);

#endif
