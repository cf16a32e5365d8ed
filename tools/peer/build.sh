#!/bin/bash
# build.sh - builds Temporal's `temporal` command, with its dev server, from the versions in go.mod and go.sum, and
# prints its path: ${NORN_CACHE:-~/.cache/norn}/peer/temporal.  A second call does nothing unless a file here changed.
#
#   temporal server start-dev --headless --port 7233 [--db-filename FILE]
#
# The newest command that the Go module proxy has whole is 1.5.1, made for server 1.29; a copy of it is fitted to
# server 1.32 by the sed commands below (newer ones need a module, cliext, that was not published).
set -euo pipefail
cd "$(dirname "$0")"
out=${NORN_CACHE:-$HOME/.cache/norn}/peer
mkdir -p "$out"
stamp=$(cat build.sh go.mod go.sum | sha256sum | cut -d' ' -f1)
if [ "$(cat "$out/stamp" 2>/dev/null)" != "$stamp" ]; then
  echo "building $out/temporal (the first time takes about 8 minutes on 2 cores)" >&2
  export GOFLAGS=-buildvcs=false GOTOOLCHAIN=${GOTOOLCHAIN:-auto}
  upstream=$(go mod download -json github.com/temporalio/cli | sed -n 's/^.*"Dir": "\(.*\)",\{0,1\}$/\1/p')
  rm -rf "$out/src"
  mkdir "$out/src"
  cp go.mod go.sum "$out/src/"
  cp -r "$upstream" "$out/src/cli"
  chmod -R u+w "$out/src"
  cd "$out/src"
  sed -i -e 's|go.temporal.io/server/components/callbacks"|go.temporal.io/server/chasm/lib/callback"|' \
    -e 's|callbacks.AllowedAddresses|callback.AllowedAddresses|' \
    -e 's|dynamicconfig.Key(k)|dynamicconfig.MakeKey(k)|' \
    -e 's|^\t// Up default visibility RPS|\tdynConf[dynamicconfig.EnableChasm.Key()] = true\n&|' \
    cli/temporalcli/devserver/server.go
  sed -i 's|info.GetProcessKey()|info.GetWorkerGroupingKey()|' cli/temporalcli/commands.worker.go
  go mod edit -replace github.com/temporalio/cli=./cli
  nice -n 15 go build -p "${JOBS:-$(nproc)}" -trimpath -ldflags='-s -w' -o "$out/temporal" \
    github.com/temporalio/cli/cmd/temporal
  echo "$stamp" >"$out/stamp"
fi
echo "$out/temporal"
