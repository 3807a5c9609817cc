# SPDX-License-Identifier: MIT
"""The wire contract: storing blobs, and sending them again."""

import concurrent.futures
import http.client
import json
import os

import pytest

from helpers import ids, store, wire
from helpers.client import BODY, INT16, get, post, put
from helpers.curl import curl
from helpers.digests import field, key, repr_digest, sha256_hex, sha512_field


@pytest.mark.parametrize(
    "claim",
    [
        f"Repr-Digest: {field(BODY)}",
        f"Content-Digest: {field(BODY)}",
        f"X-SHA256: {sha256_hex(BODY)}",
        f"X-SHA256: {sha256_hex(BODY).upper()}",
        f"Repr-Digest: {sha512_field(BODY)}, {field(BODY)}",
        f"Repr-Digest: {field(BODY)};note=1",
    ],
)
def test_post_is_answered_with_where_and_what(receiver, claim):
    answer = post(receiver, BODY, claim)

    assert answer.status == 201
    prefix, _, blob_id = answer.headers["location"].rpartition("/")
    assert prefix == "/blobs"
    assert answer.headers["etag"] == f'"{sha256_hex(BODY)}"'
    assert answer.headers["repr-digest"] == field(BODY)
    assert store.digest(receiver.blobs()[blob_id]) == sha256_hex(BODY)


def test_post_makes_time_ordered_ids(receiver):
    made = [
        post(receiver, BODY, repr_digest(BODY)).headers["location"].rpartition("/")[2]
        for _ in range(3)
    ]
    assert made == sorted(made)
    assert all(blob_id[14] == "7" for blob_id in made)


@pytest.mark.parametrize("make_id", [ids.v4, ids.v7])
def test_put_stores_under_the_chosen_id(receiver, make_id):
    blob_id = make_id()

    answer = put(receiver, blob_id, BODY, repr_digest(BODY))

    assert answer.status == 201
    assert answer.headers["location"] == f"/blobs/{blob_id}"
    assert answer.headers["etag"] == f'"{sha256_hex(BODY)}"'
    assert answer.headers["repr-digest"] == field(BODY)
    assert list(receiver.blobs()) == [blob_id]


def test_put_takes_upper_case_ids_and_answers_in_lower_case(receiver):
    blob_id = ids.v7()

    answer = put(receiver, blob_id.upper(), BODY, repr_digest(BODY))

    assert answer.status == 201
    assert answer.headers["location"] == f"/blobs/{blob_id}"
    assert list(receiver.blobs()) == [blob_id]
    assert get(receiver, f"/blobs/{blob_id.upper()}").body == BODY


def test_several_digests_must_all_agree(receiver):
    claims = [
        f"Repr-Digest: {field(BODY)}",
        f"Content-Digest: {field(BODY)}",
        f"X-SHA256: {sha256_hex(BODY)}",
    ]
    assert post(receiver, BODY, *claims).status == 201

    claims[1] = f"Content-Digest: {field(b'else')}"
    answer = post(receiver, BODY, *claims)

    assert answer.status == 400
    mismatched = answer.problem["mismatched_digests"]
    assert [entry["header"] for entry in mismatched] == ["Content-Digest"]
    assert len(receiver.blobs()) == 1


def test_empty_blob(receiver):
    answer = post(receiver, b"", repr_digest(b""), INT16)

    assert answer.status == 201
    fetched = get(receiver, answer.headers["location"])
    assert (fetched.status, fetched.body) == (200, b"")
    assert fetched.headers["content-length"] == "0"


def test_chunked_upload(receiver):
    body = os.urandom(300_000)

    answer = post(receiver, body, repr_digest(body), "Transfer-Encoding: chunked")

    assert answer.status == 201
    assert get(receiver, answer.headers["location"]).body == body


def test_big_upload(receiver):
    body = os.urandom(1 << 20) * 24

    answer = curl(
        f"{receiver.url}/blobs",
        headers=[repr_digest(body), "Expect: 100-continue"],
        body=body,
    )

    assert answer.status == 201
    assert "100 Continue" in answer.raw_headers
    assert get(receiver, answer.headers["location"]).body == body


@pytest.mark.parametrize("claim, status", [(BODY, 201), (b"else", 400)])
def test_digest_in_a_trailer(receiver, claim, status):
    head = [
        "POST /blobs HTTP/1.1",
        "Host: localhost",
        "Transfer-Encoding: chunked",
        "Trailer: Repr-Digest",
        "Connection: close",
    ]
    chunks = f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n0\r\n"
    trailer = f"Repr-Digest: {field(claim)}\r\n\r\n".encode()

    said = wire.talk(receiver.port, wire.request(head, chunks + trailer))

    assert wire.statuses(said) == [status]
    assert len(receiver.blobs()) == (1 if status == 201 else 0)


