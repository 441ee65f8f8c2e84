/* test_safetensors.c - what is written to .safetensors files, and what is read back. */
#include "safetensors_util.h"

#include <stdio.h>
#include <string.h>

/* ---- Writing ----------------------------------------------------------------------- */

START_TEST(the_bytes_are_those_of_the_format)
{
    static const char header[] =
        "{\"__metadata__\":{\"about\":\"a \\\"test\\\"\",\"checksum\":\"0000000000000000\",\"format\":\"pt\"},"
        "\"step\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"none\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[8,8]},"
        "\"weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[8,32]},"
        "\"flags\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[32,35]}}";
    static const unsigned char data[35] = {
        0xCB, 0x04, 0xFB, 0x71, 0x1F, 0x01, 0,    0, /* step */
        0,    0,    0x80, 0x3F, 0,    0,    0,    0xC0, 0,    0,    0x60, 0x40, 0, 0,
        0,    0,    0xCA, 0xF2, 0x49, 0x71, 0x60, 0x42, 0xA2, 0x8D, 1,    0,    1,
    };
    char text[sizeof header + 8], digits[17];
    size_t size, header_size = (sizeof header - 1 + 7) / 8 * 8;
    tensors_save_small();
    unsigned char *bytes = tensors_read_bytes(&size);

    ck_assert_uint_eq(size, 8 + header_size + sizeof data);
    ck_assert_uint_eq(bytes[0] + 256u * bytes[1], header_size);
    for (int i = 2; i < 8; i++)
        ck_assert_uint_eq(bytes[i], 0);
    memset(text, ' ', sizeof text);
    memcpy(text, header, sizeof header - 1);
    char *zeros = strstr(text, "0000000000000000");
    memcpy(digits, bytes + 8 + (zeros - text), 16);
    memset(bytes + 8 + (zeros - text), '0', 16);
    ck_assert_mem_eq(bytes + 8, text, header_size);
    ck_assert_mem_eq(bytes + 8 + header_size, data, sizeof data);

    uint64_t hash = 14695981039346656037u; /* FNV-1a with its constants in decimal */
    char wanted[17];
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    sprintf(wanted, "%016llx", (unsigned long long)hash);
    ck_assert_mem_eq(digits, wanted, 16);
    free(bytes);
}
END_TEST

/* Without the checksum a file is byte for byte the reference writer's. The header's
 * length is a multiple of 8; the first three are cases of its own tests. */
START_TEST(without_a_checksum_the_bytes_are_those_of_the_reference)
{
    static const struct {
        const char *names[3], *dtypes[3], *key, *header;
        uint64_t shape[4];
        int rank;
        unsigned char header_size;
    } cases[] = {
        {{"attn.0"},
         {"F32"},
         NULL,
         "{\"attn.0\":{\"dtype\":\"F32\",\"shape\":[1,2,3],\"data_offsets\":[0,24]}}",
         {1, 2, 3},
         3,
         64},
        {{"attn0"},
         {"F32"},
         NULL,
         "{\"attn0\":{\"dtype\":\"F32\",\"shape\":[1,1,2,3],\"data_offsets\":[0,24]}}       ",
         {1, 1, 2, 3},
         4,
         72},
        {{NULL}, {NULL}, NULL, "{}      ", {0}, 0, 8},
        {{NULL}, {NULL}, "framework", "{\"__metadata__\":{\"framework\":\"pt\"}}     ", {0}, 0, 40},
        {{"b", "a", "c"},
         {"I32", "I32", "F32"},
         "format",
         "{\"__metadata__\":{\"format\":\"pt\"},\"c\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"a\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[8,16]},"
         "\"b\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[16,24]}}      ",
         {2},
         1,
         200},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        static const unsigned char data[24] = {1, 2, 3, 4, 5, 6, 7, 8};
        size_t size, length = strlen(cases[i].header), bytes_of_data = 0;
        data_writer *writer = tensors_writer();
        data_writer_no_checksum(writer);
        data_writer_no_checksum(writer); /* nothing is left to leave out */
        for (int n = 0; n < 3 && cases[i].names[n]; n++) {
            tensors_add(writer, cases[i].names[n], cases[i].dtypes[n], cases[i].rank, cases[i].shape, data);
            bytes_of_data += cases[i].rank == 1 ? 8 : 24;
        }
        if (cases[i].key)
            ck_assert_int_eq(data_writer_metadata(writer, cases[i].key, "pt", NULL), AG_OK);
        tensors_save(writer);
        data_writer_free(writer);
        unsigned char *bytes = tensors_read_bytes(&size);
        ck_assert_uint_eq(length, cases[i].header_size);
        ck_assert_uint_eq(size, 8 + length + bytes_of_data);
        ck_assert_mem_eq(bytes, ((unsigned char[8]){cases[i].header_size}), 8);
        ck_assert_mem_eq(bytes + 8, cases[i].header, length);
        free(bytes);
        data_safetensors *file = tensors_open();
        ck_assert_ptr_null(data_safetensors_metadata(file, "checksum"));
        data_safetensors_close(file);
    }
}
END_TEST

