/* likeness.h - the name of a command, flag or value that a mistyped word probably means.
 */
#ifndef CLI_LIKENESS_H
#define CLI_LIKENESS_H

#include <stdint.h>

/* The most like name so far.
 *
 *     cli_likeness like = cli_likeness_of(word);
 *     for (each name)
 *         cli_likeness_try(&like, name);
 *     cli_fail(..., "there is no flag --%s%s", word, cli_did_you_mean(&like, "--"));
 */
typedef struct cli_likeness {
    const char *word;
    const char *best; /* NULL: no name resembles the word */
    int64_t distance; /* to the best name; names at the limit or beyond it do not resemble the word */
    int64_t prefix;   /* letters at the beginning that both share */
    char text[160];   /* of cli_did_you_mean's answer */
} cli_likeness;

cli_likeness cli_likeness_of(const char *word);
/* Compares without regard to case and hyphens. A name that the word begins with, or that
 * begins with the word, is close. Of equally close names the one that shares the longest
 * beginning with the word wins. */
void cli_likeness_try(cli_likeness *likeness, const char *name);
/* "; did you mean --d-model?" where `before` is "--"; "" where no name resembles the
 * word. */
const char *cli_did_you_mean(cli_likeness *likeness, const char *before);

#endif
