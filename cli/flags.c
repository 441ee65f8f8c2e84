/* flags.c - reads flags into the members that their fields describe: see flags.h. */
#include "flags.h"
#include "help.h"
#include "likeness.h"
#include "show.h"
#include "team.h"

#include "data.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cli_fail(const char *command, int code, const char *format, ...)
{
    char sentence[1 << 14]; /* holds two paths of the greatest length */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (cli_the_team.rank > 0) {
        if (code != CLI_DONE)
            snprintf(cli_the_team.sentence, sizeof cli_the_team.sentence, "%.4000s", sentence);
        return code;
    }
    fflush(stdout);
    fprintf(stderr, "tapeformer%s%s: ", command ? " " : "", command ? command : "");
    cli_show(stderr, sentence);
    fputc('\n', stderr);
    return code;
}

int cli_report(const char *command, const ag_error *error)
{
    if (error->status == AG_INTERRUPTED)
        return CLI_INTERRUPTED;
    return cli_fail(command, CLI_FAILED, "%s", error->message);
}

#define LONGEST_NAME 64

/* ---- Values ------------------------------------------------------------------------ */

static int point_to_help(const cli_command *command)
{
    if (cli_the_team.rank == 0)
        fprintf(stderr, "tapeformer %s --help lists the flags.\n", command->name);
    return CLI_USAGE;
}

/* Adds what the text may be meant to be, or how many words --help lists. */
static void add_choices(const train_field *field, const char *text, char *expected, size_t size)
{
    cli_likeness like = cli_likeness_of(text);
    const char *choice;
    int count = 0;
    for (; (choice = field->names(count)); count++)
        cli_likeness_try(&like, choice);
    size_t used = strlen(expected);
    if (used + sizeof like.text >= size)
        used = (size_t)snprintf(expected, size, "one of the %d that --help lists", count);
    snprintf(expected + used, size - used, "%s", cli_did_you_mean(&like, ""));
}

static int read_value(const cli_command *command, cli_flag *flag, const char *text)
{
    const train_field *field = flag->field;
    char expected[256];
    flag->given = true;
    if (train_field_read(field, flag->object, text, expected, sizeof expected))
        return CLI_DONE;
    if (field->names)
        add_choices(field, text, expected, sizeof expected);
    return cli_fail(command->name, CLI_USAGE, "--%s %s: expected %s", field->name, *text ? text : "''", expected);
}

static void set_switch(cli_flag *flag)
{
    flag->given = true;
    train_field_set_number(flag->field, flag->object, flag->field->type == TRAIN_BOOL ? true : flag->field->sets);
}

/* ---- Arguments --------------------------------------------------------------------- */

static cli_flag *find_flag(const cli_command *command, const char *name, size_t length)
{
    for (int i = 0; i < command->flag_count; i++)
        if (strlen(command->flags[i].field->name) == length && !strncmp(command->flags[i].field->name, name, length))
            return &command->flags[i];
    return NULL;
}

cli_flag *cli_flag_find(const cli_command *command, const char *name)
{
    return find_flag(command, name, strlen(name));
}

static int unknown_flag(const cli_command *command, const char *argument, size_t length)
{
    char typed[LONGEST_NAME];
    snprintf(typed, sizeof typed, "%.*s", (int)(length < sizeof typed ? length : sizeof typed - 1), argument + 2);
    cli_likeness like = cli_likeness_of(typed);
    for (int i = 0; i < command->flag_count; i++)
        cli_likeness_try(&like, command->flags[i].field->name);
    cli_fail(command->name, CLI_USAGE, "there is no flag --%s%s", typed, cli_did_you_mean(&like, "--"));
    return point_to_help(command);
}

/* Refuses a second value for a flag that takes one: the first would be ignored
 * silently. */
