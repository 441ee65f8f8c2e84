/* test_masked_models.c - what masks promise of whole models: padding, other rows and the
 * way a mask is written change no bit of losses and gradients.
 *
 * Parameters' gradients are sums over all positions [rows, length]. Where padding leaves
 * the places of the tokens as they are, the sums keep every bit; where it moves them, the
 * order of the summands changes, and only that. */
#include "nn_util.h"

#include <math.h>
#include <string.h>

enum { ROWS = 4, SOURCE = 9, TARGET = 7, LONGEST = 360, VOCAB = 50, MOST = 60000 };

static const nn_model_kind kinds[] = {NN_ENCODER_DECODER, NN_ENCODER, NN_DECODER};

/* A batch whose tokens are all different (if they are few), so that each has a row of the
 * embedding's gradient for itself. */
typedef struct example {
    nn_input input;
    int32_t source[ROWS * LONGEST], target[ROWS * LONGEST], labels[ROWS * LONGEST];
    int32_t source_lengths[ROWS], target_lengths[ROWS];
} example;

typedef struct outcome {
    ag_real loss; /* the sum */
    ag_real logits[ROWS * LONGEST * VOCAB], losses[ROWS * LONGEST];
    ag_real gradient[MOST]; /* of all parameters */
    int64_t blind;
} outcome;

static ag_tape *tape;
static nn_model *model;
static example given;
static outcome before, after;
static bool tied; /* whether models that can tie their output do; then a token's gradient is also that of its logits */

/* ---- Examples ---------------------------------------------------------------------- */

/* How many positions the logits have. */
static int64_t length_of(const nn_input *input)
{
    return input->target ? input->target_length : input->source_length;
}

static const int32_t *lengths_of(const nn_input *input)
{
    return input->target ? input->target_lengths : input->source_lengths;
}

static void fill_side(int32_t *tokens, int32_t *lengths, int64_t length)
{
    static const int missing[ROWS] = {0, 3, 5, 1};
    for (int64_t b = 0; b < ROWS; b++) {
        lengths[b] = (int32_t)length - missing[b];
        for (int64_t t = 0; t < length; t++)
            tokens[b * length + t] = t < lengths[b] ? (int32_t)(3 + (b * length + t) % (VOCAB - 3)) : 0;
    }
}

/* A model of this kind, whose other choices go with `form`, and a batch for it. */
static void begin_long(nn_model_kind kind, int form, int64_t source_length, int64_t target_length)
{
    model = test_model((nn_model_config){.kind = kind,
                                         .d_model = 24,
                                         .heads = 3,
                                         .ffn = 40,
                                         .source_vocab = VOCAB,
                                         .target_vocab = VOCAB,
                                         .max_length = LONGEST,
                                         .post_norm = form % 2,
                                         .activation = (ag_activation)(AG_RELU + form % 5),
                                         .tied_output = kind != NN_ENCODER && tied,
                                         .positions = (nn_position_kind)(form % NN_NO_POSITIONS)},
                       1);
    ck_assert_int_le(model->params.size, MOST);
    given = (example){.input = {.rows = ROWS}};
    if (kind != NN_DECODER) {
        fill_side(given.source, given.source_lengths, source_length);
        given.input.source_length = source_length;
        given.input.source = given.source;
        given.input.source_lengths = given.source_lengths;
    }
    if (kind != NN_ENCODER) {
        fill_side(given.target, given.target_lengths, target_length);
        given.input.target_length = target_length;
        given.input.target = given.target;
        given.input.target_lengths = given.target_lengths;
    }
    const int64_t length = length_of(&given.input);
    for (int64_t e = 0; e < ROWS * length; e++)
        given.labels[e] = e % length < lengths_of(&given.input)[e / length] ? (int32_t)(3 + e * 7 % (VOCAB - 3)) : 0;
}

static void begin(nn_model_kind kind, int form)
{
    begin_long(kind, form, SOURCE, TARGET);
}

static void widen(int32_t *tokens, int64_t length, int64_t more, int32_t filler)
{
    int32_t narrow[ROWS * LONGEST];
    memcpy(narrow, tokens, sizeof narrow);
    for (int64_t e = 0; e < ROWS * (length + more); e++) {
        const int64_t b = e / (length + more), t = e % (length + more);
        tokens[e] = t < length ? narrow[b * length + t] : filler;
    }
}

