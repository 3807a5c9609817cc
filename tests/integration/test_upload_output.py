# SPDX-License-Identifier: MIT
"""What blob-sender upload tells people and programs."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import pytest

from helpers import programs, trees
from helpers.scripted_store import Store, error, serving
from helpers.wait import until

CLEAR_LINE = "\r\x1b[K"
PROGRESS = re.compile(
    r"(\[=*>? *\] )?(\d+)/40 files  \S+ \w+  \S+ \w+/s  (ETA \S+  )?\d+ jobs$"
)


@pytest.fixture
def tree(workspace):
    for number in range(40):
        trees.write(workspace / "tree" / str(number), os.urandom(3000))
    trees.settle()
    return workspace / "tree"


def leisurely(*_):
    time.sleep(0.02)


def on_terminal(workspace, env, columns, *arguments):
    """Runs an upload whose stderr is a terminal: (exit status, painted, stdout)."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [programs.SENDER, "upload", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=programs.clean_environment(
            TERM="xterm", HOME=str(workspace), XDG_STATE_HOME=str(workspace), **env
        ),
    )
    os.close(theirs)
    painted = b""
    try:
        while select.select([ours], [], [], 30)[0]:
            try:
                painted += os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
        said = process.communicate(timeout=30)[0]
        return process.returncode, painted.decode().replace("\r\n", "\n"), said.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("columns", [120, 50])
def test_a_terminal_shows_how_far_it_is_and_is_left_clean(workspace, tree, columns):
    with serving(Store(PUT=leisurely)) as env:
        code, painted, said = on_terminal(
            workspace, env, columns, "--jobs=1", tree, "s3://bucket"
        )

    assert code == 0
    frames = [
        frame for line in painted.split("\n") for frame in line.split(CLEAR_LINE)[1:]
    ]
    assert all(len(frame) < columns for frame in frames if "files" in frame)
    left = [line.split(CLEAR_LINE)[-1] for line in painted.split("\n")]
    assert not any("files  " in line for line in left)
    assert left[-1] == ""
    assert "uploaded:              40\n" in said
    if columns == 120:
        shown = [found for frame in frames if (found := PROGRESS.match(frame))]
        counts = [int(found[2]) for found in shown]
        assert len(counts) > 3
        assert counts == sorted(counts)
        assert any("ETA" in frame and "[=" in frame for frame in frames)


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_a_log_holds_nothing_for_terminals(workspace, tree, options):
    with serving(Store()) as env:
        done = programs.run(
            programs.SENDER, "upload", *options, tree, "s3://bucket",
            env=env | {"TERM": "xterm", "HOME": str(workspace)},
        )  # fmt: skip

    assert done.returncode == 0
    assert not re.search(r"[^\n\x20-\x7e]", done.stderr + done.stdout)


def test_every_line_is_json_whatever_the_names(upload, workspace):
    root = trees.odd_tree(workspace / "tree")
    trees.write(root / 'line\nfeed\x1b"quote\\', b"x")
    with open(os.fsencode(root) + b"/latin-\xfc", "wb") as file:
        file.write(b"x")
    trees.settle()
    refused = {"PUT": lambda path, _: (403, error("No")) if "plain" in path else None}

    with serving(Store(**refused)) as env:
        done = upload(root, "s3://bucket", env=env)

    assert done.code == 1
    lines = [json.loads(line) for line in done.stderr_path.read_bytes().splitlines()]
    assert all({"time", "level", "event", "message"} <= set(line) for line in lines)
    uploaded = [line for line in lines if line["event"] == "uploaded"]
    assert len(uploaded) == done.summary["uploaded"] == len(trees.describe(root)) - 1
    assert sum(line["bytes"] for line in uploaded) == done.summary["bytes"]
    [failed] = [line for line in lines if line["event"] == "failed"]
    assert failed["path"] == "plain"
    assert done.summary["failures"] == [f"plain: {failed['reason']}"]


def test_a_summary_for_people_names_the_failed_and_does_what_no_name_says(workspace):
    for name in ("\x1b[2Jcleared", "\x9b2Jcleared"):  # ESC, and what stands for ESC [
        trees.write(workspace / "tree" / name, b"x")
    trees.settle()

    with serving(Store(PUT=(403, error("AccessDenied")))) as env:
        done = programs.run(
            programs.SENDER, "upload", workspace / "tree", "s3://bucket",
            env=env | {"HOME": str(workspace)},
        )  # fmt: skip

    assert done.returncode == 1
    refused = "cleared: PUT answered 403 AccessDenied\n"
    assert f"failed: \\x1b[2J{refused}" in done.stdout
    assert f"failed: \\xc2\\x9b2J{refused}" in done.stdout
    assert re.search(r"^jobs: +\d+, [a-z ]+$", done.stdout, re.MULTILINE)
    assert not re.search("[\x1b\x9b]", done.stdout + done.stderr)


def test_an_empty_directory_is_uploaded_already(upload, workspace):
    (workspace / "tree").mkdir()

    with serving(Store()) as env:
        done = upload(workspace / "tree", "s3://bucket", env=env)

    assert (done.code, done.summary["uploaded"]) == (0, 0)


def test_a_second_signal_ends_it_at_once(start_upload, tree):
    released = threading.Event()
    store = Store(PUT=lambda *_: released.wait(30) and None)

    with serving(store) as env:
        running = start_upload(tree, "s3://bucket", "--drain-timeout=1h", env=env)
        until(lambda: store.of("PUT"), "a request")
        running.send_signal(signal.SIGINT)
        running.wait_event("stopping")
        until(
            lambda: ended_by(running, signal.SIGINT), "the end", timeout=5, interval=0.1
        )
        released.set()

    assert running.wait() == -signal.SIGINT
    assert running.stdout == ""


def ended_by(program, number):
    program.send_signal(number)  # a first echo of the first one is passed over
    return program.process.poll() is not None
