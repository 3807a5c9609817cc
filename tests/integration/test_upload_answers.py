# SPDX-License-Identifier: MIT
"""blob-sender upload and answers that no well-behaved S3 store gives."""

import calendar
import email.utils
import os
import time

import pytest

from helpers import trees
from helpers.forwarder import LOSE, forwarding
from helpers.scripted_store import COMPLETED, Store, error, serving

MIB = 1 << 20
IN_PARTS = ("--multipart-threshold=6MiB", "--part-size=5MiB")


@pytest.fixture
def tree(workspace):
    root = workspace / "tree"
    trees.write(root / "f", b"1")
    trees.settle()
    return root


@pytest.fixture
def big_tree(workspace):
    root = workspace / "tree"
    trees.write(root / "big", os.urandom(12 * MIB))
    trees.settle()
    return root


@pytest.mark.parametrize(
    "answer",
    [
        (404, error("NoSuchBucketPolicy")),
        (400, error("InvalidArgument")),
        (501, error("NotImplemented")),
        (200, "<PolicyStatus><IsPublic>false</IsPublic></PolicyStatus>"),
        (200, "<ListBucketResult><Name>b</Name><Contents><Key>cut"),
    ],
    ids=lambda answer: f"{answer[0]}-{answer[1][1:12]}",
)
def test_a_store_that_does_not_know_about_policies_is_private(upload, tree, answer):
    with serving(Store(policy=answer)) as env:
        done = upload(tree, "s3://bucket", env=env)

    assert done.code == 0


@pytest.mark.parametrize(
    "answer",
    [
        (403, error("AccessDenied")),
        (404, error("NoSuchThing")),
        (404, ""),
        (405, error("MethodNotAllowed")),
        (400, error("ExpiredToken")),
        (429, ""),
        (500, error("InternalError")),
        (503, error("SlowDown")),
        (200, "<PolicyStatus><IsPublic>tr"),
        (200, "<html>hello</html>"),
        (200, "<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>"),
    ],
    ids=lambda answer: f"{answer[0]}-{answer[1][1:24]}",
)
def test_a_store_that_knows_but_does_not_tell_gets_nothing(upload, tree, answer):
    store = Store(policy=answer)

    with serving(store) as env:
        done = upload(tree, "s3://bucket", "--max-attempts=2", env=env)
        allowed = upload(tree, "s3://bucket", "--allow-public", env=env)

    assert done.code == 1
    assert "open to the public" in done.reason
    assert allowed.code == 0
    assert len(store.of("PUT")) == 1


def test_one_bad_moment_does_not_decide_whether_a_bucket_is_public(upload, tree):
    public = "<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>"
    store = Store(policy=[(500, ""), (200, public)])

    with serving(store) as env:
        done = upload(tree, "s3://bucket", env=env)

    assert done.code == 1
    assert "open to the public" in done.reason
    assert store.of("PUT") == []


@pytest.mark.parametrize(
    "prefix, asked, aborted",
    [
        ("/p", "p/", ["p/x"]),
        ("/p/", "p/", ["p/x"]),
        ("", "", ["p/x", "p2/x", "prod/x"]),
    ],
)
def test_only_uploads_below_the_destination_are_aborted(
    upload, tree, prefix, asked, aborted
):
    listed = "".join(
        f"<Upload><Key>{key}</Key><UploadId>u</UploadId></Upload>"
        for key in ("p/x", "p2/x", "prod/x")
    )
    root = "ListMultipartUploadsResult"
    store = Store(uploads=(200, f"<{root}>{listed}</{root}>"))  # whatever the prefix

    with serving(store) as env:
        done = upload(tree, f"s3://bucket{prefix}", "--abort-incomplete", env=env)

    assert done.code == 0
    assert [query["prefix"] for _, query in store.of("uploads")] == [asked]
    assert [path for path, _ in store.of("abort")] == [
        f"/bucket/{key}" for key in aborted
    ]
    assert done.events("aborted")[0]["count"] == len(aborted)


