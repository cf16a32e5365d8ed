#!/bin/sh
# Runs the pinned Zig, after putting what a build needs in place.
#
# What it looks after, each with one line of output when something had to be done:
#   - Debian packages: tools/packages.txt; for steps that need them Debian's newest clang, and tools/packages-test.txt;
#   - a Python environment with the packages of tools/requirements.txt;
#   - Zig itself (tools/requirements-zig.txt, checked by hash).
# The last two live in a cache folder: $NORN_CACHE, else $XDG_CACHE_HOME/norn, else ~/.cache/norn.
# NORN_NO_SETUP=1 leaves the system packages alone.
set -eu

case $0 in */*) root=$(CDPATH= cd -- "${0%/*}" && pwd) ;; *) root=$PWD ;; esac
cache=${NORN_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/norn}
say() { echo "norn setup: $*" >&2; }
die() { say "$*"; exit 1; }

packages=$(sed '/^#/d' "$root/tools/packages.txt")
[ -x /usr/bin/python3 ] && [ ! -e /etc/debian_version ] || packages="$packages python3 python3-venv"
need_clang= need_tests=
for arg; do
    case $arg in
        --) break ;;
        test | test-asan | fuzz) need_clang=1 ;;
    esac
    case $arg in
        test | test-integration) need_tests=1 ;;
    esac
done

zig_dir=$cache/zig-$(cksum <"$root/tools/requirements-zig.txt" | tr ' ' -)
venv=$cache/venv-$(cksum <"$root/tools/requirements.txt" | tr ' ' -)
stamp=$cache/packages${need_clang:+-clang}${need_tests:+-tests}
[ -z "$need_tests" ] || [ ! -e "$root/tools/packages-test.txt" ] ||
    packages="$packages $(sed '/^#/d' "$root/tools/packages-test.txt")"
packages=$(echo $packages)

# --- system packages ---------------------------------------------------------------------------

missing_packages() {
    for p; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || printf ' %s' "$p"
    done
}

newest_clang() { apt-cache pkgnames clang- 2>/dev/null | sed -n 's/^clang-\([0-9]*\)$/\1/p' | sort -n | tail -1; }

# The newest clang on this machine that brings the sanitizer runtime; empty if there is none.
installed_clang() {
    for v in 30 29 28 27 26 25 24 23 22 21 20 19 18 17 16; do
        command -v "clang-$v" >/dev/null || continue
        rt=$("clang-$v" -print-file-name="libclang_rt.fuzzer.a" 2>/dev/null)
        [ -e "$rt" ] || rt=$("clang-$v" -print-file-name="libclang_rt.fuzzer-$(uname -m).a" 2>/dev/null)
        [ -e "$rt" ] && { echo "clang-$v"; return; }
    done
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 "$@" >>"$cache/apt.log" 2>&1
}

install_packages() { # names
    [ -e /etc/debian_version ] || die "not Debian or Ubuntu; install by hand what these packages hold, then set NORN_NO_SETUP=1: $*"
    [ "$(id -u)" = 0 ] || die "not root; run: sudo apt-get install --no-install-recommends $*"
    say "installing Debian packages: $*"
    : >"$cache/apt.log"
    apt install --no-install-recommends "$@" && return
    say "refreshing the package lists"
    apt update && apt install --no-install-recommends "$@" && return
    tail -20 "$cache/apt.log" >&2
    die "apt-get failed; the whole log is $cache/apt.log"
}

setup_packages() {
    if [ -e /etc/debian_version ]; then
        missing=$(missing_packages $packages)
    else
        missing=$packages
    fi
    [ -z "$missing" ] || install_packages $missing
    clang=
    if [ -n "$need_clang" ]; then
        clang=$(installed_clang)
        if [ -z "$clang" ]; then
            v=$(newest_clang)
            if [ -z "$v" ] && [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
                say "refreshing the package lists"
                apt update || true
                v=$(newest_clang)
            fi
            install_packages "clang-${v:-22}" "libclang-rt-${v:-22}-dev"
            clang=$(installed_clang)
        fi
        [ -n "$clang" ] || die "no clang with the sanitizer runtime was found"
    fi
    printf '%s\n' "$packages" "$clang" >"$stamp.new"
    mv "$stamp.new" "$stamp"
}

packages_ready() {
    if [ -n "${NORN_NO_SETUP:-}" ]; then
        [ -z "$need_clang" ] || clang=$(installed_clang)
        return
    fi
    [ "$stamp" -nt /var/lib/dpkg/status ] && { read -r had; read -r clang || true; } <"$stamp" && [ "$had" = "$packages" ]
}

# --- Python and Zig ----------------------------------------------------------------------------

network="; see above. PyPI must be reachable once, or an index that PIP_INDEX_URL names"

setup_venv() {
    say "making a Python environment in $venv"
    python=/usr/bin/python3
    [ -x $python ] || python=python3
    command -v $python >/dev/null || die "there is no python3: install Python 3.10 or newer with its venv module"
    rm -rf "$venv" "$venv.log"
    { $python -m venv "$venv" && "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$root/tools/requirements.txt"; } \
        >"$venv.log" 2>&1 || { tail -20 "$venv.log" >&2; rm -rf "$venv"; die "could not make the Python environment$network"; }
    : >"$venv/ready"
}

setup_zig() {
    say "fetching Zig $(sed -n 's/^ziglang==\([0-9.]*\).*/\1/p' "$root/tools/requirements-zig.txt") into $zig_dir"
    rm -rf "$zig_dir.new"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes --no-compile \
        --target "$zig_dir.new" -r "$root/tools/requirements-zig.txt" >"$zig_dir.log" 2>&1 ||
        { tail -20 "$zig_dir.log" >&2; die "could not fetch Zig$network"; }
    rm -rf "$zig_dir"
    mv "$zig_dir.new" "$zig_dir"
}

setup() {
    packages_ready || setup_packages
    [ -e "$venv/ready" ] || setup_venv
    [ -x "$zig_dir/ziglang/zig" ] || setup_zig
}

clang=
if ! packages_ready || [ ! -e "$venv/ready" ] || [ ! -x "$zig_dir/ziglang/zig" ]; then
    mkdir -p "$cache"
    # One set-up at a time: worktrees share the cache.
    if command -v flock >/dev/null; then
        exec 9>"$cache/lock"
        flock 9
    fi
    setup
    exec 9>&-
fi

export NORN_VENV="$venv" NORN_CLANG="${NORN_CLANG:-$clang}"
export ZIG_GLOBAL_CACHE_DIR="${ZIG_GLOBAL_CACHE_DIR:-$cache/zig-global}"
exec "$zig_dir/ziglang/zig" "$@"
