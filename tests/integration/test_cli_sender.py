# SPDX-License-Identifier: MIT
"""The sender from the operator's side: signals, dead letters, exit codes."""

import re
import signal
import socket

import pytest

from helpers import machine, store, wire
from helpers.programs import SENDER, run

QUICK = "--min-interval 0 --max-interval 0 --min-size 2 --max-size 4KiB".split()


def test_refused_connection_and_dead_letters_are_named(start_sender):
    port = wire.unused_port()
    sender = start_sender(
        f"http://127.0.0.1:{port}", "-n", 2, "--max-attempts", 2, *QUICK
    )

    assert sender.wait() == 1

    dead = sender.events("dead")
    assert len(dead) == 2
    for event in dead:
        assert "refused" in event["message"] or "connect" in event["message"].lower()
        path = sender.spool / "dead" / f"{event['blob']}.bin"
        assert store.attribute(path, store.REASON)
        assert store.digest(path) == store.attribute(path, store.DIGEST)
    assert sender.summary["dead"] == 2
    assert sender.summary["delivered"] == 0
    assert str(port) in sender.stderr


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
def test_sender_drains_when_told_to_stop(receiver, start_sender, number):
    sender = start_sender(
        receiver.url,
        "-n",
        0,
        "--min-interval",
        "1ms",
        "--max-interval",
        "3ms",
        "--max-size",
        "8KiB",
    )
    sender.wait_event("delivered", count=10)

    assert sender.stop(number) == 0

    summary = sender.summary
    assert summary["generated"] == summary["delivered"] == len(receiver.blobs()) >= 10
    assert summary["left"] == 0
    assert store.blobs(sender.spool) == {}


def test_sender_leaves_the_rest_in_the_spool_at_the_deadline(start_sender):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
        port = silent.getsockname()[1]
        sender = start_sender(
            f"http://127.0.0.1:{port}",
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
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        sender = start_sender(
            f"http://127.0.0.1:{port}",
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
        assert sender.stop(signal.SIGINT, timeout=5) != 0
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
        (rf"G generated {uuid} \d+ bytes, next in \d+ ms", 3),
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
