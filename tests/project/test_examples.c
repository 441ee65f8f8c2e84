/* test_examples.c - the programs under examples/ end well and print the figures that they
 * are there to show.
 *
 * A row of the table is an example and lines of its output, in their order; other lines
 * may stand between them. Spaces count as one. A whole number must be the same; a number
 * with decimals may differ by one unit of its last digit, which is what rounding may do;
 * an asterisk stands for any number. Another example: another row.
 *
 * The folder of the compiled examples is $EXAMPLES, and build/examples where that is not
 * set; $RUNNER, an emulator, say, runs them where it is set. */
#include "check_util.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

typedef struct example {
    const char *name;
    const char *lines[64]; /* up to the first NULL */
} example;

static const example examples[] = {
    {"one_gradient", {"mul 5 5 25 1", "add 6 -1 5 10", "mul 3 2 6 10", "The gradients: dw 20 dx 30 db 10"}},
    {"tape_picture",
     {"x value 0.5 gradient 2.059", "from [0] tanh: 1.649", "from [1] exp: 0.4621",
      "[4] tanh value 0.7071 gradient 1.414", "from [4] tanh: 0.7071", "from [4] tanh: 0.7071",
      "bias [3] value [0.5 0 -0.5] gradient [0.3333 0.3333 0.3333]", "from [0] add: 0.1667"}},
    {"six_tokens",
     {"Scores of each word against all",
      "journey 0.9544 1.4950 1.4754 0.8434 0.7070 1.0865",
      "Scores divided by the sum of their line",
      "journey 0.1455 0.2278 0.2249 0.1285 0.1077 0.1656",
      "Softmax of the scores",
      "journey 0.1385 0.2379 0.2333 0.1240 0.1082 0.1581",
      "Context vectors",
      "Your 0.4421 0.5931 0.5790",
      "journey 0.4419 0.6515 0.5683",
      "starts 0.4431 0.6496 0.5671",
      "with 0.4304 0.6298 0.5510",
      "one 0.4671 0.5910 0.5266",
      "step 0.4177 0.6503 0.5645",
      "#.....",
      "######",
      "Causal weights",
      "Your 1.0000 0.0000 0.0000 0.0000 0.0000 0.0000",
      "journey 0.3680 0.6320 0.0000 0.0000 0.0000 0.0000",
      "step 0.1385 0.2184 0.2128 0.1420 0.0988 0.1896",
      "Causal context vectors",
      "Your 0.4300 0.1500 0.8900",
      "journey 0.5058 0.6050 0.7447",
      "step 0.4177 0.6503 0.5645",
      "Zeros after the softmax, and divided by the new sum: a difference of 0.0000",
      "Causal weights of head 1 and, below, of head 2",
      "journey 0.3792 0.6208 0.0000 0.0000 0.0000 0.0000",
      "step 0.1589 0.2094 0.2082 0.1335 0.1437 0.1462",
      "journey 0.4361 0.5639 0.0000 0.0000 0.0000 0.0000",
      "step 0.1417 0.1563 0.1659 0.0922 0.3902 0.0537",
      "Context vectors of two causal heads: head 1, head 2",
      "Your 0.4300 0.1500 0.8900 1.4700",
      "journey 0.5045 0.5970 0.7603 1.8140",
      "starts 0.5292 0.6924 0.7152 1.9064",
      "with 0.4631 0.6434 0.6526 1.7597",
      "one 0.5061 0.6000 0.5542 1.6615",
      "step 0.4495 0.6133 0.4344 1.4915",
      "The heads one by one, then side by side: a difference of 0.0000"}},
    {"two_heads",
     {"one vector (1, 1, 0, 1)", "head 1 (1, 1)", "head 2 (0, 1)", "side by side (1, 1, 0, 1)",
      "weights, head by head (1, 1)", "output projection (1, 1, 0, 1)", "12288 = 96 x 128: accepted",
      "refused: heads 100 does not divide d_model 12288 (use 96 or 128?)", "4 = 2 x 2: accepted",
      "refused: heads 3 does not divide d_model 4 (use 2 or 4?)"}},
    {"valid_lengths",
     {"###...",
      "##....",
      "Scaled dot product: q . k / sqrt(20)",
      "result [2,4,100], weights [2,5,4,6]",
      "weights, 3 keys count: 0.1661 0.4230 0.4109 0.0000 0.0000 0.0000",
      "weights, 2 keys count: 0.5018 0.4982 0.0000 0.0000 0.0000 0.0000",
      "all weights of 40 rows: 40.0000 within the valid lengths, 0 beyond",
      "NaN in the padding: the same bits",
      "NaN in the padding, with dropout: the same bits",
      "With dropout and without: different",
      "weights, 3 keys count: 0.3333 0.3333 0.3333 0.0000 0.0000 0.0000",
      "weights, 2 keys count: 0.5000 0.5000 0.0000 0.0000 0.0000 0.0000",
      "Additive: w . tanh(W_q q + W_k k)",
      "result [2,4,100], weights [2,5,4,6]",
      "weights, 3 keys count: 0.3410 0.2143 0.4447 0.0000 0.0000 0.0000",
      "weights, 2 keys count: 0.3992 0.6008 0.0000 0.0000 0.0000 0.0000",
      "all weights of 40 rows: 40.0000 within the valid lengths, 0 beyond",
      "NaN in the padding: the same bits",
      "NaN in the padding, with dropout: the same bits",
      "With dropout and without: different",
      "weights, 3 keys count: 0.3333 0.3333 0.3333 0.0000 0.0000 0.0000",
      "weights, 2 keys count: 0.5000 0.5000 0.0000 0.0000 0.0000 0.0000"}},
    {"word_order",
     {"Without positions: the first 4 of 8 numbers for each word",
      "I -0.0359 0.1889 -0.5505 0.0095 -0.0359 0.1889 -0.5505 0.0095",
      "love -0.0836 0.2253 -0.6540 -0.0295 -0.0836 0.2253 -0.6540 -0.0295",
      "NLP -0.0261 0.1272 -0.4748 0.0344 -0.0261 0.1272 -0.4748 0.0344",
      "largest difference of a word's results: 0.0000", "With them: the first 4 of 8 numbers for each word",
      "I -0.0164 0.0397 -0.7417 0.4978 0.0018 0.0789 -0.8925 0.4291", "largest difference of a word's results: 0.3939",
      "0 = # = # = # = # = # = # = # = # = # = # = # = # = # = # = # = #",
      "-0.9900 0.1411 0.0000 0.0000 0.0000 0.0000 0.0000 0.0000",
      "-0.1411 -0.9900 0.0000 0.0000 0.0000 0.0000 0.0000 0.0000", "t = 0: R_3 0.0000, R_2 0.7682",
      "t = 1: R_3 0.0000, R_2 0.8979", "t = 10: R_3 0.0000, R_2 0.9567", "t = 100: R_3 0.0000, R_2 0.8838",
      "t = 1000: R_3 0.0000, R_2 0.9065", "all t below 100, all k below 20: R_k 0.0000"}},
    {"causal_1300",
     {"token 1 is influenced by 1, the last of them token 1", "token 2 is influenced by 2, the last of them token 2",
      "token 3 is influenced by 3, the last of them token 3",
      "token 650 is influenced by 650, the last of them token 650",
      "token 1300 is influenced by 1300, the last of them token 1300",
      "of 1690000 pairs 845650 have influence, 844350 have exactly none", "the smallest influence is *",
      "pairs that are not as the causal mask says: 0", "proved",
      "and with a mask that is one place too generous, of which the first output knows at once:",
      "token 1 is influenced by 2, the last of them token 2"}},
    {"encoder_vs_decoder",
     {"1. Self-attention",
      "encoder block, by its input:",
      "7.533 0.597 3.020 1.099 2.038",
      "1.380 8.900 1.063 2.285 1.652",
      "1.558 1.889 10.483 1.864 1.586",
      "0.762 0.138 2.551 6.307 1.681",
      "0.312 0.896 1.733 1.116 6.320",
      "decoder block, by its input:",
      "10.117 - - -",
      "10.861 15.169 - -",
      "1.452 1.752 9.643 -",
      "1.052 1.634 1.170 8.385",
      "the same with the mask forgotten:",
      "9.505 2.626 0.915 1.047",
      "4.683 9.593 2.130 3.408",
      "1.169 1.359 9.408 0.755",
      "1.052 1.634 1.170 8.385",
      "2. Attention to the encoder's result",
      "encoder block, encoder.self_attn: 5 queries, 5 keys",
      "decoder block, decoder.self_attn: 4 queries, 4 keys",
      "decoder block, decoder.multihead_attn: 4 queries, 5 keys",
      "decoder block, by the encoder's input:",
      "1.010 2.085 1.016 2.005 0.913",
      "1.743 2.021 6.213 1.829 1.592",
      "0.603 1.945 3.152 1.212 0.888",
      "3.933 1.861 1.697 1.531 2.078",
      "its second attention, by the queries (decoder):",
      "2.798 - - -",
      "- 2.866 - -",
      "- - 1.680 -",
      "- - - 1.408",
      "by the keys (encoder):",
      "0.470 0.566 0.181 0.396 0.354",
      "0.234 0.249 0.837 0.253 0.101",
      "0.309 1.248 0.763 0.417 0.418",
      "0.885 0.313 0.302 0.413 0.164",
      "by the values (encoder):",
      "0.790 0.844 0.417 0.760 0.652",
      "0.587 0.762 0.878 0.608 0.589",
      "0.090 0.899 1.519 0.466 0.221",
      "2.296 1.327 0.200 0.241 0.719",
      "parameters: encoder block 600, decoder block 904",
      "3. Outputs one by one",
      "the encoder reads 5 tokens at once",
      "step 1: token 1 goes in, token 4 comes out; keys kept: 1 of the decoder, 5 of the encoder",
      "step 2: token 4 goes in, token 1 comes out; keys kept: 2 of the decoder, 5 of the encoder",
      "step 3: token 1 goes in, token 8 comes out; keys kept: 3 of the decoder, 5 of the encoder",
      "step 4: token 8 goes in, token 8 comes out; keys kept: 4 of the decoder, 5 of the encoder",
      "one pass over all of them, masked, is the same (off by *)",
      "with the mask forgotten it is off by 0.170"}},
    {"sequence_layers",
     {"the gradient of recurrent_step is right",
      "expected: O(n^2 d) O(k n d^2) O(n d^2)",
      "n grows: self-attention convolution recurrent",
      "n d k operations ms operations ms operations ms",
      "64 64 3 524288 * 786432 * 524288 *",
      "128 64 3 2097152 * 1572864 * 1048576 *",
      "256 64 3 8388608 * 3145728 * 2097152 *",
      "512 64 3 33554432 * 6291456 * 4194304 *",
      "power of n: 2.00 * 1.00 * 1.00 *",
      "d grows: self-attention convolution recurrent",
      "n d k operations ms operations ms operations ms",
      "64 32 3 262144 * 196608 * 131072 *",
      "64 64 3 524288 * 786432 * 524288 *",
      "64 128 3 1048576 * 3145728 * 2097152 *",
      "64 256 3 2097152 * 12582912 * 8388608 *",
      "power of d: 1.00 * 2.00 * 2.00 *",
      "k grows: self-attention convolution recurrent",
      "n d k operations ms operations ms operations ms",
      "128 64 1 2097152 * 524288 * 1048576 *",
      "128 64 2 2097152 * 1048576 * 1048576 *",
      "128 64 4 2097152 * 2097152 * 1048576 *",
      "128 64 8 2097152 * 4194304 * 1048576 *",
      "power of k: 0.00 * 1.00 * 0.00 *",
      "operations one after the other:",
      "n self-attention convolution recurrent",
      "64 4 4 66",
      "128 4 4 130",
      "256 4 4 258",
      "512 4 4 514",
      "from the first input to the last output, k = 3:",
      "n self-attention convolution dilated recurrent",
      "8 1 4 2 7",
      "16 1 8 3 15",
      "32 1 16 4 31",
      "64 1 32 4 63",
      "(layers, and steps of the recurrent one)"}},
    {"own_operation",
     {"soft_cap on 24 drawn examples: right (111 elements)", "backward and forward mode agree (72 directions)",
      "attention with capped scores: right (18 elements)", "the cap forgotten in the backward: WRONG (18 elements)",
      "input 0 (query) at [0,0,1,1] (flat 3), element [0,0,1,1] (flat 3) of the result: analytic 0.03569, numeric "
      "0.07670, error 0.041; step *, numeric error *; * of 18 elements fail; wrong by itself: soft_cap in the "
      "outermost scope (node 1 of 4)",
      "a backward that overwrites, in attention: right (18 elements)",
      "a backward that overwrites, alone: WRONG (0 elements)",
      "input 0 (query) at [0,0,0,0] (flat 0): backward overwrites the gradient instead of adding to it: -1.01668 was "
      "there, -0.436334 was to be added, -0.436334 came out",
      "soft_cap: the cap is -1 and must be above 0"}},
    {"six_mistakes",
     {"right: passes",
      "x: 0 of 103 elements wrong",
      "g: 0 of 41 elements wrong",
      "the sign of dx flipped: FAILS",
      "x: 103 of 103 elements wrong",
      "g: 0 of 41 elements wrong",
      "draw 8: the gradient of input 0 (x) has the opposite sign",
      "the factor 2 of dx lost: FAILS",
      "x: 103 of 103 elements wrong",
      "g: 0 of 41 elements wrong",
      "draw 8: the gradient of input 0 (x) is 0.5 times what it must be",
      "dg not summed over the rows: the last alone: FAILS",
      "x: 0 of 103 elements wrong",
      "g: 41 of 41 elements wrong",
      "gain, draw 0: input 1 (g) at [3] (flat 3), element [0,3] (flat 3) of the result: analytic 0, numeric 2.1385, "
      "error 1; step *, numeric error *; 4 of 12 elements fail",
      "draw 1: the gradient of input 1 (g) lacks the sum over axis 0 of the result: only index 2 of it counts",
      "dx by the gain of the next column: FAILS",
      "x: 103 of 103 elements wrong",
      "g: 0 of 41 elements wrong",
      "gain, draw 6: input 0 (x) at [1,4] (flat 9), element [1,4] (flat 9) of the result: analytic -1.0110, numeric "
      "-2.6807, error 0.623; step *, numeric error *; 10 of 15 elements fail",
      "draw 8: the gradient of input 0 (x) is made of input 1 (g) shifted by one along axis 0: index i+1 for index i",
      "dg forgotten: FAILS",
      "x: 0 of 103 elements wrong",
      "g: 41 of 41 elements wrong",
      "gain, draw 0: input 1 (g) at [0] (flat 0), element [1,0] (flat 4) of the result: analytic 0, numeric 1.6458, "
      "error 1; step *, numeric error *; 4 of 12 elements fail",
      "draw 1: the gradient of input 1 (g) is exactly 0 everywhere: the way from the input to the result is severed",
      "dx written instead of added: FAILS",
      "gain, draw 0: input 0 (x) at [0,0] (flat 0): backward overwrites the gradient instead of adding to it: -1.01668 "
      "was there, -0.148991 was to be added, -0.148991 came out",
      "draw 8: the gradient of input 0 (x) is overwritten where backward must add to it"}},
    {"train_from_c",
     {"step 300 of 1200: loss *, exact match * %", "step 600 of 1200: loss *, exact match * %",
      "step 900 of 1200: loss *, exact match * %", "step 1200 of 1200: loss *, exact match * %",
      "exact match on 500 words: 100.0 %", "kvhckmh -> hmkchvk", "tevrirpo -> oprirvet", "ztwqi -> iqwtz",
      "kvegpc -> cpgevk"}},
    {"two_threads",
     {"step 100 of 200: loss *", "step 200 of 200: loss *", "thread 1 and thread 2: 32734 parameters, the same bytes",
      "two threads and one that accumulates 2 parts: 32734 parameters, the same bytes"}},
};
enum { EXAMPLE_COUNT = sizeof examples / sizeof *examples };

