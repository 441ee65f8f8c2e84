/* main.c - the program. It stands alone, so that a test can run commands within
 * itself. */
#include "cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