static int second_value(const cli_command *command, const cli_flag *flag, const char *second)
{
    const train_field *field = flag->field;
    const char *first = field->type == TRAIN_TEXT ? train_field_text(field, flag->object) : NULL;
    char number[CLI_VALUE_SIZE];
    if (field->joined_by && strcmp(field->joined_by, CLI_LIST) != 0)
        cli_fail(command->name, CLI_USAGE,
                 "--%s takes one file, and %s is another: cat %s %s has the lines of both, one after the other",
                 field->name, second, first, second);
    else if (field->joined_by)
        cli_fail(command->name, CLI_USAGE, "--%s is given twice: --%s %s,%s names both", field->name, field->name,
                 first, second);
    else {
        if (!first)
            cli_flag_value(flag, number, sizeof number);
        cli_fail(command->name, CLI_USAGE, "--%s is given twice, with %s and with %s: leave one out", field->name,
                 first ? first : number, second);
    }
    return point_to_help(command);
}

/* Reads the value of a flag that takes one. */
static int read_given(const cli_command *command, cli_flag *flag, const char *text)
{
    if (flag->reading == command->reading)
        return second_value(command, flag, text);
    flag->reading = command->reading;
    return read_value(command, flag, text);
}

/* Reads an argument that begins with --, and the next argument where that is the flag's
 * value. Sets *used to the number of arguments read. */
static int read_flag(cli_command *command, int count, const char *const *arguments, int *used)
{
    const char *argument = arguments[0], *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) - 2 : strlen(argument) - 2;
    cli_flag *flag = find_flag(command, argument + 2, length);

    *used = 1;
    if (!flag)
        return unknown_flag(command, argument, length);
    const char *name = flag->field->name, *value = flag->field->value;
    if (!value && equals)
        return cli_fail(command->name, CLI_USAGE, "--%s takes no value", name);
    if (!value) {
        set_switch(flag);
        return CLI_DONE;
    }
    const int taken = equals ? 1 : 2, wanted = taken + (flag->second != NULL);
    if (count < wanted)
        return cli_fail(command->name, CLI_USAGE, "--%s needs %s: --%s %s", name,
                        flag->second ? "two values" : "a value", name, value);
    *used = wanted;
    if (flag->second)
        *flag->second = arguments[taken];
    return read_given(command, flag, equals ? equals + 1 : arguments[1]);
}

/* Refuses a word that belongs to no flag and follows the argument `before`. */
static int unknown_word(const cli_command *command, const char *before, const char *word)
{
    const cli_flag *flag = NULL;
    for (int i = 0; i < command->flag_count && !flag; i++)
        if (command->flags[i].field->joined_by && command->flags[i].given &&
            strcmp(command->flags[i].field->joined_by, CLI_LIST) != 0 &&
            !strcmp(train_field_text(command->flags[i].field, command->flags[i].object), before))
            flag = &command->flags[i];
    if (flag)
        cli_fail(command->name, CLI_USAGE, "--%s takes one file, and %s is another: %s %s %s makes one of both",
                 flag->field->name, word, flag->field->joined_by, before, word);
    else
        cli_fail(command->name, CLI_USAGE, "what is '%s'? Usage: tapeformer %s %s", word, command->name,
                 command->usage);
    return point_to_help(command);
}

/* Whether --help is among the flags, and not the value of one. The help is printed before
 * any flag is read, while the variables still hold the defaults. */
static bool wants_help(const cli_command *command, int count, const char *const *arguments)
{
    for (int i = 0; i < count; i++) {
        const char *argument = arguments[i];
        if (!strcmp(argument, "--help") || !strcmp(argument, "-h"))
            return true;
        const bool named = !strncmp(argument, "--", 2) && !strchr(argument, '=');
        const cli_flag *flag = named ? find_flag(command, argument + 2, strlen(argument + 2)) : NULL;
        i += flag && flag->field->value ? flag->second ? 2 : 1 : 0;
    }
    return false;
}

int cli_flags_read(cli_command *command, int count, const char *const *arguments)
{
    if (wants_help(command, count, arguments)) {
        cli_help_print(command);
        return CLI_HELPED;
    }
    command->reading++;
    for (int i = 0, used; i < count; i += used) {
        int code = CLI_DONE;
        used = 1;
        if (!strcmp(arguments[i], CLI_DESCRIBE)) {
            cli_help_describe(command);
            return CLI_HELPED;
        }
        if (!strncmp(arguments[i], "--", 2) && arguments[i][2]) {
            code = read_flag(command, count - i, arguments + i, &used);
        } else if (command->word_count < command->max_words) {
            command->words[command->word_count++] = arguments[i];
        } else {
            code = unknown_word(command, i > 0 ? arguments[i - 1] : "", arguments[i]);
        }
        if (code != CLI_DONE)
            return code;
    }
    return CLI_DONE;
}

