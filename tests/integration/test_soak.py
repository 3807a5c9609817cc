# SPDX-License-Identifier: MIT
"""Full load with TLS, tokens, injected corruption and kills, while memory and
descriptors are watched. Short by default; BLOBSTREAM_SOAK_SECONDS=600 is the long one."""

import os
import pathlib
import random
import re
import signal
import statistics
import threading
import time

import pytest

from helpers import pki, programs, store, wire

SECONDS = float(os.environ.get("BLOBSTREAM_SOAK_SECONDS", 20))
LIVES = 4  # of the receiver; the sender is killed twice as often
SETTLED = 0.3  # of a life: by then every buffer has been used once
SLACK_KIB = 4 * 1024
SLACK_DESCRIPTORS = 16
EVENT = re.compile(rb'"event":"(generated|delivered)".*?"blob":"([0-9a-f-]{36})"')


class Gauge(threading.Thread):
    """Memory and descriptors of a process, four times a second."""

    def __init__(self, pid):
        super().__init__()
        self.proc = pathlib.Path(f"/proc/{pid}")
        self.samples = []
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.25):
            try:
                status = (self.proc / "status").read_text()
                descriptors = len(os.listdir(self.proc / "fd"))
                rss = int(re.search(r"VmRSS:\s+(\d+)", status)[1])
            except (FileNotFoundError, TypeError, ProcessLookupError):
                return
            self.samples.append((rss, descriptors))

    def assert_flat(self):
        self.over.set()
        self.join()
        settled = self.samples[int(len(self.samples) * SETTLED) :]
        if len(settled) < 8:
            return
        half = len(settled) // 2
        for kind, slack in ((0, SLACK_KIB), (1, SLACK_DESCRIPTORS)):
            before = statistics.median(sample[kind] for sample in settled[:half])
            after = statistics.median(sample[kind] for sample in settled[half:])
            print(f"{('RSS KiB', 'descriptors')[kind]}: {before} -> {after}")
            assert after <= before * 1.1 + slack


class Collector(threading.Thread):
    """Checks what is stored and takes it away, so that the disk does not fill up."""

    def __init__(self, directory):
        super().__init__()
        self.directory = directory
        self.stored = set()
        self.damaged = []
        self.over = threading.Event()
        self.start()

    def collect(self, older_than_s):
        for path in store.files(self.directory):
            if path.suffix != ".bin":
                continue
            if time.time() - path.stat().st_mtime < older_than_s:
                continue
            if store.digest(path) != store.attribute(path, store.DIGEST):
                self.damaged.append(path.name)
            self.stored.add(path.stem)
            path.unlink()

    def run(self):
        while not self.over.wait(1):
            self.collect(older_than_s=5)

    def finish(self):
        self.over.set()
        self.join()
        self.collect(older_than_s=0)


@pytest.fixture
def access(workspace):
    """(options of the receiver, options of the sender): TLS and a token for each."""
    certificates = pki.Authority(workspace)
    server = certificates.issue("server")
    token = "0123456789abcdef0123456789abcdef"
    files = {"tokens": f"soak write {token}\n", "token": f"{token}\n"}
    for name, text in files.items():
        (workspace / name).write_text(text)
        (workspace / name).chmod(0o600)
    receiver = ["--tls-cert", server.cert, "--tls-key", server.key]
    receiver += ["--token-file", workspace / "tokens"]
    sender = ["--ca-file", certificates.cert, "--token-file", workspace / "token"]
    return receiver, sender


def named(senders):
    found = {b"generated": set(), b"delivered": set()}
    for sender in senders:
        with open(sender.stderr_path, "rb") as log:
            for line in log:
                if match := EVENT.search(line):
                    found[match[1]].add(match[2].decode())
    return found[b"generated"], found[b"delivered"]


@pytest.mark.skipif(programs.sanitized(), reason="sanitizers keep memory of their own")
def test_soak(start_receiver, start_sender, workspace, access):
    of_receiver, of_sender = access
    port = wire.unused_port()
    url = f"https://127.0.0.1:{port}"
    chance = random.Random(7)
    load = ["-n", 0, "--min-interval", 0, "--max-interval", 0, "--max-size", "64KiB"]
    load += ["--max-duration", 0, "--max-attempts", 1000, "--inject-bad-checksums=10"]
    senders = [start_sender(url, *load, *of_sender)]

    def receive():
        return start_receiver(*of_receiver, port=port)

    receiver = receive()
    collector = Collector(receiver.dir)
    gauges = []
    try:
        for life in range(LIVES):
            gauges = [Gauge(receiver.pid), Gauge(senders[-1].pid)]
            time.sleep(SECONDS / LIVES * chance.uniform(0.6, 0.8))
            for gauge in gauges:
                gauge.assert_flat()
            senders[-1].kill()
            senders.append(start_sender(url, *load, *of_sender))
            time.sleep(SECONDS / LIVES * 0.3)
            if life + 1 < LIVES:
                receiver.kill()
                receiver = receive()
        assert senders[-1].stop(signal.SIGINT, timeout=90) == 0
        assert receiver.stop() == 0
    finally:
        for gauge in gauges:
            gauge.over.set()
        collector.finish()

    generated, delivered = named(senders)
    print(f"generated {len(generated)}, stored {len(collector.stored)}")
    assert collector.damaged == []
    assert delivered <= collector.stored
    assert generated <= collector.stored
    assert len(generated) > 100
    assert not [path for path in store.files(senders[-1].spool)]
