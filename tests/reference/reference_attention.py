"""reference_attention.py - nn.MultiheadAttention alone, with every form of mask that it takes.

PyTorch gives NaN where a query may look at nothing; in tapeformer its sum of values is 0, and so are the gradients that
go through it. Such cases are computed by attention_by_hand, which leaves the other queries as they are; make_case sees
to it that PyTorch's module agrees with it there, and has its NaN where it should have.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from fixtures import Draw, Fixtures
from reference_models import beyond, fill, later

INFINITY = float("inf")


def attention_by_hand(module, query, key, value, added):
    """added [B or 1, H or 1, T, S] goes to the scores; a query whose scores are all -inf has weights 0."""
    width, heads = module.embed_dim, module.num_heads
    if module.in_proj_weight is None:
        matrices = module.q_proj_weight, module.k_proj_weight, module.v_proj_weight
    else:
        matrices = module.in_proj_weight.chunk(3)
    biases = [None] * 3 if module.in_proj_bias is None else module.in_proj_bias.chunk(3)
    q, k, v = (
        F.linear(x, matrix, bias).unflatten(2, (heads, width // heads)).transpose(1, 2)
        for x, matrix, bias in zip((query, key, value), matrices, biases)
    )
    scores = q @ k.transpose(2, 3) / math.sqrt(width // heads) + added
    blind = (scores == -INFINITY).all(dim=3, keepdim=True)
    weights = scores.masked_fill(blind, 0).softmax(dim=3) * ~blind
    return module.out_proj((weights @ v).transpose(1, 2).flatten(2)), weights


def as_added(mask):
    """A boolean mask as a float one; a float one as it is."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=torch.float64).masked_fill(mask, -INFINITY)


def both_added(attn_mask, key_padding_mask, rows, heads):
    """PyTorch's two masks as one array that is added to scores [B, H, T, S]."""
    added = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    if attn_mask is not None and attn_mask.dim() == 2:
        added = added + as_added(attn_mask)
    elif attn_mask is not None:
        added = added + as_added(attn_mask).unflatten(0, (rows, heads))
    if key_padding_mask is not None:
        added = added + as_added(key_padding_mask)[:, None, None, :]
    return added


def check_by_hand(module, inputs, masks, output, weights):
    """PyTorch's module says the same but where a query sees nothing, and there it says NaN."""
    with torch.no_grad():
        theirs, their_weights = module(*inputs, average_attn_weights=False, **masks)
    blind = weights.sum(dim=3) == 0  # [B, H, T]
    assert their_weights.isnan().all(dim=3).equal(blind)
    assert theirs.isnan().all(dim=2).equal(blind.any(dim=1))
    assert torch.allclose(their_weights[~blind], weights[~blind], rtol=1e-12, atol=1e-14)
    assert torch.allclose(theirs[~blind.any(dim=1)], output[~blind.any(dim=1)], rtol=1e-12, atol=1e-14)
    return bool(blind.any())


def make_case(fixtures, name, size, masks, self_attention=False, key_width=None, value_width=None, bias=True):
    """size: d_model, heads, rows, queries, keys; masks: what PyTorch's module is given."""
    width, heads, rows, queries, keys = size
    draw = Draw(f"attention/{name}")
    module = nn.MultiheadAttention(width, heads, bias=bias, batch_first=True, kdim=key_width, vdim=value_width).double()
    fill(module, draw)
    query = draw.uniform([rows, queries, width]).requires_grad_()
    key = query if self_attention else draw.uniform([rows, keys, key_width or width]).requires_grad_()
    value = query if self_attention else draw.uniform([rows, keys, value_width or width]).requires_grad_()
    upstream = draw.uniform([rows, queries, width])

    added = both_added(masks.get("attn_mask"), masks.get("key_padding_mask"), rows, heads)
    output, weights = attention_by_hand(module, query, key, value, added)
    blind = check_by_hand(module, (query, key, value), masks, output, weights)
    if not blind:
        output, weights = module(query, key, value, average_attn_weights=False, **masks)
    (output * upstream).sum().backward()

    case = fixtures.case(
        name, d_model=width, heads=heads, key_width=key_width or width, value_width=value_width or width, bias=bias
    )
    case.module(module)
    for label, x in (("query", query), ("key", key), ("value", value))[: 1 if self_attention else 3]:
        case.given(label, x)
        case.expected(f"grad/{label}", x.grad)
    for label, mask in masks.items():
        case.given(label, mask)
    case.given("upstream", upstream)
    case.expected("output", output)
    case.expected("weights", weights)


def seeing(mask):
    """The mask [.., keys] without its first key, which is left to everybody."""
    return mask & (torch.arange(mask.shape[-1]) > 0)


