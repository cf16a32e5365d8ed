#!/bin/bash
# cli.sh - the norn command against a real server: what it prints, and its exit codes. NORN is the program, TEST_DIR an
# empty folder, NORN_PYTHON a Python with the Temporal SDK (for the demo).
# timeout: 120
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${NORN:?set NORN to the norn program}" "${TEST_DIR:?}"
. "$here/../sdk/server.sh"
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true' EXIT
failures=0
unset TEMPORAL_ADDRESS TEMPORAL_NAMESPACE NO_COLOR

# check NAME EXIT_CODE PATTERN COMMAND...: the exit code, and an extended regular expression in what is printed.
check() {
    local name=$1 code=$2 pattern=$3 status=0
    shift 3
    "$@" >"$TEST_DIR/out" 2>&1 || status=$?
    if [ "$status" != "$code" ] || ! grep -Eq -- "$pattern" "$TEST_DIR/out"; then
        echo "FAIL $name: exit code $status, wanted $code and /$pattern/ in:"
        sed 's/^/    /' "$TEST_DIR/out"
        failures=$((failures + 1))
    else
        echo "PASS $name"
    fi
}
json() { "${NORN_PYTHON:-python3}" -c 'import json, sys; print(eval(sys.argv[1], {"x": json.load(sys.stdin)}))' "$1"; }

# --- without a server ----------------------------------------------------------------------------
check "help lists the commands" 0 '^  workflow start ' "$NORN"
check "help about one" 0 '^  -f, --follow' "$NORN" help workflow show
check "version" 0 '^norn [0-9]' "$NORN" --version
check "unknown command" 2 'there is no command "dance"' "$NORN" dance
check "namespace delete is not there" 2 'there is no command "namespace delete"; norn namespace has: create, list' \
    "$NORN" namespace delete payments
check "backup needs a folder" 2 'into which folder' "$NORN" backup
check "restore needs two" 2 'restore BACKUP DATADIR' "$NORN" restore "$TEST_DIR/copy"
check "--tls needs authorities" 2 'tls needs --tls-ca-path' "$NORN" workflow list --tls
check "every command has a help text" 0 '^Usage' "$NORN" help backup
check "completion for zsh" 0 'norn' "$NORN" completion zsh
check "completion for fish" 0 'norn' "$NORN" completion fish
check "unknown flag" 2 'there is no flag --nope' "$NORN" workflow list --nope
check "nearest setting" 2 'there is no flag --grcp; the nearest is --grpc' "$NORN" server --grcp 127.0.0.1:0
check "bad setting" 2 '--loops: loops is "x"; allowed: 0 to 256' "$NORN" server --loops x
check "open address" 2 'insecure' "$NORN" server --grpc 0.0.0.0:0
start_server "$TEST_DIR/open" --http 0.0.0.0:0 --insecure
check "an open address is logged" 0 '"level":"warn","message":"listening beyond loopback.*"listener":"http","address":"0.0.0.0:' \
    cat "$TEST_DIR/open.log"
stop_server || failures=1
check "io_uring is not allowed" 1 'io_uring is not allowed here .*Operation not permitted' \
    "${NORN_PYTHON:-python3}" "$here/without_uring.py" "$NORN" server --data "$TEST_DIR/never"
check "what to allow" 1 'docker run --security-opt seccomp=' \
    "${NORN_PYTHON:-python3}" "$here/without_uring.py" "$NORN" server --data "$TEST_DIR/never"
check "no server" 3 'connection refused; is the server running\?' "$NORN" workflow list --address 127.0.0.1:1
check "bad address" 2 'expected HOST:PORT' "$NORN" workflow list --address nonsense
check "api" 0 '^StartWorkflowExecution +done' "$NORN" api
check "completion" 0 'complete .*norn' "$NORN" completion bash
check "completes" 0 '^--follow$' "$NORN" complete -- workflow show --f

printf 'grpc: 127.0.0.1:0\nlimit: {maxIDLength: 99}\n' >"$TEST_DIR/norn.yaml"
check "config from a file" 0 'limit.maxIDLength +99 +.*norn.yaml:2' "$NORN" config show --config "$TEST_DIR/norn.yaml"
check "config from the environment" 0 'loops +3 +NORN_LOOPS' env NORN_LOOPS=3 "$NORN" config show
check "an unknown variable" 2 'no setting for the environment variable NORN_LOPS; the nearest is NORN_LOOPS' \
    env NORN_LOPS=3 "$NORN" server --data "$TEST_DIR/never"
check "a planted bug that is not compiled in" 2 'no setting .*NORN_PLANT;' env NORN_PLANT=reply-early "$NORN" config show
check "config from a flag" 0 'loops +4 +--loops' env NORN_LOOPS=3 "$NORN" config show --loops 4
echo 'blob: 1' >"$TEST_DIR/bad.yaml"
check "config with a mistake" 2 'bad.yaml:1: there is no setting "blob"' "$NORN" config show --config "$TEST_DIR/bad.yaml"

