# SPDX-License-Identifier: MIT
"""blob-sender upload of many small files: all arrive, and memory does not grow."""

import os
import time

from helpers import programs, trees
from helpers.usage import watch
from helpers.wait import scaled

FILES = 100_000 if os.environ.get("BLOBSTREAM_SLOW") else scaled(5000, 1000)
DIRECTORIES = 300


def grow(root):
    """{path below root: size}"""
    sizes = {}
    for number in range(FILES):
        name = f"d{number % DIRECTORIES}/{number}"
        content = f"{number}\n".encode() * (number % 100)
        trees.write(root / name, content)
        sizes[name] = len(content)
    trees.settle()
    return sizes


def listed(store, bucket):
    """{key: size} of a whole bucket."""
    lines = store.rclone(
        "lsf", "-R", "--files-only", "--fast-list", "-Fsp", f"x:{bucket}"
    )
    pairs = (line.split(";", 1) for line in lines.splitlines())
    return {path: int(size) for size, path in pairs}


def test_every_one_of_many_small_files_arrives_in_32_mib(ceph, start_upload, workspace):
    sizes = grow(workspace / "tree")
    bucket = ceph.new_bucket()

    began = time.monotonic()
    running = start_upload(
        workspace / "tree", f"s3://{bucket}", "--log-level=warn", env=ceph.env
    )
    used = watch(running, timeout=540)

    rate = FILES / (time.monotonic() - began)
    print(f"{FILES} files: {used}, {rate:.0f} files/s")
    assert used.code == 0
    assert running.summary["uploaded"] == FILES
    assert listed(ceph, bucket) == sizes
    if not programs.sanitized():
        assert used.peak_mib <= 32
