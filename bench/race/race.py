"""race.py - the minutes to a known quality, here and in PyTorch; `make race` calls it.

Each run of a track is a process: ours with our recipe, PyTorch with its usual recipe, and PyTorch with ours. A run that
has ended is a line of the log, and is not run again. bench/README.md explains the rows.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(os.path.dirname(HERE), "peers")
sys.path[:0] = [HERE, PEERS]

import data
import figures
import sides
from run import print_table, processor
from tracks import TRACKS

SIDES = {"ours": "tapeformer", "usual": "PyTorch, usual recipe", "same": "PyTorch, our recipe"}
NEVER = "1000000000"  # steps between evaluations and checkpoints: there is one after the last step
UNSUPPORTED = 3  # the exit code of train.py
TAKING_PART = ("train.py", "transformer.py", "examples.py", "sides.py")  # the peers' files that make a run
# The largest difference between our evaluation of a model and PyTorch's: nats, or % (two of 1,000 outputs, in which
# two tokens may be as probable but for the rounding).
TOLERANCE = {"nats per character": 1e-4, "% word error": 0.2, "% not exact": 0.2}


def fail(text):
    sys.exit(f"race: {text}")


# ---- Our side ----


def read_metadata(path):
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(size))["__metadata__"]


def train_ours(command, flags, out, *more):
    line = [command, "train", *flags, "--eval-every", NEVER, "--save-every", NEVER, "--eval-sources", NEVER]
    line += ["--quiet", "--overwrite", "--out", out, *more]
    done = subprocess.run(line, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        fail(f"{done.stderr.strip()}\n  {' '.join(line)}")


def resolve(command, recipe, data_flags):
    """The values of a recipe, model.* and run.*, which tapeformer writes into its checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        train_ours(command, [*data_flags, *recipe.split()], folder, "--stop-at", "1")
        metadata = read_metadata(os.path.join(folder, "checkpoint.safetensors"))
    zero = "--zero-residual" in metadata["arguments"].split("\n")  # given, or by a preset
    return {**values_of(metadata), **({"init": "zero-residual"} if zero else {})}


def values_of(metadata):
    """All of a recipe but what differs between runs of it: the seed, and the kernels of the machine."""
    run = ("run.seed", "run.level")
    return {key: value for key, value in metadata.items() if key.startswith(("model.", "run.")) and key not in run}


