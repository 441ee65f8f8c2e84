"""ctranslate2_generate.py - sentences per second of CTranslate2 beside ours, with the same model.

Writes the weights of a saved encoder-decoder into a CTranslate2 model, shows that both translate the bench's
sentences alike, and times both in turn: float32, greedy and a beam of 5, one sentence at a time and 64 together.
Without --model it trains one for a minute: g2p's sizes, and words to be written backwards.
"""

import argparse
import json
import math
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

try:
    import ctranslate2
    import numpy as np
    from ctranslate2.specs import TransformerSpec
except ImportError:
    print("CTranslate2 is not installed, so no sentences are compared: pip install ctranslate2 numpy")
    sys.exit(0)

SPECIALS = ["<pad>", "<s>", "</s>", "<unk>"]
SECONDS = 0.3  # of one measurement, as in bench/sentences.c
LONGEST = 12  # tokens of a result, its end mark included


# ---- The model ---------------------------------------------------------------------------------------------------


def train(command, folder):
    """A model of g2p's sizes that learns to reverse 5 to 11 words; it needs to stop, not to be right."""
    draw = random.Random(1)
    lines = []
    for _ in range(20000):
        words = [f"w{draw.randrange(92)}" for _ in range(draw.randrange(5, 12))]
        lines.append(" ".join(words) + "\t" + " ".join(reversed(words)))
    pairs = folder + ".txt"
    with open(pairs, "w") as file:
        file.write("\n".join(lines) + "\n")
    sizes = "--d-model 256 --heads 4 --layers 4 --ffn 1024 --src-tokens words --tgt-tokens words".split()
    steps = "--steps 300 --batch 32 --lr 0.0005 --dropout 0 --eval-sources 10 --quiet".split()
    subprocess.run([command, "train", "--pairs", pairs, "--out", folder] + sizes + steps, check=True)


def read_weights(path):
    """The tensors of a safetensors file of floats by name, and its metadata."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] == "F32":
            tensors[name] = np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"])
    return tensors, metadata


def sinusoidal(length, width):
    """Sine and cosine in turn: the layout of Vaswani et al., not CTranslate2's own."""
    angle = np.arange(length)[:, None] / 10000 ** (np.arange(0, width, 2) / width)
    return np.stack((np.sin(angle), np.cos(angle)), axis=2).reshape(length, width).astype(np.float32)


class Writer:
    """Fills the parts of a specification with tensors."""

    def __init__(self, tensors):
        self.tensors = tensors

    def linear(self, spec, name, rows=slice(None), weight=".weight", bias=".bias"):
        spec.weight = self.tensors[name + weight][rows]
        if name + bias in self.tensors:
            spec.bias = self.tensors[name + bias][rows]

    def norm(self, spec, name):
        spec.gamma = self.tensors[name + ".weight"]
        spec.beta = self.tensors[name + ".bias"]

    def attention(self, spec, name, norm, to_itself):
        width = self.tensors[name + ".out_proj.weight"].shape[0]
        parts = [slice(None)] if to_itself else [slice(0, width), slice(width, None)]
        for linear, rows in zip(spec.linear, parts):
            self.linear(linear, name, rows, ".in_proj_weight", ".in_proj_bias")
        self.linear(spec.linear[-1], name + ".out_proj")
        self.norm(spec.layer_norm, norm)

    def feed_forward(self, spec, name, norm):
        self.linear(spec.linear_0, name + ".linear1")
        self.linear(spec.linear_1, name + ".linear2")
        self.norm(spec.layer_norm, norm)

    def stack(self, spec, side, embeddings, embedding):
        embeddings.weight = self.tensors[embedding]
        embeddings.multiply_by_sqrt_depth = True
        spec.position_encodings.encodings = sinusoidal(512, embeddings.weight.shape[1])
        for i, layer in enumerate(spec.layer):
            name = f"{side}.layers.{i}"
            self.attention(layer.self_attention, name + ".self_attn", name + ".norm1", True)
            if side == "decoder":
                self.attention(layer.attention, name + ".multihead_attn", name + ".norm2", False)
            self.feed_forward(layer.ffn, name, name + (".norm3" if side == "decoder" else ".norm2"))
        self.norm(spec.layer_norm, side + ".norm")


def convert(source, target, heads=4):
    """Writes a CTranslate2 model of pre-norm blocks with sinusoidal positions and relu. Returns its vocabulary."""
    tensors, _ = read_weights(os.path.join(source, "model.safetensors"))
    layers = [
        sum(f"{side}.layers.{i}.linear1.weight" in tensors for i in range(100)) for side in ("encoder", "decoder")
    ]
    spec = TransformerSpec.from_config(tuple(layers), heads)
    writer = Writer(tensors)
    writer.stack(spec.encoder, "encoder", spec.encoder.embeddings[0], "src_embedding.weight")
    writer.stack(spec.decoder, "decoder", spec.decoder.embeddings, "tgt_embedding.weight")
    writer.linear(spec.decoder.projection, "output")
    vocabulary = SPECIALS + [str(i) for i in range(len(SPECIALS), len(tensors["src_embedding.weight"]))]
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.config.layer_norm_epsilon = 1e-5
    spec.validate()
    os.makedirs(target)
    spec.save(target)
    return vocabulary


