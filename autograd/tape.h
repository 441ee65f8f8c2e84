/* tape.h - the inside of the tape, for autograd/ alone.
 *
 * A tape is a list of nodes, newest first, and the memory that they and their tensors lie
 * in. An operation appends one node when it runs (node.c); backward.c follows the
 * list. */
#ifndef AUTOGRAD_TAPE_H
#define AUTOGRAD_TAPE_H

#include "arena.h"
#include "autograd.h"
#include "kernels/elementwise.h"
#include "kernels/product.h"

/* A name that ag_tape_enter gave, with those around it: "encoder.layers.0". In the
 * arena. */
typedef struct ag_scope {
    const char *text;
    struct ag_scope *outer;
} ag_scope;

/* A kept copy of a weight: packed.c. */
typedef struct packed_weight packed_weight;

struct ag_tape {
    ag_arena arena;   /* memory that lives until the rewind */
    ag_arena scratch; /* memory that lives until the operation returns */
    ag_arena lent;    /* memory that lives until it is returned */
    ag_error error;   /* the first; while there is one, no operation runs */
    ag_node *last;    /* the newest node; each points to the one before it */
    ag_scope *scope;  /* the innermost, NULL outside */
    int threads;
    bool grad_on;                                  /* whether operations append nodes */
    bool forgets;                                  /* whether ag_forget does anything */
    bool measures;                                 /* whether nodes get a cost */
    uint64_t dropout_seed, dropout_step, dropouts; /* of tape_next_dropout and replays */
    int64_t blind_queries;                         /* ag_tape_blind_queries */
    ag_kinks *kinks;                               /* NULL outside gradient checks */
    const kernel_product *product; /* the kernels of linear layers and matmuls */
    char *workspace;               /* memory for them */
    bool keeps_weights;            /* ag_tape_keep_weights */
    ag_arena packed_arena;         /* the copies of weights that are kept, .. */
    packed_weight *packed_last;    /* .. and the one that was used last; NULL: none */
};

/* The decisions of a computation as one hash (FNV-1a): two runs that lie on the same side
 * of every kink have the same. */
struct ag_kinks {
    uint64_t hash;
};

/* ag_tape_alloc, but from memory given back since the rewind if there is enough in one
 * place. Give it back with arena_give(&tape->arena, ..). */
void *tape_take(ag_tape *tape, size_t bytes);

/* A tensor in the arena without data: the caller sets `data`. NULL, and the tape has the
 * error, for a shape that cannot be or when memory is out. */
ag_tensor *tape_tensor_new(ag_tape *tape, ag_shape shape);

/* A copy of `bytes` bytes that lives until the rewind. NULL if `data` is NULL, or, and
 * the tape has the error, if memory is out. */
const void *tape_copy(ag_tape *tape, const void *data, size_t bytes);

/* The mask of the next dropout, which drops with probability p in [0, 1]. Each call
 * counts one dropout since ag_tape_seed, and that number decides the mask's bits
 * (ag_dropout), so an operation calls it once in its forward pass and keeps the mask for
 * its backward. */
kernel_dropout tape_next_dropout(ag_tape *tape, double p);

/* Runs the operation of a node once more, on another tape and inputs [input_count] of the
 * same shapes, with the same attributes and masks of dropout. NULL, and that tape has the
 * error, if it fails. The node must outlive what is made. */
ag_tensor *tape_replay(const ag_node *node, ag_tape *tape, ag_tensor *const *inputs);

/* Says why a record cannot run, such as "has no forward"; NULL if it can. */
const char *tape_record_lacks(const ag_op *op);

/* Inside the backward of y whose input x gets dy unchanged: lets x and y hold one
 * gradient buffer instead of copying it. Returns false, and does nothing, if x has a
 * gradient already, is a leaf, or differs in size. */
bool tape_gradient_share(ag_tensor *x, const ag_tensor *y);
/* Inside the backward of y: whether the gradient of y may be overwritten, because no one
 * reads it later. */
bool tape_gradient_spare(const ag_tensor *y);

/* Gives back the memory of the values of x, if it has any. */
void tape_drop_values(ag_tensor *x);
/* Gives back the values of all forgotten tensors that were recomputed. */
void tape_drop_recomputed(const ag_tape *tape);
/* Computes the values of x again if they were dropped. x may be NULL. */
ag_status tape_recompute_values(ag_tensor *x) AG_CHECKED;

/* Whether x holds a NaN or an infinity; the first one goes to *value. */
bool tape_find_nonfinite(const ag_real *x, int64_t size, double *value);

#endif
