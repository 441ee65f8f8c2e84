/* tape_picture.c - a small tape as a graph: leaves, operations, and the derivative of
 * each operation by each of its inputs. */
#include "tape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_SIZE = 384, /* room for a shape and two lines of numbers */
    SHOWN = 6,       /* numbers of a tensor, or of a diagonal, that are written out */
    SMALL = 36,      /* elements of a Jacobian that is looked at one by one */
    EXACT_ROWS = 64, /* rows of a Jacobian up to which its norm is exact */
    PROBES = 16      /* random rows for the norm of a larger one */
};

/* The graph under construction. A box is a leaf's or an operation's result. */
typedef struct picture {
    const study_tape_options *options;
    const ag_tape *tape;
    int64_t count;             /* of operations */
    study_graph_node *nodes;   /* [node_count] */
    const ag_tensor **tensors; /* [node_count]: whose box it is */
    char (*names)[TEXT_SIZE], (*texts)[TEXT_SIZE];
    int64_t node_count;
    study_graph_edge *edges; /* [edge_count] */
    char (*labels)[TEXT_SIZE], (*notes)[TEXT_SIZE];
    int64_t edge_count;
} picture;

/* ---- Boxes ------------------------------------------------------------------------- */

/* Appends a line to the text: "what 3", "what [1 2; 3 4]" or, of a larger tensor,
 * "|what| 12.5", the norm; "what ?" while it is not known. */
static void put_values(char text[TEXT_SIZE], const char *what, const ag_real *data, bool known, const ag_tensor *x)
{
    size_t length = strlen(text);
    const char *line = length ? "\n" : "";
    const int64_t width = x->shape.ndim ? x->shape.dim[x->shape.ndim - 1] : 1;
    if (!known) {
        ag_text_print(text + length, TEXT_SIZE - length, "%s%s ?", line, what);
        return;
    }
    if (x->size > SHOWN || x->size == 0) {
        ag_text_print(text + length, TEXT_SIZE - length, "%s|%s| %.4g", line, what, ag_vector_norm(data, x->size, 1));
        return;
    }
    length += (size_t)ag_text_print(text + length, TEXT_SIZE - length, "%s%s", line, what);
    for (int64_t i = 0; i < x->size; i++) {
        const char *before = i == 0 ? (x->shape.ndim ? " [" : " ") : i % width ? " " : "; ";
        length += (size_t)ag_text_print(text + length, TEXT_SIZE - length, "%s%.4g", before, (double)data[i]);
    }
    ag_text_print(text + length, TEXT_SIZE - length, "%s", x->shape.ndim ? "]" : "");
}

/* The lines below the name: shape, value, gradient, as far as there are any. */
static void print_text(const picture *p, char text[TEXT_SIZE], const ag_tensor *x, bool has_run)
{
    text[0] = 0;
    if (x->shape.ndim)
        ag_shape_print(x->shape, text);
    if (x->data)
        put_values(text, "value", x->data, has_run, x);
    if (x->grad)
        put_values(text, "gradient", x->grad,
                   tape_has_returned(p->options, p->count, tape_first_use(p->tape, p->count, x)), x);
}

static void add_box(picture *p, const ag_tensor *x, bool has_run, study_node_kind kind, const char *note)
{
    const int64_t at = p->node_count++;
    p->tensors[at] = x;
    print_text(p, p->texts[at], x, has_run);
    p->nodes[at] = (study_graph_node){.name = p->names[at], .text = p->texts[at], .note = note, .kind = kind};
}

/* The box of x; -1 if it has none yet. Leaves on the same memory are one value, such as a
 * parameter that is used twice. */
static int64_t find_box(const picture *p, const ag_tensor *x)
{
    for (int64_t i = 0; i < p->node_count; i++) {
        const ag_tensor *own = p->tensors[i];
        if (own == x || (!x->node && !own->node && x->is_callers && own->data == x->data && own->size == x->size))
            return i;
    }
    return -1;
}

/* The parameter on whose memory x lies; NULL if there is none. *row becomes the first of
 * its rows that is in x. */
static const nn_param *parameter_of(const nn_params *params, const ag_tensor *x, int64_t *row)
{
    for (int i = 0; params && i < params->count; i++) {
        const nn_param *item = &params->items[i];
        const ag_real *begin = params->value + item->offset;
        if (x->data < begin || x->data >= begin + item->size)
            continue;
        *row = item->shape.ndim ? (x->data - begin) / (item->size / item->shape.dim[0]) : 0;
        return item;
    }
    return NULL;
}

/* Writes the name of a leaf: that of the options, or of the parameter on whose memory it
 * lies, with the first of its rows ("in_proj_weight[64..]") unless that is 0; else
 * "variable" or "constant". */
static void print_leaf_name(const study_tape_options *options, const ag_tensor *leaf, char text[TEXT_SIZE])
{
    int64_t row = 0;
    const nn_param *parameter = parameter_of(options->params, leaf, &row);
    for (int i = 0; i < options->name_count; i++)
        if (options->names[i].tensor == leaf) {
            snprintf(text, TEXT_SIZE, "%s", options->names[i].name);
            return;
        }
    if (parameter)
        snprintf(text, TEXT_SIZE, row ? "%s[%lld..]" : "%s", parameter->name, (long long)row);
    else
        snprintf(text, TEXT_SIZE, "%s", leaf->needs_grad ? "variable" : "constant");
}

