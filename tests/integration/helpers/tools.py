# SPDX-License-Identifier: MIT
"""Programs of others that a test wants."""

import os
import shutil

import pytest

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"


def lacking(what):
    """Skips the test by name, or fails it where BLOBSTREAM_REQUIRE_TOOLS is set."""
    end = pytest.fail if os.environ.get("BLOBSTREAM_REQUIRE_TOOLS") else pytest.skip
    end(f"not installed: {what}")


def need(*commands):
    """The path of the first of these commands; lacking() without one of them."""
    paths = {command: shutil.which(command, path=PATH) for command in commands}
    missing = [command for command, path in paths.items() if path is None]
    if missing:
        lacking(", ".join(missing))
    return paths[commands[0]]
