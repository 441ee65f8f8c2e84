/* expression.c - see expression.h. Recursive descent: a function for each level of
 * binding, which reads what it knows at `at` and moves on. */
#include "expression.h"

#include <math.h>
#include <string.h>

typedef struct reader {
    ag_tape *tape;
    expression_names *names;
    const char *what, *text, *at; /* "expression" or "list of values"; all of it; what is next */
    int depth;
    ag_error *error;
} reader;

/* ---- Errors ------------------------------------------------------------------------ */

/* Characters, which may have several bytes, up to `end`. */
static int count_characters(const char *text, const char *end)
{
    int count = 0;
    for (; text < end && *text; text++)
        count += (*text & 0xC0) != 0x80;
    return count;
}

/* "character 4 of the expression, at ") + 2": expected .." */
static ag_tensor *fail_at(reader *r, const char *at, const char *sentence)
{
    if (*at)
        ag_error_set(r->error, AG_BAD_VALUE, "character %d of the %s, at \"%.20s\": %s",
                     count_characters(r->text, at) + 1, r->what, at, sentence);
    else
        ag_error_set(r->error, AG_BAD_VALUE, "the %s ends too early: %s", r->what, sentence);
    return NULL;
}

/* The result of the operation that stands at `at`; NULL, and the error, if it was refused. */
static ag_tensor *made(reader *r, const char *at, ag_tensor *y)
{
    return y ? y : fail_at(r, at, ag_tape_error(r->tape)->message);
}

/* ---- Words ------------------------------------------------------------------------- */

static void skip_space(reader *r)
{
    while (*r->at == ' ')
        r->at++;
}

