# SPDX-License-Identifier: MIT
"""blob-sender upload when the network, the store or the tree misbehave."""

import contextlib
import hashlib
import os
import pathlib
import threading
import time

import pytest

from helpers import scripted_store, stores, trees
from helpers.proxy import proxy
from helpers.tools import need
from helpers.wait import until

MIB = 1 << 20


@pytest.fixture
def tree(workspace):
    root = workspace / "tree"
    root.mkdir()
    return root


def assert_whole(store, bucket, tree, workspace):
    target = workspace / "restored"
    store.rclone("copy", "-M", f"x:{bucket}", target)
    assert trees.describe(target) == trees.describe(tree)


@pytest.mark.parametrize("size", [16_384, 900_000], ids=["small", "streamed"])
def test_connections_cut_in_the_middle_of_a_body_are_made_good(
    s3, upload, tree, workspace, size
):
    for i in range(20):
        trees.write(tree / str(i), os.urandom(size))
    trees.settle()
    bucket = s3.new_bucket()
    s3.s3cmd("mb", f"s3://{bucket}")

    with proxy(s3.endpoint) as between:
        between.cuts, between.after = 6, 8000
        done = upload(
            tree, f"s3://{bucket}", env=s3.env | {"AWS_ENDPOINT_URL": between.url}
        )

    assert done.code == 0
    assert between.cuts == 0
    assert_whole(s3, bucket, tree, workspace)


@pytest.mark.parametrize(
    "size", [16_384, 900_000, 12 * MIB], ids=["small", "streamed", "parts"]
)
def test_a_byte_changed_on_its_way_is_never_stored(s3, upload, tree, workspace, size):
    trees.write(tree / "f", os.urandom(size))
    trees.settle()
    bucket = s3.new_bucket()
    s3.s3cmd("mb", f"s3://{bucket}")

    with proxy(s3.endpoint) as between:
        between.flips, between.after = 2, 10_000
        done = upload(
            tree,
            f"s3://{bucket}",
            "--multipart-threshold=6MiB",
            "--jobs=1",
            env=s3.env | {"AWS_ENDPOINT_URL": between.url},
        )

    assert between.flips < 2
    assert done.code == 0
    assert_whole(s3, bucket, tree, workspace)


def test_a_request_that_stops_moving_is_tried_again(ceph, upload, tree, workspace):
    for i in range(5):
        trees.write(tree / str(i), os.urandom(MIB))
    trees.settle()
    bucket = ceph.new_bucket()
    ceph.s3cmd("mb", f"s3://{bucket}")

    with proxy(ceph.endpoint) as between:
        between.holds, between.after = 1, 100_000
        done = upload(
            tree,
            f"s3://{bucket}",
            "--timeout=2s",
            env=ceph.env | {"AWS_ENDPOINT_URL": between.url},
        )

    assert done.code == 0
    assert done.summary["retries"] >= 1
    assert_whole(ceph, bucket, tree, workspace)


def test_a_store_that_hangs_up_for_good_is_given_up_on(ceph, upload, tree):
    for i in range(200):
        trees.write(tree / str(i), b"x" * 20_000)
    trees.settle()
    bucket = ceph.new_bucket()
    ceph.s3cmd("mb", f"s3://{bucket}")

    with proxy(ceph.endpoint) as between:
        between.cuts, between.after = 1_000_000, 8000
        start = time.monotonic()
        done = upload(
            tree,
            f"s3://{bucket}",
            "--max-attempts=3",
            env=ceph.env | {"AWS_ENDPOINT_URL": between.url},
        )

    assert done.code == 1
    assert time.monotonic() - start < 60
    assert done.events("giving_up")
    assert done.summary["uploaded"] == 0
    assert done.summary["failed"] + done.summary["left"] == 200
    again = upload(tree, f"s3://{bucket}", "--sync", env=ceph.env)
    assert (again.code, again.summary["uploaded"]) == (0, 200)


