/* test_safetensors_bad.c - malformed .safetensors files: each is refused for its own
 * reason, and none does harm. */
#include "safetensors_util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Makes a file of this header and `data_size` bytes of data, 0 1 2 ... */
static void write_file(const void *header, size_t header_size, size_t data_size)
{
    size_t size = 8 + header_size + data_size;
    unsigned char *bytes = malloc(size);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)header_size >> (8 * i));
    memcpy(bytes + 8, header, header_size);
    for (size_t i = 0; i < data_size; i++)
        bytes[8 + header_size + i] = (unsigned char)i;
    tensors_write_bytes(bytes, size);
    free(bytes);
}

/* The file at tensors_path must be refused with a sentence that begins with the path and
 * holds `word`. */
static void check_refused(const char *what, const char *word)
{
    ag_error error = {0};
    size_t length = strlen(tensors_path);
    data_safetensors *file = data_safetensors_open(tensors_path, &error);
    ck_assert_msg(!file, "%s is taken", what);
    ck_assert_msg(error.status == AG_BAD_FILE, "%s: status %d, %s", what, (int)error.status, error.message);
    ck_assert_msg(!strncmp(error.message, tensors_path, length), "%s: %s", what, error.message);
    ck_assert_msg(strstr(error.message + length, word) != NULL, "%s: '%s' is not in: %s", what, word, error.message);
    ck_assert_msg(!strchr(error.message, '\n'), "%s: %s", what, error.message);
}

/* ---- Headers ----------------------------------------------------------------------- */

#define ENTRY(dtype, shape, offsets)        "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define TENSOR(name, dtype, shape, offsets) "\"" name "\":" ENTRY(dtype, shape, offsets)
#define META(members)                       "{\"__metadata__\":{" members "}}"

typedef struct bad_header {
    const char *header;
    size_t data_size;
    const char *word;
} bad_header;

static void check_headers(const bad_header *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        write_file(cases[i].header, strlen(cases[i].header), cases[i].data_size);
        check_refused(cases[i].header, cases[i].word);
    }
}

START_TEST(headers_that_are_no_json)
{
    static const bad_header cases[] = {
        {"", 0, "early"},
        {"   ", 0, "early"},
        {"{", 0, "early"},
        {"{}x", 0, "follows"},
        {"{}{}", 0, "follows"},
        {"[]", 0, "an object was expected"},
        {"null", 0, "an object was expected"},
        {"\xEF\xBB\xBF{}", 0, "an object was expected"},
        {"\xFF", 0, "UTF-8"},
        {"{\"\xC0\x80\":0}", 0, "UTF-8"},
        {"{\"\xED\xA0\x80\":0}", 0, "byte 10: this is not UTF-8"},
        {"{\"a\"", 0, "early"},
        {"{\"a\":", 0, "early"},
        {"{\"a", 0, "early"},
        {"{\"a\" " ENTRY("U8", "[1]", "[0,1]") "}", 1, "':'"},
        {"{" TENSOR("a", "U8", "[1]", "[0,1]") ",}", 1, "a string was expected"},
        {"{" TENSOR("a", "U8", "[1]", "[0,1]"), 1, "early"},
        {"{" TENSOR("a", "U8", "[1,]", "[0,1]") "}", 1, "a whole number"},
        {"{" TENSOR("a", "U8", "[1 1]", "[0,1]") "}", 1, "',' or ']'"},
        {"{'a':" ENTRY("U8", "[1]", "[0,1]") "}", 1, "a string was expected"},
        {"{" TENSOR("a\nb", "U8", "[1]", "[0,1]") "}", 1, "control"},
        {"{" TENSOR("a\\q", "U8", "[1]", "[0,1]") "}", 1, "escape"},
        {"{" TENSOR("a\\uD800", "U8", "[1]", "[0,1]") "}", 1, "surrogate"},
        {"{" TENSOR("a\\u0000b", "U8", "[1]", "[0,1]") "}", 1, "\\u0000"},
    };
    check_headers(cases, COUNT(cases));
}
END_TEST

