"""serving.py - what the peers share: the file from which they begin, and steps on demand.

`build/bench --serve FILE` writes the file: parameters by the names of PyTorch's modules, the batch `source`, `target`
and `next`, and the number of heads.
"""

import gc
import json
import struct
import sys
import time
from collections import namedtuple

import numpy

Start = namedtuple("Start", "parameters source target next heads layers")
DTYPES = {"F32": numpy.float32, "I32": numpy.int32}


def read_start(path):
    """Parameters and batch as arrays; `source` is None for a decoder alone. `layers` are those of each stack."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    heads = int(header.pop("__metadata__")["heads"])
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        arrays[name] = numpy.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"]).copy()
    batch = [arrays.pop(name, None) for name in ("source", "target", "next")]
    layers = sum(name.startswith("decoder.") and name.endswith(".linear1.weight") for name in arrays)
    return Start(arrays, *batch, heads, layers)


def positions(length, width):
    """Sinusoidal positions [length, width]."""
    angle = numpy.arange(length)[:, None] / 10000 ** (numpy.arange(0, width, 2) / width)
    pairs = numpy.stack((numpy.sin(angle), numpy.cos(angle)), axis=2)
    return pairs.reshape(length, -1)[:, :width].astype(numpy.float32)


def answer(**row):
    print(json.dumps(row), flush=True)


def serve(side, version, parameters, step):
    """Says what it is, and takes `step`, which returns the loss when all is done, N times for each line "step N"."""
    gc.freeze()  # what is there by now needs no collecting
    answer(bench="ready", side=side, version=version, parameters=parameters)
    for request in sys.stdin:
        for _ in range(int(request.split()[1])):
            start = time.perf_counter()
            loss = step()
            answer(bench="step", ms_per_step=1e3 * (time.perf_counter() - start), loss=loss)