def test_a_gateway_that_is_killed_and_comes_back_costs_only_time(
    ceph, start_upload, tree, workspace
):
    for i in range(400):
        trees.write(tree / f"d{i % 9}" / str(i), os.urandom(20_000))
    trees.write(tree / "big", os.urandom(30 * MIB))
    trees.settle()
    bucket = ceph.new_bucket()

    running = start_upload(
        tree,
        f"s3://{bucket}",
        "--bwlimit=8MiB",
        "--multipart-threshold=6MiB",
        "--part-size=5MiB",
        env=ceph.env,
    )
    running.wait_event("uploaded")
    ceph.server.call("restart", ceph.server.dir, 2)

    assert running.wait(120) == 0
    assert running.summary["retries"] > 0
    assert_whole(ceph, bucket, tree, workspace)


def test_a_gateway_that_stays_away_ends_the_run_and_the_next_completes_it(
    workspace, start_upload, upload, tree
):
    need("radosgw", "ceph-mon", "ceph-osd")
    server = stores.Server("ceph-rgw.sh")
    try:
        store = stores.S3("ceph", server)
        for i in range(600):
            trees.write(tree / str(i), os.urandom(20_000))
        trees.settle()
        bucket = store.new_bucket()
        first = start_upload(
            tree, f"s3://{bucket}", "--bwlimit=4MiB", "--max-attempts=4", env=store.env
        )
        first.wait_event("uploaded")
        gateway = int((server.dir / "run/rgw.pid").read_text())
        os.kill(gateway, 9)

        assert first.wait(90) == 1
        assert first.summary["left"] + first.summary["failed"] > 0

        server.call("restart", server.dir)
        again = upload(tree, f"s3://{bucket}", "--sync", env=store.env)
        assert again.code == 0
        assert again.summary["skipped"] > 0
        assert_whole(store, bucket, tree, workspace)
    finally:
        server.stop()


class Scribbler:
    """Rewrites a file in place, a moment apart, until told to stop."""

    def __init__(self, path, pause):
        self.path, self.pause = path, pause
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        size = self.path.stat().st_size
        turn = 0
        with open(self.path, "r+b", buffering=0) as file:
            while not self.done.wait(self.pause):
                turn += 1
                file.seek(0)
                file.write(bytes([turn % 256]) * size)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


@pytest.mark.parametrize(
    "size", [100_000, 3 * MIB, 12 * MIB], ids=["small", "streamed", "parts"]
)
def test_a_file_that_never_holds_still_is_reported_and_not_stored(
    ceph, upload, tree, size
):
    path = trees.write(tree / "restless", b"\0" * size)
    trees.write(tree / "calm", b"1")
    trees.settle()
    bucket = ceph.new_bucket()

    with Scribbler(path, 0.003):
        done = upload(
            tree,
            f"s3://{bucket}",
            "--multipart-threshold=6MiB",
            "--part-size=5MiB",
            env=ceph.env,
        )

    assert done.code == 1
    assert (done.summary["changed"], done.summary["uploaded"]) == (1, 1)
    assert done.summary["failures"][0].startswith("restless: it ")
    assert ceph.keys(bucket) == ["calm"]
    assert ceph.unfinished(bucket) == []


def test_a_file_that_changes_while_it_is_sent_is_never_stored_torn(
    ceph, start_upload, tree
):
    path = trees.write(tree / "f", b"\1" * (4 * MIB))
    trees.settle()
    bucket = ceph.new_bucket()

    running = start_upload(tree, f"s3://{bucket}", "--bwlimit=2MiB", env=ceph.env)
    running.wait_event("started")
    time.sleep(0.7)
    trees.write(path, b"\2" * (4 * MIB))

    assert running.wait(60) == 0
    stored = ceph.info(f"s3://{bucket}/f")["x-amz-meta-sha256"]
    assert stored == hashlib.sha256(b"\2" * (4 * MIB)).hexdigest()


