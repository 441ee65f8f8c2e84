/* study_example.h - the example that a study looks at: a saved model and one row of
 * input, from the flags. */
#ifndef CLI_STUDY_EXAMPLE_H
#define CLI_STUDY_EXAMPLE_H

#include "cli.h"

#include "study.h"

typedef struct study_example_flags {
    const char *model, *source, *target;
    int64_t padding; /* positions beyond the lengths of both sides */
} study_example_flags;

#define STUDY_EXAMPLE_FLAGS(flags)                                                                                     \
    CLI_FLAG((flags).model, "model", "DIR", "the folder of a trained model, or a .safetensors file"),                  \
        CLI_FLAG((flags).source, "source", "TEXT", "what the model reads"),                                            \
        CLI_FLAG((flags).target, "target", "TEXT", "what it has written", .otherwise = "its own answer"),              \
        CLI_FLAG((flags).padding, "pad", "N", "positions of padding after both sides", .low = 0, .high = 1000)

/* One side of the example, including its padding. */
typedef struct example_side {
    int32_t *tokens;
    const char **labels; /* the tokens as text */
    int32_t length;      /* without padding */
} example_side;

/* A side that the model does not have is zero here and in `input`. */
typedef struct study_example {
    train_saved saved;           /* saved.model */
    nn_input input;              /* one row; points to the sides */
    example_side source, target; /* with source_length and target_length positions */
    char *answer;                /* the model's own answer as text, if that is the target; else NULL */
} study_example;

/* Reads the example that the flags of `command` describe. If an encoder-decoder is given
 * no target, its own answer becomes the target. Returns CLI_DONE, or the exit code after
 * saying why. In either case the caller clears the example, and never moves it. */
int cli_study_read(const char *command, const study_example_flags *flags, study_example *example) AG_CHECKED;
void cli_study_clear(study_example *example);

/* Adds a paragraph with the source and the answer to it. */
void cli_study_describe(study_document *document, const study_example_flags *flags, const study_example *example);

#endif
