"""transformer.py - transformers in PyTorch whose parameters have tapeformer's names.

The peers' training steps (torch_step.py) and trainings (train.py) are made of these modules. What a recipe may choose
among stands in tables: ACTIVATIONS, NORMS, POSITIONS, INITS. A new choice is a new entry.
"""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "gelu-tanh": partial(F.gelu, approximate="tanh"), "silu": F.silu}
NORMS = {"layer": nn.LayerNorm, "rms": nn.RMSNorm}
POSITIONS = ["sinusoidal", "learned", "rotary", "none"]


def angles(length, width):
    """Position times frequency, [length, width / 2 rounded up]."""
    return torch.arange(length).double()[:, None] / 10000 ** (torch.arange(0, width, 2).double() / width)


def sinusoidal(length, width):
    angle = angles(length, width)
    return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)[:, :width].float()


def rotary(length, width):
    """Turns as complex numbers e^(i angle), [length, width / 2]."""
    angle = angles(length, width)
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


def turn(x, turns):
    """Rotates the pairs (2i, 2i + 1) of x [.., T, width] (Su et al. 2021)."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turns[: x.shape[-2]]).flatten(-2).type_as(x)


class Attention(nn.Module):
    """nn.MultiheadAttention without its general cases: batch first, no weights returned, and with rotary positions if
    there are `turns`. `mask`: True may be looked at.

    Where `fused` is false it is written out, for the compiler to fuse: on short rows that is faster."""

    fused = True

    def __init__(self, width, heads, bias=True, dropout=0.0):
        super().__init__()
        self.width, self.heads, self.dropout = width, heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width)) if bias else None
        self.out_proj = nn.Linear(width, width, bias)

    def project(self, x, memory):
        width, weight, bias = self.width, self.in_proj_weight, self.in_proj_bias
        if memory is None:
            return F.linear(x, weight, bias).chunk(3, dim=2)
        first, rest = (bias[:width], bias[width:]) if bias is not None else (None, None)
        return (F.linear(x, weight[:width], first), *F.linear(memory, weight[width:], rest).chunk(2, dim=2))

    def forward(self, x, memory=None, causal=False, mask=None, turns=None):
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.project(x, memory))
        if turns is not None:
            q, k = turn(q, turns), turn(k, turns)
        if self.fused:
            dropout = self.dropout if self.training else 0.0
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=causal)
        else:
            scores = q * q.shape[3] ** -0.5 @ k.transpose(2, 3)
            if causal:
                scores = scores + torch.full(scores.shape[2:], -math.inf).triu(1)
            y = scores.softmax(3) @ v
        return self.out_proj(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A pre-norm block; with `memory`, it attends to that in the middle."""

    def __init__(
        self, width, heads, ffn, crosses, causal, activation, bias=True, dropout=0.0, norm=nn.LayerNorm, turned=False
    ):
        """`turned`: rotary positions act in the cross-attention, too."""
        super().__init__()
        self.causal, self.activation, self.dropout, self.turned = causal, activation, dropout, turned
        self.self_attn = Attention(width, heads, bias, dropout)
        self.multihead_attn = Attention(width, heads, bias, dropout) if crosses else None
        self.linear1, self.linear2 = nn.Linear(width, ffn, bias), nn.Linear(ffn, width, bias)
        self.norm1, self.norm2 = norm(width), norm(width)
        self.norm3 = norm(width) if crosses else None

    def drop(self, x):
        return F.dropout(x, self.dropout, self.training) if self.dropout else x

    def forward(self, x, memory=None, mask=None, turns=None):
        """`mask` hides padding of the source: in an encoder's block from itself, else in `memory`."""
        own = mask if memory is None else None
        x = x + self.drop(self.self_attn(self.norm1(x), causal=self.causal, mask=own, turns=turns))
        last = self.norm2
        if memory is not None:
            x = x + self.drop(self.multihead_attn(self.norm2(x), memory, mask=mask, turns=turns if self.turned else None))
            last = self.norm3
        return x + self.drop(self.linear2(self.drop(self.activation(self.linear1(last(x))))))


class Stack(nn.Module):
    def __init__(self, layers, width, *block, norm=nn.LayerNorm, **options):
        super().__init__()
        self.layers = nn.ModuleList(Block(width, *block, norm=norm, **options) for _ in range(layers))
        self.norm = norm(width)

    def forward(self, x, memory=None, mask=None, turns=None):
        for layer in self.layers:
            x = layer(x, memory, mask, turns)
        return self.norm(x)