START_TEST(the_order_of_notes_does_not_matter)
{
    enum { TENSORS = 40, KEYS = 12 };
    static const char *const dtypes[] = {"U8", "F32", "F64", "BF16", "I8"};
    unsigned char data[8 * TENSORS];
    unsigned char *first = NULL;
    size_t first_size = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7);
    for (int round = 0; round < 5; round++) {
        static const int steps[] = {1, 39, 3, 7, 11}, key_steps[] = {1, 11, 5, 7, 11}; /* prime to the counts */
        data_writer *writer = tensors_writer();
        for (int k = 0; k < TENSORS; k++) {
            int i = (k * steps[round] + round) % TENSORS;
            char name[32];
            sprintf(name, "layer.%d", i);
            tensors_add(writer, name, dtypes[i % 5], SHAPE(1), data + 8 * i);
            if (k < KEYS) {
                sprintf(name, "%c", 'a' + (k * key_steps[round] + round) % KEYS);
                ck_assert_int_eq(data_writer_metadata(writer, name, name, NULL), AG_OK);
            }
        }
        tensors_save(writer);
        data_writer_free(writer);
        size_t size;
        unsigned char *bytes = tensors_read_bytes(&size);
        if (!first) {
            first = bytes;
            first_size = size;
            continue;
        }
        ck_assert_uint_eq(size, first_size);
        ck_assert_mem_eq(bytes, first, size);
        free(bytes);
    }
    free(first);
}
END_TEST

START_TEST(data_begin_at_a_multiple_of_8)
{
    for (int length = 1; length <= 8; length++) {
        size_t size;
        data_writer *writer = tensors_writer();
        tensors_add(writer, &"12345678"[length], "F64", SHAPE(0), NULL);
        tensors_save(writer);
        data_writer_free(writer);
        unsigned char *bytes = tensors_read_bytes(&size);
        ck_assert_uint_eq(size % 8, 0);
        ck_assert_uint_eq(bytes[0] % 8, 0);
        ck_assert_uint_eq(bytes[0] + 8u, size);
        free(bytes);
    }
}
END_TEST

START_TEST(saving_twice_writes_the_same)
{
    data_writer *writer = tensors_writer();
    size_t first_size, second_size;
    tensors_note_small(writer);
    tensors_save(writer);
    unsigned char *first = tensors_read_bytes(&first_size);
    tensors_save(writer);
    unsigned char *second = tensors_read_bytes(&second_size);
    ck_assert_uint_eq(first_size, second_size);
    ck_assert_mem_eq(first, second, first_size);
    free(first);
    free(second);
    data_writer_free(writer);
}
END_TEST

START_TEST(data_are_read_by_save_and_not_before)
{
    float value = 1;
    ag_real seen;
    data_writer *writer = tensors_writer();
    char name[] = "x", key[] = "k", text[] = "v";
    tensors_add(writer, name, "F32", 0, NULL, &value);
    ck_assert_int_eq(data_writer_metadata(writer, key, text, NULL), AG_OK);
    name[0] = key[0] = text[0] = '?'; /* names are copied */
    value = 2;
    tensors_save(writer);
    data_writer_free(writer);
    data_safetensors *file = tensors_open();
    ck_assert_int_eq(data_tensor_read(data_safetensors_find(file, "x"), &seen, 1, NULL), AG_OK);
    ck_assert(seen == 2);
    ck_assert_str_eq(data_safetensors_metadata(file, "k"), "v");
    data_safetensors_close(file);
}
END_TEST

