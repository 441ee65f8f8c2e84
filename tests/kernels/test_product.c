/* test_product.c - the matrix product: level plain against three loops in wider numbers, and every level in every form
 * against level plain. */
#include "check_util.h"
#include "kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Levels ------------------------------------------------------------------------ */

static bool is_forced(int level)
{
    test_ask_for_level(level);
    return kernel_level(test_levels[level]) && !strcmp(kernels()->name, test_levels[level]);
}

/* As in simd/panel.h and simd/tile.h: steps at which k and n are cut, tiles copied
 * together, vectors of a tile. */
enum { K_STEP = 512, N_STEP = 256, GROUP = 4, TILE_VECTORS = 2 };

static int64_t tile_rows(void)
{
    return kernels()->product->tile_rows;
}

static int64_t tile_columns(void)
{
    return kernels()->product->tile_columns;
}

/* (Level plain has tiles of one number.) */
static int64_t lanes(void)
{
    return tile_columns() > 1 ? tile_columns() / TILE_VECTORS : 1;
}

/* ---- Operands ---------------------------------------------------------------------- */

/* How a matrix lies in memory. Those with an odd number are transposed. */
typedef enum layout {
    ROWS,
    COLUMNS,
    ROWS_APART, /* numbers between the rows that are not the matrix's own */
    COLUMNS_APART,
    ROWS_SPREAD, /* neither step is 1 */
    COLUMNS_SPREAD,
    ROWS_FAR, /* 2048 bytes apart, or a multiple */
    COLUMNS_FAR,
    LAYOUTS,
    NEAR_LAYOUTS = ROWS_FAR
} layout;

typedef struct steps {
    int64_t row, column;
} steps;

static steps steps_of(layout kind, int64_t rows, int64_t columns)
{
    const int64_t far = 2048 / (int64_t)sizeof(ag_real), inner = kind % 2 ? rows : columns;
    const int64_t inner_step = kind / 2 == ROWS_SPREAD / 2 ? 2 : 1;
    int64_t outer_step = inner * inner_step + (kind / 2 == ROWS / 2 ? 0 : 3);
    if (kind / 2 == ROWS_FAR / 2)
        outer_step = (inner + far - 1) / far * far;
    return kind % 2 ? (steps){inner_step, outer_step} : (steps){outer_step, inner_step};
}

/* A matrix in a heap block of its own that begins `before` numbers earlier and ends
 * `after` numbers later. */
typedef struct operand {
    ag_real *memory, *first;
    int64_t size; /* of memory */
    steps step;
} operand;

typedef struct surroundings {
    int64_t before, after;
    ag_real filler; /* every number of the block that is not the matrix's */
} surroundings;

/* A copy of `values` [rows, columns]; without values the matrix is NaN. */
static operand operand_new(const ag_real *values, int64_t rows, int64_t columns, steps step, surroundings around)
{
    const int64_t extent = rows && columns ? (rows - 1) * step.row + (columns - 1) * step.column + 1 : 0;
    operand made = {.size = around.before + extent + around.after, .step = step};
    made.memory = malloc(made.size ? (size_t)made.size * sizeof(ag_real) : 1);
    ck_assert_ptr_nonnull(made.memory);
    made.first = made.memory + around.before;
    for (int64_t e = 0; e < made.size; e++)
        made.memory[e] = around.filler;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            made.first[i * step.row + j * step.column] = values ? values[i * columns + j] : (ag_real)NAN;
    return made;
}

/* The workspace of so many threads, to the byte, with a number that it may hold from
 * before. */
static ag_real *workspace_new(int threads, double left_over)
{
    const size_t bytes = kernel_product_workspace(kernels()->product, threads);
    ag_real *workspace = malloc(bytes);
    ck_assert_ptr_nonnull(workspace);
    for (size_t e = 0; e < bytes / sizeof(ag_real); e++)
        workspace[e] = (ag_real)left_over;
    return workspace;
}

/* ---- The product of level plain ---------------------------------------------------- */

/* Wider than ag_real. */
#ifdef TAPEFORMER_DOUBLE
typedef long double reference;
#else
typedef double reference;
#endif

