"""make_gpt2.py - a tiny GPT-2 in PyTorch: a checkpoint in its layout, and the logits that PyTorch makes of it.

    python3 tests/reference/make_gpt2.py            writes gpt2.safetensors and gpt2_logits.safetensors beside this script
    python3 tests/reference/make_gpt2.py --check    computes everything anew and compares it with the files

The checkpoint is one as published: names behind "transformer.", weights of linear layers as [in, out], the causal mask
in a buffer of each block, the tied output a second time. tests/train/test_import.c reads both files. As in make_fixtures.py,
PyTorch computes in double precision with weights that a float holds exactly.
"""

import math
import pathlib
import sys
import tempfile

import torch
from torch import nn
from torch.nn import functional as F

from fixtures import Draw, Fixtures, same_fixtures

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.append(str(FOLDER.parents[1] / "examples" / "python"))
import safetensors_file  # noqa: E402

VOCAB, LONGEST, WIDTH, HEADS, LAYERS, FFN = 11, 9, 12, 3, 2, 40


class Conv1D(nn.Module):
    """y = x W + b: a linear layer whose matrix is [in, out]."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn, self.c_proj = Conv1D(WIDTH, 3 * WIDTH), Conv1D(WIDTH, WIDTH)
        mask = torch.ones(LONGEST, LONGEST, dtype=torch.bool).tril().reshape(1, 1, LONGEST, LONGEST)
        self.register_buffer("bias", mask)  # True: may be looked at
        self.register_buffer("masked_bias", torch.tensor(-1e4))

    def forward(self, x):
        rows, length, _ = x.shape
        query, key, value = (
            part.reshape(rows, length, HEADS, -1).transpose(1, 2) for part in self.c_attn(x).split(WIDTH, dim=2)
        )
        scores = query @ key.transpose(2, 3) / math.sqrt(WIDTH // HEADS)
        weights = scores.masked_fill(~self.bias[:, :, :length, :length], -math.inf).softmax(dim=3)
        return self.c_proj((weights @ value).transpose(1, 2).reshape(rows, length, WIDTH))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_fc, self.c_proj = Conv1D(WIDTH, FFN), Conv1D(FFN, WIDTH)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(WIDTH, eps=1e-5), Attention()
        self.ln_2, self.mlp = nn.LayerNorm(WIDTH, eps=1e-5), FeedForward()

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCAB, WIDTH), nn.Embedding(LONGEST, WIDTH)
        self.h = nn.ModuleList([Block() for _ in range(LAYERS)])
        self.ln_f = nn.LayerNorm(WIDTH, eps=1e-5)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return self.ln_f(x)


class GPT2(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer = Transformer()
        self.lm_head = nn.Linear(WIDTH, VOCAB, bias=False)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, tokens):
        return self.lm_head(self.transformer(tokens))


def make(folder):
    """Writes both files; their names."""
    model = GPT2().double()
    for name, parameter in model.named_parameters():
        parameter.data = Draw("gpt2 " + name).uniform(parameter.shape)
    tokens = Draw("gpt2 tokens").integers((3, LONGEST), 0, VOCAB)
    logits = Fixtures("gpt2_logits")
    case = logits.case("logits", heads=HEADS)
    case.given("tokens", tokens)
    case.expected("logits", model(tokens).detach())
    (folder / "gpt2_logits.safetensors").write_bytes(logits.to_bytes())
    kinds = {torch.float64: torch.float32}
    tensors = {name: tensor.to(kinds.get(tensor.dtype, tensor.dtype)) for name, tensor in model.state_dict().items()}
    safetensors_file.write(folder / "gpt2.safetensors", tensors, {"format": "pt"})
    return ["gpt2.safetensors", "gpt2_logits.safetensors"]


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    if not arguments:
        make(FOLDER)
        return
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name in make(pathlib.Path(folder)):
            ours, made = (FOLDER / name).read_bytes(), (pathlib.Path(folder) / name).read_bytes()
            difference = same_fixtures(ours, made) if name.endswith("logits.safetensors") else ours != made
            failed = failed or bool(difference)
            print(f"{name}: {difference or 'the same'}")
    sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1:])
