# SPDX-License-Identifier: MIT
"""Fetches that end early and are run again: nothing is lost, little is fetched twice."""

import hashlib
import os
import random
import re
import signal
import time

import pytest

from helpers import programs
from helpers.badserver import BadServer
from helpers.digests import field, sha256_hex
from helpers.fetching import (
    MIB,
    NETWORK,
    OK,
    assert_fetched,
    assert_only,
    content,
    fetch,
)
from helpers.wait import scaled, until

KILLS = scaled(20, 5)
RUNS = scaled(8, 4)
COUNT = 4
FILE = content(96 * MIB + 11)
PAGES = 4 * COUNT * 4096  # what counting by pages may be wrong by
IN_FLIGHT = MIB  # of a connection that is given up: sent, and never read


@pytest.fixture
def chance():
    seed = int(
        os.environ.get("BLOBSTREAM_TEST_SEED", random.SystemRandom().getrandbits(32))
    )
    print(f"BLOBSTREAM_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def directory(workspace):
    path = workspace / "fetched"
    path.mkdir()
    return path


@pytest.fixture
def start_fetch(workspace, started, directory):
    def start(*arguments):
        options = ["fetch", "--json", "-d", directory, "-c", COUNT, *arguments]
        program = programs.Program(programs.RECEIVER, options, workspace)
        started.append(program)
        return program

    return start


def written_bytes(path, expected=FILE):
    """How much of the part file is what it should be, by blocks of a page."""
    data = path.read_bytes()
    return sum(
        min(4096, len(expected) - at)
        for at in range(0, len(data), 4096)
        if data[at : at + 4096] == expected[at : at + 4096]
    )


def claimed_bytes(path):
    """How much of the file the state says is there."""
    text = path.read_text()
    missing = re.search(r"^written(.*)$", text, re.M)[1]
    gaps = re.findall(r"(\d+)-(\d+)", missing)
    return len(FILE) - sum(int(end) - int(first) for first, end in gaps)


def most_asked_for(calls):
    """The largest piece that a request was for."""
    return max((call.range[1] - call.range[0] + 1 for call in calls), default=0)


def test_kill_at_a_random_moment_costs_at_most_a_piece_per_connection(
    start_fetch, directory, chance
):
    """By what is on file, and by what the server sends afterwards."""
    data = FILE[: 32 * MIB]
    saved = 0
    for _ in range(KILLS):
        with BadServer(data) as server:
            run = start_fetch("--limit-rate", "64MiB", server.url)
            time.sleep(chance.uniform(0.02, 0.45))
            run.kill()
            until(lambda: server.active["now"] == 0, "the server to notice")
            first_calls = len(server.calls)
            piece = most_asked_for(server.calls)
            assert piece <= len(data) // 8
            assert not (directory / "file.bin").exists(), "too late to be killed"
            part = directory / "file.bin.part"
            written = written_bytes(part, data) if part.exists() else 0

            outcome = fetch(directory, "-c", COUNT, server.url)
            sent = sum(call.sent for call in server.calls[first_calls:])
        assert_fetched(outcome, directory, data)
        resumed = outcome.result["resumed_bytes"]
        assert written - COUNT * piece - PAGES <= resumed <= written + PAGES
        again = sent - (len(data) - written)
        assert again <= COUNT * (piece + IN_FLIGHT) + PAGES
        saved += resumed
        (directory / "file.bin").unlink()
    assert saved > KILLS * MIB


def test_fetch_that_is_killed_again_and_again_gets_done(start_fetch, directory, chance):
    state = directory / "file.bin.part.state"
    checksum = f"sha-256={sha256_hex(FILE)}"
    rate = f"{len(FILE) // 3 // 1024}KiB"
    kept = 0
    with BadServer(FILE) as server:
        for number in range(RUNS):
            run = start_fetch("--checksum", checksum, "--limit-rate", rate, server.url)
            if number == 0:
                until(state.exists, "the first piece")
            time.sleep(chance.uniform(0.02, 0.3))
            run.kill()
            assert not (directory / "file.bin").exists(), "too late to be killed"
            claimed = claimed_bytes(state)
            assert claimed >= kept, "a later run knows less than an earlier one"
            kept = claimed
        assert kept > 0
        outcome = fetch(directory, "--checksum", checksum, server.url)
        lost = RUNS * COUNT * (most_asked_for(server.calls) + IN_FLIGHT)
        assert server.body_bytes <= len(FILE) + lost
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] == kept
    assert outcome.result["verified_against"] == "--checksum"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_all_there_is(start_fetch, directory, number):
    with BadServer(FILE) as server:
        run = start_fetch("--limit-rate", "16MiB", server.url)
        until(lambda: (directory / "file.bin.part.state").exists(), "the first piece")
        assert run.stop(number) == NETWORK
        written = written_bytes(directory / "file.bin.part")
        assert abs(written - claimed_bytes(directory / "file.bin.part.state")) <= PAGES
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] > 0


