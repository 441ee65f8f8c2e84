"""from_pytorch.py - a model that PyTorch trains (to write words of four letters backwards) goes to tapeformer.

    python3 from_pytorch.py weights.safetensors vocab.txt TEXT ...     also prints what PyTorch answers to the texts
    tapeformer import weights.safetensors --heads 2 --src-vocab vocab.txt --tgt-vocab vocab.txt --out run
    echo TEXT | tapeformer predict --model run
"""

import sys

import torch
from torch.nn.functional import cross_entropy

import safetensors_file
from seq2seq import BOS, EOS, Seq2Seq

weights, vocab_file, *texts = sys.argv[1:]
vocab = ["<pad>", "<bos>", "<eos>", "<unk>", *"abcdefgh"]

torch.manual_seed(1)
model = Seq2Seq(len(vocab), len(vocab), width=32, heads=2, layers=1, ffn=64)
optimizer = torch.optim.Adam(model.parameters(), 0.003)
for step in range(300):
    words = torch.randint(4, len(vocab), (64, 4))
    mark = torch.ones(64, 1, dtype=torch.int64)
    logits = model(torch.cat((words, EOS * mark), 1), torch.cat((BOS * mark, words.flip(1)), 1))
    loss = cross_entropy(logits.transpose(1, 2), torch.cat((words.flip(1), EOS * mark), 1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

safetensors_file.write(weights, model.state_dict(), {"format": "pt"})
with open(vocab_file, "w", encoding="utf-8") as file:
    file.write("".join(token + "\n" for token in vocab))
for text in texts:
    print("".join(vocab[token] for token in model.answer([vocab.index(letter) for letter in text])))
