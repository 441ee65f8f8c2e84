/* tape.h - the inside of the tape, for autograd/ alone. */
#ifndef AUTOGRAD_TAPE_H
#define AUTOGRAD_TAPE_H

#include "arena.h"
#include "autograd.h"
#include "kernels/elementwise.h"
#include "kernels/product.h"

/* Where an operation was made: "encoder.layers.0". Lives in the arena. */
typedef struct ag_scope {
    const char *text;
    struct ag_scope *outer;
} ag_scope;

typedef struct memory_piece memory_piece;

struct ag_tape {
    ag_arena arena;   /* what lives until the rewind */
    ag_arena scratch; /* what lives until the operation returns */
    ag_error error;   /* the first */
    ag_node *last;    /* the newest node */
    ag_scope *scope;  /* the innermost, NULL outside */
    int threads;
    bool grad_on;
    uint64_t dropout_seed, dropout_step, dropouts; /* for tape_next_dropout alone */
    int64_t blind_queries;                         /* since the rewind */
    bool forgets;                                  /* whether ag_forget does anything */
    memory_piece *free_pieces;                     /* pieces.c */
    ag_kinks *kinks;               /* where forward passes note their decisions; NULL but for gradient checks */
    const kernel_product *product; /* of linear layers and matmuls */
    char *workspace;               /* for any product */
};

/* The decisions of a computation, as one hash (FNV-1a): two runs on the same side of every kink have the same. */
struct ag_kinks {
    uint64_t hash;
};

/* Inside the backward of y, whose gradient is x's as it stands (x is an input of the same size): lets both hold the one
 * buffer instead of adding. False, and nothing is done, where x has a gradient already or memory of its own for it. */
bool tape_gradient_share(ag_tensor *x, const ag_tensor *y);
/* Inside the backward of y: whether nobody will look at the gradient of y again, so that it may be overwritten. */
bool tape_gradient_spare(const ag_tensor *y);

/* Gives back the memory of the values of x, if it has them. */
void tape_forget(ag_tensor *x);
/* Makes the values of x anew where they are forgotten. NULL is fine. */
ag_status tape_remember(ag_tensor *x) AG_CHECKED;

/* Says why a record cannot run, such as "has no forward"; NULL where it can. */
const char *tape_record_lacks(const ag_op *op);

/* The mask of the next dropout, which drops with probability p in [0, 1]. Each call counts
 * one dropout since ag_tape_seed, and that number decides the mask's bits (ag_dropout), so
 * an operation calls it once in its forward pass and keeps the mask for its backward. */
kernel_dropout tape_next_dropout(ag_tape *tape, double p);

/* A tensor in the arena without data: the caller sets `data`. */
ag_tensor *tape_tensor_new(ag_tape *tape, ag_shape shape);

/* True, and the first offender's value, where x holds NaN or infinity. */
bool tape_find_nonfinite(const ag_real *x, int64_t size, double *value);

#endif
