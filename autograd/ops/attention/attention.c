/* attention.c - scaled dot-product attention (Vaswani et al. 2017, section 3.2.1) as one operation.
 *
 * The operation turns tensors, mask, bias and dropout into what the kernels take: heads as rows with steps, so that
 * both layouts are read in place, and blocks of queries with the keys that each may look at. */
#include "attention.h"

#include "../../broadcast.h"
#include "../../kernels/kernels.h"
#include "../../mask.h"
#include "../../tape.h"

#include <math.h>
#include <stdio.h>

/* ---- Checks --------------------------------------------------------------------------------- */

ag_shape attention_scores(const attention_sizes *s)
{
    return AG_SHAPE(s->batch, s->heads, s->queries, s->keys);
}

/* Fills `s` from the shapes of q, k, v, whose texts the sentences begin with. */
static ag_status check_shapes(ag_shape q, ag_shape k, ag_shape v, int heads, attention_sizes *s, ag_error *error)
{
    char text[3][AG_SHAPE_TEXT], inputs[3 * AG_SHAPE_TEXT + 32];
    snprintf(inputs, sizeof inputs, "q %s, k %s, v %s", ag_shape_print(q, text[0]), ag_shape_print(k, text[1]),
             ag_shape_print(v, text[2]));
    if (q.ndim != k.ndim || q.ndim != v.ndim || (q.ndim != 3 && q.ndim != 4))
        return ag_error_set(error, AG_BAD_SHAPE,
                            "%s: all have 3 axes [batch, length, heads*width] or all have 4 [batch, "
                            "heads, length, width]",
                            inputs);

    int last = q.ndim - 1;
    s->split = q.ndim == 4;
    s->batch = q.dim[0];
    s->heads = s->split ? q.dim[1] : heads ? heads : 1;
    s->queries = q.dim[last - 1];
    s->keys = k.dim[last - 1];
    if (k.dim[0] != s->batch || v.dim[0] != s->batch)
        return ag_error_set(error, AG_BAD_SHAPE, "%s: the batch sizes differ", inputs);
    if (heads < 0 || (heads && heads != s->heads))
        return ag_error_set(error, AG_BAD_VALUE, "%s: %d %s asked for%s", inputs, heads,
                            ag_plural(heads, "head", "heads"),
                            heads < 0 ? "" : " where the inputs have another number of them");
    if (s->split && (k.dim[1] != s->heads || v.dim[1] != s->heads))
        return ag_error_set(error, AG_BAD_SHAPE, "%s: the numbers of heads differ", inputs);
    if (k.dim[last] != q.dim[last])
        return ag_error_set(error, AG_BAD_SHAPE, "%s: queries of width %lld and keys of width %lld differ", inputs,
                            (long long)q.dim[last], (long long)k.dim[last]);
    if (v.dim[last - 1] != s->keys)
        return ag_error_set(error, AG_BAD_SHAPE, "%s: %lld %s %lld %s", inputs, (long long)s->keys,
                            ag_plural(s->keys, "key has", "keys have"), (long long)v.dim[last - 1],
                            ag_plural(v.dim[last - 1], "value", "values"));
    int64_t parts = s->split ? 1 : s->heads;
    if (q.dim[last] % parts || v.dim[last] % parts)
        return ag_error_set(error, AG_BAD_SHAPE, "%s: %lld heads do not divide the width %lld", inputs,
                            (long long)parts, (long long)(q.dim[last] % parts ? q.dim[last] : v.dim[last]));
    s->key_width = q.dim[last] / parts;
    s->value_width = v.dim[last] / parts;
    return AG_OK;
}

