#!/bin/bash
# h2spec.sh - the wire of a real server: the whole of h2spec in clear text and on TLS; grpcurl without protos; mutual TLS;
# certificates that are replaced while it serves. NORN is the program, TEST_DIR an empty folder.
# timeout: 400
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${NORN:?set NORN to the norn program}" "${TEST_DIR:?}"
. "$here/wire/setup.sh"
. "$here/../sdk/server.sh"
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true' EXIT
setup_wire

conforms() { # NAME FLAG...
    local name=$1
    shift
    h2spec --host 127.0.0.1 --port "${grpc#*:}" --path /health --timeout 5 "$@" >"$TEST_DIR/h2spec.log" 2>&1 || true
    if grep -q '^145 tests, 145 passed, 0 skipped, 0 failed$' "$TEST_DIR/h2spec.log"; then
        echo "PASS h2spec, $name"
    else
        echo "FAIL h2spec, $name:"
        sed -n '/^Failures/,$p' "$TEST_DIR/h2spec.log"
        tail -1 "$TEST_DIR/h2spec.log"
        failures=$((failures + 1))
    fi
}

# --- clear text ------------------------------------------------------------------------------------
start_server "$TEST_DIR/clear"
conforms "clear text"
check "reflection lists the services" '^temporal.api.workflowservice.v1.WorkflowService$' grpcurl -plaintext "$grpc" list
check "reflection describes a method" 'StartWorkflowExecutionResponse' \
    grpcurl -plaintext "$grpc" describe temporal.api.workflowservice.v1.WorkflowService.StartWorkflowExecution
check "a call by reflection" 'capabilities' \
    grpcurl -plaintext "$grpc" temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo
for service in "" temporal.api.workflowservice.v1.WorkflowService temporal.api.operatorservice.v1.OperatorService; do
    check "health of '$service'" '"SERVING"' \
        grpcurl -plaintext -d "{\"service\":\"$service\"}" "$grpc" grpc.health.v1.Health/Check
done
check "health of an unknown service" 'NotFound' \
    grpcurl -plaintext -d '{"service":"nobody"}' "$grpc" grpc.health.v1.Health/Check
check "HTTP/1.1 on the same port" '^HTTP/1.1 200' curl -sSi --http1.1 "http://$grpc/health"
check "HTTP/2 on the http port" '^HTTP/2 200' curl -sSi --http2-prior-knowledge "http://$http/health"
stop_server || failures=$((failures + 1))

# --- TLS -------------------------------------------------------------------------------------------
bash "$here/../sdk/certs.sh" "$TEST_DIR/certs"
cd "$TEST_DIR/certs"
start_server "$TEST_DIR/tls" --tls-cert server.pem --tls-key server.key
conforms "TLS" --tls --insecure
check "TLS 1.2" 'SSL connection using TLSv1.2' \
    curl -sSv --tls-max 1.2 --cacert ca.pem "https://localhost:${grpc#*:}/health"
check "TLS 1.3" 'SSL connection using TLSv1.3' curl -sSv --cacert ca.pem "https://localhost:${grpc#*:}/health"
check "TLS 1.1 is refused" 'alert|unsupported|wrong version|no protocols' \
    curl -sS --tlsv1.0 --tls-max 1.1 --cacert ca.pem "https://localhost:${grpc#*:}/health"
check "ALPN without a protocol of ours" 'alert no application protocol|ALPN' \
    openssl s_client -connect "$grpc" -alpn spdy/3
check "grpcurl on TLS" 'WorkflowService' grpcurl -cacert ca.pem "localhost:${grpc#*:}" list
stop_server || failures=$((failures + 1))

# --- mutual TLS ------------------------------------------------------------------------------------
cp server.pem live.pem
cp server.key live.key
start_server "$TEST_DIR/mutual" --tls-cert live.pem --tls-key live.key --tls-client-ca ca.pem
url=https://localhost:${grpc#*:}/health
check "a client without a certificate" 'certificate required|alert' curl -sS --cacert ca.pem "$url"
check "a client of another authority" 'alert|unknown ca' \
    curl -sS --cacert ca.pem --cert other-client.pem --key other-client.key "$url"
check "a client with a certificate" 'serving' curl -sS --cacert ca.pem --cert client.pem --key client.key "$url"
check "grpcurl with a certificate" 'SERVING' grpcurl -cacert ca.pem -cert client.pem -key client.key \
    "localhost:${grpc#*:}" grpc.health.v1.Health/Check

serial() { # also of a server that ends the handshake for want of a certificate of ours
    openssl s_client -connect "$grpc" -alpn h2 -cert client.pem -key client.key </dev/null 2>/dev/null |
        openssl x509 -noout -serial
}
export -f serial
export grpc
before=$(serial)
echo broken >live.pem
kill -HUP "$server"
sleep 1
check "a broken certificate leaves the old one" "^$before\$" bash -c serial
mkdir again
bash "$here/../sdk/certs.sh" again
cp again/server.pem live.pem
cp again/server.key live.key
kill -HUP "$server"
sleep 1
check "a new certificate is used at once" "^$(openssl x509 -noout -serial -in again/server.pem)\$" bash -c serial
stop_server || failures=$((failures + 1))

# --- errors that name the file -----------------------------------------------------------------------
check "a key of another certificate" 'client.key.*does not belong' \
    "$NORN" server --data "$TEST_DIR/none" --grpc 127.0.0.1:0 --tls-cert server.pem --tls-key client.key
check "a key instead of a certificate" 'server.key.*not a certificate' \
    "$NORN" server --data "$TEST_DIR/none" --grpc 127.0.0.1:0 --tls-cert server.key --tls-key server.key

[ "$failures" = 0 ]
