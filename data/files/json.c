/* json.c - a strict reader of JSON text (RFC 8259) whose structure the caller knows.
 *
 * Strict means the grammar of RFC 8259 to the letter: no comments, no trailing commas, no
 * control characters in strings, no leading zeros, no lone surrogates.
 */
#include "files.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Notes what is wrong at the cursor. Nothing is read after that, so this problem
 * stays. */
static bool note_problem(data_json *json, const char *problem)
{
    json->problem = json->at < json->size ? problem : "the text ends too early";
    return false;
}

/* The character at the cursor; at the end a zero, which no rule of the grammar allows. */
static char peek(const data_json *json)
{
    return json->at < json->size ? json->text[json->at] : '\0';
}

static bool take(data_json *json, char wanted)
{
    if (json->at >= json->size || json->text[json->at] != wanted)
        return false;
    json->at++;
    return true;
}

data_json data_json_start(const char *text, size_t size)
{
    return (data_json){.text = text, .size = size};
}

char data_json_peek(data_json *json)
{
    while (take(json, ' ') || take(json, '\t') || take(json, '\n') || take(json, '\r'))
        ;
    return peek(json);
}

bool data_json_enter(data_json *json, char open)
{
    if (json->problem)
        return false;
    data_json_peek(json);
    return take(json, open) || note_problem(json, open == '{' ? "an object was expected" : "an array was expected");
}

bool data_json_more(data_json *json, char close, size_t *count)
{
    if (json->problem)
        return false;
    data_json_peek(json);
    if (take(json, close))
        return false;
    if (*count > 0 && !take(json, ','))
        return note_problem(json, close == '}' ? "',' or '}' was expected" : "',' or ']' was expected");
    ++*count; /* a value must follow a comma; the closing mark is not one, so the next read refuses "[1,]" */
    return true;
}

/* ---- Strings (RFC 8259, section 7) ------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four hexadecimal digits of \uXXXX. */
static bool read_hex4(data_json *json, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(peek(json));
        if (digit < 0)
            return note_problem(json, "\\u needs four hexadecimal digits");
        *value = *value * 16 + (uint32_t)digit;
        json->at++;
    }
    return true;
}

