/* train_fixture.c - a small model, its sets and a folder, for the tests of training. */
#include "train_fixture.h"

static data_set *make_set(const char *name, int min_length, int max_length, bool tagging, data_part part, int64_t count)
{
    ag_error error = {0};
    data_set_options options = {.part = part,
                                .min_length = min_length,
                                .max_length = max_length,
                                .count = count,
                                .seed = 1,
                                .held_out = 0.2,
                                .tagging = tagging};
    data_set *set = data_set_task(data_task_find(name), &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    return set;
}

train_fixture train_fixture_new(const char *name, int min_length, int max_length, nn_model_kind kind, int width,
                                double dropout)
{
    train_fixture fixture = {0};
    ag_error error = {0};
    bool tagging = kind == NN_ENCODER;
    fixture.training = make_set(name, min_length, max_length, tagging, DATA_TRAIN, 500);
    fixture.dev = make_set(name, min_length, max_length, tagging, DATA_DEV, 40);
    nn_model_config config = {.kind = kind,
                              .source_vocab = data_vocab_size(data_set_source_vocab(fixture.training)),
                              .target_vocab = data_vocab_size(data_set_target_vocab(fixture.training)),
                              .d_model = width,
                              .heads = 2,
                              .encoder_layers = 1,
                              .decoder_layers = 1,
                              .max_length = 32,
                              .dropout = dropout};
    fixture.model = nn_model_new(&config, 7, &error);
    ck_assert_msg(fixture.model != NULL, "%s", error.message);
    fixture.folder = test_folder_new();
    fixture.out = test_path(fixture.folder, "run");
    return fixture;
}

void train_fixture_clear(train_fixture *fixture)
{
    nn_model_free(fixture->model);
    data_set_free(fixture->training);
    data_set_free(fixture->dev);
    test_folder_remove(fixture->folder);
    free(fixture->out);
}

void train_fixture_redraw(train_fixture *fixture, uint64_t seed)
{
    nn_model *model = nn_model_new(&fixture->model->config, seed, NULL);
    ck_assert_ptr_nonnull(model);
    nn_model_free(fixture->model);
    fixture->model = model;
}

static data_vocab *vocab_of(data_token_kind tokens, const char *letters)
{
    data_vocab *vocab = data_vocab_new(tokens, NULL);
    ck_assert_ptr_nonnull(vocab);
    for (; *letters; letters++)
        ck_assert_int_gt(data_vocab_add(vocab, letters, 1), 0);
    return vocab;
}

char *train_fixture_save(const char *folder, const char *name, nn_model_config config, data_token_kind tokens,
                         const char *source, const char *target, uint64_t seed, nn_model **model)
{
    train_saved saved = {.source_vocab = vocab_of(tokens, source), .target_vocab = vocab_of(tokens, target)};
    ag_error error = {0};
    char *path = test_path(folder, name);
    config.source_vocab = data_vocab_size(saved.source_vocab);
    config.target_vocab = data_vocab_size(saved.target_vocab);
    saved.model = nn_model_new(&config, seed, &error);
    ck_assert_msg(saved.model && train_saved_save(&saved, path, true, &error) == AG_OK, "%s", error.message);
    if (model) {
        *model = saved.model;
        saved.model = NULL;
    }
    train_saved_clear(&saved);
    return path;
}
