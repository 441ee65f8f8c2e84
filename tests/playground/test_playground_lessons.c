/* test_playground_lessons.c - what the page's lessons set up, and that what they tell
 * happens: at any level and in both precisions, so with room for other roundings. */
#include "ask.h"

#include <stdio.h>

static char page[1 << 16];

/* Reads the page's lessons, then enters a folder. */
static void read_lessons(void)
{
    FILE *file = fopen("playground/page/lessons.html", "rb");
    ck_assert_ptr_nonnull(file);
    const size_t size = fread(page, 1, sizeof page - 1, file);
    page[size] = 0;
    fclose(file);
    ck_assert_uint_lt(size, sizeof page - 1);
    enter_folder();
}

static const char *lesson_at(int number)
{
    const char *at = page;
    for (int i = 0; at && i < number; i++)
        at = strstr(at + (i > 0), "<article");
    return at;
}

/* Copies the value of an attribute of a lesson; false: it has none. */
static bool read_attribute(int number, const char *name, char *value, size_t size)
{
    char start[64];
    const char *lesson = lesson_at(number);
    snprintf(start, sizeof start, "%s=\"", name);
    const char *at = strstr(lesson, start);
    if (!at || at > strstr(lesson, "<h3>"))
        return false;
    at += strlen(start);
    const int length = snprintf(value, size, "%.*s", (int)strcspn(at, "\""), at);
    ck_assert_int_lt(length, (int)size);
    return true;
}

/* The setting of a lesson, and `more`. */
static const char *setting_of(int number, const char *more)
{
    static char setting[8192], own[6000];
    ck_assert_msg(read_attribute(number, "data-setting", own, sizeof own), "lesson %d has no setting", number);
    char *lines = strstr(own, "&lines=");
    if (lines)
        *lines++ = 0;
    snprintf(setting, sizeof setting, "%s&lesson=%d%s%s%s", own, number, more, lines ? "&" : "", lines ? lines : "");
    return setting;
}

/* Each has its parts, and what it sets up is accepted. */
START_TEST(nine_lessons)
{
    ck_assert_ptr_nonnull(lesson_at(PLAYGROUND_LESSONS));
    ck_assert_ptr_null(lesson_at(PLAYGROUND_LESSONS + 1));
    for (int number = 1; number <= PLAYGROUND_LESSONS; number++) {
        char value[4096], both[8192];
        static const char *const parts[] = {"<h3>", "class=\"question\"", "<b>Do.</b>", "<b>Notice.</b>"};
        const char *at = lesson_at(number), *end = strstr(at, "</article>");
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            at = strstr(at, parts[i]);
            ck_assert_msg(at && at < end, "lesson %d: %s", number, parts[i]);
        }
        playground *p = begin(setting_of(number, ""));
        ck_assert_int_eq(p->run->setting.lesson, number);
        if (read_attribute(number, "data-weights", value, sizeof value))
            ask(p, "weights", value);
        if (read_attribute(number, "data-expression", both, 4096)) {
            ck_assert(read_attribute(number, "data-values", value, sizeof value));
            strcat(strcat(both, "\n"), value);
            ask(p, "tape", both);
        }
        playground_free(p);
    }
}
END_TEST

/* Steps on, and evaluates. */
static const playground_result *train(playground *p, const char *steps)
{
    ask(p, "step", steps);
    ask(p, "evaluate", "");
    return &p->run->result;
}

START_TEST(why_positions)
{
    playground *p = begin(setting_of(3, ""));
    const playground_result *result = train(p, "600");
    ck_assert_double_eq(result->exact, 0);
    ck_assert(result->loss > 1.609 && result->loss < 1.85); /* ln 5 */
    playground_free(p);
    p = begin(setting_of(3, "&positions=sinusoidal"));
    ck_assert_double_ge(train(p, "100")->exact, 0.9);
    playground_free(p);
}
END_TEST

START_TEST(padding)
{
    playground *p = begin(setting_of(4, ""));
    ck_assert_double_ge(train(p, "600")->exact, 0.95);
    ask(p, "change", setting_of(4, "&eval-source=all,padding"));
    ask(p, "evaluate", "");
    ck_assert_double_le(p->run->result.exact, 0.9); /* in the page 0.62 */
    ask(p, "change", setting_of(4, ""));
    ask(p, "evaluate", "");
    ck_assert_double_ge(p->run->result.exact, 0.95);
    playground_free(p);
}
END_TEST

/* Four letters of ten tokens are independent: 4 ln 26 / 10 = 1.303. On 200 examples the
 * loss may be a little lower. */
START_TEST(the_causal_mask)
{
    playground *p = begin(setting_of(5, ""));
    ck_assert_double_ge(train(p, "200")->exact, 0.95);
    ck_assert(p->run->result.loss > 1.29 && p->run->result.loss < 1.38);
    playground_free(p);
}
END_TEST

START_TEST(a_leak)
{
    playground *p = begin(setting_of(6, ""));
    const playground_result *result = train(p, "100");
    ck_assert_double_lt(result->loss, 0.1);
    ck_assert_double_eq(result->exact, 0);
    ask(p, "step", "100");
    ask(p, "change", setting_of(6, "&target=causal"));
    ask(p, "evaluate", "");
    ck_assert_double_gt(result->loss, 3);
    ck_assert_double_ge(train(p, "100")->exact, 0.9);
    playground_free(p);
}
END_TEST

START_TEST(cross_attention)
{
    playground *p = begin(setting_of(7, ""));
    ck_assert_double_eq(train(p, "200")->exact, 1);
    playground_free(p);
}
END_TEST

/* A fault that training does not show and the check does, and one that training shows. */
START_TEST(a_wrong_gradient)
{
    playground *p = begin(setting_of(9, ""));
    ck_assert_double_ge(train(p, "600")->exact, 0.95);
    ask(p, "gradcheck", "");
    ck_assert_ptr_nonnull(strstr(playground_answer(p), "planted_fault in decoder.layers.0"));
    playground_free(p);
    p = begin(setting_of(9, "&fault=sign"));
    ck_assert_double_le(train(p, "600")->exact, 0.1);
    playground_free(p);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("playground_lessons");
    TCase *t = tcase_create("playground_lessons");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, read_lessons, leave_folder);
    tcase_add_test(t, nine_lessons);
    tcase_add_test(t, why_positions);
    tcase_add_test(t, padding);
    tcase_add_test(t, the_causal_mask);
    tcase_add_test(t, a_leak);
    tcase_add_test(t, cross_attention);
    tcase_add_test(t, a_wrong_gradient);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