typedef struct problem {
    int64_t m, n, k;
    bool rounds;                  /* whether a product of these numbers is rounded; if not, every bit is known */
    ag_real *a, *b, *c, *bias;    /* [m, k], [k, n], [m, n], [n] */
    ag_real *product, *magnitude; /* [m, n]: A B and |A| |B|, by level plain */
} problem;

/* Whole numbers have products and sums that ag_real can hold, fractions do not. None is
 * 0. */
static ag_real *drawn(int64_t count, bool fractions, ag_rng *rng)
{
    ag_real *values = malloc(((size_t)count + 1) * sizeof *values);
    ck_assert_ptr_nonnull(values);
    for (int64_t e = 0; e < count; e++) {
        double size = fractions ? 1 - ag_rng_uniform(rng) : 1 + (double)ag_rng_below(rng, 8);
        values[e] = (ag_real)(ag_rng_below(rng, 2) ? size : -size);
    }
    return values;
}

static reference absolute(reference x)
{
    return x < 0 ? -x : x;
}

static ag_real *absolutes(int64_t count, const ag_real *x)
{
    ag_real *values = malloc(((size_t)count + 1) * sizeof *values);
    ck_assert_ptr_nonnull(values);
    for (int64_t e = 0; e < count; e++)
        values[e] = x[e] < 0 ? -x[e] : x[e];
    return values;
}

/* A B of matrices whose rows follow each other. */
static ag_real *plain_product(int64_t m, int64_t n, int64_t k, const ag_real *a, const ag_real *b)
{
    ag_real *c = malloc(((size_t)(m * n) + 1) * sizeof *c);
    ck_assert_ptr_nonnull(c);
    const product_task task = {.m = m,
                               .n = n,
                               .k = k,
                               .a = a,
                               .a_row = k,
                               .a_column = 1,
                               .b = b,
                               .b_row = n,
                               .b_column = 1,
                               .c = c,
                               .c_row = n};
    kernel_level("plain")->product->block(&task, (product_block){0, m, 0, n}, NULL);
    return c;
}

static problem problem_new(int64_t m, int64_t n, int64_t k, bool rounds, ag_rng *rng)
{
    problem p = {.m = m, .n = n, .k = k, .rounds = rounds};
    p.a = drawn(m * k, rounds, rng);
    p.b = drawn(k * n, rounds, rng);
    p.c = drawn(m * n, rounds, rng);
    p.bias = drawn(n, rounds, rng);
    p.product = plain_product(m, n, k, p.a, p.b);
    ag_real *a = absolutes(m * k, p.a), *b = absolutes(k * n, p.b);
    p.magnitude = plain_product(m, n, k, a, b);
    free(a);
    free(b);
    return p;
}

static void problem_free(problem *p)
{
    free(p->a);
    free(p->b);
    free(p->c);
    free(p->bias);
    free(p->product);
    free(p->magnitude);
}

/* A way to ask for the same product. */
typedef struct variant {
    layout a, b;
    bool add, bias, finish;
    int64_t gap;           /* between the rows of C */
    int64_t before, after; /* numbers beside each operand */
} variant;

static variant variant_drawn(layout a, layout b, ag_rng *rng)
{
    return (variant){.a = a,
                     .b = b,
                     .add = ag_rng_below(rng, 2),
                     .bias = ag_rng_below(rng, 2),
                     .finish = ag_rng_below(rng, 2),
                     .gap = (int64_t)ag_rng_below(rng, 2) * 5,
                     .before = (int64_t)ag_rng_below(rng, 2) * 3,
                     .after = (int64_t)ag_rng_below(rng, 2) * tile_columns()};
}

/* The most by which the kernel and level plain may differ, for terms of this magnitude: no term is rounded more often
 * than once as a product and once in every sum with one of the k - 1 others, with C and with the bias; and level plain
 * rounds its own sum. (Higham, Accuracy and stability of numerical algorithms, 2002, section 3.1.) */
static reference greatest_error(const problem *p, reference magnitude)
{
    const reference roundings =
        (reference)(p->k + 2 + PRECISION(p->k, 1)) * PRECISION(DBL_EPSILON, (double)FLT_EPSILON) / 2;
    return p->rounds ? roundings / (1 - roundings) * magnitude : 0;
}

