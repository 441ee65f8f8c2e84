/* signals.c - which signals end the command, and which it outlives: see cli.h. */
#include "cli.h"

#include <time.h>
#include <unistd.h>

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

static void ignore_signal(int signal_number)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

void cli_outlive_readers(void)
{
    ignore_signal(SIGPIPE);
}

void cli_signals_begin(void)
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
    /* Writing beyond the limit on file sizes (ulimit -f) becomes an error that the
     * command reports, like a full disk, instead of a signal that ends it. */
    ignore_signal(SIGXFSZ);
}
