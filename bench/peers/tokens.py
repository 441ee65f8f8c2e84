"""Byte pair encoding beside the package `tokenizers`, on one thread: the time to learn merges from a text and to encode
it, and whether both find the same merges and, given the same merges, the same tokens.

    pip install tokenizers
    python3 bench/peers/tokens.py input.txt [MERGES]

Times are processor time, the smallest of five. tapeformer's are those of the whole command: it starts, reads the text,
and learns and writes the merges, or encodes and counts. Those of `tokenizers` are those of the call alone.
"""
import os
import resource
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # noqa: E402

COMMAND = os.path.join(os.path.dirname(__file__), "../../build/tapeformer")
RUNS = 5


def byte_level(model):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def least(clock, work):
    times = []
    for _ in range(RUNS):
        begin = clock()
        result = work()
        times.append(clock() - begin)
    return min(times), result


def children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def command(*arguments):
    return subprocess.run([COMMAND, "tokens", *arguments], check=True, capture_output=True).stdout.decode()


def main():
    path, merges = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8000
    text = open(path, encoding="utf-8", newline="").read()
    lines = text.splitlines(keepends=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()

    def learn():
        tokenizer = byte_level(models.BPE())
        trainer = trainers.BpeTrainer(vocab_size=256 + merges, min_frequency=2, initial_alphabet=alphabet,
                                      show_progress=False)
        tokenizer.train_from_iterator(lines, trainer)
        return tokenizer

    with tempfile.TemporaryDirectory() as folder:
        vocab = os.path.join(folder, "merges.txt")
        ours, _ = least(children, lambda: command("learn", path, "--merges", str(merges), "--out", vocab))
        own = [line.rstrip("\n") for line in open(vocab, encoding="utf-8")][1:]
        theirs, learned = least(time.process_time, learn)
        print(f"learn {merges} merges: {ours:.3f} s, tokenizers {theirs:.3f} s, ratio {theirs / ours:.1f}")

        ours, _ = least(children, lambda: command("count", path, "--vocab", vocab))
        theirs, _ = least(time.process_time, lambda: [learned.encode(line) for line in lines])
        print(f"encode the text: {ours:.3f} s, tokenizers {theirs:.3f} s, ratio {theirs / ours:.1f}")

        learned.model.save(folder)  # over our own file, which has been read
        others = [line.rstrip("\n") for line in open(vocab, encoding="utf-8")][1:]
        first = next((i for i, (a, b) in enumerate(zip(own, others)) if a != b), None)
        print(f"merges in common: {len(set(own) & set(others))} of {len(own)}, the same up to number {first}")

        with open(vocab, "w", encoding="utf-8") as file:
            file.write("#version: 0.2\n" + "".join(line + "\n" for line in own))
        pairs = [tuple(line.split(" ")) for line in own]
        names = dict.fromkeys(sorted(alphabet) + [a + b for a, b in pairs])
        same = byte_level(models.BPE({name: i for i, name in enumerate(names)}, pairs))
        print("the same tokens with the same merges:",
              same.encode(text).tokens == command("encode", path, "--vocab", vocab).split())


main()
