/* likeness.c - see likeness.h. */
#include "likeness.h"

#include "train.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_NAME = 64, SHORTEST_BEGINNING = 3 };

/* Writes the letters that are compared to `letters` and returns their number. */
static int64_t letters_of(const char *name, int32_t letters[LONGEST_NAME])
{
    int64_t count = 0;
    for (; *name && count < LONGEST_NAME; name++)
        if (*name != '-' && *name != '_')
            letters[count++] = *name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : (unsigned char)*name;
    return count;
}

cli_likeness cli_likeness_of(const char *word)
{
    int32_t letters[LONGEST_NAME];
    return (cli_likeness){
        .word = word,
        .distance = 1 + letters_of(word, letters) / 2, /* with more than half of its letters wrong it is another word */
    };
}

void cli_likeness_try(cli_likeness *likeness, const char *name)
{
    int32_t word[LONGEST_NAME] = {0}, other[LONGEST_NAME] = {0};
    const int64_t word_size = letters_of(likeness->word, word), other_size = letters_of(name, other);
    const int64_t shorter = word_size < other_size ? word_size : other_size;
    int64_t prefix = 0, distance = train_edit_distance(word, word_size, other, other_size);
    while (prefix < shorter && word[prefix] == other[prefix])
        prefix++;
    if (prefix == shorter && prefix >= SHORTEST_BEGINNING && distance > 1)
        distance = 1;
    const bool as_near = likeness->best && distance == likeness->distance && prefix > likeness->prefix;
    if (distance < 0 || !(distance < likeness->distance || as_near))
        return;
    likeness->best = name;
    likeness->distance = distance;
    likeness->prefix = prefix;
}

const char *cli_did_you_mean(cli_likeness *likeness, const char *before)
{
    likeness->text[0] = 0;
    if (likeness->best)
        snprintf(likeness->text, sizeof likeness->text, "; did you mean %s%s?", before, likeness->best);
    return likeness->text;
}