ag_status attention_check(const ag_tensor *q, const ag_tensor *k, const ag_tensor *v,
                          const ag_attention_options *options, attention_sizes *s, ag_error *error)
{
    char text[2][AG_SHAPE_TEXT];
    ag_status status = check_shapes(q->shape, k->shape, v->shape, options->heads, s, error);
    if (status != AG_OK)
        return status;
    ag_shape scores = attention_scores(s);
    if (ag_shape_size(scores) < 0)
        return ag_error_set(error, AG_BAD_SHAPE, "scores %s are more than memory can hold",
                            ag_shape_print(scores, text[0]));
    if (options->bias && !broadcast_fits(options->bias->shape, scores))
        return ag_error_set(error, AG_BAD_SHAPE, "bias %s does not broadcast to the scores %s",
                            ag_shape_print(options->bias->shape, text[0]), ag_shape_print(scores, text[1]));
    if (!(options->dropout >= 0 && options->dropout <= 1))
        return ag_error_set(error, AG_BAD_VALUE, "dropout %g is outside [0, 1]", options->dropout);
    if (!isfinite(options->scale))
        return ag_error_set(error, AG_BAD_VALUE, "scale %g is not finite", options->scale);
    s->scale = options->scale != 0 ? options->scale : 1 / sqrt(s->key_width ? (double)s->key_width : 1);
    return ag_mask_fits(options->mask, s->batch, s->heads, s->queries, s->keys, error);
}

/* ---- Running the kernels -------------------------------------------------------------------- */

/* What the node keeps: a few words, and two numbers for every query where there will be a backward. */
typedef struct attention_state {
    attention_sizes sizes;
    const ag_mask *mask; /* the option's, without where the bias is -inf */
    kernel_dropout dropout;
    bool drops;
    attention_statistics *statistics; /* [B, H, T] */
} attention_state;

/* One run over all queries, forward or (with dy) backward. Gradients that nobody wants are NULL. */
typedef struct attention_task {
    const attention_state *state;
    const ag_tensor *q, *k, *v, *bias, *y;
    ag_real *dq, *dk, *dv, *dy;
    bool dq_holds, dk_holds, dv_holds; /* something to add to */
    ag_real *dbias;                       /* [B, H, T, S], of the bias as if it were stretched */
    walk bias_walk;                    /* over the scores; operand a is the bias */
    bool mask_differs_by_head;
    /* Per worker: the kernel's memory, and which keys the queries look at. */
    int64_t scratch_size;
    ag_real *scratch;
    attention_keys *seen; /* [queries] */
    unsigned char *allow; /* [ATTENTION_QUERIES, keys]: of one block, where there are holes */
    int64_t *blind;       /* how many queries see nothing; NULL: not counted */
} attention_task;

static int64_t block_count(const attention_sizes *s)
{
    return (s->queries + ATTENTION_QUERIES - 1) / ATTENTION_QUERIES;
}

/* The queries of the largest block. */
static int64_t block_size(const attention_sizes *s)
{
    return s->queries < ATTENTION_QUERIES ? s->queries : ATTENTION_QUERIES;
}

/* Head h of batch row b: pair number b heads + h. */
typedef struct head_place {
    int64_t pair, b, h;
} head_place;

static int64_t head_offset(const attention_sizes *s, head_place at, int64_t length, int64_t width)
{
    return (s->split ? at.pair * length : at.b * length * s->heads + at.h) * width;
}

static void set_rows(attention_rows *rows, const attention_sizes *s, head_place at, int64_t length, int64_t width,
                     ag_real *data, ag_real *gradient, bool holds)
{
    const bool is_last = at.h == s->heads - 1;
    const head_place next = {at.pair + 1, at.b + is_last, is_last ? 0 : at.h + 1};
    const int64_t offset = head_offset(s, at, length, width);
    rows->width = width;
    rows->step = s->split ? width : s->heads * width;
    rows->next = head_offset(s, next, length, width) - offset;
    rows->data = data + offset;
    rows->gradient = gradient ? gradient + offset : NULL;
    rows->is_new = !holds;
}

static void set_head(attention_head *head, const attention_task *task, int64_t pair)
{
    const attention_state *state = task->state;
    const attention_sizes *s = &state->sizes;
    const head_place at = {pair, pair / s->heads, pair % s->heads};
    head->queries = s->queries;
    head->keys = s->keys;
    head->scale = (ag_real)s->scale;
    set_rows(&head->q, s, at, s->queries, s->key_width, task->q->data, task->dq, task->dq_holds);
    set_rows(&head->k, s, at, s->keys, s->key_width, task->k->data, task->dk, task->dk_holds);
    set_rows(&head->v, s, at, s->keys, s->value_width, task->v->data, task->dv, task->dv_holds);
    set_rows(&head->y, s, at, s->queries, s->value_width, task->y->data, task->dy, true);
    head->statistics = state->statistics ? state->statistics + pair * s->queries : NULL;
    head->dropout = state->drops ? &state->dropout : NULL;
    head->first_weight = pair * s->queries * s->keys;
}

