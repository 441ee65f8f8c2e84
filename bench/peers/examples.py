"""examples.py - what the peers train on: the same files that tapeformer reads, split and numbered in the same way."""

import math
from collections import namedtuple

import torch

PAD, BOS, EOS, UNK = range(4)  # the first tokens of every vocabulary that has marks
POOL_BATCHES = 64

Batch = namedtuple("Batch", "source mask target after")  # of a text, source and mask are None


def mask_of(source):
    """True at the tokens of `source` [rows, S], as [rows, 1, 1, S]; None where nothing is padding."""
    mask = source != PAD
    return None if bool(mask.all()) else mask[:, None, None, :]


class Text:
    """The characters of a file. The last `held_out` of it is `dev`: windows of `context` tokens, one after the other,
    each predicted from its own tokens alone, as `tapeformer train` evaluates and `tapeformer eval` does."""

    padding = -100  # no target is padding

    def __init__(self, path, held_out, context, vocab=None, marks=True):
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        border = int(len(text) * (1 - held_out))
        vocab = vocab or [None] * (UNK + 1) * marks + sorted(set(text[:border]))
        index = {token: i for i, token in enumerate(vocab)}
        ids = torch.tensor([index[letter] for letter in text])  # every letter of the end is in the beginning
        self.source_vocab, self.target_vocab = None, len(vocab)
        self.context, self.training, self.dev = context, ids[:border], ids[border:]

    def cut(self, ids, starts, length):
        rows = starts[:, None] + torch.arange(length + 1)
        return Batch(None, None, ids[rows[:, :-1]], ids[rows[:, 1:]])

    def random(self, rows):
        """Windows that begin anywhere, as nanoGPT draws them."""
        while True:
            starts = torch.randint(len(self.training) - self.context, (rows,))
            yield self.cut(self.training, starts, self.context)

    def batches(self, rows):
        """Epochs of windows side by side, moved by a random distance, in a random order, as tapeformer's."""
        last = len(self.training) - 1 - self.context
        while True:
            shift = torch.randint(-(self.context // 2), self.context // 2 + 1, (1,))
            starts = (torch.arange(0, len(self.training) - 1, self.context) + shift).clamp(0, last)
            for part in starts[torch.randperm(len(starts))].split(rows):
                yield self.cut(self.training, part, self.context)

    def error(self, model, rows=64):
        """Mean cross-entropy in nats per character over all of dev except its first."""
        total, targets = 0.0, len(self.dev) - 1
        starts = torch.arange(0, targets - self.context + 1, self.context)
        parts = [(part, self.context) for part in starts.split(rows)]
        if targets % self.context:
            parts.append((torch.tensor([targets - targets % self.context]), targets % self.context))
        for part, length in parts:
            batch = self.cut(self.dev, part, length)
            logits = model(None, None, batch.target).flatten(0, 1)
            total += torch.nn.functional.cross_entropy(logits, batch.after.flatten(), reduction="sum").item()
        return total / targets


def read_pairs(path, source_kind, target_kind):
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = [line.rstrip("\n").split("\t") for line in file if line.strip("\n")]
    split = {"chars": list, "words": str.split}
    return [(split[source_kind](source), split[target_kind](target)) for source, target in lines]


def padded(rows):
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])


class Pairs:
    """Lines `source TAB target`. A source ends with EOS, a target begins with BOS and ends with EOS; where `marks` is
    false there are none: the target's first token is given, and its length is known."""

    padding = PAD

    def __init__(self, pairs, dev, source_kind, target_kind, vocabs=None, marks=True):
        training, self.dev = (read_pairs(path, source_kind, target_kind) for path in (pairs, dev))
        found = [sorted({token for pair in training for token in pair[side]}) for side in (0, 1)]
        vocabs = vocabs or [[None] * (UNK + 1 if marks else 1) + tokens for tokens in found]
        self.index = [{token: i for i, token in enumerate(vocab)} for vocab in vocabs]
        self.source_vocab, self.target_vocab = map(len, vocabs)
        self.marks = marks
        self.sources = padded([self.encode(source, 0) for source, _ in training])
        self.targets = padded([self.encode(target, 1) for _, target in training])
        self.lengths = (self.sources != PAD).sum(1) + (self.targets != PAD).sum(1)
        self.longest = max(len(target) for _, target in self.dev)

    def encode(self, tokens, side):
        ids = [self.index[side].get(token, UNK) for token in tokens]
        return [BOS] * (self.marks and side == 1) + ids + [EOS] * self.marks

    def batches(self, rows):
        """Epochs of batches of similar lengths, in a random order, as tapeformer's: that is less padding."""
        while True:
            order, parts = torch.randperm(len(self.sources)), []
            for pool in order.split(rows * POOL_BATCHES):
                parts += pool[self.lengths[pool].argsort()].split(rows)
            for i in torch.randperm(len(parts)).tolist():
                yield self.batch(parts[i])

    random = batches

    def batch(self, rows):
        source, target = self.sources[rows], self.targets[rows]
        source = source[:, : int((source != PAD).sum(1).max())]
        target = target[:, : int((target != PAD).sum(1).max())]
        return Batch(source, mask_of(source), target[:, :-1], target[:, 1:])

    def answers(self, model, source, first):
        """Greedy decoding: the most probable token that is no mark, or the end, again and again."""
        mask = mask_of(source)
        memory, target, forbidden = model.encode(source, mask), first, [PAD, BOS, UNK] if self.marks else [PAD]
        for _ in range(self.longest + 1 if self.marks else self.longest - 1):
            logits = model.decode(memory, mask, target)[:, -1]
            logits[:, forbidden] = -math.inf
            target = torch.cat((target, logits.argmax(1, keepdim=True)), dim=1)
            if self.marks and bool((target == EOS).any(1).all()):
                break
        return target.tolist()

    def error(self, model, rows=250):
        """The share, in %, of the different sources whose output is none of their targets: word error."""
        wanted = {}
        for source, target in self.dev:
            wanted.setdefault(tuple(source), []).append(self.encode(target, 1))
        wrong, sources = 0, sorted(wanted, key=len)
        for at in range(0, len(sources), rows):
            some = sources[at : at + rows]
            first = torch.tensor([wanted[source][0][:1] for source in some])
            outputs = self.answers(model, padded([self.encode(source, 0) for source in some]), first)
            for source, output in zip(some, outputs):
                end = output.index(EOS) + 1 if self.marks and EOS in output else len(output)
                wrong += output[:end] not in wanted[source]
        return 100 * wrong / len(sources)