/* The level and the sizes, for messages. */
static const char *name_of(int64_t m, int64_t n, int64_t k)
{
    static char text[128];
    long long rows = m, columns = n, inner = k;
    snprintf(text, sizeof text, "%s: [%lld,%lld] x [%lld,%lld]", kernels()->name, rows, inner, inner, columns);
    return text;
}

static void check_element(const problem *p, const variant *v, int64_t i, int64_t j, ag_real found)
{
    const int64_t e = i * p->n + j;
    const reference c = v->add ? (reference)p->c[e] : 0, bias = v->bias ? (reference)p->bias[j] : 0;
    const reference expected = (reference)p->product[e] + c + bias;
    const reference most = greatest_error(p, (reference)p->magnitude[e] + absolute(c) + absolute(bias));
    if (absolute((reference)found - expected) <= most)
        return;
    ck_abort_msg("%s, layouts %d and %d%s%s%s, element (%lld,%lld): %.17g, not %.17g +- %.3g",
                 name_of(p->m, p->n, p->k), (int)v->a, (int)v->b, v->add ? ", added" : "", v->bias ? ", bias" : "",
                 v->finish ? ", finish" : "", (long long)i, (long long)j, (double)found, (double)expected,
                 (double)most);
}

static const ag_real beside_c = (ag_real)-12345.678;

/* Every element of C; and what is not C's own is as it was. */
static void check_c(const problem *p, const variant *v, operand c)
{
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++) {
            ag_real *element = &c.first[i * c.step.row + j];
            check_element(p, v, i, j, v->finish ? *element / 2 : *element);
            *element = beside_c;
        }
    for (int64_t e = 0; e < c.size; e++)
        if (c.memory[e] != beside_c)
            ck_abort_msg("%s writes beside C, at %lld", name_of(p->m, p->n, p->k), (long long)(c.memory + e - c.first));
}

/* A finish: elements are doubled, which is seen however often it happens, and in between. */
static void twice(const void *context, int64_t row, int64_t column, int64_t count)
{
    const product_task *task = context;
    for (int64_t j = column; j < column + count; j++)
        task->c[row * task->c_row + j] *= 2;
}

/* A task and the memory that is its own. */
typedef struct placed {
    product_task task;
    operand a, b, c, bias;
} placed;

static void placed_init(placed *made, const problem *p, const variant *v)
{
    const surroundings around = {v->before, v->after, (ag_real)NAN}, around_c = {v->before, v->after, beside_c};
    *made = (placed){
        .a = operand_new(p->a, p->m, p->k, steps_of(v->a, p->m, p->k), around),
        .b = operand_new(p->b, p->k, p->n, steps_of(v->b, p->k, p->n), around),
        .c = operand_new(v->add ? p->c : NULL, p->m, p->n, (steps){p->n + v->gap, 1}, around_c),
        .bias = operand_new(p->bias, 1, p->n, (steps){p->n, 1}, around),
    };
    made->task = (product_task){
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .a = made->a.first,
        .a_row = made->a.step.row,
        .a_column = made->a.step.column,
        .b = made->b.first,
        .b_row = made->b.step.row,
        .b_column = made->b.step.column,
        .c = made->c.first,
        .c_row = made->c.step.row,
        .add = v->add,
        .bias = v->bias ? made->bias.first : NULL,
        .finish = v->finish ? twice : NULL,
        .finish_context = &made->task,
    };
}

static void placed_clear(placed *made)
{
    free(made->a.memory);
    free(made->b.memory);
    free(made->c.memory);
    free(made->bias.memory);
}

/* The product has the bytes of `expected` if a copy of B is read in its place. */
static void check_packed(const problem *p, const variant *v, operand expected, void *workspace)
{
    const size_t bytes = kernels()->product->packed_bytes(p->k, p->n);
    if (bytes == 0)
        return;
    placed made;
    placed_init(&made, p, v);
    void *copy = malloc(bytes);
    ck_assert_ptr_nonnull(copy);
    kernels()->product->pack(&made.task, copy);
    made.task.packed = copy;
    made.task.b = NULL;
    kernel_product_run(kernels()->product, &made.task, 1, 0, 0, 0, 1, workspace);
    ck_assert_msg(!memcmp(expected.memory, made.c.memory, (size_t)expected.size * sizeof(ag_real)),
                  "%s, layouts %d and %d: a copy of B gives other bytes", name_of(p->m, p->n, p->k), (int)v->a,
                  (int)v->b);
    free(copy);
    placed_clear(&made);
}