def mask_cases():
    """Name, sizes, masks."""
    size = width, heads, rows, queries, keys = 4, 2, 3, 3, 5
    draw = Draw("attention/masks")
    flat = seeing(draw.flags([queries, keys], 0.4))
    for_each = seeing(draw.flags([rows * heads, queries, keys], 0.4))
    bias, bias_for_each = draw.uniform([queries, keys], -2, 2), draw.uniform([rows * heads, queries, keys], -2, 2)
    key_bias = draw.uniform([rows, keys], -2, 2)
    padding = beyond(torch.tensor([keys, 3, 1]), keys)
    holes = seeing(draw.flags([rows, keys], 0.4))
    none = torch.zeros(queries, keys, dtype=torch.bool)
    return [
        ("no-mask", size, {}),
        ("nothing-masked", size, {"attn_mask": none, "key_padding_mask": none[:rows]}),
        ("attn-bool", size, {"attn_mask": flat}),
        ("attn-float", size, {"attn_mask": as_added(flat)}),
        ("attn-bias", size, {"attn_mask": bias}),
        ("attn-bias-and-holes", size, {"attn_mask": bias + as_added(flat)}),
        ("attn-bool-each", size, {"attn_mask": for_each}),
        ("attn-float-each", size, {"attn_mask": as_added(for_each)}),
        ("attn-bias-each", size, {"attn_mask": bias_for_each}),
        ("padding", size, {"key_padding_mask": padding}),
        ("padding-holes", size, {"key_padding_mask": holes}),
        ("padding-float", size, {"key_padding_mask": as_added(padding)}),
        ("padding-bias", size, {"key_padding_mask": key_bias}),
        ("both-bool", size, {"attn_mask": flat, "key_padding_mask": padding}),
        ("both-bool-each", size, {"attn_mask": for_each, "key_padding_mask": holes}),
        ("both-bias", size, {"attn_mask": bias, "key_padding_mask": padding}),
        ("both-bias-each", size, {"attn_mask": bias_for_each, "key_padding_mask": holes}),
        ("causal", (6, 3, 3, 5, 5), {"attn_mask": later(5)}),
        ("causal-float", (6, 3, 3, 5, 5), {"attn_mask": nn.Transformer.generate_square_subsequent_mask(5).double()}),
        ("causal-wide", size, {"attn_mask": later(queries, keys)}),
        ("causal-ends-aligned", size, {"attn_mask": later(queries, keys, offset=keys - queries)}),
        ("causal-and-padding", (6, 3, 3, 5, 5), {"attn_mask": later(5), "key_padding_mask": padding}),
        ("square", (4, 2, 3, 3, 3), {"attn_mask": flat[:3, :3]}),
    ]


def blind_cases():
    """Queries that see nothing: PyTorch's NaN, tapeformer's 0."""
    size = width, heads, rows, queries, keys = 4, 2, 3, 3, 5
    draw = Draw("attention/blind")
    flat = seeing(draw.flags([queries, keys], 0.4))
    flat[0] = flat[2] = True
    one_head = seeing(draw.flags([rows * heads, queries, keys], 0.4))
    one_head[3, 2] = True  # row 1, head 1, query 2: the other head still sees
    all_padding = beyond(torch.tensor([keys, 0, 4]), keys)
    holes = draw.flags([rows, keys], 0.4)
    together = ~holes[0].expand(queries, keys)  # what padding leaves of row 0, the other mask takes
    return [
        ("blind-queries", size, {"attn_mask": flat}),
        ("blind-queries-float", size, {"attn_mask": as_added(flat) + draw.uniform([queries, keys])}),
        ("blind-in-one-head", size, {"attn_mask": one_head}),
        ("blind-row", size, {"key_padding_mask": all_padding}),
        ("blind-together", size, {"attn_mask": together, "key_padding_mask": holes}),
        ("blind-ends-aligned", (4, 2, 3, 5, 3), {"attn_mask": later(5, 3, offset=-2)}),
    ]


def make():
    fixtures = Fixtures("attention")
    for name, size, masks in mask_cases() + blind_cases():
        make_case(fixtures, name, size, masks)
    causal = {"attn_mask": later(5)}
    make_case(fixtures, "self", (6, 2, 2, 5, 5), causal, self_attention=True)
    make_case(fixtures, "self-one-head", (5, 1, 2, 5, 5), {}, self_attention=True)
    make_case(fixtures, "self-many-heads", (7, 7, 2, 5, 5), causal, self_attention=True)
    make_case(fixtures, "key-width", (6, 3, 2, 5, 3), {}, key_width=4)
    make_case(fixtures, "value-width", (6, 3, 2, 3, 5), {}, value_width=9)
    widths = {"key_width": 5, "value_width": 3}
    make_case(fixtures, "widths", (8, 2, 3, 4, 7), {"key_padding_mask": beyond(torch.tensor([7, 2, 5]), 7)}, **widths)
    make_case(fixtures, "no-bias", (6, 2, 2, 5, 3), {}, bias=False)
    make_case(fixtures, "no-bias-widths", (6, 2, 2, 5, 3), {}, bias=False, **widths)
    make_case(fixtures, "long", (4, 2, 1, 3, 141), {"key_padding_mask": beyond(torch.tensor([139]), 141)})
    yield fixtures
