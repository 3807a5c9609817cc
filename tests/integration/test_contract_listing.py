# SPDX-License-Identifier: MIT
"""The wire contract: listing, health, connections."""

import http.client
import json
import os

import pytest

from helpers import ids, wire
from helpers.client import BODY, get, put, upload
from helpers.digests import field, repr_digest, sha256_hex


@pytest.fixture
def stored(receiver):
    """The path of BODY in the store of `receiver`."""
    return upload(receiver)


def pages(receiver, limit):
    """All entries, page by page."""
    after, entries = "", []
    while True:
        answer = get(receiver, f"/blobs?limit={limit}{after}")
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        page = answer.json
        assert len(page["blobs"]) <= limit
        entries += page["blobs"]
        if "next" not in page:
            return entries
        assert len(page["blobs"]) == limit, "a page with a successor is full"
        after = f"&after={page['next']}"


def test_listing_an_empty_store(receiver):
    answer = get(receiver, "/blobs")
    assert answer.status == 200
    assert answer.json == {"blobs": []}


@pytest.mark.parametrize("limit", [1, 3, 12, 13, 1000])
def test_listing_page_by_page(receiver, limit):
    hours = [
        "2020-01-01T00:00:00",
        "2026-11-21T18:00:00",
        "2026-11-21T18:59:59",
        "2026-11-21T19:00:00",
    ]
    ordered = [ids.v7(hour) for hour in hours for _ in range(2)]
    others = [ids.v4() for _ in range(4)]
    for number, blob_id in enumerate(ordered + others):
        body = bytes([number]) * (number + 1)
        assert (
            put(receiver, blob_id, body, repr_digest(body), "Content-Type: a/b").status
            == 201
        )

    entries = pages(receiver, limit)

    listed = [entry["id"] for entry in entries]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(ordered + others)
    assert [i for i in listed if i in ordered] == sorted(ordered)
    for entry in entries:
        number = (ordered + others).index(entry["id"])
        assert entry["size"] == number + 1
        assert entry["sha256"] == sha256_hex(bytes([number]) * (number + 1))
        assert entry["type"] == "a/b"
        assert entry["modified"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=",
        "limit=abc",
        "limit=-1",
        "limit=0",
        "limit=1x",
        "limit=99999999999999999999",
        "after=nonsense",
        "after=",
    ],
)
def test_listing_with_a_bad_query(receiver, query):
    answer = get(receiver, f"/blobs?{query}")

    assert answer.status == 400
    assert query.partition("=")[0] in json.dumps(answer.problem)


def test_listing_knows_only_blobs(receiver, stored):
    (receiver.dir / "README").write_text("not a blob")
    (receiver.dir / "2026-11-21T18").mkdir(exist_ok=True)
    (receiver.dir / "2026-11-21T18" / "notes.bin").write_text("not a blob")
    (receiver.dir / "lost+found").mkdir()

    listed = [entry["id"] for entry in get(receiver, "/blobs").json["blobs"]]

    assert listed == [stored.rpartition("/")[2]]


# Connections and health


@pytest.mark.parametrize("path, word", [("/healthz", "ok"), ("/readyz", "ready")])
def test_health(receiver, path, word):
    answer = get(receiver, path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"status": word}
    assert get(receiver, path, options=["--head"]).status == 200


def test_keep_alive_survives_a_small_refusal(receiver):
    peer = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=20)
    peer.request("POST", "/blobs", BODY, {"Repr-Digest": field(b"else")})
    refused = peer.getresponse()
    assert refused.status == 400
    refused.read()
    used = peer.sock

    peer.request("POST", "/blobs", BODY, {"Repr-Digest": field(BODY)})
    accepted = peer.getresponse()
    accepted.read()

    assert accepted.status == 201
    assert used is not None and peer.sock is used
    peer.close()


def test_one_connection_carries_many_blobs(receiver):
    peer = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=20)
    used = set()
    for number in range(50):
        body = os.urandom(number * 100)
        peer.request("POST", "/blobs", body, {"Repr-Digest": field(body)})
        answer = peer.getresponse()
        answer.read()
        assert answer.status == 201
        used.add(peer.sock.fileno() if peer.sock else None)
    peer.close()
    assert len(used) == 1
    assert len(receiver.blobs()) == 50


def test_pipelined_requests_are_answered_in_order(receiver):
    upload = wire.request(
        [
            "POST /blobs HTTP/1.1",
            "Host: a",
            f"Content-Length: {len(BODY)}",
            repr_digest(BODY),
        ],
        BODY,
    )
    read = wire.request(["GET /blobs?limit=10 HTTP/1.1", "Host: a"])
    last = wire.request(["GET /nope HTTP/1.1", "Host: a", "Connection: close"])

    said = wire.talk(receiver.port, upload + read + last)

    assert wire.statuses(said) == [201, 200, 404]
    assert sha256_hex(BODY).encode() in said.partition(b'"blobs"')[2]


def test_http_1_0(receiver):
    said = wire.talk(receiver.port, wire.request(["GET /healthz HTTP/1.0", "Host: a"]))
    assert wire.statuses(said) == [200]
