/* flags.c - reading flags by their table. */
#include "flags.h"

#include "train.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cli_fail(const char *command, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "tapeformer%s%s: ", command ? " " : "", command ? command : "");
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return code;
}

/* ---- The nearest name ----------------------------------------------------------------------- */

#define LONGEST_NAME 64

static int64_t distance(const char *a, const char *b)
{
    int32_t wide[2][LONGEST_NAME];
    int64_t length[2] = {0, 0};
    const char *text[2] = {a, b};
    for (int side = 0; side < 2; side++)
        for (; text[side][length[side]] && length[side] < LONGEST_NAME; length[side]++)
            wide[side][length[side]] = (unsigned char)text[side][length[side]];
    return train_edit_distance(wide[0], length[0], wide[1], length[1]);
}

const char *cli_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    int64_t best_distance = 1 + (int64_t)strlen(word) / 2; /* more than half of it wrong is another word */
    for (; *names; names++) {
        int64_t d = distance(word, *names);
        if (d >= 0 && d < best_distance) {
            best_distance = d;
            best = *names;
        }
    }
    return best;
}

int cli_read_code(cli_read result)
{
    return result == CLI_READ_WRONG ? CLI_USAGE : result == CLI_READ_FAILED ? CLI_FAILED : CLI_DONE;
}

/* ---- Values --------------------------------------------------------------------------------- */

static cli_read wrong(const cli_command *command)
{
    fprintf(stderr, "tapeformer %s --help lists the flags.\n", command->name);
    return CLI_READ_WRONG;
}

static cli_read wrong_value(const cli_command *command, const cli_flag *flag, const char *value, const char *expected)
{
    cli_fail(command->name, CLI_USAGE, "--%s %s: expected %s", flag->name, *value ? value : "''", expected);
    return CLI_READ_WRONG;
}

static cli_read read_number(const cli_command *command, const cli_flag *flag, const char *text)
{
    bool whole = flag->type == CLI_COUNT;
    bool bounded = flag->low<flag->high, from = flag->low> 0 && !bounded;
    char expected[128], *end;
    double low = bounded || from ? flag->low : 0, high = bounded ? flag->high : whole ? 9e15 : HUGE_VAL;

    if (bounded)
        snprintf(expected, sizeof expected, "a %snumber from %.12g to %.12g", whole ? "whole " : "", low, high);
    else
        snprintf(expected, sizeof expected, "a %snumber of %.12g or more", whole ? "whole " : "", low);
    errno = 0;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number) || !(number >= low && number <= high) ||
        (whole && number != floor(number)))
        return wrong_value(command, flag, text, expected);
    if (whole)
        *(int64_t *)flag->target = (int64_t)number;
    else
        *(double *)flag->target = number;
    return CLI_READ_OK;
}

static cli_read read_choice(const cli_command *command, const cli_flag *flag, const char *text)
{
    char expected[256] = "one of";
    for (int i = 0; flag->choices[i]; i++) {
        if (!strcmp(flag->choices[i], text)) {
            *(int *)flag->target = i;
            return CLI_READ_OK;
        }
        size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "%s %s", i ? "," : "", flag->choices[i]);
    }
    const char *nearest = cli_nearest(text, flag->choices);
    if (nearest) {
        size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "; did you mean %s?", nearest);
    }
    return wrong_value(command, flag, text, expected);
}

static cli_read read_value(const cli_command *command, cli_flag *flag, const char *text)
{
    flag->given = true;
    switch (flag->type) {
    case CLI_COUNT:
    case CLI_NUMBER:
        return read_number(command, flag, text);
    case CLI_CHOICE:
        return read_choice(command, flag, text);
    case CLI_TEXT:
        if (!*text && strcmp(flag->value, "TEXT")) /* no file, folder or name is empty */
            return wrong_value(command, flag, text, flag->value);
        *(const char **)flag->target = text;
        return CLI_READ_OK;
    case CLI_SWITCH:
        break;
    }
    *(bool *)flag->target = true;
    return CLI_READ_OK;
}

/* ---- Help ----------------------------------------------------------------------------------- */

static void print_help(const cli_command *command)
{
    printf("tapeformer %s: %s\n\nUsage: tapeformer %s %s\n\nFlags:\n", command->name, command->summary, command->name,
           command->usage);
    for (int i = 0; i < command->flag_count; i++) {
        const cli_flag *flag = &command->flags[i];
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", flag->name, flag->value ? " " : "", flag->value ? flag->value : "");
        printf("  %-24s %s", left, flag->help);
        for (int c = 0; flag->choices && flag->choices[c]; c++)
            printf("%s%s", c ? ", " : *flag->help ? ": " : "", flag->choices[c]);
        putchar('\n');
    }
    printf("  %-24s %s\n", "--help", "this text");
    if (command->details)
        printf("\n%s\n", command->details);
}

/* ---- Arguments ------------------------------------------------------------------------------ */

/* The same for programs: lines of fields between tabs, as docs/manual/make reads them. */
static void print_description(const cli_command *command)
{
    printf("command\t%s\t%s\t%s\n", command->name, command->summary, command->usage);
    for (int i = 0; i < command->flag_count; i++) {
        const cli_flag *flag = &command->flags[i];
        printf("flag\t%s\t%s\t%s\t%s\t", command->name, flag->name, flag->value ? flag->value : "", flag->help);
        for (int c = 0; flag->choices && flag->choices[c]; c++)
            printf("%s%s", c ? " " : "", flag->choices[c]);
        putchar('\n');
    }
    for (const char *line = command->details, *end; line && *line; line = *end ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        printf("detail\t%s\t%.*s\n", command->name, (int)(end - line), line);
    }
}