# --- with one ---------------------------------------------------------------------------------------
start_server "$TEST_DIR/data"
export TEMPORAL_ADDRESS=$grpc
check "health" 0 'is serving' "$NORN" health
check "second server on the same data" 1 'locked|another process' "$NORN" server --data "$TEST_DIR/data" \
    --grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0
check "default namespace" 0 '^default +Registered' "$NORN" namespace list
check "namespace create" 0 'is there' "$NORN" namespace create payments --retention 30d --description "money"
check "namespace describe" 0 '^Retention +30d' "$NORN" namespace describe payments
check "namespace update" 0 'Updated' "$NORN" namespace update payments --retention 40d
check "namespace updated" 0 '^Retention +40d' "$NORN" namespace describe payments
check "namespace unknown" 1 'NOT_FOUND' "$NORN" namespace describe nope

check "start" 0 '^Workflow +order-1' "$NORN" workflow start order-1 --type Order --task-queue orders --input '{"n": 1.10}' \
    --memo who=ann --run-timeout 1h
check "start again" 1 'ALREADY_EXISTS' "$NORN" workflow start order-1 --type Order --task-queue orders
check "start without a type" 2 'are needed' "$NORN" workflow start order-2
check "start with a text that is not JSON" 2 "a text needs quotes" "$NORN" workflow start order-2 --type T -t q -i text
check "list" 0 '^Running +order-1 +Order' "$NORN" workflow list
check "count" 0 '^1$' "$NORN" workflow count
check "count by status" 0 '^(Running|Completed|Terminated|Failed|Canceled) +1$' "$NORN" workflow count --query 'GROUP BY ExecutionStatus'
check "list in another namespace" 0 'No workflows in namespace payments' "$NORN" workflow list --namespace payments
check "describe" 0 '^Run timeout +1h' "$NORN" workflow describe order-1
check "explain" 0 'a worker to take its workflow task .*task queue orders' "$NORN" workflow explain order-1
check "show" 0 '1  .*WorkflowExecutionStarted .*input=\[\{"n":1.10\}\]' "$NORN" workflow show order-1
check "signal" 0 'Signaled' "$NORN" workflow signal order-1 --name approve --input true
check "cancel" 0 'Cancellation requested' "$NORN" workflow cancel order-1 --reason "changed my mind"
check "history has them" 0 'WorkflowExecutionCancelRequested' "$NORN" workflow show order-1
check "task queue" 0 '^workflow +1 ' "$NORN" task-queue describe orders
check "terminate" 0 'Terminated' "$NORN" workflow terminate order-1 --reason bye
check "result" 1 'the workflow was terminated: bye' "$NORN" workflow result order-1
check "explain a closed one" 0 'is Terminated .*it waits for nothing' "$NORN" workflow explain order-1
check "follow ends" 0 'WorkflowExecutionTerminated' "$NORN" workflow show order-1 --follow
check "unknown workflow" 1 'NOT_FOUND' "$NORN" workflow describe nope
check "search attribute" 0 'Added' "$NORN" operator search-attribute create --name Customer --type Keyword
check "search attribute is there" 0 '^Customer +Keyword +custom' "$NORN" operator search-attribute list
check "any call" 0 '"serverVersion"' "$NORN" api call GetSystemInfo
check "a call that is not done" 1 'does not do .* yet' "$NORN" api call \
    "$("$NORN" api --missing --service workflowservice --output json | json 'x[0]["method"]')"

