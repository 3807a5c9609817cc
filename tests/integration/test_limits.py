# SPDX-License-Identifier: MIT
"""What one peer, or all of them, may take; who takes more pays for it alone."""

import contextlib
import os
import resource
import socket
import subprocess
import time

import pytest

from helpers import digests, ids, machine, programs, store, wire
from helpers.client import BODY, post
from helpers.curl import curl
from helpers.digests import repr_digest
from helpers.tools import need
from helpers.wait import scaled, until

WINDOW = 0.5
PACED = ["--min-rate", "1000B", "--min-rate-window", "500ms"]
ATTACK_SECONDS = int(os.environ.get("BLOBSTREAM_ATTACK_SECONDS", "8"))
ATTACKERS = int(os.environ.get("BLOBSTREAM_ATTACKERS", "1000"))


def head_of(length, *lines, body=None):
    return wire.request(
        [
            "POST /blobs HTTP/1.1",
            "Host: a",
            f"Content-Length: {length}",
            repr_digest(b"" if body is None else body),
            *lines,
        ]
    )


def assert_served(receiver):
    assert post(receiver, BODY, repr_digest(BODY)).status == 201


def connect_from(address, port):
    return socket.create_connection(
        ("127.0.0.1", port), timeout=10, source_address=(address, 0)
    )


# Connections


def test_connections_per_address(start_receiver):
    receiver = start_receiver("--max-connections-per-ip", 3)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(wire.connect(receiver.port)) for _ in range(3)]
        with wire.connect(receiver.port) as fourth:
            said = wire.read_until_closed(fourth)
        assert wire.statuses(said) == [503]
        assert b"\r\nRetry-After: " in said
        with connect_from("127.0.0.2", receiver.port) as other:
            other.sendall(wire.request(["GET /healthz HTTP/1.1", "Host: a"]))
            assert wire.statuses(wire.read_until(other, b"ok")) == [200]

        held[0].close()

        until(lambda: curl(f"{receiver.url}/healthz").status == 200, "the place")


def test_connections_in_all(start_receiver):
    receiver = start_receiver("--max-connections", 3, "--max-connections-per-ip", 3)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(wire.connect(receiver.port)) for _ in range(3)]
        with connect_from("127.0.0.2", receiver.port) as fourth:
            said = wire.read_until_closed(fourth)
        assert wire.statuses(said) == [503]
        assert b"\r\nRetry-After: " in said
        held[0].close()
        until(lambda: curl(f"{receiver.url}/healthz").status == 200, "the place")


def ask(sock):
    """Whether the connection stays open behind the answer."""
    sock.sendall(wire.request(["GET /healthz HTTP/1.1", "Host: a"]))
    said = wire.read_until(sock, b'"}')
    assert wire.statuses(said) == [200]
    return b"\r\nConnection: close" not in said


def test_connections_kept_for_another_request(start_receiver):
    allow_descriptors(1500)
    receiver = start_receiver("--max-connections-per-ip", 0)
    with contextlib.ExitStack() as stack:

        def connect():
            return stack.enter_context(wire.connect(receiver.port))

        silent = [connect() for _ in range(600)]
        kept = [connect() for _ in range(512)]

        assert all(ask(sock) for sock in kept)
        assert not ask(connect())
        assert all(ask(sock) for sock in kept[:3])

        kept.pop().close()
        until(lambda: ask(connect()), "its place")
        assert not ask(silent.pop())


def test_descriptor_limit_is_raised(start_receiver):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    receiver = start_receiver(preexec_fn=lower)
    assert resource.prlimit(receiver.pid, resource.RLIMIT_NOFILE)[0] == hard


def test_too_few_descriptors_are_named_at_start(start_receiver):
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))

    receiver = start_receiver("--max-connections", 5000, preexec_fn=lower)
    (event,) = receiver.events("descriptors")
    assert event["limit"] == 1024
    assert event["level"] == "warn"


# Pace


def drip(sock, data, step=WINDOW / 20):
    """Sends byte by byte until the peer has enough; returns what it said."""
    for byte in data:
        try:
            sock.sendall(bytes([byte]))
        except ConnectionError:
            break
        time.sleep(step)
    return wire.read_until_closed(sock)


