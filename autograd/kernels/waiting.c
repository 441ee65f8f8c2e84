/* waiting.c - spinning, then sleeping: by futex on Linux, by a condition variable
 * elsewhere.
 *
 * No wake is lost. The sleeper counts itself and then compares the value once more, in
 * one step with falling asleep; the waker changes the value and then reads the count.
 * Both are sequentially consistent, so the sleeper sees the new value or the waker
 * sees the sleeper. */
#define _GNU_SOURCE /* syscall */
#include "waiting.h"

#include <limits.h>
#include <time.h>

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>

/* futex(2)'s commands, for the threads of one process. <linux/futex.h> has them, but not
 * every C compiler comes with the kernel's headers (musl's has none). */
enum { WAIT_PRIVATE = 0 | 128, WAKE_PRIVATE = 1 | 128 };

static void sleep_while(wait_word *word, unsigned seen)
{
    syscall(SYS_futex, &word->value, WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void wake(wait_word *word)
{
    syscall(SYS_futex, &word->value, WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void forget_sleepers(void)
{
}
#else
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void sleep_while(wait_word *word, unsigned seen)
{
    pthread_mutex_lock(&mutex);
    while (atomic_load(&word->value) == seen)
        pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void wake(wait_word *word)
{
    (void)word;
    pthread_mutex_lock(&mutex);
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
}

/* One of them may have held the mutex. */
static void forget_sleepers(void)
{
    mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    condition = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}
#endif

#define SPIN_NANOSECONDS 200000

/* Lets the processor's other hardware thread go first. */
static void pause_shortly(void)
{
#ifdef TAPEFORMER_PLAIN
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_nanoseconds(void)
{
    return nanoseconds(CLOCK_MONOTONIC);
}

int64_t processor_nanoseconds(void)
{
    return nanoseconds(CLOCK_THREAD_CPUTIME_ID);
}

static bool changes_soon(wait_word *word, unsigned seen)
{
    const int64_t start = clock_nanoseconds();
    do {
        for (int i = 0; i < 16; i++) {
            if (atomic_load_explicit(&word->value, memory_order_acquire) != seen)
                return true;
            pause_shortly();
        }
    } while (clock_nanoseconds() - start < SPIN_NANOSECONDS);
    return false;
}

void wait_word_wait(wait_word *word, unsigned seen, bool spins)
{
    if (spins && changes_soon(word, seen))
        return;
    atomic_fetch_add(&word->sleepers, 1);
    if (atomic_load(&word->value) == seen)
        sleep_while(word, seen);
    atomic_fetch_sub(&word->sleepers, 1);
}

void wait_word_wake(wait_word *word)
{
    if (atomic_load(&word->sleepers))
        wake(word);
}

void wait_word_forget(wait_word *word)
{
    atomic_store(&word->value, 0);
    atomic_store(&word->sleepers, 0);
    forget_sleepers();
}
