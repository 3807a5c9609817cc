# SPDX-License-Identifier: MIT
"""What a program asked of the kernel, and when one call was over before another began."""

import dataclasses
import re
import subprocess

import pytest

from .tools import need
from .wait import until

CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
UNFINISHED = " <unfinished ...>"
DELAYED = " (DELAYED)"
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclasses.dataclass
class Call:
    thread: str
    name: str
    text: str  # its arguments and result, as strace shows them
    began: int  # lines of the trace
    ended: int

    def before(self, other):
        return self.ended < other.began

    @property
    def worked(self):
        return re.search(r"\) += \d", self.text) is not None

    @property
    def strings(self):
        """The arguments in quotes."""
        return [
            found.encode("latin-1").decode("unicode_escape")
            for found in STRING.findall(self.text)
        ]


def parse(trace):
    """Every call that came to an end, in the order in which they began."""
    begun, found = {}, []
    for number, line in enumerate(trace.splitlines()):
        line = line.removesuffix(DELAYED)
        if match := RESUMED.match(line):
            thread, name, rest = match.groups()
            first, text = begun.pop(thread)
            found.append(Call(thread, name, text + rest, first, number))
        elif match := CALL.match(line):
            thread, name, rest = match.groups()
            if rest.endswith(UNFINISHED):
                begun[thread] = number, rest.removesuffix(UNFINISHED)
            else:
                found.append(Call(thread, name, rest, number, number))
    return sorted(found, key=lambda call: call.began)


class Strace:
    """`wrapper` goes before a program's command; it keeps its own pid, to be signalled.

    names: of the calls to see. slow: {name: microseconds that each call waits first}.
    """

    def __init__(self, workspace, names, string_bytes=64, slow=()):
        strace = need("strace")
        self.output = workspace / "trace"
        probe = subprocess.run(
            [strace, "-f", "-o", self.output, "true"], capture_output=True, text=True
        )
        if probe.returncode != 0:
            pytest.skip(f"strace: {probe.stderr.strip()}")
        self.wrapper = [strace, "-D", "-f", "-y", "-s", str(string_bytes)]
        self.wrapper += ["-o", self.output, "-e", f"trace={','.join(names)}"]
        for name, delay_us in dict(slow).items():
            self.wrapper += ["-e", f"inject={name}:delay_enter={delay_us}"]

    def calls(self, pid):
        """Of the program that had this pid, once it has ended."""
        end = re.compile(rf"^{pid} +\+\+\+ ", re.MULTILINE)  # strace pads short pids
        until(lambda: end.search(self.output.read_text("latin-1")), "strace to end")
        return parse(self.output.read_text("latin-1"))
