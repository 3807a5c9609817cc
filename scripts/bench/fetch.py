# SPDX-License-Identifier: MIT
"""The measuring half of fetch.sh: see there."""

import argparse
import hashlib
import json
import os
import pathlib
import platform
import pwd
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
RSS_TARGET_MIB = 32
STREAM_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")

# How nginx gives the files out, by the name of the link.
LINKS = {
    "plain": "as fast as it goes",
    "request": "`limit_rate 50m`: nginx limits each request, after a burst of a second",
    "connection": "`proxy_download_rate 50m` in front: each connection is limited",
}


# What prints a SHA-256, of standard input or of a file, for tools that know none.
VERIFIERS = {"openssl": "openssl dgst -sha256 -r", "sha256sum": "sha256sum"}


def tools(options, expected, size, target):
    """{name: shell command that fetches $URL to target and verifies it}, each with the
    settings that are fastest for it."""
    program, verifier = options.program, options.verifier
    digest = f"{VERIFIERS[verifier]} | cut -c1-64"
    checked = f'test "$(<{target} {digest})" = {expected}'
    chunk = min(max(MIB, size // 32), 4 * MIB)
    ours = f"{program} fetch -q --checksum sha-256={expected} -o {target} $URL"
    aria2c = f"aria2c -q -x8 -s8 -k1M -d {target.parent} -o {target.name} $URL"
    return {
        "blob-receiver fetch": ours,
        "blob-receiver fetch, relaxed": f"{ours} --durability relaxed",
        "aria2c --checksum": f"{aria2c} --checksum=sha-256={expected}",
        f"aria2c, {verifier}": f"{aria2c} && {checked}",
        f"axel, {verifier}": f"axel -q -n8 -o {target} $URL && {checked}",
        f"wget2, {verifier}": "wget2 -q --max-threads=8 --no-metalink"
        f" --chunk-size={chunk} -O {target} $URL && {checked}",
        f"curl, {verifier}": f"curl -sS -o {target} $URL && {checked}",
        f"curl, {verifier} meanwhile": f'test "$(curl -sS $URL | tee {target} | {digest})"'
        f" = {expected}",
    }


def make_home(home):
    """Settings of the tools that only a file can give; and none of the user's own."""
    home.mkdir()
    (home / ".axelrc").write_text(f"buffer_size = {MIB}\n")


def make_file(path, size):
    """Random bytes, no two blocks alike. Returns their SHA-256."""
    sha = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(size // MIB):
            block = os.urandom(MIB)
            sha.update(block)
            file.write(block)
    return sha.hexdigest()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def nginx_configuration(root, state, ports):
    temporary = "".join(
        f"{name}_temp_path {state}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = (
        f"user {pwd.getpwuid(os.geteuid()).pw_name}; daemon off; pid {state}/pid;"
        "worker_processes auto; error_log stderr warn; events {}"
        f"http {{ access_log off; {temporary} sendfile on; tcp_nopush on;"
        f"root {root}; keepalive_requests 1000000;"
        f"server {{ listen 127.0.0.1:{ports['plain']}; }}"
    )
    if "request" in ports:
        text += f"server {{ listen 127.0.0.1:{ports['request']}; limit_rate 50m; }}"
    text += "}"
    if "connection" in ports:
        text = (
            f"load_module {STREAM_MODULE};"
            + text
            + (
                f"stream {{ server {{ listen 127.0.0.1:{ports['connection']};"
                f"proxy_pass 127.0.0.1:{ports['plain']}; proxy_download_rate 50m; }} }}"
            )
        )
    return text


class Nginx:
    def __init__(self, root, state, wanted):
        links = [link for link in LINKS if link == "plain" or link in wanted]
        if not STREAM_MODULE.exists():
            links = [link for link in links if link != "connection"]
        self.ports = dict(zip(links, free_ports(len(links))))
        (state / "nginx.conf").write_text(nginx_configuration(root, state, self.ports))
        self.process = subprocess.Popen(
            ["nginx", "-p", state, "-e", "stderr", "-c", state / "nginx.conf"]
        )
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.ports["plain"]), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit("fetch.py: nginx did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def measure(command, url, home):
    """Wall and CPU seconds of a shell command and its children, and the peak RSS of the
    largest. The kernel counts the size of who starts a program as that program's, so
    time(1), which is small, stands between it and us."""
    environment = {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C", "URL": url}
    peak = home / "peak"
    before = time.monotonic()
    child = subprocess.Popen(
        ["time", "-q", "-f", "%M", "-o", peak, "sh", "-c", command],
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return {
        "wall_s": time.monotonic() - before,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_kib": int(peak.read_text()),
        "status": child.returncode,
    }


def settle(output, source):
    """The same start for each: no output, nothing to write back, the source in memory."""
    for file in output.iterdir():
        file.unlink()
    os.sync()
    buffer = bytearray(MIB)
    with open(source, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def file_digest(path):
    with open(path, "rb") as file:
        sha = hashlib.sha256()
        while block := file.read(MIB):
            sha.update(block)
        return sha.hexdigest()


def run(options, state, results):
    root, output = state / "root", state / "out"
    root.mkdir()
    output.mkdir()
    make_home(state / "home")
    state.chmod(0o755)
    digests = {size: make_file(root / f"{size}.bin", size) for size in options.sizes}
    nginx = Nginx(root, state, options.link or LINKS)
    try:
        for turn in range(options.rounds):
            for size, expected in digests.items():
                for link in options.link or nginx.ports:
                    port = nginx.ports[link]
                    measure_all(
                        options, turn, size, expected, link, port, output, results
                    )
    finally:
        nginx.stop()


def measure_all(options, turn, size, expected, link, port, output, results):
    target = output / "file.bin"
    chosen = list(tools(options, expected, size, target).items())
    at = turn % len(chosen)
    for name, command in chosen[at:] + chosen[:at]:
        if shutil.which(command.split()[0]) is None:
            print(f"fetch.py: left out, not installed: {name}", file=sys.stderr)
            continue
        settle(output, output.parent / "root" / f"{size}.bin")
        url = f"http://127.0.0.1:{port}/{size}.bin"
        result = measure(command, url, output.parent / "home")
        right = target.exists() and file_digest(target) == expected
        result |= {"tool": name, "size": size, "link": link, "right": right}
        print(json.dumps(result), file=sys.stderr, flush=True)
        results.append(result)


def size_text(size):
    return f"{size >> 30} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"


def is_ours(name):
    return name.startswith("blob-receiver")


def summary(runs, size):
    """Of the runs that did not fail; None without any."""
    count = len(runs)
    runs = [run for run in runs if run["right"] and run["status"] == 0]
    if not runs:
        return None
    wall = statistics.median(run["wall_s"] for run in runs)
    return {
        "failed": f" **{count - len(runs)} of {count} failed**" * (len(runs) < count),
        "wall": wall,
        "rate": size / wall / 1e6,
        "cpu": statistics.median(run["cpu_s"] for run in runs) / size * 1e9,
        "peak": max(run["peak_kib"] for run in runs) / 1024,
    }


def row(name, summaries):
    mine = summaries[name]
    if mine is None:
        return f"| {name} **failed** | | | | |"
    others = [s for other, s in summaries.items() if s and not is_ours(other)]

    def missed(key):
        target = min((other[key] for other in others), default=mine[key])
        return " **missed**" if is_ours(name) and mine[key] > target else ""

    over = " **missed**" if is_ours(name) and mine["peak"] >= RSS_TARGET_MIB else ""
    return (
        f"| {name}{mine['failed']} | {mine['wall']:.2f}{missed('wall')} | {mine['rate']:,.0f}"
        f" | {mine['cpu']:.2f}{missed('cpu')} | {mine['peak']:.1f}{over} |"
    )


def show(results):
    for size, link in dict.fromkeys((run["size"], run["link"]) for run in results):
        print(f"\n{size_text(size)}, {LINKS[link]}\n")
        print(
            "| tool | wall s, target: lowest | MB/s | CPU s/GB, target: lowest"
            f" | peak RSS MiB, target {RSS_TARGET_MIB} |"
        )
        print("| --- | ---: | ---: | ---: | ---: |")
        runs = [r for r in results if (r["size"], r["link"]) == (size, link)]
        summaries = {
            name: summary([run for run in runs if run["tool"] == name], size)
            for name in dict.fromkeys(run["tool"] for run in runs)
        }
        for name in summaries:
            print(row(name, summaries))


def parse_arguments():
    parser = argparse.ArgumentParser(prog="fetch.sh", description=__doc__)
    parser.add_argument("--program", help=argparse.SUPPRESS)
    parser.add_argument("--dir", help="where files are made (build-bench)")
    parser.add_argument("--rounds", type=int, default=3, help="medians are shown (3)")
    parser.add_argument(
        "--verifier",
        choices=VERIFIERS,
        default="openssl",
        help="for tools that cannot verify (openssl: takes a quarter of the time)",
    )
    parser.add_argument(
        "--link", action="append", choices=LINKS, help="only this; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="256 MiB, one round")
    parser.add_argument("--out", help="keep every measurement here, as JSON lines")
    options = parser.parse_args()
    options.sizes = [4 << 30, 64 << 20]
    if options.quick:
        options.sizes, options.rounds = [256 << 20], 1
    return options


def main():
    options = parse_arguments()
    results = []
    if options.dir:
        os.makedirs(options.dir, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch.", dir=options.dir) as state:
        run(options, pathlib.Path(state), results)
    if options.out:
        lines = "".join(json.dumps(result) + "\n" for result in results)
        pathlib.Path(options.out).write_text(lines)
    print(
        f"{os.cpu_count()} cores, Linux {platform.release()}, median of"
        f" {options.rounds}. Only `blob-receiver fetch` without `relaxed` syncs to the"
        " disk."
    )
    show(results)


main()
