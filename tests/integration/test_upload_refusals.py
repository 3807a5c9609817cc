# SPDX-License-Identifier: MIT
"""What blob-sender upload refuses, and what a store refuses it: bounded and by name."""

import json
import os
import re

import pytest

from helpers import programs, stores, trees
from helpers.forwarder import forwarding
from helpers.tools import need


@pytest.fixture
def tree(workspace):
    root = workspace / "tree"
    for i in range(20):
        trees.write(root / f"f{i}", b"x" * 1000)
    trees.settle()
    return root


@pytest.mark.parametrize(
    "arguments, culprit",
    [
        ((), "two operands"),
        (("dir",), "two operands"),
        (("dir", "s3://b", "more"), "two operands"),
        (("dir", "gs://b"), "gs://b"),
        (("dir", "s3://"), "bucket"),
        (("dir", "s3://b", "--jobs=0"), "--jobs"),
        (("dir", "s3://b", "--jobs=many"), "--jobs"),
        (("dir", "s3://b", "--part-size=1MiB"), "--part-size"),
        (("dir", "s3://b", "--sync=maybe"), "--sync"),
        (("dir", "s3://b", "--dry-run", "--manifest=m"), "--dry-run"),
        (("dir", "s3://b", "--multipart-threshold=6GiB"), "--multipart-threshold"),
    ],
)
def test_nonsense_is_refused_by_name(arguments, culprit):
    done = programs.run(programs.SENDER, "upload", *arguments)

    assert done.returncode == 2
    assert culprit in done.stderr


def test_without_credentials_nothing_starts(upload, tree):
    done = upload(tree, "s3://some-bucket", "--endpoint-url=http://127.0.0.1:1")

    assert done.code == 2
    assert "AWS_ACCESS_KEY_ID" in done.reason


def test_a_bad_endpoint_is_refused(ceph, upload, tree):
    done = upload(tree, "s3://some-bucket", "--endpoint-url=nowhere", env=ceph.env)

    assert done.code == 2
    assert "nowhere" in done.reason


def test_a_directory_that_is_not_there_is_named(ceph, upload, workspace):
    done = upload(workspace / "gone", f"s3://{ceph.new_bucket()}", env=ceph.env)

    assert done.code == 1
    assert str(workspace / "gone") in done.reason


def test_a_wrong_secret_ends_before_the_first_file(s3, upload, tree):
    bucket = s3.new_bucket()
    s3.s3cmd("mb", f"s3://{bucket}")

    done = upload(
        tree, f"s3://{bucket}", env=s3.env | {"AWS_SECRET_ACCESS_KEY": "not-the-secret"}
    )

    assert done.code == 1
    assert re.search("SignatureDoesNotMatch|AccessDenied", done.reason)
    assert "not-the-secret" not in done.stderr
    assert s3.keys(bucket) == []


def test_keys_come_from_a_profile(ceph, upload, tree, workspace):
    (workspace / ".aws").mkdir()
    (workspace / ".aws/credentials").write_text(
        f"[lab]\naws_access_key_id = {ceph.env['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {ceph.env['AWS_SECRET_ACCESS_KEY']}\n"
    )
    (workspace / ".aws/config").write_text(
        f"[profile lab]\nregion = us-east-1\nendpoint_url = {ceph.endpoint}\n"
    )
    bucket = ceph.new_bucket()

    done = upload(tree, f"s3://{bucket}", "--profile=lab")

    assert done.code == 0
    assert len(ceph.keys(bucket)) == 20


def test_session_tokens_work_and_spoiled_ones_do_not(ceph, upload, tree):
    output = ceph.server.call("session", ceph.server.dir)
    session = dict(line.split("=", 1) for line in output.splitlines())
    bucket = ceph.new_bucket()
    ceph.s3cmd("mb", f"s3://{bucket}")

    good = upload(tree, f"s3://{bucket}", env=ceph.env | session)
    bad = upload(
        tree,
        f"s3://{bucket}",
        env=ceph.env
        | session
        | {"AWS_SESSION_TOKEN": session["AWS_SESSION_TOKEN"][:-8]},
    )

    assert good.code == 0
    assert bad.code == 1
    assert bad.summary["uploaded"] == 0
    assert "403" in bad.reason or "400" in bad.reason


