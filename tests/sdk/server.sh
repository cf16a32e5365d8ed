# server.sh - sourced by tests (with `set -e`): starts and stops the server under test.  NORN is the path of the norn binary.

# start_server FOLDER [FLAG...]: the server on free ports; sets $server (process id), $grpc, $http, $metrics (host:port).
start_server() {
  local folder=$1
  shift
  : >"$folder.log"
  "$NORN" server --data "$folder" --grpc 127.0.0.1:"${grpc_port:-0}" --http 127.0.0.1:0 --metrics 127.0.0.1:0 "$@" \
    >>"$folder.log" 2>&1 &
  server=$!
  local tries
  for tries in $(seq 300); do
    grpc=$(listening grpc "$folder.log")
    if [ -n "$grpc" ]; then break; fi
    if ! kill -0 "$server" 2>/dev/null; then
      echo "FAIL server: it stopped at once" >&2
      tail -20 "$folder.log" >&2
      return 1
    fi
    sleep 0.1
  done
  if [ -z "$grpc" ]; then
    echo "FAIL server: no line tells the gRPC address after 30 s" >&2
    tail -20 "$folder.log" >&2
    return 1
  fi
  http=$(listening http "$folder.log")
  metrics=$(listening metrics "$folder.log")
}

# listening NAME LOG: the address in a line such as "norn: grpc listening on 127.0.0.1:41235".
listening() { sed -nE "s/.*$1[^0-9]*([0-9.]+:[0-9]+).*/\1/p" "$2" | head -1; }

# stop_server: SIGTERM; the exit status must be 0 within 30 s.
stop_server() {
  local pid=$server tries status=0
  server=
  kill -TERM "$pid"
  for tries in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  if kill -0 "$pid" 2>/dev/null; then
    echo "FAIL server: still running 30 s after SIGTERM"
    kill -KILL "$pid"
    return 1
  fi
  wait "$pid" || status=$?
  [ "$status" = 0 ] || { echo "FAIL server: exit status $status after SIGTERM"; return 1; }
  echo "PASS server: stops with status 0 after SIGTERM"
}
