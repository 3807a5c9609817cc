# SPDX-License-Identifier: MIT
"""The wire contract: digests that are wrong, and everything else refused."""

import base64
import json
import os

import pytest

from helpers import ids, store, wire
from helpers.client import BODY, INT16, get, post, put
from helpers.curl import curl
from helpers.digests import (
    PROBLEMS,
    field,
    repr_digest,
    sha256_base64,
    sha256_hex,
    sha512_field,
)


# Digests that are missing or wrong


def test_missing_digest_is_asked_for(receiver):
    answer = post(receiver, BODY)

    assert answer.status == 400
    assert answer.headers["want-repr-digest"] == "sha-256=10"
    assert "digest" in json.dumps(answer.problem).lower()
    receiver.assert_nothing_left()


@pytest.mark.parametrize(
    "name, value, provided",
    [
        ("Repr-Digest", field(b"else"), sha256_base64(b"else")),
        ("Content-Digest", field(b"else"), sha256_base64(b"else")),
        ("X-SHA256", sha256_hex(b"else"), None),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_mismatch_never_tells_the_digest(receiver, name, value, provided, chunked):
    headers = [f"{name}: {value}"] + ["Transfer-Encoding: chunked"] * chunked

    answer = post(receiver, BODY, *headers)

    assert answer.status == 400
    problem = answer.problem
    assert problem["type"] == PROBLEMS + "digest-mismatched-values"
    [entry] = problem["mismatched_digests"]
    assert entry["algorithm"] == "sha-256"
    assert entry["header"] == name
    if provided:
        assert entry["provided_digest"] == f":{provided}:"
    everything = answer.raw_headers + answer.body.decode()
    assert sha256_hex(BODY) not in everything.lower()
    assert sha256_base64(BODY) not in everything
    receiver.assert_nothing_left()


SHORT = base64.b64encode(b"x" * 31).decode()
LONG = base64.b64encode(b"x" * 33).decode()


@pytest.mark.parametrize(
    "value",
    [
        "sha-256",
        "sha-256=abc",
        f'sha-256="{sha256_base64(BODY)}"',
        f"sha-256={sha256_base64(BODY)}",
        "sha-256=:!!!!:",
        f"{field(BODY)},",
        f"{field(BODY)} x",
    ],
)
def test_digest_field_that_cannot_be_parsed(receiver, value):
    answer = post(receiver, BODY, f"Repr-Digest: {value}")

    assert answer.status == 400
    assert answer.problem["type"] == "about:blank"
    assert answer.problem["title"] == "Malformed digest field"
    assert "Repr-Digest" in answer.problem["detail"]
    receiver.assert_nothing_left()


@pytest.mark.parametrize(
    "name, value",
    [
        ("Repr-Digest", f"sha-256=:{SHORT}:"),
        ("Repr-Digest", f"sha-256=:{LONG}:"),
        ("Repr-Digest", "sha-256=::"),
        ("Content-Digest", f"sha-256=:{SHORT}:"),
        ("X-SHA256", sha256_hex(BODY)[:-1]),
        ("X-SHA256", sha256_hex(BODY) + "0"),
        ("X-SHA256", "g" * 64),
        ("X-SHA256", sha256_base64(BODY)),
    ],
)
def test_value_that_cannot_be_a_digest(receiver, name, value):
    answer = post(receiver, BODY, f"{name}: {value}")

    assert answer.status == 400
    problem = answer.problem
    assert problem["type"] == PROBLEMS + "digest-invalid-values"
    [entry] = problem["invalid_digests"]
    assert entry["algorithm"] == "sha-256"
    assert entry["header"] == name
    assert entry["reason"]
    receiver.assert_nothing_left()


@pytest.mark.parametrize("name", ["Repr-Digest", "Content-Digest"])
def test_unsupported_algorithm(receiver, name):
    answer = post(receiver, BODY, f"{name}: {sha512_field(BODY)}")

    assert answer.status == 400
    assert answer.headers["want-repr-digest"] == "sha-256=10"
    problem = answer.problem
    assert problem["type"] == PROBLEMS + "digest-unsupported-algorithms"
    assert problem["unsupported_algorithms"] == [
        {"algorithm": "sha-512", "header": name}
    ]
    receiver.assert_nothing_left()


def test_optional_digest_is_checked_when_given(start_receiver):
    receiver = start_receiver("--digest", "optional")

    assert post(receiver, BODY, repr_digest(b"else")).status == 400
    receiver.assert_nothing_left()
    answer = post(receiver, BODY)
    assert answer.status == 201
    assert answer.headers["repr-digest"] == field(BODY)
    assert post(receiver, BODY, repr_digest(BODY)).status == 201


@pytest.mark.parametrize("claim", [repr_digest(b"else"), "Repr-Digest: rubbish", ""])
def test_ignored_digest(start_receiver, claim):
    receiver = start_receiver("--digest", "ignore")

    answer = post(receiver, BODY, *filter(None, [claim]))

    assert answer.status == 201
    assert answer.headers["repr-digest"] == field(BODY)
    assert store.damaged(receiver.dir) == []


# Refusals


@pytest.mark.parametrize(
    "bad",
    [
        "nonsense",
        "123",
        ids.v7() + "0",
        ids.v7()[:-1],
        ids.v7().replace("-", ""),
        ids.v7() + "/",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ],
)
def test_put_with_a_bad_id(receiver, bad):
    answer = put(receiver, bad, BODY, repr_digest(BODY))

    assert answer.status in (400, 404)
    assert bad in json.dumps(answer.problem)
    receiver.assert_nothing_left()


@pytest.mark.parametrize("chunked", [False, True])
def test_int16_of_odd_length(receiver, chunked):
    headers = [INT16] + ["Transfer-Encoding: chunked"] * chunked

    answer = post(receiver, b"abc", repr_digest(b"abc"), *headers)

    assert answer.status == 400
    problem = json.dumps(answer.problem).lower()
    assert "int16" in problem and "3" in problem
    receiver.assert_nothing_left()
    assert (
        post(receiver, b"abc", repr_digest(b"abc"), "Content-Type: a/b").status == 201
    )


def test_int16_with_parameters_is_int16(receiver):
    answer = post(receiver, b"abc", repr_digest(b"abc"), INT16 + "; rate=48000")
    assert answer.status == 400
    receiver.assert_nothing_left()


@pytest.mark.parametrize(
    "method, path", [("POST", "/blobs"), ("PUT", f"/blobs/{ids.v7()}")]
)
def test_upload_without_a_length(receiver, method, path):
    said = wire.talk(
        receiver.port,
        wire.request(
            [
                f"{method} {path} HTTP/1.1",
                "Host: a",
                "Connection: close",
                repr_digest(b""),
            ]
        ),
    )
    assert wire.statuses(said) == [411]
    receiver.assert_nothing_left()


def test_biggest_blob(start_receiver):
    receiver = start_receiver("--max-blob-size", "64KiB")
    fits = os.urandom(64 << 10)
    beyond = fits + b"x"

    for extra in ([], ["Transfer-Encoding: chunked"]):
        assert post(receiver, fits, repr_digest(fits), *extra).status == 201
        answer = post(receiver, beyond, repr_digest(beyond), *extra)
        assert answer.status == 413
        assert "65536" in json.dumps(answer.problem) or "64" in json.dumps(
            answer.problem
        )
    assert len(receiver.blobs()) == 2


def test_chunked_body_that_never_ends_is_cut_off(start_receiver):
    receiver = start_receiver("--max-blob-size", "1MiB")
    body = os.urandom(40 << 20)

    answer = post(
        receiver, body, repr_digest(body), "Transfer-Encoding: chunked", "Expect:"
    )

    assert answer.status == 413
    assert answer.sent < 36 << 20
    receiver.assert_nothing_left()


@pytest.mark.parametrize(
    "coding, status",
    [
        ("gzip", 415),
        ("br", 415),
        ("gzip, identity", 415),
        ("identity", 201),
        ("Identity", 201),
    ],
)
def test_content_coding(receiver, coding, status):
    answer = post(receiver, BODY, repr_digest(BODY), f"Content-Encoding: {coding}")

    assert answer.status == status
    if status == 415:
        assert "Content-Encoding" in json.dumps(answer.problem)
        receiver.assert_nothing_left()


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("DELETE", "/blobs", {"GET", "HEAD", "POST"}),
        ("PUT", "/blobs", {"GET", "HEAD", "POST"}),
        ("PATCH", f"/blobs/{ids.v7()}", {"GET", "HEAD", "PUT"}),
        ("POST", f"/blobs/{ids.v7()}", {"GET", "HEAD", "PUT"}),
        ("DELETE", f"/blobs/{ids.v7()}", {"GET", "HEAD", "PUT"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("DELETE", "/readyz", {"GET", "HEAD"}),
        ("BREW", "/blobs", {"GET", "HEAD", "POST"}),
    ],
)
def test_wrong_method(receiver, method, path, allowed):
    body = BODY if method in ("POST", "PUT", "PATCH") else None

    answer = curl(
        receiver.url + path, "-X", method, headers=[repr_digest(BODY)], body=body
    )

    assert answer.status == 405
    assert {name.strip() for name in answer.headers["allow"].split(",")} == allowed
    assert method in json.dumps(answer.problem)
    receiver.assert_nothing_left()


@pytest.mark.parametrize("path", ["/", "/nope", "/blob", "/healthz/", "/BLOBS"])
def test_unknown_path_is_named(receiver, path):
    answer = get(receiver, path)

    assert answer.status == 404
    assert path in json.dumps(answer.problem)


def test_unknown_blob_is_named(receiver):
    blob_id = ids.v7()
    for method in ([], ["--head"]):
        answer = get(receiver, f"/blobs/{blob_id}", options=method)
        assert answer.status == 404
    assert blob_id in json.dumps(get(receiver, f"/blobs/{blob_id}").problem)


@pytest.mark.parametrize(
    "headers, status",
    [
        (["Repr-Digest: rubbish"], 400),
        ([], 400),
        ([repr_digest(BODY), "Content-Encoding: gzip"], 415),
        ([repr_digest(BODY), "Idempotency-Key: rubbish"], 400),
        ([repr_digest(BODY)], 413),
    ],
)
def test_expectation_is_refused_before_the_body(start_receiver, headers, status):
    receiver = start_receiver("--max-blob-size", "10MiB" if status == 413 else "1GiB")
    body = bytes(20 << 20)

    answer = curl(
        f"{receiver.url}/blobs",
        "--expect100-timeout",
        "20",
        headers=[*headers, "Expect: 100-continue"],
        body=body,
    )

    assert answer.status == status
    assert answer.sent < 256 << 10
    assert "100 Continue" not in answer.raw_headers
    receiver.assert_nothing_left()


def test_expectation_for_an_id_that_is_taken_costs_no_upload(receiver):
    blob_id = ids.v7()
    assert put(receiver, blob_id, BODY, repr_digest(BODY)).status == 201
    body = bytes(20 << 20)

    answer = put(
        receiver,
        blob_id,
        body,
        repr_digest(body),
        "Expect: 100-continue",
        options=["--expect100-timeout", "20"],
    )

    assert answer.status == 409
    assert answer.sent < 256 << 10
