/* vocab_text.c - a vocabulary as text: one line, as in the metadata of a checkpoint, or a
 * file of lines.
 *
 * The one line is the kind, the number of tokens without the marks, and the tokens by
 * id, each after one space:
 *
 *     chars 4 a b \20 \5c
 *
 * In place of tokens, "bpe" has merges, each as the two tokens that it joins, in their
 * visible form (bpe.h): the tokens follow from the merges, in their order after the 256
 * bytes.
 *
 * The text of a vocabulary of data_vocab_list begins with the ids of its marks, -1 for
 * none, and has all its tokens; those of "bpe" are followed by the number of merges and
 * these:
 *
 *     marks -1 300 300 -1 bpe 301 ! " # .. <|endoftext|> 44 t h ..
 *
 * A space, a backslash and control characters are written as a backslash with two
 * hexadecimal digits. In a file, which has a line for each token, spaces may also stand
 * for themselves.
 */
#include "files/mapped_file.h"
#include "files/quote.h"
#include "vocab.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";
/* The word with which the text of a vocabulary of data_vocab_list begins. */
#define LISTED "marks"

const char *data_token_kind_name(int kind)
{
    static const char *const names[] = {"chars", "words", "bpe", "jamo"};
    return kind >= DATA_CHARS && kind <= DATA_JAMO ? names[kind] : NULL;
}

static bool needs_escape(char byte)
{
    unsigned char code = (unsigned char)byte;
    return code <= ' ' || code == '\\' || code == 0x7F;
}

/* ---- Writing ---- */

/* Writes a byte, escaped if it must be, and returns the length. */
static size_t write_byte(char byte, char out[3])
{
    unsigned char code = (unsigned char)byte;
    out[0] = byte;
    if (!needs_escape(byte))
        return 1;
    out[0] = '\\';
    out[1] = digits[code >> 4];
    out[2] = digits[code & 15];
    return 3;
}

/* Writes the escaped token to `out` (NULL: nowhere) and returns its length. */
static size_t write_token(const char *token, char *out)
{
    char form[3];
    size_t length = 0;
    for (; *token; token++)
        length += write_byte(*token, out ? out + length : form);
    return length;
}

/* A text that grows; with `text` NULL it is only measured. */
typedef struct growing_text {
    char *text;
    size_t length;
} growing_text;

static void add_word(growing_text *to, const char *word)
{
    if (to->text)
        to->text[to->length] = ' ';
    to->length++;
    to->length += write_token(word, to->text ? to->text + to->length : NULL);
}

static void add_number(growing_text *to, int32_t number)
{
    char word[16];
    snprintf(word, sizeof word, "%d", (int)number);
    add_word(to, word);
}

/* Adds the whole vocabulary, with a space before each word. */
static void add_vocab(growing_text *to, const data_vocab *vocab)
{
    const bool listed = data_vocab_is_listed(vocab), bpe = data_vocab_kind(vocab) == DATA_BPE;
    const int32_t size = data_vocab_size(vocab), first = listed ? 0 : DATA_SPECIALS;
    if (listed)
        add_word(to, LISTED);
    for (int mark = 0; listed && mark < DATA_SPECIALS; mark++)
        add_number(to, data_vocab_marks(vocab)[mark]);
    add_word(to, data_token_kind_name((int)data_vocab_kind(vocab)));
    if (listed || !bpe)
        add_number(to, size - first);
    for (int32_t id = first; id < size && (listed || !bpe); id++)
        add_word(to, data_vocab_token(vocab, id));
    if (bpe)
        add_number(to, data_vocab_merges(vocab));
    for (int32_t i = 0; i < data_vocab_merges(vocab); i++) {
        int32_t left, right;
        data_vocab_merge(vocab, i, &left, &right);
        add_word(to, data_vocab_token(vocab, left));
        add_word(to, data_vocab_token(vocab, right));
    }
}

char *data_vocab_write(const data_vocab *vocab, ag_error *error)
{
    growing_text to = {NULL, 0};
    const int32_t size = data_vocab_size(vocab);
    add_vocab(&to, vocab);
    to = (growing_text){malloc(to.length + 1), 0};
    if (!to.text) {
        ag_error_set(error, AG_NO_MEMORY, "no memory for the text of a vocabulary of %d %s", (int)size,
                     ag_plural(size, "token", "tokens"));
        return NULL;
    }
    add_vocab(&to, vocab);
    memmove(to.text, to.text + 1, to.length - 1); /* without the first space */
    to.text[to.length - 1] = '\0';
    return to.text;
}

