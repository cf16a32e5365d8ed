"""table: results of all rounds as text: medians with their spread, ratios between sides, and what moved since."""
from statistics import median

# (step, value, label, form, less is better). Steps are those of run.py.
ROWS = [
    ("one-100", "per_second", "one activity, 100 in flight: workflows/s", "{:,.0f}", False),
    ("one-100", "cpu_ms", "  server CPU per workflow, ms", "{:.3f}", True),
    ("one-100", "bytes_written", "  bytes written per workflow", "{:,.0f}", True),
    ("one-100", "p50_ms", "  p50, ms", "{:.1f}", True),
    ("one-100", "p99_ms", "  p99, ms", "{:.1f}", True),
    ("one-1", "p50_ms", "one activity, 1 in flight: p50, ms", "{:.2f}", True),
    ("one-1", "p99_ms", "  p99, ms", "{:.2f}", True),
    ("disk", "p50_ms", "  one write and data sync then: p50, ms", "{:.2f}", True),
    ("disk", "p99_ms", "  p99, ms", "{:.2f}", True),
    ("open-10", "p50_ms", "one activity, open loop, 10/s: p50, ms", "{:.1f}", True),
    ("open-10", "p99_ms", "  p99, ms", "{:.1f}", True),
    ("open-1000", "p99_ms", "one activity, open loop, 1,000/s: p99, ms", "{:.1f}", True),
    ("ten", "per_second", "ten activities in sequence: workflows/s", "{:,.0f}", False),
    ("ten", "cpu_ms", "  server CPU per workflow, ms", "{:.3f}", True),
    ("fan", "per_second", "100 activities at once: workflows/s", "{:,.1f}", False),
    ("fan", "cpu_ms", "  server CPU per workflow, ms", "{:.2f}", True),
    ("timer", "p99_ms", "a timer, 100 in flight: p99 beyond its 100 ms", "{:.1f}", True),
    ("timer", "cpu_ms", "  server CPU per workflow, ms", "{:.3f}", True),
    ("signal", "per_second", "a signal, 100 in flight: workflows/s", "{:,.0f}", False),
    ("signal", "cpu_ms", "  server CPU per workflow, ms", "{:.3f}", True),
    ("long", "cpu_ms", "300 activities in sequence: server CPU per workflow, ms", "{:.1f}", True),
    ("lists", "p99_ms", "lists beside 50 workflows in flight: p99, ms", "{:.1f}", True),
    ("quiet", "p99_ms", "one activity, open loop, 50/s: p99, ms", "{:.1f}", True),
    ("noisy", "p99_ms", "  beside a namespace at twice the capacity, ms", "{:.1f}", True),
    ("storm", "per_second", "starts without a worker: starts/s", "{:,.0f}", False),
    ("storm", "cpu_ms", "  server CPU per start, ms", "{:.3f}", True),
    ("storm", "p99_ms", "  p99 of a start, ms", "{:.1f}", True),
    ("drain", "per_second", "  their drain: workflows/s", "{:,.0f}", False),
    ("drain", "cpu_ms", "  server CPU per workflow, ms", "{:.3f}", True),
    ("polls", "more_mib", "10,000 idle polls: MiB more", "{:.1f}", True),
    ("stored-10k", "cpu_ms", "server CPU per workflow with 10,000 stored, ms", "{:.3f}", True),
    ("stored-1m", "cpu_ms", "  with 1,000,000 stored, ms", "{:.3f}", True),
    ("backlog-1m", "per_second", "a backlog of 1,000,000: starts/s", "{:,.0f}", False),
    ("backlog-1m-drain", "per_second", "  its drain: workflows/s", "{:,.0f}", False),
    ("idle-1m", "resident_mib", "1,000,000 idle workflows: resident MiB", "{:,.0f}", True),
    ("idle-1m-recovery", "serving_ms", "  exec to serving after a crash, ms", "{:,.0f}", True),
    ("idle-1m-recovery", "resident_mib", "  resident MiB then", "{:,.0f}", True),
    ("instructions", "instructions", "instructions of the engine for a state transition", "{:,.0f}", True),
    ("micro-engine", "per_second", "the engine alone: state transitions/s on one core", "{:,.0f}", False),
    ("micro-fiber", "ns", "a fiber's turn, ns of CPU", "{:,.0f}", True),
    ("micro-queue", "ns", "a match of task and poll, ns", "{:,.0f}", True),
    ("micro-record", "ns", "a journal record, ns", "{:,.0f}", True),
    ("micro-protobuf", "ns", "an event encoded and decoded, ns", "{:,.0f}", True),
    ("micro-http2", "ns", "an HTTP/2 exchange, both ends, ns", "{:,.0f}", True),
    ("micro-sqlite", "ns", "an image into SQLite, ns", "{:,.0f}", True),
    ("idle", "resident_mib", "idle: resident MiB", "{:.1f}", True),
    ("idle", "serving_ms", "exec to serving, ms", "{:.0f}", True),
]