[ "$("$NORN" workflow list --output json | json 'x[0]["execution"]["workflowId"]')" = order-1 ] || { echo "FAIL json list"; failures=1; }
[ "$("$NORN" workflow show order-1 --output json | json 'x["events"][0]["eventId"]')" = 1 ] || { echo "FAIL json show"; failures=1; }
if "$NORN" workflow list | grep -q $'\x1b'; then echo "FAIL colours without a terminal"; failures=1; fi
fetch() { "${NORN_PYTHON:-python3}" -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())' "$1"; }
check "/health" 0 '^serving' fetch "http://$http/health"
fetch "http://$metrics/metrics" >"$TEST_DIR/metrics"
check "metrics" 0 '^norn_requests_total\{method="StartWorkflowExecution",code="OK"\} 1$' cat "$TEST_DIR/metrics"
check "workflow metrics" 0 '^workflow_duration_seconds_count\{namespace="default",workflow_type="Order",status="TERMINATED"\} 1$' cat "$TEST_DIR/metrics"
check "shard metrics" 0 '^history_shard_ownership\{shard_id="511",host=".+"\} 1$' cat "$TEST_DIR/metrics"
check "metrics end" 0 '^# EOF$' cat "$TEST_DIR/metrics"
check "journal of a serving server" 1 'a server has .* open' "$NORN" journal verify --data "$TEST_DIR/data"
stop_server || failures=1
check "server logs are JSON" 0 'True' json 'True' < <(grep '^{' "$TEST_DIR/data.log" | sed '1s/^/[/; $!s/$/,/; $s/$/]/')
check "journal verify" 0 '^whole: [1-9][0-9]* records' "$NORN" journal verify --data "$TEST_DIR/data"
check "journal dump" 0 '^\{"sequence":[0-9]+,.*"kind":"execution".*"bytes":[0-9]+\}$' "$NORN" journal dump --data "$TEST_DIR/data"
check "journal dump with payloads" 0 '"payload":"[A-Za-z0-9+/=]+"\}$' "$NORN" journal dump --data "$TEST_DIR/data" --payloads
cp -r "$TEST_DIR/data" "$TEST_DIR/damaged"
printf 'x' | dd of="$TEST_DIR/damaged/journal/0000000000000001.log" bs=1 seek=8250 conv=notrunc status=none
check "journal with damage" 1 '0000000000000001.log.*8192' "$NORN" journal verify --data "$TEST_DIR/damaged"
if "$NORN" journal dump --data "$TEST_DIR/data" | grep -q payload; then echo "FAIL payloads are shown"; failures=1; fi

# --- the end: an open long poll ends without an error, the exit code is 0 ------------------------------
start_server "$TEST_DIR/drained"
export TEMPORAL_ADDRESS=$grpc
"$NORN" api call PollWorkflowTaskQueue '{"namespace":"default","taskQueue":{"name":"q"},"identity":"me"}' \
    --command-timeout 60s >"$TEST_DIR/poll" 2>&1 &
poll=$!
for try in $(seq 50); do "$NORN" task-queue describe q | grep -q ' me ' && break; sleep 0.1; done
stop_server || failures=1
status=0
wait "$poll" || status=$?
check "a long poll ends when the server drains (exit code $status)" 0 . sh -c '[ "$1" = 0 ] && cat "$2"' sh "$status" "$TEST_DIR/poll"

# --- mutual TLS --------------------------------------------------------------------------------------
bash "$here/../sdk/certs.sh" "$TEST_DIR/tls"
pem=$TEST_DIR/tls
start_server "$TEST_DIR/secure" --tls-cert "$pem/server.pem" --tls-key "$pem/server.key" --tls-client-ca "$pem/ca.pem"
export TEMPORAL_ADDRESS=$grpc
mine=(--tls-cert-path "$pem/client.pem" --tls-key-path "$pem/client.key")
check "mutual TLS" 0 '^default' "$NORN" namespace list --tls-ca-path "$pem/ca.pem" "${mine[@]}"
check "mutual TLS by the environment" 0 '^default' env TEMPORAL_TLS_CA="$pem/ca.pem" TEMPORAL_TLS_CERT="$pem/client.pem" \
    TEMPORAL_TLS_KEY="$pem/client.key" "$NORN" namespace list
check "clear text against TLS" 3 'if it wants TLS' "$NORN" namespace list
check "no certificate" 3 "if it wants TLS or a client's certificate|TLS: " "$NORN" namespace list --tls-ca-path "$pem/ca.pem"
check "another's certificate" 3 "if it wants TLS or a client's certificate|TLS: " "$NORN" namespace list \
    --tls-ca-path "$pem/ca.pem" --tls-cert-path "$pem/other-client.pem" --tls-key-path "$pem/other-client.key"
check "a server that is not trusted" 3 'TLS: .*refused: unable to get local issuer' "$NORN" namespace list \
    --tls-ca-path "$pem/other-ca.pem" "${mine[@]}"
check "another server's name" 3 'TLS: .*Hostname mismatch' "$NORN" namespace list --tls-ca-path "$pem/ca.pem" "${mine[@]}" \
    --tls-server-name wrong.example
check "a file that is not there" 2 'tls-ca-path: cannot read' "$NORN" namespace list --tls-ca-path "$pem/nothing.pem"
check "a certificate without its key" 2 'needs its key' "$NORN" namespace list --tls-ca-path "$pem/ca.pem" \
    --tls-cert-path "$pem/client.pem"
stop_server || failures=1

if [ -n "${NORN_PYTHON:-}" ]; then
    check "demo" 0 'WorkflowExecutionCompleted .*parcel-order' "$here/../../tools/demo.sh" "$NORN" --demo-once \
        --data "$TEST_DIR/demo/below/it" --grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0
fi
[ "$failures" = 0 ]
