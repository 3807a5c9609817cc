# SPDX-License-Identifier: MIT
"""The store on disk: what a person, a backup or the next start finds there."""

import os
import signal
import stat
import subprocess

import pytest

from helpers import ids, machine, programs, store
from helpers.curl import curl
from helpers.digests import field, repr_digest, sha256_hex
from helpers.strace import Strace

BODY = os.urandom(70_000)
INT16 = "application/vnd.blobstream.int16le"


def put(receiver, blob_id, body=BODY, media_type=INT16):
    answer = curl(
        f"{receiver.url}/blobs/{blob_id}",
        "-X",
        "PUT",
        headers=[repr_digest(body), f"Content-Type: {media_type}"],
        body=body,
    )
    assert answer.status == 201
    return answer


@pytest.mark.parametrize(
    "blob_id, shard",
    [
        (ids.v7("2026-11-21T18:23:02"), "2026-11-21T18"),
        (ids.v7("2026-11-21T18:59:59"), "2026-11-21T18"),
        (ids.v7("1970-01-01T00:00:00"), "1970-01-01T00"),
        (ids.v7("2024-02-29T23:00:00"), "2024-02-29T23"),
        ("7f2c0a34-5e6d-4b0e-9a59-1c9d37b6e0af", "other/af"),
        ("018f3a1e-5e6d-1b0e-9a59-1c9d37b6e000", "other/00"),
    ],
)
def test_layout(start_receiver, blob_id, shard):
    receiver = start_receiver(
        env={"TZ": "Pacific/Auckland"}
    )  # hours are UTC all the same
    put(receiver, blob_id)
    assert receiver.blobs() == {blob_id: receiver.dir / shard / f"{blob_id}.bin"}


def test_a_blob_is_a_plain_file_that_says_what_it_is(receiver):
    blob_id = ids.v7()
    put(receiver, blob_id)
    path = receiver.blobs()[blob_id]

    printed = subprocess.run(
        ["sha256sum", "-b", path], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert printed == sha256_hex(BODY)
    assert path.read_bytes() == BODY
    assert store.attribute(path, store.DIGEST) == sha256_hex(BODY)
    assert store.attribute(path, store.TYPE) == INT16
    mode = path.stat().st_mode
    assert stat.S_ISREG(mode)
    assert stat.S_IMODE(mode) == 0o640
    assert path.stat().st_nlink == 1


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_mode_whatever_the_umask(start_receiver, umask):
    receiver = start_receiver(umask=umask)
    put(receiver, ids.v7())
    [path] = receiver.blobs().values()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640 & ~umask


def test_uploads_leave_only_blobs(receiver):
    for _ in range(5):
        put(receiver, ids.v7())
    for _ in range(5):
        curl(f"{receiver.url}/blobs", headers=[repr_digest(b"else")], body=BODY)
    names = [path.name for path in store.files(receiver.dir)]
    assert len([name for name in names if name.endswith(".bin")]) == 5
    assert not [name for name in names if name.startswith(".incoming")]


def test_a_restart_finds_everything_again(start_receiver, workspace):
    first = start_receiver()
    blob_id = ids.v7()
    put(first, blob_id)
    assert first.stop() == 0

    second = start_receiver()

    answer = curl(f"{second.url}/blobs/{blob_id}")
    assert (answer.status, answer.body) == (200, BODY)
    assert answer.headers["content-type"] == INT16


def test_leftovers_of_a_crash_are_swept_and_counted(start_receiver, workspace):
    directory = workspace / "blobs"
    directory.mkdir()
    for name in (".incoming-xyz", ".incoming-abc"):
        (directory / name).write_bytes(b"half a blob")
    (directory / "README").write_text("mine")

    receiver = start_receiver(directory=directory)

    assert receiver.wait_event("swept")["count"] == 2
    store.assert_empty(directory)
    assert (directory / "README").read_text() == "mine"


@pytest.mark.parametrize("make_id", [ids.v7, ids.v4])
def test_a_file_copied_in_by_hand_is_served_with_its_digest(receiver, make_id):
    blob_id = make_id()
    path = receiver.dir / ids.shard_of(blob_id) / f"{blob_id}.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)

    answer = curl(f"{receiver.url}/blobs/{blob_id}")

    assert (answer.status, answer.body) == (200, BODY)
    assert answer.headers["repr-digest"] == field(BODY)
    assert answer.headers["etag"] == f'"{sha256_hex(BODY)}"'
    assert answer.headers["content-type"] == "application/octet-stream"
    assert store.attribute(path, store.DIGEST) == sha256_hex(BODY)
    listed = curl(f"{receiver.url}/blobs").json["blobs"]
    assert [entry["id"] for entry in listed] == [blob_id]
    # A resend of the same bytes is recognised, other bytes are a conflict.
    for body, status in ((BODY, 200), (b"else", 409)):
        answer = curl(
            f"{receiver.url}/blobs/{blob_id}",
            "-X",
            "PUT",
            headers=[repr_digest(body)],
            body=body,
        )
        assert answer.status == status


def test_a_resend_over_a_file_copied_in_by_hand(receiver):
    blob_id = ids.v7()
    path = receiver.dir / ids.shard_of(blob_id) / f"{blob_id}.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    for body, status in ((b"else", 409), (BODY, 200)):
        answer = curl(
            f"{receiver.url}/blobs/{blob_id}",
            "-X",
            "PUT",
            headers=[repr_digest(body)],
            body=body,
        )
        assert answer.status == status
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("kind", ["symlink", "directory", "fifo"])
def test_what_is_no_regular_file_is_no_blob(receiver, workspace, kind):
    blob_id = ids.v7()
    path = receiver.dir / ids.shard_of(blob_id) / f"{blob_id}.bin"
    path.parent.mkdir(parents=True)
    secret = workspace / "secret"
    secret.write_text("not for the network")
    if kind == "symlink":
        path.symlink_to(secret)
    elif kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)

    answer = curl(f"{receiver.url}/blobs/{blob_id}", "--max-time", "3")

    assert answer.status in (404, 409, 500)
    assert b"not for the network" not in answer.body


