/* encoder_vs_decoder.c - what a decoder's block has that an encoder's has not, difference by difference, in numbers.
 *
 *     1. Its self-attention is masked: a token looks at itself and at those before it, never at those behind it.
 *     2. It has a second attention, whose queries come from the decoder and whose keys and values come from the
 *        encoder's result (the memory).
 *     3. Its outputs are made one by one, since each is the input of the next. The encoder has its input whole, and
 *        reads it once.
 *
 * What looks at what is not taken from a drawing but measured: the influence of input j on output i is the sum of
 * |d (w y_i) / d x_j| over the elements of x_j, with drawn weights w of the elements of y_i. A cell of the matrices
 * below is "-" where it is exactly 0. The blocks are untrained; what they can see does not depend on what they have
 * learnt. */
#include <tapeformer/nn.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SOURCE = 5, TARGET = 4, WIDTH = 8, HEADS = 2, FFN = 16, VOCAB = 9, BOS = 1 };

/* A sequence of `length` drawn vectors, as the embeddings of tokens would be: [1, length,
 * WIDTH]. */
static ag_tensor *sequence(ag_tape *tape, int64_t length, uint64_t stream)
{
    ag_real values[SOURCE * WIDTH];
    ag_rng rng = ag_rng_make(4, stream);
    for (int64_t i = 0; i < length * WIDTH; i++)
        values[i] = (ag_real)ag_rng_normal(&rng);
    return ag_variable(tape, AG_SHAPE(1, length, WIDTH), values);
}

/* ---- Influence --------------------------------------------------------------------- */

/* The influence of x_j on y_i, for the one i; y and x [1, .., WIDTH]. */
static void influence_on(int64_t i, ag_tensor *y, const ag_tensor *x, double influence[SOURCE])
{
    ag_real seed[SOURCE * WIDTH] = {0};
    ag_rng rng = ag_rng_make(4, 0);
    for (int d = 0; d < WIDTH; d++)
        seed[i * WIDTH + d] = (ag_real)ag_rng_normal(&rng);
    if (x->grad)
        memset(x->grad, 0, (size_t)x->size * sizeof *x->grad);
    if (ag_backward_seeded(y, seed) != AG_OK || !x->grad)
        return;
    for (int64_t j = 0; j < x->shape.dim[1]; j++) {
        influence[j] = 0;
        for (int d = 0; d < WIDTH; d++)
            influence[j] += fabs((double)x->grad[j * WIDTH + d]);
    }
}

static void print_influence(const char *title, ag_tensor *y, const ag_tensor *x)
{
    printf("%s\n", title);
    if (!y || !x)
        return; /* the tape knows why */
    for (int64_t i = 0; i < y->shape.dim[1]; i++) {
        double influence[SOURCE] = {0};
        influence_on(i, y, x, influence);
        for (int64_t j = 0; j < x->shape.dim[1]; j++)
            if (influence[j] != 0)
                printf("%8.3f", influence[j]);
            else
                printf("%8s", "-");
        printf("\n");
    }
}

/* ---- 1 and 2: the blocks ----------------------------------------------------------- */

/* Called with the weights of each attention in a block. */
static void print_sizes(void *context, const char *name, ag_tensor *weights, const ag_mask *mask)
{
    (void)mask;
    printf("%s block, %s: %lld queries, %lld keys\n", (const char *)context, name, (long long)weights->shape.dim[2],
           (long long)weights->shape.dim[3]);
}

static void compare_self_attention(const nn_encoder_block *encoder, const nn_decoder_block *decoder,
                                   const nn_pass *pass)
{
    ag_tape *tape = pass->tape;
    ag_tensor *source = sequence(tape, SOURCE, 1), *target = sequence(tape, TARGET, 2);
    ag_tensor *memory = nn_encoder_block_apply(encoder, pass, source, NULL, NULL);
    const ag_mask *causal = ag_mask_causal(tape, 0);

    printf("1. Self-attention\n");
    print_influence("encoder block, by its input:", memory, source);
    print_influence("decoder block, by its input:",
                    nn_decoder_block_apply(decoder, pass, target, memory, causal, NULL, NULL, NULL), target);
    print_influence("the same with the mask forgotten:",
                    nn_decoder_block_apply(decoder, pass, target, memory, NULL, NULL, NULL, NULL), target);
}

static void compare_cross_attention(const nn_encoder_block *encoder, const nn_decoder_block *decoder,
                                    const nn_pass *pass)
{
    ag_tape *tape = pass->tape;
    ag_tensor *source = sequence(tape, SOURCE, 1), *target = sequence(tape, TARGET, 2);
    nn_pass shown = *pass;
    shown.on_attention = print_sizes;

    printf("2. Attention to the encoder's result\n");
    shown.context = "encoder";
    ag_tensor *memory = nn_encoder_block_apply(encoder, &shown, source, NULL, NULL);
    shown.context = "decoder";
    ag_tensor *y = nn_decoder_block_apply(decoder, &shown, target, memory, ag_mask_causal(tape, 0), NULL, NULL, NULL);
    print_influence("decoder block, by the encoder's input:", y, source);

    /* The second attention alone, with its three inputs apart: each output has one query,
     * its own token. */
    ag_tensor *query = sequence(tape, TARGET, 2), *key = sequence(tape, SOURCE, 1), *value = sequence(tape, SOURCE, 1);
    ag_tensor *crossed = nn_attention_apply(&decoder->cross_attention, pass, query, key, value, NULL, NULL, NULL);
    print_influence("its second attention, by the queries (decoder):", crossed, query);
    print_influence("by the keys (encoder):", crossed, key);
    print_influence("by the values (encoder):", crossed, value);
}

