"""run.py - the bench and its peers on the same work, in turn; `make bench-peers` calls it, README.md explains the rows.

For each configuration and number of threads every side starts once, on the same parameters and batch, and their first
losses must agree. Then they take turns of some steps each, quiet first and then beside spinning processes; the others
sleep meanwhile. A row's ratio is that of the best peer to ours, turn by turn.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

import sides

CONFIGS = ["toy", "small", "nano", "g2p", "annot", "gptmid"]
TURN_SECONDS = 0.35
# Beside spinning processes rounds are long and differ more: as many as fit, but so many at least.
BUSY_SECONDS, BUSY_ROUNDS = 30, 6
# A peer that is so much slower than the best one after some quiet rounds takes no more turns.
HOPELESS, HOPELESS_ROUNDS = 1.5, 5
FIRST_STEPS, FIRST_TOLERANCE = 4, 1e-3


def median_interval(values):
    """The interval between order statistics that holds the median of the distribution with at least 95 %, whatever the
    distribution: [x(k), x(n + 1 - k)] holds it with 1 - 2 P(B < k), B binomial (n, 1/2). David and Nagaraja, Order
    Statistics, 3rd edition, section 7.1. Of five values or fewer, the range."""
    ordered, n = sorted(values), len(values)
    k, below = 1, 1  # `below` is 2^n P(B < k)
    while 2 * (below + math.comb(n, k)) <= 0.05 * 2**n:
        below += math.comb(n, k)
        k += 1
    return ordered[k - 1], ordered[n - k]


# ---- Measuring ----


def same_work(named):
    """Takes the first steps, whose losses must agree, since all sides began from the same parameters and batch."""
    parameters, losses = set(), {}
    for name, side in named.items():
        parameters.add(side.ready["parameters"])
        losses[name] = side.steps(FIRST_STEPS)[1]
    for name, first in losses.items():
        if any(abs(a - b) > FIRST_TOLERANCE * abs(b) for a, b in zip(first, losses["ours"])):
            sys.exit(f"{name} does other work than ours: the first losses are {first} and {losses['ours']}")
    if len(parameters) > 1:
        sys.exit(f"the sides have different numbers of parameters: {parameters}")


def take_turns(named, rounds, seconds=None, peak=False):
    """Times of each side, round by round: a turn's median step. The order is reversed in every other round. With
    `seconds`, the rounds end after that time, but not before BUSY_ROUNDS."""
    times, peaks = {name: [] for name in named}, []
    count = {name: max(1, round(1e3 * TURN_SECONDS / side.steps(1)[0][0])) for name, side in named.items()}
    active, end = list(named), time.monotonic() + (seconds or 0)
    for number in range(rounds):
        if seconds and number >= min(BUSY_ROUNDS, rounds) and time.monotonic() > end:
            break
        for name in active if number % 2 == 0 else active[::-1]:
            times[name].append(statistics.median(named[name].steps(count[name])[0]))
            time.sleep(0.01)  # until threads that wait by spinning sleep, too
            if name == "ours" and peak:
                peaks.append(named[name].ask("peak", 1)[0]["gflops"])
        if not seconds and number + 1 == HOPELESS_ROUNDS:
            best = min(statistics.median(times[name]) for name in active if name != "ours")
            active = [name for name in active if name == "ours" or statistics.median(times[name]) < HOPELESS * best]
    return times, peaks


def make_row(config, threads, load, times, peaks, flops):
    peers = [name for name in times if name != "ours"]
    median = {name: statistics.median(values) for name, values in times.items()}
    best = min(peers, key=median.get)
    ratios = [theirs / ours for theirs, ours in zip(times[best], times["ours"])]
    share = statistics.median(1e-6 * flops / (ms * peak) for ms, peak in zip(times["ours"], peaks)) if peaks else None
    return dict(
        config=config,
        threads=threads,
        load=load,
        ms=median,
        best=best,
        ratio=statistics.median(ratios),
        interval=median_interval(ratios),
        rounds=len(ratios),
        share=share,
        best_share=share and share * median["ours"] / median[best],
    )


def compare(options, config, threads, folder):
    """Yields the rows of a configuration: quiet, and beside spinning processes."""
    path = os.path.join(folder, config)
    named = {"ours": sides.start_ours(options.bench, config, threads, path)}
    loads = {"quiet": options.peers, "busy": [p for p in options.busy_peers if threads > 1 or p != "passive"]}
    for name in options.columns:
        if any(name in loads[load] for load in options.load):
            named[name] = sides.start_peer(name, threads, path, options.cache)
    same_work(named)
    flops = named["ours"].ready["flops"]
    for name in list(named)[1:]:
        module = sides.PEERS[name][0]
        options.versions[module] = f"{module} {named[name].ready['version']}"
    some = {load: {name: named[name] for name in ["ours", *loads[load]]} for load in options.load}
    if "quiet" in options.load:
        row = make_row(config, threads, 0, *take_turns(some["quiet"], options.rounds, peak=True), flops)
        yield dict(row, memory={name: side.memory() for name, side in some["quiet"].items()})
    if "busy" in options.load:
        spinning = sides.start_spinning(options.bench, options.spinning * os.cpu_count())
        time.sleep(0.5)
        times, _ = take_turns(some["busy"], options.rounds, seconds=BUSY_SECONDS)
        yield make_row(config, threads, options.spinning, times, [], flops)
        spinning.close()
    for side in named.values():
        side.close()


def has_avx512():
    with open("/proc/cpuinfo") as file:
        return " avx512f " in file.read()


def products(options):
    """Matrix products beside those of OpenBLAS, where the library is there. It knows its kernels by the processor's
    name, and takes slow ones for a name that is newer than itself."""
    bench, blas = os.path.abspath(options.bench), options.blas
    environment = dict(os.environ)
    if has_avx512():
        environment.setdefault("OPENBLAS_CORETYPE", "SKYLAKEX")
    probe = [bench, "--blas", blas, "--config", "toy", "--threads", "1", "--json"]
    if subprocess.run(probe, capture_output=True).returncode != 0:
        print(f"\n{blas} cannot be opened, so no products are compared: apt install libopenblas0-openmp.")
        return
    print("\nMatrix products, OpenBLAS (A) beside ours (B):")
    with tempfile.TemporaryDirectory() as folder:
        for threads in options.threads:
            for name, flags in (("openblas", ["--blas", blas]), ("ours", ["--only", "product"])):
                with open(os.path.join(folder, name), "a") as file:
                    command = [bench, "--json", "--threads", str(threads), *flags]
                    subprocess.run(command, stdout=file, env=environment, check=True)
        subprocess.run([bench, "--compare", "openblas", "ours"], cwd=folder, check=True)


# ---- Rows ----


def cells(row, peers):
    share = f" ({100 * row['share']:.0f} %)" if row["share"] else ""
    best_share = f" ({100 * row['best_share']:.0f} %)" if row["share"] else ""
    ours = f"{row['ms']['ours']:.1f}{share}"
    theirs = [f"{row['ms'][n]:.1f}" + (best_share if n == row["best"] else "") if n in row["ms"] else "" for n in peers]
    ratio = "{:.2f} ({:.2f} to {:.2f})".format(row["ratio"], *row["interval"])
    return [row["config"], str(row["threads"]), str(row["load"]), ours, *theirs, ratio, str(row["rounds"])]


def memory_cells(row, names):
    return [row["config"], str(row["threads"]), *(str(row["memory"][name]) for name in names)]


def heading(peers):
    times = [f"{name}, ms" for name in ["ours", *peers]]
    return ["config", "threads", "spinning", *times, "best peer / ours", "rounds"]


def print_line(line):
    print("".join(f"{cell:<{8 if i < 3 else 17}} " for i, cell in enumerate(line)).rstrip(), flush=True)


def print_table(title, head, lines):
    print(f"\n{title}\n\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for line in lines:
        print("| " + " | ".join(line) + " |")


def print_markdown(options, rows):
    """Tables of the quiet rows, of the busy ones, and of memory."""
    for load in sorted({row["load"] for row in rows}):
        title = f"Beside {load} spinning processes per processor:" if load else "Quiet:"
        peers = [name for name in options.columns if any(row["load"] == load and name in row["ms"] for row in rows)]
        print_table(title, heading(peers), [cells(row, peers) for row in rows if row["load"] == load])
        if not load:
            names = ["ours", *peers]
            lines = [memory_cells(row, names) for row in rows if not row["load"]]
            print_table("The most memory resident, MB:", ["config", "threads", *names], lines)


def processor():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return f"{len(os.sched_getaffinity(0))} processors, {names[0] if names else 'unknown'}"


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    processors = len(os.sched_getaffinity(0))
    parser.add_argument("--bench", default="build/bench")
    parser.add_argument("--config", nargs="+", default=CONFIGS, help="configurations of the bench")
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, processors}))
    parser.add_argument("--peers", nargs="+", choices=list(sides.PEERS), default=["eager", "compile", "jax"])
    parser.add_argument("--busy-peers", nargs="+", choices=list(sides.PEERS), default=["eager", "passive", "jax"])
    parser.add_argument("--load", nargs="+", choices=["quiet", "busy"], default=["quiet", "busy"])
    parser.add_argument("--rounds", type=int, default=15, help="turns of each side; busy rows may have fewer")
    parser.add_argument("--spinning", type=int, default=4, help="spinning processes per processor of the busy rows")
    parser.add_argument("--cache", default="build/peers", help="a folder for what the peers compile")
    parser.add_argument("--blas", default="libopenblas.so.0", help="the library of OpenBLAS")
    parser.add_argument("--no-products", action="store_true", help="training steps alone")
    parser.add_argument("--markdown", action="store_true", help="the rows again, as tables of Markdown")
    options = parser.parse_args()
    options.peers = sides.installed(options.peers)
    options.busy_peers = sides.installed(options.busy_peers)
    wanted = options.peers * ("quiet" in options.load) + options.busy_peers * ("busy" in options.load)
    options.columns = [name for name in sides.PEERS if name in wanted]
    options.cache = os.path.abspath(options.cache)
    options.versions = {}
    return options


def main():
    options = read_options()
    if not options.columns:
        sys.exit("This Python has neither PyTorch nor JAX: bench/README.md says how to install them.")
    print_line(heading(options.columns))
    rows, start = [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for config in options.config:
            for threads in options.threads:
                for row in compare(options, config, threads, folder):
                    rows.append(row)
                    print_line(cells(row, options.columns))
    minutes = (time.monotonic() - start) / 60
    print(f"\n{', '.join(options.versions.values())}; {processor()}; {minutes:.0f} minutes.")
    if options.markdown:
        print_markdown(options, rows)
    if not options.no_products:
        products(options)


if __name__ == "__main__":
    main()
