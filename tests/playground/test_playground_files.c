/* test_playground_files.c - models saved and loaded, own lines, and what goes wrong with
 * them. */
#include "ask.h"
#include "failing_calls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char small[] = "task=reverse&task-min=3&task-max=5&heads=2&d-model=16&batch=8&steps=60&seed=7";

/* The answer's text member of this name; the caller frees it. */
static char *member(const playground *p, const char *name)
{
    char mark[64];
    snprintf(mark, sizeof mark, "\"%s\":\"", name);
    const char *at = strstr(playground_answer(p), mark);
    ck_assert_msg(at, "no %s in %s", name, playground_answer(p));
    at += strlen(mark);
    return strndup(at, strcspn(at, "\""));
}

static char *digest(playground *p)
{
    ask(p, "digest", "");
    return member(p, "parameters_sha256");
}

/* It is refused with this sentence, and the run is as it was. */
static void refused_whole(playground *p, const char *verb, const char *text, const char *sentence)
{
    char *before = digest(p);
    const int64_t step = p->run->step;
    ck_assert_msg(playground_ask(p, verb, text) != AG_OK, "%s %s", verb, text);
    ck_assert_msg(strstr(playground_answer(p), sentence), "%s %s: %s", verb, text, playground_answer(p));
    ck_assert_ptr_null(strchr(playground_answer(p), '\n'));
    char *after = digest(p);
    ck_assert_str_eq(before, after);
    ck_assert_int_eq(p->run->step, step);
    free(before);
    free(after);
}

/* ---- A model that is taken along --------------------------------------------------- */

/* What is saved is what the command writes, and comes back whole. */
START_TEST(the_file_of_a_run_of_the_command)
{
    playground *p = begin(small);
    ask(p, "step", "60");
    char *before = digest(p), *command = member(p, "command");
    ck_assert_str_eq(command, "tapeformer train --task reverse --task-min 3 --task-max 5 --d-model 16 --heads 2 "
                              "--layers 1 --lr 0.003 --batch 8 --steps 60 --seed 7 --out run");
    ask(p, "save", "");
    char *file = member(p, "sha256"), *parameters = member(p, "parameters_sha256");
    ck_assert_str_eq(parameters, before);

    train_recipe recipe = p->run->setting.recipe;
    recipe.run.out = "run";
    recipe.run.evaluate_sources = 5;
    recipe.run.arguments =
        "--task\nreverse\n--task-min\n3\n--task-max\n5\n--d-model\n16\n--heads\n2\n--layers\n1\n--lr\n"
        "0.003\n--batch\n8\n--steps\n60\n--seed\n7";
    ag_error error = {0};
    nn_model *model = nn_model_new(&p->run->model->config, 7, &error);
    ck_assert_msg(train_run(model, p->run->training, p->run->dev, &recipe.run, NULL, &error) == AG_OK, "%s",
                  error.message);
    ck_assert_int_eq(rename("run/last.safetensors", "run/model.safetensors"), 0);
    test_files_equal(".", "run", TRAIN_MODEL_FILE);
    nn_model_free(model);

    ask(p, "begin", "task=copy");
    ask(p, "load", TRAIN_MODEL_FILE);
    ck_assert_ptr_nonnull(strstr(playground_answer(p), "task=reverse&task-min=3&task-max=5"));
    ck_assert_ptr_nonnull(strstr(playground_answer(p), "\"learns\":true"));
    char *after = digest(p), *none = member(p, "command");
    ck_assert_str_eq(after, before);
    ck_assert_str_eq(none, "");
    ask(p, "save", "");
    char *again = member(p, "sha256");
    ck_assert_str_eq(again, file);
    free(before), free(command), free(file), free(parameters), free(after), free(none), free(again);
    playground_free(p);
}
END_TEST

/* Defaults of the page's that are not the command's, masks and switches come back, too. */
START_TEST(a_setting_comes_back_from_a_file)
{
    static const char *const settings[] = {
        "task=sort&batch=31&d-model=128&heads=4&layers=2&post-norm&target=leak&eval-target=causal&warmup=0",
        "task=dates&model=decoder&positions=rotary&d-model=16&cross=window:2,padding",
        "task=shift&model=encoder&positions=none&dropout=0.25&d-model=16&source=own:2x3:A8",
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        playground *p = begin(settings[i]);
        char *before = member(p, "setting");
        ask(p, "save", "");
        ask(p, "begin", small);
        ask(p, "load", TRAIN_MODEL_FILE);
        char *after = member(p, "setting");
        ck_assert_str_eq(after, before);
        ask(p, "step", "2");
        ask(p, "evaluate", "");
        free(before), free(after);
        playground_free(p);
    }
}
END_TEST

