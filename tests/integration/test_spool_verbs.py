# SPDX-License-Identifier: MIT
"""blob-sender spool list|requeue|verify."""

import json
import os
import re

import pytest

from helpers import ids, peers, store
from helpers.programs import SENDER, run

QUICK = "--min-interval 0 --max-interval 0 --min-size 2 --max-size 4KiB".split()


def spool_verb(verb, *arguments, **more):
    return run(SENDER, "spool", verb, *arguments, **more)


@pytest.fixture
def dead_spool(workspace):
    """A spool with three dead letters."""
    spool = workspace / "spool"
    with peers.rude() as rude:
        options = ["-n", 3, "--max-attempts", 1, *QUICK]
        assert run(SENDER, "--url", rude.url, "-d", spool, *options).returncode == 1
    assert len(store.blobs(spool / "dead")) == 3
    return spool


def put_pending(spool, body=b"1234", blob_id=None):
    path = spool / f"{blob_id or ids.v7()}.bin"
    path.write_bytes(body)
    os.setxattr(path, store.DIGEST, store.digest(path).encode())
    return path


def listed(spool):
    result = spool_verb("list", "--json", spool)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_list_shows_pending_then_dead_with_the_reason(dead_spool):
    pending = put_pending(dead_spool)

    first, *dead = listed(dead_spool)

    assert (first["state"], first["id"], first["size"]) == ("pending", pending.stem, 4)
    assert first["sha256"] == store.digest(pending)
    assert "reason" not in first
    assert [entry["id"] for entry in dead] == sorted(store.blobs(dead_spool / "dead"))
    for entry in dead:
        path = dead_spool / "dead" / f"{entry['id']}.bin"
        assert entry["state"] == "dead"
        assert entry["reason"] == store.attribute(path, store.REASON) != ""
        assert entry["size"] == path.stat().st_size

    text = spool_verb("list", dead_spool).stdout.splitlines()
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(
        rf"pending {moment} +4  {pending.stem}  application/.+", text[0]
    )
    for line, entry in zip(text[1:], dead):
        assert re.fullmatch(
            rf"dead    {moment} +\d+  {entry['id']}  {re.escape(entry['reason'])}", line
        )


def test_requeued_letters_are_delivered(dead_spool, receiver, workspace):
    wanted = {i: store.digest(p) for i, p in store.blobs(dead_spool / "dead").items()}

    result = spool_verb("requeue", dead_spool)

    assert result.returncode == 0
    assert result.stdout == "requeued: 3\n"
    assert [entry["state"] for entry in listed(dead_spool)] == ["pending"] * 3
    sent = run(SENDER, "--url", receiver.url, "-d", dead_spool, "-n", 1, *QUICK)
    assert sent.returncode == 0
    stored = {i: store.digest(p) for i, p in receiver.blobs().items()}
    assert wanted.items() <= stored.items()
    assert store.blobs(dead_spool) == {}


def test_requeue_of_named_letters(dead_spool):
    chosen, *others = sorted(store.blobs(dead_spool / "dead"))

    assert spool_verb("requeue", dead_spool, chosen).stdout == "requeued: 1\n"

    assert sorted(store.blobs(dead_spool / "dead")) == others
    again = spool_verb("requeue", dead_spool, chosen, others[0])
    assert again.returncode == 1
    assert again.stdout == "requeued: 1\n"
    assert chosen in again.stderr


def test_requeue_replaces_nothing(dead_spool):
    chosen = min(store.blobs(dead_spool / "dead"))
    pending = put_pending(dead_spool, b"mine", chosen)
    result = spool_verb("requeue", dead_spool, chosen)
    assert result.returncode == 1
    assert pending.read_bytes() == b"mine"
    assert (dead_spool / "dead" / pending.name).exists()


def test_verify_finds_what_rotted(dead_spool):
    rotten = dead_spool / "dead" / f"{min(store.blobs(dead_spool / 'dead'))}.bin"
    put_pending(dead_spool)
    assert spool_verb("verify", dead_spool).returncode == 0
    with open(rotten, "r+b") as file:
        byte = file.read(1)[0]
        file.seek(0)
        file.write(bytes([byte ^ 1]))

    result = spool_verb("verify", "--log-format", "json", dead_spool)

    assert result.returncode == 1
    [event] = [json.loads(line) for line in result.stderr.splitlines()]
    assert (event["event"], event["blob"]) == ("corrupt", rotten.stem)
    summary = json.loads(result.stdout)
    assert summary["verified"] == 3
    assert summary["corrupt"] == 1
    assert summary["complete"]


def test_verify_tells_what_has_no_digest(dead_spool):
    path = dead_spool / "dead" / f"{ids.v7()}.bin"
    path.write_bytes(b"12")
    result = spool_verb("verify", dead_spool)
    assert result.returncode == 1
    assert path.stem in result.stderr
    assert re.search(r"^without digest: 1$", result.stdout, re.MULTILINE)


def test_beside_a_running_sender(receiver, start_sender):
    interval = ["--min-interval", "1ms", "--max-interval", "3ms"]
    sender = start_sender(receiver.url, "-n", 0, "--max-size", "64KiB", *interval)
    sender.wait_event("delivered")
    for _ in range(5):
        assert spool_verb("list", sender.spool).returncode == 0
        assert spool_verb("verify", sender.spool).returncode == 0
    refused = spool_verb("requeue", sender.spool)
    assert refused.returncode == 1
    assert "another sender" in refused.stderr
    assert sender.stop() == 0


@pytest.mark.parametrize("verb", ["list", "requeue", "verify"])
def test_spool_that_is_not_there_is_not_made(workspace, verb):
    result = spool_verb(verb, workspace / "absent")
    assert result.returncode == 1
    assert str(workspace / "absent") in result.stderr
    assert not (workspace / "absent").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["empty"],
        ["list"],
        ["list", "a", "b"],
        ["verify"],
        ["requeue"],
        ["requeue", "a", "no-id"],
        ["list", "--sums", "a"],
    ],
    ids=" ".join,
)
def test_misuse(workspace, arguments):
    result = run(SENDER, "spool", *arguments, cwd=workspace)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert list(workspace.iterdir()) == []