static void check_variant(const problem *p, variant v, void *workspace)
{
    placed made;
    placed_init(&made, p, &v);
    kernel_product_run(kernels()->product, &made.task, 1, 0, 0, 0, 1, workspace);
    check_packed(p, &v, made.c, workspace);
    check_c(p, &v, made.c);
    placed_clear(&made);
}

/* ---- Against level plain ----------------------------------------------------------- */

/* Level plain itself, against loops of the same form in wider numbers: a float's product is as good as never rounded,
 * a double's k times. */
START_TEST(level_plain_is_three_loops)
{
    static const int64_t sizes[][3] = {{1, 1, 1}, {1, 1, 0}, {2, 3, 4}, {7, 5, 33}, {31, 17, 1000}, {3, 40, 4097}};
    ag_rng rng = ag_rng_make(7, 0);
    for (size_t s = 0; s < 2 * sizeof sizes / sizeof *sizes; s++) {
        problem p = problem_new(sizes[s / 2][0], sizes[s / 2][1], sizes[s / 2][2], s % 2, &rng);
        for (int64_t e = 0; e < p.m * p.n; e++) {
            reference sum = 0, magnitude = 0;
            for (int64_t q = 0; q < p.k; q++) {
                const reference term = (reference)p.a[e / p.n * p.k + q] * (reference)p.b[q * p.n + e % p.n];
                sum += term;
                magnitude += absolute(term);
            }
            const reference rounding = PRECISION((reference)p.k * DBL_EPSILON, (reference)FLT_EPSILON) * magnitude;
            ck_assert(absolute((reference)p.product[e] - sum) <= (p.rounds ? rounding : 0));
            ck_assert(absolute((reference)p.magnitude[e] - magnitude) <= (p.rounds ? rounding : 0));
        }
        problem_free(&p);
    }
}
END_TEST

START_TEST(a_level_that_the_processor_has_is_the_one_asked_for)
{
    const char *fork = getenv("CK_FORK");
    if (fork && !strcmp(fork, "no"))
        return; /* one process for all tests has one level for all */
    bool has[TEST_LEVELS] = {true};
#ifdef KERNEL_HAS_generic
    has[1] = true;
#endif
#ifdef KERNEL_HAS_neon
    has[2] = true; /* (test_levels has a processor's own levels from 2 on) */
#endif
#ifdef KERNEL_HAS_avx2
    has[2] = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
#ifdef KERNEL_HAS_avx512
    has[3] = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#endif
    ck_assert_int_eq(is_forced(_i), has[_i]);
}
END_TEST

/* Every height of a tile, and the borders of tiles, groups and vectors with what is less
 * or more by one. */
START_TEST(all_small_sizes)
{
    if (!is_forced(_i))
        return;
    const int64_t r = tile_rows(), l = lanes();
    const int64_t depths[] = {0, 1, 2, 3, l - 1, l, l + 1, 2 * l + 1};
    const int64_t widths[] = {0,     1,         2,         l - 1, l,         l + 1, 2 * l - 1,
                              2 * l, 2 * l + 1, 3 * l - 1, 3 * l, 3 * l + 1, 4 * l, 4 * l + 1};
    ag_rng rng = ag_rng_make(1, (uint64_t)_i);
    ag_real *workspace = workspace_new(1, (double)NAN);
    for (int64_t m = 0; m <= GROUP * r + 1; m += m > r && (m + 1) % r == 2 ? r - 2 : 1)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
                problem p = problem_new(m, widths[w], depths[d], ag_rng_below(&rng, 2), &rng);
                for (layout form = 0; form < 4; form++) {
                    layout a = (layout)(2 * ag_rng_below(&rng, NEAR_LAYOUTS / 2)) + form % 2;
                    layout b = (layout)(2 * ag_rng_below(&rng, NEAR_LAYOUTS / 2)) + form / 2;
                    check_variant(&p, variant_drawn(a, b, &rng), workspace);
                }
                problem_free(&p);
            }
    free(workspace);
}
END_TEST

