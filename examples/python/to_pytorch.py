"""to_pytorch.py - a model that tapeformer trained answers in PyTorch.

    tapeformer export --model run --out weights.safetensors --src-vocab src.txt --tgt-vocab tgt.txt
    python3 to_pytorch.py weights.safetensors src.txt tgt.txt HEADS TEXT ...
"""

import sys

import safetensors_file
from seq2seq import Seq2Seq, read_vocab

weights, source_file, target_file, heads, *texts = sys.argv[1:]
tensors, _ = safetensors_file.read(weights)
source, target = read_vocab(source_file), read_vocab(target_file)

layers = sum(name.startswith("encoder.") and name.endswith(".linear1.weight") for name in tensors)
ffn, width = tensors["encoder.layers.0.linear1.weight"].shape
model = Seq2Seq(len(source), len(target), width, int(heads), layers, ffn).to(tensors["output.weight"].dtype)
model.load_state_dict(tensors)  # every name and every shape fits

for text in texts:
    print("".join(target[token] for token in model.answer([source.index(letter) for letter in text])))
