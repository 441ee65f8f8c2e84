/* tape_tables.c - the operations of a tape as tables: by kind, and one by one. */
#include "tape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELL_SIZE = 32,
    NAME_SIZE = 128,
    SHAPES_SHOWN = 5,                                /* inputs of an operation whose shapes are shown */
    SHAPES_SIZE = (SHAPES_SHOWN + 2) * AG_SHAPE_TEXT /* of all shapes of an operation as text */
};

/* The columns, texts and numbers. */
typedef enum column {
    OPERATION,
    TIMES, /* how many operations are in the row */
    MULTIPLY_ADDS,
    KEPT,
    FORWARD,
    BACKWARD,
    AGAIN,
    SHARE,
    PEAK,
    VALUE,
    GRADIENT,
    SHAPES,
    FORMULA,
    COLUMNS
} column;

/* A table under construction, of the columns that `shown` names. */
typedef struct tape_table {
    const tape_rows *tape;
    const column *shown; /* [columns] */
    int64_t columns, rows;
    double seconds;              /* of all operations */
    char (*numbers)[CELL_SIZE];  /* [rows, columns] */
    char (*shapes)[SHAPES_SIZE]; /* [rows] */
    const char **cells;          /* [rows, columns] */
    double *keys;                /* [rows, columns] */
    unsigned char *starts;       /* [rows] */
} tape_table;

/* ---- Sums -------------------------------------------------------------------------- */

/* a + b, where NaN stands for nothing. */
static double plus(double a, double b)
{
    return isnan(a) ? b : isnan(b) ? a : a + b;
}

/* Adds a row to the sum of several. Norms are of one operation alone. */
static void add_row(tape_row *sum, const tape_row *row)
{
    sum->forward = plus(sum->forward, row->forward);
    sum->backward = plus(sum->backward, row->backward);
    sum->recompute = plus(sum->recompute, row->recompute);
    sum->multiply_adds = plus(sum->multiply_adds, row->multiply_adds);
    sum->bytes = plus(sum->bytes, row->bytes);
}

static tape_row empty_sum(void)
{
    return (tape_row){NULL, NAN, NAN, NAN, NAN, NAN, TAPE_NO_NORM, TAPE_NO_NORM};
}

static double seconds_of(const tape_row *row)
{
    return plus(plus(row->forward, row->backward), row->recompute);
}

static tape_row sum_of_all(const tape_rows *tape)
{
    tape_row sum = empty_sum();
    for (int64_t i = 0; i < tape->count; i++)
        add_row(&sum, &tape->items[i]);
    return sum;
}

/* ---- Numbers as text --------------------------------------------------------------- */

/* Three digits and a prefix of the metric system: "1.24 M". */
static void print_metric(char text[CELL_SIZE], double value, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    int prefix = 0;
    for (; value >= 999.5 && prefix < 5; prefix++)
        value /= 1000;
    ag_text_print(text, CELL_SIZE, "%.*f%s%s%s",
                  prefix == 0 || value >= 100 ? 0
                  : value >= 10               ? 1
                                              : 2,
                  value, prefix || *unit ? " " : "", prefixes[prefix], unit);
}

/* Short steps are shown in microseconds. */
static bool is_short(const tape_table *table)
{
    return table->seconds < 0.01;
}

static double number_of(const tape_table *table, const tape_row *row, int64_t times, column what)
{
    const double peak = table->tape->options->peak;
    switch (what) {
    case TIMES:
        return (double)times;
    case MULTIPLY_ADDS:
        return row->multiply_adds;
    case KEPT:
        return row->bytes;
    case FORWARD:
        return row->forward;
    case BACKWARD:
        return row->backward;
    case AGAIN:
        return row->recompute;
    case SHARE:
        return 100 * seconds_of(row) / table->seconds;
    case PEAK:
        return peak > 0 ? 100 * row->multiply_adds / (plus(row->forward, row->backward) * peak) : (double)NAN;
    case VALUE:
        return row->value;
    case GRADIENT:
        return row->gradient;
    default:
        return (double)NAN;
    }
}

