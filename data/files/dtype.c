/* dtype.c - the element types of .safetensors files and their conversion to ag_real.
 *
 * Bytes are combined by shifts, so neither the host's byte order nor the data's alignment
 * matters.
 */
#include "files.h"
#include "safetensors.h"
#include "quote.h"

#include <math.h>
#include <string.h>

#ifdef TAPEFORMER_DOUBLE
const char *const data_real_dtype = "F64";
#else
const char *const data_real_dtype = "F32";
#endif

/* ---- One element ------------------------------------------------------------------- */

static uint64_t little_endian(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static ag_real load_f64(const unsigned char *bytes, int count)
{
    uint64_t bits = little_endian(bytes, 8);
    double value;
    (void)count;
    memcpy(&value, &bits, sizeof value);
    return (ag_real)value;
}

static ag_real load_f32(const unsigned char *bytes, int count)
{
    (void)count;
    return (ag_real)float_of_bits((uint32_t)little_endian(bytes, 4));
}

/* bfloat16 is the upper half of a float. */
static ag_real load_bf16(const unsigned char *bytes, int count)
{
    (void)count;
    return (ag_real)float_of_bits((uint32_t)little_endian(bytes, 2) << 16);
}

/* IEEE 754 binary16: 1 sign bit, 5 bits of exponent (bias 15), 10 of fraction. */
static ag_real load_f16(const unsigned char *bytes, int count)
{
    (void)count;
    uint32_t bits = (uint32_t)little_endian(bytes, 2);
    uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1Fu, fraction = bits & 0x3FFu;
    if (exponent == 0) { /* zero and subnormals: fraction x 2^-24, exact in a float */
        float magnitude = (float)fraction * 0x1p-24f;
        return (ag_real)(sign ? -magnitude : magnitude);
    }
    if (exponent == 0x1F) /* infinity and NaN */
        return (ag_real)float_of_bits(sign | 0x7F800000u | fraction << 13);
    return (ag_real)float_of_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

/* A two's complement number of `count` bytes, without relying on how the compiler
 * narrows. */
static ag_real load_signed(const unsigned char *bytes, int count)
{
    uint64_t value = little_endian(bytes, count), sign = UINT64_C(1) << (8 * count - 1);
    /* -2^(n-1) + (value without its sign bit) never leaves int64_t */
    return value & sign ? (ag_real)((int64_t)(value & (sign - 1)) - (int64_t)(sign - 1) - 1) : (ag_real)value;
}

static ag_real load_unsigned(const unsigned char *bytes, int count)
{
    return (ag_real)little_endian(bytes, count);
}

static ag_real load_bool(const unsigned char *bytes, int count)
{
    return little_endian(bytes, count) ? 1 : 0;
}

/* ---- The types --------------------------------------------------------------------- */

/* In the format's order, by alignment; the writer puts the last ones first. */
static const data_dtype dtypes[] = {
    {"BOOL", 8, 1, load_bool},     {"F4", 4, 1, NULL},
    {"F6_E2M3", 6, 1, NULL},       {"F6_E3M2", 6, 1, NULL},
    {"U8", 8, 1, load_unsigned},   {"I8", 8, 1, load_signed},
    {"F8_E5M2", 8, 1, NULL},       {"F8_E4M3", 8, 1, NULL},
    {"F8_E8M0", 8, 1, NULL},       {"F8_E4M3FNUZ", 8, 1, NULL},
    {"F8_E5M2FNUZ", 8, 1, NULL},   {"I16", 16, 2, load_signed},
    {"U16", 16, 2, load_unsigned}, {"F16", 16, 2, load_f16},
    {"BF16", 16, 2, load_bf16},    {"I32", 32, 4, load_signed},
    {"U32", 32, 4, load_unsigned}, {"F32", 32, 4, load_f32},
    {"C64", 64, 4, NULL}, /* two F32: real and imaginary part */
    {"F64", 64, 8, load_f64},      {"I64", 64, 8, load_signed},
    {"U64", 64, 8, load_unsigned},
};

const data_dtype *data_dtype_find(const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (!strcmp(dtypes[i].name, name))
            return &dtypes[i];
    }
    return NULL;
}

bool data_shape_elements(int rank, const uint64_t *shape, uint64_t *elements)
{
    *elements = 1;
    for (int i = 0; i < rank; i++) {
        if (shape[i] != 0 && *elements > UINT64_MAX / shape[i])
            return false;
        *elements *= shape[i];
    }
    return true;
}

const char *data_dtype_size(const data_dtype *dtype, int rank, const uint64_t *shape, uint64_t *bytes)
{
    uint64_t elements;
    if (!data_shape_elements(rank, shape, &elements) || elements > UINT64_MAX / dtype->bits)
        return "has more than 2^64 bits";
    if (elements * dtype->bits % 8 != 0)
        return "does not end at a whole byte";
    *bytes = elements * dtype->bits / 8;
    return NULL;
}

bool data_dtype_overflows(const data_dtype *dtype, const unsigned char *bytes, ag_real value)
{
    const uint64_t exponent = UINT64_C(0x7FF) << 52;
    return isinf(value) && dtype->load == load_f64 && (little_endian(bytes, 8) & exponent) != exponent;
}

ag_status data_tensor_read(const data_tensor *tensor, ag_real *out, int64_t count, ag_error *error)
{
    uint64_t elements, bytes;
    const data_dtype *dtype = data_dtype_find(tensor->dtype);
    if (!dtype || !dtype->load)
        return ag_error_set(error, AG_BAD_VALUE, "tensor '%s' is of dtype %s, which cannot be read as numbers here",
                            DATA_SHOW(tensor->name), DATA_SHOW(tensor->dtype));
    if (!data_shape_elements(tensor->rank, tensor->shape, &elements) || count < 0 || elements != (uint64_t)count)
        return ag_error_set(error, AG_BAD_SHAPE, "tensor '%s' does not have %lld %s",
                            DATA_SHOW(tensor->name), (long long)count, ag_plural(count, "element", "elements"));
    if (data_dtype_size(dtype, tensor->rank, tensor->shape, &bytes) || bytes != tensor->size)
        return ag_error_set(error, AG_BAD_SHAPE, "tensor '%s' has %llu %s, which do not fit its dtype and shape",
                            DATA_SHOW(tensor->name), (unsigned long long)tensor->size,
                            ag_plural((int64_t)tensor->size, "byte", "bytes"));
    for (int64_t i = 0; i < count; i++) {
        const unsigned char *element = tensor->data + (size_t)i * (dtype->bits / 8);
        out[i] = dtype->load(element, (int)dtype->bits / 8);
        if (data_dtype_overflows(dtype, element, out[i]))
            return ag_error_set(error, AG_BAD_VALUE,
                                "tensor '%s' has numbers beyond the range of F32, the first at place %lld: the library "
                                "built with PRECISION=double reads them",
                                DATA_SHOW(tensor->name), (long long)i);
    }
    return AG_OK;
}
