"""reference_training.py - optimisers, the clip, schedules, and ten steps of training with all of them."""

import itertools
import math
import warnings

import torch
from torch import nn, optim
from torch.optim import lr_scheduler

from fixtures import Draw, Fixtures
from models import Masks
from reference_models import (
    MARGIN,
    SENSITIVITY,
    NearestKink,
    beyond,
    draw_batch,
    largest_change,
    later,
    loss_of,
    new_model,
    plain_config,
    round_otherwise,
)

STEPS = 10

# Names of runs, torch.optim's arguments, and whether only matrices decay (as in tapeformer's models) or all parameters
# (PyTorch's default).
OPTIMIZERS = [
    ("sgd", optim.SGD, {}, False),
    ("sgd-decay", optim.SGD, {"weight_decay": 0.1}, False),
    ("momentum", optim.SGD, {"momentum": 0.9}, False),
    ("momentum-decay-all", optim.SGD, {"momentum": 0.9, "weight_decay": 0.1}, True),
    ("nesterov", optim.SGD, {"momentum": 0.8, "nesterov": True}, False),
    ("nesterov-decay", optim.SGD, {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1}, False),
    ("adam", optim.Adam, {"betas": (0.9, 0.999), "eps": 1e-8}, False),
    ("adam-decay", optim.Adam, {"betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 0.1}, False),
    ("adam-decay-all", optim.Adam, {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}, True),
    ("adamw", optim.AdamW, {"betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 0.1}, False),
    ("adamw-decay-all", optim.AdamW, {"betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.1}, True),
    ("adamw-no-decay", optim.AdamW, {"betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 0.0}, False),
]


def new_optimizer(kind, arguments, decay_all, parameters, rate):
    decay = arguments.get("weight_decay", 0)
    groups = [
        {"params": [p for p in parameters if p.dim() > 1 or decay_all], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() <= 1 and not decay_all], "weight_decay": 0},
    ]
    return kind([group for group in groups if group["params"]], lr=rate, **arguments)


def optimizer_settings(kind, arguments, decay_all):
    beta1, beta2 = arguments.get("betas", (0, 0))
    return {
        "optimizer": kind.__name__.lower(),
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": arguments.get("eps", 0),
        "momentum": arguments.get("momentum", 0),
        "nesterov": arguments.get("nesterov", False),
        "weight_decay": arguments.get("weight_decay", 0),
        "decay_all": decay_all,
    }


def make_optimizers():
    """Updates from gradients that are given: the formulas alone. All from one start, which is a case of its own."""
    fixtures = Fixtures("optimizers")
    draw = Draw("optimizers")
    shapes = {"matrix": [5, 3], "vector": [7]}
    start = {name: draw.uniform(shape) for name, shape in shapes.items()}
    grads = {name: draw.uniform([STEPS, *shape], -2, 2) for name, shape in shapes.items()}
    grads["vector"][:, 2] = 0
    rates = draw.uniform([STEPS], 0.01, 0.1)
    case = fixtures.case("start", steps=STEPS)
    case.given("rates", rates)
    for name in shapes:
        case.given(name, start[name])
        case.given(f"grads/{name}", grads[name])
    for run, kind, arguments, decay_all in OPTIMIZERS:
        case = fixtures.case(run, **optimizer_settings(kind, arguments, decay_all))
        parameters = {name: nn.Parameter(value.clone()) for name, value in start.items()}
        optimizer = new_optimizer(kind, arguments, decay_all, list(parameters.values()), 0)
        for step in range(STEPS):
            for name, parameter in parameters.items():
                parameter.grad = grads[name][step].clone()
            for group in optimizer.param_groups:
                group["lr"] = float(rates[step])
            optimizer.step()
            if step in (0, 1, STEPS - 1):
                for name, parameter in parameters.items():
                    case.expected(f"{step + 1}/{name}", parameter)
    return fixtures


def make_clipping():
    fixtures = Fixtures("clipping")
    for max_norm, size in itertools.product((0.5, 1.5, 2.0, 4.0, math.inf), (1e-3, 1.0, 16.0, 2.0**40)):
        draw = Draw("clipping")
        case = fixtures.case(f"to-{max_norm}-from-{size}", max_norm=max_norm)
        parameters = [nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for shape in ([3, 5], [7], [1])]
        for number, parameter in enumerate(parameters):
            parameter.grad = (draw.uniform(parameter.shape) * size).float().double()
            case.given(f"{number}", parameter.grad)
        case.expected("norm", nn.utils.clip_grad_norm_(parameters, max_norm))
        for number, parameter in enumerate(parameters):
            case.expected(f"clipped/{number}", parameter.grad)
    return fixtures


def warmed_up(optimizer, warmup, then, stable=0):
    """rate t / warmup at update t, counted from 1, then `stable` updates at the rate, then what `then` says."""
    level = lr_scheduler.LambdaLR(optimizer, lambda step: 1.0) if stable else None
    if warmup == 0:
        return lr_scheduler.SequentialLR(optimizer, [level, then], [stable]) if stable else then
    line = lr_scheduler.LinearLR(optimizer, 1 / warmup, 1.0, max(warmup - 1, 1)) if warmup > 1 else None
    line = line or lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    if stable:
        return lr_scheduler.SequentialLR(optimizer, [line, level, then], [warmup, warmup + stable])
    return lr_scheduler.SequentialLR(optimizer, [line, then], [warmup])


def new_scheduler(optimizer, kind, warmup, total, floor, d_model, decay=0.0):
    """A scheduler of torch.optim's that starts at the optimiser's rate; its step number is ours less 1."""
    if kind == "constant":
        return warmed_up(optimizer, warmup, lr_scheduler.LambdaLR(optimizer, lambda step: 1.0))
    if kind == "cosine":
        least = optimizer.defaults["lr"] * floor
        return warmed_up(
            optimizer, warmup, lr_scheduler.CosineAnnealingLR(optimizer, max(total - warmup, 1), eta_min=least)
        )
    if kind in ("linear", "wsd"):
        stable = max(total - warmup - round(decay * total), 0) if kind == "wsd" else 0
        line = lr_scheduler.LinearLR(optimizer, 1.0, floor, max(total - warmup - stable, 1))
        return warmed_up(optimizer, warmup, line, stable)
    if kind == "inverse-sqrt":  # there is none in PyTorch: the formula
        return lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / max(warmup, 1), (max(warmup, 1) / (step + 1)) ** 0.5)
        )
    return lr_scheduler.LambdaLR(
        optimizer, lambda step: d_model**-0.5 * min((step + 1) ** -0.5, (step + 1) * max(warmup, 1) ** -1.5)
    )


# (SequentialLR itself does what it warns of.)
warnings.filterwarnings("ignore", "The epoch parameter in `scheduler.step")


def rates_of(kind, rate, warmup, total, floor, d_model, decay):
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler = new_scheduler(optimizer, kind, warmup, total, floor, d_model, decay)
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return torch.tensor(rates, dtype=torch.float64)


def make_schedules():
    fixtures = Fixtures("schedules")
    for kind, rate, warmup, total, floor, *decay in [
        ("cosine", 0.001, 0, 50, 0.0),
        ("cosine", 0.001, 7, 50, 0.0),
        ("cosine", 0.5, 7, 50, 0.1),
        ("cosine", 0.5, 1, 25, 0.3),
        ("constant", 0.01, 0, 20, 0.0),
        ("constant", 0.01, 9, 20, 0.0),
        ("inverse-sqrt", 0.01, 0, 30, 0.0),
        ("inverse-sqrt", 0.01, 9, 30, 0.0),
        ("noam", 1.0, 13, 40, 0.0),
        ("noam", 2.0, 0, 20, 0.0),
        ("linear", 0.01, 0, 30, 0.0),
        ("linear", 0.5, 7, 50, 0.1),
        ("wsd", 0.01, 0, 30, 0.0, 0.2),
        ("wsd", 0.5, 7, 50, 0.1, 0.4),
    ]:
        settings = {"warmup": warmup, "total": total, "floor": floor, "d_model": 20, "decay": sum(decay)}
        case = fixtures.case(f"{kind}-{warmup}-{total}-{floor}", schedule=kind, rate=rate, **settings)
        case.expected("rates", rates_of(kind, rate, **settings))
    return fixtures


# ---- Ten steps of a whole model ----------------------------------------------------------------

# Name, which of OPTIMIZERS, rate, schedule, max_norm (0: no clip).
RUNS = [
    ("sgd", "sgd", 0.1, "constant", 0.0),
    ("momentum", "momentum-decay-all", 0.05, "constant", 0.0),
    ("nesterov-cosine-clip", "nesterov-decay", 0.1, "cosine", 0.5),
    ("adam", "adam", 0.003, "constant", 0.0),
    ("adam-decay-noam", "adam-decay", 0.02, "noam", 0.0),
    ("adamw", "adamw", 0.003, "constant", 0.0),
    ("adamw-cosine-clip", "adamw", 0.01, "cosine", 0.5),
    ("adamw-decay-all", "adamw-decay-all", 0.01, "inverse-sqrt", 0.0),
]


def still_key_biases(model):
    """A key's bias adds the same to all scores of a query, which softmax does not see: its gradient is 0, and rounding.
    Adam would make whole steps of the rounding, so it is set to 0."""
    for name, parameter in model.named_parameters():
        if name.endswith("in_proj_bias"):
            parameter.grad.chunk(3)[1].zero_()


def train(model, batches, run):
    """Yields loss, norm and rate of each step."""
    _, optimizer_name, rate, schedule, max_norm = run
    kind, arguments, decay_all = next(rest for name, *rest in OPTIMIZERS if name == optimizer_name)
    optimizer = new_optimizer(kind, arguments, decay_all, list(model.parameters()), rate)
    scheduler = new_scheduler(optimizer, schedule, 3, STEPS, 0.1, model.config.d_model)
    for batch in batches:
        optimizer.zero_grad()
        masks = Masks(
            target=later(batch.target.shape[1]),
            source_padding=beyond(batch.source_lengths, batch.source.shape[1]),
            target_padding=beyond(batch.target_lengths, batch.target.shape[1]),
        )
        loss = loss_of(model(batch.source, batch.target, masks), batch.labels)
        loss.backward()
        still_key_biases(model)
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm or math.inf)
        used_rate = optimizer.param_groups[0]["lr"]
        optimizer.step()
        scheduler.step()
        yield loss.item(), norm.item(), used_rate


def new_start(config, attempt):
    draw = Draw(f"training/{attempt}")
    model = new_model(config, draw)
    return model, [draw_batch(config, draw, 3, 5, 7, True) for _ in range(STEPS)]


def make_run(config, attempt, run, rounding=None):
    """Everything that is expected of a run, and how near a relu came to its kink."""
    model, batches = new_start(config, attempt)
    if rounding:
        round_otherwise(model, rounding)
    kink = NearestKink(model)
    notes = torch.tensor(list(train(model, batches, run)), dtype=torch.float64)
    results = {"losses": notes[:, 0], "norms": notes[:, 1], "rates": notes[:, 2]}
    for name, parameter in model.named_parameters():
        results[f"after/{name}"] = parameter.detach()
    return results, kink.distance


def sensitivity(config, attempt, run, results):
    draw = Draw("rounding")
    others = [make_run(config, attempt, run, draw)[0] for _ in range(4)]
    return max(largest_change(results.values(), other.values()) for other in others)


def make_runs(config, attempt):
    """What is expected of all runs; None where that would say nothing (see reference_models.py)."""
    made = {}
    for run in RUNS:
        results, distance = make_run(config, attempt, run)
        if distance <= MARGIN or sensitivity(config, attempt, run, results) > SENSITIVITY:
            return None
        made[run] = results
    return made


def make_training():
    """All runs from one start and over the same ten batches; these stand in the case "start"."""
    config = plain_config("encoder-decoder", (4, 2, 5))
    fixtures = Fixtures("training")
    attempt = next(number for number in itertools.count() if make_runs(config, number))
    model, batches = new_start(config, attempt)
    start = fixtures.case("start", d_model=config.d_model, heads=config.heads, ffn=config.ffn, steps=STEPS)
    for label, parameter in model.named_parameters():
        start.given(f"param/{label}", parameter)
    for label in ("source", "target", "source_lengths", "target_lengths", "labels"):
        start.given(label, torch.stack([getattr(batch, label) for batch in batches]))

    for run, results in make_runs(config, attempt).items():
        name, optimizer_name, rate, schedule, max_norm = run
        kind, arguments, decay_all = next(rest for label, *rest in OPTIMIZERS if label == optimizer_name)
        settings = {"schedule": schedule, "rate": rate, "warmup": 3, "total": STEPS, "floor": 0.1, "max_norm": max_norm}
        case = fixtures.case(name, d_model=config.d_model, **settings, **optimizer_settings(kind, arguments, decay_all))
        for label, result in results.items():
            case.expected(label, result)
    return fixtures


def make():
    yield make_optimizers()
    yield make_clipping()
    yield make_schedules()
    yield make_training()
