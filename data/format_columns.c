/* format_columns.c - pairs from columns: CSV by RFC 4180, with commas or semicolons, and
 * TSV. */
#include "format.h"

#include <stdio.h>
#include <string.h>

/* The columns of a source and a target, and of up to 14 kinds of tags. */
enum { MOST_WANTED = 16, SOURCE = 0, TARGET = 1, TAGS = 2 };

/* A column that is wanted. */
typedef struct wanted_column {
    data_view name; /* as the format has it */
    int64_t index;  /* from 0; -1: not found */
    bool is_number;
} wanted_column;

typedef struct column_reader {
    const data_format_input *input;
    wanted_column wanted[MOST_WANTED];
    int wanted_count;
    bool has_header;
    char separator;
    bool quotes;
    size_t at;    /* in the text: the next field */
    int64_t line; /* there */
} column_reader;

/* A field, without the quotes around it. */
typedef struct column_field {
    data_view text;
    bool quoted;
} column_field;

static const char separators[] = {0, '\t', ',', ';'}; /* by data_separator */

const char *data_separator_name(int separator)
{
    static const char *const names[] = {"found", "tab", "comma", "semicolon"};
    return separator >= DATA_SEPARATOR_FOUND && separator <= DATA_SEPARATOR_SEMICOLON ? names[separator] : NULL;
}

static const char *separator_title(const column_reader *r)
{
    return r->separator == '\t' ? "TABs" : r->separator == ',' ? "commas" : "semicolons";
}

/* The bytes of a name that a sentence shows. */
static int shown_size(data_view name)
{
    return name.size < 40 ? (int)name.size : 40;
}

/* The column as a sentence names it. */
typedef char column_title[64];
static const char *title_of(const wanted_column *column, column_title title)
{
    if (column->is_number)
        snprintf(title, sizeof(column_title), "%lld", (long long)column->index + 1);
    else
        snprintf(title, sizeof(column_title), "%lld (%.*s)", (long long)column->index + 1, shown_size(column->name),
                 column->name.text);
    return title;
}

/* ---- Which columns ----------------------------------------------------------------- */

static data_view trim(data_view text)
{
    while (text.size > 0 && *text.text == ' ')
        text = (data_view){text.text + 1, text.size - 1};
    while (text.size > 0 && text.text[text.size - 1] == ' ')
        text.size--;
    return text;
}

/* Reads a number of a column, from 1. False if the text is a name. */
static bool read_number(data_view text, int64_t *index)
{
    int64_t number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
        number = number < 1000000000 ? 10 * number + (text.text[i] - '0') : number;
    }
    *index = number - 1;
    return text.size > 0;
}

static ag_status read_wanted(column_reader *r)
{
    const char *list = r->input->format->columns;
    ag_error *error = r->input->error;
    data_view rest = {list, strlen(list)}, name;
    for (bool more = true; more; r->wanted_count++) {
        more = data_view_cut(&rest, ',', &name);
        if (r->wanted_count == MOST_WANTED)
            return ag_error_set(error, AG_BAD_VALUE, "--columns %s: more than %d columns", list, MOST_WANTED);
        wanted_column *column = &r->wanted[r->wanted_count];
        *column = (wanted_column){.name = trim(name), .index = -1};
        column->is_number = read_number(column->name, &column->index);
        r->has_header = r->has_header || !column->is_number;
        if (column->is_number && column->index < 0)
            return ag_error_set(error, AG_BAD_VALUE, "--columns %s: the first column has the number 1", list);
        if (column->name.size == 0)
            return ag_error_set(error, AG_BAD_VALUE, "--columns %s: number or name %d is empty", list,
                                r->wanted_count + 1);
    }
    if (r->wanted_count == 1)
        return ag_error_set(error, AG_BAD_VALUE,
                            "--columns %s: two columns are needed, the source's and the target's: --columns 1,2, say",
                            list);
    return AG_OK;
}

/* ---- Fields ------------------------------------------------------------------------ */

