#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A throw-away Ceph RADOS gateway, a real S3 server, on loopback: one monitor, one object
# store in memory, one gateway. Nothing outside DIR, no systemd, no root-owned paths.
#
# Every request is a line of DIR/log/client.rgw.log with "beast:" in it.
set -euo pipefail
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

usage() {
  cat <<'TEXT'
usage: ceph-rgw.sh start DIR PORT      print the environment for clients
       ceph-rgw.sh stop DIR            and remove DIR's data
       ceph-rgw.sh restart DIR [SEC]   kill -9 the gateway, start it after SEC seconds
       ceph-rgw.sh admin DIR ARG...    radosgw-admin for this gateway
       ceph-rgw.sh session DIR [SEC]   RGW_STS=1: keys for so long (900), and their token

Packages: radosgw ceph-mon ceph-osd
  RGW_MAX_REQ=N   more than N requests at once are answered with 503 SlowDown
  RGW_TLS=1       https on PORT + 1 as well; the certificate is DIR/tls.crt
  RGW_STS=1       session tokens
  RGW_SIZE=8G     capacity
TEXT
}

die() {
  echo "ceph-rgw.sh: $*" >&2
  exit 1
}

now_ms() { date +%s%3N; }

free_port() { # outside of the range that connections get their ports from
  python3 - <<'PY'
import random, socket
while True:
    port = random.randrange(20000, 32000)
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
PY
}

is_free() { # radosgw binds with SO_REUSEPORT and would share a taken port silently
  python3 - "$1" 2>/dev/null <<'PY'
import socket, sys
probe = socket.socket()
probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
probe.bind(("127.0.0.1", int(sys.argv[1])))
PY
}

alive() { # NAME: is the recorded process still the one we started?
  local file=$DIR/run/$1.pid pid
  [[ -s $file ]] || return 1
  pid=$(<"$file")
  kill -0 "$pid" 2>/dev/null &&
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$DIR/ceph.conf"
}

spawn() { # NAME COMMAND...
  local name=$1
  shift
  setsid "$@" >"$DIR/log/$name.out" 2>&1 </dev/null &
  echo $! >"$DIR/run/$name.pid"
}

wait_for() { # WHAT DAEMON COMMAND...: of a daemon spawned by this very shell
  local what=$1 daemon=$2 end=$(($(now_ms) + 60000))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "$(<"$DIR/run/$daemon.pid")" 2>/dev/null || (($(now_ms) > end)); then
      tail -n 20 "$DIR/log/$daemon.out" >&2
      die "no $what"
    fi
    sleep 0.1
  done
}

quietly() { # COMMAND...: its output only when it fails
  local output
  output=$("$@" 2>&1) || die "$output"
}

ceph_() { ceph -c "$DIR/ceph.conf" --connect-timeout 10 "$@"; }
admin() { radosgw-admin -c "$DIR/ceph.conf" -n client.rgw "$@"; }
has_store() { ceph_ osd dump | grep -q 'osd.0 up .*in'; }
has_gateway() { curl -s -o /dev/null -m 5 "http://127.0.0.1:$PORT/swift/healthcheck"; }

start_gateway() {
  spawn rgw radosgw -f -c "$DIR/ceph.conf" -n client.rgw
  wait_for "gateway on port $PORT" rgw has_gateway
}

make_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj /CN=127.0.0.1 -addext "subjectAltName=IP:127.0.0.1,DNS:localhost" \
    -keyout "$DIR/tls.key" -out "$DIR/tls.crt" 2>/dev/null || die "openssl failed"
  cat "$DIR/tls.crt" "$DIR/tls.key" >"$DIR/tls.pem"
}

