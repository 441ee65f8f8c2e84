/* causal_1300.c - 1,300 tokens under a causal mask: the first attends to itself alone, the second to two, and so on.
 *
 * A table of attention weights with zeros above its diagonal shows what one array holds; it does not show that no other
 * way leads from a later token to an earlier output. Influence does: output i is differentiated by every input, through
 * queries, keys and values at once, and the derivative by input j must be
 *
 *     exactly 0   for j > i   (a bit of the future that leaked would be a small number, not a zero),
 *     not 0       for j <= i  (a mask that forbids everything leaks nothing either, and is no use).
 *
 * One forward pass, then a backward pass for each of the 1,300 outputs: all 1,690,000 pairs, none left out. A proof
 * that cannot fail is none, so the same is tried with a mask that is wrong by one place.
 *
 * The inputs lie in [-1, 1), so that no weight is far from its neighbours: next to a score that is larger by 110, an
 * allowed weight would be e^-110, which is 0 in float and looks forbidden. */
#include <tapeformer/autograd.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TOKENS = 1300, WIDTH = 4 };

/* Fills `values` with drawn numbers in [-1, 1). */
static void draw(uint64_t stream, int count, ag_real *values)
{
    ag_rng rng = ag_rng_make(1300, stream);
    for (int i = 0; i < count; i++)
        values[i] = (ag_real)(2 * ag_rng_uniform(&rng) - 1);
}

/* Self-attention of x [1, TOKENS, WIDTH] as bare as can be: a token is its own query, key
 * and value. */
static ag_tensor *attend(ag_tensor *x, int64_t mask_offset)
{
    if (!x)
        return NULL;
    return ag_attention(x, x, x, &(ag_attention_options){.mask = ag_mask_causal(x->tape, mask_offset)});
}

/* influence[j] = how much output i moves with input j: the sum of |d (w y_i) / d x_j| over the elements of x_j, where w
 * are drawn weights of the output's elements, so that none cancels another. False where there is no gradient. */
static bool influence_on(int64_t i, ag_tensor *y, const ag_tensor *x, double influence[TOKENS])
{
    static ag_real seed[TOKENS * WIDTH];
    memset(seed, 0, sizeof seed);
    draw(2, WIDTH, seed + i * WIDTH);
    if (x->grad) /* backward would add to what the last output left there */
        memset(x->grad, 0, (size_t)x->size * sizeof *x->grad);
    if (ag_backward_seeded(y, seed) != AG_OK || !x->grad)
        return false;
    for (int j = 0; j < TOKENS; j++) {
        influence[j] = 0;
        for (int d = 0; d < WIDTH; d++)
            influence[j] += fabs((double)x->grad[j * WIDTH + d]);
    }
    return true;
}

/* Prints what moves output i; tokens are counted from 1, as people do. */
static void print_row(int i, const double influence[TOKENS])
{
    int count = 0, last = 0;
    for (int j = 0; j < TOKENS; j++)
        if (influence[j] != 0) {
            count++;
            last = j + 1;
        }
    printf("token %d is influenced by %d, the last of them token %d\n", i + 1, count, last);
}

/* Looks at every pair. */
static bool prove_causal(ag_tensor *y, const ag_tensor *x)
{
    double influence[TOKENS], smallest = INFINITY;
    int seen = 0, unseen = 0, wrong = 0;
    for (int i = 0; i < TOKENS; i++) {
        if (!influence_on(i, y, x, influence))
            return false;
        for (int j = 0; j < TOKENS; j++) {
            const bool is_seen = influence[j] != 0;
            seen += is_seen;
            unseen += !is_seen;
            wrong += is_seen != (j <= i);
            if (is_seen)
                smallest = fmin(smallest, influence[j]);
        }
        if (i < 3 || i == TOKENS / 2 - 1 || i == TOKENS - 1)
            print_row(i, influence);
    }
    printf("of %d pairs %d have influence, %d have exactly none\n", seen + unseen, seen, unseen);
    printf("the smallest influence is %.1e\n", smallest);
    printf("pairs that are not as the causal mask says: %d\n", wrong);
    return wrong == 0;
}

int main(void)
{
    static ag_real values[TOKENS * WIDTH];
    double influence[TOKENS];
    ag_tape *tape = ag_tape_new(NULL);
    if (!tape)
        return 1;
    draw(1, TOKENS * WIDTH, values);
    ag_tensor *x = ag_variable(tape, AG_SHAPE(1, TOKENS, WIDTH), values);
    const bool proved = prove_causal(attend(x, 0), x);
    puts(proved ? "proved" : "NOT proved");

    puts("and with a mask that is one place too generous, of which the first output knows at once:");
    if (influence_on(0, attend(x, 1), x, influence))
        print_row(0, influence);

    if (ag_tape_error(tape)->status != AG_OK)
        puts(ag_tape_error(tape)->message);
    ag_tape_free(tape);
    return proved ? 0 : 1;
}
