/* safetensors_util.c - a folder with one .safetensors file in it, for the tests of these
 * files. */
#include "safetensors_util.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *tensors_folder, *tensors_path;

void tensors_set_up(void)
{
    tensors_folder = test_folder_new();
    tensors_path = malloc(strlen(tensors_folder) + 32);
    sprintf(tensors_path, "%s/model.safetensors", tensors_folder);
}

void tensors_tear_down(void)
{
    free(tensors_path);
    test_folder_remove(tensors_folder);
}

data_writer *tensors_writer(void)
{
    data_writer *writer = data_writer_new(NULL);
    ck_assert_ptr_nonnull(writer);
    return writer;
}

void tensors_add(data_writer *writer, const char *name, const char *dtype, int rank, const uint64_t *shape,
                 const void *data)
{
    ag_error error = {0};
    ck_assert_msg(data_writer_add(writer, name, dtype, rank, shape, data, &error) == AG_OK, "%s", error.message);
}

void tensors_save(data_writer *writer)
{
    ag_error error = {0};
    ck_assert_msg(data_writer_save(writer, tensors_path, &error) == AG_OK, "%s", error.message);
}

data_safetensors *tensors_open(void)
{
    ag_error error = {0};
    data_safetensors *file = data_safetensors_open(tensors_path, &error);
    ck_assert_msg(file != NULL, "%s", error.message);
    return file;
}

unsigned char *tensors_read_bytes(size_t *size)
{
    struct stat info;
    FILE *file = fopen(tensors_path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fstat(fileno(file), &info), 0);
    *size = (size_t)info.st_size;
    unsigned char *bytes = malloc(*size + 1);
    ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

void tensors_write_bytes(const void *bytes, size_t size)
{
    unlink(tensors_path); /* some file systems flush a file to the disk that is cut to nothing and written again */
    free(test_file_write(tensors_folder, "model.safetensors", bytes, size));
}

int tensors_files(void)
{
    int count = 0;
    DIR *open_folder = opendir(tensors_folder);
    ck_assert_ptr_nonnull(open_folder);
    for (struct dirent *entry; (entry = readdir(open_folder));)
        count += entry->d_name[0] != '.';
    closedir(open_folder);
    return count;
}

void tensors_note_small(data_writer *writer)
{
    static const float weight[6] = {1, -2, 3.5f, 0, 1e30f, -1e-30f};
    static const int64_t step = 1234567890123;
    static const unsigned char flags[3] = {1, 0, 1};
    tensors_add(writer, "flags", "BOOL", SHAPE(3), flags);
    tensors_add(writer, "weight", "F32", SHAPE(2, 3), weight);
    tensors_add(writer, "step", "I64", 0, NULL, &step);
    tensors_add(writer, "none", "F32", SHAPE(0, 7), NULL);
    ck_assert_int_eq(data_writer_metadata(writer, "format", "pt", NULL), AG_OK);
    ck_assert_int_eq(data_writer_metadata(writer, "about", "a \"test\"", NULL), AG_OK);
}

void tensors_save_small(void)
{
    data_writer *writer = tensors_writer();
    tensors_note_small(writer);
    tensors_save(writer);
    data_writer_free(writer);
}
