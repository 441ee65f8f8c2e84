/* test_npy.c - .npy files: NumPy's bytes, every type and order, and what is refused. */
#include "check_util.h"
#include "data.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char *folder, *path;

static void set_up(void)
{
    folder = test_folder_new();
    path = malloc(strlen(folder) + 32);
    sprintf(path, "%s/array.npy", folder);
}

static void tear_down(void)
{
    free(path);
    test_folder_remove(folder);
}

/* ---- Files ------------------------------------------------------------------------- */

/* A file of this version, header and data, which are `size` bytes. */
static void write_file(int version, const char *header, const void *data, size_t size)
{
    const size_t header_size = strlen(header), length_size = version == 1 ? 2 : 4, at = 8 + length_size;
    unsigned char *bytes = malloc(at + header_size + size);
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)version;
    bytes[7] = 0;
    for (size_t i = 0; i < length_size; i++)
        bytes[8 + i] = (unsigned char)(header_size >> (8 * i));
    memcpy(bytes + at, header, header_size);
    if (size > 0)
        memcpy(bytes + at + header_size, data, size);
    free(test_file_write(folder, "array.npy", bytes, at + header_size + size));
    free(bytes);
}

static data_array read_array(void)
{
    data_array array;
    ag_error error = {0};
    ck_assert_msg(data_npy_read(&array, path, &error) == AG_OK, "%s", error.message);
    return array;
}

static void check_array(const data_array *array, int ndim, const int64_t *dim, const double *values)
{
    int64_t size = 1;
    ck_assert_int_eq(array->ndim, ndim);
    for (int axis = 0; axis < ndim; axis++) {
        ck_assert_int_eq(array->dim[axis], dim[axis]);
        size *= dim[axis];
    }
    ck_assert_int_eq(array->size, size);
    for (int64_t i = 0; i < size; i++)
        ck_assert_msg(array->values[i] == (ag_real)values[i], "element %lld is %g", (long long)i,
                      (double)array->values[i]);
}

static unsigned char *read_bytes(size_t *size)
{
    static unsigned char bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    *size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return bytes;
}

/* ---- Writing ----------------------------------------------------------------------- */

#define ONES_21    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
#define TEXT_OF_21 "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "

/* The header that numpy.save (NumPy 1.24) writes for zeros of this shape; the spaces at
 * the end are counted. */
START_TEST(headers_are_those_of_numpy)
{
    static const struct {
        const char *shape;
        int ndim;
        int64_t dim[DATA_ARRAY_DIMS];
        size_t spaces, size; /* in front of the line feed; of all before the numbers */
    } cases[] = {
        {"()", 0, {0}, 62, 128},
        {"(5,)", 1, {5}, 60, 128},
        {"(2, 3)", 2, {2, 3}, 58, 128},
        {"(0, 3)", 2, {0, 3}, 58, 128},
        {"(2, 1000000, 0)", 3, {2, 1000000, 0}, 49, 128},
        /* the last that fits, and the first that does not: a line feed at a multiple of
         * 64 is moved on by 64 */
        {"(0, 10000000000000000, 1000000000000000000)", 3, {0, 10000000000000000, 1000000000000000000}, 21, 128},
        {"(0, 100000000000000000, 1000000000000000000)", 3, {0, 100000000000000000, 1000000000000000000}, 84, 192},
        /* more than 255 bytes, which take both bytes of the length */
        {"(" TEXT_OF_21 TEXT_OF_21 TEXT_OF_21 "1)", 64, {ONES_21, ONES_21, ONES_21, 1}, 64, 320},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        data_array array = {.ndim = cases[i].ndim, .size = 1};
        char wanted[512];
        size_t size;
        for (int axis = 0; axis < array.ndim; axis++) {
            array.dim[axis] = cases[i].dim[axis];
            array.size = array.dim[axis] == 0 || array.size == 0 ? 0 : array.size * array.dim[axis];
        }
        ag_real zeros[8] = {0};
        array.values = zeros;
        ag_error error = {0};
        ck_assert_msg(data_npy_write(&array, path, &error) == AG_OK, "%s", error.message);
        int length = snprintf(wanted, sizeof wanted, "{'descr': '<f%d', 'fortran_order': False, 'shape': %s, }",
                              (int)sizeof(ag_real), cases[i].shape);
        const unsigned char *bytes = read_bytes(&size);
        ck_assert_uint_eq(size, cases[i].size + (size_t)array.size * sizeof(ag_real));
        ck_assert_mem_eq(bytes, "\x93NUMPY\1\0", 8);
        ck_assert_uint_eq(bytes[8] + 256u * bytes[9], cases[i].size - 10);
        ck_assert_mem_eq(bytes + 10, wanted, (size_t)length);
        ck_assert_uint_eq(10 + (size_t)length + cases[i].spaces + 1, cases[i].size);
        for (size_t s = 0; s < cases[i].spaces; s++)
            ck_assert_int_eq(bytes[10 + (size_t)length + s], ' ');
        ck_assert_int_eq(bytes[cases[i].size - 1], '\n');
        data_array back = read_array();
        ck_assert_int_eq(back.size, array.size);
        data_array_clear(&back);
    }
}
END_TEST

