# SPDX-License-Identifier: MIT
"""Servers that lie, stall, change their mind and hang up: the right file, or none."""

import base64
import gzip
import hashlib
import ssl
import threading

import pytest

from helpers import pki
from helpers.badserver import DATE, MODIFIED, BadServer
from helpers.digests import field, sha256_base64, sha256_hex
from helpers.fetching import (
    BAD_BYTES,
    MIB,
    NETWORK,
    OK,
    REFUSED,
    REFUSED_HERE,
    assert_failed,
    assert_fetched,
    assert_only,
    content,
    fetch,
)

FILE = content(12 * MIB + 345)
OTHER = content(12 * MIB + 345, seed=2)


@pytest.fixture
def directory(workspace):
    path = workspace / "fetched"
    path.mkdir()
    return path


def once(number, action):
    """A script that does `action` to one call only."""
    return lambda call: action(call) if call.number == number else None


def every(nth, action):
    return lambda call: action(call) if call.number % nth == 0 else None


def after(number, action):
    return lambda call: action(call) if call.number > number else None


def test_good_server_is_fetched_over_many_connections(directory):
    with BadServer(FILE) as server:
        server.script = lambda call: call.serve(pace=8 * MIB)
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["connections"] == 8
    assert server.most_at_once == server.connections == 8
    assert server.body_bytes < 1.5 * len(FILE)  # some is asked for twice at the end
    assert all("if-range" in call.headers for call in server.calls[1:])
    assert not outcome.result["verified"]


# Lies about ranges and lengths


def shifted(call):
    call.part(first=call.range[0] + 1)


def longer(call):
    call.part(last=call.range[1] + 1)


def no_content_range(call):
    call.part(headers={"Content-Range": None})


def nonsense_content_range(call):
    call.part(headers={"Content-Range": "bytes 5-1/x"})


def short_content_length(call):
    call.part(length=10, stop_after=10)


def long_content_length(call):
    call.part(length=(2 << 20) + 7, stop_after=1000)


def ends_early_in_chunks(call):
    first, last = call.range
    fields = {"Content-Range": f"bytes {first}-{last}/{len(FILE)}"}
    call.answer(206, fields, FILE[first : first + 1000], length="chunked")


LIES = [
    shifted,
    longer,
    no_content_range,
    nonsense_content_range,
    short_content_length,
    long_content_length,
    ends_early_in_chunks,
]


@pytest.mark.parametrize("lie", LIES)
def test_lie_now_and_then_is_survived(directory, lie):
    with BadServer(FILE, every(3, lie)) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.logged("retrying")


@pytest.mark.parametrize("lie", LIES)
def test_constant_lie_is_an_error(directory, lie):
    with BadServer(FILE, after(2, lie)) as server:
        outcome = fetch(directory, "--max-tries", 3, server.url)
    assert_failed(outcome, directory, outcome.status)
    assert outcome.status in (NETWORK, REFUSED)
    assert "gave up after 3 tries" in outcome.result["error"]


def test_more_bytes_than_announced_is_not_believed(directory):
    def lie(call):
        first, last = call.range
        fields = {"Content-Range": f"bytes {first}-{last}/{len(FILE)}"}
        call.answer(206, fields, FILE[first : last + 2], length="chunked")

    with BadServer(FILE, once(3, lie)) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.logged("retrying")


def test_surplus_behind_the_last_byte_holds_nothing_up(directory):
    small = content(4 * 65536)  # the surplus comes in a chunk of its own

    def lie(call):
        fields = {"Content-Range": f"bytes 0-{len(small) - 1}/{len(small)}"}
        call.answer(206, fields, small + b"x", length="chunked")

    with BadServer(small, lie) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, small)


def test_total_that_changes_is_another_version(directory):
    with BadServer(FILE) as server:
        server.script = once(3, lambda call: call.part(total=len(FILE) + 1))
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert len(outcome.logged("changed")) == 1


# Versions


@pytest.mark.parametrize(
    "old, new",
    [
        ({"ETag": '"v1"'}, {"ETag": '"v2"'}),
        ({"Last-Modified": MODIFIED}, {"Last-Modified": DATE}),
        ({"ETag": '"v"', "Repr-Digest": field(FILE)}, {"Repr-Digest": field(OTHER)}),
    ],
)
@pytest.mark.parametrize("after_calls", [1, 4, 9])
def test_file_that_changes_midway_is_fetched_afresh(directory, old, new, after_calls):
    changed = dict(old) | new | {"Date": "Mon, 23 Nov 2020 18:00:00 GMT"}

    def change(call):
        call.serve(content=OTHER, headers=changed)

    with BadServer(FILE, after(after_calls, change), **old) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, OTHER)
    assert len(outcome.logged("changed")) == 1


