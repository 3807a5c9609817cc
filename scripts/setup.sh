#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Installs the Debian or Ubuntu packages that a job needs and this machine lacks.
# Silent when nothing is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TEXT'
usage: scripts/setup.sh [build|test|stores|bench|ci|all]...

Installs with apt-get what is missing for:
  build   blob-receiver and blob-sender (the default; all that run.sh needs)
  test    build, stores, and everything else that scripts/test.sh uses
  stores  build, and the object stores and clients that uploads are tried with: Ceph's
          gateway, Swift, and Azurite (from npm, see tests/servers/azurite.sh)
  bench   build, stores, and everything else that scripts/bench uses
  ci      test, and .ci/run: clang, linters, sanitizers, fuzzing
  all     everything above

No service is started meanwhile. Some packages enable one for the next boot, though;
`systemctl disable nginx`, for instance, prevents that. Packages that cannot be had are
left out, with what needs them, unless nothing works without them.
TEXT
}

# What nothing works without.
build=(gcc libc6-dev meson ninja-build pkg-config python3 libmicrohttpd-dev
  libgnutls28-dev libcurl4-openssl-dev libssl-dev libsodium-dev libexpat1-dev)
test=(check python3-pytest curl openssl)
ci=(clang clang-format clang-tidy cppcheck shellcheck git)
# What is skipped by name where it is missing.
stores=(radosgw ceph-mon ceph-osd ceph-common swift-proxy swift-account swift-container
  swift-object memcached rclone s3cmd openssl curl)
peers=(nginx apache2-bin lighttpd slowhttptest attr strace e2fsprogs util-linux mandoc
  prometheus systemd)
bench=(curl nginx libnginx-mod-stream aria2 axel wget2 awscli slowhttptest time)

# The sanitizer and fuzzer runtimes of clang: Debian 12 and Ubuntu 24.04 have a package
# without a number, others only one that is named for the compiler's version.
clang_runtime() {
  local version
  if known libclang-rt-dev; then
    echo libclang-rt-dev
    return
  fi
  version=$(apt-cache depends clang 2>/dev/null |
    sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p' | head -n1)
  if known "libclang-rt-$version-dev"; then
    echo "libclang-rt-$version-dev"
  else
    echo "libclang-common-$version-dev"
  fi
}

known() { # is this package in the package lists?
  apt-cache show --no-all-versions "$1" >/dev/null 2>&1
}

installed() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

has_clang_runtime() {
  compgen -G '/usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.fuzzer*.a' >/dev/null
}

missing_of() {
  local package
  for package; do
    installed "$package" || echo "$package"
  done
}

wants() { # one of the wanted packages?
  [[ " ${wanted[*]} " == *" $1 "* ]]
}

as_root() {
  if ((EUID == 0)); then
    env DEBIAN_FRONTEND=noninteractive "$@"
  elif command -v sudo >/dev/null; then
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  else
    echo "setup.sh: not root and no sudo here; as root, run: $*" >&2
    return 1
  fi
}

# Packages start what they bring unless this file says 101 (policy-rc.d(8)). One that is
# there already belongs to somebody else, and stays.
forbid_services() {
  local policy=/usr/sbin/policy-rc.d
  if [[ -e $policy ]]; then
    return
  fi
  # shellcheck disable=SC2016 # the inner shell's $1
  as_root sh -c 'set -C && printf "%s\n" "#!/bin/sh" \
    "# only while scripts/setup.sh of blobstream installs packages" "exit 101" >"$1" &&
    chmod 755 "$1"' sh "$policy"
  trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
}

update_lists() {
  if [[ -z $updated ]]; then
    updated=1
    as_root apt-get update -q
  fi
}

needed() { # or would something merely be skipped without it?
  [[ " ${build[*]} ${test[*]} ${ci[*]} " == *" $1 "* || $1 == libclang-* ]]
}

# Leaves in `missing` what there is to install.
leave_out_unknown() {
  local package available=()
  for package in "${missing[@]}"; do
    if ! known "$package" && [[ -z $updated ]]; then
      echo "setup.sh: the package lists do not know $package: apt-get update"
      update_lists
    fi
    if known "$package" || needed "$package"; then
      available+=("$package")
    else
      echo "setup.sh: no package $package here; what needs it will be skipped"
    fi
  done
  missing=("${available[@]}")
}

apt_install() {
  as_root apt-get install -q -y --no-install-recommends "$@"
}

install_packages() {
  local package least=()
  echo "setup.sh: installing ${missing[*]}"
  forbid_services
  if apt_install "${missing[@]}"; then
    return
  fi
  if [[ -z $updated ]]; then
    echo "setup.sh: that failed; once more with fresh package lists"
    update_lists
    if apt_install "${missing[@]}"; then
      return
    fi
  fi
  for package in "${missing[@]}"; do
    if needed "$package"; then
      least+=("$package")
    fi
  done
  if ((${#least[@]} > 0)); then
    apt_install "${least[@]}"
  fi
  echo "setup.sh: what needs the other packages will be skipped"
}

wanted=()
for group in "${@:-build}"; do
  case $group in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${build[@]}" "${test[@]}" "${stores[@]}" "${peers[@]}") ;;
    stores) wanted+=("${build[@]}" "${stores[@]}") ;;
    bench) wanted+=("${build[@]}" "${stores[@]}" "${bench[@]}") ;;
    ci) wanted+=("${build[@]}" "${test[@]}" "${stores[@]}" "${peers[@]}" "${ci[@]}") ;;
    all) wanted+=("${build[@]}" "${test[@]}" "${stores[@]}" "${peers[@]}" "${bench[@]}"
      "${ci[@]}") ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      echo "setup.sh: '$group' is not one of build, test, stores, bench, ci, all" >&2
      exit 2
      ;;
  esac
done
if wants radosgw && ! command -v npm >/dev/null; then
  wanted+=(nodejs npm)
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "setup.sh: not Debian or Ubuntu, so nothing was installed; needed here:" \
    "${wanted[*]}" >&2
  exit 1
fi

updated=
mapfile -t missing < <(missing_of "${wanted[@]}" | sort -u)
if wants clang && ! has_clang_runtime; then
  if ! known clang; then
    update_lists
  fi
  missing+=("$(clang_runtime)")
fi
leave_out_unknown
if ((${#missing[@]} > 0)); then
  install_packages
fi

if wants radosgw && ! tests/servers/azurite.sh install; then
  echo "setup.sh: Azurite could not be installed; what needs it will be skipped" >&2
fi