# ---- Initial values ----


@torch.no_grad()
def init_tapeformer(model):
    """Xavier's uniform for matrices (query, key and value as one), 0 for biases, as nn.MultiheadAttention has them."""
    for name, parameter in model.named_parameters():
        if name.endswith("embedding.weight"):
            nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        elif name.endswith("positions.weight"):
            nn.init.normal_(parameter, std=0.02)
        elif parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


@torch.no_grad()
def init_gpt2(model):
    """nanoGPT's model.py: normal with deviation 0.02, less at the end of a sublayer."""
    for name, parameter in model.named_parameters():
        if name.endswith(("out_proj.weight", "linear2.weight")):
            nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * len(model.decoder.layers)))
        elif parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.02)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


@torch.no_grad()
def init_annotated(model):
    """make_model of The Annotated Transformer: Xavier's uniform for every matrix. Query, key and value are apart."""
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            for matrix in parameter.chunk(3) if name.endswith("in_proj_weight") else [parameter]:
                nn.init.xavier_uniform_(matrix)
        elif name.endswith("in_proj_bias"):
            nn.init.uniform_(parameter, -(model.width**-0.5), model.width**-0.5)  # that of nn.Linear


@torch.no_grad()
def init_zero_residual(model):
    """tapeformer's --zero-residual: each block begins as the identity."""
    init_tapeformer(model)
    for name, parameter in model.named_parameters():
        if name.endswith(("out_proj.weight", "linear2.weight")):
            nn.init.zeros_(parameter)


INITS = {"tapeformer": init_tapeformer, "zero-residual": init_zero_residual, "gpt2": init_gpt2, "annotated": init_annotated}


# ---- Models ----


class Transformer(nn.Module):
    """An encoder-decoder, or without `source_vocab` a decoder; `c` has the fields of tapeformer's nn_model_config."""

    def __init__(self, c, source_vocab, target_vocab, init="tapeformer"):
        super().__init__()
        self.width, self.scale, self.dropout = c.d_model, c.embedding_scale, c.dropout
        norm_bias = {} if c.norm == "rms" else {"bias": not c.no_norm_bias}
        norm = partial(NORMS[c.norm], eps=c.norm_eps, **norm_bias)
        options = dict(bias=not c.no_bias, dropout=c.dropout, norm=norm, turned=c.cross_positions)
        stack = partial(Stack, heads=c.heads, ffn=c.ffn, activation=ACTIVATIONS[c.activation], **options)
        self.crosses = source_vocab is not None
        if self.crosses:
            self.src_embedding = nn.Embedding(source_vocab, c.d_model)
            self.encoder = stack(c.encoder_layers, c.d_model, crosses=False, causal=False)
        self.tgt_embedding = nn.Embedding(target_vocab, c.d_model)
        self.decoder = stack(c.decoder_layers, c.d_model, crosses=self.crosses, causal=True)
        if c.positions == "learned":
            for side in ["src", "tgt"] if self.crosses else ["tgt"]:
                self.add_module(f"{side}_positions", nn.Embedding(c.max_length, c.d_model))
        code = sinusoidal(c.max_length, c.d_model) if c.positions == "sinusoidal" else None
        turns = rotary(c.max_length, c.d_model // c.heads) if c.positions == "rotary" else None
        self.register_buffer("code", code, persistent=False)
        self.register_buffer("turns", turns, persistent=False)
        self.output = None if c.tied_output else nn.Linear(c.d_model, target_vocab, not c.no_output_bias)
        INITS[init](self)

    def embed(self, side, tokens):
        x = self.get_submodule(f"{side}_embedding")(tokens) * self.scale
        learned = getattr(self, f"{side}_positions", None)
        code = learned.weight if learned is not None else self.code
        x = x if code is None else x + code[: tokens.shape[1]]
        return F.dropout(x, self.dropout, self.training) if self.dropout else x

    def encode(self, source, mask):
        return self.encoder(self.embed("src", source), mask=mask, turns=self.turns)

    def decode(self, memory, mask, target):
        y = self.decoder(self.embed("tgt", target), memory, mask, self.turns)
        return self.output(y) if self.output else F.linear(y, self.tgt_embedding.weight)

    def forward(self, source, mask, target):
        """Logits [rows, T, vocabulary]; `mask` [rows, 1, 1, S] is True at the source's tokens, or None."""
        return self.decode(self.encode(source, mask) if self.crosses else None, mask, target)
