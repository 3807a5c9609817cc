# SPDX-License-Identifier: MIT
"""An S3 store in this process, which answers as a test wants it to."""

import contextlib
import http.server
import itertools
import threading
import time
import typing
import urllib.parse

COMPLETED = "<CompleteMultipartUploadResult/>"


def error(code):
    return f"<Error><Code>{code}</Code></Error>"


class Request(typing.NamedTuple):
    kind: str
    path: str
    query: dict
    time: float
    headers: dict


class Store:
    """Takes everything. `odd` maps a kind of request to what is answered instead: an
    answer, a list of answers for one request each, or a function that is called with
    path and query and may return None. An answer is (status, body[, headers]); a header
    that is None is not sent."""

    def __init__(self, **odd):
        self.odd = odd
        self.seen = []
        self.numbers = itertools.count(1)

    def answer(self, method, path, query, headers):
        stranger = "Authorization" not in headers
        kind, usual = self.judge(method, path, query, stranger)
        self.seen.append(Request(kind, path, query, time.monotonic(), headers))
        odd = self.odd.get(kind, usual)
        if callable(odd):
            return odd(path, query) or usual
        return (odd.pop(0) if odd else usual) if isinstance(odd, list) else odd

    def judge(self, method, path, query, stranger):
        if stranger:
            return "stranger", (403, error("AccessDenied"))
        if "policyStatus" in query:
            return "policy", (404, error("NoSuchBucketPolicy"))
        if "acl" in query:
            return "acl", (501, error("NotImplemented"))
        if "uploads" in query and method == "GET":
            return "uploads", (200, "<ListMultipartUploadsResult/>")
        if "uploads" in query:
            upload = f"u{next(self.numbers)}"
            root = "InitiateMultipartUploadResult"
            return "begin", (200, f"<{root}><UploadId>{upload}</UploadId></{root}>")
        if "uploadId" in query:
            kind = {"PUT": "part", "POST": "finish", "GET": "parts", "DELETE": "abort"}[
                method
            ]
            usual = {"finish": COMPLETED, "parts": "<ListPartsResult/>"}
            return kind, (200, usual.get(kind, ""))
        return method, (200, "")

    def of(self, kind):
        """(path, query) of each request of this kind."""
        return [
            (seen.path, seen.query) for seen in list(self.seen) if seen.kind == kind
        ]

    def times(self, kind, path):
        """When each request of this kind for this path came, in seconds."""
        return [seen.time for seen in list(self.seen) if seen[:2] == (kind, path)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer is one packet

    def do(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        left = int(self.headers.get("Content-Length", 0))
        while left > 0 and (block := self.rfile.read(min(left, 65536))):
            left -= len(block)
        status, body, *more = self.server.store.answer(
            self.command, url.path, query, self.headers
        )
        headers = {"Date": self.date_time_string(), "ETag": '"e"'}
        self.send_response_only(status)
        for name, value in (headers | (more[0] if more else {})).items():
            if value is not None:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def serving(store):
    """Serves it, and yields what a client finds in its environment."""
    server = Server(("127.0.0.1", 0), Handler)
    server.store = store
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
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
