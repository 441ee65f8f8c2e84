/* six_tokens.c - self-attention on six words, step by step, until it is multi-head attention.
 *
 * The six vectors of 3 numbers are those of a well-known introduction to attention: they stand for the words of "Your
 * journey starts with one step". Each step below is one line of arithmetic and one call of the library:
 *
 * 1. The score of two words is the product of their vectors: the more they point the same way, the higher it is.
 * 2. Weights must be positive and have the sum 1. Dividing by the sum does that here; softmax does it always.
 * 3. The context vector of a word is the sum of all words' vectors, each times its weight.
 * 4. Causal: a word sees itself and the words before it. What is to come is forbidden before the softmax, so that the
 *    weights of what is left still have the sum 1. To take the softmax first, to put zeros and to divide by the new sum
 *    is the same; only to put the zeros would leave rows whose sum is below 1.
 * 5. Two heads: words are first turned into queries, keys and values by three matrices. Each head has its own part of
 *    them and looks by its own weights; the heads' results stand side by side.
 *
 * Here the matrices are small numbers chosen by hand, so that you can follow with a pencil. Training would find them.
 */
#include <tapeformer/autograd.h>

#include <math.h>
#include <stdio.h>

enum { WORDS = 6, WIDTH = 3, HEADS = 2, HEAD_WIDTH = 2 };

static const char *const words[WORDS] = {"Your", "journey", "starts", "with", "one", "step"};

static const ag_real embeddings[WORDS * WIDTH] = {
    (ag_real)0.43, (ag_real)0.15, (ag_real)0.89, /* Your */
    (ag_real)0.55, (ag_real)0.87, (ag_real)0.66, /* journey */
    (ag_real)0.57, (ag_real)0.85, (ag_real)0.64, /* starts */
    (ag_real)0.22, (ag_real)0.58, (ag_real)0.33, /* with */
    (ag_real)0.77, (ag_real)0.25, (ag_real)0.10, /* one */
    (ag_real)0.05, (ag_real)0.80, (ag_real)0.55, /* step */
};

/* Each head has two rows of each matrix: it makes 2 numbers of 3. */
static const ag_real query_matrix[HEADS * HEAD_WIDTH * WIDTH] = {
    1, 0, 1,  /* head 1, row 1 */
    0, 1, 0,  /* head 1, row 2 */
    0, 2, 0,  /* head 2, row 1 */
    1, 0, -1, /* head 2, row 2 */
};
static const ag_real key_matrix[HEADS * HEAD_WIDTH * WIDTH] = {
    0, 1, 1, /* head 1, row 1 */
    1, 0, 0, /* head 1, row 2 */
    2, 0, 0, /* head 2, row 1 */
    0, 1, 1, /* head 2, row 2 */
};
static const ag_real value_matrix[HEADS * HEAD_WIDTH * WIDTH] = {
    1, 0, 0, /* head 1, row 1 */
    0, 1, 0, /* head 1, row 2 */
    0, 0, 1, /* head 2, row 1 */
    1, 1, 1, /* head 2, row 2 */
};

/* The last two axes of x, a line for each word. Nothing where x was not made. */
static void print_rows(const char *title, const ag_tensor *x)
{
    printf("\n%s\n", title);
    if (!x)
        return;
    const int64_t columns = x->shape.dim[x->shape.ndim - 1];
    for (int64_t i = 0; i < x->size; i++) {
        if (i % columns == 0)
            printf("%-8s", words[i / columns % WORDS]);
        printf(" %7.4f%s", (double)x->data[i], (i + 1) % columns == 0 ? "\n" : "");
    }
}

/* The largest difference of two tensors with the same number of elements. */
static void print_difference(const char *title, const ag_tensor *a, const ag_tensor *b)
{
    double largest = 0;
    for (int64_t i = 0; a && b && i < a->size; i++)
        largest = fmax(largest, fabs((double)a->data[i] - (double)b->data[i]));
    printf("\n%s: a difference of %.4f\n", title, largest);
}

