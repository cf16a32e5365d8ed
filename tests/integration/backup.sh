#!/bin/bash
# backup.sh - a server under load is backed up; a server on the restored copy has all that was acknowledged before the
# backup began, and goes on with it; what cannot be backed up or restored is refused in clear words. See backup.py.
# NORN is the program, TEST_DIR an empty folder, NORN_PYTHON a Python with the Temporal SDK.
# timeout: 180
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${NORN:?set NORN to the norn program}" "${TEST_DIR:?}"
. "$here/../sdk/server.sh"
python=${NORN_PYTHON:-python3}
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true' EXIT
unset TEMPORAL_ADDRESS TEMPORAL_NAMESPACE
cd "$TEST_DIR"

# refused NAME PATTERN COMMAND...: exit code 1, and the pattern in what is printed.
refused() {
    local name=$1 pattern=$2 status=0
    shift 2
    "$@" >out 2>&1 || status=$?
    if [ "$status" = 1 ] && grep -Eq -- "$pattern" out; then echo "PASS $name"; return; fi
    echo "FAIL $name: exit code $status, wanted 1 and /$pattern/ in:"
    cat out
    exit 1
}

start_server "$TEST_DIR/data" --loops 2 --backup.dir "$TEST_DIR"
"$python" "$here/backup.py" load --address "$grpc" --ledger ledger --norn "$NORN" --backup "$TEST_DIR/copy"
refused "a backup into a folder with files" 'copy is not empty: choose another folder' \
    "$NORN" backup copy --address "$grpc"
refused "a backup elsewhere" 'backups are made below .*backup.dir' "$NORN" backup /proc/copy --address "$grpc"
refused "a backup beside" 'backups are made below' "$NORN" backup "$TEST_DIR-2/copy" --address "$grpc"
refused "a backup by a way out" 'backups are made below' "$NORN" backup below/../../copy --address "$grpc"
touch file
refused "a backup into a folder that cannot be" 'cannot make .*/file/copy' "$NORN" backup file/copy --address "$grpc"
"$NORN" checkpoint --address "$grpc" | grep -q 'Checkpointed' && echo "PASS checkpoint"
"$NORN" backup copy2 --address "$grpc" --output json | grep -q '"files":' && echo "PASS a second backup, as JSON"
kill -KILL "$server"
wait "$server" 2>/dev/null || true
server=

"$NORN" restore copy restored
refused "a restore into a folder with files" 'restored is not empty: choose another folder' "$NORN" restore copy restored
refused "a restore of what is no backup" 'data.*BACKUP' "$NORN" restore data restored2
cp -r copy damaged
printf 'x' | dd of=damaged/norn.db bs=1 seek=5000 conv=notrunc status=none
refused "a restore of a damaged backup" 'damaged is not whole: .*norn.db' "$NORN" restore damaged restored3
cp -r copy cut
rm cut/journal/*.log
refused "a restore of a backup that lacks a file" 'cut.*journal' "$NORN" restore cut restored4
printf 'norn backup 1\n' >cut/BACKUP
refused "a restore of a backup that was cut short" 'cut is not whole: its list BACKUP' "$NORN" restore cut restored5

start_server "$TEST_DIR/restored" --loops 1 --admin.from-loopback=false
"$python" "$here/backup.py" check --address "$grpc" --ledger ledger
refused "a backup where loopback is not enough" 'PERMISSION_DENIED.*admin.from-loopback is false' \
    "$NORN" backup copy --address "$grpc"
stop_server

start_server "$TEST_DIR/fresh"
"$NORN" backup monday --address "$grpc" | grep -q "Backed up into $TEST_DIR/fresh/backups/monday:" && echo "PASS the usual folder"
stop_server
"$NORN" restore "$TEST_DIR/fresh/backups/monday" "$TEST_DIR/fresh-2" | grep -q 'Restored' && echo "PASS restored from there"

bash "$here/../sdk/certs.sh" "$TEST_DIR/tls"
pem=$TEST_DIR/tls
tls=(--tls-cert "$pem/server.pem" --tls-key "$pem/server.key" --tls-client-ca "$pem/ca.pem")
mine=(--tls-ca-path "$pem/ca.pem" --tls-cert-path "$pem/client.pem" --tls-key-path "$pem/client.key")
start_server "$TEST_DIR/secure" "${tls[@]}"
refused "a backup by a certificate that is not named" 'PERMISSION_DENIED.*CN=sdk-test.*admin.names' \
    "$NORN" backup copy --address "$grpc" "${mine[@]}"
stop_server
start_server "$TEST_DIR/secure" "${tls[@]}" --admin.names "DNS:other, CN=sdk-test"
"$NORN" backup copy --address "$grpc" "${mine[@]}" | grep -q 'Backed up' && echo "PASS a backup by a certificate that is named"
stop_server
"$NORN" journal verify --data restored
