#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A throw-away Azurite, Microsoft's emulator of Azure Blob Storage, on loopback; data in
# memory. It comes from npm: `azurite.sh install` puts it where this script finds it.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: azurite.sh install            into AZURITE_HOME
       azurite.sh installed          exit status 0: it is
       azurite.sh start DIR PORT     print the environment for clients
       azurite.sh stop DIR

  AZURITE_HOME   default: ~/.cache/blobstream/azurite
TEXT
}

die() {
  echo "azurite.sh: $*" >&2
  exit 1
}

home=${AZURITE_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/blobstream/azurite}
program=$home/node_modules/.bin/azurite-blob

install() {
  [[ ! -x $program ]] || return 0
  mkdir -p "$home"
  npm install --no-audit --no-fund --prefix "$home" azurite@3
}

is_up() { curl -s -m 2 -o /dev/null "http://127.0.0.1:$1/"; }

start() {
  local port=${1:?port} key
  [[ -x $program ]] || die "not installed: azurite.sh install"
  [[ ! -e $DIR/azurite.pid ]] || die "$DIR is in use: stop it first"
  mkdir -p "$DIR"
  key=$(head -c 64 /dev/urandom | base64 -w0)
  AZURITE_ACCOUNTS="testaccount:$key" setsid node "$program" --blobHost 127.0.0.1 \
    --blobPort "$port" --inMemoryPersistence --disableTelemetry \
    >"$DIR/azurite.log" 2>&1 </dev/null &
  echo $! >"$DIR/azurite.pid"
  for _ in $(seq 300); do
    ! is_up "$port" || break
    sleep 0.1
  done
  is_up "$port" || die "$(<"$DIR/azurite.log")"
  echo "AZURE_ENDPOINT=http://127.0.0.1:$port/testaccount"
  echo "AZURE_STORAGE_ACCOUNT=testaccount"
  echo "AZURE_STORAGE_KEY=$key"
}

stop() {
  local pid
  if [[ -s $DIR/azurite.pid ]]; then
    pid=$(<"$DIR/azurite.pid")
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q azurite-blob; then
      kill "$pid"
    fi
  fi
  rm -f "$DIR"/azurite.{pid,log}
  rmdir "$DIR" 2>/dev/null || true
}

verb=${1:-}
DIR=$(realpath -m "${2:-.}")
case $verb:$# in
  install:1) install ;;
  installed:1) [[ -x $program ]] ;;
  start:3) start "$3" ;;
  stop:2) stop ;;
  *)
    usage >&2
    exit 2
    ;;
esac