/* ---- Reading ---- */

static int digit_value(char byte)
{
    const char *found = byte ? strchr(digits, byte) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* Decodes the escapes of text [size] into `out` and returns the token's size; 0 if it is
 * empty or an escape is wrong, or, if `strict`, a byte that needs an escape has none. */
static size_t unescape(const char *text, size_t size, bool strict, char *out)
{
    size_t length = 0;
    for (size_t at = 0; at < size; at++) {
        char byte = text[at];
        if (byte == '\\') {
            int high = size - at > 2 ? digit_value(text[at + 1]) : -1, low = high >= 0 ? digit_value(text[at + 2]) : -1;
            if (low < 0)
                return 0;
            byte = (char)(high << 4 | low);
            at += 2;
        } else if (strict && needs_escape(byte)) {
            return 0;
        }
        out[length++] = byte;
    }
    return length;
}

/* Reads a space and a number that is not negative, or -1, and moves *text past it. */
static bool read_number(const char **text, int32_t *number)
{
    const char *at = *text;
    int32_t value = 0;
    if (*at++ != ' ')
        return false;
    const bool none = at[0] == '-' && at[1] == '1';
    at += none;
    if (*at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (value > (INT32_MAX - 9) / 10)
            return false;
        value = value * 10 + (*at - '0');
    }
    *number = none ? DATA_NONE : value;
    *text = at;
    return !none || value == 1;
}

/* Reads the marks of a listed vocabulary, "marks -1 7 7 -1 ", and moves *text past
 * them. */
static bool read_marks(const char **text, int32_t marks[DATA_SPECIALS])
{
    const char *at = *text + strlen(LISTED);
    for (int mark = 0; mark < DATA_SPECIALS; mark++)
        if (!read_number(&at, &marks[mark]))
            return false;
    *text = at + 1;
    return *at == ' ';
}

/* Reads a kind and the number of tokens, such as "chars 12", and moves *text past it. */
static bool read_head(const char **text, data_token_kind *kind, int32_t *count)
{
    const char *at = *text, *name;
    const size_t length = strcspn(at, " ");
    int i = 0;
    while ((name = data_token_kind_name(i)) && (strlen(name) != length || memcmp(name, at, length)))
        i++;
    at += length;
    *kind = (data_token_kind)i;
    if (!name || !read_number(&at, count) || *count < 0)
        return false;
    *text = at;
    return true;
}

/* Adds the `count` tokens of `text` to the vocabulary; `buffer` has room for the
 * longest. */
static ag_status read_tokens(data_vocab *vocab, const char *text, int32_t count, char *buffer, ag_error *error)
{
    for (int32_t i = 0; i < count; i++) {
        if (*text != ' ')
            return ag_error_set(error, AG_BAD_FILE, "vocabulary: %d %s announced and only %d %s there", (int)count,
                                ag_plural(count, "token is", "tokens are"), (int)i, ag_plural(i, "is", "are"));
        text++;
        size_t size = strcspn(text, " ");
        int32_t id = data_vocab_add(vocab, buffer, unescape(text, size, true, buffer));
        text += size;
        if (id == DATA_NO_MEMORY)
            return ag_error_set(error, AG_NO_MEMORY, "no memory for a vocabulary of %d %s", (int)count,
                                ag_plural(count, "token", "tokens"));
        if (id == DATA_NONE)
            return ag_error_set(error, AG_BAD_FILE, "vocabulary: token %d of %d is malformed", (int)i + 1, (int)count);
        if (id != i + DATA_SPECIALS)
            return ag_error_set(error, AG_BAD_FILE, "vocabulary: token %d of %d is the same as token %d", (int)i + 1,
                                (int)count, (int)id - DATA_SPECIALS + 1);
    }
    if (*text)
        return ag_error_set(error, AG_BAD_FILE, "vocabulary: more follows after the %d %s announced", (int)count,
                            ag_plural(count, "token", "tokens"));
    return AG_OK;
}

/* Adds the `count` merges of `text`, each of two known tokens. */
static ag_status read_merges(data_vocab *vocab, const char *text, int32_t count, char *buffer, ag_error *error)
{
    int32_t parts[2] = {DATA_NONE, DATA_NONE};
    for (int64_t i = 0; i < 2 * (int64_t)count; i++) {
        const long long number = (long long)i / 2 + 1;
        if (*text != ' ')
            return ag_error_set(error, AG_BAD_FILE, "vocabulary: %d %s announced and only %lld %s there", (int)count,
                                ag_plural(count, "merge is", "merges are"), number - 1,
                                ag_plural(number - 1, "is", "are"));
        text++;
        const size_t size = strcspn(text, " ");
        parts[i % 2] = data_vocab_find(vocab, buffer, unescape(text, size, true, buffer));
        text += size;
        const int32_t both = i % 2 ? data_vocab_add_merge(vocab, parts[0], parts[1]) : 0;
        if (both == DATA_NO_MEMORY)
            return ag_error_set(error, AG_NO_MEMORY, "no memory for a vocabulary of %d %s", (int)count,
                                ag_plural(count, "merge", "merges"));
        if (both == DATA_NONE)
            return ag_error_set(error, AG_BAD_FILE,
                                "vocabulary: merge %lld of %d joins tokens that are not there, or comes a second time",
                                number, (int)count);
    }
    if (*text)
        return ag_error_set(error, AG_BAD_FILE, "vocabulary: more follows after the %d %s announced", (int)count,
                            ag_plural(count, "merge", "merges"));
    return AG_OK;
}

/* Cuts the `count` tokens of *text out into `buffer`, in which tokens[i] gets its place,
 * and moves *text past them. */
static ag_status cut_tokens(const char **text, int32_t count, char *buffer, const char **tokens, ag_error *error)
{
    for (int32_t i = 0; i < count; i++) {
        const size_t length = **text == ' ' ? strcspn(*text + 1, " ") : 0;
        const size_t size = unescape(*text + 1, length, true, buffer);
        if (size == 0 || memchr(buffer, '\0', size))
            return ag_error_set(error, AG_BAD_FILE, "vocabulary: token %d of %d is missing or malformed", (int)i + 1,
                                (int)count);
        tokens[i] = buffer;
        buffer[size] = '\0';
        buffer += size + 1;
        *text += 1 + length;
    }
    return AG_OK;
}

/* Reads a vocabulary with the ids of its marks. */
static data_vocab *read_listed(const char *text, char *buffer, ag_error *error)
{
    int32_t marks[DATA_SPECIALS], count, merges = 0;
    data_token_kind kind;
    ag_error problem = {0};
    data_vocab *vocab = NULL;
    if (!read_marks(&text, marks) || !read_head(&text, &kind, &count) || (size_t)count > strlen(text) / 2) {
        ag_error_set(error, AG_BAD_FILE,
                     "vocabulary: \"marks\" are followed by four ids, a kind of tokens, and a number of tokens that "
                     "are there");
        return NULL;
    }
    const char **tokens = malloc(((size_t)count + 1) * sizeof *tokens);
    ag_status status = tokens ? cut_tokens(&text, count, buffer, tokens, error)
                              : ag_error_set(error, AG_NO_MEMORY, "no memory for a vocabulary of %d tokens",
                                             (int)count);
    if (status == AG_OK && !(vocab = data_vocab_list(kind, tokens, count, marks, &problem)))
        status = ag_error_set(error, problem.status == AG_NO_MEMORY ? AG_NO_MEMORY : AG_BAD_FILE, "vocabulary: %.400s",
                              problem.message);
    free(tokens);
    if (status == AG_OK && kind == DATA_BPE && (!read_number(&text, &merges) || merges < 0))
        status = ag_error_set(error, AG_BAD_FILE, "vocabulary: no number of merges follows after the tokens");
    if (status == AG_OK)
        status = read_merges(vocab, text, merges, buffer, error);
    if (status == AG_OK)
        return vocab;
    data_vocab_free(vocab);
    return NULL;
}

/* Reads a vocabulary that begins with the usual marks. */
static data_vocab *read_usual(const char *text, char *buffer, ag_error *error)
{
    data_token_kind kind;
    int32_t count;
    if (!read_head(&text, &kind, &count)) {
        ag_error_set(error, AG_BAD_FILE,
                     "vocabulary: the text does not begin with \"chars\", \"words\", \"jamo\" or \"bpe\" and a "
                     "number of tokens");
        return NULL;
    }
    data_vocab *vocab = data_vocab_new(kind, error);
    if (vocab && (kind == DATA_BPE ? read_merges : read_tokens)(vocab, text, count, buffer, error) == AG_OK)
        return vocab;
    data_vocab_free(vocab);
    return NULL;
}

data_vocab *data_vocab_read(const char *text, ag_error *error)
{
    const size_t size = strlen(text), bad = data_utf8_check(text, size);
    if (bad < size) {
        ag_error_set(error, AG_BAD_FILE, "vocabulary: byte %zu is not well-formed UTF-8", bad + 1);
        return NULL;
    }
    char *buffer = malloc(size + 1);
    if (!buffer) {
        ag_error_set(error, AG_NO_MEMORY, "no memory for a vocabulary of %zu bytes", size);
        return NULL;
    }
    const bool listed = !strncmp(text, LISTED " ", strlen(LISTED " "));
    data_vocab *vocab = (listed ? read_listed : read_usual)(text, buffer, error);
    free(buffer);
    return vocab;
}

/* ---- Files of lines ---- */

/* One reading of one file. */
typedef struct line_reader {
    data_vocab *vocab;
    char *token; /* room for any line */
    char path[SHOWN_PATH];
    ag_error *error;
} line_reader;

/* Adds the token of line number `number`, which gets the next id. */
static ag_status add_line(const line_reader *r, const char *line, size_t size, int64_t number)
{
    const bool words = data_vocab_kind(r->vocab) == DATA_WORDS;
    const int32_t next = data_vocab_size(r->vocab);
    char reason[DATA_TEXT_REASON];
    size_t bad = data_text_check(line, size, reason);
    if (bad < size)
        return ag_error_set(r->error, AG_BAD_FILE, "%s:%lld: byte %zu of the line %s", r->path, (long long)number,
                            bad + 1, reason);
    size_t length = unescape(line, size, false, r->token);
    int32_t id = data_vocab_add(r->vocab, r->token, length);
    if (id == DATA_NO_MEMORY)
        return ag_error_set(r->error, AG_NO_MEMORY, "%s: no memory for a vocabulary of %d %s", r->path, (int)next,
                            ag_plural(next, "token", "tokens"));
    if (id == DATA_NONE && data_utf8_check(r->token, length) < length)
        return ag_error_set(r->error, AG_BAD_FILE, "%s:%lld: the token is not well-formed UTF-8", r->path,
                            (long long)number);
    if (id == DATA_NONE)
        return ag_error_set(r->error, AG_BAD_FILE, "%s:%lld: this is not one %s (a line is a token; %s)", r->path,
                            (long long)number, words ? "word" : "character",
                            memchr(line, '\t', size) ? "cut -f 1 keeps the first column"
                                                     : "\\20 is a space, \\0a a line feed, \\5c a backslash");
    if (id != next)
        return ag_error_set(r->error, AG_BAD_FILE, "%s:%lld: this token has come before", r->path, (long long)number);
    return AG_OK;
}

/* Whether the two tokens are merged already. */
static bool is_merged(const data_vocab *vocab, int32_t left, int32_t right)
{
    int32_t parts[2] = {DATA_NONE, DATA_NONE};
    for (int32_t i = 0; i < data_vocab_merges(vocab) && (parts[0] != left || parts[1] != right); i++)
        data_vocab_merge(vocab, i, &parts[0], &parts[1]);
    return parts[0] == left && parts[1] == right;
}

/* Adds the merge of line number `number`. */
static ag_status add_merge_line(const line_reader *r, const char *line, size_t size, int64_t number)
{
    const char *space = memchr(line, ' ', size);
    const size_t left_size = space ? (size_t)(space - line) : size;
    if (!space || memchr(space + 1, ' ', size - left_size - 1))
        return ag_error_set(r->error, AG_BAD_FILE,
                            "%s:%lld: this is no merge: two tokens with one space between them (a file of `tapeformer "
                            "tokens learn`, or another program's merges.txt)",
                            r->path, (long long)number);
    const int32_t left = data_vocab_find(r->vocab, line, left_size),
                  right = data_vocab_find(r->vocab, space + 1, size - left_size - 1),
                  both = data_vocab_add_merge(r->vocab, left, right);
    if (both == DATA_NO_MEMORY)
        return ag_error_set(r->error, AG_NO_MEMORY, "%s: no memory for a vocabulary of %lld %s", r->path,
                            (long long)number, ag_plural(number, "merge", "merges"));
    if (both != DATA_NONE)
        return AG_OK;
    const bool listed = data_vocab_is_listed(r->vocab);
    if (left == DATA_NONE || right == DATA_NONE)
        return ag_error_set(r->error, AG_BAD_FILE, "%s:%lld: the %s token is %s", r->path, (long long)number,
                            left == DATA_NONE ? "first" : "second",
                            listed ? "not in encoder.json: give the two files that belong together"
                                   : "neither a byte nor made by a line before");
    if (listed && !is_merged(r->vocab, left, right))
        return ag_error_set(r->error, AG_BAD_FILE,
                            "%s:%lld: encoder.json does not have the token that these two make: give the two files "
                            "that belong together",
                            r->path, (long long)number);
    return ag_error_set(r->error, AG_BAD_FILE, "%s:%lld: this merge has come before", r->path, (long long)number);
}

/* Reads lines of merges. */
static ag_status read_merge_lines(const line_reader *r, const char *text, size_t size)
{
    static const char version[] = "#version";
    ag_status status = AG_OK;
    const char *line;
    size_t at = data_text_start(text, size), length;
    for (int64_t number = 1; status == AG_OK && data_line_next(text, size, &at, &line, &length); number++) {
        const bool is_head = number == 1 && length >= strlen(version) && !memcmp(line, version, strlen(version));
        status = is_head ? AG_OK : add_merge_line(r, line, length, number);
    }
    return status;
}

/* Whether the text begins with the marks, one per line; if so, moves *at past them. */
static bool skip_specials(const data_vocab *vocab, const char *text, size_t size, size_t *at)
{
    const char *line;
    size_t end = *at, length;
    for (int32_t id = 0; id < DATA_SPECIALS; id++) {
        const char *name = data_vocab_token(vocab, id);
        if (!data_line_next(text, size, &end, &line, &length) || length != strlen(name) || memcmp(line, name, length))
            return false;
    }
    *at = end;
    return true;
}

static ag_status read_lines(const line_reader *r, const char *text, size_t size)
{
    ag_status status = AG_OK;
    const char *line;
    size_t at = data_text_start(text, size), length;
    int64_t number = skip_specials(r->vocab, text, size, &at) ? DATA_SPECIALS : 0;
    while (status == AG_OK && data_line_next(text, size, &at, &line, &length))
        status = add_line(r, line, length, ++number);
    return status;
}

ag_status data_vocab_read_lines(data_vocab *vocab, const char *path, ag_error *error)
{
    data_map map;
    line_reader r = {.vocab = vocab, .error = error};
    ag_text_show(path, r.path, sizeof r.path);
    ag_status status = data_map_open(&map, path, error);
    if (status != AG_OK)
        return status;
    r.token = malloc(map.size + 1);
    if (r.token)
        status = (data_vocab_kind(vocab) == DATA_BPE ? read_merge_lines : read_lines)(&r, (const char *)map.bytes,
                                                                                      map.size);
    else
        status = ag_error_set(error, AG_NO_MEMORY, "%s: no memory for its tokens", r.path);
    free(r.token);
    data_map_close(&map);
    return status;
}

data_vocab *data_vocab_read_file(data_token_kind kind, const char *path, ag_error *error)
{
    data_vocab *vocab = data_vocab_new(kind, NULL);
    if (!vocab)
        ag_error_set(error, AG_NO_MEMORY, "%s: no memory for a vocabulary", DATA_SHOW(path));
    if (vocab && data_vocab_read_lines(vocab, path, error) == AG_OK)
        return vocab;
    data_vocab_free(vocab);
    return NULL;
}

static const char version_line[] = "#version: 0.2\n";

ag_status data_vocab_write_file(const data_vocab *vocab, const char *path, ag_error *error)
{
    data_output *output;
    if (data_vocab_is_listed(vocab))
        return ag_error_set(error, AG_BAD_VALUE,
                            "%s: the ids of this vocabulary are those of the files that it was read from, such as "
                            "GPT-2's encoder.json and vocab.bpe, and a file of lines does not have them: keep those",
                            DATA_SHOW(path));
    ag_status status = data_output_open(&output, path, error);
    if (status != AG_OK)
        return status;
    if (data_vocab_kind(vocab) == DATA_BPE)
        data_output_put(output, version_line, strlen(version_line));
    for (int32_t i = 0; i < data_vocab_merges(vocab); i++) {
        int32_t left, right;
        data_vocab_merge(vocab, i, &left, &right);
        const char *const texts[] = {data_vocab_token(vocab, left), " ", data_vocab_token(vocab, right), "\n"};
        for (size_t part = 0; part < sizeof texts / sizeof *texts; part++)
            data_output_put(output, texts[part], strlen(texts[part]));
    }
    for (int32_t id = 0; data_vocab_kind(vocab) != DATA_BPE && id < data_vocab_size(vocab); id++) {
        char form[3];
        for (const char *token = data_vocab_token(vocab, id); *token; token++)
            data_output_put(output, form, write_byte(*token, form));
        data_output_put(output, "\n", 1);
    }
    return data_output_finish(output, error);
}
