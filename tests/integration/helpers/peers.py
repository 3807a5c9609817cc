# SPDX-License-Identifier: MIT
"""Receivers that misbehave, for the sender to cope with."""

import contextlib
import http.server
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        self.server.uploads += 1
        if self.server.holds:
            self.server.released.wait()
        self.close_connection = True

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def _peer(holds):
    server = Server(("127.0.0.1", 0), Handler)
    server.uploads = 0
    server.holds = holds
    server.released = threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def deaf():
    """Says that it is healthy, takes uploads, never answers them."""
    return _peer(holds=True)


def rude():
    """Says that it is healthy, hangs up on every upload."""
    return _peer(holds=False)
