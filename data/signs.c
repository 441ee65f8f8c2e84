/* signs.c - signs that a file is something else than what it is read as.
 *
 * One pass over all examples collects what the signs are judged by. A sign that is not
 * there does less harm than a false one, so each rule asks for more than one thing. */
#include "composed.h"
#include "format.h"
#include "set.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_WORDS = 400,     /* different words that are counted: phones are fewer */
    FEW_WORDS = 100,      /* so few are tokens, however long they are */
    SHORT_WORD = 3,       /* characters of a phone, on average */
    WORD_REPEATS = 20,    /* how often a phone occurs, on average */
    MOST_NUMBERS = 9,     /* different words of digits: more are data, and no tones */
    LONGEST_SENTENCE = 200,
    NAME_SIZE = 48        /* bytes of a column's name at most */
};

/* One side of all examples. */
typedef struct side_signs {
    data_vocab *words;                         /* different ones, at most MOST_WORDS + 1 */
    int64_t word_count, word_length;           /* of all words: their number, their characters */
    int64_t spaced, single;                    /* texts of several words, and of one */
    int64_t quoted, doubled, unlike;           /* texts in quotes; those with "" within; those with a lone " within */
    int64_t numbers;                           /* different words of digits */
    char name[NAME_SIZE];                      /* the text of the file's first pair; "": it is no name */
    bool name_again;                           /* another pair has it */
} side_signs;

typedef struct sign_scan {
    side_signs sides[2];
    data_composed *letters;
    int64_t examples;
    int64_t first_line;            /* of the first pair of the file */
    data_sign quotes, returns;     /* the first of each, with their number */
} sign_scan;

static void count_sign(data_sign *sign, const data_set *set, int64_t line)
{
    if (sign->count++ == 0) {
        sign->file = set->name;
        sign->line = line;
    }
}

/* ---- Collecting ---- */

static bool has_digits_alone(const char *word, size_t size)
{
    size_t digits = 0;
    while (digits < size && word[digits] >= '0' && word[digits] <= '9')
        digits++;
    return digits == size;
}

