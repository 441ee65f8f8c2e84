/* test_memory.c - aligned memory, and the ends of what there is. */
#include "check_util.h"
#include "memory.h"

#include <string.h>

/* Sizes around lines of cache and huge pages. */
static const size_t sizes[] = {
    0, 1, 63, 64, 65, 4096, 1 << 20, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 5 << 20, (8 << 20) + 7};
#define SIZES ((int)(sizeof sizes / sizeof *sizes))

START_TEST(blocks_are_aligned)
{
    char *block = memory_new(sizes[_i]);
    ck_assert_ptr_nonnull(block);
    ck_assert_uint_eq((uintptr_t)block % MEMORY_ALIGNMENT, 0);
    memset(block, 7, sizes[_i]); /* (which a sanitizer watches) */
    free(block);
}
END_TEST

START_TEST(numbers_are_zeros)
{
    const int64_t count = (int64_t)(sizes[_i] / sizeof(ag_real));
    for (int turn = 0; turn < 2; turn++) { /* the second in what the first has used */
        ag_real *numbers = ag_numbers_new(count);
        ck_assert_ptr_nonnull(numbers);
        ck_assert_uint_eq((uintptr_t)numbers % MEMORY_ALIGNMENT, 0);
        int64_t others = 0;
        for (int64_t i = 0; i < count; i++) {
            others += numbers[i] != 0;
            numbers[i] = 7;
        }
        ck_assert_int_eq(others, 0);
        free(numbers);
    }
}
END_TEST

START_TEST(memory_is_out)
{
    ck_assert_ptr_null(memory_new(SIZE_MAX));
    ck_assert_ptr_null(memory_new(SIZE_MAX / 2 + 1));
    ck_assert_ptr_null(ag_numbers_new(-1));
    ck_assert_ptr_null(ag_numbers_new(INT64_MAX));
    ck_assert_ptr_null(ag_numbers_new(INT64_MAX / 2 + 2)); /* 4 or 8 bytes each: a few, where that wraps */
    test_fail_allocation(1);
    ag_real *failed = ag_numbers_new(2 << 20);
    test_fail_allocation(0);
    ck_assert_ptr_null(failed);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_add_loop_test(tests, blocks_are_aligned, 0, SIZES);
    tcase_add_loop_test(tests, numbers_are_zeros, 0, SIZES);
    tcase_add_test(tests, memory_is_out);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