/* ---- Running ----------------------------------------------------------------------- */

#ifdef TAPEFORMER_DOUBLE
#define DEFAULT_FOLDER "build/examples64"
#else
#define DEFAULT_FOLDER "build/examples"
#endif

/* The output of the example, to be freed; fails the test if its exit code is not 0. */
static char *output_of(const char *name, const char *arguments)
{
    const char *folder = getenv("EXAMPLES"), *runner = getenv("RUNNER");
    char command[1024];
    size_t length = 0, capacity = 1 << 16, got;
    char *text = malloc(capacity);
    ck_assert_ptr_nonnull(text);
    snprintf(command, sizeof command, "%s '%s/%s' %s", runner ? runner : "", folder ? folder : DEFAULT_FOLDER, name,
             arguments);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    while ((got = fread(text + length, 1, capacity - length - 1, pipe)) > 0) {
        length += got;
        if (length + 1 == capacity) {
            capacity *= 2;
            text = realloc(text, capacity);
            ck_assert_ptr_nonnull(text);
        }
    }
    text[length] = '\0';
    int status = pclose(pipe);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s ends with status %d and says:\n%s", command,
                  status, text);
    return text;
}

/* ---- Comparing --------------------------------------------------------------------- */

static bool starts_number(const char *text)
{
    return isdigit((unsigned char)text[0]) || (text[0] == '-' && isdigit((unsigned char)text[1]));
}

