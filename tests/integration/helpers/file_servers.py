# SPDX-License-Identifier: MIT
"""Well-known file servers, each as a process of its own with a configuration of its own."""

import contextlib
import os
import pwd
import socket
import subprocess
import sys
import urllib.request

from .tools import need
from .wait import until


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def user():
    return pwd.getpwuid(os.geteuid()).pw_name


def nginx(root, state, port):
    temporary = "".join(
        f"{name}_temp_path {state}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (state / "nginx.conf").write_text(
        f"user {user()}; daemon off; pid {state}/pid; error_log {state}/error.log;"
        "events {}"
        f"http {{ access_log off; {temporary} sendfile on;"
        f"server {{ listen 127.0.0.1:{port}; root {root}; }} }}"
    )
    return [need("nginx"), "-e", state / "error.log", "-c", state / "nginx.conf"]


def apache(root, state, port):
    modules = "/usr/lib/apache2/modules"
    load = "".join(
        f"LoadModule {name}_module {modules}/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "mime")
    )
    account = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
    (state / "apache.conf").write_text(
        f"{load}{account}ServerRoot {state}\nServerName localhost\n"
        f"Listen 127.0.0.1:{port}\nPidFile {state}/pid\nErrorLog {state}/error.log\n"
        f"TypesConfig /dev/null\nDocumentRoot {root}\n"
        f"<Directory {root}>\nRequire all granted\n</Directory>\n"
    )
    return [need("apache2"), "-DFOREGROUND", "-f", state / "apache.conf"]


def lighttpd(root, state, port):
    (state / "lighttpd.conf").write_text(
        f'server.document-root = "{root}"\nserver.bind = "127.0.0.1"\n'
        f"server.port = {port}\n"
        'mimetype.assign = ("" => "application/octet-stream")\n'  # else no ETag
        f'server.errorlog = "{state}/error.log"\n'
    )
    return [need("lighttpd"), "-D", "-f", state / "lighttpd.conf"]


def python(root, state, port):
    options = ["--bind", "127.0.0.1", "--directory", root, str(port)]
    return [sys.executable, "-m", "http.server", *options]


SERVERS = {server.__name__: server for server in (nginx, apache, lighttpd, python)}


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def serving(name, root, state):
    """The URL of a server that gives out the files in `root`."""
    state.mkdir()
    port = free_port()
    command = SERVERS[name](root, state, port)
    (root / "ready").write_text("yes")
    with open(state / "output", "wb") as output:
        server = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(f"{url}/ready"), f"{name} to answer")
        yield url
    finally:
        server.terminate()
        server.wait(10)