/* `more` positions of `filler` after both sides. */
static void pad(int64_t more, int32_t filler)
{
    widen(given.labels, length_of(&given.input), more, 0);
    if (given.input.source)
        widen(given.source, given.input.source_length, more, filler);
    if (given.input.target)
        widen(given.target, given.input.target_length, more, filler);
    given.input.source_length += given.input.source ? more : 0;
    given.input.target_length += given.input.target ? more : 0;
}

/* Only row `b`, without its padding. */
static nn_input row_alone(int64_t b)
{
    nn_input input = given.input;
    input.rows = 1;
    if (input.source) {
        input.source += b * input.source_length;
        input.source_length = given.source_lengths[b];
        input.source_lengths = NULL;
    }
    if (input.target) {
        input.target += b * input.target_length;
        input.target_length = given.target_lengths[b];
        input.target_lengths = NULL;
    }
    return input;
}

/* ---- Computing and comparing ------------------------------------------------------- */

/* Loss and gradients of the input; `masks` (may be NULL) makes them on the tape. */
static void compute(nn_input input, const int32_t *labels, bool plain, void (*masks)(nn_input *), bool adds,
                    outcome *found)
{
    const nn_pass pass = {.tape = tape, .params = &model->params, .plain_attention = plain};
    ag_cross_entropy_options options = {.ignore = true, .ignore_index = 0, .reduction = AG_NONE};
    ag_tape_rewind(tape);
    if (!adds)
        nn_params_zero_grad(&model->params);
    if (masks)
        masks(&input);
    ag_tensor *logits = nn_model_apply(model, &pass, &input);
    ag_tensor *losses = ag_cross_entropy(logits, labels, &options);
    options.reduction = AG_SUM;
    ag_tensor *loss = ag_cross_entropy(logits, labels, &options);
    ck_assert_msg(ag_backward(loss) == AG_OK, "%s", ag_tape_error(tape)->message);
    found->loss = loss->data[0];
    found->blind = ag_tape_blind_queries(tape);
    memcpy(found->logits, logits->data, (size_t)logits->size * sizeof(ag_real));
    memcpy(found->losses, losses->data, (size_t)losses->size * sizeof(ag_real));
    memcpy(found->gradient, model->params.grad, (size_t)model->params.size * sizeof(ag_real));
}

/* Row b of `length` positions has the same logits and losses as row b of `wide` ones. */
static void check_row(int64_t b, int64_t length, int64_t b_after, int64_t wide, int64_t tokens)
{
    ck_assert_mem_eq(before.logits + b * length * VOCAB, after.logits + b_after * wide * VOCAB,
                     (size_t)(tokens * VOCAB) * sizeof(ag_real));
    ck_assert_mem_eq(before.losses + b * length, after.losses + b_after * wide, (size_t)tokens * sizeof(ag_real));
}

static void check_rows(int64_t length, int64_t wide)
{
    for (int64_t b = 0; b < ROWS; b++)
        check_row(b, length, b, wide, lengths_of(&given.input)[b]);
}

static bool same_gradient(int64_t offset, int64_t size)
{
    return !memcmp(before.gradient + offset, after.gradient + offset, (size_t)size * sizeof(ag_real));
}

/* Of all positions, padding too. */
static bool same_logits(void)
{
    const int64_t size = ROWS * length_of(&given.input) * VOCAB;
    return !memcmp(before.logits, after.logits, (size_t)size * sizeof(ag_real));
}

/* Gradients that are sums over the same terms in another order. */
static void check_sums(void)
{
    for (int64_t e = 0; e < model->params.size; e++) {
        const double error = fabs((double)before.gradient[e] - (double)after.gradient[e]);
        ck_assert_msg(error <= PRECISION(1e-13, 1e-5) * fmax(1, fabs((double)before.gradient[e])),
                      "gradient %lld is %g and %g", (long long)e, (double)before.gradient[e],
                      (double)after.gradient[e]);
    }
}

/* The gradient that reaches a token from its own position alone has the same bits: its
 * row of the embedding's gradient. */
