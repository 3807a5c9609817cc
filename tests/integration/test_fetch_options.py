# SPDX-License-Identifier: MIT
"""What can be asked of a fetch, and what it says when asked for nonsense."""

import os
import subprocess

import pytest

from helpers import machine, programs
from helpers.badserver import BadServer
from helpers.fetching import (
    CANNOT_WRITE,
    MIB,
    NETWORK,
    OK,
    REFUSED_HERE,
    USAGE,
    assert_failed,
    assert_fetched,
    assert_only,
    content,
    fetch,
)

FILE = content(3 * MIB)


@pytest.fixture
def server():
    with BadServer(FILE) as server:
        yield server


@pytest.fixture
def directory(workspace):
    path = workspace / "fetched"
    path.mkdir()
    return path


def plain(*arguments, **more):
    return programs.run(programs.RECEIVER, "fetch", *arguments, **more)


def test_result_is_said_in_words(server, directory):
    done = plain("-d", directory, server.url)
    assert done.returncode == OK
    first, second = done.stdout.splitlines()
    assert first.startswith(f"file.bin: {len(FILE)} bytes, ")
    assert second.endswith("not verified: no digest was offered")
    assert done.stderr == ""


def test_quiet_says_nothing(server, directory):
    done = plain("-q", "-d", directory, server.url)
    assert (done.returncode, done.stdout, done.stderr) == (OK, "", "")


def test_output_names_the_file(server, workspace):
    (workspace / "a").mkdir()
    assert plain("-o", "a/b.bin", server.url, cwd=workspace).returncode == OK
    assert (workspace / "a" / "b.bin").read_bytes() == FILE
    assert plain("-o", workspace / "c.bin", server.url).returncode == OK
    assert (workspace / "c.bin").read_bytes() == FILE


def test_directory_is_made(server, workspace):
    assert plain("-d", workspace / "new", server.url).returncode == OK
    assert (workspace / "new" / "file.bin").read_bytes() == FILE


def test_directory_is_made_with_all_above_it(server, workspace):
    assert plain("-d", "a/b//c/", server.url, cwd=workspace).returncode == OK
    assert (workspace / "a" / "b" / "c" / "file.bin").read_bytes() == FILE
    (workspace / "file").touch()
    done = plain("-d", "file/c", server.url, cwd=workspace)
    assert done.returncode == REFUSED_HERE
    assert "--dir: " in done.stderr and "'file/c'" in done.stderr


def test_directory_of_the_output_is_not_made(server, workspace):
    done = plain("-o", "a/b.bin", server.url, cwd=workspace)
    assert done.returncode == REFUSED_HERE
    assert "--output: " in done.stderr and "'a/b.bin'" in done.stderr
    assert not server.calls