/* A norm may be NaN, which is what a reader of the table may be looking for. */
static bool is_known(column what, double number)
{
    return what == VALUE || what == GRADIENT ? !(number < 0) : !isnan(number);
}

static void print_number(const tape_table *table, char text[CELL_SIZE], column what, double number)
{
    if (!is_known(what, number))
        snprintf(text, CELL_SIZE, "-");
    else if (what == MULTIPLY_ADDS || what == TIMES)
        print_metric(text, number, "");
    else if (what == KEPT)
        print_metric(text, number, "B");
    else if (what == SHARE || what == PEAK)
        ag_text_print(text, CELL_SIZE, "%.1f", number);
    else if (what == VALUE || what == GRADIENT)
        ag_text_print(text, CELL_SIZE, "%.4g", number);
    else
        ag_text_print(text, CELL_SIZE, is_short(table) ? "%.1f" : "%.3f", number * (is_short(table) ? 1e6 : 1e3));
}

/* ---- Cells ------------------------------------------------------------------------- */

static const char *head_of(const tape_table *table, column what)
{
    static const char *const heads[COLUMNS] = {
        [OPERATION] = "operation", [TIMES] = "times",         [MULTIPLY_ADDS] = "multiply-adds",
        [KEPT] = "kept",           [FORWARD] = "forward ms",  [BACKWARD] = "back ms",
        [AGAIN] = "again ms",      [SHARE] = "% of time",     [PEAK] = "% of peak",
        [VALUE] = "|value|",       [GRADIENT] = "|gradient|", [SHAPES] = "shapes",
        [FORMULA] = "formula",
    };
    static const char *const shorter[COLUMNS] = {
        [FORWARD] = "forward us", [BACKWARD] = "back us", [AGAIN] = "again us"};
    return is_short(table) && shorter[what] ? shorter[what] : heads[what];
}

static void print_shapes(char text[SHAPES_SIZE], const ag_node *node)
{
    char shape[AG_SHAPE_TEXT];
    size_t length = 0;
    for (int i = 0; i < node->input_count && i < SHAPES_SHOWN; i++)
        if (node->inputs[i])
            length += (size_t)snprintf(text + length, SHAPES_SIZE - length, "%s ",
                                       ag_shape_print(node->inputs[i]->shape, shape));
    snprintf(text + length, SHAPES_SIZE - length, "%s-> %s", node->input_count > SHAPES_SHOWN ? ".. " : "",
             ag_shape_print(node->output->shape, shape));
}

/* Fills in a row of the table. A sum, whose `row->node` is NULL, has neither norms nor
 * shapes nor a formula. */
static void fill_row(tape_table *table, int64_t at, const char *name, const tape_row *row, int64_t times)
{
    for (int64_t j = 0; j < table->columns; j++) {
        const column what = table->shown[j];
        const int64_t cell = at * table->columns + j;
        const double number = number_of(table, row, times, what);
        table->keys[cell] = is_known(what, number) ? number : (double)NAN;
        print_number(table, table->numbers[cell], what, number);
        table->cells[cell] = what == OPERATION ? name : table->numbers[cell];
        if ((what == VALUE || what == GRADIENT) && !row->node)
            table->cells[cell] = "";
        if (what == SHAPES)
            table->cells[cell] = row->node ? table->shapes[at] : "";
        if (what == FORMULA)
            table->cells[cell] = row->node && row->node->op->formula ? row->node->op->formula : "";
    }
}

/* Whether any operation has such a number. */
static bool has_numbers(const tape_table *table, column what)
{
    bool found = what == OPERATION || what == SHAPES || what == FORMULA;
    for (int64_t i = 0; i < table->tape->count && !found; i++)
        found = is_known(what, number_of(table, &table->tape->items[i], 1, what));
    return found;
}