/* Reads what follows "\u": a code point, or a surrogate pair for one above U+FFFF. */
static bool read_code_point(data_json *json, uint32_t *code)
{
    uint32_t low;
    if (!read_hex4(json, code))
        return false;
    if (*code == 0)
        return note_problem(json, "\\u0000 cannot stand in a name");
    if (*code < 0xD800 || *code > 0xDFFF)
        return true;
    if (*code > 0xDBFF || !take(json, '\\') || !take(json, 'u'))
        return note_problem(json, "half of a surrogate pair stands alone");
    if (!read_hex4(json, &low))
        return false;
    if (low < 0xDC00 || low > 0xDFFF)
        return note_problem(json, "half of a surrogate pair stands alone");
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

/* Reads what follows a backslash. */
static bool read_escape(data_json *json, char **out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint32_t code;
    for (int i = 0; letters[i]; i++) {
        if (take(json, letters[i])) {
            *(*out)++ = meanings[i];
            return true;
        }
    }
    if (!take(json, 'u'))
        return note_problem(json, "a backslash is followed by no known escape");
    if (!read_code_point(json, &code))
        return false;
    char utf8[5];
    int length = ag_utf8_print(code, utf8);
    memcpy(*out, utf8, (size_t)length);
    *out += length;
    return true;
}

bool data_json_string(data_json *json, char *out)
{
    if (json->problem)
        return false;
    data_json_peek(json);
    if (!take(json, '"'))
        return note_problem(json, "a string was expected");
    while (!take(json, '"')) {
        if ((unsigned char)peek(json) < 0x20)
            return note_problem(json, "a control character stands in a string");
        if (!take(json, '\\'))
            *out++ = json->text[json->at++];
        else if (!read_escape(json, &out))
            return false;
    }
    *out = '\0';
    return true;
}

bool data_json_key(data_json *json, char *out)
{
    if (!data_json_string(json, out))
        return false;
    data_json_peek(json);
    return take(json, ':') || note_problem(json, "':' was expected");
}

/* ---- Numbers (section 6), literals and the end ------------------------------------- */

bool data_json_u64(data_json *json, uint64_t *value)
{
    static const char expected[] = "a whole number without sign, fraction or exponent was expected";
    if (json->problem)
        return false;
    data_json_peek(json);
    size_t start = json->at;
    *value = 0;
    for (; peek(json) >= '0' && peek(json) <= '9'; json->at++) {
        uint64_t digit = (uint64_t)(peek(json) - '0');
        if (json->at > start && json->text[start] == '0')
            return note_problem(json, "a number begins with 0");
        if (*value > (UINT64_MAX - digit) / 10)
            return note_problem(json, "a number is above 2^64 - 1");
        *value = *value * 10 + digit;
    }
    if (json->at == start || peek(json) == '.' || peek(json) == 'e' || peek(json) == 'E')
        return note_problem(json, expected);
    return true;
}

static bool digit_follows(const data_json *json)
{
    return peek(json) >= '0' && peek(json) <= '9';
}

static bool take_digits(data_json *json)
{
    size_t start = json->at;
    while (digit_follows(json))
        json->at++;
    return json->at > start || note_problem(json, "a digit was expected");
}

/* [ minus ] int [ frac ] [ exp ] */
static bool take_number(data_json *json)
{
    take(json, '-');
    if (!digit_follows(json))
        return note_problem(json, "a number was expected");
    if (!take(json, '0'))
        take_digits(json);
    else if (digit_follows(json))
        return note_problem(json, "a number begins with 0");
    if (take(json, '.') && !take_digits(json))
        return false;
    if (!take(json, 'e') && !take(json, 'E'))
        return true;
    if (!take(json, '+'))
        take(json, '-');
    return take_digits(json);
}

/* No double, and no midpoint between two, has more than 768 significant decimal digits.
 * Of the digits after the kept ones it only matters whether all are zeros. */
enum { KEPT_DIGITS = 780, DECIMAL_TEXT = KEPT_DIGITS + 32 };

/* Rewrites a number as a whole number of few digits and a power of ten, zero-terminated:
 * of the same value, or at least between the same two neighbouring doubles and midpoints,
 * so that the nearest double is the same. */
static void shorten(const char *number, size_t size, char text[DECIMAL_TEXT])
{
    enum { POWER_LIMIT = 100000 }; /* far beyond what KEPT_DIGITS digits can bring back
                                    * into a double's range */
    size_t at = 0, kept = 0, length = 0;
    int64_t power = 0, written = 0;
    bool fraction = false, more = false;
    if (number[at] == '-')
        text[length++] = number[at++];
    for (; at < size && number[at] != 'e' && number[at] != 'E'; at++) {
        if (number[at] == '.') {
            fraction = true;
            continue;
        }
        bool dropped = kept == KEPT_DIGITS;
        power += dropped - fraction;
        more = more || (dropped && number[at] != '0');
        if (!dropped && (kept > 0 || number[at] != '0')) {
            text[length++] = number[at];
            kept++;
        }
    }
    bool negative = at + 1 < size && number[at + 1] == '-';
    for (; at < size; at++)
        if (number[at] >= '0' && number[at] <= '9' && written < INT64_MAX / 20)
            written = 10 * written + (number[at] - '0');
    power += negative ? -written : written;
    power = power > POWER_LIMIT ? POWER_LIMIT : power < -POWER_LIMIT ? -POWER_LIMIT : power;
    snprintf(text + length, DECIMAL_TEXT - length, more ? "1e%lld" : "0e%lld", (long long)power - 1);
}

/* 15 digits are the most readable, 17 always read back exactly. */
void data_number_print(double value, char *text, size_t size)
{
    for (int digits = 15; digits <= 17; digits++) {
        ag_text_print(text, size, "%.*g", digits, value);
        if (ag_number_read(text, NULL) == value)
            return;
    }
}

bool data_json_number(data_json *json, double *value)
{
    char text[DECIMAL_TEXT];
    if (json->problem)
        return false;
    data_json_peek(json);
    size_t start = json->at;
    if (!take_number(json))
        return false;
    shorten(json->text + start, json->at - start, text);
    *value = ag_number_read(text, NULL);
    if (isfinite(*value))
        return true;
    json->at = start;
    return note_problem(json, "a number is too large");
}

static bool take_word(data_json *json, const char *word, const char *problem)
{
    for (; *word; word++)
        if (!take(json, *word))
            return note_problem(json, problem);
    return true;
}

bool data_json_bool(data_json *json, bool *value)
{
    if (json->problem)
        return false;
    *value = data_json_peek(json) == 't';
    return take_word(json, *value ? "true" : "false", "true or false was expected");
}

bool data_json_null(data_json *json)
{
    if (json->problem)
        return false;
    data_json_peek(json);
    return take_word(json, "null", "null was expected");
}

bool data_json_finish(data_json *json)
{
    if (json->problem)
        return false;
    data_json_peek(json);
    return json->at == json->size || note_problem(json, "something follows the end");
}
