# SPDX-License-Identifier: MIT
"""/metrics of both programs, reconciled with what was sent; and the JSON logs."""

import datetime
import os
import re
import time
import urllib.error
import urllib.request

import pytest

from helpers import ids, metrics, programs, store, wire
from helpers.client import BODY, INT16, get, post, put, upload
from helpers.curl import curl
from helpers.digests import key, repr_digest
from helpers.programs import SENDER, run
from helpers.wait import until

QUICK = "--min-interval 0 --max-interval 0 --min-size 2 --max-size 64KiB".split()


def rejected(samples, reason):
    return samples[f'blob_receiver_blobs_rejected_total{{reason="{reason}"}}']


def test_promtool_accepts_the_receiver(receiver):
    metrics.check_with_promtool(metrics.text_of(receiver.url))  # before any request
    upload(receiver)
    get(receiver, "/absent")
    metrics.check_with_promtool(metrics.text_of(receiver.url))


def test_every_outcome_of_an_upload_is_counted_once(receiver):
    blob_id = ids.v7()
    sent = [
        post(receiver, BODY, repr_digest(BODY)),
        put(receiver, blob_id, BODY, repr_digest(BODY)),
        put(receiver, blob_id, BODY, repr_digest(BODY)),  # again
        put(receiver, blob_id, b"else", repr_digest(b"else")),
        post(receiver, BODY, repr_digest(b"another")),
        post(receiver, BODY),
        post(receiver, b"odd", repr_digest(b"odd"), INT16),
        put(receiver, "not-an-id", BODY, repr_digest(BODY)),
    ]
    assert [a.status for a in sent] == [201, 201, 200, 409, 400, 400, 400, 400]

    seen = metrics.scrape(receiver.url)

    assert seen["blob_receiver_blobs_stored_total"] == 2 == len(receiver.blobs())
    assert seen["blob_receiver_blobs_replayed_total"] == 1
    assert rejected(seen, "id_taken") == 1
    assert rejected(seen, "digest_mismatch") == 1
    assert rejected(seen, "digest_required") == 1
    assert rejected(seen, "odd_length") == 1
    assert rejected(seen, "invalid_id") == 1
    assert metrics.total(seen, "blob_receiver_blobs_rejected_total") == 5
    assert seen['blob_receiver_requests_total{code="201"}'] == 2
    assert seen['blob_receiver_requests_total{code="200"}'] == 1
    assert metrics.total(seen, "blob_receiver_requests_total") == len(sent)
    assert seen["blob_receiver_request_duration_seconds_count"] == len(sent)
    assert seen["blob_receiver_commit_duration_seconds_count"] == 3
    for family in ("request", "commit"):
        metrics.assert_histogram_is_sound(
            seen, f"blob_receiver_{family}_duration_seconds"
        )


def test_refusals_before_the_gate_and_of_downloads(receiver):
    wire.talk(
        receiver.port,
        wire.request(
            [
                "POST /blobs HTTP/1.1",
                "Host: a",
                "Content-Length: 1",
                "Content-Length: 2",
                "Connection: close",
            ],
        ),
    )
    assert get(receiver, f"/blobs/{ids.v4()}").status == 404
    assert curl(f"{receiver.url}/elsewhere", body=b"x").status == 404

    seen = metrics.scrape(receiver.url)

    assert rejected(seen, "malformed_request") == 1
    assert rejected(seen, "no_such_resource") == 1
    assert metrics.total(seen, "blob_receiver_blobs_rejected_total") == 2
    assert rejected(seen, "other") == 0


def test_a_sender_that_goes_away_is_counted(receiver):
    with wire.connect(receiver.port) as sock:
        sock.sendall(
            wire.request(
                [
                    "POST /blobs HTTP/1.1",
                    "Host: a",
                    repr_digest(BODY),
                    f"Content-Length: {len(BODY)}",
                ],
                BODY[:10],
            )
        )
        until(receiver.hidden_files, "the upload to begin")
        seen = metrics.scrape(receiver.url)
        assert seen["blob_receiver_requests_in_flight"] == 2  # and the scrape
        assert seen["blob_receiver_connections"] == 2
        assert seen["blob_receiver_inflight_bytes"] == len(BODY)

    def abandoned():
        seen = metrics.scrape(receiver.url)
        return seen if seen["blob_receiver_blobs_abandoned_total"] == 1 else None

    seen = until(abandoned, "the upload to be abandoned")
    assert seen["blob_receiver_bytes_received_total"] == 10
    assert seen["blob_receiver_inflight_bytes"] == 0


