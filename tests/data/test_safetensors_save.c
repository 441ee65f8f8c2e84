/* test_safetensors_save.c - .safetensors files that are damaged, and saves that fail. */
#include "safetensors_util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Damage ------------------------------------------------------------------------ */

START_TEST(every_changed_byte_is_found)
{
    size_t size;
    tensors_save_small();
    unsigned char *bytes = tensors_read_bytes(&size);
    int descriptor = open(tensors_path, O_WRONLY);
    ck_assert_int_ge(descriptor, 0);
    for (size_t i = 0; i < size; i++) {
        for (int change = 1; change < 256; change++) {
            unsigned char changed = (unsigned char)(bytes[i] ^ change);
            ag_error error = {0};
            ck_assert_int_eq(pwrite(descriptor, &changed, 1, (off_t)i), 1);
            data_safetensors *file = data_safetensors_open(tensors_path, &error);
            ck_assert_msg(!file, "byte %zu of %zu may be %02x instead of %02x", i, size, changed, bytes[i]);
            ck_assert_int_eq(error.status, AG_BAD_FILE);
            ck_assert_msg(!strncmp(error.message, tensors_path, strlen(tensors_path)), "%s", error.message);
        }
        ck_assert_int_eq(pwrite(descriptor, &bytes[i], 1, (off_t)i), 1);
    }
    close(descriptor);
    data_safetensors_close(tensors_open());
    free(bytes);
}
END_TEST

START_TEST(every_cut_is_found)
{
    size_t size;
    tensors_save_small();
    unsigned char *bytes = tensors_read_bytes(&size);
    for (size_t cut = 0; cut < size; cut++) {
        ag_error error = {0};
        tensors_write_bytes(bytes, cut);
        ck_assert_msg(!data_safetensors_open(tensors_path, &error), "cut to %zu bytes", cut);
        ck_assert_int_eq(error.status, AG_BAD_FILE);
    }
    bytes[size] = 0;
    tensors_write_bytes(bytes, size + 1);
    ck_assert_ptr_null(data_safetensors_open(tensors_path, NULL));
    free(bytes);
}
END_TEST

START_TEST(damage_to_the_data_is_named)
{
    size_t size;
    ag_error error = {0};
    char wanted[512];
    tensors_save_small();
    unsigned char *bytes = tensors_read_bytes(&size);
    bytes[size - 1] ^= 1;
    tensors_write_bytes(bytes, size);
    ck_assert_ptr_null(data_safetensors_open(tensors_path, &error));
    snprintf(wanted, sizeof wanted,
             "%s: the content does not agree with its checksum: the file is damaged, or was changed by a "
             "program that kept the old checksum",
             tensors_path);
    ck_assert_str_eq(error.message, wanted);
    free(bytes);
}
END_TEST

/* ---- Saving that fails ------------------------------------------------------------- */

/* Tries to save over an old file and checks that a failure leaves it whole, alone in its
 * folder. */
static void check_old_file(const unsigned char *old, size_t old_size)
{
    size_t size;
    unsigned char *bytes = tensors_read_bytes(&size);
    ck_assert_uint_eq(size, old_size);
    ck_assert_mem_eq(bytes, old, size);
    ck_assert_int_eq(tensors_files(), 1);
    free(bytes);
}

START_TEST(a_full_disk_leaves_the_old_file)
{
    enum { BYTES = 200000 };
    static unsigned char data[BYTES];
    const rlim_t limits[] = {0, 1, 100, 65536, 65537, 131072, BYTES}; /* in the header, at a flush, in the last one */
    struct rlimit before;
    size_t old_size;
    tensors_save_small();
    unsigned char *old = tensors_read_bytes(&old_size);
    data_writer *writer = tensors_writer();
    tensors_add(writer, "data", "U8", SHAPE(BYTES), data);
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t i = 0; i < COUNT(limits); i++) {
        struct rlimit limit = {limits[i], before.rlim_max};
        ag_error error = {0};
        char wanted[512];
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ag_status status = data_writer_save(writer, tensors_path, &error);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        ck_assert_int_eq(status, AG_IO);
        snprintf(wanted, sizeof wanted, "cannot write %s: %s", tensors_path, strerror(EFBIG));
        ck_assert_str_eq(error.message, wanted);
        check_old_file(old, old_size);
    }
    tensors_save(writer); /* and the writer is as good as before */
    data_writer_free(writer);
    data_safetensors *file = tensors_open();
    ck_assert_ptr_nonnull(data_safetensors_find(file, "data"));
    data_safetensors_close(file);
    free(old);
}
END_TEST

