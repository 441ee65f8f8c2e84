"""data.py - the data of the tracks: files of the data folder, and pairs that code makes."""

import os
import random
import sys

COPY_LINES, COPY_LENGTH, COPY_SYMBOLS = 20 * 20 * 80, 10, "abcdefghij"
REVERSE_LINES, REVERSE_LONGEST, LETTERS = 30 * 10000, 16, "abcdefghijklmnopqrstuvwxyz"
UNSEEN = 1000
ALWAYS_SEEN = 3  # letters of a word: there are too few such words for any to be unseen


def copy_pair(draw):
    """Ten symbols of which the first is always the same, as data_gen of The Annotated Transformer draws them."""
    word = COPY_SYMBOLS[0] + "".join(draw.choices(COPY_SYMBOLS, k=COPY_LENGTH - 1))
    return word, word


def reverse_pair(draw):
    word = "".join(draw.choices(LETTERS, k=draw.randint(1, REVERSE_LONGEST)))
    return word, word[::-1]


def write_pairs(path, pairs):
    with open(path + ".part", "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{source}\t{target}\n" for source, target in pairs)
    os.replace(path + ".part", path)


def make(name, make_pair, lines, folder):
    """Two files, the same in every race: training pairs, and unseen ones, which are all different."""
    paths = [os.path.join(folder, f"{name}_{part}.tsv") for part in ("train", "dev")]
    if not all(map(os.path.exists, paths)):
        draw, unseen = random.Random(name), {}
        while len(unseen) < UNSEEN:
            source, target = make_pair(draw)
            if len(source) > ALWAYS_SEEN:
                unseen[source] = target
        seen = []
        while len(seen) < lines:
            pair = make_pair(draw)
            if pair[0] not in unseen:
                seen.append(pair)
        for path, pairs in zip(paths, (seen, unseen.items())):
            write_pairs(path, pairs)
    return paths


def pairs(paths, target="chars"):
    train, dev = paths
    flags = ["--pairs", train, "--dev", dev, "--src-tokens", "chars", "--tgt-tokens", target]
    return flags, dict(pairs=train, dev=dev, source="chars", target=target)


def need(*parts):
    """The path of a file that must be there."""
    path = os.path.join(*parts)
    if not os.path.exists(path):
        sys.exit(f"There is no {path}: DATA=DIR names the folder of the data; docs/results.md says where they come from.")
    return path


def open_data(name, folder, made):
    """Flags of `tapeformer train`, and the same files for PyTorch's side. `folder` has the files that are not made by
    code; `made` is for those that are."""
    if name == "copy":
        return pairs(make(name, copy_pair, COPY_LINES, made))
    if name == "reverse":
        return pairs(make(name, reverse_pair, REVERSE_LINES, made))
    if name == "shakespeare":
        path = need(folder, "shakespeare", "input.txt")
        return ["--text", path, "--held-out", "0.1"], dict(text=path, held_out=0.1)
    return pairs([need(folder, "g2p", f"{name}_{part}.tsv") for part in ("train", "dev")], "words")


def needs_folder(name):
    return name not in ("copy", "reverse")