def test_tls_is_verified(ceph, upload, tree):
    place = f"s3://{ceph.new_bucket()}"
    env = ceph.env | {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{ceph.server.port + 1}"}

    trusted = upload(tree, place, "--ca-file", ceph.server.dir / "tls.crt", env=env)
    unknown = upload(tree, place, env=env)

    assert trusted.code == 0
    assert unknown.code == 1
    assert "certificate" in unknown.reason


def test_a_bucket_of_someone_else_is_refused(ceph, upload, tree):
    ceph.server.call(
        "admin",
        ceph.server.dir,
        "user",
        "create",
        "--uid=other",
        "--display-name=other",
        "--access-key=OTHERKEY000000000001",
        "--secret-key=othersecret",
    )
    bucket = ceph.new_bucket()
    ceph.s3cmd("mb", f"s3://{bucket}")

    done = upload(
        tree,
        f"s3://{bucket}",
        env=ceph.env
        | {
            "AWS_ACCESS_KEY_ID": "OTHERKEY000000000001",
            "AWS_SECRET_ACCESS_KEY": "othersecret",
        },
    )

    assert done.code == 1
    assert "AccessDenied" in done.reason


def test_a_public_bucket_is_refused_unless_allowed(ceph, upload, tree):
    bucket = ceph.new_bucket()
    ceph.s3cmd("mb", "--acl-public", f"s3://{bucket}")

    refused = upload(tree, f"s3://{bucket}", env=ceph.env)
    assert refused.code == 1
    assert "public" in refused.reason
    assert ceph.keys(bucket) == []

    assert upload(tree, f"s3://{bucket}", "--allow-public", env=ceph.env).code == 0
    assert len(ceph.keys(bucket)) == 20


def allow(ceph, bucket, workspace, who, actions, **more):
    """Lets others do something in the bucket."""
    statement = {
        "Effect": "Allow",
        "Principal": who,
        "Action": [f"s3:{action}" for action in actions],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement | more]}
    (workspace / "policy").write_text(json.dumps(policy))
    ceph.s3cmd("setpolicy", workspace / "policy", f"s3://{bucket}")


def test_objects_that_anyone_may_read_make_a_bucket_public(
    ceph, upload, tree, workspace
):
    bucket = ceph.new_bucket()
    ceph.s3cmd("mb", f"s3://{bucket}")
    allow(ceph, bucket, workspace, "*", ["GetObject"])

    done = upload(tree, f"s3://{bucket}", env=ceph.env)

    assert done.code == 1
    assert "public" in done.reason
    assert ceph.keys(bucket) == []


def test_what_a_store_holds_for_private_is_not_if_a_stranger_can_read_it(
    ceph, upload, tree, workspace
):
    bucket = ceph.new_bucket()
    ceph.s3cmd("mb", f"s3://{bucket}")
    from_here = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    allow(ceph, bucket, workspace, "*", ["GetObject"], Condition=from_here)

    done = upload(tree, f"s3://{bucket}", "--jobs=1", env=ceph.env)

    assert done.code == 1
    [key] = ceph.keys(bucket)
    assert f"anyone can read '{key}'" in done.reason


def test_keys_that_may_only_write_are_enough_to_write(ceph, upload, tree, workspace):
    key = "WRITERKEY00000000001"
    ceph.server.call(
        "admin",
        ceph.server.dir,
        *("user", "create", "--uid=writer", "--display-name=writer"),
        *(f"--access-key={key}", "--secret-key=writersecret"),
    )
    env = ceph.env | {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "writersecret"}
    trees.write(tree / "big", os.urandom(12 << 20))
    trees.settle()
    bucket = ceph.new_bucket()
    ceph.s3cmd("mb", f"s3://{bucket}")
    writer = {"AWS": ["arn:aws:iam:::user/writer"]}
    allow(ceph, bucket, workspace, writer, ["PutObject"])
    options = ("--multipart-threshold=6MiB", "--part-size=5MiB")

    refused = upload(tree, f"s3://{bucket}", *options, env=env)
    told = upload(tree, f"s3://{bucket}", *options, "--allow-public", env=env)

    assert refused.code == 1
    assert "s3:GetBucketPolicyStatus" in refused.reason
    assert refused.summary["uploaded"] == 0
    assert told.code == 0
    assert len(ceph.keys(bucket)) == 21


