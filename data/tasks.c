/* tasks.c - the table of tasks. A new task is a record of its own and one line here. */
#include "tasks.h"

#include <string.h>

static const data_task *const tasks[] = {
    &data_task_copy,     &data_task_reverse, &data_task_sort,  &data_task_shift,
    &data_task_addition, &data_task_numbers, &data_task_dates,
};

enum { TASKS = sizeof tasks / sizeof tasks[0] };

const data_task *const *data_tasks(int *count)
{
    *count = TASKS;
    return tasks;
}

const data_task *data_task_find(const char *name)
{
    for (int i = 0; i < TASKS; i++)
        if (strcmp(tasks[i]->name, name) == 0)
            return tasks[i];
    return NULL;
}
