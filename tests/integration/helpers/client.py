# SPDX-License-Identifier: MIT
"""Requests to a receiver, by curl."""

from .curl import curl
from .digests import repr_digest

INT16 = "Content-Type: application/vnd.blobstream.int16le"
BODY = b"\x01\x00\xff\x7f" * 250


def post(receiver, body, *headers, options=()):
    return curl(f"{receiver.url}/blobs", *options, headers=headers, body=body)


def put(receiver, blob_id, body, *headers, options=()):
    return curl(
        f"{receiver.url}/blobs/{blob_id}",
        "-X",
        "PUT",
        *options,
        headers=headers,
        body=body,
    )


def get(receiver, path, *headers, options=()):
    return curl(f"{receiver.url}{path}", *options, headers=headers)


def upload(receiver):
    """Stores BODY as int16 samples; returns its path."""
    answer = post(receiver, BODY, repr_digest(BODY), INT16)
    assert answer.status == 201
    return answer.headers["location"]
