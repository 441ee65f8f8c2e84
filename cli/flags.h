/* flags.h - the flags of a subcommand as a table: reading them, their help, and what to say of a wrong one. */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include "../train/fields.h"

#include <stdbool.h>
#include <stddef.h>

/* A flag of a command: the field that says all about it, and the struct that holds its value. */
typedef struct cli_flag {
    const train_field *field;
    void *object;
    const char *otherwise; /* replaces the field's own default in words, where it is not NULL */
    bool given;            /* set by cli_flags_read */
    int reading;           /* the last one in which it was given: see cli_command */
} cli_flag;

/* A flag for a variable of the command's own:
 *
 *     CLI_FLAG(f.beam, "beam", "N", "hypotheses of the beam search", .low = 1, .high = 1000)
 *
 * Its default is the value that the variable has before the flags are read. The field
 * lives as long as the block that the macro stands in. */
#define CLI_FLAG(variable, ...)                                                                                        \
    {                                                                                                                  \
        .field = &(const train_field){__VA_ARGS__, .type = TRAIN_FIELD_TYPE(variable)}, .object = &(variable)          \
    }
#define CLI_THREADS(variable)                                                                                          \
    CLI_FLAG(variable, "threads", "N", "threads to compute with", .low = 1, .high = 1024,                      \
             .otherwise = "one per processor")

typedef struct cli_command {
    const char *name;    /* "train" */
    const char *summary; /* one line */
    const char *usage;   /* "--task NAME | --pairs FILE [flags]" */
    const char *details; /* printed under the flags; may be NULL */
    cli_flag *flags;
    int flag_count;
    int max_words;      /* arguments that are no flags, all names of files: how many may come */
    const char **words; /* [max_words], set by cli_flags_read */
    int word_count;
    int reading; /* counts the calls of cli_flags_read: in one, a flag of a file that is read is given once */
} cli_command;

/* The exit codes. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 };

/* What came of reading: go on; the help was printed; a mistake was reported; something needed could not be read. */
typedef enum cli_read { CLI_READ_OK, CLI_READ_HELP, CLI_READ_WRONG, CLI_READ_FAILED } cli_read;
/* The exit code of a command whose reading ended other than by CLI_READ_OK. */
int cli_read_code(cli_read result);

/* Makes a command print its name and flags for a program: the manual and the completions are made from that. */
#define CLI_DESCRIBE "--describe"

/* Reads arguments into the flags' targets. Later ones override, except files that could be
 * joined into one: a second is refused. On --help prints the help to stdout, on a mistake one
 * sentence to stderr. */
cli_read cli_flags_read(cli_command *command, int count, const char *const *arguments) AG_CHECKED;

/* The same from one text of arguments that are separated by line feeds. The text is cut into pieces in place and must
 * live as long as the targets. */
cli_read cli_flags_read_text(cli_command *command, char *text) AG_CHECKED;

/* The flags that were given and are not local, with their values, separated by line feeds. To be freed; NULL: no
 * memory. */
char *cli_flags_write(const cli_command *command);

/* A flag that has an effect only where something else is so. */
typedef struct cli_need {
    const char *flag;
    bool met;
    const char *sentence; /* "goes with --text" */
} cli_need;
/* Reports the first of `needs` whose flag was given and that is not met; whether all are met. */
bool cli_flags_effective(const cli_command *command, const cli_need *needs, int count);

/* The flag of that name, which the command has. */
cli_flag *cli_flag_find(const cli_command *command, const char *name);
/* As if the flag had not been given. */
void cli_flag_drop(cli_flag *flag);

/* Writes the value as text that reads back to the same value; "" for a switch, and where there is none. */
void cli_flag_value(const cli_flag *flag, char *text, size_t size);
enum { CLI_VALUE_SIZE = 256 }; /* bytes that hold every number and most texts */

/* What holds where the flag is not given: words of its own, or the value that its
 * variable has before anything is read, so that the help cannot state another. "" where
 * there is nothing to say. `number` is room for it. */
const char *cli_flag_default(const cli_flag *flag, char number[CLI_VALUE_SIZE]);

/* Whether the flag has a value that could be given: a number below its range, and a text
 * that is NULL, stand for "not given". */
bool cli_flag_said(const cli_flag *flag);

/* Prints "tapeformer NAME: sentence" to stderr and returns `code`. */
int cli_fail(const char *command, int code, const char *format, ...) AG_PRINTF(3, 4);

#endif