static void add_leaf(picture *p, const ag_tensor *x)
{
    print_leaf_name(p->options, x, p->names[p->node_count]);
    add_box(p, x, true, x->needs_grad ? STUDY_VARIABLE : STUDY_CONSTANT, NULL);
}

/* ---- Derivatives ------------------------------------------------------------------- */

/* What was found of a Jacobian [rows, columns]. */
typedef struct jacobian {
    int64_t rows, columns;
    bool exact;             /* else its norm is estimated, and nothing else is known */
    double squares;         /* the sum of the squares of its elements */
    double elements[SMALL]; /* [rows, columns], if it is small enough */
    double first;           /* its first element that is not 0 */
    int64_t nonzero;
    bool alike, diagonal; /* whether all elements that are not 0 are equal; lie on it */
} jacobian;

/* Adds a row, or of an estimate J^T r for random signs r: the squares of its elements sum
 * to |J|^2 in the mean (Hutchinson 1990). */
static void add_jacobian_row(jacobian *j, int64_t row, const ag_real *values)
{
    for (int64_t i = 0; i < j->columns; i++) {
        const double value = (double)values[i];
        j->squares += value * value / (j->exact ? 1 : PROBES);
        if (!j->exact)
            continue;
        if (j->rows * j->columns <= SMALL)
            j->elements[row * j->columns + i] = value;
        if (value == 0)
            continue;
        j->first = j->nonzero++ ? j->first : value;
        j->alike &= value == j->first;
        j->diagonal &= i == row;
    }
}

/* Finds the Jacobians of a node by its inputs that have a gradient; `dx` has memory for
 * their rows, `dy` [output->size]. */
static ag_status find_jacobians(const ag_node *node, jacobian *found, ag_real *dy, ag_real **dx)
{
    const int64_t size = node->output->size;
    const bool exact = size <= EXACT_ROWS;
    ag_rng rng = ag_rng_make(1, 0);
    for (int i = 0; i < node->input_count; i++)
        found[i] = (jacobian){.rows = size,
                              .columns = node->inputs[i] ? node->inputs[i]->size : 0,
                              .exact = exact,
                              .alike = true,
                              .diagonal = true};
    for (int64_t row = 0; row < (exact ? size : PROBES); row++) {
        for (int64_t k = 0; k < size; k++)
            dy[k] = exact ? (ag_real)(k == row) : ag_rng_uniform(&rng) < 0.5 ? -1 : 1;
        for (int i = 0; i < node->input_count; i++)
            for (int64_t k = 0; dx[i] && k < found[i].columns; k++)
                dx[i][k] = 0;
        const ag_status status = ag_node_backward(node, dy, dx);
        if (status != AG_OK)
            return status;
        for (int i = 0; i < node->input_count; i++)
            if (dx[i])
                add_jacobian_row(&found[i], row, dx[i]);
    }
    return AG_OK;
}

/* "[1 2; 3 4]", or its diagonal alone. */
static void print_elements(char text[TEXT_SIZE], const jacobian *j, bool diagonal)
{
    size_t length = 0;
    for (int64_t i = 0; i < j->rows * j->columns; i += diagonal ? j->columns + 1 : 1)
        length += (size_t)ag_text_print(text + length, TEXT_SIZE - length, "%s%.4g",
                                        i == 0                       ? (diagonal ? "diag [" : "[")
                                        : diagonal || i % j->columns ? " "
                                                                     : "; ",
                                        j->elements[i]);
    snprintf(text + length, TEXT_SIZE - length, "]");
}

/* A number where one says all, the elements where they are few, else the norm. */
static void print_jacobian(char label[TEXT_SIZE], char note[TEXT_SIZE], const jacobian *j)
{
    const int64_t elements = j->rows * j->columns;
    const bool square = j->rows == j->columns;
    if (j->exact && j->alike) {
        ag_text_print(label, TEXT_SIZE, "%.4g", j->first);
        if (j->nonzero == 0 || j->nonzero == elements)
            snprintf(note, TEXT_SIZE, "every element of the Jacobian [%lld,%lld]", (long long)j->rows,
                     (long long)j->columns);
        else
            snprintf(note, TEXT_SIZE, "%lld of the %lld elements of the Jacobian [%lld,%lld]; the others are 0",
                     (long long)j->nonzero, (long long)elements, (long long)j->rows, (long long)j->columns);
    } else if (j->exact && (elements <= SHOWN || (elements <= SMALL && square && j->diagonal))) {
        print_elements(label, j, elements > SHOWN);
        snprintf(note, TEXT_SIZE, "the Jacobian [%lld,%lld]: a row for each element of the result", (long long)j->rows,
                 (long long)j->columns);
    } else {
        ag_text_print(label, TEXT_SIZE, j->exact ? "norm %.3g" : "norm ~%.2g", sqrt(j->squares));
        snprintf(note, TEXT_SIZE, "the Frobenius norm of the Jacobian [%lld,%lld]%s", (long long)j->rows,
                 (long long)j->columns, j->exact ? "" : ", estimated by random rows");
    }
}

