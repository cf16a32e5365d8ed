"""run: the benchmark against Norn and its peers, side by side in one invocation. `./zig build bench [-- FLAG...]`

    --full            longer: 60 s for the main scenario, 5 rounds
    --large           with a million stored, waiting and idle workflows (Norn only; half an hour, 10 GB of disk)
    --rounds N        how often each side is measured, interleaved
    --sides A,B       of norn, temporal-file, temporal-memory
    --steps A,B       only these steps (one-100, one-1, ten, ...)
    --compare REV     what moved against an earlier result: a revision that was measured here, or a JSON file
    --out DIR         where results go (zig-out/bench): REVISION.json, REVISION.html

A round starts each side in turn on an empty folder, runs every step on it, and stops it. The raw disk is measured
between Norn's steps, so that both see the same moments. Nothing else should run on the machine; the load average is
written beside the figures for when something did."""
import argparse
import glob
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

import page
import sides
import table

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SWEEP = ["one-1", "one-10", "one-100", "one-400"]


class Step:
    """`peer`: seconds on a peer in a quick run, where few workflows end in Norn's."""

    def __init__(self, name, scenario, flags="", quick=2.0, full=10.0, peer=None, first_only=False, only=None,
                 large=False, noise=False, restart=False):
        self.name, self.scenario, self.flags = name, scenario, flags.split()
        self.quick, self.full, self.peer, self.first_only, self.only = quick, full, peer or quick, first_only, only
        self.large = large          # only with --large: minutes, and gigabytes of disk
        self.noise = noise          # beside another namespace that offers twice what one-100 reached
        self.restart = restart      # the server is killed and started again after it: its recovery is measured

    def seconds(self, side, full):
        return self.full if full else self.quick if side == "norn" else self.peer


STEPS = [
    # First, while the server is as small as it was at its start.
    Step("polls", "polls", "--polls 10000", first_only=True),
    Step("one-1", "one", "--in-flight 1 --warm-up 0.5", peer=5),
    Step("disk", "disk", only="norn"),
    Step("one-10", "one", "--in-flight 10 --warm-up 0.5", quick=1.5, peer=4, first_only=True),
    Step("one-100", "one", "--in-flight 100 --warm-up 1", quick=4, full=60, peer=12),
    Step("one-400", "one", "--in-flight 400 --warm-up 1", quick=1.5, first_only=True, only="norn"),
    Step("open-10", "one", "--rate 10 --warm-up 0.5", first_only=True),
    Step("open-1000", "one", "--rate 1000 --warm-up 0.5", first_only=True, only="norn"),
    Step("ten", "ten", "--in-flight 50", first_only=True),
    Step("fan", "fan", "--in-flight 4", first_only=True),
    Step("timer", "timer", "--in-flight 100", first_only=True),
    Step("signal", "signal", "--in-flight 100", first_only=True),
    Step("long", "long", "--in-flight 4", quick=4, full=15, first_only=True, only="norn"),
    Step("lists", "lists", "--in-flight 50", quick=3, first_only=True, only="norn"),
    Step("quiet", "one", "--rate 50 --warm-up 0.5", quick=3, full=20, only="norn"),
    Step("noisy", "one", "--rate 50 --warm-up 0.5", quick=3, full=20, only="norn", noise=True),
    Step("micro", "micro", quick=0.5, full=2, only="norn"),
    Step("storm", "backlog", "--in-flight 100", quick=1.5, first_only=True),
    # What grows. Each of these leaves what it made; the order is part of it.
    Step("fill-10k", "fill", "--count 10000", only="norn", large=True),
    Step("stored-10k", "one", "--in-flight 100 --warm-up 1", quick=15, full=30, only="norn", large=True),
    Step("fill-1m", "fill", "--count 990000 --in-flight 400", only="norn", large=True),
    Step("stored-1m", "one", "--in-flight 100 --warm-up 1", quick=15, full=30, only="norn", large=True),
    Step("backlog-1m", "backlog", "--count 1000000 --in-flight 400", only="norn", large=True),
    Step("idle-1m", "idle", "--count 1000000 --in-flight 400", only="norn", large=True, restart=True),
]
# What counts as the engine's work, in norn-bench micro engine.
COLLECT = ["engine_start_workflow_execution", "engine_start_task", "engine_respond_workflow_task_completed",
           "engine_respond_activity_task_completed", "micro_store_flush"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def git(*args):
    return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def revision():
    return git("rev-parse", "--short=10", "HEAD") + ("-changed" if git("status", "--porcelain", "-uno") else "")


def instructions(bench):
    """Of the engine for each state transition: the same on a busy machine as on a quiet one."""
    if not shutil.which("valgrind"):
        say("  instructions: not counted, valgrind is not installed")
        return []
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command += [f"--toggle-collect={function}" for function in COLLECT]
    done = subprocess.run(command + [bench, "micro", "engine", "--rounds", "1"], capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not collected:
        say(f"  instructions: valgrind failed with {done.returncode}")
        return []
    each = int(collected[1]) / json.loads(done.stdout)["cases"]["engine"]["count"]
    say(f"  instructions of the engine for a state transition: {each:,.0f}")
    return [{"step": "instructions", "instructions": each, "errors": 0}]


def start_noise(bench, side, seconds, capacity):
    command = [bench, "one", "--address", side.address, "--namespace", "noisy", "--rate", f"{2 * capacity:.0f}",
               "--seconds", str(seconds + 2), "--warm-up", "1"]
    noise = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    return noise


def run_step(bench, side, step, seconds):
    command = [bench, step.scenario, "--address", side.address, "--pid", str(side.pid), "--seconds", str(seconds),
               "--file", os.path.join(side.folder, "disk")] + step.flags
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=seconds * 3 + 400)
    if done.returncode:
        say(f"  {step.name}: norn-bench failed with {done.returncode}")
        return []
    result = json.loads(done.stdout)
    if "cases" in result:
        return [{**case, "step": "micro-" + name, "errors": 0} for name, case in result["cases"].items()]
    result["step"] = step.name
    drain = result.pop("drain", None)
    drained = "drain" if step.name == "storm" else step.name + "-drain"
    return [result] + ([{**drain, "step": drained, "errors": 0}] if drain else [])


def run_side(bench, name, options, number, parent):
    """All steps of one round on one side."""
    found = []
    with sides.Side(name, bench, parent) as side:
        time.sleep(1)
        found.append({"step": "idle", "serving_ms": side.serving_ms, "resident_mib": side.resident_mib()})
        for step in STEPS:
            wanted = not options.steps or step.name in options.steps
            again = number == 0 or ((options.full or not step.first_only) and not step.large)
            wanted = wanted and (options.large or not step.large)
            if not wanted or not again or step.only not in (None, name):
                continue
            seconds = step.seconds(name, options.full)
            reached = max((r["per_second"] for r in found if r["step"] == "one-100"), default=0)
            noise = start_noise(bench, side, seconds, reached or 1000) if step.noise else None
            results = run_step(bench, side, step, seconds)
            if noise:
                noise.wait()
            if step.restart:
                side.restart()
                results.append({"step": step.name + "-recovery", "serving_ms": side.serving_ms,
                                "resident_mib": side.resident_mib(), "errors": 0})
            for r in results:
                say(f"  {sides.SIDES[name][0]:<17} {r['step']:<9} {r.get('per_second', 0):>9,.0f}/s  "
                    f"p50 {r.get('p50_ms', 0):>8.2f}  p99 {r.get('p99_ms', 0):>8.2f} ms  "
                    f"CPU {r.get('cpu_ms', 0):.3f} ms"
                    + (f"  {r['errors']} errors: {r.get('error')}" if r["errors"] else ""))
            found += results
    return [{**r, "side": name, "round": number} for r in found]


def measure(options, bench):
    results, before = [], os.getloadavg()
    if "norn" in options.sides and (not options.steps or "instructions" in options.steps):
        results += [{**r, "side": "norn", "round": 0} for r in instructions(bench)]
    with tempfile.TemporaryDirectory(prefix="norn-bench-", dir=options.dir) as parent:
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            for name in options.sides:
                results += run_side(bench, name, options, number, parent)
    return {
        "revision": revision(), "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "rounds": options.rounds,
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}", "full": options.full,
        "load": f"{before[0]:.1f} before, {os.getloadavg()[0]:.1f} after", "sides": options.sides,
        "names": {s: sides.SIDES[s][0] for s in options.sides}, "sweep": SWEEP, "results": results,
    }


