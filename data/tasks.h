/* tasks.h - the records of the built-in tasks, for the table in tasks.c. Internal to
 * data/. */
#ifndef DATA_TASKS_H
#define DATA_TASKS_H

#include "data.h"

extern const data_task data_task_copy, data_task_reverse, data_task_sort, data_task_shift; /* tasks_letters.c */
extern const data_task data_task_addition, data_task_numbers;                              /* tasks_numbers.c */
extern const data_task data_task_dates;                                                    /* tasks_dates.c */

/* A whole number from low to high, both included. */
static inline int data_draw_between(ag_rng *rng, int low, int high)
{
    return low + (int)ag_rng_below(rng, (uint64_t)(high - low) + 1);
}

#endif
