#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Measures `blob-sender upload` beside rclone, s3cmd and aws against the same Ceph
# gateway: many small files and some big ones, near and 20 ms away. Prints Markdown
# tables. See --help.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

build=$root/build-bench
dir=
rounds=3
small=20000
big=20
out=
clients="blob-sender rclone-16 rclone-32 s3cmd aws"

usage() {
  cat <<'TEXT'
usage: scripts/bench/upload.sh [OPTION...]

  --quick          one round, a tenth of the small files, a fifth of the big ones
  --rounds N       rounds, interleaved; the tables show medians (3)
  --small N        files of 16 KiB (20000)
  --big N          files of 64 MiB (20)
  --clients LIST   which of: blob-sender rclone-16 rclone-32 s3cmd aws
  --dir DIR        where the files are (build-bench)
  --out FILE       also keep every single measurement, as JSON lines
  --help           this text

s3cmd and aws get a tenth of the small files: they take too long for all of them. s3cmd,
which sends one file after another, is left out where the store is far away.
TEXT
}

fail() {
  echo "upload.sh: $*" >&2
  exit 1
}

while (($# > 0)); do
  case $1 in
    --quick)
      rounds=1
      small=2000
      big=4
      shift
      ;;
    --help)
      usage
      exit 0
      ;;
    --rounds | --small | --big | --clients | --dir | --out)
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

finish() {
  [[ -z ${proxy:-} ]] || kill "$proxy" 2>/dev/null || true
  "$root/tests/servers/ceph-rgw.sh" stop "$dir/store" || true
  rm -rf "$dir"
}

make_files() {
  python3 - "$dir" "$small" "$big" <<'PY'
import os, sys
base, small, big = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for name, count in (("small", small), ("tenth", small // 10)):
    for i in range(count):
        directory = f"{base}/{name}/d{i % 300}"
        os.makedirs(directory, exist_ok=True)
        with open(f"{directory}/f{i}", "wb") as file:
            file.write(os.urandom(16 << 10))
os.makedirs(f"{base}/big")
for i in range(big):
    with open(f"{base}/big/f{i}", "wb") as file:
        for _ in range(64):
            file.write(os.urandom(1 << 20))
PY
}

prepare() {
  "$root/scripts/setup.sh" bench >&2
  if [[ ! -e $build/build.ninja ]]; then
    meson setup "$build" "$root" --buildtype=release -Dbench=true -Dtests=false >&2
  fi
  ninja -C "$build" >&2
  mkdir -p "${dir:=$build}"
  dir=$(mktemp -d "$(cd "$dir" && pwd)/upload.XXXXXX")
  trap finish EXIT
  trap 'exit 130' INT TERM
  results=$dir/results
  mkdir "$dir/empty"
  make_files
}

# A new store for every run, so that none pays for what another left behind.
start_store() { # MILLISECONDS
  "$root/tests/servers/ceph-rgw.sh" stop "$dir/store"
  port=$(python3 -c 'import random; print(random.randrange(20000, 32000))')
  "$root/tests/servers/ceph-rgw.sh" start "$dir/store" "$port" >"$dir/env"
  set -a
  # shellcheck source=/dev/null
  . "$dir/env"
  set +a
  if (($1 > 0)); then
    exec {from}< <(exec "$build/scripts/bench/delay" "$port" "$1")
    proxy=$!
    read -r -u "$from" port
    exec {from}<&-
  fi
  AWS_ENDPOINT_URL=http://127.0.0.1:$port
  unset AWS_CA_BUNDLE # Debian's rclone refuses to start with it
  "$build/sender/blob-sender" upload "$dir/empty" s3://bench >/dev/null 2>&1 # the bucket
}

stop_proxy() {
  [[ -z ${proxy:-} ]] || kill "$proxy" 2>/dev/null || true
  proxy=
}

requests() { grep -c 'beast: .*HTTP/1.1"' "$dir/store/log/client.rgw.log" || true; }

# Each with the flags that make it fastest: nothing is asked for that blob-sender could
# leave out as well, except that it alone stores and signs a SHA-256.
command_of() { # CLIENT FILES
  local host=${AWS_ENDPOINT_URL#http://}
  case $1 in
    blob-sender)
      run=("$build/sender/blob-sender" upload --nice=off --log-level warn "$2" s3://bench/x)
      ;;
    rclone-*)
      run=(rclone copy "$2" :s3:bench/x --s3-provider Ceph --s3-env-auth
        --s3-endpoint "$AWS_ENDPOINT_URL" --s3-region us-east-1 --transfers "${1#rclone-}"
        --checkers "${1#rclone-}" --no-traverse --no-check-dest --s3-no-check-bucket
        --s3-no-head --s3-disable-checksum --s3-upload-cutoff 200Mi)
      ;;
    s3cmd)
      run=(s3cmd -q --config=/dev/null --access_key="$AWS_ACCESS_KEY_ID"
        --secret_key="$AWS_SECRET_ACCESS_KEY" --host="$host" --host-bucket="$host" --no-ssl
        --region=us-east-1 put -r "$2/" s3://bench/x/)
      ;;
    aws)
      run=(aws s3 cp --quiet --recursive --endpoint-url "$AWS_ENDPOINT_URL" "$2"
        s3://bench/x)
      ;;
  esac
}

measure() { # CLIENT SET MILLISECONDS
  local files=$2 before
  case $1:$2 in
    s3cmd:small | aws:small) files=tenth ;;
  esac
  start_store "$3"
  command_of "$1" "$dir/$files"
  sync
  before=$(requests)
  python3 "$here/upload_table.py" run "$1" "$2" "$3" "$dir/$files" "${run[@]}" \
    >"$dir/measurement"
  sed "s/}\$/, \"requests\": $(($(requests) - before))}/" "$dir/measurement" \
    >>"$results"
  stop_proxy
}

prepare
for ((round = 0; round < rounds; round++)); do
  for distance in 0 20; do
    for set in small big; do
      for client in $clients; do
        [[ $client:$distance != s3cmd:20 ]] || continue
        echo "round $((round + 1)): $client, $set, $distance ms" >&2
        measure "$client" "$set" "$distance"
      done
    done
  done
done
[[ -z $out ]] || cp "$results" "$out"
python3 "$here/upload_table.py" table "$results"
