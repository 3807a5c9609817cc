# SPDX-License-Identifier: MIT
"""Who may come in: tokens, TLS, client certificates, unix sockets."""

import contextlib
import os
import pathlib
import signal
import socket
import stat
import time

import pytest

from helpers import pki, programs, wire
from helpers.curl import curl
from helpers.digests import repr_digest
from helpers.programs import RECEIVER, SENDER, run
from helpers.wait import until

BODY = b"\x01\x00\xff\x7f" * 250
WRITER = "writer-token-0123456789"
READER = "reader-token-0123456789"
STRANGER = "wrong-token-0123456789"
TOKENS = f"# name scopes token\nedge write {WRITER}\n\ngrafana read {READER}\n"
FAST = ("--min-interval", "0", "--max-interval", "0", "--max-attempts", "2")


def write_secret(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def bearer(token):
    return f"Authorization: Bearer {token}"


def upload(url, *headers, body=BODY, options=()):
    return curl(
        f"{url}/blobs", *options, headers=[repr_digest(body), *headers], body=body
    )


def assert_one_refusal(receiver, **expected):
    """One line about it, with these fields, and no secret in the whole log."""
    refused = receiver.wait_event("refused")
    assert len(receiver.events("refused")) == 1
    assert expected.items() <= refused.items()
    assert_no_secret(receiver)


def assert_no_secret(program):
    for secret in (WRITER, READER, STRANGER, "PRIVATE KEY"):
        assert secret not in program.stderr
        assert secret not in program.stdout


@pytest.fixture
def tokens(workspace):
    return write_secret(workspace / "tokens", TOKENS)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return pki.Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def server(certificates):
    return certificates.issue("server")


@pytest.fixture(scope="module")
def client(certificates):
    return certificates.issue("edge-7")


@pytest.fixture(scope="module")
def rogue(tmp_path_factory):
    """An authority that nobody trusts."""
    return pki.Authority(tmp_path_factory.mktemp("rogue"), "rogue authority")


@pytest.fixture
def start_tls(start_receiver, server):
    """start_tls(*options) -> a Receiver that speaks TLS."""

    def start(*options, **more):
        given = ("--tls-cert", server.cert, "--tls-key", server.key)
        receiver = start_receiver(*given, *options, **more)
        receiver.url = f"https://localhost:{receiver.port}"
        return receiver

    return start


def trusting(authority):
    return ("--cacert", authority.cert)


def showing(certificate):
    return ("--cert", certificate.cert, "--key", certificate.key)


# ---- closed by default


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_does_not_open_to_others_by_itself(workspace, address):
    result = run(RECEIVER, "-a", address, "-p", 0, "-d", workspace / "blobs")
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    for name in (address, "--token-file", "--tls-client-ca", "--insecure-open"):
        assert name in line
    assert not (workspace / "blobs").exists()


def test_opens_to_others_when_told(start_receiver):
    receiver = start_receiver("-a", "0.0.0.0", "--insecure-open")
    assert upload(receiver.url).status == 201
    assert receiver.events("open")


def test_opens_to_others_with_tokens(start_receiver, tokens):
    receiver = start_receiver("-a", "0.0.0.0", "--token-file", tokens)
    assert upload(receiver.url).status == 401
    assert upload(receiver.url, bearer(WRITER)).status == 201
    assert receiver.events("cleartext")


def test_tls_alone_does_not_say_who_may_come(workspace, server):
    result = run(
        RECEIVER,
        *("-a", "0.0.0.0", "-p", 0, "-d", workspace / "blobs"),
        *("--tls-cert", server.cert, "--tls-key", server.key),
    )
    assert result.returncode == 2


@pytest.mark.parametrize("option", ["--tls-key", "--tls-client-ca"])
def test_needs_a_certificate(workspace, server, option):
    result = run(RECEIVER, "-d", workspace / "blobs", option, server.cert)
    assert result.returncode == 2
    assert option in result.stderr
    assert "--tls-cert" in result.stderr


# ---- tokens


def test_no_token(start_receiver, tokens):
    receiver = start_receiver("--token-file", tokens)
    answer = upload(receiver.url)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="blob-receiver"'
    assert answer.problem["title"] == "Token required"
    assert_one_refusal(receiver, status=401, reason="Token required")
    receiver.assert_nothing_left()


def test_wrong_token(start_receiver, tokens):
    receiver = start_receiver("--token-file", tokens)
    answer = upload(receiver.url, bearer(STRANGER))
    assert answer.status == 401
    assert (
        answer.headers["www-authenticate"]
        == 'Bearer realm="blob-receiver", error="invalid_token"'
    )
    assert STRANGER.encode() not in answer.body
    assert_one_refusal(receiver, status=401, reason="Invalid token")
    receiver.assert_nothing_left()


def test_read_token_cannot_write(start_receiver, tokens):
    receiver = start_receiver("--token-file", tokens)
    answer = upload(receiver.url, bearer(READER))
    assert answer.status == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert_one_refusal(receiver, status=403, client="grafana")
    receiver.assert_nothing_left()


def test_write_token_cannot_read(start_receiver, tokens):
    receiver = start_receiver("--token-file", tokens)
    stored = upload(receiver.url, bearer(WRITER)).headers["location"]
    for path in ("/blobs", stored):
        assert curl(receiver.url + path, headers=[bearer(WRITER)]).status == 403
        assert curl(receiver.url + path, headers=[bearer(READER)]).status == 200
        assert curl(receiver.url + path).status == 401


def test_client_is_named_in_the_log(start_receiver, tokens):
    receiver = start_receiver("--token-file", tokens)
    assert upload(receiver.url, bearer(WRITER)).status == 201
    stored = receiver.wait_event("stored")
    assert stored["client"] == "edge"
    assert "(edge)" in stored["message"]
    assert_no_secret(receiver)


def test_secrets_stay_out_of_the_debug_log(start_receiver, tokens):
    receiver = start_receiver("--token-file", tokens, "--log-level", "debug")
    for token in (WRITER, READER, STRANGER):
        upload(receiver.url, bearer(token))
        curl(f"{receiver.url}/blobs", headers=[bearer(token)])
    receiver.send_signal(signal.SIGHUP)
    receiver.wait_event("reloaded")
    assert receiver.stop() == 0
    assert_no_secret(receiver)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_open(start_receiver, tokens, path):
    receiver = start_receiver("--token-file", tokens)
    assert curl(receiver.url + path).status == 200
    assert curl(receiver.url + path, headers=[bearer(STRANGER)]).status == 200


def test_metrics_are_for_readers(start_receiver, tokens):
    receiver = start_receiver("--token-file", tokens)
    url = f"{receiver.url}/metrics"
    assert curl(url).status == 401
    assert curl(url, headers=[bearer(WRITER)]).status == 403
    metrics = curl(url, headers=[bearer(READER)])
    assert metrics.status == 200
    for secret in (WRITER, READER):
        assert secret.encode() not in metrics.body


@pytest.mark.parametrize("path", ["/", "/blobs/x", "/nothing", "/healthz/", "//blobs"])
def test_strangers_are_not_told_what_is_there(start_receiver, tokens, path):
    receiver = start_receiver("--token-file", tokens)
    assert curl(receiver.url + path).status == 401
    assert curl(receiver.url + path, headers=[bearer(READER)]).status in (400, 404)


def test_refused_before_the_body(start_receiver, tokens):
    receiver = start_receiver("--token-file", tokens)
    with wire.connect(receiver.port) as sock:
        sock.sendall(
            wire.request(
                [
                    "POST /blobs HTTP/1.1",
                    "Host: a",
                    bearer(STRANGER),
                    repr_digest(BODY),
                    "Expect: 100-continue",
                    "Content-Length: 1000000000",
                ]
            )
        )
        said = wire.read_until_closed(sock)
    assert wire.statuses(said) == [401]


def test_two_authorizations_are_one_too_many(start_receiver, tokens):
    receiver = start_receiver("--token-file", tokens)
    said = wire.talk(
        receiver.port,
        wire.request(
            ["GET /blobs HTTP/1.1", "Host: a", bearer(STRANGER), bearer(READER)]
        ),
    )
    assert wire.statuses(said) == [400]


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o606])
def test_token_file_open_to_others(workspace, tokens, mode):
    tokens.chmod(mode)
    result = run(RECEIVER, "-d", workspace / "blobs", "--token-file", tokens)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert str(tokens) in line
    assert WRITER not in line


