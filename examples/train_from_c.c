/* train_from_c.c - a whole training from C: a model learns to reverse words, and is shown words that it never saw.
 *
 * Data, model, training and use are a call each, with a struct of options in which zero means the default. */
#include <tapeformer/train.h>

/* Called after each step; those with an evaluation on the dev set are worth a line. */
static void show_progress(void *context, const train_progress *progress)
{
    (void)context;
    if (progress->dev)
        printf("step %lld of %lld: loss %.4f, exact match %.1f %%\n", (long long)progress->step,
               (long long)progress->steps, progress->dev->loss, 100 * progress->dev->exact_match);
}

static void show_word(void *context, const char *source, const char *output, const char *target, bool correct)
{
    (void)context;
    printf("%s -> %s%s%s\n", source, output, correct ? "" : ", but it is ", correct ? "" : target);
}

static nn_model *make_model(const data_set *set, ag_error *error)
{
    const int32_t source = data_vocab_size(data_set_source_vocab(set));
    const int32_t target = data_vocab_size(data_set_target_vocab(set));
    const nn_model_config config = {
        .source_vocab = source, .target_vocab = target, .d_model = 64, .encoder_layers = 1, .decoder_layers = 1};
    return nn_model_new(&config, 1, error);
}

static ag_status train(nn_model *model, data_set *training, data_set *dev, ag_error *error)
{
    const train_options options = {
        .steps = 1200, .rate = 3e-3, .threads = 1, .evaluate_every = 300, .on_progress = show_progress};
    const train_evaluation words = {.max_sources = 4, .decode = true, .threads = 1, .on_output = show_word};
    train_result result = {0};
    train_metrics metrics;
    ag_status status = train_run(model, training, dev, &options, &result, error);
    printf("exact match on %lld words: %.1f %%\n", (long long)result.best.sources, 100 * result.best.exact_match);
    return status == AG_OK ? train_evaluate(model, dev, &words, &metrics, error) : status;
}

int main(void)
{
    ag_error error = {0};
    const data_task *reverse = data_task_find("reverse");
    data_set_options options = {.part = DATA_TRAIN, .min_length = 3, .max_length = 8};
    data_set *training = data_set_task(reverse, &options, &error);
    options.part = DATA_DEV; /* words that are kept from training, whatever its seed */
    options.count = 500;
    data_set *dev = data_set_task(reverse, &options, &error);
    nn_model *model = training && dev ? make_model(training, &error) : NULL;
    const bool done = model && train(model, training, dev, &error) == AG_OK;
    if (!done)
        puts(error.message);
    nn_model_free(model);
    data_set_free(dev);
    data_set_free(training);
    return done ? 0 : 1;
}
