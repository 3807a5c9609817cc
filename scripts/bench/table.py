# SPDX-License-Identifier: MIT
"""Turns the measurements of ingest.sh (JSON lines) into Markdown tables."""

import collections
import json
import statistics
import sys

RSS_TARGET_MIB = 64


def read(path):
    """{(system, size): [measurement of round 1, 2, ...]}, in the order measured."""
    found = collections.defaultdict(list)
    with open(path) as lines:
        for line in lines:
            measurement = json.loads(line)
            found[measurement["system"], measurement["size"]].append(measurement)
    return found


def rates(measurements):
    """MB/s of each round. blob-sender says `bytes` and `seconds` as the others do."""
    return [m["run"]["bytes"] / m["run"]["seconds"] / 1e6 for m in measurements]


def median(values):
    return statistics.median(values)


def rate(measurements):
    return f"{median(rates(measurements)):,.1f}"


def requests(measurements):
    return f"{median(m['run']['requests_per_s'] for m in measurements):,.0f}"


def cpu(measurements):
    return f"{median(m['cpu_s'] / m['run']['bytes'] * 1e9 for m in measurements):.2f}"


def peak_mib(measurements):
    return max(m["peak_kib"] for m in measurements) / 1024


def latency(measurements):
    p50, p99 = (
        median(m["run"][name] for m in measurements) / 1000
        for name in ("p50_us", "p99_us")
    )
    return f"{p50:.1f} / {p99:.1f}"


def judged(value, good):
    return value if good else f"{value} **missed**"


def ratio(measurements, reference, target):
    """Median over the rounds of the ratio within a round, held against the target."""
    value = median(a / b for a, b in zip(rates(measurements), rates(reference)))
    return judged(f"{value:.2f}", value >= target)


def table(title, head, rows):
    print(f"\n{title}\n")
    print("| " + " | ".join(head) + " |")
    print("| --- |" + " ---: |" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def peak(measurements):
    value = peak_mib(measurements)
    return judged(f"{value:.1f}", value < RSS_TARGET_MIB)


def sizes_of(found, system):
    return [size for name, size in found if name == system]


def relaxed_table(found):
    rows = []
    for size in sizes_of(found, "relaxed"):
        ours, nginx = found["relaxed", size], found["nginx", size]
        rows.append(
            (size, rate(ours), rate(nginx), ratio(ours, nginx, 1.0), requests(ours),
             requests(nginx), cpu(ours), cpu(nginx), peak(ours),
             f"{peak_mib(nginx):.1f}")
        )
    table(
        "`--durability relaxed` beside nginx `dav_methods PUT` (verifies nothing)",
        ("body", "MB/s", "nginx MB/s", "ratio, target 1.00", "requests/s",
         "nginx requests/s", "CPU s/GB", "nginx CPU s/GB",
         f"peak RSS MiB, target {RSS_TARGET_MIB}", "nginx peak RSS MiB"),
        rows,
    )


def strict_table(found):
    rows = []
    for size in sizes_of(found, "strict"):
        ours, floor = found["strict", size], found["floor", size]
        rows.append(
            (size, rate(ours), rate(floor), ratio(ours, floor, 0.8), requests(ours),
             requests(floor), latency(ours), latency(floor), cpu(ours), peak(ours))
        )
    table(
        "`--durability strict` beside the floor (write, fsync, link, fsync directory)",
        ("body", "MB/s", "floor MB/s", "ratio, target 0.80", "requests/s",
         "floor requests/s", "p50 / p99 ms", "floor p50 / p99 ms", "CPU s/GB",
         f"peak RSS MiB, target {RSS_TARGET_MIB}"),
        rows,
    )


def huge_table(found):
    rows = [
        (size, rate(found["huge", size]), peak(found["huge", size]))
        for size in sizes_of(found, "huge")
    ]
    table("One large body", ("body", "MB/s", f"peak RSS MiB, target {RSS_TARGET_MIB}"),
          rows)


def sending_table(found):
    rows = []
    for durability in ("relaxed", "strict"):
        for size in sizes_of(found, f"blob-sender, {durability}"):
            ours = found[f"blob-sender, {durability}", size]
            loop = found[f"curl_loop, {durability}", size]
            rows.append(
                (size, durability, rate(ours), rate(loop), ratio(ours, loop, 0.9))
            )
    table(
        "blob-sender (generates, hashes, spools) beside a bare loop of curl handles",
        ("body", "receiver", "MB/s", "curl loop MB/s", "ratio, target 0.90"),
        rows,
    )


def main():
    found = read(sys.argv[1])
    for show in (relaxed_table, strict_table, huge_table, sending_table):
        show(found)


main()