static ag_status try_add(const char *name, const char *dtype, int rank, const uint64_t *shape, const void *data,
                         const char *word)
{
    ag_error error = {0};
    data_writer *writer = tensors_writer();
    ag_status status = data_writer_add(writer, name, dtype, rank, shape, data, &error);
    ck_assert_int_eq(status, error.status);
    ck_assert_msg(strstr(error.message, word) != NULL, "%s", error.message);
    data_writer_free(writer);
    return status;
}

START_TEST(the_writer_refuses_what_no_reader_would_take)
{
    unsigned char byte = 0;
    ck_assert_int_eq(try_add("__metadata__", "U8", SHAPE(1), &byte, "__metadata__"), AG_BAD_VALUE);
    ck_assert_int_eq(try_add("\xFF", "U8", SHAPE(1), &byte, "name"), AG_BAD_VALUE);
    ck_assert_int_eq(try_add("x", "F5", SHAPE(1), &byte, "F5"), AG_BAD_VALUE);
    ck_assert_int_eq(try_add("x", "U8", -1, NULL, &byte, "rank"), AG_BAD_SHAPE);
    ck_assert_int_eq(try_add("x", "F4", SHAPE(3), &byte, "whole byte"), AG_BAD_SHAPE);
    ck_assert_int_eq(try_add("x", "U8", SHAPE(UINT64_C(1) << 32, UINT64_C(1) << 32), &byte, "2^64"), AG_BAD_SHAPE);
    ck_assert_int_eq(try_add("x", "U8", SHAPE(1), NULL, "no data"), AG_BAD_VALUE);

    data_writer *writer = tensors_writer();
    static const char *const reserved[] = {"checksum", "checksun"};
    for (size_t i = 0; i < COUNT(reserved); i++) {
        ag_error error = {0};
        ck_assert_int_eq(data_writer_metadata(writer, reserved[i], "0123456789abcdef", &error), AG_BAD_VALUE);
        ck_assert_ptr_nonnull(strstr(error.message, "checksum"));
    }
    ck_assert_int_eq(data_writer_metadata(writer, "checksum", "mine", NULL), AG_BAD_VALUE);
    ck_assert_int_eq(data_writer_metadata(writer, "k", "\xC0\x80", NULL), AG_BAD_VALUE);
    ck_assert_int_eq(data_writer_metadata(writer, "\x80", "v", NULL), AG_BAD_VALUE);
    ck_assert_int_eq(data_writer_metadata(writer, "checksun", "not of that form", NULL), AG_OK);
    tensors_save(writer);
    data_safetensors_close(tensors_open());
    data_writer_free(writer);
}
END_TEST

