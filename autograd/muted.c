/* muted.c - products in which a gradient of 0 passes nothing on: see muted.h. */
#include "muted.h"

#include "kernels/kernels.h"
#include "kernels/parallel.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#define WORK_OF_A_VECTOR 100.0

/* An operand as one vector for each index p of the sum: it begins at data + p * next and
 * has `size` elements, `step` apart. */
typedef struct vectors {
    const ag_real *data;
    int64_t size, step, next;
} vectors;

static vectors gradient_of(const product_task *task, muted_by by)
{
    return by == MUTED_BY_A ? (vectors){task->a, task->m, task->a_row, task->a_column}
                            : (vectors){task->b, task->n, task->b_column, task->b_row};
}

static vectors values_of(const product_task *task, muted_by by)
{
    return gradient_of(task, by == MUTED_BY_A ? MUTED_BY_B : MUTED_BY_A);
}

static bool is_zero(const vectors *gradient, int64_t p)
{
    const ag_real *x = gradient->data + p * gradient->next;
    if (gradient->step == 1)
        return kernel_all_zero(gradient->size, x);
    for (int64_t i = 0; i < gradient->size; i++)
        if (x[i * gradient->step] != 0)
            return false;
    return true;
}

static bool is_finite(const vectors *values, int64_t p)
{
    const ag_real *x = values->data + p * values->next;
    if (values->step == 1)
        return kernels()->elementwise->all_finite(values->size, x);
    for (int64_t i = 0; i < values->size; i++)
        if (!isfinite(x[i * values->step]))
            return false;
    return true;
}

typedef struct muted_search {
    vectors gradient, values;
    atomic_bool found;
} muted_search;

static void search_vectors(void *context, int64_t begin, int64_t end, int worker)
{
    muted_search *search = context;
    (void)worker;
    for (int64_t p = begin; p < end; p++)
        if (is_zero(&search->gradient, p) && !is_finite(&search->values, p))
            atomic_store(&search->found, true);
}

bool muted_is_needed(const product_task *task, muted_by by, int threads)
{
    if (by == MUTED_BY_NONE)
        return false;
    muted_search search = {.gradient = gradient_of(task, by), .values = values_of(task, by)};
    /* If the gradient's vectors are rows, testing them for 0 is cheap: most are not, and
     * show it in the first element. If they are columns it may cost more than a check of
     * all values, which then comes first. */
    if (search.gradient.step != 1 &&
        kernels()->elementwise->all_finite(task->k * search.values.size, search.values.data))
        return false;
    /* The first element of a row comes from memory, or from the cache of the thread that
     * computed the row. */
    kernel_parallel(threads, task->k, WORK_OF_A_VECTOR * (double)task->k, search_vectors, &search);
    return search.found;
}

size_t muted_bytes(const product_task *task, muted_by by)
{
    return (size_t)(task->k * values_of(task, by).size) * sizeof(ag_real);
}

void muted_copy(product_task *task, muted_by by, ag_real *room)
{
    const vectors gradient = gradient_of(task, by), values = values_of(task, by);
    memcpy(room, values.data, muted_bytes(task, by));
    for (int64_t p = 0; p < task->k; p++) {
        const int64_t count = is_zero(&gradient, p) ? values.size : 0;
        for (int64_t i = 0; i < count; i++)
            room[p * values.next + i * values.step] = 0;
    }
    if (by == MUTED_BY_A)
        task->b = room;
    else
        task->a = room;
}
