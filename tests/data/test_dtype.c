/* test_dtype.c - the conversion of stored numbers. */
#include "check_util.h"
#include "data.h"

#include <math.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Reads one element of `size` bytes. */
static ag_real convert(const char *dtype, const void *bytes, uint64_t size)
{
    unsigned char odd[16]; /* the data begin at an odd address */
    ag_real value = -77;
    memcpy(odd + 1, bytes, (size_t)size);
    const data_tensor tensor = {.name = "x", .dtype = dtype, .data = odd + 1, .size = size};
    ck_assert_int_eq(data_tensor_read(&tensor, &value, 1, NULL), AG_OK);
    return value;
}

static bool same_number(ag_real a, double b)
{
    return isnan(b) ? isnan(a) != 0 : a == (ag_real)b && !signbit(a) == !signbit(b);
}

START_TEST(every_f16_is_what_the_formula_says)
{
    for (unsigned bits = 0; bits < 65536; bits++) {
        unsigned char bytes[2] = {(unsigned char)(bits & 0xFF), (unsigned char)(bits >> 8)};
        int exponent = (int)(bits >> 10 & 31);
        double fraction = (bits & 1023) / 1024.0, value;
        if (exponent == 31)
            value = fraction > 0 ? (double)NAN : (double)INFINITY;
        else
            value = exponent == 0 ? fraction / 16384 : (1 + fraction) * pow(2, exponent - 15);
        value = bits & 0x8000 ? -value : value;
        ck_assert_msg(same_number(convert("F16", bytes, 2), value), "F16 %04x is not %g", bits, value);
    }
}
END_TEST

START_TEST(every_bf16_is_what_the_formula_says)
{
    for (unsigned bits = 0; bits < 65536; bits++) {
        unsigned char bytes[2] = {(unsigned char)(bits & 0xFF), (unsigned char)(bits >> 8)};
        int exponent = (int)(bits >> 7 & 255);
        double fraction = (bits & 127) / 128.0, value;
        if (exponent == 255)
            value = fraction > 0 ? (double)NAN : (double)INFINITY;
        else
            value = exponent == 0 ? ldexp(fraction, -126) : ldexp(1 + fraction, exponent - 127);
        value = bits & 0x8000 ? -value : value;
        ck_assert_msg(same_number(convert("BF16", bytes, 2), value), "BF16 %04x is not %g", bits, value);
    }
}
END_TEST