def test_changed_file_answered_as_a_whole_is_fetched_afresh(directory):
    def change(call):
        call.server.content = OTHER
        call.server.validators = {"ETag": '"v2"'}
        call.whole()

    with BadServer(FILE, once(5, change)) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, OTHER)


def test_file_that_never_stops_changing_is_given_up(directory):
    def change(call):
        call.serve(headers={"ETag": f'"{call.number}"'})

    with BadServer(FILE, change) as server:
        outcome = fetch(directory, server.url)
    assert_failed(outcome, directory, BAD_BYTES)
    assert "changed" in outcome.result["error"]
    assert_only(directory)


def test_whole_file_to_a_range_of_the_same_version_is_retried(directory):
    with BadServer(FILE, every(4, lambda call: call.whole())) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)


def test_server_that_trips_over_if_range_is_asked_without(directory):
    def trip(call):
        if "if-range" in call.headers:
            call.whole()

    with BadServer(FILE, trip) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)


@pytest.mark.parametrize(
    "validators",
    [
        {"ETag": 'W/"v1"'},
        {"Last-Modified": DATE},  # as old as the answer: it may change once more
        {"Server": "none at all"},
    ],
)
def test_file_without_a_strong_version_is_one_stream(directory, validators):
    with BadServer(FILE, **validators) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["connections"] == 1
    assert server.calls[-1].range is None


def test_digest_alone_tells_versions_apart_when_asked_for(directory):
    def script(call):
        if "want-repr-digest" in call.headers:
            call.serve(headers={"Repr-Digest": field(FILE)}, pace=8 * MIB)

    with BadServer(FILE, script, Server="no validators") as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["connections"] > 1
    assert not outcome.logged("changed")


def test_part_that_covers_a_file_without_a_version_is_not_trusted(directory):
    """The answer is cut; what comes next may be of another file."""
    old, new = content(300_000, seed=3), content(300_000, seed=4)

    def script(call):
        if call.number == 1:
            call.part(content=old, stop_after=100_000)

    with BadServer(new, script, Server="none at all") as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, new)
    assert server.calls[-1].range is None


def test_known_digest_allows_pieces_of_a_weak_version(directory):
    with BadServer(FILE, ETag='W/"v1"') as server:
        outcome = fetch(
            directory, "--checksum", f"sha-256={sha256_hex(FILE)}", server.url
        )
    assert_fetched(outcome, directory, FILE)
    assert len(server.calls) > 2
    assert not any("if-range" in call.headers for call in server.calls)


# No ranges, no length


def test_server_without_ranges_is_read_in_its_first_answer(directory):
    with BadServer(FILE, lambda call: call.whole()) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert len(server.calls) == 1


def test_chunked_body_needs_no_length(directory):
    with BadServer(FILE, lambda call: call.whole(length="chunked")) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert not outcome.result["length_unproven"]


def test_body_that_only_ends_is_taken_with_a_warning(directory):
    with BadServer(FILE, lambda call: call.whole(length=False)) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["length_unproven"]


def test_stream_that_is_cut_begins_again(directory):
    def cut(call):
        call.whole(stop_after=MIB if call.number < 3 else None)

    with BadServer(FILE, cut) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert len(server.calls) == 3


def test_stream_that_is_always_cut_is_given_up(directory):
    with BadServer(FILE, lambda call: call.whole(stop_after=MIB)) as server:
        outcome = fetch(directory, "--max-tries", 2, server.url)
    assert_failed(outcome, directory, NETWORK)
    assert_only(directory)


def test_total_that_is_not_told_means_one_stream(directory):
    def untold(call):
        if call.range:
            call.part(total="*")

    with BadServer(FILE, untold) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)


def test_416_to_every_range_means_one_stream(directory):
    def refuse(call):
        if call.range:
            call.answer(416, {}, b"")

    with BadServer(FILE, refuse) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)


def test_empty_file_is_no_range(directory):
    with BadServer(b"") as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, b"")


