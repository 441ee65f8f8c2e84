/* random.h - random numbers that depend on a seed, a stream and a position, and on
 * nothing else.
 *
 * The generator is counter-based: number n of a stream is a function of n, so no thread
 * has to wait for the numbers before it, and a resumed run continues as if it had never
 * stopped. The same numbers come out on every machine.
 *
 * All functions may be called from any thread; an ag_rng is used by one thread at a time.
 */
#ifndef AG_RANDOM_H
#define AG_RANDOM_H

#include "real.h"

AG_HEADER_BEGIN

/* ---- Streams ----------------------------------------------------------------------- */

/* A place in a random stream: equal (seed, stream, position) give equal numbers
 * everywhere. Each number drawn advances `position` by one. Copy an ag_rng or save it to
 * return to a place; set `position` to jump. */
typedef struct ag_rng {
    uint64_t seed, stream, position;
} ag_rng;

/* The beginning of a stream: position 0. */
ag_rng ag_rng_make(uint64_t seed, uint64_t stream);
/* Draw one number, by ag_philox with the seed as key and (position, stream) as
 * counter. */
uint32_t ag_rng_u32(ag_rng *rng);               /* 0 .. 2^32 - 1 */
uint64_t ag_rng_below(ag_rng *rng, uint64_t n); /* 0 .. n-1, unbiased; n = 0 gives 0 */
double ag_rng_uniform(ag_rng *rng);             /* [0, 1), 53 bits */
double ag_rng_normal(ag_rng *rng);              /* mean 0, variance 1; Box, Muller 1958 */

/* ---- Seeds ------------------------------------------------------------------------- */

/* The uses of random numbers in all layers; a program's own begin at 1000. Each use has a
 * seed of its own, made by ag_seed_for from the one seed that the user gives, so that no
 * two uses draw the same numbers. */
typedef enum ag_purpose {
    AG_FOR_EXAMPLES = 1,
    AG_FOR_ORDER,
    AG_FOR_SHIFT,
    AG_FOR_SPLIT,
    AG_FOR_DROPOUT,
    AG_FOR_PARAMETERS,
    AG_FOR_SAMPLING,
    AG_FOR_RESAMPLES
} ag_purpose;

/* The seed of one use: ag_mix(seed + 0x9E3779B97F4A7C15 purpose), modulo 2^64. */
uint64_t ag_seed_for(uint64_t seed, ag_purpose purpose);

/* ---- Their parts ------------------------------------------------------------------- */

/* Philox4x32-10 (Salmon et al. 2011): 128 random bits from a 128-bit counter and a 64-bit
 * key. */
void ag_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* Spreads every bit of x over all 64: the finalizer of Steele et al. 2014 with Stafford's
 * constants, variant 13. */
uint64_t ag_mix(uint64_t x);

AG_HEADER_END
#endif
