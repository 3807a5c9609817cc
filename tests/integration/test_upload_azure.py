# SPDX-License-Identifier: MIT
"""blob-sender upload to Azure Blob Storage, as Azurite plays it."""

import base64
import datetime
import hashlib
import hmac
import os
import urllib.parse

import pytest

from helpers import stores, trees
from helpers.proxy import proxy
from helpers.wait import until

pytest_plugins = ("helpers.stores",)

MIB = 1 << 20


class Azure:
    def __init__(self, server):
        self.account = server.env["AZURE_STORAGE_ACCOUNT"]
        self.key = server.env["AZURE_STORAGE_KEY"]
        self.endpoint = server.env["AZURE_ENDPOINT"]
        self.env = {
            "AZURE_STORAGE_ACCOUNT": self.account,
            "AZURE_STORAGE_KEY": self.key,
            "BLOB_SENDER_ENDPOINT_URL": self.endpoint,
        }
        self.sas = self.token()

    def token(self):
        """An account SAS, put together independently of the code under test."""
        until_ = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)
        fields = {
            "sp": "rwdlac",
            "ss": "b",
            "srt": "sco",
            "se": until_.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sv": "2019-12-12",
        }
        text = "\n".join(
            [self.account, fields["sp"], fields["ss"], fields["srt"], "", fields["se"]]
            + ["", "", fields["sv"], ""]
        )
        mac = hmac.new(base64.b64decode(self.key), text.encode(), hashlib.sha256).digest()
        return urllib.parse.urlencode(fields | {"sig": base64.b64encode(mac).decode()})

    def new_container(self):
        return f"container-{os.getpid()}-{next(stores.numbers)}"

    def rclone(self, *arguments, check=True):
        settings = {"TYPE": "azureblob", "SAS_URL": f"{self.endpoint}?{self.sas}"}
        return stores.run_rclone(settings, *arguments, check=check)


@pytest.fixture(scope="session")
def azure(azurite_server):
    return Azure(azurite_server)


@pytest.fixture
def tree(workspace):
    root = workspace / "tree"
    root.mkdir()
    return root


def assert_whole(azure, container, prefix, tree, workspace):
    target = workspace / "restored"
    azure.rclone("copy", f"x:{container}/{prefix}", target)
    contents = {path: about[0] for path, about in trees.describe(tree).items()}
    times = {path: about[2] for path, about in trees.describe(tree).items()}
    restored = trees.describe(target)
    assert {path: about[0] for path, about in restored.items()} == contents
    assert {path: about[2] for path, about in restored.items()} == times


def test_a_tree_comes_back_identical(azure, upload, tree, workspace):
    trees.odd_tree(tree)
    for name in ("trailing.", "..dots..", "quote'\"\\back"):
        (tree / name).unlink()
    container = azure.new_container()

    done = upload(tree, f"az://{container}/some/prefix", env=azure.env)

    assert done.code == 0
    assert_whole(azure, container, "some/prefix", tree, workspace)


def test_names_that_azure_would_change_are_refused(azure, upload, tree):
    for name in ("dot.", "dir./f", "back\\slash", "fine"):
        trees.write(tree / name, b"1")
    trees.settle()
    container = azure.new_container()

    done = upload(tree, f"az://{container}", env=azure.env)

    assert done.code == 1
    assert (done.summary["uploaded"], done.summary["failed"]) == (1, 3)
    assert azure.rclone("lsf", "-R", f"x:{container}") == "fine\n"


def test_big_files_go_in_blocks(azure, upload, tree, workspace):
    trees.write(tree / "odd", os.urandom(16 * MIB + 1))
    trees.settle()
    container = azure.new_container()

    done = upload(
        tree, f"az://{container}", "--multipart-threshold=6MiB", "--part-size=5MiB",
        env=azure.env,
    )

    assert done.code == 0
    assert_whole(azure, container, "", tree, workspace)


def test_a_killed_run_is_taken_up_by_the_next(azure, start_upload, upload, tree, workspace):
    trees.write(tree / "big", os.urandom(40 * MIB))
    trees.settle()
    container = azure.new_container()
    options = ("--multipart-threshold=6MiB", "--part-size=5MiB")

    with proxy(azure.endpoint) as between:
        env = azure.env | {"BLOB_SENDER_ENDPOINT_URL": f"{between.url}/{azure.account}"}
        first = start_upload(
            tree, f"az://{container}", *options, "--bwlimit=10MiB", "--jobs=1", env=env
        )
        first.wait_event("started")
        until(lambda: between.bytes_up > 11 * MIB, "two blocks")
        first.kill()
        again = upload(tree, f"az://{container}", *options, env=env)

    assert again.code == 0
    assert again.summary["resumed_parts"] > 0
    assert_whole(azure, container, "", tree, workspace)


def test_a_token_does_as_well_as_a_key(azure, upload, tree, workspace):
    trees.write(tree / "a b", b"1")
    trees.settle()
    container = azure.new_container()
    env = {k: v for k, v in azure.env.items() if k != "AZURE_STORAGE_KEY"}

    done = upload(
        tree, f"az://{container}", env=env | {"AZURE_STORAGE_SAS_TOKEN": azure.sas}
    )

    assert done.code == 0
    assert azure.sas not in done.stderr
    assert_whole(azure, container, "", tree, workspace)


def test_a_connection_string_says_it_all(azure, upload, tree):
    trees.write(tree / "f", b"1")
    trees.settle()
    string = (
        f"AccountName={azure.account};AccountKey={azure.key};BlobEndpoint={azure.endpoint}"
    )

    done = upload(
        tree,
        f"az://{azure.new_container()}",
        env={"AZURE_STORAGE_CONNECTION_STRING": string},
    )

    assert done.code == 0


def test_a_wrong_key_ends_before_the_first_file(azure, upload, tree):
    trees.write(tree / "f", b"1")
    trees.settle()
    wrong = base64.b64encode(b"wrong").decode()

    done = upload(
        tree, f"az://{azure.new_container()}", env=azure.env | {"AZURE_STORAGE_KEY": wrong}
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
    assert_whole(azure, container, "", tree, workspace)


def test_a_file_that_changes_while_it_is_sent_is_never_stored_torn(
    azure, start_upload, tree, workspace
):
    path = trees.write(tree / "f", b"\1" * (4 * MIB))
    trees.settle()
    container = azure.new_container()

    running = start_upload(tree, f"az://{container}", "--bwlimit=2MiB", env=azure.env)
    running.wait_event("started")
    until(lambda: True, "a moment")
    trees.write(path, b"\2" * (4 * MIB))

    assert running.wait(60) == 0
    assert_whole(azure, container, "", tree, workspace)