static const char *text_at(const column_reader *r)
{
    return r->input->text.text + r->at;
}

static size_t bytes_left(const column_reader *r)
{
    return r->input->text.size - r->at;
}

/* Moves past `size` bytes and counts the ends of lines among them. */
static void skip_bytes(column_reader *r, size_t size)
{
    const char *text = text_at(r), *end = text + size;
    for (const char *feed; text < end && (feed = memchr(text, '\n', (size_t)(end - text))); text = feed + 1)
        r->line++;
    r->at += size;
}

/* Reads a field that begins with a quote. */
static ag_status read_quoted(column_reader *r, int64_t index, column_field *field)
{
    const char *begin = text_at(r) + 1, *end = begin, *stop = text_at(r) + bytes_left(r);
    while ((end = end < stop ? memchr(end, '"', (size_t)(stop - end)) : NULL) && end + 1 < stop && end[1] == '"')
        end += 2;
    if (!end)
        return ag_error_set(r->input->error, AG_BAD_FILE,
                            "%s:%lld: column %lld: the quote that opens here is never closed (--no-quotes reads quotes "
                            "as characters)",
                            r->input->name, (long long)r->line, (long long)index + 1);
    *field = (column_field){{begin, (size_t)(end - begin)}, true};
    skip_bytes(r, field->text.size + 2);
    const size_t left = bytes_left(r);
    const char *after = text_at(r);
    if (left == 0 || *after == r->separator || *after == '\n' || (*after == '\r' && (left == 1 || after[1] == '\n')))
        return AG_OK;
    return ag_error_set(r->input->error, AG_BAD_FILE,
                        "%s:%lld: column %lld goes on after its closing quote (--no-quotes reads quotes as characters)",
                        r->input->name, (long long)r->line, (long long)index + 1);
}

/* Reads a field up to a separator or the end of the line. */
static ag_status read_bare(column_reader *r, int64_t index, column_field *field)
{
    const char *text = text_at(r);
    const size_t left = bytes_left(r);
    size_t size = 0;
    while (size < left && text[size] != r->separator && text[size] != '\n' && text[size] != '\r')
        size++;
    *field = (column_field){{text, size}, false};
    r->at += size;
    if (size == left || text[size] != '\r' || size + 1 == left || text[size + 1] == '\n')
        return AG_OK;
    return ag_error_set(r->input->error, AG_BAD_FILE,
                        "%s:%lld: column %lld has a carriage return (if lines end with CR alone: tr '\\r' '\\n')",
                        r->input->name, (long long)r->line, (long long)index + 1);
}

/* Reads the next field and what ends it. *last: it was the row's last. */
static ag_status next_field(column_reader *r, int64_t index, column_field *field, bool *last)
{
    const bool quoted = r->quotes && bytes_left(r) > 0 && *text_at(r) == '"';
    const ag_status status = quoted ? read_quoted(r, index, field) : read_bare(r, index, field);
    *last = bytes_left(r) == 0 || *text_at(r) != r->separator;
    if (status == AG_OK && bytes_left(r) > 0)
        skip_bytes(r, *text_at(r) == '\r' && bytes_left(r) > 1 ? 2 : 1);
    return status;
}

/* Reads a row: fields [wanted_count] get the wanted columns that it has. */
static ag_status next_row(column_reader *r, column_field *fields, int64_t *count)
{
    column_field field;
    ag_status status = AG_OK;
    *count = 0;
    for (bool last = false; !last && status == AG_OK; ++*count) {
        status = next_field(r, *count, &field, &last);
        for (int i = 0; i < r->wanted_count && status == AG_OK; i++)
            if (r->wanted[i].index == *count)
                fields[i] = field;
    }
    return status;
}

/* ---- The first line ---------------------------------------------------------------- */

/* Whether the field is the name. */
static bool is_name(const column_field *field, data_view name)
{
    const data_view own = trim(field->text);
    return own.size == name.size && (own.size == 0 || !memcmp(own.text, name.text, own.size));
}

