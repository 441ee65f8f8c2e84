/* train_fixture.h - a small model, its sets and a folder, for the tests of training. */
#ifndef TESTS_TRAIN_FIXTURE_H
#define TESTS_TRAIN_FIXTURE_H

#include "check_util.h"
#include "train.h"

typedef struct train_fixture {
    data_set *training, *dev;
    nn_model *model;
    char *folder; /* an empty one, removed at the end */
    char *out;    /* folder/run, not there yet */
} train_fixture;

/* The task `name` with texts of min_length to max_length symbols, and a model of this
 * kind with `width` for d_model, 2 heads and a layer on each side. */
train_fixture train_fixture_new(const char *name, int min_length, int max_length, nn_model_kind kind, int width,
                                double dropout);
void train_fixture_clear(train_fixture *fixture);
/* Saves a new model of `config` in folder/name and returns the path, to be freed. The
 * letters of `source` and `target` are the tokens of its vocabularies, which give the
 * sizes of those in the configuration. *model becomes the model, to be freed; NULL: it is
 * not wanted. */
char *train_fixture_save(const char *folder, const char *name, nn_model_config config, data_token_kind tokens,
                         const char *source, const char *target, uint64_t seed, nn_model **model);
/* Draws the model's parameters again. */
void train_fixture_redraw(train_fixture *fixture, uint64_t seed);

#endif