START_TEST(entries_of_a_wrong_form)
{
    static const bad_header cases[] = {
        {"{\"a\":1}", 0, "in tensor 'a': an object was expected"},
        {"{\"a\":[\"U8\",[1],[0,1]]}", 1, "an object was expected"}, /* the reference takes this */
        {"{\"a\":{}}", 0, "must have a dtype"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "must have a dtype"},
        {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "must have a dtype"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "must have a dtype"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":1}}", 1, "unknown field 'more'"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "'shape' twice"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"sh\\u0061pe\":[1],\"data_offsets\":[0,1]}}", 1, "'shape' twice"},
        {"{" TENSOR("a", "u8", "[1]", "[0,1]") "}", 1, "dtype 'u8'"},
        {"{" TENSOR("a", "F128", "[1]", "[0,16]") "}", 16, "dtype 'F128'"},
        {"{" TENSOR("a", "", "[1]", "[0,1]") "}", 1, "dtype ''"},
        {"{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "a string was expected"},
        {"{" TENSOR("a", "U8", "1", "[0,1]") "}", 1, "an array was expected"},
        {"{" TENSOR("a", "U8", "null", "[0,1]") "}", 1, "an array was expected"},
        {"{" TENSOR("a", "U8", "[[1]]", "[0,1]") "}", 1, "a whole number"},
        {"{" TENSOR("a", "U8", "[-1]", "[0,1]") "}", 1, "a whole number"},
        {"{" TENSOR("a", "U8", "[1.0]", "[0,1]") "}", 1, "a whole number"},
        {"{" TENSOR("a", "U8", "[1e0]", "[0,1]") "}", 1, "a whole number"},
        {"{" TENSOR("a", "U8", "[01]", "[0,1]") "}", 1, "begins with 0"},
        {"{" TENSOR("a", "U8", "[-0]", "[0,1]") "}", 1, "a whole number"},
        {"{" TENSOR("a", "U8", "[+1]", "[0,1]") "}", 1, "a whole number"},
        {"{" TENSOR("a", "U8", "[1E0]", "[0,1]") "}", 1, "a whole number"},
        {"{" TENSOR("a", "U8", "[0x1]", "[0,1]") "}", 1, "',' or ']'"},
        {"{" TENSOR("a", "U8", "[true]", "[0,1]") "}", 1, "a whole number"},
        {"{" TENSOR("a", "U8", "[99999999999999999999999]", "[0,1]") "}", 1, "2^64"},
        {"{" TENSOR("a", "U8", "[1]", "[0.0,1]") "}", 1, "a whole number"},
        {"{" TENSOR("a", "U8", "[\"1\"]", "[0,1]") "}", 1, "a whole number"},
        {"{" TENSOR("a", "U8", "[18446744073709551616]", "[0,1]") "}", 1, "2^64"},
        {"{" TENSOR("a", "U8", "[1]", "[0]") "}", 1, "two data_offsets"},
        {"{" TENSOR("a", "U8", "[1]", "[]") "}", 1, "two data_offsets"},
        {"{" TENSOR("a", "U8", "[1]", "[0,1,2]") "}", 1, "two data_offsets"},
        {"{" TENSOR("a", "U8", "[1]", "[0,1,\"2\"]") "}", 1, "two data_offsets"}, /* no third is read */
        {"{" TENSOR("a", "U8", "[1]", "{}") "}", 1, "an array was expected"},
        {"{" TENSOR("a", "U8", "[1]", "[0,-1]") "}", 1, "a whole number"},
    };
    check_headers(cases, COUNT(cases));
}
END_TEST

START_TEST(names_and_metadata)
{
    static const bad_header cases[] = {
        {"{" TENSOR("a", "U8", "[1]", "[0,1]") "," TENSOR("a", "U8", "[1]", "[1,2]") "}", 2, "named 'a'"},
        {"{" TENSOR("a", "U8", "[1]", "[0,1]") "," TENSOR("\\u0061", "U8", "[1]", "[1,2]") "}", 2, "two tensors"},
        {"{" TENSOR("a", "U8", "[1]", "[0,1]") "," TENSOR("a", "U8", "[1]", "[0,1]") "}", 1, "two tensors"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "'__metadata__' twice"},
        {"{\"__metadata__\":{},\"__metadat\\u0061__\":{}}", 0, "'__metadata__' twice"},
        {"{\"__metadata__\":1}", 0, "an object was expected"},
        {"{\"__metadata__\":[]}", 0, "an object was expected"},
        {"{\"__metadata__\":nul}", 0, "null was expected"},
        {"{\"__metadata__\":nulll}", 0, "',' or '}'"},
        {"{\"__metadata__\":NULL}", 0, "an object was expected"},
        {"{\"__metadata__\":null,\"__metadata__\":{}}", 0, "'__metadata__' twice"},
        {META("\"k\":1"), 0, "a string was expected"},
        {META("\"k\":null"), 0, "a string was expected"},
        {META("\"k\":{\"l\":\"m\"}"), 0, "a string was expected"},
        {META("\"k\":\"\\u0000\""), 0, "\\u0000"},
        {META("\"k\":\"1\",\"k\":\"2\""), 0, "key 'k' twice"},
        {META("\"k\":\"1\",\"l\":\"\",\"\\u006b\":\"1\""), 0, "key 'k' twice"},
        {META("\"checksum\":\"0123456789abcdef\""), 0, "checksum"},
        {META("\"checksum\":\"0123456789abcdeF\""), 0, "checksum"}, /* one byte from the form: damage */
        {META("\"checkSum\":\"0123456789abcdef\""), 0, "checksum"},
        {META("\"check\\u0073um\":\"0123456789abcdef\""), 0, "checksum"},
    };
    check_headers(cases, COUNT(cases));
}
END_TEST

START_TEST(places_and_sizes)
{
    static const bad_header cases[] = {
        {"{" TENSOR("a", "U8", "[1]", "[1,2]") "}", 2, "must begin at 0"},
        {"{" TENSOR("a", "U8", "[1]", "[0,1]") "," TENSOR("b", "U8", "[1]", "[2,3]") "}", 3, "must begin at 1"},
        {"{" TENSOR("a", "U8", "[2]", "[0,2]") "," TENSOR("b", "U8", "[2]", "[1,3]") "}", 3, "must begin at 2"},
        {"{" TENSOR("a", "U8", "[2]", "[0,2]") "," TENSOR("b", "U8", "[2]", "[0,2]") "}", 2, "must begin at 2"},
        {"{" TENSOR("a", "U8", "[1]", "[0,0]") "}", 0, "takes 1 byte"},
        {"{" TENSOR("a", "U8", "[2]", "[0,2]") "," TENSOR("b", "U8", "[0]", "[2,1]") "}", 2, "data_offsets 2 to 1"},
        {"{" TENSOR("a", "U8", "[0]", "[0,18446744073709551615]") "}", 0, "takes 0 bytes"},
        {"{" TENSOR("a", "U8", "[18446744073709551615]", "[0,18446744073709551615]") "}", 0, "2^64 bits"},
        {"{" TENSOR("a", "U8", "[2305843009213693951]", "[0,2305843009213693951]") "}", 0, "cut short"},
        {"{" TENSOR("a", "I32", "[2,2]", "[0,4]") "}", 4, "takes 16 bytes"},
        {"{" TENSOR("a", "I32", "[2,18446744073709551614]", "[0,16]") "}", 16, "2^64 bits"},
        {"{" TENSOR("a", "I32", "[2,9223372036854775807]", "[0,16]") "}", 16, "2^64 bits"},
        {"{" TENSOR("a", "I32", "[4294967296,4294967296,0]", "[0,0]") "}", 0, "2^64 bits"}, /* in the order */
        {"{" TENSOR("a", "F4", "[3]", "[0,2]") "}", 2, "whole byte"},
        {"{" TENSOR("a", "F6_E2M3", "[3]", "[0,3]") "}", 3, "whole byte"},
        {"{" TENSOR("a", "F4", "[]", "[0,1]") "}", 1, "whole byte"},
        {"{" TENSOR("a", "F32", "[]", "[0,8]") "}", 8, "takes 4 bytes"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "}", 6, "cut short"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "}", 9, "too long"},
        {"{}", 1, "too long"},
        {"{}     ", 8, "too long"},
    };
    check_headers(cases, COUNT(cases));
}
END_TEST

START_TEST(ten_tensors_on_one_range)
{
    char header[2048] = "{";
    for (int i = 0; i < 10; i++) {
        size_t used = strlen(header);
        snprintf(header + used, sizeof header - used, "%s\"t%d\":" ENTRY("F32", "[2,2]", "[0,16]"), i ? "," : "", i);
    }
    strcat(header, "}");
    write_file(header, strlen(header), 16);
    check_refused("ten tensors on one range", "no overlaps");
}
END_TEST

/* ---- The first bytes --------------------------------------------------------------- */

START_TEST(the_length_of_the_header)
{
    static const struct {
        unsigned char bytes[16];
        size_t size;
        const char *word;
    } cases[] = {
        {"", 0, "0 bytes are too few"},
        {"\x02\0\0\0\0\0\0", 7, "7 bytes are too few"},
        {"\0\0\0\0\0\0\0\0", 8, "early"},
        {"\x02\0\0\0\0\0\0\0", 8, "2 bytes, but only 0 follow"},
        {"\x02\0\0\0\0\0\0\0{", 9, "cut short"},
        {"\xE8\x03\0\0\0\0\0\0{}", 10, "1000 bytes, but only 2 follow"},
        {"\x00\xE1\xF5\x05\0\0\0\0{}", 10, "100000000 bytes, but only 2"}, /* the limit */
        {"\x01\xE1\xF5\x05\0\0\0\0{}", 10, "above the format's limit"},    /* one more */
        {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10, "above the format's limit"},
        {"\xFA\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10, "above the format's limit"}, /* 8 + N is 2 in 64 bits */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char what[32];
        snprintf(what, sizeof what, "case %zu", i);
        tensors_write_bytes(cases[i].bytes, cases[i].size);
        int64_t before = test_allocations();
        data_safetensors *file = data_safetensors_open(tensors_path, NULL);
        int64_t allocations = test_allocations() - before;
        ck_assert_ptr_null(file);
        if (i != 2) /* nothing but the reader itself is allocated before the header is known to be there */
            ck_assert_int_eq(allocations, 1);
        check_refused(what, cases[i].word);
    }
}
END_TEST

/* ---- Unusual, but good ------------------------------------------------------------- */

static data_safetensors *open_header(const char *header, size_t data_size)
{
    write_file(header, strlen(header), data_size);
    return tensors_open();
}

START_TEST(unusual_files_are_read)
{
    data_safetensors *file = open_header("{}", 0);
    ck_assert_int_eq(data_safetensors_count(file), 0);
    ck_assert_ptr_null(data_safetensors_metadata(file, "k"));
    data_safetensors_close(file);

    /* white space anywhere, fields in another order, an odd offset, tensors not in the
     * order of the data */
    file = open_header(" \r\n\t{ \"b\" : { \"data_offsets\" : [ 1 , 5 ] , \"shape\" : [ ] , \"dtype\" : \"U32\" } ,"
                       "\"\\u0061\":" ENTRY("U8", "[1]", "[0,1]") "}\n\t ",
                       5);
    ag_real value;
    ck_assert_str_eq(data_safetensors_at(file, 0)->name, "a");
    ck_assert_str_eq(data_safetensors_at(file, 1)->name, "b");
    ck_assert_int_eq(data_tensor_read(data_safetensors_find(file, "b"), &value, 1, NULL), AG_OK);
    ck_assert(value == (ag_real)0x04030201);
    data_safetensors_close(file);

    /* no bytes: they may share an offset, before, between and after the others, and keep
     * the header's order */
    file = open_header("{" TENSOR("z", "F32", "[0]", "[1,1]") "," TENSOR("y", "F32", "[0]", "[1,1]") "," TENSOR(
                           "w", "U8", "[1]", "[0,1]") "," TENSOR("x", "F32", "[2,0]", "[0,0]") "}",
                       1);
    static const char *const order[] = {"x", "w", "z", "y"};
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(data_safetensors_at(file, i)->name, order[i]);
    data_safetensors_close(file);

    /* null is no metadata */
    file = open_header("{\"__metadata__\" : null ," TENSOR("a", "U8", "[1]", "[0,1]") "}", 1);
    ck_assert_int_eq(data_safetensors_count(file), 1);
    ck_assert_ptr_null(data_safetensors_metadata(file, "k"));
    data_safetensors_close(file);

    /* a checksum of some other kind is just metadata */
    file = open_header(META("\"checksum\":\"sha256:0123\",\"Checksum\":\"0123456789ABCDEF\",\"\":\"\""), 0);
    ck_assert_str_eq(data_safetensors_metadata(file, "checksum"), "sha256:0123");
    ck_assert_str_eq(data_safetensors_metadata(file, ""), "");
    data_safetensors_close(file);
}
END_TEST

START_TEST(a_tensor_of_a_hundred_thousand_axes)
{
    enum { RANK = 100000 };
    char *header = malloc(2 * RANK + 128), *end = header;
    end += sprintf(end, "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1],\"shape\":[1");
    for (int i = 1; i < RANK; i++)
        end += sprintf(end, ",1");
    strcpy(end, "]}}");
    data_safetensors *file = open_header(header, 1);
    ck_assert_int_eq(data_safetensors_at(file, 0)->rank, RANK);
    ck_assert_uint_eq(data_safetensors_at(file, 0)->shape[RANK - 1], 1);
    data_safetensors_close(file);
    free(header);
}
END_TEST

START_TEST(nesting_is_no_danger)
{
    enum { DEPTH = 1000000 };
    char *header = malloc(DEPTH + 16);
    memset(header, '[', DEPTH);
    memcpy(header, "{\"a\":", 5);
    write_file(header, DEPTH, 0);
    check_refused("many brackets", "an object was expected");
    memcpy(header, "{\"a\":{\"shape\":", 14);
    write_file(header, DEPTH, 0);
    check_refused("many brackets in a shape", "a whole number");
    free(header);
}
END_TEST

START_TEST(long_names_make_short_sentences)
{
    enum { LONG = 100000 };
    char *header = malloc(LONG + 128);
    ag_error error = {0};
    strcpy(header, "{\"a"); /* the name is cut in the middle of a character */
    for (int i = 0; i < LONG / 2; i++)
        memcpy(header + 3 + 2 * i, "\xC3\xA9", 2);
    strcpy(header + 3 + LONG, "\":1}");
    write_file(header, strlen(header), 0);
    ck_assert_ptr_null(data_safetensors_open(tensors_path, &error));
    ck_assert_uint_eq(data_utf8_check(error.message, strlen(error.message)), strlen(error.message));
    ck_assert_ptr_nonnull(strstr(error.message, "...': an object was expected"));

    char far[4000]; /* and so do long paths */
    memset(far, 'x', sizeof far - 1);
    far[sizeof far - 1] = '\0';
    data_writer *writer = tensors_writer();
    error = (ag_error){0};
    ck_assert_int_eq(data_writer_save(writer, far, &error), AG_IO);
    char ending[200];
    snprintf(ending, sizeof ending, "...: %s", strerror(ENAMETOOLONG));
    ck_assert_ptr_nonnull(strstr(error.message, ending));
    data_writer_free(writer);
    free(header);
}
END_TEST

/* ---- Mutations --------------------------------------------------------------------- */

static unsigned bits_of(const char *dtype)
{
    static const struct {
        const char *name;
        unsigned bits;
    } known[] = {{"F32", 32}, {"F16", 16}, {"U8", 8},   {"I64", 64}, {"F4", 4},   {"F64", 64}, {"I8", 8},
                 {"U16", 16}, {"I16", 16}, {"I32", 32}, {"U32", 32}, {"U64", 64}, {"C64", 64}};
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!strcmp(known[i].name, dtype))
            return known[i].bits;
    }
    ck_abort_msg("unexpected dtype %s", dtype);
    return 0;
}