/* Every layout of A with every one of B, added or not, with a bias or not, and C with a
 * gap or without. */
START_TEST(all_forms)
{
    if (!is_forced(_i))
        return;
    const int64_t r = tile_rows(), l = lanes();
    const int64_t sizes[][3] = {{GROUP * r + 5, 5 * l + 1, 2 * l + 3}, {r, 2 * l, 4 * l}, {2 * r - 1, 1, l}, {1, 3, 1}};
    ag_rng rng = ag_rng_make(2, (uint64_t)_i);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        ag_real *workspace = workspace_new(1, (double)NAN);
        problem p = problem_new(sizes[s][0], sizes[s][1], sizes[s][2], s % 2, &rng);
        for (int form = 0; form < LAYOUTS * LAYOUTS * 8; form++) {
            variant v = variant_drawn((layout)(form / 8 % LAYOUTS), (layout)(form / 8 / LAYOUTS), &rng);
            v.add = form & 1;
            v.bias = form & 2;
            v.gap = form & 4;
            check_variant(&p, v, workspace);
        }
        problem_free(&p);
        free(workspace);
    }
}
END_TEST

/* Every layout of A, with two of B. */
static void check_layouts(int64_t m, int64_t n, int64_t k, ag_rng *rng)
{
    ag_real *workspace = workspace_new(1, (double)NAN);
    problem p = problem_new(m, n, k, ag_rng_below(rng, 2), rng);
    for (layout a = 0; a < LAYOUTS; a++)
        for (layout b = 3 * a + 1; b <= 3 * a + 4; b += 3)
            check_variant(&p, variant_drawn(a, b % LAYOUTS, rng), workspace);
    problem_free(&p);
    free(workspace);
}

/* Borders between panels, and panels as large as they get. */
START_TEST(all_borders_of_panels)
{
    if (!is_forced(_i))
        return;
    const int64_t r = tile_rows(), c = tile_columns(), l = lanes(), in_512_bytes = 512 / (int64_t)sizeof(ag_real);
    ag_rng rng = ag_rng_make(3, (uint64_t)_i);
    for (int64_t over = -1; over <= 1; over++) {
        check_layouts(r + 1, l + 1, K_STEP + over, &rng);
        check_layouts(1, c, 2 * K_STEP + over, &rng);
        check_layouts(r + 1, N_STEP + over, 3, &rng);
        check_layouts(2, 2 * N_STEP + over, l + 1, &rng);
        check_layouts(in_512_bytes + over, c - 1, 9, &rng);
    }
    check_layouts(GROUP * r, 3, K_STEP, &rng);
    check_layouts(1, 3 * N_STEP - 3, K_STEP, &rng); /* its last panel is the widest there is */
    check_layouts(GROUP * r + 1, 2 * c + 1, 2 * K_STEP + 1, &rng);
    check_layouts(r + 1, 800, 2 * K_STEP + 1, &rng);
}
END_TEST

START_TEST(drawn_sizes)
{
    if (!is_forced(_i))
        return;
    static const uint64_t limits[] = {4, 20, 64, 150};
    ag_rng rng = ag_rng_make(4, (uint64_t)_i);
    ag_real *workspace = workspace_new(1, (double)NAN);
    for (int round = 0; round < 300; round++) {
        int64_t size[3];
        for (int axis = 0; axis < 3; axis++)
            size[axis] = (int64_t)ag_rng_below(&rng, limits[ag_rng_below(&rng, 4)]);
        problem p = problem_new(size[0], size[1], size[2], round % 2, &rng);
        for (int form = 0; form < 4; form++) {
            layout a = (layout)ag_rng_below(&rng, LAYOUTS), b = (layout)ag_rng_below(&rng, LAYOUTS);
            check_variant(&p, variant_drawn(a, b, &rng), workspace);
        }
        problem_free(&p);
    }
    free(workspace);
}
END_TEST

/* ---- The same bits ----------------------------------------------------------------- */

/* Computes C piece by piece; `alone`: each as a product of its own, of some rows of A
 * with some columns of B. */
