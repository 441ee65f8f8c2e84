/* test_locale.c - files, logs, reports and sentences have the same bytes whatever locale
 * a program has set.
 *
 * The locale is de_DE.UTF-8, whose decimal point is a comma, made by localedef.
 * Runs in the project's folder. */
#include "sample_document.h"
#include "train_fixture.h"

#include <dirent.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <libintl.h>

/* For the leak sanitizer: glibc keeps the list of folders that it made of LOCPATH. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:argz_add_sep\n";
}
#endif

static char *folder; /* of the locale, and of what is written */

static char *inside(const char *name)
{
    static char path[8][512];
    static int next;
    char *text = path[next++ % 8];
    snprintf(text, sizeof path[0], "%s/%s", folder, name);
    return text;
}

static void make_locale(void)
{
    folder = test_folder_new();
#if defined(__GLIBC__)
    char command[600];
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s", inside("de_DE.UTF-8"));
    ck_assert_msg(system(command) == 0, "%s failed", command);
#endif
}

static void remove_locale(void)
{
    test_folder_remove(folder);
}

/* Sets the locale, as a program with windows does when it starts. (A C library without
 * locales has nothing to go wrong.) */
static void speak_german(void)
{
    char text[16];
    setenv("LOCPATH", folder, 1);
    setenv("LC_ALL", "de_DE.UTF-8", 1);
#if defined(__GLIBC__)
    ck_assert_ptr_nonnull(setlocale(LC_ALL, ""));
    snprintf(text, sizeof text, "%.1f", 0.5);
    ck_assert_str_eq(text, "0,5");
#else
    (void)text;
    setlocale(LC_ALL, "");
#endif
}

/* ---- The functions that all goes through ------------------------------------------- */

static void print_list(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ck_assert_int_eq(ag_text_print_list(text, size, format, arguments), (int)strlen(text));
    va_end(arguments);
}

/* NaN is printed without a sign, even if it was made with one; a name keeps its sign. */
START_TEST(what_is_no_number_has_no_sign)
{
    char text[64];
    const double none = copysign((double)NAN, -1), too = copysign((double)NAN, 1);
    ck_assert_int_eq(ag_text_print(text, sizeof text, "%g, %.3f: %g [%g]", none, none, too, -(double)INFINITY), 20);
    ck_assert_str_eq(text, "nan, nan: nan [-inf]");
    ck_assert_int_eq(ag_text_print(text, sizeof text, "%s %g %s", "x-nan", none, "-nano"), 15);
    ck_assert_str_eq(text, "x-nan nan -nano");
    ck_assert_int_eq(ag_text_print(text, sizeof text, "%-7s|%*.*f|%s", "/-nan", 6, 1, -none, "-nan"), 19);
    ck_assert_str_eq(text, "/-nan  |   nan|-nan");
    ck_assert_int_eq(
        ag_text_print(text, 8, "%lld%% %zu %d %lu %u %c %x", -5LL, (size_t)7, -1, 3ul, 4000000000u, 'c', 255), 26);
    ck_assert_str_eq(text, "-5% 7 -");
    ag_text_print(text, sizeof text, "%lld%% %zu %d %lu %u %c %x", -5LL, (size_t)7, -1, 3ul, 4000000000u, 'c', 255);
    ck_assert_str_eq(text, "-5% 7 -1 3 4000000000 c ff");
}
END_TEST

START_TEST(numbers_have_a_point)
{
    char text[64], own[64], again[64];
    const char *end;
    speak_german();
    locale_t of_thread = newlocale(LC_ALL_MASK, "de_DE.UTF-8", (locale_t)0);
    snprintf(own, sizeof own, "%g", 1234.5);
    for (int thread = 0; thread < 2 && of_thread; thread++) {
        ck_assert_int_eq(ag_text_print(text, sizeof text, "%g|%.3f|%.2e|%d", 1234.5, 0.25, 1e-3, 12345), 27);
        ck_assert_str_eq(text, "1234.5|0.250|1.00e-03|12345");
        ck_assert_int_eq(ag_text_print(text, 4, "%g", 1234.5), 6);
        ck_assert_str_eq(text, "123");
        print_list(text, sizeof text, "%.1f %s", 0.5, "x");
        ck_assert_str_eq(text, "0.5 x");
        ck_assert(ag_number_read(" 0.5e1,7", &end) == 5 && !strcmp(end, ",7"));
        ck_assert(ag_number_read("0,5", &end) == 0 && !strcmp(end, ",5"));
        ck_assert(ag_number_read("x", &end) == 0 && !strcmp(end, "x"));
        ck_assert(ag_number_read("2.5", NULL) == 2.5);
        /* and the program's own numbers are as they were, by setlocale and by
         * uselocale */
        snprintf(again, sizeof again, "%g", 1234.5);
        ck_assert_str_eq(again, own);
        ck_assert(thread == 0 || uselocale((locale_t)0) == of_thread);
        uselocale(of_thread);
    }
    uselocale(LC_GLOBAL_LOCALE);
    if (of_thread)
        freelocale(of_thread);
}
END_TEST

