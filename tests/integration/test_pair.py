# SPDX-License-Identifier: MIT
"""Sender to receiver: what was generated is what is stored, and the counts agree."""

import os
import pty
import select
import shutil
import subprocess

import pytest

from helpers import peers, programs, store, wire
from helpers.wait import scaled

NO_GAPS = ["--min-interval", "0", "--max-interval", "0"]
SMALL = ["--max-size", "64KiB"]


def contents(directory):
    """The multiset of contents, as sorted digests."""
    return sorted(store.digest(path) for path in store.blobs(directory).values())


def assert_all_there(receiver, sender):
    """Every blob generated is stored, whole, under its id, and nothing else is."""
    generated = {event["blob"]: event for event in sender.events("generated")}
    stored = receiver.blobs()
    assert stored.keys() == generated.keys()
    assert store.damaged(receiver.dir) == []
    for blob_id, path in stored.items():
        assert path.stat().st_size == generated[blob_id]["bytes"]
        assert store.attribute(path, store.TYPE) == "application/vnd.blobstream.int16le"


def test_stream(receiver, start_sender):
    sender = start_sender(receiver.url, "-n", 60, "--max-interval", "10ms")

    assert sender.wait() == 0

    assert_all_there(receiver, sender)
    sizes = [path.stat().st_size for path in receiver.blobs().values()]
    assert all(size % 2 == 0 and 1024 <= size <= 1 << 20 for size in sizes)
    assert len(set(sizes)) > 30
    assert store.blobs(sender.spool) == {}
    summary = sender.summary
    assert summary["generated"] == summary["delivered"] == 60
    assert summary["bytes"] == sum(sizes)
    for name in (
        "recovered",
        "retried",
        "rejected_by_injection",
        "undetected",
        "dead",
        "lost",
        "left",
    ):
        assert summary[name] == 0, name
    assert summary["seconds"] > 0
    assert summary["mb_per_s"] > 0
    latency = summary["latency_ms"]
    assert 0 <= latency["p50"] <= latency["p95"] <= latency["p99"]


def test_sha256sum_agrees(receiver, start_sender):
    assert start_sender(receiver.url, "-n", 20, *NO_GAPS).wait() == 0
    paths = list(receiver.blobs().values())
    printed = subprocess.run(
        ["sha256sum", *paths], capture_output=True, text=True, check=True
    ).stdout
    assert len(paths) == 20
    for line in printed.splitlines():
        digest, _, path = line.partition("  ")
        assert store.attribute(path, store.DIGEST) == digest


def test_the_life_of_a_blob_in_the_log(receiver, start_sender):
    sender = start_sender(receiver.url, "-n", 5, "-w", 2, *NO_GAPS)
    assert sender.wait() == 0
    for event in sender.events("generated"):
        [delivered] = [
            e for e in sender.events("delivered") if e["blob"] == event["blob"]
        ]
        assert delivered["bytes"] == event["bytes"]
        assert delivered["attempt"] == 1
        assert delivered["program"] == "sender"
        assert event["time"] <= delivered["time"]
    assert len(sender.events("generator_done")) == 1
    assert len(sender.events("worker_done")) == 2


def test_samples_are_noise(receiver, start_sender):
    assert (
        start_sender(receiver.url, "-n", 1, "--min-size", "1MiB", *NO_GAPS).wait() == 0
    )
    [path] = receiver.blobs().values()
    data = path.read_bytes()
    counts = [data.count(bytes([value])) for value in range(256)]
    assert len(data) == 1 << 20
    assert min(counts) > 3600 and max(counts) < 4600


@pytest.mark.parametrize(
    "options",
    [
        ["--min-size", "2", "--max-size", "2"],
        ["--min-size", "7777", "--max-size", "7778"],
    ],
)
def test_sizes_are_even_and_within_bounds(receiver, start_sender, options):
    assert start_sender(receiver.url, "-n", 5, *options, *NO_GAPS).wait() == 0
    for path in receiver.blobs().values():
        assert path.stat().st_size in (2, 7778)


def test_a_seed_repeats_contents_sizes_and_gaps(
    start_receiver, start_sender, workspace
):
    made, gaps = [], []
    for name, seed in (("a", "spring"), ("b", "spring"), ("c", "autumn")):
        receiver = start_receiver(directory=workspace / name)
        sender = start_sender(
            receiver.url,
            "-n",
            20,
            "--seed",
            seed,
            "--max-interval",
            "5ms",
            *SMALL,
            spool=workspace / f"spool-{name}",
        )
        assert sender.wait() == 0
        made.append(contents(receiver.dir))
        gaps.append([event["gap_ms"] for event in sender.events("generated")])
    assert len(set(made[0])) == 20
    assert made[0] == made[1]
    assert gaps[0] == gaps[1]
    assert not set(made[0]) & set(made[2])


