/* test_playground_tape.c - expressions on a tape: their values and gradients, what is shown
 * of them step by step, and the sentences that say where one is wrong. */
#include "ask.h"
#include "playground/expression.h"

#include <math.h>
#include <stdio.h>

/* ---- Values and gradients ---------------------------------------------------------- */

/* The expression's value, its names and their gradients, on a tape of its own. */
typedef struct computed {
    ag_tape *tape;
    ag_tensor *y;
    expression_names names;
} computed;

static computed compute(const char *text, const char *values)
{
    ag_error error = {0};
    computed c = {.tape = ag_tape_new(NULL)};
    ck_assert_ptr_nonnull(c.tape);
    c.y = expression_build(c.tape, text, values, &c.names, &error);
    ck_assert_msg(c.y, "%s: %s", text, error.message);
    ck_assert_int_eq(ag_backward(c.y), AG_OK);
    return c;
}

static void check_number(const char *text, double found, double expected)
{
    ck_assert_msg(fabs(found - expected) <= PRECISION(1e-14, 1e-6) * fmax(1, fabs(expected)), "%s: %.17g, not %.17g",
                  text, found, expected);
}

/* By hand. */
START_TEST(values_and_gradients)
{
    static const struct {
        const char *text, *values;
        double value, gradients[3];
    } cases[] = {
        {"(w*x + b)^2", "w=3 x=2 b=-1", 25, {20, 30, 10}},
        {"(w*x + b)*(w*x + b)", "w=3, x=2, b=-1", 25, {20, 30, 10}},
        {"-x^2", "x=3", -9, {-6}},
        {"(-x)^2", "x=3", 9, {6}},
        {"2^x^2", "x=1", 2, {2 * 2 * 0.693147180559945309}}, /* 2^(x^2) */
        {"8 - a - b", "a=1 b=2", 5, {-1, -1}},               /* from the left */
        {"12 / a / b", "a=2 b=3", 2, {-1, -2.0 / 3}},
        {"a - b * 2 + 1e1", "a=1 b=.5", 10, {1, -2}},
        {"--x + -(x)", "x=4", 0, {0}},
        {"x*x*x", "x=2", 8, {12}},
        {"exp(log(x))", "x=5", 5, {1}},
        {"sqrt(x) + relu(0-x)", "x=4", 2, {0.25}},
        {"tanh(w*x)", "w=0 x=7", 0, {7, 0}},
        {"sigmoid(x)", "x=0", 0.5, {0.25}},
        {"silu(x)", "x=0", 0, {0.5}},
        {"sum(x*x)", "x=[3]", 9, {6}},
        {"mean(x) * x_2", "x=[1 2 6] x_2=4", 12, {4.0 / 3, 3}},
        {"max(x)*2", "x=[1 5 2]", 10, {0}},
        {"x^0", "x=0", 1, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        computed c = compute(cases[i].text, cases[i].values);
        check_number(cases[i].text, (double)c.y->data[0], cases[i].value);
        for (int k = 0; k < c.names.count; k++)
            check_number(cases[i].text, (double)c.names.items[k].tensor->grad[0], cases[i].gradients[k]);
        ag_tape_free(c.tape);
    }
}
END_TEST

/* The same text at values that are moved by h to either side. The error of such a
 * difference is h^2 |f'''| / 6 + eps |f| / h, with |f'''| < 100 and |f| < 10 here. */
START_TEST(gradients_are_those_of_differences)
{
    static const char *const texts[] = {"tanh(a*b) + sigmoid(a - b)/b", "exp(a)*log(b + 2) - sqrt(a*a + b^2)",
                                        "(a + silu(b))^3 / (1 + a^2)"};
    const double h = PRECISION(0x1p-17, 0x1p-7), eps = PRECISION(0x1p-53, 0x1p-24);
    const double bound = h * h * 100 / 6 + 10 * eps / h;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        computed c = compute(texts[i], "a=0.5 b=0.75");
        for (int k = 0; k < 2; k++) {
            double moved[2];
            for (int side = 0; side < 2; side++) {
                char values[128];
                const double step = side ? -h : h;
                snprintf(values, sizeof values, "a=%.17g b=%.17g", 0.5 + (k == 0 ? step : 0), 0.75 + (k ? step : 0));
                computed other = compute(texts[i], values);
                moved[side] = (double)other.y->data[0];
                ag_tape_free(other.tape);
            }
            const double found = (double)c.names.items[k].tensor->grad[0], expected = (moved[0] - moved[1]) / (2 * h);
            ck_assert_msg(fabs(found - expected) <= bound, "%s: %g, by difference %g", texts[i], found, expected);
        }
        ag_tape_free(c.tape);
    }
}
END_TEST

/* ---- What is wrong, and where ------------------------------------------------------ */

