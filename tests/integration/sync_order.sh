#!/bin/bash
# sync_order.sh - no reply is submitted before the completion of the data sync that covers its record: shown by a trace
# of the io_uring backend. The same check must fail on programs with planted bugs: no data sync, early replies.  See
# sync_order.py.
# timeout: 120
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${NORN:?set NORN to the norn program}" "${NORN_PLANTED:?set NORN_PLANTED to the program with planted bugs}"
. "$here/../sdk/setup.sh"
setup_python
run() { "$python" "$here/sync_order.py" --folder "${TEST_DIR:?}/$1" --norn "$2" --loops "$3" "${@:4}"; }

run one "$NORN" 1
run two "$NORN" 2
NORN_PLANT=no-datasync run planted "$NORN_PLANTED" 1 --must-fail "no data sync after the write"
NORN_PLANT=reply-before-sync run early "$NORN_PLANTED" 1 --must-fail "the reply left early"
