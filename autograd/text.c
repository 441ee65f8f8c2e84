/* text.c - numbers and the system's words as text, the same in every locale.
 *
 * A program may have called setlocale: then printf and strtod of the C library write and
 * read a decimal comma, and strerror speaks another language. The functions here do their
 * work in the C locale, which they set for the calling thread alone and take back at
 * once. In glibc and musl the C locale is a constant, which takes no memory. A NaN is
 * printed as "nan", without the sign that the C library gives it on some machines. */
#include "text.h"

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

/* The C locale, and the locale that the calling thread had before. */
typedef struct c_locale {
    locale_t plain, before;
} c_locale;

/* Returns false if the system makes its C locale in memory and has none left. */
static bool enter_c_locale(c_locale *s)
{
    s->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    s->before = s->plain ? uselocale(s->plain) : (locale_t)0;
    return s->plain != (locale_t)0;
}

static void leave_c_locale(const c_locale *s)
{
    uselocale(s->before);
    freelocale(s->plain);
}

/* ---- Printing ---------------------------------------------------------------------- */

/* Conversions go to the C library one by one, since it prints the sign of a NaN ("-nan"),
 * which depends on the processor and means nothing. */

enum { CONVERSION_SIZE = 64 };

/* A va_list in a struct, so that functions can take arguments from it in turn. */
typedef struct argument_list {
    va_list list;
} argument_list;

/* Copies the conversion that begins at `at`, "%-8.*f", with numbers for its stars.
 * Returns where it ends. */
static const char *read_conversion(const char *at, argument_list *from, char text[CONVERSION_SIZE])
{
    size_t size = 0;
    text[size++] = *at++;
    while (*at && size < CONVERSION_SIZE - 12) {
        if (*at == '*')
            size += (size_t)snprintf(text + size, CONVERSION_SIZE - size, "%d", va_arg(from->list, int));
        else
            text[size++] = *at;
        if (strchr("diouxXeEfFgGaAcsp%", *at++))
            break;
    }
    text[size] = 0;
    return at;
}

/* Prints the next argument by `conversion`; as snprintf. */
static int print_conversion(char *text, size_t size, const char *conversion, argument_list *from)
{
#define PRINT(type) snprintf(text, size, conversion, va_arg(from->list, type))
#define PRINT_WHOLE(sign)                                                                                              \
    (two_l ? PRINT(sign long long) : before == 'l' ? PRINT(sign long) : before == 'z' ? PRINT(size_t) : PRINT(sign int))
    const size_t length = strlen(conversion);
    const char kind = conversion[length - 1];
    if (kind == '%') /* "%%", or a format that ends in "%" */
        return snprintf(text, size, "%%");
    const char before = conversion[length - 2];
    const bool two_l = before == 'l' && conversion[length - 3] == 'l';
    if (kind == 's')
        return PRINT(const char *);
    if (kind == 'p')
        return PRINT(void *);
    if (strchr("eEfFgGaA", kind)) {
        const double value = va_arg(from->list, double);
        return snprintf(text, size, conversion, isnan(value) ? fabs(value) : value);
    }
    return strchr("ouxX", kind) ? PRINT_WHOLE(unsigned) : PRINT_WHOLE(signed);
#undef PRINT_WHOLE
#undef PRINT
}

/* As vsnprintf, in the locale of the thread. */
static int print_format(char *text, size_t size, const char *format, argument_list *from)
{
    size_t length = 0;
    while (*format) {
        char conversion[CONVERSION_SIZE], *at = length < size ? text + length : NULL;
        const size_t room = length < size ? size - length : 0, plain = strcspn(format, "%");
        int added = (int)plain;
        if (plain > 0) {
            added = snprintf(at, room, "%.*s", added, format);
            format += plain;
        } else {
            format = read_conversion(format, from, conversion);
            added = print_conversion(at, room, conversion, from);
        }
        if (added < 0)
            return added;
        length += (size_t)added;
    }
    return (int)length;
}

int ag_text_print_list(char *text, size_t size, const char *format, va_list list)
{
    c_locale s;
    argument_list from;
    if (size > 0)
        *text = 0;
    if (!enter_c_locale(&s))
        return -1;
    va_copy(from.list, list);
    int length = print_format(text, size, format, &from);
    va_end(from.list);
    leave_c_locale(&s);
    return length;
}

int ag_text_print(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = ag_text_print_list(text, size, format, arguments);
    va_end(arguments);
    return length;
}

double ag_number_read(const char *text, const char **end)
{
    c_locale s;
    char *after = NULL;
    double value = NAN;
    if (enter_c_locale(&s)) {
        value = strtod(text, &after);
        leave_c_locale(&s);
    }
    if (end)
        *end = after ? after : text;
    return value;
}

char *ag_reason_print(int number, char text[AG_REASON_TEXT])
{
    c_locale s;
    bool found = false;
    if (enter_c_locale(&s)) {
        found = strerror_r(number, text, AG_REASON_TEXT) == 0;
        leave_c_locale(&s);
    }
    if (!found)
        snprintf(text, AG_REASON_TEXT, "error number %d of the system", number);
    return text;
}
