"""reference_layers.py - nn.Linear, nn.LayerNorm, nn.Embedding and F.cross_entropy, each alone."""

import itertools

import torch
from torch import nn
from torch.nn import functional as F

from fixtures import Draw, Fixtures
from reference_models import fill


def finish(case, module, draw, output, inputs=()):
    """Differentiates the sum of output times upstream, and notes all of it."""
    upstream = draw.uniform(output.shape)
    (output * upstream).sum().backward()
    case.module(module)
    for name, x in inputs:
        case.given(name, x)
        case.expected(f"grad/{name}", x.grad)
    case.given("upstream", upstream)
    case.expected("output", output)


def make_linear():
    fixtures = Fixtures("linear")
    for shape, width, bias in [
        ([3, 5], 4, True),
        ([7], 3, False),
        ([2, 3, 6], 7, True),
        ([4, 1], 1, True),
        ([7, 17], 19, True),
    ]:
        name = "x".join(map(str, shape)) + f"-{width}" + ("" if bias else "-no-bias")
        draw = Draw(f"linear/{name}")
        module = nn.Linear(shape[-1], width, bias=bias).double()
        fill(module, draw)
        x = draw.uniform(shape).requires_grad_()
        finish(fixtures.case(name, bias=bias), module, draw, module(x), [("x", x)])
    return fixtures


def layer_norm_inputs(draw):
    """Name, x, eps. Rows far from 0 with little beside it, rows of one number, and a width of 1 are what goes wrong."""
    constant = draw.uniform([3, 5])
    constant[1] = 2.5
    return [
        ("plain", draw.uniform([3, 7], -2, 2), 1e-5),
        ("three-axes", draw.uniform([2, 3, 5], -2, 2), 1e-5),
        ("one-axis", draw.uniform([9]), 1e-5),
        ("wide", draw.uniform([2, 67]), 1e-5),
        ("width-1", draw.uniform([3, 1]), 1e-5),
        ("eps", draw.uniform([3, 6]), 0.1),
        ("tiny", draw.uniform([3, 6]) * 2**-10, 1e-12),
        ("far-from-0", 1024 * 10 + draw.uniform([3, 13]).mul(512).round() / 512, 1e-5),
        ("constant-row", constant, 1e-5),
    ]


def make_layer_norm():
    fixtures = Fixtures("layer_norm")
    draw = Draw("layer-norm")
    for name, x, eps in layer_norm_inputs(draw):
        module = nn.LayerNorm(x.shape[-1], eps=eps).double()
        with torch.no_grad():
            module.weight.copy_(draw.uniform(module.weight.shape, 0.7, 1.3))
            module.bias.copy_(draw.uniform(module.bias.shape, -0.3, 0.3))
        x.requires_grad_()
        if x.shape[-1] == 1:  # these gradients are 0; PyTorch has 1e-14 of rounding
            for zero in (x, module.weight):
                zero.register_hook(lambda grad: grad.masked_fill(grad.abs() < 1e-12, 0))
        finish(fixtures.case(name, eps=eps), module, draw, module(x), [("x", x)])
    x = draw.uniform([3, 7]).requires_grad_()
    module = nn.LayerNorm(7, elementwise_affine=False)
    finish(fixtures.case("no-parameters", eps=module.eps), module, draw, module(x), [("x", x)])
    return fixtures


def make_embedding():
    fixtures = Fixtures("embedding")
    for name, shape, padding_id, scale in [
        ("plain", [3, 5], None, 1),
        ("padding-0", [3, 5], 0, 1),
        ("padding-3", [2, 3, 3], 3, 1),
        ("scaled", [7], 0, 6**0.5),
        ("often", [40], 2, 1),
    ]:
        draw = Draw(f"embedding/{name}")
        module = nn.Embedding(5, 6, padding_idx=padding_id).double()
        fill(module, draw)
        ids = draw.integers(shape, 0, 5)
        ids[..., 0] = ids[..., -1]  # one id several times
        if padding_id is not None:
            ids[..., 1] = padding_id
        case = fixtures.case(name, padding_id=-1 if padding_id is None else padding_id, scale=repr(scale))
        case.given("ids", ids)
        finish(case, module, draw, module(ids) * scale)
    return fixtures


def make_cross_entropy_case(fixtures, name, logits, targets, weights, smoothing, ignore, reduction, draw):
    logits.requires_grad_()
    loss = F.cross_entropy(
        logits.flatten(0, -2),
        targets.flatten(),
        weight=weights,
        ignore_index=-100 if ignore is None else ignore,
        label_smoothing=smoothing,
        reduction=reduction,
    )
    loss = loss.reshape(targets.shape) if reduction == "none" else loss
    case = fixtures.case(
        name, label_smoothing=smoothing, reduction=reduction, ignore="none" if ignore is None else ignore
    )
    upstream = draw.uniform(loss.shape, 0.5, 1.5)
    (loss * upstream).sum().backward()
    case.given("logits", logits)
    case.expected("grad/logits", logits.grad)
    case.given("targets", targets)
    if weights is not None:
        case.given("class_weights", weights)
    case.given("upstream", upstream)
    case.expected("loss", loss)


def make_cross_entropy():
    fixtures = Fixtures("cross_entropy")
    choices = itertools.product(("mean", "sum", "none"), (0.0, 0.1), (None, -100, 255, 2), (False, True))
    for reduction, smoothing, ignore, weighted in choices:
        name = f"{reduction}-smoothing-{smoothing}-ignore-{ignore}" + ("-weights" if weighted else "")
        draw = Draw(f"cross-entropy/{name}")
        logits = draw.uniform([2, 3, 5], -3, 3)
        targets = draw.integers([2, 3], 0, 5)
        if ignore is not None:
            targets[0, 1] = targets[1, 2] = ignore
        weights = draw.uniform([5], 0.2, 2) if weighted else None
        make_cross_entropy_case(fixtures, name, logits, targets, weights, smoothing, ignore, reduction, draw)
    draw = Draw("cross-entropy/others")
    for name, logits in [
        ("large-logits", draw.uniform([5, 4]) * 2**13),
        ("two-classes", draw.uniform([7, 2])),
        ("one-class", draw.uniform([3, 1])),
        ("many-classes", draw.uniform([2, 131], -4, 4)),
    ]:
        targets = draw.integers(logits.shape[:-1], 0, logits.shape[-1])
        make_cross_entropy_case(fixtures, name, logits, targets, None, 0.0, None, "mean", draw)
    weights = torch.tensor([1.5, 0.0, 0.5], dtype=torch.float64)
    targets = torch.tensor([0, 1, 2, 1])
    make_cross_entropy_case(fixtures, "weight-0", draw.uniform([4, 3]), targets, weights, 0.1, None, "mean", draw)
    make_cross_entropy_case(fixtures, "all-smooth", draw.uniform([4, 3]), targets, weights, 1.0, 1, "sum", draw)
    return fixtures


def make():
    yield make_linear()
    yield make_layer_norm()
    yield make_embedding()
    yield make_cross_entropy()