static void compare_blocks(ag_tape *tape, ag_error *error)
{
    const nn_block_config config = {.attention = {.d_model = WIDTH, .heads = HEADS}, .ffn = FFN};
    nn_params params = {0};
    nn_encoder_block encoder;
    nn_decoder_block decoder;
    const nn_pass pass = {.tape = tape, .params = &params};
    ag_status status = nn_encoder_block_init(&encoder, &params, "encoder", &config, error);
    const int64_t encoder_size = params.size;
    if (status == AG_OK)
        status = nn_decoder_block_init(&decoder, &params, "decoder", &config, error);
    if (status == AG_OK)
        status = nn_params_allocate(&params, 4, error);
    if (status == AG_OK) {
        compare_self_attention(&encoder, &decoder, &pass);
        compare_cross_attention(&encoder, &decoder, &pass);
        printf("parameters: encoder block %lld, decoder block %lld\n", (long long)encoder_size,
               (long long)(params.size - encoder_size));
        ag_error_set(error, ag_tape_error(tape)->status, "%s", ag_tape_error(tape)->message);
    }
    ag_tape_rewind(tape); /* it has leaves on the parameters */
    nn_params_clear(&params);
}

/* ---- 3: one by one ----------------------------------------------------------------- */

static int32_t likeliest(const ag_real logits[VOCAB])
{
    int32_t best = 0;
    for (int32_t token = 1; token < VOCAB; token++)
        best = logits[token] > logits[best] ? token : best;
    return best;
}

/* TARGET tokens behind `target[0]`, each from the one before, and the logits of each. The encoder runs once, when the
 * cache is made. */
static ag_status decode(const nn_model *model, const nn_pass *pass, const nn_input *input, int32_t target[TARGET + 1],
                        ag_real logits[TARGET][VOCAB], ag_error *error)
{
    nn_cache cache;
    ag_status status = nn_cache_init(&cache, model, pass, input, TARGET, error);
    for (int t = 0; t < TARGET && status == AG_OK; t++) {
        ag_tape_rewind(pass->tape);
        const ag_tensor *next = nn_cache_apply(&cache, model, pass, &target[t], 1);
        if (!next) {
            status = ag_error_set(error, ag_tape_error(pass->tape)->status, "%s", ag_tape_error(pass->tape)->message);
            break;
        }
        memcpy(logits[t], next->data, sizeof logits[t]);
        target[t + 1] = likeliest(next->data);
        printf("step %d: token %d goes in, token %d comes out; keys kept: %lld of the decoder, %lld of the encoder\n",
               t + 1, target[t], target[t + 1], (long long)cache.self[0].length, (long long)cache.cross[0].length);
    }
    nn_cache_clear(&cache);
    return status;
}

/* The largest difference between those logits and those of one pass over all tokens. */
static double difference(const nn_model *model, const nn_pass *pass, const nn_input *input,
                         ag_real logits[TARGET][VOCAB])
{
    double largest = 0;
    const ag_tensor *whole = nn_model_apply(model, pass, input);
    for (int i = 0; i < TARGET * VOCAB && whole; i++)
        largest = fmax(largest, fabs((double)whole->data[i] - (double)logits[i / VOCAB][i % VOCAB]));
    return whole ? largest : INFINITY;
}

static void compare_outputs(ag_tape *tape, ag_error *error)
{
    static const int32_t source[SOURCE] = {4, 7, 5, 8, 6};
    const nn_model_config config = {.source_vocab = VOCAB,
                                    .target_vocab = VOCAB,
                                    .d_model = WIDTH,
                                    .heads = HEADS,
                                    .ffn = FFN,
                                    .encoder_layers = 1,
                                    .decoder_layers = 1};
    int32_t target[TARGET + 1] = {BOS};
    ag_real logits[TARGET][VOCAB] = {{0}};
    nn_model *model = nn_model_new(&config, 4, error);
    if (!model)
        return;
    const nn_pass pass = {.tape = tape, .params = &model->params};
    nn_input input = {.rows = 1, .source_length = SOURCE, .source = source, .target_length = TARGET, .target = target};

    printf("3. Outputs one by one\n");
    printf("the encoder reads %d tokens at once\n", SOURCE);
    if (decode(model, &pass, &input, target, logits, error) == AG_OK) {
        /* In training the whole target is known, and the mask lets one pass stand for all
         * the steps. */
        double distance = difference(model, &pass, &input, logits);
        printf("one pass over all of them, masked, is %s (off by %.0e)\n",
               distance < 1e-5 ? "the same" : "NOT the same", distance);
        input.decoder_mask = ag_mask_all(tape);
        printf("with the mask forgotten it is off by %.3f\n", difference(model, &pass, &input, logits));
    }
    ag_tape_rewind(tape);
    nn_model_free(model);
}

int main(void)
{
    ag_error error = {0};
    ag_tape *tape = ag_tape_new(NULL);
    if (!tape)
        return 1;
    compare_blocks(tape, &error);
    if (error.status == AG_OK)
        compare_outputs(tape, &error);
    if (error.status != AG_OK)
        puts(error.message);
    ag_tape_free(tape);
    return error.status == AG_OK ? 0 : 1;
}
