/* exchange.h - a run in several processes: what they add up in each update, and how they
 * end together. train_options.exchange is their only connection.
 *
 * Part 1 alone evaluates, so it alone knows when a run ends early or an evaluation was
 * interrupted. The others are by then in their next update, where they wait for it; it
 * joins that exchange to tell them, and none of them makes the update. */
#ifndef TRAIN_EXCHANGE_H
#define TRAIN_EXCHANGE_H

#include "run.h"

/* The numbers of a part of a batch that are added up over all parts. */
enum {
    TRAIN_SUM_LOSS,    /* the cross-entropies of its targets */
    TRAIN_SUM_TOKENS,  /* their number */
    TRAIN_SUM_STOP,    /* 1: this process wants to stop after this update */
    TRAIN_SUM_STOPPED, /* 1: part 1 has stopped before this update, */
    TRAIN_SUM_EARLY,   /* or has run out of patience */
    TRAIN_SUM_SAME,    /* loop->same: must be equal in all processes */
    TRAIN_SUMS = TRAIN_SUM_SAME + TRAIN_SAME_COUNT
};

/* Sets loop->same from data, parameters and options, which are complete. */
void train_exchange_begin(train_loop *loop);

/* Adds up gradients and sums of all processes; `sums` [TRAIN_SUMS] has the loss and the
 * tokens of this one's part. Sets loop->agreed if all stop after this update, and
 * loop->ended if part 1 has ended the run before it. AG_BAD_VALUE if the processes do not
 * train the same model on the same data; the status of a failed exchange. */
ag_status train_exchange(train_loop *loop, double *sums) AG_CHECKED;

/* Part 1 has ended the run before the update that the other processes are in, for a
 * reason that they do not know: TRAIN_SUM_STOPPED or TRAIN_SUM_EARLY. Tells them. Does
 * nothing if nobody waits. */
ag_status train_exchange_end(train_loop *loop, int reason) AG_CHECKED;

/* Whether the caller wants the run to stop at `step`. */
bool train_stop_wanted(const train_loop *loop, int64_t step);

#endif
