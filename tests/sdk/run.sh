#!/bin/bash
# run.sh [SUITE...] - runs the official SDKs' conformance scenarios (suites: python typescript go java; default all).
#   NORN=path of the norn binary: a server is started, in clear text, then with mutual TLS; it must stop with status 0
#     after SIGTERM.
#   NORN_ADDRESS=host:port: that server is tested instead, in clear text only.
#   NORN_ONLY=REGEX: only the scenarios whose name matches.
# Prints one line for each scenario, PASS or FAIL; exit status 0 if nothing failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/setup.sh"
. "$here/server.sh"
suites=${*:-python typescript go java}
for suite in $suites; do
  "setup_$suite"
done
temp=$(mktemp -d)
server=
failed=0
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true; rm -rf "$temp"' EXIT

# run SUITE FLAG...: one suite; a suite that hangs is a failure.
run() {
  local suite=$1
  shift
  set -- "$@" --only "${NORN_ONLY:-}"
  case $suite in
    python) set -- "$python" "$here/python/run.py" "$@" ;;
    typescript) set -- node "$typescript/run.js" "$@" ;;
    go) set -- "$go_test" "$@" ;;
    java) set -- java -cp "$java_path" SdkTest "$@" ;;
  esac
  local status=0
  timeout --kill-after=5 300 "$@" || status=$?
  [ $status = 0 ] && return
  failed=1
  echo "FAIL $suite: exit status $status"
}

# finish LOG: stops the server, and shows its last lines if something went wrong.
finish() {
  stop_server || failed=1
  if [ $failed != 0 ]; then
    echo "the server's last lines:"
    tail -15 "$1"
  fi
}

if [ -n "${NORN_ADDRESS:-}" ]; then
  for suite in $suites; do run "$suite" --address "$NORN_ADDRESS"; done
  exit $failed
fi

: "${NORN:?set NORN to the norn binary, or NORN_ADDRESS to a server}"
echo "clear text"
start_server "$temp/clear"
for suite in $suites; do run "$suite" --address "$grpc"; done
finish "$temp/clear.log"

echo "mutual TLS"
bash "$here/certs.sh" "$temp/certs"
certs=$temp/certs
start_server "$temp/tls" --tls-cert "$certs/server.pem" --tls-key "$certs/server.key" --tls-client-ca "$certs/ca.pem"
for suite in $suites; do
  run "$suite" --address "$grpc" --tls-ca "$certs/ca.pem" --tls-cert "$certs/client.pem" --tls-key "$certs/client.key"
done
# A client without a certificate, and one from another authority, must not get in.
refused() {
  if timeout 20 "$python" "$here/python/run.py" --address "$grpc" --only '^hello$' --tls-ca "$certs/ca.pem" "$@" \
    >"$temp/refused" 2>&1 || ! grep -q "FAIL python connect" "$temp/refused"; then
    echo "FAIL tls: a client $who was let in"
    failed=1
  else
    echo "PASS tls: a client $who is refused"
  fi
}
case $suites in
  *python*)
    who="without a certificate" refused
    who="of another authority" refused --tls-cert "$certs/other-client.pem" --tls-key "$certs/other-client.key"
    ;;
esac
finish "$temp/tls.log"
exit $failed
