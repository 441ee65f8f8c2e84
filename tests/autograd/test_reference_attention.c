/* test_reference_attention.c - multi-head attention beside nn.MultiheadAttention, with
 * every form of mask that it takes (tests/reference/reference_attention.py).
 *
 * PyTorch's boolean masks say what may NOT be looked at, so a mask here is the negation
 * of theirs; their float masks are added to the scores. */
#include "reference_util.h"

#include <math.h>
#include <string.h>

/* The inputs of a case, the same for all ways to compute it. */
typedef struct problem {
    ag_tape *tape;
    nn_attention layer;
    nn_params *params;
    ag_tensor *query, *key, *value; /* one tensor thrice in self-attention */
    int64_t rows, heads, queries, keys;
} problem;

typedef struct outcome {
    ag_tensor *output, *weights; /* weights NULL: not wanted */
} outcome;

static bool is_boolean(const data_tensor *tensor)
{
    return tensor && !strcmp(tensor->dtype, "BOOL");
}

static bool is_float(const data_tensor *tensor)
{
    return tensor && !is_boolean(tensor);
}

/* ---- Masks ------------------------------------------------------------------------- */

/* Flags that are true for what may not be looked at, of shape [T, S], [B * heads, T, S]
 * or, of keys alone, [B, S]. */
static ag_mask *mask_without(const problem *p, ag_shape shape, bool keys_alone, const unsigned char *hidden)
{
    if (shape.ndim == 3)
        return ag_mask_not(p->tape, ag_mask_explicit(p->tape, p->rows, p->heads, p->queries, p->keys, hidden));
    if (!keys_alone)
        return ag_mask_not(p->tape, ag_mask_explicit(p->tape, 1, 1, p->queries, p->keys, hidden));
    unsigned char *each = malloc((size_t)(p->rows * p->queries * p->keys));
    ck_assert_ptr_nonnull(each);
    for (int64_t row = 0; row < p->rows * p->queries; row++)
        memcpy(each + row * p->keys, hidden + row / p->queries * p->keys, (size_t)p->keys);
    ag_mask *mask = ag_mask_not(p->tape, ag_mask_explicit(p->tape, p->rows, 1, p->queries, p->keys, each));
    free(each);
    return mask;
}

/* One of the case's masks as an ag_mask; NULL if there is none, or if it is float and has
 * other numbers than 0 and -inf. */
static ag_mask *read_mask(const reference *at, const problem *p, const char *name)
{
    const data_tensor *tensor = reference_find(at, name);
    ag_shape shape;
    if (!tensor)
        return NULL;
    const ag_real *values = reference_values(at, name, &shape);
    unsigned char *hidden = reference_flags(at, name, NULL);
    for (int64_t i = 0; is_float(tensor) && i < ag_shape_size(shape); i++)
        if (hidden[i] && values[i] != -(ag_real)INFINITY)
            return NULL;
    return mask_without(p, shape, !strcmp(name, "key_padding_mask"), hidden);
}

static const ag_mask *both(const problem *p, ag_mask *a, ag_mask *b)
{
    return a && b ? ag_mask_and(p->tape, a, b) : a ? a : b;
}

/* A float mask as a bias of the scores [B, heads, T, S]; NULL if there is none. */
static ag_tensor *read_bias(const reference *at, const problem *p)
{
    const bool of_keys = is_float(reference_find(at, "key_padding_mask"));
    if (!of_keys && !is_float(reference_find(at, "attn_mask")))
        return NULL;
    ag_shape shape;
    const ag_real *values = reference_values(at, of_keys ? "key_padding_mask" : "attn_mask", &shape);
    if (of_keys)
        shape = AG_SHAPE(p->rows, 1, 1, p->keys);
    else if (shape.ndim == 2)
        shape = AG_SHAPE(1, 1, p->queries, p->keys);
    else
        shape = AG_SHAPE(p->rows, p->heads, p->queries, p->keys);
    return ag_constant(p->tape, shape, values);
}

/* ---- Ways to compute a case -------------------------------------------------------- */

/* nn_attention_apply, with all masks as masks. False where a float mask is more than
 * that. */
static bool apply_layer(const reference *at, const problem *p, bool plain, outcome *result)
{
    const nn_pass pass = {.tape = p->tape, .params = p->params, .plain_attention = plain};
    ag_mask *pair = read_mask(at, p, "attn_mask"), *of_keys = read_mask(at, p, "key_padding_mask");
    if ((reference_find(at, "attn_mask") && !pair) || (reference_find(at, "key_padding_mask") && !of_keys))
        return false;
    result->output = nn_attention_apply(&p->layer, &pass, p->query, p->key, p->value, both(p, pair, of_keys), NULL,
                                        plain ? &result->weights : NULL);
    return true;
}

