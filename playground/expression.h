/* expression.h - a small expression with numbers for its names, on a tape. */
#ifndef PLAYGROUND_EXPRESSION_H
#define PLAYGROUND_EXPRESSION_H

#include "study.h"

enum {
    EXPRESSION_TEXT = 200, /* the most characters of an expression, and of its values */
    EXPRESSION_NAMES = 8,  /* the most names */
    EXPRESSION_NAME = 16,  /* the room for one, in bytes */
    EXPRESSION_VALUES = 6, /* the most numbers of a name */
    EXPRESSION_DEPTH = 24, /* the most brackets, signs and powers inside one another */
    EXPRESSION_MOST = 40   /* the most operations */
};

/* The names of an expression, as study_tape takes them. */
typedef struct expression_names {
    study_name items[EXPRESSION_NAMES]; /* [count] */
    char texts[EXPRESSION_NAMES][EXPRESSION_NAME];
    int count;
} expression_names;

/* Computes the expression on the tape. `values` gives each name a number or several,
 * "w=3 x=[1 2] b=-1", which become variables. The expression has
 *
 *     numbers, names, ( ), + - * / ^, where ^ binds closest and -x^2 is -(x^2);
 *     exp log sqrt tanh sigmoid relu silu of each element;
 *     sum mean max, of all elements.
 *
 * The result is one number, and has at least one operation. NULL, and *error says at which
 * character what was expected, or what an operation refused; the tape may then have the
 * error too. The names refer to `names`. */
ag_tensor *expression_build(ag_tape *tape, const char *text, const char *values, expression_names *names,
                            ag_error *error);

#endif