/* Finds the keys of the queries first .. first + count - 1. Returns whether any have holes: then they are good for one
 * block only. */
static bool find_keys(const attention_task *task, int64_t pair, int64_t first, int64_t count, int worker)
{
    const attention_sizes *s = &task->state->sizes;
    attention_keys *seen = task->seen + worker * s->queries;
    unsigned char *allow = task->allow + worker * block_size(s) * s->keys;
    bool have_holes = false;
    for (int64_t i = first; i < first + count; i++) {
        seen[i] = mask_keys(task->state->mask, (mask_query){pair / s->heads, pair % s->heads, i}, s->keys,
                            allow + i % ATTENTION_QUERIES * s->keys);
        have_holes |= seen[i].allow != NULL;
    }
    return have_holes;
}

/* A block of a head through the kernel; its keys are known. */
static void run_block(const attention_task *task, const attention_head *head, int64_t pair, int64_t first,
                      int64_t count, int worker)
{
    const attention_sizes *s = &task->state->sizes;
    const int64_t row = (pair * s->queries + first) * s->keys; /* of the scores */
    const ag_real *bias[ATTENTION_QUERIES];
    attention_block block = {.first = first,
                             .count = count,
                             .keys = task->seen + worker * s->queries + first,
                             .dbias = task->dbias ? task->dbias + row : NULL};
    if (task->bias && s->keys) {
        for (int64_t r = 0; r < count; r++)
            bias[r] = task->bias->data + walk_from(&task->bias_walk, row + r * s->keys, row + (r + 1) * s->keys).a;
        block.bias = bias;
        block.bias_step = task->bias_walk.a_step[task->bias_walk.ndim - 1];
    }
    (task->dy ? kernels()->attention->backward
              : kernels()->attention->forward)(head, &block, task->scratch + worker * task->scratch_size);
}

/* How many of a block's queries have no keys. */
static int64_t count_blind(const attention_keys *seen, int64_t count)
{
    int64_t blind = 0;
    for (int64_t r = 0; r < count; r++)
        blind += seen[r].begin == seen[r].end;
    return blind;
}

/* The block that comes at `place`. Backward: in order, as sums over queries go. Forward: the first and the last, the
 * second and the last but one follow one another: with a causal mask, two threads then share a head evenly. */
static int64_t block_at(const attention_task *task, int64_t place, int64_t blocks)
{
    if (task->dy)
        return place;
    return place % 2 ? blocks - 1 - place / 2 : place / 2;
}

/* Blocks begin <= piece < end of all heads. */
static void run_blocks(void *context, int64_t begin, int64_t end, int worker)
{
    const attention_task *task = context;
    const attention_sizes *s = &task->state->sizes;
    const int64_t blocks = block_count(s);
    int64_t head_at = -1, keys_at = -1; /* what is ready: a head's pair; the batch row or pair of the keys */
    attention_head head = {0};
    bool have_holes = false;
    for (int64_t piece = begin; piece < end; piece++) {
        const int64_t pair = piece / blocks, first = block_at(task, piece % blocks, blocks) * ATTENTION_QUERIES;
        const int64_t count = s->queries - first < ATTENTION_QUERIES ? s->queries - first : ATTENTION_QUERIES;
        const int64_t whose = task->mask_differs_by_head ? pair : pair / s->heads;
        if (pair != head_at) {
            set_head(&head, task, pair);
            kernels()->attention->begin(&head, task->dy != NULL, task->scratch + worker * task->scratch_size);
            head_at = pair;
        }
        if (whose != keys_at)
            have_holes = find_keys(task, pair, 0, s->queries, worker) && blocks > 1;
        if (have_holes)
            find_keys(task, pair, first, count, worker);
        keys_at = whose;
        if (task->blind)
            task->blind[worker] += count_blind(task->seen + worker * s->queries + first, count);
        run_block(task, &head, pair, first, count, worker);
    }
}

static void run_pairs(void *context, int64_t begin, int64_t end, int worker)
{
    const attention_task *task = context;
    const int64_t blocks = block_count(&task->state->sizes);
    run_blocks(context, begin * blocks, end * blocks, worker);
}

