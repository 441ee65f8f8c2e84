/* theory.h - the best that any model can do on the examples of a run under given masks.
 *
 * Derived for the tasks on letters: copy, reverse, shift, sort. A place of the target can
 * know the tokens that the masks let through to it over all layers, and how long the
 * source is only by tokens that it sees or would see. study/theory.h says how well it can
 * then answer. Where that has not been derived, nothing is claimed.
 */
#ifndef PLAYGROUND_THEORY_H
#define PLAYGROUND_THEORY_H

#include "setting.h"
#include "study.h"

/* How a place of the target stands. */
typedef enum playground_standing {
    PLAYGROUND_SURE,      /* it can know its answer */
    PLAYGROUND_HIDDEN,    /* its answer is a letter that it cannot know */
    PLAYGROUND_LENGTH,    /* its answer depends on the length, which it cannot know */
    PLAYGROUND_SORTED,    /* it knows some of the letters that are sorted */
    PLAYGROUND_UNDERIVED, /* see `unknown` */
} playground_standing;

typedef struct playground_theory {
    /* On average, for the lengths of the examples, with the right answer so far to read:
     * the least loss in nats per token, the largest share of right tokens. exact: the
     * largest share of whole answers that are right, written alone. NaN: none is known. */
    double loss, accuracy, exact;
    const char *unknown; /* why loss and accuracy are not known; NULL: they are */
    bool leaks;          /* the target's mask lets a place see later tokens */
    /* In the longest examples, of `letters` letters: the places of the target, those that
     * cannot be sure, and the first of these, with how many letters of the source it
     * knows and which it needs (-1: none of the source). */
    int64_t letters, places, unsure, first, knows, needs;
    playground_standing standing;
} playground_theory;

/* The examples of a set that theory speaks of. */
typedef struct playground_theory_subject {
    const nn_model *model;
    const train_recipe *recipe;
    data_set *set;
    const playground_mask *masks; /* [PLAYGROUND_CARDS] */
    bool looks_back;              /* the target's mask allows no later token, whatever it says */
    bool come_again;              /* the examples, for a model to learn by heart */
} playground_theory_subject;

/* Finds the bounds. `tape` is rewound. AG_NO_MEMORY. */
ag_status playground_theory_find(const playground_theory_subject *subject, ag_tape *tape, playground_theory *theory,
                                 ag_error *error) AG_CHECKED;

/* What theory says under the masks as they are: in training, of unseen examples, and of
 * these if the target's mask had no leak. */
typedef struct playground_theories {
    playground_theory training, unseen, honest;
} playground_theories;

/* Whether the two speak of the same masks, so that they differ by lengths alone. */
bool playground_theory_same(const playground_theory *a, const playground_theory *b);
/* Adds what theory says, and why, to the document. */
void playground_theories_write(const playground_theories *theories, nn_model_kind kind, study_document *document);

#endif
