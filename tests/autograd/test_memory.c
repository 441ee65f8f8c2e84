/* test_memory.c - aligned memory, what tapes lend, and the ends of what there is. */
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

/* ---- Borrowed memory --------------------------------------------------------------- */

static ag_tape *quiet_tape(void)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1, .no_grad = true});
    ck_assert_ptr_nonnull(tape);
    return tape;
}

static bool holds(const char *block, char value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (block[i] != value)
            return false;
    return true;
}

START_TEST(borrowed_memory_outlives_rewinds)
{
    char *blocks[SIZES];
    for (int i = 0; i < SIZES; i++) { /* so that the system's memory is not zeros already */
        blocks[i] = malloc(100000);
        ck_assert_ptr_nonnull(blocks[i]);
        memset(blocks[i], 7, 100000);
    }
    for (int i = 0; i < SIZES; i++)
        free(blocks[i]);
    ag_tape *tape = quiet_tape();
    for (int i = 0; i < SIZES; i++) {
        blocks[i] = ag_tape_borrow(tape, sizes[i]);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % MEMORY_ALIGNMENT, 0);
        ck_assert(holds(blocks[i], 0, sizes[i]));
        memset(blocks[i], 1 + i, sizes[i]);
        ck_assert_ptr_nonnull(ag_tape_alloc(tape, sizes[i]));
        ag_tape_rewind(tape);
    }
    for (int i = 0; i < SIZES; i++) {
        ck_assert(holds(blocks[i], (char)(1 + i), sizes[i]));
        ag_tape_return(tape, blocks[i]);
    }
    ag_tape_return(tape, NULL);
    ag_tape_free(tape);
}
END_TEST

/* As a cache does that grows: what is returned is lent again, and from the third round of
 * the same requests on, in which no old block is too small any more, none comes from the
 * system. */
START_TEST(returned_memory_is_lent_again)
{
    ag_tape *tape = quiet_tape();
    const int64_t before = (int64_t)ag_tape_bytes(tape);
    int64_t allocations = 0, bytes = 0;
    for (int round = 0; round < 5; round++) {
        char *small = ag_tape_borrow(tape, 1 << 20), *other = ag_tape_borrow(tape, 3 << 20);
        char *large = ag_tape_borrow(tape, 5 << 20);
        ck_assert(small && other && large);
        ag_tape_return(tape, small);
        char *again = ag_tape_borrow(tape, 1 << 20), *more = ag_tape_borrow(tape, 3 << 20);
        ck_assert_ptr_eq(again, small);
        ck_assert(more && more != other);
        ag_tape_return(tape, more);
        ag_tape_return(tape, large);
        ag_tape_return(tape, again);
        ag_tape_return(tape, other);
        if (round > 1) {
            ck_assert_int_eq(test_allocations(), allocations);
            ck_assert_int_eq((int64_t)ag_tape_bytes(tape), bytes);
        }
        allocations = test_allocations();
        bytes = (int64_t)ag_tape_bytes(tape);
    }
    ck_assert_int_ge(bytes - before, 12 << 20);
    ck_assert_int_le(bytes - before, 16 << 20);
    ag_tape_free(tape);
}
END_TEST

/* Blocks that became too small do not stay beside the large one. */
START_TEST(larger_blocks_replace_smaller_ones)
{
    ag_tape *tape = quiet_tape();
    const int64_t before = (int64_t)ag_tape_bytes(tape);
    for (int64_t megabytes = 1; megabytes <= 6; megabytes++)
        ag_tape_return(tape, ag_tape_borrow(tape, (size_t)megabytes << 20));
    ck_assert_int_le((int64_t)ag_tape_bytes(tape) - before, 7 << 20);
    ag_tape_free(tape);
}
END_TEST

START_TEST(memory_to_borrow_is_out)
{
    ag_tape *tape = quiet_tape();
    ag_tape_return(tape, ag_tape_borrow(tape, 100)); /* a free block, which is too small */
    for (int i = 0; i < 3; i++) {
        test_fail_allocation(i == 2);
        ck_assert_ptr_null(ag_tape_borrow(tape, i == 0 ? SIZE_MAX - 10 : i == 1 ? SIZE_MAX / 2 : 1 << 20));
        test_fail_allocation(0);
        ck_assert_int_eq(ag_tape_error(tape)->status, AG_NO_MEMORY);
        ag_tape_rewind(tape);
    }
    ag_tape_free(tape);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_add_loop_test(tests, blocks_are_aligned, 0, SIZES);
    tcase_add_loop_test(tests, numbers_are_zeros, 0, SIZES);
    tcase_add_test(tests, memory_is_out);
    tcase_add_test(tests, borrowed_memory_outlives_rewinds);
    tcase_add_test(tests, returned_memory_is_lent_again);
    tcase_add_test(tests, larger_blocks_replace_smaller_ones);
    tcase_add_test(tests, memory_to_borrow_is_out);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