def test_gauges_tell_the_truth(start_receiver):
    receiver = start_receiver("--max-connections", "1")
    seen = metrics.scrape(receiver.url)

    room = os.statvfs(receiver.dir)
    free = room.f_bavail * room.f_frsize
    assert abs(seen["blob_receiver_filesystem_free_bytes"] - free) < 1 << 30
    assert seen["blob_receiver_ready"] == 1
    assert seen["blob_receiver_fsync_failures_total"] == 0
    [build] = [name for name in seen if name.startswith("blob_receiver_build_info")]
    assert re.search(r'version="\d+\.\d+\.\d+",sha256="(openssl|sodium)"', build)
    assert seen["process_resident_memory_bytes"] > 1 << 20
    assert 5 < seen["process_open_fds"] < seen["process_max_fds"]
    assert abs(seen["process_start_time_seconds"] - time.time()) < 60
    assert seen["process_cpu_seconds_total"] > 0

    def connections_refused():
        with wire.connect(receiver.port):
            with wire.connect(receiver.port) as second:
                return b" 503 " in wire.read_until_closed(second)

    until(connections_refused, "a connection to be turned away")

    def counted():
        try:
            return metrics.scrape(receiver.url)
        except (urllib.error.URLError, ConnectionError):
            return None

    seen = until(counted, "a free connection")
    assert seen["blob_receiver_connections_refused_total"] >= 1


def test_metrics_need_a_token_where_tokens_are_needed(start_receiver, workspace):
    tokens = workspace / "tokens"
    tokens.write_text(
        "reader read hUhu5m8Qv2xkU7sXbYf1wQ\nwriter write 3nZ7pQw9sT1vK5xB8mC2dA\n"
    )
    tokens.chmod(0o600)
    receiver = start_receiver("--token-file", tokens)

    def status(token):
        headers = [f"Authorization: Bearer {token}"] if token else []
        return get(receiver, "/metrics", *headers).status

    assert status(None) == 401
    assert status("hUhu5m8Qv2xkU7sXbYf1wQ") == 200
    assert status("3nZ7pQw9sT1vK5xB8mC2dA") == 403


def test_what_metrics_refuse(receiver):
    answer = curl(f"{receiver.url}/metrics", body=b"x")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"
    head = get(receiver, "/metrics", options=["-I"])
    assert head.status == 200
    assert head.body == b"" or b"blob_receiver" not in head.body


def metrics_url(sender):
    return f"http://127.0.0.1:{sender.wait_event('metrics')['port']}"


def test_sender_counts_agree_with_its_summary_and_the_receiver(receiver, start_sender):
    sender = start_sender(
        receiver.url,
        "-n",
        0,
        "--metrics-address",
        "127.0.0.1:0",
        "--inject-bad-checksums=30",
        "--min-interval",
        "1ms",
        "--max-interval",
        "3ms",
        "--min-size",
        "2",
        "--max-size",
        "8KiB",
    )
    sender.wait_event("delivered", count=30)
    url = metrics_url(sender)
    text = metrics.text_of(url)
    seen = metrics.parse(text)
    metrics.check_with_promtool(text)

    assert 30 <= seen["blob_sender_blobs_delivered_total"]
    assert (
        seen["blob_sender_blobs_delivered_total"]
        <= seen["blob_sender_blobs_generated_total"]
    )
    assert seen["blob_sender_spool_dead_blobs"] == 0
    assert seen["blob_sender_oldest_undelivered_seconds"] < 60
    metrics.assert_histogram_is_sound(seen, "blob_sender_delivery_duration_seconds")
    assert curl(f"{url}/healthz").status == 200
    assert curl(f"{url}/").status == 404
    assert curl(f"{url}/metrics", body=b"x").status == 405

    assert sender.stop() == 0
    final = metrics.scrape(receiver.url)
    assert final["blob_receiver_blobs_stored_total"] == sender.summary["delivered"]
    assert rejected(final, "digest_mismatch") == sender.summary["rejected_by_injection"]
    assert sender.summary["rejected_by_injection"] > 0


