# SPDX-License-Identifier: MIT
"""Real object stores, other clients to look at them, and uploads to them."""

import itertools
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile

from . import programs

SERVERS = pathlib.Path(__file__).resolve().parents[2] / "servers"
numbers = itertools.count(1)


def free_ports(count):
    """The first of so many free ports in a row, some that no other run tries now."""
    for first in random.sample(range(21000, 31000, 7), k=100):
        with_all = True
        for port in range(first, first + count):
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    with_all = False
        if with_all:
            return first
    raise AssertionError("no free ports")


def has_azurite():
    return subprocess.run([SERVERS / "azurite.sh", "installed"]).returncode == 0


class Server:
    """One of the scripts in tests/servers, started."""

    def __init__(self, script, ports=1, **settings):
        self.script = SERVERS / script
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="blobstream-store-"))
        self.port = free_ports(ports)
        self.settings = settings
        output = self.call("start", self.dir, self.port)
        self.env = dict(line.split("=", 1) for line in output.splitlines())

    def call(self, *arguments):
        done = subprocess.run(
            [str(self.script), *map(str, arguments)],
            env=os.environ | self.settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self):
        self.call("stop", self.dir)
        shutil.rmtree(self.dir, ignore_errors=True)


class S3:
    """An S3 endpoint and its keys; buckets are new for each test."""

    def __init__(self, name, server):
        self.name = name
        self.server = server
        self.env = server.env
        self.endpoint = server.env["AWS_ENDPOINT_URL"]

    def new_bucket(self):
        return f"bucket-{os.getpid()}-{next(numbers)}"

    def rclone(self, *arguments, check=True):
        settings = {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ACCESS_KEY_ID": self.env["AWS_ACCESS_KEY_ID"],
            "SECRET_ACCESS_KEY": self.env["AWS_SECRET_ACCESS_KEY"],
            "ENDPOINT": self.endpoint,
            "REGION": "us-east-1",
        }
        return run_rclone(settings, *arguments, check=check)

    def s3cmd(self, *arguments, check=True):
        host = self.endpoint.removeprefix("http://")
        done = subprocess.run(
            [
                "s3cmd",
                "--config=/dev/null",
                f"--access_key={self.env['AWS_ACCESS_KEY_ID']}",
                f"--secret_key={self.env['AWS_SECRET_ACCESS_KEY']}",
                f"--host={host}",
                f"--host-bucket={host}",
                "--no-ssl",
                "--region=us-east-1",
                *map(str, arguments),
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def info(self, url):
        """What the store says of an object, header by header."""
        lines = (line.split(":", 1) for line in self.s3cmd("info", url).splitlines())
        return {p[0].strip().lower(): p[1].strip() for p in lines if len(p) == 2}

    def keys(self, bucket):
        listed = self.rclone("lsjson", "-R", "--files-only", f"x:{bucket}", check=False)
        return sorted(item["Path"] for item in json.loads(listed or "[]"))

    def unfinished(self, bucket):
        """Keys of multipart uploads that were begun and not ended."""
        lines = self.s3cmd("multipart", f"s3://{bucket}").splitlines()
        return [line.split("\t")[1] for line in lines if line.count("\t") == 2][1:]


def run_rclone(settings, *arguments, check=True):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "AZURE_"))}
    env |= {f"RCLONE_CONFIG_X_{name}": value for name, value in settings.items()}
    env["RCLONE_CONFIG"] = "/nonexistent/rclone.conf"
    done = subprocess.run(
        ["rclone", *map(str, arguments)],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


class Upload(programs.Program):
    def __init__(self, workspace, root, destination, *options, env=None, **more):
        state = {"XDG_STATE_HOME": str(workspace / "state"), "HOME": str(workspace)}
        cleared = {
            name: ""
            for name in os.environ
            if name.startswith(("AWS_", "AZURE_")) and name not in (env or {})
        }
        super().__init__(
            programs.SENDER,
            ["upload", "--json", *options, root, destination],
            workspace,
            env=cleared | state | (env or {}),
            **more,
        )

    @property
    def summary(self):
        lines = [json.loads(line) for line in self.stdout.splitlines()]
        assert [line["event"] for line in lines] == ["summary"], self.stderr
        return lines[0]

    @property
    def reason(self):
        """What the log says at level error."""
        return " ".join(e["message"] for e in self.events() if e["level"] == "error")
