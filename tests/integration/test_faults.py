# SPDX-License-Identifier: MIT
"""A disk that fails: nothing is acknowledged that is not there, and who can, recovers.

Faults are injected into the running receiver (fault_shim.c).
"""

import contextlib
import os
import resource

import pytest

from helpers import ids, machine, store, wire
from helpers.client import BODY, post, put
from helpers.curl import curl
from helpers.digests import repr_digest, sha256_hex
from helpers.faults import Faults
from helpers.wait import until

LARGE = os.urandom(12 << 20)

FULL = ("ENOSPC", "EDQUOT")
STARVED = ("EMFILE", "ENFILE", "ENOMEM")


@pytest.fixture
def faults(workspace):
    return Faults(workspace, workspace / "blobs")


@pytest.fixture
def receiver(start_receiver, faults):
    receiver = start_receiver(env=faults.env)
    assert upload(receiver).status == 201  # the shard is there
    return receiver


def upload(receiver, body=BODY, *headers):
    return post(receiver, body, repr_digest(body), *headers)


def ready(receiver):
    return curl(f"{receiver.url}/readyz").status == 200


def expected(call, error):
    if error in FULL:
        return 507
    if error in STARVED:
        return 503
    return 500


def assert_refused(receiver, answer, status):
    assert answer.status == status
    problem = answer.problem
    assert str(receiver.dir) not in problem["detail"], "a path of the machine"
    if status == 503:
        assert int(answer.headers["retry-after"]) > 0
    until(lambda: not receiver.hidden_files(), "the upload to be discarded")
    assert len(receiver.blobs()) == 1
    assert store.damaged(receiver.dir) == []
    serious = receiver.wait_event("refused", lambda e: e["status"] == status)
    assert serious["level"] == ("warn" if status == 503 else "error")


# Each of these passes: told to the client, and over when it is over.
PASSING = [
    (call, error)
    for call in ("open", "write", "attribute", "link")
    for error in ("EIO", "ENOSPC", "EDQUOT", "EMFILE", "ENOMEM")
    if not (call in ("write", "attribute") and error == "EMFILE")
] + [("sync file", "ENOSPC"), ("sync file", "EDQUOT"), ("sync directory", "ENOSPC")]


@pytest.mark.parametrize("call,error", PASSING)
def test_passing_fault(receiver, faults, call, error):
    faults.begin(call, error)

    answer = upload(receiver)

    assert faults.hits(call) > 0
    assert_refused(receiver, answer, expected(call, error))
    faults.end(call)
    until(lambda: ready(receiver), "readiness")
    assert upload(receiver).status == 201
    assert len(receiver.blobs()) == 2
    assert receiver.stop() == 0


@pytest.mark.parametrize("error", FULL)
def test_full_disk_is_unready_until_it_recovers(receiver, faults, error):
    faults.begin("write", error)
    assert upload(receiver).status == 507

    answer = curl(f"{receiver.url}/readyz")
    assert answer.status == 503
    assert "full" in answer.problem["detail"]
    assert curl(f"{receiver.url}/healthz").status == 200
    assert upload(receiver).status == 507

    faults.end("write")
    until(lambda: ready(receiver), "readiness")
    assert upload(receiver).status == 201


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_write_fails_in_the_middle(receiver, faults, error, chunked):
    headers = ["Transfer-Encoding: chunked"] * chunked
    faults.begin("write", error, after=20)
    answer = upload(receiver, LARGE, *headers)
    assert_refused(receiver, answer, expected("write", error))
    faults.end("write")
    assert upload(receiver, LARGE, *headers).status == 201


@pytest.mark.parametrize("error", [*FULL, "EIO", "EFBIG"])
def test_blocks_cannot_be_allocated(receiver, faults, error):
    faults.begin("allocate", error)
    answer = upload(receiver, LARGE, "Expect: 100-continue")
    status = 507 if error == "EFBIG" else expected("allocate", error)
    assert_refused(receiver, answer, status)
    assert answer.sent == 0
    assert upload(receiver).status == 201  # too small to need it


def test_file_system_that_does_not_allocate_ahead(receiver, faults):
    faults.begin("allocate", "EOPNOTSUPP")
    assert upload(receiver, LARGE).status == 201
    assert faults.hits("allocate") == 1
    assert store.damaged(receiver.dir) == []


@pytest.mark.parametrize("call", ["sync file", "sync directory"])
def test_failed_sync_is_for_good(receiver, faults, call, start_receiver):
    faults.begin(call, "EIO")
    assert_refused(receiver, upload(receiver), 500)
    faults.end(call)

    answer = curl(f"{receiver.url}/readyz")
    assert answer.status == 503
    assert "sync" in answer.problem["detail"]
    assert_refused(receiver, upload(receiver), 503)
    assert curl(f"{receiver.url}/healthz").status == 200
    (blob_id,) = receiver.blobs()
    assert curl(f"{receiver.url}/blobs/{blob_id}").body == BODY
    assert receiver.stop() == 0

    again = start_receiver()
    assert ready(again)
    assert upload(again).status == 201


def test_failed_sync_takes_its_whole_group(receiver, faults, start_sender):
    """What shared the sync that failed is refused with it, and nothing stays."""
    before = set(receiver.blobs())
    faults.begin("sync directory", "EIO", after=3)
    sender = start_sender(
        receiver.url,
        "-n",
        200,
        "-w",
        16,
        "--max-size",
        "4KiB",
        "--min-interval",
        "0",
        "--max-interval",
        "0",
        "--max-attempts",
        1,
    )
    assert sender.wait(60) == 1
    stored = set(receiver.blobs()) - before
    assert stored == set(sender.delivered())
    assert store.damaged(receiver.dir) == []
    assert not ready(receiver)


