#!/bin/sh
# Usage: contract.sh URING_PROGRAM SIM_PROGRAM
# Runs a contract test on both backends, each in an empty folder, and compares what they print.
set -u
uring=$(realpath "$1")
sim=$(realpath "$2")
base=${NORN_TEST_TMP:-$PWD/.zig-cache/tmp}
mkdir -p "$base"
dir=$(mktemp -d "$base/contract.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT

for backend in uring sim; do
    eval "program=\$$backend"
    mkdir "$dir/$backend"
    (cd "$dir/$backend" && timeout "${NORN_TEST_TIMEOUT:-120}" "$program") >"$dir/$backend.out" 2>"$dir/$backend.err"
    code=$?
    if [ $code -ne 0 ]; then
        echo "the $backend backend failed with exit code $code" >&2
        tail -n 20 "$dir/$backend.out" "$dir/$backend.err" >&2
        exit 1
    fi
done
if ! diff -u --label io_uring "$dir/uring.out" --label simulator "$dir/sim.out" >"$dir/diff"; then
    echo "the two backends differ:" >&2
    head -60 "$dir/diff" >&2
    exit 1
fi
