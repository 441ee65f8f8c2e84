/* check_util.c - drawn numbers, levels and files for the tests. */
#include "check_util.h"

#include "kernels/kernels.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void test_fill(ag_real *values, int64_t count, uint64_t seed, double low, double high)
{
    ag_rng rng = ag_rng_make(seed, 0);
    for (int64_t i = 0; i < count; i++)
        values[i] = (ag_real)(low + (high - low) * ag_rng_uniform(&rng));
}

const char *const test_levels[TEST_LEVELS] = {"generic", "avx2", "avx512"};

int test_levels_here(void)
{
    int count = 0;
    while (count < TEST_LEVELS && kernel_level_available(test_levels[count]))
        count++;
    return count;
}

void test_ask_for_level(int level)
{
    setenv("TAPEFORMER_LEVEL", test_levels[level], 1);
}

static void ask_for_generic(void)
{
    test_ask_for_level(0);
}

static void ask_for_avx2(void)
{
    test_ask_for_level(1);
}

static void ask_for_avx512(void)
{
    test_ask_for_level(2);
}

void test_at_each_level(Suite *suite, void (*add)(TCase *tests))
{
    static const SFun ask[TEST_LEVELS] = {ask_for_generic, ask_for_avx2, ask_for_avx512};
    for (int level = 0; level < test_levels_here(); level++) {
        TCase *tests = tcase_create(test_levels[level]);
        tcase_set_timeout(tests, 120);
        tcase_add_checked_fixture(tests, ask[level], NULL);
        add(tests);
        suite_add_tcase(suite, tests);
    }
}

char *test_folder_new(void)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(256);
    ck_assert_ptr_nonnull(path);
    snprintf(path, 256, "%s/tapeformer-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(path));
    return path;
}

static void remove_tree(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char child[1024];
        struct stat info;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
        if (lstat(child, &info) == 0 && S_ISDIR(info.st_mode))
            remove_tree(child);
        else
            unlink(child);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

void test_folder_remove(char *folder)
{
    remove_tree(folder);
    free(folder);
}

char *test_file_write(const char *folder, const char *name, const void *bytes, size_t size)
{
    size_t length = strlen(folder) + strlen(name) + 2;
    char *path = malloc(length);
    ck_assert_ptr_nonnull(path);
    snprintf(path, length, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}