/* A number as it is printed: its value, and the value of one unit in its last digit (0
 * for a whole number). */
typedef struct figure {
    double value, unit;
} figure;

static figure read_figure(const char **text)
{
    char *end;
    const char *begin = *text;
    figure f = {.value = strtod(begin, &end)};
    const char *point = memchr(begin, '.', (size_t)(end - begin));
    const char *exponent = memchr(begin, 'e', (size_t)(end - begin));
    if (point)
        f.unit = pow(10, -(double)((exponent ? exponent : end) - point - 1));
    if (exponent)
        f.unit = (point ? f.unit : 1) * pow(10, strtod(exponent + 1, NULL));
    *text = end;
    return f;
}

static bool figures_agree(figure expected, figure got)
{
    /* A hundredth more for the rounding of the units themselves. */
    return fabs(expected.value - got.value) <= 1.01 * expected.unit && got.unit <= 1.01 * expected.unit;
}

/* Whether the line that begins at `got` is the expected one. */
static bool line_agrees(const char *expected, const char *got)
{
    got += strspn(got, " ");
    for (;;) {
        size_t spaces = strspn(expected, " "), spaces_got = strspn(got, " ");
        expected += spaces;
        got += spaces_got;
        const bool end = *expected == '\0', end_got = *got == '\n' || *got == '\0';
        if (end || end_got)
            return end && end_got;
        if ((spaces > 0) != (spaces_got > 0))
            return false;
        if (*expected == '*' && starts_number(got)) {
            expected++;
            read_figure(&got);
        } else if (starts_number(expected) && starts_number(got)) {
            if (!figures_agree(read_figure(&expected), read_figure(&got)))
                return false;
        } else if (*expected++ != *got++) {
            return false;
        }
    }
}

