"""train.py - a training in PyTorch by a recipe, and its quality at regular steps.

    python3 bench/peers/train.py REQUEST [MODEL.safetensors SOURCE_VOCAB TARGET_VOCAB]

REQUEST is JSON: `recipe`, the keys model.* and run.* of a tapeformer checkpoint's metadata, which hold each value of a
recipe, and "init", "batches" and "marks" (transformer.py, examples.py) where they are not tapeformer's; `data`, the
files; `seed`; `threads`; `every`, the steps between evaluations (more than all: none); `steps`, after which to stop;
`target`, an error at which to stop, or null. Each evaluation prints a line of JSON with the seconds and the
processor seconds of the steps so far: loading, making the model and evaluating do not count. With a model that
tapeformer exported, prints its error alone.

The settings beside PyTorch's defaults are those that bench/README.md names. A recipe with a value that this program
does not know is refused with a sentence and exit code 3.
"""

import contextlib
import gc
import json
import math
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F

from examples import Pairs, Text
from transformer import ACTIVATIONS, INITS, NORMS, POSITIONS, Transformer

UNSUPPORTED = 3

# ---- Optimisers and schedules ----


class Muon(torch.optim.Optimizer):
    """Jordan 2024 in float32, as tapeformer's ag_orthogonalize (torch.optim.Muon computes in bfloat16). A group's
    matrices are `parts` of equal height, each updated by itself: query, key and value of in_proj_weight."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - group["momentum"])
                u = p.grad.lerp(mean, group["momentum"]).unflatten(0, (group["parts"], -1))
                rows, columns = u.shape[1:]
                x = self.orthogonal(u if rows <= columns else u.mT)
                x = (x if rows <= columns else x.mT).reshape_as(p)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(x, alpha=-group["lr"] * math.sqrt(max(1, rows / columns)))

    @staticmethod
    def orthogonal(u):
        a, b, c = 3.4445, -4.7750, 2.0315
        x = u / (u.norm(dim=(1, 2), keepdim=True) + 1e-7)
        for _ in range(5):
            s = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(s, s, s, beta=b, alpha=c), x, beta=a)
        return x


def adam_of(make):
    """Adam of all parameters. Weight decay is of matrices alone."""

    def optimizers(run, named):
        matrices = [p for _, p in named if p.dim() > 1]
        others = [p for _, p in named if p.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": run.weight_decay}, {"params": others, "weight_decay": 0.0}]
        return [make(groups, lr=run.rate, betas=(run.beta1, run.beta2), eps=run.epsilon, fused=True)]

    return optimizers


def muon(run, named):
    """Muon of the matrices in the blocks, AdamW of all else."""
    hidden = [(name, p) for name, p in named if ".layers." in name and p.dim() > 1]
    packed = [p for name, p in hidden if name.endswith("in_proj_weight")]
    single = [p for name, p in hidden if not name.endswith("in_proj_weight")]
    groups = [{"params": packed, "parts": 3}, {"params": single, "parts": 1}]
    values = dict(lr=run.muon_rate, momentum=run.momentum, weight_decay=run.weight_decay)
    taken = {name for name, _ in hidden}
    rest = [(name, p) for name, p in named if name not in taken]
    return [Muon(groups, values), *OPTIMIZERS["adamw"](run, rest)]


OPTIMIZERS = {"adamw": adam_of(torch.optim.AdamW), "adam": adam_of(torch.optim.Adam), "muon": muon}


def noam(run, step, width):
    return width**-0.5 * min(step**-0.5, step * max(run.warmup, 1) ** -1.5)


def warmed_up(after):
    """A linear warm-up, and then after(run, step)."""
    return lambda run, step, width: step / run.warmup if step <= run.warmup else after(run, step)


def falling(shape, begin=lambda run: run.warmup):
    """A warm-up, and from step `begin` on shape(done), from 1 to the floor; `done` goes from 0 to 1."""

    def after(run, step):
        length, past = run.steps - begin(run), step - 1 - begin(run)
        done = 0 if past <= 0 else past / length if past < length else 1
        return run.floor + (1 - run.floor) * shape(done)

    return warmed_up(after)


# The factor of the rate at update `step`, counted from 1: train/schedule.c has the formulas.
SCHEDULES = {
    "cosine": falling(lambda done: 0.5 * (1 + math.cos(math.pi * done))),
    "linear": falling(lambda done: 1 - done),
    "wsd": falling(lambda done: 1 - done, lambda run: max(run.warmup, run.steps - int(run.decay * run.steps + 0.5))),
    "constant": warmed_up(lambda run, step: 1),
    "inverse-sqrt": warmed_up(lambda run, step: math.sqrt(max(run.warmup, 1) / step)),
    "noam": noam,
}

# ---- Recipes ----

YES_NO = {"true": True, "false": False}
# What the values of a recipe may be: a table of choices, a list of them, a type, or None: they do not matter here.
KEYS = {
    "model.kind": ["encoder-decoder", "decoder"],
    "model.d_model": int,
    "model.heads": int,
    "model.encoder_layers": int,
    "model.decoder_layers": int,
    "model.ffn": int,
    "model.max_length": int,
    "model.activation": ACTIVATIONS,
    "model.norm": NORMS,
    "model.norm_eps": float,
    "model.embedding_scale": float,
    "model.positions": POSITIONS,
    "model.cross_positions": YES_NO,
    "model.cross_window": ["0"],
    "model.dropout": float,
    "model.no_bias": YES_NO,
    "model.no_norm_bias": YES_NO,
    "model.no_output_bias": YES_NO,
    "model.tied_output": YES_NO,
    "model.post_norm": ["false"],
    "model.final_norm": ["usual", "yes"],
    "model.padding_id": ["0"],
    "model.source_vocab": None,
    "model.target_vocab": None,
    "run.optimizer": OPTIMIZERS,
    "run.rate": float,
    "run.schedule": SCHEDULES,
    "run.warmup": int,
    "run.floor": float,
    "run.steps": int,
    "run.batch": int,
    "run.beta1": float,
    "run.beta2": float,
    "run.epsilon": float,
    "run.weight_decay": float,
    "run.clip": float,
    "run.label_smoothing": float,
    "run.average": float,
    "run.matmul": ["float", "bf16"],
    "run.accumulate": None,
    "run.decay": float,
    "run.muon_rate": float,
    "run.momentum": float,
    "run.nesterov": None,
    "run.best_by": None,
    "run.evaluate_every": None,
    "run.evaluate_sources": None,
    "init": INITS,
    "batches": ["batches", "random"],
    "marks": YES_NO,
}
EXTRAS = {"init": "tapeformer", "batches": "batches", "marks": "true"}


def read_recipe(given):
    """The recipe as (model, run): objects with a field for each key."""
    parts = {"model": {}, "run": {}}
    for key, text in {**EXTRAS, **given}.items():
        part, _, name = key.rpartition(".")
        if key not in KEYS:
            print(f"PyTorch's side has no {key} (now {text}): write it in bench/peers/train.py", file=sys.stderr)
            sys.exit(UNSUPPORTED)
        choice = KEYS[key]
        if isinstance(choice, (list, dict)) and text not in choice:
            print(f"PyTorch's side knows no {key} {text}: write it in bench/peers", file=sys.stderr)
            sys.exit(UNSUPPORTED)
        value = YES_NO[text] if choice is YES_NO else choice(text) if isinstance(choice, type) else text
        parts[part or "run"][name] = value
    return SimpleNamespace(**parts["model"]), SimpleNamespace(**parts["run"])


# ---- Training ----


class Average:
    """The exponential moving average of the weights, which is evaluated in their place; see ag_update."""

    def __init__(self, parameters, decay):
        self.parameters, self.decay, self.step = parameters, decay, 0
        self.values = [p.detach().clone() for p in parameters]

    @torch.no_grad()
    def add(self):
        self.step += 1
        torch._foreach_lerp_(self.values, self.parameters, (1 - self.decay) / (1 - self.decay**self.step))

    @torch.no_grad()
    def swap(self):
        for value, parameter in zip(self.values, self.parameters):
            kept = parameter.clone()
            parameter.copy_(value)
            value.copy_(kept)


class Clock:
    """Seconds and processor seconds while it runs."""

    def __init__(self):
        self.seconds = self.processor = 0.0

    def start(self):
        self.began = time.perf_counter(), time.process_time()

    def stop(self):
        self.seconds += time.perf_counter() - self.began[0]
        self.processor += time.process_time() - self.began[1]


def make_data(c, run, data, vocabs=None):
    if c.kind == "decoder":
        return Text(data["text"], data["held_out"], c.max_length, vocabs and vocabs[1], run.marks)
    return Pairs(data["pairs"], data["dev"], data["source"], data["target"], vocabs, run.marks)


@torch.no_grad()
def evaluate(model, data, average=None):
    model.eval()
    if average:
        average.swap()
    error = data.error(model)
    if average:
        average.swap()
    model.train()
    return error


def train(request, c, run):
    torch.manual_seed(request["seed"])
    data = make_data(c, run, request["data"])
    model = Transformer(c, data.source_vocab, data.target_vocab, run.init)
    parameters, optimizers = list(model.parameters()), OPTIMIZERS[run.optimizer](run, list(model.named_parameters()))
    peaks = [(group, group["lr"]) for optimizer in optimizers for group in optimizer.param_groups]
    average = Average(parameters, run.average) if run.average else None
    batches = getattr(data, run.batches)(run.batch)
    bf16 = run.matmul == "bf16"
    steps, every, target = request["steps"], request["every"], request["target"]
    clock = Clock()
    gc.freeze()  # what is there by now needs no collecting
    clock.start()
    for step in range(1, steps + 1):
        batch = next(batches)
        for group, peak in peaks:
            group["lr"] = peak * SCHEDULES[run.schedule](run, step, c.d_model)
        with torch.autocast("cpu", torch.bfloat16) if bf16 else contextlib.nullcontext():
            logits = model(batch.source, batch.mask, batch.target).flatten(0, 1)
        loss = F.cross_entropy(
            logits.float(),
            batch.after.flatten(),
            ignore_index=data.padding,
            label_smoothing=run.label_smoothing,
        )
        model.zero_grad(set_to_none=True)
        loss.backward()
        if run.clip > 0:
            torch.nn.utils.clip_grad_norm_(parameters, run.clip, foreach=True)
        for optimizer in optimizers:
            optimizer.step()
        if average:
            average.add()
        if step % every == 0 or step == steps:
            clock.stop()
            error = evaluate(model, data, average) if every <= steps else None
            row = dict(step=step, seconds=clock.seconds, processor_seconds=clock.processor, error=error)
            print(json.dumps(row), flush=True)
            if error is not None and target is not None and error <= target:
                return
            clock.start()


def evaluate_exported(request, c, run, path, *vocab_paths):
    sys.path.append(str(Path(__file__).resolve().parents[2] / "examples" / "python"))
    import safetensors_file
    from seq2seq import read_vocab

    vocabs = [read_vocab(path) if path else None for path in vocab_paths]
    data = make_data(c, run, request["data"], vocabs)
    model = Transformer(c, data.source_vocab, data.target_vocab)
    model.load_state_dict(safetensors_file.read(path)[0])
    print(json.dumps(dict(error=evaluate(model, data))))


def main(text, *exported):
    request = json.loads(text)
    torch.set_num_threads(request["threads"])
    torch.set_flush_denormal(True)
    c, run = read_recipe(request["recipe"])
    if exported:
        evaluate_exported(request, c, run, *exported)
    else:
        print(json.dumps(dict(version=torch.__version__)), flush=True)
        train(request, c, run)


if __name__ == "__main__":
    main(*sys.argv[1:])