static void check_tokens(const char *table, const int32_t *tokens, const int32_t *lengths, int64_t length, int64_t b)
{
    const nn_param *item = &model->params.items[nn_params_find(&model->params, table)];
    for (int64_t t = 0; t < lengths[b]; t++) {
        bool zero = true;
        for (int64_t d = 0; d < 24; d++)
            zero &= before.gradient[item->offset + tokens[b * length + t] * 24 + d] == 0;
        ck_assert_msg(!zero, "a token without gradient proves nothing");
        ck_assert(same_gradient(item->offset + tokens[b * length + t] * 24, 24));
    }
}

static void check_tokens_of_row(const example *e, int64_t b)
{
    if (e->input.source)
        check_tokens("src_embedding.weight", e->source, e->source_lengths, e->input.source_length, b);
    if (e->input.target)
        check_tokens("tgt_embedding.weight", e->target, e->target_lengths, e->input.target_length, b);
}

static void set_up(void)
{
    tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    ck_assert_ptr_nonnull(tape);
}

static void tear_down(void)
{
    ag_tape_free(tape);
}

/* ---- Padding ----------------------------------------------------------------------- */

enum { FORMS = 36 }; /* kinds, positions, pre- and post-norm; fused and plain */

static void check_padded_row(bool plain, int64_t more, int32_t filler)
{
    nn_input input = given.input;
    input.rows = 1;
    compute(input, given.labels, plain, NULL, false, &before);
    pad(more, filler);
    input = given.input;
    input.rows = 1;
    compute(input, given.labels, plain, NULL, false, &after);
    ck_assert(before.loss == after.loss);
    check_row(0, length_of(&input) - more, 0, length_of(&input), lengths_of(&input)[0]);
    ck_assert(same_gradient(0, model->params.size));
}

/* One row on its own: the tokens keep their places, so not one bit changes, whatever the
 * padding holds. */
START_TEST(test_padding_of_a_row)
{
    for (int64_t more = 1; more <= 40; more += 3) {
        begin(kinds[_i % 3], _i / 6);
        check_padded_row(_i / 3 % 2, more, more % 2 ? 0 : 17);
        nn_model_free(model);
    }
}
END_TEST

/* Longer than the pieces in which sums are cut. */
START_TEST(test_padding_of_a_long_row)
{
    static const int64_t more[] = {1, 55};
    for (int i = 0; i < 2; i++) {
        begin_long(kinds[_i % 3], _i / 6, 270, 260);
        check_padded_row(_i / 3 % 2, more[i], 0);
        nn_model_free(model);
    }
}
END_TEST

/* A batch: the loss and each token's own gradient keep every bit. */
START_TEST(test_padding_of_a_batch)
{
    const bool plain = _i / 3 % 2;
    for (int64_t more = 1; more <= 40; more += 6) {
        begin(kinds[_i % 3], _i / 6);
        const example narrow = given;
        compute(given.input, given.labels, plain, NULL, false, &before);
        pad(more, 0);
        compute(given.input, given.labels, plain, NULL, false, &after);
        ck_assert(before.loss == after.loss);
        check_rows(length_of(&narrow.input), length_of(&given.input));
        for (int64_t b = 0; b < ROWS; b++)
            check_tokens_of_row(&narrow, b);
        check_sums();
        nn_model_free(model);
    }
}
END_TEST

/* Each row alone, without any padding, against the batch. */
START_TEST(test_rows_alone)
{
    const bool plain = _i / 3 % 2;
    begin(kinds[_i % 3], _i / 6);
    const int64_t length = length_of(&given.input);
    double sum = 0;
    compute(given.input, given.labels, plain, NULL, false, &before);
    nn_params_zero_grad(&model->params);
    for (int64_t b = 0; b < ROWS; b++) {
        compute(row_alone(b), given.labels + b * length, plain, NULL, true, &after);
        check_row(b, length, 0, length, lengths_of(&given.input)[b]);
        check_tokens_of_row(&given, b);
        sum += (double)after.loss;
    }
    ck_assert_double_eq_tol(sum, (double)before.loss, PRECISION(1e-12, 1e-4));
    check_sums(); /* (the rows' gradients were added up) */
    nn_model_free(model);
}
END_TEST