def test_a_shard_that_is_a_symlink_is_not_followed(receiver, workspace):
    blob_id = ids.v7()
    outside = workspace / "outside"
    outside.mkdir()
    (outside / f"{blob_id}.bin").write_bytes(BODY)
    (receiver.dir / ids.shard_of(blob_id)).symlink_to(outside)

    assert curl(f"{receiver.url}/blobs/{blob_id}").status in (404, 500)
    other = ids.v7()
    answer = curl(
        f"{receiver.url}/blobs/{other}",
        "-X",
        "PUT",
        headers=[repr_digest(BODY)],
        body=BODY,
    )
    assert answer.status >= 500
    assert not (outside / f"{other}.bin").exists()


def test_file_system_without_attributes_is_refused_by_name(workspace):
    with machine.mounted(workspace / "ram", "-t", "ramfs", "ramfs") as directory:
        if machine.keeps_attributes(directory):
            pytest.skip("ramfs keeps user attributes here")
        result = programs.run(programs.RECEIVER, "-p", 0, "-d", directory)
    assert result.returncode == 1
    assert str(directory) in result.stderr
    assert "attribute" in result.stderr


def test_second_receiver_on_the_same_directory_is_refused(receiver):
    result = programs.run(programs.RECEIVER, "-p", 0, "-d", receiver.dir)
    assert result.returncode == 1
    assert str(receiver.dir) in result.stderr
    assert curl(f"{receiver.url}/readyz").status == 200


class TestOrder:
    """What the kernel was asked, and when: nobody is told before it is on disk."""

    SYNCS = ("fsync", "fdatasync", "sync_file_range", "syncfs")
    NAMING = ("linkat", "mkdirat", "mkdir")
    TELLING = ("sendto", "sendmsg", "write", "writev")

    def trace(self, start_receiver, workspace, *options):
        strace = Strace(workspace, [*self.SYNCS, *self.NAMING, *self.TELLING])
        receiver = start_receiver(
            *options,
            wrapper=strace.wrapper,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
        )
        blob_id = ids.v7()
        put(receiver, blob_id)
        assert receiver.stop(signal.SIGTERM) == 0
        return receiver.dir / ids.shard_of(blob_id), strace.calls(receiver.pid)

    def first(self, calls, names, mark):
        matching = [call for call in calls if call.name in names and mark in call.text]
        assert matching, f"no {names} with {mark!r}"
        return matching[0]

    def test_strict(self, start_receiver, workspace):
        shard, calls = self.trace(start_receiver, workspace)

        made = self.first(calls, ("mkdirat", "mkdir"), shard.name)
        linked = self.first(calls, ("linkat",), ".bin")
        told = self.first(calls, self.TELLING, "HTTP/1.1 201")
        syncs = [call for call in calls if call.name in self.SYNCS]
        in_file = [call for call in syncs if "(deleted)" in call.text]
        in_shard = [call for call in syncs if f"{shard}>" in call.text]
        in_root = [call for call in syncs if f"{shard.parent}>" in call.text]

        assert any(sync.before(linked) for sync in in_file), "file synced, then linked"
        assert any(
            linked.before(sync) and sync.before(told) for sync in in_shard
        ), "linked, then directory synced, then told"
        assert any(
            made.before(sync) and sync.before(told) for sync in in_root
        ), "a new shard's parent is synced, too"
        assert all(sync.worked for sync in syncs)

    def test_relaxed(self, start_receiver, workspace):
        shard, calls = self.trace(start_receiver, workspace, "--durability", "relaxed")

        linked = self.first(calls, ("linkat",), ".bin")
        told = self.first(calls, self.TELLING, "HTTP/1.1 201")
        assert linked.before(told)
        assert not [
            call
            for call in calls
            if call.name in self.SYNCS
            and str(shard) in call.text
            and call.began < told.began
        ]
