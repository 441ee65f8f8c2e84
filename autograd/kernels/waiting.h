/* waiting.h - a number that one thread changes and others wait for. */
#ifndef AUTOGRAD_KERNELS_WAITING_H
#define AUTOGRAD_KERNELS_WAITING_H

#include <stdatomic.h>
#include <stdbool.h>

typedef struct wait_word {
    atomic_uint value;
    atomic_uint sleepers; /* threads that sleep until the value changes */
} wait_word;

/* Returns some time after the value has stopped being `seen`, or for no reason: the
 * caller looks again. Where `spins`, it looks by itself for some tens of microseconds,
 * since a sleep and a wake take about as long; then it sleeps in the kernel, where it
 * costs nothing. */
void wait_word_wait(wait_word *word, unsigned seen, bool spins);
/* Wakes all sleepers; call it after each change that ends a wait. Costs a load where
 * there are no sleepers. */
void wait_word_wake(wait_word *word);
/* For a forked child, which has none of the threads that slept: sets the value to 0,
 * without sleepers. */
void wait_word_forget(wait_word *word);

#endif