/* A model that goes on begins where it was: a new one is far from there after as many steps. */
START_TEST(a_loaded_model_is_trained_further)
{
    static const char copy[] = "task=copy&task-min=2&task-max=4&d-model=32&heads=2&batch=32&steps=400&lr=0.005";
    playground *p = begin(copy);
    ask(p, "step", "400");
    ask(p, "evaluate", "");
    const double loss = p->run->result.loss;
    ask(p, "save", "");
    ask(p, "load", TRAIN_MODEL_FILE);
    ask(p, "evaluate", "");
    ck_assert_double_eq(p->run->result.loss, loss);
    ask(p, "step", "50");
    ask(p, "evaluate", "");
    ck_assert_double_lt(p->run->result.loss, 0.5);
    ask(p, "begin", copy);
    ask(p, "step", "50");
    ask(p, "evaluate", "");
    ck_assert_double_gt(p->run->result.loss, 1);
    playground_free(p);
}
END_TEST

/* Saves a model of these vocabularies and of no task as "foreign.safetensors". */
static void save_foreign(nn_model_kind kind, const char *vocabulary, int width)
{
    ag_error error = {0};
    data_vocab *vocab = data_vocab_read(vocabulary, &error);
    ck_assert_msg(vocab, "%s", error.message);
    const nn_model_config config = {.kind = kind,
                                    .source_vocab = kind == NN_DECODER ? 0 : data_vocab_size(vocab),
                                    .target_vocab = data_vocab_size(vocab),
                                    .d_model = width,
                                    .heads = 2,
                                    .ffn = 24,
                                    .max_length = 20,
                                    .activation = AG_GATED_SILU};
    nn_model *model = nn_model_new(&config, 3, &error);
    ck_assert_msg(model, "%s", error.message);
    const train_saved saved = {
        .model = model, .source_vocab = kind == NN_DECODER ? NULL : vocab, .target_vocab = vocab};
    ck_assert(train_saved_save(&saved, ".", true, &error) == AG_OK);
    ck_assert_int_eq(rename(TRAIN_MODEL_FILE, "foreign.safetensors"), 0);
    nn_model_free(model);
    data_vocab_free(vocab);
}

/* It can be looked at; it is trained once there are examples. */
START_TEST(a_model_without_a_task_is_studied)
{
    static const nn_model_kind kinds[] = {NN_ENCODER_DECODER, NN_ENCODER, NN_DECODER};
    static const char *const vocabularies[] = {"words 3 red green blue", "chars 4 a b c d", "chars 3 a b \xE2\x86\x92"};
    static const char *const lines[] = {"red green\tblue\nblue\tgreen red", "ab\tcd\nda\tbc", "a\tb\nb\ta"};
    for (int i = 0; i < 3; i++) {
        char text[256];
        save_foreign(kinds[i], vocabularies[i], 16);
        playground *p = begin(small);
        ask(p, "load", "foreign.safetensors\n");
        ck_assert_ptr_nonnull(strstr(playground_answer(p), "\"learns\":false"));
        ck_assert_ptr_null(strstr(playground_answer(p), "task="));
        refused_whole(p, "step", "1", "came without examples");
        refused_whole(p, "evaluate", "", "came without examples");
        ask(p, "charts", "");
        snprintf(text, sizeof text, "foreign.safetensors\n%s", lines[i]);
        ask(p, "load", text);
        ck_assert_ptr_nonnull(strstr(playground_answer(p), "\"learns\":true"));
        ask(p, "step", "2");
        ask(p, "evaluate", "");
        playground_free(p);
    }
}
END_TEST

/* Its vocabulary may hold what no line can, and its language may have no arrow. */
START_TEST(a_language_model_of_text_is_studied)
{
    save_foreign(NN_DECODER, "chars 5 \\20 \\0a \\09 a b", 16);
    playground *p = begin(small);
    ask(p, "load", "foreign.safetensors\na\tb\nb\ta");
    ck_assert_ptr_nonnull(strstr(playground_answer(p), "\"learns\":false"));
    playground_free(p);
}
END_TEST

/* ---- What is no model -------------------------------------------------------------- */