/* An accepted file must hold together: no holes, sizes by dtype and shape, each tensor
 * found by its name, readable. */
static void check_consistent(const data_safetensors *file, size_t data_size)
{
    const unsigned char *end = NULL;
    uint64_t total = 0;
    for (int64_t i = 0; i < data_safetensors_count(file); i++) {
        const data_tensor *tensor = data_safetensors_at(file, i);
        uint64_t elements = 1;
        unsigned sum = 0;
        for (int axis = 0; axis < tensor->rank; axis++)
            elements *= tensor->shape[axis];
        ck_assert_uint_eq(tensor->size * 8, elements * bits_of(tensor->dtype));
        ck_assert(!end || tensor->data == end);
        ck_assert_ptr_eq(data_safetensors_find(file, tensor->name), tensor);
        ck_assert_uint_eq(data_utf8_check(tensor->name, strlen(tensor->name)), strlen(tensor->name));
        for (uint64_t b = 0; b < tensor->size; b++)
            sum += tensor->data[b];
        ck_assert_uint_le(sum, 255 * tensor->size);
        end = tensor->data + tensor->size;
        total += tensor->size;
    }
    ck_assert_uint_eq(total, data_size);
}

/* Changes a header in place, by one of the ways in which fuzzers do; the new size, at
 * most `room`. */
