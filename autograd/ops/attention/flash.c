/* flash.c - scaled dot-product attention (Vaswani et al. 2017, section 3.2.1) as one
 * operation.
 *
 * The kernels know no tensors and no masks. This file gives them a head as rows with a
 * step, so both layouts are read in place, and blocks of queries, each query with the
 * keys that it may look at. */
#include "../../broadcast.h"
#include "../../kernels/kernels.h"
#include "../../mask.h"
#include "../../tape.h"
#include "../softmax.h"
#include "shared.h"

#include <math.h>
#include <string.h>

static ag_status attention_shape(ag_node *node)
{
    const ag_tensor *q = node->inputs[0], *k = node->inputs[1], *v = node->inputs[2];
    ag_error error = {0};
    if (attention_check(q, k, v, node->attributes, &error) != AG_OK)
        return ag_fail(node, error.status, "%s", error.message);
    node->output->shape = q->shape;
    node->output->shape.dim[q->shape.ndim - 1] = v->shape.dim[v->shape.ndim - 1];
    return AG_OK;
}

/* ---- One pass over all heads ------------------------------------------------------- */

/* The forward pass keeps this: a few words, and two numbers for each query if there will
 * be a backward. */
typedef struct attention_state {
    attention_sizes sizes;
    const ag_mask *mask; /* the option's, without the places where the bias is -inf */
    kernel_dropout dropout;
    bool drops;
    attention_statistics *statistics; /* [B, H, T] or NULL */
} attention_state;

/* An input or the output, and its gradient: NULL where it is not wanted. */
typedef struct attention_operand {
    const ag_tensor *tensor;
    ag_real *gradient;
    bool holds; /* the gradient has values, which are added to */
} attention_operand;

