#!/bin/bash
# bad_input.sh - bad input to a real server: each gets a clear error, and the server goes on.  See bad_input.py.
# timeout: 60
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${NORN:?set NORN to the norn program}" "${TEST_DIR:?}"
. "$here/../sdk/setup.sh"
. "$here/../sdk/server.sh"
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true' EXIT
setup_python
start_server "$TEST_DIR/data"
"$python" "$here/bad_input.py" --address "$grpc" --http "$http"
stop_server
