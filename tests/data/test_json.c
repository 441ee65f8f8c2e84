/* test_json.c - the strict JSON reader: what it takes, what it refuses, and where. */
#include "check_util.h"
#include "data.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A string alone: `text` with its quotes. */
static bool read_string(const char *text, char *out, data_json *json)
{
    *json = data_json_start(text, strlen(text));
    return data_json_string(json, out) && data_json_finish(json);
}

START_TEST(strings_are_unescaped)
{
    static const struct {
        const char *text, *meaning;
    } cases[] = {
        {"\"\"", ""},
        {" \t\r\n\"a b\" ", "a b"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u007f\"", "A\x7f"},
        {"\"\\u0080\\u07FF\"", "\xC2\x80\xDF\xBF"},
        {"\"\\u0800\\uffff\"", "\xE0\xA0\x80\xEF\xBF\xBF"},
        {"\"\\uD7FF\\uE000\"", "\xED\x9F\xBF\xEE\x80\x80"},
        {"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
        {"\"\\ud83d\\ude00 \xF0\x9F\x98\x80\"", "\xF0\x9F\x98\x80 \xF0\x9F\x98\x80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        data_json json;
        char *out = malloc(strlen(cases[i].text)); /* exactly the room that is promised to be enough */
        ck_assert_msg(read_string(cases[i].text, out, &json), "case %zu: %s", i, json.problem);
        ck_assert_str_eq(out, cases[i].meaning);
        free(out);
    }
}
END_TEST

START_TEST(bad_strings_are_refused)
{
    static const struct {
        const char *text, *word;
        size_t at;
    } cases[] = {
        {"", "early", 0},
        {"\"", "early", 1},
        {"\"abc", "early", 4},
        {"\"abc\\", "early", 5},
        {"\"\\u00", "early", 5},
        {"abc", "string was expected", 0},
        {"'abc'", "string was expected", 0},
        {"\"a\nb\"", "control", 2},
        {"\"a\x1f\"", "control", 2},
        {"\"\\x41\"", "escape", 2},
        {"\"\\U0041\"", "escape", 2},
        {"\"\\u00g0\"", "hexadecimal", 5},
        {"\"\\u 041\"", "hexadecimal", 3},
        {"\"\\u0000\"", "\\u0000", 7},
        {"\"\\uD800\"", "surrogate", 7},
        {"\"\\uD800x\"", "surrogate", 7},
        {"\"\\uD800\\n\"", "surrogate", 8},
        {"\"\\uD800\\u0041\"", "surrogate", 13},
        {"\"\\uD800\\uD800\"", "surrogate", 13},
        {"\"\\uD800\\uE000\"", "surrogate", 13},
        {"\"\\uDC00\"", "surrogate", 7},
        {"\"\\uDFFF\\uD800\"", "surrogate", 7},
        {"\"a\" \"b\"", "follows", 4},
        {"\"a\",", "follows", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        data_json json;
        char out[64];
        ck_assert_msg(!read_string(cases[i].text, out, &json), "case %zu is taken", i);
        ck_assert_msg(strstr(json.problem, cases[i].word) != NULL, "case %zu: %s", i, json.problem);
        ck_assert_uint_eq(json.at, cases[i].at);
    }
}
END_TEST

START_TEST(a_raw_zero_byte_is_a_control_character)
{
    static const char text[] = "\"a\0b\"";
    data_json json = data_json_start(text, sizeof text - 1);
    char out[8];
    ck_assert(!data_json_string(&json, out));
    ck_assert_ptr_nonnull(strstr(json.problem, "control"));
}
END_TEST

START_TEST(numbers)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0}, {" 7 ", 7}, {"10", 10}, {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {
        "",
        "-",
        "-0",
        "-1",
        "+1",
        "00",
        "01",
        "1.0",
        "1.",
        ".5",
        "1e3",
        "1E0",
        "0x1",
        "1 2",
        "true",
        "\"1\"",
        "NaN",
        "1_0",
        "18446744073709551616",
        "99999999999999999999999",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        data_json json = data_json_start(good[i].text, strlen(good[i].text));
        uint64_t value = 99;
        ck_assert(data_json_u64(&json, &value) && data_json_finish(&json));
        ck_assert_uint_eq(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        data_json json = data_json_start(bad[i], strlen(bad[i]));
        uint64_t value;
        ck_assert_msg(!(data_json_u64(&json, &value) && data_json_finish(&json)), "'%s' is taken", bad[i]);
        ck_assert_ptr_nonnull(json.problem);
    }
}
END_TEST

/* A number alone. */
static bool read_number(const char *text, size_t size, double *value, data_json *json)
{
    *json = data_json_start(text, size);
    return data_json_number(json, value) && data_json_finish(json);
}

START_TEST(doubles)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"0", 0},
        {"-0", -0.0},
        {" -12 ", -12},
        {"0.5", 0.5},
        {"10.25e2", 1025},
        {"1E+2", 100},
        {"1e-2", 0.01},
        {"0e0", 0},
        {"0.0123456789", 0.0123456789},
        {"0.00000000000000000000000000000000000000000000000000000000000001", 1e-62}, /* 64 characters */
        {"0.1000000000000000055511151231257827021181583404541015625", 0.1},
        {"1e-4000000000000000000000000000000000000000000000000000000000000", 0},
        {"-0e4000000000000000000000000000000000000000000000000000000000000", -0.0},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"4.9e-324", 4.9e-324},
        {"1e-999", 0},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        data_json json;
        double value = 99;
        ck_assert_msg(read_number(good[i].text, strlen(good[i].text), &value, &json), "'%s': %s", good[i].text,
                      json.problem);
        ck_assert_mem_eq(&value, &good[i].value, sizeof value); /* the sign of zero, too */
    }
}
END_TEST

