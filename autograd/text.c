/* text.c - numbers and the system's words as text, the same in every locale.
 *
 * A program may have called setlocale: then printf and strtod of the C library write and read a decimal comma, and
 * strerror speaks another language. The functions here do their work in the C locale, which they set for the calling
 * thread alone and take back at once. In glibc and musl the C locale is a constant, which takes no memory. What is no
 * number is "nan", without the sign that the C library gives it on some machines. */
#include "autograd.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

/* The C locale, and the one of the calling thread until then. */
typedef struct scope {
    locale_t plain, before;
} scope;

/* False where a system that makes its C locale in memory has none left. */
static bool enter(scope *s)
{
    s->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    s->before = s->plain ? uselocale(s->plain) : (locale_t)0;
    return s->plain != (locale_t)0;
}

static void leave(const scope *s)
{
    uselocale(s->before);
    freelocale(s->plain);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* A number that is none has no sign, though the C library prints one. Returns how many signs it took away. */
static int drop_signs(char *text)
{
    int dropped = 0;
    for (char *at = text; (at = strstr(at, "-nan")); at++)
        if ((at == text || !is_letter(at[-1])) && !is_letter(at[4])) {
            memmove(at, at + 1, strlen(at));
            dropped++;
        }
    return dropped;
}

int ag_text_print_list(char *text, size_t size, const char *format, va_list arguments)
{
    scope s;
    if (size > 0)
        *text = 0;
    if (!enter(&s))
        return -1;
    int length = vsnprintf(text, size, format, arguments);
    leave(&s);
    return size > 0 && length >= 0 ? length - drop_signs(text) : length;
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
    scope s;
    char *behind = NULL;
    double value = NAN;
    if (enter(&s)) {
        value = strtod(text, &behind);
        leave(&s);
    }
    if (end)
        *end = behind ? behind : text;
    return value;
}

char *ag_reason_print(int number, char text[AG_REASON_TEXT])
{
    scope s;
    bool found = false;
    if (enter(&s)) {
        found = strerror_r(number, text, AG_REASON_TEXT) == 0;
        leave(&s);
    }
    if (!found)
        snprintf(text, AG_REASON_TEXT, "error number %d of the system", number);
    return text;
}