def test_broken_token_file(workspace, tokens):
    write_secret(tokens, TOKENS + f"edge2 append {STRANGER}\n")
    result = run(RECEIVER, "-d", workspace / "blobs", "--token-file", tokens)
    assert result.returncode == 1
    assert "line 5" in result.stderr
    assert STRANGER not in result.stderr


def test_tokens_from_the_credentials_directory(start_receiver, tokens):
    receiver = start_receiver(
        "--token-file", tokens.name, env={"CREDENTIALS_DIRECTORY": str(tokens.parent)}
    )
    assert upload(receiver.url).status == 401
    assert upload(receiver.url, bearer(WRITER)).status == 201


# ---- TLS


def test_tls(start_tls, certificates):
    receiver = start_tls()
    stored = upload(receiver.url, options=trusting(certificates))
    assert stored.status == 201
    fetched = curl(receiver.url + stored.headers["location"], *trusting(certificates))
    assert fetched.body == BODY


@pytest.mark.parametrize("size", [0, 1, 128 * 1024, 128 * 1024 + 1, 3_000_001])
def test_blob_of_any_size_over_tls(start_tls, certificates, size):
    receiver = start_tls()
    body = os.urandom(size)
    stored = upload(receiver.url, body=body, options=trusting(certificates))
    url = receiver.url + stored.headers["location"]
    assert curl(url, *trusting(certificates)).body == body
    if size > 1:
        part = curl(
            url, *trusting(certificates), headers=[f"Range: bytes=1-{size - 1}"]
        )
        assert part.status == 206
        assert part.body == body[1:]


