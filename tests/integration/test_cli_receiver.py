# SPDX-License-Identifier: MIT
"""The receiver from the operator's side: start, log, signals, exit codes."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import time

import pytest

from helpers import programs, store, wire
from helpers.curl import curl
from helpers.digests import repr_digest, sha256_hex
from helpers.programs import RECEIVER, run
from helpers.wait import until


def test_missing_directory_is_made(start_receiver, workspace):
    receiver = programs.Program(
        RECEIVER,
        ["-p", "0", "-d", workspace / "new", "--log-format", "json"],
        workspace,
    )
    try:
        receiver.wait_event("listening")
        assert (workspace / "new").is_dir()
        assert receiver.stop() == 0
    finally:
        receiver.finish()


def test_port_in_use(workspace):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        result = run(RECEIVER, "-p", port, "-d", workspace / "blobs")
    assert result.returncode == 1
    assert "127.0.0.1" in result.stderr
    assert str(port) in result.stderr
    assert "in use" in result.stderr


@pytest.mark.parametrize("address", ["192.0.2.1", "not an address", "x.invalid"])
def test_address_that_is_not_ours(workspace, address):
    result = run(RECEIVER, "-a", address, "-p", 0, "-d", workspace / "blobs")
    assert result.returncode in (1, 2)
    [line] = result.stderr.splitlines()
    assert address in line


def test_listens_on_loopback_by_default(receiver):
    inodes = {
        os.readlink(fd) for fd in pathlib.Path(f"/proc/{receiver.pid}/fd").iterdir()
    }
    listening = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    own = [f[1] for f in listening if f[3] == "0A" and f"socket:[{f[9]}]" in inodes]
    assert own == [f"0100007F:{receiver.port:04X}"]


def test_text_log(workspace):
    receiver = programs.Program(
        RECEIVER, ["-p", "0", "-d", workspace / "blobs"], workspace
    )
    try:
        found = until(
            lambda: re.search(r"listening on (http://[^ ,]+)", receiver.stderr),
            "the URL",
        )
        assert curl(f"{found[1]}/readyz").status == 200
        assert receiver.stop() == 0
    finally:
        receiver.finish()
    shape = r"\[RECEIVER\]\[(WARN|INFO)\]\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] - .+"
    for line in receiver.stderr.splitlines():
        assert re.fullmatch(shape, line), line
    assert receiver.stdout == ""


def test_log_file(workspace):
    log = workspace / "log"
    log.write_text("older\n")
    receiver = programs.Program(
        RECEIVER,
        ["-p", "0", "-d", workspace / "blobs", "-f", log, "--log-format", "json"],
        workspace,
    )
    try:
        until(lambda: '"listening"' in log.read_text(), "the log file")
        assert receiver.stop() == 0
    finally:
        receiver.finish()
    assert receiver.stderr == ""
    older, *lines = log.read_text().splitlines()
    assert older == "older"
    for line in lines:
        event = json.loads(line)
        assert event["program"] == "receiver"
        assert {"time", "level", "event", "message"} <= event.keys()


def test_json_log_stays_json_whatever_the_network_says(start_receiver):
    receiver = start_receiver("--log-level", "debug")
    for path in ('/"quoted"', "/\x01\x7f\x1b[31m", "/\xff\xfe", "/\\u0000"):
        with wire.connect(receiver.port) as sock:
            sock.sendall(
                wire.request([f"GET {path} HTTP/1.1", "Host: a", "Connection: close"])
            )
            wire.read_until_closed(sock)
    wire.talk(
        receiver.port,
        wire.request(
            [
                "POST /blobs HTTP/1.1",
                "Host: a",
                'Repr-Digest: "\\x\x1b',
                "Content-Length: 0",
                "Connection: close",
            ]
        ),
    )
    assert receiver.stop() == 0
    lines = receiver.stderr_path.read_bytes().splitlines()
    assert len(lines) > 5
    for line in lines:
        json.loads(line)


def test_log_level(start_receiver):
    receiver = start_receiver("--log-level", "info")
    assert receiver.stop() == 0
    assert receiver.events("listening")
    assert not [e for e in receiver.events() if e["level"] == "debug"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_when_told(receiver, number):
    with wire.connect(receiver.port):  # an idle connection does not hold it up
        assert receiver.stop(number, timeout=10) == 0


@contextlib.contextmanager
def slow_upload(receiver, body):
    """An upload of which the receiver has everything but the second half."""
    with wire.connect(receiver.port) as sock:
        sock.sendall(
            wire.request(
                [
                    "POST /blobs HTTP/1.1",
                    "Host: a",
                    "Expect: 100-continue",
                    repr_digest(body),
                    f"Content-Length: {len(body)}",
                ]
            )
        )
        wire.read_until(sock, b"100 Continue\r\n\r\n")
        sock.sendall(body[: len(body) // 2])
        yield sock


def refuses_connections(receiver):
    try:
        with wire.connect(receiver.port, timeout=2):
            return False
    except (ConnectionRefusedError, ConnectionResetError):
        return True


def test_upload_in_flight_is_finished_before_it_stops(receiver):
    body = os.urandom(300_000)
    with slow_upload(receiver, body) as sock:
        receiver.send_signal(signal.SIGTERM)
        until(lambda: refuses_connections(receiver), "the port to close")
        assert receiver.process.poll() is None

        sock.sendall(body[len(body) // 2 :])
        said = wire.read_until_closed(sock)

    assert wire.statuses(said) == [201]
    assert receiver.wait(10) == 0
    [path] = receiver.blobs().values()
    assert store.digest(path) == sha256_hex(body)


def test_upload_that_never_ends_is_given_up_at_the_deadline(start_receiver):
    receiver = start_receiver("--shutdown-timeout", "500ms")
    with slow_upload(receiver, bytes(1000)):
        receiver.stop(signal.SIGTERM, timeout=10)
    store.assert_empty(receiver.dir)


def test_second_signal_ends_it_at_once(start_receiver):
    receiver = start_receiver("--shutdown-timeout", "10m")
    with slow_upload(receiver, bytes(1000)):
        receiver.send_signal(signal.SIGTERM)
        until(lambda: refuses_connections(receiver), "the port to close")
        time.sleep(0.6)  # within half a second of the first it counts as the same
        assert receiver.stop(signal.SIGTERM, timeout=5) != 0
    store.assert_empty(receiver.dir)
