"""train_on.py - a model that tapeformer trained is trained on in PyTorch, and comes back. Prints its loss at the end.

    tapeformer export --model run --out weights.safetensors --src-vocab src.txt --tgt-vocab tgt.txt
    python3 train_on.py weights.safetensors src.txt tgt.txt HEADS pairs.tsv trained.safetensors
    tapeformer import trained.safetensors --config run --out trained
    tapeformer train --from trained --pairs pairs.tsv --out again

The texts of pairs.tsv have one length, as nothing is padded here, and their tokens are characters.
"""

import sys

import torch
from torch.nn.functional import cross_entropy

import safetensors_file
from seq2seq import BOS, EOS, model_of, read_vocab

weights, source_file, target_file, heads, pairs, trained = sys.argv[1:]
tensors, metadata = safetensors_file.read(weights)
model = model_of(tensors, int(heads))

with open(pairs, encoding="utf-8") as file:
    sides = zip(*(line.rstrip("\n").split("\t") for line in file))
source, target = (
    torch.tensor([[vocab.index(letter) for letter in text] for text in side])
    for vocab, side in zip((read_vocab(source_file), read_vocab(target_file)), sides)
)
mark = torch.ones(len(source), 1, dtype=torch.int64)


def loss():
    logits = model(torch.cat((source, EOS * mark), 1), torch.cat((BOS * mark, target), 1))
    return cross_entropy(logits.transpose(1, 2), torch.cat((target, EOS * mark), 1))


optimizer = torch.optim.Adam(model.parameters(), 0.003)
for step in range(20):
    optimizer.zero_grad()
    loss().backward()
    optimizer.step()

safetensors_file.write(trained, model.state_dict(), metadata)
print(f"{loss().item():.9g}")
