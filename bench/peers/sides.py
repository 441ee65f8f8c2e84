"""sides.py - the sides of a comparison: processes that take steps on demand and sleep otherwise."""

import importlib.util
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# The allocator of the C library gives large blocks back to the system after each step and gets them again page by page
# unless it is told to keep them.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_TOP_PAD_": str(1 << 28),
}

# Module, script and flags of each peer. Beside spinning processes, OpenMP's threads had better sleep than spin.
PEERS = {
    "eager": ("torch", "torch_step.py", []),
    "passive": ("torch", "torch_step.py", []),  # eager with OMP_WAIT_POLICY=passive
    "compile": ("torch", "torch_step.py", ["--compile"]),
    "jax": ("jax", "jax_step.py", []),
}


def installed(names):
    """Those of the peers whose modules this Python has."""
    return [name for name in names if importlib.util.find_spec(PEERS[name][0])]


class Side:
    """A process that answers requests. It is in a session of its own, as what runs in a terminal's window is: Linux
    divides the processors among sessions. It ends when this process does, which closes its input."""

    def __init__(self, command, environment=None, processors=None):
        settings = dict(os.environ, **(environment or {}))
        pin = (lambda: os.sched_setaffinity(0, processors)) if processors else None
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process = subprocess.Popen(command, env=settings, start_new_session=True, preexec_fn=pin, **pipes)
        self.ready = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.process.args)}: ended with code {self.process.wait()}")
        return json.loads(line)

    def ask(self, request, rows):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return [self.read() for _ in range(rows)]

    def steps(self, count):
        """Milliseconds and losses of so many steps."""
        rows = self.ask(f"step {count}", count)
        return [row["ms_per_step"] for row in rows], [row["loss"] for row in rows]

    def memory(self):
        """The most that was resident, in MB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return round(next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1000)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def start_ours(bench, config, threads, path):
    """Our side, which writes the file from which the peers begin."""
    return Side([bench, "--serve", path, "--config", config, "--threads", str(threads)])


def start_peer(name, threads, path, cache):
    module, script, flags = PEERS[name]
    command = [sys.executable, os.path.join(HERE, script), path]
    if module == "torch":
        environment = dict(KEEP_MEMORY, OMP_NUM_THREADS=str(threads))
        if name == "passive":
            environment["OMP_WAIT_POLICY"] = "passive"
        environment["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(cache, "inductor")
        return Side(command + ["--threads", str(threads)] + flags, environment)
    # JAX has no setting for the number of threads: it makes one for each processor that it may use.
    environment = dict(JAX_PLATFORMS="cpu", JAX_COMPILATION_CACHE_DIR=os.path.join(cache, "jax"))
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return Side(command, environment, sorted(os.sched_getaffinity(0))[:threads])


def start_spinning(bench, count):
    return Side([bench, "--json", "--spin", str(count)])
