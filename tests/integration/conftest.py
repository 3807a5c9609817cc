# SPDX-License-Identifier: MIT
import contextlib
import pathlib
import shutil
import tempfile

import pytest

from helpers import machine, programs, stores
from helpers.azure import Azure
from helpers.tools import lacking, need


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


@pytest.fixture(scope="session")
def ceph_server():
    need("radosgw", "ceph-mon", "ceph-osd", "rclone", "s3cmd")
    server = stores.Server("ceph-rgw.sh", ports=2, RGW_STS="1", RGW_TLS="1")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def ceph(ceph_server):
    return stores.S3("ceph", ceph_server)


@pytest.fixture(scope="session")
def swift_server():
    need("swift-proxy-server", "memcached", "rclone", "s3cmd")
    server = stores.Server("swift-s3.sh", ports=5)
    yield server
    server.stop()


@pytest.fixture(scope="session", params=["ceph", "swift"])
def s3(request):
    """Each S3 store in turn."""
    if request.param == "ceph":
        return request.getfixturevalue("ceph")
    return stores.S3("swift", request.getfixturevalue("swift_server"))


@pytest.fixture(scope="session")
def azurite_server():
    need("node", "rclone")
    if not stores.has_azurite():
        lacking("azurite")
    server = stores.Server("azurite.sh")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def azure(azurite_server):
    return Azure(azurite_server)


@pytest.fixture
def start_upload(workspace, started):
    """start_upload(root, destination, *options, env=...) -> an Upload on its way."""

    def start(root, destination, *options, **more):
        upload = stores.Upload(workspace, root, destination, *options, **more)
        started.append(upload)
        return upload

    return start


@pytest.fixture
def upload(start_upload):
    """upload(...) -> the same, ended; .code is its exit status."""

    def run(*arguments, timeout=120, **more):
        ended = start_upload(*arguments, **more)
        ended.code = ended.wait(timeout)
        return ended

    return run
