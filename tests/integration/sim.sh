#!/bin/sh
# sim.sh - the whole server under seeds: each seed twice with one trace; a crash at every io boundary of a small run, and
# pairs of crashes; and proofs that the simulator sees a sync that
# does nothing, and a program whose runs differ. NORN_SIM is the program.
# timeout: 600
set -eu
: "${NORN_SIM:?set NORN_SIM to the norn-sim program}"
seeds=${NORN_SIM_SEEDS:-60}

"$NORN_SIM" --workload ledger --seeds "$seeds"
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
expect "70 71" "lost data is seen" "$NORN_SIM" --workload norn --seeds 8 --once --on LYING_SYNC --on CRASH_TIME --off KILL
expect 74 "runs that differ are seen" "$NORN_SIM" --workload canary --seed 1 --twice