/* The decimal digits of odd * 5^1075: with 10^-1075 that is odd * 2^-1075, the middle
 * between two neighbouring doubles. No middle has more digits than the one of 2^54 -
 * 1. */
static size_t middle_digits(uint64_t odd, char digits[800])
{
    unsigned char reversed[800] = {0};
    size_t count = 0;
    for (; odd > 0; odd /= 10)
        reversed[count++] = (unsigned char)(odd % 10);
    for (int times = 0; times < 1075; times++) {
        unsigned carry = 0;
        for (size_t i = 0; i < count; i++) {
            carry += 5u * reversed[i];
            reversed[i] = (unsigned char)(carry % 10);
            carry /= 10;
        }
        if (carry > 0)
            reversed[count++] = (unsigned char)carry;
    }
    for (size_t i = 0; i < count; i++)
        digits[i] = (char)('0' + reversed[count - 1 - i]);
    digits[count] = 0;
    return count;
}

static void expect_double(const char *text, double wanted)
{
    data_json json;
    double value = 99;
    ck_assert_msg(read_number(text, strlen(text), &value, &json), "%.40s...: %s", text, json.problem);
    ck_assert_msg(value == wanted, "%.40s... of %zu characters is %.17g, not %.17g", text, strlen(text), value, wanted);
}

/* A middle rounds to the even neighbour, and one unit in the last of thousands of places
 * decides otherwise. */
START_TEST(long_doubles_are_rounded_right)
{
    static const uint64_t odds[] = {1, 3, 5, (UINT64_C(1) << 53) + 1, (UINT64_C(1) << 54) - 3, (UINT64_C(1) << 54) - 1};
    char digits[800], zeros[3001], text[8000];
    memset(zeros, '0', sizeof zeros - 1);
    zeros[sizeof zeros - 1] = 0;
    for (size_t i = 0; i < sizeof odds / sizeof odds[0]; i++) {
        double below = ldexp((double)(odds[i] / 2), -1074), above = ldexp((double)(odds[i] / 2 + 1), -1074);
        double even = odds[i] / 2 % 2 ? above : below;
        size_t count = middle_digits(odds[i], digits);
        snprintf(text, sizeof text, "%se-1075", digits);
        expect_double(text, even);
        snprintf(text, sizeof text, "%s.%se-1075", digits, zeros);
        expect_double(text, even);
        snprintf(text, sizeof text, "%s.%s1e-1075", digits, zeros);
        expect_double(text, above);
        snprintf(text, sizeof text, "%s%s1e-4076", digits, zeros);
        expect_double(text, above);
        snprintf(text, sizeof text, "0.%s%s%se%d", zeros, digits, zeros, 3000 + (int)count - 1075);
        expect_double(text, even);
        snprintf(text, sizeof text, "0.%s%s%s1E+%d", zeros, digits, zeros, 3000 + (int)count - 1075);
        expect_double(text, above);
        digits[count - 1]--; /* the last digit of an odd number times 5 is 5 */
        snprintf(text, sizeof text, "%s.9%se-1075", digits, zeros);
        expect_double(text, below);
    }
}
END_TEST

