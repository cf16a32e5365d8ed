#!/bin/bash
# bad_input.sh - what is wrong gets a clear error, and the server goes on: broken messages, sizes, headers and paths, then
# peers that break HTTP/2, flood or are slow (bad_input.py). NORN is the program, TEST_DIR an empty folder.
# timeout: 200
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${NORN:?set NORN to the norn program}" "${TEST_DIR:?}"
. "$here/wire/setup.sh"
. "$here/../sdk/server.sh"
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true' EXIT
setup_wire
start_server "$TEST_DIR/data"

# post METHOD BODY_FILE [CURL_FLAG...]: a gRPC request by curl, whose output has the trailers. A reply that comes before
# the request has ended leaves curl waiting, so its time is short.
post() {
    local method=$1 body=$2
    shift 2
    curl -sS --max-time 4 --http2-prior-knowledge -i -o - -X POST -H 'content-type: application/grpc' -H 'te: trailers' \
        --data-binary "@$body" "$@" "http://$grpc/temporal.api.workflowservice.v1.WorkflowService/$method" | tr -d '\0'
}
export -f post
export grpc
bad() { # NAME PATTERN METHOD BODY [CURL_FLAG...]; BODY is a printf format
    local name=$1 pattern=$2
    printf "$4" >"$TEST_DIR/body"
    check "$name" "$pattern" bash -c 'post "$@"' post "$3" "$TEST_DIR/body" "${@:5}"
}

# --- messages --------------------------------------------------------------------------------------
bad "a good one" 'grpc-status: 0' GetSystemInfo '\0\0\0\0\0'
bad "no message" '^grpc-message: .*unexpected EOF' GetSystemInfo ''
bad "a cut prefix" '^grpc-message: .*unexpected EOF' GetSystemInfo '\0\0\0'
bad "a cut message" '^grpc-message: .*unexpected EOF' GetSystemInfo '\0\0\0\0\011abc'
bad "two messages" '^grpc-message: .*more than one' GetSystemInfo '\0\0\0\0\0\0\0\0\0\0'
bad "an unknown flag" '^grpc-message: .*unexpected payload format 7' GetSystemInfo '\07\0\0\0\0'
bad "compressed without an encoding" '^grpc-message: .*compressed flag set' GetSystemInfo '\01\0\0\0\01x'
bad "not gzip" '^grpc-message: .*decompress' GetSystemInfo '\01\0\0\0\03abc' -H 'grpc-encoding: gzip'
bad "an encoding that is not known" '^grpc-status: 12' GetSystemInfo '\0\0\0\0\0' -H 'grpc-encoding: zstd'
bad "a length of 4 GiB" '^grpc-message: grpc: received message larger than max' GetSystemInfo '\0\377\377\377\377'
bad "bytes that are not protobuf" '^grpc-status: (3|13)' DescribeNamespace '\0\0\0\0\04\377\377\377\377'
bad "a field of a wrong type" '^grpc-status: (3|13)' DescribeNamespace '\0\0\0\0\02\010\001'
bad "text that is not UTF-8" '^grpc-status: (3|5|13)' DescribeNamespace '\0\0\0\0\04\012\02\377\376'
{ printf '\0\0\114\113\100'; head -c 5000000 /dev/zero; } >"$TEST_DIR/large"
check "five million bytes" '^grpc-message: grpc: received message larger than max' \
    bash -c 'post "$@"' post GetSystemInfo "$TEST_DIR/large"
head -c 50000000 /dev/zero | gzip >"$TEST_DIR/bomb.gz"
size=$(stat -c %s "$TEST_DIR/bomb.gz")
{ printf "\\01\\0\\x$(printf %02x $((size >> 16)))\\x$(printf %02x $((size >> 8 & 255)))\\x$(printf %02x $((size & 255)))"
  cat "$TEST_DIR/bomb.gz"; } >"$TEST_DIR/bomb"