static ag_status run(ag_node *node, attention_task *task)
{
    const attention_sizes *s = &task->state->sizes;
    const size_t workers = (size_t)node->tape->threads;
    const int64_t pairs = s->batch * s->heads;
    const double work =
        (task->dy ? 5.0 : 2.0) * (double)(pairs * s->queries) * (double)(s->keys * (s->key_width + s->value_width));

    if (!pairs || !s->queries)
        return AG_OK;
    task->q = node->inputs[0];
    task->k = node->inputs[1];
    task->v = node->inputs[2];
    task->bias = node->inputs[3];
    task->y = node->output;
    if (task->bias)
        task->bias_walk = walk_broadcast(attention_scores(s), task->bias->shape, task->bias->shape);
    task->mask_differs_by_head = mask_differs_by_head(task->state->mask);
    attention_head head;
    set_head(&head, task, 0);
    task->scratch_size = kernels()->attention->scratch_size(&head, task->dy != NULL);
    task->scratch = ag_scratch(node->tape, workers * (size_t)task->scratch_size * sizeof(ag_real));
    task->seen = ag_scratch(node->tape, workers * (size_t)s->queries * sizeof(attention_keys));
    task->allow = ag_scratch(node->tape, workers * (size_t)(block_size(s) * s->keys));
    if (!task->scratch || !task->seen || !task->allow)
        return AG_NO_MEMORY;
    if (task->dy) /* (a head stays on one thread: no two add to the same gradient) */
        kernel_parallel(node->tape->threads, pairs, work, run_pairs, task);
    else
        kernel_parallel(node->tape->threads, pairs * block_count(s), work, run_blocks, task);
    return AG_OK;
}

/* ---- The operation -------------------------------------------------------------------------- */

static ag_status attention_shape(ag_node *node)
{
    const ag_tensor *q = node->inputs[0], *v = node->inputs[2];
    ag_error error = {0};
    attention_state *state = node->saved = ag_tape_alloc(node->tape, sizeof *state);
    if (!state)
        return AG_NO_MEMORY;
    *state = (attention_state){0};
    if (attention_check(q, node->inputs[1], v, node->attributes, &state->sizes, &error) != AG_OK)
        return ag_fail(node, error.status, "%s", error.message);
    node->output->shape = q->shape;
    node->output->shape.dim[q->shape.ndim - 1] = v->shape.dim[v->shape.ndim - 1];
    return AG_OK;
}

/* y = D(softmax(scale q k^T + bias over the allowed keys)) v, with dropout D */
static ag_status attention_forward(ag_node *node)
{
    const ag_attention_options *options = node->attributes;
    ag_tape *tape = node->tape;
    attention_state *state = node->saved;

    state->mask = options->mask;
    if (options->bias && !mask_without_bias(&state->mask, options->bias, attention_scores(&state->sizes)))
        return AG_NO_MEMORY;
    state->drops = options->dropout > 0;
    if (state->drops)
        state->dropout = tape_next_dropout(tape, options->dropout);
    if (node->output->needs_grad) {
        const int64_t rows = state->sizes.batch * state->sizes.heads * state->sizes.queries;
        state->statistics = ag_tape_alloc(tape, (size_t)rows * sizeof *state->statistics);
        if (!state->statistics)
            return AG_NO_MEMORY;
    }
    attention_task task = {.state = state, .blind = blind_counters(tape)};
    ag_status status = task.blind ? run(node, &task) : AG_NO_MEMORY;
    if (status == AG_OK)
        blind_add(tape, task.blind);
    return status;
}

/* The kernel's backward has the formulas; here the bias' share is summed over the axes that it was stretched along. */
static ag_status attention_backward(ag_node *node)
{
    const attention_state *state = node->saved;
    ag_tensor *bias = node->inputs[3];
    ag_shape scores = attention_scores(&state->sizes);
    attention_task task = {.state = state, .dy = node->output->grad};
    if (!state->sizes.queries) {
        for (int i = 0; i < node->input_count; i++)
            ag_grad(node->inputs[i]);
        return node->tape->error.status;
    }
    task.dq = ag_grad_begin(node->inputs[0], &task.dq_holds);
    task.dk = ag_grad_begin(node->inputs[1], &task.dk_holds);
    task.dv = ag_grad_begin(node->inputs[2], &task.dv_holds);
    if (bias && bias->needs_grad) {
        int64_t size = ag_shape_size(scores);
        if (!(task.dbias = ag_scratch(node->tape, (size_t)size * sizeof(ag_real))))
            return AG_NO_MEMORY;
        for (int64_t e = 0; e < size; e++)
            task.dbias[e] = 0;
    }
    if (node->tape->error.status != AG_OK)
        return node->tape->error.status;
    ag_status status = run(node, &task);
    if (status == AG_OK && task.dbias)
        ag_grad_add(bias, scores, task.dbias);
    return status;
}

