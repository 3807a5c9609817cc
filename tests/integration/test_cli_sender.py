# SPDX-License-Identifier: MIT
"""The sender from the operator's side: signals, dead letters, exit codes."""

import re
import signal

import pytest

from helpers import machine, peers, store, wire
from helpers.programs import SENDER, run
from helpers.wait import until

QUICK = "--min-interval 0 --max-interval 0 --min-size 2 --max-size 4KiB".split()


def test_refused_connection_is_named_before_anything_is_made(start_sender):
    port = wire.unused_port()
    url = f"http://127.0.0.1:{port}"
    sender = start_sender(url, "-n", 2, "--max-attempts", 2, *QUICK)

    assert sender.wait() == 1

    [error] = [event for event in sender.events() if event["level"] == "error"]
    assert url in error["message"]
    assert "refused" in error["message"]
    assert sender.summary["generated"] == sender.summary["dead"] == 0
    assert store.blobs(sender.spool) == {}


def test_dead_letters_are_named(start_sender):
    with peers.rude() as rude:
        sender = start_sender(rude.url, "-n", 2, "--max-attempts", 2, *QUICK)
        assert sender.wait() == 1
        assert rude.uploads >= 4

    dead = sender.events("dead")
    assert len(dead) == 2
    for event in dead:
        path = sender.spool / "dead" / f"{event['blob']}.bin"
        assert store.attribute(path, store.REASON) in event["message"]
        assert store.digest(path) == store.attribute(path, store.DIGEST)
    assert sender.summary["dead"] == 2
    assert sender.summary["delivered"] == 0
    assert len(sender.events("failed")) == 2


def test_answer_that_never_comes_is_given_up(start_sender):
    with peers.deaf() as deaf:
        sender = start_sender(
            deaf.url, "-n", 1, "--max-attempts", 1, "--timeout", "300ms", *QUICK
        )
        assert sender.wait(10) == 1
    [event] = sender.events("dead")
    assert (
        "timed out" in event["message"].lower() or "timeout" in event["message"].lower()
    )


def test_second_sender_on_the_same_spool_is_refused(receiver, start_sender):
    first = start_sender(
        receiver.url, "-n", 0, "--min-interval", "10ms", "--max-interval", "20ms"
    )
    first.wait_event("delivered")

    result = run(SENDER, "--url", receiver.url, "-d", first.spool, "-n", 1)

    assert result.returncode == 1
    assert str(first.spool) in result.stderr
    assert first.stop(signal.SIGINT) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("gap", ["0", "3ms"])
def test_sender_drains_when_told_to_stop(receiver, start_sender, number, gap):
    """Without gaps a blob is in the making at any moment: it is delivered, too."""
    sender = start_sender(
        receiver.url,
        "-n",
        0,
        "--max-size",
        "64KiB",
        "--min-interval",
        "0",
        "--max-interval",
        gap,
    )
    sender.wait_event("delivered", count=10)

    assert sender.stop(number) == 0

    summary = sender.summary
    assert summary["generated"] == summary["delivered"] == len(receiver.blobs()) >= 10
    assert summary["left"] == 0
    assert store.blobs(sender.spool) == {}


def test_sender_leaves_the_rest_in_the_spool_at_the_deadline(start_sender):
    with peers.deaf() as deaf:
        sender = start_sender(
            deaf.url,
            "-n",
            0,
            "--min-interval",
            "1ms",
            "--max-interval",
            "2ms",
            "--drain-timeout",
            "300ms",
        )
        sender.wait_event("generated", count=5)
        assert sender.stop(signal.SIGINT, timeout=15) == 1

    left = store.blobs(sender.spool)
    assert len(left) == sender.summary["left"] == sender.summary["generated"] >= 5
    assert store.damaged(sender.spool) == []


def test_second_signal_ends_the_sender_at_once(start_sender):
    with peers.deaf() as deaf:
        sender = start_sender(
            deaf.url,
            "-n",
            0,
            "--min-interval",
            "1ms",
            "--max-interval",
            "2ms",
            "--drain-timeout",
            "10m",
        )
        sender.wait_event("generated", count=3)
        sender.send_signal(signal.SIGINT)
        sender.wait_event("generator_done")

        def impatient():  # one that comes too soon counts as the first
            sender.send_signal(signal.SIGINT)
            return sender.process.poll() is not None

        until(impatient, "the sender to end", timeout=10, interval=0.1)
        assert sender.wait() != 0
    assert store.damaged(sender.spool) == []


def test_max_duration_ends_the_generator(receiver, start_sender):
    sender = start_sender(
        receiver.url,
        "-n",
        0,
        "--max-duration",
        "300ms",
        "--min-interval",
        "1ms",
        "--max-interval",
        "5ms",
    )
    assert sender.wait() == 0
    assert sender.summary["generated"] > 0


def test_sender_text_output(receiver, workspace):
    result = run(
        SENDER,
        "--url",
        receiver.url,
        "-d",
        workspace / "spool",
        "-n",
        3,
        "-w",
        2,
        *QUICK,
    )
    assert result.returncode == 0
    shape = r"\[SENDER\]\[(WARN|INFO)\]\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] - (.+)"
    said = [re.fullmatch(shape, line)[2] for line in result.stderr.splitlines()]
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    for pattern, times in (
        (rf"G generated {uuid} \d+ bytes, next in \d+ ms", 2),
        (rf"G generated {uuid} \d+ bytes", 1),  # the last
        (rf"W[01] delivered {uuid} \d+ bytes, attempt 1, \d+ ms", 3),
        (r"Generator done.*", 1),
        (r"W[01] done.*", 2),
    ):
        found = [line for line in said if re.fullmatch(pattern, line)]
        assert len(found) == times, f"{pattern}:\n{result.stderr}"
    for name in (
        "generated",
        "recovered",
        "delivered",
        "retried",
        "rejected by injection",
        "dead",
        "left in spool",
        "bytes",
        "seconds",
        "rate",
        "latency",
    ):
        assert re.search(rf"^{name}: +\S", result.stdout, re.MULTILINE), name
    assert re.search(
        r"^latency: +p50 .* ms, p95 .* ms, p99 .* ms$", result.stdout, re.MULTILINE
    )
    assert "\x1b" not in result.stderr + result.stdout


def test_sender_refuses_a_file_system_without_attributes(workspace):
    with machine.mounted(workspace / "ram", "-t", "ramfs", "ramfs") as directory:
        if machine.keeps_attributes(directory):
            pytest.skip("ramfs keeps user attributes here")
        result = run(
            SENDER, "-d", directory / "spool", "-n", 1, "-p", wire.unused_port()
        )
        again = run(SENDER, "-d", directory, "-n", 1, "-p", wire.unused_port())
    for outcome in (result, again):
        assert outcome.returncode == 1
        assert "attribute" in outcome.stderr
        assert str(directory) in outcome.stderr


def test_sender_address_and_port(receiver, workspace):
    result = run(
        SENDER,
        "-a",
        "127.0.0.1",
        "-p",
        receiver.port,
        "-d",
        workspace / "spool",
        "-n",
        2,
        *QUICK,
    )
    assert result.returncode == 0
    assert len(receiver.blobs()) == 2
