/* broadcast.c - NumPy's broadcasting, and the sums that undo it. */
#include "broadcast.h"

#include "scalar.h"
#include "tape.h"

#include <string.h>

/* ---- Shapes ------------------------------------------------------------------------ */

/* The size of the axis `from_last` places before the last; 1 if there is none. */
static int64_t size_from_last(ag_shape shape, int from_last)
{
    return from_last < shape.ndim ? shape.dim[shape.ndim - 1 - from_last] : 1;
}

bool broadcast_shapes(ag_shape a, ag_shape b, ag_shape *result)
{
    *result = (ag_shape){.ndim = a.ndim > b.ndim ? a.ndim : b.ndim};
    for (int i = 0; i < result->ndim; i++) {
        int64_t a_size = size_from_last(a, i), b_size = size_from_last(b, i);
        if (a_size != b_size && a_size != 1 && b_size != 1)
            return false;
        result->dim[result->ndim - 1 - i] = a_size == 1 ? b_size : a_size;
    }
    return true;
}

bool broadcast_fits(ag_shape from, ag_shape to)
{
    ag_shape both;
    return broadcast_shapes(from, to, &both) && ag_shape_equal(both, to);
}

/* ---- Loops over two operands ------------------------------------------------------- */

strided strided_make(ag_shape shape, const int64_t *a_step, const int64_t *b_step)
{
    strided w = {0};
    for (int i = 0; i < shape.ndim; i++) {
        int64_t size = shape.dim[i];
        int last = w.ndim - 1;
        if (size == 1)
            continue;
        if (w.ndim && w.a_step[last] == a_step[i] * size && w.b_step[last] == b_step[i] * size) {
            w.size[last] *= size;
        } else {
            last = w.ndim++;
            w.size[last] = size;
        }
        w.a_step[last] = a_step[i];
        w.b_step[last] = b_step[i];
    }
    if (!w.ndim)
        w.size[w.ndim++] = 1;
    return w;
}

/* The strides of a dense operand along the axes of `shape`; 0 where it stretches. */
static void broadcast_steps(ag_shape shape, ag_shape operand, int64_t step[AG_MAX_DIMS])
{
    int64_t dense = 1;
    for (int i = 0; i < shape.ndim; i++) {
        int64_t size = size_from_last(operand, i);
        step[shape.ndim - 1 - i] = size == 1 ? 0 : dense;
        dense *= size;
    }
}

strided strided_broadcast(ag_shape shape, ag_shape a, ag_shape b)
{
    int64_t a_step[AG_MAX_DIMS] = {0}, b_step[AG_MAX_DIMS] = {0};
    broadcast_steps(shape, a, a_step);
    broadcast_steps(shape, b, b_step);
    return strided_make(shape, a_step, b_step);
}

strided_run strided_run_from(const strided *w, int64_t at, int64_t end)
{
    int last = w->ndim - 1;
    int64_t row = at / w->size[last], column = at % w->size[last];
    strided_run run = {
        .at = at, .length = w->size[last] - column, .a = column * w->a_step[last], .b = column * w->b_step[last]};
    if (run.length > end - at)
        run.length = end - at;
    for (int i = last - 1; i >= 0; i--) {
        run.a += row % w->size[i] * w->a_step[i];
        run.b += row % w->size[i] * w->b_step[i];
        row /= w->size[i];
    }
    return run;
}

/* ---- Sums -------------------------------------------------------------------------- */

/* Sums x [outer, reduced, inner] to y [outer, inner]. For each value of the outer axis
 * the work is cut into pieces: `chunks` of rows (values of the reduced axis) times
 * `blocks` of columns. If there are several chunks, their sums go to `partial` [outer,
 * chunks, inner] and are added in order afterwards. */
typedef struct sum_task {
    int64_t outer, reduced, inner;
    const ag_real *x;
    ag_real *y;
    bool add;
    double factor; /* of the sums */
    int64_t chunk_rows, chunks, blocks;
    double *partial; /* NULL where chunks is 1 */
} sum_task;

#define BLOCK       ((int64_t)512) /* columns whose sums stay in the nearest cache */
#define FEWEST_ROWS 64             /* of a chunk: so partial sums are few */

static void put_sum(const sum_task *task, int64_t at, double sum)
{
    sum *= task->factor;
    task->y[at] = (ag_real)(task->add ? (double)task->y[at] + sum : sum);
}

static void sum_pieces(void *context, int64_t begin, int64_t end)
{
    const sum_task *task = context;
    const kernel_elementwise *elementwise = kernels()->elementwise;

    for (int64_t piece = begin; piece < end; piece++) {
        int64_t column = piece % task->blocks * BLOCK;
        int64_t chunk = piece / task->blocks % task->chunks, o = piece / task->blocks / task->chunks;
        int64_t row = chunk * task->chunk_rows;
        int64_t rows = task->reduced - row < task->chunk_rows ? task->reduced - row : task->chunk_rows;
        int64_t columns = task->inner - column < BLOCK ? task->inner - column : BLOCK;
        const ag_real *x = task->x + (o * task->reduced + row) * task->inner + column;
        double sums[BLOCK] = {0};

        if (task->inner == 1)
            sums[0] = elementwise->sum(rows, x);
        else
            elementwise->accumulate(rows, columns, task->inner, NULL, x, sums);

        if (task->partial)
            memcpy(task->partial + (o * task->chunks + chunk) * task->inner + column, sums,
                   (size_t)columns * sizeof *sums);
        else
            for (int64_t i = 0; i < columns; i++)
                put_sum(task, o * task->inner + column + i, sums[i]);
    }
}