START_TEST(bad_doubles_are_refused)
{
    static const struct {
        const char *text, *word;
        size_t at;
    } cases[] = {
        {"", "early", 0},
        {"-", "early", 1},
        {"1.", "early", 2},
        {"1e", "early", 2},
        {"1e-", "early", 3},
        {"+1", "number was expected", 0},
        {".5", "number was expected", 0},
        {"-x", "number was expected", 1},
        {"NaN", "number was expected", 0},
        {"Infinity", "number was expected", 0},
        {"-Infinity", "number was expected", 1},
        {"true", "number was expected", 0},
        {"\"1\"", "number was expected", 0},
        {"01", "begins with 0", 1},
        {"-00", "begins with 0", 2},
        {"0x10", "follows", 1},
        {"1.e5", "digit was expected", 2},
        {"1.5e+x", "digit was expected", 5},
        {"1,5", "follows", 1},
        {"1 2", "follows", 2},
        {"1e309", "too large", 0},
        {" -1e309", "too large", 1},
        {"1e4000000000000000000000000000000000000000000000000000000000000", "too large", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        data_json json;
        double value;
        ck_assert_msg(!read_number(cases[i].text, strlen(cases[i].text), &value, &json), "'%s' is taken",
                      cases[i].text);
        ck_assert_msg(strstr(json.problem, cases[i].word) != NULL, "'%s': %s", cases[i].text, json.problem);
        ck_assert_uint_eq(json.at, cases[i].at);
    }
}
END_TEST

/* Nothing past `size` is read: the text is a part of a longer one. */
START_TEST(a_number_ends_with_the_text)
{
    data_json json;
    double value;
    bool yes;
    ck_assert(read_number("12.34", 4, &value, &json) && value == 12.3);
    ck_assert(!read_number("1e5", 2, &value, &json));
    json = data_json_start("true", 3);
    ck_assert(!data_json_bool(&json, &yes));
    ck_assert_ptr_nonnull(strstr(json.problem, "early"));
}
END_TEST

START_TEST(booleans)
{
    static const char *const bad[] = {"", "t", "tru", "True", "TRUE", "1", "null", "falsy", "truefalse", "\"true\""};
    bool value = false;
    data_json json = data_json_start(" true ", 6);
    ck_assert(data_json_bool(&json, &value) && data_json_finish(&json) && value);
    json = data_json_start("false", 5);
    ck_assert(data_json_bool(&json, &value) && data_json_finish(&json) && !value);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json = data_json_start(bad[i], strlen(bad[i]));
        ck_assert_msg(!(data_json_bool(&json, &value) && data_json_finish(&json)), "'%s' is taken", bad[i]);
        ck_assert_ptr_nonnull(json.problem);
    }
}
END_TEST

START_TEST(nulls)
{
    static const char *const bad[] = {"", "n", "nul", "Null", "NULL", "nulll", "0", "false", "\"null\""};
    data_json json = data_json_start("\tnull ", 6);
    ck_assert(data_json_null(&json) && data_json_finish(&json));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json = data_json_start(bad[i], strlen(bad[i]));
        ck_assert_msg(!(data_json_null(&json) && data_json_finish(&json)), "'%s' is taken", bad[i]);
        ck_assert_ptr_nonnull(json.problem);
        ck_assert(!data_json_null(&json));
    }
}
END_TEST

START_TEST(what_comes_next)
{
    data_json json = data_json_start(" \t[", 3);
    ck_assert_int_eq(data_json_peek(&json), '[');
    ck_assert_uint_eq(json.at, 2);
    ck_assert_int_eq(data_json_peek(&json), '[');
    json = data_json_start(" \n", 2);
    ck_assert_int_eq(data_json_peek(&json), 0);
    ck_assert(data_json_finish(&json));
}
END_TEST

/* Reads an object of arrays of numbers and returns the sum of all, or -1. */
static int64_t sum_of(const char *text)
{
    data_json json = data_json_start(text, strlen(text));
    size_t members = 0;
    int64_t sum = 0;
    data_json_enter(&json, '{');
    while (data_json_more(&json, '}', &members)) {
        char key[64];
        size_t count = 0;
        data_json_key(&json, key);
        data_json_enter(&json, '[');
        while (data_json_more(&json, ']', &count)) {
            uint64_t value = 0;
            data_json_u64(&json, &value);
            sum += (int64_t)value;
        }
    }
    return data_json_finish(&json) ? sum : -1;
}

