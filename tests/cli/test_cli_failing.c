/* test_cli_failing.c - a command leaves whole files and can go on, whichever of its
 * allocations or file calls fails and wherever it is killed.
 *
 * The commands run in children of this program, which hold the whole command and the
 * calls that fail (failing_calls.c). Each ends with 0 and the right result, or with 1 and
 * a sentence. Files that were there before are whole afterwards, old or new. A run that
 * is resumed reaches the bytes that it would have reached without the failure.
 *
 * Most of the later allocations are skipped; TEST_EVERY=1 in the environment skips
 * none. */
#include "cli.h"
#include "failing_calls.h"
#include "train_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Commands ---------------------------------------------------------------------- */

#define TINY                                                                                                           \
    "--d-model 8 --heads 1 --layers 1 --ffn 8 --batch 8 --dropout 0.1 --eval-sources 2 --quiet --threads 1 --seed 3"

/* The effect of a command on its folder. */
typedef enum command_kind { TRAINS, READS, WRITES } command_kind;

typedef struct command {
    const char *arguments; /* in the folder `work` */
    command_kind kind;
    const char *result;   /* WRITES: the file */
    const char *prepared; /* the folder whose files are there before; NULL: only pairs.tsv is */
    bool replaces;        /* the result, which is there before, too */
} command;

static const command train = {
    .arguments = "train --pairs pairs.tsv --held-out 0.3 --steps 4 --eval-every 2 --save-every 1 --keep 2 " TINY
                 " --out .",
    .kind = TRAINS};
static const command resume = {
    .arguments = "train --resume . --threads 1 --quiet", .kind = TRAINS, .prepared = "half"};
static const command eval = {
    .arguments = "eval --model . --pairs pairs.tsv --json --threads 1", .kind = READS, .prepared = "whole"};
static const command predict = {
    .arguments = "predict --model . --threads 1 --batch 4 sources.txt", .kind = READS, .prepared = "whole"};
static const command predict_together = {
    .arguments = "predict --model .,. --threads 1 --batch 4 sources.txt", .kind = READS, .prepared = "whole"};
static const command average = {.arguments = "average model-000003.safetensors model-000004.safetensors --out imported",
                                .kind = WRITES,
                                .result = "imported/model.safetensors",
                                .prepared = "whole"};
static const command import = {.arguments = "import weights.safetensors --config . --out imported",
                               .kind = WRITES,
                               .result = "imported/model.safetensors",
                               .prepared = "whole"};
static const command tokens = {
    .arguments = "tokens learn pairs.tsv --out merges", .kind = WRITES, .result = "merges"};
static const command export = {.arguments = "export --model . --out weights.safetensors",
                               .kind = WRITES,
                               .result = "weights.safetensors",
                               .prepared = "whole",
                               .replaces = true};
static const command info = {.arguments = "info .", .kind = READS, .prepared = "whole"};
static const command study = {.arguments = "study attention --model . --source ab --out report.html",
                              .kind = WRITES,
                              .result = "report.html",
                              .prepared = "whole",
                              .replaces = true};
static const command trace = {.arguments = "trace --model . --source ab --out trace.safetensors",
                              .kind = WRITES,
                              .result = "trace.safetensors",
                              .prepared = "whole"};

static char *home;              /* the test's folder, with the folders `work`, `half` and `whole` */
static char *expected_output;   /* of the command, when nothing fails */
static unsigned char *expected; /* of its result */
static size_t expected_size;

/* A child's report of itself. */
typedef struct child_report {
    int64_t allocations, file_calls;
    const char *failed_call; /* a literal, which is at the same place in both processes */
} child_report;
static child_report *report;

/* The call that a child is refused. */
typedef struct fault {
    int64_t allocation, file_call;
    int error_number; /* of the file call */
} fault;

static const char *path_of(const char *name)
{
    static char paths[4][512];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof *paths, "%s/%s", home, name);
    return paths[next];
}

static char *read_text(const char *name)
{
    size_t size;
    char *bytes = test_file_read(home, name, &size);
    char *text = realloc(bytes, size + 1);
    text[size] = '\0';
    return text;
}

