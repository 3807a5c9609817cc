#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What an honest sender keeps of its throughput while slowhttptest attacks the receiver
# in each of its four modes. Prints a Markdown table; exit status 1 when it loses a
# blob, or keeps less than nine tenths. See --help.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

build=$root/build-bench
dir=
seconds=60
attackers=1000
workers=8

usage() {
  cat <<'TEXT'
usage: scripts/bench/slow.sh [OPTION...]

  --seconds N      length of each attack (60); the sender runs as long before and after
  --attackers N    connections of slowhttptest (1000)
  --workers N      workers of blob-sender (8)
  --build DIR      build directory (build-bench)
  --dir DIR        where data is written; a real disk, not tmpfs (the build directory)
  --help           this text

The sender runs three times: alone, beside the attack, alone again. Kept is the second
rate over the mean of the others. slowhttptest needs processor time itself: where there
is little of it, part of what is lost is lost to that.
TEXT
}

fail() {
  echo "slow.sh: $*" >&2
  exit 1
}

while (($# > 0)); do
  case $1 in
    --help)
      usage
      exit 0
      ;;
    --seconds | --attackers | --workers | --build | --dir)
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
    meson setup "$build" "$root" --buildtype=release -Dtests=false >&2
  fi
  ninja -C "$build" receiver/blob-receiver sender/blob-sender >&2
  mkdir -p "${dir:=$build}"
  [[ $(stat -f -c %T "$dir") != tmpfs ]] ||
    fail "'$dir' is on tmpfs, where fsync does nothing: give --dir on a disk"
  dir=$(mktemp -d "$(cd "$dir" && pwd)/slow.XXXXXX")
  receiver_pid=
  attacker_pid=
  trap finish EXIT
  trap 'exit 130' INT TERM
  ulimit -n "$(ulimit -Hn)"
}

finish() {
  end "$attacker_pid"
  end "$receiver_pid"
  rm -rf "$dir"
}

end() { # PID
  if [[ -n $1 ]] && kill "$1" 2>/dev/null; then
    wait "$1" || true
  fi
}

field() { # NAME, of the first JSON line on stdin that has it
  python3 -c 'import json, sys
for line in sys.stdin:
    value = json.loads(line).get(sys.argv[1])
    if value is not None:
        print(value)
        break' "$1"
}

start_receiver() {
  local attempt
  "$build/receiver/blob-receiver" --port 0 --dir "$dir/blobs" --log-format json \
    2>"$dir/receiver.log" &
  receiver_pid=$!
  for ((attempt = 0; attempt < 100; attempt++)); do
    if grep -q '"listening"' "$dir/receiver.log"; then
      port=$(grep '"listening"' "$dir/receiver.log" | field port)
      return
    fi
    sleep 0.05
  done
  cat "$dir/receiver.log" >&2
  fail "the receiver did not start"
}

# Something to read slowly, and in ranges.
store_one() {
  head -c 4194304 /dev/urandom >"$dir/one"
  curl -sS -H "X-SHA256: $(sha256sum <"$dir/one" | cut -c1-64)" \
    --data-binary "@$dir/one" "http://127.0.0.1:$port/blobs" | field id
}

# Prints what the sender delivered, in MB/s. It tries each blob once, so that a single
# one that does not come through shows in its exit status.
honest_rate() {
  "$build/sender/blob-sender" --port "$port" --spool-dir "$dir/spool" \
    --workers "$workers" --count 0 --max-duration "${seconds}s" --min-interval 0 \
    --max-interval 0 --min-size 64KiB --max-size 64KiB --max-attempts 1 \
    --log-level warn --log-format json 2>>"$dir/sender.log" >"$dir/summary" ||
    fail "the honest sender lost something: $(tail -n3 "$dir/sender.log")"
  field mb_per_s <"$dir/summary"
}

attack() { # SLOWHTTPTEST OPTION...
  slowhttptest -c "$attackers" -r "$attackers" -l "$seconds" "$@" \
    >"$dir/attack.log" 2>&1 &
  attacker_pid=$!
}

measure() { # NAME PATH SLOWHTTPTEST OPTION...
  local name=$1 path=$2 before beside after line
  shift 2
  start_receiver
  if [[ $path == one ]]; then
    path=/blobs/$(store_one)
  fi
  before=$(honest_rate)
  attack "$@" -u "http://127.0.0.1:$port$path"
  beside=$(honest_rate)
  end "$attacker_pid"
  attacker_pid=
  after=$(honest_rate)
  line=$(awk -v name="$name" -v a="$before" -v b="$beside" -v c="$after" 'BEGIN {
    printf "| %s | %.1f | %.1f | %.1f | %.2f |", name, a, b, c, 2 * b / (a + c) }')
  echo "$line"
  awk -F'|' '$6 < 0.9 { exit 1 }' <<<"$line" || slow=1
  end "$receiver_pid"
  receiver_pid=
  rm -rf "$dir/blobs"
}

prepare
slow=0
echo "| attack, $attackers connections, $seconds s | before, MB/s | beside | after | kept |"
echo "| --- | ---: | ---: | ---: | ---: |"
measure "slow headers" /blobs -H -i 1
measure "slow body" /blobs -B -i 1 -s 8192
measure "ranges" one -R -a 1 -b 3000
measure "slow read" one -X -n 1 -w 1 -y 32 -z 5 -k 3
exit "$slow"
