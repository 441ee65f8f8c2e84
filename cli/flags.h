/* flags.h - the flags of a subcommand: how they are read, their help, and what is said of
 * a mistake. */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include "../train/fields.h"

#include <stdbool.h>
#include <stddef.h>

/* A flag of a command: the field that describes it, and the struct that has the field. */
typedef struct cli_flag {
    const train_field *field;
    void *object;
    const char *otherwise; /* not NULL: the default in words, instead of the field's own */
    const char **second;   /* not NULL: the flag takes two values, this one after the field's */
    bool given;            /* set by cli_flags_read */
    int reading;           /* the value of the command's `reading` when it was last given */
} cli_flag;

/* A flag for a variable of the command's own:
 *
 *     CLI_FLAG(f.beam, "beam", "N", "hypotheses of the search", .low = 1, .high = 1000)
 *
 * Its default is the value that the variable has before the flags are read. The field
 * lives as long as the block that the macro stands in. */
#define CLI_FLAG(variable, ...)                                                                                        \
    {                                                                                                                  \
        .field = &(const train_field){__VA_ARGS__, .type = TRAIN_FIELD_TYPE(variable)}, .object = &(variable)          \
    }
/* A flag for the two files of a vocabulary whose ids are given. */
#define CLI_BPE(encoder, merges)                                                                                       \
    {                                                                                                                  \
        .field = &(const train_field){.name = "bpe",                                                                   \
                                      .value = "FILE FILE",                                                            \
                                      .help = "the tokens and ids of GPT-2: encoder.json and vocab.bpe (vocab.json "   \
                                              "and merges.txt)",                                                       \
                                      .type = TRAIN_FIELD_TYPE(encoder)},                                              \
        .object = &(encoder), .second = &(merges)                                                                      \
    }
#define CLI_THREADS(variable)                                                                                          \
    CLI_FLAG(variable, "threads", "N", "threads to compute with", .low = 1, .high = 1024,                              \
             .otherwise = "one per processor")

typedef struct cli_command {
    const char *name;    /* "train" */
    const char *summary; /* one line */
    const char *usage;   /* "--task NAME | --pairs FILE [flags]" */
    const char *details; /* printed below the flags; may be NULL */
    cli_flag *flags;
    int flag_count;
    int max_words;      /* how many arguments may be names of files instead of flags */
    const char **words; /* [max_words], set by cli_flags_read */
    int word_count;
    int verbs;   /* how many of the words, from the first on, are no names of files */
    int reading; /* counts the calls of cli_flags_read, in each of which a flag may be given one value */
} cli_command;

/* The exit codes, and CLI_HELPED: the help was printed, so the command has nothing left
 * to do; the process exits with CLI_DONE then. */
enum { CLI_HELPED = -1, CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 };

/* Makes a command describe itself and its flags for programs, which make the manual and
 * the completions. */
#define CLI_DESCRIBE "--describe"

/* The `joined_by` of a flag that takes a list: commas join its values. */
#define CLI_LIST ","

/* Reads arguments into the members of the flags. They override what an earlier call read;
 * within one call a second value for a flag is refused. Returns CLI_DONE; CLI_HELPED after
 * printing the help to stdout on --help; CLI_USAGE after one sentence to stderr about a
 * mistake. */
int cli_flags_read(cli_command *command, int count, const char *const *arguments) AG_CHECKED;

/* Reads arguments from a text with a line for each, as cli_flags_write writes it. The
 * text is cut up in place and must live as long as the members that point into it. */
int cli_flags_read_text(cli_command *command, char *text) AG_CHECKED;

/* The flags that were given and are not local, with their values, a line for each. The
 * caller frees the text; NULL: out of memory. */
char *cli_flags_write(const cli_command *command);

/* A flag that has an effect only under a condition. */
typedef struct cli_need {
    const char *flag;
    bool met;
    const char *sentence; /* "goes with --text" */
} cli_need;
/* Refuses the first flag that was given although its condition is not met. Returns
 * whether there was none. */
bool cli_flags_effective(const cli_command *command, const cli_need *needs, int count);

/* The flag of this name; the command must have it. */
cli_flag *cli_flag_find(const cli_command *command, const char *name);
/* Clears the value, as if the flag had not been given. */
void cli_flag_drop(cli_flag *flag);

/* Writes the value as text that reads back as the same value; "" for a switch, and where
 * there is no value. */
void cli_flag_value(const cli_flag *flag, char *text, size_t size);
enum { CLI_VALUE_SIZE = 256 }; /* bytes that hold every number and most texts */

/* Whether the member has a value that the flag could have given: a number below the range
 * and a NULL text mean "not given". */
bool cli_flag_has_value(const cli_flag *flag);

/* Prints "tapeformer NAME: sentence" to stderr and returns `code`. */
int cli_fail(const char *command, int code, const char *format, ...) AG_PRINTF(3, 4);
/* Prints an error's sentence to stderr and returns the exit code for it. */
int cli_report(const char *command, const ag_error *error);

#endif
