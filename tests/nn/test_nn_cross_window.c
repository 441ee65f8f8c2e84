/* test_nn_cross_window.c - the window of cross-attention: the mask in force against the
 * formula, and what a model with it sees. */
#include "nn_util.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 4, SOURCE = 7, TARGET = 12 };

/* The batch whose masks are looked at, and the position of the next call's first query. */
typedef struct view {
    const int32_t *lengths; /* NULL: all rows have SOURCE tokens */
    int64_t window, start;
    int looks;
} view;

static void compare_mask(void *context, const char *layer, ag_tensor *weights, const ag_mask *mask)
{
    view *v = context;
    if (!strstr(layer, "multihead_attn"))
        return;
    const int64_t queries = weights->shape.dim[2], keys = weights->shape.dim[3];
    ck_assert_int_eq(keys, SOURCE);
    for (int64_t b = 0; b < ROWS; b++)
        for (int64_t i = 0; i < queries; i++)
            for (int64_t j = 0; j < keys; j++) {
                const int64_t tokens = v->lengths ? v->lengths[b] : SOURCE, t = v->start + i;
                const int64_t aligned = t < tokens ? t : tokens - 1;
                const bool sees = j < tokens && (v->window == 0 || llabs(j - aligned) <= v->window);
                ck_assert_msg(ag_mask_allows(mask, b, 0, i, j) == sees, "window %d, row %d, %d looks at %d",
                              (int)v->window, (int)b, (int)t, (int)j);
            }
    v->looks++;
}

/* Targets much longer than their sources: no query is blind. */
START_TEST(a_whole_pass_has_the_mask_of_the_formula)
{
    for (int window = 0; window <= SOURCE + 1; window++)
        for (int padded = 0; padded <= 1; padded++) {
            nn_model *model = test_model((nn_model_config){.cross_window = window}, 3);
            ag_tape *tape = test_quiet_tape();
            nn_pass pass = test_pass(model, tape);
            test_batch batch;
            test_batch_fill(&batch, model, ROWS, SOURCE, TARGET, 4);
            batch.source_lengths[ROWS - 1] = 1;
            if (!padded)
                batch.input.source_lengths = NULL;
            view v = {.lengths = batch.input.source_lengths, .window = window};
            pass.on_attention = compare_mask;
            pass.context = &v;
            ck_assert_ptr_nonnull(nn_model_apply(model, &pass, &batch.input));
            ck_assert_int_eq(v.looks, 2);
            ck_assert_int_eq(ag_tape_blind_queries(tape), 0);
            ag_tape_free(tape);
            nn_model_free(model);
        }
}
END_TEST

/* By several tokens and by one, of which the mask is made in another way. */
START_TEST(cached_tokens_have_the_mask_of_their_positions)
{
    static const int pieces[] = {1, 3, 1, 1, 4, 1, 1};
    for (int window = 1; window <= SOURCE; window++) {
        nn_model *model = test_model((nn_model_config){.cross_window = window}, 3);
        ag_tape *tape = test_quiet_tape();
        nn_pass pass = test_pass(model, tape);
        test_batch batch;
        nn_cache cache;
        ag_error error = {0};
        test_batch_fill(&batch, model, ROWS, SOURCE, TARGET, 4);
        view v = {.lengths = batch.source_lengths, .window = window};
        ck_assert_int_eq(nn_cache_init(&cache, model, &pass, &batch.input, TARGET, &error), AG_OK);
        pass.on_attention = compare_mask;
        pass.context = &v;
        for (int p = 0; v.start < TARGET; v.start += pieces[p++])
            ck_assert_ptr_nonnull(nn_cache_apply(&cache, model, &pass, batch.target, pieces[p]));
        ck_assert_int_eq(v.looks, 2 * 7);
        ck_assert_int_eq(ag_tape_blind_queries(tape), 0);
        nn_cache_clear(&cache);
        ag_tape_free(tape);
        nn_model_free(model);
    }
}
END_TEST

START_TEST(ranges)
{
    static const struct {
        int window;
        int64_t tokens, t, begin, end;
    } cases[] = {
        {0, 5, 3, 0, 5}, {2, 5, 0, 0, 3}, {2, 5, 2, 0, 5}, {1, 5, 2, 1, 4},
        {1, 5, 4, 3, 5}, {1, 5, 9, 3, 5}, {9, 5, 2, 0, 5}, {1, 0, 0, 0, 0},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const nn_model_config config = {.cross_window = cases[c].window};
        int64_t begin, end;
        nn_cross_range(&config, cases[c].tokens, cases[c].t, &begin, &end);
        ck_assert_msg(begin == cases[c].begin && end == cases[c].end, "case %zu: %d to %d", c, (int)begin, (int)end);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_cross_window");
    TCase *tcase = tcase_create("window");
    tcase_add_test(tcase, a_whole_pass_has_the_mask_of_the_formula);
    tcase_add_test(tcase, cached_tokens_have_the_mask_of_their_positions);
    tcase_add_test(tcase, ranges);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
