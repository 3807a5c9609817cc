# SPDX-License-Identifier: MIT
"""Lets system calls of a running program fail: the test's side of fault_shim.c."""

import errno
import mmap
import re
import struct
import subprocess

import pytest

from . import programs

SHIM = programs.BUILD / "tests" / "integration" / "fault_shim.so"
CALLS = [
    "open",
    "write",
    "allocate",
    "attribute",
    "sync file",
    "sync directory",
    "link",
    "accept",
    "read at",
    "write at",
]
SLOT = struct.Struct("=iii")  # errno, calls that still work, calls that failed


def preload(program):
    """The shim, behind the sanitizer's runtime where that is a library of its own."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    runtimes = re.findall(r"=> (\S*/lib(?:a|t|ub)san\S*)", listed)
    return " ".join([*runtimes, str(SHIM)])


class Faults:
    def __init__(self, workspace, directory):
        if not SHIM.exists():
            pytest.skip(f"{SHIM} is not built")
        path = workspace / "faults"
        path.write_bytes(bytes(SLOT.size * len(CALLS)))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.env = {
            "LD_PRELOAD": preload(programs.RECEIVER),
            "FAULT_SHIM_CONTROL": str(path),
            "FAULT_SHIM_DIRECTORY": str(directory),
        }

    def _at(self, call):
        return CALLS.index(call) * SLOT.size

    def begin(self, call, error, after=0):
        """From now on `call` fails with errno `error`, once `after` more worked."""
        SLOT.pack_into(self.map, self._at(call), 0, after, 0)
        struct.pack_into("=i", self.map, self._at(call), getattr(errno, error))

    def end(self, call):
        struct.pack_into("=i", self.map, self._at(call), 0)

    def hits(self, call):
        return SLOT.unpack_from(self.map, self._at(call))[2]
