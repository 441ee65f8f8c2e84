/* test_attention_kernel.c - attention's kernel by itself: what it reads and writes of the
 * memory that it is given. */
#include "check_util.h"
#include "kernels/kernels.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* How many bytes `begin` writes into the kernel's memory for so many keys: the first
 * ones. */
static int64_t states_of(int64_t keys)
{
    const attention_head head = {
        .queries = 5, .keys = keys, .scale = 1, .q.width = 3, .k.width = 3, .v.width = 3, .y.width = 3};
    const int64_t size = kernels()->attention->scratch_size(&head, false);
    const size_t bytes = (size_t)size * sizeof(ag_real);
    ag_real *scratch = malloc(bytes);
    ck_assert_ptr_nonnull(scratch);
    memset(scratch, 7, bytes);
    kernels()->attention->begin(&head, false, scratch);
    size_t count = 0;
    while (count < bytes && ((unsigned char *)scratch)[count] != 7)
        count++;
    for (size_t i = count; i < bytes; i++)
        ck_assert_uint_eq(((unsigned char *)scratch)[i], 7);
    free(scratch);
    return (int64_t)count;
}

/* Each sliver of keys, the last one with fewer of them, has a state; nothing else is
 * written. */
START_TEST(test_a_head_begins_with_a_state_for_each_sliver)
{
    int64_t width = 1; /* of a sliver */
    if (!strcmp(kernels()->name, "plain"))
        return; /* copies nothing, so has no slivers */
    while (states_of(width + 1) == 1)
        width++;
    for (int64_t keys = 0; keys <= 4 * width + 1; keys++)
        ck_assert_int_eq(states_of(keys), (keys + width - 1) / width);
}
END_TEST

enum { QUERIES = 13, KEYS = 5, WIDTH = 3 };

/* Forward and backward of one block with these keys. */
static void run_block(int count, const attention_keys *keys)
{
    static ag_real numbers[4][QUERIES * WIDTH], gradients[4][QUERIES * WIDTH];
    static attention_statistics statistics[QUERIES];
    attention_rows rows[4];
    for (int i = 0; i < 4; i++) {
        test_fill(numbers[i], QUERIES * WIDTH, (uint64_t)i, -1, 1);
        rows[i] = (attention_rows){.width = WIDTH, .step = WIDTH, .data = numbers[i], .gradient = gradients[i]};
    }
    const attention_head head = {.queries = count,
                                 .keys = KEYS,
                                 .scale = 1,
                                 .q = rows[0],
                                 .k = rows[1],
                                 .v = rows[2],
                                 .y = rows[3],
                                 .statistics = statistics};
    const attention_block block = {.count = count, .keys = keys};
    const kernel_attention *kernel = kernels()->attention;
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        ag_real *scratch = malloc((size_t)kernel->scratch_size(&head, is_backward) * sizeof(ag_real));
        ck_assert_ptr_nonnull(scratch);
        kernel->begin(&head, is_backward, scratch);
        (is_backward ? kernel->backward : kernel->forward)(&head, &block, scratch);
        free(scratch);
    }
}

/* A block's keys end where the memory ends. */
START_TEST(test_no_keys_are_read_beyond_the_block)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const int zeros = open("/dev/zero", O_RDWR);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, zeros, 0);
    ck_assert(memory != MAP_FAILED && mprotect(memory + page, page, PROT_NONE) == 0);
    for (int count = 1; count <= QUERIES; count++) {
        attention_keys *keys = (attention_keys *)(void *)(memory + page) - count;
        for (int r = 0; r < count; r++)
            keys[r] = (attention_keys){.begin = 0, .end = KEYS};
        run_block(count, keys);
    }
    munmap(memory, 2 * page);
    close(zeros);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, test_a_head_begins_with_a_state_for_each_sliver);
    tcase_add_test(tests, test_no_keys_are_read_beyond_the_block);
}

static Suite *make_suite(void)
{
    Suite *suite = suite_create("attention_kernel");
    test_at_each_level(suite, add);
    return suite;
}

TEST_MAIN(make_suite)
