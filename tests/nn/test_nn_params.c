/* test_nn_params.c - parameters: how they begin, their names, their places. */
#include "nn_util.h"

#include <math.h>
#include <string.h>

/* ---- Initialisers ------------------------------------------------------------------ */

#define ROWS    120
#define COLUMNS 200
#define COUNT   (ROWS * COLUMNS)

static int ascending(const void *a, const void *b)
{
    const ag_real x = *(const ag_real *)a, y = *(const ag_real *)b;
    return (x > y) - (x < y);
}

/* The Kolmogorov-Smirnov distance of the values from the uniform distribution in [-bound,
 * bound), or from the normal one. */
static double distance_from(ag_real *values, int64_t count, double size, bool normal)
{
    double worst = 0;
    qsort(values, (size_t)count, sizeof *values, ascending);
    for (int64_t i = 0; i < count; i++) {
        const double x = (double)values[i] / size;
        const double p = normal ? 0.5 * erfc(-x / sqrt(2)) : (x + 1) / 2;
        worst = fmax(worst, fmax(fabs(p - (double)i / (double)count), fabs((double)(i + 1) / (double)count - p)));
    }
    return worst;
}

START_TEST(initialisers_have_their_distributions)
{
    const double fans = COLUMNS + ROWS;
    const struct {
        nn_initializer initializer;
        bool normal;
        double size; /* bound or deviation */
    } cases[] = {
        {{NN_NORMAL, 0}, true, 0.02},
        {{NN_NORMAL, 3}, true, 3},
        {{NN_UNIFORM, 0.5}, false, 0.5},
        {{NN_XAVIER_UNIFORM, 0}, false, sqrt(6 / fans)},
        {{NN_XAVIER_UNIFORM, 2}, false, 2 * sqrt(6 / fans)},
        {{NN_XAVIER_NORMAL, 0}, true, sqrt(2 / fans)},
        {{NN_KAIMING_UNIFORM, 0}, false, sqrt(6.0 / COLUMNS)},
        {{NN_KAIMING_NORMAL, 0.5}, true, 0.5 * sqrt(2.0 / COLUMNS)},
    };
    static ag_real values[COUNT];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        ag_rng rng = ag_rng_make(7, c);
        ag_error error = {0};
        double sum = 0, squares = 0;
        ck_assert_int_eq(nn_initialize(cases[c].initializer, AG_SHAPE(ROWS, COLUMNS), values, &rng, &error), AG_OK);
        for (int i = 0; i < COUNT; i++) {
            const double x = (double)values[i] / cases[c].size;
            ck_assert(cases[c].normal || fabs(x) <= 1 + 1e-6);
            sum += x;
            squares += x * x;
        }
        const double variance = cases[c].normal ? 1 : 1.0 / 3;
        ck_assert_double_lt(fabs(sum / COUNT), 4 * sqrt(variance / COUNT));
        ck_assert_double_lt(fabs(squares / COUNT - variance), 4 * sqrt((cases[c].normal ? 2 : 4.0 / 45) / COUNT));
        /* exceeded with probability 0.001 */
        ck_assert_double_lt(distance_from(values, COUNT, cases[c].size, cases[c].normal), 1.95 / sqrt(COUNT));
    }
}
END_TEST

START_TEST(axes_after_the_second_count_as_a_field)
{
    static ag_real values[4 * 3 * 50];
    ag_rng rng = ag_rng_make(1, 1);
    double most = 0;
    ck_assert_int_eq(
        nn_initialize((nn_initializer){.kind = NN_KAIMING_UNIFORM}, AG_SHAPE(4, 3, 50), values, &rng, NULL), AG_OK);
    for (int i = 0; i < 600; i++)
        if (fabs((double)values[i]) > most)
            most = fabs((double)values[i]);
    ck_assert_double_lt(most, sqrt(6.0 / 150) * (1 + 1e-6));
    ck_assert_double_gt(most, sqrt(6.0 / 150) * 0.98);
}
END_TEST

