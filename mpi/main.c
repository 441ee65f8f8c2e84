/* main.c - tapeformer-mpi: the command, whose `train` runs in the processes of an MPI job,
 * one for each part of a batch.
 *
 *     mpirun -np 4 build/tapeformer-mpi train --pairs pairs.txt --out run
 *
 * gives the bytes of `tapeformer train --accumulate 4`. Processes meet before each exchange
 * and at their end, and tell each other whether they go on or with which code they end. So
 * an error in one of them ends all: the others find it when they meet next, and rank 0
 * prints the sentence. */
#include "../cli/cli.h"
#include "../cli/team.h"

#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REAL_TYPE (sizeof(ag_real) == sizeof(float) ? MPI_FLOAT : MPI_DOUBLE)

enum {
    GOES_ON = -1,    /* instead of an exit code */
    SLICE = 1 << 16, /* most numbers that two processes exchange at once: counts fit an int */
    SUMS_MOST = 64,
};

static cli_team *const team = &cli_the_team;
static int *codes;                         /* [size], of the last meeting */
static int *counts, *begins;               /* [size]: the slices of a block of gradients */
static int *received_counts, *received_at; /* [size]: the parts of this process's slice */
static ag_real *received;                  /* [size, SLICE] */
static double *all_sums;                   /* [size, SUMS_MOST] */
static bool over;                          /* a process has ended: nobody meets any more */

/* ---- Meeting ----------------------------------------------------------------------- */

/* Waits, asleep after a while: rank 0 may evaluate meanwhile, on the same processor. */
static void wait_for(MPI_Request *request)
{
    const struct timespec moment = {.tv_nsec = 100000};
    int done = 0;
    for (int tries = 0; !done; tries++) {
        MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (!done && tries < 1000)
            sched_yield();
        else if (!done)
            nanosleep(&moment, NULL);
    }
}

/* All processes tell each other their codes, and if one has failed, the lowest of these its
 * sentence. Returns whether all go on. */
static bool meet(int code)
{
    MPI_Request request;
    MPI_Iallgather(&code, 1, MPI_INT, codes, 1, MPI_INT, MPI_COMM_WORLD, &request);
    wait_for(&request);
    int failed = 0;
    while (failed < team->size && codes[failed] <= 0)
        failed++;
    for (int r = 0; r < team->size; r++)
        over = over || codes[r] != GOES_ON;
    if (failed < team->size) {
        char sentence[sizeof team->sentence];
        memcpy(sentence, team->sentence, sizeof sentence);
        MPI_Bcast(sentence, sizeof sentence, MPI_CHAR, failed, MPI_COMM_WORLD);
        snprintf(team->failure, sizeof team->failure, "rank %d: %.4000s", failed,
                 *sentence ? sentence : "has ended the run");
        codes[0] = codes[failed];
    }
    return !over;
}

/* The end of a process: returns its exit code. Rank 0's stands for all: mpirun begins to
 * kill as soon as one process ends with another code than 0. */
static int leave(int code)
{
    const bool known = over;
    if (!over)
        meet(code);
    if (!known && code == CLI_DONE && codes[0] > 0)
        cli_fail("train", codes[0], "%s", team->failure);
    MPI_Barrier(MPI_COMM_WORLD); /* rank 0 has saved what there is to save */
    return team->rank > 0 ? CLI_DONE : codes[0] > 0 ? codes[0] : code;
}

/* ---- Adding up --------------------------------------------------------------------- */

static int limit(int64_t x, int64_t most)
{
    return (int)(x < 0 ? 0 : x < most ? x : most);
}

/* x [count] = the sum of all processes' x, in the order of their ranks. Each process adds up
 * one slice. */
static void add_block(ag_real *x, int64_t count)
{
    const int64_t slice = (count + team->size - 1) / team->size;
    for (int r = 0; r < team->size; r++) {
        begins[r] = limit(r * slice, count);
        counts[r] = limit(count - begins[r], slice);
    }
    const int own = counts[team->rank];
    for (int r = 0; r < team->size; r++) {
        received_counts[r] = own;
        received_at[r] = r * SLICE;
    }
    MPI_Alltoallv(x, counts, begins, REAL_TYPE, received, received_counts, received_at, REAL_TYPE, MPI_COMM_WORLD);
    for (int r = 1; r < team->size; r++)
        for (int i = 0; i < own; i++)
            received[i] += received[(int64_t)r * SLICE + i];
    MPI_Allgatherv(received, own, REAL_TYPE, x, counts, begins, REAL_TYPE, MPI_COMM_WORLD);
}

static void add_sums(double *sums, int count)
{
    MPI_Allgather(sums, count, MPI_DOUBLE, all_sums, count, MPI_DOUBLE, MPI_COMM_WORLD);
    memcpy(sums, all_sums, (size_t)count * sizeof *sums);
    for (int r = 1; r < team->size; r++)
        for (int i = 0; i < count; i++)
            sums[i] += all_sums[r * count + i];
}

static ag_status exchange(ag_real *gradients, int64_t count, double *sums, int64_t sum_count)
{
    const int64_t block = (int64_t)SLICE * team->size;
    if (sum_count > SUMS_MOST)
        return AG_BAD_VALUE;
    if (!meet(GOES_ON))
        return AG_IO;
    add_sums(sums, (int)sum_count);
    for (int64_t at = 0; at < count; at += block)
        add_block(gradients + at, count - at < block ? count - at : block);
    return AG_OK;
}

/* ---- The program ------------------------------------------------------------------- */

/* Where the processes of a machine are not bound to processors, each would use all. */
static int share_of_threads(void)
{
    MPI_Comm machine;
    int here = 1;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &here);
    MPI_Comm_free(&machine);
    ag_tape *tape = ag_tape_new(NULL);
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const bool shared = tape && (long)ag_tape_threads(tape) * here > processors;
    ag_tape_free(tape);
    return !shared ? 0 : processors > here ? (int)(processors / here) : 1;
}

static bool make_room(void)
{
    const size_t size = (size_t)team->size;
    codes = calloc(5 * size, sizeof *codes);
    received = malloc(size * SLICE * sizeof *received);
    all_sums = malloc(size * SUMS_MOST * sizeof *all_sums);
    if (!codes || !received || !all_sums)
        return false;
    counts = codes + size;
    begins = counts + size;
    received_counts = begins + size;
    received_at = received_counts + size;
    return true;
}

int main(int argc, char **argv)
{
    int level;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level); /* the pool's threads never call MPI */
    MPI_Comm_rank(MPI_COMM_WORLD, &team->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &team->size);
    team->threads = share_of_threads();
    team->exchange = exchange;
    if (!make_room())
        MPI_Abort(MPI_COMM_WORLD, cli_fail(NULL, CLI_FAILED, "no memory to exchange gradients with"));
    /* Of the other subcommands, and of help, one copy is enough. */
    const bool runs = team->rank == 0 || (argc > 1 && !strcmp(argv[1], "train"));
    int code = CLI_DONE;
    if (team->rank > 0 && !freopen("/dev/null", "w", stdout))
        code = cli_fail("train", CLI_FAILED, "cannot open /dev/null");
    if (runs && code == CLI_DONE)
        code = cli_main(argc, argv);
    code = leave(code);
    MPI_Finalize();
    free(codes);
    free(received);
    free(all_sums);
    return code;
}