START_TEST(names_are_unique)
{
    unsigned char bytes[4] = {0};
    ag_error error = {0};
    data_writer *writer = tensors_writer();
    tensors_add(writer, "same", "F32", 0, NULL, bytes); /* no neighbours in the file */
    tensors_add(writer, "other", "I16", 0, NULL, bytes);
    tensors_add(writer, "same", "U8", 0, NULL, bytes);
    ck_assert_int_eq(data_writer_save(writer, tensors_path, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "two tensors are named 'same'");
    data_writer_free(writer);

    writer = tensors_writer();
    error = (ag_error){0};
    ck_assert_int_eq(data_writer_metadata(writer, "k", "1", NULL), AG_OK);
    ck_assert_int_eq(data_writer_metadata(writer, "l", "1", NULL), AG_OK);
    ck_assert_int_eq(data_writer_metadata(writer, "k", "2", NULL), AG_OK);
    ck_assert_int_eq(data_writer_save(writer, tensors_path, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "'k' twice"));
    data_writer_free(writer);
    ck_assert_int_eq(tensors_files(), 0);
}
END_TEST

/* ---- Reading back ------------------------------------------------------------------ */

static const struct type_case {
    const char *name;
    unsigned bits;
    bool numbers; /* can be read as numbers */
} types[] = {
    {"BOOL", 8, true},     {"F4", 4, false},          {"F6_E2M3", 6, false},     {"F6_E3M2", 6, false},
    {"U8", 8, true},       {"I8", 8, true},           {"F8_E5M2", 8, false},     {"F8_E4M3", 8, false},
    {"F8_E8M0", 8, false}, {"F8_E4M3FNUZ", 8, false}, {"F8_E5M2FNUZ", 8, false}, {"I16", 16, true},
    {"U16", 16, true},     {"F16", 16, true},         {"BF16", 16, true},        {"I32", 32, true},
    {"U32", 32, true},     {"F32", 32, true},         {"C64", 64, false},        {"F64", 64, true},
    {"I64", 64, true},     {"U64", 64, true},
};

START_TEST(every_type_comes_back)
{
    enum { ELEMENTS = 12 };
    unsigned char data[COUNT(types)][8 * ELEMENTS];
    ag_real numbers[ELEMENTS];
    data_writer *writer = tensors_writer();
    for (size_t t = 0; t < COUNT(types); t++) {
        char name[32];
        for (size_t i = 0; i < sizeof data[t]; i++)
            data[t][i] = (unsigned char)(t * 31 + i * 7);
        for (int i = 0; i < ELEMENTS && !strcmp(types[t].name, "F64"); i++)
            data[t][8 * i + 7] = 0x3F; /* within the range of a float */
        sprintf(name, "of type %s", types[t].name);
        tensors_add(writer, name, types[t].name, SHAPE(3, 1, 4), data[t]);
    }
    tensors_save(writer);
    data_writer_free(writer);

    data_safetensors *file = tensors_open();
    ck_assert_int_eq(data_safetensors_count(file), COUNT(types));
    for (size_t t = 0; t < COUNT(types); t++) {
        char name[32];
        sprintf(name, "of type %s", types[t].name);
        const data_tensor *tensor = data_safetensors_find(file, name);
        ck_assert_ptr_nonnull(tensor);
        ck_assert_str_eq(tensor->name, name);
        ck_assert_str_eq(tensor->dtype, types[t].name);
        ck_assert_int_eq(tensor->rank, 3);
        ck_assert(tensor->shape[0] == 3 && tensor->shape[1] == 1 && tensor->shape[2] == 4);
        ck_assert_uint_eq(tensor->size, types[t].bits * ELEMENTS / 8);
        ck_assert_mem_eq(tensor->data, data[t], (size_t)tensor->size); /* the test's machine is little-endian */
        ck_assert_ptr_eq(data_safetensors_at(file, (int64_t)(COUNT(types) - 1 - t)), tensor);
        ag_status status = data_tensor_read(tensor, numbers, ELEMENTS, NULL);
        ck_assert_int_eq(status, types[t].numbers ? AG_OK : AG_BAD_VALUE);
    }
    data_safetensors_close(file);
}
END_TEST

START_TEST(odd_shapes_come_back)
{
    const float value = 5;
    ag_real seen = 0;
    data_writer *writer = tensors_writer();
    tensors_add(writer, "scalar", "F32", 0, NULL, &value);
    tensors_add(writer, "empty", "F64", SHAPE(0), NULL);
    tensors_add(writer, "empty too", "F64", SHAPE(3, 0, 1000000), NULL);
    tensors_add(writer, "", "F32", SHAPE(1, 1, 1, 1, 1, 1, 1), &value);
    tensors_save(writer);
    data_writer_free(writer);

    data_safetensors *file = tensors_open();
    const data_tensor *scalar = data_safetensors_find(file, "scalar"), *deep = data_safetensors_find(file, "");
    const data_tensor *empty = data_safetensors_find(file, "empty too");
    ck_assert(scalar && deep && empty);
    ck_assert_int_eq(scalar->rank, 0);
    ck_assert_int_eq(data_tensor_read(scalar, &seen, 1, NULL), AG_OK);
    ck_assert(seen == 5);
    ck_assert_int_eq(deep->rank, 7);
    ck_assert_int_eq(data_tensor_read(deep, &seen, 1, NULL), AG_OK);
    ck_assert_int_eq(empty->rank, 3);
    ck_assert_uint_eq(empty->size, 0);
    ck_assert_int_eq(data_tensor_read(empty, NULL, 0, NULL), AG_OK);
    ck_assert_ptr_null(data_safetensors_find(file, "scala"));
    ck_assert_ptr_null(data_safetensors_find(file, "scalars"));
    ck_assert_ptr_null(data_safetensors_at(file, -1));
    ck_assert_ptr_null(data_safetensors_at(file, 4));
    data_safetensors_close(file);
}
END_TEST

START_TEST(a_file_without_tensors)
{
    data_writer *writer = tensors_writer();
    tensors_save(writer);
    data_writer_free(writer);
    data_safetensors *file = tensors_open();
    ck_assert_int_eq(data_safetensors_count(file), 0);
    ck_assert_ptr_null(data_safetensors_find(file, "x"));
    ck_assert_ptr_null(data_safetensors_at(file, 0));
    ck_assert_uint_eq(strlen(data_safetensors_metadata(file, "checksum")), 16);
    data_safetensors_close(file);
    data_safetensors_close(NULL);
    data_writer_free(NULL);
}
END_TEST

START_TEST(any_text_comes_back)
{
    static const char *const texts[] = {
        "plain",       "\"quoted\" \\ / \b\f\n\r\t", "\x01\x1f\x7f", "\xC3\xA9 \xE1\x83\x93 \xF0\x9F\x98\x80", "",
        "{\"a\":[1]}",
    };
    unsigned char byte = 9;
    data_writer *writer = tensors_writer();
    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert_int_eq(data_writer_metadata(writer, texts[i], texts[COUNT(texts) - 1 - i], NULL), AG_OK);
        tensors_add(writer, texts[i], "U8", 0, NULL, &byte);
    }
    tensors_save(writer);
    data_writer_free(writer);
    data_safetensors *file = tensors_open();
    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert_str_eq(data_safetensors_metadata(file, texts[i]), texts[COUNT(texts) - 1 - i]);
        ck_assert_ptr_nonnull(data_safetensors_find(file, texts[i]));
    }
    ck_assert_ptr_null(data_safetensors_metadata(file, "plai"));
    data_safetensors_close(file);
}
END_TEST

