# SPDX-License-Identifier: MIT
"""A TCP proxy that spoils connections on their way to a server."""

import contextlib
import socket
import threading


class Proxy:
    """What a test may set while it runs; each counts down with every connection it hits.

    cuts    connections to cut once `after` bytes have gone up
    flips   connections in which one byte, the one at `after`, is changed on its way up
    holds   connections to stop serving, without closing, once `after` bytes have gone up
    """

    def __init__(self, port):
        self.target = port
        self.after = 4096
        self.cuts = self.flips = self.holds = 0
        self.bytes_up = 0
        self.lock = threading.Lock()
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self.connections += [client, server]
                for work in (self.up, self.down):
                    threading.Thread(target=work, args=(client, server), daemon=True).start()

    def down(self, client, server):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)

    def take(self, name):
        with self.lock:
            left = getattr(self, name)
            setattr(self, name, max(left - 1, 0))
            return left > 0

    def up(self, client, server):
        sent = 0
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                crosses = sent <= self.after < sent + len(data)
                sent += len(data)
                self.bytes_up += len(data)
                if crosses and self.take("cuts"):
                    for connection in (server, client):
                        connection.shutdown(socket.SHUT_RDWR)
                    return
                if crosses and self.take("holds"):
                    threading.Event().wait()
                if crosses and self.take("flips"):
                    at = self.after - (sent - len(data))
                    data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def proxy(url):
    """A Proxy before the server at url."""
    running = Proxy(int(url.rsplit(":", 1)[1].split("/")[0]))
    try:
        yield running
    finally:
        running.close()
