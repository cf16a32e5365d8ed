#!/bin/bash
# kill9.sh [--rounds N] [--open N] - kills the server with SIGKILL again and again under load, then checks that every
# acknowledged start finished exactly once.  NORN is the path of the norn binary.  See kill9.py.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../sdk/setup.sh"
setup_python
exec "$python" "$here/kill9.py" --norn "${NORN:?set NORN to the norn binary}" "$@"
