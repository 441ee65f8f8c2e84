/* test_study_trace.c - a trace holds what was computed, in order; comparing two names the
 * first difference. */
#include "safetensors_util.h"
#include "subject_util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static test_subject s;
static char other_path[512];

static void set_up(void)
{
    tensors_set_up();
    test_subject_init(&s, (nn_model_config){.kind = (nn_model_kind)0}, (test_sizes){6, 5, 4, 3});
    snprintf(other_path, sizeof other_path, "%s/other.safetensors", tensors_folder);
}

static void tear_down(void)
{
    remove(other_path);
    test_subject_clear(&s);
    tensors_tear_down();
}

static void trace(const char *path, int threads, bool plain)
{
    ag_error error = {0};
    const study_trace_options options = {.threads = threads, .plain_attention = plain};
    ck_assert_msg(study_trace(s.model, s.subject.input, &options, path, &error) == AG_OK, "%s", error.message);
}

/* The first tensor of the file whose name ends so. */
static const data_tensor *ending(const data_safetensors *file, const char *part, const char *end)
{
    for (int64_t i = 0; i < data_safetensors_count(file); i++) {
        const data_tensor *tensor = data_safetensors_at(file, i);
        const size_t length = strlen(tensor->name);
        if (!strncmp(tensor->name, part, strlen(part)) && length >= strlen(end) &&
            !strcmp(tensor->name + length - strlen(end), end))
            return tensor;
    }
    ck_abort_msg("no %s...%s", part, end);
    return NULL;
}

/* ---- Contents ---------------------------------------------------------------------- */

/* The logits and the loss are those of the model; the gradients of the logits sum to 0 in
 * each row, as those of a softmax do, and are 0 at padding. */
START_TEST(it_holds_what_was_computed)
{
    trace(tensors_path, 1, false);
    data_safetensors *file = tensors_open();
    ag_tape *tape = test_quiet_tape();
    nn_pass pass = test_pass(s.model, tape);
    ag_tensor *logits = nn_model_apply(s.model, &pass, s.subject.input);
    ck_assert_ptr_nonnull(logits);
    const data_tensor *forward = ending(file, "forward/", "output.linear");
    ck_assert_uint_eq(forward->size, (uint64_t)logits->size * sizeof(ag_real));
    ck_assert_mem_eq(forward->data, logits->data, (size_t)forward->size);

    const int64_t classes = logits->shape.dim[2];
    ag_real gradient[1000];
    ck_assert_int_eq(data_tensor_read(ending(file, "gradient/", "output.linear"), gradient, logits->size, NULL), AG_OK);
    for (int64_t i = 0; i < logits->shape.dim[1]; i++) {
        double sum = 0, most = 0;
        for (int64_t c = 0; c < classes; c++) {
            sum += (double)gradient[i * classes + c];
            most = fmax(most, fabs((double)gradient[i * classes + c]));
        }
        ck_assert_double_lt(fabs(sum), PRECISION(1e-14, 1e-6));
        ck_assert((most > 0) == (i < 3));
    }
    ag_tape_free(tape);
    data_safetensors_close(file);
}
END_TEST

/* The loss is the mean of -log softmax of the token after each one: the tokens 1 and 2 of
 * the three, and the end mark. */
START_TEST(the_loss_is_that_of_the_next_tokens)
{
    const int32_t wanted[3] = {s.subject.input->target[1], s.subject.input->target[2], DATA_EOS};
    const int64_t classes = s.model->config.target_vocab;
    ag_real logits[1000], loss;
    double sum = 0;
    trace(tensors_path, 1, false);
    data_safetensors *file = tensors_open();
    ck_assert_int_eq(data_tensor_read(ending(file, "forward/", "output.linear"), logits, 5 * classes, NULL), AG_OK);
    ck_assert_int_eq(data_tensor_read(ending(file, "forward/", "cross_entropy"), &loss, 1, NULL), AG_OK);
    for (int i = 0; i < 3; i++) {
        double all = 0;
        for (int64_t c = 0; c < classes; c++)
            all += exp((double)logits[i * classes + c]);
        sum += log(all) - (double)logits[i * classes + wanted[i]];
    }
    ck_assert_double_lt(fabs(sum / 3 - (double)loss), PRECISION(1e-14, 1e-6));
    data_safetensors_close(file);
}
END_TEST

