# SPDX-License-Identifier: MIT
"""curl, the client people already have."""

import dataclasses
import json
import pathlib
import subprocess
import tempfile


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict  # of the final answer; names in lower case, last value wins
    raw_headers: str  # of every answer, interim ones too
    body: bytes
    sent: int  # bytes of the request's body that left
    exit: int

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        """The problem document, after checking that it is one."""
        assert self.headers["content-type"] == "application/problem+json"
        document = self.json
        assert document["status"] == self.status
        assert document["title"]
        assert "type" in document
        return document


def curl(url, *options, headers=(), body=None):
    """One request. body: bytes to POST (or PUT with -X PUT)."""
    with tempfile.TemporaryDirectory() as scratch:
        place = pathlib.Path(scratch)
        command = ["curl", "-sS", "--max-time", "60", "--path-as-is"]
        command += ["-D", place / "headers", "-o", place / "answer"]
        command += ["-w", "%{http_code} %{size_upload}"]
        for header in headers:
            command += ["-H", header]
        if body is not None:
            (place / "body").write_bytes(body)
            command += ["--data-binary", f"@{place / 'body'}"]
        command += [*options, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90)
        status, sent = done.stdout.split()
        raw = read(place / "headers").decode("latin-1")
        return Answer(
            status=int(status),
            headers=last_headers(raw),
            raw_headers=raw,
            body=read(place / "answer"),
            sent=int(sent),
            exit=done.returncode,
        )


def read(path):
    return path.read_bytes() if path.exists() else b""


def last_headers(raw):
    blocks = [block for block in raw.split("\r\n\r\n") if block.strip()]
    if not blocks:
        return {}
    pairs = (line.partition(":") for line in blocks[-1].split("\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in pairs}
