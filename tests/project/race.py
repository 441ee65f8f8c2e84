"""race.py - the race, the ladder and the accuracies (bench/race) on data made up; tests/project/test_race runs it.

    python3 tests/project/race.py arithmetic | files FOLDER
    python3 tests/project/race.py recipes | keys | tables | accuracies | sides | updates COMMAND FOLDER
"""

import contextlib
import functools
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
from types import SimpleNamespace

sys.dont_write_bytecode = True
RACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "race")
sys.path.insert(0, RACE)

import accuracy
import data
import figures
import ladder
import race
from tracks import TRACKS, Set


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
    equal([figures.unknown(falling, target) for target in (2.0, 0.5)], [False, True])
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
    equal([row[name] for name in ("seeds", "reached", "unknown", "steps", "whole")], [2, 1, 1, 250, 400])
    near(row["mean"], 1.8)  # of the run that did not stop before its end: the other one's error is not one at the end
    own = figures.make_row(SimpleNamespace(target=2.0, rule=False), ours, ours)
    equal([own["ratios"]["seconds"], own["rule"], own["reached"]], [None, None, 2])
    # no ratio where one of our runs does not reach the target
    row = figures.make_row(SimpleNamespace(target=1.6, rule=False), theirs, ours)
    equal(row["ratios"], dict.fromkeys(figures.CLOCKS))

    # The cells: steps, error, reached, then times and ratios by both clocks. "At most" only where runs were stopped.
    ours = [run_of((60, 1.87))]
    for runs, expected in (
        (ours, ["60", "1.87", "1 of 1", "3.00", "2.00", "", ""]),
        ([run_of((600, 1.8))], ["600", "1.8", "1 of 1", "30.00", "20.00", "10.0", "10.0"]),
        ([run_of((300, 2.0), (600, 1.9))],
         ["600", "1.9", "0 of 1", "30.00 (whole run)", "20.00 (whole run)", "10.0", "10.0"]),
        ([run_of((300, 2.5), steps=1200)],
         ["300 of 1200", "", "0 of 1, 1 stopped before", "at most 60.00 (whole run, extrapolated)",
          "at most 40.00 (whole run, extrapolated)", "at most 20.0", "at most 20.0"]),
    ):
        row = figures.make_row(TRACKS["letters"], runs, ours)
        line = race.cells("letters", 2, "ours" if runs is ours else "usual", row)
        equal(line[:3] + line[4:], ["letters", "1.88 nats per character", "2", "1", *expected])


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