def values(results, side, step, name):
    """The rounds' values, in the order of rounds."""
    return [r[name] for r in results if r["side"] == side and r["step"] == step and r.get(name) is not None]


def with_spread(found, form):
    if not found:
        return "-"
    text = form.format(median(found))
    low, high = form.format(min(found)), form.format(max(found))
    return text if low == high else f"{text} ({low} to {high})"


def ratios(results, ours, theirs, step, name, less):
    """How many times better our side is: the median of each, and the worst and best that the rounds allow."""
    a, b = values(results, ours, step, name), values(results, theirs, step, name)
    if not a or not b or min(a) <= 0 or min(b) <= 0:
        return "-"
    if less:
        middle, low, high = median(b) / median(a), min(b) / max(a), max(b) / min(a)
    else:
        middle, low, high = median(a) / median(b), min(a) / max(b), max(a) / min(b)
    form = "{:,.0f}" if middle >= 20 else "{:.1f}"
    spread = f" ({form.format(low)} to {form.format(high)})" if len(a) > 1 or len(b) > 1 else ""
    return f"{form.format(middle)}x{spread}"


def lines(document):
    """The table: a list of rows of text; the first is its head."""
    results, sides = document["results"], document["sides"]
    peers = [s for s in sides if s != "norn"] if "norn" in sides else []
    out = [[""] + [document["names"][s] for s in sides] + ["better than " + document["names"][s] for s in peers]]
    for step, name, label, form, less in ROWS:
        cells = [with_spread(values(results, side, step, name), form) for side in sides]
        if all(cell == "-" for cell in cells):
            continue
        out.append([label] + cells + [ratios(results, "norn", s, step, name, less) for s in peers])
    return out


def text(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                               for i, (cell, w) in enumerate(zip(row, widths))).rstrip() for row in rows)


def markdown(rows):
    rule = ["---"] + ["---:"] * (len(rows[0]) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], rule] + rows[1:])


def moved(document, earlier):
    """What differs from an earlier document by more than the rounds of both differ among themselves."""
    out = [["", "earlier", "now", "change"]]
    for side in document["sides"]:
        for step, name, label, form, less in ROWS:
            old, new = values(earlier["results"], side, step, name), values(document["results"], side, step, name)
            if not old or not new or median(old) <= 0:
                continue
            change = median(new) / median(old) - 1
            # Instructions do not depend on what else the machine does: a hundredth is seen.
            if abs(change) < (0.01 if step == "instructions" else 0.05):
                continue
            if step != "instructions" and max(new) >= min(old) and min(new) <= max(old):
                continue
            verdict = "better" if (change < 0) == less else "WORSE"
            out.append([f"{document['names'][side]}: {step}: {label.strip()}", form.format(median(old)),
                        form.format(median(new)), f"{change:+.0%} {verdict}"])
    return out
