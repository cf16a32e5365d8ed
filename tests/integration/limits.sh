#!/bin/bash
# limits.sh - the limit of memory, and a full disk, on a real server.  See memory_limit.py and full_disk.py.
# timeout: 180
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${NORN:?set NORN to the norn program}" "${TEST_DIR:?}"
. "$here/../sdk/setup.sh"
setup_python
"$python" "$here/memory_limit.py" --norn "$NORN" --folder "$TEST_DIR/memory"

# A disk of its own: a small tmpfs, in a mount namespace that ends with the test. Not everybody may make one.
disk=$TEST_DIR/disk
mkdir "$disk"
if unshare --mount true 2>/dev/null; then
    unshare --mount bash -c 'mount -t tmpfs -o size=64m none "$1" && exec "$2" "$3" --norn "$4" --disk "$1"' \
        sh "$disk" "$python" "$here/full_disk.py" "$NORN"
else
    echo "SKIP a full disk: mounting is not allowed here"
fi
