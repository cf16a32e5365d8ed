"""Generates the tables of src/base/zone.c.

Usage: gen_zones.py OUT_DIR

The IANA time zone database comes from the Python package tzdata. OUT_DIR gets norn_zones.inc: for each zone, from 1970 to
the end of 2105, when its offset from UTC changes and to what. Zones that are alike share a table.
"""

import datetime
import pathlib
import struct
import sys
from importlib import resources
from zoneinfo import ZoneInfo

END = int(datetime.datetime(2106, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
WEEK = 7 * 86400


def names():
    return sorted(resources.files("tzdata").joinpath("zones").read_text().split())


def encoded(name):
    return resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).read_bytes()


def listed_times(data):
    """The times in the file's 64-bit block (RFC 8536), and its footer."""
    isutc, isstd, leap, times, types, chars = struct.unpack(">6l", data[20:44])
    at = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isutc
    isutc, isstd, leap, times, types, chars = struct.unpack(">6l", data[at + 20 : at + 44])
    at += 44
    listed = struct.unpack(f">{times}q", data[at : at + 8 * times])
    footer = data[at + times * 9 + types * 6 + chars + leap * 12 + isstd + isutc :].strip(b"\n").decode()
    return listed, footer


def offset(zone, at):
    return int(datetime.datetime.fromtimestamp(at, zone).utcoffset().total_seconds())


def later_times(zone, after):
    """By the footer's rule: a week at a time, then the second at which the offset changes."""
    for low in range(after, END, WEEK):
        high = min(low + WEEK, END)
        if offset(zone, low) == offset(zone, high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if offset(zone, middle) == offset(zone, low):
                low = middle
            else:
                high = middle
        yield high


def changes(name):
    listed, footer = listed_times(encoded(name))
    zone = ZoneInfo.from_file(resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb"))
    times = [at for at in listed if 0 < at < END]
    if "," in footer:
        times += later_times(zone, max([0, *times]))
    out = [(0, offset(zone, 0))]
    for at in times:
        if offset(zone, at) != out[-1][1]:
            out.append((at, offset(zone, at)))
    return tuple(out)


def main():
    tables, zones = {}, []
    by_file = {}
    for name in names():
        data = encoded(name)
        if data not in by_file:
            by_file[data] = changes(name)
        zones.append((name, tables.setdefault(by_file[data], len(tables))))
    lines = ["/* Made by tools/gen_zones.py. */"]
    for table, number in tables.items():
        lines.append(f"static const struct change table_{number}[] = {{")
        lines += [f"    {{{at}u, {to}}}," for at, to in table]
        lines.append("};")
    lines.append("static const struct zone zones[] = {")
    lines += [f'    {{"{name}", table_{n}, sizeof table_{n} / sizeof *table_{n}}},' for name, n in zones]
    lines.append("};")
    pathlib.Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    pathlib.Path(sys.argv[1], "norn_zones.inc").write_text("\n".join(lines) + "\n")


main()
