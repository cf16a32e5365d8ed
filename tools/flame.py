#!/usr/bin/env python3
"""flame: a flame graph of a running program, as one SVG file that needs nothing else. `tools/flame.py --help`.

    tools/flame.py --pid $(pidof norn) --seconds 10 --out norn.svg      by perf record (Debian: linux-perf), CPU time
    tools/flame.py --folded FILE --out norn.svg                         of lines `main;f;g 12`, from anywhere

Each box is a function; what it called is above it, and its width is its share of the samples. Point at a box for its
name and share, click to see only what is above it, click the lowest box to see all again."""
import argparse
import collections
import html
import os
import re
import subprocess
import sys
import tempfile

WIDTH, ROW, FONT = 1400, 17, 11
SCRIPT = """
function zoom(to) {
  const x0 = +to.dataset.x, w0 = +to.dataset.w, depth = +to.dataset.d;
  for (const g of document.querySelectorAll('g[data-x]')) {
    const x = +g.dataset.x, w = +g.dataset.w, d = +g.dataset.d;
    const above = d >= depth && x >= x0 - 1e-9 && x + w <= x0 + w0 + 1e-9;
    const below = d < depth && x <= x0 + 1e-9 && x + w >= x0 + w0 - 1e-9;
    g.style.display = above || below ? '' : 'none';
    const left = below ? 0 : (x - x0) / w0 * WIDTH, wide = below ? WIDTH : w / w0 * WIDTH;
    const box = g.children[1], text = g.children[2];
    box.setAttribute('x', left); box.setAttribute('width', Math.max(wide - 0.5, 0));
    text.setAttribute('x', left + 3);
    const room = Math.floor((wide - 6) / CHAR);
    text.textContent = room < 3 ? '' : g.dataset.n.slice(0, room);
  }
}
""".replace("WIDTH", str(WIDTH)).replace("CHAR", "6.6")


def record(pid, seconds):
    """Stacks with their counts, outermost function first."""
    with tempfile.TemporaryDirectory(prefix="flame-") as folder:
        data = os.path.join(folder, "perf.data")
        subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "499", "-g", "-p", str(pid), "-o", data, "--",
                        "sleep", str(seconds)], check=True)
        text = subprocess.run(["perf", "script", "-i", data, "-F", "comm,tid,ip,sym"], check=True, text=True,
                              capture_output=True).stdout
    return fold(text)


def fold(text):
    stacks = collections.Counter()
    for sample in re.split(r"\n\s*\n", text):
        lines = sample.strip().split("\n")
        frames = [re.sub(r"^\s*[0-9a-f]+\s+", "", line).strip() for line in lines[1:]]
        if frames:
            thread = re.sub(r"\s+\d+\s*$", "", lines[0].strip())
            stacks[";".join([thread] + [f or "[unknown]" for f in reversed(frames)])] += 1
    return stacks


def read_folded(path):
    stacks = collections.Counter()
    with open(path) as f:
        for line in f:
            stack, _, count = line.rstrip("\n").rpartition(" ")
            if stack and count.isdigit():
                stacks[stack] += int(count)
    return stacks


def tree_of(stacks):
    root = {"name": "all", "count": 0, "inner": {}}
    for stack, count in stacks.items():
        node = root
        node["count"] += count
        for name in stack.split(";"):
            node = node["inner"].setdefault(name, {"name": name, "count": 0, "inner": {}})
            node["count"] += count
    return root


def color(name):
    spread = sum(ord(c) * (i + 1) for i, c in enumerate(name))
    return f"rgb({205 + spread % 50},{90 + spread // 7 % 110},{40 + spread // 3 % 40})"


def boxes(node, x, depth, total, out):
    share = node["count"] / total
    if share * WIDTH < 0.3:
        return
    out.append((node["name"], x, share, depth, node["count"]))
    for inner in sorted(node["inner"].values(), key=lambda n: n["name"]):
        boxes(inner, x, depth + 1, total, out)
        x += inner["count"] / total


def svg(stacks, title):
    root, out = tree_of(stacks), []
    boxes(root, 0.0, 0, root["count"], out)
    height = (max(b[3] for b in out) + 1) * ROW + 30
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" '
             f'font-size="{FONT}"><script><![CDATA[{SCRIPT}]]></script>'
             f'<text x="4" y="16">{html.escape(title)}: {root["count"]} samples</text>']
    for name, x, share, depth, count in out:
        y, wide = height - (depth + 1) * ROW, share * WIDTH
        room = int((wide - 6) / 6.6)
        shown, full = html.escape(name[:room] if room >= 3 else ""), html.escape(name, quote=True)
        lines.append(f'<g data-x="{x:.9f}" data-w="{share:.9f}" data-d="{depth}" data-n="{full}" onclick="zoom(this)">'
                     f'<title>{full}: {count} samples, {share:.2%}</title>'
                     f'<rect x="{x * WIDTH:.2f}" y="{y}" width="{max(wide - 0.5, 0):.2f}" height="{ROW - 1}" rx="1" '
                     f'fill="{color(name)}"/><text x="{x * WIDTH + 3:.2f}" y="{y + 12}">{shown}</text></g>')
    return "\n".join(lines) + "</svg>\n"


def main():
    parser = argparse.ArgumentParser(prog="tools/flame.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pid", type=int)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--folded")
    parser.add_argument("--out", default="flame.svg")
    options = parser.parse_args()
    if bool(options.pid) == bool(options.folded):
        parser.error("give --pid or --folded")
    stacks = read_folded(options.folded) if options.folded else record(options.pid, options.seconds)
    if not stacks:
        sys.exit("no samples: the program was idle, or perf may not look at it (kernel.perf_event_paranoid)")
    with open(options.out, "w") as f:
        f.write(svg(stacks, options.folded or f"process {options.pid}, {options.seconds:g} s"))
    print(options.out)


if __name__ == "__main__":
    main()
