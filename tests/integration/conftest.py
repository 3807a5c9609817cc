# SPDX-License-Identifier: MIT
import contextlib
import pathlib
import shutil
import tempfile

import pytest

from helpers import machine, programs


def pytest_configure():
    for program in (programs.RECEIVER, programs.SENDER):
        if not program.exists():
            pytest.exit(f"{program} is not built; set BLOBSTREAM_BUILD", 2)


@pytest.fixture
def workspace():
    """A directory of the test's own, on a file system with user attributes."""
    path = pathlib.Path(
        tempfile.mkdtemp(prefix="blobstream-", dir=machine.base_directory())
    )
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def started(workspace):  # asks for workspace, so that the programs end before it goes
    """Programs to end when the test does: started.append(program)."""
    running = []
    yield running
    with contextlib.ExitStack() as stack:
        for program in running:
            stack.callback(program.finish)


@pytest.fixture
def start_receiver(workspace, started):
    """start_receiver(*options, directory=..., port=...) -> a ready Receiver."""

    def start(*options, directory=None, **more):
        receiver = programs.Receiver(
            workspace, directory or workspace / "blobs", *options, **more
        )
        started.append(receiver)
        return receiver

    return start


@pytest.fixture
def receiver(start_receiver):
    return start_receiver()


@pytest.fixture
def start_sender(workspace, started):
    """start_sender(url, *options, spool=...) -> a Sender on its way."""

    def start(url, *options, spool=None, **more):
        sender = programs.Sender(
            workspace, url, spool or workspace / "spool", *options, **more
        )
        started.append(sender)
        return sender

    return start