/* Every operation and every parameter has its gradient. */
START_TEST(all_gradients_are_there)
{
    const nn_params *params = &s.model->params;
    trace(tensors_path, 1, false);
    data_safetensors *file = tensors_open();
    for (int i = 0; i < params->count; i++) {
        char name[256];
        snprintf(name, sizeof name, "parameter/%s", params->items[i].name);
        const data_tensor *tensor = data_safetensors_find(file, name);
        ck_assert_msg(tensor && tensor->size == (uint64_t)params->items[i].size * sizeof(ag_real), "%s", name);
    }
    for (int64_t i = 0; i < data_safetensors_count(file); i++) {
        const data_tensor *forward = data_safetensors_at(file, i);
        char name[256];
        if (strncmp(forward->name, "forward/", strlen("forward/")) != 0)
            continue;
        snprintf(name, sizeof name, "gradient/%s", forward->name + strlen("forward/"));
        const data_tensor *gradient = data_safetensors_find(file, name);
        ck_assert_msg(gradient && gradient->size == forward->size, "%s", name);
    }
    data_safetensors_close(file);
}
END_TEST

/* The gradient of the loss by a parameter is that of central differences of the loss in
 * the file. */
START_TEST(the_gradients_are_those_of_the_loss)
{
    const double step = PRECISION(1e-5, 1e-2);
    const nn_param *item = &s.model->params.items[nn_params_find(&s.model->params, "output.weight")];
    ag_real *place = s.model->params.value + item->offset + 7, gradient[1000], loss[2];
    trace(tensors_path, 1, false);
    data_safetensors *file = tensors_open();
    ck_assert_int_eq(data_tensor_read(ending(file, "parameter/", "output.weight"), gradient, item->size, NULL), AG_OK);
    data_safetensors_close(file);
    const ag_real before = *place;
    for (int side = 0; side < 2; side++) {
        *place = (ag_real)((double)before + (side ? step : -step));
        trace(tensors_path, 1, false);
        file = tensors_open();
        ck_assert_int_eq(data_tensor_read(ending(file, "forward/", "cross_entropy"), &loss[side], 1, NULL), AG_OK);
        data_safetensors_close(file);
    }
    *place = before;
    ck_assert_double_lt(fabs(((double)loss[1] - (double)loss[0]) / (2 * step) - (double)gradient[7]),
                        PRECISION(1e-9, 1e-3));
    ck_assert_double_gt(fabs((double)gradient[7]), 1e-4);
    for (int64_t i = 0; i < s.model->params.size; i++) /* the model's own gradients stay as they were */
        ck_assert(s.model->params.grad[i] == 0);
}
END_TEST

START_TEST(plain_attention_shows_its_weights)
{
    trace(tensors_path, 1, true);
    data_safetensors *file = tensors_open();
    ending(file, "forward/", "encoder.layers.0.self_attn.masked_softmax");
    data_safetensors_close(file);
}
END_TEST

START_TEST(every_kind_has_a_trace)
{
    test_subject_clear(&s);
    test_subject_init(&s, (nn_model_config){.kind = (nn_model_kind)_i}, (test_sizes){6, 5, 4, 3});
    trace(tensors_path, 1, false);
    data_safetensors *file = tensors_open();
    ending(file, "gradient/", "output.linear");
    data_safetensors_close(file);
}
END_TEST

/* ---- Comparing --------------------------------------------------------------------- */

static study_difference compare(bool common, double tolerance)
{
    ag_error error = {0};
    study_difference difference;
    ck_assert_msg(study_trace_compare(tensors_path, other_path, common, tolerance, &difference, &error) == AG_OK, "%s",
                  error.message);
    return difference;
}

START_TEST(threads_change_no_byte)
{
    trace(tensors_path, 1, false);
    trace(other_path, 2, false);
    study_difference difference = compare(false, 0);
    ck_assert(!difference.found);
    ck_assert_int_gt(difference.compared, 100);
}
END_TEST

/* A parameter of the last block is moved: what comes before it agrees, and the first that
 * it makes is named. */
START_TEST(the_first_difference_is_named)
{
    const nn_params *params = &s.model->params;
    trace(tensors_path, 1, false);
    ag_real *place = params->value + params->items[nn_params_find(params, "decoder.layers.1.linear2.bias")].offset;
    *place += (ag_real)0.25;
    trace(other_path, 1, false);
    study_difference difference = compare(false, 0);
    ck_assert(difference.found);
    ck_assert_msg(strstr(difference.message, "forward/") == difference.message &&
                      strstr(difference.message, "decoder.layers.1.linear") != NULL,
                  "%s", difference.message);
    ck_assert_int_gt(difference.compared, 20);
    ck_assert(!compare(false, 100).found);
}
END_TEST

