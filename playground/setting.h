/* setting.h - all that a person chooses, as one text: the part after # of a page's address.
 *
 *     model=encoder-decoder&task=reverse&task-max=8&d-model=64&target=leak&eval-target=causal
 *
 * Where `tapeformer train` has a flag of the name, the name means what the flag means. The
 * page has narrower ranges and smaller defaults, so that it stays fast.
 */
#ifndef PLAYGROUND_SETTING_H
#define PLAYGROUND_SETTING_H

#include "faults.h"
#include "masks.h"
#include "../train/options.h"

/* A phase of a run, each with masks of its own. */
typedef enum playground_phase { PLAYGROUND_TRAINING, PLAYGROUND_EVALUATION, PLAYGROUND_PHASES } playground_phase;
/* "training" and "evaluation"; NULL for any other number. */
const char *playground_phase_name(int phase);

enum { PLAYGROUND_LESSONS = 9 };

typedef struct playground_setting {
    train_recipe recipe;
    playground_mask masks[PLAYGROUND_PHASES][PLAYGROUND_CARDS];
    bool set_apart[PLAYGROUND_CARDS]; /* the evaluation's mask is its own */
    playground_fault fault;           /* in the backward of the training */
    const char *lines;                /* pairs that a person typed, "source TAB target" each; NULL: a task */
    int lesson;                       /* that the page shows with it, 1 to PLAYGROUND_LESSONS; 0: none */
    char *text;                       /* what the texts above point into */
} playground_setting;

/* Reads a setting, which playground_setting_clear frees; names that the text does not have
 * get their defaults, and masks of the evaluation those of the training. After a % two
 * hexadecimal digits are a byte, as in an address. AG_BAD_VALUE, AG_NO_MEMORY. */
ag_status playground_setting_read(playground_setting *setting, const char *text, ag_error *error) AG_CHECKED;
void playground_setting_clear(playground_setting *setting);

/* Hands on each value of `name=value&..` ("" where a name stands alone). Names and values
 * lie in the text, which changes. AG_BAD_VALUE, or what on_value returns. */
typedef ag_status playground_on_value(void *context, const char *name, const char *value, ag_error *error);
ag_status playground_values_read(char *text, playground_on_value *on_value, void *context, ag_error *error) AG_CHECKED;

/* Prints `name=value&..` of everything but the lines, so that it reads back to the same
 * setting. Like snprintf, returns the length of the whole text. */
size_t playground_setting_print(const playground_setting *setting, char *text, size_t size);

/* Whether its masks are those of the command: a target sees its past, and padding is unseen. */
bool playground_setting_has_usual_masks(const playground_setting *setting);

/* Prints the flags of `tapeformer train` for the setting's run, "--task reverse --steps 2000",
 * with `gap` between words: a space, or a line feed as in train_options.arguments. A default
 * of the command's is left out. Unusual masks follow as flags that the
 * command does not have. Returns the length, as snprintf does. */
size_t playground_setting_flags(const playground_setting *setting, const char *gap, char *text, size_t size);

/* The setting of a loaded model, which playground_setting_clear frees: its configuration,
 * and of its run's flags those that the page has. Its task is that of the file, or, where
 * no task has the name, `lines`. AG_NO_MEMORY. */
ag_status playground_setting_take(playground_setting *setting, const train_saved *saved, const char *lines,
                                  ag_error *error) AG_CHECKED;
/* Lowers numbers of the run that are above the page's range. AG_BAD_VALUE names the first
 * number of the model that is. */
ag_status playground_setting_fit(playground_setting *setting, ag_error *error) AG_CHECKED;

#endif