START_TEST(constants_and_refusals)
{
    ag_real values[4] = {5, 5, 5, 5};
    ag_rng rng = ag_rng_make(1, 1);
    ck_assert_int_eq(nn_initialize((nn_initializer){.kind = NN_ZEROS}, AG_SHAPE(2), values, &rng, NULL), AG_OK);
    ck_assert_int_eq(nn_initialize((nn_initializer){.kind = NN_ONES}, AG_SHAPE(1), values + 2, &rng, NULL), AG_OK);
    ck_assert(values[0] == 0 && values[1] == 0 && values[2] == 1 && values[3] == 5);
    ck_assert_uint_eq(rng.position, 0);
    for (int kind = NN_XAVIER_UNIFORM; kind <= NN_KAIMING_NORMAL; kind++) {
        ag_error error = {0};
        ck_assert_int_eq(nn_initialize((nn_initializer){.kind = (nn_init_kind)kind}, AG_SHAPE(4), values, &rng, &error),
                         AG_BAD_SHAPE);
        ck_assert_ptr_nonnull(strstr(error.message, "[4]"));
    }
    ck_assert_int_eq(nn_initialize((nn_initializer){NN_NORMAL, NAN}, AG_SHAPE(4), values, &rng, NULL), AG_BAD_VALUE);
    ck_assert_int_eq(nn_initialize((nn_initializer){NN_UNIFORM, -1}, AG_SHAPE(4), values, &rng, NULL), AG_BAD_VALUE);
    ck_assert_int_eq(nn_initialize((nn_initializer){.kind = (nn_init_kind)99}, AG_SHAPE(4), values, &rng, NULL),
                     AG_BAD_VALUE);
    ck_assert_int_eq(nn_initialize((nn_initializer){NN_NORMAL, 1}, AG_SHAPE(-4), values, &rng, NULL), AG_BAD_SHAPE);
    ck_assert(values[3] == 5);
}
END_TEST

/* ---- The collection ---------------------------------------------------------------- */

START_TEST(parameters_lie_one_after_the_other)
{
    nn_params params = {0};
    ag_error error = {0};
    const nn_initializer normal = {NN_NORMAL, 1}, ones = {.kind = NN_ONES};
    ck_assert_int_eq(nn_params_add(&params, "a.weight", AG_SHAPE(3, 4), normal, true, &error), 0);
    ck_assert_int_eq(nn_params_add(&params, "a.bias", AG_SHAPE(3), ones, false, &error), 1);
    ck_assert_int_eq(nn_params_add(&params, "b", AG_SCALAR, normal, false, &error), 2);
    ck_assert_int_eq(params.size, 16);
    ck_assert_ptr_null(params.value);
    ck_assert_int_eq(nn_params_allocate(&params, 5, &error), AG_OK);
    ck_assert_int_eq(params.items[0].offset, 0);
    ck_assert_int_eq(params.items[1].offset, 12);
    ck_assert_int_eq(params.items[2].offset, 15);
    ck_assert(params.items[0].decay && !params.items[1].decay);
    ck_assert(params.value[12] == 1 && params.value[14] == 1);

    ag_real expected[12];
    const uint64_t seed = ag_seed_for(5, AG_FOR_PARAMETERS);
    ag_rng rng = ag_rng_make(seed, 0); /* parameter i draws from stream i */
    ck_assert_int_eq(nn_initialize(normal, AG_SHAPE(3, 4), expected, &rng, NULL), AG_OK);
    ck_assert_mem_eq(params.value, expected, sizeof expected);
    rng = ag_rng_make(seed, 2);
    ck_assert_int_eq(nn_initialize(normal, AG_SCALAR, expected, &rng, NULL), AG_OK);
    ck_assert(params.value[15] == expected[0]);

    for (int i = 0; i < 16; i++) {
        ck_assert(params.grad[i] == 0);
        params.grad[i] = 3;
    }
    nn_params_zero_grad(&params);
    for (int i = 0; i < 16; i++)
        ck_assert(params.grad[i] == 0);

    ck_assert_int_eq(nn_params_find(&params, "a.bias"), 1);
    ck_assert_int_eq(nn_params_find(&params, "a.bia"), -1);
    nn_params_clear(&params);
    ck_assert_int_eq(params.count, 0);
    nn_params_clear(&params);
}
END_TEST

