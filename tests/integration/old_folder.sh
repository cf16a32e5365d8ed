#!/bin/bash
# old_folder.sh - folders of earlier servers that were killed (tests/fixtures/server-*): all that was acknowledged is there,
# and the workflows go on. NORN is the program, TEST_DIR an empty folder, NORN_PYTHON a Python with the Temporal SDK.
# timeout: 120
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${NORN:?set NORN to the norn program}" "${TEST_DIR:?}"
for fixture in "$here"/../fixtures/server-*; do
    name=$(basename "$fixture")
    echo "$name"
    cp -R "$fixture" "$TEST_DIR/$name"
    "${NORN_PYTHON:-python3}" "$here/old_folder.py" open --norn "$NORN" --folder "$TEST_DIR/$name"
done
