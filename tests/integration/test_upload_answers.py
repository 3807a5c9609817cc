# SPDX-License-Identifier: MIT
"""blob-sender upload and answers that no well-behaved S3 store gives."""

import contextlib
import http.server
import itertools
import os
import threading
import urllib.parse

import pytest

from helpers import trees

pytest_plugins = ("helpers.stores",)

MIB = 1 << 20
IN_PARTS = ("--multipart-threshold=6MiB", "--part-size=5MiB")
COMPLETED = "<CompleteMultipartUploadResult/>"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        stranger = "Authorization" not in self.headers
        status, body = self.server.store.answer(self.command, url.path, query, stranger)
        self.send_response(status)
        self.send_header("ETag", '"e"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do

    def log_message(self, *_):
        pass


def error(code):
    return f"<Error><Code>{code}</Code></Error>"


class Store:
    """Takes everything. `odd` maps a kind of request to what is answered instead."""

    def __init__(self, **odd):
        self.odd = odd
        self.seen = []
        self.numbers = itertools.count(1)

    def answer(self, method, path, query, stranger):
        kind, usual = self.judge(method, path, query, stranger)
        self.seen.append((kind, path, query))
        odd = self.odd.get(kind, usual)
        return (odd.pop(0) if odd else usual) if isinstance(odd, list) else odd

    def judge(self, method, path, query, stranger):
        if stranger:
            return "stranger", (403, error("AccessDenied"))
        if "policyStatus" in query:
            return "policy", (404, error("NoSuchBucketPolicy"))
        if "uploads" in query and method == "GET":
            return "uploads", (200, "<ListMultipartUploadsResult/>")
        if "uploads" in query:
            upload = f"u{next(self.numbers)}"
            root = "InitiateMultipartUploadResult"
            return "begin", (200, f"<{root}><UploadId>{upload}</UploadId></{root}>")
        if "uploadId" in query:
            kind = {"PUT": "part", "POST": "finish", "GET": "parts", "DELETE": "abort"}[method]
            usual = {"finish": COMPLETED, "parts": "<ListPartsResult/>"}
            return kind, (200, usual.get(kind, ""))
        return method, (200, "")

    def of(self, kind):
        return [(path, query) for seen, path, query in self.seen if seen == kind]


@contextlib.contextmanager
def serving(store):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.store = store
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield {
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        }
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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


def reason(done):
    return " ".join(event["message"] for event in done.events() if event["level"] == "error")


@pytest.mark.parametrize(
    "answer",
    [
        (404, error("NoSuchBucketPolicy")),
        (400, error("InvalidArgument")),
        (405, error("MethodNotAllowed")),
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
    assert "open to the public" in reason(done)
    assert allowed.code == 0
    assert len(store.of("PUT")) == 1


def test_one_bad_moment_does_not_decide_whether_a_bucket_is_public(upload, tree):
    public = "<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>"
    store = Store(policy=[(500, ""), (200, public)])

    with serving(store) as env:
        done = upload(tree, "s3://bucket", env=env)

    assert done.code == 1
    assert "open to the public" in reason(done)
    assert store.of("PUT") == []


@pytest.mark.parametrize(
    "prefix, asked, aborted",
    [
        ("/p", "p/", ["p/x"]),
        ("/p/", "p/", ["p/x"]),
        ("", "", ["p/x", "p2/x", "prod/x"]),
    ],
)
def test_only_uploads_below_the_destination_are_aborted(upload, tree, prefix, asked, aborted):
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
    assert [path for path, _ in store.of("abort")] == [f"/bucket/{key}" for key in aborted]
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
def test_an_upload_that_cannot_be_taken_up_is_begun_afresh(upload, big_tree, answer, sent):
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
    store = Store(begin=[(200, whole), (200, whole + "</InitiateMultipartUploadResult>")])

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
        names.append({query["blockid"] for _, query in store.of("PUT") if "blockid" in query})

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
    assert "somewhere" in reason(done)
    assert "hunter2" not in done.stderr
