/* laboratory.h - the laboratory of masks: its experiments, and what it finds, number by number.
 *
 * Small models are trained on sequences of letters, all independent and equally probable, on tasks of which it is known
 * what must be seen to do them. So what a mask allows can be computed, and measured accuracies stand beside it.
 *
 * laboratory_run does all experiments; laboratory_claim_all says in sentences what was expected, and whether it came
 * true; laboratory_write makes the document.
 */
#ifndef STUDY_LABORATORY_H
#define STUDY_LABORATORY_H

#include "study.h"

/* What the options may ask for at most. */
#define LABORATORY_LENGTH   16
#define LABORATORY_LETTERS  10

#define LABORATORY_LAYERS   2
#define LABORATORY_ROWS     64   /* of a training batch */
#define LABORATORY_EXAMPLES 2048 /* that no training saw, for measuring */
#define LABORATORY_CHUNK    256  /* of them at once */
#define LABORATORY_POINTS   40   /* of a loss curve */

/* Tokens: data's marks, the two marks of a direction (laboratory_leak.c), the letters. */
enum { LABORATORY_FORWARD = DATA_SPECIALS, LABORATORY_BACKWARD, LABORATORY_FIRST_LETTER };

/* ---- Tasks: an answer for each position ----------------------------------------------------- */

typedef enum laboratory_task {
    LABORATORY_COPY,        /* the letter here: needs no side */
    LABORATORY_SHIFT_LEFT,  /* the letter behind this one: needs the right side */
    LABORATORY_SHIFT_RIGHT, /* the letter before this one: needs the left side */
    LABORATORY_REVERSE,     /* the letter as far from the other end: needs the far side */
    LABORATORY_SORT,        /* the i-th smallest letter: needs all */
    LABORATORY_TASKS
} laboratory_task;
extern const char *const laboratory_task_names[LABORATORY_TASKS];

/* The position whose letter is the answer at i; -1 where no single one is (sort). At the end that has no neighbour a
 * shift answers the letter here. */
int64_t laboratory_place(laboratory_task task, int64_t length, int64_t i);
/* x [length] letters -> y [length]. */
void laboratory_answer(laboratory_task task, int64_t length, const int32_t *x, int32_t *y);
/* rows x length letters. */
void laboratory_draw(ag_rng *rng, const study_laboratory_options *options, int64_t rows, int32_t *x);
/* The stream of the letters of training step `step`, from 1; every model is trained on the same. */
ag_rng laboratory_stream(const study_laboratory_options *options, int64_t step);
/* LABORATORY_EXAMPLES sequences that are in no training batch: unseen [LABORATORY_EXAMPLES, length]. AG_BAD_VALUE where
 * the sequences are so few that training could see an eighth of them. */
ag_status laboratory_draw_unseen(const study_laboratory_options *options, int32_t *unseen, ag_error *error) AG_CHECKED;

/* ---- Masks ---------------------------------------------------------------------------------- */

typedef enum laboratory_mask {
    LABORATORY_FULL,   /* every position */
    LABORATORY_CAUSAL, /* itself and what is before */
    LABORATORY_WINDOW, /* itself and its two neighbours */
    LABORATORY_PREFIX, /* the first three quarters, itself and what is before */
    LABORATORY_MASKS,
    LABORATORY_ORDERLESS = LABORATORY_MASKS, /* the full mask, in a model that has no positional code */
    LABORATORY_SETTINGS
} laboratory_mask;
extern const char *const laboratory_setting_names[LABORATORY_SETTINGS];

/* On the tape; NULL with the tape's error. Of LABORATORY_ORDERLESS: the full one. */
const ag_mask *laboratory_mask_make(ag_tape *tape, laboratory_mask mask, int64_t length);

/* ---- Theory --------------------------------------------------------------------------------- */

/* allowed[i]: how often the best possible answer at position i is right, when the letters j with seen[i, j] are known
 * and all others are drawn evenly. Exact: by going through all multisets of visible letters. */
void laboratory_allowed(laboratory_task task, int64_t length, int64_t letters, const unsigned char *seen,
                        double *allowed);

/* The same for a model that sees all letters but not where they are: it knows the letter here and how many there are of
 * each, not the position. One answer must serve all positions, so what is greatest is the mean over them; where several
 * answers are equally good, they share. */
void laboratory_allowed_orderless(laboratory_task task, int64_t length, int64_t letters, double *allowed);

/* ---- What was found ------------------------------------------------------------------------- */

/* An encoder-decoder, trained with a mask of its decoder. Losses are means per token in nats; teacher-forced figures
 * are of unseen examples. */
typedef struct laboratory_decoding {
    double curve[LABORATORY_POINTS];     /* the training loss, as the mean of each stretch of steps */
    double loss, accuracy;               /* teacher-forced under the mask of its training */
    double causal_loss, causal_accuracy; /* and under the causal mask */
    double exact;                        /* share of sources whose greedy decoding is a right answer, all tokens */
} laboratory_decoding;

/* Permuted input, in a tagger without positions: how far the output is from the permuted output. */
typedef struct laboratory_permuted {
    double largest;    /* |logit| */
    double difference; /* the largest between two logits that should be equal */
    double bound;      /* what summation order is granted: see laboratory_order.c */
    double positions;  /* the largest difference in the tagger that has positions and the full mask */
} laboratory_permuted;

