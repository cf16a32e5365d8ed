#!/bin/bash
# metrics.sh - /metrics of a server with two loops: a page is of the whole node, whichever loop is asked. NORN is the
# program, TEST_DIR an empty folder.
# timeout: 60
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${NORN:?set NORN to the norn program}" "${TEST_DIR:?}"
. "$here/../sdk/server.sh"
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true' EXIT
failures=0
check() {
    if [ "$2" = "$3" ]; then echo "PASS $1"; else echo "FAIL $1: $2, wanted $3"; failures=$((failures + 1)); fi
}
value() { grep -F "$1 " "$2" | sed '/^#/d; s/.* //'; }

start_server "$TEST_DIR/data" --loops 2
export TEMPORAL_ADDRESS=$grpc
for i in $(seq 40); do
    "$NORN" workflow start "order-$i" --type Order --task-queue "orders-$((i % 7))" >/dev/null
done

# Each connection to the gRPC address goes to one of the loops; plain HTTP is answered there too.
"${NORN_PYTHON:-python3}" - "$metrics" "$grpc" "$TEST_DIR" <<'PYTHON'
import sys, urllib.request

metrics, grpc, folder = sys.argv[1:]
for i, address in enumerate([metrics] + [grpc] * 12):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text"), answer.headers
        open(f"{folder}/page-{i}", "wb").write(answer.read())
PYTHON
for page in "$TEST_DIR"/page-*; do
    name=$(basename "$page")
    check "$name: all starts" "$(value 'norn_requests_total{method="StartWorkflowExecution",code="OK"}' "$page")" 40
    check "$name: all workflows" "$(value norn_executions_open "$page")" 40
    check "$name: all tasks" "$(value 'norn_task_queue_backlog{task_type="workflow"}' "$page")" 40
    check "$name: all queues" "$(value 'norn_task_queues{task_type="workflow"}' "$page")" 7
    check "$name: all shards" "$(grep -c '^history_shard_ownership{.*} 1$' "$page")" 512
    check "$name: the node's values once" "$(grep -c '^norn_journal_records_total ' "$page")" 1
    check "$name: whole" "$(tail -1 "$page")" '# EOF'
done
loops_used=$(grep -h '^norn_connections_total ' "$TEST_DIR"/page-* | sort -u | wc -l)
[ "$loops_used" -gt 1 ] || { echo "FAIL counters do not move"; failures=$((failures + 1)); }

stop_server || failures=$((failures + 1))
exit $((failures > 0))
