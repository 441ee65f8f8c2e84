/* subject_util.c - a small model with one padded example, for the tests of influence and
 * leaks. */
#include "subject_util.h"

#include <stdio.h>

static void pad(int32_t *tokens, int32_t *length, int64_t positions, int32_t count, ag_rng *rng, int32_t vocab)
{
    for (int64_t t = 0; t < positions; t++)
        tokens[t] = t < count ? 3 + (int32_t)ag_rng_below(rng, (uint64_t)vocab - 3) : 0;
    *length = count;
}

void test_subject_init(test_subject *s, nn_model_config config, test_sizes sizes)
{
    s->model = test_model(config, 1);
    s->masks = test_quiet_tape();
    test_batch_fill(&s->batch, s->model, 1, sizes.source, sizes.target, 2);
    ag_rng rng = ag_rng_make(3, 0);
    if (s->batch.input.source)
        pad(s->batch.source, s->batch.source_lengths, sizes.source, sizes.source_tokens, &rng,
            s->model->config.source_vocab);
    if (s->batch.input.target)
        pad(s->batch.target, s->batch.target_lengths, sizes.target, sizes.target_tokens, &rng,
            s->model->config.target_vocab);
    s->subject = (study_subject){.model = s->model, .input = &s->batch.input, .threads = 1};
}

void test_subject_clear(test_subject *s)
{
    nn_model_free(s->model);
    ag_tape_free(s->masks);
}

study_leaks test_leaks_find(const test_subject *s)
{
    ag_error error = {0};
    study_leaks leaks;
    ck_assert_msg(study_leaks_find(&s->subject, &leaks, &error) == AG_OK, "%s", error.message);
    return leaks;
}

void test_leaks_show(const study_leaks *leaks)
{
    for (int64_t n = 0; n < leaks->count && n < 20; n++) {
        const study_leak *leak = &leaks->items[n];
        printf("%s %lld<-%s %lld %s %g\n", leak->layer, (long long)leak->i, leak->side, (long long)leak->j,
               leak->forbidden ? "forbidden" : "allowed", leak->influence);
    }
}

void test_leaks_none(const study_leaks *leaks, const char *what)
{
    if (leaks->count)
        test_leaks_show(leaks);
    ck_assert_msg(leaks->count == 0, "%s: %lld leaks", what, (long long)leaks->count);
    ck_assert_int_gt(leaks->allowed, 0);
    ck_assert_int_gt(leaks->forbidden, 0);
}
