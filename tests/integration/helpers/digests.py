# SPDX-License-Identifier: MIT
"""SHA-256 the way HTTP fields spell it."""

import base64
import hashlib

PROBLEMS = "https://iana.org/assignments/http-problem-types#"


def sha256_hex(data):
    return hashlib.sha256(data).hexdigest()


def sha256_base64(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def field(data):
    """The value of a Repr-Digest or Content-Digest for these bytes."""
    return f"sha-256=:{sha256_base64(data)}:"


def repr_digest(data):
    return f"Repr-Digest: {field(data)}"


def key(blob_id):
    return f'Idempotency-Key: "{blob_id}"'


def sha512_field(data):
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    return f"sha-512=:{digest}:"
