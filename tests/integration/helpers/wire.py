# SPDX-License-Identifier: MIT
"""Raw sockets, for what no decent client sends."""

import contextlib
import random
import re
import socket


def unused_port():
    """A port nobody listens on. It is below those given to outgoing connections, so
    that nobody takes it, or connects to itself, while a receiver is away."""
    while True:
        port = random.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def connect(port, timeout=10):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def request(head, body=b""):
    """Request bytes from lines, with CRLF line ends."""
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def read_until_closed(sock):
    """Everything the peer says until it closes; TimeoutError if it never does."""
    said = b""
    while True:
        try:
            block = sock.recv(65536)
        except ConnectionError:
            return said
        if not block:
            return said
        said += block


def read_until(sock, mark):
    said = b""
    while mark not in said:
        block = sock.recv(65536)
        if not block:
            raise AssertionError(f"closed before {mark!r}: {said!r}")
        said += block
    return said


def talk(port, data):
    """Sends data and returns all that is said until the peer closes."""
    with connect(port) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
        return read_until_closed(sock)


def exchange(port, data, half_close=True):
    """Like talk, but tells the peer that nothing more will come."""
    with connect(port) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        return read_until_closed(sock)


def statuses(said):
    """The status codes of all answers in a stream of bytes."""
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", said)]
