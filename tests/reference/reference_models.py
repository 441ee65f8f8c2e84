"""reference_models.py - whole models: logits, loss, and the gradient of every parameter."""

import copy
import dataclasses
import itertools

import torch
from torch.nn import functional as F

from fixtures import Draw, Fixtures
from models import MODELS, Config, Masks

# d_model, heads, ffn, rows, source length, target length: odd ones among them, no two sizes of one batch alike.
SIZES = [(6, 2, 7, 3, 7, 5), (5, 1, 9, 2, 5, 7), (9, 3, 5, 2, 5, 3), (4, 4, 11, 2, 9, 5), (7, 7, 5, 3, 5, 9)]
MASKS = ["none", "padding", "causal", "both"]
# What says nothing about an implementation in float is drawn anew. A relu's derivative jumps at 0, so none of its
# inputs is nearer to it than MARGIN. And no result is so badly conditioned that another rounding of the parameters
# alone, each moved by 2^-24 of itself, would move it by more than SENSITIVITY of its tensor's largest number.
MARGIN = 1e-4
SENSITIVITY = 3e-6


def fill(module, draw):
    """Parameters that hide nothing: no zeros, no ones, activations of about 1."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1:
                bound = 1.0 if "embedding" in name or "positions" in name else (3 / parameter.shape[1]) ** 0.5
                parameter.copy_(draw.uniform(parameter.shape, -bound, bound))
            elif "norm" in name and name.endswith("weight"):
                parameter.copy_(draw.uniform(parameter.shape, 0.7, 1.3))
            else:
                parameter.copy_(draw.uniform(parameter.shape, -0.3, 0.3))


def new_model(config, draw):
    model = MODELS[config.kind](config).double()
    fill(model, draw)
    return model


class NearestKink:
    """The smallest number that any relu of a model is given."""

    def __init__(self, model):
        self.distance = float("inf")
        if model.config.activation == "relu":
            for name, layer in model.named_modules():
                if name.endswith("linear1"):
                    layer.register_forward_hook(self.note)

    def note(self, layer, inputs, output):
        self.distance = min(self.distance, float(output.detach().abs().min()))


@dataclasses.dataclass
class Batch:
    """Rows of tokens; padding stands behind a row's length."""

    source: torch.Tensor
    target: torch.Tensor
    source_lengths: torch.Tensor
    target_lengths: torch.Tensor
    labels: torch.Tensor


def draw_batch(config, draw, rows, source_length, target_length, padded):
    def tokens(length, vocab):
        lengths = draw.integers([rows], 1, length + 1) if padded else torch.full([rows], length)
        lengths[0] = length
        ids = draw.integers([rows, length], max(config.padding_id, 0) + 1, vocab)
        return torch.where(beyond(lengths, length), max(config.padding_id, 0), ids), lengths

    source, source_lengths = tokens(source_length, max(config.source_vocab, config.padding_id + 2))
    target, target_lengths = tokens(target_length, config.target_vocab)
    own_lengths = source_lengths if config.kind == "encoder" else target_lengths
    length = source_length if config.kind == "encoder" else target_length
    labels = draw.integers([rows, length], 1, config.target_vocab)
    labels = torch.where(beyond(own_lengths, length), 0, labels)
    return Batch(source, target, source_lengths, target_lengths, labels)


def beyond(lengths, length):
    """PyTorch's padding mask [B, length]: True behind a row's end."""
    return torch.arange(length) >= lengths.unsqueeze(1)


def later(length, other=None, offset=0):
    """PyTorch's causal mask: True at keys behind the query's place."""
    return torch.ones(length, other or length, dtype=torch.bool).triu(1 + offset)


def masks_of(kind, form, batch):
    """`form` is one of MASKS; or "windows": a band in the encoder, and a diagonal border in the cross-attention."""
    source_length, target_length = batch.source.shape[1], batch.target.shape[1]
    masks = Masks()
    if form in ("padding", "both"):
        masks.source_padding = beyond(batch.source_lengths, source_length)
        masks.target_padding = beyond(batch.target_lengths, target_length)
    if form in ("causal", "both"):
        masks.target = later(target_length)
        masks.source = later(source_length) if kind == "encoder" else None
    if form == "windows":
        masks.source = later(source_length, offset=1) | later(source_length, offset=1).T
        masks.target = later(target_length)
        masks.memory = later(target_length, source_length, offset=1)
    return masks


