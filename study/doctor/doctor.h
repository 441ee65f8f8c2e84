/* doctor.h - the inside of the doctor: what the passes over the examples note, and the
 * findings that are made of it. */
#ifndef STUDY_DOCTOR_H
#define STUDY_DOCTOR_H

#include "../reach.h"

/* What the passes note of one sequence of the model, the source or the target. */
typedef struct checkup_side {
    const char *name;     /* "source" or "target" */
    int table, positions; /* the parameters of its embedding and of its learned positions; -1: none */
    const data_vocab *vocab;
    int64_t words, length; /* the size of the vocabulary, and the longest sequence */
    int64_t *read;         /* [words]: how often each token was read */
    /* [length]: how often there was a token at a position, and how often the gradient of
     * the loss by it was not 0. */
    int64_t *tokens, *reached;
    bool severed;       /* no gradient reaches the embedding at all */
    int64_t leaks;      /* positions of padding with a gradient that is not 0 */
    ag_tensor *entered; /* during a pass: the input of the first block */
} checkup_side;

/* The tensors that are noted beside the blocks: both stacks' inputs, the encoder's
 * result, the logits. */
enum { AROUND_BLOCKS = 4 };

/* The result of a block (or one of the tensors around the stacks) during a pass, and its
 * sums over all passes. */
typedef struct checkup_block {
    char name[STUDY_LAYER_NAME];
    study_side side;
    ag_tensor *output;
    double value, gradient; /* sums of squares over the tokens, padding excluded */
    double numbers;         /* the summands of each */
} checkup_block;

/* How an element of a parameter has been seen: never with a gradient; with one; without
 * one for a reason that a finding gives; or with one only when all values are smaller. */
enum { ELEMENT_SILENT = 0, ELEMENT_REACHED, ELEMENT_EXPLAINED, ELEMENT_FAINT };

typedef struct checkup {
    const study_patient *patient;
    study_health *health;
    ag_tape *tape;
    nn_params params;        /* the model's, with gradients of their own */
    unsigned char *elements; /* [params.size] of the enum above */
    double *squares;         /* [params.count]: of the norms of the gradients, summed over the passes */
    int64_t passes;
    int64_t tokens, unknown; /* of both sides' examples; those that were read as <unk> */
    checkup_side sides[SIDES];
    checkup_block *blocks; /* [most_blocks], in the order of the computation */
    int block_count, most_blocks, block_now;
    data_batch batch;
    /* What to do about the operation that is to blame; "": not sought yet. */
    char culprit[AG_MESSAGE_SIZE];
    bool faint;  /* a gradient was rounded to 0: smaller values have one */
    bool broken; /* a number was not finite: what needs gradients cannot be said */
    ag_error *error;
} checkup;

/* ---- Findings ---------------------------------------------------------------------- */

/* Adds a finding. `advice` is "" for what is well. */
void checkup_find(checkup *c, study_finding_kind kind, const char *advice, const char *format, ...) AG_PRINTF(4, 5);

/* Names in a sentence: "a, b, c and 5 more", the first LIST_NAMES of them written out,
 * each cut after LIST_NAME bytes. The text has room for these and for the number. */
enum { LIST_NAMES = 6, LIST_NAME = 60 };
typedef struct checkup_list {
    char text[LIST_NAMES * (LIST_NAME + 2) + 32];
    int64_t count;
} checkup_list;
void checkup_list_add(checkup_list *list, const char *name);
/* Ends the list and returns its text. */
const char *checkup_list_end(checkup_list *list);

/* ---- The steps --------------------------------------------------------------------- */

/* The computation of the batch: logits and the losses of its targets, reduced. NULL, and
 * the tape has the error, if it cannot be made. */
ag_tensor *checkup_loss(const checkup *c, const nn_pass *pass, ag_reduction reduction);

/* One forward and backward pass for each batch, which fill in everything above. Faults of
 * numbers become findings and end the passes. */
ag_status checkup_passes(checkup *c) AG_CHECKED;
/* Tells gradients that are 0 by the computation from those that rounding made 0, such as
 * under a softmax of scores that are far apart: the last batch goes through the model
 * with all values made smaller, which no mask, cut or weight of 0 notices, and with a
 * large gradient of the loss. Elements that have a gradient then are marked. */
ag_status checkup_damp(checkup *c) AG_CHECKED;
/* Adds the batch that has just gone through the model to the sums. */
void checkup_note_batch(checkup *c);

/* The findings about parameters (embeddings and dead units among them), and about
 * positions, masks and layers. */
ag_status checkup_parameters(checkup *c) AG_CHECKED;
void checkup_positions(checkup *c);
ag_status checkup_layers(checkup *c) AG_CHECKED;

/* The findings of the dot test and of Taylor's, by all parameters on a few examples. */
ag_status checkup_proofs(checkup *c) AG_CHECKED;

/* The operation at which the gradient of the last batch ends: it has one, and passes none
 * on to an input that wants one. Writes "linear in output" to `text`; "" if there is
 * none. */
ag_status checkup_find_end(checkup *c, char text[AG_MESSAGE_SIZE]) AG_CHECKED;

#endif
