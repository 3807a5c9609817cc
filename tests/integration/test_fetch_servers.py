# SPDX-License-Identifier: MIT
"""Files from the servers that people use: the same bytes, each."""

import os
import threading

import pytest

from helpers import client, file_servers, ids
from helpers.digests import repr_digest, sha256_hex
from helpers.fetching import (
    BAD_BYTES,
    MIB,
    OK,
    assert_failed,
    assert_fetched,
    assert_only,
    content,
    fetch,
)

SIZES = [0, 1, MIB - 1, MIB, MIB + 1, 20 * MIB + 7]


@pytest.fixture(params=file_servers.SERVERS)
def server(request, workspace):
    """(name, URL, directory of its files)"""
    root = workspace / "root"
    root.mkdir()
    with file_servers.serving(request.param, root, workspace / "server") as url:
        yield request.param, url, root


@pytest.fixture
def directory(workspace):
    path = workspace / "fetched"
    path.mkdir()
    return path


def test_files_of_all_sizes_come_out_right(server, directory):
    name, url, root = server
    for size in SIZES:
        data = content(size)
        file = root / f"{size}.bin"
        file.write_bytes(data)
        os.utime(file, (1_600_000_000, 1_600_000_000))
        outcome = fetch(directory, "-o", f"{size}.bin", f"{url}/{size}.bin")
        assert outcome.status == OK, outcome
        assert (directory / f"{size}.bin").read_bytes() == data
        assert outcome.result["sha256"] == sha256_hex(data)
    assert (outcome.result["connections"] == 1) == (name == "python"), outcome


def test_file_that_is_replaced_midway_is_never_mixed(server, directory):
    _, url, root = server
    old, new = content(20 * MIB), content(20 * MIB, seed=2)
    (root / "file.bin").write_bytes(old)
    os.utime(root / "file.bin", (1_600_000_000, 1_600_000_000))

    def replace():
        (root / "new").write_bytes(new)
        os.replace(root / "new", root / "file.bin")

    timer = threading.Timer(0.2, replace)
    timer.start()
    outcome = fetch(directory, "--limit-rate", "40MiB", url + "/file.bin")
    timer.join()
    assert outcome.status == OK, outcome
    assert (directory / "file.bin").read_bytes() in (old, new)


def test_remote_time_is_kept_on_request(server, directory):
    _, url, root = server
    (root / "file.bin").write_bytes(b"x")
    os.utime(root / "file.bin", (1_600_000_000, 1_600_000_000))
    fetch(directory, url + "/file.bin")
    assert (directory / "file.bin").stat().st_mtime > 1_700_000_000
    fetch(directory, "--remote-time", url + "/file.bin")
    assert (directory / "file.bin").stat().st_mtime == 1_600_000_000


def test_missing_file_is_an_error(server, directory):
    _, url, _ = server
    outcome = fetch(directory, url + "/nothing.bin")
    assert outcome.status == 22
    assert outcome.result["http_status"] == 404


@pytest.mark.parametrize("size", [0, 2, 20 * MIB])
def test_blob_of_our_own_receiver_is_verified_end_to_end(receiver, directory, size):
    data = content(size)
    blob = ids.v7()
    assert client.put(receiver, blob, data, repr_digest(data)).status == 201
    outcome = fetch(directory, "-o", "file.bin", f"{receiver.url}/blobs/{blob}")
    assert_fetched(outcome, directory, data)
    assert outcome.result["verified_against"] == "Repr-Digest"


def flip_a_bit(path):
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def cut_a_byte(path):
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize("damage", [flip_a_bit, cut_a_byte])
@pytest.mark.parametrize("size", [2, 20 * MIB])
def test_blob_damaged_at_rest_is_refused(receiver, directory, size, damage):
    blob, data = ids.v7(), content(size)
    assert client.put(receiver, blob, data, repr_digest(data)).status == 201
    at_rest = receiver.blobs()[blob]
    at_rest.chmod(0o600)
    damage(at_rest)

    url = f"{receiver.url}/blobs/{blob}"
    outcome = fetch(directory, "-o", "file.bin", url)
    assert_failed(outcome, directory, BAD_BYTES)
    assert "Repr-Digest" in outcome.result["error"]
    assert_only(directory)

    outcome = fetch(directory, "--keep-bad", "-o", "file.bin", url)
    assert_failed(outcome, directory, BAD_BYTES)
    assert_only(directory, "file.bin.bad")
    assert (directory / "file.bin.bad").read_bytes() == at_rest.read_bytes() != data
