/* one_gradient.c - one derivative, from its values to the tape to the gradient:
 *
 *     loss = (w x + b)^2        d loss / d w = 2 (w x + b) x
 *
 * Prints the nodes that the operations appended to the tape, newest first, which is the
 * order in which ag_backward follows them, and with each the gradient of its result. Then
 * the gradients of the leaves. docs/tour.md begins here. */
#include <tapeformer/autograd.h>

#include <stdio.h>

static ag_tensor *scalar(ag_tape *tape, ag_real value)
{
    return ag_variable(tape, AG_SCALAR, &value);
}

int main(void)
{
    ag_tape *tape = ag_tape_new(NULL);
    ag_tensor *w = scalar(tape, 3), *x = scalar(tape, 2), *b = scalar(tape, -1);

    ag_tensor *sum = ag_retain_grad(ag_add(ag_retain_grad(ag_mul(w, x)), b));
    ag_tensor *loss = ag_retain_grad(ag_mul(sum, sum));
    if (ag_backward(loss) != AG_OK) {
        fprintf(stderr, "%s\n", ag_tape_error(tape)->message);
        ag_tape_free(tape);
        return 1;
    }

    printf("The tape, newest first: operation, inputs, result, d loss / d result\n");
    for (const ag_node *node = ag_tape_last(tape); node; node = ag_node_before(node))
        printf("%s  %g %g  %g  %g\n", node->op->name, (double)node->inputs[0]->data[0],
               (double)node->inputs[1]->data[0], (double)node->output->data[0], (double)node->output->grad[0]);
    printf("The gradients: dw %g  dx %g  db %g\n", (double)w->grad[0], (double)x->grad[0], (double)b->grad[0]);
    ag_tape_free(tape);
    return 0;
}