START_TEST(objects_and_arrays)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{\"a\":[1,]}",
        "{\"a\":[,]}",
        "{\"a\":[1}]",
        "{\"a\":[1 2]}",
        "{\"a\":[1;2]}",
        "{\"a\":[]\"b\":[]}",
        "{\"a\":[],}",
        "{\"a\":[[1]]}",
        "{a:[1]}",
        "{1:[1]}",
        "{\"a\":{}}",
        "{\"a\":null}",
        "{\"a\":[1]",
        "{\"a\":[1",
        "{\"a\":[1,",
        "{\"a\":[]}}",
        "{\"a\":[]} x",
        "{\"a\":[1]/**/}",
        "\xEF\xBB\xBF{}",
    };
    ck_assert_int_eq(sum_of("{}"), 0);
    ck_assert_int_eq(sum_of(" { } "), 0);
    ck_assert_int_eq(sum_of("{\"a\":[]}"), 0);
    ck_assert_int_eq(sum_of("{\"a\":[1,2,3],\"b\":[4]}"), 10);
    ck_assert_int_eq(sum_of("\n{ \"a\"\t:\r[ 1 , 2 ] , \"b\" : [ 4 ] }\n"), 7);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(sum_of(bad[i]) == -1, "'%s' is taken", bad[i]);
}
END_TEST

START_TEST(the_first_problem_stays)
{
    static const char text[] = "{\"a\":x, 12";
    data_json json = data_json_start(text, strlen(text));
    char out[16];
    uint64_t value;
    size_t members = 0;
    ck_assert(data_json_enter(&json, '{') && data_json_more(&json, '}', &members) && data_json_key(&json, out));
    ck_assert(!data_json_enter(&json, '['));
    ck_assert_str_eq(json.problem, "an array was expected");
    ck_assert(!data_json_number(&json, &(double){0}) && !data_json_bool(&json, &(bool){0}));
    ck_assert(!data_json_u64(&json, &value) && !data_json_string(&json, out) && !data_json_key(&json, out));
    ck_assert(!data_json_more(&json, '}', &members) && !data_json_enter(&json, '{') && !data_json_finish(&json));
    ck_assert_str_eq(json.problem, "an array was expected");
    ck_assert_uint_eq(json.at, 5);
}
END_TEST

/* ---- Writing ----------------------------------------------------------------------- */

START_TEST(objects_are_written)
{
    char text[512];
    data_json_object object = data_json_object_start(text, sizeof text, "");
    ck_assert(data_json_object_end(&object));
    ck_assert_str_eq(text, "{}");
    object = data_json_object_start(text, sizeof text, " ");
    data_json_put_integer(&object, "low", INT64_MIN);
    data_json_put_bool(&object, "yes", true);
    data_json_put_number(&object, "third", 1.0 / 3, 6);
    data_json_put_number(&object, "nan", (double)NAN, 6);
    data_json_put_number(&object, "up", (double)INFINITY, 6);
    data_json_put_number(&object, "down", -(double)INFINITY, 6);
    ck_assert(data_json_object_end(&object));
    ck_assert_str_eq(text, "{\"low\": -9223372036854775808, \"yes\": true, \"third\": 0.333333, \"nan\": null, "
                           "\"nan_is\": \"NaN\", \"up\": null, \"up_is\": \"Infinity\", \"down\": null, "
                           "\"down_is\": \"-Infinity\"}");
    object = data_json_object_start(text, sizeof text, "");
    data_json_put_text(&object, "q\"\\", "\t\n\x01\x1f\x7f\"\\/\xC3\xA4\xFF\xED\xA0\x80");
    ck_assert(data_json_object_end(&object));
    ck_assert_str_eq(text, "{\"q\\\"\\\\\":\"\\t\\n\\u0001\\u001f\x7f\\\"\\\\/\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBD"
                           "\xEF\xBF\xBD\xEF\xBF\xBD\"}");
}
END_TEST

/* Objects and arrays inside, in a text that grows; without memory it fails, and stays
 * usable. */