START_TEST(many_tensors_and_much_data)
{
    enum { TENSORS = 20000, BIG = 300001 };
    float *big = malloc(BIG * sizeof *big);
    data_writer *writer = tensors_writer();
    for (int i = 0; i < BIG; i++)
        big[i] = (float)i;
    for (int i = 0; i < TENSORS; i++) {
        char name[64];
        sprintf(name, "a.long.name.before.the.number.%d", i * 7919 % TENSORS);
        tensors_add(writer, name, "F32", SHAPE(1), big + i * 7919 % TENSORS);
    }
    tensors_add(writer, "big", "F32", SHAPE(BIG), big);
    tensors_save(writer);
    data_writer_free(writer);

    data_safetensors *file = tensors_open();
    ck_assert_int_eq(data_safetensors_count(file), TENSORS + 1);
    for (int i = 0; i < TENSORS; i++) {
        char name[64];
        ag_real value;
        sprintf(name, "a.long.name.before.the.number.%d", i);
        ck_assert_int_eq(data_tensor_read(data_safetensors_find(file, name), &value, 1, NULL), AG_OK);
        ck_assert(value == (ag_real)i);
    }
    const data_tensor *tensor = data_safetensors_find(file, "big");
    ck_assert_uint_eq(tensor->size, BIG * sizeof *big);
    ck_assert(memcmp(tensor->data, big, BIG * sizeof *big) == 0);
    data_safetensors_close(file);
    free(big);
}
END_TEST

static Suite *safetensors_suite(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *writing = tcase_create("writing");
    tcase_add_checked_fixture(writing, tensors_set_up, tensors_tear_down);
    TCase *reading = tcase_create("reading");
    tcase_add_checked_fixture(reading, tensors_set_up, tensors_tear_down);
    tcase_add_test(writing, the_bytes_are_those_of_the_format);
    tcase_add_test(writing, without_a_checksum_the_bytes_are_those_of_the_reference);
    tcase_add_test(writing, the_order_of_notes_does_not_matter);
    tcase_add_test(writing, data_begin_at_a_multiple_of_8);
    tcase_add_test(writing, saving_twice_writes_the_same);
    tcase_add_test(writing, data_are_read_by_save_and_not_before);
    tcase_add_test(writing, the_writer_refuses_what_no_reader_would_take);
    tcase_add_test(writing, names_are_unique);
    suite_add_tcase(suite, writing);
    tcase_add_test(reading, every_type_comes_back);
    tcase_add_test(reading, odd_shapes_come_back);
    tcase_add_test(reading, a_file_without_tensors);
    tcase_add_test(reading, any_text_comes_back);
    tcase_add_test(reading, many_tensors_and_much_data);
    suite_add_tcase(suite, reading);
    return suite;
}

TEST_MAIN(safetensors_suite)