START_TEST(numbers_come_back)
{
    enum { SIZE = 3 * 701 };
    ag_real *values = malloc(SIZE * sizeof *values);
    size_t size;
    test_fill(values, SIZE, 3, -2, 2);
    values[5] = -0.0f;
    values[6] = (ag_real)INFINITY;
    const data_array array = {.ndim = 3, .dim = {3, 1, 701}, .size = SIZE, .values = values};
    ck_assert_int_eq(data_npy_write(&array, path, NULL), AG_OK);
    const unsigned char *bytes = read_bytes(&size);
    ck_assert_uint_eq(size, 128 + SIZE * sizeof(ag_real));
    ck_assert_mem_eq(bytes + 128, values, SIZE * sizeof(ag_real)); /* the test's machine is little-endian */
    data_array back = read_array();
    ck_assert(back.ndim == 3 && back.dim[0] == 3 && back.dim[1] == 1 && back.dim[2] == 701 && back.size == SIZE);
    ck_assert_mem_eq(back.values, values, SIZE * sizeof(ag_real));
    data_array_clear(&back);
    free(values);
}
END_TEST

START_TEST(arrays_that_contradict_themselves_are_not_written)
{
    ag_real value = 1;
    const data_array cases[] = {
        {.ndim = 1, .dim = {2}, .size = 1, .values = &value},
        {.ndim = 0, .size = 0, .values = &value},
        {.ndim = -1, .size = 1, .values = &value},
        {.ndim = DATA_ARRAY_DIMS + 1, .size = 1, .values = &value},
        {.ndim = 2, .dim = {-1, -1}, .size = 1, .values = &value},
        {.ndim = 2, .dim = {INT64_C(1) << 32, INT64_C(1) << 32}, .size = 0, .values = &value},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ag_error error = {0};
        ck_assert_int_eq(data_npy_write(&cases[i], path, &error), AG_BAD_SHAPE);
        ck_assert_ptr_nonnull(strstr(error.message, path));
    }
    const data_array good = {.size = 1, .values = &value};
    ag_error error = {0};
    ck_assert_int_eq(data_npy_write(&good, "/nowhere/array.npy", &error), AG_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "cannot write /nowhere/array.npy"));
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_null(file);
}
END_TEST

/* ---- Reading ----------------------------------------------------------------------- */

/* Three numbers of each type, in the bytes of a little-endian machine. */
static const struct type_case {
    const char *name;
    size_t bytes;
    double values[3];
    unsigned char data[24];
} types[] = {
    {"b1", 1, {1, 0, 1}, {1, 0, 2}},
    {"i1", 1, {1, -1, -128}, {1, 255, 128}},
    {"u1", 1, {1, 255, 128}, {1, 255, 128}},
    {"i2", 2, {258, -1, -32768}, {2, 1, 255, 255, 0, 128}},
    {"u2", 2, {258, 65535, 32768}, {2, 1, 255, 255, 0, 128}},
    {"i4", 4, {16909060, -1, -2147483648.0}, {4, 3, 2, 1, 255, 255, 255, 255, 0, 0, 0, 128}},
    {"u4", 4, {16909060, 4294901760.0, 2147483648.0}, {4, 3, 2, 1, 0, 0, 255, 255, 0, 0, 0, 128}},
    {"i8", 8, {1099511627776.0, -1, -9223372036854775808.0}, {0,   0,   0,   0,   0, 1, 0, 0, 255, 255, 255, 255,
                                                              255, 255, 255, 255, 0, 0, 0, 0, 0,   0,   0,   128}},
    {"u8", 8, {1, 256, 9223372036854775808.0}, {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
                                                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128}},
    {"f2", 2, {1, -2, 65504}, {0, 0x3C, 0, 0xC0, 0xFF, 0x7B}},
    {"f4", 4, {1, -0.5, 3.5}, {0, 0, 0x80, 0x3F, 0, 0, 0, 0xBF, 0, 0, 0x60, 0x40}},
    {"f8", 8, {1, -0.5, 3.5}, {0, 0, 0,    0,    0, 0, 0xF0, 0x3F, 0, 0, 0,    0,
                               0, 0, 0xE0, 0xBF, 0, 0, 0,    0,    0, 0, 0x0C, 0x40}},
};