/* How many marks are put behind a row. */
#define LABORATORY_PADDINGS 5
extern const int64_t laboratory_paddings[LABORATORY_PADDINGS];

/* A tagger with the full mask on padded rows, the padding mask on [1] and off [0]. */
typedef struct laboratory_padded {
    double accuracy[2][LABORATORY_PADDINGS];
    double difference[2]; /* the largest between a logit of the padded row and the same of the bare row */
    int64_t changed[2];   /* logits that differ in any bit, of all that were compared */
    int64_t compared;
} laboratory_padded;

typedef enum laboratory_section {
    LABORATORY_TAGGERS,
    LABORATORY_GRID,
    LABORATORY_LEAK,
    LABORATORY_ORDER,
    LABORATORY_PADDING
} laboratory_section;

/* What was expected, and what was measured. */
typedef struct laboratory_claim {
    laboratory_section section;
    laboratory_task task; /* that it is about; LABORATORY_TASKS: no one in particular */
    char expected[224], measured[224];
    bool holds;
} laboratory_claim;
#define LABORATORY_CLAIMS 32 /* at most */

typedef struct laboratory_findings {
    study_laboratory_options options; /* with the defaults filled in */
    /* [length, length]: whether output i may depend on input j, of one block and of the whole model. A block hands on
     * what it sees and, by its residual connection, its own position: so windows widen with each layer. */
    unsigned char block_reach[LABORATORY_MASKS][LABORATORY_LENGTH * LABORATORY_LENGTH];
    unsigned char reach[LABORATORY_MASKS][LABORATORY_LENGTH * LABORATORY_LENGTH];
    /* By position, on unseen examples, trained and evaluated under the same mask; and what that mask allows. */
    double accuracy[LABORATORY_TASKS][LABORATORY_SETTINGS][LABORATORY_LENGTH];
    double allowed[LABORATORY_TASKS][LABORATORY_SETTINGS][LABORATORY_LENGTH];
    /* The mean over the positions: trained in a setting, evaluated under a mask. */
    double grid[LABORATORY_TASKS][LABORATORY_SETTINGS][LABORATORY_MASKS];
    laboratory_decoding correct, leaking;
    double loss_floor; /* the least mean loss that a causal decoder can have */
    laboratory_permuted permuted[LABORATORY_TASKS];
    laboratory_padded padded[LABORATORY_TASKS];
    laboratory_claim claims[LABORATORY_CLAIMS];
    int claim_count;
} laboratory_findings;

/* All experiments, and the claims about them. */
ag_status laboratory_run(const study_laboratory_options *options, laboratory_findings *findings,
                         ag_error *error) AG_CHECKED;
/* The claims alone, from all else in `findings`. */
void laboratory_claim_all(laboratory_findings *findings);
void laboratory_write(const laboratory_findings *findings, study_document *document);

/* What is possible by position in a cell of the grid: one of findings->allowed. */
const double *laboratory_grid_allowed(const laboratory_findings *findings, int task, int setting, int mask);

/* How far a share that was counted over the unseen examples may stray from its probability p: five standard deviations
 * of a binomial count, which one in 1.7 million exceeds. */
double laboratory_stray(double p);
double laboratory_mean(const double *values, int64_t count);

/* ---- A run ---------------------------------------------------------------------------------- */

typedef struct laboratory {
    study_laboratory_options options;
    laboratory_findings *findings;
    ag_error *error;
    ag_tape *tape;
    int32_t *unseen; /* [LABORATORY_EXAMPLES, length] */
    nn_model *taggers[LABORATORY_TASKS][LABORATORY_SETTINGS];
    int64_t steps_done, steps_all; /* of all trainings */
} laboratory;

/* A training: steps of LABORATORY_ROWS rows, always of the same batches. */
typedef struct laboratory_training {
    const char *what; /* for the progress: "reverse, causal" */
    nn_model *model;
    /* The mean loss of the batch whose letters are x; the stream stands behind them. NULL with the tape's error. */
    ag_tensor *(*loss)(const laboratory *lab, const struct laboratory_training *training, const nn_pass *pass,
                       const int32_t *x, ag_rng *rng);
    laboratory_task task;
    laboratory_mask mask;
    bool leaking;
    double *curve; /* [LABORATORY_POINTS] means of the loss over stretches of steps; NULL: not wanted */
} laboratory_training;

/* A model of the laboratory's size, to be trained. NULL with the error. */
nn_model *laboratory_model(const laboratory *lab, nn_model_kind kind, nn_position_kind positions);
ag_status laboratory_train(laboratory *lab, const laboratory_training *training) AG_CHECKED;

/* The experiments, each with its part of the findings. */
ag_status laboratory_train_taggers(laboratory *lab) AG_CHECKED;
ag_status laboratory_measure_grid(laboratory *lab) AG_CHECKED;
ag_status laboratory_find_leak(laboratory *lab) AG_CHECKED;
ag_status laboratory_permute(laboratory *lab) AG_CHECKED;
ag_status laboratory_pad(laboratory *lab) AG_CHECKED;

/* AG_INTERRUPTED where the caller wants to stop. */
ag_status laboratory_stopped(const laboratory *lab) AG_CHECKED;
/* Notes the tape's error. */
ag_status laboratory_tape_failed(const laboratory *lab) AG_CHECKED;
/* The token with the largest of `classes` logits. */
int32_t laboratory_best(const ag_real *logits, int64_t classes);

#endif