def test_a_file_that_shrinks_or_vanishes_is_reported(ceph, start_upload, tree):
    path = trees.write(tree / "f", b"\1" * (6 * MIB))
    trees.settle()
    bucket = ceph.new_bucket()

    running = start_upload(tree, f"s3://{bucket}", "--bwlimit=2MiB", env=ceph.env)
    running.wait_event("started")
    time.sleep(0.7)
    os.truncate(path, 1000)
    path.unlink()

    assert running.wait(60) == 1
    assert running.summary["failed"] == 1
    assert ceph.keys(bucket) == []


def test_two_runs_at_once_do_not_disturb_each_other(
    ceph, start_upload, tree, workspace
):
    trees.write(tree / "big", os.urandom(30 * MIB))
    trees.settle()
    bucket = ceph.new_bucket()
    options = ("--multipart-threshold=6MiB", "--part-size=5MiB", "--bwlimit=20MiB")

    both = [
        start_upload(tree, f"s3://{bucket}", *options, env=ceph.env) for _ in range(2)
    ]

    assert [one.wait(60) for one in both] == [0, 0]
    assert_whole(ceph, bucket, tree, workspace)
    assert ceph.unfinished(bucket) == []


IN_PARTS = ("--multipart-threshold=1", "--part-size=5MiB")
GONE = (404, scripted_store.error("NoSuchUpload"))


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"mtime": "1577934245.000000000"},
        {"mode": "0100600"},
        {"sha256": "0" * 64},
        {"uid": "4294967294"},
    ],
    ids=lambda other: " ".join(other) or "all",
)
def test_only_the_very_object_shows_that_a_lost_answer_said_done(upload, tree, other):
    path = trees.write(tree / "f", b"12")
    trees.settle()
    about = path.stat()
    known = {
        "mtime": f"{about.st_mtime_ns // 10**9}.{about.st_mtime_ns % 10**9:09}",
        "mode": f"0{about.st_mode:o}",
        "uid": str(about.st_uid),
        "gid": str(about.st_gid),
        "sha256": hashlib.sha256(b"12").hexdigest(),
    }
    headers = {f"x-amz-meta-{name}": value for name, value in (known | other).items()}
    looks = [(200, ""), (500, ""), (200, "12", headers)]
    store = scripted_store.Store(finish=GONE, HEAD=looks)

    with scripted_store.serving(store) as env:
        done = upload(tree, "s3://bucket", *IN_PARTS, "--owner", env=env)

    assert done.code == (1 if other else 0)
    assert done.summary["uploaded"] == (0 if other else 1)
    # the bucket's, one that failed, one that told; and one for each time afresh
    assert len(store.of("HEAD")) == (3 + 3 if other else 3)
    assert bool(other) == ("forgotten" in done.reason)


@pytest.mark.parametrize(
    "options, refusing",
    [(("--sync",), "PUT"), (IN_PARTS, "part"), (("--sync", *IN_PARTS), "begin")],
    ids=["looks", "begins", "looks and parts"],
)
def test_good_answers_to_questions_do_not_hide_that_no_content_is_taken(
    upload, tree, options, refusing
):
    for i in range(100):
        trees.write(tree / str(i), b"xx")
    trees.settle()

    def look(path, _):
        return (404, "") if path.count("/") > 1 else None

    store = scripted_store.Store(HEAD=look, **{refusing: (400, "")})

    with scripted_store.serving(store) as env:
        done = upload(tree, "s3://bucket", *options, "--jobs=1", env=env)

    assert done.code == 1
    assert done.events("giving_up")
    assert len(store.of(refusing)) == 30


def test_a_signal_does_not_wait_for_a_big_part_to_be_hashed(start_upload, tree):
    with open(tree / "big", "wb") as file:
        file.truncate(5 << 30)
    trees.settle()
    options = ("--multipart-threshold=5MiB", "--part-size=5GiB")

    with scripted_store.serving(scripted_store.Store()) as env:
        running = start_upload(tree, "s3://bucket", *options, env=env)
        until(lambda: reading(running, tree / "big"), "the file to be read")
        start = time.monotonic()
        assert running.stop() == 1

    assert time.monotonic() - start < 1
    assert running.summary["left"] == 1


def reading(program, path):
    for fd in pathlib.Path(f"/proc/{program.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(fd) == str(path):
                return True
    return False
