"""accuracy.py - accuracies on published data, one recipe for each kind of data; `make accuracy` calls it.

Each set is trained with each seed, and each model is measured; then all models of the set together, as an ensemble. A
figure that the log has is not measured again, and a model that is there is not trained again. bench/README.md explains
the rows.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "peers")]

import data
import figures
from run import print_table, processor
from tracks import SETS, SIGMORPHON

KEY = ("set", "recipe", "seeds", "program", "threads")


def fail(text):
    sys.exit(f"accuracy: {text}")


def call(*line):
    done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        fail(f"{done.stderr.strip()}\n  {' '.join(line)}")
    return done.stdout


def path_of(options, row, part):
    return data.need(options.data, row.files[part])


# ---- Runs ----


def key_of(options, name, seeds):
    return dict(zip(KEY, (name, SETS[name].recipe, list(seeds), options.program, options.threads)))


def folder_of(options, name, seed):
    """A model's folder, whose name differs with all of its key: an ensemble is of models of one program and recipe."""
    key = hashlib.sha256(json.dumps(key_of(options, name, [seed])).encode()).hexdigest()[:8]
    return os.path.join(options.folder, f"{name}-{seed}-{key}")


def model_of(options, name, seed):
    """The folder of a trained model, which has its name from the end of the training on."""
    row, out = SETS[name], folder_of(options, name, seed)
    if not os.path.exists(out):
        flags = [*row.recipe.split(), "--pairs", path_of(options, row, "train")]
        flags += ["--dev", path_of(options, row, "dev")] if "dev" in row.files else []
        call(options.command, "train", *flags, "--seed", str(seed), "--threads", str(options.threads), "--quiet",
             "--overwrite", "--out", out + ".part")
        os.replace(out + ".part", out)
    return out


def times_of(model):
    with open(os.path.join(model, "log.jsonl"), encoding="utf-8") as file:
        last = [line for line in map(json.loads, file) if "seconds" in line][-1]
    return {clock: last[clock] for clock in figures.CLOCKS}


def error_of(options, name, part, models):
    """The word error, in %, of one model or an ensemble."""
    line = [options.command, "eval", "--model", ",".join(models), "--pairs", path_of(options, SETS[name], part)]
    return 100 * json.loads(call(*line, "--json"))["wer"]


def take(options, name, seeds):
    """The figures of a model (one seed), or of an ensemble: from the log, and those that it lacks from the models."""
    key = key_of(options, name, seeds)
    run = figures.find_run(options.runs, key) or dict(key, errors={})
    lacking = [part for part in options.parts if part in SETS[name].files and part not in run["errors"]]
    if not lacking:
        return run
    models = [model_of(options, name, seed) for seed in seeds]
    errors = {part: error_of(options, name, part, models) for part in lacking}
    run = dict(run, **(times_of(models[0]) if len(models) == 1 else {}), errors={**run["errors"], **errors})
    options.runs.append(run)
    figures.add_run(options.log, run)
    word = ", ".join(f"{part} {error:.2f}" for part, error in errors.items())
    minutes = f"  {run['processor_seconds'] / 60:.1f} processor minutes" if len(models) == 1 else ""
    print(f"{name:<10} seeds {','.join(map(str, seeds)):<10} word error: {word}{minutes}", flush=True)
    return run


# ---- The table ----


def columns_of(options, single, together):
    """For each heading the values of the seeds, or the one of the ensemble; none where the set lacks the file."""
    columns = {}
    for part in options.parts:
        columns[part] = [run["errors"][part] for run in single if part in run["errors"]]
        if together:
            columns[f"{part}, ensemble"] = [together["errors"][part]] if part in together["errors"] else []
    minutes = {word: [run[clock] / 60 for run in single] for clock, word in zip(figures.CLOCKS, figures.WORDS)}
    return {**columns, **minutes}


def cell(values):
    spread = figures.deviation(values)
    return (f"{statistics.mean(values):.2f}" if values else "") + (f" ± {spread:.2f}" if spread is not None else "")


def mean_row(rows):
    """The means over the languages of SIGMORPHON, of the values as they are and not as the cells have them."""
    columns = zip(*(rows[name].values() for name in SIGMORPHON))
    return [f"mean of the {len(SIGMORPHON)} languages",
            *(f"{statistics.mean(map(statistics.mean, column)):.2f}" for column in columns)]


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", default="build/tapeformer")
    parser.add_argument("--data", required=True, help="the folder with g2p/hun_train.tsv ..")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", type=figures.seeds, default=1, help="models of each set, and of its ensemble [1]")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--test", action="store_true", help="measure the files of test, too: once, at the end")
    parser.add_argument("--log", default="build/accuracy.jsonl", help="the runs that have ended")
    parser.add_argument("--folder", default="build/accuracy", help="for models")
    options = parser.parse_args()
    options.parts = ["dev", "test"] if options.test else ["dev"]
    for name in [name for name in options.sets if not set(options.parts) & set(SETS[name].files)]:
        print(f"{name} has no dev file, and is left out: TEST=1 measures its test.")
        options.sets = [other for other in options.sets if other != name]
    for name in options.sets:
        for part in {"train", *options.parts} & set(SETS[name].files):
            path_of(options, SETS[name], part)  # must be there before the first set is trained
    return options


def main():
    options = read_options()
    os.makedirs(options.folder, exist_ok=True)
    options.runs, options.program = figures.read_runs(options.log), figures.program(options.command)
    rows = {}
    for name in options.sets:
        single = [take(options, name, [seed]) for seed in range(1, options.seeds + 1)]
        together = take(options, name, range(1, options.seeds + 1)) if options.seeds > 1 else None
        rows[name] = columns_of(options, single, together)
    lines = [[name, *map(cell, columns.values())] for name, columns in rows.items()]
    lines += [mean_row(rows)] if set(SIGMORPHON) <= set(rows) else []
    print(f"\n{processor()}; {options.seeds} seed(s), {options.threads} thread(s).")
    if rows:
        print_table("Word error in %:", ["set", *next(iter(rows.values()))], lines)


if __name__ == "__main__":
    main()
