# SPDX-License-Identifier: MIT
"""kill -9, full disks: what was acknowledged is there, and nothing is there twice."""

import collections
import os
import random
import resource
import signal
import time

import pytest

from helpers import machine, programs, store, wire
from helpers.curl import curl
from helpers.digests import repr_digest, sha256_hex
from helpers.wait import scaled, until

KILLS = scaled(20, 4)
LOAD = ["--min-interval", "1ms", "--max-interval", "4ms", "--max-size", "256KiB"]


@pytest.fixture
def chance():
    """Random moments; BLOBSTREAM_TEST_SEED repeats those of an earlier run."""
    seed = int(
        os.environ.get("BLOBSTREAM_TEST_SEED", random.SystemRandom().getrandbits(32))
    )
    print(f"BLOBSTREAM_TEST_SEED={seed}")
    return random.Random(seed)


def random_moment(chance):
    time.sleep(chance.uniform(0.02, 0.3))


def named(senders, event):
    """How often each blob occurs in this event of all these senders."""
    return collections.Counter(
        entry["blob"] for sender in senders for entry in sender.events(event)
    )


def assert_exactly_once(receiver, senders, watcher):
    """Generated, delivered and stored are the same blobs, each once and whole."""
    generated, delivered = named(senders, "generated"), named(senders, "delivered")
    stored = receiver.blobs()
    assert set(generated.values()) <= {1}
    assert delivered.keys() <= stored.keys(), "acknowledged, but not stored"
    assert generated.keys() <= stored.keys(), "generated, but not delivered"
    assert store.damaged(receiver.dir) == []
    assert watcher.partial == []
    digests = collections.Counter(store.digest(path) for path in stored.values())
    assert set(digests.values()) == {1}, "one content under two ids"
    assert store.blobs(senders[-1].spool) == {}, "left in the spool or dead"
    return generated, delivered, stored


def test_receiver_killed_at_random_moments(start_receiver, start_sender, chance):
    receiver = start_receiver(port=wire.unused_port())
    sender = start_sender(receiver.url, "-n", 0, "--max-attempts", 1000, *LOAD)
    with store.Watcher(receiver.dir, sender.spool) as watcher:
        for _ in range(KILLS):
            had = len(sender.events("delivered"))
            sender.wait_event("delivered", count=had + 1)
            random_moment(chance)
            receiver.kill()
            acknowledged = sender.delivered()
            at_rest = receiver.blobs()
            assert set(acknowledged) <= at_rest.keys()
            receiver = start_receiver(port=receiver.port)
        status = sender.stop(signal.SIGINT, timeout=60)
        assert status == 0, sender.stdout

    generated, delivered, stored = assert_exactly_once(receiver, [sender], watcher)
    assert generated.keys() == delivered.keys() == stored.keys()
    assert set(delivered.values()) == {1}
    assert sender.summary["generated"] == sender.summary["delivered"] == len(stored)
    assert sender.summary["retried"] > 0
    assert len(stored) > KILLS
    assert not [path for path in store.files(receiver.dir) if path.suffix != ".bin"]


def test_sender_killed_at_random_moments(receiver, start_sender, chance):
    senders = []
    with store.Watcher(receiver.dir, receiver.dir.parent / "spool") as watcher:
        for _ in range(KILLS):
            sender = start_sender(receiver.url, "-n", 0, *LOAD)
            senders.append(sender)
            sender.wait_event("delivered")
            random_moment(chance)
            sender.kill()
        last = start_sender(receiver.url, "-n", 1, *LOAD)
        senders.append(last)
        assert last.wait(60) == 0

    _, delivered, stored = assert_exactly_once(receiver, senders, watcher)
    # Killed between the answer and its log line, a blob is sent again, stored once.
    assert set(delivered.values()) <= {1, 2}
    assert len(stored) > KILLS
    assert last.summary["left"] == last.summary["dead"] == 0


def test_both_killed_at_random_moments(start_receiver, start_sender, chance):
    receiver = start_receiver(port=wire.unused_port())
    senders = []
    with store.Watcher(receiver.dir, receiver.dir.parent / "spool") as watcher:
        for _ in range(scaled(6, 2)):
            sender = start_sender(receiver.url, "-n", 0, "--max-attempts", 1000, *LOAD)
            senders.append(sender)
            sender.wait_event("delivered")
            random_moment(chance)
            receiver.kill()
            random_moment(chance)
            sender.kill()
            receiver = start_receiver(port=receiver.port)
        senders.append(start_sender(receiver.url, "-n", 1, *LOAD))
        assert senders[-1].wait(60) == 0
    assert_exactly_once(receiver, senders, watcher)