static void in_pieces(const product_task *task, int64_t most_rows, int64_t most_columns, bool alone, ag_rng *rng,
                      void *workspace)
{
    for (int64_t i = 0, rows; i < task->m; i += rows) {
        rows = 1 + (int64_t)ag_rng_below(rng, (uint64_t)most_rows);
        rows = rows < task->m - i ? rows : task->m - i;
        for (int64_t j = 0, columns; j < task->n; j += columns) {
            columns = 1 + (int64_t)ag_rng_below(rng, (uint64_t)most_columns);
            columns = columns < task->n - j ? columns : task->n - j;
            if (!alone) {
                kernels()->product->block(task, (product_block){i, i + rows, j, j + columns}, workspace);
                continue;
            }
            product_task own = *task;
            own.m = rows;
            own.n = columns;
            own.a += i * task->a_row;
            own.b += j * task->b_column;
            own.c += i * task->c_row + j;
            own.bias = task->bias ? task->bias + j : NULL;
            own.finish_context = &own;
            kernel_product_run(kernels()->product, &own, 1, 0, 0, 0, 1, workspace);
        }
    }
}

static void check_pieces(const problem *p, variant v, bool alone, ag_rng *rng)
{
    const int64_t most[][2] = {{2 * tile_rows(), 3 * tile_columns()}, {1, p->n}, {p->m, 1}};
    placed whole, pieces;
    placed_init(&whole, p, &v);
    ag_real *workspace = workspace_new(1, 1);
    kernels()->product->block(&whole.task, (product_block){0, p->m, 0, p->n}, workspace);
    free(workspace);
    for (size_t cut = 0; cut < sizeof most / sizeof *most; cut++) {
        placed_init(&pieces, p, &v);
        workspace = workspace_new(1, (double)NAN);
        in_pieces(&pieces.task, most[cut][0], most[cut][1], alone, rng, workspace);
        ck_assert_msg(!memcmp(whole.c.memory, pieces.c.memory, (size_t)whole.c.size * sizeof(ag_real)),
                      "%s, layouts %d and %d: cut %zu gives other bytes than the whole", name_of(p->m, p->n, p->k),
                      (int)v.a, (int)v.b, cut);
        placed_clear(&pieces);
        free(workspace);
    }
    placed_clear(&whole);
}

/* Neither the part of C nor the rows and columns beside it change a bit of an element. */
START_TEST(an_element_is_alone)
{
    if (!is_forced(_i))
        return;
    const int64_t r = tile_rows(), l = lanes();
    const int64_t sizes[][3] = {
        {GROUP * r + 7, 5 * l + 1, 2 * l + 1}, {r + 2, 5 * l + 1, 2 * K_STEP + 1}, {r - 1, 800, 3}, {5, 7, 0}};
    ag_rng rng = ag_rng_make(5, (uint64_t)_i);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        problem p = problem_new(sizes[s][0], sizes[s][1], sizes[s][2], true, &rng);
        for (layout a = 0; a < LAYOUTS; a++)
            for (int alone = 0; alone < 2; alone++)
                check_pieces(&p, variant_drawn(a, (3 * a + 3 * (layout)alone) % LAYOUTS, &rng), alone, &rng);
        problem_free(&p);
    }
}
END_TEST

/* `count` products [m, k] x [k, n], all with the same A or B where it stands still. */
typedef struct batch {
    int64_t count, m, n, k;
    bool still_a, still_b;
    layout form; /* of every matrix A and B: ROWS or COLUMNS */
} batch;

/* With a gap behind every row. */
static operand batch_c(const batch *all, const ag_real *values)
{
    return operand_new(values, all->count * all->m, all->n, (steps){all->n + 2, 1}, (surroundings){1, 0, beside_c});
}

/* The items of A or B, one behind the other. */
static operand batch_operand(int64_t count, int64_t size, ag_rng *rng)
{
    ag_real *values = drawn(count * size, true, rng);
    operand made = operand_new(values, count, size, (steps){size + 3, 1}, (surroundings){0, 0, (ag_real)NAN});
    free(values);
    return made;
}

static const int threads[] = {1, 2, 3, 4};
enum { TEAMS = sizeof threads / sizeof *threads };

