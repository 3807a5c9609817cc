#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# usage: scripts/test.sh [MESON OPTION...]
#
# Installs what is missing, builds, runs every unit and integration test and ends with
# one line: "N passed, N failed". Exit status 0 only if nothing failed.
#
# Environment:
#   BLOBSTREAM_BUILD        build directory (build-test)
#   BLOBSTREAM_TEST_SCALE   0.2: a fifth of the load in the long integration tests
#   CC, CFLAGS              as meson takes them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export BLOBSTREAM_BUILD=${BLOBSTREAM_BUILD:-build-test}
unit_log=$BLOBSTREAM_BUILD/meson-logs/testlog.json
integration_log=$BLOBSTREAM_BUILD/integration.xml

build() {
  local reconfigure=()
  if [[ -e $BLOBSTREAM_BUILD/build.ninja ]]; then
    reconfigure=(--reconfigure)
  fi
  meson setup "${reconfigure[@]}" "$BLOBSTREAM_BUILD" "$@"
  ninja -C "$BLOBSTREAM_BUILD"
}

# Prints "N passed, N failed". A test program or a pytest that did not live to report
# counts as one failure.
count() {
  python3 - "$unit_log" "$integration_log" <<'PYTHON'
import json
import re
import sys
import xml.etree.ElementTree as xml

passed = failed = 0


def add(cases, bad):
    global passed, failed
    passed += cases - bad
    failed += bad


def count_unit(path):
    with open(path) as log:
        for line in log:
            program = json.loads(line)
            said = re.search(
                r"Checks: (\d+), Failures: (\d+), Errors: (\d+)",
                program.get("stdout") or "",
            )
            checks, failures, errors = map(int, said.groups()) if said else (0, 0, 0)
            add(checks, failures + errors)
            if program["result"] != "OK" and failures + errors == 0:
                add(1, 1)


def count_integration(path):
    for suite in xml.parse(path).getroot().iter("testsuite"):
        bad = int(suite.get("failures")) + int(suite.get("errors"))
        add(int(suite.get("tests")) - int(suite.get("skipped")), bad)


for read, path in zip((count_unit, count_integration), sys.argv[1:]):
    try:
        read(path)
    except (OSError, ValueError, xml.ParseError):
        add(1, 1)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
PYTHON
}

scripts/setup.sh test
build "$@"
rm -f "$unit_log" "$integration_log"

status=0
meson test -C "$BLOBSTREAM_BUILD" --no-rebuild --print-errorlogs || status=1
/usr/bin/python3 -m pytest tests/integration --junitxml="$integration_log" || status=1
count || status=1
exit "$status"