START_TEST(every_type_in_either_byte_order)
{
    for (size_t t = 0; t < COUNT(types); t++) {
        for (const char *order = "<>=|."; *order; order++) {
            unsigned char data[24];
            char header[128], mark[2] = {*order, 0};
            const size_t bytes = types[t].bytes;
            for (size_t i = 0; i < 3 * bytes; i++)
                data[i] = types[t].data[*order == '>' ? i / bytes * bytes + (bytes - 1 - i % bytes) : i];
            snprintf(header, sizeof header, "{'descr': '%s%s', 'fortran_order': False, 'shape': (3,), }\n",
                     *order == '.' ? "" : mark, types[t].name);
            write_file(1, header, data, 3 * bytes);
            data_array array = read_array();
            check_array(&array, 1, (int64_t[]){3}, types[t].values);
            data_array_clear(&array);
        }
    }
}
END_TEST

/* Infinity is read, and a finite number is never made infinite. */
START_TEST(finite_numbers_stay_finite)
{
    static const double numbers[2] = {INFINITY, -1e39};
    for (int form = 0; form < 4; form++) {
        unsigned char data[16];
        char header[128];
        for (int i = 0; i < 16; i++)
            data[i] = ((const unsigned char *)numbers)[form % 2 ? i / 8 * 8 + 7 - i % 8 : i];
        snprintf(header, sizeof header, "{'descr': '%sf8', 'fortran_order': %s, 'shape': (2, 1), }\n",
                 form % 2 ? ">" : "<", form / 2 ? "True" : "False");
        write_file(1, header, data, sizeof data);
        data_array array;
        ag_error error = {0};
        ck_assert_int_eq(data_npy_read(&array, path, &error), PRECISION(AG_OK, AG_BAD_FILE));
        ck_assert(!array.values || (array.values[0] == (ag_real)INFINITY && (double)array.values[1] == numbers[1]));
        ck_assert(array.values || strstr(error.message, "its number 1 is beyond the range of F32"));
        data_array_clear(&array);
    }
}
END_TEST

START_TEST(versions_and_orders)
{
    static const unsigned char data[24] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                           12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};
    static const double fortran[24] = {0, 6, 12, 18, 2, 8, 14, 20, 4, 10, 16, 22,
                                       1, 7, 13, 19, 3, 9, 15, 21, 5, 11, 17, 23};
    double c[24];
    for (int i = 0; i < 24; i++)
        c[i] = i;
    for (int version = 1; version <= 3; version++) {
        write_file(version, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4), }  \n", data, 24);
        data_array array = read_array();
        check_array(&array, 3, (int64_t[]){2, 3, 4}, c);
        data_array_clear(&array);
        write_file(version, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }\n", data, 24);
        array = read_array();
        check_array(&array, 3, (int64_t[]){2, 3, 4}, fortran);
        data_array_clear(&array);
    }
}
END_TEST

