/* screen.h - what train has read, on one screen, before it begins. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "data.h"

#include "../train/options.h"

#include <stdio.h>

/* The run that the screen describes. The struct borrows all that it points to. */
typedef struct cli_screen {
    const train_recipe *recipe;
    data_set *training, *dev;
    const data_report *report; /* data_set_report of the two */
    const nn_model *model;
} cli_screen;

/* Prints the screen. AG_NO_MEMORY. */
ag_status cli_screen_print(FILE *out, const cli_screen *screen, ag_error *error) AG_CHECKED;

#endif
