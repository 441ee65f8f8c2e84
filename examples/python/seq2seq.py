"""seq2seq.py - tapeformer's encoder-decoder made of PyTorch's modules, so that the parameters have the same names.

Pre-norm, relu, sinusoidal positions: what `tapeformer train` makes if nobody says otherwise. tests/reference/models.py
has every kind of model. A mask of PyTorch's says what may NOT be looked at.
"""

import math
import re

import torch
from torch import nn

PAD, BOS, EOS, UNK = range(4)  # the first tokens of every vocabulary


class Seq2Seq(nn.Module):
    def __init__(self, source_vocab, target_vocab, width, heads, layers, ffn):
        super().__init__()
        block = dict(d_model=width, nhead=heads, dim_feedforward=ffn, dropout=0.0, batch_first=True, norm_first=True)
        encoder, decoder = nn.TransformerEncoderLayer(**block), nn.TransformerDecoderLayer(**block)
        self.src_embedding = nn.Embedding(source_vocab, width)
        self.tgt_embedding = nn.Embedding(target_vocab, width)
        self.encoder = nn.TransformerEncoder(encoder, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(decoder, layers, nn.LayerNorm(width))
        self.output = nn.Linear(width, target_vocab)

    def forward(self, source, target):
        """Tokens [rows, S] and [rows, T], no padding -> logits [rows, T, target_vocab]."""
        length = target.shape[1]
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        memory = self.encoder(embed(self.src_embedding, source))
        return self.output(self.decoder(embed(self.tgt_embedding, target), memory, tgt_mask=later))

    @torch.no_grad()
    def answer(self, source, longest=64):
        """The most probable token, again and again."""
        target = [BOS]
        while target[-1] != EOS and len(target) <= longest:
            target.append(int(self(torch.tensor([source + [EOS]]), torch.tensor([target]))[0, -1].argmax()))
        return target[1:-1] if target[-1] == EOS else target[1:]


def model_of(tensors, heads):
    """The model whose parameters these are, which tell all but the number of heads."""
    layers = sum(name.startswith("encoder.") and name.endswith(".linear1.weight") for name in tensors)
    ffn, width = tensors["encoder.layers.0.linear1.weight"].shape
    source, target = len(tensors["src_embedding.weight"]), len(tensors["tgt_embedding.weight"])
    model = Seq2Seq(source, target, width, heads, layers, ffn).to(tensors["output.weight"].dtype)
    model.load_state_dict(tensors)  # every name and every shape fits
    return model


def embed(table, tokens):
    width = table.embedding_dim
    angle = torch.arange(tokens.shape[1]).double()[:, None] / 10000 ** (torch.arange(0, width, 2).double() / width)
    code = torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)[:, :width]
    return table(tokens) * math.sqrt(width) + code.to(table.weight)


def read_vocab(path):
    """The tokens of a file that `tapeformer export` wrote: line i + 1 is token i."""
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = file.read().split("\n")[:-1]
    return [re.sub(r"\\([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), line) for line in lines]