/* The first row as one separator cuts it. */
typedef struct row_trial {
    wanted_column wanted[MOST_WANTED];
    int64_t count; /* of columns */
    bool fits;     /* all wanted columns are there */
    int repeated;  /* the number of one whose name two columns have; -1: none */
    bool failed;
    ag_error error; /* if failed */
} row_trial;

/* The first wanted column that is not there; wanted_count: none. */
static int missing_column(const column_reader *r, const row_trial *trial)
{
    int i = 0;
    while (i < r->wanted_count && trial->wanted[i].index >= 0 && trial->wanted[i].index < trial->count)
        i++;
    return i;
}

/* Reads the first row with a copy of the reader, and finds the named columns in it. */
static row_trial try_separator(column_reader r, char separator)
{
    row_trial trial = {.repeated = -1};
    data_format_input input = *r.input;
    input.error = &trial.error;
    r.input = &input;
    r.separator = separator;
    memcpy(trial.wanted, r.wanted, sizeof trial.wanted);
    for (bool last = false; !last && !trial.failed; trial.count++) {
        column_field field;
        trial.failed = next_field(&r, trial.count, &field, &last) != AG_OK;
        for (int i = 0; i < r.wanted_count && !trial.failed; i++) {
            wanted_column *column = &trial.wanted[i];
            if (column->is_number || !is_name(&field, column->name))
                continue;
            if (column->index >= 0)
                trial.repeated = i;
            else
                column->index = trial.count;
        }
    }
    trial.fits = !trial.failed && missing_column(&r, &trial) == r.wanted_count;
    return trial;
}

/* Refuses a first row without the columns. */
static ag_status refuse_first_row(column_reader *r, const row_trial *trial)
{
    const int missing = missing_column(r, trial);
    const wanted_column *column = &trial->wanted[missing];
    char list[200] = "";
    size_t used = 0;
    if (trial->failed)
        return ag_error_set(r->input->error, trial->error.status, "%s", trial->error.message);
    if (column->is_number)
        return ag_error_set(r->input->error, AG_BAD_FILE,
                            "%s:%lld: the row has %lld %s with %s between, and --columns %s needs more (--separator "
                            "names another one)",
                            r->input->name, (long long)r->line, (long long)trial->count,
                            ag_plural(trial->count, "column", "columns"), separator_title(r),
                            r->input->format->columns);
    const int64_t line = r->line;
    for (int64_t i = 0; i < trial->count && used < sizeof list; i++) {
        column_field field;
        bool last;
        if (next_field(r, i, &field, &last) != AG_OK)
            break;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%.*s", i ? ", " : "", shown_size(field.text),
                                 field.text.text);
    }
    return ag_error_set(r->input->error, AG_BAD_FILE,
                        "%s:%lld: no column is named '%.*s'; with %s between, they are: %s", r->input->name,
                        (long long)line, shown_size(column->name), column->name.text, separator_title(r), list);
}

/* Finds the separator, and the columns that are named. A TAB that fits is the one, since
 * texts rarely have it; a row of one column alone has any. */
static ag_status read_first_row(column_reader *r)
{
    const int given = (int)r->input->format->separator, first = given ? given : DATA_SEPARATOR_TAB,
              last = given ? given : DATA_SEPARATOR_SEMICOLON;
    row_trial chosen = {.count = 0};
    int fitting = 0;
    for (int s = first; s <= last && !(fitting && r->separator == '\t'); s++) {
        const row_trial trial = try_separator(*r, separators[s]);
        const bool fits = trial.fits && (trial.count > 1 || given);
        if (fits ? !fitting : !fitting && trial.count > chosen.count) {
            chosen = trial;
            r->separator = separators[s];
        }
        fitting += fits;
    }
    if (fitting > 1)
        return ag_error_set(
            r->input->error, AG_BAD_FILE,
            "%s:%lld: between the columns may be commas or semicolons: --separator comma or --separator "
            "semicolon says which",
            r->input->name, (long long)r->line);
    if (!chosen.fits)
        return refuse_first_row(r, &chosen);
    if (chosen.repeated >= 0)
        return ag_error_set(r->input->error, AG_BAD_FILE, "%s:%lld: two columns are named '%.*s': rename one of them",
                            r->input->name, (long long)r->line, shown_size(r->wanted[chosen.repeated].name),
                            r->wanted[chosen.repeated].name.text);
    memcpy(r->wanted, chosen.wanted, sizeof chosen.wanted);
    column_field header[MOST_WANTED];
    int64_t count;
    return r->has_header ? next_row(r, header, &count) : AG_OK;
}