static _Noreturn void be_child(const char *arguments, fault without)
{
    char line[1024], *argv[64] = {"tapeformer"};
    int argc = 1;
    snprintf(line, sizeof line, "%s", arguments);
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    const int out = open(path_of("stdout"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    const int messages = open(path_of("stderr"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (chdir(path_of("work")) != 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(messages, STDERR_FILENO) < 0)
        _exit(99);
    const int64_t allocations = test_allocations(), file_calls = test_file_calls();
    test_fail_allocation(without.allocation);
    test_fail_file_call(without.file_call, without.error_number);
    int code = cli_main(argc, argv);
    report->allocations = test_allocations() - allocations;
    report->file_calls = test_file_calls() - file_calls;
    report->failed_call = test_failed_call;
    _exit(code);
}

/* Runs a command in the folder `work`: its exit code, or 1000 and the signal that ended
 * it. */
static int run(const char *arguments, fault without)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        be_child(arguments, without);
    ck_assert(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static const fault nothing = {0};

static void must_work(const char *arguments)
{
    int code = run(arguments, nothing);
    char *said = read_text("stderr");
    ck_assert_msg(code == 0, "%s\nexit %d: %s", arguments, code, said);
    free(said);
}

/* ---- Folders ----------------------------------------------------------------------- */

static void remove_files(const char *name)
{
    DIR *folder = opendir(path_of(name));
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.' && unlinkat(dirfd(folder), entry->d_name, 0) != 0) {
            char inner[512];
            snprintf(inner, sizeof inner, "%s/%s", name, entry->d_name);
            remove_files(inner);
        }
    closedir(folder);
    rmdir(path_of(name));
}

static void copy_files(const char *from, const char *to)
{
    DIR *folder = opendir(path_of(from));
    ck_assert_ptr_nonnull(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        size_t size;
        if (entry->d_name[0] == '.')
            continue;
        unsigned char *bytes = test_file_read(path_of(from), entry->d_name, &size);
        free(test_file_write(path_of(to), entry->d_name, bytes, size));
        free(bytes);
    }
    closedir(folder);
}

static void prepare(const char *from)
{
    remove_files("work");
    ck_assert_int_eq(mkdir(path_of("work"), 0777), 0);
    copy_files(from ? from : "data", "work");
}

static void keep_as(const char *name)
{
    ck_assert_int_eq(mkdir(path_of(name), 0777), 0);
    copy_files("work", name);
}

static void set_up(void)
{
    static const char pairs[] = "ab\tba\nabc\tcba\nb\tb\nca\tac\ncb\tbc\nbb\tbb\nac\tca\nbca\tacb\ncc\tcc\na\ta\n";
    static const char sources[] = "ab\nabc\nc\nbca\ncc\n";
    home = test_folder_new();
    const child_report none = {0};
    char *shared = test_file_write(home, "report", &none, sizeof none);
    const int file = open(shared, O_RDWR);
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ck_assert(report != MAP_FAILED);
    close(file);
    free(shared);
    ck_assert_int_eq(mkdir(path_of("data"), 0777), 0);
    free(test_file_write(path_of("data"), "pairs.tsv", pairs, sizeof pairs - 1));
    free(test_file_write(path_of("data"), "sources.txt", sources, sizeof sources - 1));
    prepare(NULL);
    char stopped[1024];
    snprintf(stopped, sizeof stopped, "%s --stop-at 2", train.arguments);
    must_work(stopped);
    keep_as("half");
    must_work(resume.arguments);
    must_work(export.arguments);
    keep_as("whole");
}

static void tear_down(void)
{
    free(expected_output);
    free(expected);
    expected_output = NULL;
    expected = NULL;
    static const char *const folders[] = {"work", "half", "whole", "data"};
    for (int i = 0; i < 4; i++)
        remove_files(folders[i]);
    test_folder_remove(home);
}

/* ---- Ends -------------------------------------------------------------------------- */

static const char *describe(const command *c, fault without)
{
    static char text[1024];
    snprintf(text, sizeof text, "%s\nwithout allocation %lld, file call %lld (%s, errno %d)", c->arguments,
             (long long)without.allocation, (long long)without.file_call,
             report->failed_call ? report->failed_call : "?", without.error_number);
    return text;
}

/* Nothing but a kill, or an unlink that failed, leaves a temporary file or a lock. */
static void check_left(const command *c, fault without)
{
    DIR *folder = opendir(path_of("work"));
    for (const struct dirent *entry; (entry = readdir(folder));)
        ck_assert_msg(!strstr(entry->d_name, ".tmp-") && strcmp(entry->d_name, "lock") != 0, "%s\nleaves %s",
                      describe(c, without), entry->d_name);
    closedir(folder);
}

/* The lines of evaluations in a log: they have no times. */
static char *evaluations(const char *name)
{
    char *log = read_text(name), *to = log;
    for (char *line = log, *end; *line; line = end) {
        end = strchr(line, '\n') ? strchr(line, '\n') + 1 : line + strlen(line);
        const char *key = strstr(line, "\"dev_loss\"");
        if (key && key < end) {
            memmove(to, line, (size_t)(end - line));
            to += end - line;
        }
    }
    *to = '\0';
    return log;
}

/* The run is done, or is resumed, or begins again. It ends as a run without failures
 * ends, and so does its log, unless a warning said otherwise. */
static void check_run(const command *c, fault without, bool done, bool log)
{
    char older[64];
    if (!done)
        must_work(test_file_exists(path_of("work"), "checkpoint.safetensors") ? resume.arguments : train.arguments);
    static const char *const files[] = {"checkpoint.safetensors", "model.safetensors", "last.safetensors",
                                        "model-000003.safetensors", "model-000004.safetensors"};
    for (int i = 0; i < 5; i++)
        test_files_equal(path_of("work"), path_of("whole"), files[i]);
    for (int step = 1; step <= 2; step++) {
        snprintf(older, sizeof older, "model-%06d.safetensors", step);
        ck_assert_msg(!test_file_exists(path_of("work"), older), "%s\n%s is still there", describe(c, without), older);
    }
    char *found = evaluations("work/log.jsonl"), *wanted = evaluations("whole/log.jsonl");
    ck_assert_msg(!log || !strcmp(found, wanted), "%s\nthe log has\n%snot\n%s", describe(c, without), found, wanted);
    free(found);
    free(wanted);
}

/* The file is the new one, or (where the command failed) the one that was there, or none
 * where none was. */
static void check_written(const command *c, fault without, bool done)
{
    size_t size;
    if (!test_file_exists(path_of("work"), c->result)) {
        ck_assert_msg(!done && !c->replaces, "%s\nno %s", describe(c, without), c->result);
        return;
    }
    unsigned char *bytes = test_file_read(path_of("work"), c->result, &size);
    bool is_new = size == expected_size && !memcmp(bytes, expected, size);
    bool is_old = c->replaces && size == 3 && !memcmp(bytes, "old", 3);
    ck_assert_msg(is_new || (is_old && !done), "%s\n%s is damaged", describe(c, without), c->result);
    free(bytes);
}

/* The command without this call. */
static void check_fault(const command *c, fault without)
{
    bool kills = without.error_number == TEST_KILLED;
    prepare(c->prepared);
    if (c->replaces)
        free(test_file_write(path_of("work"), c->result, "old", 3));
    report->failed_call = NULL;
    int code = run(c->arguments, without);
    char *said = read_text("stderr"), *output = read_text("stdout");
    if (!kills) {
        bool signalled = code == CLI_INTERRUPTED && without.error_number == EINTR; /* as a pipe that is waited for */
        ck_assert_msg(code == 0 || code == 1 || signalled, "%s\nexit %d: %s", describe(c, without), code, said);
        bool sentence = !strncmp(said, "tapeformer ", 11) || strstr(said, "\ntapeformer ");
        ck_assert_msg(code != 1 || sentence, "%s\nfails and says '%s'", describe(c, without), said);
        if (!report->failed_call || strncmp(report->failed_call, "unlink", 6) != 0)
            check_left(c, without);
    }
    if (c->kind == READS && code == 0)
        ck_assert_msg(!strcmp(output, expected_output), "%s\nsays\n%snot\n%s", describe(c, without), output,
                      expected_output);
    if (c->kind == WRITES)
        check_written(c, without, code == 0);
    if (c->kind == TRAINS)
        check_run(c, without, code == 0, !strstr(said, "warning: "));
    free(said);
    free(output);
}

/* The outcome when nothing fails, and how many calls that takes. */
static child_report measure(const command *c)
{
    prepare(c->prepared);
    if (c == &import || c == &average)
        remove_files("work/imported");
    must_work(c->arguments);
    child_report found = *report;
    expected_output = read_text("stdout");
    if (c->kind == WRITES)
        expected = test_file_read(path_of("work"), c->result, &expected_size);
    return found;
}

static void sweep_file_calls(const command *c, int error_number)
{
    child_report all = measure(c);
    ck_assert_int_gt(all.file_calls, 5);
    for (int64_t n = 1; n <= all.file_calls; n++)
        check_fault(c, (fault){.file_call = n, .error_number = error_number});
}

static void sweep_allocations(const command *c)
{
    enum { ALL_OF_THE_FIRST = 100, ONE_OF_THE_LATER = 13 };
    child_report all = measure(c);
    ck_assert_int_gt(all.allocations, 30);
    for (int64_t n = 1; n <= all.allocations; n += n < ALL_OF_THE_FIRST || getenv("TEST_EVERY") ? 1 : ONE_OF_THE_LATER)
        check_fault(c, (fault){.allocation = n});
}

static const command *const commands[] = {&train,  &resume, &eval, &predict, &predict_together,
                                          &average, &import, &export, &tokens, &info, &study, &trace};
enum { COMMANDS = sizeof commands / sizeof *commands };

START_TEST(every_allocation_may_fail)
{
    sweep_allocations(commands[_i]);
}
END_TEST

START_TEST(every_file_call_may_fail)
{
    static const int errors[] = {EIO, ENOSPC, EACCES, EINTR, EMFILE, ENOMEM};
    sweep_file_calls(commands[_i], errors[_i % 6]);
}
END_TEST

/* A training that is killed at any of its file calls, and goes on or begins again. */
START_TEST(a_kill_loses_nothing)
{
    sweep_file_calls(commands[_i], TEST_KILLED);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_failing");
    TCase *c = tcase_create("failing");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_set_timeout(c, 600);
    tcase_add_loop_test(c, every_allocation_may_fail, 0, COMMANDS);
    tcase_add_loop_test(c, every_file_call_may_fail, 0, COMMANDS);
    tcase_add_loop_test(c, a_kill_loses_nothing, 0, 2);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
