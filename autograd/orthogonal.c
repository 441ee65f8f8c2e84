/* orthogonal.c - Muon's directions: matrices made nearly orthogonal by Newton-Schulz
 * steps.
 *
 * A matrix is the work of one thread, in memory of the thread's own that stays in its
 * cache. Matrices do not depend on each other, so the number of threads changes no bit.
 *
 * A step x = a x + (b s + c s s) x, s = x x^T, is three products and no other pass over
 * memory. For y = c^(1/4) x and t = y y^T = sqrt(c) s, the polynomial is
 *
 *     a + b s + c s s = (t + h)^2 + a - h^2,  h = b / (2 sqrt(c))
 *
 * so a step adds h to the diagonal of t, squares that, and adds a - h^2 to the diagonal
 * of the square. */
#include "update.h"

#include "kernels/kernels.h"
#include "kernels/matrix.h"
#include "kernels/sizes.h"

#include <math.h>
#include <string.h>

enum { STEPS = 5 }; /* odd: orthogonalize_matrix */
enum { BAND = 48 }; /* rows: multiply_symmetric */

static const double A = 3.4445, B = -4.7750, C = 2.0315;

/* A vector whose sum of squares is HUGE or more is multiplied by SMALL first. */
#ifdef TAPEFORMER_DOUBLE
#define HUGE_SQUARES 0x1p1000
#define SMALL        0x1p-600
#else
#define HUGE_SQUARES 0x1p200
#define SMALL        0x1p-64f
#endif

typedef struct orthogonal_task {
    update_constants constants; /* of the kernel `nesterov` */
    ag_real *mean, *gradient;
    const ag_update_matrices *ranges;
    int count;
    ag_real *workspace;
    int64_t worker_numbers;
} orthogonal_task;

/* Where the numbers of a thread lie in the workspace: those of the products' copies, then
 * a matrix, then a square one. */
static int64_t product_numbers(void)
{
    return ceil_div((int64_t)kernels()->product->workspace_bytes, 64) * (int64_t)(64 / sizeof(ag_real));
}

/* ---- One matrix -------------------------------------------------------------------- */

/* c = a b, the rows of c side by side. */
static void multiply(matrix a, matrix b, ag_real *c, void *workspace)
{
    product_task task = matrix_product(a, b);
    task.c = c;
    kernels()->product->block(&task, (product_block){0, a.rows, 0, b.columns}, workspace);
}

/* c = a b where c is symmetric: computes bands of rows up to the diagonal, and copies
 * them to the other side of it. Lower bands compute less twice, but copy b more often. */
static void multiply_symmetric(matrix a, matrix b, ag_real *c, void *workspace)
{
    const int64_t side = a.rows;
    product_task task = matrix_product(a, b);
    task.c = c;
    for (int64_t begin = 0, end; begin < side; begin = end) {
        end = smaller(begin + BAND, side);
        kernels()->product->block(&task, (product_block){begin, end, 0, end}, workspace);
        for (int64_t i = begin; i < end; i++)
            for (int64_t j = 0; j < begin; j++)
                c[j * side + i] = c[i * side + j];
    }
}

static void add_to_diagonal(int64_t side, ag_real *square, double x)
{
    for (int64_t i = 0; i < side; i++)
        square[i * (side + 1)] += (ag_real)x;
}

/* to = factor ((t + h)^2 + a - h^2) y, or y (..), for y [rows, columns]; t is computed in
 * `to`, which is large enough for it, and its square in `square`. */
static void newton_schulz_step(int64_t rows, int64_t columns, const ag_real *y, ag_real *to, ag_real *square,
                               double factor, void *workspace)
{
    const int64_t side = smaller(rows, columns);
    const double h = B / (2 * sqrt(C));
    const matrix plain = matrix_of(y, rows, columns), t = matrix_of(to, side, side);
    const matrix wide = rows <= columns ? plain : matrix_transposed(plain), polynomial = matrix_of(square, side, side);
    multiply_symmetric(wide, matrix_transposed(wide), to, workspace);
    add_to_diagonal(side, to, h);
    multiply_symmetric(t, t, square, workspace);
    add_to_diagonal(side, square, A - h * h);
    if (factor != 1)
        kernels()->elementwise->unary(UNARY_SCALE, (ag_real)factor, side * side, square, square);
    if (rows <= columns)
        multiply(polynomial, plain, to, workspace);
    else
        multiply(plain, polynomial, to, workspace);
}