START_TEST(unusual_headers_are_read)
{
    static const char *const headers[] = {
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }",
        "{'descr':'|u1','fortran_order':False,'shape':(2,3)}",
        "{\"shape\": (2, 3), \"fortran_order\": False, \"descr\": \"|u1\"}\n\n\n",
        " {\t'shape' : ( 2 , 3 , ) ,\r\n'descr' : 'u1' , 'fortran_order' : False , }  ",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 3L), }",
    };
    static const unsigned char data[7] = {0, 1, 2, 3, 4, 5, 99}; /* the last one belongs to what follows */
    static const double values[6] = {0, 1, 2, 3, 4, 5};
    for (size_t i = 0; i < COUNT(headers); i++) {
        write_file(1, headers[i], data, sizeof data);
        data_array array = read_array();
        check_array(&array, 2, (int64_t[]){2, 3}, values);
        data_array_clear(&array);
    }
    write_file(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (), }", data, 1);
    data_array array = read_array();
    check_array(&array, 0, NULL, values);
    data_array_clear(&array);
    write_file(1, "{'descr': '<f8', 'fortran_order': True, 'shape': (0, 4611686018427387904, 4611686018427387904), }",
               "", 0);
    array = read_array();
    ck_assert(array.ndim == 3 && array.size == 0 && array.dim[2] == INT64_C(1) << 62);
    data_array_clear(&array);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------- */

static void expect_refusal(const char *what, const char *word)
{
    data_array array = {.size = 7};
    ag_error error = {0};
    ag_status status = data_npy_read(&array, path, &error);
    ck_assert_msg(status == AG_BAD_FILE && error.status == AG_BAD_FILE, "%s: %d %s", what, (int)status, error.message);
    ck_assert_msg(!strncmp(error.message, path, strlen(path)), "%s: %s", what, error.message);
    ck_assert_msg(strstr(error.message + strlen(path), word) != NULL, "%s: '%s' is not in: %s", what, word,
                  error.message);
    ck_assert(!array.values && array.size == 0);
}

#define HEADER(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

