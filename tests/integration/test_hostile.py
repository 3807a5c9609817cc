# SPDX-License-Identifier: MIT
"""Requests no decent client sends: each costs its sender the connection, no more."""

import contextlib
import os
import random
import socket
import threading
import time

import pytest

from helpers import ids, wire
from helpers.curl import curl
from helpers.digests import field, repr_digest
from helpers.wait import until

BODY = b"12345"
SMUGGLED_ID = ids.v7()
SMUGGLED = wire.request(
    [
        f"PUT /blobs/{SMUGGLED_ID} HTTP/1.1",
        "Host: a",
        f"Content-Length: {len(BODY)}",
        repr_digest(BODY),
    ],
    BODY,
)


def upload(*lines, body=BODY, host="Host: a", digest=repr_digest(BODY)):
    head = ["POST /blobs HTTP/1.1", host, digest, *lines]
    return wire.request([line for line in head if line is not None], body)


@pytest.fixture
def receiver(start_receiver):
    """A receiver that must have survived, ready and empty, whatever the test did."""
    receiver = start_receiver("--idle-timeout", "1s")
    yield receiver
    assert curl(f"{receiver.url}/readyz").status == 200
    receiver.assert_nothing_left()


def assert_refused(receiver, data, *allowed):
    """Of data and a request hidden behind it, neither is carried out."""
    said = wire.talk(receiver.port, data + SMUGGLED)
    seen = wire.statuses(said)
    assert set(seen) <= set(allowed), said
    assert seen, "refused without a word"


FRAMING = {
    "length and chunked": upload(
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        body=b"5\r\n12345\r\n0\r\n\r\n",
    ),
    "chunked and length": upload(
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
        body=b"5\r\n12345\r\n0\r\n\r\n",
    ),
    "two lengths that differ": upload("Content-Length: 5", "Content-Length: 6"),
    "two lengths that agree": upload("Content-Length: 5", "Content-Length: 5"),
    "a list of lengths": upload("Content-Length: 5, 5"),
    "length with a plus": upload("Content-Length: +5"),
    "negative length": upload("Content-Length: -1"),
    "negative zero": upload("Content-Length: -0"),
    "hexadecimal length": upload("Content-Length: 0x5"),
    "length with trailing letters": upload("Content-Length: 5a"),
    "length in two words": upload("Content-Length: 5 5"),
    "empty length": upload("Content-Length:"),
    "length beyond 64 bits": upload("Content-Length: 184467440737095516160"),
    "the biggest length of 64 bits": upload("Content-Length: 18446744073709551615"),
    "the biggest signed length": upload("Content-Length: 9223372036854775807"),
    "blank before the colon of the length": upload("Content-Length : 5"),
    "tab before the colon of the length": upload("Content-Length\t: 5"),
    "identity coding": upload("Transfer-Encoding: identity"),
    "gzip coding": upload("Transfer-Encoding: gzip"),
    "gzip then chunked": upload(
        "Transfer-Encoding: gzip, chunked", body=b"5\r\n12345\r\n0\r\n\r\n"
    ),
    "chunked twice": upload(
        "Transfer-Encoding: chunked, chunked", body=b"5\r\n12345\r\n0\r\n\r\n"
    ),
    "two transfer codings": upload(
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked",
        body=b"5\r\n12345\r\n0\r\n\r\n",
    ),
    "identity next to chunked": upload(
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked",
        body=b"5\r\n12345\r\n0\r\n\r\n",
    ),
    "quoted chunked": upload('Transfer-Encoding: "chunked"'),
    "vertical tab before chunked": upload("Transfer-Encoding: \x0bchunked"),
    "blank before the colon of the coding": upload("Transfer-Encoding : chunked"),
    "empty coding": upload("Transfer-Encoding:"),
}


@pytest.mark.parametrize("case", FRAMING)
def test_ambiguous_framing(receiver, case):
    assert_refused(receiver, FRAMING[case], 400, 411, 413, 501)


