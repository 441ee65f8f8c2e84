"""figures.py - the arithmetic of the race, and the file of finished runs.

A run is a dict. The values of KEY say which it is: `recipe` is flags, or all that PyTorch's side is asked, and `program`
the content of what took part. `steps` is the length of its recipe; `curve` has points of `step`, `seconds`,
`processor_seconds` and `error` (None: not evaluated). `others` is how many processors other programs took meanwhile.
"""

import hashlib
import json
import math
import os
import statistics

KEY = ("track", "side", "threads", "seed", "recipe", "program")
CLOCKS = ("processor_seconds", "seconds")
WORDS = ("processor minutes", "minutes")  # those of the tables


# ---- Finished runs ----


def read_runs(path):
    """The runs of a file of JSON lines. A line that is not whole is that of an interrupted race, and no run."""
    runs = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                try:
                    runs.append(json.loads(line))
                except ValueError:
                    pass
    return runs


def add_run(path, run):
    """Appends a run, on a line of its own even after half a line."""
    half = False
    if os.path.exists(path) and os.path.getsize(path):
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            half = file.read() != b"\n"
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n" * half + json.dumps(run) + "\n")


def find_run(runs, key):
    """The newest run with these values, or None."""
    return next((run for run in reversed(runs) if all(run.get(name) == value for name, value in key.items())), None)


def program(*paths):
    """A program by the content of its files: a run of another one is another run."""
    content = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            content.update(file.read())
    return content.hexdigest()[:12]


def seeds(text):
    """A number of seeds as a flag has it."""
    if not text.isdigit() or int(text) < 1:
        raise ValueError
    return int(text)


def seeds_for(minutes):
    """How many seeds a side of a track gets, by the minutes of its first run."""
    return 5 if minutes < 10 else 3 if minutes < 30 else 1


# ---- One run ----


def first_crossing(curve, target):
    """The first point at which the target is reached, or None."""
    return next((point for point in curve if point["error"] is not None and point["error"] <= target), None)


def time_to(run, target, clock):
    """Seconds to the first crossing, or else of the whole run: a run that was stopped before is extrapolated."""
    point = first_crossing(run["curve"], target)
    last = run["curve"][-1]
    return point[clock] if point else last[clock] * run["steps"] / last["step"]


def unknown(run, target):
    """The run was stopped before its end, and before the target: the whole one may reach it or not."""
    return not first_crossing(run["curve"], target) and run["curve"][-1]["step"] < run["steps"]


# ---- Several seeds ----


def deviation(values):
    """The standard deviation of the values, as an estimate from a sample; None of a single one."""
    return statistics.stdev(values) if len(values) > 1 else None


def rule_holds(errors, target):
    """(target - mean) sqrt(n) >= 3 deviations; None where a single run has no deviation."""
    if len(errors) < 2:
        return None
    return (target - statistics.mean(errors)) * math.sqrt(len(errors)) >= 3 * deviation(errors)


def make_row(track, runs, ours):
    """The figures of the runs of one side, beside our own runs: ratios are times of `runs` to the target over times of
    `ours`, and None where our runs do not all reach it. Where runs of the side are `unknown`, whose whole length counts,
    times and ratios are the most that they may be, and the errors are those of the others."""
    target = track.target
    stopped = [run for run in runs if unknown(run, target)]
    errors = [run["curve"][-1]["error"] for run in runs if run not in stopped]
    times = {clock: statistics.mean(time_to(run, target, clock) for run in runs) for clock in CLOCKS}
    ratios = dict.fromkeys(CLOCKS)
    if ours and runs is not ours and all(first_crossing(run["curve"], target) for run in ours):
        for clock in CLOCKS:
            ratios[clock] = times[clock] / statistics.mean(time_to(run, target, clock) for run in ours)
    return dict(
        seeds=len(runs),
        steps=round(statistics.mean((first_crossing(r["curve"], target) or r["curve"][-1])["step"] for r in runs)),
        mean=statistics.mean(errors) if errors else None,
        deviation=deviation(errors),
        reached=sum(first_crossing(run["curve"], target) is not None for run in runs),
        rule=rule_holds(errors, target) if track.rule else None,
        unknown=len(stopped),
        others=max(run.get("others", 0) for run in runs),
        whole=max(run["steps"] for run in runs),
        times=times,
        ratios=ratios,
    )
