# SPDX-License-Identifier: MIT
"""The two programs as child processes, followed through their JSON logs."""

import json
import os
import pathlib
import signal
import subprocess

from . import store
from .wait import PATIENCE, until

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("BLOBSTREAM_BUILD", ROOT / "build")).resolve()
RECEIVER = BUILD / "receiver" / "blob-receiver"
SENDER = BUILD / "sender" / "blob-sender"

SANITIZER_MARKS = (
    "ERROR: AddressSanitizer",
    "ERROR: LeakSanitizer",
    "ThreadSanitizer",
    "runtime error:",
)


def sanitized():
    """Whether the programs were built with a sanitizer."""
    program = RECEIVER.read_bytes()
    return any(mark in program for mark in (b"__asan_init", b"__tsan_init"))


def clean_environment(**extra):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BLOB_")}
    return kept | extra


def assert_no_sanitizer_report(text):
    for mark in SANITIZER_MARKS:
        assert mark not in text, f"sanitizer report:\n{text[-8000:]}"


def run(program, *options, env=None, timeout=PATIENCE, **popen):
    """Runs a program to its end: for usage errors and short runs."""
    result = subprocess.run(
        [str(program), *map(str, options)],
        env=clean_environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        **popen,
    )
    assert_no_sanitizer_report(result.stderr)
    return result


class Program:
    """A running program; its stderr and stdout go to files in `workspace`."""

    def __init__(self, program, options, workspace, env=None, wrapper=(), **popen):
        number = len(list(workspace.glob("*.stderr")))
        self.stderr_path = workspace / f"{number:03}-{program.name}.stderr"
        self.stdout_path = self.stderr_path.with_suffix(".stdout")
        self._events = []
        self._read_to = 0
        with open(self.stderr_path, "wb") as err, open(self.stdout_path, "wb") as out:
            self.process = subprocess.Popen(
                [*map(str, wrapper), str(program), *map(str, options)],
                env=clean_environment(**(env or {})),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                **popen,
            )
        self.pid = self.process.pid

    @property
    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    @property
    def stdout(self):
        return self.stdout_path.read_text(errors="replace")

    def events(self, name=None):
        """Events logged so far, as dictionaries."""
        with open(self.stderr_path, "rb") as file:
            file.seek(self._read_to)
            lines = file.read().split(b"\n")
        for line in lines[:-1]:
            self._read_to += len(line) + 1
            if line.startswith(b"{"):
                self._events.append(json.loads(line))
        return [e for e in self._events if name is None or e["event"] == name]

    def wait_event(self, name, matching=lambda event: True, count=1, timeout=PATIENCE):
        """The count-th event of this name that matches; fails if the program ends."""

        def look():
            ended = self.process.poll() is not None
            found = [e for e in self.events(name) if matching(e)]
            if len(found) >= count:
                return found[count - 1]
            assert not ended, f"ended without '{name}':\n{self.stderr[-4000:]}"
            return None

        return until(look, f"event '{name}'", timeout)

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE):
        """The exit status, once it has ended by itself."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"still running after {timeout:.0f} s:\n{self.stderr[-4000:]}"
            ) from None

    def stop(self, number=signal.SIGTERM, timeout=PATIENCE):
        if self.process.poll() is None:
            self.send_signal(number)
        return self.wait(timeout)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def finish(self):
        """Ends it whatever its state, and looks for sanitizer reports."""
        if self.process.poll() is None:
            try:
                self.stop(timeout=10)
            except AssertionError:
                self.kill()
        text = self.stderr
        print(f"--- {self.stderr_path.name}, exit {self.process.returncode}")
        print(text[-3000:])
        assert_no_sanitizer_report(text)


class Receiver(Program):
    """blob-receiver on a port of its own, ready when constructed."""

    def __init__(self, workspace, directory, *options, port=0, **more):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(exist_ok=True)
        super().__init__(
            RECEIVER,
            ["-p", port, "-d", self.dir, "--log-format", "json", *options],
            workspace,
            **more,
        )
        try:
            self.port = self.wait_event("listening")["port"]
        except BaseException:
            self.kill()
            raise
        self.url = f"http://127.0.0.1:{self.port}"

    def blobs(self):
        return store.blobs(self.dir)

    def hidden_files(self):
        """Files it holds open that have no name: uploads in progress."""
        found = []
        for fd in pathlib.Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                target = os.readlink(fd)
            except FileNotFoundError:
                continue
            if target.startswith(str(self.dir)) and target.endswith("(deleted)"):
                found.append(target)
        return found

    def assert_nothing_left(self):
        """No blob, no leftover, and no upload still held open."""
        until(lambda: not self.hidden_files(), "hidden files to be let go")
        store.assert_empty(self.dir)


class Sender(Program):
    def __init__(self, workspace, url, spool, *options, **more):
        self.spool = pathlib.Path(spool)
        super().__init__(
            SENDER,
            ["--url", url, "-d", self.spool, "--log-format", "json", *options],
            workspace,
            **more,
        )

    @property
    def summary(self):
        lines = [json.loads(line) for line in self.stdout.splitlines()]
        assert [line["event"] for line in lines] == ["summary"]
        return lines[0]

    def delivered(self):
        return [event["blob"] for event in self.events("delivered")]
