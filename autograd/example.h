/* example.h - the inside of examples, for autograd/ alone: how the checks call a record's
 * `example`.
 *
 * It is called many times for one check: once to find out which inputs there are and to
 * draw their values, then once for each evaluation. Two streams of random numbers make
 * the calls alike. Attributes and shapes are drawn at each call, from a stream that
 * starts again, so they come out the same. Values are drawn once, since the check moves
 * them. */
#ifndef AUTOGRAD_EXAMPLE_H
#define AUTOGRAD_EXAMPLE_H

#include "arena.h"
#include "autograd.h"

struct ag_example {
    const ag_op *op;
    ag_tape *tape;            /* of the running call */
    ag_tensor *const *leaves; /* the inputs on that tape; NULL in the first call */
    ag_rng attributes, values;
    ag_gradcheck_input *inputs; /* [count], found by the first call */
    int count;
    int next;       /* the input that the running call asks for next */
    ag_arena arena; /* the inputs' values and gradients */
};

/* An example of the operation, the same for equal seeds and draws. */
ag_example example_make(const ag_op *op, uint64_t seed, int draw);
void example_clear(ag_example *example);

/* Calls op->example on `tape`; `context` is the ag_example. An ag_function. */
ag_tensor *example_call(ag_tape *tape, ag_tensor *const *leaves, void *context);

/* The value of a tape's kinks before any decision is noted. */
#define KINKS_NONE ((ag_kinks){.hash = UINT64_C(0xCBF29CE484222325)})

#endif