static void write_numbers(const char *path, const char *name, const char *dtype, int rank, const uint64_t *shape,
                          const void *data)
{
    data_writer *writer = data_writer_new(NULL);
    ck_assert_int_eq(data_writer_add(writer, name, dtype, rank, shape, data, NULL), AG_OK);
    ck_assert_int_eq(data_writer_add(writer, "shared", dtype, rank, shape, data, NULL), AG_OK);
    ck_assert_int_eq(data_writer_save(writer, path, NULL), AG_OK);
    data_writer_free(writer);
}

START_TEST(tolerance_shapes_and_names)
{
    const float a[2] = {1, NAN}, b[2] = {1.5f, NAN};
    const double wide[2] = {1, (double)NAN};
    write_numbers(tensors_path, "one", "F32", SHAPE(2), a);
    write_numbers(other_path, "one", "F64", SHAPE(2), wide);
    ck_assert(!compare(false, 0).found); /* element types may differ, and NaN agrees with NaN */
    write_numbers(other_path, "one", "F32", SHAPE(2), b);
    ck_assert(compare(false, 0.33).found);
    ck_assert(!compare(false, 0.34).found); /* 0.5 is a third of 1.5 */
    write_numbers(other_path, "one", "F32", SHAPE(2, 1), a);
    ck_assert_ptr_nonnull(strstr(compare(false, 1).message, "another shape"));
    write_numbers(other_path, "two", "F32", SHAPE(2), a);
    ck_assert_ptr_nonnull(strstr(compare(false, 0).message, "one is in the first file alone"));
    ck_assert_int_eq(compare(true, 0).compared, 1);
}
END_TEST

/* An infinity agrees with itself alone, however large the tolerance. */
START_TEST(infinities_are_no_numbers)
{
    const float a[1] = {INFINITY}, finite[1] = {1}, negative[1] = {-INFINITY};
    write_numbers(tensors_path, "one", "F32", SHAPE(1), a);
    write_numbers(other_path, "one", "F32", SHAPE(1), a);
    ck_assert(!compare(false, 0).found);
    ck_assert(!compare(false, 1).found);
    write_numbers(other_path, "one", "F32", SHAPE(1), finite);
    ck_assert(compare(false, 1).found);
    write_numbers(other_path, "one", "F32", SHAPE(1), negative);
    ck_assert(compare(false, 2).found);
}
END_TEST

/* Also where `ag_real` is float: two doubles that no float tells apart are two. */
START_TEST(doubles_are_compared_as_doubles)
{
    const double a[2] = {2, 1}, b[2] = {2, 1 + 0x1p-40};
    const float narrow[2] = {2, 1};
    write_numbers(tensors_path, "one", "F64", SHAPE(2), a);
    write_numbers(other_path, "one", "F64", SHAPE(2), b);
    const study_difference difference = compare(false, 0);
    ck_assert(difference.found);
    ck_assert_msg(strstr(difference.message, "1 of 2 elements, the first of them 1: 1 and 1.0000000000009") != NULL,
                  "%s", difference.message);
    ck_assert(!compare(false, 1e-12).found);
    write_numbers(tensors_path, "one", "F32", SHAPE(2), narrow);
    ck_assert(compare(false, 0).found);
    ck_assert(!compare(false, 1e-12).found);
}
END_TEST

