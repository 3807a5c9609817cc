# SPDX-License-Identifier: MIT
"""`blob-receiver fetch`, run to its end or followed."""

import json
import random

from . import programs
from .wait import PATIENCE

MIB = 1 << 20

OK, REFUSED_HERE, USAGE = 0, 1, 2
NETWORK, REFUSED, CANNOT_WRITE, BAD_BYTES = 18, 22, 23, 65


def content(size, seed=1):
    return random.Random(seed).randbytes(size)


class Outcome:
    """What a run said: its exit status, results and log."""

    def __init__(self, done):
        self.status = done.returncode
        self.stdout, self.stderr = done.stdout, done.stderr
        self.results = [json.loads(line) for line in done.stdout.splitlines()]
        self.log = [
            json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")
        ]

    @property
    def result(self):
        assert len(self.results) == 1, self
        return self.results[0]

    def logged(self, event):
        return [entry for entry in self.log if entry["event"] == event]

    def __repr__(self):
        return f"exit {self.status}\n{self.stdout}\n{self.stderr[-4000:]}"


def fetch(directory, *arguments, timeout=PATIENCE, **more):
    """Fetches into `directory`; quick to retry, as tests should be."""
    return Outcome(
        programs.run(
            programs.RECEIVER,
            "fetch",
            "--json",
            "-d",
            directory,
            *arguments,
            timeout=timeout,
            **more,
        )
    )


def assert_fetched(outcome, directory, expected, name="file.bin"):
    assert outcome.status == OK, outcome
    assert outcome.result["event"] == "fetched", outcome
    assert outcome.result["bytes"] == len(expected), outcome
    assert (directory / name).read_bytes() == expected, "the bytes differ"
    assert_only(directory, name)


def assert_only(directory, *names):
    assert sorted(path.name for path in directory.iterdir()) == sorted(names)


def assert_failed(outcome, directory, status):
    """Failed, and no wrong file is left under the name."""
    assert outcome.status == status, outcome
    assert outcome.result["event"] == "failed", outcome
    assert outcome.result["exit_status"] == status, outcome
    assert not (directory / "file.bin").exists()
