/* options.h - the options of a training: one table, from which come the flags of the
 * command with their help, ranges and defaults, the metadata of model files and
 * checkpoints, what `tapeformer info` prints, the presets and the manual page.
 *
 * To add an option: a member of its struct, a row of the table in options.c, and the code
 * that uses it.
 */
#ifndef TRAIN_OPTIONS_H
#define TRAIN_OPTIONS_H

#include "fields.h"
#include "train.h"

/* --decompose splits these into the letters that they consist of, on each side whose
 * tokens are characters: nothing, or Korean syllables (DATA_JAMO). */
typedef enum train_decompose { TRAIN_DECOMPOSE_NONE = 0, TRAIN_DECOMPOSE_HANGUL } train_decompose;

/* The file of pairs, by its format; how the format is read is in data_format. At most one
 * is not NULL. */
typedef struct train_files {
    const char *pairs;  /* lines, or columns if the format names some */
    const char *source; /* the sources of two parallel files */
    const char *conllu, *blocks;
} train_files;

/* The path of the file, and its flag's name unless `flag` is NULL; sets the format's
 * kind. NULL: no file is given. */
const char *train_files_path(const train_files *files, data_format *format, const char **flag);
/* How many of the files are given. */
int train_files_count(const train_files *files);
/* Whether the file is one of tagged words. */
bool train_files_tagged(const train_files *files);

/* A training as flags describe it. Its own members are those that no struct of the
 * library has: the command acts on them. */
typedef struct train_recipe {
    train_files files; /* of pairs; a task is run.task */
    const char *dev, *dev_target; /* in the format of the files */
    const char *text;
    const char *from, *resume;      /* the folder of the model, or of the run, to begin with */
    const char *preset;
    train_decompose decompose;
    int layers; /* of each stack whose own number is 0 */
    bool zero_residual;
    bool list_presets, dry_run, quiet;
    data_set_options data;
    nn_model_config model;
    train_options run;
} train_recipe;

/* Defaults of the command that depend on other options. */
#define TRAIN_DEFAULT_CONTEXT 128
#define TRAIN_DEFAULT_DROPOUT 0.1

/* A recipe with the table's defaults. */
train_recipe train_recipe_new(void);
/* The struct in the recipe that has the field. */
void *train_recipe_owner(train_recipe *recipe, const train_field *field);

/* The model's configuration as far as the recipe alone says it: without sizes that
 * depend on the examples. */
nn_model_config train_recipe_config(const train_recipe *recipe);
/* How a new model encodes positions if no flag says so. A text: rotary, with which it
 * learns much faster (docs/results.md), if the width of a head is even, which rotary
 * needs. Pairs and tasks: sinusoidal, since which kind is best depends on the data. */
nn_position_kind train_recipe_positions(const train_recipe *recipe);
/* The configuration of a new model for these examples. Its dropout is the recipe's. */
nn_model_config train_recipe_model(const train_recipe *recipe, const data_set *training, const data_set *dev);
/* How the recipe's examples are read, with the vocabularies of the model that the run
 * begins with (NULL in *base: none). */
data_set_options train_recipe_data(const train_recipe *recipe, const train_saved *base, data_part part);

/* The kind of tokens that --decompose makes of a kind of --src-tokens or --tgt-tokens. */
data_token_kind train_recipe_kind(const train_recipe *recipe, data_token_kind kind);

/* A model for the size of the data, and the length of a run. Rules of thumb, after the
 * widths and lengths that did well in docs/results.md: a width of 64 and 2 layers for
 * less than TRAIN_FEW_TOKENS tokens, sources and targets together; 128 and 2 for less
 * than TRAIN_MANY_TOKENS; else 256 and 3. */
#define TRAIN_FEW_TOKENS  30000
#define TRAIN_MANY_TOKENS 2000000
/* A run with fewer passes over the data than this may end while it still learns, and
 * TRAIN_GOOD_PASSES are better; with more than TRAIN_MANY_PASSES it should stop early. */
#define TRAIN_FEW_PASSES  10
#define TRAIN_GOOD_PASSES "15"
#define TRAIN_MANY_PASSES 100
typedef struct train_suggestion {
    int64_t tokens;      /* of the training set: of sources and targets, without end marks */
    int d_model, layers; /* suggested */
    int64_t steps, batch;
    double passes;  /* over the training set, in the whole run */
    bool few, many; /* few or many passes; never many in a run that stops early */
} train_suggestion;
train_suggestion train_suggest(const data_report *report, const train_options *run, const data_set *training);

/* Sets the recipe's kinds of tokens to those of a model's vocabularies. `source` is NULL
 * for a language model, whose recipe keeps that kind. */
void train_recipe_take_tokens(train_recipe *recipe, const data_vocab *source, const data_vocab *target);

/* Row i of the table; NULL after the last. */
const train_field *train_option(int i);
/* The i-th saved row of nn_model_config, and of train_options; NULL after the last. */
const train_field *train_model_field(int i);
const train_field *train_run_field(int i);

/* The options that a resume may change, for sentences. */
#define TRAIN_CHANGEABLE                                                                                               \
    "--pairs and other files (the same data elsewhere, in any format), --steps, --epochs, --eval-every, --patience, "  \
    "--save-every, --keep, --threads, --stop-at and --quiet"

/* The name of task i; NULL after the last. */
const char *train_task_name(int i);
/* The words for the values of enums; NULL for any other number. */
const char *train_model_kind_name(int kind);
const char *train_layout_name(int layout);

/* Flags that work well together, for --preset. */
typedef struct train_preset {
    const char *name, *help;
    const char *arguments[24]; /* "--task=copy" .., ended by NULL */
} train_preset;
/* Preset i; NULL after the last. */
const train_preset *train_preset_at(int i);

#endif