/* Rows of nothing but padding after the others. */
START_TEST(test_rows_of_padding)
{
    const bool plain = _i / 3 % 2;
    begin(kinds[_i % 3], _i / 6);
    given.input.rows = ROWS - 2;
    compute(given.input, given.labels, plain, NULL, false, &before);
    for (int64_t b = ROWS - 2; b < ROWS; b++) {
        given.source_lengths[b] = given.target_lengths[b] = 0;
        for (int64_t t = 0; t < length_of(&given.input); t++)
            given.labels[b * length_of(&given.input) + t] = 0;
    }
    given.input.rows = ROWS;
    compute(given.input, given.labels, plain, NULL, false, &after);
    ck_assert(before.loss == after.loss);
    check_rows(length_of(&given.input), length_of(&given.input));
    ck_assert(same_gradient(0, model->params.size));
    nn_model_free(model);
}
END_TEST

/* The padding is NaN or infinite from the embedding on, in all layers: no token's logits
 * and losses know of it. */
START_TEST(test_padding_that_is_not_finite)
{
    static const ag_real poisons[] = {(ag_real)NAN, (ag_real)INFINITY, -(ag_real)INFINITY};
    for (int poison = 0; poison < 3; poison++) {
        begin(kinds[_i % 3], _i / 6);
        pad(3, 0);
        ag_tape_rewind(tape);
        for (int planted = 0; planted < 2; planted++) {
            nn_pass pass = test_pass(model, tape);
            pass.plain_attention = _i / 3 % 2;
            const ag_tensor *logits = nn_model_apply(model, &pass, &given.input);
            ck_assert_msg(logits != NULL, "%s", ag_tape_error(tape)->message);
            memcpy(planted ? after.logits : before.logits, logits->data, (size_t)logits->size * sizeof(ag_real));
            for (int p = 0; p < model->params.count; p++) {
                const nn_param *item = &model->params.items[p];
                for (int d = 0; d < 24 && strstr(item->name, "_embedding.weight"); d++)
                    model->params.value[item->offset + d] = poisons[poison];
            }
        }
        const int64_t length = length_of(&given.input);
        for (int64_t b = 0; b < ROWS; b++) {
            const int64_t tokens = lengths_of(&given.input)[b];
            const ag_real *row = after.logits + b * length * VOCAB;
            ck_assert_mem_eq(before.logits + b * length * VOCAB, row, (size_t)(tokens * VOCAB) * sizeof(ag_real));
            ck_assert(!isfinite(row[tokens * VOCAB])); /* the poison was there */
        }
        nn_model_free(model);
    }
}
END_TEST

/* ---- Tokens that no loss depends on ------------------------------------------------ */

/* Row `row` of a parameter becomes the poison; a parameter that the model does not have
 * stays away. */
static void poison_row(const char *name, int64_t row, ag_real poison)
{
    const int index = nn_params_find(&model->params, name);
    for (int d = 0; d < 24 && index >= 0; d++)
        model->params.value[model->params.items[index].offset + row * 24 + d] = poison;
}

/* The padding's embeddings, learned positions after all tokens, and the token `last`,
 * which a causal model has at the last place of each row alone, over an ignored label:
 * nothing looks there. A tied output knows all tokens. */
static void poison_model(int32_t last, ag_real poison)
{
    if (!model->config.tied_output)
        poison_row("tgt_embedding.weight", 0, poison);
    if (!model->config.tied_output && last)
        poison_row("tgt_embedding.weight", last, poison);
    poison_row("src_embedding.weight", 0, poison);
    poison_row("src_positions.weight", given.input.source_length - 1, poison);
    poison_row("tgt_positions.weight", given.input.target_length - 1, poison);
}

static int32_t ignore_the_last(void)
{
    const int32_t last = VOCAB - 1;
    for (int64_t b = 0; b < ROWS && given.input.target; b++)
        for (int64_t t = 0; t < given.input.target_length; t++) {
            const int64_t at = b * given.input.target_length + t;
            if (t == given.target_lengths[b] - 1) {
                given.target[at] = last;
                given.labels[at] = 0;
            } else if (given.target[at] == last) {
                given.target[at] = 3;
            }
        }
    return given.input.target ? last : 0;
}

/* NaN and infinity where no loss depends on them change no bit of the loss and of any
 * parameter's gradient. */