def test_chunked_with_a_trailing_blank(receiver):
    """Optional whitespace: stripped as HTTP says, or refused, but never misread."""
    body = b"5\r\n12345\r\n0\r\n\r\n"
    data = upload("Transfer-Encoding: chunked ", "Connection: close", body=body)
    said = wire.talk(receiver.port, data + SMUGGLED)
    assert wire.statuses(said) in ([400], [201])
    assert SMUGGLED_ID not in receiver.blobs()
    for path in receiver.blobs().values():
        assert path.read_bytes() == BODY
        path.unlink()


def test_length_with_a_trailing_blank(receiver):
    said = wire.talk(
        receiver.port, upload("Content-Length: 5 ", "Connection: close") + SMUGGLED
    )
    assert set(wire.statuses(said)) in ({400}, {201})
    assert SMUGGLED_ID not in receiver.blobs()
    for path in receiver.blobs().values():
        assert path.read_bytes() == BODY
        path.unlink()


def test_length_on_a_get_is_not_a_second_request(receiver):
    said = wire.talk(
        receiver.port,
        wire.request(
            [
                "GET /healthz HTTP/1.1",
                "Host: a",
                f"Content-Length: {len(SMUGGLED)}",
                "Connection: close",
            ],
            SMUGGLED,
        ),
    )
    assert len(wire.statuses(said)) == 1


