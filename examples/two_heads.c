/* two_heads.c - how heads share the width of a model.
 *
 * Multi-head attention (Vaswani et al. 2017, section 3.2.2) does not make the model wider: a vector is cut into equal
 * parts, each head attends with its own part, the results are put side by side again, and one more matrix, the output
 * projection, mixes what the heads have found. With (1, 1, 0, 1) and two heads, one works on (1, 1) and the other on
 * (0, 1).
 *
 * So the number of heads must divide the width. The largest GPT-3 (Brown et al. 2020, table 2.1) has a width of 12288
 * and 96 heads: each has 128. The library refuses what does not divide, and says what would. */
#include <tapeformer/nn.h>

#include <stdio.h>
#include <string.h>

enum { WIDTH = 4, HEADS = 2 };

static void print_vector(const char *title, const ag_real *values, int64_t count)
{
    printf("%-22s (", title);
    for (int64_t i = 0; i < count; i++)
        printf("%s%g", i ? ", " : "", (double)values[i]);
    printf(")\n");
}

/* What attention does to each row of queries, keys and values [batch, length, width]: it
 * only changes places. */
static void split_and_join(ag_tape *tape, const ag_real *vector)
{
    ag_tensor *x = ag_constant(tape, AG_SHAPE(1, 1, WIDTH), vector);
    ag_tensor *split = ag_permute(ag_reshape(x, AG_SHAPE(1, 1, HEADS, WIDTH / HEADS)), (int[]){0, 2, 1, 3});
    ag_tensor *joined = ag_reshape(ag_permute(split, (int[]){0, 2, 1, 3}), AG_SHAPE(1, 1, WIDTH));
    if (!joined)
        return;
    print_vector("one vector", x->data, WIDTH);
    print_vector("head 1", split->data, WIDTH / HEADS);
    print_vector("head 2", split->data + WIDTH / HEADS, WIDTH / HEADS);
    print_vector("side by side", joined->data, WIDTH);
}

/* Sets a parameter of `blocks` matrices [WIDTH, WIDTH], one below the other, to
 * identities. */
static void set_identities(const nn_params *params, int index, int blocks)
{
    ag_real *matrix = params->value + params->items[index].offset;
    memset(matrix, 0, (size_t)(blocks * WIDTH * WIDTH) * sizeof *matrix);
    for (int row = 0; row < blocks * WIDTH; row++)
        matrix[row * WIDTH + row % WIDTH] = 1;
}

/* The whole layer, whose four matrices change nothing. A vector alone attends to itself, with all its weight: it comes
 * back. */
static void through_a_layer(ag_tape *tape, const ag_real *vector, ag_error *error)
{
    nn_params params = {0};
    nn_attention layer;
    const nn_attention_config config = {.d_model = WIDTH, .heads = HEADS, .no_bias = true};
    if (nn_attention_init(&layer, &params, "attention", &config, error) == AG_OK &&
        nn_params_allocate(&params, 1, error) == AG_OK) {
        set_identities(&params, layer.in_weight, 3); /* query, key, value */
        set_identities(&params, layer.out.weight, 1);
        const nn_pass pass = {.tape = tape, .params = &params};
        ag_tensor *x = ag_constant(tape, AG_SHAPE(1, 1, WIDTH), vector), *weights = NULL;
        ag_tensor *y = nn_attention_apply(&layer, &pass, x, x, x, NULL, NULL, &weights);
        if (y) {
            print_vector("weights, head by head", weights->data, HEADS);
            print_vector("output projection", y->data, WIDTH);
        }
    }
    nn_params_clear(&params);
}

/* A layer's sizes are checked when it is made; memory for its parameters is taken later,
 * if at all. */
static void try_heads(int64_t width, int64_t heads)
{
    nn_params params = {0};
    nn_attention layer;
    ag_error error = {0};
    const nn_attention_config config = {.d_model = width, .heads = heads};
    if (nn_attention_init(&layer, &params, "attention", &config, &error) == AG_OK)
        printf("%lld = %lld x %lld: accepted\n", (long long)width, (long long)heads, (long long)(width / heads));
    else
        printf("refused: %s\n", error.message);
    nn_params_clear(&params);
}

int main(void)
{
    static const ag_real vector[WIDTH] = {1, 1, 0, 1};
    ag_error error = {0};
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.no_grad = true});
    if (!tape) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    split_and_join(tape, vector);
    through_a_layer(tape, vector, &error);
    printf("\n");
    try_heads(12288, 96);
    try_heads(12288, 100);
    try_heads(WIDTH, HEADS);
    try_heads(WIDTH, 3);

    ag_error_set(&error, ag_tape_error(tape)->status, "%s", ag_tape_error(tape)->message);
    if (error.status != AG_OK)
        fprintf(stderr, "%s\n", error.message);
    ag_tape_free(tape);
    return error.status != AG_OK;
}
