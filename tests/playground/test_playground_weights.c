/* test_playground_weights.c - scores, weights and masks of a few vectors, beside numbers
 * that are known without a computer. */
#include "check_util.h"
#include "allocations.h"
#include "playground/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The numbers of map `map` of the answer: values [most], row by row; -1 where a
 * cell is masked or padding. */
static void numbers_of(const playground *p, int map, double *values, int most)
{
    const char *at = playground_answer(p);
    for (int i = 0; i <= map; i++) {
        at = strstr(at, "<figure class=\"heat\"");
        ck_assert_msg(at, "there is no map %d", map);
        at++;
    }
    const char *end = strstr(at, "</figure>");
    for (int i = 0; i < most; i++) {
        at = strstr(at, "data-row=\"");
        ck_assert_msg(at && at < end, "map %d has %d cells", map, i);
        const char *cell = at++;
        while (*cell != '<')
            cell--;
        const bool seen = !strncmp(cell, "<rect class=\"cell heat-", 23);
        values[i] = seen ? strtod(strstr(cell, "data-value=\"") + 12, NULL) : -1;
    }
    at = strstr(at, "data-row=\"");
    ck_assert_msg(!at || at > end, "map %d has more than %d cells", map, most);
}

static void ask(playground *p, const char *text)
{
    ck_assert_msg(playground_ask(p, "weights", text) == AG_OK, "%s", playground_answer(p));
}

/* Answers have six digits, and what is expected here has six decimals. */
static bool is_near(double value, double expected)
{
    return fabs(value - expected) <= 5e-6 * fabs(expected) + 0.5e-6;
}

static void equal(const playground *p, int map, const double *expected, int count)
{
    double values[64];
    numbers_of(p, map, values, count);
    for (int i = 0; i < count; i++)
        ck_assert_msg(is_near(values[i], expected[i]), "map %d, cell %d: %g, not %g", map, i, values[i], expected[i]);
}

START_TEST(scores_and_their_softmax)
{
    playground *p = playground_new();
    ask(p, "scale = 1\na 1 0\nb 0 2\n");
    equal(p, 0, (double[]){1, 0, 0, 4}, 4);
    /* e / (e + 1), 1 / (1 + e^4) */
    equal(p, 1, (double[]){0.731059, 0.268941, 0.017986, 0.982014}, 4);
    ask(p, "a 1 0\nb 0 2\n");
    equal(p, 0, (double[]){0.707107, 0, 0, 2.828427}, 4); /* over the root of 2 */
    playground_free(p);
}
END_TEST

/* The six tokens of Raschka, Build a Large Language Model (From Scratch), section 3.3.1,
 * where the row of "journey" is printed with four decimals. */
START_TEST(six_tokens)
{
    double scores[36], weights[36];
    static const double journey[2][6] = {{0.9544, 1.4950, 1.4754, 0.8434, 0.7070, 1.0865},
                                         {0.1385, 0.2379, 0.2333, 0.1240, 0.1082, 0.1581}};
    playground *p = playground_new();
    ask(p, "scale = 1\nYour .43 .15 .89\njourney .55 .87 .66\nstarts .57 .85 .64\nwith .22 .58 .33\n"
           "one .77 .25 .10\nstep .05 .80 .55");
    numbers_of(p, 0, scores, 36);
    numbers_of(p, 1, weights, 36);
    for (int j = 0; j < 6; j++) {
        ck_assert_double_le(fabs(scores[6 + j] - journey[0][j]), 0.5e-4 + 5e-6);
        ck_assert_double_le(fabs(weights[6 + j] - journey[1][j]), 0.5e-4 + 5e-6);
    }
    playground_free(p);
}
END_TEST

