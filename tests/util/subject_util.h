/* subject_util.h - a small model with one padded example, for the tests of influence and
 * leaks. */
#ifndef TESTS_SUBJECT_UTIL_H
#define TESTS_SUBJECT_UTIL_H

#include "nn_util.h"
#include "study.h"

typedef struct test_subject {
    study_subject subject; /* the model as it is, one thread */
    nn_model *model;
    test_batch batch; /* its input is the subject's: masks go there */
    ag_tape *masks;   /* where the masks of a test live */
} test_subject;

/* `source` and `target` positions, of which so many are no padding. */
typedef struct test_sizes {
    int64_t source, target;
    int32_t source_tokens, target_tokens;
} test_sizes;

void test_subject_init(test_subject *s, nn_model_config config, test_sizes sizes);
void test_subject_clear(test_subject *s);

/* The leaks; an error fails the test. */
study_leaks test_leaks_find(const test_subject *s);
/* Prints the first of them. */
void test_leaks_show(const study_leaks *leaks);
/* There are none, though there were pairs of both kinds. */
void test_leaks_none(const study_leaks *leaks, const char *what);

#endif