def earlier(options):
    """The document that --compare names."""
    if os.path.isfile(options.compare):
        path = options.compare
    else:
        short = git("rev-parse", "--short=10", options.compare) or options.compare
        found = sorted(glob.glob(os.path.join(options.out, short + "*.json")), key=len)
        if not found:
            sys.exit(f"no result of {options.compare} in {options.out}: measure that revision first, or name a file")
        path = found[0]
    with open(path) as f:
        return json.load(f)


def write(document, out):
    os.makedirs(out, exist_ok=True)
    base = os.path.join(out, document["revision"])
    with open(base + ".json", "w") as f:
        json.dump(document, f, indent=1)
    with open(base + ".html", "w") as f:
        f.write(page.render(document))
    with open(base + ".md", "w") as f:
        f.write(table.markdown(table.lines(document)) + "\n")
    return base


def main():
    parser = argparse.ArgumentParser(prog="./zig build bench --", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--sides", type=lambda t: t.split(","), default=list(sides.SIDES))
    parser.add_argument("--steps", type=lambda t: t.split(","))
    parser.add_argument("--compare")
    parser.add_argument("--out", default=os.path.join(ROOT, "zig-out", "bench"))
    parser.add_argument("--dir", help="where the servers' folders go (a real disk; default: the system's)")
    options = parser.parse_args()
    options.rounds = options.rounds or (5 if options.full else 2)
    unknown = set(options.sides) - set(sides.SIDES)
    if unknown:
        parser.error(f"no such side: {', '.join(unknown)}; there are {', '.join(sides.SIDES)}")
    if not os.path.exists(sides.PEER) and any(s.startswith("temporal") for s in options.sides):
        say("no peer: run tools/peer/build.sh once (about 8 minutes) to measure Temporal too")
        options.sides = [s for s in options.sides if not s.startswith("temporal")]
    before = earlier(options) if options.compare else None
    document = measure(options, os.environ["NORN_BENCH"])
    base = write(document, options.out)
    print(table.text(table.lines(document)))
    print(f"\n{document['machine']}, load average {document['load']}; {base}.json, {base}.html")
    if before:
        rows = table.moved(document, before)
        if min(document["rounds"], before["rounds"]) < 2:
            print("\nOne round only on a side of this comparison: it cannot tell a change from noise.")
        print(f"\nAgainst {before['revision']}:\n" + (table.text(rows) if len(rows) > 1 else "nothing moved"))


if __name__ == "__main__":
    main()
