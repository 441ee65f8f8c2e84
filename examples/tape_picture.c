/* tape_picture.c - what is on a tape, as a picture and a table: three computations with the
 * shapes that a graph can have.
 *
 *     diamond       x goes two ways and comes together: y = tanh(x) exp(x)
 *     reused value  a neuron whose output is squared: (tanh(w1 x1 + w2 x2 + b))^2
 *     broadcast     a bias [3] added to two rows [2, 3]: its gradient sums over them
 *
 * Prints them. With a file name as its argument it also writes an HTML page with the
 * pictures: examples/tape_picture graph.html. */
#include <tapeformer/study.h>

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 8 };

/* A tape with the names of its leaves. */
typedef struct drawing {
    ag_tape *tape;
    study_name names[MOST];
    int count;
} drawing;

static ag_tensor *variable(drawing *d, const char *name, ag_shape shape, const ag_real *values)
{
    ag_tensor *x = ag_variable(d->tape, shape, values);
    d->names[d->count++] = (study_name){x, name};
    return x;
}

static ag_tensor *scalar(drawing *d, const char *name, ag_real value)
{
    return variable(d, name, AG_SCALAR, &value);
}

static ag_tensor *diamond(drawing *d)
{
    ag_tensor *x = scalar(d, "x", (ag_real)0.5);
    ag_tensor *left = ag_tanh(x), *right = ag_exp(x);
    return ag_mul(left, right);
}

static ag_tensor *reused_value(drawing *d)
{
    ag_tensor *x1 = scalar(d, "x1", 2), *w1 = scalar(d, "w1", -3), *first = ag_mul(x1, w1);
    ag_tensor *x2 = scalar(d, "x2", 0), *w2 = scalar(d, "w2", 1), *second = ag_mul(x2, w2);
    ag_tensor *sum = ag_add(first, second), *y = ag_tanh(ag_add(sum, scalar(d, "b", (ag_real)6.8814)));
    return ag_mul(y, y);
}

static ag_tensor *broadcast(drawing *d)
{
    const ag_real rows[] = {1, 2, 3, 4, 5, 6}, bias[] = {(ag_real)0.5, 0, (ag_real)-0.5};
    ag_tensor *x = variable(d, "x", AG_SHAPE(2, 3), rows), *b = variable(d, "bias", AG_SHAPE(3), bias);
    return ag_mean(ag_add(x, b), AG_ALL_AXES, false);
}

/* Runs one computation, differentiates it, and adds its tape to the document. */
static bool draw(const char *title, ag_tensor *(*compute)(drawing *d), study_document *document)
{
    drawing d = {.tape = ag_tape_new(NULL)};
    ag_error error = {0};
    if (!d.tape)
        return false;
    ag_tensor *loss = compute(&d);
    for (const ag_node *node = ag_tape_last(d.tape); node; node = ag_node_before(node))
        ag_retain_grad(node->output);
    const study_tape_options options = {.names = d.names, .name_count = d.count};
    study_add_heading(document, title);
    if (!loss || ag_backward(loss) != AG_OK)
        error = *ag_tape_error(d.tape);
    const bool drawn = error.status == AG_OK && study_tape(d.tape, &options, document, &error) == AG_OK;
    if (!drawn)
        fprintf(stderr, "%s: %s\n", title, error.message);
    ag_tape_free(d.tape);
    return drawn;
}

int main(int count, char **arguments)
{
    study_document *document = study_document_new("Three tapes");
    ag_error error = {0};
    bool good = draw("A diamond", diamond, document) && draw("A value that is used twice", reused_value, document) &&
                draw("A broadcast", broadcast, document);
    char *text = good ? study_document_text(document, NULL, &error) : NULL;
    if (text)
        fputs(text, stdout);
    if (text && count > 1)
        good = study_document_save(document, arguments[1], &error) == AG_OK;
    if (error.status != AG_OK)
        fprintf(stderr, "%s\n", error.message);
    free(text);
    study_document_free(document);
    return text && good ? 0 : 1;
}