/* y = c^(1/4) u / (|u| + 1e-7), in place. A factor 1 / |u| close to the smallest number
 * would have few digits, and squares could overflow: so huge numbers are made smaller
 * first. */
static void normalize(int64_t size, ag_real *u)
{
    double sum = kernels()->update->sum_of_squares(size, u, 1), unit = 1;
    if (!(sum < HUGE_SQUARES)) {
        unit = SMALL;
        kernels()->elementwise->unary(UNARY_SCALE, SMALL, size, u, u);
        sum = kernels()->update->sum_of_squares(size, u, 1);
    }
    const double factor = sqrt(sqrt(C)) / (sqrt(sum) + 1e-7 * unit);
    kernels()->elementwise->unary(UNARY_SCALE, (ag_real)factor, size, u, u);
}

/* The kernel `nesterov` subtracts rate u from a vector: with a rate of -1 from zeros it
 * computes u. The steps go to and fro between u and the gradient, and end there. */
static void orthogonalize_matrix(const orthogonal_task *task, int64_t begin, int64_t rows, int64_t columns,
                                 ag_real *workspace)
{
    const int64_t size = rows * columns;
    ag_real *u = workspace + product_numbers(), *square = u + size, *gradient = task->gradient + begin;
    const double last = sqrt(larger(rows, columns) == rows ? (double)rows / (double)columns : 1) / sqrt(sqrt(C));
    memset(u, 0, (size_t)size * sizeof *u);
    kernels()->update->nesterov(&task->constants, size, u, gradient, task->mean + begin);
    normalize(size, u);
    for (int i = 0; i < STEPS; i++)
        newton_schulz_step(rows, columns, i % 2 ? gradient : u, i % 2 ? u : gradient, square, i + 1 < STEPS ? 1 : last,
                           workspace);
}

/* ---- All matrices ------------------------------------------------------------------ */

static void orthogonalize_pieces(void *context, int64_t begin, int64_t end, int worker)
{
    const orthogonal_task *task = context;
    int64_t first = 0; /* the number of the range's first matrix */
    for (const ag_update_matrices *range = task->ranges; range < task->ranges + task->count; range++) {
        const int64_t size = range->rows * range->columns;
        for (int64_t i = larger(begin, first); i < smaller(end, first + range->count); i++)
            orthogonalize_matrix(task, range->begin + (i - first) * size, range->rows, range->columns,
                                 task->workspace + worker * task->worker_numbers);
        first += range->count;
    }
}

/* The numbers that a thread needs for the largest matrix. */
static int64_t worker_numbers(const ag_update_matrices *ranges, int count)
{
    int64_t most = 0;
    for (int i = 0; i < count; i++) {
        const int64_t side = smaller(ranges[i].rows, ranges[i].columns);
        most = larger(most, ranges[i].rows * ranges[i].columns + side * side);
    }
    return product_numbers() + ceil_div(most, 64) * 64; /* whole cache lines */
}

static int64_t count_matrices(const ag_update_matrices *ranges, int count)
{
    int64_t matrices = 0;
    for (int i = 0; i < count; i++)
        matrices += ranges[i].count;
    return matrices;
}

int64_t ag_orthogonalize_numbers(const ag_update_matrices *ranges, int count, int threads)
{
    return smaller(threads, count_matrices(ranges, count)) * worker_numbers(ranges, count);
}

void ag_orthogonalize(double momentum, double scale, ag_real *mean, ag_real *gradient, const ag_update_matrices *ranges,
                      int count, int threads, ag_real *workspace)
{
    const orthogonal_task task = {.constants = {.scale = (ag_real)((1 - momentum) * (scale == 0 ? 1 : scale)),
                                                .rate = -1,
                                                .momentum = (ag_real)momentum},
                                  .mean = mean,
                                  .gradient = gradient,
                                  .ranges = ranges,
                                  .count = count,
                                  .workspace = workspace,
                                  .worker_numbers = worker_numbers(ranges, count)};
    const int64_t matrices = count_matrices(ranges, count);
    double work = 0;
    for (int i = 0; i < count; i++) {
        const double side = (double)smaller(ranges[i].rows, ranges[i].columns),
                     size = (double)ranges[i].rows * (double)ranges[i].columns;
        work += (double)ranges[i].count * size * (20 + 0.1 * STEPS * 3 * side);
    }
    kernel_parallel(threads, matrices, work, orthogonalize_pieces, (void *)&task);
}
