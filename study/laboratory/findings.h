/* findings.h - the numbers that the experiments find, and the document made of them. */
#ifndef STUDY_LABORATORY_FINDINGS_H
#define STUDY_LABORATORY_FINDINGS_H

#include "tasks.h"

#define LABORATORY_LAYERS 2
#define LABORATORY_POINTS 40 /* of a loss curve */

/* An encoder-decoder that was trained with one mask in its decoder. Losses are means per
 * token, in nats; those under teacher forcing are of unseen examples. */
typedef struct laboratory_decoding {
    double curve[LABORATORY_POINTS];     /* training loss: the mean of each stretch of steps */
    double loss, accuracy;               /* teacher-forced, under the mask of the training */
    double causal_loss, causal_accuracy; /* teacher-forced, under the causal mask */
    double exact;                        /* share of sources decoded greedily without an error */
} laboratory_decoding;

/* A tagger without positions on permuted input: how far its output is from the permuted
 * output. */
typedef struct laboratory_permuted {
    double largest;    /* |logit| */
    double difference; /* the largest between two logits that should be equal */
    double bound;      /* how large rounding can make it: see order.c */
    double positions;  /* the largest difference in the tagger with positions and the full mask */
} laboratory_permuted;

/* How many padding tokens follow a row. */
#define LABORATORY_PADDINGS 5
extern const int64_t laboratory_paddings[LABORATORY_PADDINGS];

/* A tagger with the full mask on padded rows, with the padding mask [1] and without
 * [0]. */
typedef struct laboratory_padded {
    double accuracy[2][LABORATORY_PADDINGS];
    double difference[2]; /* the largest between the logits of a padded row and of the row alone */
    int64_t changed[2];   /* how many logits differ in any bit, */
    int64_t compared;     /* of how many */
} laboratory_padded;

/* The experiments, as sections of the document. */
typedef enum laboratory_section {
    LABORATORY_TAGGERS,
    LABORATORY_GRID,
    LABORATORY_LEAK,
    LABORATORY_ORDER,
    LABORATORY_PADDING
} laboratory_section;

/* An expectation, and what was measured. */
typedef struct laboratory_claim {
    laboratory_section section;
    laboratory_task task; /* the task that it is about; LABORATORY_TASKS: several */
    char expected[224], measured[224];
    bool holds;
} laboratory_claim;
#define LABORATORY_CLAIMS 32 /* at most */

typedef struct laboratory_findings {
    study_laboratory_options options; /* with the defaults filled in */
    /* [length, length]: whether output i may depend on input j, within one block and
     * within the whole model. */
    unsigned char block_reach[LABORATORY_MASKS][LABORATORY_LENGTH * LABORATORY_LENGTH];
    unsigned char reach[LABORATORY_MASKS][LABORATORY_LENGTH * LABORATORY_LENGTH];
    /* By position: measured on unseen examples under the mask of the training, and
     * possible under that mask. */
    double accuracy[LABORATORY_TASKS][LABORATORY_SETTINGS][LABORATORY_LENGTH];
    double allowed[LABORATORY_TASKS][LABORATORY_SETTINGS][LABORATORY_LENGTH];
    /* Mean over the positions: trained in a setting, evaluated under a mask. */
    double grid[LABORATORY_TASKS][LABORATORY_SETTINGS][LABORATORY_MASKS];
    laboratory_decoding correct, leaking;
    double loss_floor; /* the least mean loss that is possible for a causal decoder */
    laboratory_permuted permuted[LABORATORY_TASKS];
    laboratory_padded padded[LABORATORY_TASKS];
    laboratory_claim claims[LABORATORY_CLAIMS];
    int claim_count;
} laboratory_findings;

double laboratory_mean(const double *values, int64_t count);
/* How far a share counted over the unseen examples may be from its probability p: five
 * standard deviations of a binomial count, exceeded once in 1.7 million. */
double laboratory_stray(double p);
/* The accuracy that is possible, by position, in a cell of the grid: a row of
 * findings->allowed. */
const double *laboratory_grid_allowed(const laboratory_findings *findings, int task, int setting, int mask);

/* Fills in the claims from everything else in `findings`. */
void laboratory_claim_all(laboratory_findings *findings);
/* Adds everything to the document. */
void laboratory_write(const laboratory_findings *findings, study_document *document);

#endif