# Full disks


def post(receiver, body, *headers):
    return curl(
        f"{receiver.url}/blobs", headers=[repr_digest(body), *headers], body=body
    )


def assert_disk_full(answer):
    assert answer.status == 507
    assert answer.problem["title"]


def free_bytes(directory):
    state = os.statvfs(directory)
    return state.f_bfree * state.f_frsize


@pytest.mark.parametrize("size", [1 << 20, 12 << 20])
@pytest.mark.parametrize("chunked", [False, True])
def test_full_disk(start_receiver, workspace, size, chunked):
    body = os.urandom(1 << 20) * (size >> 20)
    headers = ["Transfer-Encoding: chunked"] * chunked
    with machine.small_disk(workspace, 24) as disk:
        receiver = start_receiver(directory=disk / "blobs")
        assert post(receiver, b"before", *headers).status == 201
        room = free_bytes(disk)
        ballast = disk / "ballast"
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, room - size // 2)
        left = free_bytes(disk)

        assert_disk_full(post(receiver, body, *headers))

        assert len(receiver.blobs()) == 1
        until(lambda: not receiver.hidden_files(), "the upload to be discarded")
        until(lambda: free_bytes(disk) == left, "its space to come back")
        ballast.unlink()
        answer = post(receiver, body, *headers)
        assert answer.status == 201
        assert store.damaged(receiver.dir) == []
        assert receiver.stop() == 0


def test_sender_outlasts_a_full_disk(start_receiver, start_sender, workspace):
    with machine.small_disk(workspace, 24) as disk:
        receiver = start_receiver(directory=disk / "blobs")
        ballast = disk / "ballast"
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, free_bytes(disk) - (1 << 20))
        sender = start_sender(
            receiver.url,
            "-n",
            60,
            "-w",
            4,
            "--max-attempts",
            1000,
            "--min-interval",
            "0",
            "--max-interval",
            "0",
            "--min-size",
            "60KiB",
            "--max-size",
            "64KiB",
        )
        with store.Watcher(receiver.dir) as watcher:
            sender.wait_event("failed", matching=lambda e: "507" in e["message"])
            ballast.unlink()
            assert sender.wait(60) == 0

        assert sender.summary["delivered"] == len(receiver.blobs()) == 60
        assert store.damaged(receiver.dir) == []
        assert watcher.partial == []
        assert receiver.stop() == 0


def test_sender_whose_spool_is_full_loses_nothing(receiver, start_sender, workspace):
    with machine.small_disk(workspace, 8) as disk:
        spool = disk / "spool"
        spool.mkdir()
        with open(disk / "ballast", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, free_bytes(disk) - (200 << 10))
        sender = start_sender(
            receiver.url,
            "-n",
            2,
            "--min-size",
            "1MiB",
            "--max-size",
            "1MiB",
            "--min-interval",
            "0",
            "--max-interval",
            "0",
            spool=spool,
        )
        assert sender.wait(60) == 1
        assert "space" in sender.stderr
        assert store.damaged(spool) == []
        assert len(receiver.blobs()) == len(set(sender.delivered()))


def limit_files_to_a_mebibyte():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


@pytest.mark.parametrize("chunked", [False, True])
def test_file_size_limit(start_receiver, chunked):
    receiver = start_receiver(preexec_fn=limit_files_to_a_mebibyte)
    fits, beyond = os.urandom(1 << 20), os.urandom(3 << 20)
    headers = ["Transfer-Encoding: chunked"] * chunked

    assert_disk_full(post(receiver, beyond, *headers))

    receiver.assert_nothing_left()
    assert post(receiver, fits, *headers).status == 201
    assert curl(f"{receiver.url}/readyz").status == 200


def test_memory_does_not_grow_with_the_body(start_receiver):
    receiver = start_receiver("--durability", "relaxed")
    if programs.sanitized():
        pytest.skip("sanitizers keep memory of their own")

    def peak_mib():
        for line in open(f"/proc/{receiver.pid}/status"):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024

    small, big = os.urandom(1 << 20), os.urandom(1 << 20) * scaled(192, 8)
    assert post(receiver, small).status == 201
    before = peak_mib()
    for headers in ([], ["Transfer-Encoding: chunked"]):
        answer = post(receiver, big, *headers)
        assert answer.status == 201
        assert answer.headers["etag"] == f'"{sha256_hex(big)}"'
    assert peak_mib() - before < 16
    assert peak_mib() < 64
