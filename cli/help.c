/* help.c - see help.h. */
#include "help.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DEFAULT_COLUMNS = 80, LEAST_COLUMNS = 20, FLAG_COLUMN = 27, LEAST_TEXT = 30 };

/* ---- Folding ----------------------------------------------------------------------- */

/* 0 where `out` is not a terminal, or the system does not know its width. */
static long terminal_columns(FILE *out)
{
#ifdef TIOCGWINSZ
    struct winsize size;
    if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0)
        return size.ws_col;
#else
    (void)out;
#endif
    return 0;
}

int cli_columns(FILE *out)
{
    const char *said = getenv("COLUMNS");
    long columns = said ? strtol(said, NULL, 10) : 0;
    if (columns <= 0)
        columns = terminal_columns(out);
    if (columns <= 0)
        return DEFAULT_COLUMNS;
    return columns < LEAST_COLUMNS ? LEAST_COLUMNS : columns > 1000 ? 1000 : (int)columns;
}

/* The number of characters in UTF-8 text [size]. */
static int width_of(const char *text, size_t size)
{
    int width = 0;
    for (size_t i = 0; i < size; i++)
        width += ((unsigned char)text[i] & 0xC0) != 0x80;
    return width;
}

/* Prints the words of text [size], beginning at column `at`, and continues lines at
 * column `indent`. Ends the last line. */
static void print_folded(FILE *out, const char *text, size_t size, int at, int indent)
{
    const int columns = cli_columns(out);
    bool first = true;
    for (size_t i = 0, end; i < size; i = end) {
        while (i < size && (text[i] == ' ' || text[i] == '\n'))
            i++;
        for (end = i; end < size && text[end] != ' ' && text[end] != '\n';)
            end++;
        const int width = width_of(text + i, end - i);
        if (!first && at + 1 + width > columns) {
            fprintf(out, "\n%*s", indent, "");
            at = indent;
        } else if (!first && width) {
            putc(' ', out);
            at++;
        }
        fwrite(text + i, 1, end - i, out);
        at += width;
        first = false;
    }
    putc('\n', out);
}

void cli_print_prose(FILE *out, const char *text)
{
    while (*text) {
        size_t size = strcspn(text, "\n");
        if (*text != ' ' && size > 0) /* a paragraph ends before an empty or an indented line */
            while (text[size] && text[size + 1] && text[size + 1] != '\n' && text[size + 1] != ' ')
                size += 1 + strcspn(text + size + 1, "\n");
        if (*text == ' ' || size == 0)
            fprintf(out, "%.*s\n", (int)size, text);
        else
            print_folded(out, text, size, 0, 0);
        text += size + (text[size] == '\n');
    }
}

void cli_print_row(FILE *out, int column, const char *left, const char *text)
{
    const int columns = cli_columns(out), used = 2 + width_of(left, strlen(left));
    const bool narrow = columns < column + LEAST_TEXT;
    if (narrow)
        column = 6;
    fprintf(out, "  %s", left);
    if (narrow || used + 1 > column)
        fprintf(out, "\n%*s", column, "");
    else
        fprintf(out, "%*s", column - used, "");
    print_folded(out, text, strlen(text), column, column);
}

/* ---- Help -------------------------------------------------------------------------- */

/* The default as help shows it: in words, or else the value that the member has before
 * any flag is read, so that help and code cannot disagree. "" where there is nothing to
 * show. `number` is room for the text. */
static const char *default_of(const cli_flag *flag, char number[CLI_VALUE_SIZE])
{
    const char *words = flag->otherwise ? flag->otherwise : flag->field->otherwise;
    if (words)
        return words;
    cli_flag_value(flag, number, CLI_VALUE_SIZE);
    return number;
}

/* Prints the help of a flag: its text, the words it may have, and its default in
 * brackets. */
static void print_flag(const cli_flag *flag)
{
    char left[64], text[2048];
    const train_field *field = flag->field;
    snprintf(left, sizeof left, "--%s%s%s", field->name, field->value ? " " : "", field->value ? field->value : "");
    size_t used = (size_t)snprintf(text, sizeof text, "%s", field->help);
    const char *choice;
    for (int i = 0; field->names && (choice = field->names(i)) && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : *field->help ? ": " : "", choice);
    char number[CLI_VALUE_SIZE];
    const char *otherwise = default_of(flag, number);
    if (*otherwise && used < sizeof text)
        snprintf(text + used, sizeof text - used, "%s[%s]", used ? " " : "", otherwise);
    cli_print_row(stdout, FLAG_COLUMN, left, text);
}

void cli_help_print(const cli_command *command)
{
    char line[256];
    snprintf(line, sizeof line, "tapeformer %s: %s\n\n", command->name, command->summary);
    cli_print_prose(stdout, line);
    snprintf(line, sizeof line, "Usage: tapeformer %s %s", command->name, command->usage);
    print_folded(stdout, line, strlen(line), 0, (int)strlen("Usage: "));
    puts("\nFlags:");
    for (int i = 0; i < command->flag_count; i++)
        print_flag(&command->flags[i]);
    cli_print_row(stdout, FLAG_COLUMN, "--help", "this text");
    if (command->details) {
        putchar('\n');
        cli_print_prose(stdout, command->details);
    }
}

void cli_help_describe(const cli_command *command)
{
    printf("command\t%s\t%s\t%s\t%s\n", command->name, command->summary, command->usage,
           command->max_words ? "FILE" : "");
    for (int i = 0; i < command->flag_count; i++) {
        const train_field *field = command->flags[i].field;
        const char *choice;
        printf("flag\t%s\t%s\t%s\t%s\t", command->name, field->name, field->value ? field->value : "", field->help);
        for (int c = 0; field->names && (choice = field->names(c)); c++)
            printf("%s%s", c ? " " : "", choice);
        char number[CLI_VALUE_SIZE];
        printf("\t%s\n", default_of(&command->flags[i], number));
    }
    for (const char *line = command->details, *end; line && *line; line = *end ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        printf("detail\t%s\t%.*s\n", command->name, (int)(end - line), line);
    }
}