static size_t mutate(char *header, size_t size, size_t room, ag_rng *rng)
{
    static const char marks[] = "{}[],:\"\\u0 19-.eE\n\x01\x7f\xC3\xFF"
                                "F8tas";
    size_t at = (size_t)ag_rng_below(rng, size), from = (size_t)ag_rng_below(rng, size);
    size_t length = (size_t)ag_rng_below(rng, 12) + 1;
    length = length > size - at ? size - at : length;
    switch (ag_rng_below(rng, 5)) {
    case 0: /* one bit */
        header[at] = (char)(header[at] ^ 1 << ag_rng_below(rng, 8));
        return size;
    case 1: /* one mark that means something */
        header[at] = marks[ag_rng_below(rng, sizeof marks - 1)];
        return size;
    case 2: /* a piece left out */
        memmove(header + at, header + at + length, size - at - length);
        return size - length > 0 ? size - length : 1;
    case 3: /* a piece twice */
        if (size + length > room)
            return size;
        memmove(header + at + length, header + at, size - at);
        return size + length;
    default: /* a piece from elsewhere */
        length = length > size - from ? size - from : length;
        memmove(header + at, header + from, length);
        return size;
    }
}

START_TEST(mutated_headers_do_no_harm)
{
    static const char seed_header[] = "{\"__metadata__\":{\"format\":\"pt\",\"k\\u00e9\":\"\\ud83d\\ude00\"}," TENSOR(
        "a", "F32", "[2,3]",
        "[0,24]") "," TENSOR("b", "F16", "[]",
                             "[24,26]") "," TENSOR("c", "U8", "[1,1,6]",
                                                   "[26,32]") "," TENSOR("d", "I64", "[0,5]",
                                                                         "[32,32]") "," TENSOR("e", "F4", "[16]",
                                                                                               "[32,40]") "}      ";
    enum { ROUNDS = 6000, DATA = 40, ROOM = 2 * sizeof seed_header };
    int taken = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        char header[ROOM];
        size_t size = sizeof seed_header - 1;
        ag_rng rng = ag_rng_make(20240229, round);
        ag_error error = {0};
        memcpy(header, seed_header, size);
        for (uint64_t n = ag_rng_below(&rng, 4) + 1; n > 0; n--)
            size = mutate(header, size, ROOM, &rng);
        write_file(header, size, DATA);
        data_safetensors *file = data_safetensors_open(tensors_path, &error);
        if (file) {
            taken++;
            check_consistent(file, DATA);
            data_safetensors_close(file);
        } else {
            ck_assert_int_eq(error.status, AG_BAD_FILE);
            ck_assert_msg(!strncmp(error.message, tensors_path, strlen(tensors_path)), "%s", error.message);
        }
    }
    ck_assert_int_gt(taken, ROUNDS / 100); /* the mutations reach past the first checks ... */
    ck_assert_int_lt(taken, ROUNDS / 2);   /* ... and do mutate */
}
END_TEST

