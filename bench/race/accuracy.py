"""accuracy.py - accuracies on published data, one recipe for each kind of data; `make accuracy` calls it.

Each set is trained with each seed, and each model is measured on the set's files; then all models of the set together,
as an ensemble. A run that has ended is a line of the log, and is not run again. bench/README.md explains the rows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "peers")]

import figures
from run import print_table, processor
from tracks import SETS

KEY = ("set", "recipe", "seeds", "program")


def fail(text):
    sys.exit(f"accuracy: {text}")


def call(*line):
    done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        fail(f"{done.stderr.strip()}\n  {' '.join(line)}")
    return done.stdout


def path_of(options, row, part):
    return os.path.join(options.data, row.files[part])


# ---- Runs ----


def folder_of(options, name, seed):
    return os.path.join(options.folder, f"{name}-{seed}")


def errors_of(options, row, models):
    """The word errors, in %, of one model or an ensemble on the files that were not trained on."""
    errors = {}
    for part in row.files:
        if part != "train":
            line = [options.command, "eval", "--model", ",".join(models), "--pairs", path_of(options, row, part)]
            errors[part] = 100 * json.loads(call(*line, "--json"))["wer"]
    return errors


def train(options, name, row, seed):
    """A run: its model stays in its folder, for ensembles."""
    out = folder_of(options, name, seed)
    flags = [*row.recipe.split(), "--pairs", path_of(options, row, "train")]
    flags += ["--dev", path_of(options, row, "dev")] if "dev" in row.files else []
    call(options.command, "train", *flags, "--seed", str(seed), "--threads", str(options.threads), "--quiet",
         "--overwrite", "--out", out)
    with open(os.path.join(out, "log.jsonl"), encoding="utf-8") as file:
        last = [line for line in map(json.loads, file) if "seconds" in line][-1]
    return {clock: last[clock] for clock in figures.CLOCKS}


def take(options, name, seeds):
    """A model (one seed), or an ensemble of several: from the log, or new."""
    row = SETS[name]
    key = dict(zip(KEY, (name, row.recipe, list(seeds), options.program)))
    run = figures.find_run(options.runs, key)
    models = [folder_of(options, name, seed) for seed in seeds]
    if run and all(os.path.exists(os.path.join(model, "model.safetensors")) for model in models):
        return run
    times = train(options, name, row, seeds[0]) if len(seeds) == 1 else {}
    run = dict(key, **times, errors=errors_of(options, row, models))
    options.runs.append(run)
    figures.add_run(options.log, run)
    word = ", ".join(f"{part} {error:.2f}" for part, error in run["errors"].items())
    minutes = f"  {times['processor_seconds'] / 60:.1f} processor minutes" if times else ""
    print(f"{name:<10} seeds {','.join(map(str, seeds)):<10} word error: {word}{minutes}", flush=True)
    return run


# ---- The table ----


def cells(name, single, together):
    line = [name]
    for part in ("dev", "test"):
        errors = [run["errors"][part] for run in single if part in run["errors"]]
        spread = figures.deviation(errors)
        line.append(f"{statistics.mean(errors):.2f}" + (f" ± {spread:.2f}" if spread is not None else "") if errors else "")
        line.append(f"{together['errors'][part]:.2f}" if together and part in together["errors"] else "")
    line += [f"{statistics.mean(run[clock] for run in single) / 60:.1f}" for clock in figures.CLOCKS]
    return line


def mean_row(rows):
    """The mean of the columns that all rows have."""
    columns = list(zip(*(row[1:] for row in rows)))
    values = [[float(cell.split()[0]) for cell in column if cell] for column in columns]
    return ["mean", *(f"{statistics.mean(column):.2f}" if len(column) == len(rows) else "" for column in values)]


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", default="build/tapeformer")
    parser.add_argument("--data", required=True, help="the folder with g2p/hun_train.tsv ..")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", type=int, default=1, help="models of each set, and of its ensemble [1]")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--log", default="build/accuracy.jsonl", help="the runs that have ended")
    parser.add_argument("--folder", default="build/accuracy", help="for models")
    options = parser.parse_args()
    for name in options.sets:
        for part in SETS[name].files:
            if not os.path.exists(path_of(options, SETS[name], part)):
                fail(f"DATA={options.data} has no {SETS[name].files[part]}: docs/results.md says where the data are")
    return options


def main():
    options = read_options()
    os.makedirs(options.folder, exist_ok=True)
    options.runs, options.program = figures.read_runs(options.log), figures.program(options.command)
    rows = []
    for name in options.sets:
        single = [take(options, name, [seed]) for seed in range(1, options.seeds + 1)]
        together = take(options, name, range(1, options.seeds + 1)) if options.seeds > 1 else None
        rows.append(cells(name, single, together))
    rows += [mean_row(rows)] if len(rows) > 1 else []
    print(f"\n{processor()}; {options.seeds} seed(s), {options.threads} thread(s).")
    heading = ["set", "dev", "dev, ensemble", "test", "test, ensemble", "processor minutes", "minutes"]
    print_table("Word error in %:", heading, rows)


if __name__ == "__main__":
    main()