TRICKLES = {
    "request line": (b"", b"G" * 1000),
    "head": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: ", b"a" * 1000),
    "many header lines": (b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b"a: b\r\n" * 200),
    "body": (head_of(5000), b"x" * 1000),
    "chunked body": (
        wire.request(
            [
                "POST /blobs HTTP/1.1",
                "Host: a",
                "Transfer-Encoding: chunked",
                repr_digest(BODY),
            ]
        ),
        b"1\r\nx\r\n" * 200,
    ),
    "body nobody wants": (
        wire.request(["POST /blobs HTTP/1.1", "Host: a", "Content-Length: 5000"]),
        b"x" * 1000,
    ),
}


@pytest.mark.parametrize("case", TRICKLES)
def test_trickle_is_cut(start_receiver, case):
    receiver = start_receiver(*PACED)
    at_once, slowly = TRICKLES[case]
    began = time.monotonic()
    with wire.connect(receiver.port) as sock:
        sock.sendall(at_once)
        said = drip(sock, slowly)
    assert time.monotonic() - began < 10 * WINDOW
    assert wire.statuses(said) in ([408], [])  # [] when a reset overtook it
    event = receiver.wait_event("too_slow")
    assert event["phase"] == ("body" if "body" in case else "head")
    assert_served(receiver)
    until(lambda: not receiver.hidden_files(), "the upload to be discarded")
    assert len(receiver.blobs()) == 1


@pytest.mark.parametrize("stops_in", ["head", "body"])
def test_standstill_is_cut(start_receiver, stops_in):
    receiver = start_receiver(*PACED)
    with wire.connect(receiver.port) as sock:
        data = head_of(5000) + b"x" * 4000
        sock.sendall(data[: data.index(b"\r\n\r\n")] if stops_in == "head" else data)
        assert wire.statuses(wire.read_until_closed(sock)) == [408]
    assert_served(receiver)


def test_a_crowd_that_is_cut_does_not_fill_the_log(start_receiver):
    receiver = start_receiver(*PACED)

    def stand_still(count):
        with contextlib.ExitStack() as stack:
            held = [
                stack.enter_context(wire.connect(receiver.port)) for _ in range(count)
            ]
            for sock in held:
                sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
            for sock in held:
                assert wire.statuses(wire.read_until_closed(sock)) == [408]

    stand_still(100)
    assert len(receiver.events("too_slow")) <= 40
    time.sleep(1.1)
    stand_still(1)

    def counted():
        left_out = sum(event["count"] for event in receiver.events("suppressed"))
        return len(receiver.events("too_slow")) + left_out

    until(lambda: counted() == 101, "all of them")


def test_answer_nobody_reads_is_cut(start_receiver):
    receiver = start_receiver(*PACED)
    body = os.urandom(32 << 20)
    location = post(receiver, body, repr_digest(body)).headers["location"]
    with wire.connect(receiver.port) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(wire.request([f"GET {location} HTTP/1.1", "Host: a"]))
        assert receiver.wait_event("too_slow")["phase"] == "answer"
        assert len(wire.read_until_closed(sock)) < len(body)
    assert_served(receiver)


def test_slow_but_steady_is_served(start_receiver):
    receiver = start_receiver(*PACED)
    body = os.urandom(6000)
    with wire.connect(receiver.port) as sock:
        sock.sendall(head_of(len(body), body=body))
        for at in range(0, len(body), 100):
            sock.sendall(body[at : at + 100])
            time.sleep(WINDOW / 20)  # four times the rate
        assert wire.statuses(wire.read_until(sock, b"\r\n\r\n")) == [201]
    assert receiver.events("too_slow") == []


def test_waiting_is_not_slow(start_receiver):
    """Neither before the first request nor between two."""
    receiver = start_receiver(*PACED)
    with wire.connect(receiver.port) as sock:
        for _ in range(2):
            time.sleep(4 * WINDOW)
            sock.sendall(wire.request(["GET /healthz HTTP/1.1", "Host: a"]))
            assert wire.statuses(wire.read_until(sock, b"ok")) == [200]
    assert receiver.events("too_slow") == []


def test_no_rate_no_cut(start_receiver):
    receiver = start_receiver("--min-rate", 0, "--min-rate-window", "500ms")
    with wire.connect(receiver.port) as sock:
        sock.sendall(head_of(len(BODY), body=BODY))
        time.sleep(4 * WINDOW)
        sock.sendall(BODY)
        assert wire.statuses(wire.read_until(sock, b"\r\n\r\n")) == [201]


# Sizes


@pytest.mark.parametrize("limit", ["1KiB", "16KiB", "48KiB"])
def test_header_size(start_receiver, limit):
    receiver = start_receiver("--max-header-size", limit)
    size = int(limit[:-3]) << 10

    def status(head_size):
        lines = ["GET /healthz HTTP/1.1", "Host: a", "Connection: close", "X: "]
        lines[-1] += "x" * (head_size - len(wire.request(lines)))
        return wire.statuses(wire.talk(receiver.port, wire.request(lines)))

    assert status(size) == [200]
    assert status(size + 1) == [431]


