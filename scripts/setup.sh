#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Installs the Debian or Ubuntu packages that a job needs and this machine lacks.
# Silent when nothing is missing.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/setup.sh [build|test|stores|bench|ci|all]...

Installs with apt-get what is missing for:
  build   blob-receiver and blob-sender (the default; all that run.sh needs)
  test    build, and scripts/test.sh
  stores  test, and the object stores and their clients for the tests of uploads and
          scripts/bench/upload.sh (120 MB; memcached's package may start it)
  bench   build, and scripts/bench/ingest.sh (brings nginx, whose package may start a
          web server on port 80)
  ci      test, and .ci/run: clang, linters, sanitizers, fuzzing
  all     everything above
TEXT
}

build=(gcc libc6-dev meson ninja-build pkg-config libmicrohttpd-dev libcurl4-openssl-dev
  libsodium-dev libssl-dev libgnutls28-dev libexpat1-dev)
test=(check python3-pytest curl attr strace e2fsprogs util-linux)
stores=(radosgw ceph-mon ceph-osd swift-proxy swift-account swift-container swift-object
  memcached rclone s3cmd awscli)
bench=(nginx)
ci=(clang clang-format clang-tidy cppcheck shellcheck)

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

wanted=()
for group in "${@:-build}"; do
  case $group in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${build[@]}" "${test[@]}") ;;
    stores) wanted+=("${build[@]}" "${test[@]}" "${stores[@]}") ;;
    bench) wanted+=("${build[@]}" "${bench[@]}") ;;
    ci) wanted+=("${build[@]}" "${test[@]}" "${ci[@]}") ;;
    all) wanted+=("${build[@]}" "${test[@]}" "${stores[@]}" "${bench[@]}" "${ci[@]}") ;;
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

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "setup.sh: not Debian or Ubuntu, so nothing was installed; needed here:" \
    "${wanted[*]}" >&2
  exit 1
fi

mapfile -t missing < <(missing_of "${wanted[@]}" | sort -u)
runtime=()
if [[ " ${wanted[*]} " == *" clang "* ]] && ! has_clang_runtime; then
  runtime=(clang) # stands for its runtime until the package lists are there
fi
if ((${#missing[@]} + ${#runtime[@]} == 0)); then
  exit 0
fi

updated=
for package in "${missing[@]}" "${runtime[@]}"; do
  if [[ -z $updated ]] && ! known "$package"; then
    echo "setup.sh: the package lists do not know $package: apt-get update"
    as_root apt-get update -q
    updated=1
  fi
done
if ((${#runtime[@]} > 0)); then
  missing+=("$(clang_runtime)")
fi

echo "setup.sh: installing ${missing[*]}"
install=(apt-get install -q -y --no-install-recommends "${missing[@]}")
if ! as_root "${install[@]}"; then
  if [[ -n $updated ]]; then
    exit 1
  fi
  echo "setup.sh: that failed; once more with fresh package lists"
  as_root apt-get update -q
  as_root "${install[@]}"
fi
