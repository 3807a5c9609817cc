# SPDX-License-Identifier: MIT
"""The digest beside a file: asked for while the file arrives, and never in silence."""

import signal

import pytest

from helpers import programs
from helpers.badserver import BadServer
from helpers.digests import field, sha256_hex
from helpers.fetching import (
    BAD_BYTES,
    MIB,
    NETWORK,
    OK,
    assert_fetched,
    assert_only,
    content,
    fetch,
)
from helpers.wait import until

FILE, OTHER = content(3 * MIB), content(3 * MIB, seed=2)
LISTING = f"{'0' * 64}  other.bin\n{sha256_hex(FILE)}  file.bin\n".encode()


@pytest.fixture
def directory(workspace):
    path = workspace / "fetched"
    path.mkdir()
    return path


class WithSidecar(BadServer):
    """answer(call): of the sidecar; None: the right one."""

    def __init__(self, answer=None, **validators):
        super().__init__(FILE, self._serve, **validators)
        self.answer = answer or (lambda call: call.whole(content=LISTING))

    def _serve(self, call):
        if ".sha256" in call.path:
            self.answer(call)

    @property
    def asked(self):
        return [call for call in self.calls if ".sha256" in call.path]


def test_sidecar_is_used_when_nothing_better_is_offered(directory):
    with WithSidecar() as server:
        outcome = fetch(directory, "--sidecar", server.url + "?q=1")
        assert_fetched(outcome, directory, FILE)
        assert "sidecar" in outcome.result["verified_against"]
        assert [call.path for call in server.asked] == ["/file.bin.sha256?q=1"]
        server.content = OTHER
        server.validators = {"ETag": '"v2"'}
        outcome = fetch(directory, "--sidecar", server.url + "?q=1")
    assert outcome.status == BAD_BYTES
    assert (directory / "file.bin").read_bytes() == FILE  # of the first run


def test_sidecar_is_not_asked_when_the_server_knows(directory):
    with WithSidecar(ETag='"v"', **{"Repr-Digest": field(FILE)}) as server:
        outcome = fetch(directory, "--sidecar", server.url)
    assert_fetched(outcome, directory, FILE)
    assert not server.asked


USELESS = {
    "missing": lambda call: call.answer(404, {}, b""),
    "nonsense": lambda call: call.whole(content=b"<html>sorry</html>"),
    "silent": lambda call: call.close(),
}


@pytest.mark.parametrize("answer", USELESS.values(), ids=USELESS)
@pytest.mark.parametrize("quiet", [[], ["-q"]], ids=["", "quiet"])
def test_useless_sidecar_is_said(directory, answer, quiet):
    with WithSidecar(answer) as server:
        options = ["--sidecar", "--max-tries", "2", *quiet]
        outcome = fetch(directory, *options, server.url)
    assert outcome.status == OK
    assert (directory / "file.bin").read_bytes() == FILE
    (said,) = outcome.logged("no_sidecar")
    assert said["level"] == "error" and "no sidecar" in said["message"]
    assert quiet or not outcome.result["verified"]


def test_busy_sidecar_is_asked_again(directory):
    def busy(call):
        if len(server.asked) < 3:
            call.answer(503, {"Retry-After": "1"}, b"")
        else:
            call.whole(content=LISTING)

    with WithSidecar(busy) as server:
        outcome = fetch(directory, "--sidecar", server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["verified"]
    first, second, third = (call.time for call in server.asked)
    assert second - first >= 1 and third - second >= 1


def test_slow_sidecar_holds_the_file_up_only_at_the_end(directory):
    def slow(call):
        until((directory / "file.bin.part.state").exists, "a piece of the file")
        call.whole(content=LISTING)

    with WithSidecar(slow) as server:
        outcome = fetch(directory, "-c", 2, "--sidecar", server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["verified"]


def test_signal_does_not_wait_for_the_sidecar(directory, workspace, started):
    with WithSidecar(lambda call: call.hang()) as server:
        options = ["fetch", "--json", "--sidecar", "-d", directory, server.url]
        run = programs.Program(programs.RECEIVER, options, workspace)
        started.append(run)
        until(lambda: server.asked and server.body_bytes >= len(FILE), "the sidecar")
        assert run.stop(signal.SIGINT, timeout=5) == NETWORK
        assert_only(directory, "file.bin.part", "file.bin.part.state")
        server.answer = lambda call: call.whole(content=LISTING)
        outcome = fetch(directory, "--sidecar", server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] == len(FILE)