def test_inflight_bytes(start_receiver):
    receiver = start_receiver("--max-inflight-bytes", "1MiB")
    big = os.urandom(700 << 10)
    with wire.connect(receiver.port) as sock:
        sock.sendall(head_of(len(big), body=big) + big[:1000])
        until(receiver.hidden_files, "the upload to begin")

        answer = post(receiver, big, repr_digest(big))
        assert answer.status == 503
        assert answer.problem
        assert int(answer.headers["retry-after"]) > 0
        chunked = ["Transfer-Encoding: chunked", repr_digest(big)]
        assert post(receiver, big, *chunked).status == 503
        assert_served(receiver)

        sock.sendall(big[1000:])
        assert wire.statuses(wire.read_until(sock, b"\r\n\r\n")) == [201]
    assert post(receiver, big, repr_digest(big)).status == 201
    assert post(receiver, big, *chunked).status == 201
    assert curl(f"{receiver.url}/readyz").status == 200


def test_one_upload_may_be_larger_than_what_is_under_way(start_receiver):
    receiver = start_receiver("--max-inflight-bytes", "64KiB")
    body = os.urandom(1 << 20)
    assert post(receiver, body, repr_digest(body)).status == 201


# Room on the disk


def free_bytes(directory):
    state = os.statvfs(directory)
    return state.f_bavail * state.f_frsize


@contextlib.contextmanager
def ballast(disk, leaving):
    path = disk / "ballast"
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free_bytes(disk) - leaving)
    yield
    path.unlink()


def ready(receiver):
    return curl(f"{receiver.url}/readyz").status == 200


def test_below_the_minimum_nothing_is_taken(start_receiver, workspace):
    with machine.small_disk(workspace, 48) as disk:
        receiver = start_receiver("--min-free", "8MiB", directory=disk / "blobs")
        assert ready(receiver)
        again = [repr_digest(BODY), digests.key(ids.v7())]
        assert post(receiver, BODY, *again).status == 201
        with ballast(disk, leaving=7 << 20):
            answer = post(receiver, BODY, repr_digest(BODY))
            assert answer.status == 507
            assert answer.problem
            chunked = post(
                receiver, BODY, repr_digest(BODY), "Transfer-Encoding: chunked"
            )
            assert chunked.status == 507
            for framing in ([], ["Transfer-Encoding: chunked"]):
                assert post(receiver, BODY, *again, *framing).status == 200
            answer = curl(f"{receiver.url}/readyz")
            assert answer.status == 503
            assert "--min-free" in answer.problem["detail"]
            assert curl(f"{receiver.url}/healthz").status == 200
        assert ready(receiver)
        assert_served(receiver)


def test_chunked_upload_stops_at_the_minimum(start_receiver, workspace):
    body = os.urandom(12 << 20)
    with machine.small_disk(workspace, 48) as disk:
        receiver = start_receiver("--min-free", "8MiB", directory=disk / "blobs")
        with ballast(disk, leaving=16 << 20):
            answer = post(
                receiver, body, repr_digest(body), "Transfer-Encoding: chunked"
            )
            assert answer.status == 507
            receiver.assert_nothing_left()
            until(lambda: free_bytes(disk) >= 15 << 20, "its space to come back")
        assert ready(receiver)


