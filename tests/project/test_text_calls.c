/* test_text_calls.c - what depends on the locale is called in one file of the library
 * alone, autograd/text.c: reads every source and fails where numbers are printed or read,
 * or letters compared, by the C library's own functions.
 *
 * Whole numbers are the same in every locale: "%d" of snprintf is fine, "%g" is
 * ag_text_print's. The command may print as it likes: it is a program that never calls
 * setlocale, which is tested, too. Runs in the project's folder. */
#include "check_util.h"
#include "source_files.h"

#include <ctype.h>
#include <string.h>

static bool is_one_of(const char *word, const char *words)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

/* Functions that take their rules from the locale, whatever their arguments. */
static const char always[] =
    "vprintf vfprintf vsprintf vsnprintf vdprintf strtod strtof strtold atof strerror strerror_r perror strftime "
    "localeconv nl_langinfo setlocale newlocale uselocale strcoll strxfrm strcasecmp strncasecmp tolower toupper "
    "isalpha isdigit isalnum isspace isblank isupper islower ispunct isprint isgraph iscntrl isxdigit wcwidth wcswidth "
    "mbtowc mbrtowc mbstowcs mbsrtowcs mblen mbrlen wctomb wcrtomb wcstombs btowc iswprint iswspace iswalpha towlower";
/* Functions that do so if their format has numbers with fractions. */
static const char by_format[] = "printf fprintf sprintf snprintf dprintf asprintf scanf fscanf sscanf";

/* Whether a format converts a number with a fraction, or groups digits ('). */
static bool format_needs_locale(const char *format, size_t size)
{
    for (size_t at = 0; at < size; at++) {
        if (format[at] != '%')
            continue;
        size_t length = strspn(format + ++at, "0123456789+-#.* hljztLq'");
        if (at + length < size && (strchr("aAeEfFgG", format[at + length]) || memchr(format + at, '\'', length)))
            return true;
        at += length;
    }
    return false;
}

/* Whether a string within the parentheses that open at `at` is a format that needs the
 * locale. */
static bool call_needs_locale(const char *at)
{
    int depth = 0;
    while (*at) {
        const char *end = test_skip_quoted(at);
        if (*at == '"' && format_needs_locale(at, (size_t)(end - at)))
            return true;
        depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
        if (depth == 0)
            return false;
        at = end > at ? end : at + 1;
    }
    return false;
}

/* The first call in a source of one of the words or, where `formats`, with a format that
 * needs the locale. NULL: there is none. */
static const char *find_call(const char *source, const char *words, bool formats)
{
    static char word[64];
    for (const char *at = source; *at;) {
        const char *end = test_skip_quoted(at);
        if (end > at) {
            at = end;
            continue;
        }
        size_t length = 0;
        while (isalnum((unsigned char)at[length]) || at[length] == '_')
            length++;
        if (length > 0 && length < sizeof word && at[length] == '(') {
            memcpy(word, at, length);
            word[length] = 0;
            if (is_one_of(word, words) || (formats && is_one_of(word, by_format) && call_needs_locale(at + length)))
                return word;
        }
        at += length > 0 ? length : 1;
    }
    return NULL;
}

static void check_library_source(const char *path, const char *text)
{
    const char *call = strcmp(path, "autograd/text.c") ? find_call(text, always, true) : NULL;
    ck_assert_msg(call == NULL, "%s calls %s, which depends on the locale: see autograd/text.c", path, call);
}

START_TEST(test_the_library)
{
    for (const char *const *layer = test_layer_folders; *layer; layer++)
        if (strcmp(*layer, "cli"))
            ck_assert_msg(test_visit_sources(*layer, check_library_source) > 0, "no sources in %s", *layer);
}
END_TEST

static void check_program_source(const char *path, const char *text)
{
    const char *call = find_call(text, "setlocale uselocale newlocale", false);
    ck_assert_msg(call == NULL, "%s calls %s: the command and the bench print in the C locale", path, call);
}

START_TEST(test_programs_do_not_set_a_locale)
{
    ck_assert_int_gt(test_visit_sources("cli", check_program_source), 0);
    ck_assert_int_gt(test_visit_sources("bench", check_program_source), 0);
}
END_TEST

/* The reader itself. */
START_TEST(test_calls_are_seen)
{
    static const char *const good[] = {
        "snprintf(text, 8, \"%d %s %5.3lld%%g\", 1);", "/* strtod(x) */ int a;", "puts(\"strtod(x)\");",
        "// strtod(x)\nint a;", "ag_text_print(text, 8, \"%g\", x);",
        "snprintf(text, 8, \"%d\", f(\"a)b\"), 2), g(\"%g\");",
        "int printf_count(void);", "my_isspace(c);"};
    static const char *const bad[] = {
        "snprintf(text, 8, \"%g\", x);", "fprintf(f, \"a\" \"b %-+5.*f\", 3, x);", "printf(c ? \"x\" : \"%.3e\", x);",
        "sscanf(text, \"%lf\", &x);", "x = strtod(t, &e);", "vsnprintf(t, 8, f, a);", "if (isspace(c))",
        "printf(\"%'d\", 3);", "snprintf(text, 8, \"(%s) %a\", s, x);", "char q = '\"'; printf(\"%g\", x);"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(!find_call(good[i], always, true), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(find_call(bad[i], always, true) != NULL, "%s", bad[i]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("text_calls");
    TCase *c = tcase_create("sources");
    tcase_add_test(c, test_the_library);
    tcase_add_test(c, test_programs_do_not_set_a_locale);
    tcase_add_test(c, test_calls_are_seen);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