START_TEST(objects_have_parts)
{
    for (int n = 0; n < 3; n++) {
        data_json_object object = data_json_object_grow("");
        test_fail_allocation(n);
        data_json_open(&object, "a", '[');
        data_json_put_integer(&object, NULL, 1);
        data_json_open(&object, NULL, '{');
        data_json_close(&object, '{');
        data_json_open(&object, NULL, '[');
        data_json_put_bytes(&object, NULL, "x\0y", 3);
        data_json_put_bool(&object, NULL, false);
        data_json_put_number(&object, NULL, INFINITY, 3);
        data_json_close(&object, '[');
        data_json_close(&object, '[');
        data_json_open(&object, "b", '{');
        data_json_put_text(&object, "c", "d");
        data_json_close(&object, '{');
        for (int i = 0; i < 100; i++)
            data_json_put_text(&object, "long", "long");
        test_fail_allocation(0);
        ck_assert_int_eq(data_json_object_end(&object), n == 0);
        if (n == 0)
            ck_assert(!strncmp(object.text, "{\"a\":[1,{},[\"x\\u0000y\",false,null]],\"b\":{\"c\":\"d\"},\"long\"", 56));
        free(object.text);
    }
}
END_TEST

/* Every byte of a text comes back, and every 15- to 17-digit number. */
START_TEST(what_is_written_is_read)
{
    char text[2048], all[256], back[2048];
    double values[] = {0, -0.0, 0.1, 1e300, 4.9e-324, 123456789.123456789, -1.7976931348623157e308}, value;
    for (int i = 0; i < 127; i++)
        all[i] = (char)(i + 1);
    all[127] = 0;
    data_json_object object = data_json_object_start(text, sizeof text, "");
    data_json_put_text(&object, all, all);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        data_json_put_number(&object, "x", values[i], 17);
    ck_assert(data_json_object_end(&object));
    size_t members = 0;
    data_json json = data_json_start(text, strlen(text));
    ck_assert(data_json_enter(&json, '{') && data_json_more(&json, '}', &members) && data_json_key(&json, back));
    ck_assert_str_eq(back, all);
    ck_assert(data_json_string(&json, back));
    ck_assert_str_eq(back, all);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        ck_assert(data_json_more(&json, '}', &members) && data_json_key(&json, back));
        ck_assert(data_json_number(&json, &value));
        ck_assert_mem_eq(&value, &values[i], sizeof value);
    }
    ck_assert(!data_json_more(&json, '}', &members) && data_json_finish(&json));
}
END_TEST

/* No number of digits makes what is no JSON. */
START_TEST(digits_stay_in_their_range)
{
    static const int digits[] = {INT_MIN, -3, -1, 0, 1, 17, 18, 40, INT_MAX};
    for (size_t i = 0; i < sizeof digits / sizeof *digits; i++) {
        char text[64];
        data_json_object object = data_json_object_start(text, sizeof text, "");
        data_json_put_number(&object, "x", 0.1, digits[i]);
        ck_assert(data_json_object_end(&object));
        ck_assert_str_eq(text, digits[i] < 17 ? "{\"x\":0.1}" : "{\"x\":0.10000000000000001}");
    }
}
END_TEST

/* In too little room the object is cut, says so, and nothing is written beyond the
 * room. */
START_TEST(objects_end_with_their_room)
{
    enum { WHOLE = 28 };
    for (size_t size = 1; size <= WHOLE + 3; size++) {
        char *text = malloc(size);
        ck_assert_ptr_nonnull(text);
        data_json_object object = data_json_object_start(text, size, "");
        data_json_put_text(&object, "key", "value");
        data_json_put_number(&object, "number", 2.5, 9);
        const bool whole = data_json_object_end(&object);
        ck_assert_int_eq(whole, size > WHOLE);
        ck_assert_uint_lt(strnlen(text, size), size);
        ck_assert(!whole || !strcmp(text, "{\"key\":\"value\",\"number\":2.5}"));
        free(text);
    }
}
END_TEST

static Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("json");
    tcase_add_test(tcase, strings_are_unescaped);
    tcase_add_test(tcase, bad_strings_are_refused);
    tcase_add_test(tcase, a_raw_zero_byte_is_a_control_character);
    tcase_add_test(tcase, numbers);
    tcase_add_test(tcase, doubles);
    tcase_add_test(tcase, long_doubles_are_rounded_right);
    tcase_add_test(tcase, objects_are_written);
    tcase_add_test(tcase, objects_have_parts);
    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_test(tcase, digits_stay_in_their_range);
    tcase_add_test(tcase, objects_end_with_their_room);
    tcase_add_test(tcase, bad_doubles_are_refused);
    tcase_add_test(tcase, a_number_ends_with_the_text);
    tcase_add_test(tcase, booleans);
    tcase_add_test(tcase, nulls);
    tcase_add_test(tcase, what_comes_next);
    tcase_add_test(tcase, objects_and_arrays);
    tcase_add_test(tcase, the_first_problem_stays);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(json_suite)