def keys(command, folder):
    """A run in PyTorch is found by the values that it got, and by the peers' files."""
    options = SimpleNamespace(command=command, torch="2.0", peer_steps=None)
    made = made_files("shakespeare", folder)
    resolve = functools.cache(lambda recipe: race_resolve(command, recipe, made[0]))
    race_resolve, race.resolve = race.resolve, lambda command, recipe, flags: dict(resolve(recipe))  # each recipe once
    key = lambda side, **more: race.key_of(SimpleNamespace(**{**vars(options), **more}), "letters", side, 1, 1, made)
    asked = key("same")["recipe"]
    equal([asked["recipe"][name] for name in ("run.rate", "run.steps", "init")], ["0.009", "360", "zero-residual"])
    equal([asked["steps"], asked["every"], asked["target"]], [360, 360 // 20, None])
    assert not {"run.seed", "run.level"} & set(asked["recipe"]), asked
    equal(key("usual")["recipe"]["recipe"]["init"], "gpt2")
    equal([key("same", peer_steps=steps)["recipe"]["steps"] for steps in (10, 360, 1000)], [10, 360, 360])
    # a flag that a preset gives counts as one that is given
    values = [race.resolve(command, recipe + " --d-model 16", made[0]) for recipe in ("--preset text", "--layers 1")]
    equal([recipe.get("init") for recipe in values], ["zero-residual", None])
    # the track letters-10m is only timed, unless all of it is asked for
    ten = [race.request_of(SimpleNamespace(**{**vars(options), "peer_steps": steps}), TRACKS["letters-10m"], "usual", made)
           for steps in (None, 5000)]
    equal([(request["steps"], request["every"]) for request in ten], [(20, 5001), (5000, 250)])

    before, real = key("same"), race.PEERS
    equal(key("same"), before)
    race.PEERS = folder
    parts = ("train.py", "transformer.py", "examples.py", "sides.py")
    for part in parts:
        with open(os.path.join(real, part), "rb") as file, open(os.path.join(folder, part), "wb") as copy:
            copy.write(file.read())
    equal(key("same"), before)
    for part in parts:
        with open(os.path.join(folder, part), "a", encoding="utf-8") as file:
            file.write("# changed\n")
        assert key("same") != before, part
        before = key("same")
    race.PEERS = real


def table_of(main, *flags):
    """What a program of bench/race prints: its lines, and the rows of its table by their first cells."""
    sys.argv = ["", *flags]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        main()
    lines = output.getvalue().splitlines()
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if line.startswith("| ")]
    return lines, {row[0]: row[1:] for row in rows}


def refuse(*line):
    raise AssertionError(f"nothing was to be run: {line}")


def tables(command, folder):
    """`make race` at two numbers of threads and `make ladder`, whole; what has ended is not run again."""
    os.makedirs(os.path.join(folder, "shakespeare"))
    os.replace(made_files("shakespeare", folder)[1]["text"], os.path.join(folder, "shakespeare", "input.txt"))
    small = "--layers 1 --heads 2 --d-model 16 --context 16 --batch 4 --lr 0.01 --steps 20"
    race.TRACKS = ladder.TRACKS = {"letters": TRACKS["letters"]._replace(ours=small, usual=small, target=4)}
    ladder.LADDER = (("plain", small), ("rotary", "--positions rotary"))
    race.find_torch = lambda: None
    log = os.path.join(folder, "log.jsonl")
    flags = ["--command", command, "--data", folder, "--log", log, "--folder", folder, "--seeds", "2"]
    racing, climbing = (race.main, *flags, "--tracks", "letters", "--threads", "1", "2"), (ladder.main, *flags)
    lines, table = table_of(*racing)
    runs = figures.read_runs(log)
    equal([(run["threads"], run["seed"]) for run in runs], [(1, 1), (1, 2), (2, 1), (2, 2)])
    equal(table["track"][-4:], ["processor minutes", "minutes", "processor minutes / ours", "minutes / ours"])
    # The same bytes at both numbers of threads, so the same errors.
    errors = [run["curve"][0]["error"] for run in runs]
    equal(errors[:2], errors[2:])
    error = f"{statistics.mean(errors):.4g} ± {statistics.stdev(errors[:2]):.2g}"
    equal([line.split(" | ")[2:8] for line in lines if line.startswith("| letters")],
          [[str(n), "tapeformer", "2", "20", error, "2 of 2, rule holds"] for n in (1, 2)])

    lines, table = table_of(*climbing)
    added = figures.read_runs(log)[4:]
    equal([(run["recipe"], run["seed"]) for run in added],
          [(recipe, seed) for recipe in (small, small + " --positions rotary") for seed in (1, 2)])
    for i, (rung, choice) in enumerate(ladder.LADDER):
        errors = [run["curve"][0]["error"] for run in added[2 * i : 2 * i + 2]]
        equal(table[rung][:2], [f"`{choice}`", f"{statistics.mean(errors):.4f} ± {statistics.stdev(errors):.4f}"])

    real, race.train_ours = race.train_ours, refuse
    equal(table_of(*climbing)[1], table)
    said = any(line.startswith("Other programs") for line in table_of(*racing)[0])
    equal(said, max(run["others"] for run in runs) > race.OTHERS)
    race.train_ours = real
    # Processor time of programs that this one did not run is others': half of 10 seconds.
    moments = iter(((0, 0), (10, 5)) * 4)
    race.times = lambda: next(moments)
    lines = table_of(*racing, "--fresh")[0]  # runs its own again, and keeps the ladder's
    assert lines[-1].startswith("Other programs took 0.5 processors"), lines[-1]
    equal(len(figures.read_runs(log)), 12)


def accuracies(command, folder):
    """`make accuracy`: each figure is that of `tapeformer eval`, and is made once."""
    os.makedirs(os.path.join(folder, "g2p"))
    files = {}
    for i, name in enumerate(("one", "two", "three")):
        files[name] = {part: f"g2p/{name}_{part}.tsv" for part in ("train", "dev", "test")}
        words = [f"{number:02}" for number in range(90)]
        for j, part in enumerate(files[name]):
            data.write_pairs(os.path.join(folder, files[name][part]), [(word, f"{word[i % 2]} x") for word in words[j::3]])
    del files["three"]["dev"]
    recipe = "--layers 1 --heads 2 --d-model 16 --batch 8 --lr 0.01 --steps 30 --tgt-tokens words"
    accuracy.SETS = {name: Set(parts, recipe) for name, parts in files.items()}
    accuracy.SIGMORPHON = ("one", "two")
    log, models = os.path.join(folder, "log.jsonl"), os.path.join(folder, "models")
    flags = ["--command", command, "--data", folder, "--log", log, "--folder", models, "--threads", "1", "--seeds", "2"]
    calls = []

    def measure(*flags, real_call=accuracy.call):
        """Lines, table and log, with the calls that were made as (subcommand, the end of a file's name)."""
        calls.clear()
        accuracy.call = lambda *line: calls.append((line[1], line[line.index("--pairs") + 1][-8:-4])) or real_call(*line)
        return *table_of(accuracy.main, *flags), figures.read_runs(log)

    lines, table, runs = measure(*flags)
    assert any(line.startswith("three has no dev file") and "TEST=1" in line for line in lines), lines
    equal([(run["set"], run["seeds"], list(run["errors"])) for run in runs],
          [(name, seeds, ["dev"]) for name in ("one", "two") for seeds in ([1], [2], [1, 2])])
    equal(sorted(calls), [("eval", "_dev")] * 6 + [("train", "rain")] * 4)
    folders = {name.rpartition("-")[0]: os.path.join(models, name) for name in os.listdir(models)}
    equal(sorted(folders), ["one-1", "one-2", "two-1", "two-2"])
    for run in runs:
        together = ",".join(folders[f"{run['set']}-{seed}"] for seed in run["seeds"])
        line = [command, "eval", "--model", together, "--pairs", os.path.join(folder, files[run["set"]]["dev"]), "--json"]
        near(run["errors"]["dev"], 100 * json.loads(subprocess.run(line, stdout=subprocess.PIPE, check=True).stdout)["wer"])
    dev = [run["errors"]["dev"] for run in runs]
    assert len(set(dev)) > 2 and any(error != round(error, 2) for error in dev), dev
    equal(table["set"], ["dev", "dev, ensemble", *figures.WORDS])
    equal(table["one"][:2], [f"{statistics.mean(dev[:2]):.2f} ± {statistics.stdev(dev[:2]):.2f}", f"{dev[2]:.2f}"])
    mean = [statistics.mean(dev[:2] + dev[3:5]), statistics.mean((dev[2], dev[5]))]
    equal(table["mean of the 2 languages"][:2], [f"{value:.2f}" for value in mean])
    # 0.0149 and 0.0249: not the mean of the cells, 0.01 and 0.02
    equal(accuracy.mean_row({"one": {"dev": [0.0149]}, "two": {"dev": [0.0249]}})[1:], ["0.02"])

    # Nothing is measured twice. Without all languages there is no mean.
    with open(log, "a", encoding="utf-8") as file:
        file.write('{"set": "on')
    again = measure(*flags)
    equal([again[1], calls], [table, []])
    equal(list(measure(*flags, "--sets", "two", "three")[1]), ["set", "two"])

    # Test, of the models that are there. A set without dev is trained now.
    lines, table, runs = measure(*flags, "--test")
    equal(sorted(calls), [("eval", "test")] * 9 + [("train", "rain")] * 2)
    equal(runs[6]["errors"]["dev"], dev[0])
    equal([sorted(run["errors"]) for run in runs[6:]], [["dev", "test"]] * 6 + [["test"]] * 3)
    equal([table["three"][i] for i in (0, 1)], ["", ""])
    test = [run["errors"]["test"] for run in runs[6:]]
    equal([table["two"][i] for i in (2, 3)],
          [f"{statistics.mean(test[3:5]):.2f} ± {statistics.stdev(test[3:5]):.2f}", f"{test[5]:.2f}"])
    measure(*flags, "--test")
    equal(calls, [])
    equal(list(measure(*flags, "--test", "--sets", "two", "three")[1]), ["set", "two", "three"])

    # Another recipe, program or number of threads has models of its own.
    kept = set(os.listdir(models))
    accuracy.SETS["one"] = accuracy.SETS["one"]._replace(recipe=recipe + " --dropout 0")
    measure(*flags, "--sets", "one")
    equal(calls.count(("train", "rain")), 2)
    measure(*flags[:-4], "--threads", "2", "--sets", "one")
    equal(calls, [("train", "rain"), ("eval", "_dev")])
    figures_program, figures.program = figures.program, lambda path: "another"
    measure(*flags[:-2], "--sets", "one")
    equal(calls, [("train", "rain"), ("eval", "_dev")])
    figures.program = figures_program
    equal([kept < set(os.listdir(models)), len(os.listdir(models))], [True, len(kept) + 4])

    # A training that was interrupted is none; a model that is there needs no line in the log.
    half = accuracy.folder_of(SimpleNamespace(folder=models, program=figures.program(command), threads=1), "two", 1)
    os.remove(log)
    shutil.rmtree(half)

    def interrupted(*line):
        shutil.copytree(folders["two-2"], line[-1])
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        measure(*flags, "--sets", "two", real_call=interrupted)
    measure(*flags, "--sets", "two")
    equal(calls.count(("train", "rain")), 1)
    equal([run["errors"]["dev"] for run in figures.read_runs(log)], dev[3:])

    os.remove(os.path.join(folder, files["two"]["dev"]))
    try:
        measure(*flags)
    except SystemExit as end:
        assert end.code.startswith(f"There is no {folder}/g2p/two_dev.tsv: DATA=DIR"), end.code
    else:
        raise AssertionError("a set without its file was no error")


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
        made = made_files(name, folder)
        key = dict(track=name, side="same", threads=1, seed=1, recipe=race.request_of(options, track, "same", made))
        run = race.run_ours(options, track, key, made)
        assert abs(run["error_in_pytorch"] - run["curve"][0]["error"]) < 1e-4, run
        curve = race.run_peer(options, track, key, made)["curve"]
        equal([point["step"] for point in curve], [run["steps"] // 2, run["steps"]])
        assert 0 < curve[0]["processor_seconds"] < curve[1]["processor_seconds"], curve
        print(name, run["curve"], curve)


def updates(command, folder):
    """Three steps from the same parameters on the same batch, all of the pairs, come to the same parameters on both
    sides, by Muon with AdamW of the rest; Muon is torch.optim.Muon but for its bfloat16; the rates are the same ones."""
    import torch
    import train as peer
    from transformer import INITS

    torch.set_num_threads(1)
    flags, files = made_files("hun", folder)
    # (no biases in the blocks: the gradient of a key's bias is 0 but for rounding, which Adam enlarges)
    flags += "--no-bias --heads 2 --layers 1 --d-model 16 --ffn 24 --dropout 0 --batch 1000 --optimizer muon --weight-decay 0.1".split()
    paths = [os.path.join(folder, name) for name in ("source.txt", "target.txt", "weights.safetensors")]

    def weights(*more):
        out = os.path.join(folder, "run")
        race.train_ours(command, [*flags, *more], out)
        subprocess.run([command, "export", "--model", out, "--src-vocab", paths[0], "--tgt-vocab", paths[1], "--out",
                        paths[2]], check=True)
        return out, safetensors_file.read(paths[2])[0]

    sys.path.append(os.path.join(RACE, "..", "..", "examples", "python"))
    import safetensors_file
    from seq2seq import read_vocab

    recipe = "--lr 0.01 --muon-lr 0.05 --schedule wsd --decay 0.4 --warmup 2 --steps 3"
    begin = weights("--lr", "1e-12", "--muon-lr", "1e-12", "--steps", "1")[1]
    end = weights(*recipe.split())[1]
    kept = []
    INITS["given"] = lambda model: kept.append(model) or model.load_state_dict(begin)
    vocabs = [read_vocab(path) for path in paths[:2]]
    peer.make_data = functools.partial(peer.make_data, vocabs=vocabs)
    values = {**race.resolve(command, recipe, flags), "init": "given"}
    request = dict(data=files, seed=1, threads=1, every=4, steps=3, target=None)
    peer.train(request, *peer.read_recipe(values))
    for name, p in kept[0].state_dict().items():
        moved = (end[name] - begin[name]).norm()
        assert (p - end[name]).norm() < 1e-4 * moved, (name, (p - end[name]).norm() / moved)

    for rows, columns in ((24, 16), (16, 24), (16, 16)):
        torch.manual_seed(1)
        ours, theirs = (torch.nn.Parameter(torch.ones(rows, columns)) for _ in range(2))
        both = [peer.Muon([{"params": [ours], "parts": 1}], dict(lr=0.05, momentum=0.9, weight_decay=0.1)),
                torch.optim.Muon([theirs], lr=0.05, momentum=0.9, weight_decay=0.1)]
        for _ in range(3):
            ours.grad = torch.randn(rows, columns)
            theirs.grad = ours.grad.clone()
            for optimizer in both:
                optimizer.step()
        moved = (theirs.detach() - 1).norm()
        assert (ours - theirs).norm() < 0.02 * moved, (rows, columns, (ours - theirs).norm() / moved)

    for schedule, more in {"wsd": "--decay 0.4", "cosine": "--floor 0.1", "linear": "", "inverse-sqrt": "", "noam": "",
                           "constant": ""}.items():
        curve = f"--lr 0.01 --schedule {schedule} --warmup 3 --steps 12 {more}"
        out = weights(*curve.split())[0]
        _, run = peer.read_recipe(race.resolve(command, curve, flags))
        with open(os.path.join(out, "log.jsonl"), encoding="utf-8") as file:
            rates = [line["rate"] for line in map(json.loads, file) if "rate" in line]
        equal(len(rates), 12)
        for step, rate in enumerate(rates, 1):
            expected = run.rate * peer.SCHEDULES[schedule](run, step, 16)
            assert abs(rate - expected) < 1e-5 * run.rate, (schedule, step, rate, expected)


if __name__ == "__main__":
    checks = (arithmetic, files, recipes, keys, tables, accuracies, sides, updates)
    {check.__name__: check for check in checks}[sys.argv[1]](*sys.argv[2:])
