/* parallel.c - the pool of threads.
 *
 * One region runs at a time. The caller, worker 0, writes the region down and opens it;
 * pool threads 1, 2, .. enter, take pieces and leave. A caller that finds no piece left
 * closes the region and waits for those inside. A thread that wakes late finds it closed
 * and sleeps again, or finds the next one open and works on that; so the caller waits for
 * threads that have taken pieces, never for one that has yet to begin.
 *
 *   entering:  inside += 1, then read `open`
 *   leaving:   inside -= 1, the last one wakes the caller
 *   closing:   open = false, then read `inside`
 *
 * Both orders are sequentially consistent: either the thread sees the region closed,
 * or the caller sees the thread inside and waits. A thread that sees the region closed
 * reads nothing else of it. So the caller may write the fields of the next region as
 * soon as it has seen nothing inside; opening the region publishes them. */
#include "parallel.h"

#include "processors.h"
#include "waiting.h"

#include <pthread.h>
#include <signal.h>

/* Some tens of microseconds of work: what it takes for a second thread to pay. */
#define WORTH_A_THREAD 5e4
/* The most that a worker takes at once, some hundreds of microseconds: a thread that the
 * system stops holds up the others by no more. */
#define WORTH_AT_ONCE 5e5
#define MOST_WORKERS  256
#define STACK_BYTES   ((size_t)1 << 20)

/* A worker's run: the units that are left of it, the first in the low half of the word,
 * the end in the high one. A word of 32 bits, since on some processors atomics of 64 bits
 * are calls of a library. It has a cache line of its own, since its owner takes from it
 * all the time. */
typedef struct run {
    _Alignas(64) atomic_uint_least32_t left;
} run;

/* Whether regions use threads, and what decides it: see "Whether threads pay". Times in
 * nanoseconds. */
typedef struct thread_account {
    bool alone;       /* regions run on their callers alone */
    pthread_t caller; /* whose account it is */
    /* the present period */
    int64_t begin, processor_begin; /* when it began, and the caller's processor time then */
    double work, own;               /* of its regions, and of it what the caller did */
    /* earlier periods */
    int64_t pause;      /* how long regions run alone the next time */
    double alone_share; /* of a processor that a caller alone has */
} thread_account;

/* Threads that wait read `regions` again and again. It has a cache line of its own, so
 * the caller writes the next region without waiting for that line. */
static struct pool {
    atomic_flag taken;  /* by a caller, for a region */
    int threads;        /* made so far */
    bool is_registered; /* at_fork */
    thread_account account;
    /* the region */
    _Alignas(64) atomic_bool open; /* it may be entered */
    bool spins;                    /* there is a processor for each worker */
    int workers;
    kernel_body *body;
    void *context;
    int64_t count, unit;            /* pieces, and how many of them are counted as one */
    uint32_t at_once;               /* units that a worker takes at once */
    _Alignas(64) wait_word regions; /* how many were opened: threads wait for the next */
    _Alignas(64) wait_word inside;  /* threads in the region: the caller waits until it is 0 */
    run runs[MOST_WORKERS];
} pool = {.taken = ATOMIC_FLAG_INIT};

int (*kernel_parallel_disturb)(int worker, int workers);

int kernel_threads_available(void)
{
    static atomic_int known;
    if (!atomic_load(&known))
        atomic_store(&known, kernel_processors(""));
    return atomic_load(&known);
}

/* ---- Runs -------------------------------------------------------------------------- */

static uint_least32_t make_run(uint32_t begin, uint32_t end)
{
    return end << 16 | begin;
}

/* Takes up to `most` units of a run: from its front for its owner, from its end for
 * others. */
static bool take(run *from, uint32_t most, bool front, uint32_t *begin, uint32_t *end)
{
    uint_least32_t left = atomic_load(&from->left), now;
    do {
        *begin = left & UINT16_MAX;
        *end = left >> 16;
        if (*begin == *end)
            return false;
        if (*end - *begin <= most)
            now = make_run(*end, *end);
        else if (front)
            now = make_run(*begin + most, *end), *end = *begin + most;
        else
            now = make_run(*begin, *end - most), *begin = *end - most;
    } while (!atomic_compare_exchange_weak(&from->left, &left, now));
    return true;
}

/* The next units for a worker: of its own run, then of the others', from the next worker
 * on. */
static bool find_units(int worker, uint32_t *begin, uint32_t *end)
{
    int first = worker;
    uint32_t most = pool.at_once;
    if (kernel_parallel_disturb) {
        first = (int)((unsigned)kernel_parallel_disturb(worker, pool.workers) % (unsigned)pool.workers);
        most = 1;
    }
    for (int i = 0; i < pool.workers; i++) {
        const int owner = (first + i) % pool.workers;
        if (take(&pool.runs[owner], most, owner == worker, begin, end))
            return true;
    }
    return false;
}

/* Returns how many units the worker has done. */
static int64_t work_on_region(int worker)
{
    uint32_t begin, end;
    int64_t done = 0;
    for (; find_units(worker, &begin, &end); done += end - begin) {
        const int64_t last = (int64_t)end * pool.unit;
        pool.body(pool.context, (int64_t)begin * pool.unit, last < pool.count ? last : pool.count, worker);
    }
    return done;
}

static void set_region(int workers, int64_t count, double work, kernel_body *body, void *context)
{
    pool.body = body;
    pool.context = context;
    pool.workers = workers;
    pool.spins = workers <= kernel_threads_available();
    pool.count = count;
    pool.unit = (count >> 15) + 1; /* so the ends of a run have 16 bits */
    const int64_t units = (count + pool.unit - 1) / pool.unit;
    pool.at_once = (uint32_t)((double)units * WORTH_AT_ONCE / work) + 1;
    for (int i = 0; i < workers; i++)
        atomic_store(&pool.runs[i].left,
                     make_run((uint32_t)(units * i / workers), (uint32_t)(units * (i + 1) / workers)));
}

