# SPDX-License-Identifier: MIT
"""What a fetch leaves on the disk, and when: nothing is claimed before it is there, and
a disk that fails makes no wrong file."""

import re
import signal

import pytest

from helpers import programs
from helpers.badserver import BadServer
from helpers.faults import Faults
from helpers.fetching import (
    CANNOT_WRITE,
    MIB,
    NETWORK,
    OK,
    assert_failed,
    assert_fetched,
    assert_only,
    content,
    fetch,
)
from helpers.strace import Strace
from helpers.wait import until

FILE = content(12 * MIB + 345)
PART, STATE = "file.bin.part", "file.bin.part.state"


@pytest.fixture
def directory(workspace):
    path = workspace / "fetched"
    path.mkdir()
    return path


# The order of things


class Trace:
    """The calls of one fetch that change or sync its files."""

    NAMES = (
        "write",
        "pwrite64",
        "fsync",
        "fdatasync",
        "rename",
        "renameat",
        "renameat2",
        "unlinkat",
    )

    def __init__(self, calls, directory):
        self.directory = directory
        self.calls = [call for call in calls if call.worked]
        self.writes = self.named("pwrite64", on=PART)
        self.part_syncs = self.named("fsync", "fdatasync", on=PART)
        self.state_syncs = self.named("fsync", "fdatasync", on=f"{STATE}.new")
        self.directory_syncs = self.named("fsync", on="")
        renames = [call for call in self.calls if call.name.startswith("rename")]
        self.state_renames = [
            c for c in renames if c.strings == [f"{STATE}.new", STATE]
        ]
        self.publishing = [c for c in renames if c.strings == [PART, "file.bin"]]

    def named(self, *names, on):
        """Calls of these names on the open file of this name."""
        mark = f"<{self.directory / on}>"
        return [
            c for c in self.calls if c.name in names and mark in c.text.split(",")[0]
        ]

    def states(self):
        """(text, rename) of every state that came into force."""
        for rename in self.state_renames:
            written = [
                call
                for call in self.named("write", on=f"{STATE}.new")
                if call.thread == rename.thread and call.before(rename)
            ]
            yield written[-1].strings[0], rename

    def covered_before(self, moment):
        """A byte of 1 for each byte of the file that was written before the call."""
        there = bytearray(len(FILE))
        for call in self.writes:
            if call.before(moment):
                n, at, wrote = re.search(
                    r", (\d+), (\d+)\) += (\d+)$", call.text
                ).groups()
                assert n == wrote
                there[int(at) : int(at) + int(n)] = b"\1" * int(n)
        return there


def missing(state, key):
    line = re.search(rf"^{key}(.*)$", state, re.MULTILINE)[1]
    return [(int(first), int(end)) for first, end in re.findall(r"(\d+)-(\d+)", line)]


def assert_claims_no_more(state, key, there):
    there = bytearray(there)
    for first, end in missing(state, key):
        there[first:end] = b"\1" * (end - first)
    assert 0 not in there, f"'{key}' claims what is not there"


def assert_states_are_true(trace):
    """Returns what the last one says is missing on the disk."""
    on_disk = [(0, len(FILE))]
    for state, rename in trace.states():
        assert_claims_no_more(state, "written", trace.covered_before(rename))
        if missing(state, "synced") == on_disk:
            continue
        on_disk = missing(state, "synced")
        syncs = [sync for sync in trace.part_syncs if sync.before(rename)]
        assert syncs, "claimed without a sync"
        there = trace.covered_before(max(syncs, key=lambda sync: sync.began))
        assert_claims_no_more(state, "synced", there)
        assert any(
            syncs[-1].before(sync) and sync.before(rename) for sync in trace.state_syncs
        ), "the state that claims it is on the disk itself"
    return on_disk


