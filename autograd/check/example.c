/* example.c - operations checked on examples that their own records draw.
 *
 * An operation's `example` is called many times for one check: once to find out which inputs there are and to draw
 * their values, and then at each evaluation. Two streams of random numbers make the calls alike: attributes and
 * shapes are drawn anew, and come out the same since the stream starts again; values are drawn once, since the check
 * moves them. */
#include "gradcheck.h"

#include <stdio.h>
#include <stdlib.h>

struct ag_example {
    const ag_op *op;
    ag_tape *tape;            /* of the running call */
    ag_tensor *const *leaves; /* on that tape, for each input; NULL while inputs are drawn */
    ag_rng attributes, values;
    ag_gradcheck_input *inputs;
    int count;      /* inputs known so far */
    int next;       /* the one that the running call comes to next */
    ag_arena arena; /* the inputs' values and gradients */
};

ag_tape *ag_example_tape(ag_example *example)
{
    return example->tape;
}

int64_t ag_example_int(ag_example *example, int64_t low, int64_t high)
{
    uint64_t count = (uint64_t)high - (uint64_t)low + 1;
    return (int64_t)((uint64_t)low + ag_rng_below(&example->attributes, count));
}

double ag_example_real(ag_example *example, double low, double high)
{
    return low + (high - low) * ag_rng_uniform(&example->attributes);
}

/* Another input, with drawn values. NULL when memory is out. */
static const ag_gradcheck_input *add_input(ag_example *example, const char *name, ag_shape shape, double low,
                                           double high)
{
    int64_t size = ag_shape_size(shape);
    size_t bytes = size > 0 ? (size_t)size * sizeof(ag_real) : 0;
    ag_gradcheck_input *inputs = realloc(example->inputs, ((size_t)example->count + 1) * sizeof *inputs);
    if (!inputs)
        return NULL;
    example->inputs = inputs;
    ag_real *data = arena_alloc(&example->arena, bytes), *grad = arena_alloc(&example->arena, bytes);
    if (!data || !grad)
        return NULL;
    for (int64_t i = 0; i < size; i++)
        data[i] = (ag_real)(low + (high - low) * ag_rng_uniform(&example->values));
    inputs[example->count] = (ag_gradcheck_input){.name = name, .shape = shape, .data = data, .grad = grad};
    return &inputs[example->count++];
}

ag_tensor *ag_example_input(ag_example *example, const char *name, ag_shape shape, double low, double high)
{
    ag_error *error = &example->tape->error;
    if (!example->leaves) {
        const ag_gradcheck_input *input = add_input(example, name, shape, low, high);
        if (input)
            return ag_leaf(example->tape, shape, input->data, input->grad);
        ag_error_set(error, AG_NO_MEMORY, "%s: out of memory for an example", example->op->name);
        return NULL;
    }
    int which = example->next++;
    if (which < example->count && ag_shape_equal(example->inputs[which].shape, shape))
        return example->leaves[which];
    ag_error_set(error, AG_BAD_VALUE, "%s: its example asks for other inputs at each call", example->op->name);
    return NULL;
}

/* One call of the record's `example`, as a function of the inputs. */
static ag_tensor *call(ag_tape *tape, ag_tensor *const *leaves, void *context)
{
    ag_example *example = context;
    example->tape = tape;
    example->leaves = leaves;
    example->next = 0;
    example->attributes.position = 0;
    return example->op->example(example);
}

/* The first call: finds the inputs. */
static ag_status draw_inputs(ag_example *example, int threads, ag_error *error)
{
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = threads, .no_grad = true});
    if (!tape)
        return ag_error_set(error, AG_NO_MEMORY, "gradcheck: out of memory for its tapes");
    call(tape, NULL, example);
    ag_status status = tape->error.status;
    if (status != AG_OK)
        ag_error_set(error, status, "%s", tape->error.message);
    ag_tape_free(tape);
    return status;
}

static ag_status check_draw(const ag_op *op, int draw, const ag_gradcheck_options *options, ag_gradcheck_report *report,
                            ag_error *error)
{
    uint64_t stream = 2 * (uint64_t)draw;
    ag_example example = {
        .op = op, .attributes = ag_rng_make(options->seed, stream), .values = ag_rng_make(options->seed, stream + 1)};
    ag_status status = draw_inputs(&example, options->threads, error);
    if (status == AG_OK)
        status = gradcheck_run(call, &example, example.inputs, example.count, options, report, error);
    free(example.inputs);
    arena_clear(&example.arena);
    return status;
}

ag_status ag_gradcheck_op(const ag_op *op, int draws, const ag_gradcheck_options *options, ag_gradcheck_report *report,
                          ag_error *error)
{
    ag_gradcheck_options complete = options ? *options : (ag_gradcheck_options){0};
    ag_status status = gradcheck_start(&complete, report, error);
    if (status != AG_OK)
        return status;
    if (tape_record_lacks(op))
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: the operation's record %s", tape_record_lacks(op));
    if (!op->example)
        return ag_error_set(error, AG_BAD_VALUE, "gradcheck: the operation %s draws no examples", op->name);

    int64_t checked = 0, kinks = 0;
    for (int draw = 0; draw < draws; draw++) {
        ag_gradcheck_report found;
        gradcheck_begin(&found);
        status = check_draw(op, draw, &complete, &found, error);
        if (status != AG_OK)
            return status;
        checked += found.checked;
        kinks += found.kinks;
        if (found.worst_error > report->worst_error) {
            *report = found;
            report->draw = draw;
            ag_sentence_print(report->message, "%.60s, draw %d: %.400s", op->name, draw, found.message);
        }
    }
    report->checked = checked;
    report->kinks = kinks;
    gradcheck_conclude(complete.tolerance, op->name, report);
    return AG_OK;
}
