# SPDX-License-Identifier: MIT
"""How a fetch ends when it does not end well: its exit status, and what it leaves."""

import signal
import socket
import threading

import pytest

from helpers import programs
from helpers.badserver import BadServer
from helpers.fetching import (
    CANNOT_WRITE,
    MIB,
    NETWORK,
    OK,
    REFUSED,
    assert_failed,
    assert_fetched,
    assert_only,
    content,
    fetch,
)
from helpers.strace import Strace
from helpers.wait import until

FILE = content(12 * MIB + 345)
OTHER = content(12 * MIB + 345, seed=2)
PART, STATE = "file.bin.part", "file.bin.part.state"


@pytest.fixture
def directory(workspace):
    path = workspace / "fetched"
    path.mkdir()
    return path


@pytest.fixture
def start_fetch(workspace, started, directory):
    def start(*arguments, **more):
        options = ["fetch", "--json", "-d", directory, *arguments]
        program = programs.Program(programs.RECEIVER, options, workspace, **more)
        started.append(program)
        return program

    return start


# Exit codes


@pytest.mark.parametrize(
    "location",
    [
        "ftp://127.0.0.1/file.bin",
        "file:///etc/passwd",
        "http://u:hunter2@127.0.0.1:99999/file.bin",
    ],
)
def test_redirect_to_where_http_does_not_go_is_a_refusal(directory, location):
    with BadServer(FILE, lambda call: call.redirect(location)) as server:
        outcome = fetch(directory, server.url)
    assert_failed(outcome, directory, REFUSED)
    assert outcome.result["http_status"] == 302
    assert "redirect" in outcome.result["error"]
    assert "hunter2" not in outcome.stdout + outcome.stderr
    assert len(server.calls) == 1
    assert_only(directory)


def test_time_to_connect_runs_out(directory):
    with socket.socket() as deaf, socket.socket() as caller:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        caller.connect(deaf.getsockname())  # all that will ever be let in
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/file.bin"
        options = ["--connect-timeout", "300ms", "--max-tries", 2]
        outcome = fetch(directory, *options, url)
    assert_failed(outcome, directory, NETWORK)
    assert "after 2 tries" in outcome.result["error"]
    assert outcome.result["http_status"] == 0
    assert 600 <= outcome.result["elapsed_ms"] < 5000
    assert_only(directory)


@pytest.mark.parametrize("where", ["no-answer", "midway"])
def test_patience_with_a_stalled_server_runs_out(directory, where):
    def stall(call):
        if where == "no-answer":
            call.hang()
        elif call.number > 2:
            first, last = call.range
            fields = {"Content-Range": f"bytes {first}-{last}/{len(FILE)}"}
            call.answer(206, fields, b"x", length=last - first + 1)
            call.hang()

    with BadServer(FILE, stall) as server:
        options = ["-c", 1, "--stall-timeout", "1s", "--max-tries", 1]
        outcome = fetch(directory, *options, server.url)
    assert_failed(outcome, directory, NETWORK)
    assert "slower than" in outcome.result["error"]
    left = [PART, STATE] if where == "midway" else []
    assert_only(directory, *left)


@pytest.mark.parametrize(
    "total, status, says",
    [
        (2**63 - 1, CANNOT_WRITE, "make room for 9223372036854775807 bytes"),
        (2**63, REFUSED, "more than a file can have"),
        (2**64 - 1, REFUSED, "more than a file can have"),
        (2**64, NETWORK, "without a usable Content-Range"),
    ],
)
def test_total_past_any_file_is_an_error(directory, total, status, says):
    with BadServer(FILE, lambda call: call.part(total=total)) as server:
        outcome = fetch(directory, "--max-tries", 1, server.url)
    assert_failed(outcome, directory, status)
    assert says in outcome.result["error"]
    assert_only(directory)


@pytest.mark.parametrize("status", [429, 503])
def test_server_that_asks_for_hours_is_not_asked_again(directory, status):
    def tired(call):
        if call.number > 4:
            call.answer(status, {"Retry-After": "7200"}, b"")
        else:
            call.serve(pace=16 * MIB)

    with BadServer(FILE, tired) as server:
        outcome = fetch(directory, "-c", 2, server.url)
        assert_failed(outcome, directory, REFUSED)
        assert outcome.result["http_status"] == status
        assert "come back in 2h00m" in outcome.result["error"]
        assert outcome.result["elapsed_ms"] < 5000
        assert len(server.calls) <= 6
        server.script = lambda call: None
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] >= MIB


# Progress is what counts


def test_failures_are_forgotten_with_every_piece(directory):
    def refuse_every_other(call):
        if call.number % 2 == 0:
            call.answer(500, {}, b"")

    with BadServer(content(2 * MIB), refuse_every_other) as server:
        options = ["-c", 1, "--min-split-size", "128KiB", "--max-tries", 2]
        outcome = fetch(directory, *options, server.url)
    assert_fetched(outcome, directory, server.content)
    assert outcome.result["retries"] >= 3


