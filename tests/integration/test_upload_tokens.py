# SPDX-License-Identifier: MIT
"""blob-sender upload with session tokens, which expire."""

import os
import time

import pytest

from helpers import trees
from helpers.scripted_store import Store, serving

MIB = 1 << 20
EXPIRED = (
    400,
    "<Error><Code>ExpiredToken</Code>"
    "<Message>The provided token has expired.</Message></Error>",
)


def session(store, seconds=900):
    output = store.server.call("session", store.server.dir, seconds)
    return store.env | dict(line.split("=", 1) for line in output.splitlines())


@pytest.fixture
def tree(workspace):
    root = workspace / "tree"
    for number in range(120):
        trees.write(root / str(number), os.urandom(50_000))
    trees.settle()
    return root


def test_a_session_that_ends_amid_a_run_ends_the_run_and_the_next_completes_it(
    ceph, start_upload, upload, tree, workspace
):
    bucket = ceph.new_bucket()
    ceph.s3cmd("mb", f"s3://{bucket}")
    short = session(ceph, seconds=3)
    began = time.monotonic()

    cut = start_upload(tree, f"s3://{bucket}", "--bwlimit=1MiB", "--jobs=2", env=short)
    cut.wait_event("uploaded")

    assert cut.wait(30) == 1
    assert time.monotonic() - began < 15
    uploaded = cut.summary["uploaded"]
    assert 0 < uploaded < 120
    assert uploaded + cut.summary["failed"] + cut.summary["left"] == 120
    assert len(ceph.keys(bucket)) == uploaded
    assert "403" in cut.events("giving_up")[0]["reason"]

    late = upload(tree, f"s3://{bucket}", "--sync", env=short)
    assert (late.code, late.summary["uploaded"]) == (1, 0)
    assert len(ceph.keys(bucket)) == uploaded

    fresh = upload(tree, f"s3://{bucket}", "--sync", env=session(ceph))
    assert (fresh.code, fresh.summary["skipped"]) == (0, uploaded)
    ceph.rclone("copy", "-M", f"x:{bucket}", workspace / "restored")
    assert trees.describe(workspace / "restored") == trees.describe(tree)


def test_an_expired_token_is_named_and_not_tried_again(upload, tree):
    good = iter(range(50))
    store = Store(PUT=lambda *_: None if next(good, None) is not None else EXPIRED)

    with serving(store) as env:
        done = upload(tree, "s3://bucket", "--jobs=4", env=env)

    assert done.code == 1
    [end] = done.events("giving_up")
    assert end["reason"].endswith("400 ExpiredToken: The provided token has expired.")
    assert done.summary["uploaded"] == 50
    assert done.summary["retries"] == 0
    assert 1 <= done.summary["failed"] <= 4
    assert len(store.of("PUT")) == 50 + done.summary["failed"]
    assert all("ExpiredToken" in line for line in done.summary["failures"])


def test_parts_under_a_token_that_expires_wait_for_the_next_run(upload, workspace):
    trees.write(workspace / "tree/big", os.urandom(12 * MIB))
    trees.settle()
    store = Store(part=[(200, ""), EXPIRED], abort=EXPIRED)
    options = ("--multipart-threshold=6MiB", "--part-size=5MiB", "--jobs=1")

    with serving(store) as env:
        cut = upload(workspace / "tree", "s3://bucket", *options, env=env)
        tried = len(store.of("part"))
        store.odd = {
            "parts": (
                200,
                "<ListPartsResult><Part><PartNumber>1</PartNumber><ETag>e</ETag>"
                f"<Size>{5 * MIB}</Size></Part></ListPartsResult>",
            )
        }
        again = upload(workspace / "tree", "s3://bucket", *options, env=env)

    assert cut.code == 1
    assert tried == 2
    assert "ExpiredToken" in cut.reason
    assert again.code == 0
    assert again.summary["resumed_parts"] == 1
    assert len(store.of("begin")) == len(store.of("finish")) == 1