/* ---- Arguments as text ---- */

enum { ESCAPED = 4 }; /* bytes of an escaped byte */

/* An argument may hold bytes that a line of text cannot: a line feed, or, in the name of
 * a file, bytes that are not UTF-8. In the text such a byte becomes a line feed, a tab
 * and two hexadecimal digits. No flag begins with a tab, so the escape is unambiguous. */
static size_t write_argument(const char *argument, char *text)
{
    char *at = text;
    for (size_t left = strlen(argument), length; left > 0; argument += length, left -= length) {
        length = (size_t)ag_utf8_length(argument, left);
        if (length == 0 || *argument == '\n') {
            at += sprintf(at, "\n\t%02x", (unsigned char)*argument);
            length = 1;
        } else {
            memcpy(at, argument, length);
            at += length;
        }
    }
    *at = 0;
    return (size_t)(at - text);
}

/* The byte whose escape is at `text`; -1 where there is no escape, as in damaged files.
 */
static int escaped_byte(const char *text)
{
    static const char digits[] = "0123456789abcdef";
    const char *high = *text == '\t' && text[1] ? strchr(digits, text[1]) : NULL;
    const char *low = high && text[2] ? strchr(digits, text[2]) : NULL;
    return low ? (int)(16 * (high - digits) + (low - digits)) : -1;
}

/* Ends the argument at *text with a zero, undoing its escapes, and moves *text to the
 * next argument; NULL after the last. */
static const char *read_argument(char **text, bool is_value)
{
    char *argument = *text, *to = argument, *from = argument;
    while (*from) {
        const int escaped = is_value && *from == '\n' ? escaped_byte(from + 1) : -1;
        if (*from == '\n' && escaped < 0) {
            *to = 0;
            *text = from + 1;
            return argument;
        }
        *to++ = escaped < 0 ? *from : (char)escaped;
        from += escaped < 0 ? 1 : ESCAPED;
    }
    *to = 0;
    *text = NULL;
    return argument;
}

int cli_flags_read_text(cli_command *command, char *text)
{
    const char *pieces[2 * LONGEST_NAME] = {0};
    int count = 0;
    while (text && *text && count + 1 < 2 * LONGEST_NAME) {
        const char *argument = pieces[count++] = read_argument(&text, false);
        const bool is_flag = !strncmp(argument, "--", 2);
        const cli_flag *flag = is_flag ? find_flag(command, argument + 2, strlen(argument + 2)) : NULL;
        if (flag && flag->field->value && text)
            pieces[count++] = read_argument(&text, true);
    }
    return cli_flags_read(command, count, pieces);
}

/* ---- What flags say ---------------------------------------------------------------- */

bool cli_flags_effective(const cli_command *command, const cli_need *needs, int count)
{
    for (int i = 0; i < count; i++)
        if (!needs[i].met && cli_flag_find(command, needs[i].flag)->given) {
            cli_fail(command->name, CLI_USAGE, "--%s %s", needs[i].flag, needs[i].sentence);
            return false;
        }
    return true;
}

char *cli_flags_write(const cli_command *command)
{
    enum { LONGEST_VALUE = 4200 };
    size_t size = LONGEST_NAME + ESCAPED * LONGEST_VALUE;
    char *all = calloc((size_t)command->flag_count + 1, size), *at = all;
    for (int i = 0; all && i < command->flag_count; i++) {
        const cli_flag *flag = &command->flags[i];
        char value[LONGEST_VALUE];
        if (!flag->given || flag->field->local)
            continue;
        at += sprintf(at, "%s--%s", at == all ? "" : "\n", flag->field->name);
        if (!flag->field->value)
            continue;
        cli_flag_value(flag, value, sizeof value);
        *at++ = '\n';
        at += write_argument(value, at);
    }
    return all;
}
