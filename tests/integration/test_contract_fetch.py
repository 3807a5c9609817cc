# SPDX-License-Identifier: MIT
"""The wire contract: fetching, ranges, conditions."""

import json
import os

import pytest

from helpers.client import BODY, get, post, upload
from helpers.digests import field, repr_digest, sha256_hex


N = len(BODY)
TAG = f'"{sha256_hex(BODY)}"'


@pytest.fixture
def stored(receiver):
    """The path of BODY in the store of `receiver`."""
    return upload(receiver)


def test_get_gives_everything_back(receiver, stored):
    answer = get(receiver, stored)

    assert answer.status == 200
    assert answer.body == BODY
    assert answer.headers["content-length"] == str(len(BODY))
    assert answer.headers["content-type"] == "application/vnd.blobstream.int16le"
    assert answer.headers["etag"] == f'"{sha256_hex(BODY)}"'
    assert answer.headers["repr-digest"] == field(BODY)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["last-modified"].endswith("GMT")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_head_says_what_get_would(receiver, stored):
    whole, head = get(receiver, stored), get(receiver, stored, options=["--head"])

    assert head.status == 200
    assert head.body == b"" or head.body.startswith(b"HTTP/")
    for name in whole.headers.keys() - {"date"}:
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    "sent, kept",
    [
        ("Content-Type: audio/x-raw", "audio/x-raw"),
        ("Content-Type: text/html; charset=utf-8", "text/html; charset=utf-8"),
        ("Content-Type:", "application/octet-stream"),
    ],
)
def test_content_type_is_kept(receiver, sent, kept):
    answer = post(receiver, BODY, repr_digest(BODY), sent)
    fetched = get(receiver, answer.headers["location"])
    assert fetched.headers["content-type"] == kept
    assert fetched.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "asked, first, last",
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=500-501", 500, 501),
        ("bytes=500-", 500, N - 1),
        (f"bytes={N - 1}-", N - 1, N - 1),
        ("bytes=-1", N - 1, N - 1),
        ("bytes=-100", N - 100, N - 1),
        ("bytes=-99999", 0, N - 1),
        ("bytes=10-99999", 10, N - 1),
        ("bytes=0-18446744073709551614", 0, N - 1),
    ],
)
def test_one_range(receiver, stored, asked, first, last):
    answer = get(receiver, stored, f"Range: {asked}")

    assert answer.status == 206
    assert answer.body == BODY[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{N}"
    assert answer.headers["content-length"] == str(last - first + 1)
    assert answer.headers["etag"] == f'"{sha256_hex(BODY)}"'
    assert answer.headers["repr-digest"] == field(BODY)


@pytest.mark.parametrize("asked", [f"bytes={N}-", "bytes=99999-100000", "bytes=-0"])
def test_range_beyond_the_end(receiver, stored, asked):
    answer = get(receiver, stored, f"Range: {asked}")

    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{N}"
    assert answer.problem


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=1",
        "bytes=0-5x",
        "bytes=--5",
        "bytes=+1-2",
    ],
)
def test_malformed_range(receiver, stored, asked):
    answer = get(receiver, stored, f"Range: {asked}")

    assert answer.status == 400
    assert "range" in json.dumps(answer.problem).lower()


@pytest.mark.parametrize("asked", ["bytes=0-0,5-9", "bytes=0-0, -1", "samples=0-5"])
def test_ranges_that_are_answered_with_everything(receiver, stored, asked):
    answer = get(receiver, stored, f"Range: {asked}")
    assert (answer.status, answer.body) == (200, BODY)


def test_any_range_of_an_empty_blob_is_beyond_its_end(receiver):
    stored = post(receiver, b"", repr_digest(b"")).headers["location"]
    answer = get(receiver, stored, "Range: bytes=0-")
    assert answer.status == 416
    assert answer.headers["content-range"] == "bytes */0"


@pytest.mark.parametrize(
    "validator, status",
    [
        (f'"{sha256_hex(BODY)}"', 206),
        (f'"{sha256_hex(b"else")}"', 200),
        (f'W/"{sha256_hex(BODY)}"', 200),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 200),
        ("rubbish", 200),
    ],
)
def test_if_range(receiver, stored, validator, status):
    answer = get(receiver, stored, "Range: bytes=0-9", f"If-Range: {validator}")
    assert answer.status == status
    assert answer.body == (BODY[:10] if status == 206 else BODY)


def test_if_range_with_the_date_of_the_blob(receiver, stored):
    os.utime(
        receiver.blobs()[stored.rpartition("/")[2]], (1_700_000_000, 1_700_000_000)
    )
    date = get(receiver, stored).headers["last-modified"]
    assert date == "Tue, 14 Nov 2023 22:13:20 GMT"

    answer = get(receiver, stored, "Range: bytes=0-9", f"If-Range: {date}")

    assert (answer.status, answer.body) == (206, BODY[:10])


@pytest.mark.parametrize(
    "tags, status",
    [
        (TAG, 304),
        (f"W/{TAG}", 304),
        (f'"x", {TAG}', 304),
        ("*", 304),
        ('"x"', 200),
        (f'"x,{TAG[1:]}', 200),
    ],
)
def test_if_none_match(receiver, stored, tags, status):
    for option in ([], ["--head"]):
        answer = get(receiver, stored, f"If-None-Match: {tags}", options=option)
        assert answer.status == status
        assert answer.headers["etag"] == TAG
    assert get(receiver, stored, f"If-None-Match: {tags}").body == (
        b"" if status == 304 else BODY
    )


def test_if_none_match_is_looked_at_before_the_range(receiver, stored):
    answer = get(receiver, stored, f"If-None-Match: {TAG}", "Range: bytes=0-9")
    assert answer.status == 304