START_TEST(bad_parameters_are_refused)
{
    nn_params params;
    const nn_initializer zeros = {.kind = NN_ZEROS};
    nn_params_init(&params);
    ck_assert_int_eq(nn_params_add(&params, "a", AG_SHAPE(2), zeros, false, NULL), 0);
    const struct {
        const char *name;
        ag_shape shape;
        ag_status status;
        const char *message;
    } cases[] = {
        {"a", AG_SHAPE(3), AG_BAD_VALUE, "named a already"},
        {"b", AG_SHAPE(3, 0), AG_BAD_SHAPE, "[3,0]"},
        {"c", AG_SHAPE(-1), AG_BAD_SHAPE, "[-1]"},
        {"d", AG_SHAPE(INT64_C(1) << 40, INT64_C(1) << 40), AG_BAD_SHAPE, "d of shape"},
        {"e", {.ndim = 6}, AG_BAD_SHAPE, "e of shape"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ag_error error = {0};
        ck_assert_int_eq(nn_params_add(&params, cases[i].name, cases[i].shape, zeros, false, &error), -1);
        ck_assert_int_eq(error.status, cases[i].status);
        ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "%s", error.message);
    }
    ck_assert_int_eq(params.count, 1);
    ck_assert_int_eq(params.size, 2);
    ck_assert_int_eq(nn_params_allocate(&params, 0, NULL), AG_OK);
    ag_error error = {0};
    ck_assert_int_eq(nn_params_add(&params, "late", AG_SHAPE(2), zeros, false, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.message, "too late"));
    ck_assert_int_eq(nn_params_allocate(&params, 0, NULL), AG_BAD_VALUE);
    nn_params_clear(&params);
}
END_TEST

START_TEST(a_failed_initialiser_leaves_nothing_allocated)
{
    nn_params params = {0};
    ag_error error = {0};
    ck_assert_int_eq(
        nn_params_add(&params, "a", AG_SHAPE(2), (nn_initializer){.kind = NN_XAVIER_NORMAL}, false, &error), 0);
    ck_assert_int_eq(nn_params_allocate(&params, 0, &error), AG_BAD_SHAPE);
    ck_assert_ptr_null(params.value);
    ck_assert_ptr_null(params.grad);
    nn_params_clear(&params);
}
END_TEST

START_TEST(leaves_of_parameters)
{
    nn_params params = {0};
    ag_error error = {0};
    nn_params_add(&params, "a", AG_SHAPE(3, 4), (nn_initializer){NN_NORMAL, 1}, true, &error);
    nn_params_add(&params, "b", AG_SHAPE(6, 2), (nn_initializer){NN_NORMAL, 1}, true, &error);
    ck_assert_int_eq(nn_params_allocate(&params, 5, &error), AG_OK);
    ag_tape *tape = ag_tape_new(NULL);
    nn_pass pass = {.tape = tape, .params = &params};

    ag_tensor *rows = nn_parameter_rows(&pass, 1, 2, 3);
    ck_assert(ag_shape_equal(rows->shape, AG_SHAPE(3, 2)));
    ck_assert_ptr_eq(rows->data, params.value + 12 + 4);
    ck_assert_ptr_null(nn_parameter(&pass, -1));
    ck_assert_ptr_null(nn_parameter_rows(&pass, -1, 0, 2));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_OK);

    ck_assert_int_eq(ag_backward(ag_sum(ag_add(rows, rows), AG_ALL_AXES, false)), AG_OK);
    for (int i = 0; i < 24; i++)
        ck_assert(params.grad[i] == (i >= 16 && i < 22 ? 2 : 0)); /* in place, and nowhere else */

    ck_assert_ptr_null(nn_parameter_rows(&pass, 1, 5, 2));
    ck_assert_ptr_nonnull(strstr(ag_tape_error(tape)->message, "b has no rows 5 to 7"));
    ag_tape_rewind(tape);
    ck_assert_ptr_null(nn_parameter(&pass, 2));
    ck_assert_int_eq(ag_tape_error(tape)->status, AG_BAD_VALUE);
    ag_tape_free(tape);
    nn_params_clear(&params);
}
END_TEST

START_TEST(every_allocation_of_a_model_may_fail)
{
    const nn_model_config config = {
        .source_vocab = 9, .target_vocab = 8, .d_model = 8, .heads = 2, .positions = NN_LEARNED};
    int64_t failed = 0;
    for (int64_t n = 1;; n++) {
        ag_error error = {0};
        test_fail_allocation(n);
        nn_model *model = nn_model_new(&config, 1, &error);
        test_fail_allocation(0);
        if (model) {
            nn_model_free(model);
            break;
        }
        failed++;
        ck_assert_int_eq(error.status, AG_NO_MEMORY);
        ck_assert_ptr_nonnull(strstr(error.message, "out of memory"));
    }
    ck_assert_int_gt(failed, 50);
}
END_TEST

/* ---- The names of whole models ----------------------------------------------------- */