def test_without_a_seed_every_run_differs(start_receiver, start_sender, workspace):
    made = []
    for name in "ab":
        receiver = start_receiver(directory=workspace / name)
        sender = start_sender(receiver.url, "-n", 5, *NO_GAPS, *SMALL)
        assert sender.wait() == 0
        made.append(set(contents(receiver.dir)))
    assert not made[0] & made[1]


def test_the_logged_seed_repeats_the_run(start_receiver, start_sender, workspace):
    first = start_receiver(directory=workspace / "a")
    sender = start_sender(first.url, "-n", 5, *NO_GAPS, *SMALL)
    assert sender.wait() == 0
    seed = sender.wait_event("started")["seed"]

    second = start_receiver(directory=workspace / "b")
    assert (
        start_sender(second.url, "-n", 5, "--seed", seed, *NO_GAPS, *SMALL).wait() == 0
    )
    assert contents(first.dir) == contents(second.dir)


def test_corruption_on_the_way_is_caught_and_repaired(start_receiver, start_sender):
    receiver = start_receiver("--log-level", "debug", "--durability", "relaxed")
    count = scaled(2000, 100)
    sender = start_sender(
        receiver.url,
        "-n",
        count,
        "--inject-bad-checksums=30",
        "--max-attempts",
        20,
        *NO_GAPS,
        *SMALL,
    )

    assert sender.wait(180) == 0

    assert_all_there(receiver, sender)
    summary = sender.summary
    rejected = summary["rejected_by_injection"]
    assert (
        summary["generated"] == summary["delivered"] == len(receiver.blobs()) == count
    )
    assert rejected == len(sender.events("rejected"))
    # Each blob needs 1/0.7 attempts on average: 0.43 rejections a blob.
    assert 0.3 < rejected / count < 0.6
    assert receiver.stop() == 0
    assert len(receiver.events("refused")) == rejected


def test_injection_without_a_number_is_ten_percent(receiver, start_sender):
    count = scaled(500, 200)
    sender = start_sender(
        receiver.url,
        "-n",
        count,
        "--inject-bad-checksums",
        *NO_GAPS,
        "--max-size",
        "4KiB",
    )
    assert sender.wait(60) == 0
    assert 0.03 < sender.summary["rejected_by_injection"] / count < 0.25
    assert store.damaged(receiver.dir) == []


def test_dead_letters_keep_their_reason_and_can_be_sent_again(receiver, start_sender):
    sender = start_sender(
        receiver.url,
        "-n",
        8,
        "--inject-bad-checksums=100",
        "--max-attempts",
        2,
        *NO_GAPS,
        *SMALL,
    )
    assert sender.wait() == 1

    dead = store.blobs(sender.spool / "dead")
    summary = sender.summary
    assert summary["dead"] == len(dead) == 8
    assert summary["delivered"] == 0
    assert summary["rejected_by_injection"] == 16
    assert receiver.blobs() == {}
    assert {event["blob"] for event in sender.events("dead")} == dead.keys()
    for path in dead.values():
        assert "400" in store.attribute(path, store.REASON)
    assert store.damaged(sender.spool) == [], "the spooled blob stays good"

    for path in dead.values():
        shutil.move(path, sender.spool)
    digests = contents(sender.spool)
    again = start_sender(receiver.url, "-n", 1, *NO_GAPS, *SMALL)
    assert again.wait() == 0

    summary = again.summary
    assert (summary["recovered"], summary["generated"], summary["delivered"]) == (
        8,
        1,
        9,
    )
    assert dead.keys() <= receiver.blobs().keys()
    assert set(digests) <= set(contents(receiver.dir))
    assert store.blobs(sender.spool) == {}


def test_what_was_left_is_sent_first(receiver, start_sender):
    with peers.deaf() as silent:
        first = start_sender(silent.url, "-n", 6, *NO_GAPS, *SMALL)
        first.wait_event("generated", count=6)
        first.kill()
    left = set(store.blobs(first.spool))
    assert len(left) == 6

    second = start_sender(receiver.url, "-n", 6, "-w", 1, *NO_GAPS, *SMALL)
    assert second.wait() == 0

    delivered = second.delivered()
    assert set(delivered[:6]) == left
    assert delivered[:6] == sorted(left), "oldest first"
    assert len(receiver.blobs()) == 12


