# SPDX-License-Identifier: MIT
"""What `meson install` puts where."""

import os
import re
import subprocess

import pytest

from helpers.programs import BUILD, run
from helpers.tools import need

PROGRAMS = ["bin/blob-receiver", "bin/blob-sender"]
OTHERS = [
    "share/man/man1/blob-sender.1",
    "share/man/man8/blob-receiver.8",
    "lib/systemd/system/blob-receiver.service",
    "lib/systemd/system/blob-receiver.socket",
    "lib/systemd/system/blob-sender@.service",
    "lib/sysusers.d/blob-receiver.conf",
    "lib/tmpfiles.d/blob-receiver.conf",
]


@pytest.fixture(scope="module")
def prefix():
    return introspected_prefix()


def introspected_prefix():
    need("meson")
    done = subprocess.run(
        ["meson", "introspect", "--buildoptions", BUILD], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"not a build directory of meson: {done.stderr}")
    return re.search(r'"name": "prefix", "value": "([^"]+)"', done.stdout)[1]


@pytest.fixture
def installed(workspace, prefix):
    """The prefix below a staging directory."""
    subprocess.run(
        [
            "meson",
            "install",
            "-C",
            BUILD,
            "--no-rebuild",
            "--quiet",
            "--destdir",
            workspace / "stage",
        ],
        check=True,
        capture_output=True,
    )
    return workspace / "stage" / prefix.lstrip("/")


def test_every_file_is_where_it_belongs(installed):
    found = {
        str(path.relative_to(installed))
        for path in installed.rglob("*")
        if path.is_file()
    }
    assert found == set(PROGRAMS + OTHERS)
    for name in PROGRAMS:
        assert os.access(installed / name, os.X_OK)
        assert run(installed / name, "--version").returncode == 0
    for name in OTHERS:
        assert (installed / name).stat().st_mode & 0o777 == 0o644


def test_units_name_the_installed_programs(installed, prefix):
    for unit in installed.glob("lib/systemd/system/*.service"):
        text = unit.read_text()
        [program] = re.findall(r"^ExecStart=(\S+)", text, re.MULTILINE)
        assert program in [f"{prefix}/{name}" for name in PROGRAMS]
        assert "@" not in re.sub(
            r"@(NAME|system-service|privileged|resources)", "", text
        ).replace("blob-sender@", "")


def test_systemd_understands_the_units(installed, prefix):
    need("systemd-analyze")
    for unit in installed.glob("lib/systemd/system/blob-*"):
        unit.write_text(unit.read_text().replace(f"{prefix}/bin", f"{installed}/bin"))
    units = sorted(installed.glob("lib/systemd/system/blob-*"))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
    )
    if (
        "unrecognized option" in result.stderr
        or "Failed to initialize" in result.stderr
    ):
        pytest.skip(result.stderr)
    complaints = [line for line in result.stderr.splitlines() if "blob-" in line]
    assert complaints == []


def test_systemd_sysusers_understands_the_user(installed):
    need("systemd-sysusers")
    result = subprocess.run(
        ["systemd-sysusers", "--dry-run", installed / OTHERS[5]],
        capture_output=True,
        text=True,
    )
    if "unrecognized option" in result.stderr:
        pytest.skip("this systemd-sysusers knows no --dry-run")
    assert result.returncode == 0, result.stderr
