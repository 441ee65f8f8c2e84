/* word_order.c - attention does not know the order of words; a code of their positions tells it.
 *
 * "I love NLP" and "NLP love I" are a usual classroom example. Attention is a sum over words, and a sum does not ask
 * who came first: in both sentences the same three words meet, and each gets the same result, only in another place. So
 * positions are added to what the words are (Vaswani et al. 2017, section 3.5): at position t the numbers 2i and 2i + 1
 * get sin(t w_i) and cos(t w_i), w_i = 10000^(-2i/width): the hands of many clocks, from fast to slow.
 *
 * The picture shows the code. And why clocks: k positions later every hand has turned by the angle k w_i, wherever it
 * stood. So the code at t + k is R_k times the code at t, with one matrix R_k of 2 x 2 rotations
 *
 *     [  cos(k w_i)  sin(k w_i) ]
 *     [ -sin(k w_i)  cos(k w_i) ]
 *
 * for all t: "three words ahead" is a linear layer, which attention can learn.
 *
 * With a folder as its argument, the program also writes the picture there, as SVG. */
#include <tapeformer/nn.h>
#include <tapeformer/study.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS = 3, WIDTH = 8, HEADS = 2 };

static const char *const words[WORDS] = {"I", "love", "NLP"};

/* ---- Two sentences ----------------------------------------------------------------- */

typedef struct reader {
    nn_params params;
    nn_embedding embedding;
    nn_attention attention;
} reader;

static ag_status reader_init(reader *r, ag_error *error)
{
    const nn_attention_config config = {.d_model = WIDTH, .heads = HEADS};
    *r = (reader){0};
    ag_status status = nn_embedding_init(&r->embedding, &r->params, "words", WORDS, WIDTH, sqrt(WIDTH), -1, error);
    if (status == AG_OK)
        status = nn_attention_init(&r->attention, &r->params, "attention", &config, error);
    return status == AG_OK ? nn_params_allocate(&r->params, 1, error) : status;
}

/* Of the numbers of two words. */
static double largest_difference(const ag_real *a, const ag_real *b)
{
    ag_real largest = 0;
    for (int i = 0; i < WIDTH; i++) {
        const ag_real difference = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        largest = difference > largest ? difference : largest;
    }
    return (double)largest;
}

/* What self-attention makes of a sentence: [1, 3, 8]. */
static ag_tensor *read_words(const reader *r, ag_tape *tape, const int32_t *sentence, nn_position_kind kind)
{
    const nn_pass pass = {.tape = tape, .params = &r->params};
    const nn_positions positions = {.kind = kind, .weight = -1, .max_length = WORDS, .width = WIDTH};
    ag_tensor *x = nn_embedding_apply(&r->embedding, &pass, AG_SHAPE(1, WORDS), sentence);
    x = nn_positions_apply(&positions, &pass, x, 0);
    return nn_attention_apply(&r->attention, &pass, x, x, x, NULL, NULL, NULL);
}

static void compare_orders(const reader *r, ag_tape *tape, nn_position_kind kind)
{
    static const int32_t forward[WORDS] = {0, 1, 2}, backward[WORDS] = {2, 1, 0};
    const ag_tensor *first = read_words(r, tape, forward, kind), *second = read_words(r, tape, backward, kind);
    double largest = 0;
    if (!first || !second)
        return;
    printf("%s: the first 4 of 8 numbers for each word\n", kind == NN_NO_POSITIONS ? "Without positions" : "With them");
    printf("%-6s %-31s %s\n", "", "I love NLP", "NLP love I");
    for (int64_t word = 0; word < WORDS; word++) {
        const ag_real *a = first->data + word * WIDTH, *b = second->data + (WORDS - 1 - word) * WIDTH;
        printf("%-6s", words[word]);
        for (int i = 0; i < 4; i++)
            printf(" %7.4f", (double)a[i]);
        for (int i = 0; i < 4; i++)
            printf(" %7.4f", (double)b[i]);
        printf("\n");
        largest = fmax(largest, largest_difference(a, b));
    }
    printf("largest difference of a word's results: %.4f\n\n", largest);
}

/* ---- The code ---------------------------------------------------------------------- */

enum { PICTURE_LENGTH = 24, PICTURE_WIDTH = 32 };

