/* typed.h - the example that a person types, and how it is to be looked at. */
#ifndef PLAYGROUND_TYPED_H
#define PLAYGROUND_TYPED_H

#include "session.h"

/* One example, read from the text of a verb:
 *
 *     source=abc&target=cba&masks=training&padding=2&attention=cross&layer=0&tokens=1
 *
 * The model reads the source; what it has written is the target or, if the text names
 * none, its own answer under the masks of the evaluation. A language model reads both in
 * one sequence, with PLAYGROUND_ARROW between them if that is a token of its vocabulary. */
typedef struct playground_typed {
    const char *source, *target; /* target NULL: the model's own answer */
    playground_phase phase;      /* whose masks are in force */
    study_maps_choice choice;
    int64_t padding; /* positions after the tokens of each side */
    int64_t tokens;  /* of the answer, for a look at the next one */
    char *text;      /* what the texts point into */

    int32_t *source_tokens; /* [input.source_length]; NULL: a language model */
    int32_t source_count;   /* without padding */
    playground_rows rows;   /* one row: what the decoder is given, and the answer; empty: a tagger */
    int32_t given;          /* how much of the row is given */
    nn_input input;         /* one row of the source, and of the target once that is complete */
} playground_typed;

/* Reads the text and makes source and row, which holds what is given alone.
 * playground_typed_clear frees them, also after an error: AG_BAD_VALUE, AG_NO_MEMORY. The
 * struct is not to be moved. */
ag_status playground_typed_read(playground *p, const char *text, playground_typed *typed) AG_CHECKED;
void playground_typed_clear(playground_typed *typed);

/* Writes the answer up to `count` tokens, fewer if it ends before, or is longer than any of
 * the run's examples. */
ag_status playground_typed_write(playground *p, playground_typed *typed, int64_t count) AG_CHECKED;

/* Completes the row by the target or the model's own answer, and puts it into the input,
 * with padding after it, under the masks of the phase; these live on p->tape. */
ag_status playground_typed_complete(playground *p, playground_typed *typed) AG_CHECKED;

/* The tokens of both sides of an input of this run, as text: for pictures. Freed by
 * playground_labels_clear. AG_NO_MEMORY. */
ag_status playground_labels_init(study_labels *labels, const playground_run *run, const nn_input *input,
                                 ag_error *error) AG_CHECKED;
void playground_labels_clear(study_labels *labels);

#endif
