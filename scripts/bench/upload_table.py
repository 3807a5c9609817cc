# SPDX-License-Identifier: MIT
"""Runs one upload and measures it; or turns the measurements into Markdown tables.

    upload_table.py run CLIENT SET MILLISECONDS FILES COMMAND...
    upload_table.py table RESULTS
"""

import collections
import json
import os
import statistics
import subprocess
import sys
import time

CPU_SHARE = 1 / 3
RSS_TARGET_MIB = 32


def size_of(directory):
    paths = [os.path.join(d, name) for d, _, names in os.walk(directory) for name in names]
    return len(paths), sum(os.path.getsize(path) for path in paths)


def run(client, files, distance, directory, *command):
    count, total = size_of(directory)
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaints = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if status != 0:
        sys.exit(f"{client}: exit {status >> 8}: {complaints.decode()[-2000:]}")
    measurement = {
        "client": client,
        "set": files,
        "distance": int(distance),
        "files": count,
        "bytes": total,
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
    }
    print(json.dumps(measurement))


def read(path):
    """{(set, distance): {client: [measurement, ...]}}, in the order measured."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    with open(path) as lines:
        for line in lines:
            one = json.loads(line)
            found[one["set"], one["distance"]][one["client"]].append(one)
    return found


def middle(measurements, value):
    return statistics.median(value(one) for one in measurements)


def rate(one):
    return one["files"] / one["wall_s"] if one["set"] == "small" else (
        one["bytes"] / one["wall_s"] / 1e6
    )


def cpu(one):
    """Seconds for a thousand small files, or for a GB."""
    unit = one["files"] / 1e3 if one["set"] == "small" else one["bytes"] / 1e9
    return one["cpu_s"] / unit


def row(client, measurements):
    cells = [
        client,
        f"{middle(measurements, lambda m: m['wall_s']):.2f}",
        f"{middle(measurements, rate):,.0f}",
        f"{middle(measurements, cpu):.2f}",
        f"{max(m['peak_mib'] for m in measurements):.1f}",
        f"{middle(measurements, lambda m: m['requests']):,.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def verdict(clients):
    ours = clients.get("blob-sender")
    rclone = [m for name, m in clients.items() if name.startswith("rclone")]
    if not ours or not rclone:
        return
    others = max(middle(m, rate) for name, m in clients.items() if name != "blob-sender")
    share = middle(ours, cpu) / min(middle(m, cpu) for m in rclone)
    peak = max(m["peak_mib"] for m in ours)
    for text, good in (
        (f"speed beside the next: {middle(ours, rate) / others:.2f}", middle(ours, rate) > others),
        (f"CPU beside rclone: {share:.2f}", share <= CPU_SHARE),
        (f"peak: {peak:.1f} MiB", peak <= RSS_TARGET_MIB),
    ):
        print(f"- {text}{'' if good else ' **missed**'}")


def table(path):
    units = {"small": ("files/s", "CPU s/1000"), "big": ("MB/s", "CPU s/GB")}
    for (files, distance), clients in read(path).items():
        what = "files of 16 KiB" if files == "small" else "files of 64 MiB"
        print(f"\n### {what}, {distance} ms away\n")
        print("| client | wall s | {} | {} | peak MiB | requests |".format(*units[files]))
        print("| --- |" + " ---: |" * 5)
        for client, measurements in clients.items():
            print(row(client, measurements))
        print()
        verdict(clients)


if __name__ == "__main__":
    {"run": run, "table": table}[sys.argv[1]](*sys.argv[2:])
