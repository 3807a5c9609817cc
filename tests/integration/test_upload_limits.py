# SPDX-License-Identifier: MIT
"""What blob-sender upload asks at most: of a store, of the network, of the machine."""

import contextlib
import itertools
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from helpers import programs, trees
from helpers.scripted_store import Store, error, serving
from helpers.tools import need
from helpers.usage import watch
from helpers.wait import until

MIB = 1 << 20
BUSY = (503, error("SlowDown"))
SLACK = 1  # seconds, for a machine that is busy itself


@pytest.fixture
def grow(workspace):
    """grow(count, size) -> a tree of so many files."""

    def make(count, size=100):
        for number in range(count):
            trees.write(workspace / "tree" / str(number), os.urandom(size))
        trees.settle()
        return workspace / "tree"

    return make


def gaps(times):
    return [later - earlier for earlier, later in itertools.pairwise(times)]


# --- of a store ---


def test_no_request_is_made_more_often_than_told(upload, grow):
    store = Store(PUT=BUSY)

    with serving(store) as env:
        done = upload(grow(3), "s3://bucket", "--max-attempts=4", env=env)

    assert done.code == 1
    assert len(store.of("PUT")) == done.summary["throttled"] == 3 * 4
    assert done.summary["retries"] == 3 * 3
    assert sorted(done.summary["failures"]) == [
        f"{name}: PUT answered 503 SlowDown" for name in "012"
    ]


def test_a_store_that_is_always_busy_is_given_up_on_soon(upload, grow):
    store = Store(PUT=BUSY)

    with serving(store) as env:
        done = upload(grow(300), "s3://bucket", "--jobs=8", "--max-attempts=3", env=env)

    assert done.code == 1
    [end] = done.events("giving_up")
    assert "503 SlowDown" in end["reason"]
    assert done.summary["retries"] <= 8 * 3  # the budget of the whole run
    assert len(store.of("PUT")) == done.summary["retries"] + done.summary["failed"]
    # So many in a row, and what the others begin until they see that it is over.
    assert 30 <= done.summary["failed"] <= 60
    assert done.summary["left"] == 300 - done.summary["failed"]
    assert len(done.summary["failures"]) == done.summary["failed"]


def test_pauses_have_a_bound_that_doubles_and_are_spread_below_it(upload, grow):
    store = Store(PUT=BUSY)

    with serving(store) as env:
        upload(grow(8), "s3://bucket", "--jobs=8", "--max-attempts=4", env=env)

    pauses = [gaps(store.times("PUT", f"/bucket/{number}")) for number in range(8)]
    assert [len(of_file) for of_file in pauses] == [3] * 8
    for nth, of_all in enumerate(zip(*pauses)):
        assert max(of_all) < 0.2 * 2**nth + SLACK
        assert max(of_all) - min(of_all) > 0.02


def test_retry_after_is_waited_for(upload, grow):
    store = Store(PUT=[(*BUSY, {"Retry-After": "1"})])

    with serving(store) as env:
        done = upload(grow(1), "s3://bucket", env=env)

    assert done.code == 0
    [pause] = gaps(store.times("PUT", "/bucket/0"))
    assert 1 <= pause < 1 + 0.2 + SLACK


def test_a_long_retry_after_does_not_hold_up_the_end(start_upload, grow):
    store = Store(PUT=(*BUSY, {"Retry-After": "3600"}))

    with serving(store) as env:
        running = start_upload(grow(1), "s3://bucket", env=env)
        until(lambda: store.of("PUT"), "a request")
        began = time.monotonic()
        assert running.stop(signal.SIGTERM) == 1

    assert time.monotonic() - began < 5
    assert running.summary["uploaded"] == 0
    assert running.summary["failed"] + running.summary["left"] == 1


def test_far_away_more_requests_run_at_once(upload, grow):
    def far(*_):
        time.sleep(0.05)

    with serving(Store(PUT=far)) as env:
        done = upload(grow(1000), "s3://bucket", env=env)

    assert (done.code, done.summary["uploaded"]) == (0, 1000)
    assert done.summary["jobs"] >= 16  # it begins with 8
    assert done.summary["jobs_reason"] in (
        "more brought nothing",
        "as many as allowed",
        "still growing at the end",
    )


def test_a_store_that_serves_one_at_a_time_is_not_pressed(upload, grow):
    one = threading.Lock()

    def slow(*_):
        with one:
            time.sleep(0.004)

    with serving(Store(PUT=slow)) as env:
        done = upload(grow(400), "s3://bucket", env=env)

    assert done.code == 0
    assert done.summary["jobs"] <= 16  # it begins with 8
    assert done.summary["jobs_reason"] == "more brought nothing"