def loss_of(logits, labels, smoothing=0.0, reduction="mean"):
    return F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=0, label_smoothing=smoothing, reduction=reduction
    )


def round_otherwise(model, draw):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + 2**-24 * torch.where(draw.flags(parameter.shape, 0.5), 1, -1))


def largest_change(before, after):
    """Of any number in two lists of tensors, beside its tensor's largest."""
    return max(float((b - a).abs().max() / a.abs().max().clamp(min=1e-300)) for a, b in zip(before, after))


@dataclasses.dataclass
class Problem:
    """A model, and what it is given."""

    model: torch.nn.Module
    batch: Batch
    masks: Masks
    loss: dict

    def solve(self):
        """Logits and loss; the gradients are left in the parameters."""
        logits = self.model(self.batch.source, self.batch.target, self.masks)
        loss = loss_of(logits, self.batch.labels, **self.loss)
        loss.backward()
        return logits, loss

    def sensitivity(self, logits, loss):
        draw = Draw("rounding")
        return max(self.change((logits, loss), draw) for _ in range(8))

    def change(self, solution, draw):
        other = dataclasses.replace(self, model=copy.deepcopy(self.model))
        other.model.zero_grad()
        round_otherwise(other.model, draw)
        changed = other.solve()
        ours, theirs = ([p.grad for p in problem.model.parameters()] for problem in (self, other))
        return largest_change([*solution, *ours], [*changed, *theirs])


def draw_problem(draw, config, size, form, loss):
    model = new_model(config, draw)
    batch = draw_batch(config, draw, *size, form in ("padding", "both"))
    return Problem(model, batch, masks_of(config.kind, form, batch), loss)


def make_case(fixtures, name, config, size, form, smoothing=0.0, reduction="mean"):
    """size: rows, source length, target length."""
    for attempt in itertools.count():
        draw = Draw(f"{fixtures.name}/{name}/{attempt}")
        problem = draw_problem(draw, config, size, form, {"smoothing": smoothing, "reduction": reduction})
        kink = NearestKink(problem.model)
        logits, loss = problem.solve()
        if kink.distance > MARGIN and problem.sensitivity(logits, loss) <= SENSITIVITY:
            break

    settings = dataclasses.asdict(config)
    if fixtures.name != FORMS_FILE:
        settings = {key: value for key, value in settings.items() if key not in FORM_SETTINGS}
    case = fixtures.case(name, masks=form, label_smoothing=smoothing, reduction=reduction, **settings)
    case.module(problem.model)
    if config.kind != "decoder":
        case.given("source", problem.batch.source)
        case.given("source_lengths", problem.batch.source_lengths)
    if config.kind != "encoder":
        case.given("target", problem.batch.target)
        case.given("target_lengths", problem.batch.target_lengths)
    case.given("labels", problem.batch.labels)
    case.expected("logits", logits)
    case.expected("loss", loss)


def plain_config(kind, size, **others):
    encodes, decodes = kind != "decoder", kind != "encoder"
    return Config(
        kind,
        source_vocab=7 if encodes else 0,
        target_vocab=5,
        d_model=size[0],
        heads=size[1],
        ffn=size[2],
        **{"encoder_layers": int(encodes), "decoder_layers": int(decodes), "max_length": 16, **others},
    )


def make_combinations(fixtures, kind):
    """Each norm, activation and mask; the sizes go round beside them, and two cases have a stack of two layers."""
    choices = itertools.product(("pre", "post"), ("relu", "gelu"), MASKS)
    for number, (norm, activation, form) in enumerate(choices):
        size = SIZES[number % len(SIZES)]
        deep = {"encoder_layers" if kind == "encoder" else "decoder_layers": 2} if number in (0, 11) else {}
        config = plain_config(kind, size, post_norm=norm == "post", activation=activation, **deep)
        make_case(fixtures, f"{norm}-{activation}-{form}", config, size[3:], form)


