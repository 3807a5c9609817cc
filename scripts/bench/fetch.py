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


def tools(program, expected, size, target):
    """{name: shell command that fetches $URL to target and verifies it}"""
    checked = f"echo {expected} {target} | sha256sum --check --status"
    chunk = max(MIB, size // 8)
    ours = f"{program} fetch -q --checksum sha-256={expected} -o {target} $URL"
    return {
        "blob-receiver fetch": ours,
        "blob-receiver fetch, relaxed": f"{ours} --durability relaxed",
        "aria2c -x8 -s8 -k1M": "aria2c -q -x8 -s8 -k1M --allow-overwrite=true"
        f" --checksum=sha-256={expected} -d {target.parent} -o {target.name} $URL",
        "axel -n8, sha256sum": f"axel -q -n8 -o {target} $URL && {checked}",
        "wget2 --chunk-size, sha256sum": "wget2 -q --max-threads=8 --no-metalink"
        f" --chunk-size={chunk} -O {target} $URL && {checked}",
        "curl, sha256sum": f"curl -sS -o {target} $URL && {checked}",
    }


def make_file(path, size):
    """Random bytes, no two blocks alike. Returns their SHA-256. In small steps: the
    kernel counts our own size at the moment of a fork as the child's."""
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
        "worker_processes 2; error_log stderr warn; events {}"
        f"http {{ access_log off; {temporary} sendfile on; tcp_nopush on;"
        f"root {root}; keepalive_requests 1000000;"
        f"server {{ listen 127.0.0.1:{ports['plain']}; }}"
        f"server {{ listen 127.0.0.1:{ports['request']}; limit_rate 50m; }} }}"
    )
    if "connection" in ports:
        text = f"load_module {STREAM_MODULE};" + text + (
            f"stream {{ server {{ listen 127.0.0.1:{ports['connection']};"
            f"proxy_pass 127.0.0.1:{ports['plain']}; proxy_download_rate 50m; }} }}"
        )
    return text


class Nginx:
    def __init__(self, root, state):
        links = [link for link in LINKS if link != "connection" or STREAM_MODULE.exists()]
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


def measure(command, url):
    """Wall and CPU seconds and the peak RSS of a shell command and its children."""
    before = time.monotonic()
    child = subprocess.Popen(
        ["sh", "-c", command], env=os.environ | {"URL": url}, stdin=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return {
        "wall_s": time.monotonic() - before,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_kib": usage.ru_maxrss,
        "status": child.returncode,
    }


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
    state.chmod(0o755)
    digests = {size: make_file(root / f"{size}.bin", size) for size in options.sizes}
    nginx = Nginx(root, state)
    try:
        for turn in range(options.rounds):
            for size, expected in digests.items():
                for link, port in nginx.ports.items():
                    measure_all(options, turn, size, expected, link, port, output, results)
    finally:
        nginx.stop()


def measure_all(options, turn, size, expected, link, port, output, results):
    target = output / "file.bin"
    chosen = list(tools(options.program, expected, size, target).items())
    at = turn % len(chosen)
    for name, command in chosen[at:] + chosen[:at]:
        if shutil.which(command.split()[0]) is None:
            continue
        for file in output.iterdir():
            file.unlink()
        os.sync()
        result = measure(command, f"http://127.0.0.1:{port}/{size}.bin")
        right = target.exists() and file_digest(target) == expected
        result |= {"tool": name, "size": size, "link": link, "right": right}
        print(json.dumps(result), file=sys.stderr, flush=True)
        results.append(result)


def size_text(size):
    return f"{size >> 30} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"


def row(name, runs, size):
    wall = statistics.median(run["wall_s"] for run in runs)
    cpu = statistics.median(run["cpu_s"] for run in runs) / size * 1e9
    peak = max(run["peak_kib"] for run in runs) / 1024
    ours = name.startswith("blob-receiver")
    mark = " **missed**" if ours and peak >= RSS_TARGET_MIB else ""
    if not all(run["right"] and run["status"] == 0 for run in runs):
        name += " **failed**"
    return (
        f"| {name} | {wall:.2f} | {size / wall / 1e6:,.0f} | {cpu:.2f} "
        f"| {peak:.1f}{mark} |"
    )


def show(results):
    for size, link in dict.fromkeys((run["size"], run["link"]) for run in results):
        print(f"\n{size_text(size)}, {LINKS[link]}\n")
        print("| tool | wall s | MB/s | CPU s/GB | peak RSS MiB |")
        print("| --- | ---: | ---: | ---: | ---: |")
        runs = [r for r in results if (r["size"], r["link"]) == (size, link)]
        for name in dict.fromkeys(run["tool"] for run in runs):
            print(row(name, [run for run in runs if run["tool"] == name], size))


def parse_arguments():
    parser = argparse.ArgumentParser(prog="fetch.sh", description=__doc__)
    parser.add_argument("--program", help=argparse.SUPPRESS)
    parser.add_argument("--dir", help="where files are made (build-bench)")
    parser.add_argument("--rounds", type=int, default=3, help="medians are shown (3)")
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