def test_resend_during_a_failing_sync_is_no_success(receiver, faults):
    (blob_id,) = receiver.blobs()
    faults.begin("sync file", "EIO")
    answer = put(receiver, blob_id, BODY, repr_digest(BODY))
    assert answer.status == 500
    faults.end("sync file")
    assert put(receiver, blob_id, BODY, repr_digest(BODY)).status == 503


def test_relaxed_durability_does_not_sync(start_receiver, faults):
    receiver = start_receiver("--durability", "relaxed", env=faults.env)
    faults.begin("sync file", "EIO")
    faults.begin("sync directory", "EIO")
    assert upload(receiver).status == 201
    assert ready(receiver)


def test_reading_fails_with_too_many_files(receiver, faults):
    (blob_id,) = receiver.blobs()
    faults.begin("open", "EMFILE")
    assert curl(f"{receiver.url}/blobs/{blob_id}").status == 503
    faults.end("open")
    assert curl(f"{receiver.url}/blobs/{blob_id}").body == BODY


@pytest.mark.parametrize("error", ["EMFILE", "ENFILE", "ENOBUFS"])
def test_accept_that_fails_is_tried_again(receiver, faults, error):
    faults.begin("accept", error)
    answer = curl(f"{receiver.url}/healthz", "--max-time", "0.5")
    assert answer.status == 0
    assert 0 < faults.hits("accept") < 50, "spins"
    receiver.wait_event("starved")
    assert len(receiver.events("starved")) <= 2  # one a second
    faults.end("accept")
    assert upload(receiver).status == 201


def test_real_shortage_of_descriptors(start_receiver):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    receiver = start_receiver(preexec_fn=limit)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(wire.connect(receiver.port)) for _ in range(80)]
        receiver.wait_event("starved")
        head = ["PUT /blobs/%s HTTP/1.1", "Host: a", repr_digest(BODY)]
        head += [f"Content-Length: {len(BODY)}"]
        held[0].sendall(wire.request(head, BODY).replace(b"%s", ids.v7().encode()))
        said = wire.read_until(held[0], b"}")
        assert wire.statuses(said) == [503]
        assert b"\r\nRetry-After: " in said
    until(lambda: ready(receiver), "descriptors")
    assert upload(receiver).status == 201
    assert len(receiver.blobs()) == 1


def test_faults_under_load_lose_nothing(receiver, faults, start_sender):
    """Every kind of passing fault, one after the other, beside a sender that retries."""
    before = set(receiver.blobs())
    sender = start_sender(
        receiver.url,
        "-n",
        300,
        "-w",
        8,
        "--max-size",
        "32KiB",
        "--min-interval",
        "2ms",
        "--max-interval",
        "6ms",
        "--max-attempts",
        1000,
    )
    for call, error in PASSING:
        seen = len(sender.events("failed"))
        faults.begin(call, error)
        until(
            lambda: len(sender.events("failed")) > seen
            or sender.process.poll() is not None,
            "a failed attempt",
        )
        faults.end(call)
    assert sender.wait(120) == 0
    assert set(receiver.blobs()) - before == set(sender.delivered())
    assert sender.summary["delivered"] == 300
    assert store.damaged(receiver.dir) == []
    until(lambda: ready(receiver), "readiness")


def free_bytes(directory):
    state = os.statvfs(directory)
    return state.f_bavail * state.f_frsize


@pytest.mark.parametrize("chunked", [False, True])
def test_real_disk_fills_up_and_recovers(start_receiver, workspace, chunked):
    headers = ["Transfer-Encoding: chunked"] * chunked
    body = os.urandom(1 << 20)
    with machine.small_disk(workspace, 24) as disk:
        receiver = start_receiver("--min-free", 0, directory=disk / "blobs")
        stored = set()
        for _ in range(40):
            answer = upload(receiver, body, *headers)
            if answer.status != 201:
                break
            stored.add(answer.headers["location"].rpartition("/")[2])
        assert answer.status == 507
        assert answer.problem
        assert set(receiver.blobs()) == stored
        assert store.damaged(receiver.dir) == []
        until(lambda: not receiver.hidden_files(), "the upload to be discarded")

        for blob_id in list(stored)[:4]:
            receiver.blobs()[blob_id].unlink()
        until(lambda: ready(receiver), "readiness")
        assert upload(receiver, body, *headers).status == 201
        assert receiver.stop() == 0


def test_real_disk_out_of_inodes(start_receiver, workspace):
    with machine.small_disk(workspace, 24) as disk:
        receiver = start_receiver(directory=disk / "blobs")
        crowd = disk / "crowd"
        crowd.mkdir()
        number = 0
        while os.statvfs(disk).f_favail > 0:
            (crowd / str(number)).touch()
            number += 1
        blob_id = ids.v7()
        answer = put(receiver, blob_id, BODY, repr_digest(BODY))
        assert answer.status == 507
        assert not ready(receiver)
        (crowd / "0").unlink()
        (crowd / "1").unlink()
        (crowd / "2").unlink()
        until(lambda: ready(receiver), "readiness")
        answer = put(receiver, blob_id, BODY, repr_digest(BODY))
        assert answer.status == 201
        assert answer.headers["etag"] == f'"{sha256_hex(BODY)}"'
