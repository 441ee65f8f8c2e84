"""torch_step.py - the bench's training steps by PyTorch: the same models, the same batch, the same rows of JSON.

One step is what bench/step.c times: forward, mean cross-entropy, backward, clip of the global norm, Adam, in float32.
bench/peers/run gives it the environment that suits it best.
"""

import argparse
import json
import math
import resource
import statistics
import time
from collections import namedtuple

import torch
from torch import nn

# The table of bench/configs.c.
Config = namedtuple("Config", "decoder_only vocab d_model heads layers ffn rows source_length target_length")
CONFIGS = {
    "toy": Config(False, 16, 64, 4, 2, 256, 64, 12, 12),
    "small": Config(False, 32, 128, 4, 2, 512, 64, 32, 32),
    "nano": Config(True, 65, 128, 4, 4, 512, 12, 0, 64),
    "g2p": Config(False, 96, 256, 4, 4, 1024, 128, 12, 12),
    "annot": Config(False, 11, 512, 8, 2, 2048, 80, 10, 9),
    "gptmid": Config(True, 65, 384, 6, 6, 1536, 8, 0, 256),
}


class Embedding(nn.Module):
    """Rows of a table times sqrt(d_model), plus sinusoidal positions; then dropout."""

    def __init__(self, config, length, dropout):
        super().__init__()
        self.table = nn.Embedding(config.vocab, config.d_model)
        self.dropout = nn.Dropout(dropout)
        self.scale = math.sqrt(config.d_model)
        angle = torch.arange(length).unsqueeze(1) / 10000 ** (torch.arange(0, config.d_model, 2) / config.d_model)
        self.register_buffer("positions", torch.stack((angle.sin(), angle.cos()), dim=2).reshape(length, -1))

    def forward(self, tokens):
        return self.dropout(self.table(tokens) * self.scale + self.positions)


class Model(nn.Module):
    """Pre-norm blocks with a norm behind each stack, and an output projection of its own."""

    def __init__(self, config, dropout):
        super().__init__()
        block = dict(dim_feedforward=config.ffn, dropout=dropout, batch_first=True, norm_first=True)
        self.target = Embedding(config, config.target_length, dropout)
        self.output = nn.Linear(config.d_model, config.vocab)
        causal = torch.full((config.target_length, config.target_length), -math.inf).triu(1)
        self.register_buffer("causal", causal)
        if config.decoder_only:
            layer = nn.TransformerEncoderLayer(config.d_model, config.heads, activation="gelu", **block)
            self.source = None
            self.stack = nn.TransformerEncoder(layer, config.layers, nn.LayerNorm(config.d_model))
        else:
            self.source = Embedding(config, config.source_length, dropout)
            self.stack = nn.Transformer(
                config.d_model, config.heads, config.layers, config.layers, activation="relu", **block
            )

    def forward(self, source, target):
        y = self.target(target)
        if self.source is None:
            y = self.stack(y, self.causal)
        else:
            y = self.stack(self.source(source), y, tgt_mask=self.causal)
        return self.output(y)


def time_steps(config, dropout, steps):
    """Seconds of each timed step, and the last loss."""
    model = Model(config, dropout).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    cross_entropy = nn.CrossEntropyLoss()
    source, target, after = (
        torch.randint(1, config.vocab, (config.rows, length))
        for length in (config.source_length, config.target_length, config.target_length)
    )

    def step():
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(model(source, target).flatten(0, 1), after.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return time.perf_counter() - start, loss.item()

    for _ in range(4):
        warm, _ = step()
    if not steps:
        steps = max(5, min(200, int(1.5 / warm)))
    timed = [step() for _ in range(steps)]
    return [seconds for seconds, _ in timed], timed[-1][1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=CONFIGS, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--steps", type=int, default=0, help="default: as many as fit into 1.5 seconds, 5 to 200")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    config = CONFIGS[arguments.config]
    seconds, loss = time_steps(config, arguments.dropout, arguments.steps)
    median = statistics.median(seconds)
    row = {
        "bench": "step",
        "config": arguments.config,
        "dropout": arguments.dropout,
        "threads": arguments.threads,
        "ms_per_step": round(1e3 * median, 3),
        "min_ms": round(1e3 * min(seconds), 3),
        "tok_per_s": round(config.rows * (config.source_length + config.target_length) / median),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "loss": round(loss, 4),
        "torch": torch.__version__,
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
