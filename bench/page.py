"""page: one HTML file with the table and plots, nothing fetched from elsewhere."""
import html
import math
from statistics import median

import table

COLORS = {"norn": "#0b7285", "temporal-file": "#c92a2a", "temporal-memory": "#e8890c"}
STYLE = """body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#222;
background:#fff}
table{border-collapse:collapse;font-size:13px;display:block;overflow-x:auto}td,th{padding:.25rem .6rem;
text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}
td:first-child{text-align:left;white-space:pre}figure{margin:2rem 0}
figcaption{font-weight:600;margin-bottom:.5rem}svg{width:100%;max-width:46rem;height:auto}text{font:12px system-ui}
@media(prefers-color-scheme:dark){body{background:#161819;color:#ddd}td,th{border-color:#3a3d3f}svg text{fill:#ddd}
svg .axis{stroke:#888}}"""
W, H, LEFT, BOTTOM, TOP, RIGHT = 720, 380, 70, 50, 20, 20


def decades(numbers):
    return math.floor(math.log10(min(numbers))), math.ceil(math.log10(max(numbers)))


def scale(low, high, from_px, to_px):
    span = max(high - low, 1)
    return lambda v: from_px + (math.log10(v) - low) / span * (to_px - from_px)


def short(v):
    return f"{v:,.0f}" if v >= 1 else f"{v:g}"


def axes(x, y, xs, ys, xlabel, ylabel):
    out = [f'<path class="axis" fill="none" stroke="#555" d="M{LEFT} {TOP}V{H - BOTTOM}H{W - RIGHT}"/>']
    for d in range(xs[0], xs[1] + 1):
        out.append(f'<text x="{x(10**d):.0f}" y="{H - BOTTOM + 18}" text-anchor="middle">{short(10**d)}</text>')
    for d in range(ys[0], ys[1] + 1):
        out.append(f'<text x="{LEFT - 8}" y="{y(10**d) + 4:.0f}" text-anchor="end">{short(10**d)}</text>')
    out.append(f'<text x="{(LEFT + W) / 2}" y="{H - 10}" text-anchor="middle">{xlabel}</text>')
    out.append(f'<text transform="translate(14 {H / 2}) rotate(-90)" text-anchor="middle">{ylabel}</text>')
    return out


def sweep(document):
    """Throughput against p99, a line for each side, a point for each number in flight."""
    lines = {}
    for side in document["sides"]:
        points = []
        for step in document["sweep"]:
            rate = table.values(document["results"], side, step, "per_second")
            p99 = table.values(document["results"], side, step, "p99_ms")
            if rate and p99 and median(rate) > 0:
                points.append((median(rate), median(p99), step.rsplit("-", 1)[1]))
        if points:
            lines[side] = points
    if not lines:
        return ""
    every = [p for points in lines.values() for p in points]
    xs, ys = decades([p[0] for p in every]), decades([p[1] for p in every])
    x, y = scale(*xs, LEFT, W - RIGHT), scale(*ys, H - BOTTOM, TOP)
    out = axes(x, y, xs, ys, "workflows a second", "p99, ms")
    for i, (side, points) in enumerate(lines.items()):
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b, _ in points)
        color = COLORS.get(side, "#555")
        out.append(f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{path}"/>')
        for a, b, label in points:
            out.append(f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="4" fill="{color}"><title>{label} in flight: '
                       f'{a:,.0f}/s, p99 {b:.1f} ms</title></circle>'
                       f'<text x="{x(a) + 6:.1f}" y="{y(b) - 6:.1f}">{label}</text>')
        out.append(f'<text x="{LEFT + 12}" y="{TOP + 14 + 16 * i}" style="fill:{color}">'
                   f'{html.escape(document["names"][side])}</text>')
    return figure("Throughput against latency; the numbers are workflows in flight", out)


def bars(document, title, picks, name, unit):
    """A bar for each side and step, on a log scale: sides differ by hundreds of times."""
    found = [(label, side, median(v)) for step, label in picks for side in document["sides"]
             if (v := [n for n in table.values(document["results"], side, step, name) if n > 0])]
    if not found:
        return ""
    low, high = decades([v for _, _, v in found])
    x = scale(low, high, LEFT + 170, W - 90)
    out, at, last = [], TOP, None
    for label, side, value in found:
        if label != last:
            at += 8
            out.append(f'<text x="0" y="{at + 12}">{html.escape(label)}</text>')
            last = label
        out.append(f'<rect x="{LEFT + 170}" y="{at}" width="{max(x(value) - LEFT - 170, 2):.1f}" height="15" '
                   f'fill="{COLORS.get(side, "#555")}"/>'
                   f'<text x="{x(value) + 6:.1f}" y="{at + 12}">{value:,.3g} {unit}</text>')
        at += 18
    return figure(title, out, at + 10)


def figure(title, parts, height=H):
    return (f'<figure><figcaption>{html.escape(title)}</figcaption><svg viewBox="0 0 {W} {height}" role="img" '
            f'aria-label="{html.escape(title)}">{"".join(parts)}</svg></figure>')


def render(document):
    rows = table.lines(document)
    cells = "".join("<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in row) + "</tr>"
                    for row, tag in zip(rows, ["th"] + ["td"] * len(rows)))
    legend = " ".join(f'<b style="color:{COLORS.get(s, "#555")}">{html.escape(document["names"][s])}</b>'
                      for s in document["sides"])
    cpu = [("one-100", "one activity"), ("ten", "ten in sequence"), ("fan", "100 at once"), ("timer", "a timer"),
           ("signal", "a signal"), ("storm", "a start"), ("drain", "a drained workflow")]
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<title>norn-bench {document["revision"]}</title><style>{STYLE}</style><h1>norn-bench '
            f'{html.escape(document["revision"])}</h1><p>{html.escape(document["when"])}, '
            f'{html.escape(document["machine"])}; '
            f'load average {document["load"]}; {document["rounds"]} rounds. {legend}</p>{sweep(document)}'
            f'{bars(document, "Server CPU per workflow (log scale)", cpu, "cpu_ms", "ms")}'
            f'{bars(document, "Memory (log scale)", [("idle", "idle")], "resident_mib", "MiB")}'
            f'<h2>All figures</h2><p>Median of the rounds (least to most); ratios: of medians, and the least and most '
            f'that the rounds allow.</p><table>{cells}</table></html>')
