/* command.c - the command: finds and runs the subcommand. */
#include "cli.h"
#include "help.h"
#include "likeness.h"

#include <stdio.h>
#include <string.h>

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
    {"average", "make a model of the means of several models' weights", cli_average},
    {"tokens", "learn parts of words as tokens, and cut texts into them", cli_subwords},
    {"trace", "write down what a model computes, or compare two such files", cli_trace},
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands, NAME_COLUMN = 13 };

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
    const int code = subcommands[i].run(count, arguments);
    return code == CLI_HELPED ? CLI_DONE : code;
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
    cli_signals_begin();
    int code = run_command(argv[1], argc - 2, (const char *const *)argv + 2);
    /* A command whose output could not be written has failed. */
    if ((fflush(stdout) || ferror(stdout)) && code == CLI_DONE)
        return cli_fail(argv[1], CLI_FAILED, "cannot write to standard output");
    return code;
}