typedef struct attention_task {
    const attention_state *state;
    bool is_backward;
    bool mask_differs[3]; /* by batch row, head, query */
    attention_operand q, k, v, y;
    const ag_tensor *bias; /* NULL: none */
    strided bias_loop;     /* over the scores; operand a is the bias */
    ag_real *dbias;        /* [B, H, T, S]: of the stretched bias; NULL: not wanted */
    int64_t *blind;        /* forward: a worker's number of queries that see nothing */
    /* The workers' memory. */
    int64_t scratch_size;
    ag_real *scratch;     /* the kernel's */
    attention_keys *keys; /* [T]: the keys that each query of a head sees */
    unsigned char *allow; /* [queries of a block, S]: for keys with holes */
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

/* Head h of batch row b, which is pair number b H + h. */
typedef struct head_place {
    int64_t pair, b, h;
} head_place;

static int64_t head_offset(const attention_sizes *s, head_place at, int64_t length, int64_t width)
{
    return (s->split ? at.pair * length : at.b * length * s->heads + at.h) * width;
}

/* The head's rows of an operand [.., length, width]. */
static attention_rows head_rows(const attention_sizes *s, head_place at, int64_t length, int64_t width,
                                const attention_operand *operand)
{
    const bool is_last = at.h == s->heads - 1;
    const head_place next = {at.pair + 1, at.b + is_last, is_last ? 0 : at.h + 1};
    const int64_t offset = head_offset(s, at, length, width);
    return (attention_rows){.width = width,
                            .step = s->split ? width : s->heads * width,
                            .next = head_offset(s, next, length, width) - offset,
                            .data = operand->tensor->data + offset,
                            .gradient = operand->gradient ? operand->gradient + offset : NULL,
                            .is_new = !operand->holds};
}

static attention_head head_of(const attention_task *task, int64_t pair)
{
    const attention_state *state = task->state;
    const attention_sizes *s = &state->sizes;
    const head_place at = {pair, pair / s->heads, pair % s->heads};
    return (attention_head){.queries = s->queries,
                            .keys = s->keys,
                            .scale = (ag_real)s->scale,
                            .q = head_rows(s, at, s->queries, s->key_width, &task->q),
                            .k = head_rows(s, at, s->keys, s->key_width, &task->k),
                            .v = head_rows(s, at, s->keys, s->value_width, &task->v),
                            .y = head_rows(s, at, s->queries, s->value_width, &task->y),
                            .statistics = state->statistics ? state->statistics + pair * s->queries : NULL,
                            .dropout = state->drops ? &state->dropout : NULL,
                            .first_weight = pair * s->queries * s->keys};
}

/* Finds the keys of the queries first .. first + count - 1. Returns whether any have
 * holes. Then they are good for one block only, since `allow` has room for no more. */
static bool find_keys(const attention_task *task, int64_t pair, int64_t first, int64_t count, int worker)
{
    const attention_sizes *s = &task->state->sizes;
    attention_keys *keys = task->keys + worker * s->queries;
    unsigned char *allow = task->allow + worker * block_size(s) * s->keys;
    bool have_holes = false;
    for (int64_t i = first; i < first + count; i++) {
        if (i > first && !task->mask_differs[2]) {
            keys[i] = keys[first];
            continue;
        }
        keys[i] = mask_keys(task->state->mask, (mask_query){pair / s->heads, pair % s->heads, i}, s->keys,
                            allow + i % ATTENTION_QUERIES * s->keys);
        have_holes |= keys[i].allow != NULL;
    }
    return have_holes;
}

/* Runs the kernel on a block of a head, whose keys are found. */
static void attend_block(const attention_task *task, const attention_head *head, int64_t pair, int64_t first,
                         int64_t count, int worker)
{
    const attention_sizes *s = &task->state->sizes;
    const kernel_attention *kernel = kernels()->attention;
    const int64_t row = (pair * s->queries + first) * s->keys; /* of the scores */
    const ag_real *bias[ATTENTION_QUERIES];
    attention_block block = {.first = first,
                             .count = count,
                             .keys = task->keys + worker * s->queries + first,
                             .dbias = task->dbias ? task->dbias + row : NULL};
    if (task->bias && s->keys) {
        for (int64_t r = 0; r < count; r++)
            bias[r] =
                task->bias->data + strided_run_from(&task->bias_loop, row + r * s->keys, row + (r + 1) * s->keys).a;
        block.bias = bias;
        block.bias_step = task->bias_loop.a_step[task->bias_loop.ndim - 1];
    }
    (task->is_backward ? kernel->backward : kernel->forward)(head, &block, task->scratch + worker * task->scratch_size);
}

/* The number of queries without a key. */
static int64_t count_blind(const attention_keys *keys, int64_t count)
{
    int64_t blind = 0;
    for (int64_t r = 0; r < count; r++)
        blind += keys[r].begin == keys[r].end;
    return blind;
}

/* The block whose turn is number `place`. Backward: ascending, since the sums over
 * queries are added up in that order. Forward: first, last, second, last but one, and so
 * on: with a causal mask, two threads then share a head evenly. */
static int64_t block_at(const attention_task *task, int64_t place, int64_t blocks)
{
    if (task->is_backward)
        return place;
    return place % 2 ? blocks - 1 - place / 2 : place / 2;
}

/* A number for the keys that the queries of a head see: other heads with the same number
 * see the same. */
static int64_t mask_number(const attention_task *task, int64_t pair)
{
    if (task->mask_differs[1])
        return pair;
    return task->mask_differs[0] ? pair / task->state->sizes.heads : 0;
}

/* Blocks begin <= i < end of all heads. */
static void attend_blocks(void *context, int64_t begin, int64_t end, int worker)
{
    const attention_task *task = context;
    const attention_sizes *s = &task->state->sizes;
    const int64_t blocks = block_count(s);
    int64_t head_at = -1, keys_at = -1; /* of `head`; of the keys: their mask_number */
    int64_t blind = 0;                  /* queries of the block */
    attention_head head = {0};
    bool have_holes = false;
    for (int64_t i = begin; i < end; i++) {
        const int64_t pair = i / blocks, first = block_at(task, i % blocks, blocks) * ATTENTION_QUERIES;
        const int64_t count = s->queries - first < ATTENTION_QUERIES ? s->queries - first : ATTENTION_QUERIES;
        const int64_t mask_at = mask_number(task, pair);
        if (pair != head_at) {
            head = head_of(task, pair);
            kernels()->attention->begin(&head, task->is_backward, task->scratch + worker * task->scratch_size);
            head_at = pair;
        }
        if (mask_at != keys_at)
            have_holes = find_keys(task, pair, 0, s->queries, worker) && blocks > 1;
        if (have_holes)
            find_keys(task, pair, first, count, worker);
        if (mask_at != keys_at || blocks > 1)
            blind = count_blind(task->keys + worker * s->queries + first, count);
        keys_at = mask_at;
        if (task->blind)
            task->blind[worker] += blind;
        attend_block(task, &head, pair, first, count, worker);
    }
}

static void attend_heads(void *context, int64_t begin, int64_t end, int worker)
{
    const attention_task *task = context;
    const int64_t blocks = block_count(&task->state->sizes);
    attend_blocks(context, begin * blocks, end * blocks, worker);
}

/* An input with the gradient that the backward adds to. */
static attention_operand input_of(const ag_node *node, int input, bool is_backward)
{
    attention_operand operand = {.tensor = node->inputs[input]};
    if (is_backward)
        operand.gradient = ag_grad_begin(node->inputs[input], &operand.holds);
    return operand;
}

/* The whole task, memory and gradients included. There is a head and a query at least. */
static ag_status attention_task_make(const ag_node *node, bool is_backward, attention_task *task)
{
    const attention_state *state = node->saved;
    const attention_sizes *s = &state->sizes;
    const ag_shape scores = attention_scores(s);
    const size_t workers = (size_t)node->tape->threads, scores_bytes = (size_t)ag_shape_size(scores) * sizeof(ag_real);
    ag_tensor *bias = node->inputs[3];
    *task = (attention_task){
        .state = state,
        .is_backward = is_backward,
        .mask_differs = {mask_differs(state->mask, 0), mask_differs(state->mask, 1), mask_differs(state->mask, 2)},
        .q = input_of(node, 0, is_backward),
        .k = input_of(node, 1, is_backward),
        .v = input_of(node, 2, is_backward),
        .y = {.tensor = node->output, .gradient = is_backward ? node->output->grad : NULL, .holds = true},
        .bias = bias,
    };
    if (bias)
        task->bias_loop = strided_broadcast(scores, bias->shape, bias->shape);
    if (bias && is_backward && bias->needs_grad) {
        if (!(task->dbias = ag_scratch(node->tape, scores_bytes)))
            return AG_NO_MEMORY;
        memset(task->dbias, 0, scores_bytes);
    }
    if (!is_backward && !(task->blind = blind_counters(node->tape)))
        return AG_NO_MEMORY;
    const attention_head head = head_of(task, 0);
    task->scratch_size = kernels()->attention->scratch_size(&head, is_backward);
    task->scratch = ag_scratch(node->tape, workers * (size_t)task->scratch_size * sizeof(ag_real));
    task->keys = ag_scratch(node->tape, workers * (size_t)s->queries * sizeof(attention_keys));
    task->allow = ag_scratch(node->tape, workers * (size_t)(block_size(s) * s->keys));
    return node->tape->error.status;
}

static void attention_run(const ag_node *node, attention_task *task)
{
    const attention_sizes *s = &task->state->sizes;
    const int64_t pairs = s->batch * s->heads;
    const double work = (task->is_backward ? 5.0 : 2.0) * (double)(pairs * s->queries) *
                        (double)(s->keys * (s->key_width + s->value_width));
    if (task->is_backward) /* (a head per thread: no two add to one gradient) */
        kernel_parallel(node->tape->threads, pairs, work, attend_heads, task);
    else
        kernel_parallel(node->tape->threads, pairs * block_count(s), work, attend_blocks, task);
}

/* ---- The operation ----------------------------------------------------------------- */

/* y = D(softmax(scale q k^T + bias over the allowed keys)) v, with dropout D */
static ag_status attention_forward(ag_node *node)
{
    const ag_attention_options *options = node->attributes;
    ag_tape *tape = node->tape;
    attention_state *state = node->saved = ag_tape_alloc(tape, sizeof *state);
    if (!state)
        return AG_NO_MEMORY;
    *state = (attention_state){.sizes = attention_sizes_of(node->inputs[0], node->inputs[1], node->inputs[2], options),
                               .mask = options->mask,
                               .drops = options->dropout > 0};
    const int64_t rows = state->sizes.batch * state->sizes.heads * state->sizes.queries;
    if (options->bias && !mask_without_bias(&state->mask, options->bias, attention_scores(&state->sizes)))
        return AG_NO_MEMORY;
    if (state->drops)
        state->dropout = tape_next_dropout(tape, options->dropout);
    if (node->output->needs_grad &&
        !(state->statistics = ag_tape_alloc(tape, (size_t)rows * sizeof *state->statistics)))
        return AG_NO_MEMORY;
    if (!rows)
        return AG_OK;
    attention_task task;
    ag_status status = attention_task_make(node, false, &task);
    if (status != AG_OK)
        return status;
    attention_run(node, &task);
    blind_add(tape, task.blind);
    return AG_OK;
}

/* With weights p, dp = D(dy v^T), ds = p (dp - sum p dp):
 *     dq += scale ds k;  dk += scale ds^T q;  dv += D(p)^T dy;
 *     dbias += ds, summed over the axes that it was stretched along.
 * The kernel computes p again from the statistics. */
static ag_status attention_backward(ag_node *node)
{
    const attention_state *state = node->saved;
    if (!node->output->size) {
        for (int i = 0; i < node->input_count; i++)
            ag_grad(node->inputs[i]);
        return node->tape->error.status;
    }
    attention_task task;
    ag_status status = attention_task_make(node, true, &task);
    if (status != AG_OK)
        return status;
    attention_run(node, &task);
    if (task.dbias)
        ag_grad_add(node->inputs[3], attention_scores(&state->sizes), task.dbias);
    return node->tape->error.status;
}

/* ---- Forward mode ------------------------------------------------------------------ */

/* The tangents of one head. In double by plain loops, and not by the kernels, so that the
 * two modes judge each other. */
typedef struct tangent_pass {
    const attention_state *state;
    moving_rows q, k, v;
    const ag_tensor *bias; /* NULL: none; its tangent, NULL for zeros: */
    const ag_real *ubias;
    strided bias_loop;
    double *p, *u; /* [S]: a query's weights and their tangents */
    double *uy;    /* [value width] */
    unsigned char *allow;
} tangent_pass;

/* a . b, or 0 where one of them is NULL. */
static double dot(int64_t n, const ag_real *a, const ag_real *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n && a && b; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* The biases of the scores of row `row` of B H T: rows of one number. */
static moving_rows bias_row(const tangent_pass *pass, int64_t row)
{
    const int64_t keys = pass->state->sizes.keys;
    if (!pass->bias)
        return (moving_rows){0};
    const int64_t offset = strided_run_from(&pass->bias_loop, row * keys, (row + 1) * keys).a;
    return (moving_rows){.width = 1,
                         .step = pass->bias_loop.a_step[pass->bias_loop.ndim - 1],
                         .data = pass->bias->data + offset,
                         .tangent = pass->ubias ? pass->ubias + offset : NULL};
}

/* The scores x of one query, row `row` of B H T, and their tangents,
 *     x[j] = scale q . k[j] + bias[j],  u[j] = scale (uq . k[j] + q . uk[j]) + ubias[j],
 * then p = softmax(x) and its tangent up = p (u - sum p u), and both after dropout. */
static void query_tangents(const tangent_pass *pass, moving_rows q, attention_keys keys, int64_t row)
{
    const attention_state *state = pass->state;
    const int64_t count = keys.end - keys.begin;
    const moving_rows bias = bias_row(pass, row);
    const double scale = (double)(ag_real)state->sizes.scale;
    double *p = pass->p, *u = pass->u;
    for (int64_t at = 0; at < count; at++) {
        const moving_rows k = moving_row(pass->k, keys.begin + at), b = moving_row(bias, keys.begin + at);
        const bool sees = keys_have(keys, keys.begin + at);
        p[at] = sees ? scale * dot(q.width, q.data, k.data) + (b.data ? (double)*b.data : 0) : -INFINITY;
        u[at] = sees ? scale * (dot(q.width, q.tangent, k.data) + dot(q.width, q.data, k.tangent)) : 0;
        u[at] += sees && b.tangent ? (double)*b.tangent : 0;
    }
    softmax_in_place(count, p);
    softmax_tangent(count, p, u);
    for (int64_t at = 0; at < count && state->drops; at++) {
        const bool keeps = kernel_dropout_keeps(&state->dropout, row * state->sizes.keys + keys.begin + at);
        p[at] *= keeps ? (double)state->dropout.scale : 0;
        u[at] *= keeps ? (double)state->dropout.scale : 0;
    }
}

/* uy = sum over the keys j of up[j] v[j] + p[j] uv[j], for all queries of a head. */
static void head_tangents(const tangent_pass *pass, head_place at, ag_real *uy, int64_t uy_step)
{
    const attention_sizes *s = &pass->state->sizes;
    for (int64_t i = 0; i < s->queries; i++) {
        const attention_keys keys = mask_keys(pass->state->mask, (mask_query){at.b, at.h, i}, s->keys, pass->allow);
        if (keys.begin == keys.end)
            continue;
        query_tangents(pass, moving_row(pass->q, i), keys, at.pair * s->queries + i);
        moving_sum(keys, pass->p, pass->u, pass->v, pass->uy);
        for (int64_t c = 0; c < s->value_width; c++)
            uy[i * uy_step + c] = (ag_real)pass->uy[c];
    }
}

static moving_rows head_moving_rows(const attention_sizes *s, head_place at, int64_t length, int64_t width,
                                    const ag_tensor *x, const ag_real *tangent)
{
    const int64_t offset = head_offset(s, at, length, width);
    return (moving_rows){.width = width,
                         .step = s->split ? width : s->heads * width,
                         .data = x->data + offset,
                         .tangent = tangent ? tangent + offset : NULL};
}

static ag_status attention_jvp(ag_node *node, const ag_real *const *tangents, ag_real *tangent)
{
    const attention_state *state = node->saved;
    const attention_sizes *s = &state->sizes;
    ag_tensor *const *x = node->inputs;
    const size_t keys = (size_t)s->keys;
    tangent_pass pass = {.state = state, .bias = x[3], .ubias = tangents[3]};
    pass.p = ag_scratch(node->tape, keys * sizeof *pass.p);
    pass.u = ag_scratch(node->tape, keys * sizeof *pass.u);
    pass.uy = ag_scratch(node->tape, (size_t)s->value_width * sizeof *pass.uy);
    pass.allow = ag_scratch(node->tape, keys);
    if (node->tape->error.status != AG_OK)
        return AG_NO_MEMORY;
    if (pass.bias)
        pass.bias_loop = strided_broadcast(attention_scores(s), pass.bias->shape, pass.bias->shape);
    for (int64_t pair = 0; pair < s->batch * s->heads; pair++) {
        const head_place at = {pair, pair / s->heads, pair % s->heads};
        pass.q = head_moving_rows(s, at, s->queries, s->key_width, x[0], tangents[0]);
        pass.k = head_moving_rows(s, at, s->keys, s->key_width, x[1], tangents[1]);
        pass.v = head_moving_rows(s, at, s->keys, s->value_width, x[2], tangents[2]);
        head_tangents(&pass, at, tangent + head_offset(s, at, s->queries, s->value_width), pass.v.step);
    }
    return AG_OK;
}

/* ---- The record -------------------------------------------------------------------- */

/* Forward q k^T and p v. Backward dp = dy v^T, dq, dk and dv; p, which is computed again,
 * does not count. */
static void attention_multiply_adds(const ag_node *node, double *forward, double *backward)
{
    const attention_state *state = node->saved;
    const attention_sizes *s = &state->sizes;
    const ag_tensor *bias = node->inputs[3];
    const bool to_q = node->inputs[0]->needs_grad, to_k = node->inputs[1]->needs_grad;
    const bool to_scores = to_q || to_k || (bias && bias->needs_grad);
    const double pairs = attention_seen_pairs(state->mask, attention_scores(s));
    const double keys = pairs * (double)s->key_width, values = pairs * (double)s->value_width;
    *forward = keys + values;
    *backward = keys * (to_q + to_k) + values * (to_scores + node->inputs[2]->needs_grad);
}

/* A bias with any of the axes of the scores stretched or missing; one in two forbids
 * places. */
static ag_tensor *draw_bias(ag_example *e, ag_shape scores)
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

/* Both layouts, different widths of keys and values, masks of every form, biases, and
 * dropout from a seeded stream. */
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
        options.bias = draw_bias(e, AG_SHAPE(batch, heads, queries, keys));
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
    .jvp = attention_jvp,
    .example = attention_example,
    .multiply_adds = attention_multiply_adds,
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