static void check_names(nn_model_config config, const char *const *names)
{
    ag_error error = {0};
    nn_model *model = nn_model_new(&config, 1, &error);
    ck_assert_msg(model != NULL, "%s", error.message);
    for (int i = 0; i < model->params.count; i++) {
        const nn_param *item = &model->params.items[i];
        ck_assert_msg(names[i] && strcmp(item->name, names[i]) == 0, "%d: %s", i, item->name);
        ck_assert_int_eq(item->decay, item->shape.ndim == 2);
    }
    ck_assert_ptr_null(names[model->params.count]);
    nn_model_free(model);
}

START_TEST(names_are_those_of_pytorch)
{
    static const char *const encoder_decoder[] = {"src_embedding.weight",
                                                  "encoder.layers.0.self_attn.in_proj_weight",
                                                  "encoder.layers.0.self_attn.in_proj_bias",
                                                  "encoder.layers.0.self_attn.out_proj.weight",
                                                  "encoder.layers.0.self_attn.out_proj.bias",
                                                  "encoder.layers.0.linear1.weight",
                                                  "encoder.layers.0.linear1.bias",
                                                  "encoder.layers.0.linear2.weight",
                                                  "encoder.layers.0.linear2.bias",
                                                  "encoder.layers.0.norm1.weight",
                                                  "encoder.layers.0.norm1.bias",
                                                  "encoder.layers.0.norm2.weight",
                                                  "encoder.layers.0.norm2.bias",
                                                  "encoder.norm.weight",
                                                  "encoder.norm.bias",
                                                  "tgt_embedding.weight",
                                                  "decoder.layers.0.self_attn.in_proj_weight",
                                                  "decoder.layers.0.self_attn.in_proj_bias",
                                                  "decoder.layers.0.self_attn.out_proj.weight",
                                                  "decoder.layers.0.self_attn.out_proj.bias",
                                                  "decoder.layers.0.multihead_attn.in_proj_weight",
                                                  "decoder.layers.0.multihead_attn.in_proj_bias",
                                                  "decoder.layers.0.multihead_attn.out_proj.weight",
                                                  "decoder.layers.0.multihead_attn.out_proj.bias",
                                                  "decoder.layers.0.linear1.weight",
                                                  "decoder.layers.0.linear1.bias",
                                                  "decoder.layers.0.linear2.weight",
                                                  "decoder.layers.0.linear2.bias",
                                                  "decoder.layers.0.norm1.weight",
                                                  "decoder.layers.0.norm1.bias",
                                                  "decoder.layers.0.norm2.weight",
                                                  "decoder.layers.0.norm2.bias",
                                                  "decoder.layers.0.norm3.weight",
                                                  "decoder.layers.0.norm3.bias",
                                                  "decoder.norm.weight",
                                                  "decoder.norm.bias",
                                                  "output.weight",
                                                  "output.bias",
                                                  NULL};
    static const char *const decoder[] = {"tgt_embedding.weight",
                                          "tgt_positions.weight",
                                          "decoder.layers.0.self_attn.in_proj_weight",
                                          "decoder.layers.0.self_attn.out_proj.weight",
                                          "decoder.layers.0.linear1.weight",
                                          "decoder.layers.0.linear_gate.weight",
                                          "decoder.layers.0.linear2.weight",
                                          "decoder.layers.0.norm1.weight",
                                          "decoder.layers.0.norm2.weight",
                                          NULL};
    static const char *const encoder[] = {"src_embedding.weight",
                                          "src_positions.weight",
                                          "encoder.layers.0.self_attn.in_proj_weight",
                                          "encoder.layers.0.self_attn.out_proj.weight",
                                          "encoder.layers.0.linear1.weight",
                                          "encoder.layers.0.linear2.weight",
                                          "encoder.layers.0.norm1.weight",
                                          "encoder.layers.0.norm1.bias",
                                          "encoder.layers.0.norm2.weight",
                                          "encoder.layers.0.norm2.bias",
                                          "encoder.norm.weight",
                                          "encoder.norm.bias",
                                          "output.weight",
                                          "output.bias",
                                          NULL};
    nn_model_config config = {
        .source_vocab = 9, .target_vocab = 8, .d_model = 8, .heads = 2, .encoder_layers = 1, .decoder_layers = 1};
    check_names(config, encoder_decoder);
    config.kind = NN_ENCODER;
    config.positions = NN_LEARNED;
    config.no_bias = true;
    check_names(config, encoder);
    config.kind = NN_DECODER;
    config.norm = NN_RMS_NORM;
    config.activation = AG_GATED_SILU;
    config.post_norm = config.tied_output = true;
    check_names(config, decoder);
}
END_TEST