def read_log(out, unit):
    """The last point of a run: the times of its last step, and the evaluation after it."""
    with open(os.path.join(out, "log.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    step = next(line for line in reversed(lines) if "seconds" in line)
    dev = next(line for line in reversed(lines) if "dev_loss" in line)
    error = dev["dev_loss"] if unit == "nats per character" else round(100 * dev["dev_wer"], 9)
    return {**{key: step[key] for key in ("step", *figures.CLOCKS)}, "error": error}


def run_ours(options, track, key, files):
    out = os.path.join(options.folder, key["track"])
    flags = [*files[0], *track.ours.split(), "--seed", str(key["seed"]), "--threads", str(key["threads"])]
    train_ours(options.command, flags, out)
    point = read_log(out, track.unit)
    run = dict(key, steps=point["step"], curve=[point])
    if options.torch and key["seed"] == 1:
        run["error_in_pytorch"] = check_evaluation(options, track, out, files, point["error"])
    return run


def check_evaluation(options, track, out, files, error):
    """Exports our model: PyTorch's side must find the same error on the same data."""
    metadata = read_metadata(os.path.join(out, "checkpoint.safetensors"))
    weights, source, target = (os.path.join(out, name) for name in ("weights.safetensors", "source.txt", "target.txt"))
    vocabs = ["--tgt-vocab", target] + (["--src-vocab", source] if "pairs" in files[1] else [])
    subprocess.run([options.command, "export", "--model", out, "--out", weights, *vocabs], check=True)
    request = dict(recipe=values_of(metadata), data=files[1], seed=1, threads=1)
    answers = ask_peer(request, weights, source if "pairs" in files[1] else "", target)
    if answers is None:
        return None
    if abs(answers[0]["error"] - error) > TOLERANCE[track.unit]:
        fail(f"the two sides do not measure the same: {answers[0]['error']} in PyTorch, {error} here ({out})")
    return answers[0]["error"]


# ---- PyTorch's side ----


def ask_peer(request, *exported):
    """The lines that train.py answers, or None where it does not know the recipe."""
    line = [sys.executable, os.path.join(PEERS, "train.py"), json.dumps(request), *exported]
    environment = dict(os.environ, **sides.KEEP_MEMORY, OMP_NUM_THREADS=str(request["threads"]))
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode == UNSUPPORTED:
        return None
    if done.returncode:
        fail(f"{line[1]} ended with code {done.returncode}")
    return [json.loads(answer) for answer in done.stdout.splitlines()]


def request_of(options, track, side, files):
    """What PyTorch's side is asked, but for seed, threads and the places of the files."""
    usual = side == "usual"
    recipe = resolve(options.command, track.usual if usual else track.ours, files[0])
    recipe.update(track.extras if usual else {})
    steps = int(recipe["run.steps"])
    limit = options.peer_steps or track.peer_steps or steps
    every = max(1, steps // track.evaluations)
    every = steps + 1 if limit < steps and track.peer_steps else every
    return dict(recipe=recipe, every=every, steps=min(limit, steps), target=track.target if track.stops else None)


def run_peer(options, track, key, files):
    curve = ask_peer(dict(key["recipe"], data=files[1], seed=key["seed"], threads=key["threads"]))
    return curve and dict(key, steps=int(key["recipe"]["recipe"]["run.steps"]), curve=curve[1:])


# ---- The race ----


def key_of(options, name, side, threads, seed, files):
    """The recipe of a run of ours is its flags, as the program's content says what these mean. That of a run in PyTorch
    is the values that train.py is asked for, with a change of our defaults in them."""
    if side == "ours":
        recipe, program = TRACKS[name].ours, figures.program(options.command)
    else:
        peer = figures.program(*(os.path.join(PEERS, part) for part in TAKING_PART))
        recipe, program = request_of(options, TRACKS[name], side, files), f"PyTorch {options.torch}, {peer}"
    return dict(zip(figures.KEY, (name, side, threads, seed, recipe, program)))


def times():
    """(Seconds, processor seconds of all programs but this one and those that it ran). Only Linux's /proc tells the
    second; elsewhere it stays 0, and nothing is said about other programs."""
    try:
        with open("/proc/stat", encoding="utf-8") as file:
            ticks = [int(number) for number in file.readline().split()[1:4]]  # user, nice, system
    except OSError:
        return time.perf_counter(), 0
    return time.perf_counter(), sum(ticks) / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def take_run(options, name, key, files):
    """The run, from the log or new; None where PyTorch's side does not know the recipe."""
    run = figures.find_run(options.runs, key)
    if run:
        return run
    before = times()
    run = (run_ours if key["side"] == "ours" else run_peer)(options, TRACKS[name], key, files)
    if run:
        seconds, processor = (after - began for after, began in zip(times(), before))
        run["others"] = max(0, processor / seconds)
        options.runs.append(run)
        figures.add_run(options.log, run)
        print_run(TRACKS[name], run)
    return run


def race(options, name, threads):
    """The rows of a track: seed by seed, so that an interrupted race has all sides."""
    track, taken = TRACKS[name], {side: [] for side in options.sides}
    files = data.open_data(track.data, options.data, options.folder)
    wanted = dict.fromkeys(options.sides, 1)
    keys = {side: key_of(options, name, side, threads, None, files) for side in options.sides}
    for seed in range(1, 6):
        for side in options.sides:
            if seed <= wanted[side]:
                run = take_run(options, name, dict(keys[side], seed=seed), files)
                taken[side] += [run] if run else []
                minutes = run["curve"][-1]["seconds"] / 60 if run else 0
                wanted[side] = 0 if not run else options.seeds or max(wanted[side], figures.seeds_for(minutes))
    ours = taken.get("ours", [])
    return [(name, threads, side, figures.make_row(track, runs, ours)) for side, runs in taken.items() if runs]


# ---- Rows ----


def print_run(track, run):
    last = run["curve"][-1]
    error = "not evaluated" if last["error"] is None else f"{last['error']:.4g} {track.unit}"
    minutes = " and ".join(f"{last[clock] / 60:.2f} {word}" for clock, word in zip(figures.CLOCKS, figures.WORDS))
    which = f"{run['track']:<12} {SIDES[run['side']]:<22} threads {run['threads']}  seed {run['seed']}"
    print(f"{which}  steps {last['step']}  {error}  {minutes}", flush=True)


def cells(name, threads, side, row):
    track = TRACKS[name]
    error = "" if row["mean"] is None else f"{row['mean']:.4g}"
    error += "" if row["deviation"] is None else f" ± {row['deviation']:.2g}"
    reached = f"{row['reached']} of {row['seeds']}" + f", {row['unknown']} stopped before" * bool(row["unknown"])
    if side == "ours" and track.rule:
        reached += {None: "", True: ", rule holds", False: ", rule does not hold"}[row["rule"]]
    steps = str(row["steps"]) + f" of {row['whole']}" * bool(row["unknown"])
    note, most = "", ""
    if row["unknown"]:
        note, most = " (whole run, extrapolated)", "at most "
    elif row["reached"] < row["seeds"]:
        note = " (whole run)"
    times = [f"{most}{row['times'][clock] / 60:.2f}{note}" for clock in figures.CLOCKS]
    ratios = ["" if row["ratios"][clock] is None else f"{most}{row['ratios'][clock]:.1f}" for clock in figures.CLOCKS]
    counts = [str(row["seeds"]), steps]
    return [name, f"{track.target} {track.unit}", str(threads), SIDES[side], *counts, error, reached, *times, *ratios]


OTHERS = 0.1  # processors; more than that is said
HEADING = ["track", "target", "threads", "side", "seeds", "steps", "error at the end", "reached"]
HEADING += [*figures.WORDS, "processor minutes / ours", "minutes / ours"]


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", default="build/tapeformer")
    parser.add_argument("--data", default="", help="the folder with shakespeare/input.txt and g2p/hun_train.tsv ..")
    parser.add_argument("--tracks", nargs="+", choices=list(TRACKS), default=list(TRACKS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--seeds", type=figures.seeds, help="5 at most [5 for runs under 10 minutes, 3 under 30, else 1]")
    parser.add_argument("--peer-steps", type=int, help="stop PyTorch's runs after so many steps, and extrapolate")
    parser.add_argument("--fresh", action="store_true", help="make runs that the log has again")
    parser.add_argument("--log", default="build/race.jsonl", help="the runs that have ended")
    parser.add_argument("--folder", default="build/race", help="for models and for data made by code")
    options = parser.parse_args()
    for name in options.tracks:  # before the first of them runs
        if data.needs_folder(TRACKS[name].data):
            data.open_data(TRACKS[name].data, options.data, options.folder)
    options.torch = find_torch()
    if not options.torch:
        print("This Python has no PyTorch, so our side runs alone: bench/README.md says how to install it.")
        options.sides = [side for side in options.sides if side == "ours"]
    return options


def find_torch():
    """The version of PyTorch, or None."""
    if not importlib.util.find_spec("torch"):
        return None
    return importlib.metadata.version("torch")


def main():
    options = read_options()
    os.makedirs(options.folder, exist_ok=True)
    os.makedirs(os.path.dirname(options.log) or ".", exist_ok=True)
    options.runs = [] if options.fresh else figures.read_runs(options.log)
    rows = []
    for name in options.tracks:
        for threads in options.threads:
            rows += race(options, name, threads)
    print(f"\n{processor()}; PyTorch {options.torch or 'is not installed'}.")
    print_table("Minutes to the target:", HEADING, [cells(*row) for row in rows])
    others = max((row["others"] for *_, row in rows), default=0)
    if others > OTHERS:
        print(f"\nOther programs took {others:.1f} processors meanwhile: minutes do not compare, nor, at two threads, do the "
              "processor minutes of PyTorch, whose threads spin while they wait.")


if __name__ == "__main__":
    main()