START_TEST(sentences_point_at_the_character)
{
    static const char *const texts[][2] = {
        {"", "the expression ends too early: expected a number, a name or \"(\""},
        {"w*(x + )\nw=1 x=2", "character 8 of the expression, at \")\": expected a number, a name or \"(\""},
        {"w*(x + 1\nw=1 x=2", "the expression ends too early: expected an operation or \")\""},
        {"w x\nw=1 x=2", "character 3 of the expression, at \"x\": expected an operation"},
        {"w*y\nw=1", "character 3 of the expression, at \"y\": this is no name with a number"},
        {"tanh x\nx=1", "character 6 of the expression, at \"x\": expected \"(\""},
        {"x+\xC3\xA9 + $\nx=1", "character 3 of the expression, at \"\xC3\xA9 + $\""},
        {"x $\nx=1", "character 3 of the expression, at \"$\""},
        {"x*1e999\nx=1", "character 3"},
        {"x*x\nx=", "the list of values ends too early"},
        {"x*x\nx=nan", "character 3 of the list of values, at \"nan\": expected a number"},
        {"x*x\nx=1 x=2", "character 5 of the list of values, at \"x=2\": this name has a number already"},
        {"x*x\n3", "character 1 of the list of values, at \"3\": expected a short name"},
        {"x*x\nx=[1 2", "expected a number or \"]\""},
        {"x*x\nx=[1 2 3 4 5 6 7]", "at most 6 numbers"},
        {"x*x\na=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 x=1", "at most 8 names"},
        {"x*x\na_name_that_is_too_long=1", "expected a short name"},
        {"x*x\nx=[1 2]", "make one of them by sum( )"},
        {"x\nx=1", "no operation yet"},
        {"1 + 2", "no name in it"},
        {"sum(x*y)\nx=[1 2 3] y=[1 2]", "character 6 of the expression, at \"*y)\""},
    };
    playground *p = playground_new();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refused(p, "tape", texts[i][0], texts[i][1]);
    if (sizeof(ag_real) == sizeof(float))
        refused(p, "tape", "x*x\nx=1e39", "character 3 of the list of values, at \"1e39\": expected a number");
    ask(p, "tape", "x*x\nx=1");
    playground_free(p);
}
END_TEST

START_TEST(deep_and_long_texts_are_refused)
{
    char text[2 * EXPRESSION_TEXT];
    playground *p = playground_new();
    memset(text, '(', 150);
    strcpy(text + 150, "x\nx=1");
    refused(p, "tape", text, "too many brackets");
    memset(text, '-', 150);
    refused(p, "tape", text, "too many brackets");
    for (int i = 0; i < 90; i++)
        memcpy(text + 2 * i, "x^", 2);
    strcpy(text + 180, "x\nx=1");
    refused(p, "tape", text, "too many brackets");
    for (int i = 0; i < 90; i++)
        memcpy(text + 2 * i, "x*", 2);
    refused(p, "tape", text, "too many operations");
    memset(text, ' ', EXPRESSION_TEXT + 1);
    strcpy(text + EXPRESSION_TEXT + 1, "x\nx=1");
    refused(p, "tape", text, "at most 200 characters");
    playground_free(p);
}
END_TEST

/* Texts of drawn characters: one sentence or a picture, never a crash. */
START_TEST(any_text_has_an_answer)
{
    static const char alphabet[] = "xyz0123456789.e+-*/^()[]=, \nexplogtanhsum(((\xC3\xA9$";
    ag_rng rng = ag_rng_make(3, 0);
    playground *p = playground_new();
    int drawn = 0;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        const size_t length = (size_t)(ag_rng_uniform(&rng) * 24);
        for (size_t k = 0; k < length; k++)
            text[k] = alphabet[(size_t)(ag_rng_uniform(&rng) * (double)(sizeof alphabet - 1))];
        strcpy(text + length, "\nx=2 y=3 z=[1 2]");
        drawn += playground_ask(p, "tape", text) == AG_OK;
        ck_assert(strlen(playground_answer(p)) > 0);
    }
    ck_assert_int_gt(drawn, 0);
    playground_free(p);
}
END_TEST

/* ---- Node by node ------------------------------------------------------------------ */

/* Whether `part` stands in the answer. */
static bool shows(const playground *p, const char *part)
{
    return strstr(playground_answer(p), part) != NULL;
}

/* Three operations: seven steps. */
START_TEST(step_by_step)
{
    static const char *const begins[] = {"Step 1 of 7, forward. [0] mul",  "Step 2 of 7, forward. [1] add",
                                         "Step 3 of 7, forward. [2] pow",  "Step 4 of 7. The gradient of the result",
                                         "Step 5 of 7, backward. [2] pow", "Step 6 of 7, backward. [1] add",
                                         "Step 7 of 7, backward. [0] mul"};
    playground *p = playground_new();
    for (int step = 1; step <= 7; step++) {
        char text[64];
        snprintf(text, sizeof text, "(w*x + b)^2\nw=3 x=2 b=-1\n%d", step);
        ask(p, "tape", text);
        ck_assert_msg(shows(p, begins[step - 1]), "%d: %.300s", step, playground_answer(p));
        ck_assert_int_eq(shows(p, "value 25"), step >= 3);
        ck_assert_int_eq(shows(p, "gradient 1<"), step >= 4);
        ck_assert_int_eq(shows(p, "gradient 10<"), step >= 5);
        ck_assert_int_eq(shows(p, "gradient 20<"), step >= 7);
        ck_assert_int_eq(shows(p, "gradient ?"), step < 7);
    }
    ask(p, "tape", "(w*x + b)^2\nw=3 x=2 b=-1");
    ck_assert(shows(p, "Step 7 of 7"));
    ask(p, "tape", "(w*x + b)^2\nw=3 x=2 b=-1\n99");
    ck_assert(shows(p, "Step 7 of 7"));
    playground_free(p);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("playground_tape");
    TCase *t = tcase_create("expressions");
    tcase_add_test(t, values_and_gradients);
    tcase_add_test(t, gradients_are_those_of_differences);
    tcase_add_test(t, sentences_point_at_the_character);
    tcase_add_test(t, deep_and_long_texts_are_refused);
    tcase_add_test(t, any_text_has_an_answer);
    tcase_add_test(t, step_by_step);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
