#!/bin/sh
# Usage: quiet.sh PROGRAM [ARGUMENT]...
# Runs a test, stops it after NORN_TEST_TIMEOUT seconds (120), and shows what it printed only if it failed.
out=$(timeout "${NORN_TEST_TIMEOUT:-120}" "$@" 2>&1) && exit 0
code=$?
printf '%s\n' "$out" | tail -n 200 >&2
[ $code -ne 124 ] || echo "stopped after ${NORN_TEST_TIMEOUT:-120} seconds" >&2
exit $code
