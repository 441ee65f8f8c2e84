/* test_data_batches.c - batches: what is in them, their order, their memory. */
#include "check_util.h"

#include "data.h"

#include <stdio.h>
#include <string.h>

static char *folder;

static void setup(void)
{
    folder = test_folder_new();
}

static void teardown(void)
{
    test_folder_remove(folder);
}

static data_set *open_task(const char *name, data_set_options options)
{
    ag_error error = {0};
    data_set *set = data_set_task(data_task_find(name), &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    return set;
}

static data_set *open_pairs(const char *content, data_set_options options)
{
    ag_error error = {0};
    char *path = test_file_write(folder, "pairs.tsv", content, strlen(content));
    data_set *set = data_set_pairs(path, &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    free(path);
    return set;
}

static data_set *open_text(const char *content, data_set_options options)
{
    ag_error error = {0};
    char *path = test_file_write(folder, "text.txt", content, strlen(content));
    data_set *set = data_set_text(path, &options, &error);
    ck_assert_msg(set != NULL, "%s", error.message);
    free(path);
    return set;
}

static void get(data_set *set, int64_t rows, uint64_t n, data_batch *batch)
{
    ag_error error = {0};
    ck_assert_msg(data_set_batch(set, rows, n, batch, &error) == AG_OK, "%s", error.message);
}

static void expect_ids(const int32_t *ids, int64_t count, const int32_t *expected)
{
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(ids[i] == expected[i], "at %lld: %d, expected %d", (long long)i, (int)ids[i], (int)expected[i]);
}

/* `pairs` pairs of 1 to 20 letters. */
static char *drawn_pairs(int pairs)
{
    char *content = malloc((size_t)pairs * 64 + 1), *out = content;
    ag_rng rng = ag_rng_make(8, 0);
    for (int i = 0; i < pairs; i++) {
        int source = 1 + (int)ag_rng_below(&rng, 20), target = 1 + (int)ag_rng_below(&rng, 20);
        for (int t = 0; t < source; t++)
            *out++ = (char)('a' + ag_rng_below(&rng, 26));
        *out++ = '\t';
        for (int t = 0; t < target; t++)
            *out++ = (char)('a' + ag_rng_below(&rng, 26));
        *out++ = '\n';
    }
    *out = '\0';
    return content;
}

/* ---- Contents of a batch ----------------------------------------------------------- */

START_TEST(rows_of_pairs)
{
    enum { NONE = DATA_NONE, PAD = DATA_PAD, BOS = DATA_BOS, EOS = DATA_EOS };
    data_set *set = open_pairs("ab\tx y z\nc\ty\nabb\tz z\n", (data_set_options){.target_kind = DATA_WORDS});
    data_batch batch = {0};
    ag_error error = {0};
    ck_assert_int_eq(data_set_range(set, 0, 3, &batch, &error), AG_OK);
    ck_assert(batch.rows == 3 && batch.source_length == 4 && batch.target_length == 4);
    expect_ids(batch.source, 12, (int32_t[]){4, 5, EOS, PAD, 6, EOS, PAD, PAD, 4, 5, 5, EOS});
    expect_ids(batch.target_in, 12, (int32_t[]){BOS, 4, 5, 6, BOS, 5, PAD, PAD, BOS, 6, 6, PAD});
    expect_ids(batch.target_out, 12, (int32_t[]){4, 5, 6, EOS, 5, EOS, NONE, NONE, 6, 6, EOS, NONE});
    expect_ids(batch.source_lengths, 3, (int32_t[]){3, 2, 4});
    expect_ids(batch.target_lengths, 3, (int32_t[]){4, 2, 3});
    ck_assert(batch.examples[0] == 0 && batch.examples[1] == 1 && batch.examples[2] == 2);
    ck_assert_int_eq(batch.tokens, 9);

    /* A shorter batch in the same storage is as narrow as its own rows. */
    ck_assert_int_eq(data_set_range(set, 1, 1, &batch, &error), AG_OK);
    ck_assert(batch.rows == 1 && batch.source_length == 2 && batch.target_length == 2 && batch.tokens == 2);
    ck_assert_int_eq(batch.examples[0], 1);

    static const int64_t outside[][2] = {
        {-1, 1}, {0, 4}, {3, 1}, {0, 0}, {4, 1}, {1, INT64_MAX}, {INT64_MAX, INT64_MAX}};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        error = (ag_error){0};
        ck_assert_int_eq(data_set_range(set, outside[i][0], outside[i][1], &batch, &error), AG_BAD_VALUE);
        ck_assert_ptr_nonnull(strstr(error.message, "are not all among its 3"));
    }
    error = (ag_error){0};
    ck_assert_int_eq(data_set_batch(set, 0, 0, &batch, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "a batch has at least 1 row, not 0");
    ck_assert_int_eq(data_set_batches(set, 0), 0);
    ck_assert_int_eq(data_set_batches(set, INT64_MAX), 1);
    data_batch_clear(&batch);
    data_batch_clear(&batch);
    ck_assert_ptr_null(batch.storage);
    data_set_free(set);
}
END_TEST

START_TEST(rows_for_tagging)
{
    data_set *set = open_pairs("ab\tx y\nc\tz\n", (data_set_options){.target_kind = DATA_WORDS, .tagging = true});
    data_batch batch = {0};
    ck_assert_int_eq(data_set_range(set, 0, 2, &batch, NULL), AG_OK);
    ck_assert(batch.source_length == 2 && batch.target_length == 2 && batch.tokens == 3);
    ck_assert_ptr_null(batch.target_in);
    expect_ids(batch.source, 4, (int32_t[]){4, 5, 6, DATA_PAD});
    expect_ids(batch.target_out, 4, (int32_t[]){4, 5, 6, DATA_NONE});
    expect_ids(batch.target_lengths, 2, (int32_t[]){2, 1});
    data_batch_clear(&batch);
    data_set_free(set);
}
END_TEST

START_TEST(rows_of_text)
{
    data_set *set = open_text("abcdefg", (data_set_options){.context = 4});
    data_batch batch = {0};
    ck_assert_int_eq(data_set_range(set, 0, 2, &batch, NULL), AG_OK);
    ck_assert(batch.source == NULL && batch.source_lengths == NULL && batch.source_length == 0);
    ck_assert(batch.target_length == 4 && batch.tokens == 6);
    expect_ids(batch.target_in, 8, (int32_t[]){4, 5, 6, 7, 8, 9, DATA_PAD, DATA_PAD});
    expect_ids(batch.target_out, 8, (int32_t[]){5, 6, 7, 8, 9, 10, DATA_NONE, DATA_NONE});
    expect_ids(batch.target_lengths, 2, (int32_t[]){4, 2});
    data_batch_clear(&batch);
    data_set_free(set);

    set = open_text("one two  three", (data_set_options){.context = 1, .target_kind = DATA_WORDS});
    ck_assert_int_eq(data_set_range(set, 0, 2, &batch, NULL), AG_OK);
    expect_ids(batch.target_in, 2, (int32_t[]){4, 5});
    expect_ids(batch.target_out, 2, (int32_t[]){5, 6});
    data_batch_clear(&batch);
    data_set_free(set);
}
END_TEST

/* Batches hold what data_set_example says, decoded. */
static void expect_same_texts(data_set *set, const data_batch *batch)
{
    for (int64_t r = 0; r < batch->rows; r++) {
        const char *source, *target;
        char text[DATA_TASK_TEXT];
        data_set_example(set, batch->examples[r], &source, &target);
        data_vocab_decode(data_set_source_vocab(set), batch->source + r * batch->source_length, batch->source_length,
                          text, sizeof text);
        ck_assert_str_eq(text, source);
        data_vocab_decode(data_set_target_vocab(set), batch->target_out + r * batch->target_length,
                          batch->target_length, text, sizeof text);
        ck_assert_str_eq(text, target);
        ck_assert_int_eq(batch->target_in[r * batch->target_length], DATA_BOS);
        for (int64_t t = 1; t < batch->target_length; t++)
            ck_assert_int_eq(batch->target_in[r * batch->target_length + t],
                             t < batch->target_lengths[r] ? batch->target_out[r * batch->target_length + t - 1]
                                                          : DATA_PAD);
    }
}

START_TEST(batches_hold_their_examples)
{
    static const char *const names[] = {"reverse", "addition", "numbers", "dates"};
    for (int i = 0; i < 4; i++) {
        data_set *set = open_task(names[i], (data_set_options){.seed = 21, .count = 300, .part = DATA_TRAIN});
        data_batch batch = {0};
        for (uint64_t n = 0; n < 40; n++) {
            get(set, 16, n, &batch);
            expect_same_texts(set, &batch);
        }
        data_batch_clear(&batch);
        data_set_free(set);
    }
}
END_TEST

START_TEST(sources_alone)
{
    data_set *set = open_pairs("ab\tx\n", (data_set_options){0});
    const data_vocab *vocab = data_set_source_vocab(set);
    data_batch batch = {0};
    ag_error error = {0};
    int64_t unknown = -1;
    const char *texts[] = {"ba", "", "a\xC9\x94xb"};
    ck_assert_int_eq(data_batch_sources(vocab, texts, 3, false, &batch, &unknown, &error), AG_OK);
    ck_assert(batch.rows == 3 && batch.source_length == 5 && unknown == 2);
    expect_ids(batch.source, 15, (int32_t[]){5, 4, 2, 0, 0, 2, 0, 0, 0, 0, 4, 3, 3, 5, 2});
    expect_ids(batch.source_lengths, 3, (int32_t[]){3, 1, 5});
    ck_assert(batch.target_in == NULL && batch.target_out == NULL && batch.target_lengths == NULL);
    ck_assert(batch.target_length == 0 && batch.tokens == 0);
    ck_assert_int_eq(data_batch_sources(vocab, texts, 2, true, &batch, NULL, &error), AG_OK);
    ck_assert(batch.rows == 2 && batch.source_length == 2);
    expect_ids(batch.source, 4, (int32_t[]){5, 4, 0, 0});

    const char *bad[] = {"a", "b\xFF"};
    ck_assert_int_eq(data_batch_sources(vocab, bad, 2, false, &batch, NULL, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "source 1: byte 2 is not well-formed UTF-8");
    ck_assert_int_eq(data_batch_sources(vocab, texts, 0, false, &batch, NULL, NULL), AG_BAD_VALUE);
    data_batch_clear(&batch);
    data_set_free(set);
}
END_TEST

/* ---- A user's task that breaks its promises ---------------------------------------- */

static void make_wrong(ag_rng *rng, int min_length, int max_length, char *source, char *target)
{
    snprintf(source, DATA_TASK_TEXT, "%.*s", min_length, "aaaaaaaaaa");
    snprintf(target, DATA_TASK_TEXT, "%.*s", max_length, "aaaaaaaaaa");
    (void)rng;
}

static void most_wrong(int max_length, int64_t *source, int64_t *target)
{
    *source = *target = max_length < 4 ? max_length : 4;
}

START_TEST(a_task_that_breaks_its_promises)
{
    data_task task = {.name = "wrong",
                      .default_min = 1,
                      .default_max = 3,
                      .longest = 9,
                      .same_length = true,
                      .make = make_wrong,
                      .most_tokens = most_wrong,
                      .source_symbols = "a",
                      .target_symbols = "a"};
    data_batch batch = {0};
    ag_error error = {0};
    data_set *set = data_set_task(&task, &(data_set_options){.tagging = true}, &error);
    ck_assert_int_eq(data_set_range(set, 5, 1, &batch, &error), AG_BAD_VALUE);
    ck_assert_str_eq(error.message, "task wrong: example 5 has 1 source token and 3 target tokens, but tagging needs "
                                    "equally many");
    ck_assert_int_eq(batch.rows, 0);
    data_set_free(set);

    error = (ag_error){0};
    set = data_set_task(&task, &(data_set_options){.max_length = 9}, &error);
    ck_assert_int_eq(data_set_batch(set, 4, 0, &batch, &error), AG_BAD_VALUE);
    ck_assert_ptr_nonnull(strstr(error.message, "has more tokens than the task announced"));
    data_set_free(set);
    data_batch_clear(&batch);
}
END_TEST

/* ---- Order ------------------------------------------------------------------------- */

static void expect_equal(const data_batch *a, const data_batch *b)
{
    ck_assert(a->rows == b->rows && a->source_length == b->source_length && a->target_length == b->target_length);
    ck_assert_int_eq(a->tokens, b->tokens);
    ck_assert_int_eq(memcmp(a->examples, b->examples, (size_t)a->rows * sizeof *a->examples), 0);
    size_t target = (size_t)(a->rows * a->target_length) * sizeof *a->target_out;
    ck_assert_int_eq(memcmp(a->target_in, b->target_in, target), 0);
    ck_assert_int_eq(memcmp(a->target_out, b->target_out, target), 0);
    if (a->source)
        ck_assert_int_eq(memcmp(a->source, b->source, (size_t)(a->rows * a->source_length) * sizeof *a->source), 0);
}

/* The batch of one set asked in order equals that of another asked in any order, and
 * between other sizes of batch. */
static void expect_pure(data_set *one, data_set *two)
{
    enum { BATCHES = 60 };
    data_batch a = {0}, b = {0};
    ag_rng rng = ag_rng_make(1, 1);
    for (uint64_t n = 0; n < BATCHES; n++) {
        uint64_t any = ag_rng_below(&rng, BATCHES);
        get(two, 8, any, &b);
        get(two, 5, any, &b);
        get(one, 8, n, &a);
        get(two, 8, n, &b);
        expect_equal(&a, &b);
    }
    data_batch_clear(&a);
    data_batch_clear(&b);
    data_set_free(one);
    data_set_free(two);
}

START_TEST(batch_n_depends_on_n_alone)
{
    char *pairs = drawn_pairs(150);
    data_set_options options = {.seed = 31, .count = 150, .context = 10};
    expect_pure(open_pairs(pairs, options), open_pairs(pairs, options));
    expect_pure(open_task("reverse", options), open_task("reverse", options));
    expect_pure(open_text(pairs, options), open_text(pairs, options));
    free(pairs);
}
END_TEST

START_TEST(an_epoch_has_each_example_once)
{
    static const int64_t counts[] = {1, 7, 64, 150, 1000}, sizes[] = {1, 3, 8, 64, 2000};
    for (int c = 0; c < 5; c++) {
        char *pairs = drawn_pairs((int)counts[c]);
        data_set *set = open_pairs(pairs, (data_set_options){.seed = 5});
        data_batch batch = {0};
        for (int s = 0; s < 5; s++) {
            int64_t rows = sizes[s], batches = data_set_batches(set, rows), smaller = 0;
            ck_assert_int_eq(batches, (counts[c] + rows - 1) / rows);
            for (uint64_t epoch = 0; epoch < 2; epoch++) {
                int seen[1000] = {0};
                for (int64_t b = 0; b < batches; b++) {
                    get(set, rows, epoch * (uint64_t)batches + (uint64_t)b, &batch);
                    smaller += batch.rows < rows;
                    for (int64_t r = 0; r < batch.rows; r++)
                        seen[batch.examples[r]]++;
                }
                for (int64_t i = 0; i < counts[c]; i++)
                    ck_assert_int_eq(seen[i], 1);
            }
            ck_assert_int_eq(smaller, counts[c] % rows ? 2 : 0);
        }
        data_batch_clear(&batch);
        data_set_free(set);
        free(pairs);
    }
}
END_TEST

/* The epochs of a task go on in its stream: epoch e has the examples e * count .. (e + 1)
 * * count - 1. */
START_TEST(epochs_of_a_task_never_repeat)
{
    data_set *set = open_task("reverse", (data_set_options){.count = 50});
    data_batch batch = {0};
    int seen[200] = {0};
    for (uint64_t n = 0; n < 4 * 7; n++) {
        get(set, 8, n, &batch);
        for (int64_t r = 0; r < batch.rows; r++) {
            ck_assert_int_eq(batch.examples[r] / 50, (int64_t)(n / 7));
            seen[batch.examples[r]]++;
        }
    }
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(seen[i], 1);
    for (uint64_t back = 0; back < 200; back += 7) { /* however far */
        get(set, 1, UINT64_MAX - back, &batch);
        ck_assert_int_ge(batch.examples[0], 0);
    }
    ck_assert_int_eq(data_set_range(set, 1000000, 8, &batch, NULL), AG_OK);
    ck_assert_int_eq(batch.examples[7], 1000007);
    data_batch_clear(&batch);
    data_set_free(set);
}
END_TEST

START_TEST(every_epoch_is_shuffled_again)
{
    char *pairs = drawn_pairs(1000);
    data_set *set = open_pairs(pairs, (data_set_options){.seed = 5});
    data_set *other = open_pairs(pairs, (data_set_options){.seed = 6});
    data_batch a = {0}, b = {0};
    int64_t batches = data_set_batches(set, 10), same_epoch = 0, same_seed = 0, rising = 0, last = 0;
    for (int64_t n = 0; n < batches; n++) {
        get(set, 10, (uint64_t)n, &a);
        get(set, 10, (uint64_t)(n + batches), &b);
        same_epoch += a.examples[0] == b.examples[0];
        get(other, 10, (uint64_t)n, &b);
        same_seed += a.examples[0] == b.examples[0];
        int64_t tokens = a.tokens;
        for (int64_t r = 0; r < a.rows; r++)
            tokens += a.source_lengths[r];
        rising += tokens > last;
        last = tokens;
    }
    ck_assert_int_lt(same_epoch, 10);
    ck_assert_int_lt(same_seed, 10);
    ck_assert(rising > 30 && rising < 70); /* lengths come in no order */
    data_batch_clear(&a);
    data_batch_clear(&b);
    data_set_free(set);
    data_set_free(other);
    free(pairs);
}
END_TEST

/* The share of padding is small, where drawing at random would make it large. */
START_TEST(similar_lengths_are_together)
{
    data_set *set = open_task("copy", (data_set_options){.min_length = 1, .max_length = 50, .count = 4096});
    data_batch batch = {0};
    int64_t tokens = 0, room = 0, batches = data_set_batches(set, 16);
    for (int64_t n = 0; n < batches; n++) {
        get(set, 16, (uint64_t)n, &batch);
        tokens += batch.tokens;
        room += batch.rows * batch.target_length;
    }
    ck_assert_msg((double)tokens / (double)room > 0.96, "only %g is not padding", (double)tokens / (double)room);
    data_batch_clear(&batch);
    data_set_free(set);
}
END_TEST

/* Windows of a text are moved in each epoch, stay inside, are whole, and targets are the
 * tokens one later. */
START_TEST(windows_move)
{
    char *text = malloc(1001);
    for (int i = 0; i < 1000; i++) /* each place has its own character */
        text[i] = (char)('!' + i % 90);
    text[1000] = '\0';
    data_set *set = open_text(text, (data_set_options){.context = 80, .seed = 3});
    ck_assert_int_eq(data_set_count(set), 13);
    data_batch batch = {0};
    bool begins[90] = {false};
    int covered[90] = {0}, different = 0;
    for (uint64_t epoch = 0; epoch < 40; epoch++) {
        get(set, 13, epoch, &batch);
        ck_assert(batch.rows == 13 && batch.target_length == 80);
        for (int64_t r = 0; r < 13; r++) {
            const int32_t *in = batch.target_in + r * 80, *out = batch.target_out + r * 80;
            int32_t length = batch.target_lengths[r];
            ck_assert(length == 80 || (length == 39 && batch.examples[r] == 12));
            for (int32_t t = 0; t < length; t++) {
                ck_assert_int_eq(out[t], 4 + (in[t] - 4 + 1) % 90);
                covered[in[t] - 4]++;
            }
            if (batch.examples[r] == 6)
                begins[in[0] - 4] = true;
        }
    }
    for (int i = 0; i < 90; i++) {
        different += begins[i];
        ck_assert_int_gt(covered[i], 0);
    }
    ck_assert_int_gt(different, 15);
    data_batch_clear(&batch);
    data_set_free(set);
    free(text);
}
END_TEST

/* ---- Memory ------------------------------------------------------------------------ */

static void expect_no_allocations(data_set *set)
{
    data_batch batch = {0};
    uint64_t first = 0;
    do { /* the smallest batch comes first */
        data_batch_clear(&batch);
        get(set, 16, first++, &batch);
    } while (batch.rows == 16);
    int64_t before = test_allocations(), batches = data_set_batches(set, 16), failures = 0;
    void *storage = batch.storage;
    for (int64_t n = 0; n < 3 * batches; n++)
        failures += data_set_batch(set, 16, (uint64_t)n, &batch, NULL) != AG_OK;
    int64_t made = test_allocations() - before; /* an assertion allocates, too */
    ck_assert_int_eq(made, 0);
    ck_assert_int_eq(failures, 0);
    ck_assert_ptr_eq(batch.storage, storage);
    data_batch_clear(&batch);
    data_set_free(set);
}

START_TEST(no_allocations_after_the_first_batch)
{
    char *pairs = drawn_pairs(500);
    expect_no_allocations(open_pairs(pairs, (data_set_options){0}));
    expect_no_allocations(open_text(pairs, (data_set_options){.context = 16}));
    expect_no_allocations(open_task("dates", (data_set_options){.count = 100, .part = DATA_TRAIN}));
    expect_no_allocations(open_task("sort", (data_set_options){.count = 100, .tagging = true}));
    free(pairs);
}
END_TEST

/* Opening, two batches of different sizes, groups, while the n-th allocation fails; then
 * all of it again without. Returns whether something failed. No assertion stands in
 * between, as it would allocate. */
static bool fails_at(int64_t n, data_set *(*open)(ag_error *error))
{
    static const int64_t sizes[] = {9, 2}; /* the second order needs more memory than the first */
    ag_error error = {0}, fine = {0};
    data_batch batch = {0};
    int64_t groups = 0;
    test_fail_allocation(n);
    data_set *set = open(&error);
    ag_status status = set ? AG_OK : error.status;
    for (int i = 0; i < 2 && status == AG_OK; i++)
        status = data_set_batch(set, sizes[i], 1, &batch, &error);
    if (status == AG_OK)
        groups = data_set_source_count(set);
    test_fail_allocation(0);

    ck_assert_int_eq(status, error.status);
    ck_assert(status == AG_OK || (status == AG_NO_MEMORY && strlen(error.message) > 10));
    if (!set)
        set = open(&fine);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(data_set_batch(set, sizes[i], 1, &batch, &fine), AG_OK);
        ck_assert(batch.rows > 0 && batch.rows <= sizes[i] && batch.tokens > 0);
    }
    ck_assert_int_ge(data_set_source_count(set), 0);
    data_batch_clear(&batch);
    data_set_free(set);
    return status != AG_OK || groups < 0;
}

static char *pairs_path;

static data_set *open_failing_pairs(ag_error *error)
{
    return data_set_pairs(pairs_path, &(data_set_options){.part = DATA_TRAIN, .held_out = 0.3}, error);
}

static data_set *open_failing_text(ag_error *error)
{
    return data_set_text(pairs_path, &(data_set_options){.context = 4}, error);
}

static data_set *open_failing_task(ag_error *error)
{
    return data_set_task(data_task_find("numbers"), &(data_set_options){.count = 40, .part = DATA_TRAIN}, error);
}

START_TEST(memory_runs_out)
{
    data_set *(*const opens[])(ag_error *) = {open_failing_pairs, open_failing_text, open_failing_task};
    char *pairs = drawn_pairs(40);
    pairs_path = test_file_write(folder, "pairs.tsv", pairs, strlen(pairs));
    for (int i = 0; i < 3; i++) {
        int failures = 0;
        /* Giving back memory may fail unnoticed, so one success is not the end. */
        for (int64_t n = 1; n <= 100; n++)
            failures += fails_at(n, opens[i]);
        ck_assert(failures >= 15 && failures < 80);
    }
    free(pairs_path);
    free(pairs);
}
END_TEST

START_TEST(memory_runs_out_for_sources)
{
    data_set *set = open_task("copy", (data_set_options){0});
    data_batch batch = {0};
    const char *texts[] = {"abc", "de"};
    ag_error error = {0};
    test_fail_allocation(1);
    ck_assert_int_eq(data_batch_sources(data_set_source_vocab(set), texts, 2, false, &batch, NULL, &error),
                     AG_NO_MEMORY);
    ck_assert_ptr_null(batch.storage);
    ck_assert_int_eq(data_batch_sources(data_set_source_vocab(set), texts, 2, false, &batch, NULL, NULL), AG_OK);
    ck_assert_int_eq(batch.source_length, 4);
    error = (ag_error){0};
    ck_assert_int_eq(data_set_range(set, 0, INT64_MAX / 2, &batch, &error), AG_NO_MEMORY);
    ck_assert_int_eq(error.status, AG_NO_MEMORY);
    data_batch_clear(&batch);
    data_set_free(set);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("data_batches");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, rows_of_pairs);
    tcase_add_test(tests, rows_for_tagging);
    tcase_add_test(tests, rows_of_text);
    tcase_add_test(tests, batches_hold_their_examples);
    tcase_add_test(tests, sources_alone);
    tcase_add_test(tests, a_task_that_breaks_its_promises);
    tcase_add_test(tests, batch_n_depends_on_n_alone);
    tcase_add_test(tests, an_epoch_has_each_example_once);
    tcase_add_test(tests, epochs_of_a_task_never_repeat);
    tcase_add_test(tests, every_epoch_is_shuffled_again);
    tcase_add_test(tests, similar_lengths_are_together);
    tcase_add_test(tests, windows_move);
    tcase_add_test(tests, no_allocations_after_the_first_batch);
    tcase_add_test(tests, memory_runs_out);
    tcase_add_test(tests, memory_runs_out_for_sources);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(make_suite)