check "a gzip bomb" '^grpc-message: grpc: received message larger than max' \
    bash -c 'post "$@"' post GetSystemInfo "$TEST_DIR/bomb" -H 'grpc-encoding: gzip'

# --- headers and paths -----------------------------------------------------------------------------
bad "an expired deadline" '^grpc-status: 4' GetSystemInfo '\0\0\0\0\0' -H 'grpc-timeout: 0n'
bad "a malformed deadline" 'malformed grpc-timeout' GetSystemInfo '\0\0\0\0\0' -H 'grpc-timeout: soon'
bad "an unknown method" '^grpc-message: unknown method Dance for service temporal' Dance '\0\0\0\0\0'
web() { curl -sS --max-time 4 --http2-prior-knowledge -i -o - "$@" | tr -d '\0'; }
export -f web
raw() { # NAME PATTERN PATH [CURL_FLAG...]
    printf '\0\0\0\0\0' >"$TEST_DIR/body"
    check "$1" "$2" bash -c 'web "$@"' web -X POST --data-binary "@$TEST_DIR/body" "${@:4}" "http://$grpc$3"
}
type='content-type: application/grpc'
raw "an unknown service" '^grpc-message: unknown service a.B' /a.B/C -H "$type"
raw "a malformed path" '^grpc-message: malformed method name: "/nothing"' /nothing -H "$type"
raw "a wrong content type" '^HTTP/2 415' /temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo -H 'content-type: text/xml'
raw "a wrong method" '^HTTP/2 405' /temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo -X PUT -H "$type"
headers=()
for i in $(seq 300); do headers+=(-H "x-header-$i: value"); done
raw "too many headers" '^grpc-message: request headers are larger' /a.B/C -H "$type" "${headers[@]}"
raw "a header that is too large" '^grpc-message: request headers are larger' /a.B/C -H "$type" \
    -H "x: $(head -c 40000 /dev/zero | tr '\0' x)"

# --- requests that mean nothing ----------------------------------------------------------------------
call() { grpcurl -plaintext -max-time 5 -d "$2" "$grpc" "temporal.api.workflowservice.v1.WorkflowService/$1"; }
export -f call
means() { check "$1" "$2" bash -c 'call "$@"' call "$3" "$4"; }
means "an unknown namespace" 'NotFound' DescribeWorkflowExecution '{"namespace":"nobody","execution":{"workflow_id":"a"}}'
means "no namespace" 'InvalidArgument' DescribeWorkflowExecution '{"execution":{"workflow_id":"a"}}'
means "no workflow id" 'InvalidArgument' DescribeWorkflowExecution '{"namespace":"default"}'
means "an unknown workflow" 'NotFound' DescribeWorkflowExecution '{"namespace":"default","execution":{"workflow_id":"no"}}'
means "a run id that is none" 'InvalidArgument|NotFound' DescribeWorkflowExecution \
    '{"namespace":"default","execution":{"workflow_id":"no","run_id":"not-a-run"}}'
means "a start without anything" 'InvalidArgument' StartWorkflowExecution '{"namespace":"default"}'
means "a workflow id of 5,000 bytes" 'InvalidArgument' StartWorkflowExecution \
    "{\"namespace\":\"default\",\"workflow_id\":\"$(head -c 5000 /dev/zero | tr '\0' a)\",\"workflow_type\":{\"name\":\"t\"},\"task_queue\":{\"name\":\"q\"}}"
means "a token that is none" 'InvalidArgument' RespondWorkflowTaskCompleted '{"namespace":"default","task_token":"AAAA"}'

# --- the connection itself --------------------------------------------------------------------------
"${NORN_PYTHON:-python3}" "$here/bad_input.py" "$grpc" || failures=$((failures + 1))

bad "a good one, after all that" 'grpc-status: 0' GetSystemInfo '\0\0\0\0\0'
stop_server || failures=$((failures + 1))
[ "$failures" = 0 ]
