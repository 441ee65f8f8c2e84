"""models.py - tapeformer's three models as PyTorch modules, whose state_dict has tapeformer's parameter names.

    model = EncoderDecoder(Config("encoder-decoder", source_vocab=7, target_vocab=6))
    model.load_state_dict(tensors_of_a_model_file)

They are made of nn.TransformerEncoder, nn.TransformerDecoder and nn.Transformer; beside these they have what
tapeformer's models have: embeddings times sqrt(d_model), positions, an output layer. Masks are PyTorch's: True, or
-inf, is what may NOT be looked at.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "gelu-tanh": partial(F.gelu, approximate="tanh"), "silu": F.silu}


@dataclass
class Config:
    """nn_model_config of tapeformer's nn.h."""

    kind: str
    source_vocab: int = 0
    target_vocab: int = 0
    d_model: int = 256
    heads: int = 4
    ffn: int = 1024
    encoder_layers: int = 3
    decoder_layers: int = 3
    max_length: int = 512
    activation: str = "relu"
    norm_eps: float = 1e-5
    positions: str = "sinusoidal"
    post_norm: bool = False
    tied_output: bool = False
    padding_id: int = 0
    final_norm: str = "usual"  # yes, no; usual: of a pre-norm stack
    no_bias: bool = False  # PyTorch's bias=False takes those of the norms too, so both are set or none
    no_norm_bias: bool = False
    no_output_bias: bool = False


@dataclass
class Masks:
    """None: everything may be looked at."""

    source: Optional[Tensor] = None  # [S, S]
    target: Optional[Tensor] = None  # [T, T]
    memory: Optional[Tensor] = None  # [T, S]
    source_padding: Optional[Tensor] = None  # [B, S]
    target_padding: Optional[Tensor] = None  # [B, T]


def block_options(config):
    assert config.no_bias == config.no_norm_bias
    return {
        **({"bias": False} if config.no_bias else {}),
        "d_model": config.d_model,
        "nhead": config.heads,
        "dim_feedforward": config.ffn,
        "dropout": 0.0,
        "activation": ACTIVATIONS[config.activation],
        "layer_norm_eps": config.norm_eps,
        "batch_first": True,
        "norm_first": not config.post_norm,
    }


def final_norm(config):
    """Usually only a pre-norm stack has one (nn.Transformer, left to itself, gives one to a post-norm stack too)."""
    wanted = {"usual": not config.post_norm, "yes": True, "no": False}[config.final_norm]
    options = {"bias": False} if config.no_norm_bias else {}
    return nn.LayerNorm(config.d_model, eps=config.norm_eps, **options) if wanted else None


def encoder_stack(config, layers):
    block = nn.TransformerEncoderLayer(**block_options(config))
    return nn.TransformerEncoder(block, layers, final_norm(config), enable_nested_tensor=False)


def decoder_stack(config, layers):
    return nn.TransformerDecoder(nn.TransformerDecoderLayer(**block_options(config)), layers, final_norm(config))


def sinusoidal(length, width):
    angle = torch.arange(length, dtype=torch.float64).unsqueeze(1) / 10000 ** (
        torch.arange(0, width, 2, dtype=torch.float64) / width
    )
    return torch.stack((angle.sin(), angle.cos()), dim=2).reshape(length, -1)[:, :width]


def add_tables(module, side, vocab):
    """`side`_embedding, and where positions are learned `side`_positions."""
    config = module.config
    padding = config.padding_id if config.padding_id >= 0 else None
    module.add_module(f"{side}_embedding", nn.Embedding(vocab, config.d_model, padding_idx=padding))
    if config.positions == "learned":
        module.add_module(f"{side}_positions", nn.Embedding(config.max_length, config.d_model))


def embed(module, side, ids):
    config = module.config
    x = module.get_submodule(f"{side}_embedding")(ids) * math.sqrt(config.d_model)
    if config.positions == "sinusoidal":
        x = x + sinusoidal(ids.shape[1], config.d_model).to(x)
    elif config.positions == "learned":
        x = x + module.get_submodule(f"{side}_positions").weight[: ids.shape[1]]
    return x


def add_output(module):
    if not module.config.tied_output:
        bias = not module.config.no_output_bias
        module.output = nn.Linear(module.config.d_model, module.config.target_vocab, bias=bias)


def project(module, x):
    return F.linear(x, module.tgt_embedding.weight) if module.config.tied_output else module.output(x)


class Encoder(nn.Module):
    """A label for each token."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        add_tables(self, "src", config.source_vocab)
        self.encoder = encoder_stack(config, config.encoder_layers)
        add_output(self)

    def forward(self, source, target, masks):
        x = self.encoder(embed(self, "src", source), masks.source, masks.source_padding)
        return project(self, x)


class Decoder(nn.Module):
    """A language model: with no memory to attend to, a decoder is an encoder with a causal mask."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        add_tables(self, "tgt", config.target_vocab)
        self.decoder = encoder_stack(config, config.decoder_layers)
        add_output(self)

    def forward(self, source, target, masks):
        x = self.decoder(embed(self, "tgt", target), masks.target, masks.target_padding)
        return project(self, x)


class EncoderDecoder(nn.Transformer):
    """Sequence to sequence."""

    def __init__(self, config):
        own_stacks = {}  # with final norms: those of nn.Transformer itself
        if final_norm(config) is None:
            own_stacks = {
                "custom_encoder": encoder_stack(config, config.encoder_layers),
                "custom_decoder": decoder_stack(config, config.decoder_layers),
            }
        super().__init__(
            num_encoder_layers=config.encoder_layers,
            num_decoder_layers=config.decoder_layers,
            **block_options(config),
            **own_stacks,
        )
        self.config = config
        add_tables(self, "src", config.source_vocab)
        add_tables(self, "tgt", config.target_vocab)
        add_output(self)

    def forward(self, source, target, masks):
        x = super().forward(
            embed(self, "src", source),
            embed(self, "tgt", target),
            src_mask=masks.source,
            tgt_mask=masks.target,
            memory_mask=masks.memory,
            src_key_padding_mask=masks.source_padding,
            tgt_key_padding_mask=masks.target_padding,
            memory_key_padding_mask=masks.source_padding,
        )
        return project(self, x)


MODELS = {"encoder": Encoder, "decoder": Decoder, "encoder-decoder": EncoderDecoder}
