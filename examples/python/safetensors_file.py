"""safetensors_file.py - reading and writing .safetensors files with nothing but PyTorch.

The safetensors package does the same, faster and with all checks. This is enough for tapeformer's files, on machines
whose numbers are little-endian.
"""

import ctypes
import json
import struct

import torch

# From the largest alignment to the smallest: the order of the tensors in a file.
DTYPES = {
    "I64": torch.int64,
    "F64": torch.float64,
    "F32": torch.float32,
    "I32": torch.int32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read(path):
    """The tensors by name, and the metadata."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = bytearray(file.read())
    metadata, tensors = header.pop("__metadata__", {}), {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype = DTYPES[entry["dtype"]]
        flat = torch.frombuffer(data[begin:end], dtype=dtype) if end > begin else torch.empty(0, dtype=dtype)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors, metadata


def write(path, tensors, metadata=None):
    names, at = {dtype: name for name, dtype in DTYPES.items()}, 0
    order = sorted(tensors, key=lambda name: (list(names).index(tensors[name].dtype), name))
    header, data = {"__metadata__": metadata} if metadata else {}, []
    for name in order:
        tensor = tensors[name].detach().cpu().contiguous()
        data.append(ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size()))
        offsets = [at, at + len(data[-1])]
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        at += len(data[-1])
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))
