# SPDX-License-Identifier: MIT
"""An HTTP proxy before a real store, with which a test meddles request by request."""

import contextlib
import http.client
import http.server
import threading
import urllib.parse

LOSE = object()  # let the request through, and nothing of the answer back


class Request:
    """One request on its way; `answered` is the store's status, None if it had none."""

    def __init__(self, handler):
        self.method = handler.command
        self.target = handler.path
        url = urllib.parse.urlsplit(handler.path)
        self.path = url.path
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.headers = handler.headers
        self.body = b""
        self.answered = None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do(self):
        forwarder = self.server.forwarder
        request = Request(self)
        forwarder.on_head(request)
        request.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        forwarder.seen.append(request)
        wish = forwarder.meddle(request)
        if wish is None or wish is LOSE:
            status, headers, body = forwarder.forward(request)
            request.answered = status
        else:
            status, headers = wish
            headers, body = list(headers.items()), b""
        if wish is LOSE:
            self.close_connection = True
            return
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in (
                "connection",
                "content-length",
                "transfer-encoding",
            ):
                self.send_header(name, value)
        self.send_header(
            "Content-Length", dict(headers).get("content-length", len(body))
        )
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do

    def log_message(self, *_):
        pass


class Forwarder:
    """`meddle(request)` may change the body, and returns None to let the request
    through, LOSE, or the (status, headers) to answer in the store's place. `on_head`
    is called before the body is read."""

    def __init__(self, url, meddle, on_head):
        self.store = urllib.parse.urlsplit(url).netloc
        self.meddle = meddle
        self.on_head = on_head
        self.seen = []

    def forward(self, request):
        store = http.client.HTTPConnection(self.store, timeout=30)
        store.putrequest(
            request.method, request.target, skip_host=True, skip_accept_encoding=True
        )
        for name, value in request.headers.items():
            store.putheader(name, value)
        store.endheaders(request.body)
        answer = store.getresponse()
        body = answer.read()
        store.close()
        headers = [(name.lower(), value) for name, value in answer.getheaders()]
        return answer.status, headers, body

    def of(self, method, **query):
        """Requests of this method, with at least this in the query."""
        return [
            seen
            for seen in list(self.seen)
            if seen.method == method and query.items() <= seen.query.items()
        ]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def forwarding(url, meddle=lambda request: None, on_head=lambda request: None):
    """A Forwarder before the store at url; `.url` is the same place through it."""
    server = Server(("127.0.0.1", 0), Handler)
    server.forwarder = forwarder = Forwarder(url, meddle, on_head)
    forwarder.url = url.replace(forwarder.store, f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield forwarder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
