# SPDX-License-Identifier: MIT
"""blob-sender upload to Azure Blob Storage, as Azurite plays it."""

import base64
import hashlib
import os
import threading

import pytest

from helpers import trees
from helpers.forwarder import forwarding
from helpers.proxy import proxy
from helpers.wait import until

MIB = 1 << 20
IN_BLOCKS = ("--multipart-threshold=6MiB", "--part-size=5MiB")


@pytest.fixture
def tree(workspace):
    root = workspace / "tree"
    root.mkdir()
    return root


def test_a_tree_comes_back_identical(azure, upload, tree, workspace):
    trees.odd_tree(tree)
    for name in ("trailing.", "..dots..", "quote'\"\\back"):
        (tree / name).unlink()
    container = azure.new_container()

    done = upload(tree, f"az://{container}/some/prefix", env=azure.env)

    assert done.code == 0
    azure.assert_whole(container, "some/prefix", tree, workspace)


def test_names_that_azure_would_change_are_refused(azure, upload, tree):
    for name in ("dot.", "dir./f", "back\\slash", "fine"):
        trees.write(tree / name, b"1")
    trees.settle()
    container = azure.new_container()

    done = upload(tree, f"az://{container}", env=azure.env)

    assert done.code == 1
    assert (done.summary["uploaded"], done.summary["failed"]) == (1, 3)
    assert azure.rclone("lsf", "-R", f"x:{container}") == "fine\n"


@pytest.mark.parametrize("options", [(), IN_BLOCKS], ids=["whole", "in blocks"])
def test_a_blob_carries_what_is_known_of_its_file(azure, upload, tree, options):
    path = trees.write(
        tree / "f", os.urandom(6 * MIB + 1), 0o640, 1_577_934_245_123_456_789
    )
    trees.settle()
    container = azure.new_container()

    done = upload(tree, f"az://{container}", "--owner", *options, env=azure.env)

    assert done.code == 0
    about = azure.call("HEAD", f"{container}/f")
    known = {
        name: about[f"x-ms-meta-{name}"]
        for name in ("mtime", "mode", "uid", "gid", "sha256")
    }
    assert known == {
        "mtime": "2020-01-02T03:04:05.123456789Z",
        "mode": "0100640",
        "uid": str(os.getuid()),
        "gid": str(os.getgid()),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert about["Content-Type"] == "application/octet-stream"


def test_the_blocks_of_a_file_are_spread_over_the_workers(
    azure, upload, tree, workspace
):
    trees.write(tree / "odd", os.urandom(15 * MIB + 1))
    trees.settle()
    container = azure.new_container()
    together = threading.Barrier(3)

    def wait(request):
        if request.query.get("comp") == "block" and len(request.body) == 5 * MIB:
            together.wait(timeout=30)

    with forwarding(azure.endpoint, wait) as between:
        done = upload(
            tree,
            f"az://{container}",
            *IN_BLOCKS,
            "--jobs=3",
            env=azure.through(between),
        )

    assert done.code == 0
    assert len(between.of("PUT", comp="block")) == 4
    azure.assert_whole(container, "", tree, workspace)


def test_a_killed_run_is_taken_up_by_the_next(
    azure, start_upload, upload, tree, workspace
):
    trees.write(tree / "big", os.urandom(40 * MIB))
    trees.settle()
    container = azure.new_container()

    with proxy(azure.endpoint) as between:
        env = azure.env | {"BLOB_SENDER_ENDPOINT_URL": f"{between.url}/{azure.account}"}
        first = start_upload(
            tree,
            f"az://{container}",
            *IN_BLOCKS,
            "--bwlimit=10MiB",
            "--jobs=1",
            env=env,
        )
        first.wait_event("started")
        until(lambda: between.bytes_up > 11 * MIB, "two blocks")
        first.kill()
        again = upload(tree, f"az://{container}", *IN_BLOCKS, env=env)

    assert again.code == 0
    assert again.summary["resumed_parts"] > 0
    azure.assert_whole(container, "", tree, workspace)


def test_a_token_does_as_well_as_a_key(azure, upload, tree, workspace):
    trees.write(tree / "a b", b"1")
    trees.settle()
    container = azure.new_container()

    done = upload(tree, f"az://{container}", env=azure.with_token(azure.sas))

    assert done.code == 0
    assert azure.sas not in done.stderr
    azure.assert_whole(container, "", tree, workspace)


@pytest.mark.parametrize(
    "string",
    [
        "AccountName={0.account};AccountKey={0.key};BlobEndpoint={0.endpoint}",
        "BlobEndpoint={0.endpoint};SharedAccessSignature={0.sas}",
    ],
    ids=["key", "token"],
)
def test_a_connection_string_says_it_all(azure, upload, tree, string):
    trees.write(tree / "f", b"1")
    trees.settle()

    done = upload(
        tree,
        f"az://{azure.new_container()}",
        env={"AZURE_STORAGE_CONNECTION_STRING": string.format(azure)},
    )

    assert done.code == 0


def test_a_token_without_an_account_names_what_is_missing(azure, upload, tree):
    env = {"AZURE_STORAGE_SAS_TOKEN": azure.sas}

    done = upload(tree, "az://container", env=env)

    assert done.code == 2
    assert "AZURE_STORAGE_ACCOUNT" in done.stderr
    assert azure.sas not in done.stderr


def test_a_wrong_key_ends_before_the_first_file(azure, upload, tree):
    trees.write(tree / "f", b"1")
    trees.settle()
    wrong = base64.b64encode(b"wrong").decode()

    done = upload(
        tree,
        f"az://{azure.new_container()}",
        env=azure.env | {"AZURE_STORAGE_KEY": wrong},
    )

    assert done.code == 1
    assert done.summary["uploaded"] == 0
    assert "403" in done.stderr
    assert wrong not in done.stderr


def test_sync_sends_only_what_has_changed(azure, upload, tree):
    for name in ("same", "edited"):
        trees.write(tree / name, b"content", 0o644, 1_500_000_000_123_456_789)
    trees.settle()
    place = f"az://{azure.new_container()}/p"
    assert upload(tree, place, env=azure.env).code == 0
    trees.write(tree / "edited", b"CONTENT")
    trees.settle()

    done = upload(tree, place, "--sync", env=azure.env)

    assert (done.summary["uploaded"], done.summary["skipped"]) == (1, 1)


def test_connections_cut_in_the_middle_of_a_body_are_made_good(
    azure, upload, tree, workspace
):
    for i in range(10):
        trees.write(tree / str(i), os.urandom(500_000))
    trees.settle()
    container = azure.new_container()

    with proxy(azure.endpoint) as between:
        between.cuts, between.after = 4, 9000
        env = azure.env | {"BLOB_SENDER_ENDPOINT_URL": f"{between.url}/{azure.account}"}
        done = upload(tree, f"az://{container}", env=env)

    assert done.code == 0
    assert between.cuts == 0
    azure.assert_whole(container, "", tree, workspace)