/* Chooses those of the columns that have numbers. `shown` has room for all. */
static void choose_columns(tape_table *table, const column *wanted, int64_t count, column *shown)
{
    const tape_row all = sum_of_all(table->tape);
    table->seconds = seconds_of(&all);
    table->shown = shown;
    for (int64_t i = 0; i < count; i++)
        if (has_numbers(table, wanted[i]))
            shown[table->columns++] = wanted[i];
}

static bool table_make(tape_table *table, int64_t most_rows)
{
    const size_t rows = (size_t)most_rows, cells = rows * (size_t)table->columns;
    table->numbers = malloc(cells * sizeof *table->numbers);
    table->shapes = malloc(rows * sizeof *table->shapes);
    table->cells = malloc(cells * sizeof *table->cells);
    table->keys = malloc(cells * sizeof *table->keys);
    table->starts = calloc(rows, 1);
    if (!table->numbers || !table->shapes || !table->cells || !table->keys || !table->starts)
        return false;
    for (int64_t j = 0; j < table->columns; j++) {
        table->cells[j] = head_of(table, table->shown[j]);
        table->keys[j] = NAN;
    }
    table->rows = 1;
    return true;
}

static void table_clear(tape_table *table)
{
    free(table->numbers);
    free(table->shapes);
    free(table->cells);
    free(table->keys);
    free(table->starts);
}

/* ---- Kinds of operations ----------------------------------------------------------- */

static bool is_first_of_kind(const tape_rows *tape, int64_t at)
{
    for (int64_t i = 0; i < at; i++)
        if (tape->items[i].node->op == tape->items[at].node->op)
            return false;
    return true;
}

/* One kind of operation. */
typedef struct tape_kind {
    const ag_op *op;
    tape_row sum;
    int64_t times;
} tape_kind;

/* The slowest first; without times, the most frequent. */
static int compare_kinds(const void *a, const void *b)
{
    const tape_kind *x = a, *y = b;
    const double left = seconds_of(&x->sum), right = seconds_of(&y->sum);
    if (isnan(left) || left == right)
        return (y->times > x->times) - (y->times < x->times);
    return left < right ? 1 : -1;
}

static int64_t find_kinds(const tape_rows *tape, tape_kind *kinds)
{
    int64_t count = 0;
    for (int64_t i = 0; i < tape->count; i++) {
        if (!is_first_of_kind(tape, i))
            continue;
        tape_kind *kind = &kinds[count++];
        *kind = (tape_kind){tape->items[i].node->op, empty_sum(), 0};
        for (int64_t n = i; n < tape->count; n++)
            if (tape->items[n].node->op == kind->op) {
                add_row(&kind->sum, &tape->items[n]);
                kind->times++;
            }
    }
    qsort(kinds, (size_t)count, sizeof *kinds, compare_kinds);
    return count;
}

static bool add_kinds(const tape_rows *tape, study_document *document)
{
    static const column wanted[] = {OPERATION, TIMES, MULTIPLY_ADDS, KEPT, FORWARD, BACKWARD, AGAIN, SHARE, PEAK};
    column shown[COLUMNS];
    tape_table table = {.tape = tape};
    choose_columns(&table, wanted, sizeof wanted / sizeof *wanted, shown);
    tape_kind *kinds = malloc((size_t)tape->count * sizeof *kinds);
    const bool made = kinds && table_make(&table, tape->count + 2);
    if (made) {
        const int64_t count = find_kinds(tape, kinds);
        for (int64_t i = 0; i < count; i++)
            fill_row(&table, table.rows++, kinds[i].op->name, &kinds[i].sum, kinds[i].times);
        const tape_row all = sum_of_all(tape);
        fill_row(&table, table.rows++, "all", &all, tape->count);
        study_add_sortable_table(document, "By kind of operation", table.rows, table.columns, table.cells, table.keys,
                                 NULL);
    }
    free(kinds);
    table_clear(&table);
    return made;
}

