/* waiting.h - a number that one thread changes and others wait for. */
#ifndef AUTOGRAD_KERNELS_WAITING_H
#define AUTOGRAD_KERNELS_WAITING_H

#include <stdatomic.h>
#include <stdbool.h>

typedef struct wait_word {
    atomic_uint value;
    atomic_uint sleepers; /* threads that sleep until the value changes */
} wait_word;

/* Waits while the value is `seen`. It may return too early, so the caller compares the
 * value again. If `spins`, the thread first reads the value for some tens of
 * microseconds, about as long as a sleep and a wake take; then it sleeps in the kernel,
 * which costs no processor time. */
void wait_word_wait(wait_word *word, unsigned seen, bool spins);
/* Wakes all sleepers; call it after each change that ends a wait. Costs a load where
 * there are no sleepers. */
void wait_word_wake(wait_word *word);
/* For a forked child, which has none of the threads that slept: sets the value to 0,
 * without sleepers. */
void wait_word_forget(wait_word *word);

#endif
