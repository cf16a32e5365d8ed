#!/bin/bash
# Usage: demo.sh NORN [FLAG]...        (./zig build run -- --demo [FLAG]...)
# Starts a server with these flags, runs the sample order workflow of examples/demo-order by the Temporal Python SDK, and
# shows its history. Then the server goes on until Ctrl-C; with --demo-once it stops.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
norn=$1
shift
once=
flags=()
for flag; do
    case $flag in
        --demo) ;;
        --demo-once) once=1 ;;
        *) flags+=("$flag") ;;
    esac
done

log=$(mktemp)
server=
stop() {
    trap - INT TERM EXIT
    [ -z "$server" ] || kill -TERM "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" || true
    rm -f "$log"
}
trap 'stop; exit 130' INT TERM
trap stop EXIT

"$norn" server ${flags[@]+"${flags[@]}"} >"$log" &
server=$!
address=
for _ in $(seq 100); do
    address=$(sed -n 's/^norn: grpc listening on \([^ ]*\).*/\1/p' "$log")
    [ -z "$address" ] && kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
cat "$log"
if [ -z "$address" ]; then
    echo "demo: the server did not start" >&2
    exit 1
fi

echo
out=$("${NORN_PYTHON:-python3}" "$root/examples/demo-order/order.py" --address "$address" | tee /dev/stderr)
id=$(printf '%s\n' "$out" | sed -n 's/^workflow-id: //p')
echo
echo "Its history, from norn workflow show $id --address $address:"
echo
"$norn" workflow show "$id" --address "$address"
[ -z "$once" ] || exit 0
echo
echo "The server goes on at $address; Ctrl-C stops it."
wait "$server"
