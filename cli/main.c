/* main.c - the program. It is a file of its own so that a test can link the commands and
 * run them in its own process. */
#include "cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
