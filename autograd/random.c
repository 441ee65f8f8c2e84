/* random.c - the numbers drawn from Philox4x32-10 (kernels/philox.h).
 *
 * A counter-based generator: the n-th number is a function of n, so it can be drawn
 * without the ones before it. */
#include "random.h"

#include "kernels/philox.h"
#include "scalar.h"

#include <math.h>

#define PI 3.14159265358979323846

void ag_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    philox(counter, key, out);
}

/* G. L. Steele, D. Lea, C. H. Flood: Fast splittable pseudorandom number generators.
 * OOPSLA 2014, section 5. */
uint64_t ag_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t ag_seed_for(uint64_t seed, ag_purpose purpose)
{
    return ag_mix(seed + 0x9E3779B97F4A7C15u * (uint64_t)purpose);
}

ag_rng ag_rng_make(uint64_t seed, uint64_t stream)
{
    return (ag_rng){.seed = seed, .stream = stream, .position = 0};
}

/* 128 bits of the block at the rng's position; every number drawn has a block of its own,
 * which is simple to continue.
 */
static void draw_block(ag_rng *rng, uint32_t out[4])
{
    uint32_t counter[4] = {(uint32_t)rng->position, (uint32_t)(rng->position >> 32), (uint32_t)rng->stream,
                           (uint32_t)(rng->stream >> 32)};
    uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
    ag_philox(counter, key, out);
    rng->position++;
}

static uint64_t bits64(const uint32_t *words)
{
    return (uint64_t)words[0] << 32 | words[1];
}

/* The top 53 of 64 bits as a number in [0, 1). */
static double unit_interval(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

uint32_t ag_rng_u32(ag_rng *rng)
{
    uint32_t block[4];
    draw_block(rng, block);
    return block[0];
}

uint64_t ag_rng_below(ag_rng *rng, uint64_t n)
{
    if (n == 0)
        return 0;
    /* Numbers from the incomplete last run of n would favour the small ones: draw
     * again. */
    uint64_t rejected = (UINT64_MAX - n + 1) % n;
    for (;;) {
        uint32_t block[4];
        draw_block(rng, block);
        uint64_t bits = bits64(block);
        if (bits >= rejected)
            return bits % n;
    }
}

double ag_rng_uniform(ag_rng *rng)
{
    uint32_t block[4];
    draw_block(rng, block);
    return unit_interval(bits64(block));
}

double ag_rng_normal(ag_rng *rng)
{
    uint32_t block[4];
    draw_block(rng, block);
    double u = 1.0 - unit_interval(bits64(block)); /* (0, 1]: its logarithm is finite */
    double v = unit_interval(bits64(block + 2));
    return sqrt(-2.0 * scalar_log(u)) * scalar_cos(2.0 * PI * v);
}