/* Steps 1 to 3: x [6, 3]. */
static void without_matrices(ag_tensor *x)
{
    ag_tensor *scores = ag_matmul(x, x, false, true); /* [6, 6] */
    print_rows("Scores of each word against all", scores);
    print_rows("Scores divided by the sum of their line", ag_div(scores, ag_sum(scores, AG_AXIS(1), true)));
    ag_tensor *weights = ag_softmax(scores, -1);
    print_rows("Softmax of the scores", weights);
    print_rows("Context vectors", ag_matmul(weights, x, false, false));
}

/* Step 4, by the attention that models use: x [6, 3] as a batch of one. */
static void causal(ag_tensor *x)
{
    ag_tape *tape = x->tape;
    ag_tensor *one = ag_reshape(x, AG_SHAPE(1, WORDS, WIDTH)), *weights = NULL;
    const ag_mask *mask = ag_mask_causal(tape, 0);
    const ag_attention_options options = {.scale = 1, .mask = mask, .weights = &weights};
    ag_tensor *context = ag_attention(one, one, one, &options);
    char picture[WORDS * (WORDS + 1) + 1];
    ag_mask_print(mask, 0, 0, WORDS, WORDS, picture, sizeof picture);
    printf("\nWho may look (a line) at whom (#)\n%s", picture);
    print_rows("Causal weights", weights);
    print_rows("Causal context vectors", context);

    /* The long way round: softmax over all, zeros above the diagonal, a new sum. */
    ag_real allowed[WORDS * WORDS];
    for (int i = 0; i < WORDS * WORDS; i++)
        allowed[i] = ag_mask_allows(mask, 0, 0, i / WORDS, i % WORDS);
    ag_tensor *all = ag_softmax(ag_matmul(x, x, false, true), -1);
    ag_tensor *cut = ag_mul(all, ag_constant(tape, AG_SHAPE(WORDS, WORDS), allowed));
    ag_tensor *again = ag_div(cut, ag_sum(cut, AG_AXIS(1), true));
    print_difference("Zeros after the softmax, and divided by the new sum", again, weights);
}

/* x W^T for the rows of one head (or of all, where `heads` is 2), as a batch of one. */
static ag_tensor *project(ag_tensor *x, const ag_real *matrix, int64_t first_head, int64_t heads)
{
    const ag_shape shape = AG_SHAPE(heads * HEAD_WIDTH, WIDTH);
    ag_tensor *weight = ag_constant(x->tape, shape, matrix + first_head * HEAD_WIDTH * WIDTH);
    return ag_reshape(ag_linear(x, weight, NULL), AG_SHAPE(1, WORDS, heads * HEAD_WIDTH));
}

static ag_tensor *attend(ag_tensor *x, int64_t first_head, int64_t heads, ag_tensor **weights)
{
    const ag_attention_options options = {
        .heads = (int)heads, .mask = ag_mask_causal(x->tape, 0), .weights = weights}; /* scale: 1 / sqrt(HEAD_WIDTH) */
    return ag_attention(project(x, query_matrix, first_head, heads), project(x, key_matrix, first_head, heads),
                        project(x, value_matrix, first_head, heads), &options);
}

/* Step 5: both heads in one call, and one after the other. */
static void two_heads(ag_tensor *x)
{
    ag_tensor *weights = NULL;
    ag_tensor *together = attend(x, 0, HEADS, &weights);
    print_rows("Causal weights of head 1 and, below, of head 2", weights);
    print_rows("Context vectors of two causal heads: head 1, head 2", together);
    ag_tensor *apart[] = {attend(x, 0, 1, NULL), attend(x, 1, 1, NULL)};
    print_difference("The heads one by one, then side by side", together, ag_concat(apart, HEADS, -1));
}

int main(void)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.no_grad = true});
    ag_tensor *x = tape ? ag_constant(tape, AG_SHAPE(WORDS, WIDTH), embeddings) : NULL;
    if (!x) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    print_rows("Six words", x);
    without_matrices(x);
    causal(x);
    two_heads(x);
    const bool failed = ag_tape_error(tape)->status != AG_OK;
    if (failed)
        fprintf(stderr, "%s\n", ag_tape_error(tape)->message);
    ag_tape_free(tape);
    return failed;
}
