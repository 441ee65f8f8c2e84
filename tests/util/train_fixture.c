/* train_fixture.c - a small model, its sets and a folder, for the tests of training. */
#include "train_fixture.h"

#include <stdio.h>
#include <string.h>

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    ck_assert_ptr_nonnull(path);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static data_set *make_set(const char *name, int min_length, int max_length, bool tagging, data_part part, int64_t count)
{
    ag_error error = {0};
    data_set_options options = {.part = part,
                                .min_length = min_length,
                                .max_length = max_length,
                                .count = count,
                                .seed = 1,
                                .held_out = 0.2,
                                .tagging = tagging};
    data_set *set = data_set_task(data_task_find(name), &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    return set;
}

train_fixture train_fixture_new(const char *name, int min_length, int max_length, nn_model_kind kind, int width,
                                double dropout)
{
    train_fixture fixture = {0};
    ag_error error = {0};
    bool tagging = kind == NN_ENCODER;
    fixture.training = make_set(name, min_length, max_length, tagging, DATA_TRAIN, 500);
    fixture.dev = make_set(name, min_length, max_length, tagging, DATA_DEV, 40);
    nn_model_config config = {.kind = kind,
                              .source_vocab = data_vocab_size(data_set_source_vocab(fixture.training)),
                              .target_vocab = data_vocab_size(data_set_target_vocab(fixture.training)),
                              .d_model = width,
                              .heads = 2,
                              .encoder_layers = 1,
                              .decoder_layers = 1,
                              .max_length = 32,
                              .dropout = dropout};
    fixture.model = nn_model_new(&config, 7, &error);
    ck_assert_msg(fixture.model != NULL, "%s", error.message);
    fixture.folder = test_folder_new();
    fixture.out = join(fixture.folder, "run");
    return fixture;
}

void train_fixture_clear(train_fixture *fixture)
{
    nn_model_free(fixture->model);
    data_set_free(fixture->training);
    data_set_free(fixture->dev);
    test_folder_remove(fixture->folder);
    free(fixture->out);
}

void train_fixture_redraw(train_fixture *fixture, uint64_t seed)
{
    nn_model *model = nn_model_new(&fixture->model->config, seed, NULL);
    ck_assert_ptr_nonnull(model);
    nn_model_free(fixture->model);
    fixture->model = model;
}

unsigned char *test_file_read(const char *folder, const char *name, size_t *size)
{
    char *path = join(folder, name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is not there", path);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    long end = ftell(file);
    ck_assert_int_ge(end, 0);
    rewind(file);
    *size = (size_t)end;
    unsigned char *bytes = malloc(*size + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
    bytes[*size] = 0;
    fclose(file);
    free(path);
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
    char *path = join(folder, name);
    FILE *file = fopen(path, "rb");
    if (file)
        fclose(file);
    free(path);
    return file != NULL;
}