def test_result_of_a_long_url_is_said(server, directory):
    url = server.url.replace("/file.bin", '/"' * 3000 + "/file.bin")
    outcome = fetch(directory, url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["url"] == url


def test_existing_file_is_replaced_only_by_a_good_one(server, directory):
    target = directory / "file.bin"
    target.write_bytes(b"old")
    outcome = fetch(directory, "--checksum", "sha-256=" + "0" * 64, server.url)
    assert outcome.status == 65
    assert target.read_bytes() == b"old"
    assert_fetched(fetch(directory, server.url), directory, FILE)


def test_no_clobber_skips(server, directory):
    (directory / "file.bin").write_bytes(b"old")
    outcome = fetch(directory, "--no-clobber", server.url)
    assert outcome.status == OK
    assert outcome.result["event"] == "skipped"
    assert server.calls == []
    assert (directory / "file.bin").read_bytes() == b"old"


def test_no_clobber_holds_for_a_file_that_appears_meanwhile(server, directory):
    server.script = (
        lambda call: (directory / "file.bin").write_bytes(b"theirs") and None
    )
    outcome = fetch(directory, "--no-clobber", server.url)
    assert outcome.status == 1, outcome
    assert (directory / "file.bin").read_bytes() == b"theirs"
    assert_only(directory, "file.bin")


def test_several_urls_and_a_list(server, directory, workspace):
    base = server.url.rsplit("/", 1)[0]
    listing = workspace / "list"
    listing.write_text(f"# comment\n\n{base}/c.bin\r\n  {base}/d.bin  \n")
    outcome = fetch(directory, "-i", listing, f"{base}/a.bin", f"{base}/b.bin")
    assert outcome.status == OK
    assert [result["file"] for result in outcome.results] == [
        "a.bin",
        "b.bin",
        "c.bin",
        "d.bin",
    ]
    assert_only(directory, "a.bin", "b.bin", "c.bin", "d.bin")


def test_one_failure_among_several_shows_in_the_status(server, directory):
    def script(call):
        if call.path == "/b.bin":
            call.answer(404, {}, b"")

    server.script = script
    base = server.url.rsplit("/", 1)[0]
    outcome = fetch(directory, *(f"{base}/{name}.bin" for name in "abc"))
    assert outcome.status == 22
    events = [result["event"] for result in outcome.results]
    assert events == ["fetched", "failed", "fetched"]


def test_headers_and_token_are_sent(server, directory, workspace):
    token = workspace / "token"
    token.write_text("secret-token\nnot this\n")
    token.chmod(0o600)
    fetch(
        directory, "-H", "X-One: 1", "-H", "X-Two:2", "--token-file", token, server.url
    )
    headers = server.calls[0].headers
    assert (headers["x-one"], headers["x-two"]) == ("1", "2")
    assert headers["authorization"] == "Bearer secret-token"


def test_token_open_to_others_is_refused(server, directory, workspace):
    token = workspace / "token"
    token.write_text("secret-token\n")
    token.chmod(0o644)
    done = plain("-d", directory, "--token-file", token, server.url)
    assert done.returncode == USAGE
    assert "--token-file" in done.stderr and "open to others" in done.stderr
    assert "secret-token" not in done.stderr
    assert not server.calls


def test_token_of_the_service_manager_is_found(server, directory, workspace):
    credentials = workspace / "credentials"
    credentials.mkdir()
    (credentials / "token").write_text("secret-token")
    (credentials / "token").chmod(0o400)
    environment = {"CREDENTIALS_DIRECTORY": str(credentials)}
    fetch(directory, "--token-file", "token", server.url, env=environment)
    assert server.calls[0].headers["authorization"] == "Bearer secret-token"


def test_unusable_url_is_named_without_its_secrets(workspace):
    done = plain("http://user:hunter2@h/?key=hunter3", cwd=workspace)
    assert done.returncode == USAGE
    assert "http://h/" in done.stderr
    assert "hunter" not in done.stderr


def test_rate_is_limited_over_all_connections(server, directory):
    outcome = fetch(directory, "-c", "4", "--limit-rate", "2MiB", server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["elapsed_ms"] > 1300


def test_low_rate_is_kept_by_fewer_connections(server, directory):
    server.content = content(200_000)
    options = ["--limit-rate", "80KiB", "--min-split-size", "64KiB"]
    outcome = fetch(directory, *options, server.url)
    assert_fetched(outcome, directory, server.content)
    assert server.body_bytes == len(server.content)


def test_one_connection_is_one_connection(server, directory):
    assert_fetched(fetch(directory, "-c", "1", server.url), directory, FILE)
    assert server.most_at_once == 1


def test_environment_gives_options(server, directory):
    outcome = fetch(directory, server.url, env={"BLOB_RECEIVER_FETCH_COUNT": "1"})
    assert outcome.result["connections"] == 1


@pytest.mark.parametrize(
    "arguments, culprit",
    [
        ([], "no URL"),
        (["-c", "0", "http://h/a"], "--count"),
        (["--checksum", "md5=00", "http://h/a"], "--checksum"),
        (["-H", "no colon", "http://h/a"], "--header"),
        (["-H", "Bad Name: x", "http://h/a"], "--header"),
        (["-H", "Range: bytes=0-1", "http://h/a"], "choose Range itself"),
        (["-H", 'if-range: "v"', "http://h/a"], "choose if-range itself"),
        (["-H", "Accept-Encoding: gzip", "http://h/a"], "choose Accept-Encoding"),
        (["-H", "If-None-Match: *", "http://h/a"], "choose If-None-Match"),
        (["-H", "Transfer-Encoding: chunked", "http://h/a"], "choose Transfer"),
        (["--token-file", "/nonexistent", "http://h/a"], "--token-file"),
        (["-i", "/nonexistent"], "--input-file"),
        (["-o", "a", "http://h/a", "http://h/b"], "--output"),
        (["-o", "a/..", "http://h/a"], "--output"),
        (["http://h/a", "http://g/a"], "two of the URLs"),
        (["http://h/"], "names no file"),
        (["http://h/..%2f"], "names no file"),
        (["http://h/%2ebashrc"], "hidden"),
        (["http://h/a%C2%9B2Jb"], "control character"),
        (["http://h/a%E2%80%AEnib.exe"], "control character"),
        (["http://h/a.part.state"], "state of another"),
        (["--limit-rate", "fast", "http://h/a"], "--limit-rate"),
    ],
)
def test_nonsense_is_refused_by_name(workspace, arguments, culprit):
    done = plain(*arguments, cwd=workspace)
    assert done.returncode == USAGE
    assert culprit in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not any(path.suffix == ".part" for path in workspace.iterdir())


def test_nothing_a_terminal_would_obey_is_shown(server, directory, workspace):
    base = server.url.rsplit("/", 1)[0]
    done = plain("-d", directory, f"{base}/a%9B2Jb")
    assert done.returncode == OK
    assert done.stdout.startswith("a\\x9b2Jb: ")
    assert os.listdir(os.fsencode(directory)) == [b"a\x9b2Jb"]
    listing = workspace / "list"
    listing.write_bytes(f"{base}/\x1b[2J\u202e/..\n".encode())
    done = plain("-d", directory, "-i", listing)
    assert done.returncode == USAGE
    assert "\\x1b[2J" in done.stderr
    assert "\x1b" not in done.stderr and "\u202e" not in done.stderr


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a", "http://", "http://[::1/a"])
def test_unusable_url_is_refused(directory, url):
    outcome = fetch(directory, "-o", "file.bin", url)
    assert outcome.status == USAGE, outcome
    assert_only(directory)


def test_refused_connection_is_an_error(directory):
    outcome = fetch(directory, "--max-tries", 2, "http://127.0.0.1:1/file.bin")
    assert_failed(outcome, directory, NETWORK)
    assert "refused" in outcome.result["error"]
    assert_only(directory)


def test_unwritable_directory_is_an_error(server, directory):
    directory.chmod(0o500)
    if os.geteuid() == 0:
        subprocess.run(["chattr", "+i", directory], check=False)
    try:
        outcome = fetch(directory, server.url)
        if (directory / "file.bin").exists():
            pytest.skip("nothing is unwritable here")
        assert_failed(outcome, directory, CANNOT_WRITE)
    finally:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", directory], check=False)
        directory.chmod(0o700)


def test_full_disk_is_an_error(workspace):
    with machine.small_disk(workspace, 8) as disk, BadServer(
        content(16 * MIB)
    ) as server:
        outcome = fetch(disk, server.url)
        assert_failed(outcome, disk, CANNOT_WRITE)
        assert "No space left" in outcome.result["error"]
        assert not any(path.suffix == ".part" for path in disk.iterdir())


@pytest.mark.parametrize("kind", ["directory", "symlink", "fifo"])
def test_part_file_that_is_something_else_is_refused(server, directory, kind):
    part = directory / "file.bin.part"
    victim = directory / "victim"
    victim.write_text("precious")
    if kind == "directory":
        part.mkdir()
    elif kind == "symlink":
        part.symlink_to(victim)
    else:
        os.mkfifo(part)
    outcome = fetch(directory, server.url)
    assert outcome.status in (1, CANNOT_WRITE), outcome
    assert victim.read_text() == "precious"


def test_part_file_of_somebody_else_is_left_alone(server, directory):
    part = directory / "file.bin.part"
    part.write_text("precious")
    outcome = fetch(directory, server.url)
    assert_failed(outcome, directory, REFUSED_HERE)
    assert "file.bin.part" in outcome.result["error"]
    assert part.read_text() == "precious"
    assert not server.calls


def test_part_file_that_was_published_is_left_alone(server, directory):
    part = directory / "file.bin.part"
    part.write_text("precious")
    os.setxattr(part, "user.blob.part", b"")
    os.link(part, directory / "file.bin")
    outcome = fetch(directory, server.url)
    assert outcome.status == REFUSED_HERE, outcome
    assert part.read_text() == "precious"


def test_file_does_not_overwrite_one_named_like_its_part(server, directory):
    base = server.url.rsplit("/", 1)[0]
    outcome = fetch(directory, f"{base}/file.bin.part", f"{base}/file.bin")
    assert [result["event"] for result in outcome.results] == ["fetched", "failed"]
    assert (directory / "file.bin.part").read_bytes() == FILE
    assert os.listxattr(directory / "file.bin.part") == []


def test_target_that_is_a_directory_is_refused(server, directory):
    (directory / "file.bin").mkdir()
    assert fetch(directory, server.url).status == USAGE