static ag_status sum_middle_axis(ag_tape *tape, sum_task task)
{
    int64_t rows = PIECE / task.inner;
    task.chunk_rows = rows < FEWEST_ROWS ? FEWEST_ROWS : rows;
    task.chunks = task.reduced ? (task.reduced + task.chunk_rows - 1) / task.chunk_rows : 1;
    task.blocks = (task.inner + BLOCK - 1) / BLOCK;
    if (task.chunks > 1) {
        task.partial = ag_scratch(tape, (size_t)(task.outer * task.chunks * task.inner) * sizeof *task.partial);
        if (!task.partial)
            return AG_NO_MEMORY;
    }
    parallel_rows(tape, task.outer * task.chunks * task.blocks,
                  2.0 * (double)task.outer * (double)task.reduced * (double)task.inner, sum_pieces, &task);

    for (int64_t i = 0; task.partial && i < task.outer * task.inner; i++) {
        const double *first = task.partial + i / task.inner * task.chunks * task.inner + i % task.inner;
        scalar_sum sum = {0, 0};
        for (int64_t chunk = 0; chunk < task.chunks; chunk++)
            scalar_sum_add(&sum, first[chunk * task.inner]);
        put_sum(&task, i, scalar_sum_total(&sum));
    }
    return AG_OK;
}

/* The axes of a shape in groups of neighbours that are all kept or all reduced. */
typedef struct axis_groups {
    int count;
    int64_t size[AG_MAX_DIMS];
    bool reduced[AG_MAX_DIMS];
} axis_groups;

static axis_groups group_axes(ag_shape shape, unsigned axes)
{
    axis_groups groups = {0};
    for (int i = 0; i < shape.ndim; i++) {
        bool reduced = axes >> i & 1;
        if (shape.dim[i] == 1)
            continue;
        if (groups.count && groups.reduced[groups.count - 1] == reduced) {
            groups.size[groups.count - 1] *= shape.dim[i];
        } else {
            groups.size[groups.count] = shape.dim[i];
            groups.reduced[groups.count++] = reduced;
        }
    }
    return groups;
}

static int64_t size_of_axes(const int64_t *sizes, int count)
{
    int64_t result = 1;
    for (int i = 0; i < count; i++)
        result *= sizes[i];
    return result;
}

typedef struct copy_task {
    const ag_real *x;
    ag_real *y;
    bool add;
} copy_task;

static void copy_elements(void *context, int64_t begin, int64_t end)
{
    const copy_task *task = context;
    if (task->add)
        kernels()->elementwise->add(end - begin, task->x + begin, task->y + begin);
    else
        memcpy(task->y + begin, task->x + begin, (size_t)(end - begin) * sizeof(ag_real));
}

/* Sums over one reduced group of axes after the other, the last first; all results but
 * the final one go to scratch memory. A mean divides the sums of each group by its size,
 * so it overflows only if the mean itself does. */
ag_status broadcast_sum(ag_tape *tape, ag_shape shape, unsigned axes, broadcast_way way, const ag_real *x, ag_real *y)
{
    axis_groups groups = group_axes(shape, axes);
    int left = 0;
    for (int i = 0; i < groups.count; i++)
        left += groups.reduced[i];

    if (!left) {
        const int64_t size = ag_shape_size(shape);
        copy_task task = {.x = x, .y = y, .add = way == BROADCAST_ADD};
        parallel_elements(tape, size, (double)size, copy_elements, &task);
        return AG_OK;
    }
    for (int i = groups.count - 1; left; i--) {
        if (!groups.reduced[i])
            continue;
        sum_task task = {.outer = size_of_axes(groups.size, i),
                         .reduced = groups.size[i],
                         .inner = size_of_axes(groups.size + i + 1, groups.count - i - 1),
                         .factor = way == BROADCAST_MEAN ? 1 / (double)groups.size[i] : 1,
                         .x = x};
        groups.size[i] = 1;
        left--;
        if (left) {
            task.y = ag_scratch(tape, (size_t)(task.outer * task.inner) * sizeof(ag_real));
            if (!task.y)
                return AG_NO_MEMORY;
        } else {
            task.y = y;
            task.add = way == BROADCAST_ADD;
        }
        if (task.outer * task.inner > 0) {
            ag_status status = sum_middle_axis(tape, task);
            if (status != AG_OK)
                return status;
        }
        x = task.y;
    }
    return AG_OK;
}

void ag_grad_add(ag_tensor *x, ag_shape shape, const ag_real *g)
{
    ag_real *dx = ag_grad(x);
    unsigned stretched = 0;
    if (!dx)
        return;
    for (int i = 0; i < shape.ndim; i++)
        if (size_from_last(x->shape, shape.ndim - 1 - i) == 1)
            stretched |= AG_AXIS(i);
    const ag_status noted = broadcast_sum(x->tape, shape, stretched, BROADCAST_ADD, g, dx);
    (void)noted; /* the tape has the error, and the backward ends there */
}
