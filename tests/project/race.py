"""race.py - the arithmetic of the race (bench/race), and that its recipes are ones; tests/project/test_race runs it.

    python3 tests/project/race.py arithmetic | files FOLDER | recipes COMMAND FOLDER | sides COMMAND FOLDER
"""

import os
import sys
from types import SimpleNamespace

sys.dont_write_bytecode = True
RACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "race")
sys.path.insert(0, RACE)

import data
import figures
import race
from tracks import TRACKS


def run_of(*points, steps=None, **more):
    """A run whose points are (step, error); a step takes 2 seconds and 3 processor seconds."""
    curve = [dict(step=step, seconds=2 * step, processor_seconds=3 * step, error=error) for step, error in points]
    return dict(steps=steps or points[-1][0], curve=curve, **more)


def near(a, b):
    assert abs(a - b) < 1e-12, f"{a} is not {b}"


def equal(a, b):
    assert a == b, f"{a} is not {b}"


def arithmetic():
    falling = run_of((10, 3.0), (20, None), (30, 2.0), (40, 1.0), (50, 2.5), steps=80)
    equal(figures.first_crossing(falling["curve"], 2.0)["step"], 30)
    equal(figures.first_crossing(falling["curve"], 0.5), None)
    equal(figures.time_to(falling, 2.0, "seconds"), 60)
    equal(figures.time_to(falling, 0.5, "processor_seconds"), 3 * 80)  # the whole run, of which 50 steps were taken
    equal([figures.extrapolated(falling, target) for target in (2.0, 0.5)], [False, True])
    equal(figures.time_to(run_of((20, None), steps=5000), 1.5, "seconds"), 2 * 5000)

    # mean 1.8, deviation 0.1, n = 4: (target - 1.8) 2 >= 0.3 from the target 1.95 on
    errors = [1.7, 1.7, 1.9, 1.9]
    near(figures.deviation(errors), 0.2 / 3**0.5)
    limit = 1.8 + 3 * figures.deviation(errors) / 2
    equal([figures.rule_holds(errors, target) for target in (limit + 1e-9, limit - 1e-9)], [True, False])
    equal(figures.rule_holds([1.0], 2.0), None)
    equal([figures.seeds_for(minutes) for minutes in (9.9, 10, 29.9, 30)], [5, 3, 3, 1])

    ours = [run_of((10, 1.9)), run_of((20, 1.5))]
    theirs = [run_of((100, 2.5), (200, 1.95), (300, 1.8)), run_of((100, 2.5), (300, 2.1), steps=400)]
    row = figures.make_row(SimpleNamespace(target=2.0, rule=True), theirs, ours)
    equal(row["times"], {"seconds": (400 + 800) / 2, "processor_seconds": (600 + 1200) / 2})
    equal(row["ratios"], {"seconds": 600 / 30, "processor_seconds": 900 / 45})
    equal([row["seeds"], row["reached"], row["extrapolated"], row["steps"]], [2, 1, True, 250])
    near(row["mean"], 1.95)
    own = figures.make_row(SimpleNamespace(target=2.0, rule=False), ours, ours)
    equal([own["ratios"]["seconds"], own["rule"], own["reached"]], [None, None, 2])
    # no ratio where one of our runs does not reach the target
    row = figures.make_row(SimpleNamespace(target=1.6, rule=False), theirs, ours)
    equal(row["ratios"], dict.fromkeys(figures.CLOCKS))


