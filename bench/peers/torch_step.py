"""torch_step.py - the bench's training steps by PyTorch, eager or compiled.

One step is what bench/training.c takes: forward, mean cross-entropy, backward, clip of the global norm at 1, Adam, in
float32. What is set beside PyTorch's defaults is what made it faster (bench/README.md has the list).
"""

import argparse
import math

import torch
import torch.nn.functional as F
from torch import nn

from serving import positions, read_start, serve
from transformer import Attention, Stack

LONGEST_WRITTEN_OUT = 16  # tokens of a row; see Attention


class Model(nn.Module):
    """An encoder-decoder with relu, or a decoder with gelu. Where the file has no parameters of the output, that is
    the table of the embedding; where it has none of positions, they are computed."""

    def __init__(self, start):
        super().__init__()
        shape = {name: array.shape for name, array in start.parameters.items()}
        vocab, self.width = shape["tgt_embedding.weight"]
        ffn, pair = shape["decoder.layers.0.linear1.weight"][0], start.source is not None
        self.tgt_embedding = nn.Embedding(vocab, self.width)
        self.decoder = Stack(start.layers, self.width, start.heads, ffn, pair, True, F.relu if pair else F.gelu)
        if pair:
            self.src_embedding = nn.Embedding(shape["src_embedding.weight"][0], self.width)
            self.encoder = Stack(start.layers, self.width, start.heads, ffn, False, False, F.relu)
        self.output = nn.Linear(self.width, vocab) if "output.weight" in shape else None
        learned = shape.get("tgt_positions.weight")
        self.tgt_positions = nn.Embedding(*learned) if learned else None
        longest = max(start.target.shape[1], start.source.shape[1] if pair else 0)
        self.register_buffer("positions", torch.from_numpy(positions(longest, self.width)), persistent=False)

    def embed(self, table, tokens):
        codes = self.positions if self.tgt_positions is None else self.tgt_positions.weight
        return table(tokens) * math.sqrt(self.width) + codes[: tokens.shape[1]]

    def forward(self, source, target, after):
        memory = None if source is None else self.encoder(self.embed(self.src_embedding, source))
        y = self.decoder(self.embed(self.tgt_embedding, target), memory)
        logits = self.output(y) if self.output else F.linear(y, self.tgt_embedding.weight)
        return F.cross_entropy(logits.flatten(0, 1), after.flatten())


def compiled(model, batch):
    """A function that leaves gradients in the parameters and returns the loss: forward, loss and backward are one
    graph, so no part of it runs in Python."""
    values = dict(model.named_parameters())
    Attention.fused = max(part.shape[1] for part in batch if part is not None) > LONGEST_WRITTEN_OUT

    def loss_of(values):
        return torch.func.functional_call(model, values, tuple(batch))

    compute = torch.compile(torch.func.grad_and_value(loss_of), fullgraph=True, dynamic=False)

    def backward():
        with torch.no_grad():
            grads, loss = compute(values)
        for name, parameter in values.items():
            parameter.grad = grads[name]
        return loss

    return backward


def eager(model, batch):
    """The same, operation by operation."""

    def backward():
        model.zero_grad(set_to_none=True)
        loss = model(*batch)
        loss.backward()
        return loss

    return backward


def make_step(start, kind):
    """The model, and a function that takes a step and returns its loss."""
    model = Model(start)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in start.parameters.items()})
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    parts = (start.source, start.target, start.next)
    batch = [None if part is None else torch.from_numpy(part).long() for part in parts]
    backward = kind(model, batch)

    def step():
        loss = backward()
        nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
        return loss.item()

    return model, step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("start", help="the file that bench --serve wrote")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    model, step = make_step(read_start(arguments.start), compiled if arguments.compile else eager)
    count = sum(parameter.numel() for parameter in model.parameters())
    serve("compile" if arguments.compile else "eager", torch.__version__, count, step)


if __name__ == "__main__":
    main()
