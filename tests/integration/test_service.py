# SPDX-License-Identifier: MIT
"""The programs under a service manager: readiness, watchdog, sockets, signals, units."""

import re
import signal
import socket
import subprocess
import time

import pytest

from helpers import pki, store, wire
from helpers.client import BODY, post, upload
from helpers.curl import curl
from helpers.digests import repr_digest
from helpers.manager import Manager, frozen, pass_sockets, threads
from helpers.programs import BUILD, RECEIVER, Program, run
from helpers.tools import need
from helpers.wait import until

BEAT = 0.5  # half of the manager's patience in these tests


@pytest.fixture
def manager(workspace):
    manager = Manager(workspace)
    yield manager
    manager.close()


@pytest.fixture
def watched(manager, start_receiver):
    manager.environment["WATCHDOG_USEC"] = str(int(2 * BEAT * 1e6))
    receiver = start_receiver("--threads", "3", env=manager.environment)
    manager.wait_for("READY")
    return receiver


def test_manager_is_told_of_start_reload_and_stop(manager, start_receiver):
    receiver = start_receiver(env=manager.environment)
    ready = manager.wait_for("READY")
    assert ready["READY"] == "1"
    assert receiver.url in ready["STATUS"]

    receiver.send_signal(signal.SIGHUP)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    reloading = manager.wait_for("RELOADING")
    assert abs(int(reloading["MONOTONIC_USEC"]) - before) < 30e6
    # Told in this order, perhaps in one go.
    until(
        lambda: manager.listen(0.05) is not None
        and sum("READY" in message for message in manager.heard) == 2,
        "READY after the reload",
    )

    assert receiver.stop() == 0
    assert manager.wait_for("STOPPING")["STOPPING"] == "1"
    assert not any("WATCHDOG" in message for message in manager.heard)


def test_not_ready_before_it_listens(manager, workspace):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run(
            RECEIVER,
            "-p",
            taken.getsockname()[1],
            "-d",
            workspace / "blobs",
            env=manager.environment,
        )
    assert result.returncode == 1
    assert manager.listen(0.05) == []


def test_watchdog_is_fed_while_all_is_well(watched, manager):
    assert manager.beats(6 * BEAT) >= 6
    upload(watched)
    assert not watched.events("hanging")


def test_watchdog_is_fed_when_connections_are_at_their_limit(manager, start_receiver):
    manager.environment["WATCHDOG_USEC"] = str(int(2 * BEAT * 1e6))
    receiver = start_receiver("--max-connections", "1", env=manager.environment)
    with wire.connect(receiver.port):
        manager.wait_for("WATCHDOG")
        assert manager.beats(4 * BEAT) >= 3


@pytest.mark.parametrize("victim", ["MHD-worker", "listener"])
def test_watchdog_starves_when_a_thread_hangs(watched, manager, victim):
    manager.wait_for("WATCHDOG")
    candidates = [t for t, name in threads(watched.pid).items() if victim in name]
    assert candidates, threads(watched.pid)

    with frozen(candidates[-1]):
        manager.listen(BEAT)  # the last beat may be on its way
        assert manager.beats(4 * BEAT) == 0
        watched.wait_event("hanging")

    manager.wait_for("WATCHDOG")
    assert manager.beats(4 * BEAT) >= 3


def test_watchdog_of_another_process_is_not_fed(manager, start_receiver):
    manager.environment.update(WATCHDOG_USEC="200000", WATCHDOG_PID="1")
    start_receiver(env=manager.environment)
    assert manager.beats(1) == 0


def test_tls_does_not_starve_the_watchdog(manager, start_receiver, workspace):
    server = pki.Authority(workspace, "ca").issue("server")
    manager.environment["WATCHDOG_USEC"] = str(int(2 * BEAT * 1e6))
    receiver = start_receiver(
        "--tls-cert", server.cert, "--tls-key", server.key, env=manager.environment
    )
    manager.wait_for("READY")
    assert manager.beats(4 * BEAT) >= 3
    assert not receiver.events("handshake")


def start_with(start_receiver, *sockets, **more):
    return start_receiver(**pass_sockets(*sockets), **more)


def test_passed_sockets_are_served_and_left_alone(start_receiver, workspace):
    path = workspace / "socket"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(
        socket.AF_UNIX
    ) as unix:
        unix.bind(str(path))
        unix.listen()
        port = tcp.getsockname()[1]
        # The port it would bind by itself is taken.
        receiver = start_with(start_receiver, tcp, unix, port=port)
        assert receiver.port == port
        assert upload(receiver)
        assert curl("http://x/readyz", "--unix-socket", path).status == 200

        assert receiver.stop() == 0

        assert path.exists()
        # Both still take connections: the next start will serve them.
        with wire.connect(port), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            again = start_with(start_receiver, tcp, unix)
            assert curl(f"{again.url}/readyz").status == 200


