#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A throw-away OpenStack Swift with its S3 API on loopback: one disk, one copy, everything
# below DIR. Takes PORT and the four ports after it.
set -euo pipefail
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

usage() {
  cat <<'TEXT'
usage: swift-s3.sh start DIR PORT   print the environment for clients
       swift-s3.sh stop DIR         and remove DIR

Packages: swift-proxy swift-account swift-container swift-object memcached
TEXT
}

die() {
  echo "swift-s3.sh: $*" >&2
  exit 1
}

servers=(account container object)

spawn() { # NAME COMMAND...
  local name=$1
  shift
  setsid "$@" >"$DIR/log/$name.out" 2>&1 </dev/null &
  echo $! >"$DIR/$name.pid"
}

write_storage() { # NAME PORT
  local name=$1 port=$2
  (
    cd "$DIR"
    swift-ring-builder "$name.builder" create 4 1 0
    swift-ring-builder "$name.builder" add "r1z1-127.0.0.1:$port/d1" 1
    swift-ring-builder "$name.builder" rebalance
  ) >>"$DIR/log/ring.out" 2>&1 || die "$(<"$DIR/log/ring.out")"
  cat >"$DIR/$name-server.conf" <<CONF
[DEFAULT]
swift_dir = $DIR
devices = $DIR/srv
mount_check = false
bind_ip = 127.0.0.1
bind_port = $port
workers = 0
user = $(id -un)
log_level = WARNING
[pipeline:main]
pipeline = $name-server
[app:$name-server]
use = egg:swift#$name
CONF
}

write_proxy() { # PORT MEMCACHED
  local filter
  cat >"$DIR/swift.conf" <<CONF
[swift-hash]
swift_hash_path_suffix = x
swift_hash_path_prefix = y
[storage-policy:0]
name = p0
default = yes
CONF
  {
    cat <<CONF
[DEFAULT]
swift_dir = $DIR
bind_ip = 127.0.0.1
bind_port = $1
workers = 0
user = $(id -un)
log_level = WARNING
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo proxy-server
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$2
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
check_bucket_owner = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
CONF
    for filter in catch_errors gatekeeper healthcheck listing_formats bulk copy slo; do
      printf '[filter:%s]\nuse = egg:swift#%s\n' "$filter" "$filter"
    done
  } >"$DIR/proxy-server.conf"
}

is_up() { curl -sf -m 2 -o /dev/null "http://127.0.0.1:$1/healthcheck"; }

start() {
  local port=${1:?port} name next
  command -v swift-proxy-server memcached >/dev/null || die "swift is not installed"
  [[ ! -e $DIR/swift.conf ]] || die "$DIR is in use: stop it first"
  mkdir -p "$DIR/srv/d1" "$DIR/log"
  trap 'status=$?; ((status == 0)) || KEEP=1 stop' EXIT
  next=$port
  for name in "${servers[@]}"; do
    next=$((next + 1))
    write_storage "$name" "$next"
  done
  write_proxy "$port" $((port + 4))
  spawn memcached memcached -u "$(id -un)" -l 127.0.0.1 -p $((port + 4)) -U 0 -m 32
  for name in "${servers[@]}" proxy; do
    spawn "$name" /usr/bin/python3 "$(command -v "swift-$name-server")" \
      "$DIR/$name-server.conf" -v
  done
  for _ in $(seq 300); do
    ! is_up "$port" || break
    sleep 0.1
  done
  is_up "$port" || {
    tail -n 5 "$DIR"/log/*.out >&2
    die "no proxy on port $port"
  }
  echo "AWS_ENDPOINT_URL=http://127.0.0.1:$port"
  echo "AWS_ACCESS_KEY_ID=test:tester"
  echo "AWS_SECRET_ACCESS_KEY=testing"
  echo "AWS_REGION=us-east-1"
}

end() { # NAME: only what is still the process we started
  local file=$DIR/$1.pid pid
  [[ -s $file ]] || return 0
  pid=$(<"$file")
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null |
    grep -qE -- "$DIR/$1-server.conf|^memcached" || return 0
  kill -KILL "$pid" 2>/dev/null || true # nothing of it is to be kept
}

stop() {
  local name
  for name in proxy "${servers[@]}" memcached; do
    end "$name"
  done
  [[ -n ${KEEP:-} || ! -f $DIR/swift.conf ]] || rm -rf "$DIR"
}

(($# >= 2)) || {
  usage >&2
  exit 2
}
verb=$1
DIR=$(realpath -m "$2")
shift 2
case $verb in
  start) start "$@" ;;
  stop) stop ;;
  *)
    usage >&2
    exit 2
    ;;
esac