def files(folder):
    """The log of finished runs, after an interruption too; data made by code."""
    path = os.path.join(folder, "race.jsonl")
    key = dict(track="copy", side="ours", threads=1, seed=1, recipe="--steps 3", program="abc")
    equal(figures.find_run(figures.read_runs(path), key), None)
    figures.add_run(path, run_of((1, 0.5), **key))
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"track": "copy", "si')
    figures.add_run(path, run_of((2, 0.25), **dict(key, seed=2)))
    runs = figures.read_runs(path)
    equal(len(runs), 2)
    equal(figures.find_run(runs, key)["curve"][0]["step"], 1)
    equal(figures.find_run(runs, dict(key, seed=2))["curve"][0]["step"], 2)
    for name, other in dict(seed=3, recipe="--steps 4", program="abd", threads=2, side="same", track="reverse").items():
        equal(figures.find_run(runs, {**key, name: other}), None)

    train, dev = data.make("reverse", data.reverse_pair, 3000, folder)
    with open(train, encoding="utf-8") as seen, open(dev, encoding="utf-8") as unseen:
        seen, unseen = ([line.rstrip("\n").split("\t") for line in file] for file in (seen, unseen))
    equal([len(seen), len(unseen), len({source for source, _ in unseen})], [3000, 1000, 1000])
    assert not {source for source, _ in seen} & {source for source, _ in unseen}
    assert all(source[::-1] == target for source, target in seen + unseen)
    equal({len(source) for source, _ in seen}, set(range(1, 17)))
    equal({len(source) for source, _ in unseen}, set(range(4, 17)))
    word, same = data.copy_pair(data.random.Random(1))
    equal([len(word), word[0], same], [10, "a", word])


def made_files(name, folder):
    """The data of a track, made up: few lines, which make a small batch."""
    text, pairs = (os.path.join(folder, part) for part in ("text", "pairs"))
    with open(text, "w", encoding="utf-8") as file:
        file.write("to be or not to be, that is the question\n" * 16)
    with open(pairs, "w", encoding="utf-8") as file:
        words = [str(number * number) for number in range(2, 42)]
        file.writelines(f"{word}\t{' '.join(word[::-1])}\n" for word in [*words, "4"])
        file.write("4\t4 4\n")
    if name == "shakespeare":
        return ["--text", text, "--held-out", "0.1"], dict(text=text, held_out=0.1)
    return data.pairs([pairs, pairs], "words" if data.needs_folder(name) else "chars")


def recipes(command, folder):
    """Every recipe is one of `tapeformer train`: it takes a step."""
    for name, track in TRACKS.items():
        flags, _ = made_files(track.data, folder)
        for recipe in (track.ours, track.usual):
            values = race.resolve(command, recipe, flags)
            assert int(values["run.steps"]) > 1 and "model.d_model" in values, values
        assert set(track.extras) <= {"init", "batches", "marks", "run.epsilon"}, name
        print(name)


def sides(command, folder):
    """Both sides find the same error of our models, and PyTorch trains by our recipe."""
    options = SimpleNamespace(command=command, folder=folder, torch=True, peer_steps=None)
    small = "--layers 1 --d-model 16 --heads 2 --batch 4 "
    recipes = {
        "shakespeare": "--context 16 --steps 30 --lr 0.01 --positions rotary --activation gelu --average 0.9",
        "hun": "--steps 300 --lr 0.01 --positions learned --norm rms --tied --no-bias --embedding-scale 1",
        "copy": "--steps 300 --lr 1 --schedule noam --positions rotary --cross-positions --decoder-layers 2 --label-smoothing 0.1",
    }
    for name, recipe in recipes.items():
        track = TRACKS["letters" if name == "shakespeare" else "hungarian"]
        track = track._replace(ours=small + recipe, evaluations=2, stops=False)
        key = dict(track=name, side="same", threads=1, seed=1)
        run = race.run_ours(options, track, key, made_files(name, folder))
        assert abs(run["error_in_pytorch"] - run["curve"][0]["error"]) < 1e-4, run
        curve = race.run_peer(options, track, key, made_files(name, folder))["curve"]
        equal([point["step"] for point in curve], [run["steps"] // 2, run["steps"]])
        assert 0 < curve[0]["processor_seconds"] < curve[1]["processor_seconds"], curve
        print(name, run["curve"], curve)


if __name__ == "__main__":
    {"arithmetic": arithmetic, "files": files, "recipes": recipes, "sides": sides}[sys.argv[1]](*sys.argv[2:])
