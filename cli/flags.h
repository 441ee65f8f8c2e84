/* flags.h - the flags of a subcommand as a table: reading them, their help, and what to say of a wrong one. */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include "real.h"

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

/* A number of the library's in a help text: CLI_NUMERAL(TRAIN_DEFAULT_BATCH) is "64". */
#define CLI_NUMERAL(number) CLI_NUMERAL_(number)
#define CLI_NUMERAL_(number) #number

typedef enum cli_flag_type {
    CLI_SWITCH, /* bool: no value */
    CLI_TEXT,   /* const char * */
    CLI_COUNT,  /* int64_t within [low, high] */
    CLI_NUMBER, /* double within [low, high], never NaN */
    CLI_CHOICE  /* int: the index of the value in `choices` */
} cli_flag_type;

typedef struct cli_flag {
    const char *name; /* "batch": given as --batch 64 or --batch=64 */
    cli_flag_type type;
    void *target;
    const char *value; /* what the value is called in the help: "N" */
    const char *help;
    double low, high;           /* CLI_COUNT, CLI_NUMBER; both 0: from 0 up */
    const char *const *choices; /* CLI_CHOICE: ends with NULL */
    /* CLI_TEXT: the i-th of the texts that it may be, NULL after the last. NULL: it may
     * be any. */
    const char *(*name_of)(int i);
    const char *joined_by;      /* the program that makes one file of several, for who gives two */
    const char *otherwise;      /* what stands where the flag is not given, in words; NULL: the value of its target */
    bool local;                 /* belongs to this call alone: not part of what a resumed run repeats */
    bool changeable;            /* a resumed run may have another value than the one that it began with */
    bool given;                 /* set by cli_flags_read */
    int reading;                /* the last one in which it was given: see cli_command */
} cli_flag;

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
/* Reports the first of `needs` whose flag was given (`given` [flag_count]; NULL: by the
 * flags' own mark) and that is not met; whether all are met. */
bool cli_flags_effective(const cli_command *command, const bool *given, const cli_need *needs, int count);

/* Whether two flags of one row, read apart, have the same value. */
bool cli_flag_same(const cli_flag *a, const cli_flag *b);

/* Writes the value as text that reads back to the same; "" for a switch, and for a text
 * that is not there. */
void cli_flag_value(const cli_flag *flag, char *text, size_t size);
enum { CLI_VALUE_SIZE = 256 }; /* bytes that hold every number and most texts */

/* The text that says what holds where the flag is not given: words of its own, or the
 * value that its target has before anything is read, so that no help can say another. ""
 * where there is nothing to say. `number` is room for it. */
const char *cli_flag_default(const cli_flag *flag, char number[CLI_VALUE_SIZE]);

/* Whether the flag has a value that can be given: numbers below their range, and texts
 * that are NULL, stand for "not said". */
bool cli_flag_said(const cli_flag *flag);

/* Gives a flag the value of another of the same type. */
void cli_flag_copy(const cli_flag *to, const cli_flag *from);

/* As if this flag, of type CLI_TEXT or CLI_COUNT, had not been given. */
void cli_flag_drop(const cli_command *command, const char *name);

/* The i-th of the words that the flag may be; NULL after the last, and where it may be
 * anything. */
const char *cli_flag_choice(const cli_flag *flag, int i);

/* Prints "tapeformer NAME: sentence" to stderr and returns `code`. */
int cli_fail(const char *command, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
