# SPDX-License-Identifier: MIT
"""Both programs alike: help, bad values, the environment, refusing to start."""

import contextlib
import os
import re

import pytest

from helpers import wire
from helpers.curl import curl
from helpers.digests import repr_digest
from helpers.programs import RECEIVER, SENDER, run

BOTH = pytest.mark.parametrize(
    "program", [RECEIVER, SENDER], ids=["receiver", "sender"]
)


@BOTH
def test_help(program):
    result = run(program, "--help")
    assert result.returncode == 0
    assert result.stderr == ""
    for option in (
        "--port",
        "--address",
        "--log-format",
        "--log-level",
        "--log-file",
        "--durability",
        "--help",
        "--version",
    ):
        assert option in result.stdout
    prefix = "BLOB_" + program.name.removeprefix("blob-").upper()
    assert prefix in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


@BOTH
def test_version(program):
    result = run(program, "--version")
    assert result.returncode == 0
    assert re.fullmatch(rf"{program.name} \d+\.\d+\.\d+.*\n", result.stdout)
    assert result.stderr == ""


COMMON_BAD = [
    ("--port", "70000"),
    ("--port", "abc"),
    ("--port", "-1"),
    ("--port", ""),
    ("--log-format", "xml"),
    ("--log-level", "loud"),
    ("--durability", "maybe"),
]
RECEIVER_BAD = [
    ("--digest", "sometimes"),
    ("--max-blob-size", "lots"),
    ("--max-blob-size", "1.5GiB"),
    ("--max-blob-size", "0"),
    ("--threads", "many"),
    ("--threads", "1000000"),
    ("--max-connections", "0"),
    ("--idle-timeout", "5"),
    ("--idle-timeout", "soon"),
    ("--shutdown-timeout", "-1s"),
]
SENDER_BAD = [
    ("--count", "-1"),
    ("--count", "1e3"),
    ("--workers", "0"),
    ("--workers", "x"),
    ("--min-size", "x"),
    ("--max-size", "0"),
    ("--min-interval", "5"),
    ("--max-interval", "1 day"),
    ("--max-duration", "never"),
    ("--max-attempts", "0"),
    ("--inject-bad-checksums", "101"),
    ("--inject-bad-checksums", "x"),
    ("--url", "ftp://host/"),
    ("--url", "nonsense"),
]
BAD = [(RECEIVER, *pair) for pair in COMMON_BAD + RECEIVER_BAD]
BAD += [(SENDER, *pair) for pair in COMMON_BAD + SENDER_BAD]


@pytest.mark.parametrize(
    "program, option, value", BAD, ids=[f"{p.name} {o}={v}" for p, o, v in BAD]
)
def test_bad_value_is_named_in_one_line(workspace, program, option, value):
    result = run(program, f"{option}={value}", cwd=workspace)

    assert result.returncode == 2
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert option in line
    assert value in line
    assert list(workspace.iterdir()) == []


@BOTH
@pytest.mark.parametrize(
    "arguments, culprit",
    [
        (["--nonsense"], "--nonsense"),
        (["-Z"], "Z"),
        (["--port"], "--port"),
        (["surplus"], "surplus"),
    ],
)
def test_misuse_is_named_in_one_line(workspace, program, arguments, culprit):
    result = run(program, *arguments, cwd=workspace)

    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert culprit in line
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        ["--min-size", "2MiB", "--max-size", "1MiB"],
        ["--min-interval", "2s", "--max-interval", "1s"],
    ],
)
def test_bounds_the_wrong_way_round(workspace, options):
    result = run(SENDER, *options, cwd=workspace)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "min" in line and "max" in line


@pytest.mark.parametrize(
    "program, variable, value, option",
    [
        (RECEIVER, "BLOB_RECEIVER_PORT", "abc", "PORT"),
        (RECEIVER, "BLOB_RECEIVER_DIGEST", "never", "DIGEST"),
        (RECEIVER, "BLOB_RECEIVER_MAX_BLOB_SIZE", "x", "MAX_BLOB_SIZE"),
        (SENDER, "BLOB_SENDER_WORKERS", "none", "WORKERS"),
        (SENDER, "BLOB_SENDER_LOG_LEVEL", "loud", "LOG_LEVEL"),
    ],
)
def test_bad_value_from_the_environment(workspace, program, variable, value, option):
    result = run(program, env={variable: value}, cwd=workspace)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert variable in line or "--" + option.lower().replace("_", "-") in line
    assert value in line


def test_environment_sets_what_the_command_line_does_not(start_receiver):
    receiver = start_receiver(
        "--digest",
        "required",
        env={
            "BLOB_RECEIVER_DIGEST": "ignore",
            "BLOB_RECEIVER_MAX_BLOB_SIZE": "8",
            "BLOB_RECEIVER_LOG_LEVEL": "",
            "BLOB_RECEIVER_LOG_FILE": "",
        },
    )
    assert curl(f"{receiver.url}/blobs", body=b"123").status == 400
    nine = b"123456789"
    assert (
        curl(f"{receiver.url}/blobs", headers=[repr_digest(nine)], body=nine).status
        == 413
    )


@contextlib.contextmanager
def unwritable_directory(workspace):
    """A directory that the program, run with these Popen arguments, cannot write to."""
    directory = workspace / "locked"
    directory.mkdir(mode=0o755)
    if os.geteuid() == 0:
        yield directory, {"user": 65534, "group": 65534, "extra_groups": []}
    else:
        directory.chmod(0o555)
        yield directory, {}


@BOTH
def test_unwritable_directory(workspace, program):
    with unwritable_directory(workspace) as (directory, popen):
        more = ["-p", 0] if program == RECEIVER else ["-n", 1]
        try:
            result = run(program, "-d", directory, *more, cwd="/", **popen)
        except PermissionError:
            pytest.skip("the build directory is closed to other users")
    assert result.returncode == 1
    assert str(directory) in result.stderr
    assert "denied" in result.stderr


@BOTH
def test_directory_that_is_a_file(workspace, program):
    (workspace / "file").write_text("mine")
    for place in (workspace / "file", workspace / "file" / "below"):
        more = ["-p", 0] if program == RECEIVER else ["-n", 1]
        result = run(program, "-d", place, *more)
        assert result.returncode == 1
        assert str(place) in result.stderr
    assert (workspace / "file").read_text() == "mine"


@BOTH
def test_directory_whose_parent_is_missing(workspace, program):
    place = workspace / "absent" / "below"
    more = ["-p", 0] if program == RECEIVER else ["-n", 1, "-p", wire.unused_port()]
    result = run(program, "-d", place, *more)
    assert result.returncode == 1
    assert str(place) in result.stderr


@BOTH
def test_log_file_that_cannot_be_opened(workspace, program):
    place = workspace / "absent" / "log"
    result = run(
        program, "-f", place, "-p", 0 if program == RECEIVER else 1, cwd=workspace
    )
    assert result.returncode in (1, 2)
    assert str(place) in result.stderr