START_TEST(models_begin_as_documented)
{
    ag_error error = {0};
    const nn_model_config config = {.source_vocab = 400, .target_vocab = 300, .d_model = 64};
    nn_model *model = nn_model_new(&config, 1, &error), *again = nn_model_new(&config, 1, &error),
             *other = nn_model_new(&config, 2, &error);
    ck_assert(model && again && other);
    ck_assert_int_eq(model->config.ffn, 256);
    ck_assert_int_eq(model->config.encoder_layers, 3);
    ck_assert_int_eq(model->config.max_length, 512);
    ck_assert_mem_eq(model->params.value, again->params.value, (size_t)model->params.size * sizeof(ag_real));
    ck_assert_mem_ne(model->params.value, other->params.value, (size_t)model->params.size * sizeof(ag_real));
    for (int i = 0; i < model->params.count; i++) {
        const nn_param *item = &model->params.items[i];
        const ag_real *value = model->params.value + item->offset;
        const bool embedding = strstr(item->name, "embedding") != NULL;
        if (item->shape.ndim == 1) {
            const bool ones = strstr(item->name, "norm") && strstr(item->name, "weight");
            for (int64_t e = 0; e < item->size; e++)
                ck_assert(value[e] == (ag_real)ones);
            continue;
        }
        /* in_proj_weight is drawn as one [3D, D] matrix */
        const double size = embedding ? 1 / sqrt(64) : sqrt(6 / (double)(item->shape.dim[0] + item->shape.dim[1]));
        ck_assert_double_lt(distance_from(model->params.value + item->offset, item->size, size, embedding),
                            2.2 / sqrt((double)item->size));
    }
    nn_model_free(model);
    nn_model_free(again);
    nn_model_free(other);
}
END_TEST

/* By their names: in the blocks, all weights of attention and feed-forward layers. */
static int hidden_matrices(const char *name)
{
    static const char *const ends[] = {"in_proj_weight", "out_proj.weight", "linear1.weight", "linear2.weight",
                                       "linear_gate.weight"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strstr(name, ".layers.") && strlen(name) > strlen(ends[i]) &&
            !strcmp(name + strlen(name) - strlen(ends[i]), ends[i]))
            return i == 0 ? 3 : 1;
    return 0;
}

START_TEST(hidden_matrices_are_those_of_the_blocks)
{
    const nn_model_config config = {.kind = NN_ENCODER_DECODER,
                                    .source_vocab = 5,
                                    .target_vocab = 6,
                                    .d_model = 8,
                                    .heads = 2,
                                    .activation = AG_GATED_SILU,
                                    .positions = NN_LEARNED,
                                    .max_length = 7};
    nn_model *model = nn_model_new(&config, 1, NULL);
    ck_assert_ptr_nonnull(model);
    int found = 0;
    for (int i = 0; i < model->params.count; i++) {
        const nn_param *item = &model->params.items[i];
        ck_assert_msg(item->hidden == hidden_matrices(item->name), "%s: %d", item->name, item->hidden);
        found += item->hidden;
    }
    ck_assert_int_eq(found, model->config.encoder_layers * 7 + model->config.decoder_layers * 11);
    nn_model_free(model);

    nn_params params = {0};
    nn_attention layer;
    const nn_attention_config narrow = {.d_model = 8, .heads = 2, .key_width = 6};
    ck_assert_int_eq(nn_attention_init(&layer, &params, "a", &narrow, NULL), AG_OK);
    for (int i = 0; i < params.count; i++)
        ck_assert_int_eq(params.items[i].hidden, params.items[i].shape.ndim == 2);
    nn_params_clear(&params);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nn_params");
    TCase *tcase = tcase_create("params");
    tcase_add_test(tcase, initialisers_have_their_distributions);
    tcase_add_test(tcase, axes_after_the_second_count_as_a_field);
    tcase_add_test(tcase, constants_and_refusals);
    tcase_add_test(tcase, parameters_lie_one_after_the_other);
    tcase_add_test(tcase, bad_parameters_are_refused);
    tcase_add_test(tcase, a_failed_initialiser_leaves_nothing_allocated);
    tcase_add_test(tcase, leaves_of_parameters);
    tcase_add_test(tcase, every_allocation_of_a_model_may_fail);
    tcase_add_test(tcase, names_are_those_of_pytorch);
    tcase_add_test(tcase, models_begin_as_documented);
    tcase_add_test(tcase, hidden_matrices_are_those_of_the_blocks);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