/* ---- Operations -------------------------------------------------------------------- */

/* Adds the arrows into the box of a node, without derivatives. */
static void add_edges(picture *p, const ag_node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        if (!node->inputs[i])
            continue;
        const int64_t at = p->edge_count++;
        p->labels[at][0] = p->notes[at][0] = 0;
        p->edges[at] = (study_graph_edge){.from = find_box(p, node->inputs[i]),
                                          .to = p->node_count - 1,
                                          .label = p->labels[at],
                                          .note = p->notes[at]};
    }
}

/* Writes the derivatives on the arrows of a node that begin at `edge`. */
static ag_status add_derivatives(picture *p, const ag_node *node, int64_t edge, ag_error *error)
{
    const size_t count = (size_t)node->input_count;
    int64_t numbers = node->output->size;
    for (int i = 0; i < node->input_count; i++)
        numbers += node->inputs[i] ? node->inputs[i]->size : 0;
    jacobian *found = malloc(count * sizeof *found);
    ag_real **dx = calloc(count, sizeof *dx), *room = malloc(((size_t)numbers + 1) * sizeof *room), *at = room;
    ag_status status = AG_NO_MEMORY;
    if (found && dx && room) {
        at += node->output->size;
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i] && node->inputs[i]->needs_grad) {
                dx[i] = at;
                at += node->inputs[i]->size;
            }
        status = find_jacobians(node, found, room, dx);
    }
    for (int i = 0; i < node->input_count && status == AG_OK; i++) {
        if (dx[i] && found[i].rows * found[i].columns > 0)
            print_jacobian(p->labels[edge], p->notes[edge], &found[i]);
        edge += node->inputs[i] != NULL;
    }
    free(found);
    free(dx);
    free(room);
    const ag_error *problem = ag_tape_error(node->tape);
    return status == AG_OK ? AG_OK
                           : ag_error_set(error, status, "%s",
                                          problem->status != AG_OK ? problem->message : "out of memory for a picture");
}

static ag_status add_operation(picture *p, const ag_node *node, int64_t number, ag_error *error)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] && find_box(p, node->inputs[i]) < 0)
            add_leaf(p, node->inputs[i]);
    const int64_t edge = p->edge_count;
    snprintf(p->names[p->node_count], TEXT_SIZE, "[%lld] %s", (long long)number, node->op->name);
    add_box(p, node->output, tape_has_run(p->options, number),
            node == ag_tape_last(node->tape) ? STUDY_RESULT : STUDY_OPERATION, node->op->formula);
    add_edges(p, node);
    const bool returned = node->output->needs_grad && tape_has_returned(p->options, p->count, number);
    return returned ? add_derivatives(p, node, edge, error) : AG_OK;
}

/* ---- The picture ------------------------------------------------------------------- */

static bool picture_make(picture *p, size_t nodes, size_t edges)
{
    p->nodes = malloc((nodes + edges) * sizeof *p->nodes);
    p->tensors = malloc((nodes + edges) * sizeof *p->tensors);
    p->names = malloc((nodes + edges) * sizeof *p->names);
    p->texts = malloc((nodes + edges) * sizeof *p->texts);
    p->edges = malloc((edges + 1) * sizeof *p->edges);
    p->labels = malloc((edges + 1) * sizeof *p->labels);
    p->notes = malloc((edges + 1) * sizeof *p->notes);
    return p->nodes && p->tensors && p->names && p->texts && p->edges && p->labels && p->notes;
}

static void picture_clear(picture *p)
{
    free(p->nodes);
    free(p->tensors);
    free(p->names);
    free(p->texts);
    free(p->edges);
    free(p->labels);
    free(p->notes);
}

ag_status tape_add_picture(const ag_tape *tape, const study_tape_options *options, study_document *document,
                           ag_error *error)
{
    const ag_node *nodes[STUDY_TAPE_PICTURE];
    int64_t count = 0;
    size_t edges = 0;
    for (const ag_node *node = ag_tape_last(tape); node; node = ag_node_before(node)) {
        if (count == STUDY_TAPE_PICTURE - 1)
            return AG_OK;
        nodes[count++] = node;
        edges += (size_t)node->input_count;
    }
    picture p = {.options = options, .tape = tape, .count = count};
    ag_status status =
        picture_make(&p, (size_t)count, edges) ? AG_OK : ag_error_set(error, AG_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < count && status == AG_OK; i++)
        status = add_operation(&p, nodes[count - 1 - i], i, error);
    if (status == AG_OK) {
        study_add_graph(document, &(study_graph){.title = "Values go down, gradients up; derivatives on the arrows",
                                                 .nodes = p.nodes,
                                                 .node_count = p.node_count,
                                                 .edges = p.edges,
                                                 .edge_count = p.edge_count});
    }
    picture_clear(&p);
    return status;
}
