/* likeness.h - the name that a mistyped word is likely to mean: of a command, a flag, or
 * a value. */
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
    const char *best; /* NULL: no name is like the word */
    int64_t distance; /* from the best name; a name that is as far as the limit is another word */
    int64_t prefix;   /* letters with which both begin */
    char text[160];   /* of cli_did_you_mean */
} cli_likeness;

cli_likeness cli_likeness_of(const char *word);
/* Letters count alike in upper and lower case, and with or without hyphens between them;
 * a name that the word begins, or that begins the word, is near. Of names that are
 * equally near, the one that begins as the word does. */
void cli_likeness_try(cli_likeness *likeness, const char *name);
/* "; did you mean --d-model?" with `before` "--"; "" where no name is like the word. */
const char *cli_did_you_mean(cli_likeness *likeness, const char *before);

#endif