def test_refused_amid_a_body_over_tls(start_tls, certificates):
    """The answer has to go into the TLS session, not beside it."""
    receiver = start_tls("--max-blob-size", "1000")
    answer = upload(
        receiver.url,
        "Transfer-Encoding: chunked",
        body=bytes(3_000_000),
        options=trusting(certificates),
    )
    assert answer.status == 413
    receiver.assert_nothing_left()


@pytest.mark.parametrize("newest", ["1.0", "1.1"])
def test_old_tls(start_tls, certificates, newest):
    receiver = start_tls()
    old = ("--tls-max", newest, "--ciphers", "DEFAULT@SECLEVEL=0")
    answer = upload(receiver.url, options=(*trusting(certificates), *old))
    assert answer.exit == 35
    receiver.wait_event("handshake")
    current = ("--tls-max", "1.2")
    assert (
        upload(receiver.url, options=(*trusting(certificates), *current)).status == 201
    )


def test_plain_http_on_the_tls_port(start_tls):
    receiver = start_tls()
    with wire.connect(receiver.port) as sock:
        sock.sendall(wire.request(["GET /healthz HTTP/1.1", "Host: a"]))
        assert b"HTTP/" not in wire.read_until_closed(sock)


def test_failed_handshakes_do_not_fill_the_log(start_tls):
    receiver = start_tls()

    def fail():
        with wire.connect(receiver.port) as sock:
            sock.sendall(wire.request(["GET /healthz HTTP/1.1", "Host: a"]))
            wire.read_until_closed(sock)

    began = time.monotonic()
    for _ in range(100):
        fail()
    seconds = time.monotonic() - began
    time.sleep(1.1)
    fail()

    def left_out():
        return sum(event["count"] for event in receiver.events("suppressed"))

    until(lambda: len(receiver.events("handshake")) + left_out() == 101, "all of them")
    assert len(receiver.events("handshake")) <= 10 * (seconds + 2) + 1
    assert left_out() > 0 or seconds > 5


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_unfinished_handshake_costs_nothing(start_tls):
    receiver = start_tls()
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            sock = stack.enter_context(wire.connect(receiver.port))
            sock.sendall(b"\x16\x03\x01")
        time.sleep(0.2)
        before = cpu_seconds(receiver.pid)
        time.sleep(1)
        assert cpu_seconds(receiver.pid) - before < 0.2