START_TEST(test_what_no_loss_depends_on_poisons_no_gradient)
{
    static const ag_real poisons[] = {(ag_real)NAN, (ag_real)INFINITY, -(ag_real)INFINITY};
    tied = _i / FORMS;
    for (int poison = 0; poison < 3; poison++) {
        begin(kinds[_i % 3], _i % FORMS / 6);
        pad(3, 0);
        const int32_t last = ignore_the_last();
        compute(given.input, given.labels, _i / 3 % 2, NULL, false, &before);
        poison_model(last, poisons[poison]);
        compute(given.input, given.labels, _i / 3 % 2, NULL, false, &after);
        ck_assert(before.loss == after.loss && isfinite(after.loss));
        ck_assert(same_gradient(0, model->params.size));
        const int64_t length = length_of(&given.input), ignored = lengths_of(&given.input)[1] - (last != 0);
        const bool met = model->config.positions == NN_LEARNED || !model->config.tied_output;
        ck_assert(!met || !isfinite(after.logits[(length + length - 1) * VOCAB]));
        ck_assert(!last || model->config.tied_output || !isfinite(after.logits[(length + ignored) * VOCAB]));
        nn_model_free(model);
    }
}
END_TEST

/* No row has a source: the encoder, whatever it computes with, feeds attention that sees
 * nothing. */
START_TEST(test_an_encoder_that_is_not_seen)
{
    begin(NN_ENCODER_DECODER, _i / 2);
    for (int b = 0; b < ROWS; b++)
        given.source_lengths[b] = 0;
    compute(given.input, given.labels, _i % 2, NULL, false, &before);
    for (int p = 0; p < model->params.count; p++) {
        const nn_param *item = &model->params.items[p];
        for (int64_t e = 0; e < item->size && !strncmp(item->name, "encoder.", strlen("encoder.")); e++)
            model->params.value[item->offset + e] = (ag_real)NAN;
    }
    compute(given.input, given.labels, _i % 2, NULL, false, &after);
    ck_assert(before.loss == after.loss && isfinite(after.loss));
    ck_assert(same_gradient(0, model->params.size));
    nn_model_free(model);
}
END_TEST

/* ---- Masks ------------------------------------------------------------------------- */

/* The model's own masks as arrays [rows, 1, queries, keys], by their definition. */
static ag_mask *as_array(int64_t queries, int64_t keys, const int32_t *key_lengths, bool causal)
{
    static unsigned char allow[ROWS * LONGEST * LONGEST];
    for (int64_t e = 0; e < ROWS * queries * keys; e++) {
        const int64_t b = e / keys / queries, i = e / keys % queries, j = e % keys;
        allow[e] = j < key_lengths[b] && (!causal || j <= i);
    }
    return ag_mask_explicit(tape, ROWS, 1, queries, keys, allow);
}

static void explicit_masks(nn_input *input)
{
    if (input->source)
        input->encoder_mask = as_array(input->source_length, input->source_length, given.source_lengths, false);
    if (input->target)
        input->decoder_mask = as_array(input->target_length, input->target_length, given.target_lengths, true);
    if (input->source && input->target)
        input->cross_mask = as_array(input->target_length, input->source_length, given.source_lengths, false);
}

/* The same, by other expressions: windows and prefixes, not and or. */
static void other_masks(nn_input *input)
{
    ag_mask *later = ag_mask_window(tape, -1, LONGEST); /* i + 1 <= j */
    if (input->source)
        input->encoder_mask = ag_mask_and(tape, ag_mask_or(tape, ag_mask_causal(tape, 3), later),
                                          ag_mask_key_lengths(tape, ROWS, given.source_lengths));
    if (input->target)
        input->decoder_mask = ag_mask_not(
            tape, ag_mask_or(tape, later, ag_mask_not(tape, ag_mask_key_lengths(tape, ROWS, given.target_lengths))));
    if (input->source && input->target)
        input->cross_mask = ag_mask_and(tape, ag_mask_prefix(tape, input->source_length),
                                        ag_mask_key_lengths(tape, ROWS, given.source_lengths));
}