/* The first line from `text` on that is the expected one; NULL: none. */
static const char *find_line(const char *expected, const char *text)
{
    while (text && !line_agrees(expected, text)) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    return text;
}

START_TEST(comparison_knows_what_differs)
{
    ck_assert(line_agrees("a 0.1455 b", "  a   0.1455 b"));
    ck_assert(line_agrees("a 0.1455 b", "a 0.1456 b\nmore"));
    ck_assert(!line_agrees("a 0.1455 b", "a 0.1457 b"));
    ck_assert(!line_agrees("a 0.1455 b", "a -0.1455 b"));
    ck_assert(!line_agrees("a 0.1455 b", "a 0.1455"));
    ck_assert(!line_agrees("a 0.1455", "a 0.1455 b"));
    ck_assert(!line_agrees("a 0.1455 b", "a 0.1455 c"));
    ck_assert(!line_agrees("a 0.1455", "a 0.1"));
    ck_assert(line_agrees("(1, 1) 12", "(1, 1) 12"));
    ck_assert(!line_agrees("(1, 1) 12", "(1, 1) 13"));
    ck_assert(!line_agrees("1 2", "12"));
    ck_assert(!line_agrees("0", "0.1"));
    ck_assert(line_agrees("took * s, exactly 0", "took 12.5e-3 s, exactly 0"));
    ck_assert(!line_agrees("took * s, exactly 0", "took it s, exactly 0"));
    ck_assert(line_agrees("1.25e-03", "1.26e-03"));
    ck_assert(!line_agrees("1.25e-03", "1.25e-02"));
    ck_assert(!line_agrees("1.25e-03", "1.28e-03"));
    ck_assert_ptr_nonnull(find_line("two", "one\ntwo\nthree\n"));
    ck_assert_ptr_null(find_line("four", "one\ntwo\nthree\n"));
}
END_TEST

