/* edited_copy.c - copies .safetensors files with a change. */
#include "edited_copy.h"

#include "check_util.h"
#include "data.h"

#include <string.h>

/* The bytes of numbers that every float dtype holds exactly; to be freed. */
static unsigned char *encode(const ag_real *values, int64_t count, const char *dtype)
{
    unsigned char *bytes = malloc((size_t)count * 8), *at = bytes;
    for (int64_t i = 0; i < count; i++) {
        const double wide = (double)values[i];
        const float narrow = (float)values[i];
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        const uint16_t brain = (uint16_t)(bits >> 16);
        /* 8 bits of exponent less 112 are the 5 of a half */
        const uint16_t half =
            bits << 1 == 0
                ? 0
                : (uint16_t)((bits >> 16 & 0x8000) | (((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 1023));
        const struct {
            const char *name;
            const void *from;
            size_t size;
        } forms[] = {{"F64", &wide, 8}, {"F32", &narrow, 4}, {"F16", &half, 2}, {"BF16", &brain, 2}};
        for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
            if (!strcmp(dtype, forms[f].name)) {
                memcpy(at, forms[f].from, forms[f].size);
                at += forms[f].size;
            }
    }
    return bytes;
}

static bool is(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

static bool is_buffer(const char *name)
{
    const char *end = strstr(name, ".attn.");
    return end && (is(end, ".attn.bias") || is(end, ".attn.masked_bias"));
}

/* Copies one tensor with the change; what it returns is freed after the writer has
 * saved. */
static unsigned char *copy_tensor(data_writer *writer, const data_tensor *tensor, const edit *change)
{
    uint64_t count = 1;
    for (int axis = 0; axis < tensor->rank; axis++)
        count *= tensor->shape[axis];
    unsigned char *bytes = malloc((size_t)tensor->size + 1);
    memcpy(bytes, tensor->data, (size_t)tensor->size);
    if (is(tensor->name, change->scramble))
        bytes[0] ^= 1;
    const char *dtype = is(tensor->name, change->whole) ? "I32" : tensor->dtype;
    const char *name = !is(tensor->name, change->rename) ? tensor->name : change->name ? change->name : "extra";
    if (change->dtype && !is_buffer(tensor->name)) {
        ag_real *values = malloc((size_t)count * sizeof *values);
        ck_assert_int_eq(data_tensor_read(tensor, values, (int64_t)count, NULL), AG_OK);
        free(bytes);
        bytes = encode(values, (int64_t)count, dtype = change->dtype);
        free(values);
    }
    if (change->cut && !strncmp(name, change->cut, strlen(change->cut)))
        name += strlen(change->cut);
    const bool flat = is(tensor->name, change->flatten);
    ck_assert_int_eq(
        data_writer_add(writer, name, dtype, flat ? 1 : tensor->rank, flat ? &count : tensor->shape, bytes, NULL),
        AG_OK);
    return bytes;
}

void test_copy_edited(const char *from, const char *to, const char *const *keys, edit change)
{
    ag_error error = {0};
    data_safetensors *file = data_safetensors_open(from, &error);
    ck_assert_msg(file != NULL, "%s", error.message);
    data_writer *writer = data_writer_new(NULL);
    unsigned char *held[512] = {0};
    ck_assert_ptr_nonnull(writer);
    ck_assert_int_lt(data_safetensors_count(file), 512);
    for (; keys && *keys; keys++) {
        const char *value = is(*keys, change.key) ? change.value : data_safetensors_metadata(file, *keys);
        if (value)
            ck_assert_int_eq(data_writer_metadata(writer, *keys, value, NULL), AG_OK);
    }
    for (int64_t i = 0; i < data_safetensors_count(file); i++) {
        const data_tensor *tensor = data_safetensors_at(file, i);
        if (!is(tensor->name, change.drop) && !(change.no_buffers && is_buffer(tensor->name)))
            held[i] = copy_tensor(writer, tensor, &change);
    }
    ck_assert_msg(data_writer_save(writer, to, &error) == AG_OK, "%s", error.message);
    for (int i = 0; i < 512; i++)
        free(held[i]);
    data_writer_free(writer);
    data_safetensors_close(file);
}
