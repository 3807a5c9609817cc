# SPDX-License-Identifier: MIT
"""A service manager's side of the receiver: its socket, its watchdog, its sockets."""

import contextlib
import ctypes
import os
import pathlib
import socket
import sys
import time

import pytest

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000


class Manager:
    """Listens where $NOTIFY_SOCKET points."""

    def __init__(self, workspace):
        self.path = workspace / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.environment = {"NOTIFY_SOCKET": str(self.path)}
        self.heard = []  # messages as dictionaries

    def listen(self, seconds):
        """What arrives in so much time."""
        found = []
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                text = self.socket.recv(4096).decode()
            except (TimeoutError, BlockingIOError):
                break
            found.append(dict(line.split("=", 1) for line in text.split("\n")))
        self.heard += found
        return found

    def wait_for(self, key, timeout=30):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for message in self.listen(0.05):
                if key in message:
                    return message
        raise AssertionError(f"not told {key}, only {self.heard[-10:]}")

    def beats(self, seconds):
        return sum("WATCHDOG" in message for message in self.listen(seconds))

    def close(self):
        self.socket.close()


def threads(pid):
    """{thread id: name}"""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return {int(task.name): (task / "comm").read_text().strip() for task in tasks}


@contextlib.contextmanager
def frozen(thread):
    """One thread of a child stands still; the others run on."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int] + [ctypes.c_void_p] * 2
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(PTRACE_SEIZE, thread, None, None) != 0:
        pytest.skip(f"ptrace: {os.strerror(ctypes.get_errno())}")
    assert libc.ptrace(PTRACE_INTERRUPT, thread, None, None) == 0
    os.waitpid(thread, WALL)
    try:
        yield
    finally:
        libc.ptrace(PTRACE_DETACH, thread, None, None)


PASS = """
import fcntl, os, sys
count = int(sys.argv[1])
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[2 : 2 + count]]
for number, fd in enumerate(high):
    os.dup2(fd, 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
os.execv(sys.argv[2 + count], sys.argv[2 + count :])
"""


def pass_sockets(*sockets):
    """A wrapper command and Popen arguments that hand sockets over as systemd does."""
    numbers = [sock.fileno() for sock in sockets]
    return {
        "wrapper": [sys.executable, "-c", PASS, len(numbers), *numbers],
        "pass_fds": numbers,
    }