static cli_flag *find_flag(const cli_command *command, const char *name, size_t length)
{
    for (int i = 0; i < command->flag_count; i++)
        if (strlen(command->flags[i].name) == length && !strncmp(command->flags[i].name, name, length))
            return &command->flags[i];
    return NULL;
}

void cli_flag_drop(const cli_command *command, const char *name)
{
    cli_flag *flag = find_flag(command, name, strlen(name));
    flag->given = false;
    if (flag->type == CLI_TEXT)
        *(const char **)flag->target = NULL;
    else
        *(int64_t *)flag->target = 0;
}

static cli_read unknown_flag(const cli_command *command, const char *argument, size_t length)
{
    char typed[LONGEST_NAME];
    const char *names[LONGEST_NAME + 1];
    int count = 0;
    snprintf(typed, sizeof typed, "%.*s", (int)(length < sizeof typed ? length : sizeof typed - 1), argument + 2);
    for (int i = 0; i < command->flag_count && i < LONGEST_NAME; i++)
        names[count++] = command->flags[i].name;
    names[count] = NULL;
    const char *nearest = cli_nearest(typed, names);
    if (nearest)
        cli_fail(command->name, CLI_USAGE, "there is no flag --%s; did you mean --%s?", typed, nearest);
    else
        cli_fail(command->name, CLI_USAGE, "there is no flag --%s", typed);
    return wrong(command);
}

/* One argument that begins with --, and the one behind it where that is its value. *used counts both. */
static cli_read read_flag(cli_command *command, int count, const char *const *arguments, int *used)
{
    const char *argument = arguments[0], *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) - 2 : strlen(argument) - 2;
    cli_flag *flag = find_flag(command, argument + 2, length);

    *used = 1;
    if (!flag)
        return unknown_flag(command, argument, length);
    if (flag->type == CLI_SWITCH) {
        if (!equals)
            return read_value(command, flag, "");
        cli_fail(command->name, CLI_USAGE, "--%s takes no value", flag->name);
        return CLI_READ_WRONG;
    }
    if (equals)
        return read_value(command, flag, equals + 1);
    if (count < 2) {
        cli_fail(command->name, CLI_USAGE, "--%s needs a value: --%s %s", flag->name, flag->name, flag->value);
        return CLI_READ_WRONG;
    }
    *used = 2;
    return read_value(command, flag, arguments[1]);
}

cli_read cli_flags_read(cli_command *command, int count, const char *const *arguments)
{
    for (int i = 0, used; i < count; i += used) {
        cli_read result = CLI_READ_OK;
        used = 1;
        if (!strcmp(arguments[i], "--help") || !strcmp(arguments[i], "-h")) {
            print_help(command);
            return CLI_READ_HELP;
        }
        if (!strcmp(arguments[i], CLI_DESCRIBE)) {
            print_description(command);
            return CLI_READ_HELP;
        }
        if (!strncmp(arguments[i], "--", 2) && arguments[i][2]) {
            result = read_flag(command, count - i, arguments + i, &used);
        } else if (command->word_count < command->max_words) {
            command->words[command->word_count++] = arguments[i];
        } else {
            cli_fail(command->name, CLI_USAGE, "what is '%s'? Flags begin with --", arguments[i]);
            result = wrong(command);
        }
        if (result != CLI_READ_OK)
            return result;
    }
    return CLI_READ_OK;
}

cli_read cli_flags_read_text(cli_command *command, char *text)
{
    const char *pieces[2 * LONGEST_NAME] = {0};
    int count = 0;
    while (text && *text && count < 2 * LONGEST_NAME) {
        char *end = strchr(text, '\n');
        pieces[count++] = text;
        if (end)
            *end = 0;
        text = end ? end + 1 : NULL;
    }
    return cli_flags_read(command, count, pieces);
}

void cli_flag_value(const cli_flag *flag, char *text, size_t size)
{
    switch (flag->type) {
    case CLI_COUNT:
        snprintf(text, size, "%lld", (long long)*(const int64_t *)flag->target);
        return;
    case CLI_NUMBER:
        data_number_print(*(const double *)flag->target, text, size);
        return;
    case CLI_CHOICE:
        snprintf(text, size, "%s", flag->choices[*(const int *)flag->target]);
        return;
    case CLI_TEXT:
        snprintf(text, size, "%s", *(const char *const *)flag->target);
        return;
    case CLI_SWITCH:
        break;
    }
    text[0] = 0;
}

bool cli_flag_same(const cli_flag *a, const cli_flag *b)
{
    switch (a->type) {
    case CLI_COUNT:
        return *(const int64_t *)a->target == *(const int64_t *)b->target;
    case CLI_NUMBER:
        return *(const double *)a->target == *(const double *)b->target;
    case CLI_CHOICE:
        return *(const int *)a->target == *(const int *)b->target;
    case CLI_TEXT:
        return !strcmp(*(const char *const *)a->target, *(const char *const *)b->target);
    case CLI_SWITCH:
        break;
    }
    return *(const bool *)a->target == *(const bool *)b->target;
}

char *cli_flags_write(const cli_command *command)
{
    enum { LONGEST_VALUE = 4200 };
    char *all = calloc((size_t)command->flag_count + 1, LONGEST_NAME + LONGEST_VALUE), *at = all;
    for (int i = 0; all && i < command->flag_count; i++) {
        const cli_flag *flag = &command->flags[i];
        char value[LONGEST_VALUE];
        if (!flag->given || flag->local)
            continue;
        cli_flag_value(flag, value, sizeof value);
        at += sprintf(at, "%s--%s%s%s", at == all ? "" : "\n", flag->name, flag->type == CLI_SWITCH ? "" : "\n", value);
    }
    return all;
}