START_TEST(integers_and_floats)
{
    static const unsigned char ones[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    static const unsigned char top[8] = {0, 0, 0, 0, 0, 0, 0, 0x80};
    static const unsigned char most[8] = {255, 255, 255, 255, 255, 255, 255, 0x7F};
    static const unsigned char order[8] = {1, 2, 3, 4, 5, 6, 7, 8}, two = 2;
    const float floats[] = {0.1f, -0.0f, 1e-45f, INFINITY, NAN};
    const double doubles[] = {0.1, -0.0, PRECISION(1e300, 3e38), 5e-324, -INFINITY, NAN};
    static const struct {
        const char *is_signed, *is_unsigned;
        int bytes;
    } integers[] = {{"I8", "U8", 1}, {"I16", "U16", 2}, {"I32", "U32", 4}, {"I64", "U64", 8}};
    for (size_t i = 0; i < COUNT(integers); i++) {
        int n = integers[i].bytes, bits = 8 * n;
        uint64_t size = (uint64_t)n;
        double ordered = 0;
        for (int b = n - 1; b >= 0; b--)
            ordered = ordered * 256 + order[b];
        ck_assert(convert(integers[i].is_signed, ones, size) == -1);
        ck_assert(convert(integers[i].is_signed, top + 8 - n, size) == (ag_real)-ldexp(1, bits - 1));
        ck_assert(convert(integers[i].is_signed, most + 8 - n, size) == (ag_real)((INT64_MAX) >> (64 - bits)));
        ck_assert(convert(integers[i].is_unsigned, ones, size) == (ag_real)(UINT64_MAX >> (64 - bits)));
        ck_assert(convert(integers[i].is_unsigned, top + 8 - n, size) == (ag_real)ldexp(1, bits - 1));
        ck_assert(convert(integers[i].is_unsigned, order, size) == (ag_real)ordered);
    }
    ck_assert(convert("BOOL", &two, 1) == 1);
    ck_assert(convert("BOOL", "", 1) == 0);
    for (size_t i = 0; i < COUNT(floats); i++)
        ck_assert(same_number(convert("F32", &floats[i], 4), (double)floats[i]));
    for (size_t i = 0; i < COUNT(doubles); i++)
        ck_assert(same_number(convert("F64", &doubles[i], 8), doubles[i]));
    ck_assert_str_eq(data_real_dtype, sizeof(ag_real) == 8 ? "F64" : "F32");
}
END_TEST

/* 3.4028235677973366e38 is the smallest number that a float rounds to infinity. */
START_TEST(finite_numbers_stay_finite)
{
    static const double beyond[] = {3.4028235677973366e38, -3.4028235677973366e38, 1e300, 1.7976931348623157e308};
    const uint64_t shape[1] = {2};
    for (size_t i = 0; i < COUNT(beyond); i++) {
        const double numbers[2] = {-INFINITY, beyond[i]};
        const data_tensor tensor = {.name = "a\nb",
                                    .dtype = "F64",
                                    .rank = 1,
                                    .shape = shape,
                                    .data = (const unsigned char *)numbers,
                                    .size = sizeof numbers};
        ag_real out[2];
        ag_error error = {0};
        ck_assert_int_eq(data_tensor_read(&tensor, out, 2, &error), PRECISION(AG_OK, AG_BAD_VALUE));
        ck_assert_str_eq(error.message,
                         PRECISION("", "tensor 'a\xE2\x90\x8A"
                                       "b' has numbers beyond the range of F32, the "
                                       "first at place 1: the library built with PRECISION=double reads them"));
        ck_assert(same_number(out[0], -INFINITY));
        ck_assert(sizeof(ag_real) == 4 || same_number(out[1], beyond[i]));
    }
    const double below = 3.4028235677973364e38; /* the next below is the largest float */
    ck_assert(isfinite(convert("F64", &below, 8)));
}
END_TEST

START_TEST(a_wrong_count_or_type_is_refused)
{
    static const unsigned char bytes[24] = {0};
    const uint64_t shape[2] = {2, 3}, huge[2] = {UINT64_C(1) << 40, UINT64_C(1) << 40};
    data_tensor tensor = {.name = "a\nb", .dtype = "F32", .rank = 2, .shape = shape, .data = bytes, .size = 24};
    ag_real out[8] = {7, 7, 7, 7, 7, 7, 7, 7};
    ag_error error = {0};
    ck_assert_int_eq(data_tensor_read(&tensor, out, 5, &error), AG_BAD_SHAPE);
    ck_assert_str_eq(error.message, "tensor 'a\xE2\x90\x8A" "b' does not have 5 elements");
    ck_assert_int_eq(data_tensor_read(&tensor, out, 7, NULL), AG_BAD_SHAPE);
    ck_assert_int_eq(data_tensor_read(&tensor, out, -6, NULL), AG_BAD_SHAPE);
    tensor.size = 23;
    ck_assert_int_eq(data_tensor_read(&tensor, out, 6, NULL), AG_BAD_SHAPE);
    tensor.size = 24;
    tensor.shape = huge;
    ck_assert_int_eq(data_tensor_read(&tensor, out, 0, NULL), AG_BAD_SHAPE);
    tensor.shape = shape;
    tensor.dtype = "C64";
    error = (ag_error){0};
    ck_assert_int_eq(data_tensor_read(&tensor, out, 6, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "C64"));
    tensor.dtype = "F31";
    ck_assert_int_eq(data_tensor_read(&tensor, out, 6, NULL), AG_BAD_VALUE);
    ck_assert(out[0] == 7);
}
END_TEST

static Suite *dtype_suite(void)
{
    Suite *suite = suite_create("dtype");
    TCase *conversion = tcase_create("conversion");
    tcase_add_test(conversion, every_f16_is_what_the_formula_says);
    tcase_add_test(conversion, every_bf16_is_what_the_formula_says);
    tcase_add_test(conversion, integers_and_floats);
    tcase_add_test(conversion, finite_numbers_stay_finite);
    tcase_add_test(conversion, a_wrong_count_or_type_is_refused);
    suite_add_tcase(suite, conversion);
    return suite;
}

TEST_MAIN(dtype_suite)