# ---- Measuring ---------------------------------------------------------------------------------------------------


def run_bench(bench, model, threads):
    """The bench's rows of sentences, one for each way of decoding."""
    command = [bench, "--only", "sentences", "--json", "--model", model, "--threads", str(threads)]
    rows = [json.loads(line) for line in subprocess.run(command, check=True, capture_output=True).stdout.splitlines()]
    return [row for row in rows if row["bench"] == "sentences"]


def sentences_of(text):
    return [[int(token) for token in sentence.split()] for sentence in text.split("|")[:-1]]


class Peer:
    def __init__(self, folder, vocabulary, threads):
        self.translator = ctranslate2.Translator(
            folder, device="cpu", compute_type="float32", inter_threads=1, intra_threads=threads
        )
        self.vocabulary = vocabulary

    def translate(self, sources, batch, beam, scores=False):
        """All sources, `batch` at a time. Both sides leave out what the other does not compute."""
        results = []
        for i in range(0, len(sources), batch):
            results += self.translator.translate_batch(
                sources[i : i + batch],
                beam_size=beam,
                length_penalty=0,
                max_decoding_length=LONGEST,
                return_scores=scores,
            )
        return results

    def seconds(self, sources, batch, beam):
        samples = []
        end = time.perf_counter() + SECONDS
        while not samples or time.perf_counter() < end:
            start = time.perf_counter()
            self.translate(sources, batch, beam)
            samples.append(time.perf_counter() - start)
        return statistics.median(samples)

    def compare(self, row):
        """How many of a row's results are the same here, and how far the log-probabilities are apart."""
        words = [[self.vocabulary[token] for token in source] for source in sentences_of(row["sources"])]
        results = self.translate(words, int(row["batch"]), int(row["beam"]), scores=True)
        own = sentences_of(row["results"])
        equal = sum(
            result.hypotheses[0] == [self.vocabulary[token] for token in tokens] for result, tokens in zip(results, own)
        )
        return words, equal, len(own), sum(result.scores[0] for result in results) - row["log_probability"]


def interval(ratios):
    """The median, and an interval that contains the true one with a probability of about 95 % (order statistics)."""
    ordered = sorted(ratios)
    n = len(ordered)
    reach = max(0, math.floor((n - 1.96 * math.sqrt(n)) / 2))
    return statistics.median(ordered), ordered[reach], ordered[n - 1 - reach]


def compare_threads(arguments, folder, vocabulary, threads):
    peer = Peer(folder, vocabulary, threads)
    first = run_bench(arguments.bench, arguments.model, threads)
    ways = []
    for row in first:
        words, equal, count, difference = peer.compare(row)
        peer.seconds(words, int(row["batch"]), int(row["beam"]))
        if equal < count:
            print(f"batch {row['batch']}, beam {row['beam']}: {equal} of {count} results are equal,", end=" ")
            print(f"log-probabilities {difference:.4f} apart")
        if equal < 0.95 * count:
            sys.exit("The two models do not translate alike.")
        ways.append((int(row["batch"]), int(row["beam"]), words, [], []))
    for _ in range(arguments.rounds):
        rows = run_bench(arguments.bench, arguments.model, threads)
        for row, (batch, beam, words, own, theirs) in zip(rows, ways):
            own.append(len(words) / row["sentences_per_s"])
            theirs.append(peer.seconds(words, batch, beam))
    for batch, beam, words, own, theirs in ways:
        ratio, low, high = interval([b / a for a, b in zip(own, theirs)])
        count = len(words)
        print(
            f"{threads:7} {batch:6} {beam:5} {count / statistics.median(theirs):12.0f} "
            f"{count / statistics.median(own):8.0f} {ratio:7.2f}  ({low:.2f} to {high:.2f})",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", default="build/bench")
    parser.add_argument("--command", default="build/tapeformer")
    parser.add_argument("--model", help="the folder of a saved encoder-decoder [one is trained]")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--rounds", type=int, default=15, help="pairs of measurements [15]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.model:
            arguments.model = os.path.join(folder, "model")
            train(arguments.command, arguments.model)
        vocabulary = convert(arguments.model, os.path.join(folder, "converted"))
        print(f"Sentences per second, CTranslate2 {ctranslate2.__version__} beside ours:")
        print("threads  batch  beam  CTranslate2     ours   ratio")
        for threads in arguments.threads:
            compare_threads(arguments, os.path.join(folder, "converted"), vocabulary, threads)


if __name__ == "__main__":
    main()