START_TEST(headers_that_are_wrong)
{
    static const struct {
        const char *header, *word;
    } cases[] = {
        {"", "a dictionary was expected"},
        {"   \n", "a dictionary was expected"},
        {"[]", "a dictionary was expected"},
        {"{}", "no key 'descr'"},
        {"{", "a string was expected"},
        {"{,}", "a string was expected"},
        {"{'descr': '|u1', 'fortran_order': False, }", "no key 'shape'"},
        {"{'descr': '|u1', 'shape': (1,), }", "no key 'fortran_order'"},
        {"{'fortran_order': False, 'shape': (1,), }", "no key 'descr'"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'more': 1}", "the key 'more', which is unknown"},
        {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", "the key 'descr' twice"},
        {"{'descr': '|u1' 'fortran_order': False, 'shape': (1,)}", "',' or '}' was expected"},
        {"{'descr': '|u1',, 'fortran_order': False, 'shape': (1,)}", "a string was expected"},
        {"{'descr' '|u1', 'fortran_order': False, 'shape': (1,)}", "':' was expected"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,)", "',' or '}' was expected"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,)} x", "nothing more was expected"},
        {"{'descr\": '|u1', 'fortran_order': False, 'shape': (1,)}", "unknown"},
        {"{'de\\x73cr': '|u1', 'fortran_order': False, 'shape': (1,)}", "a plain character"},
        {"{'d\xC3\xA9scr': '|u1', 'fortran_order': False, 'shape': (1,)}", "a plain character"},
        {"{'descr", "the end of a string"},
        {HEADER("'|u1'", "false", "(1,)"), "True or False was expected"},
        {HEADER("'|u1'", "1", "(1,)"), "True or False was expected"},
        {HEADER("'|u1'", "Falsely", "(1,)"), "',' or '}' was expected"},
        {HEADER("'|u1'", "'False'", "(1,)"), "True or False was expected"},
        {HEADER("'|u1'", "False", "(1)"), "(1) is not a tuple: (1,) would be"},
        {HEADER("'|u1'", "False", "1"), "a tuple such as (2, 3) was expected"},
        {HEADER("'|u1'", "False", "[1]"), "a tuple such as (2, 3) was expected"},
        {HEADER("'|u1'", "False", "(,)"), "a whole number was expected"},
        {HEADER("'|u1'", "False", "(1,,)"), "a whole number was expected"},
        {HEADER("'|u1'", "False", "(1 1)"), "',' or ')' was expected"},
        {HEADER("'|u1'", "False", "(-1,)"), "a whole number was expected"},
        {HEADER("'|u1'", "False", "(1.0,)"), "',' or ')' was expected"},
        {HEADER("'|u1'", "False", "(01,)"), "a whole number was expected"},
        {HEADER("'|u1'", "False", "(1e3,)"), "',' or ')' was expected"},
        {HEADER("'|u1'", "False", "('1',)"), "a whole number was expected"},
        {HEADER("'|u1'", "False", "(None,)"), "a whole number was expected"},
        {HEADER("'|u1'", "False", "(9223372036854775808,)"), "above 2^63 - 1"},
        {HEADER("'|u1'", "False", "(99999999999999999999999999,)"), "above 2^63 - 1"},
        {HEADER("'|u1'", "False", "(9223372036854775807,)"), "more elements than memory can hold"},
        {HEADER("'|u1'", "False", "(4294967296, 4294967296)"), "more elements than memory can hold"},
        {HEADER("'|u1'", "False", "(4294967296, 4294967296, 0)"), "more elements than memory can hold"},
        {HEADER("'|u1'", "False", "(9,)"), "its 9 numbers of 1 byte are not all there: 8 bytes"},
        {HEADER("'<f8'", "False", "(2,)"), "its 2 numbers of 8 bytes are not all there: 8 bytes"},
        {HEADER("'<f4'", "True", "(1, 3)"), "its 3 numbers of 4 bytes are not all there"},
        {HEADER("'|O'", "False", "(1,)"), "are Python objects"},
        {HEADER("'O'", "False", "(1,)"), "are Python objects"},
        {HEADER("'<c8'", "False", "(1,)"), "are complex numbers"},
        {HEADER("'<U2'", "False", "(1,)"), "are texts"},
        {HEADER("'|S8'", "False", "(1,)"), "are texts"},
        {HEADER("'|V8'", "False", "(1,)"), "are records or raw bytes"},
        {HEADER("'<M8[s]'", "False", "(1,)"), "are times"},
        {HEADER("[('a', '<f4'), ('b', '<f4')]", "False", "(1,)"), "are records"},
        {HEADER("('<f4', (2,))", "False", "(1,)"), "are records"},
        {HEADER("'<f16'", "False", "(1,)"), "dtype '<f16' is unknown"},
        {HEADER("'<i3'", "False", "(1,)"), "dtype '<i3' is unknown"},
        {HEADER("''", "False", "(1,)"), "dtype '' is unknown"},
        {HEADER("'<'", "False", "(1,)"), "dtype '<' is unknown"},
        {HEADER("'<<f4'", "False", "(1,)"), "dtype '<<f4' is unknown"},
        {HEADER("'<f4 and a long way behind it'", "False", "(1,)"), "dtype '<f4 and a long ' is unknown"},
        {HEADER("float", "False", "(1,)"), "a string was expected"},
    };
    static const unsigned char data[8] = {0};
    for (int version = 1; version <= 3; version++)
        for (size_t i = 0; i < COUNT(cases); i++) {
            write_file(version, cases[i].header, data, sizeof data);
            expect_refusal(cases[i].header, cases[i].word);
        }
}
END_TEST

START_TEST(files_that_are_cut_short)
{
    static const struct {
        unsigned char bytes[16];
        size_t size;
        const char *word;
    } cases[] = {
        {"", 0, "no .npy file"},
        {"\x93NUMPY", 6, "no .npy file"},
        {"\x93NUMPX\1\0\2\0{}", 12, "no .npy file"},
        {"PK\3\4\0\0\0\0\0\0", 10, "no .npy file"},
        {"\x93NUMPY\0\0\2\0{}", 12, "version 0.0"},
        {"\x93NUMPY\4\0\2\0\0\0{}", 14, "version 4.0"},
        {"\x93NUMPY\1\1\2\0{}", 12, "version 1.1"},
        {"\x93NUMPY\1\0", 8, "its header is not all there"},
        {"\x93NUMPY\1\0\2", 9, "its header is not all there"},
        {"\x93NUMPY\1\0\3\0{}", 12, "its header is not all there"},
        {"\x93NUMPY\2\0\2\0\0", 11, "its header is not all there"},
        {"\x93NUMPY\2\0\xFF\xFF\xFF\xFF{}", 14, "its header is not all there"},
        {"\x93NUMPY\2\0\2\0\0\1{}", 14, "its header is not all there"},
        {"\x93NUMPY\1\0\2\0{}", 12, "no key"},
        {"\x93NUMPY\3\0\2\0\0\0{}", 14, "no key"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char what[32];
        snprintf(what, sizeof what, "case %zu", i);
        free(test_file_write(folder, "array.npy", cases[i].bytes, cases[i].size));
        expect_refusal(what, cases[i].word);
    }
    data_array array;
    ag_error error = {0};
    ck_assert_int_eq(data_npy_read(&array, folder, &error), AG_IO);
    error = (ag_error){0};
    ck_assert_int_eq(data_npy_read(&array, "/nowhere", &error), AG_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "/nowhere"));
}
END_TEST