START_TEST(bad_places_are_refused)
{
    ag_error error = {0};
    char missing[512], wanted[600];
    data_writer *writer = tensors_writer();
    snprintf(missing, sizeof missing, "%s/gone/model", tensors_folder);
    ck_assert_int_eq(data_writer_save(writer, missing, &error), AG_IO);
    snprintf(wanted, sizeof wanted, "cannot write %s: %s", missing, strerror(ENOENT));
    ck_assert_str_eq(error.message, wanted);

    ck_assert_int_eq(mkdir(tensors_path, 0777), 0); /* a folder where the file should be */
    error = (ag_error){0};
    ck_assert_int_eq(data_writer_save(writer, tensors_path, &error), AG_IO);
    snprintf(wanted, sizeof wanted, "cannot write %s: it is a folder", tensors_path);
    ck_assert_str_eq(error.message, wanted);
    ck_assert_int_eq(tensors_files(), 1);

    snprintf(missing, sizeof missing, "%s/file/model", tensors_folder); /* a file where the folder should be */
    free(test_file_write(tensors_folder, "file", "", 0));
    ck_assert_int_eq(data_writer_save(writer, missing, NULL), AG_IO);
    ck_assert_int_eq(data_writer_save(writer, "", NULL), AG_IO);
    error = (ag_error){0};
    ck_assert_ptr_null(data_safetensors_open(missing, &error));
    ck_assert_int_eq(error.status, AG_IO);
    data_writer_free(writer);
}
END_TEST