LISTED = (
    "<ListPartsResult><Part><PartNumber>1</PartNumber><ETag>old</ETag>"
    f"<Size>{5 * MIB}</Size></Part>"
)


@pytest.mark.parametrize(
    "answer, sent",
    [
        ((403, error("AccessDenied")), 3),
        ((400, error("InvalidRequest")), 3),
        ((404, error("NoSuchUpload")), 3),
        ((200, LISTED), 3),
        ((200, LISTED + "</ListPartsResult>"), 2),
    ],
    ids=["denied", "malformed request", "gone", "cut short", "listed"],
)
def test_an_upload_that_cannot_be_taken_up_is_begun_afresh(
    upload, big_tree, answer, sent
):
    store = Store(part=(500, ""), parts=answer)

    with serving(store) as env:
        first = upload(big_tree, "s3://bucket", *IN_PARTS, "--max-attempts=1", env=env)
        store.odd.pop("part")
        store.seen.clear()
        again = upload(big_tree, "s3://bucket", *IN_PARTS, "--max-attempts=2", env=env)

    assert first.code == 1
    assert again.code == 0
    assert again.summary["resumed_parts"] == 3 - sent
    assert len(store.of("part")) == sent
    name = "u2" if sent == 3 else "u1"
    assert {query["uploadId"] for _, query in store.of("part")} == {name}
    assert [query["uploadId"] for _, query in store.of("finish")] == [name]


def test_a_store_in_trouble_keeps_what_can_be_taken_up(upload, big_tree):
    store = Store(part=(500, ""), parts=(503, ""))

    with serving(store) as env:
        options = (*IN_PARTS, "--max-attempts=1")
        upload(big_tree, "s3://bucket", *options, env=env)
        store.odd.pop("part")
        troubled = upload(big_tree, "s3://bucket", *options, env=env)
        store.odd["parts"] = (200, LISTED + "</ListPartsResult>")
        again = upload(big_tree, "s3://bucket", *options, env=env)

    assert (troubled.code, again.code) == (1, 0)
    assert store.of("abort") == []
    assert again.summary["resumed_parts"] == 1


def test_an_answer_cut_short_is_asked_for_again_and_blames_no_file(upload, big_tree):
    whole = "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
    store = Store(
        begin=[(200, whole), (200, whole + "</InitiateMultipartUploadResult>")]
    )

    with serving(store) as env:
        done = upload(big_tree, "s3://bucket", *IN_PARTS, env=env)

    assert done.code == 0
    assert (done.summary["retries"], done.summary["changed"]) == (1, 0)


def test_azure_blocks_of_another_size_have_other_names(upload, big_tree):
    names = []

    for size in (5, 6):
        store = Store()
        with serving(store) as env:
            env = {
                "AZURE_STORAGE_ACCOUNT": "account",
                "AZURE_STORAGE_KEY": "a2V5",
                "BLOB_SENDER_ENDPOINT_URL": env["AWS_ENDPOINT_URL"],
            }
            options = ("--multipart-threshold=5MiB", f"--part-size={size}MiB")
            done = upload(big_tree, "az://container", *options, env=env)
        assert done.code == 0
        names.append(
            {query["blockid"] for _, query in store.of("PUT") if "blockid" in query}
        )

    assert [len(of_size) for of_size in names] == [3, 2]
    assert not names[0] & names[1]
    assert len({len(name) for name in names[0] | names[1]}) == 1  # Azure insists on it


def test_an_endpoint_s_password_is_not_repeated(upload, tree):
    done = upload(
        tree,
        "s3://bucket",
        "--endpoint-url=http://user:hunter2@somewhere",
        env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
    )

    assert done.code == 2
    assert "somewhere" in done.reason
    assert "hunter2" not in done.stderr


# --- who may read ---


def grants(group):
    uri = f"<URI>http://acs.amazonaws.com/groups/global/{group}</URI>"
    grant = f"<Grant><Grantee>{uri}</Grantee><Permission>READ</Permission></Grant>"
    return f"<AccessControlPolicy><AccessControlList>{grant}</AccessControlList></AccessControlPolicy>"


