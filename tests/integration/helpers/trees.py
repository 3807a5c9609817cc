# SPDX-License-Identifier: MIT
"""Directory trees to upload, and what they are like."""

import hashlib
import os
import time


def write(path, content, mode=0o644, mtime_ns=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def settle():
    """Until no change can be mistaken for one that is still going on."""
    time.sleep(0.05)


def describe(root, times=True):
    """What must come back: path -> digest, permissions, modification time."""
    found = {}
    for directory, _, names in os.walk(os.fsencode(root)):
        for name in names:
            path = os.path.join(directory, name)
            about = os.stat(path)
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[os.path.relpath(path, os.fsencode(root))] = (
                digest,
                about.st_mode,
                about.st_mtime_ns if times else 0,
            )
    return found


ODD_NAMES = (
    "plain",
    "with space",
    "a+b=c&d%e#f?g",
    "100%25",
    "ünï-日本語",
    "quote'\"\\back",
    "star*[x]",
    "semi;colon,comma@at!$()",
    ".hidden",
    "-dash",
    "trailing.",
    "e\u0301-combining",
    "..dots..",
)


def odd_tree(root):
    for i, name in enumerate(ODD_NAMES):
        mtime_ns = 1_577_934_245_123_456_789 + i
        write(root / name, name.encode() * i, (0o600, 0o644, 0o755)[i % 3], mtime_ns)
    write(root / "empty", b"", mtime_ns=1)
    write(root / "deep/er/still/file", b"x" * 70_000)
    write(root / "medium", os.urandom(700_000), 0o640)
    settle()
    return root