START_TEST(a_path_without_a_folder_and_leftovers)
{
    char leftover[64];
    struct stat info;
    char *home = getcwd(NULL, 0);
    data_writer *writer = tensors_writer();
    ck_assert_int_eq(chdir(tensors_folder), 0);
    snprintf(leftover, sizeof leftover, "model.safetensors.tmp-%ld-0", (long)getpid()); /* of an earlier process */
    free(test_file_write(".", leftover, "x", 1));
    mode_t mask = umask(027);
    ck_assert_int_eq(data_writer_save(writer, "model.safetensors", NULL), AG_OK);
    umask(mask);
    ck_assert_int_ne(stat(leftover, &info), 0);
    ck_assert_int_eq(stat("model.safetensors", &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0640);
    ck_assert_int_eq(tensors_files(), 1);
    ck_assert_int_eq(chdir(home), 0);
    free(home);
    data_writer_free(writer);
}
END_TEST

START_TEST(a_reader_keeps_the_file_it_opened)
{
    const float value = 3;
    ag_real seen = 0;
    tensors_save_small();
    data_safetensors *file = tensors_open();
    data_writer *writer = tensors_writer();
    tensors_add(writer, "new", "F32", 0, NULL, &value);
    tensors_save(writer);
    data_writer_free(writer);
    ck_assert_int_eq(data_tensor_read(data_safetensors_find(file, "weight"), (ag_real[6]){0}, 6, NULL), AG_OK);
    ck_assert_ptr_null(data_safetensors_find(file, "new"));
    data_safetensors_close(file);
    file = tensors_open();
    ck_assert_int_eq(data_tensor_read(data_safetensors_find(file, "new"), &seen, 1, NULL), AG_OK);
    ck_assert(seen == 3);
    data_safetensors_close(file);
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------ */

START_TEST(every_allocation_of_open_may_fail)
{
    int failures = 0;
    tensors_save_small();
    for (int n = 1;; n++) {
        ag_error error = {0};
        test_fail_allocation(n);
        data_safetensors *file = data_safetensors_open(tensors_path, &error);
        test_fail_allocation(0);
        if (file) {
            data_safetensors_close(file);
            break;
        }
        failures++;
        ck_assert_int_eq(error.status, AG_NO_MEMORY);
        ck_assert_msg(!strncmp(error.message, tensors_path, strlen(tensors_path)), "%s", error.message);
    }
    ck_assert_int_ge(failures, 6); /* the file, strings, tensors, shapes, metadata, names */
}
END_TEST

/* Makes and fills a writer and saves; the status of the first call that fails. */
static ag_status save_with_failures(ag_error *error)
{
    static const float value = 1;
    ag_status status = AG_NO_MEMORY;
    data_writer *writer = data_writer_new(error);
    if (!writer)
        return status;
    status = data_writer_add(writer, "x", "F32", SHAPE(1), &value, error);
    if (status == AG_OK)
        status = data_writer_metadata(writer, "key", "value", error);
    if (status == AG_OK)
        status = data_writer_save(writer, tensors_path, error);
    test_fail_allocation(0);
    if (status != AG_OK) { /* what failed can be done again */
        ag_status again = data_writer_add(writer, "y", "F32", SHAPE(1), &value, NULL);
        ck_assert_int_eq(again, AG_OK);
        char *other = test_file_write(tensors_folder, "other", "", 0);
        ck_assert_int_eq(data_writer_save(writer, other, NULL), AG_OK);
        unlink(other);
        free(other);
    }
    data_writer_free(writer);
    return status;
}

START_TEST(every_allocation_of_save_may_fail)
{
    int failures = 0;
    size_t old_size;
    tensors_save_small();
    unsigned char *old = tensors_read_bytes(&old_size);
    for (int n = 1;; n++) {
        ag_error error = {0};
        test_fail_allocation(n);
        ag_status status = save_with_failures(&error);
        test_fail_allocation(0);
        if (status == AG_OK)
            break;
        failures++;
        ck_assert_int_eq(status, AG_NO_MEMORY);
        ck_assert_int_eq(error.status, AG_NO_MEMORY);
        check_old_file(old, old_size);
    }
    ck_assert_int_ge(failures, 8); /* writer, 2 for checksum, 2 for the tensor, 1 for metadata, header, output */
    free(old);
}
END_TEST

static Suite *safetensors_save_suite(void)
{
    Suite *suite = suite_create("safetensors_save");
    TCase *damage = tcase_create("damage");
    tcase_add_checked_fixture(damage, tensors_set_up, tensors_tear_down);
    tcase_set_timeout(damage, 60);
    TCase *failing_saves = tcase_create("failing saves");
    tcase_add_checked_fixture(failing_saves, tensors_set_up, tensors_tear_down);
    TCase *memory = tcase_create("memory");
    tcase_add_checked_fixture(memory, tensors_set_up, tensors_tear_down);
    tcase_add_test(damage, every_changed_byte_is_found);
    tcase_add_test(damage, every_cut_is_found);
    tcase_add_test(damage, damage_to_the_data_is_named);
    suite_add_tcase(suite, damage);
    tcase_add_test(failing_saves, a_full_disk_leaves_the_old_file);
    tcase_add_test(failing_saves, bad_places_are_refused);
    tcase_add_test(failing_saves, a_path_without_a_folder_and_leftovers);
    tcase_add_test(failing_saves, a_reader_keeps_the_file_it_opened);
    suite_add_tcase(suite, failing_saves);
    tcase_add_test(memory, every_allocation_of_open_may_fail);
    tcase_add_test(memory, every_allocation_of_save_may_fail);
    suite_add_tcase(suite, memory);
    return suite;
}

TEST_MAIN(safetensors_save_suite)
