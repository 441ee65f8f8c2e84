/* test_data_tasks.c - the synthetic tasks: right answers, complete vocabularies, held-out
 * parts. */
#include "check_util.h"

#include "data.h"

#include <stdio.h>
#include <string.h>

static data_set *open_task(const char *name, data_set_options options)
{
    ag_error error = {0};
    data_set *set = data_set_task(data_task_find(name), &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    return set;
}

/* ---- The table --------------------------------------------------------------------- */

START_TEST(table_of_tasks)
{
    static const char *const names[] = {"copy", "reverse", "sort", "shift", "addition", "numbers", "dates"};
    int count;
    const data_task *const *tasks = data_tasks(&count);
    ck_assert_int_eq(count, 7);
    for (int i = 0; i < count; i++) {
        ck_assert_str_eq(tasks[i]->name, names[i]);
        ck_assert_ptr_eq(data_task_find(names[i]), tasks[i]);
        ck_assert_ptr_nonnull(strstr(tasks[i]->help, " -> "));
    }
    ck_assert_ptr_null(data_task_find("revers"));
    ck_assert_ptr_null(data_task_find(""));
}
END_TEST

/* ---- Right answers: each checked by other means than the task's own ---------------- */

static void check_letters(const char *name, const char *source, const char *target)
{
    size_t size = strlen(source);
    ck_assert(size >= 2 && size <= 9);
    ck_assert_uint_eq(strlen(target), size);
    ck_assert_uint_eq(strspn(source, "abcdefghijklmnopqrstuvwxyz"), size);
    for (size_t i = 0; i < size; i++) {
        if (strcmp(name, "copy") == 0)
            ck_assert_int_eq(target[i], source[i]);
        if (strcmp(name, "reverse") == 0)
            ck_assert_int_eq(target[i], source[size - 1 - i]);
        if (strcmp(name, "shift") == 0)
            ck_assert_int_eq(target[i], i == 0 ? 'a' : source[i - 1]);
        if (strcmp(name, "sort") == 0) {
            int in_source = 0, in_target = 0;
            ck_assert(i == 0 || target[i - 1] <= target[i]);
            for (size_t k = 0; k < size; k++) {
                in_source += source[k] == source[i];
                in_target += target[k] == source[i];
            }
            ck_assert_int_eq(in_source, in_target);
        }
    }
}

START_TEST(letter_tasks)
{
    static const char *const names[] = {"copy", "reverse", "sort", "shift"};
    for (int n = 0; n < 4; n++) {
        data_set *set = open_task(names[n], (data_set_options){.min_length = 2, .max_length = 9, .seed = 5});
        bool lengths[10] = {false};
        for (int64_t i = 0; i < 500; i++) {
            const char *source, *target;
            data_set_example(set, i, &source, &target);
            check_letters(names[n], source, target);
            lengths[strlen(source)] = true;
        }
        for (int length = 2; length <= 9; length++)
            ck_assert(lengths[length]);
        ck_assert_int_eq(data_set_max_source(set), 10);
        ck_assert_int_eq(data_set_max_target(set), 10);
        data_set_free(set);
    }
}
END_TEST

START_TEST(addition)
{
    data_set *set = open_task("addition", (data_set_options){.seed = 1});
    size_t longest = 0, longest_target = 0;
    for (int64_t i = 0; i < 5000; i++) {
        const char *source, *target;
        char again[64];
        long a, b;
        data_set_example(set, i, &source, &target);
        ck_assert_int_eq(sscanf(source, "%ld+%ld", &a, &b), 2);
        snprintf(again, sizeof again, "%ld+%ld", a, b);
        ck_assert_str_eq(again, source); /* no leading zero, no sign */
        ck_assert(a < 100000 && b < 100000);
        ck_assert_int_eq(strtol(target, NULL, 10), a + b);
        longest = strlen(source) > longest ? strlen(source) : longest;
        longest_target = strlen(target) > longest_target ? strlen(target) : longest_target;
    }
    ck_assert_int_eq((int64_t)longest + 1, data_set_max_source(set));
    ck_assert_int_eq((int64_t)longest_target + 1, data_set_max_target(set));
    data_set_free(set);

    set = open_task("addition", (data_set_options){.min_length = 18, .max_length = 18});
    for (int64_t i = 0; i < 100; i++) {
        const char *source, *target;
        data_set_example(set, i, &source, &target);
        ck_assert_uint_eq(strlen(source), 37);
        ck_assert_uint_eq(strtoull(source, NULL, 10) + strtoull(source + 19, NULL, 10), strtoull(target, NULL, 10));
    }
    data_set_free(set);
}
END_TEST

/* The value of English number words, read from left to right; -1 for what is no
 * number. */
static long value_of_words(const char *text)
{
    static const char *const names[] = {
        "zero",   "one",    "two",    "three",    "four",     "five",    "six",     "seven",     "eight",    "nine",
        "ten",    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
        "twenty", "thirty", "forty",  "fifty",    "sixty",    "seventy", "eighty",  "ninety"};
    long total = 0, group = 0;
    while (*text) {
        size_t size = strcspn(text, " -");
        int found = -1;
        for (int i = 0; i < 28; i++)
            if (strlen(names[i]) == size && strncmp(names[i], text, size) == 0)
                found = i < 20 ? i : (i - 18) * 10;
        if (found >= 0) {
            group += found;
        } else if (size == 7 && strncmp(text, "hundred", 7) == 0) {
            group *= 100;
        } else if (size == 8 && strncmp(text, "thousand", 8) == 0) {
            ck_assert_int_gt(group, 0);
            total += group * 1000;
            group = 0;
        } else if (size == 7 && strncmp(text, "million", 7) == 0) {
            total += group * 1000000;
            group = 0;
        } else {
            return -1;
        }
        text += size + (text[size] != '\0');
    }
    return total + group;
}

/* Makes the task's text for one given number by drawing until it comes; numbers of one or
 * two digits come soon. */
static void expect_words(data_set *set, const char *number, const char *words)
{
    for (int64_t i = 0; i < 100000; i++) {
        const char *source, *target;
        data_set_example(set, i, &source, &target);
        if (strcmp(source, number) == 0) {
            ck_assert_str_eq(target, words);
            return;
        }
    }
    ck_abort_msg("%s was never drawn", number);
}

START_TEST(numbers)
{
    data_set *set = open_task("numbers", (data_set_options){.seed = 9});
    for (int64_t i = 0; i < 20000; i++) {
        const char *source, *target;
        data_set_example(set, i, &source, &target);
        ck_assert_msg(value_of_words(target) == strtol(source, NULL, 10), "%s is not '%s'", source, target);
        ck_assert(strchr("- ", target[strlen(target) - 1]) == NULL);
    }
    ck_assert_int_eq(data_set_max_source(set), 10);
    ck_assert_int_eq(data_set_max_target(set), 12);
    data_set_free(set);

    set = open_task("numbers", (data_set_options){.min_length = 1, .max_length = 3});
    expect_words(set, "0", "zero");
    expect_words(set, "10", "ten");
    expect_words(set, "13", "thirteen");
    expect_words(set, "20", "twenty");
    expect_words(set, "42", "forty-two");
    expect_words(set, "100", "one hundred");
    expect_words(set, "307", "three hundred seven");
    expect_words(set, "999", "nine hundred ninety-nine");
    data_set_free(set);
    set = open_task("numbers", (data_set_options){.min_length = 4, .max_length = 4});
    expect_words(set, "4071", "four thousand seventy-one");
    data_set_free(set);
}
END_TEST

/* For each number of digits: the announced longest text is met, never passed. */
START_TEST(most_tokens_is_exact)
{
    int count;
    const data_task *const *tasks = data_tasks(&count);
    for (int n = 0; n < count; n++) {
        int top = tasks[n]->longest < 9 ? tasks[n]->longest : 9;
        for (int length = 1; length <= top; length++) {
            int64_t most_source, most_target, found_source = 0, found_target = 0;
            tasks[n]->most_tokens(length, &most_source, &most_target);
            ag_rng rng = ag_rng_make(3, (uint64_t)length);
            for (int i = 0; i < 20000 && !(found_source == most_source && found_target == most_target && i > 2000);
                 i++) {
                char source[DATA_TASK_TEXT], target[DATA_TASK_TEXT];
                const char *token;
                size_t at = 0, size;
                int64_t s = 0, t = 0;
                tasks[n]->make(&rng, 1, length, source, target);
                while (data_token_next(tasks[n]->source_kind, source, strlen(source), &at, &token, &size))
                    s++;
                for (at = 0; data_token_next(tasks[n]->target_kind, target, strlen(target), &at, &token, &size);)
                    t++;
                ck_assert_msg(s <= most_source && t <= most_target, "%s: '%s' '%s'", tasks[n]->name, source, target);
                found_source = s > found_source ? s : found_source;
                found_target = t > found_target ? t : found_target;
                ck_assert(!tasks[n]->same_length || s == t);
            }
            ck_assert_msg(found_source == most_source && found_target == most_target,
                          "%s, length %d: announced %lld %lld, found %lld %lld", tasks[n]->name, length,
                          (long long)most_source, (long long)most_target, (long long)found_source,
                          (long long)found_target);
        }
    }
}
END_TEST

/* ---- Dates ------------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((text[i] | 32) != (name[i] | 32))
            return false;
    return true;
}

/* The weekday by counting days from 1 January 2000, a Saturday. */
static int counted_weekday(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    long count = 0;
    for (int y = 1600; y < year; y++)
        count += (y % 4 == 0 && y % 100 != 0) || y % 400 == 0 ? 366 : 365;
    for (int m = 1; m < month; m++)
        count += days[m - 1] + (m == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0));
    count += day - 1;
    return (int)((count + 6) % 7); /* 1600 began as 2000 did: 400 years are a whole number of weeks */
}

