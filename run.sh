#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# usage: ./run.sh [OPTION OF blob-sender...]
#
# Installs what is missing, builds, starts a receiver on a free port, streams blobs to it
# and says what arrived. Blobs land in ./blobs, what could not be sent stays in ./spool.
# Exit status: that of blob-sender, or 1 if less was stored than delivered.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly build_dir=build
readonly receiver_log=$build_dir/receiver.log
readonly sender_summary=$build_dir/sender.out
readonly started=$build_dir/started # older than every blob of this run
receiver_pid=
sender_pid=

say() {
  echo "run.sh: $*"
}

quietly() { # output only if it fails
  local output
  if ! output=$("$@" 2>&1); then
    echo "$output" >&2
    say "failed: $*" >&2
    exit 1
  fi
}

build() {
  if [[ ! -e $build_dir/build.ninja ]]; then
    say "building"
    quietly meson setup "$build_dir" --buildtype=release -Dtests=false
  fi
  quietly ninja -C "$build_dir"
}

# Both programs get a session of their own, so that Ctrl-C reaches this script alone,
# which then stops the sender first and the receiver after it.
# shellcheck disable=SC2317 # called by traps
forward() {
  interrupted=1
  if [[ -n $sender_pid ]]; then
    kill -s "$1" "$sender_pid" 2>/dev/null || true
  fi
}

await() { # the exit status of a child; wait returns early when a trap has run
  local status
  while true; do
    interrupted=
    status=0
    wait "$1" || status=$?
    if [[ -z $interrupted ]]; then
      return "$status"
    fi
  done
}

ready() { # does /readyz answer 200?
  local line=
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' \
    "$1" >&3
  read -r -t 2 line <&3 || true
  exec 3<&-
  [[ $line == 'HTTP/1.1 200 '* ]]
}

start_receiver() { # sets receiver_pid and port
  local attempt
  setsid "$build_dir/receiver/blob-receiver" --port 0 --dir blobs 2>"$receiver_log" &
  receiver_pid=$!
  for ((attempt = 0; attempt < 100; attempt++)); do
    port=$(sed -nE 's|.*listening on http://[^ ,]*:([0-9]+).*|\1|p' "$receiver_log")
    if [[ -n $port ]] && ready "$port" 2>/dev/null; then
      return
    fi
    if ! kill -0 "$receiver_pid" 2>/dev/null; then
      break
    fi
    sleep 0.1
  done
  cat "$receiver_log" >&2
  say "the receiver did not get ready; its log is above" >&2
  exit 1
}

stop_receiver() {
  local status=0
  if [[ -n $receiver_pid ]]; then
    kill -TERM "$receiver_pid" 2>/dev/null || true
    await "$receiver_pid" || status=$?
    receiver_pid=
  fi
  return "$status"
}

# What this run left in the store, read back: "N stored, N damaged".
inspect_store() {
  find blobs -name '*.bin' -newer "$started" -print0 | python3 -c '
import hashlib, os, sys

stored = damaged = 0
for path in filter(None, sys.stdin.buffer.read().split(b"\0")):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    stored += 1
    damaged += os.getxattr(path, "user.blob.sha256").decode() != digest.hexdigest()
print(f"{stored} stored, {damaged} damaged")'
}

count_of() { # a number of the summary, which is text or JSON
  sed -nE "s/.*\\b$1\"?: *([0-9]+).*/\\1/p" "$sender_summary" | head -n 1
}

# A blob left over from an earlier run may have been stored by that one, just not
# acknowledged; so what was found in the spool need not be new in the store.
report() {
  local found generated delivered
  generated=$(count_of generated)
  if [[ -z $generated ]]; then
    return # the sender did not get as far as a summary
  fi
  delivered=$(count_of delivered)
  found=$(inspect_store)
  say "$generated generated, $delivered delivered, $found" \
    "(./blobs, every SHA-256 computed again)"
  if [[ $found != *' 0 damaged' ]]; then
    return 1
  fi
  if ((${found%% *} + $(count_of recovered) < delivered)); then
    say "fewer blobs were stored than delivered" >&2
    return 1
  fi
}

scripts/setup.sh build
build
for argument; do
  if [[ $argument == --help || $argument == --version ]]; then
    exec "$build_dir/sender/blob-sender" "$argument"
  fi
done

trap stop_receiver EXIT
trap 'exit 130' INT TERM HUP

touch "$started"
start_receiver
say "receiver on http://127.0.0.1:$port, its log in $receiver_log"

trap 'forward INT' INT
trap 'forward TERM' TERM HUP
status=0
setsid "$build_dir/sender/blob-sender" --url "http://127.0.0.1:$port" "$@" \
  >"$sender_summary" &
sender_pid=$!
await "$sender_pid" || status=$?
sender_pid=
cat "$sender_summary"

if ! stop_receiver; then
  say "the receiver did not end well; see $receiver_log" >&2
fi
if ! report && ((status == 0)); then
  status=1
fi
exit "$status"