@pytest.mark.parametrize(
    "answer, code",
    [
        ((200, grants("AllUsers")), 1),
        ((200, grants("AuthenticatedUsers")), 1),
        ((200, grants("AllUsers")[:-9]), 1),
        ((500, ""), 1),
        ((200, "<AccessControlPolicy><AccessControlList/></AccessControlPolicy>"), 0),
        ((200, "<html>hello</html>"), 0),
        ((403, error("AccessDenied")), 0),
        ((501, error("NotImplemented")), 0),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bucket_that_grants_something_to_everyone_is_public(
    upload, tree, answer, code
):
    store = Store(acl=answer)

    with serving(store) as env:
        done = upload(tree, "s3://bucket", "--max-attempts=2", env=env)

    assert done.code == code
    assert ("open to the public" in done.reason) == (code == 1)
    assert len(store.of("PUT")) == 1 - code


def of_objects(*answers):
    """Tells a stranger this of objects, one after the other, and nothing of buckets."""
    left = list(answers)

    def see(path, _):
        return left.pop(0) if path.count("/") == 2 and left else None

    return see


def test_what_a_stranger_may_read_once_it_is_there_ends_the_run(upload, workspace):
    for i in range(20):
        trees.write(workspace / "tree" / str(i), b"1")
    trees.settle()
    store = Store(stranger=of_objects((200, "")))

    with serving(store) as env:
        done = upload(workspace / "tree", "s3://bucket", "--jobs=1", env=env)
        allowed = upload(workspace / "tree", "s3://bucket", "--allow-public", env=env)

    assert done.code == 1
    assert "open to the public" in done.reason
    last = store.of("stranger")[-1][0].rpartition("/")[2]
    assert f"anyone can read '{last}'" in done.reason
    assert done.summary["uploaded"] == 1
    assert allowed.code == 0


@pytest.mark.parametrize(
    "answers, code, said",
    [
        ([(500, ""), (200, "")], 1, "anyone can read"),
        ([(500, ""), (503, "")], 1, "cannot tell whether bucket 'bucket' is open"),
        ([(500, ""), (403, "")], 0, ""),
    ],
    ids=["public", "not to be told", "private"],
)
def test_the_only_object_is_looked_at_until_it_can_be_told(
    upload, tree, answers, code, said
):
    store = Store(stranger=of_objects(*answers))

    with serving(store) as env:
        done = upload(tree, "s3://bucket", "--max-attempts=2", env=env)

    assert done.code == code
    assert said in done.reason
    assert sum(path == "/bucket/f" for path, _ in store.of("stranger")) == 2


# --- lists ---


def listed(*keys, encoded=False, truncated=False):
    uploads = "".join(
        f"<Upload><Key>{key}</Key><UploadId>u</UploadId></Upload>" for key in keys
    )
    more = "<EncodingType>url</EncodingType>" if encoded else ""
    more += f"<IsTruncated>{str(truncated).lower()}</IsTruncated>"
    root = "ListMultipartUploadsResult"
    return 200, f"<{root}>{uploads}{more}</{root}>"


@pytest.mark.parametrize("period", [1, 2, 7])
def test_a_list_of_uploads_that_goes_in_circles_is_an_error(upload, tree, period):
    store = Store()
    store.odd["uploads"] = lambda *_: listed(
        f"k{len(store.of('uploads')) % period}", truncated=True
    )

    with serving(store) as env:
        done = upload(tree, "s3://bucket", "--abort-incomplete", env=env)

    assert done.code == 1
    assert "has no end" in done.reason
    assert len(store.of("uploads")) <= 3 * period
    assert store.of("PUT") == []


def test_a_list_of_uploads_goes_on_after_the_last_one(upload, tree):
    pages = [listed("a", "b%2B", encoded=True, truncated=True), listed("c")]
    store = Store(uploads=pages)

    with serving(store) as env:
        done = upload(tree, "s3://bucket", "--abort-incomplete", env=env)

    assert done.code == 0
    assert [path for path, _ in store.of("abort")] == [
        "/bucket/a",
        "/bucket/b%2B",
        "/bucket/c",
    ]
    second = store.of("uploads")[1][1]
    assert (second["key-marker"], second["upload-id-marker"]) == ("b+", "u")


@pytest.mark.parametrize("encoded", [True, False])
def test_keys_are_decoded_where_the_list_says_so(upload, tree, encoded):
    store = Store(uploads=listed("a%01b+c%2Bd", encoded=encoded))

    with serving(store) as env:
        done = upload(tree, "s3://bucket", "--abort-incomplete", env=env)

    assert done.code == 0
    assert store.of("uploads")[0][1]["encoding-type"] == "url"
    [(path, _)] = store.of("abort")
    assert path == f"/bucket/{'a%01b%20c%2Bd' if encoded else 'a%2501b%2Bc%252Bd'}"


@pytest.mark.parametrize("after", ["0", "1", "10001", "x"])
def test_a_list_of_parts_without_end_is_no_list(upload, big_tree, after):
    part = (
        f"<Part><PartNumber>1</PartNumber><ETag>old</ETag><Size>{5 * MIB}</Size></Part>"
    )
    more = f"<NextPartNumberMarker>{after}</NextPartNumberMarker>"
    page = f"{part}{more}<IsTruncated>true</IsTruncated>"
    store = Store(
        part=(500, ""), parts=(200, f"<ListPartsResult>{page}</ListPartsResult>")
    )

    with serving(store) as env:
        upload(big_tree, "s3://bucket", *IN_PARTS, "--max-attempts=1", env=env)
        store.odd.pop("part")
        again = upload(big_tree, "s3://bucket", *IN_PARTS, env=env)

    assert again.code == 0
    assert again.summary["resumed_parts"] == 0
    assert len(store.of("parts")) <= 2


# --- errors ---


def test_what_a_store_cannot_do_is_not_asked_for_again(upload, tree):
    store = Store(PUT=(501, error("NotImplemented")))

    with serving(store) as env:
        done = upload(tree, "s3://bucket", env=env)

    assert done.code == 1
    assert "501 NotImplemented" in done.reason
    assert len(store.of("PUT")) == 1


@pytest.mark.parametrize("etag", [None, ""])
def test_a_part_without_an_etag_is_sent_again(upload, big_tree, etag):
    store = Store(part=[(200, "", {"ETag": etag})])

    with serving(store) as env:
        done = upload(big_tree, "s3://bucket", *IN_PARTS, env=env)

    assert done.code == 0
    assert done.summary["retries"] == 1
    assert len(store.of("part")) == 4


@pytest.mark.parametrize(
    "answer, sent",
    [
        (f" \r\n<?xml version='1.0'?>{COMPLETED}", 1),
        (error("InternalError"), 2),
        (COMPLETED[:-2], 2),
        (error("EntityTooSmall"), 1),
    ],
    ids=["kept waiting", "internal", "cut short", "for good"],
)
def test_an_upload_is_finished_when_the_document_says_so(
    upload, big_tree, answer, sent
):
    store = Store(finish=[(200, answer)])

    with serving(store) as env:
        done = upload(big_tree, "s3://bucket", *IN_PARTS, env=env)

    assert done.code == ("EntityTooSmall" in answer)
    assert len(store.of("finish")) == sent
    assert ("EntityTooSmall" in done.reason) == ("EntityTooSmall" in answer)


@pytest.mark.parametrize("code", ["BadDigest", "XAmzContentSHA256Mismatch"])
def test_a_list_of_parts_damaged_on_its_way_blames_no_file(upload, big_tree, code):
    store = Store(finish=[(400, error(code))])

    with serving(store) as env:
        done = upload(big_tree, "s3://bucket", *IN_PARTS, env=env)

    assert (done.code, done.summary["changed"]) == (0, 0)
    assert len(store.of("finish")) == 2
    assert store.of("abort") == []


NOT_THE_STORE_S = (404, "<html>no such host</html>")


@pytest.mark.parametrize("kind", ["begin", "part", "parts", "finish", "abort"])
def test_a_404_that_is_not_the_store_s_says_nothing(upload, big_tree, kind):
    store = Store(part=(500, ""), parts=[(200, LISTED + "</ListPartsResult>")])

    with serving(store) as env:
        upload(big_tree, "s3://bucket", *IN_PARTS, "--max-attempts=1", env=env)
        store.odd["part"] = []
        store.odd.setdefault(kind, []).insert(0, NOT_THE_STORE_S)
        if kind in ("begin", "abort"):  # nothing to be taken up
            trees.write(big_tree / "big", os.urandom(12 * MIB))
            trees.settle()
        again = upload(big_tree, "s3://bucket", *IN_PARTS, env=env)

    assert (again.code, again.summary["retries"]) == (0, 1)
    if kind in ("part", "parts", "finish"):
        assert again.summary["resumed_parts"] == 1
        assert store.of("abort") == []


@pytest.mark.parametrize(
    "kind, answer",
    [
        ("part", (404, error("NoSuchUpload"))),
        ("finish", (404, error("NoSuchUpload"))),
        ("finish", (400, error("InvalidPart"))),
        ("finish", (200, error("InvalidPart"))),
    ],
    ids=lambda value: value
    if isinstance(value, str)
    else f"{value[0]}{value[1][7:24]}",
)
def test_what_the_store_has_lost_of_an_upload_is_sent_again(
    upload, big_tree, kind, answer
):
    store = Store(**{kind: [answer]})

    with serving(store) as env:
        done = upload(big_tree, "s3://bucket", *IN_PARTS, "--jobs=1", env=env)

    assert (done.code, done.summary["uploaded"]) == (0, 1)
    assert len(store.of("begin")) == 2
    assert [query["uploadId"] for _, query in store.of("finish")][-1] == "u2"


def test_the_size_of_parts_is_as_told_whatever_an_earlier_run_s_was(upload, big_tree):
    store = Store(part=(500, ""))

    with serving(store) as env:
        upload(big_tree, "s3://bucket", *IN_PARTS, "--max-attempts=1", env=env)
        store.odd.pop("part")
        store.seen.clear()
        options = (IN_PARTS[0], "--part-size=6MiB")
        again = upload(big_tree, "s3://bucket", *options, env=env)

    assert again.code == 0
    assert len(store.of("part")) == 2
    assert [query["uploadId"] for _, query in store.of("abort")] == ["u1"]


def test_lost_answers_cost_a_second_request_and_nothing_else(s3, upload, workspace):
    trees.write(workspace / "tree/small", os.urandom(1000))
    trees.write(workspace / "tree/big", os.urandom(12 * MIB))
    trees.settle()
    bucket = s3.new_bucket()
    s3.s3cmd("mb", f"s3://{bucket}")
    lost = set()

    def lose_the_first(request):
        finishes = request.method == "POST" and "uploadId" in request.query
        if request.target in lost or not (request.method == "PUT" or finishes):
            return None
        lost.add(request.target)
        return LOSE

    with forwarding(s3.endpoint, lose_the_first) as between:
        env = s3.env | {"AWS_ENDPOINT_URL": between.url}
        done = upload(workspace / "tree", f"s3://{bucket}", *IN_PARTS, env=env)

    assert done.code == 0
    assert len(lost) == 5  # a file, three parts, the end of a file
    s3.rclone("copy", "-M", f"x:{bucket}", workspace / "restored")
    assert trees.describe(workspace / "restored") == trees.describe(workspace / "tree")


@pytest.mark.parametrize("code", ["QuotaExceeded", "UserSuspended"])
def test_what_has_arrived_when_the_store_takes_no_more_is_for_the_next_run(
    upload, big_tree, code
):
    store = Store(part=[(200, ""), (403, error(code))])
    options = (*IN_PARTS, "--jobs=1")

    with serving(store) as env:
        full = upload(big_tree, "s3://bucket", *options, env=env)
        store.odd["parts"] = (200, LISTED + "</ListPartsResult>")
        again = upload(big_tree, "s3://bucket", *options, env=env)

    assert full.code == 1
    assert code in full.reason
    assert store.of("abort") == []
    assert again.code == 0
    assert again.summary["resumed_parts"] == 1
    assert len(store.of("begin")) == 1


def test_amazon_s_own_retry_after_counts_milliseconds(upload, tree):
    store = Store(PUT=[(503, error("SlowDown"), {"x-amz-retry-after": "1200"})])

    with serving(store) as env:
        done = upload(tree, "s3://bucket", env=env)

    assert done.code == 0
    first, second = store.times("PUT", "/bucket/f")
    assert 1.2 <= second - first < 3


class Elsewhen(Store):
    """Its clock is off by so many seconds, and it insists on its own."""

    def __init__(self, offset):
        super().__init__()
        self.offset = offset

    def answer(self, method, path, query, headers):
        status, body, *_ = super().answer(method, path, query, headers)
        now = time.time() + self.offset
        said = headers.get("x-amz-date", "20000101T000000Z")
        said = calendar.timegm(time.strptime(said, "%Y%m%dT%H%M%SZ"))
        if "Authorization" in headers and abs(now - said) > 900:
            status, body = 403, error("RequestTimeTooSkewed")
        return status, body, {"Date": email.utils.formatdate(now, usegmt=True)}


@pytest.mark.parametrize("offset", [3600, -86400 * 400])
def test_where_clocks_differ_the_store_s_is_followed(upload, tree, offset):
    store = Elsewhen(offset)

    with serving(store) as env:
        done = upload(tree, "s3://bucket", env=env)

    assert done.code == 0
    assert done.summary["retries"] == 1
    [warning] = done.events("clock")
    assert abs(warning["behind_ms"] / 1000 - offset) < 5
    assert warning["level"] == "warn"


# --- regions ---


class Regional(Store):
    """A store of that region, which says so in a header or in the body."""

    def __init__(self, region, in_header):
        super().__init__()
        self.region, self.in_header = region, in_header

    def answer(self, method, path, query, headers):
        usual = super().answer(method, path, query, headers)
        signed = headers.get("Authorization", f"/{self.region}/")
        if f"/{self.region}/" in signed:
            return usual
        if self.in_header:
            return 400, "", {"x-amz-bucket-region": self.region}
        code = "<Code>AuthorizationHeaderMalformed</Code>"
        return 400, f"<Error>{code}<Region>{self.region}</Region></Error>"


@pytest.mark.parametrize("in_header", [True, False])
def test_a_bucket_of_another_region_is_found(upload, tree, in_header):
    store = Regional("eu-north-7", in_header)

    with serving(store) as env:
        done = upload(tree, "s3://bucket", env=env)

    assert done.code == 0
    assert len(store.of("PUT")) == 1


def test_a_bucket_that_is_not_at_this_endpoint_is_refused_with_its_region(upload, tree):
    moved = (301, error("PermanentRedirect"), {"x-amz-bucket-region": "eu-north-7"})
    store = Store(HEAD=moved, GET=moved)

    with serving(store) as env:
        done = upload(tree, "s3://bucket", env=env)

    assert done.code == 1
    assert "301 PermanentRedirect, region eu-north-7" in done.reason
    assert len(store.seen) == 4


def test_no_host_is_made_of_what_is_no_region(upload, tree):
    away = (301, error("PermanentRedirect"), {"x-amz-bucket-region": "evil.example/"})
    store = Store(HEAD=away, GET=away)

    with serving(store) as env:
        done = upload(tree, "s3://bucket", env=env)

    assert done.code == 1
    assert "evil" not in done.stderr
    assert len(store.seen) == 2
