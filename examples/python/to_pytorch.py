"""to_pytorch.py - a model that tapeformer trained answers in PyTorch.

    tapeformer export --model run --out weights.safetensors --src-vocab src.txt --tgt-vocab tgt.txt
    python3 to_pytorch.py weights.safetensors src.txt tgt.txt HEADS TEXT ...
"""

import sys

import safetensors_file
from seq2seq import model_of, read_vocab

weights, source_file, target_file, heads, *texts = sys.argv[1:]
tensors, _ = safetensors_file.read(weights)
source, target = read_vocab(source_file), read_vocab(target_file)
model = model_of(tensors, int(heads))

for text in texts:
    print("".join(target[token] for token in model.answer([source.index(letter) for letter in text])))
