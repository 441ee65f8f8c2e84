/* answers.h - how predict prints its answers: as lines of text, as TSV or as JSON; and
 * what predict and eval say of unknown tokens. */
#ifndef CLI_ANSWERS_H
#define CLI_ANSWERS_H

#include "cli.h"

typedef enum cli_answer_form { CLI_ANSWER_TEXT = 0, CLI_ANSWER_TSV, CLI_ANSWER_JSON } cli_answer_form;

/* A line of input. */
typedef struct cli_source {
    const char *text; /* [size], zero-terminated; it may hold zeros */
    size_t size;
    const char *file;
    int64_t number;      /* from 1 */
    int64_t tokens;      /* without the end mark; 0: it has no answer */
    const char *problem; /* why the line has no answer: "empty", "not UTF-8", "zero byte",
                          * "too long"; NULL: it has one */
} cli_source;

/* How to print, and the vocabularies of the models. */
typedef struct cli_answers {
    cli_answer_form form;
    bool scores; /* of CLI_ANSWER_TEXT */
    const data_vocab *source_vocab, *target_vocab;
    const nn_alignment *alignment; /* of the next lines' answers; NULL: not wanted */
    int64_t row;                   /* the next line's in it */
} cli_answers;

/* Prints the hypotheses [best] of a line, best first; a line with a problem has none.
 * Those that the search did not find are left out. AG_NO_MEMORY. */
ag_status cli_answers_put(const cli_answers *answers, const cli_source *source, const nn_hypothesis *hypotheses,
                          int best, FILE *out, ag_error *error) AG_CHECKED;

/* Says to stderr, after the word `note` ("note: "), which tokens of the `side` ("source")
 * were unknown, how often, and in which lines: the most frequent ten. Sorts them. Says,
 * too, if no text had a tag though the model has learned with tags; else nothing. */
void cli_report_unknown(const char *command, const char *note, const char *side, data_unknown *unknown);

#endif