/* ---- One by one -------------------------------------------------------------------- */

/* The length of the part of a scope by which operations are grouped: up to its first
 * number, "encoder.layers.0" of "encoder.layers.0.self_attn"; all of it if it has
 * none. */
static size_t group_length(const char *scope)
{
    size_t begin = 0, length = strcspn(scope, ".");
    while (scope[begin + length] && strspn(scope + begin, "0123456789") != length) {
        begin += length + 1;
        length = strcspn(scope + begin, ".");
    }
    return begin + length;
}

static bool begins_group(const tape_rows *tape, int64_t at)
{
    const char *scope = tape->items[at].node->scope, *before = at ? tape->items[at - 1].node->scope : NULL;
    const size_t length = group_length(scope);
    return !before || group_length(before) != length || strncmp(scope, before, length) != 0;
}

/* The head of the group that begins at row `at`, with the sums of its operations. */
static void fill_group(tape_table *table, int64_t at, char name[NAME_SIZE])
{
    const tape_rows *tape = table->tape;
    tape_row sum = empty_sum();
    int64_t end = at;
    do
        add_row(&sum, &tape->items[end++]);
    while (end < tape->count && !begins_group(tape, end));
    const char *scope = tape->items[at].node->scope;
    snprintf(name, NAME_SIZE, "%.*s", *scope ? (int)group_length(scope) : NAME_SIZE,
             *scope ? scope : "outside of scopes");
    table->starts[table->rows] = 1;
    fill_row(table, table->rows++, name, &sum, end - at);
}

/* "[2] linear (self_attn)": its number, its kind, and its scope inside of the group. */
static void fill_operation(tape_table *table, int64_t i, char name[NAME_SIZE])
{
    const tape_row *row = &table->tape->items[i];
    const char *inner = row->node->scope + group_length(row->node->scope);
    const int64_t at = table->rows++;
    snprintf(name, NAME_SIZE, *inner ? "[%lld] %s (%s)" : "[%lld] %s", (long long)i, row->node->op->name, inner + 1);
    print_shapes(table->shapes[at], row->node);
    fill_row(table, at, name, row, 1);
    table->keys[at * table->columns] = (double)i;
}

static bool add_operations(const tape_rows *tape, study_document *document)
{
    static const column wanted[] = {OPERATION, MULTIPLY_ADDS, KEPT,  FORWARD,  BACKWARD, AGAIN,
                                    SHARE,     PEAK,          VALUE, GRADIENT, SHAPES,   FORMULA};
    column shown[COLUMNS];
    tape_table table = {.tape = tape};
    choose_columns(&table, wanted, sizeof wanted / sizeof *wanted, shown);
    char(*names)[NAME_SIZE] = malloc(2 * (size_t)tape->count * sizeof *names);
    const bool made = names && table_make(&table, 2 * tape->count + 1);
    bool grouped = false;
    for (int64_t i = 0; i < tape->count; i++)
        grouped |= *tape->items[i].node->scope != 0;
    for (int64_t i = 0; i < tape->count && made; i++) {
        if (grouped && begins_group(tape, i))
            fill_group(&table, i, names[tape->count + i]);
        fill_operation(&table, i, names[i]);
    }
    if (made)
        study_add_sortable_table(document,
                                 "Operation by operation, in the order of the forward pass. |value| and |gradient| are "
                                 "the Euclidean norms of the result and of the gradient by it.",
                                 table.rows, table.columns, table.cells, table.keys, grouped ? table.starts : NULL);
    free(names);
    table_clear(&table);
    return made;
}

/* ---- Both -------------------------------------------------------------------------- */

ag_status tape_add_tables(const tape_rows *rows, study_document *document, ag_error *error)
{
    const bool made = (!rows->measured || add_kinds(rows, document)) && add_operations(rows, document);
    return made ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "out of memory");
}