@pytest.mark.parametrize("ranged", [True, False])
def test_content_coding_that_was_not_asked_for_is_refused(directory, ranged):
    def squeeze(call):
        packed = gzip.compress(FILE, 1)
        fields = {"Content-Encoding": "gzip"}
        if ranged:
            call.part(content=packed, headers=fields)
        else:
            call.whole(content=packed, headers=fields)

    with BadServer(FILE, squeeze) as server:
        outcome = fetch(directory, server.url)
    assert_failed(outcome, directory, REFUSED)
    assert "gzip" in outcome.result["error"]
    assert all(call.headers["accept-encoding"] == "identity" for call in server.calls)
    assert_only(directory)


# Connections


def cut_in_half(call):
    first, last = call.range
    call.part(stop_after=max(1, (last - first + 1) // 2))


def reset_in_half(call):
    first, last = call.range
    body = FILE[first : min(last + 1, len(FILE))]
    fields = {"Content-Range": f"bytes {first}-{first + len(body) - 1}/{len(FILE)}"}
    call.answer(206, fields, body[: len(body) // 2], length=len(body))
    call.reset()


@pytest.mark.parametrize("failure", [cut_in_half, reset_in_half])
def test_every_third_connection_breaks(directory, failure):
    with BadServer(FILE, every(3, failure)) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert server.body_bytes < 2 * len(FILE)


@pytest.mark.parametrize(
    "failure",
    [
        lambda call: call.close(),
        lambda call: call.reset(),
        lambda call: (call.raw(b"SSH-2.0-OpenSSH_9.2\r\n"), call.close()),
        lambda call: (call.raw(b"HTTP/1.1 206 Partial\r\nContent-Ra"), call.close()),
    ],
    ids=["close", "reset", "not-http", "half-a-head"],
)
def test_no_answer_now_and_then_is_survived(directory, failure):
    with BadServer(FILE, every(4, failure)) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)


def test_dead_server_is_given_up(directory):
    with BadServer(FILE, lambda call: call.close()) as server:
        outcome = fetch(directory, "--max-tries", 3, server.url)
    assert_failed(outcome, directory, NETWORK)
    assert_only(directory)


def test_server_that_dies_midway_leaves_a_resumable_part(directory):
    with BadServer(FILE, after(4, lambda call: call.close())) as server:
        outcome = fetch(directory, "--max-tries", 2, server.url)
        assert_failed(outcome, directory, NETWORK)
        assert_only(directory, "file.bin.part", "file.bin.part.state")
        server.script = lambda call: None
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["resumed_bytes"] >= 3 * MIB


def test_connection_that_hangs_holds_nothing_up(directory):
    with BadServer(FILE, once(4, lambda call: call.hang())) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["elapsed_ms"] < 10_000


def test_connection_that_trickles_holds_nothing_up(directory):
    with BadServer(FILE, once(4, lambda call: call.serve(pace=1000))) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["elapsed_ms"] < 10_000


@pytest.mark.parametrize("latency, most_calls", [(0.25, 30), (2.5, 40)])
def test_server_that_is_slow_to_begin_is_waited_for(directory, latency, most_calls):
    with BadServer(FILE, lambda call: call.wait(latency)) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert len(server.calls) <= most_calls


def test_only_connection_that_hangs_is_replaced(directory):
    with BadServer(FILE, once(2, lambda call: call.hang())) as server:
        outcome = fetch(directory, "-c", 1, "--stall-timeout", "1s", server.url)
    assert_fetched(outcome, directory, FILE)


# Busy servers


@pytest.mark.parametrize("status", [429, 503])
def test_busy_server_is_left_alone_for_as_long_as_it_asks(directory, status):
    refused = []

    def busy(call):
        if 3 <= call.number <= 5:
            refused.append(call)
            call.answer(status, {"Retry-After": "1"}, b"later")
        else:
            call.serve(pace=16 * MIB)

    with BadServer(FILE, busy) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    last = max(call.time for call in refused)
    later = [call.time for call in server.calls if call.time > last + 0.2]
    assert not later or min(later) >= last + 0.95


def test_limit_of_connections_is_learnt(directory):
    def busy(call):
        if call.server.active["now"] > 3:
            call.answer(503, {"Retry-After": "1"}, b"")
        else:
            call.serve(pace=16 * MIB)

    with BadServer(FILE, busy) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["retries"] < 12
    allowed = [entry["connections"] for entry in outcome.logged("fewer_connections")]
    assert allowed and allowed[0] <= 4 and allowed == sorted(set(allowed), reverse=True)


def test_server_that_stays_busy_is_given_up(directory):
    with BadServer(FILE, lambda call: call.answer(503, {}, b"")) as server:
        outcome = fetch(directory, "--max-tries", 3, server.url)
    assert_failed(outcome, directory, REFUSED)
    assert outcome.result["http_status"] == 503
    assert len(server.calls) == 3


# Refusals and redirects


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_refusal_is_final(directory, status):
    with BadServer(FILE, lambda call: call.answer(status, {}, b"no")) as server:
        outcome = fetch(directory, server.url)
    assert_failed(outcome, directory, REFUSED)
    assert outcome.result["http_status"] == status
    assert len(server.calls) == 1
    assert_only(directory)


def test_redirect_loop_ends(directory):
    with BadServer(FILE, lambda call: call.redirect("/file.bin")) as server:
        outcome = fetch(directory, server.url)
    assert_failed(outcome, directory, REFUSED)
    assert len(server.calls) == 11


def test_endless_body_of_a_redirect_is_not_read(directory):
    def script(call):
        call.answer(302, {"Location": "/b"}, bytes(64 * MIB))

    with BadServer(FILE, script) as server:
        outcome = fetch(directory, "--max-tries", 2, server.url)
    assert_failed(outcome, directory, NETWORK)
    assert "redirect" in outcome.result["error"]
    assert len(server.calls) == 2
    assert server.body_bytes < 32 * MIB


def test_redirect_is_followed_once_for_all_pieces(directory):
    def script(call):
        if call.path == "/file.bin":
            call.redirect("/elsewhere?signature=1")

    with BadServer(FILE, script) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert [call.path for call in server.calls].count("/file.bin") == 1


def test_address_that_expires_midway_is_asked_for_again(directory):
    valid = ["1"]

    def script(call):
        if call.path == "/file.bin":
            call.redirect(f"/signed?{valid[0]}")
        elif call.path != f"/signed?{valid[0]}":
            call.answer(403, {}, b"")
        elif call.number == 6:
            valid[0] = "2"

    with BadServer(FILE, script) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)


SECRETS = ["-H", "X-Api-Key: k", "-H", "Cookie: c", "-H", "Authorization: Bearer t"]
SECRET_NAMES = {"x-api-key", "cookie", "authorization"}


def test_secrets_follow_a_redirect_at_home(directory):
    def script(call):
        if call.path == "/file.bin":
            call.redirect("/elsewhere")

    with BadServer(FILE, script) as server:
        outcome = fetch(directory, *SECRETS, server.url)
    assert_fetched(outcome, directory, FILE)
    assert all(SECRET_NAMES <= set(call.headers) for call in server.calls)


def test_secrets_stay_at_home(directory):
    with BadServer(FILE) as away, BadServer(FILE) as home:
        home.script = lambda call: call.redirect(away.url)
        outcome = fetch(directory, *SECRETS, home.url)
    assert_fetched(outcome, directory, FILE)
    assert SECRET_NAMES <= set(home.calls[0].headers)
    assert len(home.calls) == 1
    assert not any(SECRET_NAMES & set(call.headers) for call in away.calls)


def test_password_of_the_url_stays_at_home_and_out_of_the_log(directory):
    with BadServer(FILE) as away, BadServer(FILE) as home:
        home.script = lambda call: call.redirect(away.url)
        url = f"http://user:hunter2@127.0.0.1:{home.port}/file.bin?key=hunter3"
        outcome = fetch(directory, url)
    assert_fetched(outcome, directory, FILE)
    assert "authorization" in home.calls[0].headers
    assert not any("authorization" in call.headers for call in away.calls)
    assert "hunter" not in outcome.stdout + outcome.stderr


def test_netrc_stays_at_home(directory, workspace):
    (workspace / ".netrc").write_text("machine 127.0.0.1 login u password p\n")
    with BadServer(FILE) as away, BadServer(FILE) as home:
        home.script = lambda call: call.redirect(away.url)
        outcome = fetch(directory, "--netrc", home.url, env={"HOME": str(workspace)})
        assert_fetched(outcome, directory, FILE)
        assert "authorization" in home.calls[0].headers
        assert not any("authorization" in call.headers for call in away.calls)


# TLS


@pytest.fixture
def authority(workspace):
    return pki.Authority(workspace)


@pytest.fixture
def tls(authority):
    certificate = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    return context


def test_https_is_fetched_from_a_trusted_server(directory, authority, tls):
    with BadServer(FILE, tls=tls) as server:
        outcome = fetch(directory, "--ca-file", authority.cert, server.url)
    assert_fetched(outcome, directory, FILE)


def test_untrusted_server_is_refused(directory, tls):
    with BadServer(FILE, tls=tls) as server:
        outcome = fetch(directory, server.url)
    assert_failed(outcome, directory, REFUSED_HERE)
    assert "certificate" in outcome.result["error"]
    assert_only(directory)


def test_secrets_do_not_leave_tls(directory, authority, tls):
    with BadServer(FILE) as plain, BadServer(FILE, tls=tls) as secure:
        secure.script = lambda call: call.redirect(plain.url)
        trusted = ["--ca-file", authority.cert]
        outcome = fetch(directory, *trusted, *SECRETS, secure.url)
    assert_fetched(outcome, directory, FILE)
    assert SECRET_NAMES <= set(secure.calls[0].headers)
    assert not any(SECRET_NAMES & set(call.headers) for call in plain.calls)


# Digests

OFFERS = {
    "Repr-Digest": field(FILE),
    "Digest": f"SHA-256={sha256_base64(FILE)}",
    "x-amz-checksum-sha256": sha256_base64(FILE),
    "x-amz-meta-sha256": sha256_hex(FILE),
}


@pytest.mark.parametrize("name", OFFERS)
def test_offered_digest_verifies_the_file(directory, name):
    with BadServer(FILE, ETag='"v"', **{name: OFFERS[name]}) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["verified_against"] == name
    assert outcome.result["sha256"] == sha256_hex(FILE)


@pytest.mark.parametrize("name", OFFERS)
def test_wrong_digest_deletes_the_file(directory, name):
    with BadServer(OTHER, ETag='"v"', **{name: OFFERS[name]}) as server:
        outcome = fetch(directory, server.url)
    assert_failed(outcome, directory, BAD_BYTES)
    assert name in outcome.result["error"]
    assert_only(directory)


def test_content_md5_counts_for_the_whole_file_only(directory):
    md5 = base64.b64encode(hashlib.md5(FILE).digest()).decode()
    with BadServer(FILE, lambda call: call.whole(), **{"Content-MD5": md5}) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["verified_against"] == "Content-MD5"
    (directory / "file.bin").unlink()
    with BadServer(OTHER, lambda call: call.whole(), **{"Content-MD5": md5}) as server:
        outcome = fetch(directory, server.url)
    assert_failed(outcome, directory, BAD_BYTES)
    with BadServer(FILE, ETag='"v"', **{"Content-MD5": md5}) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert not outcome.result["verified"]


def test_checksum_given_beats_what_the_server_offers(directory):
    wanted = f"sha-256={sha256_hex(FILE)}"
    with BadServer(FILE, ETag='"v"', **{"x-amz-meta-sha256": "0" * 64}) as server:
        outcome = fetch(directory, "--checksum", wanted, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["verified_against"] == "--checksum"


def test_bad_file_is_kept_on_request(directory):
    with BadServer(FILE) as server:
        outcome = fetch(
            directory, "--keep-bad", "--checksum", "sha-256=" + "0" * 64, server.url
        )
    assert_failed(outcome, directory, BAD_BYTES)
    assert_only(directory, "file.bin.bad")
    assert (directory / "file.bin.bad").read_bytes() == FILE


def test_bad_stream_is_kept_on_request(directory):
    with BadServer(FILE, lambda call: call.whole()) as server:
        wrong = "sha-256=" + "0" * 64
        outcome = fetch(directory, "--keep-bad", "--checksum", wrong, server.url)
    assert_failed(outcome, directory, BAD_BYTES)
    assert_only(directory, "file.bin.bad")


def test_two_at_a_time_do_not_mix(directory):
    """A second run on the same file is refused while the first goes on."""
    with BadServer(FILE, lambda call: call.serve(pace=2 * MIB)) as server:
        outcomes = []
        first = threading.Thread(
            target=lambda: outcomes.append(fetch(directory, "-c", 2, server.url))
        )
        first.start()
        while not (directory / "file.bin.part").exists():
            pass
        second = fetch(directory, server.url)
        first.join()
    assert second.status == 1, second
    assert "another run" in second.result["error"]
    assert outcomes[0].status == OK, outcomes[0]
    assert (directory / "file.bin").read_bytes() == FILE