def test_a_store_that_asks_for_less_gets_less_and_everything(upload, grow):
    room = threading.BoundedSemaphore(3)

    def crowded(*_):
        if not room.acquire(blocking=False):
            return BUSY
        time.sleep(0.01)
        room.release()
        return None

    store = Store(PUT=crowded)
    with serving(store) as env:
        done = upload(grow(300), "s3://bucket", env=env)

    assert (done.code, done.summary["uploaded"]) == (0, 300)
    assert done.summary["throttled"] > 0
    assert done.summary["jobs"] < 8
    assert done.summary["jobs_reason"] == "the store asked for less"


def test_a_full_quota_stores_no_half_of_a_file_and_the_next_run_all(
    ceph, upload, workspace
):
    trees.write(workspace / "tree/big", os.urandom(24 * MIB))
    trees.settle()
    bucket = ceph.new_bucket()
    ceph.s3cmd("mb", f"s3://{bucket}")
    quota = ("--quota-scope=bucket", f"--bucket={bucket}", "--uid=test")
    admin = ("admin", ceph.server.dir, "quota")
    ceph.server.call(*admin, "set", f"--max-size={8 * MIB}", *quota)
    ceph.server.call(*admin, "enable", *quota)
    options = ("--multipart-threshold=6MiB", "--part-size=5MiB", "--jobs=1")

    full = upload(workspace / "tree", f"s3://{bucket}", *options, env=ceph.env)

    assert full.code == 1
    assert "QuotaExceeded" in full.summary["failures"][0]
    assert ceph.keys(bucket) == []
    ceph.server.call(*admin, "disable", *quota)
    again = upload(workspace / "tree", f"s3://{bucket}", *options, env=ceph.env)
    assert again.code == 0
    assert again.summary["bytes"] == 24 * MIB
    assert (ceph.keys(bucket), ceph.unfinished(bucket)) == (["big"], [])


# --- of the network ---


def test_all_jobs_together_keep_to_the_bandwidth(upload, grow):
    with serving(Store()) as env:
        done = upload(
            grow(32, size=64 << 10),
            "s3://bucket",
            "--jobs=8",
            "--bwlimit=1MiB",
            env=env,
        )

    assert done.code == 0
    assert 1.9 <= done.summary["duration_ms"] / 1000 < 2 + SLACK


# --- of the machine ---


@pytest.mark.skipif(programs.sanitized(), reason="sanitizers keep memory of their own")
def test_memory_is_bounded_whatever_is_asked_for(ceph, start_upload, grow):
    running = start_upload(
        grow(6, size=20 * MIB),
        f"s3://{ceph.new_bucket()}",
        "--max-memory=32MiB",
        "--jobs=64",
        "--multipart-threshold=6MiB",
        "--part-size=5MiB",
        env=ceph.env,
    )
    used = watch(running)

    assert used.code == 0
    assert used.peak_mib <= 32
    assert running.summary["jobs"] < 64
    assert running.summary["jobs_reason"] == "as many as --max-memory allows"


def io_priority(thread):
    return subprocess.run(
        ["ionice", "-p", str(thread)], capture_output=True, text=True, check=True
    ).stdout.strip()


def those_that_stay(pid):
    """Its threads, once the one that walks the tree is over."""
    names = {}
    for path in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            names[int(path.name)] = (path / "comm").read_text()
    return None if any(name.startswith("walk") for name in names.values()) else names


@pytest.mark.parametrize(
    "options, wrapper, nice, io",
    [
        ((), (), 5, "best-effort: prio 7"),
        (("--nice=polite",), ("nice", "-n", "10"), 10, "best-effort: prio 7"),
        (("--nice=idle",), (), 19, "idle"),
        (("--nice",), (), 19, "idle"),
        (("--nice=off",), (), 0, None),
    ],
    ids=["default", "lower already", "idle", "implied", "off"],
)
def test_every_thread_is_as_nice_as_told(
    start_upload, grow, options, wrapper, nice, io
):
    need("ionice")
    released = threading.Event()
    store = Store(PUT=lambda *_: released.wait(30) and None)
    expected = io or io_priority(os.getpid())

    with serving(store) as env:
        running = start_upload(
            grow(1), "s3://bucket", *options, env=env, wrapper=wrapper
        )
        until(lambda: store.of("PUT"), "a request")
        threads = until(lambda: those_that_stay(running.pid), "the walk to end")
        levels = {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads}
        priorities = {io_priority(thread) for thread in threads}
        released.set()
        assert running.wait() == 0

    assert len(threads) > 2
    assert levels == {max(nice, os.getpriority(os.PRIO_PROCESS, 0))}
    assert priorities == {expected}