/* Moves past the character if it is next. */
static bool take(reader *r, char c)
{
    skip_space(r);
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

static bool begins_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The length of the name that is next; 0 if there is none. */
static size_t name_length(reader *r)
{
    size_t length = 0;
    skip_space(r);
    while (begins_name(r->at[length]) || (length && r->at[length] >= '0' && r->at[length] <= '9'))
        length++;
    return length;
}

static bool is_word(const char *word, const char *at, size_t length)
{
    return strlen(word) == length && !strncmp(word, at, length);
}

static bool read_number(reader *r, double *number)
{
    const char *end;
    skip_space(r);
    *number = ag_number_read(r->at, &end);
    if (end == r->at || !isfinite((ag_real)*number))
        return false;
    r->at = end;
    return true;
}

/* ---- The values -------------------------------------------------------------------- */

/* Reads "3" or "[1 2 3]" as the value of the newest name. */
static bool read_value(reader *r)
{
    ag_real numbers[EXPRESSION_VALUES];
    int64_t count = 0;
    const bool several = take(r, '[');
    do {
        double number;
        if (count == EXPRESSION_VALUES)
            return fail_at(r, r->at, "a name has at most 6 numbers");
        if (!read_number(r, &number))
            return fail_at(r, r->at, several ? "expected a number or \"]\"" : "expected a number, as in \"x=3\"");
        numbers[count++] = (ag_real)number;
    } while (several && !take(r, ']'));
    expression_names *names = r->names;
    ag_tensor *x = ag_variable(r->tape, several ? AG_SHAPE(count) : AG_SCALAR, numbers);
    names->items[names->count] = (study_name){x, names->texts[names->count]};
    names->count++;
    return made(r, r->at, x) != NULL;
}

static ag_tensor *find_name(const expression_names *names, const char *at, size_t length)
{
    for (int i = 0; i < names->count; i++)
        if (is_word(names->texts[i], at, length))
            return (ag_tensor *)names->items[i].tensor;
    return NULL;
}

static bool read_values(reader *r)
{
    while (skip_space(r), *r->at) {
        const size_t length = name_length(r);
        if (!length || length >= EXPRESSION_NAME)
            return fail_at(r, r->at, "expected a short name and its number, as in \"x=3\"");
        if (find_name(r->names, r->at, length))
            return fail_at(r, r->at, "this name has a number already");
        if (r->names->count == EXPRESSION_NAMES)
            return fail_at(r, r->at, "at most 8 names can have numbers");
        memcpy(r->names->texts[r->names->count], r->at, length);
        r->names->texts[r->names->count][length] = 0;
        r->at += length;
        if (!take(r, '='))
            return fail_at(r, r->at, "expected \"=\" and a number");
        if (!read_value(r))
            return false;
        take(r, ',');
    }
    return true;
}

/* ---- The expression ---------------------------------------------------------------- */

static ag_tensor *read_sum(reader *r);

static ag_tensor *sum_of(ag_tensor *x)
{
    return ag_sum(x, AG_ALL_AXES, false);
}

static ag_tensor *mean_of(ag_tensor *x)
{
    return ag_mean(x, AG_ALL_AXES, false);
}

static ag_tensor *max_of(ag_tensor *x)
{
    return ag_max(x, AG_ALL_AXES, false);
}

static const struct {
    const char *name;
    ag_tensor *(*apply)(ag_tensor *x);
} functions[] = {{"exp", ag_exp},   {"log", ag_log},   {"sqrt", ag_sqrt}, {"tanh", ag_tanh}, {"sigmoid", ag_sigmoid},
                 {"relu", ag_relu}, {"silu", ag_silu}, {"sum", sum_of},   {"mean", mean_of}, {"max", max_of}};

/* Reads the sum inside brackets and the closing one; the opening one has been read. */
static ag_tensor *read_bracket(reader *r)
{
    ag_tensor *x = read_sum(r);
    if (x && !take(r, ')'))
        return fail_at(r, r->at, "expected an operation or \")\"");
    return x;
}

/* A name, or a function and its bracket. */
static ag_tensor *read_word(reader *r, size_t length)
{
    const char *word = r->at;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (is_word(functions[i].name, word, length)) {
            r->at += length;
            if (!take(r, '('))
                return fail_at(r, r->at, "expected \"(\" after the name of a function");
            ag_tensor *x = read_bracket(r);
            return x ? made(r, word, functions[i].apply(x)) : NULL;
        }
    ag_tensor *x = find_name(r->names, word, length);
    if (!x)
        return fail_at(r, word,
                       "this is no name with a number, and no function: exp, log, sqrt, tanh, sigmoid, relu, silu, "
                       "sum, mean, max");
    r->at += length;
    return x;
}

static ag_tensor *read_atom(reader *r)
{
    double number;
    const size_t length = name_length(r);
    const char *at = r->at;
    if (length)
        return read_word(r, length);
    if (take(r, '('))
        return read_bracket(r);
    if (*at != '-' && *at != '+' && read_number(r, &number)) {
        const ag_real value = (ag_real)number;
        return made(r, at, ag_constant(r->tape, AG_SCALAR, &value));
    }
    return fail_at(r, at, "expected a number, a name or \"(\"");
}

/* -x, x, or a power, which binds closer than the sign before it. */
static ag_tensor *read_factor(reader *r)
{
    ag_tensor *x, *exponent;
    skip_space(r);
    const char *at = r->at;
    if (r->depth == EXPRESSION_DEPTH)
        return fail_at(r, at, "there are too many brackets, signs or powers inside one another");
    r->depth++;
    if (take(r, '-')) {
        x = read_factor(r);
        x = x ? made(r, at, ag_neg(x)) : NULL;
    } else if ((x = read_atom(r)) && take(r, '^')) {
        at = r->at - 1;
        exponent = read_factor(r);
        x = exponent ? made(r, at, ag_pow(x, exponent)) : NULL;
    }
    r->depth--;
    return x;
}

static ag_tensor *read_product(reader *r)
{
    ag_tensor *x = read_factor(r);
    while (x && (take(r, '*') || take(r, '/'))) {
        const char *at = r->at - 1;
        ag_tensor *y = read_factor(r);
        x = y ? made(r, at, (*at == '*' ? ag_mul : ag_div)(x, y)) : NULL;
    }
    return x;
}

static ag_tensor *read_sum(reader *r)
{
    ag_tensor *x = read_product(r);
    while (x && (take(r, '+') || take(r, '-'))) {
        const char *at = r->at - 1;
        ag_tensor *y = read_product(r);
        x = y ? made(r, at, (*at == '+' ? ag_add : ag_sub)(x, y)) : NULL;
    }
    return x;
}

/* ---- All of it --------------------------------------------------------------------- */

/* Refuses a result that has no backward, or more operations than a picture can show. */
static ag_tensor *check_result(reader *r, ag_tensor *y)
{
    int operations = 0;
    for (const ag_node *node = ag_tape_last(r->tape); node; node = ag_node_before(node))
        operations++;
    const char *problem = operations > EXPRESSION_MOST ? "the expression has too many operations for a picture"
                          : !y->node                   ? "the expression has no operation yet: write one, such as w * x"
                          : !y->needs_grad             ? "the expression has no name in it, by which to differentiate"
                          : y->size != 1 ? "the result has several numbers: make one of them by sum( ) or mean( )"
                                         : NULL;
    if (problem)
        ag_error_set(r->error, AG_BAD_VALUE, "%s", problem);
    return problem ? NULL : y;
}

ag_tensor *expression_build(ag_tape *tape, const char *text, const char *values, expression_names *names,
                            ag_error *error)
{
    reader numbers = {
        .tape = tape, .names = names, .what = "list of values", .text = values, .at = values, .error = error};
    reader r = {.tape = tape, .names = names, .what = "expression", .text = text, .at = text, .error = error};
    names->count = 0;
    if (strlen(text) > EXPRESSION_TEXT || strlen(values) > EXPRESSION_TEXT) {
        ag_error_set(error, AG_BAD_VALUE, "an expression and its values have at most %d characters each",
                     EXPRESSION_TEXT);
        return NULL;
    }
    if (!read_values(&numbers))
        return NULL;
    ag_tensor *y = read_sum(&r);
    if (y && *r.at)
        return fail_at(&r, r.at, "expected an operation: + - * / ^");
    return y ? check_result(&r, y) : NULL;
}