/* Every prefix of a good file, and 64 axes but not 65. */
START_TEST(every_cut_is_found)
{
    ag_real values[6] = {1, 2, 3, 4, 5, 6};
    const data_array array = {.ndim = 2, .dim = {2, 3}, .size = 6, .values = values};
    size_t size;
    ck_assert_int_eq(data_npy_write(&array, path, NULL), AG_OK);
    unsigned char bytes[256];
    memcpy(bytes, read_bytes(&size), 128 + sizeof values);
    for (size_t cut = 0; cut < size; cut++) {
        free(test_file_write(folder, "array.npy", bytes, cut));
        expect_refusal("a cut file", "");
    }
    for (int axes = DATA_ARRAY_DIMS; axes <= DATA_ARRAY_DIMS + 1; axes++) {
        char header[512] = "{'descr': '|u1', 'fortran_order': True, 'shape': (";
        for (int i = 0; i < axes; i++)
            strcat(header, "1,");
        strcat(header, ")}");
        write_file(1, header, "", 1);
        if (axes > DATA_ARRAY_DIMS)
            expect_refusal(header, "more than 64 axes");
        else {
            data_array deep = read_array();
            ck_assert(deep.ndim == DATA_ARRAY_DIMS && deep.size == 1);
            data_array_clear(&deep);
        }
    }
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------ */

/* The sizes in a header are compared with the file before memory is allocated: a refusal
 * allocates nothing. */
START_TEST(nothing_is_allocated_for_what_is_not_there)
{
    write_file(1, HEADER("'|u1'", "False", "(1000000000000,)"), "", 0);
    data_array array;
    const int64_t before = test_allocations();
    const ag_status status = data_npy_read(&array, path, NULL);
    const int64_t made = test_allocations() - before;
    ck_assert_int_eq(status, AG_BAD_FILE);
    ck_assert_int_eq(made, 0);
}
END_TEST

START_TEST(allocations_may_fail)
{
    ag_real value = 5;
    const data_array array = {.size = 1, .values = &value};
    ck_assert_int_eq(data_npy_write(&array, path, NULL), AG_OK);
    data_array back;
    ag_error error = {0};
    test_fail_allocation(1);
    ck_assert_int_eq(data_npy_read(&back, path, &error), AG_NO_MEMORY);
    ck_assert_ptr_nonnull(strstr(error.message, "not enough memory"));
    ck_assert_ptr_null(back.values);
    test_fail_allocation(1);
    ck_assert_int_eq(data_npy_write(&array, path, NULL), AG_NO_MEMORY);
    test_fail_allocation(0);
    back = read_array(); /* the old file is whole */
    ck_assert(back.values[0] == 5);
    data_array_clear(&back);
    data_array_clear(&back);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("npy");
    TCase *t = tcase_create("npy");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, headers_are_those_of_numpy);
    tcase_add_test(t, numbers_come_back);
    tcase_add_test(t, arrays_that_contradict_themselves_are_not_written);
    tcase_add_test(t, every_type_in_either_byte_order);
    tcase_add_test(t, finite_numbers_stay_finite);
    tcase_add_test(t, versions_and_orders);
    tcase_add_test(t, unusual_headers_are_read);
    tcase_add_test(t, headers_that_are_wrong);
    tcase_add_test(t, files_that_are_cut_short);
    tcase_add_test(t, every_cut_is_found);
    tcase_add_test(t, nothing_is_allocated_for_what_is_not_there);
    tcase_add_test(t, allocations_may_fail);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
