# SPDX-License-Identifier: MIT
"""The progress bar of a fetch: on a terminal, within its width, and gone at the end."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading

import pytest

from helpers import programs
from helpers.badserver import BadServer
from helpers.fetching import MIB, NETWORK, OK, REFUSED, content
from helpers.wait import PATIENCE, until

FILE = content(3 * MIB)
SLOWLY = ["--limit-rate", "7MiB"]  # four frames
CLEAR = "\r\x1b[K"
SIZE = r"\d[\d.]* [KM]?i?B"
BAR = re.compile(rf"\[(?P<done>=*)>? *\] {SIZE}/3\.0 MiB  {SIZE}/s(  ETA \d+s)?")


class Terminal:
    """A pseudo-terminal, and all that a program painted on it."""

    def __init__(self, columns):
        self.ours, self.theirs = pty.openpty()
        self.text = ""
        self.resize(columns)

    def resize(self, columns):
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, size)

    def start(self, *arguments, type="xterm", stdout=subprocess.PIPE):
        """Runs a fetch with its stderr here; stdout=None: that, too."""
        self.process = subprocess.Popen(
            [programs.RECEIVER, "fetch", *map(str, arguments)],
            env=programs.clean_environment(TERM=type),
            stdin=subprocess.DEVNULL,
            stdout=self.theirs if stdout is None else stdout,
            stderr=self.theirs,
            text=True,
        )
        os.close(self.theirs)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        return self

    def _read(self):
        while True:
            try:
                more = os.read(self.ours, 65536)
            except OSError:  # nobody has it open any more
                return
            self.text += more.decode()

    def wait(self):
        self.stdout = self.process.communicate(timeout=PATIENCE)[0]
        self.reader.join()
        os.close(self.ours)
        programs.assert_no_sanitizer_report(self.text)
        return self.process.returncode

    def run(self, *arguments, **more):
        return self.start(*arguments, **more).wait()

    @property
    def frames(self):
        """What was painted on the last line, each time."""
        *whole, rest = self.text.split("\n")
        lines = [line.split(CLEAR)[:-1] for line in whole] + [rest.split(CLEAR)]
        return [frame for line in lines for frame in line if frame]

    @property
    def screen(self):
        """The lines that stay; the last one is where the cursor is."""
        return [line.split(CLEAR)[-1].rstrip("\r") for line in self.text.split("\n")]


@pytest.fixture
def server():
    with BadServer(FILE) as server:
        yield server


def test_bar_says_how_far_how_fast_and_how_long(server, workspace):
    terminal = Terminal(100)
    assert terminal.run(*SLOWLY, "-d", workspace, server.url) == OK
    bars = [BAR.fullmatch(frame) for frame in terminal.frames]
    assert len(bars) >= 3 and all(bars), terminal.frames
    assert any("ETA" in frame for frame in terminal.frames)
    lengths = [len(bar["done"]) for bar in bars]
    assert lengths == sorted(lengths) and lengths[0] < lengths[-1] <= 30
    assert terminal.screen == [""]
    assert terminal.stdout.startswith(f"file.bin: {len(FILE)} bytes, ")


def test_result_takes_the_place_of_the_bar(server, workspace):
    terminal = Terminal(100)
    options = [*SLOWLY, "-d", workspace, server.url]
    assert terminal.run(*options, stdout=None) == OK
    assert terminal.frames
    first, second, last = terminal.screen
    assert first.startswith(f"file.bin: {len(FILE)} bytes, ")
    assert second.startswith("  sha256 ")
    assert last == ""


@pytest.mark.parametrize("columns", [1, 2, 20, 40, 80, 400])
def test_bar_fits(server, workspace, columns):
    """The last column stays free: a terminal would begin a new line."""
    terminal = Terminal(columns)
    assert terminal.run(*SLOWLY, "-d", workspace, server.url) == OK
    frames = terminal.frames
    assert all(len(frame) < columns for frame in frames), frames
    assert columns == 1 or len(frames) >= 3
    assert columns < 20 or any(re.search(r"\d MiB/3\.0 MiB", frame) for frame in frames)
    assert terminal.screen == [""]


def test_bar_fits_a_terminal_that_is_made_smaller(server, workspace):
    terminal = Terminal(90).start("--limit-rate", "4MiB", "-d", workspace, server.url)
    until(lambda: len(terminal.frames) >= 3, "a bar")
    size = struct.pack("HHHH", 24, 30, 0, 0)
    fcntl.ioctl(terminal.ours, termios.TIOCSWINSZ, size)
    before = len(terminal.frames) + 1
    assert terminal.wait() == OK
    assert max(map(len, terminal.frames[:3])) >= 30
    assert len(terminal.frames) > before
    assert all(len(frame) < 30 for frame in terminal.frames[before:])


def test_length_that_is_not_told_makes_no_bar(server, workspace):
    server.script = lambda call: call.whole(length="chunked")
    terminal = Terminal(100)
    assert terminal.run(*SLOWLY, "-d", workspace, server.url) == OK
    assert len(terminal.frames) >= 3
    for frame in terminal.frames[:-1]:  # at the end it is known
        assert re.fullmatch(rf"{SIZE}  {SIZE}/s", frame), frame


def test_log_lines_stay_whole_above_the_bar(server, workspace):
    def cut(call):
        if call.number % 2 == 0:
            call.serve(stop_after=300_000)

    server.script = cut
    terminal = Terminal(60)
    assert terminal.run(*SLOWLY, "-d", workspace, server.url) == OK
    *lines, last = terminal.screen
    assert last == ""
    assert lines and all("again in" in line for line in lines), lines
    assert not any("MiB/s" in line for line in lines)
    assert all(len(frame) < 60 for frame in terminal.frames)


def test_signal_leaves_a_clean_line(server, workspace):
    terminal = Terminal(80).start("--limit-rate", "1MiB", "-d", workspace, server.url)
    until(lambda: terminal.frames, "a bar")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.wait() == NETWORK
    *_, line, last = terminal.screen
    assert line.endswith("file.bin: interrupted")
    assert last == ""


def test_failure_leaves_a_clean_line(server, workspace):
    def refuse(call):
        if call.number == 2:
            call.wait(0.25)
            call.answer(403, {}, b"")

    server.script = refuse
    terminal = Terminal(80)
    assert terminal.run(*SLOWLY, "-d", workspace, server.url) == REFUSED
    assert terminal.frames
    *_, line, last = terminal.screen
    assert "refused (403)" in line
    assert last == ""


@pytest.mark.parametrize(
    "options, type", [(["-q"], "xterm"), (["--json"], "xterm"), ([], "dumb")]
)
def test_no_bar_where_none_is_wanted(server, workspace, options, type):
    terminal = Terminal(100)
    assert terminal.run(*options, *SLOWLY, "-d", workspace, server.url, type=type) == OK
    assert terminal.text == ""


def test_no_bar_without_a_terminal(server, workspace):
    done = programs.run(
        programs.RECEIVER,
        "fetch",
        *SLOWLY,
        "-d",
        workspace,
        server.url,
        env={"TERM": "xterm"},
    )
    assert done.returncode == OK
    assert done.stderr == ""
