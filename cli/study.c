/* study.c - tapeformer study KIND: the list of kinds, and the choice of one. */
#include "help.h"
#include "likeness.h"
#include "study_report.h"

#include <stdio.h>
#include <string.h>

#define ADDRESS(name) &cli_study_##name,
static const study_kind *const kinds[] = {STUDIES(ADDRESS)};
enum { KINDS = sizeof kinds / sizeof *kinds, NAME_COLUMN = 13 };

static void print_kinds(FILE *out)
{
    cli_print_prose(out, "tapeformer study: see, prove and break what models can look at\n\n"
                         "Usage: tapeformer study KIND [flags]\n\nKinds:");
    for (int i = 0; i < KINDS; i++)
        cli_print_row(out, NAME_COLUMN, kinds[i]->name, kinds[i]->summary);
    cli_print_prose(out, "\nAll but leaks draw: in the terminal, into an HTML file (--out FILE), as SVG pictures "
                         "(--pictures DIR). tapeformer study KIND --help lists the flags of each.");
}

static int unknown_kind(const char *name)
{
    cli_likeness like = cli_likeness_of(name);
    for (int i = 0; i < KINDS; i++)
        cli_likeness_try(&like, kinds[i]->name);
    cli_fail("study", CLI_USAGE, "there is no study '%s'%s", name, cli_did_you_mean(&like, ""));
    if (!like.best)
        print_kinds(stderr);
    return CLI_USAGE;
}

int cli_study(int count, const char *const *arguments)
{
    if (count && !strcmp(arguments[0], CLI_DESCRIBE)) {
        for (int i = 0; i < KINDS; i++)
            kinds[i]->run(count, arguments);
        return CLI_DONE;
    }
    if (count && (!strcmp(arguments[0], "--help") || !strcmp(arguments[0], "-h"))) {
        print_kinds(stdout);
        return CLI_DONE;
    }
    if (!count || arguments[0][0] == '-') {
        cli_fail("study", CLI_USAGE, "study what? The kind comes first");
        print_kinds(stderr);
        return CLI_USAGE;
    }
    for (int i = 0; i < KINDS; i++)
        if (!strcmp(arguments[0], kinds[i]->name))
            return kinds[i]->run(count - 1, arguments + 1);
    return unknown_kind(arguments[0]);
}