/* A catalogue of messages with one translation (the format of GNU gettext's .mo
 * files). */
static void write_catalogue(const char *original, const char *translation)
{
    static const char head[] = "Content-Type: text/plain; charset=UTF-8\n";
    char bytes[512];
    uint32_t sizes[2][2] = {{0, (uint32_t)strlen(original)}, {sizeof head - 1, (uint32_t)strlen(translation)}};
    const char *texts[2][2] = {{"", original}, {head, translation}};
    uint32_t table[7] = {0x950412de, 0, 2, 28, 44, 0, 60}, at = 60;
    memcpy(bytes, table, sizeof table);
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < 2; i++) {
            uint32_t entry[2] = {sizes[side][i], at};
            memcpy(bytes + 28 + 16 * side + 8 * i, entry, sizeof entry);
            memcpy(bytes + at, texts[side][i], sizes[side][i] + 1);
            at += sizes[side][i] + 1;
        }
    ck_assert(mkdir(inside("de"), 0777) == 0 && mkdir(inside("de/LC_MESSAGES"), 0777) == 0);
    free(test_file_write(inside("de/LC_MESSAGES"), "libc.mo", bytes, at));
}

START_TEST(reasons_are_in_english)
{
    ag_error error = {0};
    data_array array;
    char text[AG_REASON_TEXT];
    write_catalogue("No such file or directory", "Datei oder Verzeichnis nicht gefunden");
    speak_german();
#if defined(__GLIBC__)
    ck_assert_ptr_nonnull(bindtextdomain("libc", folder));
    ck_assert_str_eq(strerror(2), "Datei oder Verzeichnis nicht gefunden");
#endif
    ck_assert_str_eq(ag_reason_print(2, text), "No such file or directory");
    ck_assert_ptr_nonnull(strstr(ag_reason_print(99999, text), "99999"));
    ck_assert_int_eq(data_npy_read(&array, inside("nothing.npy"), &error), AG_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "No such file or directory"));
}
END_TEST

/* ---- Writing ----------------------------------------------------------------------- */

/* All that depends on how long something took becomes 0. */
static void forget_times(char *log)
{
    static const char *const names[] = {"\"tokens_per_second\":", "\"seconds\":", "\"processor_seconds\":"};
    for (int i = 0; i < 3; i++)
        for (char *at = log; (at = strstr(at, names[i]));) {
            at += strlen(names[i]);
            size_t length = strcspn(at, ",}");
            ck_assert_uint_eq(strspn(at, "0123456789.e+-"), length);
            memmove(at + 1, at + length, strlen(at + length) + 1);
            *at = '0';
        }
}

static void train(const char *out)
{
    ag_error error = {0};
    train_fixture f = train_fixture_new("reverse", 1, 4, NN_ENCODER_DECODER, 8, 0.1);
    train_options options = {.steps = 4, .batch = 8, .rate = 0.0015, .evaluate_every = 2, .out = out};
    ck_assert_msg(train_run(f.model, f.training, f.dev, &options, NULL, &error) == AG_OK, "%s", error.message);
    train_fixture_clear(&f);
    size_t size;
    char *log = test_file_read(out, "log.jsonl", &size);
    forget_times(log);
    free(test_file_write(out, "log.jsonl", log, strlen(log)));
    free(log);
}

static ag_tensor *twice_with_a_wrong_gradient(ag_tape *tape, ag_tensor *const *inputs, void *context)
{
    (void)tape, (void)context;
    return ag_add(inputs[0], ag_detach(inputs[0]));
}

/* One of each layer's sentences with numbers in them. */
static void write_sentences(FILE *out)
{
    ag_error error = {0};
    ag_real values[3] = {(ag_real)0.5, (ag_real)1.25, (ag_real)-2}, gradient[3] = {0};
    ag_gradcheck_report report;
    ag_gradcheck_input input = {.name = "x", .shape = AG_SHAPE(3), .data = values, .grad = gradient};
    ck_assert_int_eq(ag_gradcheck(twice_with_a_wrong_gradient, NULL, &input, 1, NULL, &report, &error), AG_OK);
    fprintf(out, "%s\n", report.message);
    ag_tape *tape = ag_tape_new(NULL);
    ag_dropout(ag_constant(tape, AG_SHAPE(3), values), 1.5);
    fprintf(out, "%s\n", ag_tape_error(tape)->message);
    ag_tape_free(tape);
    nn_model_config config = {.kind = NN_DECODER, .target_vocab = 5, .d_model = 8, .heads = 2, .dropout = 1.5};
    ck_assert_ptr_null(nn_model_new(&config, 1, &error));
    fprintf(out, "%s\n", error.message);
    error = (ag_error){0};
    ck_assert_ptr_null(data_set_task(data_task_find("copy"), &(data_set_options){.held_out = 1.5}, &error));
    fprintf(out, "%s\n", error.message);
    error = (ag_error){0};
    train_optimizer_config adam = {.kind = TRAIN_ADAM, .beta1 = 1.5};
    ck_assert_int_eq(train_optimizer_init(&(train_optimizer){0}, &adam, &(nn_params){0}, 1, &error), AG_BAD_VALUE);
    fprintf(out, "%s\n", error.message);
    char line[256];
    train_progress progress = {.step = 1, .steps = 12345, .loss = 0.125, .rate = 1e-3, .tokens_per_second = 1234.5};
    fprintf(out, "%s\n", train_progress_line(&progress, line, sizeof line));
}

