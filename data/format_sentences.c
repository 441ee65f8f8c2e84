/* format_sentences.c - pairs from sentences of tagged words: CoNLL-U, and blocks of lines
 * `word tag` with empty lines between. A sentence is a pair: its words, and their tags,
 * each with one space between. */
#include "format.h"
#include "files/grow.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

typedef struct sentence_word {
    data_view word, tag;
} sentence_word;

/* The sentence that is read. */
typedef struct sentence {
    sentence_word *words; /* [count] */
    size_t count, capacity;
    int64_t line; /* its first word's */
} sentence;

static bool add_word(sentence *s, sentence_word word, int64_t line)
{
    if (!data_grow(s->words, s->count, &s->capacity))
        return false;
    s->line = s->count ? s->line : line;
    s->words[s->count++] = word;
    return true;
}

/* One side of the sentence. */
static bool put_side(data_lines *lines, const sentence *s, bool tags)
{
    bool done = true;
    for (size_t i = 0; i < s->count && done; i++)
        done = (i == 0 || data_lines_put(lines, " ", 1)) &&
               data_lines_put_word(lines, tags ? s->words[i].tag : s->words[i].word);
    return done;
}

/* Makes the words a line, and the sentence empty. */
static bool end_sentence(data_lines *lines, sentence *s)
{
    const bool done = s->count == 0 || (data_lines_begin(lines, s->line) && put_side(lines, s, false) &&
                                        data_lines_put(lines, "\t", 1) && put_side(lines, s, true) &&
                                        data_lines_end(lines));
    s->count = 0;
    return done;
}

/* ---- CoNLL-U ----------------------------------------------------------------------- */

/* Universal Dependencies, "CoNLL-U Format", universaldependencies.org/format.html. */

enum { COLUMNS = 10, ID = 0, FORM = 1 };

static const int column_of_field[] = {
    [DATA_LEMMA] = 2, [DATA_UPOS] = 3, [DATA_XPOS] = 4, [DATA_FEATS] = 5, [DATA_DEPREL] = 7, [DATA_MISC] = 9,
};

const char *data_conllu_field_name(int field)
{
    static const char *const names[] = {"upos", "xpos", "lemma", "feats", "deprel", "misc"};
    return field >= DATA_UPOS && field <= DATA_MISC ? names[field] : NULL;
}

/* Cuts a line at its TABs; returns the number of columns, of which `columns` gets the
 * first COLUMNS. */
static int cut_columns(data_view line, data_view columns[COLUMNS])
{
    int count = 0;
    data_view column;
    for (bool more = true; more; count++) {
        more = data_view_cut(&line, '\t', &column);
        if (count < COLUMNS)
            columns[count] = column;
    }
    return count;
}

/* The number at the beginning of an ID: *size is the number of its digits. */
static int64_t id_number(data_view id, size_t *size)
{
    enum { MOST_DIGITS = 9 };
    int64_t number = 0;
    size_t at = 0;
    for (; at < id.size && at < MOST_DIGITS && id.text[at] >= '0' && id.text[at] <= '9'; at++)
        number = 10 * number + (id.text[at] - '0');
    *size = at;
    return number;
}

/* Whether an ID is that of a multiword token (3-4) or an empty node (5.1). */
static bool is_no_word(data_view id)
{
    size_t first, second = 0;
    id_number(id, &first);
    if (first == 0 || first >= id.size || (id.text[first] != '-' && id.text[first] != '.'))
        return false;
    const data_view rest = {id.text + first + 1, id.size - first - 1};
    id_number(rest, &second);
    return second > 0 && second == rest.size;
}

static ag_status refuse_columns(const data_format_input *input, int count, int64_t number)
{
    if (count <= 2)
        return ag_error_set(input->error, AG_BAD_FILE,
                            "%s:%lld: %d %s where CoNLL-U has %d with TABs between (lines of a word and a tag: "
                            "--blocks FILE)",
                            input->name, (long long)number, count, ag_plural(count, "column", "columns"), COLUMNS);
    return ag_error_set(input->error, AG_BAD_FILE,
                        "%s:%lld: %d columns where CoNLL-U has %d with TABs between (cut -f N,M makes of two of them "
                        "a file for --blocks)",
                        input->name, (long long)number, count, COLUMNS);
}