def test_key_open_to_others(workspace, certificates):
    made = certificates.issue("careless")
    made.key.chmod(0o644)
    options = ("--tls-cert", made.cert, "--tls-key", made.key)
    result = run(RECEIVER, "-d", workspace / "blobs", *options)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert str(made.key) in line


def test_key_of_another_certificate(workspace, server, client):
    options = ("--tls-cert", server.cert, "--tls-key", client.key)
    result = run(RECEIVER, "-d", workspace / "blobs", *options)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert str(server.cert) in line


# ---- client certificates


def test_client_certificate(start_tls, certificates, client):
    receiver = start_tls("--tls-client-ca", certificates.cert, "-a", "0.0.0.0")
    options = (*trusting(certificates), *showing(client))
    assert upload(receiver.url, options=options).status == 201
    assert receiver.wait_event("stored")["client"] == "edge-7"


def test_missing_client_certificate(start_tls, certificates):
    receiver = start_tls("--tls-client-ca", certificates.cert)
    assert upload(receiver.url, options=trusting(certificates)).status == 403
    assert_one_refusal(receiver, status=403, reason="Client certificate required")
    receiver.assert_nothing_left()


def test_rogue_client_certificate(start_tls, certificates, rogue):
    receiver = start_tls("--tls-client-ca", certificates.cert)
    options = (*trusting(certificates), *showing(rogue.issue("edge-7")))
    assert upload(receiver.url, options=options).status == 403
    assert_one_refusal(
        receiver, status=403, reason="Client certificate of an unknown authority"
    )
    receiver.assert_nothing_left()


def test_expired_client_certificate(start_tls, certificates):
    receiver = start_tls("--tls-client-ca", certificates.cert)
    options = (*trusting(certificates), *showing(certificates.issue("late", days=-1)))
    assert upload(receiver.url, options=options).status == 403
    assert_one_refusal(receiver, status=403, reason="Client certificate expired")
    receiver.assert_nothing_left()


def test_token_and_client_certificate(start_tls, certificates, client, tokens):
    receiver = start_tls("--tls-client-ca", certificates.cert, "--token-file", tokens)
    trust, show = trusting(certificates), showing(client)
    assert upload(receiver.url, bearer(WRITER), options=trust).status == 403
    assert upload(receiver.url, options=(*trust, *show)).status == 401
    assert upload(receiver.url, bearer(WRITER), options=(*trust, *show)).status == 201
    assert receiver.wait_event("stored")["client"] == "edge"


# ---- reload


def test_reload_of_tokens(start_receiver, tokens):
    receiver = start_receiver("--token-file", tokens)
    write_secret(tokens, f"new read,write {STRANGER}\n")
    receiver.send_signal(signal.SIGHUP)
    receiver.wait_event("reloaded")
    assert upload(receiver.url, bearer(WRITER)).status == 401
    assert upload(receiver.url, bearer(STRANGER)).status == 201


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_broken_reload_keeps_the_tokens(start_receiver, tokens, mode):
    receiver = start_receiver("--token-file", tokens)
    write_secret(tokens, TOKENS if mode == 0o644 else f"{STRANGER}\n", mode)
    receiver.send_signal(signal.SIGHUP)
    assert receiver.wait_event("reload")["level"] == "error"
    assert upload(receiver.url, bearer(WRITER)).status == 201
    assert_no_secret(receiver)


def serial(port, authority):
    """The serial number of the certificate that is served now."""
    import ssl

    context = ssl.create_default_context(cafile=authority.cert)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as sock,
    ):
        return sock.getpeercert()["serialNumber"]


def test_reload_of_certificates_drops_nobody(start_receiver, certificates, workspace):
    import ssl

    served = certificates.issue("reloaded")
    options = ("--tls-cert", served.cert, "--tls-key", served.key)
    receiver = start_receiver(*options)
    before = serial(receiver.port, certificates)
    body = os.urandom(400_000)
    context = ssl.create_default_context(cafile=certificates.cert)
    head = wire.request(
        [
            "POST /blobs HTTP/1.1",
            "Host: a",
            "Connection: close",
            repr_digest(body),
            f"Content-Length: {len(body)}",
        ]
    )
    with (
        socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as sock,
    ):
        sock.sendall(head + body[:100_000])
        until(receiver.hidden_files, "the upload to begin")
        for count in (1, 2):  # the first one's credentials have to outlive both
            certificates.issue("reloaded")
            receiver.send_signal(signal.SIGHUP)
            receiver.wait_event("reloaded", count=count)
            assert serial(receiver.port, certificates) != before
        sock.sendall(body[100_000:])
        said = wire.read_until_closed(sock)
    assert wire.statuses(said) == [201]
    assert len(receiver.blobs()) == 1


