#!/bin/sh
# sim.sh - the whole server under seeds: each seed twice with one trace; a crash at every io boundary of a small run, and
# pairs of crashes; proofs that the simulator sees a sync that does nothing, and a program whose runs differ; and what it
# offers to look at a run. NORN_SIM is the program, NORN_SIM_PLANTED (if set) the one with planted bugs.
# timeout: 1200
set -eu
: "${NORN_SIM:?set NORN_SIM to the norn-sim program}"
# As many as fit five minutes on two cores that have nothing else to do; a batch of 200 must come to what it should.
seeds=${NORN_SIM_SEEDS:-200}

"$NORN_SIM" --workload ledger --seeds 60
"$NORN_SIM" --workload norn --seeds "$seeds"
"$NORN_SIM" --sweep --once
"$NORN_SIM" --sweep --pairs --once

# expect "CODES" WHAT COMMAND...
expect() {
    wanted=$1 what=$2 code=0
    shift 2
    "$@" >/dev/null 2>&1 || code=$?
    case " $wanted " in *" $code "*) echo "ok $what" ;; *)
        echo "$what: exit code $code, wanted one of $wanted: $*" >&2
        exit 1 ;;
    esac
}
expect "70 71" "lost data is seen" "$NORN_SIM" --workload norn --seeds 8 --once --failed none --on LYING_SYNC \
    --on CRASH_TIME --off KILL
expect 74 "runs that differ are seen" "$NORN_SIM" --workload canary --seed 1 --twice

# ---- looking at a run ----

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "sim.sh: $*" >&2; exit 1; }
trace_of() { "$NORN_SIM" --workload norn --seed 3 "$@" 2>"$dir/err" | sed -n 's/.* trace=//p'; }

plain=$(trace_of --brief)
[ -n "$plain" ] || fail "a run has no trace"
[ "$(trace_of --trace --workflow flow-3)" = "$plain" ] || fail "--trace has changed the run"
grep -q "call .*StartWorkflowExecution flow-3 answered OK" "$dir/err" || fail "--trace shows no call of flow-3"
grep -q "event .*flow-3/.* 1 WORKFLOW_EXECUTION_STARTED" "$dir/err" || fail "--trace shows no event of flow-3"
[ -z "$(grep '^#' "$dir/err" | grep -v flow-3)" ] || fail "--workflow lets other lines through"
[ "$(trace_of --view "$dir/view.html")" = "$plain" ] || fail "--view has changed the run"
tail -n 1 "$dir/view.html" | grep -q '</html>' || fail "--view has written no whole page"
echo "ok traces and pages do not change a run"

expect 0 "--until stops" "$NORN_SIM" --workload norn --seed 3 --until 500ms
expect 0 "--until stops at an event" "$NORN_SIM" --workload norn --seed 3 --until 1000
expect 133 "--break traps" "$NORN_SIM" --workload norn --seed 3 --break server/datasync:3
expect 2 "wrong options are refused" "$NORN_SIM" --seed 3 --only RESET:3-1
expect 2 "a run that does not fail is not shrunk" "$NORN_SIM" --workload small --seed 1 --calm --shrink
printf '%s\n' '# options' '--workload small' '--seed 1 --calm' >"$dir/repro"
expect 0 "--repro replays" "$NORN_SIM" --repro "$dir/repro"
"$NORN_SIM" --workload canary --seed 1 --twice 2>&1 | grep -q "first io event that differs is #2" ||
    fail "the first event that differs is not shown"

if [ -n "${NORN_SIM_PLANTED:-}" ]; then
    seed=1
    while "$NORN_SIM_PLANTED" --plant timer-fires-twice --seed $seed >"$dir/out" 2>&1; do
        seed=$((seed + 1))
        [ $seed -lt 30 ] || fail "the planted bug is not found"
    done
    grep -q "^replay   norn-sim-planted .*--seed $seed --plant timer-fires-twice" "$dir/out" || fail "no command to replay"
    grep -q "^oracle   " "$dir/out" || fail "no oracle"
    grep -q "^the last events and calls of flow-" "$dir/out" || fail "no workflow in the report"
    "$NORN_SIM_PLANTED" --plant timer-fires-twice --seed $seed --shrink --shrink-seconds 30 --repro-to "$dir/repro"
    expect 71 "what is shrunk fails in the same way" "$NORN_SIM_PLANTED" --repro "$dir/repro"
    expect 71 "a failure is kept" "$NORN_SIM_PLANTED" --plant timer-fires-twice --seeds 1 --first $seed --failed "$dir/failed"
    grep -q -- "--seed $seed --plant timer-fires-twice" "$dir/failed" || fail "the failed run is not in the file"
fi