# Name, kind, what is unlike plain_config, sizes, masks, loss.
OTHERS = [
    ("gelu-tanh", "encoder", {"activation": "gelu-tanh"}, SIZES[0], "padding", {}),
    ("silu", "encoder", {"activation": "silu", "post_norm": True}, SIZES[2], "both", {}),
    ("no-positions", "encoder", {"positions": "none"}, SIZES[3], "none", {}),
    ("learned", "encoder", {"positions": "learned"}, SIZES[1], "padding", {}),
    ("one-token", "encoder", {}, (6, 2, 7, 2, 1, 1), "none", {}),
    ("long", "encoder", {"post_norm": True, "activation": "gelu"}, (6, 2, 5, 1, 261, 1), "none", {}),
    ("norm-eps", "decoder", {"norm_eps": 0.01}, SIZES[4], "both", {}),
    ("smooth-sum", "decoder", {"activation": "gelu"}, SIZES[0], "both", {"smoothing": 0.1, "reduction": "sum"}),
    ("tied", "decoder", {"tied_output": True, "post_norm": True}, SIZES[1], "both", {}),
    ("learned", "decoder", {"positions": "learned", "activation": "gelu"}, SIZES[2], "causal", {}),
    ("long", "decoder", {"activation": "gelu"}, (6, 2, 5, 2, 1, 131), "both", {}),
    ("wide", "decoder", {}, (13, 1, 11, 2, 1, 5), "both", {}),
    ("windows", "encoder-decoder", {"activation": "gelu"}, SIZES[3], "windows", {}),
    ("tied-learned", "encoder-decoder", {"tied_output": True, "positions": "learned"}, SIZES[0], "both", {}),
    ("padding-id-2", "encoder-decoder", {"padding_id": 2, "post_norm": True}, SIZES[2], "both", {}),
    ("no-padding-id", "encoder-decoder", {"padding_id": -1}, SIZES[1], "both", {"smoothing": 0.2}),
]


# Stacks with and without final norms, norms and outputs without biases. Only their file has these settings.
FORMS_FILE = "stacks"
FORM_SETTINGS = ("final_norm", "no_bias", "no_norm_bias", "no_output_bias")
FORMS = [
    ("transformer", "encoder-decoder", {"post_norm": True, "final_norm": "yes"}),  # as nn.Transformer is by default
    ("transformer-gelu", "encoder-decoder", {"post_norm": True, "final_norm": "yes", "activation": "gelu"}),
    ("encoder-post-yes", "encoder", {"post_norm": True, "final_norm": "yes"}),
    ("decoder-post-yes", "decoder", {"post_norm": True, "final_norm": "yes"}),
    ("encoder-pre-no", "encoder", {"final_norm": "no"}),  # as nn.TransformerEncoder is by default
    ("decoder-pre-no", "decoder", {"final_norm": "no"}),
    ("both-pre-no", "encoder-decoder", {"final_norm": "no"}),
    ("bare", "encoder-decoder", {"no_bias": True, "no_norm_bias": True, "no_output_bias": True}),
    ("bare-post-yes", "encoder-decoder", {"no_bias": True, "no_norm_bias": True, "post_norm": True, "final_norm": "yes"}),
    ("bare-encoder", "encoder", {"no_bias": True, "no_norm_bias": True, "post_norm": True}),
    ("bare-output", "decoder", {"no_output_bias": True}),
]


def make_forms():
    fixtures = Fixtures(FORMS_FILE)
    for number, (name, kind, others) in enumerate(FORMS):
        size = SIZES[number % len(SIZES)]
        make_case(fixtures, name, plain_config(kind, size, **others), size[3:], "both")
    return fixtures


def make():
    yield make_forms()
    for kind in MODELS:
        fixtures = Fixtures(kind.replace("-", "_"))
        make_combinations(fixtures, kind)
        for name, of, others, size, form, loss in OTHERS:
            if of == kind:
                make_case(fixtures, name, plain_config(kind, size, **others), size[3:], form, **loss)
        yield fixtures
