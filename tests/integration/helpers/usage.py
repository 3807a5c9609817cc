# SPDX-License-Identifier: MIT
"""What a program has used when it is over."""

import os
import pathlib
import re
import typing

from .wait import until


class Usage(typing.NamedTuple):
    code: int
    peak_mib: float
    cpu_seconds: float


def watch(program, timeout=120):
    """Waits for its end. Not by waitpid: what forked it would count as its memory."""
    proc = pathlib.Path(f"/proc/{program.pid}")
    peak_kib = 0

    def is_zombie():
        nonlocal peak_kib
        status = (proc / "status").read_text()
        if peak := re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE):
            peak_kib = int(peak[1])
        return "\nState:\tZ" in status

    until(is_zombie, "the end", timeout)
    user, system = (proc / "stat").read_text().rpartition(")")[2].split()[11:13]
    cpu_seconds = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    assert peak_kib > 0
    return Usage(program.wait(), peak_kib / 1024, cpu_seconds)