/* Adds the word of a line. *known: a word has had the field. */
static ag_status add_conllu_line(const data_format_input *input, sentence *s, data_view line, int64_t number,
                                 bool *known)
{
    data_view columns[COLUMNS];
    const int count = cut_columns(line, columns), field = column_of_field[input->format->field];
    size_t digits;
    if (count != COLUMNS)
        return refuse_columns(input, count, number);
    if (is_no_word(columns[ID]))
        return AG_OK;
    const int64_t id = id_number(columns[ID], &digits), expected = (int64_t)s->count + 1;
    if (digits == 0 || digits != columns[ID].size || id != expected)
        return ag_error_set(input->error, AG_BAD_FILE,
                            "%s:%lld: column 1 (ID) is '%.*s' where word %lld of the sentence is expected (an empty "
                            "line ends a sentence)",
                            input->name, (long long)number, (int)(columns[ID].size < 40 ? columns[ID].size : 40),
                            columns[ID].text, (long long)expected);
    const int empty = data_view_empty(columns[FORM]) ? FORM : data_view_empty(columns[field]) ? field : 0;
    if (empty)
        return ag_error_set(input->error, AG_BAD_FILE, "%s:%lld: column %d (%s) is empty; CoNLL-U has _ there",
                            input->name, (long long)number, empty + 1,
                            empty == FORM ? "form" : data_conllu_field_name((int)input->format->field));
    *known = *known || columns[field].size != 1 || *columns[field].text != '_';
    return add_word(s, (sentence_word){columns[FORM], columns[field]}, number) ? AG_OK : data_lines_no_memory(input);
}

/* ---- Blocks ------------------------------------------------------------------------ */

/* The part of a text before its first white space, which moves past that. */
static data_view cut_word(data_view *text)
{
    size_t size = 0;
    int space = 0;
    while (size < text->size && !(space = data_utf8_space(text->text + size, text->size - size)))
        size += (size_t)ag_utf8_length(text->text + size, text->size - size);
    const data_view word = {text->text, size};
    for (; space; space = data_utf8_space(text->text + size, text->size - size))
        size += (size_t)space;
    *text = (data_view){text->text + size, text->size - size};
    return word;
}

/* Cuts a line into words: at TABs if it has any, else at white space. Returns their
 * number; the first and the second are set. */
static int cut_block_line(data_view line, sentence_word *word)
{
    const bool tabs = memchr(line.text, '\t', line.size) != NULL;
    int count = 0;
    bool more = true;
    for (data_view column; tabs ? more : line.size > 0; count++) {
        if (tabs)
            more = data_view_cut(&line, '\t', &column);
        else
            column = cut_word(&line);
        if (count < 2)
            *(count ? &word->tag : &word->word) = column;
    }
    return count;
}

static ag_status add_block_line(const data_format_input *input, sentence *s, data_view line, int64_t number,
                                bool *known)
{
    static const char document[] = "-DOCSTART-";
    sentence_word word = {{"", 0}, {"", 0}};
    const int count = cut_block_line(line, &word);
    *known = true;
    if (word.word.size == strlen(document) && !memcmp(word.word.text, document, word.word.size))
        return AG_OK; /* CoNLL-2003 begins a document with such a line */
    if (count != 2)
        return ag_error_set(input->error, AG_BAD_FILE, "%s:%lld: %d %s where a word and its tag are expected (%s)",
                            input->name, (long long)number, count, ag_plural(count, "column", "columns"),
                            count == COLUMNS ? "CoNLL-U: --conllu FILE --field upos"
                                             : "cut -f N,M keeps two of them where TABs are between");
    if (data_view_empty(word.word) || data_view_empty(word.tag))
        return ag_error_set(input->error, AG_BAD_FILE, "%s:%lld: column %d (the %s) is empty", input->name,
                            (long long)number, data_view_empty(word.word) ? 1 : 2,
                            data_view_empty(word.word) ? "word" : "tag");
    return add_word(s, word, number) ? AG_OK : data_lines_no_memory(input);
}

/* ---- Both -------------------------------------------------------------------------- */

typedef ag_status (*line_adder)(const data_format_input *input, sentence *s, data_view line, int64_t number,
                                bool *known);

/* Adds the words of all lines. Lines that begin with `comment` (0: none) are skipped
 * between sentences. */
static ag_status read_sentences(const data_format_input *input, line_adder add, char comment)
{
    sentence s = {0};
    bool known = false;
    size_t at = 0;
    data_view line;
    ag_status status = AG_OK;
    for (int64_t number = 1; status == AG_OK; number++) {
        const bool more = data_line_next(input->text.text, input->text.size, &at, &line.text, &line.size);
        if (!more || data_view_empty(line))
            status = end_sentence(input->lines, &s) ? AG_OK : data_lines_no_memory(input);
        else if (!comment || *line.text != comment)
            status = add(input, &s, line, number, &known);
        if (!more)
            break;
    }
    free(s.words);
    if (status == AG_OK && !known && input->lines->count > 0)
        return ag_error_set(input->error, AG_BAD_FILE,
                            "%s: the field %s is _ in all words, so there is nothing to learn: another --field?",
                            input->name, data_conllu_field_name((int)input->format->field));
    return status;
}

ag_status data_conllu_read(const data_format_input *input)
{
    return read_sentences(input, add_conllu_line, '#');
}

ag_status data_blocks_read(const data_format_input *input)
{
    return read_sentences(input, add_block_line, 0);
}
