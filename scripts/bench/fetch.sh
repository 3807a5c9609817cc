#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Measures `blob-receiver fetch` beside aria2c, axel, wget2 and curl, all fetching the
# same files from one nginx and all verified by SHA-256. Prints Markdown tables.
# See --help.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build-bench

if [[ " $* " != *" --help "* && " $* " != *" -h "* ]]; then
  "$root/scripts/setup.sh" bench >&2
  if [[ ! -e $build/build.ninja ]]; then
    meson setup "$build" "$root" --buildtype=release -Dbench=true -Dtests=false >&2
  fi
  ninja -C "$build" receiver/blob-receiver >&2
fi
exec python3 "$here/fetch.py" --program "$build/receiver/blob-receiver" \
  --dir "$build" "$@"