def test_connection_waits_while_the_receiver_restarts(start_receiver):
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        first = start_with(start_receiver, tcp)
        first.stop()
        with wire.connect(tcp.getsockname()[1]) as sock:
            head = ["GET /healthz HTTP/1.1", "Host: a", "Connection: close"]
            sock.sendall(wire.request(head))
            start_with(start_receiver, tcp)
            assert wire.statuses(wire.read_until_closed(sock)) == [200]


def test_passed_socket_on_the_network_needs_access_control(workspace):
    with socket.create_server(("0.0.0.0", 0)) as tcp:
        passed = pass_sockets(tcp)
        result = subprocess.run(
            [*map(str, passed["wrapper"]), RECEIVER, "-d", workspace / "blobs"],
            pass_fds=passed["pass_fds"],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert result.returncode in (1, 2)
    assert "0.0.0.0" in result.stderr
    assert "--token-file" in result.stderr


def test_passed_descriptor_that_is_no_listening_socket(workspace):
    with socket.socket() as plain:
        passed = pass_sockets(plain)
        result = subprocess.run(
            [*map(str, passed["wrapper"]), RECEIVER, "-d", workspace / "blobs"],
            pass_fds=passed["pass_fds"],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert result.returncode in (1, 2)
    assert "LISTEN_FDS" in result.stderr


def test_sockets_for_another_process_are_not_taken(start_receiver):
    receiver = start_receiver(env={"LISTEN_PID": "1", "LISTEN_FDS": "1"})
    assert upload(receiver)


def test_sender_tells_its_manager(manager, receiver, start_sender):
    sender = start_sender(receiver.url, "-n", 3, env=manager.environment)
    assert sender.wait() == 0
    manager.listen(0.1)
    states = [key for message in manager.heard for key in message if key != "STATUS"]
    assert states == ["READY", "STOPPING"]


def begin_upload(receiver, sock):
    head = [
        "POST /blobs HTTP/1.1",
        "Host: a",
        repr_digest(BODY),
        "Content-Length: 1000",
    ]
    sock.sendall(wire.request(head, BODY[:100]))
    until(receiver.hidden_files, "the upload to begin")


def test_echo_of_a_signal_does_not_cut_uploads(start_receiver):
    receiver = start_receiver("--shutdown-timeout", "10m")
    with wire.connect(receiver.port) as sock:
        begin_upload(receiver, sock)
        began = time.monotonic()
        receiver.send_signal(signal.SIGTERM)
        receiver.wait_event("stopping")
        receiver.send_signal(signal.SIGTERM)
        receiver.send_signal(signal.SIGINT)
        sock.sendall(BODY[100:])
        said = wire.read_until_closed(sock)
        quick = time.monotonic() - began < 0.4
    if quick:
        assert wire.statuses(said) == [201]
        assert receiver.wait(10) == 0


def test_insisting_ends_it_once_the_echo_is_over(start_receiver):
    receiver = start_receiver("--shutdown-timeout", "10m")
    with wire.connect(receiver.port) as sock:
        begin_upload(receiver, sock)
        began = time.monotonic()
        receiver.send_signal(signal.SIGTERM)
        receiver.wait_event("stopping")

        def insist():
            receiver.send_signal(signal.SIGTERM)
            return receiver.process.poll() is not None

        until(insist, "the end", timeout=5, interval=0.05)
    assert time.monotonic() - began >= 0.5
    assert receiver.wait() == -signal.SIGTERM
    store.assert_empty(receiver.dir)


UNITS = {
    "blob-receiver.service": BUILD / "receiver" / "systemd" / "blob-receiver.service",
    "blob-sender@.service": BUILD / "sender" / "systemd" / "blob-sender@.service",
}


@pytest.mark.parametrize("name", UNITS)
def test_unit_is_well_confined(name):
    need("systemd-analyze")
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNITS[name]],
        capture_output=True,
        text=True,
    )
    if "unrecognized option" in result.stderr:
        pytest.skip("this systemd-analyze knows no --offline")
    rating = re.search(r"exposure level for \S+: ([\d.]+)", result.stdout)
    assert rating, result.stdout + result.stderr
    assert float(rating[1]) < 2.0
    assert result.stderr == ""
