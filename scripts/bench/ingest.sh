#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Measures blob-receiver beside nginx (dav_methods PUT, which verifies nothing) and the
# bare floor of durable storing, and blob-sender beside a bare loop of libcurl handles.
# Prints Markdown tables. See --help.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

build=$root/build-bench
dir=
rounds=3
connections=16
workers=10
seconds=8
scale=1
out=

usage() {
  cat <<'TEXT'
usage: scripts/bench/ingest.sh [OPTION...]

  --quick            one round, a quarter of the blobs
  --rounds N         rounds, interleaved; the tables show medians (3)
  --connections N    connections, and threads of the floor (16)
  --workers N        workers of blob-sender and of the curl loop (10)
  --seconds N        no single run lasts longer (8)
  --dir DIR          where data is written; a real disk, not tmpfs (build-bench)
  --out FILE         also keep every single measurement, as JSON lines
  --help             this text
TEXT
}

fail() {
  echo "ingest.sh: $*" >&2
  exit 1
}

while (($# > 0)); do
  case $1 in
    --quick)
      rounds=1
      scale=4
      shift
      ;;
    --help)
      usage
      exit 0
      ;;
    --rounds | --connections | --workers | --seconds | --dir | --out)
      (($# > 1)) || fail "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift 2
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
done

prepare() {
  "$root/scripts/setup.sh" bench >&2
  if [[ ! -e $build/build.ninja ]]; then
    meson setup "$build" "$root" --buildtype=release -Dbench=true -Dtests=false >&2
  fi
  ninja -C "$build" >&2
  mkdir -p "${dir:=$build}"
  [[ $(stat -f -c %T "$dir") != tmpfs ]] ||
    fail "'$dir' is on tmpfs, where fsync does nothing: give --dir on a disk"
  dir=$(mktemp -d "$(cd "$dir" && pwd)/ingest.XXXXXX")
  results=$dir/results
  server_log=$dir/server.log
  server_pid=
  runs=0
  data=
  trap finish EXIT
  trap 'exit 130' INT TERM
}

finish() {
  stop_server
  rm -rf "$dir"
}

# Nothing that one run leaves behind may be paid for by the next. Files are emptied now
# and removed at the end: ext4 without a journal does not give out again an inode freed
# in the last minute, and searches past all of them for each new file.
settle() {
  if [[ -n $data ]]; then
    find "$data" -type f -size +0 -exec truncate -s 0 {} +
  fi
  runs=$((runs + 1))
  data=$dir/$runs
  mkdir "$data"
  sync
}

server_processes() {
  echo "$server_pid"
  cat "/proc/$server_pid/task/$server_pid/children"
}

cpu_seconds() { # of the server and its children, so far
  local pid total=0 stat fields
  for pid in $(server_processes); do
    stat=$(<"/proc/$pid/stat")
    read -ra fields <<<"${stat##*) }"
    total=$((total + fields[11] + fields[12]))
  done
  awk "BEGIN { print $total / $(getconf CLK_TCK) }"
}

peak_kib() {
  local pid total=0
  for pid in $(server_processes); do
    total=$((total + $(awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status")))
  done
  echo "$total"
}

answers() { # does a server take connections on this port?
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

wait_for_server() {
  local attempt
  for ((attempt = 0; attempt < 100; attempt++)); do
    if answers "$port"; then
      return
    fi
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.05
  done
  cat "$server_log" >&2
  fail "the server did not start"
}

free_port() {
  python3 -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])'
}

# Neither server logs single requests.
start_receiver() { # strict|relaxed
  port=$(free_port)
  "$build/receiver/blob-receiver" --port "$port" --dir "$data" --durability "$1" \
    --max-blob-size 2GiB --log-level warn 2>"$server_log" &
  server_pid=$!
  wait_for_server
}

# Stores like the receiver does: a body goes to a hidden file on the same file system
# and is then renamed into the directory of the hour. The body buffer is as large as
# the chunks that the receiver takes from a socket.
nginx_configuration() {
  local user=
  if ((EUID == 0)); then
    user='user root;'
  fi
  cat <<CONF
daemon off;
$user
worker_processes 2;
pid $dir/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  client_max_body_size 0;
  client_body_buffer_size 128k;
  client_body_temp_path $data/incoming;
  server {
    listen 127.0.0.1:$port;
    root $data;
    location / {
      dav_methods PUT;
      create_full_put_path on;
      dav_access user:rw group:r;
    }
  }
}
CONF
}

start_nginx() {
  port=$(free_port)
  nginx_configuration >"$dir/nginx.conf"
  nginx -p "$dir" -c "$dir/nginx.conf" -e stderr 2>"$server_log" &
  server_pid=$!
  wait_for_server
}

stop_server() {
  if [[ -n $server_pid ]]; then
    kill -TERM "$server_pid" 2>/dev/null || true
    wait "$server_pid" || true
    server_pid=
  fi
}

record() { # SYSTEM SIZE ROUND JSON CPU_SECONDS PEAK_KIB
  printf '{"system":"%s","size":"%s","round":%d,"cpu_s":%s,"peak_kib":%s,"run":%s}\n' \
    "$1" "$2" "$3" "$5" "$6" "$4" | tee -a "$results" >&2
}

load() { # SIZE COUNT [OPTION...]
  local size=$1 count=$2
  shift 2
  "$build/scripts/bench/load" --port "$port" --size "$size" --count "$count" \
    --threads "$connections" --duration "${seconds}s" "$@"
}

measure_server() { # SYSTEM SIZE COUNT ROUND [OPTION OF load...]
  local system=$1 size=$2 count=$3 round=$4 before run
  shift 4
  before=$(cpu_seconds)
  run=$(load "$size" "$count" "$@") || fail "$system, $size: see above; got $run"
  record "$system" "$size" "$round" "$run" \
    "$(awk "BEGIN { print $(cpu_seconds) - $before }")" "$(peak_kib)"
  stop_server
}

measure_relaxed() {
  start_receiver relaxed
  measure_server relaxed "$@"
}

measure_nginx() {
  start_nginx
  measure_server nginx "$@" --prefix "/$(date -u +%FT%H)/" --suffix .bin
}

measure_strict() {
  start_receiver strict
  measure_server strict "$@"
}

measure_floor() {
  record floor "$1" "$3" "$("$build/scripts/bench/floor" --dir "$data/floor" \
    --size "$1" --count "$2" --threads "$connections" --duration "${seconds}s")" 0 0
}

measure_ingest() { # SIZE COUNT ROUND: another one begins in each round
  local systems=(relaxed nginx strict floor) i
  for i in 0 1 2 3; do
    settle
    "measure_${systems[($3 + i) % 4]}" "$@"
  done
}

measure_huge() {
  settle
  start_receiver relaxed
  connections=1 seconds=60 measure_server huge 1GiB 1 1
}

measure_sending() { # SIZE COUNT ROUND
  local durability run
  for durability in relaxed strict; do
    settle
    start_receiver "$durability"
    run=$("$build/scripts/bench/curl_loop" --url "http://127.0.0.1:$port/blobs" \
      --size "$1" --count "$2" --threads "$workers" --duration "${seconds}s")
    stop_server
    record "curl_loop, $durability" "$1" "$3" "$run" 0 0
    settle
    start_receiver "$durability"
    run=$("$build/sender/blob-sender" --url "http://127.0.0.1:$port" --count "$2" \
      --workers "$workers" --spool-dir "$data/spool" --min-size "$1" --max-size "$1" \
      --min-interval 0 --max-interval 0 --max-duration "${seconds}s" \
      --log-level warn --log-format json)
    stop_server
    record "blob-sender, $durability" "$1" "$3" "$run" 0 0
  done
}

prepare
for ((round = 1; round <= rounds; round++)); do
  measure_ingest 1KiB $((40000 / scale)) "$round"
  measure_ingest 16KiB $((20000 / scale)) "$round"
  measure_ingest 512KiB $((3000 / scale)) "$round"
  measure_ingest 16MiB $((96 / scale)) "$round"
done
measure_huge
for ((round = 1; round <= rounds; round++)); do
  measure_sending 16KiB $((20000 / scale)) "$round"
  measure_sending 512KiB $((2000 / scale)) "$round"
done
if [[ -n $out ]]; then
  cp "$results" "$out"
fi

device=$(df --output=source "$dir" | tail -n 1)
file_system=$(df --output=fstype "$dir" | tail -n 1)
if [[ $file_system == ext[34] ]] && [[ ! -e /proc/fs/jbd2/${device##*/}-8 ]]; then
  file_system+=' (no journal)'
fi
echo "$(nproc) cores ($(sed -n 's/^model name\t*: //p' /proc/cpuinfo | head -n 1))," \
  "$file_system on $device, Linux $(uname -r), $(nginx -v 2>&1 | sed 's/.*: //')," \
  "$connections connections, $workers workers, median of $rounds."
python3 "$here/table.py" "$results"
