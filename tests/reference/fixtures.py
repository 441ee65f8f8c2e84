"""fixtures.py - the numbers that fixtures are drawn from, and the .safetensors files that hold them.

A file holds several cases. A tensor of the case "encoder-pre" is called "encoder-pre/logits", one of its settings
stands in the metadata as "encoder-pre/d_model", and "cases" lists all names, with spaces between them. What is given
to both sides is F32, I32 or BOOL; what PyTorch makes of it is F64.
"""

import json
import random
import struct

import torch

# In ascending order, as in the reference writer: a file has its tensors from the last of these to the first.
DTYPES = {"BOOL": "?", "I32": "i", "F32": "f", "F64": "d"}


class Draw:
    """Numbers that depend on a name alone, on any machine and with any version of PyTorch."""

    def __init__(self, name):
        self.source = random.Random(name)

    def uniform(self, shape, low=-1.0, high=1.0):
        """In [low, high], rounded to steps of 2^-14, so that a float holds each exactly."""
        count = torch.Size(shape).numel()
        values = [low + (high - low) * self.source.random() for _ in range(count)]
        return (torch.tensor(values, dtype=torch.float64).reshape(shape) * 2**14).round() / 2**14

    def integers(self, shape, low, high):
        """In low .. high - 1."""
        count = torch.Size(shape).numel()
        values = [low + int((high - low) * self.source.random()) for _ in range(count)]
        return torch.tensor(values, dtype=torch.int64).reshape(shape)

    def flags(self, shape, share):
        """True for about this share."""
        return self.uniform(shape, 0, 1) < share


class Case:
    """What one case gives, and what it expects."""

    def __init__(self, fixtures, name):
        self.fixtures, self.name = fixtures, name

    def given(self, name, tensor):
        if tensor.is_floating_point():
            assert tensor.equal(tensor.float().double()), f"{self.name}/{name} is more than a float can hold"
        kind = "F32" if tensor.is_floating_point() else "BOOL" if tensor.dtype == torch.bool else "I32"
        self.put(name, kind, tensor)

    def expected(self, name, tensor):
        assert tensor.dtype == torch.float64 and tensor.isfinite().all(), f"{self.name}/{name}"
        self.put(name, "F64", tensor)

    def put(self, name, kind, tensor):
        whole = f"{self.name}/{name}"
        assert whole not in self.fixtures.tensors, whole
        values = tensor.detach().flatten().tolist()
        packed = struct.pack(f"<{len(values)}{DTYPES[kind]}", *values)
        self.fixtures.tensors[whole] = (kind, list(tensor.shape), packed)

    def module(self, module):
        """A module's parameters, which are given, and their gradients, which are expected."""
        for name, parameter in module.named_parameters():
            self.given("param/" + name, parameter)
            self.expected("grad/" + name, parameter.grad)


class Fixtures:
    """One file."""

    def __init__(self, name):
        self.name, self.cases = name, []
        self.tensors = {}  # name: (dtype, shape, bytes)
        self.metadata = {"made_by": f"tests/reference/make_fixtures.py, PyTorch {torch.__version__}"}

    def case(self, name, **settings):
        assert name not in self.cases and " " not in name, name
        self.cases.append(name)
        for key, value in settings.items():
            self.metadata[f"{name}/{key}"] = str(int(value) if isinstance(value, bool) else value)
        return Case(self, name)

    def to_bytes(self):
        """The file, by the format's rules: no holes, the header padded to a multiple of 8."""
        kinds = list(DTYPES)
        header = {"__metadata__": {**self.metadata, "cases": " ".join(self.cases)}}
        data = b""
        for name, (kind, shape, packed) in sorted(
            self.tensors.items(), key=lambda item: (-kinds.index(item[1][0]), item[0])
        ):
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
            data += packed
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        return struct.pack("<Q", len(text)) + text + data


def same_fixtures(ours, theirs):
    """Whether two files say the same: bit for bit what is given, to 1e-12 of a tensor's largest number what is expected
    (the last bits are those of the machine that PyTorch ran on). Says what differs first; None where nothing does."""
    headers = [json.loads(file[8 : 8 + struct.unpack("<Q", file[:8])[0]]) for file in (ours, theirs)]
    for header in headers:
        header["__metadata__"].pop("made_by")
    if headers[0] != headers[1]:
        return "the cases are others"
    begin = 8 + struct.unpack("<Q", ours[:8])[0]
    data = [file[-(len(ours) - begin) :] for file in (ours, theirs)]
    for name, entry in headers[0].items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        bytes_of = [part[first:last] for part in data]
        if entry["dtype"] == "F64":
            a, b = (torch.tensor(struct.unpack(f"<{len(part) // 8}d", part)) for part in bytes_of)
            if a.numel() and (a - b).abs().max() > 1e-12 * a.abs().max():
                return f"{name} differs by {float((a - b).abs().max())}"
        elif bytes_of[0] != bytes_of[1]:
            return f"{name} is another one"
    return None
