/* waiting.h - a number that one thread changes and others wait for. */
#ifndef AUTOGRAD_KERNELS_WAITING_H
#define AUTOGRAD_KERNELS_WAITING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct wait_word {
    atomic_uint value;
    atomic_uint sleepers; /* threads that sleep until the value changes */
} wait_word;

/* Waits while the value is `seen`. May return too early, so the caller must compare
 * the value again. If `spins`, the thread first reads the value for 200 microseconds,
 * several times as long as a sleep and a wake take. Then it sleeps in the
 * operating system, which costs no processor time. */
void wait_word_wait(wait_word *word, unsigned seen, bool spins);
/* Wakes all sleepers. Call it after each change that ends a wait. Costs one load if there
 * are no sleepers. */
void wait_word_wake(wait_word *word);
/* For a forked child, where the threads that slept do not exist: sets the value and the
 * number of sleepers to 0. */
void wait_word_forget(wait_word *word);

/* Of a clock that only moves forward. */
int64_t clock_nanoseconds(void);
/* How long the calling thread has had a processor. */
int64_t processor_nanoseconds(void);

#endif
