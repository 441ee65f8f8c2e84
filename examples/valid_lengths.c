/* valid_lengths.c - sequences of different lengths in one batch, under two kinds of attention scores.
 *
 * A batch is a block: every sequence has as many places as the longest, and what lies behind a sequence's end is
 * padding. The sizes are those of a textbook exercise: a batch of 2, 4 queries and 6 keys for each, vectors of width
 * 100, 5 heads, dropout 0.5; the first sequence has 3 keys that count, the second has 2.
 *
 * - ag_mask_key_lengths says which keys count. The others get the weight 0: not a small number, but 0. To prove it, the
 *   padding is filled with NaN ("not a number", which spoils every sum that it comes into), and the result is the same,
 *   bit by bit.
 * - The score of a query and a key can be their product, divided by the root of its length (Vaswani et al. 2017), or
 *   additive: w . tanh(W_q q + W_k k), a small network (Bahdanau et al. 2015). The mask does not care.
 * - Dropout, in training, takes weights out at random and doubles the rest (for 0.5), so that the expected sum stays
 *   1. It can only take out: what was masked stays masked.
 * - If all keys are alike, their scores are, and each that counts gets the same weight: 1/3 each of 3, 1/2 each of 2.
 */
#include <tapeformer/nn.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 2, QUERIES = 4, KEYS = 6, WIDTH = 100, HEADS = 5, QUERY_ROWS = HEADS * QUERIES };

static const int32_t valid_lengths[BATCH] = {3, 2};

typedef struct exercise {
    nn_params params;
    nn_attention product;
    nn_additive_attention additive;
    ag_tape *tape;
} exercise;

static bool set_up(exercise *s, ag_error *error)
{
    const nn_attention_config product = {.d_model = WIDTH, .heads = HEADS, .dropout = 0.5};
    const nn_additive_attention_config additive = {.hidden = WIDTH, .heads = HEADS, .dropout = 0.5};
    *s = (exercise){.tape = ag_tape_new(&(ag_tape_options){.no_grad = true})};
    if (!s->tape)
        ag_error_set(error, AG_NO_MEMORY, "out of memory");
    return s->tape && nn_attention_init(&s->product, &s->params, "product", &product, error) == AG_OK &&
           nn_additive_attention_init(&s->additive, &s->params, "additive", &additive, error) == AG_OK &&
           nn_params_allocate(&s->params, 1, error) == AG_OK;
}

/* One of the two layers on queries [2, 4, 100] and keys [2, 6, 100], which are the values
 * too. */
static ag_tensor *apply(const exercise *s, bool additive, bool training, ag_tensor *queries, ag_tensor *keys,
                        ag_tensor **weights)
{
    const nn_pass pass = {.tape = s->tape, .params = &s->params, .training = training};
    const ag_mask *mask = ag_mask_key_lengths(s->tape, BATCH, valid_lengths);
    ag_tape_seed(s->tape, 1, 1); /* the same dropout each time */
    return additive ? nn_additive_attention_apply(&s->additive, &pass, queries, keys, keys, mask, weights)
                    : nn_attention_apply(&s->product, &pass, queries, keys, keys, mask, NULL, weights);
}

static ag_tensor *draw(ag_tape *tape, int64_t length, uint64_t stream)
{
    ag_tensor *x = ag_constant(tape, AG_SHAPE(BATCH, length, WIDTH), NULL);
    ag_rng rng = ag_rng_make(7, stream);
    for (int64_t i = 0; x && i < x->size; i++)
        x->data[i] = (ag_real)ag_rng_normal(&rng);
    return x;
}

/* A copy of the keys with NaN in the padding. */
static ag_tensor *spoil_padding(const ag_tensor *keys)
{
    ag_tensor *spoiled = ag_constant(keys->tape, keys->shape, keys->data);
    for (int64_t b = 0; spoiled && b < BATCH; b++)
        for (int64_t j = valid_lengths[b]; j < KEYS; j++)
            for (int64_t i = 0; i < WIDTH; i++)
                spoiled->data[(b * KEYS + j) * WIDTH + i] = (ag_real)NAN;
    return spoiled;
}