/* A bias with any of the axes of the scores stretched or missing, now and then with places that it forbids. */
static ag_tensor *example_bias(ag_example *e, ag_shape scores)
{
    ag_shape shape = {.ndim = (int)ag_example_int(e, 0, 4)};
    for (int axis = 0; axis < shape.ndim; axis++)
        shape.dim[axis] = ag_example_int(e, 0, 2) ? scores.dim[4 - shape.ndim + axis] : 1;
    ag_tensor *bias = ag_example_input(e, "bias", shape, -1, 1);
    if (!bias || ag_example_int(e, 0, 1))
        return bias;
    ag_tensor *forbidding = ag_constant(bias->tape, shape, NULL);
    for (int64_t i = 0; forbidding && i < forbidding->size; i++)
        if (!ag_example_int(e, 0, 3))
            forbidding->data[i] = -(ag_real)INFINITY;
    return ag_add(bias, forbidding);
}

/* Both layouts, widths of keys and values of their own, masks of every form, biases, dropout with a fixed stream. */
static ag_tensor *attention_example(ag_example *e)
{
    int64_t batch = ag_example_int(e, 1, 2), heads = ag_example_int(e, 1, 3), queries = ag_example_int(e, 1, 6);
    int64_t keys = ag_example_int(e, 1, 7), key_width = ag_example_int(e, 1, 5), value_width = ag_example_int(e, 1, 5);
    bool split = ag_example_int(e, 0, 1);
    ag_shape q = split ? AG_SHAPE(batch, heads, queries, key_width) : AG_SHAPE(batch, queries, heads * key_width);
    ag_shape k = split ? AG_SHAPE(batch, heads, keys, key_width) : AG_SHAPE(batch, keys, heads * key_width);
    ag_shape v = split ? AG_SHAPE(batch, heads, keys, value_width) : AG_SHAPE(batch, keys, heads * value_width);
    ag_tensor *query = ag_example_input(e, "q", q, -2, 2);
    ag_tensor *key = ag_example_input(e, "k", k, -2, 2);
    ag_tensor *value = ag_example_input(e, "v", v, -2, 2);

    ag_attention_options options = {.heads = (int)heads};
    options.mask = attention_example_mask(e, batch, heads, queries, keys);
    if (ag_example_int(e, 0, 1))
        options.bias = example_bias(e, AG_SHAPE(batch, heads, queries, keys));
    if (ag_example_int(e, 0, 2) == 0)
        options.scale = ag_example_real(e, 0.2, 1);
    if (ag_example_int(e, 0, 2) == 0) {
        ag_tape_seed(ag_example_tape(e), (uint64_t)ag_example_int(e, 0, 1000), 0);
        options.dropout = ag_example_real(e, 0.1, 0.5);
    }
    return ag_attention(query, key, value, &options);
}

const ag_op op_attention = {
    .name = "attention",
    .formula = "y = softmax(scale q k^T + bias | mask) v",
    .shape = attention_shape,
    .forward = attention_forward,
    .backward = attention_backward,
    .example = attention_example,
};

ag_tensor *ag_attention(ag_tensor *q, ag_tensor *k, ag_tensor *v, const ag_attention_options *options)
{
    ag_attention_options chosen = options ? *options : (ag_attention_options){0};
    if (chosen.weights)
        *chosen.weights = NULL;
    if ((chosen.plain || chosen.weights) && q && k && v)
        return attention_plain(q, k, v, &chosen);
    return ag_custom(&op_attention, (ag_tensor *[]){q, k, v, chosen.bias}, 4, 3, &chosen, sizeof chosen);
}
