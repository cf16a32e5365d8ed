#!/bin/sh
# Usage: integration.sh SCRIPT
# Runs an integration test with an empty folder TEST_DIR and a time limit (a line "# timeout: SECONDS" in the script,
# else NORN_TEST_TIMEOUT, else 300). Its output goes to .cache/test/NAME.log. Processes that it left behind are ended.
set -u
name=$(echo "$1" | sed 's|^.*tests/||; s|/|-|g; s|\.sh$||')
limit=$(sed -n 's/^# timeout: \([0-9]*\).*/\1/p' "$1" | head -1)
limit=${limit:-${NORN_TEST_TIMEOUT:-300}}
mkdir -p .cache/test
log=$PWD/.cache/test/$name.log
TEST_DIR=$PWD/.cache/test/$name
export TEST_DIR
rm -rf "$TEST_DIR"
mkdir -p "$TEST_DIR"
start=$(date +%s)
# timeout makes a process group, whose number is its own; what the script left behind is in it.
timeout --kill-after=10 "$limit" "$1" >"$log" 2>&1 </dev/null &
group=$!
trap 'kill -s TERM -- -$group 2>/dev/null; exit 1' INT TERM HUP
wait $group
code=$?
kill -s KILL -- -$group 2>/dev/null
seconds=$(($(date +%s) - start))
if [ $code -eq 0 ]; then
    rm -rf "$TEST_DIR"
    echo "ok $name (${seconds} s)"
    exit 0
fi
tail -n 100 "$log" >&2
[ $code -ne 124 ] || echo "stopped after $limit seconds" >&2
echo "FAILED $name (exit code $code, ${seconds} s); its whole output is $log, its files are in $TEST_DIR" >&2
exit 1
