"""Measures norn-sim on one core against its goals, and fails when one is missed.

What counts is the processor time of its processes, so that whatever else this machine does falsifies little.

Usage: sim_bench.py NORN_SIM [SEEDS]
"""

import os
import re
import resource
import subprocess
import sys

program = sys.argv[1]
seeds = sys.argv[2] if len(sys.argv) > 2 else "60"


def spent():
    """Seconds of processor time that processes which have ended took."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(*arguments):
    """The last line of a run, as a dictionary, and cpu: the seconds of processor time that it took."""
    before = spent()
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"norn-sim {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    line = {name: float(value) for name, value in re.findall(r"(\w+)=([0-9.]+)(?= |$)", done.stdout.splitlines()[-1])}
    return line | {"cpu": spent() - before}


def best(*arguments):
    """Of three, the one that was disturbed least."""
    return min((run(*arguments) for _ in range(3)), key=lambda line: line["cpu"])


os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
idle = best("--workload", "idle", "--seed", "1", "--calm", "--brief")
load = best("--workload", "load", "--seed", "1", "--calm", "--brief")
mix = run("--seeds", seeds, "--once", "--jobs", "1", "--failed", "none")
rows = [
    ("times real time, idle-heavy", 1000, idle["vtime"] / idle["cpu"]),
    ("times real time at 100 workflows/s", 20, load["vtime"] / load["cpu"]),
    ("IO events a second", 300000, load["events"] / load["cpu"]),
    ("seeds an hour, default mix", 4000, 3600 * mix["seeds"] / mix["cpu"]),
]
print(f"{'':36} {'goal':>10} {'measured':>12}")
for name, goal, measured in rows:
    print(f"{name:36} {goal:>10,} {measured:>12,.0f}{'' if measured >= goal else '   MISSED'}")
sys.exit(any(measured < goal for _, goal, measured in rows))