@pytest.fixture
def traced(workspace, started, directory):
    """traced(*arguments) -> (a fetch on its way, Trace of it once it has ended)

    The disk is a slow one, so that many a write and sync is seen on its way.
    """
    slow = {"pwrite64": 5_000, "fsync": 100_000}
    strace = Strace(workspace, Trace.NAMES, string_bytes=2048, slow=slow)

    def start(*arguments):
        program = programs.Program(
            programs.RECEIVER,
            ["fetch", "--json", "-d", directory, "-c", 4, *arguments],
            workspace,
            env={"ASAN_OPTIONS": "detect_leaks=0"},
            wrapper=strace.wrapper,
        )
        started.append(program)
        return program, lambda: Trace(strace.calls(program.pid), directory)

    return start


def test_state_claims_what_is_synced_and_the_name_comes_last(traced, directory):
    """Slow enough to be synced on the way, while other connections go on writing."""
    with BadServer(FILE) as server:
        run, trace_of = traced(
            "--limit-rate", f"{len(FILE) // 6 // 1024}KiB", server.url
        )
        assert run.wait() == OK
    assert (directory / "file.bin").read_bytes() == FILE
    trace = trace_of()

    assert len(trace.state_renames) >= 4
    assert assert_states_are_true(trace) != [(0, len(FILE))], "never synced on the way"

    (published,) = trace.publishing
    synced = [sync for sync in trace.part_syncs if sync.before(published)][-1]
    assert all(write.before(synced) for write in trace.writes)
    assert any(published.before(sync) for sync in trace.directory_syncs)
    assert not any(published.before(call) for call in trace.state_renames)
    assert_only(directory, "file.bin")


def test_interrupted_fetch_syncs_what_it_leaves(traced, directory):
    with BadServer(FILE) as server:
        run, trace_of = traced("--limit-rate", "8MiB", server.url)
        until((directory / STATE).exists, "the first piece")
        assert run.stop(signal.SIGINT) == NETWORK
    on_disk = assert_states_are_true(trace_of())
    state = (directory / STATE).read_text()
    assert on_disk == missing(state, "synced") == missing(state, "written")
    assert sum(end - first for first, end in on_disk) < len(FILE)


def test_relaxed_durability_waits_for_no_disk(traced, directory):
    with BadServer(FILE) as server:
        run, trace_of = traced("--durability", "relaxed", server.url)
        assert run.wait() == OK
    trace = trace_of()
    assert len(trace.publishing) == 1
    assert not trace.part_syncs + trace.state_syncs + trace.directory_syncs
    for state, _ in trace.states():
        assert missing(state, "synced") == [(0, len(FILE))]


# Room for the file


@pytest.fixture
def faults(workspace, directory):
    return Faults(workspace, directory)


ANSWERS = {
    "pieces": lambda call: call.serve(pace=16 * MIB),
    "stream": lambda call: call.whole(pace=16 * MIB),
}
answers = pytest.mark.parametrize("script", ANSWERS.values(), ids=ANSWERS)


@answers
def test_file_system_that_does_not_allocate_ahead(directory, faults, script):
    faults.begin("allocate", "EOPNOTSUPP")
    with BadServer(FILE, script) as server:
        outcome = fetch(directory, server.url, env=faults.env)
    assert faults.hits("allocate") == 1
    assert_fetched(outcome, directory, FILE)


@answers
@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EFBIG"])
def test_file_there_is_no_room_for_is_not_begun(directory, faults, script, error):
    faults.begin("allocate", error)
    faults.begin("write at", "EIO")
    with BadServer(FILE, script) as server:
        outcome = fetch(directory, server.url, env=faults.env)
    assert_failed(outcome, directory, CANNOT_WRITE)
    assert f"make room for {len(FILE)} bytes" in outcome.result["error"]
    assert faults.hits("write at") == 0
    assert len(server.calls) == 1
    assert_only(directory)


# Disks that fail midway