/* ---- Threads ----------------------------------------------------------------------- */

static _Noreturn void *serve(void *number)
{
    const int worker = (int)(intptr_t)number;
    for (unsigned seen = 0;;) {
        while (atomic_load(&pool.regions.value) == seen)
            wait_word_wait(&pool.regions, seen, true);
        seen = atomic_load(&pool.regions.value);
        atomic_fetch_add(&pool.inside.value, 1);
        if (atomic_load(&pool.open) && worker < pool.workers)
            work_on_region(worker);
        if (atomic_fetch_sub(&pool.inside.value, 1) == 1)
            wait_word_wake(&pool.inside);
    }
}

/* A forked child has the thread that forked and no other: the pool begins again. */
static void forget_threads(void)
{
    pool.threads = 0;
    pool.account = (thread_account){0};
    atomic_store(&pool.open, false);
    wait_word_forget(&pool.regions);
    wait_word_forget(&pool.inside);
    atomic_flag_clear(&pool.taken);
}

/* Signals are for the program's own threads. */
static bool make_thread(int worker)
{
    sigset_t all, before;
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    sigfillset(&all);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool made = pthread_create(&thread, &attributes, serve, (void *)(intptr_t)worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return made;
}

/* Makes the threads that are missing for `wanted` workers. Returns how many workers there
 * are: fewer where the system makes no more threads. */
static int find_workers(int wanted)
{
    if (!pool.is_registered)
        pool.is_registered = pthread_atfork(NULL, NULL, forget_threads) == 0;
    while (pool.is_registered && pool.threads + 1 < wanted && make_thread(pool.threads + 1))
        pool.threads++;
    return pool.threads + 1 < wanted ? pool.threads + 1 : wanted;
}

/* ---- Whether threads pay ----------------------------------------------------------- */

/* On a busy machine they may not: the system stops a thread in the middle of a piece, and
 * the caller waits for milliseconds; or it divides what the program gets of a processor
 * between the caller and its threads. So the two ways are compared. In a period with
 * threads, the work of all is worth (work / own) times what the caller did in its share
 * of a processor. Alone, the caller may have a larger share. If it had one the last time
 * (at first: a whole processor), regions run alone for a pause, which doubles each time
 * that threads do not pay. (A short pause would tell nothing: the system needs some tens
 * of milliseconds until it has divided the processors again.) What is known of the share
 * without threads grows old: it moves towards a whole processor. */
#define PERIOD        40000000
#define FIRST_PAUSE   (4 * (int64_t)PERIOD)
#define LONGEST_PAUSE (32 * (int64_t)PERIOD)
#define LEAST_GAIN    1.25
#define FORGETTING    (1.0 / 16)

static void begin_period(thread_account *account, int64_t now)
{
    account->caller = pthread_self();
    account->begin = now;
    account->processor_begin = processor_nanoseconds();
    account->work = account->own = 0;
}

static void end_period(thread_account *account, int64_t now)
{
    const double share = (double)(processor_nanoseconds() - account->processor_begin) / (double)(now - account->begin);
    if (account->alone) {
        account->alone = false;
        account->alone_share = share;
    } else if (share * account->work < LEAST_GAIN * account->alone_share * account->own) {
        account->alone = true;
        account->pause = 2 * account->pause < LONGEST_PAUSE ? 2 * account->pause : LONGEST_PAUSE;
    } else {
        account->pause = FIRST_PAUSE / 2;
        account->alone_share += (1 - account->alone_share) * FORGETTING;
    }
}

/* A period in which the caller was away for long, or another one called, says nothing. A
 * pause ends all the same, whoever calls then. */
static bool threads_pay(thread_account *account)
{
    const int64_t now = clock_nanoseconds(), length = account->alone ? account->pause : PERIOD;
    const int64_t passed = now - account->begin;
    const bool is_own = pthread_equal(account->caller, pthread_self());
    if (account->pause == 0)
        *account = (thread_account){.pause = FIRST_PAUSE / 2, .alone_share = 1};
    if (passed >= length && passed < 8 * length && is_own)
        end_period(account, now);
    else if (passed >= length)
        account->alone = false;
    if (passed >= length || !(is_own || account->alone))
        begin_period(account, now);
    return !account->alone || kernel_parallel_disturb;
}

/* ---- Regions ----------------------------------------------------------------------- */

static void run_region(double work)
{
    const double units = (double)((pool.count + pool.unit - 1) / pool.unit);
    atomic_store(&pool.open, true);
    atomic_fetch_add(&pool.regions.value, 1);
    wait_word_wake(&pool.regions);
    pool.account.own += work * (double)work_on_region(0) / units;
    pool.account.work += work;
    atomic_store(&pool.open, false);
    for (unsigned inside; (inside = atomic_load(&pool.inside.value)) != 0;)
        wait_word_wait(&pool.inside, inside, pool.spins);
}

void kernel_parallel(int threads, int64_t count, double work, kernel_body *body, void *context)
{
    if (count <= 0)
        return;
    if (threads > count)
        threads = (int)count;
    if (threads > MOST_WORKERS)
        threads = MOST_WORKERS;
    if (threads <= 1 || work < WORTH_A_THREAD || atomic_flag_test_and_set(&pool.taken)) {
        body(context, 0, count, 0);
        return;
    }
    if (threads_pay(&pool.account)) {
        set_region(find_workers(threads), count, work, body, context);
        run_region(work);
    } else {
        body(context, 0, count, 0);
    }
    atomic_flag_clear(&pool.taken);
}
