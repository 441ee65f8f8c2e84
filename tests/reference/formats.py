"""formats.py - the reference library of .safetensors, and files that it and tapeformer read of each other.

    python3 formats.py check FILE ...         loads tapeformer's files, and makes the same of what it loaded
    python3 formats.py make TYPED PLAIN       tensors of every type that NumPy has, and the same numbers as float64
"""

import json
import struct
import sys

import numpy
from safetensors import safe_open
from safetensors.numpy import load_file, save, save_file


def parts(data):
    """The header's length, its entries in order, the metadata, whose order the library leaves open, and the data."""
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    return size, header.pop("__metadata__", {}), list(header.items()), data[8 + size :]


def check(path):
    with open(path, "rb") as file:
        data = file.read()
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    again = save(load_file(path), metadata)
    if parts(again) != parts(data) or (again != data and len(metadata or {}) < 2):
        sys.exit(f"{path}: the library writes other bytes")


def make(typed, plain):
    numbers = {"none": numpy.zeros((3, 0, 2)), "one": numpy.array(1.0), "many": numpy.arange(24.0).reshape(2, 3, 4) % 7}
    types = "float16 float32 float64 bool int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
    all_types = {f"{kind}.{name}": array.astype(kind) for kind in types for name, array in numbers.items()}
    save_file(all_types, typed, {"k": "v", "\u00e9\n": ""})
    save_file({name: array.astype("float64") for name, array in all_types.items()}, plain)


{"check": lambda *paths: [check(path) for path in paths], "make": make}[sys.argv[1]](*sys.argv[2:])