def test_server_that_cuts_every_answer_short_gets_there(directory):
    """No answer brings as much as a piece, all bring something."""
    cut = lambda call: call.serve(stop_after=100_000)
    with BadServer(content(2 * MIB), cut) as server:
        outcome = fetch(directory, "-c", 2, "--max-tries", 3, server.url)
    assert_fetched(outcome, directory, server.content)
    assert outcome.result["retries"] >= 6


def test_server_that_brings_next_to_nothing_is_given_up(directory):
    def drip(call):
        if call.number > 2:
            call.serve(stop_after=100)

    with BadServer(FILE, drip) as server:
        outcome = fetch(directory, "-c", 1, "--max-tries", 3, server.url)
    assert_failed(outcome, directory, NETWORK)
    assert "gave up after 3 tries" in outcome.result["error"]


# Signals


def test_signal_counts_although_the_file_changes_that_moment(directory, start_fetch):
    ready = threading.Event()

    def change(call):
        if call.number > 4:
            ready.wait()
            run.send_signal(signal.SIGINT)
            call.serve(content=OTHER, headers={"ETag": '"v2"'})

    with BadServer(FILE, change) as server:
        run = start_fetch("-c", 1, "--min-split-size", "128KiB", server.url)
        ready.set()
        assert run.wait() == NETWORK
    assert run.events("failed")[0]["why"] == "interrupted"
    assert not run.events("changed")
    assert_only(directory, PART, STATE)


# What is left


def test_state_is_gone_before_another_run_can_have_one(
    directory, start_fetch, workspace
):
    strace = Strace(workspace, ["rename", "renameat", "renameat2", "unlinkat"])
    with BadServer(FILE) as server:
        run = start_fetch(
            server.url,
            wrapper=strace.wrapper,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
        )
        assert run.wait() == OK
    calls = [call for call in strace.calls(run.pid) if call.worked]
    (published,) = [call for call in calls if call.strings == [PART, "file.bin"]]
    removed = [call for call in calls if call.strings == [STATE]]
    saved = [call for call in calls if call.strings == [f"{STATE}.new", STATE]]
    assert saved and max(saved, key=lambda call: call.began).before(removed[-1])
    assert removed[-1].before(published)
    assert_only(directory, "file.bin")


def test_directories_that_are_made_last_like_the_file(
    start_fetch, workspace, directory
):
    strace = Strace(workspace, ["mkdir", "fsync", "rename", "renameat", "renameat2"])
    with BadServer(FILE) as server:
        run = start_fetch(
            *["-d", directory / "a" / "b", server.url],
            wrapper=strace.wrapper,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
        )
        assert run.wait() == OK
    calls = [call for call in strace.calls(run.pid) if call.worked]
    (published,) = [call for call in calls if call.strings == [PART, "file.bin"]]
    for made in (directory / "a", directory / "a" / "b"):
        (making,) = [call for call in calls if call.strings == [str(made)]]
        assert any(
            f"<{made.parent}>" in call.text
            and making.before(call)
            and call.before(published)
            for call in calls
            if call.name == "fsync"
        ), made


def test_bytes_outlive_a_state_that_cannot_be_saved(directory):
    """The next run goes on from the state before."""
    blocker = directory / f"{STATE}.new"

    def block(call):
        if call.number == 6:
            until(lambda: (directory / STATE).exists(), "a state")
            until(make_blocker, "a moment between two saves")
        call.serve(pace=16 * MIB)

    def make_blocker():
        try:
            blocker.mkdir()
        except FileExistsError:
            return False
        return True

    with BadServer(FILE, block) as server:
        outcome = fetch(directory, "-c", 2, server.url)
        assert_failed(outcome, directory, CANNOT_WRITE)
        assert STATE in outcome.result["error"]
        assert len(outcome.logged("kept")) == 1
        assert_only(directory, PART, STATE, blocker.name)
        blocker.rmdir()
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] >= MIB


def test_part_without_any_state_is_not_left(directory):
    (directory / f"{STATE}.new").mkdir()
    with BadServer(FILE) as server:
        outcome = fetch(directory, "-c", 2, server.url)
    assert_failed(outcome, directory, CANNOT_WRITE)
    assert not outcome.logged("kept")
    assert_only(directory, f"{STATE}.new")


def test_bad_files_are_kept_side_by_side(directory):
    wrong = ["--keep-bad", "--checksum", "sha-256=" + "0" * 64]
    with BadServer(FILE) as server:
        first = fetch(directory, *wrong, server.url)
        server.content, server.validators = OTHER, {"ETag": '"v2"'}
        second = fetch(directory, *wrong, server.url)
    assert [first.logged("kept_bad")[0]["as"], second.logged("kept_bad")[0]["as"]] == [
        "file.bin.bad",
        "file.bin.bad.1",
    ]
    assert (directory / "file.bin.bad").read_bytes() == FILE
    assert (directory / "file.bin.bad.1").read_bytes() == OTHER
    assert_only(directory, "file.bin.bad", "file.bin.bad.1")
