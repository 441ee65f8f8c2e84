"""ladder.py - which choices shorten the way to a quality: recipes that differ in one choice, on one track, with seeds;
`make ladder` calls it. Each rung of tracks.LADDER is the rung before it and one more choice.

A run that has ended is a line of the log, and is not run again. bench/README.md explains the rows.
"""

import argparse
import os
import statistics
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "peers")]

import data
import figures
import race
from run import print_table, processor
from tracks import LADDER, LADDER_TRACK, TRACKS


def take(options, rung, recipe, seed, files):
    """The run, from the log or new."""
    key = dict(zip(figures.KEY, (f"ladder of {LADDER_TRACK}", "ours", options.threads, seed, recipe, options.program)))
    run = figures.find_run(options.runs, key)
    if not run:
        out = os.path.join(options.folder, "ladder")
        flags = [*files[0], *recipe.split(), "--seed", str(seed), "--threads", str(options.threads)]
        race.train_ours(options.command, flags, out)
        point = race.read_log(out, TRACKS[LADDER_TRACK].unit)
        run = dict(key, steps=point["step"], curve=[point])
        options.runs.append(run)
        figures.add_run(options.log, run)
        print(f"{rung:<40} seed {seed}  {point['error']:.4f}  {point['processor_seconds']:.1f} s", flush=True)
    return run


def cells(rung, choice, runs):
    errors = [run["curve"][-1]["error"] for run in runs]
    seconds = [run["curve"][-1]["processor_seconds"] for run in runs]
    spread = figures.deviation(errors)
    error = f"{statistics.mean(errors):.4f}" + (f" ± {spread:.4f}" if spread is not None else "")
    return [rung, f"`{choice}`" if choice else "", error, f"{statistics.mean(seconds):.1f}"]


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", default="build/tapeformer")
    parser.add_argument("--data", required=True, help="the folder with shakespeare/input.txt")
    parser.add_argument("--seeds", type=figures.seeds, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--log", default="build/race.jsonl", help="the runs that have ended")
    parser.add_argument("--folder", default="build/race", help="for models")
    return parser.parse_args()


def main():
    options = read_options()
    os.makedirs(options.folder, exist_ok=True)
    options.runs, options.program = figures.read_runs(options.log), figures.program(options.command)
    files = data.open_data(TRACKS[LADDER_TRACK].data, options.data, options.folder)
    rows, recipe = [], ""
    for rung, choice in LADDER:
        recipe = f"{recipe} {choice}".strip()
        runs = [take(options, rung, recipe, seed, files) for seed in range(1, options.seeds + 1)]
        rows.append(cells(rung, choice, runs))
    print(f"\n{processor()}; {options.seeds} seed(s), {options.threads} thread(s).")
    unit = TRACKS[LADDER_TRACK].unit
    print_table(f"The ladder of the track {LADDER_TRACK}:", ["rung", "flags", unit, "processor seconds"], rows)


if __name__ == "__main__":
    main()