def test_a_bucket_s_name_can_go_into_the_host_s(ceph, upload, tree):
    bucket = ceph.new_bucket()
    place = f"http://localhost:{ceph.server.port}"  # and bucket.localhost: loopback

    done = upload(
        tree,
        f"s3://{bucket}",
        "--addressing-style=virtual",
        env=ceph.env | {"AWS_ENDPOINT_URL": place},
    )
    nameless = upload(tree, "s3://No_Label", "--addressing-style=virtual", env=ceph.env)

    assert done.code == 0
    assert done.events("started")[0]["store"] == place.replace("//", f"//{bucket}.")
    assert len(ceph.keys(bucket)) == 20
    assert nameless.code == 2
    assert "No_Label" in nameless.reason


def no_part(request):
    return (500, {}) if "partNumber" in request.query else None


def test_names_that_xml_cannot_carry_go_in_parts_and_are_aborted(
    ceph, upload, workspace
):
    trees.write(workspace / "tree/a\x01b&#1; +%", os.urandom(12 << 20))
    trees.settle()
    bucket = ceph.new_bucket()
    options = ("--multipart-threshold=6MiB", "--part-size=5MiB", "--max-attempts=2")
    place = f"s3://{bucket}"

    whole = upload(workspace / "tree", place, *options, env=ceph.env)
    assert whole.code == 0
    assert whole.summary["uploaded"] == 1

    with forwarding(ceph.endpoint, no_part) as between:
        env = ceph.env | {"AWS_ENDPOINT_URL": between.url}
        upload(workspace / "tree", place, *options, env=env)
    swept = upload(
        workspace / "tree",
        place,
        *options,
        "--abort-incomplete",
        "--sync",
        env=ceph.env,
    )
    assert swept.events("aborted")[0]["count"] == 1
    assert swept.code == 0


def test_a_made_bucket_is_private(s3, upload, tree):
    bucket = s3.new_bucket()

    assert upload(tree, f"s3://{bucket}", env=s3.env).code == 0

    stranger = stores.run_rclone(
        {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ENDPOINT": s3.endpoint,
            "REGION": "us-east-1",
        },
        "lsf",
        f"x:{bucket}",
        check=False,
    )
    assert stranger == ""


def test_a_full_quota_ends_the_run_and_names_it(ceph, upload, tree):
    bucket = ceph.new_bucket()
    ceph.s3cmd("mb", f"s3://{bucket}")
    quota = ("--quota-scope=bucket", f"--bucket={bucket}", "--uid=test")
    ceph.server.call(
        "admin", ceph.server.dir, "quota", "set", "--max-objects=5", *quota
    )
    ceph.server.call("admin", ceph.server.dir, "quota", "enable", *quota)

    done = upload(tree, f"s3://{bucket}", "--jobs=1", env=ceph.env)

    assert done.code == 1
    assert "QuotaExceeded" in done.reason
    assert (
        done.summary["uploaded"] + done.summary["failed"] + done.summary["left"] == 20
    )
    assert len(ceph.keys(bucket)) == done.summary["uploaded"]
    assert all("QuotaExceeded" in line for line in done.summary["failures"])
    ceph.server.call("admin", ceph.server.dir, "quota", "disable", *quota)
    again = upload(tree, f"s3://{bucket}", "--sync", env=ceph.env)
    assert (again.code, len(ceph.keys(bucket))) == (0, 20)


def test_nobody_listening_is_given_up_on(upload, tree):
    port = stores.free_ports(1)

    done = upload(
        tree,
        "s3://some-bucket",
        f"--endpoint-url=http://127.0.0.1:{port}",
        "--max-attempts=3",
        env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
    )

    assert done.code == 1
    assert "cannot connect" in done.reason


def test_slow_down_is_obeyed_and_everything_arrives(workspace, upload):
    need("radosgw", "ceph-mon", "ceph-osd")
    server = stores.Server("ceph-rgw.sh", RGW_MAX_REQ="2")
    try:
        store = stores.S3("throttled", server)
        for i in range(300):
            trees.write(workspace / "many" / str(i), os.urandom(16384))
        trees.settle()
        bucket = store.new_bucket()

        done = upload(workspace / "many", f"s3://{bucket}", env=store.env)

        assert done.code == 0
        assert done.summary["throttled"] > 0
        assert done.summary["jobs"] <= 4
        assert "asked for less" in done.summary["jobs_reason"]
        assert len(store.keys(bucket)) == 300
    finally:
        server.stop()