def test_receiver_that_appears_later(start_receiver, start_sender):
    port = wire.unused_port()
    sender = start_sender(
        f"http://127.0.0.1:{port}", "-n", 10, "--max-attempts", 100, *NO_GAPS, *SMALL
    )
    sender.wait_event("unreachable", count=2)

    receiver = start_receiver(port=port)

    assert sender.wait(60) == 0
    assert_all_there(receiver, sender)


def test_receiver_that_goes_away_for_a_while(start_receiver, start_sender):
    receiver = start_receiver(port=wire.unused_port())
    sender = start_sender(
        receiver.url, "-n", 30, "--max-attempts", 100, "--max-interval", "10ms", *SMALL
    )
    sender.wait_event("delivered")
    assert receiver.stop() == 0
    sender.wait_event("failed")

    receiver = start_receiver(port=receiver.port)

    assert sender.wait(60) == 0
    assert_all_there(receiver, sender)
    assert sender.summary["retried"] > 0


def test_permanent_refusal_is_not_retried(start_receiver, start_sender):
    receiver = start_receiver("--max-blob-size", "1KiB")
    sender = start_sender(
        receiver.url, "-n", 2, "--min-size", "2KiB", "--max-size", "4KiB", *NO_GAPS
    )
    assert sender.wait() == 1
    for event in sender.events("dead"):
        assert event["attempts"] == 1
        assert "413" in event["message"]
    assert sender.summary["dead"] == 2
    assert sender.summary["retried"] == 0


def test_keep(receiver, start_sender):
    sender = start_sender(receiver.url, "-n", 5, "--keep", *NO_GAPS, *SMALL)
    assert sender.wait() == 0
    kept = store.blobs(sender.spool / "sent")
    assert kept.keys() == receiver.blobs().keys()
    assert contents(sender.spool) == contents(receiver.dir)
    assert store.damaged(sender.spool) == []

    again = start_sender(receiver.url, "-n", 1, *NO_GAPS, *SMALL)
    assert again.wait() == 0
    assert again.summary["recovered"] == 0


def test_spool_ignores_what_is_not_its_own(receiver, start_sender, workspace):
    spool = workspace / "spool"
    spool.mkdir()
    (spool / "notes.txt").write_text("mine")
    (spool / "nonsense.bin").write_text("mine")
    assert start_sender(receiver.url, "-n", 1, *NO_GAPS, *SMALL).wait() == 0
    assert (
        (spool / "notes.txt").read_text()
        == (spool / "nonsense.bin").read_text()
        == "mine"
    )
    assert len(receiver.blobs()) == 1


def test_spooled_blob_that_was_altered_is_never_delivered(
    receiver, start_sender, workspace
):
    with peers.deaf() as silent:
        first = start_sender(silent.url, "-n", 2, *NO_GAPS, *SMALL)
        first.wait_event("generated", count=2)
        first.kill()
    altered, good = sorted(store.blobs(first.spool).items())
    with open(altered[1], "r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(bytes([byte[0] ^ 1]))

    second = start_sender(receiver.url, "-n", 1, "--max-attempts", 2, *NO_GAPS, *SMALL)

    assert second.wait() == 1
    assert altered[0] not in receiver.blobs()
    assert good[0] in receiver.blobs()
    assert altered[0] in store.blobs(first.spool / "dead")
    assert store.damaged(receiver.dir) == []


def sender_on_terminal(url, spool):
    """Runs a sender whose stderr is a terminal; returns what it painted."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [
            programs.SENDER,
            "--url",
            url,
            "-d",
            spool,
            "-n",
            "20",
            "--min-interval",
            "5ms",
            "--max-interval",
            "20ms",
            *SMALL,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=programs.clean_environment(TERM="xterm", COLUMNS="100"),
    )
    os.close(theirs)
    painted = b""
    try:
        while select.select([ours], [], [], 30)[0]:
            try:
                block = os.read(ours, 65536)
            except OSError:  # the terminal's other side is closed
                break
            if not block:
                break
            painted += block
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return painted.decode()


def test_progress_bar_on_a_terminal_only(receiver, start_sender, workspace):
    painted = sender_on_terminal(receiver.url, workspace / "spool")
    assert "/20" in painted and "[" in painted
    assert "delivered" in painted

    sender = start_sender(receiver.url, "-n", 5, *NO_GAPS, *SMALL)
    assert sender.wait() == 0
    assert "\r" not in sender.stderr
    assert "/5 blobs" not in sender.stderr
