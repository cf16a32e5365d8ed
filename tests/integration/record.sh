#!/bin/bash
# record.sh [SECONDS] - `norn server --record` under load of the Python SDK, with two loops and checkpoints, then
# `norn-sim --replay`: of a run to its end, of one cut by SIGKILL, of a crash, of one that reached its size, of a changed log.
# NORN and NORN_SIM are the programs; SECONDS (4) is how long each load takes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../sdk/setup.sh"
. "$here/../sdk/server.sh"
setup_python
seconds=${1:-4}
temp=$(mktemp -d)
server=
load=
trap '[ -z "$load" ] || kill "$load" 2>/dev/null || true
      [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true; rm -rf "$temp"' EXIT

fail() {
  echo "FAIL record: $*"
  exit 1
}

# begin NAME FLAG...: a recorded server.
begin() {
  local name=$1
  shift
  start_server "$temp/data" --record "$temp/$name" --loops 2 --store.checkpoint-interval 500ms "$@"
}

run_load() { timeout 120 "$python" "$here/record.py" --address "$grpc" "$@"; }

# replay NAME: its report, in $report; it must be the same as recorded.
replay() {
  local start=$SECONDS
  report=$("$NORN_SIM" --replay "$temp/$1" 2>&1) || fail "the replay of '$1' failed: $report"
  grep -q "the same as recorded" <<<"$report" || fail "no line tells that '$1' is the same: $report"
  echo "PASS record: $1: $(tail -1 <<<"$report") in $((SECONDS - start)) s"
}

# A run to its end.
begin whole
[ -d "$temp/whole/data" ] || fail "there is no copy of the data folder"
run_load --seconds "$seconds"
curl -sf "http://$metrics/metrics" >/dev/null
stop_server
if find "$temp/whole" -type f ! -perm 600 | grep .; then fail "files with another mode than 0600"; fi
if find "$temp/whole" -type d ! -perm 700 | grep .; then fail "folders with another mode than 0700"; fi
replay whole
[ "$(grep -c 'to its end' <<<"$report")" = 5 ] || fail "not all five logs were replayed to their end: $report"
first=$(tail -1 <<<"$report")
replay whole
[ "$first" = "$(tail -1 <<<"$report")" ] || fail "two replays differ: $first and $report"

# The same data folder, now with something in it, and a process that is killed.
begin killed
[ -s "$temp/killed/data/norn.db" ] || fail "the copy lacks the database"
timeout 120 "$python" "$here/record.py" --address "$grpc" --until-refused >"$temp/load.log" 2>&1 &
load=$!
sleep "$seconds"
kill -KILL "$server"
wait "$server" 2>/dev/null || true
kill "$load"                             # timeout passes it on
wait "$load" 2>/dev/null || true
server=
load=
replay killed
grep -q "loop-1 .*as far as its log reaches" <<<"$report" || fail "the cut is not told: $report"

# A server that stops itself, as its database is overwritten by another program: so does the replay, at the same place.
begin crashed
run_load --seconds 1
size=$(stat -c %s "$temp/data/norn.db")
dd if=/dev/urandom of="$temp/data/norn.db" bs=4096 seek=1 count=$((size / 4096 - 1)) conv=notrunc 2>/dev/null
timeout 60 "$python" "$here/record.py" --address "$grpc" --until-refused >"$temp/load.log" 2>&1 &
load=$!
wait "$server" 2>/dev/null && fail "the server goes on with a database that was overwritten"
kill "$load" 2>/dev/null || true
wait "$load" 2>/dev/null || true
server=
load=
reason=$(sed -nE 's/^norn: fatal: (.*:[0-9]+: .*)/\1/p' "$temp/data.log")
[ -n "$reason" ] || fail "no line tells why the server stopped: $(tail -3 "$temp/data.log")"
report=$(bash -c '"$0" --replay "$1" 2>&1' "$NORN_SIM" "$temp/crashed" 2>/dev/null) && fail "the replay did not stop: $report"
grep -qF "$reason" <<<"$report" || fail "the server stopped by '$reason', its replay by: $report"
echo "PASS record: crashed: the replay stops as the server did: $reason"

# The bound, in a new data folder: the recording ends, the server does not.
rm -rf "$temp/data"
begin bounded --record-bytes-max 16MiB
for _ in $(seq 20); do
  run_load --seconds 2 --bytes 400000
  grep -q "the recording has ended" "$temp/data.log" && break
done
grep -q "the recording has ended.*it has reached its size" "$temp/data.log" || fail "no log line tells the end"
run_load --seconds 1
stop_server
[ "$(du -sb --exclude=data "$temp/bounded" | cut -f1)" -le $((17 << 20)) ] || fail "the logs are larger than allowed"
replay bounded
[ "$(sed -nE 's/.* ([0-9]+) entries, trace.*/\1/p' <<<"$report")" -gt 1000 ] || fail "little was replayed: $report"

# One byte of what came in is another one: told, never overlooked.
cp -r "$temp/whole" "$temp/changed"
"$python" - "$temp/changed/loop-0" "$temp/changed/loop-1" <<'END'
import sys
for path in sys.argv[1:]:
    log = bytearray(open(path, "rb").read())
    at = log.find(b"\x1f\x8b\x08")      # a request, which the SDK compresses
    if at < 0:
        continue                       # the connections are all of the other loop
    log[at + 20] ^= 1
    open(path, "wb").write(log)
    sys.exit(0)
sys.exit("no log has a request")
END
status=0
report=$("$NORN_SIM" --replay "$temp/changed" 2>&1) || status=$?
[ $status = 74 ] || fail "a changed log gave status $status: $report"
grep -qE "(loop|helper)-[0-9-]+ differs from the recording at entry" <<<"$report" || fail "the difference is not told: $report"
echo "PASS record: a changed log differs"

# What is refused.
refused() {
  local want=$1
  shift
  if "$NORN" server --data "$temp/other" --grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0 "$@" \
    >"$temp/refused.log" 2>&1; then fail "accepted: $*"; fi
  grep -q "$want" "$temp/refused.log" || fail "no '$want' in $(cat "$temp/refused.log")"
}
refused "must be a new folder.*exists" --record "$temp/whole"
refused "inside of the data folder" --record "$temp/other/record"
refused "record and tls-cert do not go together" --record "$temp/tls" --tls-cert a.pem --tls-key a.key
"$NORN" server --help | grep -A3 -- "--record" | tr '\n' ' ' | grep -q "payloads" || fail "--help does not tell of payloads"
status=0
"$NORN_SIM" --replay "$temp/other" >/dev/null 2>&1 || status=$?
[ $status = 2 ] || fail "a folder without a recording gave status $status"
echo "PASS record: what cannot be recorded or replayed is refused"