static Suite *safetensors_bad_suite(void)
{
    Suite *suite = suite_create("safetensors_bad");
    TCase *refused = tcase_create("refused"), *unusual = tcase_create("unusual"), *mutated = tcase_create("mutated");
    tcase_add_checked_fixture(refused, tensors_set_up, tensors_tear_down);
    tcase_add_checked_fixture(unusual, tensors_set_up, tensors_tear_down);
    tcase_add_checked_fixture(mutated, tensors_set_up, tensors_tear_down);
    tcase_set_timeout(mutated, 60);
    tcase_add_test(refused, headers_that_are_no_json);
    tcase_add_test(refused, entries_of_a_wrong_form);
    tcase_add_test(refused, names_and_metadata);
    tcase_add_test(refused, places_and_sizes);
    tcase_add_test(refused, ten_tensors_on_one_range);
    tcase_add_test(refused, the_length_of_the_header);
    suite_add_tcase(suite, refused);
    tcase_add_test(unusual, unusual_files_are_read);
    tcase_add_test(unusual, a_tensor_of_a_hundred_thousand_axes);
    tcase_add_test(unusual, nesting_is_no_danger);
    tcase_add_test(unusual, long_names_make_short_sentences);
    suite_add_tcase(suite, unusual);
    tcase_add_test(mutated, mutated_headers_do_no_harm);
    suite_add_tcase(suite, mutated);
    return suite;
}

TEST_MAIN(safetensors_bad_suite)
