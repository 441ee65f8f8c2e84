/* command.c - the command: finds and runs the subcommand, handles signals. */
#include "cli.h"
#include "help.h"
#include "likeness.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef TAPEFORMER_DOUBLE
#define PRECISION_NAME "double precision"
#else
#define PRECISION_NAME "single precision"
#endif

typedef struct subcommand {
    const char *name, *summary;
    int (*run)(int count, const char *const *arguments);
} subcommand;

static const subcommand subcommands[] = {
    {"train", "train a model on a synthetic task, a pair file or a text", cli_train},
    {"eval", "measure a model: loss, accuracy, exact match, error rates", cli_eval},
    {"predict", "translate lines of files, or of standard input", cli_predict},
    {"generate", "continue a text with a language model", cli_generate},
    {"gradcheck", "check every operation's gradient against numeric ones", cli_gradcheck},
    {"info", "show a saved model: configuration, vocabularies, parameters", cli_info},
    {"study", "see, prove and break what models can look at", cli_study},
    {"import", "make a model of another program's weights: PyTorch's, GPT-2's", cli_import},
    {"export", "write a model's weights for other programs", cli_export},
    {"trace", "write down what a model computes, or compare two such files", cli_trace},
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands, NAME_COLUMN = 13 };

#define SAME_SIGNAL_SECONDS 0.3

volatile sig_atomic_t cli_interrupted;
static volatile sig_atomic_t finishes; /* whether the command checks cli_interrupted */
static bool terminal;                  /* whether stderr is one */
static struct timespec first;          /* when the first signal came */

/* Programs that pass signals on, such as timeout, send the same signal twice within a
 * moment: the second does not count. */
static bool is_second(const struct timespec *now)
{
    return cli_interrupted &&
           (double)(now->tv_sec - first.tv_sec) + 1e-9 * (double)(now->tv_nsec - first.tv_nsec) > SAME_SIGNAL_SECONDS;
}

/* A command with nothing to save ends at once, whatever it is doing. So does every
 * command on the second signal. */
static void on_signal(int signal_number)
{
    struct timespec now = {0};
    (void)signal_number;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!finishes || is_second(&now)) {
        const ssize_t shown = terminal ? write(STDERR_FILENO, "\n", 1) : 0;
        (void)shown;
        _exit(CLI_INTERRUPTED);
    }
    if (!cli_interrupted)
        first = now;
    cli_interrupted = 1;
}

void cli_finish_when_interrupted(void)
{
    finishes = 1;
}

/* Writing beyond the limit on file sizes (ulimit -f) becomes an error that the command
 * reports, like a full disk, instead of a signal that ends it. */
static void outlive_limits(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigemptyset(&action.sa_mask);
    sigaction(SIGXFSZ, &action, NULL);
}

static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    terminal = isatty(STDERR_FILENO);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* A closing terminal interrupts, too, unless the user asked the command to outlive it
     * (nohup). */
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
}

void cli_outlive_readers(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, &action, NULL);
}

int cli_report(const char *command, const ag_error *error)
{
    if (error->status == AG_INTERRUPTED)
        return CLI_INTERRUPTED;
    return cli_fail(command, CLI_FAILED, "%s", error->message);
}

static void print_help(FILE *out)
{
    cli_print_prose(out,
                    "tapeformer " AG_VERSION " trains small transformers on a CPU, checks gradients, and shows what "
                    "models look at.\n\nUsage: tapeformer COMMAND [flags]\n\nCommands:");
    for (int i = 0; i < SUBCOMMANDS; i++)
        cli_print_row(out, NAME_COLUMN, subcommands[i].name, subcommands[i].summary);
    cli_print_prose(out, "\ntapeformer COMMAND --help lists the flags of each. Begin with:\n"
                         "  tapeformer train --task reverse --out run");
}

/* Describes all commands for docs/manual/make. */
static int describe_commands(void)
{
    const char *const arguments[] = {CLI_DESCRIBE};
    for (int i = 0; i < SUBCOMMANDS; i++) {
        printf("group\t%s\t%s\n", subcommands[i].name, subcommands[i].summary);
        subcommands[i].run(1, arguments);
    }
    return CLI_DONE;
}

static int unknown_command(const char *name)
{
    cli_likeness like = cli_likeness_of(name);
    for (int i = 0; i < SUBCOMMANDS; i++)
        cli_likeness_try(&like, subcommands[i].name);
    cli_fail(NULL, CLI_USAGE, "there is no command '%s'%s", name, cli_did_you_mean(&like, ""));
    if (!like.best)
        print_help(stderr);
    return CLI_USAGE;
}

static int run_command(const char *name, int count, const char *const *arguments)
{
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        print_help(stdout);
        return CLI_DONE;
    }
    if (!strcmp(name, "--version")) {
        puts("tapeformer " AG_VERSION " (" PRECISION_NAME ")");
        return CLI_DONE;
    }
    if (!strcmp(name, CLI_DESCRIBE))
        return describe_commands();
    int i = 0;
    while (i < SUBCOMMANDS && strcmp(name, subcommands[i].name) != 0)
        i++;
    if (i == SUBCOMMANDS)
        return unknown_command(name);
    ag_error error = {0};
    if (ag_level_check(&error) != AG_OK)
        return cli_fail(name, CLI_USAGE, "%s", error.message);
    return subcommands[i].run(count, arguments);
}

int cli_main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (!strcmp(argv[1], "help") && argc > 2) { /* help COMMAND is COMMAND --help */
        argv[1] = argv[2];
        argv[2] = "--help";
    }
    catch_interrupts();
    outlive_limits();
    int code = run_command(argv[1], argc - 2, (const char *const *)argv + 2);
    /* A command whose output could not be written has failed. */
    if ((fflush(stdout) || ferror(stdout)) && code == CLI_DONE)
        return cli_fail(argv[1], CLI_FAILED, "cannot write to standard output");
    return code;
}
