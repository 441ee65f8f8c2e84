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

/* Those that a processor of this kind may have come first. */
#ifdef __aarch64__
#define LEVELS(of) of(plain), of(generic), of(neon), of(avx2), of(avx512)
#else
#define LEVELS(of) of(plain), of(generic), of(avx2), of(avx512), of(neon)
#endif
#define NAME(level) #level

const char *const test_levels[TEST_LEVELS] = {LEVELS(NAME)};

int test_levels_here(void)
{
    int count = 0;
    while (count < TEST_LEVELS && kernel_level(test_levels[count]))
        count++;
    return count;
}

void test_ask_for_level(int level)
{
    setenv("TAPEFORMER_LEVEL", test_levels[level], 1);
}

#define ASK(level) ask_for_##level
#define DEFINE_ASK(level)                                                                                              \
    static void ASK(level)(void)                                                                                       \
    {                                                                                                                  \
        setenv("TAPEFORMER_LEVEL", #level, 1);                                                                         \
    }
DEFINE_ASK(plain)
DEFINE_ASK(generic)
DEFINE_ASK(neon)
DEFINE_ASK(avx2)
DEFINE_ASK(avx512)

void test_at_each_level(Suite *suite, void (*add)(TCase *tests))
{
    static const SFun ask[TEST_LEVELS] = {LEVELS(ASK)};
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

char *test_path(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    ck_assert_ptr_nonnull(path);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

char *test_file_write(const char *folder, const char *name, const void *bytes, size_t size)
{
    char *path = test_path(folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

void *test_file_read(const char *folder, const char *name, size_t *size)
{
    char *path = test_path(folder, name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is not there", path);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    long end = ftell(file);
    ck_assert_int_ge(end, 0);
    rewind(file);
    char *bytes = malloc((size_t)end + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(fread(bytes, 1, (size_t)end, file), (size_t)end);
    bytes[end] = 0;
    fclose(file);
    free(path);
    if (size)
        *size = (size_t)end;
    return bytes;
}

void test_files_equal(const char *folder_a, const char *folder_b, const char *name)
{
    size_t size_a, size_b;
    unsigned char *a = test_file_read(folder_a, name, &size_a), *b = test_file_read(folder_b, name, &size_b);
    ck_assert_uint_eq(size_a, size_b);
    size_t i = 0; /* (one assertion for all: libcheck writes a message for each) */
    while (i < size_a && a[i] == b[i])
        i++;
    ck_assert_msg(i == size_a, "%s/%s and %s/%s differ from byte %zu on", folder_a, name, folder_b, name, i);
    free(a);
    free(b);
}

bool test_file_exists(const char *folder, const char *name)
{
    char *path = test_path(folder, name);
    FILE *file = fopen(path, "rb");
    if (file)
        fclose(file);
    free(path);
    return file != NULL;
}

char *test_pipe_new(const char *folder, const char *content, size_t size, unsigned seconds)
{
    char *path = test_path(folder, "pipe");
    remove(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    if (fork() == 0) {
        FILE *pipe = fopen(path, "w");
        sleep(seconds);
        for (size_t at = 0; pipe && at < size; at += 10000) {
            fwrite(content + at, 1, size - at < 10000 ? size - at : 10000, pipe);
            fflush(pipe);
        }
        _exit(pipe && fclose(pipe) == 0 ? 0 : 1);
    }
    return path;
}

/* ---- libcheck's marks -------------------------------------------------------------- */

void __real__mark_point(const char *file, int line);
void __wrap__mark_point(const char *file, int line);

/* libcheck writes to its parent about each assertion that holds, which took a third of
 * the time of all tests: here it does so for the first time that each assertion holds.
 * Only the place "after" which a test crashed becomes less exact. */
void __wrap__mark_point(const char *file, int line)
{
    enum { PLACES = 1024 };
    static const char *files[PLACES];
    static int lines[PLACES];
    if (files[line % PLACES] == file && lines[line % PLACES] == line)
        return;
    files[line % PLACES] = file;
    lines[line % PLACES] = line;
    __real__mark_point(file, line);
}