MIDWAY = [
    ("write at", "ENOSPC", "No space left on device"),
    ("write at", "EDQUOT", "Disk quota exceeded"),
    ("write at", "EIO", "Input/output error"),
    ("write", "ENOSPC", "No space left on device"),  # of the state
    ("link", "EIO", "Input/output error"),  # of the state
]


@pytest.mark.parametrize("call, error, says", MIDWAY)
def test_fetch_that_cannot_be_written_is_resumed(directory, faults, call, error, says):
    """Nor is room allocated ahead: where it is, a disk seldom fills up midway."""
    faults.begin("allocate", "EOPNOTSUPP")
    faults.begin(call, error, after=12 if call == "write at" else 3)
    with BadServer(FILE, ANSWERS["pieces"]) as server:
        outcome = fetch(directory, server.url, env=faults.env)
        assert_failed(outcome, directory, CANNOT_WRITE)
        assert says in outcome.result["error"]
        faults.end(call)
        outcome = fetch(directory, server.url, env=faults.env)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] > 0


def test_stream_that_cannot_be_written_leaves_nothing(directory, faults):
    faults.begin("write at", "ENOSPC", after=4)
    with BadServer(FILE, ANSWERS["stream"]) as server:
        outcome = fetch(directory, server.url, env=faults.env)
    assert_failed(outcome, directory, CANNOT_WRITE)
    assert "No space left" in outcome.result["error"]
    assert_only(directory)


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_file_that_cannot_be_synced_is_not_believed(directory, faults, error):
    faults.begin("sync file", error)
    with BadServer(FILE) as server:
        outcome = fetch(directory, server.url, env=faults.env)
        assert_failed(outcome, directory, CANNOT_WRITE)
        assert "sync" in outcome.result["error"]
        assert_only(directory)
        faults.end("sync file")
        outcome = fetch(directory, server.url, env=faults.env)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] == 0


def test_interrupted_fetch_that_cannot_be_synced_leaves_nothing(
    directory, faults, workspace, started
):
    with BadServer(FILE) as server:
        options = [
            "fetch",
            "--json",
            "-d",
            directory,
            "--limit-rate",
            "8MiB",
            server.url,
        ]
        run = programs.Program(programs.RECEIVER, options, workspace, env=faults.env)
        started.append(run)
        until((directory / STATE).exists, "the first piece")
        faults.begin("sync file", "EIO")
        assert run.stop(signal.SIGINT) == NETWORK
    assert_only(directory)


def test_name_that_cannot_be_given_is_given_by_the_next_run(directory, faults):
    """The state is replaced by a rename, too; the file is small enough to need none."""
    small = FILE[: 100 * 1024]
    faults.begin("link", "EIO")
    with BadServer(small) as server:
        outcome = fetch(directory, server.url, env=faults.env)
        assert_failed(outcome, directory, CANNOT_WRITE)
        assert "rename" in outcome.result["error"]
        faults.end("link")
        outcome = fetch(directory, server.url, env=faults.env)
    assert_fetched(outcome, directory, small)


def test_directory_that_cannot_be_synced_is_an_error_of_a_right_file(directory, faults):
    faults.begin("sync directory", "EIO")
    with BadServer(FILE) as server:
        outcome = fetch(directory, server.url, env=faults.env)
        assert outcome.status == CANNOT_WRITE, outcome
        assert "sync the directory" in outcome.result["error"]
        assert (directory / "file.bin").read_bytes() == FILE
        faults.end("sync directory")
        outcome = fetch(directory, server.url, env=faults.env)
    assert_fetched(outcome, directory, FILE)


def test_file_that_cannot_be_read_back_is_not_published(directory, faults):
    faults.begin("read at", "EIO", after=8)
    with BadServer(FILE) as server:
        outcome = fetch(directory, server.url, env=faults.env)
        assert_failed(outcome, directory, CANNOT_WRITE)
        assert "read" in outcome.result["error"]
        faults.end("read at")
        outcome = fetch(directory, server.url, env=faults.env)
    assert_fetched(outcome, directory, FILE)
