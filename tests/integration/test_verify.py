# SPDX-License-Identifier: MIT
"""blob-receiver verify and list."""

import json
import os
import re
import signal
import subprocess

import pytest

from helpers import ids, store
from helpers.client import put
from helpers.digests import repr_digest
from helpers.programs import RECEIVER, Program, run

BODIES = [b"", b"\x01\x00", os.urandom(300_000)]


def fill(receiver):
    """{id: path} of a few blobs."""
    for body in BODIES:
        assert put(receiver, ids.v7(), body, repr_digest(body)).status == 201
    return receiver.blobs()


def rot(path):
    with open(path, "r+b") as file:
        byte = file.read(1)[0]
        file.seek(0)
        file.write(bytes([byte ^ 1]))


def test_verify_beside_a_running_receiver(receiver):
    fill(receiver)
    result = run(RECEIVER, "verify", receiver.dir)
    assert result.returncode == 0
    assert re.search(r"^verified: +3$", result.stdout, re.MULTILINE)
    assert re.search(r"^bytes: +300002$", result.stdout, re.MULTILINE)
    assert result.stderr == ""


def test_verify_names_and_quarantines_what_rotted(receiver):
    paths = fill(receiver)
    rotten = max(paths.values(), key=lambda path: path.stat().st_size)
    rot(rotten)
    bare = receiver.dir / "other" / "00"
    bare.mkdir(parents=True)
    unsaid = bare / "00000000-0000-4000-8000-000000000000.bin"
    unsaid.write_bytes(b"x")

    result = run(
        RECEIVER, "verify", "--quarantine", "--log-format", "json", receiver.dir
    )

    assert result.returncode == 1
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert {(e["event"], e["blob"]) for e in events} == {
        ("corrupt", rotten.stem),
        ("quarantined", rotten.stem),
        ("no_digest", unsaid.stem),
    }
    summary = json.loads(result.stdout)
    assert (summary["verified"], summary["corrupt"]) == (2, 1)
    assert summary["without_digest"] == 1
    assert not rotten.exists()
    assert (receiver.dir / "quarantine" / rotten.name).exists()


def test_verify_keeps_to_its_rate_and_stops_when_told(receiver, workspace):
    fill(receiver)
    options = ["verify", "--max-rate", "1KiB", "--log-format", "json", receiver.dir]
    verify = Program(RECEIVER, options, workspace)
    try:
        with pytest.raises(AssertionError, match="still running"):
            verify.wait(0.5)
        assert verify.stop(signal.SIGTERM, timeout=10) == 1
    finally:
        verify.finish()
    assert json.loads(verify.stdout)["complete"] is False


def test_list_can_be_checked_by_sha256sum(receiver):
    paths = fill(receiver)
    sums = run(RECEIVER, "list", "--sums", receiver.dir)
    assert sums.returncode == 0
    checked = subprocess.run(
        ["sha256sum", "-c", "--quiet"], input=sums.stdout, text=True, cwd=receiver.dir
    )
    assert checked.returncode == 0
    entries = [
        json.loads(line)
        for line in run(RECEIVER, "list", "--json", receiver.dir).stdout.splitlines()
    ]
    assert [e["id"] for e in entries] == sorted(paths)
    assert {e["id"]: e["sha256"] for e in entries} == {
        i: store.digest(p) for i, p in paths.items()
    }
