#!/bin/sh
# Usage: contract.sh URING_PROGRAM SIM_PROGRAM
# Runs a contract test on both backends, each in an empty folder, and compares what they print. io_uring's runs again
# without what older kernels and other file systems have not: see src/io/uring_without.c.
set -u
uring=$(realpath "$1")
sim=$(realpath "$2")
base=${NORN_TEST_TMP:-$PWD/.zig-cache/tmp}
mkdir -p "$base"
dir=$(mktemp -d "$base/contract.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT

run() { # NAME PROGRAM WITHOUT
    mkdir "$dir/$1"
    (cd "$dir/$1" && NORN_IO_WITHOUT=$3 timeout "${NORN_TEST_TIMEOUT:-120}" "$2") >"$dir/$1.out" 2>"$dir/$1.err"
    code=$?
    if [ $code -ne 0 ]; then
        echo "the backend $1 failed with exit code $code" >&2
        tail -n 20 "$dir/$1.out" "$dir/$1.err" >&2
        exit 1
    fi
}

run sim "$sim" ''
run uring "$uring" ''
run uring-old "$uring" ring-messages,registered-files,direct-io,fallocate
run uring-failing "$uring" ring-delivery
for backend in uring uring-old uring-failing; do
    if ! diff -u --label "$backend" "$dir/$backend.out" --label simulator "$dir/sim.out" >"$dir/diff"; then
        echo "$backend and the simulator differ:" >&2
        head -60 "$dir/diff" >&2
        exit 1
    fi
done
