# SPDX-License-Identifier: MIT
"""blob-sender upload, read back by other clients of real S3 stores."""

import hashlib
import os
import signal
import stat
import subprocess
import threading

import pytest

from helpers import trees
from helpers.scripted_store import Store, serving
from helpers.wait import until

MIB = 1 << 20


@pytest.fixture
def tree(workspace):
    root = workspace / "tree"
    root.mkdir()
    return root


def restore(store, bucket, prefix, workspace):
    target = workspace / "restored"
    store.rclone("copy", "-M", f"x:{bucket}/{prefix}", target)
    return target


def test_a_tree_comes_back_identical(s3, upload, tree, workspace):
    trees.odd_tree(tree)
    bucket = s3.new_bucket()

    done = upload(tree, f"s3://{bucket}/some/prefix", env=s3.env)

    assert done.code == 0
    assert done.summary["uploaded"] == len(trees.describe(tree))
    restored = restore(s3, bucket, "some/prefix", workspace)
    assert trees.describe(restored) == trees.describe(tree)


def test_s3cmd_reads_the_same(s3, upload, tree, workspace):
    trees.write(tree / "a b+c", os.urandom(100_000))
    trees.settle()
    bucket = s3.new_bucket()

    assert upload(tree, f"s3://{bucket}", env=s3.env).code == 0

    target = workspace / "got"
    s3.s3cmd("get", f"s3://{bucket}/a b+c", target)
    assert target.read_bytes() == (tree / "a b+c").read_bytes()