static int64_t count_characters(const char *text, size_t size)
{
    int64_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

static bool add_word(side_signs *side, const char *word, size_t size)
{
    const int32_t before = data_vocab_size(side->words);
    side->word_count++;
    side->word_length += count_characters(word, size);
    if (before > MOST_WORDS + DATA_SPECIALS)
        return true;
    if (data_vocab_add(side->words, word, size) == DATA_NO_MEMORY) /* a word that is no UTF-8 is not added */
        return false;
    side->numbers += data_vocab_size(side->words) > before && has_digits_alone(word, size);
    return true;
}

/* The words of a text. False when memory is out. */
static bool add_words(side_signs *side, data_view text)
{
    const char *word;
    size_t at = 0, size;
    int64_t count = 0;
    while (data_token_next(DATA_WORDS, text.text, text.size, &at, &word, &size)) {
        if (!add_word(side, word, size))
            return false;
        count++;
    }
    side->spaced += count > 1;
    side->single += count == 1;
    return true;
}

/* Whether the text is a field of CSV within quotes, in which each quote is doubled. */
static void add_quotes(sign_scan *scan, side_signs *side, data_view text, const data_set *set, int64_t line)
{
    int64_t pairs = 0, lone = 0;
    if (text.size < 2 || *text.text != '"' || text.text[text.size - 1] != '"')
        return;
    for (size_t i = 1; i + 1 < text.size; i++) {
        if (text.text[i] != '"')
            continue;
        const bool pair = i + 2 < text.size && text.text[i + 1] == '"';
        pairs += pair;
        lone += !pair;
        i += pair;
    }
    side->quoted++;
    side->doubled += pairs > 0;
    side->unlike += lone > 0;
    count_sign(&scan->quotes, set, line);
}

static bool is_text(data_view text, const char *other)
{
    return text.size == strlen(other) && memcmp(text.text, other, text.size) == 0;
}

static void keep_name(side_signs *side, data_view text)
{
    if (text.size >= NAME_SIZE)
        return;
    memcpy(side->name, text.text, text.size);
    side->name[text.size] = '\0';
}

static bool add_example(sign_scan *scan, data_set *set, int64_t i, int64_t line, bool first)
{
    data_view texts[2];
    set->kind->texts(set, i, 0, &texts[0], &texts[1]);
    texts[0] = data_view_after_tags(texts[0]);
    scan->examples++;
    for (int s = 0; s < 2; s++) {
        side_signs *side = &scan->sides[s];
        if (!add_words(side, texts[s]))
            return false;
        add_quotes(scan, side, texts[s], set, line);
        if (data_vocab_kind(s ? set->target_vocab : set->source_vocab) != DATA_WORDS &&
            memchr(texts[s].text, '\r', texts[s].size))
            count_sign(&scan->returns, set, line);
        if (first)
            keep_name(side, texts[s]);
        else if (*side->name && is_text(texts[s], side->name))
            side->name_again = true;
        data_composed_add(scan->letters, texts[s].text, texts[s].size, set->name, line);
    }
    return true;
}

/* The first pair of the file is read before all others, so that they can be compared with
 * it: it is the first of the set or that of the held-out part. */
static bool scan_pairs(sign_scan *scan, data_set *const sets[2])
{
    const bool same_file = sets[1]->options.part == DATA_DEV;
    int first = 0;
    if (same_file && data_set_line(sets[1], 0) < data_set_line(sets[0], 0))
        first = 1;
    scan->first_line = data_set_line(sets[first], 0);
    if (!add_example(scan, sets[first], 0, scan->first_line, true))
        return false;
    for (int s = 0; s < (same_file ? 2 : 1); s++)
        for (int64_t i = s == first; i < sets[s]->count; i++)
            if (!add_example(scan, sets[s], i, data_set_line(sets[s], i), false))
                return false;
    for (int64_t i = 0; !same_file && i < sets[1]->count; i++) { /* another file: its letters alone */
        data_view texts[2];
        sets[1]->kind->texts(sets[1], i, 0, &texts[0], &texts[1]);
        const int64_t line = data_set_line(sets[1], i);
        for (int s = 0; s < 2; s++)
            data_composed_add(scan->letters, texts[s].text, texts[s].size, sets[1]->name, line);
    }
    return true;
}

/* ---- Judging ---- */

/* Words that people give to columns, in lower case. */
static const char column_words[] =
    " source sources src target targets tgt input inputs output outputs word words wordform lemma lemmas form forms "
    "inflection inflected feature features feats tag tags pos upos xpos token tokens grapheme graphemes orthography "
    "spelling phone phones pronunciation pronunciations phoneme phonemes phonemic phonetic ipa arpabet transcription "
    "transcript transliteration romanization romanized text sentence sentences translation translations label labels "
    "question questions answer answers command actions column english german french spanish italian portuguese dutch "
    "russian hungarian georgian korean japanese chinese turkish finnish polish armenian greek ";

static bool is_column_word(const char *word, size_t size)
{
    char spaced[NAME_SIZE + 2] = " ";
    for (size_t i = 0; i < size; i++)
        spaced[i + 1] = (char)(word[i] | 0x20);
    spaced[size + 1] = ' ';
    return strstr(column_words, spaced) != NULL;
}

/* Whether each run of letters in a text is a column's word: "source_text",
 * "Pronunciation (IPA)". */
static bool is_column_name(const char *text)
{
    int words = 0;
    for (size_t at = 0; text[at]; words++) {
        size_t size = 0;
        while ((unsigned char)((text[at + size] | 0x20) - 'a') < 26)
            size++;
        if (size > 0 ? !is_column_word(text + at, size) : (unsigned char)text[at] >= 0x80)
            return false;
        at += size > 0 ? size : 1;
        words -= size == 0;
    }
    return words > 0;
}

static data_sign judge_header(const sign_scan *scan, const data_set *set)
{
    const side_signs *source = &scan->sides[0], *target = &scan->sides[1];
    data_sign sign = {.line = scan->first_line, .file = set->name};
    sign.count = is_column_name(source->name) && is_column_name(target->name) && !source->name_again &&
                 !target->name_again && strcmp(source->name, target->name) != 0 && scan->examples > 1;
    if (sign.count)
        ag_text_print(sign.text, sizeof sign.text, "%s,%s", source->name, target->name);
    return sign;
}

/* Quotes around a text may be its own; those of CSV are around all texts of a side, or are
 * doubled within. */
static data_sign judge_quotes(const sign_scan *scan)
{
    bool all = false;
    int64_t doubled = 0, unlike = 0;
    for (int s = 0; s < 2; s++) {
        const side_signs *side = &scan->sides[s];
        all = all || (side->quoted == scan->examples && scan->examples > 1);
        doubled += side->doubled;
        unlike += side->unlike;
    }
    return all || (doubled > 0 && unlike == 0) ? scan->quotes : (data_sign){0};
}

/* Pairs of one word and one of few others, in blocks between empty lines. */
static data_sign judge_blocks(const sign_scan *scan, const data_set *set)
{
    const int64_t words = scan->sides[0].single, tags = scan->sides[1].single, blocks = set->blocks;
    const int32_t different = data_vocab_size(scan->sides[1].words) - DATA_SPECIALS;
    const bool one_word = words == scan->examples && tags == scan->examples;
    data_sign sign = {.line = 1, .file = set->name};
    if (one_word && blocks > 1 && 2 * (int64_t)different <= scan->examples && different <= FEW_WORDS &&
        scan->examples / blocks <= LONGEST_SENTENCE)
        sign.count = blocks;
    return sign;
}

/* Texts of a side that is cut into characters, which consist of few words with spaces
 * between. */
static data_sign judge_words(const sign_scan *scan, int s, const data_set *set)
{
    const side_signs *side = &scan->sides[s];
    const data_token_kind kind = data_vocab_kind(s ? set->target_vocab : set->source_vocab);
    const int64_t different = data_vocab_size(side->words) - DATA_SPECIALS;
    data_sign sign = {.file = set->name};
    const bool phones = different <= MOST_WORDS && side->word_length <= SHORT_WORD * side->word_count;
    if ((kind == DATA_CHARS || kind == DATA_JAMO) && 2 * side->spaced >= scan->examples &&
        side->word_count >= WORD_REPEATS * different && side->numbers <= MOST_NUMBERS &&
        (phones || different <= FEW_WORDS))
        sign.count = different;
    return sign;
}

/* The letters that are in both forms: how often they are decomposed, and the first such
 * place of the one that is so most often. */
static data_sign judge_letters(const data_composed *letters, uint32_t from, uint32_t to)
{
    data_sign sign = {0};
    int64_t most = 0;
    for (uint32_t code = from; code < to; code++) {
        const data_composed *letter = &letters[code];
        if (letter->whole == 0 || letter->decomposed == 0)
            continue;
        sign.count += letter->decomposed;
        if (letter->decomposed <= most)
            continue;
        most = letter->decomposed;
        sign.file = letter->file;
        sign.line = letter->line;
        ag_utf8_print(code, sign.text);
    }
    return sign;
}

static void judge(const sign_scan *scan, const data_set *set, data_sign signs[DATA_SIGNS])
{
    enum { SYLLABLES = 0xAC00, AFTER_SYLLABLES = 0xD7A4 };
    const data_format_kind kind = set->options.format.kind;
    const bool jamo =
        data_vocab_kind(set->source_vocab) == DATA_JAMO || data_vocab_kind(set->target_vocab) == DATA_JAMO;
    signs[DATA_SIGN_LETTERS] = judge_letters(scan->letters, 0, SYLLABLES);
    if (!jamo)
        signs[DATA_SIGN_SYLLABLES] = judge_letters(scan->letters, SYLLABLES, AFTER_SYLLABLES);
    signs[DATA_SIGN_SOURCE_WORDS] = judge_words(scan, 0, set);
    signs[DATA_SIGN_TARGET_WORDS] = judge_words(scan, 1, set);
    if (kind == DATA_PAIRS || kind == DATA_COLUMNS)
        signs[DATA_SIGN_HEADER] = judge_header(scan, set);
    if (kind == DATA_PAIRS)
        signs[DATA_SIGN_QUOTES] = judge_quotes(scan);
    signs[DATA_SIGN_BLOCKS] = judge_blocks(scan, set);
    signs[DATA_SIGN_RETURNS] = scan->returns;
}

ag_status data_set_signs(data_set *set, data_set *dev, data_sign signs[DATA_SIGNS], ag_error *error)
{
    sign_scan scan = {0};
    memset(signs, 0, DATA_SIGNS * sizeof *signs);
    if (!set->kind->line || set->count == 0)
        return AG_OK;
    scan.letters = calloc(DATA_COMPOSED_CODES, sizeof *scan.letters);
    for (int s = 0; s < 2; s++)
        scan.sides[s].words = data_vocab_new(DATA_WORDS, error);
    const bool done = scan.letters && scan.sides[0].words && scan.sides[1].words &&
                      scan_pairs(&scan, (data_set *const[]){set, dev});
    if (done)
        judge(&scan, set, signs);
    free(scan.letters);
    data_vocab_free(scan.sides[0].words);
    data_vocab_free(scan.sides[1].words);
    data_map_rest(&set->map);
    return done ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "%s: no memory to look at its texts", set->name);
}