/* Whatever `ag_real` is, and beyond what a double can hold. */
START_TEST(integers_are_compared_exactly)
{
    static const struct {
        const char *types[2];
        int64_t values[2];
        bool found;
        const char *said;
    } cases[] = {
        {{"I64", "I64"}, {(1 << 24), (1 << 24) + 1}, true, "16777216 and 16777217"},
        {{"I64", "I64"}, {(1 << 24) + 1, (1 << 24) + 1}, false, ""},
        {{"I64", "I64"}, {-(1 << 24), -(1 << 24) - 1}, true, "-16777216 and -16777217"},
        {{"I64", "I64"}, {INT64_MAX, INT64_MAX - 1}, true, "9223372036854775807 and 9223372036854775806"},
        {{"I64", "I64"}, {INT64_MIN, INT64_MIN + 1}, true, "-9223372036854775808 and -9223372036854775807"},
        {{"I64", "I64"}, {INT64_MIN, INT64_MIN}, false, ""},
        {{"U64", "U64"}, {-1, -2}, true, "18446744073709551615 and 18446744073709551614"},
        {{"U64", "U64"}, {-1, -1}, false, ""},
        {{"U64", "I64"}, {-1, -1}, true, "18446744073709551615 and -1"},
        {{"U64", "I64"}, {INT64_MAX, INT64_MAX}, false, ""},
        {{"I64", "U64"}, {3, 3}, false, ""},
        {{"I64", "F64"}, {0, 0}, false, ""},
        {{"F64", "I64"}, {0, -7}, true, "0 and -7"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_numbers(tensors_path, "one", cases[i].types[0], SHAPE(1), &cases[i].values[0]);
        write_numbers(other_path, "one", cases[i].types[1], SHAPE(1), &cases[i].values[1]);
        const study_difference difference = compare(false, 0);
        ck_assert_msg(difference.found == cases[i].found && strstr(difference.message, cases[i].said) != NULL,
                      "case %zu: '%s'", i, difference.message);
    }
}
END_TEST

/* Each type of integer at its ends, beside the same number as a double; and the tolerance
 * of one. */
START_TEST(integers_of_every_width)
{
    static const uint8_t truth[2] = {0, 1}, u8[2] = {0, UINT8_MAX};
    static const int8_t i8[2] = {INT8_MIN, INT8_MAX};
    static const uint16_t u16[2] = {0, UINT16_MAX};
    static const int16_t i16[2] = {INT16_MIN, INT16_MAX};
    static const uint32_t u32[2] = {0, UINT32_MAX};
    static const int32_t i32[2] = {INT32_MIN, INT32_MAX};
    static const int64_t i64[2] = {INT64_MIN, INT64_C(1) << 53};
    static const struct {
        const char *type;
        const void *ends; /* the smallest and the largest number */
        double values[2];
    } cases[] = {
        {"BOOL", truth, {0, 1}},
        {"U8", u8, {0, 255}},
        {"I8", i8, {-128, 127}},
        {"U16", u16, {0, 65535}},
        {"I16", i16, {-32768, 32767}},
        {"U32", u32, {0, 4294967295.0}},
        {"I32", i32, {-2147483648.0, 2147483647.0}},
        {"I64", i64, {-0x1p63, 0x1p53}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        double next[2] = {cases[i].values[0], cases[i].values[1] - 1};
        write_numbers(tensors_path, "one", cases[i].type, SHAPE(2), cases[i].ends);
        write_numbers(other_path, "one", "F64", SHAPE(2), cases[i].values);
        ck_assert_msg(!compare(false, 0).found, "%s: %s", cases[i].type, compare(false, 0).message);
        write_numbers(other_path, "one", "F64", SHAPE(2), next);
        ck_assert_msg(compare(false, 0).found, "%s", cases[i].type);
    }
    write_numbers(tensors_path, "one", "I64", SHAPE(1), &(int64_t){100});
    write_numbers(other_path, "one", "I64", SHAPE(1), &(int64_t){101});
    ck_assert(compare(false, 0.0099).found);
    ck_assert(!compare(false, 0.01).found); /* 1 is a little less than a hundredth of 101 */
}
END_TEST

/* Below 1 the tolerance is that of 1. */
START_TEST(small_numbers_are_measured_by_one)
{
    const float a[1] = {0.001f}, b[1] = {0.002f};
    write_numbers(tensors_path, "one", "F32", SHAPE(1), a);
    write_numbers(other_path, "one", "F32", SHAPE(1), b);
    ck_assert(!compare(false, 0.0011).found);
    ck_assert(compare(false, 0.0009).found);
}
END_TEST

/* As a model computes: forward, the gradients from the last back to the first, those of
 * the parameters, the rest. The files hold them by name. */
START_TEST(differences_are_named_in_the_order_of_the_computation)
{
    static const char *const order[] = {"forward/00000.a",  "forward/00001.b", "gradient/00001.b",
                                        "gradient/00000.a", "parameter/a",     "another"};
    const uint64_t one = 1;
    for (int agreeing = 0; agreeing < (int)COUNT(order); agreeing++) {
        for (int side = 0; side < 2; side++) {
            data_writer *writer = tensors_writer();
            for (int i = 0; i < (int)COUNT(order); i++) {
                static const float values[2] = {1, 2};
                tensors_add(writer, order[i], "F32", 1, &one, &values[side && i >= agreeing]);
            }
            ck_assert_int_eq(data_writer_save(writer, side ? other_path : tensors_path, NULL), AG_OK);
            data_writer_free(writer);
        }
        const study_difference difference = compare(false, 0);
        ck_assert(difference.found);
        ck_assert_int_eq(difference.compared, agreeing);
        ck_assert_msg(!strncmp(difference.message, order[agreeing], strlen(order[agreeing])), "%s, not %s",
                      difference.message, order[agreeing]);
    }
}
END_TEST

START_TEST(what_cannot_be_compared_or_traced)
{
    ag_error error = {0};
    study_difference difference;
    ck_assert_int_ne(study_trace_compare(tensors_path, other_path, false, 0, &difference, &error), AG_OK);
    ck_assert_ptr_nonnull(strstr(error.message, tensors_path));
    const float a[1] = {1};
    data_writer *writer = data_writer_new(NULL);
    ck_assert_int_eq(data_writer_add(writer, "x", "F32", SHAPE(1), a, NULL), AG_OK);
    ck_assert_int_eq(data_writer_save(writer, tensors_path, NULL), AG_OK);
    data_writer_free(writer);
    write_numbers(other_path, "y", "F32", SHAPE(1), a);
    error = (ag_error){0};
    ck_assert_int_eq(study_trace_compare(tensors_path, other_path, true, 0, &difference, &error), AG_BAD_VALUE);

    nn_input two = *s.subject.input;
    two.rows = 2;
    error = (ag_error){0};
    ck_assert_int_eq(study_trace(s.model, &two, &(study_trace_options){.threads = 1}, tensors_path, &error),
                     AG_BAD_VALUE);
}
END_TEST

START_TEST(any_allocation_may_fail)
{
    const study_trace_options options = {.threads = 1};
    trace(tensors_path, 1, false);
    int64_t before = test_allocations();
    trace(tensors_path, 1, false);
    const int64_t count = test_allocations() - before;
    ck_assert_int_gt(count, 10);
    for (int64_t n = 1; n <= count + 1; n++) { /* the last has all that it asks for */
        ag_error error = {0};
        test_fail_allocation(n);
        ag_status status = study_trace(s.model, s.subject.input, &options, other_path, &error);
        test_fail_allocation(0);
        ck_assert_int_eq(status, error.status);
        ck_assert((status == AG_OK) == (*error.message == 0));
    }
    before = test_allocations();
    ck_assert(!compare(false, 0).found);
    const int64_t compared = test_allocations() - before;
    for (int64_t n = 1; n <= compared; n++) {
        ag_error error = {0};
        study_difference difference;
        test_fail_allocation(n);
        ag_status status = study_trace_compare(tensors_path, other_path, false, 0, &difference, &error);
        test_fail_allocation(0);
        ck_assert_int_eq(status, error.status);
    }
}
END_TEST

static Suite *trace_suite(void)
{
    Suite *suite = suite_create("study/trace");
    TCase *tests = tcase_create("trace");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, it_holds_what_was_computed);
    tcase_add_test(tests, the_loss_is_that_of_the_next_tokens);
    tcase_add_test(tests, all_gradients_are_there);
    tcase_add_test(tests, the_gradients_are_those_of_the_loss);
    tcase_add_test(tests, plain_attention_shows_its_weights);
    tcase_add_loop_test(tests, every_kind_has_a_trace, 0, 3);
    tcase_add_test(tests, threads_change_no_byte);
    tcase_add_test(tests, the_first_difference_is_named);
    tcase_add_test(tests, tolerance_shapes_and_names);
    tcase_add_test(tests, infinities_are_no_numbers);
    tcase_add_test(tests, doubles_are_compared_as_doubles);
    tcase_add_test(tests, integers_are_compared_exactly);
    tcase_add_test(tests, integers_of_every_width);
    tcase_add_test(tests, small_numbers_are_measured_by_one);
    tcase_add_test(tests, differences_are_named_in_the_order_of_the_computation);
    tcase_add_test(tests, what_cannot_be_compared_or_traced);
    tcase_add_test(tests, any_allocation_may_fail);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(trace_suite)
