/* composed.c - see composed.h. */
#include "composed.h"

#include "composed_table.h"
#include "text.h"

enum {
    LETTERS = sizeof composed_letters / sizeof *composed_letters,
    FIRST_SYLLABLE = 0xAC00,
    LEADING = 0x1100, /* the jamo of syllables: see hangul.h */
    VOWEL = 0x1161,
    TRAILING = 0x11A7,
    LEADINGS = 19,
    VOWELS = 21,
    TRAILINGS = 28
};

/* The syllable of two jamo, or of a syllable and a trailing jamo; 0 if they form none. */
static uint32_t compose_syllable(uint32_t first, uint32_t second)
{
    if (first - LEADING < LEADINGS && second - VOWEL < VOWELS)
        return FIRST_SYLLABLE + ((first - LEADING) * VOWELS + (second - VOWEL)) * TRAILINGS;
    const uint32_t syllable = first - FIRST_SYLLABLE, trailing = second - TRAILING;
    if (syllable < LEADINGS * VOWELS * TRAILINGS && syllable % TRAILINGS == 0 && trailing > 0 && trailing < TRAILINGS)
        return first + trailing;
    return 0;
}

/* The letter of a letter and a mark; 0 if there is none. */
static uint32_t compose(uint32_t first, uint32_t second)
{
    int low = 0, high = LETTERS;
    const uint64_t wanted = (uint64_t)first << 16 | second;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (((uint64_t)composed_letters[middle][0] << 16 | composed_letters[middle][1]) < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < LETTERS && composed_letters[low][0] == first && composed_letters[low][1] == second)
        return composed_letters[low][2];
    return compose_syllable(first, second);
}

static void count_letter(data_composed *letters, uint32_t code, bool decomposed, const char *file, int64_t line)
{
    if (code >= DATA_COMPOSED_CODES)
        return;
    letters[code].whole += !decomposed;
    if (decomposed && letters[code].decomposed++ == 0) {
        letters[code].file = file;
        letters[code].line = line;
    }
}

void data_composed_add(data_composed *letters, const char *text, size_t size, const char *file, int64_t line)
{
    uint32_t letter = 0; /* the one that goes on, if marks follow */
    bool decomposed = false;
    for (size_t at = 0; at < size;) {
        const int length = ag_utf8_length(text + at, size - at);
        const uint32_t code = length > 0 ? data_utf8_code(text + at, length) : 0; /* 0: no UTF-8 */
        const uint32_t composed = code < 0x80 ? 0 : compose(letter, code);
        at += length > 0 ? (size_t)length : 1;
        if (!composed)
            count_letter(letters, letter, decomposed, file, line);
        decomposed = composed != 0;
        letter = composed ? composed : code;
    }
    count_letter(letters, letter, decomposed, file, line);
}