def test_broken_reload_keeps_the_certificate(start_receiver, certificates):
    served = certificates.issue("broken")
    options = ("--tls-cert", served.cert, "--tls-key", served.key)
    receiver = start_receiver(*options)
    before = serial(receiver.port, certificates)
    served.key.write_text("this is no key\n")
    receiver.send_signal(signal.SIGHUP)
    assert receiver.wait_event("reload")["level"] == "error"
    assert serial(receiver.port, certificates) == before


# ---- unix sockets


@pytest.fixture
def start_unix(workspace, started):
    def start(path, *options, directory=None):
        receiver = programs.Program(
            RECEIVER,
            [
                *("-a", f"unix:{path}", "-d", directory or workspace / "blobs"),
                *("--log-format", "json", *options),
            ],
            workspace,
        )
        started.append(receiver)
        receiver.wait_event("listening")
        return receiver

    return start


def test_unix_socket(start_unix, workspace):
    path = workspace / "socket"
    receiver = start_unix(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert upload("http://localhost", options=("--unix-socket", path)).status == 201
    assert receiver.wait_event("stored")["peer"] == "unix"
    assert receiver.stop() == 0
    assert not path.exists()


def test_stale_unix_socket_is_replaced(start_unix, workspace):
    path = workspace / "socket"
    start_unix(path).kill()
    assert path.is_socket()
    start_unix(path)
    assert curl("http://localhost/healthz", "--unix-socket", path).status == 200


def test_unix_socket_in_use_is_not_taken(start_unix, workspace):
    path = workspace / "socket"
    start_unix(path)
    result = run(RECEIVER, "-a", f"unix:{path}", "-d", workspace / "other")
    assert result.returncode == 1
    assert str(path) in result.stderr
    assert curl("http://localhost/healthz", "--unix-socket", path).status == 200


def test_unix_socket_replaces_no_file(workspace):
    path = workspace / "precious"
    path.write_text("data")
    result = run(RECEIVER, "-a", f"unix:{path}", "-d", workspace / "blobs")
    assert result.returncode == 1
    assert path.read_text() == "data"


def test_unix_socket_path_that_is_too_long(workspace):
    result = run(RECEIVER, "-a", f"unix:/{'x' * 108}", "-d", workspace / "blobs")
    assert result.returncode == 2


# ---- the sender


def deliver(start_sender, url, *options, count=3):
    sender = start_sender(url, "-n", count, *FAST, *options)
    sender.wait()
    assert_no_secret(sender)
    return sender


def test_sender_with_all_proofs(start_tls, start_sender, certificates, client, tokens):
    receiver = start_tls("--tls-client-ca", certificates.cert, "--token-file", tokens)
    token = write_secret(tokens.with_name("token"), f"{WRITER}\n")
    sender = deliver(
        start_sender,
        receiver.url,
        *("--ca-file", certificates.cert, "--token-file", token),
        *("--cert", client.cert, "--key", client.key),
    )
    assert sender.process.returncode == 0
    assert len(receiver.blobs()) == 3
    assert_no_secret(receiver)


@pytest.mark.parametrize("scheme", ["url", "address"])
def test_sender_over_a_unix_socket(start_unix, workspace, scheme):
    path = workspace / "socket"
    start_unix(path)
    result = run(
        SENDER,
        *(f"--{scheme}", f"unix:{path}", "-d", workspace / "spool", "-n", 3, *FAST),
    )
    assert result.returncode == 0
    assert f"unix:{path}" in result.stderr


def test_sender_refuses_an_unknown_authority(start_tls, start_sender, rogue):
    receiver = start_tls()
    sender = deliver(start_sender, receiver.url, "--ca-file", rogue.cert)
    assert sender.process.returncode == 1
    [line] = [e for e in sender.events() if e["level"] == "error"]
    assert "certificate" in line["message"]
    receiver.wait_event("handshake")
    assert len(receiver.events("handshake")) == 1
    receiver.assert_nothing_left()


def test_sender_refuses_an_expired_certificate(
    start_receiver, start_sender, certificates
):
    expired = certificates.issue("expired", days=-1)
    receiver = start_receiver("--tls-cert", expired.cert, "--tls-key", expired.key)
    assert receiver.wait_event("expires")
    url = f"https://localhost:{receiver.port}"
    sender = deliver(start_sender, url, "--ca-file", certificates.cert)
    assert sender.process.returncode == 1
    [line] = [e for e in sender.events() if e["level"] == "error"]
    assert "expired" in line["message"]


@pytest.mark.parametrize(
    ("token", "status"), [(None, 401), (STRANGER, 401), (READER, 403)]
)
def test_denied_blobs_stay_in_the_spool(
    start_receiver, start_sender, tokens, token, status
):
    receiver = start_receiver("--token-file", tokens)
    options = ()
    if token:
        file = write_secret(tokens.with_name("token"), token)
        options = ("--token-file", file)
    sender = deliver(start_sender, receiver.url, *options, count=1)
    assert sender.process.returncode == 1
    [denied] = sender.events("denied")
    assert denied["reason"].startswith(str(status))
    assert sender.summary["left"] == 1
    assert sender.summary["dead"] == 0
    assert_one_refusal(receiver, status=status)

    write_secret(tokens.with_name("token"), WRITER)
    sender = deliver(
        start_sender, receiver.url, "--token-file", tokens.with_name("token"), count=1
    )
    assert sender.process.returncode == 0
    assert sender.summary["recovered"] == 1
    assert len(receiver.blobs()) == 2


@pytest.fixture
def reloading(start_receiver, start_sender, tokens):
    """A sender without end, and the file its token is in."""
    receiver = start_receiver("--token-file", tokens)
    token = write_secret(tokens.with_name("token"), WRITER)
    options = ("-n", 0, "--max-interval", "5ms", "--token-file", token)
    sender = start_sender(receiver.url, *options)
    sender.wait_event("delivered")
    return receiver, sender, token


def test_sender_reloads_its_token(reloading, tokens):
    receiver, sender, token = reloading
    write_secret(tokens, TOKENS + f"next write {STRANGER}\n")
    write_secret(token, STRANGER)
    receiver.send_signal(signal.SIGHUP)
    receiver.wait_event("reloaded")
    sender.send_signal(signal.SIGHUP)
    sender.wait_event("reloaded")
    until(lambda: receiver.events("stored")[-1]["client"] == "next", "the new token")
    assert sender.stop(signal.SIGINT) == 0
    assert_no_secret(sender)
    assert_no_secret(receiver)


def test_broken_reload_keeps_the_senders_token(reloading):
    _, sender, token = reloading
    write_secret(token, STRANGER, 0o644)
    sender.send_signal(signal.SIGHUP)
    assert sender.wait_event("reload")["level"] == "error"
    before = len(sender.events("delivered"))
    until(lambda: len(sender.events("delivered")) > before + 5, "more blobs")
    assert sender.stop(signal.SIGINT) == 0
    assert_no_secret(sender)


def test_sender_wants_no_password_in_the_url(workspace):
    url = f"http://user:{STRANGER}@127.0.0.1:1"
    result = run(SENDER, "-d", workspace / "spool", "--url", url)
    assert result.returncode == 2
    assert "--token-file" in result.stderr
    assert STRANGER not in result.stderr


@pytest.mark.parametrize("option", ["--token-file", "--cert"])
def test_sender_secret_open_to_others(workspace, option):
    secret = write_secret(workspace / "secret", WRITER, 0o644)
    result = run(SENDER, "-d", workspace / "spool", "-n", 1, option, secret)
    assert result.returncode == 1
    [line] = [line for line in result.stderr.splitlines() if "ERROR" in line]
    assert str(secret) in line
    assert WRITER not in result.stderr