START_TEST(files_that_are_refused)
{
    playground *p = begin(small);
    ask(p, "step", "3");
    ask(p, "save", "");
    size_t size;
    unsigned char *bytes = test_file_read(".", TRAIN_MODEL_FILE, &size);
    free(test_file_write(".", "photo.jpg", "\xFF\xD8\xFF\xE0 no model at all", 20));
    free(test_file_write(".", "empty", "", 0));
    free(test_file_write(".", "cut", bytes, size - 1000));
    free(test_file_write(".", "start", bytes, 5));
    refused_whole(p, "load", "photo.jpg", "photo.jpg: ");
    refused_whole(p, "load", "empty\n", "empty: ");
    refused_whole(p, "load", "cut\na\tb", "cut: ");
    refused_whole(p, "load", "start", "start: ");
    refused_whole(p, "load", "none", "none: ");
    refused_whole(p, "load", "", ": ");
    for (size_t at = 0; at < size; at += size / 40) {
        bytes[at] ^= 0x10;
        free(test_file_write(".", "flipped", bytes, size));
        refused_whole(p, "load", "flipped", "flipped: ");
        bytes[at] ^= 0x10;
    }
    free(bytes);
    save_foreign(NN_ENCODER_DECODER, "chars 1 a", 256);
    refused_whole(p, "load", "foreign.safetensors",
                  "foreign.safetensors: d-model=256 is too much for a page, which takes up to 128");
    ask(p, "step", "1");
    playground_free(p);
}
END_TEST

/* ---- Own lines --------------------------------------------------------------------- */

START_TEST(lines_that_are_refused)
{
    static const char *const lines[][2] = {
        {"a", "lines:1: no TAB between source and target"},
        {"a%09b%0Ac,d",
         "lines:2: no TAB between source and target (if this is CSV, with commas or semicolons: --columns 1,2)"},
        {"a%09b%0Ac%09d%09e", "lines:2: more than one TAB"},
        {"a%09b%0A%09e", "lines:2: the source is empty"},
        {"a%09b%0Ab%09%20", "lines:2: the target is empty"},
        {"a%09b%0Ab%FF%09d", "lines:2: byte 2 of the line is not well-formed UTF-8"},
        {"", "lines: the file has no pairs"},
        {"%0A%0A", "lines: the file has no pairs"},
        {"a%09b", "lines: at least two different sources are needed"},
        {"a%09b%0Aa%09c", "lines: at least two different sources are needed"},
        {"a%09b%0Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%09c",
         "lines:2: the source has 67 tokens with its end mark, more than the limit of 32"},
    };
    playground *p = begin(small);
    ask(p, "step", "2");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[512];
        snprintf(text, sizeof text, "lines=%s", lines[i][0]);
        refused_whole(p, "begin", text, lines[i][1]);
    }
    refused_whole(p, "begin", "model=encoder&lines=a%09b%0Aab%09c", "tagging needs equally many");
    ask(p, "step", "1");
    playground_free(p);
}
END_TEST

START_TEST(lines_are_learnt)
{
    static const char *const kinds[] = {"encoder-decoder", "encoder", "decoder"};
    for (int i = 0; i < 3; i++) {
        char text[512];
        snprintf(
            text, sizeof text,
            "model=%s&d-model=16&heads=2&batch=4&lr=0.01&src-tokens=words&tgt-tokens=words&lines=one%%09eins%%0D%%0A"
            "two%%09zwei%%0A%%0Athree%%09drei%%0Afour%%09vier",
            kinds[i]);
        playground *p = begin(text);
        ask(p, "step", "100");
        ck_assert_double_lt(p->run->loss, 0.7);
        ask(p, "evaluate", "");
        ask(p, "save", "");
        ask(p, "load", TRAIN_MODEL_FILE "\none\teins\ntwo\tzwei");
        ask(p, "step", "1");
        playground_free(p);
    }
}
END_TEST

/* A run on lines of its own is there while the next one's are read, and stays if these are
 * refused. They are many, so that they are not all in one page of memory. */
