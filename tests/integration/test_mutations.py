# SPDX-License-Identifier: MIT
"""Valid requests, spoiled at random: the receiver survives every one of them.

BLOBSTREAM_SLOW=1 sends 100,000; BLOBSTREAM_TEST_SEED repeats those of an earlier run.
"""

import concurrent.futures
import os
import random
import re
import socket
import uuid

from helpers import digests, ids, programs, store, wire
from helpers.client import BODY, post
from helpers.curl import curl
from helpers.digests import repr_digest
from helpers.wait import scaled, until

COUNT = 100_000 if os.environ.get("BLOBSTREAM_SLOW") == "1" else scaled(5000, 1000)
THREADS = 32
SEED = os.environ.get("BLOBSTREAM_TEST_SEED") or str(
    random.SystemRandom().getrandbits(32)
)
MEANT = {505}  # the only answers above 499: a version nobody speaks

TOKENS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b'"',
    b"%00",
    b"%2e%2e/",
    b"../",
    b"/",
    b"//",
    b"?",
    b"&",
    b"=",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"Content-Length: 5\r\n",
    b"Content-Length: 65536\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"Range: bytes=0-\r\n",
    b"0\r\n\r\n",
    b"\r\n\r\n",
    b"\xff\xfe",
    b"a" * 300,
    b"x: y\r\n" * 70,
]
NUMBERS = [
    0,
    1,
    5,
    255,
    4095,
    65535,
    65536,
    2**31,
    2**32,
    2**63 - 1,
    2**63,
    2**64 - 1,
]


def requests():
    """What a decent client might send."""
    upload = ["Host: a", repr_digest(BODY)]
    sized = [*upload, f"Content-Length: {len(BODY)}"]
    some_id = ids.v7()
    chunks = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
    trailer = f"{repr_digest(BODY)}\r\n\r\n".encode()
    return [
        wire.request(["GET /healthz HTTP/1.1", "Host: a"]),
        wire.request(["GET /blobs?limit=3 HTTP/1.1", "Host: a"]),
        wire.request([f"GET /blobs?after={some_id} HTTP/1.1", "Host: a"]),
        wire.request([f"HEAD /blobs/{some_id} HTTP/1.1", "Host: a"]),
        wire.request(
            [f"GET /blobs/{some_id} HTTP/1.1", "Host: a", "Range: bytes=1-99"]
        ),
        wire.request(["POST /blobs HTTP/1.1", *sized], BODY),
        wire.request([f"PUT /blobs/{some_id} HTTP/1.1", *sized], BODY),
        wire.request(
            ["POST /blobs HTTP/1.1", *sized, digests.key(ids.v4()), "X-SHA256: 00"],
            BODY,
        ),
        wire.request(
            ["POST /blobs HTTP/1.1", *upload, "Transfer-Encoding: chunked"],
            chunks + b"\r\n",
        ),
        wire.request(
            [
                "POST /blobs HTTP/1.1",
                "Host: a",
                "Transfer-Encoding: chunked",
                "Trailer: Repr-Digest",
            ],
            chunks + trailer,
        ),
    ]


def spoil(data, chance, others):
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + chance.choice([1, 1, 2, 4, 16, 64, 512]))
    kind = chance.randrange(9)
    if kind == 0:  # other bits
        return data[:at] + bytes(chance.randbytes(end - at)) + data[end:]
    if kind == 1:
        return data[:at] + data[end:]
    if kind == 2:
        return data[:at] + chance.choice(TOKENS) + data[at:]
    if kind == 3:
        return data[:end] + data[at:end] * chance.choice([1, 2, 20]) + data[end:]
    if kind == 4:
        return data[:at]
    if kind == 5:  # the head of one, the tail of another
        other = chance.choice(others)
        return data[:at] + other[chance.randrange(len(other)) :]
    if kind == 6:  # another number
        found = list(re.finditer(rb"\d+", data))
        if not found:
            return data
        one = chance.choice(found)
        number = str(chance.choice(NUMBERS)).encode()
        return data[: one.start()] + number + data[one.end() :]
    if kind == 7:  # lines in another order
        lines = data.split(b"\r\n")
        chance.shuffle(lines)
        return b"\r\n".join(lines)
    return data[:at] + data[at : at + 1].swapcase() + data[at + 1 :]


def mutated(number, valid):
    """The number-th request of this seed."""
    chance = random.Random(f"{SEED}-{number}")
    data = chance.choice(valid)
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        data = spoil(data, chance, valid)
    return data or b"\0"


def send(port, data):
    """All answers' statuses."""
    with wire.connect(port, timeout=20) as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return wire.statuses(wire.read_until_closed(sock).replace(BODY, b""))


def is_blob_file(path):
    try:
        return path.suffix == ".bin" and str(uuid.UUID(path.stem)) == path.stem
    except ValueError:
        return False


def test_mutated_requests(start_receiver):
    print(f"BLOBSTREAM_TEST_SEED={SEED}")
    receiver = start_receiver(
        "--max-blob-size",
        "64KiB",
        "--durability",
        "relaxed",
        "--min-rate-window",
        "100ms",
    )
    valid = requests()
    for data in valid:
        assert send(receiver.port, data), "each of these is answered as it is"

    def work(first):
        for number in range(first, COUNT, THREADS):
            data = mutated(number, valid)
            unmeant = [s for s in send(receiver.port, data) if s >= 500]
            assert set(unmeant) <= MEANT, f"request {number}: {unmeant}: {data!r}"

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(work, first) for first in range(THREADS)]:
            done.result()

    assert receiver.process.poll() is None
    assert curl(f"{receiver.url}/readyz").status == 200
    assert post(receiver, BODY, repr_digest(BODY)).status == 201
    until(lambda: not receiver.hidden_files(), "uploads to be let go")
    stray = [path for path in store.files(receiver.dir) if not is_blob_file(path)]
    assert stray == []
    assert store.damaged(receiver.dir) == []
    assert receiver.stop() == 0
    programs.assert_no_sanitizer_report(receiver.stderr)