# Loopback only, hence no cephx and no keyrings; S3 authentication is all there.
write_configuration() {
  local monitor=$1 frontends="beast endpoint=127.0.0.1:$PORT"
  if [[ -n ${RGW_TLS:-} ]]; then
    make_certificate
    frontends+=" ssl_endpoint=127.0.0.1:$((PORT + 1)) ssl_certificate=$DIR/tls.pem"
  fi
  cat >"$DIR/ceph.conf" <<CONF
[global]
fsid = $FSID
mon host = [v2:127.0.0.1:$monitor/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms cluster mode = crc
ms service mode = crc
ms client mode = crc
log file = $DIR/log/\$name.log
log to stderr = false
mon cluster log file = $DIR/log/cluster.log
run dir = $DIR/run
crash dir = $DIR/log
admin socket =
debug ms = 0/0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon max pg per osd = 2000
mon allow pool size one = true
rgw rados pool pg num min = 4

[mon]
mon data = $DIR/mon
mon initial members = a
mon data avail crit = 1
mon data avail warn = 1
paxos propose interval = 0.05
paxos min wait = 0.01
auth allow insecure global id reclaim = false

[osd]
osd data = $DIR/osd
osd objectstore = memstore
memstore device bytes = $(numfmt --from=iec "${RGW_SIZE:-8G}")
memstore page set = true
memstore page size = 16384
osd memory target = 1Gi
osd op num shards = 4
osd op num threads per shard = 1
osd max object name len = 2048
osd max object namespace len = 256
osd class update on start = false

[client.rgw]
rgw data = $DIR/rgw
rgw frontends = $frontends
rgw dns name = localhost
rgw thread pool size = 64
rgw enable usage log = false
rgw max concurrent requests = ${RGW_MAX_REQ:-1024}
rgw s3 auth use sts = $([[ -n ${RGW_STS:-} ]] && echo true || echo false)
rgw sts key = abcdefghijklmnop
rgw sts min session duration = 1
CONF
}

start() {
  PORT=${1:?port}
  local program monitor store
  for program in ceph-mon ceph-osd radosgw radosgw-admin ceph monmaptool curl; do
    command -v "$program" >/dev/null || die "$program is not installed"
  done
  [[ ! -e $DIR/params ]] || die "$DIR is in use: stop it first"
  is_free "$PORT" || die "port $PORT is taken"
  mkdir -p "$DIR"/{run,log,mon,osd,rgw}
  FSID=$(</proc/sys/kernel/random/uuid)
  store=$(</proc/sys/kernel/random/uuid)
  monitor=$(free_port)
  ACCESS=TESTACCESSKEY0000001
  SECRET=testSecretKey/with+slash0000000000000001
  write_configuration "$monitor"
  printf 'PORT=%q ACCESS=%q SECRET=%q\n' "$PORT" "$ACCESS" "$SECRET" >"$DIR/params"
  trap 'status=$?; ((status == 0)) || KEEP=1 stop' EXIT

  quietly monmaptool --create --fsid "$FSID" --addv a "[v2:127.0.0.1:$monitor/0]" \
    "$DIR/monmap"
  quietly ceph-mon -c "$DIR/ceph.conf" -i a --mkfs --monmap "$DIR/monmap"
  spawn mon ceph-mon -f -c "$DIR/ceph.conf" -i a
  wait_for "monitor" mon ceph_ mon stat
  quietly ceph_ osd new "$store" 0
  quietly ceph-osd -c "$DIR/ceph.conf" -i 0 --mkfs --osd-uuid "$store"
  spawn osd ceph-osd -f -c "$DIR/ceph.conf" -i 0
  wait_for "object store" osd has_store
  start_gateway
  quietly admin user create --uid=test --display-name=test --access-key="$ACCESS" \
    --secret-key="$SECRET" --max-buckets=10000
  echo "AWS_ENDPOINT_URL=http://127.0.0.1:$PORT"
  echo "AWS_ACCESS_KEY_ID=$ACCESS"
  echo "AWS_SECRET_ACCESS_KEY=$SECRET"
  echo "AWS_REGION=us-east-1"
}

end() { # NAME: at once, as nothing of it is to be kept
  while alive "$1"; do
    kill -KILL "$(<"$DIR/run/$1.pid")" 2>/dev/null || true
    sleep 0.1
  done
}

stop() {
  local daemon
  for daemon in rgw osd mon; do
    end "$daemon"
  done
  if [[ -z ${KEEP:-} && -f $DIR/ceph.conf ]]; then
    rm -rf "$DIR"/{run,log,mon,osd,rgw,ceph.conf,params,monmap,tls.crt,tls.key,tls.pem}
    rmdir "$DIR" 2>/dev/null || true
  fi
}

restart() {
  end rgw
  sleep "${1:-0}"
  start_gateway
}

session() {
  local seconds=${1:-900} answer name value
  if ! admin role get --role-name=uploader >/dev/null 2>&1; then
    quietly admin role create --role-name=uploader --assume-role-policy-doc='{"Version":
      "2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":
      ["arn:aws:iam:::user/test"]},"Action":["sts:AssumeRole"]}]}'
    quietly admin role-policy put --role-name=uploader --policy-name=all --policy-doc='{
      "Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],
      "Resource":"arn:aws:s3:::*"}]}'
  fi
  answer=$(curl -sf -m 20 --aws-sigv4 aws:amz:us-east-1:sts --user "$ACCESS:$SECRET" \
    -d "Action=AssumeRole&Version=2011-06-15&RoleSessionName=s1&DurationSeconds=$seconds" \
    -d "RoleArn=arn:aws:iam:::role/uploader" "http://127.0.0.1:$PORT/") ||
    die "AssumeRole failed"
  for name in AccessKeyId:AWS_ACCESS_KEY_ID SecretAccessKey:AWS_SECRET_ACCESS_KEY \
    SessionToken:AWS_SESSION_TOKEN; do
    value=${answer#*<"${name%%:*}">}
    echo "${name#*:}=${value%%<*}"
  done
}

(($# >= 2)) || {
  usage >&2
  exit 2
}
verb=$1
DIR=$(realpath -m "$2")
shift 2
if [[ $verb != start && -f $DIR/params ]]; then
  # shellcheck source=/dev/null
  . "$DIR/params"
fi
case $verb in
  start) start "$@" ;;
  stop) stop ;;
  restart) restart "$@" ;;
  admin) admin "$@" ;;
  session) session "$@" ;;
  *)
    usage >&2
    exit 2
    ;;
esac