/* ---- What is printed --------------------------------------------------------------- */

/* The weights [2, 5, 4, 6] of the first query in the first head of each sequence. */
static void print_weights(const ag_tensor *weights)
{
    for (int64_t b = 0; b < BATCH; b++) {
        printf("weights, %d keys count:", (int)valid_lengths[b]);
        for (int64_t j = 0; j < KEYS; j++)
            printf(" %.4f", (double)weights->data[b * QUERY_ROWS * KEYS + j]);
        printf("\n");
    }
}

/* How much weight all heads and queries together give to the keys that count, and to the
 * others. */
static void print_sums(const ag_tensor *weights)
{
    double inside = 0, beyond = 0;
    for (int64_t b = 0; b < BATCH; b++)
        for (int64_t i = 0; i < QUERY_ROWS; i++)
            for (int64_t j = 0; j < KEYS; j++)
                *(j < valid_lengths[b] ? &inside : &beyond) += (double)weights->data[(b * QUERY_ROWS + i) * KEYS + j];
    printf("all weights of %d rows: %.4f within the valid lengths, %g beyond\n", BATCH * QUERY_ROWS, inside, beyond);
}

static void print_equality(const char *title, const ag_tensor *a, const ag_tensor *b)
{
    const bool same = a && b && memcmp(a->data, b->data, (size_t)a->size * sizeof(ag_real)) == 0;
    printf("%s: %s\n", title, same ? "the same bits" : "different");
}

static void show_scoring(const exercise *s, bool additive)
{
    char text[2][AG_SHAPE_TEXT];
    ag_tensor *weights = NULL, *unused = NULL;
    ag_tensor *queries = draw(s->tape, QUERIES, 1), *keys = draw(s->tape, KEYS, 2);
    ag_tensor *y = apply(s, additive, false, queries, keys, &weights);
    ag_tensor *trained = apply(s, additive, true, queries, keys, &unused);
    if (!y || !trained)
        return;
    printf("\n%s\n", additive ? "Additive: w . tanh(W_q q + W_k k)" : "Scaled dot product: q . k / sqrt(20)");
    printf("result %s, weights %s\n", ag_shape_print(y->shape, text[0]), ag_shape_print(weights->shape, text[1]));
    print_weights(weights);
    print_sums(weights);
    ag_tensor *spoiled = spoil_padding(keys);
    print_equality("NaN in the padding", y, apply(s, additive, false, queries, spoiled, &unused));
    print_equality("NaN in the padding, with dropout", trained, apply(s, additive, true, queries, spoiled, &unused));
    print_equality("With dropout and without", y, trained);

    ag_tensor *alike = ag_constant(s->tape, keys->shape, NULL);
    for (int64_t i = 0; alike && i < alike->size; i++)
        alike->data[i] = 1;
    if (apply(s, additive, false, queries, alike, &weights)) {
        printf("If all keys are alike:\n");
        print_weights(weights);
    }
}

int main(void)
{
    exercise s;
    ag_error error = {0};
    if (set_up(&s, &error)) {
        char picture[QUERIES * (KEYS + 1) + 1];
        const ag_mask *mask = ag_mask_key_lengths(s.tape, BATCH, valid_lengths);
        for (int64_t b = 0; mask && b < BATCH; b++) {
            ag_mask_print(mask, b, 0, QUERIES, KEYS, picture, sizeof picture);
            printf("Sequence %d: each of 4 queries (a line) may look at these keys (#)\n%s", (int)b, picture);
        }
        show_scoring(&s, false);
        show_scoring(&s, true);
        ag_error_set(&error, ag_tape_error(s.tape)->status, "%s", ag_tape_error(s.tape)->message);
    }
    if (error.status != AG_OK)
        fprintf(stderr, "%s\n", error.message);
    ag_tape_free(s.tape);
    nn_params_clear(&s.params);
    return error.status != AG_OK;
}