@pytest.fixture
def interrupted(start_fetch, directory):
    """A server, and a fetch from it that was stopped half way."""
    with BadServer(FILE) as server:
        run = start_fetch("--limit-rate", "48MiB", server.url)
        until(
            lambda: server.body_bytes > len(FILE) // 2
            or run.process.poll() is not None,
            "half of the file",
        )
        assert run.stop() == NETWORK
        yield server


def test_file_that_changed_meanwhile_is_fetched_afresh(interrupted, directory):
    interrupted.content = content(len(FILE), seed=2)
    interrupted.validators = {"ETag": '"v2"'}
    outcome = fetch(directory, interrupted.url)
    assert_fetched(outcome, directory, interrupted.content)
    assert outcome.logged("changed")
    assert outcome.result["resumed_bytes"] == 0


def interrupt(start_fetch, server, *arguments):
    run = start_fetch("--limit-rate", "48MiB", *arguments, server.url)
    until(
        lambda: server.body_bytes > len(FILE) // 2 or run.process.poll() is not None,
        "half of the file",
    )
    assert run.stop() == NETWORK


def test_file_of_a_weak_version_is_resumed_only_with_a_checksum(start_fetch, directory):
    checksum = ("--checksum", f"sha-256={sha256_hex(FILE)}")
    with BadServer(FILE, ETag='W/"v1"') as server:
        interrupt(start_fetch, server, *checksum)
        outcome = fetch(directory, *checksum, server.url)
        assert_fetched(outcome, directory, FILE)
        assert outcome.result["resumed_bytes"] > 0

        server.calls.clear()
        interrupt(start_fetch, server, *checksum)
        server.content = content(len(FILE), seed=2)
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, server.content)
    assert outcome.result["resumed_bytes"] == 0
    assert outcome.logged("restarting")


def test_digest_of_the_earlier_run_still_counts(start_fetch, directory):
    with BadServer(FILE, ETag='"v1"', **{"Repr-Digest": field(FILE)}) as server:
        interrupt(start_fetch, server)
        server.validators = {"ETag": '"v1"'}
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] > 0
    assert outcome.result["verified_against"] == "Repr-Digest"


def test_server_that_lost_its_ranges_meanwhile_is_read_afresh(interrupted, directory):
    interrupted.script = lambda call: call.whole()
    outcome = fetch(directory, interrupted.url)
    assert_fetched(outcome, directory, FILE)


@pytest.mark.parametrize(
    "damage",
    [
        lambda part, state: state.write_bytes(state.read_bytes()[:-100]),
        lambda part, state: state.write_text(
            state.read_text().replace("total 1", "total 2")
        ),
        lambda part, state: state.write_bytes(b"\xff" * 200_000),
        lambda part, state: state.unlink(),
        lambda part, state: part.unlink(),
        lambda part, state: os.truncate(part, 1000),
        lambda part, state: (part.rename(part.with_suffix(".x")), part.touch()),
    ],
    ids=["cut", "edited", "garbage", "no-state", "no-part", "cut-part", "other-part"],
)
def test_damaged_leftovers_are_not_believed(interrupted, directory, damage):
    damage(directory / "file.bin.part", directory / "file.bin.part.state")
    outcome = fetch(directory, interrupted.url)
    assert outcome.status == OK, outcome
    assert (directory / "file.bin").read_bytes() == FILE
    assert outcome.result["resumed_bytes"] == 0


def test_state_of_another_boot_counts_only_what_was_synced(interrupted, directory):
    """The state is rewritten as if the machine had lost its page cache."""
    state = directory / "file.bin.part.state"
    lines = state.read_text().splitlines()[:-1]
    lines = ["boot other" if line.startswith("boot ") else line for line in lines]
    lines = [
        f"synced 0-{len(FILE)}" if line.startswith("synced ") else line
        for line in lines
    ]
    text = "\n".join(lines) + "\n"
    state.write_text(text + f"sha256 {hashlib.sha256(text.encode()).hexdigest()}\n")
    outcome = fetch(directory, interrupted.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] == 0


def test_other_signature_in_the_query_resumes(interrupted, directory):
    outcome = fetch(directory, interrupted.url + "?signature=new")
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] > 0


def test_other_path_of_the_same_name_does_not_resume(interrupted, directory):
    url = interrupted.url.replace("/file.bin", "/other/file.bin")
    outcome = fetch(directory, url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] == 0


def test_all_there_but_not_published_needs_one_byte(interrupted, directory):
    """Killed between the last byte and the rename."""
    state = directory / "file.bin.part.state"
    saved = state.read_text()
    (directory / "file.bin.part").write_bytes(FILE)
    text = "".join(saved.splitlines(keepends=True)[:-1])
    text = re.sub(r"^(synced|written).*$", r"\1", text, flags=re.M)
    state.write_text(text + f"sha256 {sha256_hex(text.encode())}\n")
    before = len(interrupted.calls)
    outcome = fetch(directory, interrupted.url)
    assert_fetched(outcome, directory, FILE)
    assert [call.range for call in interrupted.calls[before:]] == [(0, 0)]
    assert_only(directory, "file.bin")
