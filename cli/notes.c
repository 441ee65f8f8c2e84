/* notes.c - see notes.h. */
#include "notes.h"

#include "cli.h"

#include <stdio.h>

/* A note is `before`, the sign's text or number, if it shows one, and `after`. */
typedef struct sign_note {
    enum { SHOWS_NONE = 0, SHOWS_TEXT, SHOWS_COUNT } shows;
    const char *before, *after;
    const char *flag; /* if the user gave it, there is no note */
} sign_note;

static const sign_note notes[DATA_SIGNS] = {
    [DATA_SIGN_LETTERS] = {SHOWS_TEXT, "the letter ",
                           " is a letter and a mark here and one character elsewhere, so it has two kinds of tokens "
                           "(uconv -x any-nfc, of ICU, composes all letters)",
                           NULL},
    [DATA_SIGN_SYLLABLES] = {SHOWS_TEXT, "the syllable ",
                             " is in letters here and one character elsewhere, so it has two kinds of tokens "
                             "(--decompose hangul reads both alike)",
                             NULL},
    [DATA_SIGN_SOURCE_WORDS] = {SHOWS_COUNT, "the sources are read as characters, and consist of only ",
                                " different words with spaces between (--src-tokens words makes each a token)",
                                "src-tokens"},
    [DATA_SIGN_TARGET_WORDS] = {SHOWS_COUNT, "the targets are read as characters, and consist of only ",
                                " different words with spaces between (--tgt-tokens words makes each a token)",
                                "tgt-tokens"},
    [DATA_SIGN_HEADER] = {SHOWS_TEXT, "the first line looks like names of columns, and is read as a pair (--columns ",
                          " reads these columns without it)", NULL},
    [DATA_SIGN_QUOTES] = {SHOWS_NONE,
                          "the quotes around texts look like those of a spreadsheet, and are read as a part of the "
                          "text (--columns 1,2 reads the file as columns with quotes)",
                          "", NULL},
    [DATA_SIGN_BLOCKS] = {SHOWS_COUNT, "pairs of one word each, in ",
                          " blocks with empty lines between, look like sentences of tagged words (--blocks FILE reads "
                          "each block as one sentence)",
                          NULL},
    [DATA_SIGN_RETURNS] = {SHOWS_NONE, "carriage returns within texts are read as tokens (tr -d '\\r' removes them)",
                           "", NULL},
};

static void print_note(const sign_note *note, const data_sign *sign)
{
    char shown[128] = "", place[1100] = "";
    if (note->shows == SHOWS_COUNT)
        snprintf(shown, sizeof shown, "%lld", (long long)sign->count);
    if (note->shows == SHOWS_TEXT)
        snprintf(shown, sizeof shown, "%s", CLI_SHOWN(sign->text));
    if (sign->file && sign->line)
        snprintf(place, sizeof place, "%s:%lld: ", CLI_SHOWN(sign->file), (long long)sign->line);
    cli_fail("train", CLI_DONE, "note: %s%s%s%s", place, note->before, shown, note->after);
}

void cli_notes_print(const cli_command *command, const data_sign signs[DATA_SIGNS])
{
    for (int i = 0; i < DATA_SIGNS; i++)
        if (signs[i].count && !(notes[i].flag && cli_flag_find(command, notes[i].flag)->given))
            print_note(&notes[i], &signs[i]);
}