START_TEST(test_masks_in_other_words)
{
    void (*const ways[])(nn_input *) = {explicit_masks, other_masks};
    for (int way = 0; way < 2; way++) {
        begin(kinds[_i % 3], _i / 6);
        compute(given.input, given.labels, _i / 3 % 2, NULL, false, &before);
        compute(given.input, given.labels, _i / 3 % 2, ways[way], false, &after);
        ck_assert(before.loss == after.loss);
        ck_assert(same_logits());
        ck_assert(same_gradient(0, model->params.size));
        ck_assert_int_eq(after.blind, 0);
        nn_model_free(model);
    }
}
END_TEST

/* Queries beyond the lengths see nothing: the padding's outputs change, but no token's,
 * nor any gradient. */
static void query_lengths(nn_input *input)
{
    explicit_masks(input);
    ag_mask *source = input->source ? ag_mask_query_lengths(tape, ROWS, given.source_lengths) : NULL;
    ag_mask *target = input->target ? ag_mask_query_lengths(tape, ROWS, given.target_lengths) : NULL;
    if (source)
        input->encoder_mask = ag_mask_and(tape, source, input->encoder_mask);
    if (target)
        input->decoder_mask = ag_mask_and(tape, target, input->decoder_mask);
    if (source && target)
        input->cross_mask = ag_mask_and(tape, target, input->cross_mask);
}

START_TEST(test_padded_queries)
{
    begin(kinds[_i % 3], _i / 6);
    int64_t padding[2] = {0, 0}; /* queries of the source and of the target */
    for (int b = 0; b < ROWS; b++) {
        padding[0] += SOURCE - given.source_lengths[b];
        padding[1] += TARGET - given.target_lengths[b];
    }
    compute(given.input, given.labels, _i / 3 % 2, NULL, false, &before);
    compute(given.input, given.labels, _i / 3 % 2, query_lengths, false, &after);
    ck_assert(before.loss == after.loss);
    check_rows(length_of(&given.input), length_of(&given.input));
    ck_assert(same_gradient(0, model->params.size));
    ck_assert(!same_logits());
    const nn_model_kind kind = kinds[_i % 3];
    ck_assert_int_eq(after.blind, 2 * 3 * /* layers and heads */
                                      (kind == NN_ENCODER   ? padding[0]
                                       : kind == NN_DECODER ? padding[1]
                                                            : padding[0] + 2 * padding[1]));
    nn_model_free(model);
}
END_TEST

/* Rows without any token, of which all queries see nothing: row 1 has no source, row 2 no
 * target. */
START_TEST(test_empty_rows_are_counted)
{
    begin(kinds[_i % 3], _i / 6);
    const nn_model_kind kind = kinds[_i % 3];
    given.source_lengths[1] = given.target_lengths[2] = 0;
    for (int64_t t = 0; t < length_of(&given.input); t++)
        given.labels[(kind == NN_ENCODER ? 1 : 2) * length_of(&given.input) + t] = 0;
    compute(given.input, given.labels, _i / 3 % 2, NULL, false, &before);
    ck_assert_int_eq(before.blind, 2 * 3 *
                                       (kind == NN_ENCODER   ? SOURCE
                                        : kind == NN_DECODER ? TARGET
                                                             : SOURCE + 2 * TARGET));
    for (int64_t e = 0; e < model->params.size; e++)
        ck_assert(isfinite(before.gradient[e]));
    nn_model_free(model);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("masked_models");
    TCase *c = tcase_create("masked_models");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, test_padding_of_a_row, 0, FORMS);
    tcase_add_loop_test(c, test_padding_of_a_long_row, 0, FORMS);
    tcase_add_loop_test(c, test_padding_of_a_batch, 0, FORMS);
    tcase_add_loop_test(c, test_rows_alone, 0, FORMS);
    tcase_add_loop_test(c, test_rows_of_padding, 0, FORMS);
    tcase_add_loop_test(c, test_padding_that_is_not_finite, 0, FORMS);
    tcase_add_loop_test(c, test_what_no_loss_depends_on_poisons_no_gradient, 0, 2 * FORMS);
    tcase_add_loop_test(c, test_an_encoder_that_is_not_seen, 0, 12);
    tcase_add_loop_test(c, test_masks_in_other_words, 0, FORMS);
    tcase_add_loop_test(c, test_padded_queries, 0, FORMS);
    tcase_add_loop_test(c, test_empty_rows_are_counted, 0, FORMS);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