@pytest.mark.parametrize("mebibytes", [2, 12])  # a promise, and allocated blocks
def test_room_is_set_aside_before_the_body(start_receiver, workspace, mebibytes):
    length = mebibytes << 20
    room = length * 2 + (2 << 20)
    expecting = ["Expect: 100-continue"]
    with machine.small_disk(workspace, 48) as disk:
        receiver = start_receiver("--min-free", "1MiB", directory=disk / "blobs")
        with ballast(disk, leaving=room), wire.connect(receiver.port) as first:
            first.sendall(head_of(length, *expecting))
            assert wire.read_until(first, b"\r\n\r\n").startswith(b"HTTP/1.1 100")
            with wire.connect(receiver.port) as second:
                second.sendall(head_of(length + (2 << 20), *expecting))
                assert wire.statuses(wire.read_until_closed(second)) == [507]
            if mebibytes == 12:
                assert free_bytes(disk) < room - length + (1 << 20)
            first.close()
            until(lambda: not receiver.hidden_files(), "the upload to be dropped")
            with wire.connect(receiver.port) as third:
                third.sendall(head_of(length + (2 << 20), *expecting))
                assert wire.read_until(third, b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        receiver.assert_nothing_left()


def test_announcements_leave_room_for_others(start_receiver, workspace):
    body = os.urandom(8 << 20)
    with (
        machine.small_disk(workspace, 48) as disk,
        contextlib.ExitStack() as stack,
    ):
        receiver = start_receiver("--min-free", "1MiB", directory=disk / "blobs")
        stack.enter_context(ballast(disk, leaving=25 << 20))
        for mebibytes in (23, 11):
            sock = stack.enter_context(wire.connect(receiver.port))
            sock.sendall(head_of(mebibytes << 20, "Expect: 100-continue"))
            assert wire.read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 100")

        assert post(receiver, body, repr_digest(body)).status == 201

        sock.sendall(bytes(11 << 20))  # of which 4 MiB are left
        assert wire.statuses(wire.read_until_closed(sock)) == [507]
        assert ready(receiver)


def test_more_than_the_disk_has_is_refused_at_once(start_receiver):
    receiver = start_receiver("--max-blob-size", "4194304TiB")
    length = (1 << 62) - 1
    for _ in range(3):
        with wire.connect(receiver.port) as sock:
            sock.sendall(head_of(length))
            assert wire.statuses(wire.read_until_closed(sock)) == [507]
        assert ready(receiver)
    assert_served(receiver)


# Many


def resident_kib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])


def allow_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        pytest.skip(f"only {hard} descriptors are allowed here, {count} needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def test_idle_connections_are_held(start_receiver):
    count = scaled(10000, 500)
    allow_descriptors(count + 500)
    receiver = start_receiver(
        "--max-connections", count + 100, "--max-connections-per-ip", 0
    )
    before = resident_kib(receiver.pid)
    with contextlib.ExitStack() as stack:
        held = []
        for number in range(count):
            source = f"127.0.0.{2 + number % 8}"
            held.append(stack.enter_context(connect_from(source, receiver.port)))
        assert_served(receiver)
        each = (resident_kib(receiver.pid) - before) / count
        print(f"{count} idle connections: {each:.2f} KiB of memory each")
        if not programs.sanitized():
            assert each < 8
        for _ in range(20):
            assert_served(receiver)
        for sock in held[:: max(1, count // 50)]:
            sock.sendall(wire.request(["GET /healthz HTTP/1.1", "Host: a"]))
            assert wire.statuses(wire.read_until(sock, b"ok")) == [200]
    assert receiver.stop() == 0


ATTACKS = {
    "slow headers": ["-H", "-i", 1],
    "slow body": ["-B", "-i", 1, "-s", 8192],
    "ranges": ["-R", "-a", 1, "-b", 3000],
    "slow read": ["-X", "-n", 1, "-w", 1, "-y", 32, "-z", 5, "-k", 3],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_slowhttptest(start_receiver, start_sender, attack):
    """An honest sender beside an attack loses nothing (its rate: scripts/bench/)."""
    need("slowhttptest")
    allow_descriptors(ATTACKERS + 500)
    receiver = start_receiver("--min-rate-window", "2s")
    body = os.urandom(1 << 20)
    location = post(receiver, body, repr_digest(body)).headers["location"]
    path = "/blobs" if attack in ("slow headers", "slow body") else location
    command = ["slowhttptest", "-c", ATTACKERS, "-r", ATTACKERS, "-p", 5]
    command += ["-l", ATTACK_SECONDS, *ATTACKS[attack], "-u", receiver.url + path]
    attacker = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        sender = start_sender(
            receiver.url,
            "-n",
            0,
            "-w",
            4,
            "--max-size",
            "64KiB",
            "--min-interval",
            "1ms",
            "--max-interval",
            "5ms",
            "--max-duration",
            f"{ATTACK_SECONDS}s",
            "--max-attempts",
            1,
        )
        assert sender.wait(ATTACK_SECONDS + 60) == 0
    finally:
        attacker.terminate()
        said = attacker.communicate(timeout=30)[0].decode(errors="replace")
    print(said[-1500:])
    assert sender.summary["delivered"] > 20 * ATTACK_SECONDS
    assert sender.summary["retried"] == sender.summary["dead"] == 0
    assert len(receiver.blobs()) == sender.summary["delivered"] + 1
    assert store.damaged(receiver.dir) == []
    until(lambda: not receiver.hidden_files(), "attackers' uploads to be discarded")
    assert ready(receiver)