/* ---- Rows -------------------------------------------------------------------------- */

/* Puts the tags of a field, each with a TAB after it. */
static bool put_tags(data_lines *lines, const column_field *field)
{
    data_view rest = field->text, part, tag;
    bool done = true;
    while (rest.size > 0 && done) {
        data_view_cut(&rest, ';', &part);
        while (part.size > 0 && done) {
            data_view_cut(&part, '|', &tag);
            tag = trim(tag);
            if (!data_view_empty(tag))
                done = data_lines_put_cell(lines, tag, field->quoted) && data_lines_put(lines, "\t", 1);
        }
    }
    return done;
}

static ag_status put_row(column_reader *r, const column_field *fields, int64_t line)
{
    const data_format_input *input = r->input;
    data_lines *lines = input->lines;
    bool done = data_lines_begin(lines, line);
    for (int i = TAGS; i < r->wanted_count && done; i++)
        done = put_tags(lines, &fields[i]);
    done = done && data_lines_put_cell(lines, fields[SOURCE].text, fields[SOURCE].quoted) &&
           data_lines_put(lines, "\t", 1) && data_lines_put_cell(lines, fields[TARGET].text, fields[TARGET].quoted);
    return done && data_lines_end(lines) ? AG_OK : data_lines_no_memory(input);
}

/* Checks a row and makes a line of it. An empty row is skipped. */
static ag_status read_row(column_reader *r)
{
    column_field fields[MOST_WANTED] = {{{"", 0}, false}};
    column_title title;
    const int64_t line = r->line;
    int64_t count;
    const char *text = text_at(r);
    ag_status status = next_row(r, fields, &count);
    if (status != AG_OK)
        return status;
    if (count == 1 && data_view_empty((data_view){text, (size_t)(text_at(r) - text)}))
        return AG_OK;
    for (int i = 0; i < r->wanted_count; i++) {
        const wanted_column *column = &r->wanted[i];
        if (column->index >= count)
            return ag_error_set(r->input->error, AG_BAD_FILE,
                                "%s:%lld: column %s is missing: the row has %lld %s with %s between (--separator, "
                                "--no-quotes)",
                                r->input->name, (long long)line, title_of(column, title), (long long)count,
                                ag_plural(count, "column", "columns"), separator_title(r));
        if (i < TAGS && !r->input->keeps_empty && data_view_empty(fields[i].text))
            return ag_error_set(r->input->error, AG_BAD_FILE, "%s:%lld: column %s, the %s, is empty", r->input->name,
                                (long long)line, title_of(column, title), i == SOURCE ? "source" : "target");
    }
    return put_row(r, fields, line);
}

ag_status data_columns_read(const data_format_input *input)
{
    column_reader r = {.input = input, .line = 1, .quotes = !input->format->no_quotes};
    ag_status status = read_wanted(&r);
    while (status == AG_OK && bytes_left(&r) > 0 && (*text_at(&r) == '\n' || *text_at(&r) == '\r'))
        skip_bytes(&r, 1); /* empty lines before the first row */
    if (status == AG_OK && bytes_left(&r) > 0)
        status = read_first_row(&r);
    while (status == AG_OK && bytes_left(&r) > 0)
        status = read_row(&r);
    return status;
}
