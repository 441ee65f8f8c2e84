/* spin.c - processes that only spin: the other programs of a busy machine.
 *
 * Each is in a session of its own, because Linux divides the processors among sessions
 * (sched_autogroup). They end with their parent, however it ends: each looks again and
 * again whether it still has the same one. */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Turns between two looks: about a millisecond. */
#define TURNS 1000000

static _Noreturn void spin(pid_t parent)
{
    setsid();
    while (getppid() == parent)
        for (volatile int turn = 0; turn < TURNS; turn++)
            ;
    _exit(0);
}

ag_status bench_spin_start(bench_spinners *spinners, int count, ag_error *error)
{
    const pid_t parent = getpid();
    *spinners = (bench_spinners){.ids = calloc((size_t)count, sizeof *spinners->ids)};
    if (!spinners->ids)
        return ag_error_set(error, AG_NO_MEMORY, "out of memory");
    fflush(stdout);
    while (spinners->count < count) {
        const pid_t child = fork();
        if (child == 0)
            spin(parent);
        if (child < 0) {
            bench_spin_stop(spinners);
            return ag_error_set(error, AG_IO, "no process that spins: %s", strerror(errno));
        }
        spinners->ids[spinners->count++] = child;
    }
    return AG_OK;
}

void bench_spin_stop(bench_spinners *spinners)
{
    for (int i = 0; i < spinners->count; i++)
        kill(spinners->ids[i], SIGKILL);
    for (int i = 0; i < spinners->count; i++)
        waitpid(spinners->ids[i], NULL, 0);
    free(spinners->ids);
    *spinners = (bench_spinners){0};
}

ag_status bench_spin(const bench_options *options, ag_error *error)
{
    bench_spinners spinners;
    const ag_status status = bench_spin_start(&spinners, (int)options->spin, error);
    if (status != AG_OK)
        return status;
    const bench_field fields[] = {{.key = "processes", .title = "processes", .number = (double)options->spin}};
    bench_report(options->json, "spin", fields, 1);
    while (getchar() != EOF)
        ;
    bench_spin_stop(&spinners);
    return AG_OK;
}