def test_announced_trailer_that_never_comes_is_a_missing_digest(receiver):
    head = [
        "POST /blobs HTTP/1.1",
        "Host: localhost",
        "Transfer-Encoding: chunked",
        "Trailer: Repr-Digest",
        "Connection: close",
    ]

    said = wire.talk(receiver.port, wire.request(head, b"2\r\nab\r\n0\r\n\r\n"))

    assert wire.statuses(said) == [400]
    assert b"Want-Repr-Digest: sha-256=10" in said
    receiver.assert_nothing_left()


# The same id again


@pytest.mark.parametrize(
    "first, second",
    [("POST", "POST"), ("POST", "PUT"), ("PUT", "POST"), ("PUT", "PUT")],
)
def test_resend_writes_nothing(receiver, first, second):
    blob_id = ids.v7()

    def send(method, body):
        if method == "PUT":
            return put(receiver, blob_id, body, repr_digest(body))
        return post(receiver, body, repr_digest(body), key(blob_id))

    assert send(first, BODY).status == 201
    path = receiver.blobs()[blob_id]
    before = path.stat()

    again = send(second, BODY)
    assert again.status == 200
    assert again.headers["etag"] == f'"{sha256_hex(BODY)}"'
    assert again.headers["repr-digest"] == field(BODY)

    other = send(second, BODY[:-2])
    assert other.status == 409
    assert blob_id in json.dumps(other.problem)

    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(receiver.blobs()) == [blob_id]
    assert store.damaged(receiver.dir) == []


def test_conflict_with_a_wrong_digest_is_never_stored(receiver):
    blob_id = ids.v7()
    assert put(receiver, blob_id, BODY, repr_digest(BODY)).status == 201

    # Claims to be the stored blob, but is not: must not be taken for a resend.
    answer = put(receiver, blob_id, b"else", repr_digest(BODY))

    assert answer.status in (200, 400, 409)
    if answer.status == 200:
        pytest.fail("bytes that were never verified were acknowledged")
    assert store.digest(receiver.blobs()[blob_id]) == sha256_hex(BODY)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        ids.v7(),
        '""',
        '"not-a-uuid"',
        f'"{ids.v7()}',
        f'"{ids.v7()}x"',
        f'"{{{ids.v7()}}}"',
        '"00000000-0000-0000-0000-000000000000"',
        f'"../{ids.v7()[3:]}"',
        f'"{ids.v7()}", "{ids.v7()}"',
    ],
)
def test_malformed_idempotency_key(receiver, value):
    # "Name;" is how curl sends a header without a value.
    header = f"Idempotency-Key: {value}" if value else "Idempotency-Key;"

    answer = post(receiver, BODY, repr_digest(BODY), header)

    assert answer.status == 400
    assert "Idempotency-Key" in json.dumps(answer.problem)
    receiver.assert_nothing_left()


@pytest.mark.parametrize("same_bytes", [True, False])
def test_concurrent_uploads_of_one_id(receiver, same_bytes):
    rounds, clients = 10, 4
    for _ in range(rounds):
        blob_id = ids.v7()
        bodies = [os.urandom(2000) if not same_bytes else BODY for _ in range(clients)]

        def send(body):
            peer = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=20)
            peer.request("PUT", f"/blobs/{blob_id}", body, {"Repr-Digest": field(body)})
            status = peer.getresponse().status
            peer.close()
            return status

        with concurrent.futures.ThreadPoolExecutor(clients) as crew:
            statuses = list(crew.map(send, bodies))

        other = 200 if same_bytes else 409
        assert sorted(statuses) == sorted([201] + [other] * (clients - 1))
        winner = bodies[statuses.index(201)]
        assert receiver.blobs()[blob_id].read_bytes() == winner
    assert len(receiver.blobs()) == rounds
    assert store.damaged(receiver.dir) == []


def test_put_only_if_nothing_is_there(receiver):
    blob_id = ids.v7()
    assert (
        put(receiver, blob_id, BODY, repr_digest(BODY), "If-None-Match: *").status
        == 201
    )
    answer = put(receiver, blob_id, BODY, repr_digest(BODY), "If-None-Match: *")
    assert answer.status == 412
    assert blob_id in json.dumps(answer.problem)
