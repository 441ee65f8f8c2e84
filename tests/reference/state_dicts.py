"""state_dicts.py - the forms in which PyTorch and the package safetensors give the weights of one kind of model.

    python3 tests/reference/state_dicts.py FOLDER TEXT ...

Writes FOLDER/NAME.safetensors for each form, FOLDER/NAME.flags (what `tapeformer import` has to be told) and FOLDER/
NAME.answers (what PyTorch answers to the texts), and FOLDER/vocab.txt. Prints the names. The models are not trained: their
answers are arbitrary, and long.
"""

import pathlib
import sys

import torch
from torch import nn

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "python"))

import safetensors_file
from seq2seq import BOS, EOS, PAD, UNK, Seq2Seq, embed

LETTERS = "abcdefgh"
VOCAB = ["<pad>", "<bos>", "<eos>", "<unk>", *LETTERS]
WIDTH, HEADS, LAYERS, FFN, LONGEST = 16, 2, 2, 24, 12


class WithTransformer(Seq2Seq):
    """nn.Transformer as an attribute, as it is by default but for the sizes: post-norm stacks with final norms."""

    def __init__(self, tied=False, **options):
        nn.Module.__init__(self)
        self.src_embedding = nn.Embedding(len(VOCAB), WIDTH)
        self.tgt_embedding = nn.Embedding(len(VOCAB), WIDTH)
        self.transformer = nn.Transformer(WIDTH, HEADS, LAYERS, LAYERS, FFN, 0.0, batch_first=True, **options)
        self.output = nn.Linear(WIDTH, len(VOCAB), bias=not tied)
        if tied:
            self.output.weight = self.tgt_embedding.weight

    def forward(self, source, target):
        later = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        source, target = embed(self.src_embedding, source), embed(self.tgt_embedding, target)
        return self.output(self.transformer(source, target, tgt_mask=later))


@torch.no_grad()
def answer(model, text):
    """The most probable token that is no mark, or the end, again and again: as `tapeformer predict`."""
    source, target = [VOCAB.index(letter) for letter in text] + [EOS], [BOS]
    while target[-1] != EOS and len(target) <= LONGEST:
        logits = model(torch.tensor([source]), torch.tensor([target]))[0, -1]
        logits[[PAD, BOS, UNK]] = -torch.inf
        target.append(int(logits.argmax()))
    return "".join(VOCAB[token] for token in target[1:] if token != EOS)


def plain():
    return Seq2Seq(len(VOCAB), len(VOCAB), WIDTH, HEADS, LAYERS, FFN)


def without_final_norms():
    model = plain()
    model.encoder.norm = model.decoder.norm = None  # what both stacks have if they are given none
    return model


def apart(tensors):
    """Query, key and value as a MultiheadAttention with kdim and vdim has them."""
    result = {}
    for name, tensor in tensors.items():
        if name.endswith("in_proj_weight"):
            for part, rows in zip("qkv", tensor.chunk(3)):
                result[name.removesuffix("in_proj_weight") + f"{part}_proj_weight"] = rows
        else:
            result[name] = tensor
    return result


def forms():
    """Name, model, its tensors, flags."""
    default = "--post-norm --final-norm"
    yield "plain", (model := plain()), model.state_dict(), ""
    yield "half", (model := plain().half()), model.state_dict(), ""
    yield "apart", (model := plain()), apart(model.state_dict()), ""
    yield "module", (model := plain()), nn.DataParallel(model).state_dict(), ""
    yield "compiled", (model := plain()), torch.compile(model).state_dict(), ""
    yield "averaged", (model := plain()), torch.optim.swa_utils.AveragedModel(model).state_dict(), ""
    yield "no-final-norm", (model := without_final_norms()), model.state_dict(), "--no-final-norm"
    yield "transformer", (model := WithTransformer()), model.state_dict(), default
    yield "both", (model := WithTransformer()), torch.compile(nn.DataParallel(model)).state_dict(), default
    yield "pre", (model := WithTransformer(norm_first=True)), model.state_dict(), ""
    yield "gelu", (model := WithTransformer(activation="gelu")), model.state_dict(), default + " --activation gelu"
    yield "bare", (model := WithTransformer(bias=False)), model.state_dict(), default + " --no-bias --no-norm-bias"
    yield "tied", (model := WithTransformer(tied=True)), model.state_dict(), default + " --tied"
    yield "untied", model, model.state_dict(), default + " --no-output-bias"


def main(folder, *texts):
    folder = pathlib.Path(folder)
    torch.manual_seed(5)
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in VOCAB))
    for name, model, tensors, flags in forms():
        safetensors_file.write(folder / f"{name}.safetensors", tensors, {"format": "pt"})
        model = model.float().eval()
        (folder / f"{name}.answers").write_text("".join(answer(model, text) + "\n" for text in texts))
        (folder / f"{name}.flags").write_text(flags)
        print(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