HEADERS = {
    "folded header": upload("Content-Length: 5", "X-Note: a", " b c"),
    "fold that spells a length": upload("Content-Leng: 5", " th", body=b"12345"),
    "folded length": upload("Content-Length: 1", " 5"),
    "fold of the first header": wire.request(
        ["POST /blobs HTTP/1.1", " Host: a", repr_digest(BODY), "Content-Length: 5"],
        BODY,
    ),
    "folded digest": wire.request(
        [
            "POST /blobs HTTP/1.1",
            "Host: a",
            "Repr-Digest:",
            f" {field(BODY)}",
            "Content-Length: 5",
        ],
        BODY,
    ),
    "header without a colon": upload("Content-Length: 5", "X-Note"),
    "header without a name": upload("Content-Length: 5", ": x"),
    "blank in a header's name": upload("Content-Length: 5", "X Note: a"),
    "control character in a header's name": upload("Content-Length: 5", "X\x01: a"),
    "8-bit character in a header's name": upload("Content-Length: 5", "X\xe9: a"),
    "NUL in a header's value": upload("Content-Length: 5", "X-Note: a\0b"),
    "NUL in the length": upload("Content-Length: 5\x00"),
    "NUL in a header's name": upload("Content-Length: 5", "X-\0Note: a"),
    "no host": upload("Content-Length: 5", host=None),
    "two hosts": upload("Content-Length: 5", "Host: b"),
    "the same host twice": upload("Content-Length: 5", "Host: a"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_malformed_headers(receiver, case):
    assert_refused(receiver, HEADERS[case], 400, 411)


REPEATED = {
    "digest": [repr_digest(b"else")],
    "key": [f'Idempotency-Key: "{ids.v7()}"', f'Idempotency-Key: "{ids.v7()}"'],
    "content type": ["Content-Type: a/b", "Content-Type: c/d"],
    "content coding": ["Content-Encoding: identity", "Content-Encoding: gzip"],
}


@pytest.mark.parametrize("case", REPEATED)
def test_repeated_headers(receiver, case):
    data = upload("Content-Length: 5", "Connection: close", *REPEATED[case])
    assert wire.statuses(wire.talk(receiver.port, data)) in ([400], [415])


def bare(data):
    return data.replace(b"\r\n", b"\n")


BARE_LF = {
    "everywhere": bare(upload("Content-Length: 5")),
    "after the request line": upload("Content-Length: 5").replace(b"\r\n", b"\n", 1),
    "after one header": upload("Content-Length: 5", "X-A: b").replace(
        b"X-A: b\r", b"X-A: b"
    ),
    "before the body": upload("Content-Length: 5").replace(b"\r\n\r\n", b"\r\n\n"),
    "smuggling a header": upload(
        "Content-Length: 5", "X-A: b\nTransfer-Encoding: chunked"
    ),
}


@pytest.mark.parametrize("case", BARE_LF)
def test_bare_line_feeds(receiver, case):
    assert_refused(receiver, BARE_LF[case], 400)


CHUNKS = {
    "size that is no number": b"xyz\r\n12345\r\n0\r\n\r\n",
    "size with a sign": b"+5\r\n12345\r\n0\r\n\r\n",
    "negative size": b"-5\r\n12345\r\n0\r\n\r\n",
    "size with 0x": b"0x5\r\n12345\r\n0\r\n\r\n",
    "size beyond 64 bits": b"fffffffffffffffff\r\n12345\r\n0\r\n\r\n",
    "biggest size": b"ffffffffffffffff\r\n12345\r\n0\r\n\r\n",
    "chunk longer than its size": b"3\r\n12345\r\n0\r\n\r\n",
    "empty size": b"\r\n12345\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("case", CHUNKS)
def test_malformed_chunks(receiver, case):
    """Nothing is stored; a hard close without an answer is good enough."""
    data = upload("Transfer-Encoding: chunked", body=CHUNKS[case]) + SMUGGLED
    said = wire.exchange(receiver.port, data)
    assert set(wire.statuses(said)) <= {400, 408, 413}


TARGETS = [
    "/blobs/%2e%2e/x",
    "/blobs/%2e%2e%2fx",
    f"/blobs/{ids.v7()}%00",
    f"/blobs/{ids.v7()}%00.bin",
    f"/blobs%2f{ids.v7()}",
    f"/%62lobs/{ids.v7()}",
    f"//blobs/{ids.v7()}",
    f"/blobs//{ids.v7()}",
    f"/blobs/../blobs/{ids.v7()}",
    f"/blobs/./{ids.v7()}",
    f"/blobs/{ids.v7()}/../{ids.v7()}",
    f"/blobs/{ids.v7()}.bin",
    f"/blobs/{ids.v7()}/",
    f"/blobs/{ids.v7()};x",
    f"/blobs/ {ids.v7()}",
    f"/blobs/{ids.v7()[:-1]}\xe9",
    f"/blobs/{ids.v7()[:-1]}%61",
    f"/blobs/{ids.v7()}#x",
    "/blobs/../../../../etc/passwd",
    "/blobs/....//....//etc/passwd",
    "/blobs/2026-11-21T18",
    "/blobs/other",
    f"blobs/{ids.v7()}",
    "*",
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_path_tricks(receiver, method, target):
    head = [f"{method} {target} HTTP/1.1", "Host: a", "Connection: close"]
    if method == "PUT":
        head += [repr_digest(BODY), "Content-Length: 5"]
    said = wire.talk(
        receiver.port, wire.request(head, BODY if method == "PUT" else b"")
    )
    assert set(wire.statuses(said)) <= {400, 404, 405}
    assert wire.statuses(said)
    assert b"root:" not in said


@pytest.mark.parametrize("target", ["http://evil.example/blobs", "http://a/blobs/../x"])
def test_absolute_target_names_no_other_path(receiver, target):
    said = wire.talk(
        receiver.port,
        wire.request([f"DELETE {target} HTTP/1.1", "Host: a", "Connection: close"]),
    )
    assert set(wire.statuses(said)) <= {400, 404, 405, 421}


@pytest.mark.parametrize(
    "data",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"GET\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/1.1 x\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTX/1.1\r\nHost: a\r\n\r\n",
        b"G\x00T /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x00" * 4096,
        random.Random(4096).randbytes(4096),
        b"\r\n" * 2048,
        b"A" * 65536,
    ],
    ids=[
        "http2",
        "tls",
        "no target",
        "http 0.9",
        "extra word",
        "http 9.9",
        "not http",
        "NUL",
        "zeros",
        "noise",
        "line ends",
        "one long word",
    ],
)
def test_garbage(receiver, data):
    said = wire.exchange(receiver.port, data)
    assert all(status >= 400 for status in wire.statuses(said))


def test_header_too_large(receiver):
    assert_refused(
        receiver, upload("Content-Length: 5", "X-Big: " + "x" * 400_000), 431, 413
    )


def test_too_many_headers(receiver):
    many = [f"X-{number}: {number}" for number in range(40_000)]
    assert_refused(receiver, upload("Content-Length: 5", *many), 431, 413)


def test_target_too_long(receiver):
    data = wire.request([f"GET /{'x' * 400_000} HTTP/1.1", "Host: a"])
    assert_refused(receiver, data, 414)


# Bodies that do not come


@pytest.mark.parametrize("sent", [0, 1, 4, 99_999])
def test_truncated_body(receiver, sent):
    body = bytes(100_000)
    data = upload("Content-Length: 100000", body=body[:sent], digest=repr_digest(body))

    said = wire.exchange(receiver.port, data)

    assert all(status >= 400 for status in wire.statuses(said))
    receiver.assert_nothing_left()


def test_truncated_body_whose_digest_fits(receiver):
    """What came is what the digest says, but less than was announced."""
    said = wire.exchange(receiver.port, upload("Content-Length: 6"))
    assert all(status >= 400 for status in wire.statuses(said))
    receiver.assert_nothing_left()


def test_truncated_chunks_whose_digest_fits(receiver):
    for body in (b"5\r\n12345", b"5\r\n12345\r\n", b"5\r\n12345\r\n0\r\n"):
        said = wire.exchange(
            receiver.port, upload("Transfer-Encoding: chunked", body=body)
        )
        assert all(status >= 400 for status in wire.statuses(said)), body
        receiver.assert_nothing_left()


def test_reset_in_the_middle_of_a_body(receiver):
    with wire.connect(receiver.port) as sock:
        sock.sendall(
            upload("Content-Length: 1000000", "Expect: 100-continue", body=b"")
        )
        wire.read_until(sock, b"100 Continue\r\n\r\n")
        sock.sendall(bytes(500_000))
        until(receiver.hidden_files, "the upload to begin")
        # Linger of zero: close sends a reset.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    receiver.assert_nothing_left()


def test_many_connections_that_say_nothing(receiver):
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(wire.connect(receiver.port))
        assert curl(f"{receiver.url}/readyz").status == 200


def test_slow_body_disturbs_nobody(receiver):
    body = os.urandom(4000)
    pace = threading.Event()
    said = []

    def drip():
        with wire.connect(receiver.port) as sock:
            head = upload(
                f"Content-Length: {len(body)}",
                "Connection: close",
                body=b"",
                digest=repr_digest(body),
            )
            sock.sendall(head)
            for start in range(0, len(body), 40):
                sock.sendall(body[start : start + 40])
                pace.wait(0.01)
            said.append(wire.read_until_closed(sock))

    slow = threading.Thread(target=drip)
    slow.start()
    until(receiver.hidden_files, "the slow upload to begin")
    quick, slowest = 0, 0.0
    while slow.is_alive():
        began = time.monotonic()
        assert (
            curl(
                f"{receiver.url}/blobs", headers=[repr_digest(b"quick")], body=b"quick"
            ).status
            == 201
        )
        slowest = max(slowest, time.monotonic() - began)
        quick += 1
    slow.join()

    assert wire.statuses(said[0]) == [201]
    assert quick > 3
    assert slowest < 2
    stored = receiver.blobs()
    assert len(stored) == quick + 1
    for path in stored.values():
        path.unlink()


def test_idle_peer_loses_its_connection(receiver):
    with wire.connect(receiver.port) as sock:
        sock.sendall(upload("Content-Length: 100000", body=bytes(10)))
        said = wire.read_until_closed(sock)
    assert all(status >= 400 for status in wire.statuses(said))
    receiver.assert_nothing_left()


def test_refusals_are_logged_once_each(start_receiver):
    receiver = start_receiver("--log-level", "debug")
    before = len(receiver.events())
    for _ in range(3):
        wire.talk(
            receiver.port,
            upload(
                "Content-Length: 5", "Connection: close", digest=repr_digest(b"else")
            ),
        )
    until(lambda: len(receiver.events("refused")) == 3, "three refusals in the log")
    assert len(receiver.events()) > before