static ag_status draw_code(const char *folder, ag_error *error)
{
    ag_real code[PICTURE_LENGTH * PICTURE_WIDTH];
    nn_sinusoidal(code, 0, PICTURE_LENGTH, PICTURE_WIDTH);
    for (int i = 0; i < PICTURE_LENGTH * PICTURE_WIDTH; i++)
        code[i] = (1 + code[i]) / 2;
    const study_heat heat = {.title = "sinusoidal code",
                             .note = "(1 + code) / 2: -1 is drawn as 0, and 1 as 1",
                             .rows = PICTURE_LENGTH,
                             .columns = PICTURE_WIDTH,
                             .values = code,
                             .row_axis = "position",
                             .column_axis = "number"};
    study_document *document = study_document_new("Positions");
    study_add_heats(document, &heat, 1, true);
    char *text = study_document_text(document, NULL, error);
    ag_status status = text ? AG_OK : error->status;
    if (text)
        printf("%s\n", text);
    if (text && folder)
        status = study_document_save_pictures(document, folder, error);
    free(text);
    study_document_free(document);
    return status;
}

/* ---- The rotation ------------------------------------------------------------------ */

/* R_k [width, width]: a rotation for each pair. */
static ag_tensor *rotation(ag_tape *tape, int k)
{
    ag_real matrix[WIDTH * WIDTH] = {0};
    for (int i = 0; i < WIDTH; i += 2) {
        const double angle = k * pow(10000, -(double)i / WIDTH);
        matrix[i * WIDTH + i] = (ag_real)cos(angle);
        matrix[i * WIDTH + i + 1] = (ag_real)sin(angle);
        matrix[(i + 1) * WIDTH + i] = (ag_real)-sin(angle);
        matrix[(i + 1) * WIDTH + i + 1] = (ag_real)cos(angle);
    }
    return ag_constant(tape, AG_SHAPE(WIDTH, WIDTH), matrix);
}

/* The largest difference between the code at t + k and R_turns times the code at t. */
static double distance(ag_tape *tape, int t, int k, int turns)
{
    ag_real now[WIDTH], later[WIDTH];
    nn_sinusoidal(now, t, 1, WIDTH);
    nn_sinusoidal(later, t + k, 1, WIDTH);
    const ag_tensor *turned = ag_linear(ag_constant(tape, AG_SHAPE(1, WIDTH), now), rotation(tape, turns), NULL);
    return turned ? largest_difference(turned->data, later) : 0;
}

static void turn_the_code(ag_tape *tape)
{
    static const int starts[] = {0, 1, 10, 100, 1000};
    const ag_tensor *matrix = rotation(tape, 3);
    if (!matrix)
        return;
    printf("R_3, which leads 3 positions on\n");
    for (int row = 0; row < WIDTH; row++)
        for (int i = 0; i < WIDTH; i++)
            printf(" %7.4f%s", (double)matrix->data[row * WIDTH + i], i + 1 < WIDTH ? "" : "\n");
    printf("\nThe code at t + 3 and the code at t times a matrix: the largest difference\n");
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        printf("t = %4d: R_3 %.4f, R_2 %.4f\n", starts[i], distance(tape, starts[i], 3, 3),
               distance(tape, starts[i], 3, 2));
    double largest = 0;
    for (int t = 0; t < 100; t++)
        for (int k = 0; k < 20; k++)
            largest = fmax(largest, distance(tape, t, k, k));
    printf("all t below 100, all k below 20: R_k %.4f\n", largest);
}

int main(int count, char **arguments)
{
    ag_error error = {0};
    reader r;
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.no_grad = true});
    if (!tape) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    if (reader_init(&r, &error) == AG_OK) {
        compare_orders(&r, tape, NN_NO_POSITIONS);
        compare_orders(&r, tape, NN_SINUSOIDAL);
        if (draw_code(count > 1 ? arguments[1] : NULL, &error) == AG_OK)
            turn_the_code(tape);
    }
    ag_error_set(&error, ag_tape_error(tape)->status, "%s", ag_tape_error(tape)->message);
    if (error.status != AG_OK)
        fprintf(stderr, "%s\n", error.message);
    ag_tape_free(tape);
    nn_params_clear(&r.params);
    return error.status != AG_OK;
}
