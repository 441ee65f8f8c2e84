/* random.c - Philox4x32-10 and the numbers drawn from it.
 *
 * J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011,
 * section 3.3. A counter-based generator: the n-th number is a function of n, so nobody has to draw the ones before. */
#include "autograd.h"
#include "scalar.h"

#include <math.h>

#define PI 3.14159265358979323846

void ag_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c0 = n0;
        c1 = (uint32_t)p1;
        c2 = n2;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u; /* the golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* G. L. Steele, D. Lea, C. H. Flood: Fast splittable pseudorandom number generators. OOPSLA 2014, section 5. */
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

/* 128 bits of the block at the rng's position; every number drawn has a block of its own, which is simple to continue.
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
    /* Numbers from the incomplete last run of n would favour the small ones: draw again. */
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
