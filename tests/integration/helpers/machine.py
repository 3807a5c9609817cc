# SPDX-License-Identifier: MIT
"""File systems made for a test, where the machine allows it."""

import contextlib
import os
import pathlib
import subprocess
import tempfile

import pytest

from .tools import need


def keeps_attributes(directory):
    try:
        with tempfile.NamedTemporaryFile(dir=directory) as file:
            os.setxattr(file.name, "user.blob.probe", b"1")
        return True
    except OSError:
        return False


def base_directory():
    """Where tests may work: a directory whose file system keeps user attributes."""
    for place in (tempfile.gettempdir(), "/var/tmp", str(pathlib.Path.home())):
        if keeps_attributes(place):
            return place
    pytest.exit("no temporary directory keeps user extended attributes")


def run_or_skip(*command):
    command = [need(command[0]), *command[1:]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


@contextlib.contextmanager
def mounted(directory, *mount_options):
    """A directory with something mounted on it; skips by name where that is denied."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    directory.mkdir()
    run_or_skip("mount", *mount_options, directory)
    try:
        yield directory
    finally:
        # Lazily: after a failed test a program may still be at work there.
        subprocess.run(["umount", "--lazy", directory], check=True)


@contextlib.contextmanager
def small_disk(workspace, mebibytes):
    """An ext4 file system of this size on a loop device."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    image = workspace / "disk.img"
    with open(image, "wb") as file:
        file.truncate(mebibytes << 20)
    run_or_skip("mkfs.ext4", "-q", "-F", "-m", "0", image)
    with mounted(workspace / "disk", "-o", "loop", image) as disk:
        yield disk