START_TEST(refused_lines_leave_those_of_the_run)
{
    static const char *const kinds[] = {"encoder-decoder", "decoder"};
    for (int i = 0; i < 2; i++) {
        char text[1 << 14];
        int used = snprintf(text, sizeof text, "model=%s&d-model=16&heads=2&batch=4&lines=", kinds[i]);
        for (int line = 0; line < 600; line++)
            used += snprintf(text + used, sizeof text - (size_t)used, "a%dx%%09b%d%%0A", line, line);
        ck_assert_int_lt(used, (int)sizeof text);
        playground *p = begin(text), *other = begin(text);
        refused_whole(p, "begin", "lines=abc", "no TAB");
        refused_whole(p, "begin", "lines=a%09b%0Ab%09a&model=decoder&d-model=30&heads=4", "do not divide");
        ask(p, "step", "5");
        ask(other, "step", "5");
        char *a = digest(p), *b = digest(other);
        ck_assert_str_eq(a, b);
        free(a), free(b);
        playground_free(p);
        playground_free(other);
    }
}
END_TEST

/* ---- Memory and files that fail ---------------------------------------------------- */

/* Whichever allocation fails, the sentence says what to do, and the run goes on as if it
 * had never been asked. */
static void fails_whole(const char *verb, const char *text)
{
    playground *p = begin(small), *other = begin(small);
    ag_status status = AG_NO_MEMORY;
    ask(other, "step", "5");
    ask(p, "step", "5");
    ask(p, "save", "");
    char *expected = digest(other);
    for (int64_t n = 1; status != AG_OK; n++) {
        test_fail_allocation(n);
        status = playground_ask(p, verb, text);
        const bool failed = status != AG_OK;
        test_fail_allocation(0);
        if (!failed)
            break;
        ck_assert_msg(status == AG_NO_MEMORY, "%s, allocation %d: %s", verb, (int)n, playground_answer(p));
        ck_assert_msg(strstr(playground_answer(p), "take a smaller model"), "%s", playground_answer(p));
        char *now = digest(p);
        ck_assert_str_eq(now, expected);
        free(now);
    }
    free(expected);
    playground_free(p);
    playground_free(other);
}

START_TEST(without_memory)
{
    fails_whole("begin", small);
    fails_whole("begin", "model=decoder&lines=a%09b%0Ab%09a");
    fails_whole("load", TRAIN_MODEL_FILE);
    fails_whole("save", "");
    fails_whole("evaluate", "");
}
END_TEST

START_TEST(a_step_without_memory)
{
    for (int64_t n = 1; n < 40; n += 3) {
        playground *p = begin(small), *other = begin(small);
        test_fail_allocation(n);
        const ag_status status = playground_ask(p, "step", "1");
        test_fail_allocation(0);
        ck_assert(status == AG_OK || status == AG_NO_MEMORY);
        ask(p, "step", status == AG_OK ? "4" : "5");
        ask(other, "step", "5");
        char *a = digest(p), *b = digest(other);
        ck_assert_str_eq(a, b);
        free(a), free(b);
        playground_free(p);
        playground_free(other);
    }
}
END_TEST

START_TEST(a_disk_that_fails)
{
    playground *p = begin(small);
    ask(p, "save", "");
    ask(p, "step", "1");
    ag_status status = AG_IO;
    for (int64_t n = 1; status != AG_OK; n++) {
        test_failed_call = NULL;
        test_fail_file_call(n, ENOSPC);
        status = playground_ask(p, "save", "");
        test_fail_file_call(0, 0);
        if (!test_failed_call)
            break;
        train_saved saved; /* the old file or the new one, whole: its checksum agrees */
        ag_error error = {0};
        ck_assert_msg(train_saved_load(&saved, TRAIN_MODEL_FILE, &error) == AG_OK, "%s", error.message);
        train_saved_clear(&saved);
    }
    ck_assert_int_eq(status, AG_OK);
    playground_free(p);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("playground_files");
    TCase *t = tcase_create("playground_files");
    tcase_add_checked_fixture(t, enter_folder, leave_folder);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_file_of_a_run_of_the_command);
    tcase_add_test(t, a_setting_comes_back_from_a_file);
    tcase_add_test(t, a_loaded_model_is_trained_further);
    tcase_add_test(t, a_model_without_a_task_is_studied);
    tcase_add_test(t, a_language_model_of_text_is_studied);
    tcase_add_test(t, files_that_are_refused);
    tcase_add_test(t, lines_that_are_refused);
    tcase_add_test(t, lines_are_learnt);
    tcase_add_test(t, refused_lines_leave_those_of_the_run);
    tcase_add_test(t, without_memory);
    tcase_add_test(t, a_step_without_memory);
    tcase_add_test(t, a_disk_that_fails);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
