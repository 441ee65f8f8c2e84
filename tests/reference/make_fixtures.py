"""make_fixtures.py - what PyTorch makes of tapeformer's layers, models and training, as .safetensors files.

    python3 tests/reference/make_fixtures.py            writes the files beside this script
    python3 tests/reference/make_fixtures.py --check    computes everything anew and compares it with the files

The tests of tests/*/test_reference_*.c read the files; they need no Python. PyTorch computes in double precision, on one
thread, in training mode with dropout 0 (so that none of its fast paths is taken). Inputs and parameters are numbers
that a float holds exactly, so that the float build is given the very same ones. Made with PyTorch 1.13 (Debian's
python3-torch), but for `stacks`, which needs 2.1 at least and was made with 2.13; another version, or another processor,
may differ in the last bits of a double.
"""

import pathlib
import sys

import torch

sys.dont_write_bytecode = True

import reference_attention
import reference_layers
import reference_models
import reference_training
from fixtures import same_fixtures

FOLDER = pathlib.Path(__file__).resolve().parent


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    failed = False
    for makers in (reference_models, reference_attention, reference_layers, reference_training):
        for fixtures in makers.make():
            path = FOLDER / f"{fixtures.name}.safetensors"
            made = fixtures.to_bytes()
            if arguments:
                difference = same_fixtures(path.read_bytes(), made)
                failed = failed or difference is not None
                print(f"{path.name}: {difference or 'the same'}")
            else:
                path.write_bytes(made)
                print(f"{path.name}: {len(fixtures.cases)} cases, {len(made)} bytes")
    sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1:])