static void write_all(const char *out)
{
    char path[600], number[32];
    ag_error error = {0};
    ck_assert_int_eq(mkdir(out, 0777), 0);
    train(out);
    ag_real values[3] = {(ag_real)0.5, (ag_real)1e-3, (ag_real)-2.25};
    data_array array = {.ndim = 1, .dim = {3}, .size = 3, .values = values};
    snprintf(path, sizeof path, "%s/array.npy", out);
    ck_assert_int_eq(data_npy_write(&array, path, &error), AG_OK);

    study_document *document = test_sample_document();
    study_add_text(document, "%g and %.3f", 0.5, 1234.5);
    const char *runs[] = {out};
    ck_assert_msg(study_curves(runs, 1, document, &error) == AG_OK, "%s", error.message);
    snprintf(path, sizeof path, "%s/report.html", out);
    ck_assert_int_eq(study_document_save(document, path, &error), AG_OK);
    ck_assert_int_eq(study_document_save_pictures(document, out, &error), AG_OK);
    char *text = study_document_text(document, &(study_text_options){.color = true}, &error);
    ck_assert_ptr_nonnull(text);
    snprintf(path, sizeof path, "%s/report.txt", out);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    free(text);
    study_document_free(document);
    data_number_print(0.1, number, sizeof number);
    fprintf(file, "%s\n", number);
    write_sentences(file);
    ck_assert_int_eq(fclose(file), 0);
}

static void read_back(const char *out)
{
    char path[600];
    ag_error error = {0};
    train_saved saved = {0};
    ck_assert_msg(train_saved_load(&saved, out, &error) == AG_OK, "%s", error.message);
    ck_assert(saved.model->config.dropout == 0.1);
    train_saved_clear(&saved);
    train_history history;
    ck_assert_msg(train_history_read(&history, out, &error) == AG_OK, "%s", error.message);
    const train_series *rate = train_history_find(&history, "rate");
    ck_assert(rate && rate->count > 0 && rate->values[0] > 0 && rate->values[0] < 0.01);
    train_history_clear(&history);
    data_array array;
    snprintf(path, sizeof path, "%s/array.npy", out);
    ck_assert_int_eq(data_npy_read(&array, path, &error), AG_OK);
    ck_assert(array.values[0] == (ag_real)0.5);
    data_array_clear(&array);
    double value;
    data_json json = data_json_start("[0.1]", 5);
    ck_assert(data_json_enter(&json, '[') && data_json_more(&json, ']', &(size_t){0}));
    ck_assert(data_json_number(&json, &value) && value == 0.1);
}

START_TEST(files_and_sentences_are_the_same)
{
    char plain[512], german[512];
    int count = 0;
    snprintf(plain, sizeof plain, "%s", inside("plain"));
    snprintf(german, sizeof german, "%s", inside("german"));
    /* the name of the folder is in the curves: it is the same for both */
    write_all(inside("run"));
    ck_assert_int_eq(rename(inside("run"), plain), 0);
    speak_german();
    write_all(inside("run"));
    ck_assert_int_eq(rename(inside("run"), german), 0);
    DIR *names = opendir(plain);
    ck_assert_ptr_nonnull(names);
    for (struct dirent *entry; (entry = readdir(names));)
        if (entry->d_name[0] != '.') {
            test_files_equal(plain, german, entry->d_name);
            count++;
        }
    closedir(names);
    ck_assert_int_ge(count, 12); /* model, checkpoint, log, array, report, text, pictures */
    read_back(plain);
    read_back(german);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("locale");
    TCase *c = tcase_create("german");
    tcase_set_timeout(c, 120);
    tcase_add_unchecked_fixture(c, make_locale, remove_locale);
    tcase_add_test(c, numbers_have_a_point);
    tcase_add_test(c, what_is_no_number_has_no_sign);
    tcase_add_test(c, reasons_are_in_english);
    tcase_add_test(c, files_and_sentences_are_the_same);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
