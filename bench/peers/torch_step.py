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

LONGEST_WRITTEN_OUT = 16  # tokens of a row; see Attention


class Attention(nn.Module):
    """nn.MultiheadAttention without its general cases: batch first, no mask but the causal one, no weights returned.

    Where `fused` is false it is written out, for the compiler to fuse: on short rows that is faster."""

    fused = True

    def __init__(self, width, heads):
        super().__init__()
        self.width, self.heads = width, heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x, memory=None, causal=False):
        width, weight, bias = self.width, self.in_proj_weight, self.in_proj_bias
        if memory is None:
            parts = F.linear(x, weight, bias).chunk(3, dim=2)
        else:
            query = F.linear(x, weight[:width], bias[:width])
            parts = (query, *F.linear(memory, weight[width:], bias[width:]).chunk(2, dim=2))
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        else:
            scores = q * q.shape[3] ** -0.5 @ k.transpose(2, 3)
            if causal:
                scores = scores + torch.full(scores.shape[2:], -math.inf).triu(1)
            y = scores.softmax(3) @ v
        return self.out_proj(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A pre-norm block; with `memory`, it attends to that in the middle."""

    def __init__(self, width, heads, ffn, crosses, causal, activation):
        super().__init__()
        self.causal, self.activation = causal, activation
        self.self_attn = Attention(width, heads)
        self.multihead_attn = Attention(width, heads) if crosses else None
        self.linear1, self.linear2 = nn.Linear(width, ffn), nn.Linear(ffn, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width) if crosses else None

    def forward(self, x, memory=None):
        x = x + self.self_attn(self.norm1(x), causal=self.causal)
        last = self.norm2
        if memory is not None:
            x = x + self.multihead_attn(self.norm2(x), memory)
            last = self.norm3
        return x + self.linear2(self.activation(self.linear1(last(x))))


class Stack(nn.Module):
    def __init__(self, layers, width, *block):
        super().__init__()
        self.layers = nn.ModuleList(Block(width, *block) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x, memory=None):
        for layer in self.layers:
            x = layer(x, memory)
        return self.norm(x)


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