static ag_tensor *project(const problem *p, const nn_pass *pass, ag_tensor *x, int part)
{
    const int separate[] = {p->layer.query_weight, p->layer.key_weight, p->layer.value_weight};
    const int64_t width = p->layer.config.d_model;
    ag_tensor *weight = p->layer.in_weight >= 0 ? nn_parameter_rows(pass, p->layer.in_weight, part * width, width)
                                                : nn_parameter(pass, separate[part]);
    return ag_linear(x, weight, nn_parameter_rows(pass, p->layer.in_bias, part * width, width));
}

/* The layer out of its parts, which takes a float mask as it is:
 * ag_attention_options.bias. */
static void apply_parts(const reference *at, const problem *p, bool plain, outcome *result)
{
    const nn_pass pass = {.tape = p->tape, .params = p->params};
    const bool hides_pairs = is_boolean(reference_find(at, "attn_mask")),
               hides_keys = is_boolean(reference_find(at, "key_padding_mask"));
    const ag_attention_options options = {
        .heads = (int)p->heads,
        .mask = both(p, hides_pairs ? read_mask(at, p, "attn_mask") : NULL,
                     hides_keys ? read_mask(at, p, "key_padding_mask") : NULL),
        .bias = read_bias(at, p),
        .plain = plain,
        .weights = plain ? &result->weights : NULL,
    };
    ag_tensor *attended = ag_attention(project(p, &pass, p->query, 0), project(p, &pass, p->key, 1),
                                       project(p, &pass, p->value, 2), &options);
    result->output = nn_linear_apply(&p->layer.out, &pass, attended);
}

/* ---- Comparing --------------------------------------------------------------------- */

static ag_tensor *read_variable(const reference *at, ag_tape *tape, const char *name)
{
    ag_shape shape;
    const ag_real *values = reference_values(at, name, &shape);
    return ag_variable(tape, shape, values);
}

static problem begin(const reference *at, ag_tape *tape, nn_params *params, const nn_attention *layer)
{
    problem p = {.tape = tape, .layer = *layer, .params = params, .heads = layer->config.heads};
    p.query = read_variable(at, tape, "query");
    p.key = reference_find(at, "key") ? read_variable(at, tape, "key") : p.query;
    p.value = reference_find(at, "value") ? read_variable(at, tape, "value") : p.query;
    p.rows = p.query->shape.dim[0];
    p.queries = p.query->shape.dim[1];
    p.keys = p.key->shape.dim[1];
    nn_params_zero_grad(params);
    return p;
}

static void compare(const reference *at, const problem *p, const outcome *result)
{
    ck_assert_msg(result->output != NULL, "%s: %s", at->name, ag_tape_error(p->tape)->message);
    ck_assert_int_eq(ag_backward_seeded(result->output, reference_values(at, "upstream", NULL)), AG_OK);
    reference_compare(at, "output", result->output->shape, result->output->data);
    if (result->weights)
        reference_compare(at, "weights", result->weights->shape, result->weights->data);
    reference_compare(at, "grad/query", p->query->shape, p->query->grad);
    if (p->key != p->query)
        reference_compare(at, "grad/key", p->key->shape, p->key->grad);
    if (p->value != p->query)
        reference_compare(at, "grad/value", p->value->shape, p->value->grad);
    reference_compare_params(at, p->params, "attention.", "grad", p->params->grad);
}

static int through_layer; /* cases that nn_attention_apply could do */

static void check_attention(const reference *at)
{
    nn_params params = {0};
    nn_attention layer;
    const nn_attention_config config = {
        .d_model = reference_integer(at, "d_model"),
        .heads = reference_integer(at, "heads"),
        .key_width = reference_integer(at, "key_width"),
        .value_width = reference_integer(at, "value_width"),
        .no_bias = !reference_integer(at, "bias"),
    };
    ag_tape *tape = ag_tape_new(&(ag_tape_options){.threads = 1});
    ck_assert_int_eq(nn_attention_init(&layer, &params, "attention", &config, NULL), AG_OK);
    ck_assert_int_eq(nn_params_allocate(&params, 1, NULL), AG_OK);
    reference_load(at, &params, "attention.");
    for (int way = 0; way < 4; way++) {
        const bool plain = way % 2 != 0;
        problem p = begin(at, tape, &params, &layer);
        outcome result = {0};
        if (way >= 2)
            apply_parts(at, &p, plain, &result);
        else if (apply_layer(at, &p, plain, &result))
            through_layer += plain;
        else
            continue;
        compare(at, &p, &result);
        ag_tape_rewind(tape);
    }
    nn_params_clear(&params);
    ag_tape_free(tape);
}

START_TEST(attention_is_that_of_pytorch)
{
    reference_walk("attention", 38, check_attention);
    ck_assert_int_eq(through_layer, 38 - 7); /* 7 have a float mask with more than 0 and -inf */
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("reference attention");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, attention_is_that_of_pytorch);
    suite_add_tcase(s, tcase);
    return s;
}

TEST_MAIN(suite)