/* The items together beside each on its own; every team has its workspace. */
static void check_batch(const batch *all, ag_real *const workspaces[TEAMS], ag_rng *rng)
{
    const int64_t m = all->m, n = all->n, k = all->k, count = all->count, c_step = m * (n + 2);
    ag_real *values_c = drawn(count * m * n, true, rng), *bias = drawn(n, true, rng);
    operand a = batch_operand(all->still_a ? 1 : count, m * k, rng);
    operand b = batch_operand(all->still_b ? 1 : count, k * n, rng);
    operand expected = batch_c(all, values_c);
    const int64_t a_step = all->still_a ? 0 : a.step.row, b_step = all->still_b ? 0 : b.step.row;
    const steps of_a = steps_of(all->form, m, k), of_b = steps_of(all->form, k, n);
    product_task task = {.m = m,
                         .n = n,
                         .k = k,
                         .c_row = n + 2,
                         .add = all->form == ROWS || all->still_b,
                         .bias = all->still_a ? bias : NULL};
    task.finish = count == 1 && all->still_b ? twice : NULL; /* it is not told the number of an item */
    task.finish_context = &task;
    task.a_row = of_a.row, task.a_column = of_a.column;
    task.b_row = of_b.row, task.b_column = of_b.column;

    for (int64_t i = 0; i < count; i++) {
        task.a = a.first + i * a_step;
        task.b = b.first + i * b_step;
        task.c = expected.first + i * c_step;
        kernels()->product->block(&task, (product_block){0, m, 0, n}, workspaces[0]);
    }
    for (int team = 0; team < TEAMS; team++) {
        operand c = batch_c(all, values_c);
        task.a = a.first;
        task.b = b.first;
        task.c = c.first;
        kernel_product_run(kernels()->product, &task, count, a_step, b_step, c_step, threads[team], workspaces[team]);
        ck_assert_msg(!memcmp(c.memory, expected.memory, (size_t)c.size * sizeof(ag_real)),
                      "%s, %lld times: %d threads give other bytes than each item alone", name_of(m, n, k),
                      (long long)count, threads[team]);
        free(c.memory);
    }
    free(values_c);
    free(bias);
    free(a.memory);
    free(b.memory);
    free(expected.memory);
}

/* Six are worth several threads: by columns, rows, parts of the sum if there is one for each (in the sixth too large).
 */
START_TEST(batches_at_any_threads)
{
    if (!is_forced(_i))
        return;
    static const int64_t sizes[][3] = {{20, 701, 80},   {201, 90, 64}, {33, 40, 1025}, {70, 60, 1000}, {70, 60, 2000},
                                       {256, 330, 600}, {3, 7, 5},     {0, 3, 2},      {5, 4, 0}};
    static const int64_t counts[] = {0, 1, 2, 5};
    ag_rng rng = ag_rng_make(6, (uint64_t)_i);
    ag_real *workspaces[TEAMS];
    for (int team = 0; team < TEAMS; team++)
        workspaces[team] = workspace_new(threads[team], (double)NAN);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (int still = 0; still < 4; still++) {
                const int64_t *size = sizes[s];
                layout form = (still + (int)c) % 2 ? COLUMNS : ROWS;
                batch all = {counts[c], size[0], size[1], size[2], still % 2, still / 2, form};
                check_batch(&all, workspaces, &rng);
            }
    for (int team = 0; team < TEAMS; team++)
        free(workspaces[team]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("product");
    TCase *tests = tcase_create("levels");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_level_that_the_processor_has_is_the_one_asked_for, 0, TEST_LEVELS);
    tcase_add_test(tests, level_plain_is_three_loops);
    tcase_add_loop_test(tests, all_small_sizes, 0, TEST_LEVELS);
    tcase_add_loop_test(tests, all_forms, 0, TEST_LEVELS);
    tcase_add_loop_test(tests, all_borders_of_panels, 0, TEST_LEVELS);
    tcase_add_loop_test(tests, drawn_sizes, 0, TEST_LEVELS);
    tcase_add_loop_test(tests, an_element_is_alone, 0, TEST_LEVELS);
    tcase_add_loop_test(tests, batches_at_any_threads, 0, TEST_LEVELS);
    suite_add_tcase(s, tests);
    return s;
}

TEST_MAIN(suite)