def test_an_object_carries_time_mode_owner_and_digest(s3, upload, tree):
    path = trees.write(tree / "f", b"hello\n", 0o640, 1_577_934_245_000_000_005)
    os.chown(path, os.getuid(), os.getgid())
    trees.settle()
    bucket = s3.new_bucket()

    assert upload(tree, f"s3://{bucket}", "--owner", env=s3.env).code == 0

    info = s3.info(f"s3://{bucket}/f")
    assert info["x-amz-meta-mtime"] == "1577934245.000000005"
    assert info["x-amz-meta-mode"] == "0100640"
    assert info["x-amz-meta-uid"] == str(os.getuid())
    assert info["x-amz-meta-gid"] == str(os.getgid())
    assert info["x-amz-meta-sha256"] == (
        "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    )


def test_keys_stand_as_given_even_with_dots_and_double_slashes(ceph, upload, tree):
    trees.write(tree / "f", b"1")
    trees.settle()
    bucket = ceph.new_bucket()

    assert upload(tree, f"s3://{bucket}//a//../b/", env=ceph.env).code == 0

    listed = ceph.s3cmd("ls", "-r", f"s3://{bucket}/")
    assert f"s3://{bucket}//a//../b/f" in listed


def test_a_key_of_1024_bytes_goes_up_and_a_longer_one_is_refused_by_name(
    ceph, upload, tree
):
    path = tree
    for _ in range(4):
        path = path / ("d" * 200)
    fits = 1024 - 4 * 201
    trees.write(path / ("f" * fits), b"fits")
    trees.write(path / ("g" * (fits + 1)), b"does not")
    trees.settle()
    bucket = ceph.new_bucket()

    done = upload(tree, f"s3://{bucket}", env=ceph.env)

    assert done.code == 1
    assert (done.summary["uploaded"], done.summary["failed"]) == (1, 1)
    assert "1025 bytes" in done.summary["failures"][0]
    assert "ggg" in done.summary["failures"][0]
    assert ceph.keys(bucket) == ["/".join(["d" * 200] * 4 + ["f" * fits])]


def test_names_that_are_not_utf8_come_back_through_rclone(
    ceph, upload, tree, workspace
):
    for name in (b"latin-\xfc", b"\xff\xfe"):
        with open(os.path.join(os.fsencode(tree), name), "wb") as file:
            file.write(name)
    trees.settle()
    bucket = ceph.new_bucket()

    assert upload(tree, f"s3://{bucket}", env=ceph.env).code == 0

    assert trees.describe(restore(ceph, bucket, "", workspace)) == trees.describe(tree)


def test_big_files_go_in_parts_and_come_back(s3, upload, tree, workspace):
    trees.write(tree / "exact", os.urandom(10 * MIB))
    trees.write(tree / "odd", os.urandom(16 * MIB + 1), 0o600)
    with open(tree / "sparse", "wb") as file:
        file.truncate(21 * MIB)
    trees.settle()
    bucket = s3.new_bucket()

    done = upload(
        tree,
        f"s3://{bucket}/p",
        "--multipart-threshold=6MiB",
        "--part-size=5MiB",
        env=s3.env,
    )

    assert done.code == 0
    restored = restore(s3, bucket, "p", workspace)
    assert trees.describe(restored) == trees.describe(tree)
    assert not list((workspace / "state/blobstream").iterdir())
    assert s3.info(f"s3://{bucket}/p/odd")["x-amz-meta-sha256"] == (
        trees.describe(tree)[b"odd"][0]
    )


def test_a_300_mib_file_goes_up(ceph, upload, tree, workspace):
    with open(tree / "big", "wb") as file:
        for _ in range(300):
            file.write(os.urandom(MIB))
    trees.settle()
    bucket = ceph.new_bucket()

    assert upload(tree, f"s3://{bucket}", env=ceph.env).code == 0

    assert trees.describe(restore(ceph, bucket, "", workspace)) == trees.describe(tree)


def test_sync_sends_only_what_has_changed(s3, upload, tree):
    for name in ("same", "touched", "edited", "longer", "chmodded"):
        trees.write(tree / name, b"content", 0o644, 1_500_000_000_000_000_000)
    trees.settle()
    place = f"s3://{s3.new_bucket()}/p"
    assert upload(tree, place, env=s3.env).code == 0
    trees.write(tree / "edited", b"CONTENT")
    trees.write(tree / "longer", b"content!", 0o644, 1_500_000_000_000_000_000)
    os.utime(tree / "touched")
    (tree / "chmodded").chmod(0o600)
    trees.write(tree / "new", b"new")
    trees.settle()

    done = upload(tree, place, "--sync", env=s3.env)

    assert done.code == 0
    assert (done.summary["uploaded"], done.summary["skipped"]) == (5, 1)
    again = upload(tree, place, "--sync", env=s3.env)
    assert (again.summary["uploaded"], again.summary["skipped"]) == (0, 6)


def test_sync_by_digest_does_not_trust_times(ceph, upload, tree):
    trees.write(tree / "touched", b"content")
    trees.write(tree / "forged", b"content", 0o644, 1_500_000_000_000_000_000)
    trees.settle()
    place = f"s3://{ceph.new_bucket()}"
    assert upload(tree, place, env=ceph.env).code == 0
    os.utime(tree / "touched")
    trees.write(tree / "forged", b"CONTENT", 0o644, 1_500_000_000_000_000_000)
    trees.settle()

    done = upload(tree, place, "--sync=digest", env=ceph.env)

    assert (done.summary["uploaded"], done.summary["skipped"]) == (1, 1)


def test_a_dry_run_changes_nothing(ceph, upload, tree):
    trees.write(tree / "f", b"1")
    trees.settle()
    bucket = ceph.new_bucket()

    done = upload(tree, f"s3://{bucket}", "--dry-run", env=ceph.env)

    assert done.code == 0
    assert [e["path"] for e in done.events("would_upload")] == ["f"]
    assert f"s3://{bucket}" not in ceph.s3cmd("ls")


def test_sha256sum_checks_the_tree_with_the_manifest(ceph, upload, tree, workspace):
    trees.odd_tree(tree)
    trees.write(tree / "line\nfeed\\", b"x")
    trees.write(tree / "big", os.urandom(11 * MIB))
    trees.settle()
    place = f"s3://{ceph.new_bucket()}/p"
    options = ("--manifest", workspace / "list", "--multipart-threshold=6MiB")

    assert upload(tree, place, *options, env=ceph.env).code == 0
    first = sorted((workspace / "list").read_bytes().splitlines())
    subprocess.run(
        ["sha256sum", "-c", "--strict", "--quiet", workspace / "list"],
        cwd=tree,
        check=True,
    )
    assert upload(tree, place, "--sync", *options, env=ceph.env).code == 0

    assert sorted((workspace / "list").read_bytes().splitlines()) == first


def test_links_and_special_files_are_counted_and_left_out(ceph, upload, tree):
    trees.write(tree / "f", b"1")
    (tree / "link").symlink_to("f")
    (tree / "gone").symlink_to("nowhere")
    os.mkfifo(tree / "pipe")
    trees.settle()
    bucket = ceph.new_bucket()

    done = upload(tree, f"s3://{bucket}", env=ceph.env)

    assert done.code == 0
    assert (done.summary["links"], done.summary["special"]) == (2, 1)
    assert ceph.keys(bucket) == ["f"]


def test_followed_links_go_up_and_dangling_ones_are_reported(ceph, upload, tree):
    trees.write(tree / "d/f", b"1")
    (tree / "link").symlink_to("d/f")
    (tree / "way").symlink_to("d")
    (tree / "d/loop").symlink_to("..")
    (tree / "gone").symlink_to("nowhere")
    trees.settle()
    bucket = ceph.new_bucket()

    done = upload(tree, f"s3://{bucket}", "--follow", env=ceph.env)

    assert done.code == 1
    assert ceph.keys(bucket) == ["d/f", "link", "way/f"]
    assert any(line.startswith("gone: ") for line in done.summary["failures"])


def test_filters_choose(ceph, upload, tree):
    for name in ("a.wav", "a.tmp", "sub/b.wav", "sub/c.txt", "skip/d.wav"):
        trees.write(tree / name, b"1")
    trees.settle()
    bucket = ceph.new_bucket()

    done = upload(
        tree,
        f"s3://{bucket}",
        "--include=*.wav",
        "--include=sub/*",
        "--exclude=skip",
        env=ceph.env,
    )

    assert done.code == 0
    assert ceph.keys(bucket) == ["a.wav", "sub/b.wav", "sub/c.txt"]


def test_what_cannot_be_read_does_not_stop_the_rest(ceph, upload, tree, workspace):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    trees.write(tree / "open", b"1")
    trees.write(tree / "shut", b"2", 0)
    trees.write(tree / "dir/inside", b"3")
    (tree / "dir").chmod(0)
    (workspace / "state").mkdir(mode=0o777)
    (workspace / "state").chmod(0o777)
    trees.settle()
    bucket = ceph.new_bucket()

    done = upload(
        tree,
        f"s3://{bucket}",
        env=ceph.env,
        wrapper=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    )
    (tree / "dir").chmod(0o755)

    assert done.code == 1
    assert ceph.keys(bucket) == ["open"]
    assert sorted(line.split(":")[0] for line in done.summary["failures"]) == [
        "dir",
        "shut",
    ]


def test_jobs_are_told_or_found(ceph, upload, tree):
    for i in range(300):
        trees.write(tree / f"{i % 7}" / str(i), b"x" * 1000)
    trees.settle()
    place = f"s3://{ceph.new_bucket()}"

    one = upload(tree, place, "--jobs=1", env=ceph.env)
    many = upload(tree, place, env=ceph.env)

    assert one.code == many.code == 0
    assert (one.summary["jobs"], one.summary["jobs_reason"]) == (1, "as told")
    assert many.summary["jobs"] >= 1
    assert many.summary["uploaded"] == 300


def test_bandwidth_is_kept_to(ceph, upload, tree):
    trees.write(tree / "f", os.urandom(3 * MIB))
    trees.settle()

    done = upload(tree, f"s3://{ceph.new_bucket()}", "--bwlimit=1MiB", env=ceph.env)

    assert done.code == 0
    assert done.summary["duration_ms"] > 2000


def begun(store, bucket):
    """Multipart uploads in a bucket that need not be there yet."""
    return store.unfinished(bucket) if f"s3://{bucket}" in store.s3cmd("ls") else []


# The first part is up long before the last.
SLOWLY = ("--bwlimit=8MiB", "--jobs=2")


def test_a_signal_stops_and_the_next_run_goes_on(ceph, start_upload, upload, tree):
    with open(tree / "big", "wb") as file:
        file.write(os.urandom(60 * MIB))
    trees.settle()
    bucket = ceph.new_bucket()
    options = ("--multipart-threshold=6MiB", "--part-size=5MiB")

    first = start_upload(tree, f"s3://{bucket}", *options, *SLOWLY, env=ceph.env)
    until(lambda: begun(ceph, bucket), "an upload")
    until(lambda: parts_of(ceph, bucket, "big"), "a part")
    assert first.stop(signal.SIGTERM, timeout=30) == 1
    assert ceph.keys(bucket) == []

    again = upload(tree, f"s3://{bucket}", *options, env=ceph.env)
    assert again.code == 0
    assert again.summary["resumed_parts"] > 0
    assert ceph.unfinished(bucket) == []


def parts_of(store, bucket, key):
    for line in store.s3cmd("multipart", f"s3://{bucket}").splitlines()[2:]:
        upload_id = line.split("\t")[2]
        listed = store.s3cmd("listmp", f"s3://{bucket}/{key}", upload_id)
        return len(listed.splitlines()) - 1
    return 0


def test_a_killed_run_is_taken_up_by_the_next(
    ceph, start_upload, upload, tree, workspace
):
    with open(tree / "big", "wb") as file:
        file.write(os.urandom(60 * MIB))
    trees.settle()
    bucket = ceph.new_bucket()
    options = ("--multipart-threshold=6MiB", "--part-size=5MiB")

    first = start_upload(tree, f"s3://{bucket}", *options, *SLOWLY, env=ceph.env)
    until(lambda: begun(ceph, bucket), "an upload")
    until(lambda: parts_of(ceph, bucket, "big"), "a part")
    first.kill()
    again = upload(tree, f"s3://{bucket}", *options, env=ceph.env)

    assert again.code == 0
    assert again.summary["resumed_parts"] > 0
    assert ceph.unfinished(bucket) == []
    assert trees.describe(restore(ceph, bucket, "", workspace)) == trees.describe(tree)


def test_a_file_that_changed_since_is_not_taken_up(
    ceph, start_upload, upload, tree, workspace
):
    path = trees.write(tree / "big", os.urandom(60 * MIB))
    trees.settle()
    bucket = ceph.new_bucket()
    options = ("--multipart-threshold=6MiB", "--part-size=5MiB")

    first = start_upload(tree, f"s3://{bucket}", *options, *SLOWLY, env=ceph.env)
    until(lambda: begun(ceph, bucket), "an upload")
    until(lambda: parts_of(ceph, bucket, "big"), "a part")
    first.kill()
    trees.write(path, os.urandom(60 * MIB))
    trees.settle()
    again = upload(tree, f"s3://{bucket}", *options, env=ceph.env)

    assert again.code == 0
    assert again.summary["resumed_parts"] == 0
    assert ceph.unfinished(bucket) == []
    assert trees.describe(restore(ceph, bucket, "", workspace)) == trees.describe(tree)


def test_unfinished_uploads_can_be_cleared_away(ceph, start_upload, upload, tree):
    trees.write(tree / "big", os.urandom(60 * MIB))
    trees.settle()
    bucket = ceph.new_bucket()
    options = ("--multipart-threshold=6MiB", "--part-size=5MiB")
    first = start_upload(
        tree, f"s3://{bucket}/p", *options, "--bwlimit=10MiB", env=ceph.env
    )
    until(lambda: begun(ceph, bucket), "an upload")
    first.kill()
    other = start_upload(
        tree, f"s3://{bucket}/p2", *options, "--bwlimit=10MiB", env=ceph.env
    )
    until(lambda: len(ceph.unfinished(bucket)) == 2, "another upload")
    other.kill()

    done = upload(
        tree, f"s3://{bucket}/p", "--abort-incomplete", "--exclude=big", env=ceph.env
    )

    assert done.code == 0
    assert done.events("aborted")[0]["count"] == 1
    assert ceph.unfinished(bucket) == [f"s3://{bucket}/p2/big"]


def test_restored_modes_hold_no_surprises(ceph, upload, tree):
    trees.write(tree / "setuid", b"1", 0o4755)
    trees.settle()
    bucket = ceph.new_bucket()

    assert upload(tree, f"s3://{bucket}", env=ceph.env).code == 0

    mode = int(ceph.info(f"s3://{bucket}/setuid")["x-amz-meta-mode"], 8)
    assert mode == stat.S_IFREG | 0o4755


def described(path, **other):
    """Headers of an object that is this file, but for what is given."""
    about = path.stat()
    seconds, nanoseconds = divmod(about.st_mtime_ns, 1_000_000_000)
    known = {
        "mtime": f"{seconds}.{nanoseconds:09}",
        "mode": f"0{about.st_mode:o}",
        "uid": str(about.st_uid),
        "gid": str(about.st_gid),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    return {f"x-amz-meta-{name}": value for name, value in (known | other).items()}


@pytest.mark.parametrize(
    "options, stored, uploaded",
    [
        (("--owner",), {}, 0),
        (("--owner",), {"uid": "4294967294"}, 1),
        (("--owner",), {"gid": "4294967294"}, 1),
        (("--owner",), {"gid": "nobody"}, 1),
        ((), {"uid": "4294967294"}, 0),
    ],
)
def test_sync_with_owner_looks_at_the_owner(upload, tree, options, stored, uploaded):
    path = trees.write(tree / "f", b"1")
    trees.settle()
    there = Store(HEAD=lambda where, _: (200, "1", described(path, **stored)))

    with serving(there) as env:
        done = upload(tree, "s3://bucket", "--sync", *options, env=env)

    assert done.code == 0
    assert done.summary["uploaded"] == uploaded


def test_what_it_writes_itself_is_not_uploaded(upload, workspace):
    trees.write(workspace / "f", b"1")
    (workspace / "state/blobstream").mkdir(parents=True)
    trees.write(workspace / "state/blobstream/record", b"2")
    trees.write(workspace / "list", b"an older manifest")
    trees.settle()
    store = Store()
    options = ("--manifest", workspace / "list", "--log-file", workspace / "log")

    with serving(store) as env:
        done = upload(workspace, "s3://bucket", *options, env=env)

    assert done.code == 0
    assert [path for path, _ in store.of("PUT")] == ["/bucket/f"]
    assert (done.summary["uploaded"], done.summary["left"]) == (1, 0)
    subprocess.run(["sha256sum", "-c", "--strict", "list"], cwd=workspace, check=True)


def test_a_manifest_leaves_out_what_failed(upload, tree, workspace):
    for name in ("good", "bad"):
        trees.write(tree / name, b"1")
    trees.settle()
    refused = Store(PUT=lambda path, _: (400, "") if path.endswith("bad") else None)

    with serving(refused) as env:
        done = upload(tree, "s3://bucket", "--manifest", workspace / "list", env=env)

    assert done.code == 1
    listed = (workspace / "list").read_text()
    assert listed.endswith("  good\n") and "bad" not in listed


def test_a_run_that_ends_early_leaves_the_older_manifest(start_upload, tree, workspace):
    for i in range(50):
        trees.write(tree / str(i), b"1")
    trees.settle()
    older = trees.write(workspace / "list", b"older")
    going_on = threading.Event()
    slow = Store(PUT=lambda *_: going_on.wait(10) and None)

    with serving(slow) as env:
        running = start_upload(
            tree, "s3://bucket", "--jobs=2", "--manifest", older, env=env
        )
        until(lambda: slow.of("PUT"), "an upload")
        running.send_signal(signal.SIGTERM)
        running.wait_event("stopping")
        going_on.set()
        assert running.wait() == 1

    assert running.summary["uploaded"] > 0
    assert running.events("manifest_kept")
    assert older.read_bytes() == b"older"
    assert sorted(path.name for path in workspace.glob("*list*")) == ["list"]
    assert not (workspace / ".list.partial").exists()


def test_jobs_leave_room_for_files_in_parts(upload, tree):
    trees.write(tree / "f", b"1")
    trees.settle()

    with serving(Store()) as env:
        done = upload(tree, "s3://bucket", "--jobs=512", "--max-memory=64MiB", env=env)

    assert done.summary["jobs_reason"] == "as many as --max-memory allows"
    books = 10_000 * (32 + 80)  # of each file: a digest and a receipt for every part
    assert 1 <= done.summary["jobs"] <= (64 - 16) * MIB // (MIB + books)
