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
rounds=1
attackers=1000
workers=8

usage() {
  cat <<'TEXT'
usage: scripts/bench/slow.sh [OPTION...]

  --seconds N      length of each attack (60), and of each run without one
  --rounds N       the table shows medians of this many (1)
  --attackers N    connections of slowhttptest (1000)
  --workers N      workers of blob-sender (8)
  --build DIR      build directory (build-bench)
  --dir DIR        where data is written; a real disk, not tmpfs (the build directory)
  --help           this text

In each round the sender runs alone; while another receiver on this machine is attacked,
since slowhttptest needs much processor time itself; and while its own is. "kept" is the
last rate over the one before it.
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
    --seconds | --rounds | --attackers | --workers | --build | --dir)
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
  pids=()
  trap finish EXIT
  trap 'exit 130' INT TERM
  ulimit -n "$(ulimit -Hn)"
}

finish() {
  end_all
  rm -rf "$dir"
}

end_all() {
  local pid
  for pid in "${pids[@]}"; do
    if kill "$pid" 2>/dev/null; then
      wait "$pid" || true
    fi
  done
  pids=()
}

field() { # NAME, of the first JSON line on stdin that has it
  python3 -c 'import json, sys
for line in sys.stdin:
    value = json.loads(line).get(sys.argv[1])
    if value is not None:
        print(value)
        break' "$1"
}

start_receiver() { # NAME; sets port
  local attempt log=$dir/$1.log
  : >"$log" # what the last one said
  "$build/receiver/blob-receiver" --port 0 --dir "$data/$1" --log-format json 2>"$log" &
  pids+=($!)
  for ((attempt = 0; attempt < 100; attempt++)); do
    if grep -q '"listening"' "$log"; then
      port=$(grep '"listening"' "$log" | field port)
      return
    fi
    sleep 0.05
  done
  cat "$log" >&2
  fail "the receiver did not start"
}

# Something to read slowly, and in ranges. Prints its id.
store_one() { # PORT
  head -c 4194304 /dev/urandom >"$dir/one"
  curl -sS -H "X-SHA256: $(sha256sum <"$dir/one" | cut -c1-64)" \
    --data-binary "@$dir/one" "http://127.0.0.1:$1/blobs" | field id
}

# Prints what the sender delivered, in MB/s. It tries each blob once, so that a single
# one that does not come through shows in its exit status.
honest_rate() {
  "$build/sender/blob-sender" --port "$own" --spool-dir "$dir/spool" \
    --workers "$workers" --count 0 --max-duration "${seconds}s" --min-interval 0 \
    --max-interval 0 --min-size 64KiB --max-size 64KiB --max-attempts 1 \
    --log-level warn --log-format json 2>>"$dir/sender.log" >"$dir/summary" ||
    fail "the honest sender lost something: $(tail -n3 "$dir/sender.log")"
  field mb_per_s <"$dir/summary"
}

attack() { # PORT PATH SLOWHTTPTEST OPTION...
  local path=$2 url=http://127.0.0.1:$1
  if [[ $path == one ]]; then
    path=/blobs/$(store_one "$1")
  fi
  shift 2
  slowhttptest -c "$attackers" -r "$attackers" -l "$((seconds + 5))" "$@" -u "$url$path" \
    >"$dir/attack.log" 2>&1 &
  pids+=($!)
  sleep 2 # until all are connected
}

# One run on empty directories. Prints the rate. What earlier runs stored is emptied now
# and removed at the end: ext4 without a journal does not give out again an inode freed
# in the last minute, and searches past all of them for each new file.
run() { # own|other|nobody [ATTACK...]
  local victim=$1 own other
  shift
  find "$dir" -name '*.bin' -size +0 -exec truncate -s 0 {} +
  data=$(mktemp -d "$dir/run.XXXXXX")
  sync -f "$data"
  start_receiver own
  own=$port
  start_receiver other
  other=$port
  case $victim in
    own) attack "$own" "$@" ;;
    other) attack "$other" "$@" ;;
  esac
  honest_rate
  end_all
}

median() {
  sort -n | awk '{ value[NR] = $1 }
    END { print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'
}

measure() { # NAME ATTACK...
  local name=$1 round
  shift
  : >"$dir/nobody.rates"
  : >"$dir/other.rates"
  : >"$dir/own.rates"
  for ((round = 0; round < rounds; round++)); do
    run nobody >>"$dir/nobody.rates"
    if ((round % 2 == 0)); then # so that a drift of the machine favours neither
      run own "$@" >>"$dir/own.rates"
    fi
    run other "$@" >>"$dir/other.rates"
    if ((round % 2 == 1)); then
      run own "$@" >>"$dir/own.rates"
    fi
  done
  awk -v name="$name" -v a="$(median <"$dir/nobody.rates")" \
    -v b="$(median <"$dir/other.rates")" -v c="$(median <"$dir/own.rates")" 'BEGIN {
    printf "| %s | %.1f | %.1f | %.1f | %.2f |\n", name, a, b, c, c / b
    exit c / b < 0.9 }' || slow=1
}

prepare
slow=0
echo "| attack, $attackers connections, $seconds s | alone, MB/s | other attacked | attacked | kept |"
echo "| --- | ---: | ---: | ---: | ---: |"
measure "slow headers" /blobs -H -i 1
measure "slow body" /blobs -B -i 1 -s 8192
measure "ranges" one -R -a 1 -b 3000
measure "slow read" one -X -n 1 -w 1 -y 32 -z 5 -k 3
((slow == 0))
