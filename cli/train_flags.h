/* train_flags.h - what the flags of tapeformer train say. */
#ifndef CLI_TRAIN_FLAGS_H
#define CLI_TRAIN_FLAGS_H

#include "flags.h"

#include "train.h"

/* A value of 0 (NOT_SAID where 0 is a value) was not said: the library decides, or the
 * run that is resumed. Fields of type int are indices of choices, in the order of the
 * library's enumerations. */
typedef struct train_flags {
    const char *task, *pairs, *dev, *text, *from, *preset, *out, *resume;
    int source_tokens, target_tokens, model, activation, norm, positions, matmul, optimizer, schedule, best_by;
    int64_t d_model, heads, layers, encoder_layers, decoder_layers, ffn, max_length, context;
    int64_t task_min, task_max, task_count;
    bool post_norm, final_norm, no_final_norm, no_bias, no_norm_bias, no_output_bias, tied, nesterov,
        list_presets, quiet, overwrite;
    double dropout, norm_eps, embedding_scale, rate, floor, weight_decay, beta1, beta2, momentum, clip, label_smoothing,
        average, held_out;
    int64_t steps, epochs, batch, accumulate, warmup, seed, threads, eval_every, eval_sources, patience, save_every,
        stop_at;
} train_flags;

/* Defaults that are the command's own. */
#define DEFAULT_CONTEXT 128
#define DEFAULT_DROPOUT 0.1

enum { TRAIN_FLAGS_MOST = 80, NOT_SAID = -1 };

/* Reads the flags over the defaults; command->flags has room for TRAIN_FLAGS_MOST. With
 * --resume `base` becomes what the run's checkpoint holds, and `earlier` what the run's
 * flags were; base's arguments hold what targets point to. The caller clears it at the
 * end. */
cli_read train_flags_read(cli_command *command, train_flags *f, int count, const char *const *arguments,
                          train_saved *base, train_flags *earlier) AG_CHECKED;

/* Lets the flags that describe a model describe that of `base`, with which the run begins
 * or goes on, and in a resume all flags that it may not change say what they said of
 * `earlier`. The exit code: CLI_USAGE after naming a flag that was given and says
 * otherwise. */
int train_flags_take(const cli_command *command, train_flags *f, const train_saved *base, const train_flags *earlier)
    AG_CHECKED;

/* The rows that describe a model, for other commands: writes them to `table` and returns how many. */
int train_flags_model(train_flags *f, cli_flag *table);
/* The model that they describe, but for its vocabularies. */
nn_model_config train_flags_config(const train_flags *f);

void train_presets_print(void);

#endif