/* ---- The examples ------------------------------------------------------------------ */

START_TEST(prints_its_figures)
{
    const example *e = &examples[_i];
    char *text = output_of(e->name, "");
    const char *rest = text;
    for (int i = 0; e->lines[i]; i++) {
        rest = find_line(e->lines[i], rest);
        ck_assert_msg(rest != NULL, "%s does not print, or not in this place,\n%s\nbut this:\n%s", e->name, e->lines[i],
                      text);
        rest += strcspn(rest, "\n");
    }
    free(text);
}
END_TEST

/* Given a folder, word_order writes its picture there. */
START_TEST(word_order_draws_its_code)
{
    char *folder = test_folder_new();
    char arguments[512];
    snprintf(arguments, sizeof arguments, "'%s/pictures'", folder);
    free(output_of("word_order", arguments));
    snprintf(arguments, sizeof arguments, "%s/pictures/01-sinusoidal-code.svg", folder);
    FILE *picture = fopen(arguments, "r");
    ck_assert_msg(picture != NULL, "there is no %s", arguments);
    char begin[5] = "";
    ck_assert_ptr_nonnull(fgets(begin, sizeof begin, picture));
    ck_assert_str_eq(begin, "<svg");
    fclose(picture);
    test_folder_remove(folder);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("examples");
    TCase *tcase = tcase_create("examples");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, comparison_knows_what_differs);
    tcase_add_loop_test(tcase, prints_its_figures, 0, EXAMPLE_COUNT);
    tcase_add_test(tcase, word_order_draws_its_code);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