def test_what_a_sender_cannot_deliver_shows(start_sender, workspace):
    spool = workspace / "spool"
    run(SENDER, "-d", spool, "-n", 1, "-p", wire.unused_port(), "--max-attempts", 1)
    old = spool / f"{ids.v7('2020-01-01T00:00:00')}.bin"
    old.write_bytes(b"12")
    os.setxattr(old, store.DIGEST, store.digest(old).encode())
    (spool / "dead" / f"{ids.v7()}.bin").write_bytes(b"34")

    sender = start_sender(
        f"http://127.0.0.1:{wire.unused_port()}",
        "-n",
        1,
        "--metrics-address",
        "localhost:0",
        spool=spool,
    )
    url = metrics_url(sender)

    def recovered():
        seen = metrics.scrape(url)
        return seen if seen["blob_sender_blobs_recovered_total"] else None

    seen = until(recovered, "the spool to be read")
    assert seen["blob_sender_spool_blobs"] == 1
    assert seen["blob_sender_spool_dead_blobs"] == 1
    age = (
        time.time()
        - datetime.datetime.fromisoformat("2020-01-01T00:00+00:00").timestamp()
    )
    assert abs(seen["blob_sender_oldest_undelivered_seconds"] - age) < 60
    sender.stop()


@pytest.mark.parametrize(
    "address", ["nonsense", "127.0.0.1:70000", "127.0.0.1", ":9000", "::1:9000"]
)
def test_metrics_address_that_is_none(workspace, address):
    result = run(SENDER, "--metrics-address", address, "-d", workspace / "spool")
    assert result.returncode == 2
    assert "--metrics-address" in result.stderr
    assert address in result.stderr
    assert not (workspace / "spool").exists()


def test_metrics_address_in_use(receiver, workspace):
    address = f"127.0.0.1:{receiver.port}"
    result = run(SENDER, "--metrics-address", address, "-d", workspace / "spool")
    assert result.returncode == 1
    assert address in result.stderr
    assert "in use" in result.stderr


def test_metrics_on_ipv6_are_not_on_ipv4(receiver, start_sender):
    sender = start_sender(receiver.url, "-n", 0, "--metrics-address", "[::]:0")
    port = sender.wait_event("metrics")["port"]
    assert curl(f"http://[::1]:{port}/healthz").status == 200
    with pytest.raises(ConnectionRefusedError):
        wire.connect(port)
    sender.stop()


def assert_event_is_complete(event, program):
    assert {"time", "level", "program", "event", "message"} <= event.keys()
    moment = datetime.datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    assert moment.year >= 2024
    assert event["level"] in ("error", "warn", "info", "debug")
    assert event["program"] == program
    assert re.fullmatch(r"[a-z_]+", event["event"])
    assert event["message"]


def test_every_log_line_is_a_complete_event(start_receiver, start_sender):
    receiver = start_receiver("--log-level", "debug")
    sender = start_sender(
        receiver.url,
        "-n",
        20,
        "--log-level",
        "debug",
        "--inject-bad-checksums=50",
        "--max-attempts",
        40,
        *QUICK,
    )
    assert sender.wait() == 0
    upload(receiver)
    put(receiver, "nonsense", BODY, key(ids.v4()))
    receiver.send_signal(1)  # SIGHUP
    receiver.wait_event("reopened")
    assert receiver.stop() == 0

    for program, name in ((receiver, "receiver"), (sender, "sender")):
        lines = program.stderr.splitlines()
        events = program.events()
        assert len(events) == len(lines) > 20
        for event in events:
            assert_event_is_complete(event, name)
    named = {event["event"] for event in receiver.events() + sender.events()}
    assert {
        "listening",
        "stored",
        "refused",
        "reopened",
        "stopping",
        "stopped",
        "generated",
        "delivered",
        "rejected",
        "generator_done",
        "worker_done",
    } <= named


def test_every_refusal_of_an_upload_has_a_label_of_its_own():
    titles = set()
    for name in ("auth", "claims", "gate", "ingest", "reply"):
        source = (programs.ROOT / "receiver" / f"{name}.c").read_text()
        titles |= set(re.findall(r'[45]\d\d,\s*"([A-Z][^"]*)"', source))
    table = (programs.ROOT / "receiver" / "metrics.c").read_text()
    unlabelled = {t for t in titles if f'{{"{t}", "' not in table}
    status_lines = set(
        re.findall(
            r'\{[45]\d\d, "([^"]*)"\}',
            (programs.ROOT / "receiver" / "reply.c").read_text(),
        )
    )
    assert unlabelled - status_lines == set()