START_TEST(dates)
{
    static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                           "Thursday", "Friday", "Saturday"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const int most_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    data_set *set = open_task("dates", (data_set_options){.seed = 2});
    int with_weekday = 0, with_month = 0, with_ending = 0, leap_days = 0;
    for (int64_t i = 0; i < 30000; i++) {
        const char *source, *target;
        char year_text[8], day_text[8], ending[8];
        int year, month, day;
        data_set_example(set, i, &source, &target);
        ck_assert_uint_eq(strlen(target), 10);
        ck_assert_int_eq(sscanf(target, "%4d-%2d-%2d", &year, &month, &day), 3);
        ck_assert(year >= 1600 && year <= 2399 && month >= 1 && month <= 12 && day >= 1 && day <= most_days[month - 1]);
        if (month == 2 && day == 29) {
            ck_assert((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
            leap_days++;
        }
        snprintf(year_text, sizeof year_text, "%d", year);
        snprintf(day_text, sizeof day_text, "%d", day);
        ck_assert_ptr_nonnull(strstr(source, year_text));
        ck_assert_ptr_nonnull(strstr(source, day_text));
        for (int w = 0; w < 7; w++)
            if (starts_with(source, weekdays[w], 3) && !starts_with(source, "March", 4)) {
                ck_assert_msg(counted_weekday(year, month, day) == w, "%s %s", source, target);
                with_weekday++;
            }
        for (const char *at = source; *at; at++)
            for (int m = 0; m < 12; m++)
                if (starts_with(at, months[m], 3) && (at == source || (at[-1] < 'A'))) {
                    ck_assert_msg(month == m + 1, "%s %s", source, target);
                    with_month++;
                }
        const char *after = strstr(source, day_text);
        snprintf(ending, sizeof ending, "%s", after + strlen(day_text));
        ending[2] = '\0';
        if (strlen(ending) == 2 && strpbrk("snrtSNRT", (char[]){ending[0], 0}) && strchr("tdhTDH", ending[1])) {
            const char *right = day / 10 == 1   ? "th"
                                : day % 10 == 1 ? "st"
                                : day % 10 == 2 ? "nd"
                                : day % 10 == 3 ? "rd"
                                                : "th";
            ck_assert_msg(starts_with(ending, right, 2), "%s", source);
            with_ending++;
        }
    }
    ck_assert_int_gt(with_weekday, 5000);
    ck_assert_int_gt(with_month, 15000);
    ck_assert_int_gt(with_ending, 5000);
    ck_assert_int_gt(leap_days, 5);
    data_set_free(set);
}
END_TEST

/* ---- Sets of tasks ----------------------------------------------------------------- */

START_TEST(vocabularies_are_complete_and_fixed)
{
    int count;
    const data_task *const *tasks = data_tasks(&count);
    for (int n = 0; n < count; n++) {
        data_set *set = open_task(tasks[n]->name, (data_set_options){.seed = 77, .part = DATA_TRAIN});
        data_set *other = open_task(tasks[n]->name, (data_set_options){.seed = 78, .part = DATA_DEV});
        for (int side = 0; side < 2; side++) {
            char *a = data_vocab_write(side ? data_set_target_vocab(set) : data_set_source_vocab(set), NULL);
            char *b = data_vocab_write(side ? data_set_target_vocab(other) : data_set_source_vocab(other), NULL);
            ck_assert_str_eq(a, b);
            free(a);
            free(b);
        }
        for (int64_t i = 0; i < 3000; i++) {
            const char *source, *target;
            int64_t unknown_source, unknown_target;
            data_set_example(set, i, &source, &target);
            data_vocab_encode(data_set_source_vocab(set), source, strlen(source), NULL, 0, &unknown_source);
            data_vocab_encode(data_set_target_vocab(set), target, strlen(target), NULL, 0, &unknown_target);
            ck_assert_msg(unknown_source == 0 && unknown_target == 0, "%s: '%s' '%s'", tasks[n]->name, source, target);
        }
        data_set_free(set);
        data_set_free(other);
    }
}
END_TEST

START_TEST(examples_depend_on_seed_and_number_alone)
{
    data_set *one = open_task("reverse", (data_set_options){.seed = 4, .count = 10});
    data_set *two = open_task("reverse", (data_set_options){.seed = 4, .count = 500});
    data_set *other = open_task("reverse", (data_set_options){.seed = 5});
    int same = 0;
    for (int64_t i = 0; i < 200; i++) {
        const char *a, *b, *c, *target;
        data_set_example(two, 199 - i, &b, &target); /* the order of asking does not matter */
        data_set_example(one, 199 - i, &a, &target); /* i >= count is fine */
        data_set_example(other, 199 - i, &c, &target);
        ck_assert_str_eq(a, b);
        same += strcmp(a, c) == 0;
    }
    ck_assert_int_lt(same, 10);
    const char *source = "", *target = "";
    data_set_example(one, -1, &source, &target);
    ck_assert(source == NULL && target == NULL);
    data_set_free(one);
    data_set_free(two);
    data_set_free(other);
}
END_TEST

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* With another seed, too, nothing of DATA_DEV is in DATA_TRAIN; and the short sources are
 * all in DATA_TRAIN. */
START_TEST(parts_share_no_source)
{
    enum { TRAIN = 60000, DEV = 2000 };
    data_set *train = open_task("copy", (data_set_options){.seed = 1, .part = DATA_TRAIN, .max_length = 5});
    data_set *dev = open_task("copy", (data_set_options){.seed = 2, .part = DATA_DEV, .max_length = 5});
    char(*seen)[8] = calloc(TRAIN, sizeof *seen);
    const char *source, *target;
    int of_one = 0, of_two = 0;
    for (int64_t i = 0; i < TRAIN; i++) {
        data_set_example(train, i, &source, &target);
        snprintf(seen[i], sizeof *seen, "%s", source);
    }
    qsort(seen, TRAIN, sizeof *seen, by_text);
    for (int i = 0; i < TRAIN; i++)
        if (i == 0 || strcmp(seen[i], seen[i - 1]) != 0) {
            of_one += strlen(seen[i]) == 1;
            of_two += strlen(seen[i]) == 2;
        }
    ck_assert_int_eq(of_one, 26);
    ck_assert_int_eq(of_two, 26 * 26);
    for (int64_t i = 0; i < DEV; i++) {
        data_set_example(dev, i, &source, &target);
        ck_assert_uint_ge(strlen(source), 4);
        ck_assert_ptr_null(bsearch(source, seen, TRAIN, sizeof *seen, by_text));
    }
    free(seen);
    data_set_free(train);
    data_set_free(dev);
}
END_TEST

START_TEST(share_of_the_held_out)
{
    data_set *all = open_task("reverse", (data_set_options){.seed = 3, .min_length = 8});
    data_set *train =
        open_task("reverse", (data_set_options){.seed = 3, .min_length = 8, .part = DATA_TRAIN, .held_out = 0.2});
    int moved = 0;
    for (int64_t i = 0; i < 5000; i++) {
        const char *a, *b, *target;
        data_set_example(all, i, &a, &target);
        data_set_example(train, i, &b, &target);
        moved += strcmp(a, b) != 0; /* where the first draw was held out, another was made */
    }
    ck_assert(moved > 850 && moved < 1150);
    data_set_free(all);
    data_set_free(train);
}
END_TEST

START_TEST(bad_options)
{
    static const struct {
        const char *task;
        data_set_options options;
        const char *message;
    } cases[] = {
        {"reverse", {.min_length = 5, .max_length = 4}, "task reverse: the shortest length 5 is above the longest, 4"},
        {"reverse", {.max_length = 1024}, "lengths from 1 to 1024 are outside of 1 to 1023"},
        {"reverse", {.min_length = -2}, "lengths from -2 to 16 are outside"},
        {"numbers", {.max_length = 10}, "task numbers: lengths from 1 to 10 are outside of 1 to 9"},
        {"reverse", {.part = DATA_DEV, .max_length = 3}, "this part of the examples is empty"},
        {"addition", {.tagging = true}, "task addition: its targets are not of the length of their sources"},
        {"reverse", {.max_tokens = 16}, "lengths up to 16 make up to 17 tokens, more than the limit of 16"},
        {"reverse", {.held_out = 1}, "the held-out share must be between 0 and 1, not 1"},
        {"reverse", {.held_out = -0.5}, "the held-out share must be between 0 and 1, not -0.5"},
        {"reverse", {.count = -1}, "an epoch has from 1 to 4294967295 examples, not -1"},
        {"reverse", {.part = (data_part)7}, "no part 7"},
        {"none", {.count = 1}, "no such task"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_error error = {0};
        data_set *set = data_set_task(data_task_find(cases[i].task), &cases[i].options, &error);
        ck_assert_msg(set == NULL, "case %zu was accepted", i);
        ck_assert_int_eq(error.status, AG_BAD_VALUE);
        ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "case %zu: %s", i, error.message);
    }
    data_set *tagger = open_task("reverse", (data_set_options){.tagging = true, .max_tokens = 16});
    ck_assert_int_eq(data_set_max_source(tagger), 16);
    data_set_free(tagger);
    /* A shortest length above the default longest is the longest too. */
    data_set *long_ones = open_task("reverse", (data_set_options){.min_length = 30});
    ck_assert_int_eq(data_set_max_source(long_ones), 31);
    data_set_free(long_ones);
    data_set *defaults = data_set_task(data_task_find("copy"), NULL, NULL);
    ck_assert_int_eq(data_set_count(defaults), 10000);
    data_set_free(defaults);
    data_set_free(NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("data_tasks");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, table_of_tasks);
    tcase_add_test(tests, letter_tasks);
    tcase_add_test(tests, addition);
    tcase_add_test(tests, numbers);
    tcase_add_test(tests, most_tokens_is_exact);
    tcase_add_test(tests, dates);
    tcase_add_test(tests, vocabularies_are_complete_and_fixed);
    tcase_add_test(tests, examples_depend_on_seed_and_number_alone);
    tcase_add_test(tests, parts_share_no_source);
    tcase_add_test(tests, share_of_the_held_out);
    tcase_add_test(tests, bad_options);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