/* Equal keys share the weight evenly: what a mask leaves is the number of the keys. */
START_TEST(masks_leave_the_rest)
{
    const double third = 1. / 3;
    playground *p = playground_new();
    ask(p, "heads = 2\nmask = 1 1 0 1\nI 1 2\nlove 1 2\n<pad> 1 2\nNLP 1 2");
    for (int head = 0; head < 2; head++)
        for (int map = 1; map < 3; map++) {
            const double all[] = {0.25, 0.25, 0.25, 0.25}, left[] = {third, third, -1, third};
            double expected[16];
            for (int i = 0; i < 16; i++)
                expected[i] = map == 1 ? all[i % 4] : left[i % 4];
            equal(p, 3 * head + map, expected, 16);
        }
    equal(p, 0, (double[]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 16);
    equal(p, 3, (double[]){4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4}, 16);
    ask(p, "mask = causal\na 1\nb 1\nc 1");
    equal(p, 2, (double[]){1, -1, -1, 0.5, 0.5, -1, third, third, third}, 9);
    playground_free(p);
}
END_TEST

START_TEST(each_sequence_has_its_length)
{
    const double third = 1. / 3;
    playground *p = playground_new();
    ask(p, "lengths = 3 2\na 1\nb 1\nc 1\n<pad> 1\na 1\nb 1\n<pad> 1\n<pad> 1");
    for (int row = 0; row < 4; row++) {
        double first[16], second[16];
        numbers_of(p, 2, first, 16);
        numbers_of(p, 5, second, 16);
        for (int j = 0; j < 4; j++) {
            ck_assert(is_near(first[4 * row + j], j < 3 ? third : -1));
            ck_assert(is_near(second[4 * row + j], j < 2 ? 0.5 : -1));
        }
    }
    playground_free(p);
}
END_TEST

/* With two heads the first half of each vector is the first head's. */
START_TEST(heads_have_parts_of_the_vectors)
{
    playground *p = playground_new();
    ask(p, "heads = 2\nscale = 1\na 1 0 0 1\nb 0 3 0 2");
    equal(p, 0, (double[]){1, 0, 0, 9}, 4);
    equal(p, 2, (double[]){1, 2, 2, 4}, 4);
    ask(p, "heads = 2\nscale = 1\nlengths = 1 1\na 1 3\nb 2 4");
    for (int map = 0; map < 4; map++)
        equal(p, 3 * map, (double[][1]){{1}, {9}, {4}, {16}}[map], 1);
    ck_assert_ptr_nonnull(strstr(playground_answer(p), "sequence 1, head 0"));
    playground_free(p);
}
END_TEST

START_TEST(what_is_no_question)
{
    static const char *const texts[][2] = {{"", "a token and its numbers in each line"},
                                           {"a", "a: expected numbers after it"},
                                           {"mask =\na 1", "mask = causal, or"},
                                           {"mask = causal 1\na 1", "mask = causal, or"},
                                           {"scale = 1 2\na 1", "scale = a number above 0"},
                                           {"a 1 2\nb 1", "b: expected as many numbers"},
                                           {"a 1 x", "a: expected up to 8 numbers from 0 to 9"},
                                           {"a -1", "from 0 to 9"},
                                           {"a 1 2 3 4 5 6 7 8 9", "up to 8 numbers"},
                                           {"colour = 2\na 1", "'colour =' is none of heads"},
                                           {"heads = 2\na 1 2 3", "2 heads do not divide 3 numbers"},
                                           {"heads = 0\na 1", "heads = a number from 1"},
                                           {"heads =\na 1", "heads = a number from 1"},
                                           {"scale = 0\na 1", "scale = a number above 0"},
                                           {"mask = 1 2\na 1\nb 1", "mask = causal, or 1 or 0"},
                                           {"mask = 1 1 0\na 1\nb 1", "the mask has 3 numbers, for 2 keys"},
                                           {"lengths = 3\na 1\nb 1", "no length can be 3"},
                                           {"lengths = 1 1\na 1\nb 1\nc 1", "3 tokens are not 2 sequences"},
                                           {"lengths = 1 1 1 1 1\na 1", "lengths = one to 4"}};
    char most[4096] = "";
    playground *p = playground_new();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_int_eq(playground_ask(p, "weights", texts[i][0]), AG_BAD_VALUE);
        ck_assert_msg(strstr(playground_answer(p), texts[i][1]), "%s: %s", texts[i][0], playground_answer(p));
    }
    for (int i = 0; i < 17; i++)
        strcat(most, "a 1\n");
    ck_assert_int_eq(playground_ask(p, "weights", most), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(playground_answer(p), "more than 16 tokens"));
    memset(most, 'a', 3000);
    ck_assert_int_eq(playground_ask(p, "weights", most), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(playground_answer(p), "more than 1999 letters"));
    playground_free(p);
}
END_TEST

/* Wherever memory ends, a sentence says so. */
START_TEST(memory_may_end)
{
    ag_status status = AG_NO_MEMORY;
    int failed = 0;
    for (int n = 1; status != AG_OK && n < 4000; n++) {
        playground *p = playground_new(); /* (a tape keeps its memory) */
        test_fail_allocation(n);
        status = playground_ask(p, "weights", "heads = 2\nlengths = 2 1\nmask = causal\na 1 2\nb 3 4\nc 1 0\nd 0 1");
        test_fail_allocation(0);
        ck_assert_msg(status == AG_OK || status == AG_NO_MEMORY, "allocation %d: %s", n, playground_answer(p));
        failed += status != AG_OK;
        playground_free(p);
    }
    ck_assert_int_eq(status, AG_OK);
    ck_assert_int_gt(failed, 10);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("playground_weights");
    TCase *t = tcase_create("playground_weights");
    tcase_add_test(t, scores_and_their_softmax);
    tcase_add_test(t, six_tokens);
    tcase_add_test(t, masks_leave_the_rest);
    tcase_add_test(t, each_sequence_has_its_length);
    tcase_add_test(t, heads_have_parts_of_the_vectors);
    tcase_add_test(t, what_is_no_question);
    tcase_add_test(t, memory_may_end);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
