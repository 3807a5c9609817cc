# SPDX-License-Identifier: MIT
"""A file server whose every answer can be scripted, well-behaved where it is not.

    with BadServer(content) as server:
        server.script = lambda call: call.reset() if call.number == 3 else None

A script gets each request as a Call. It answers through the call's methods, or returns
without having done so: then the call is served as a good server would.
"""

import collections
import contextlib
import dataclasses
import re
import socket
import struct
import threading
import time

MODIFIED = "Sat, 21 Nov 2020 18:00:00 GMT"
DATE = "Sun, 22 Nov 2020 18:00:00 GMT"


class HungUp(Exception):
    """The connection is over, by our doing or theirs."""


@dataclasses.dataclass
class Call:
    server: "BadServer"
    connection: socket.socket
    number: int  # counts requests, from 1
    path: str
    headers: dict  # names in lower case
    time: float
    sent: int = 0  # bytes of the body
    answered: bool = False

    @property
    def range(self):
        """(first, last) as asked for, or None."""
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        return (int(match[1]), int(match[2])) if match else None

    # Answers, from the usual to the odd.

    def serve(self, **changes):
        if self.range is None:
            self.whole(**changes)
        else:
            self.part(**changes)

    def part(self, content=None, headers=(), first=None, last=None, total=None, **body):
        content = self.server.content if content is None else content
        asked_first, asked_last = self.range
        asked_last = min(asked_last, len(content) - 1)
        if asked_first >= len(content):
            self.answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
            return
        first = asked_first if first is None else first
        last = asked_last if last is None else last
        total = len(content) if total is None else total
        fields = {"Content-Range": f"bytes {first}-{last}/{total}"} | dict(headers)
        self.answer(206, fields, content[asked_first : asked_last + 1], **body)

    def whole(self, content=None, headers=(), **body):
        self.answer(
            200, headers, self.server.content if content is None else content, **body
        )

    def answer(self, status, headers, body, *, length=None, pace=None, stop_after=None):
        """length: a Content-Length to claim, False for none, "chunked" for chunks.
        pace: bytes per second. stop_after: end the connection after so many bytes."""
        fields = {"Date": DATE} | self.server.validators | dict(headers)
        if length == "chunked":
            fields["Transfer-Encoding"] = "chunked"
        elif length is not False:
            fields["Content-Length"] = len(body) if length is None else length
        lines = [
            f"{name}: {value}" for name, value in fields.items() if value is not None
        ]
        head = "\r\n".join([f"HTTP/1.1 {status} Some", *lines, "", ""])
        self.raw(head.encode("latin-1"))
        cut = body if stop_after is None else body[:stop_after]
        self.send_body(cut, chunked=length == "chunked", pace=pace)
        if length == "chunked" and stop_after is None:
            self.raw(b"0\r\n\r\n")
        if stop_after is not None or length is False:
            raise HungUp

    def send_body(self, body, chunked=False, pace=None):
        step = 65536 if pace is None else max(1, pace // 10)
        for at in range(0, len(body), step):
            part = body[at : at + step]
            if chunked:
                self.raw(b"%x\r\n%s\r\n" % (len(part), part))
            else:
                self.raw(part)
            self.sent += len(part)
            if pace is not None and self.server.stopped.wait(0.1):
                raise HungUp

    def redirect(self, location, status=302):
        self.answer(status, {"Location": location}, b"")

    def raw(self, data):
        self.answered = True
        try:
            self.connection.sendall(data)
        except OSError:
            raise HungUp from None

    def close(self):
        raise HungUp

    def reset(self):
        self.connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        raise HungUp

    def wait(self, seconds):
        if self.server.stopped.wait(seconds):
            raise HungUp

    def hang(self):
        self.server.stopped.wait()
        raise HungUp


class BadServer:
    def __init__(self, content, script=None, tls=None, **validators):
        """tls: an ssl.SSLContext to serve https with."""
        self.content = content
        self.validators = validators or {"ETag": '"v1"', "Last-Modified": MODIFIED}
        self.script = script or (lambda call: None)
        self.calls = []
        self.connections = 0
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.active = collections.Counter()  # calls being answered, and the most
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.tls = tls
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.port}/file.bin"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.listener.close()

    @property
    def body_bytes(self):
        return sum(call.sent for call in self.calls)

    @property
    def most_at_once(self):
        return self.active["most"]

    def _accept(self):
        while not self.stopped.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(
                target=self._follow, args=(connection,), daemon=True
            ).start()

    def _follow(self, connection):
        with self.lock:
            self.connections += 1
        with contextlib.ExitStack() as stack:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                if self.tls is not None:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                stack.enter_context(connection)
                for head in self._heads(connection):
                    self._answer(connection, head)
            except (HungUp, OSError):
                pass

    @staticmethod
    def _heads(connection):
        waiting = b""
        while True:
            while b"\r\n\r\n" not in waiting:
                more = connection.recv(65536)
                if not more:
                    return
                waiting += more
            head, waiting = waiting.split(b"\r\n\r\n", 1)
            yield head.decode("latin-1")

    def _answer(self, connection, head):
        request, *lines = head.split("\r\n")
        fields = (line.split(":", 1) for line in lines)
        headers = {name.strip().lower(): value.strip() for name, value in fields}
        with self.lock:
            call = Call(
                server=self,
                connection=connection,
                number=len(self.calls) + 1,
                path=request.split(" ")[1],
                headers=headers,
                time=time.monotonic(),
            )
            self.calls.append(call)
            self.active["now"] += 1
            self.active["most"] = max(self.active["most"], self.active["now"])
        try:
            self.script(call)
            if not call.answered:
                call.serve()
        finally:
            with self.lock:
                self.active["now"] -= 1
